//! What became of what the applications asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rocketry_core::engine::{Leftover, Note};
use rocketry_core::error::{QueryError, SendError};
use rocketry_core::id::{OpId, SubscriptionId};
use rocketry_core::name::Topic;
use rocketry_core::producer::SendReceipt;
use rocketry_core::query::QueueName;
use rocketry_core::time::Instant;

use super::answer::Answer;
use super::app::{ClientId, Delivered, Ended, Sent};
use super::world::World;

impl World {
    /// Every send of a client.
    pub fn sends(&self, client: ClientId) -> impl Iterator<Item = &Sent> {
        self.clients[client.0].app.sends.values()
    }

    /// One send.
    ///
    /// # Panics
    /// When the client has no such send.
    pub fn sent(&self, client: ClientId, op: OpId) -> &Sent {
        &self.clients[client.0].app.sends[&op]
    }

    /// How a query ended.
    pub fn answer(&self, client: ClientId, op: OpId) -> Option<&Ended<Result<Answer, QueryError>>> {
        self.clients[client.0].app.answers.get(&op)
    }

    /// Lets time pass until a send ends. Gives after what time since it was asked for, and how.
    ///
    /// # Panics
    /// When it does not end by its deadline.
    pub fn end_of(
        &mut self,
        client: ClientId,
        op: OpId,
    ) -> (Duration, Result<SendReceipt, SendError>) {
        let limit = self.sent(client, op).deadline.since(self.now);
        self.run_until(limit, |world| world.sent(client, op).ended.is_some());
        let sent = self.sent(client, op);
        match &sent.ended {
            Some(ended) => (ended.at.since(sent.asked), ended.result.clone()),
            None => panic!("{op:?} did not end by its deadline"),
        }
    }

    /// Everything consumers were given, in order, over all clients.
    pub fn delivered(&self) -> &[Delivered] {
        &self.delivered
    }

    /// How many different messages consumers were given, by unique id.
    pub fn distinct(&self) -> usize {
        self.distinct.len()
    }

    /// Whether a consumer was given the message of this unique id.
    pub fn has_delivered(&self, id: &str) -> bool {
        self.distinct.contains(id)
    }

    /// What a client's engine had to note, in order.
    pub fn notes(&self, client: ClientId) -> impl Iterator<Item = &Note> {
        self.clients[client.0].app.notes.iter().map(|(_, note)| note)
    }

    /// When a consumer had left its group.
    pub fn left_at(&self, client: ClientId, sub: SubscriptionId) -> Option<Instant> {
        let left = &self.clients[client.0].app.left;
        left.iter().find(|(_, own, _)| *own == sub).map(|(at, ..)| *at)
    }

    /// How many of the messages that a consumer was given it had not settled when it left.
    pub fn left_unsettled(&self, client: ClientId, sub: SubscriptionId) -> Option<usize> {
        self.leftover(client, sub).map(|of| of.unsettled)
    }

    /// Of how many queues it had no word that their last offset was stored.
    pub fn left_uncommitted(&self, client: ClientId, sub: SubscriptionId) -> Option<usize> {
        self.leftover(client, sub).map(|of| of.uncommitted)
    }

    fn leftover(&self, client: ClientId, sub: SubscriptionId) -> Option<Leftover> {
        let left = &self.clients[client.0].app.left;
        left.iter().find(|(_, own, _)| *own == sub).map(|(.., leftover)| *leftover)
    }

    /// The queues that are a group's consumer's at a client, that of its retry topic among them.
    pub fn held(&self, client: ClientId, group: &str) -> Vec<QueueName> {
        let consumers = self.engine(client).snapshot(self.now).consumers.into_iter();
        let of_group = consumers.filter(|one| one.group.as_str() == group);
        of_group.flat_map(|one| one.queues).map(|queue| queue.queue).collect()
    }

    /// When a client had stopped.
    pub fn stopped_at(&self, client: ClientId) -> Option<Instant> {
        self.clients[client.0].app.stopped
    }

    /// How often the message of this unique id is in the logs of the brokers.
    pub fn copies(&self, topic: &str, id: &str) -> usize {
        self.all_copies(topic).get(id).copied().unwrap_or_default()
    }

    /// Every unique id in the logs of the brokers, and how often it is there.
    pub fn all_copies(&self, topic: &str) -> BTreeMap<String, usize> {
        let cluster = self.cluster();
        let mut copies = BTreeMap::new();
        for broker in 0..cluster.config().brokers.len() {
            let (read, write) = cluster.queues(broker, topic).unwrap_or_default();
            for queue in 0..read.max(write) as i32 {
                let records = cluster.messages(broker, topic, queue);
                for record in records.items().filter_map(|item| item.record()) {
                    let id = record.unique_id().unwrap_or_default().to_owned();
                    *copies.entry(id).or_default() += 1;
                }
            }
        }
        copies
    }

    /// Panics if a group's committed offset passes a message that no consumer was ever done with.
    /// For consumers that keep a pace; what a test settles by itself is not counted. Nothing is
    /// said of a topic that was made anew, until [`Self::forgive`] draws the line.
    pub fn assert_none_passed(&self, group: &str, topic: &str) {
        if self.is_remade() {
            return;
        }
        let none = BTreeSet::new();
        for (broker, config) in self.cluster().config().brokers.iter().enumerate() {
            let (read, _) = self.cluster().queues(broker, topic).unwrap_or_default();
            for queue in 0..read {
                let committed = self.cluster().committed(broker, group, topic, queue as i32);
                let Ok(name) = Topic::new(topic) else { return };
                let name = QueueName { topic: name, broker: config.name.as_str().into(), queue };
                let settled = self.settled.get(&name).unwrap_or(&none);
                let passed = (0..committed.unwrap_or(0)).find(|offset| !settled.contains(offset));
                assert_eq!(passed, None, "{name:?} is committed to {committed:?}");
            }
        }
    }

    /// Panics unless each send has ended by its deadline or was cancelled.
    pub fn assert_all_ended(&self) {
        for (client, at) in self.clients.iter().enumerate() {
            for (op, sent) in &at.app.sends {
                let open =
                    sent.ended.is_none() && sent.handed.is_none() && sent.cancelled.is_none();
                assert!(!open || self.now < sent.deadline, "client-{client} {op:?} never ended");
            }
        }
    }
}
