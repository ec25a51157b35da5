//! What must hold of a storm and of the calm after it.

use std::collections::BTreeMap;
use std::time::Duration;

use rocketry_core::engine::Cancelled;
use rocketry_core::error::Stored;
use rocketry_core::frame::RequestCode;
use rocketry_core::producer::SendOptions;
use rocketry_core::query::QueueName;

use super::{CALM, GROUP, PROMPT, QUEUES, ROUTES, Run, STILL, TOPIC, message, topic};
use crate::sim::rates::Rate;
use crate::sim::storm::Gust;
use crate::sim::world::World;

impl Run {
    /// With a way on, no send fails, and everything is delivered at once, also in the storm.
    pub(super) fn assert_gentle(&self) {
        let mut first = BTreeMap::new();
        for one in self.world.delivered() {
            first.entry(one.id.clone().unwrap_or_default()).or_insert(one.at);
        }
        for sent in self.producers.iter().flat_map(|client| self.world.sends(*client)) {
            let Some(ended) = &sent.ended else { continue };
            let id = sent.id.to_string();
            assert!(
                ended.result.is_ok(),
                "{id}, asked for at {:?}: {:?}",
                sent.asked,
                ended.result
            );
            let stood = first.get(&id).map_or(Duration::MAX, |at| at.since(ended.at));
            assert!(stood <= STILL, "{id} stood still for {stood:?}");
        }
    }

    /// The unique ids of what is known to be stored; what is known not to be is not there.
    fn stored(&self) -> Vec<String> {
        let copies = self.world.all_copies(TOPIC);
        let stored = |id: &str| copies.contains_key(id) || self.world.is_forgiven(id);
        let mut good = Vec::new();
        for sent in self.producers.iter().flat_map(|client| self.world.sends(*client)) {
            let id = sent.id.to_string();
            match sent.ended.as_ref().map(|ended| &ended.result) {
                Some(Ok(_)) => good.push(id),
                Some(Err(error)) => match error.stored() {
                    Stored::No => assert!(!stored(&id), "{id}: {error}"),
                    Stored::Yes => good.push(id),
                    Stored::Unknown => {}
                },
                None => {
                    let removed = sent.cancelled == Some(Cancelled::Removed);
                    assert!(!removed || !stored(&id), "{id} was cancelled");
                }
            }
        }
        for id in &good {
            assert!(stored(id), "{id} was answered and is not there");
        }
        good
    }

    /// Nothing acknowledged is lost, and all of it is delivered soon after the calm.
    pub(super) fn assert_whole(&mut self) -> Duration {
        self.world.assert_all_ended();
        let good = self.stored();
        // Where masters are away and brokers move, sends have little time.
        let least = if self.scene.gusts == Gust::NETWORK { 201 } else { 0 };
        assert!(good.len() >= least, "only {} were stored", good.len());
        let world = &mut self.world;
        let missing = |world: &World| {
            good.iter().filter(|id| !world.has_delivered(id) && !world.is_forgiven(id)).count()
        };
        if world.run_until(CALM, |world| missing(world) == 0).is_none() {
            panic!("{} of {} were not delivered", missing(world), good.len());
        }
        let mut first = BTreeMap::new();
        for one in world.delivered() {
            first.entry(one.id.clone().unwrap_or_default()).or_insert(one.at);
        }
        first.into_values().max().map_or(Duration::ZERO, |at| at.since(self.calm))
    }

    /// Offsets come to the ends of their queues, also where a broker lost some.
    pub(super) fn assert_committed(&mut self) {
        let masters = self.world.masters();
        let behind = |world: &World| {
            let cluster = world.cluster();
            masters
                .iter()
                .flat_map(|(broker, _)| (0..QUEUES as i32).map(|queue| (*broker, queue)))
                .filter(|(broker, queue)| {
                    let end = cluster.max_offset(*broker, TOPIC, *queue).unwrap_or_default() as i64;
                    cluster.committed(*broker, GROUP, TOPIC, *queue).unwrap_or_default() != end
                })
                .collect::<Vec<_>>()
        };
        if self.world.run_until(CALM, |world| behind(world).is_empty()).is_none() {
            panic!("(broker, queue) {:?} are not committed to their ends", behind(&self.world));
        }
    }

    /// In the calm a message to any queue is stored and delivered at once.
    pub(super) fn assert_prompt(&mut self) {
        let known = self.calm + ROUTES;
        self.world.run_for(known.since(self.world.now()));
        for (broker, name) in self.world.masters() {
            for queue in 0..QUEUES {
                let to = QueueName { topic: topic(), broker: name.as_str().into(), queue };
                let client = self.producers[(broker + queue as usize) % 2];
                let options = SendOptions::to(&to).timeout(PROMPT);
                let op = self.world.send_with(client, message("calm".to_owned()), options);
                let op = op.unwrap_or_else(|error| panic!("{error}"));
                let id = self.world.sent(client, op).id.to_string();
                let took = self.world.run_until(PROMPT, |world| world.has_delivered(&id));
                let sent = self.world.sent(client, op);
                assert!(took.is_some(), "{to:?} stands still: {:?}", sent.ended);
            }
        }
    }

    /// No loop with a peer goes without a floor.
    pub(super) fn assert_bounded(&self) {
        let clients = (self.producers.len() + self.members.len()) as u64;
        for (rate, count) in self.world.rates() {
            let most = clients * limit(*rate);
            assert!(*count <= most, "{rate:?} came {count} times within a second");
        }
    }
}

/// The most that one client may do of a kind within a second, with four queues a broker and 25
/// messages a second between all of them.
const fn limit(rate: Rate) -> u64 {
    match rate {
        Rate::Connects => 20,
        Rate::Requests(_, code) => match RequestCode(code) {
            RequestCode::SEND_MESSAGE_V2 => 100,
            RequestCode::PULL_MESSAGE => 60,
            RequestCode::QUERY_CONSUMER_OFFSET
            | RequestCode::GET_MIN_OFFSET
            | RequestCode::GET_MAX_OFFSET
            | RequestCode::UPDATE_CONSUMER_OFFSET => 4 * QUEUES as u64,
            _ => 10,
        },
    }
}
