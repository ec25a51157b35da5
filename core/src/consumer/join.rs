//! Consumers joining their groups, and the topics and brokers they depend on.

use std::collections::BTreeSet;

use super::rebalance::AGAIN;
use super::{Consumer, Consumers, Phase, Subscribe};
use crate::effects::{Planted, Signal};
use crate::error::Refused;
use crate::id::{BrokerId, PeerId, SubscriptionId};
use crate::name::{Group, Topic};
use crate::remoting::Context;
use crate::route::Known;

impl Consumers {
    /// Whether such a consumer may join.
    pub(crate) fn admits(&self, subscribe: &Subscribe) -> Result<(), Refused> {
        if subscribe.topics.is_empty() {
            return Err(Refused::NoTopic);
        }
        let named: BTreeSet<&Topic> = subscribe.topics.iter().map(|(topic, _)| topic).collect();
        if named.len() < subscribe.topics.len() {
            return Err(Refused::DuplicateTopic);
        }
        if self.of_group(&subscribe.group).is_some() {
            return Err(Refused::DuplicateGroup);
        }
        Ok(())
    }

    /// One joins its group. `revision` is the first one of our heartbeats that tells of it.
    pub(crate) fn subscribe(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        subscribe: Subscribe,
        revision: u64,
    ) -> SubscriptionId {
        let version = ctx.fx.unix().0;
        let (config, told) = (&ctx.fx.config, (version, revision));
        let sub = self.slots.insert_with(|id| Consumer::new(id, subscribe, config, told));
        if let Some(consumer) = self.get_mut(sub) {
            for topic in consumer.topics.own() {
                ctx.fx.signal(Signal::RouteWanted(topic.clone()));
                reach_brokers(ctx, known, topic);
            }
            ctx.fx.signal(Signal::GroupsChanged);
            consumer.rebalance_after(ctx, AGAIN);
        }
        sub
    }

    /// Whether one of them reads the topic.
    pub(crate) fn reads(&self, topic: &Topic) -> bool {
        self.staying().any(|(_, consumer)| consumer.reads(topic))
    }

    /// The topics that consumers read.
    pub(crate) fn consumed(&self) -> BTreeSet<Topic> {
        self.staying().flat_map(|(_, consumer)| consumer.topics.names()).cloned().collect()
    }

    fn readers(&self, topic: &Topic) -> Vec<SubscriptionId> {
        self.staying().filter(|(_, consumer)| consumer.reads(topic)).map(|(sub, _)| sub).collect()
    }

    /// Those that do not leave.
    pub(super) fn staying(&self) -> impl Iterator<Item = (SubscriptionId, &Consumer)> {
        self.iter().filter(|(_, consumer)| !consumer.is_leaving())
    }

    /// A topic does not exist that a consumer may wait for: it may be created any moment.
    pub(crate) fn topic_missing(&mut self, ctx: &mut Context, known: Known<'_>, topic: &Topic) {
        if known.routes.exists(topic) {
            return;
        }
        for sub in self.readers(topic) {
            if let Some(consumer) =
                self.get_mut(sub).filter(|one| one.topics.retry() != Some(topic))
            {
                consumer.rebalance_after(ctx, AGAIN);
            }
        }
    }

    /// The queues of a topic are others than before.
    pub(crate) fn topic_changed(&mut self, ctx: &mut Context, known: Known<'_>, topic: &Topic) {
        let readers = self.readers(topic);
        if !readers.is_empty() {
            reach_brokers(ctx, known, topic);
        }
        for sub in readers {
            self.rebalance(ctx, known, sub);
        }
    }

    /// Brokers are at other addresses than before, whichever topic's route said so: those that
    /// consumers read from are connected to there, and the old addresses are let go of.
    pub(crate) fn brokers_moved(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        moved: &[BrokerId],
    ) {
        if ctx.fx.plant.is(Planted::StaysAtAddress) {
            return;
        }
        known.routes.let_go(ctx, known.brokers);
        for topic in self.consumed() {
            let touched = known.routes.known(&topic).is_some_and(|route| {
                moved.iter().any(|broker| route.readers.binary_search(broker).is_ok())
            });
            if touched {
                self.topic_changed(ctx, known, &topic);
            }
        }
        // Where the new address is known and knows us already, nothing else makes queues go on.
        let is_found = |id: &BrokerId| known.brokers.reader(*id).is_some();
        let found: Vec<BrokerId> = moved.iter().copied().filter(is_found).collect();
        for sub in self.ids() {
            self.resume_on(ctx, known, sub, &found);
        }
    }

    /// The broker has heard of us on this connection: what waited for that goes on.
    pub(crate) fn registered(&mut self, ctx: &mut Context, known: Known<'_>, peer: PeerId) {
        let there: Vec<BrokerId> = known.read_at(peer).collect();
        for sub in self.ids() {
            if let Some(consumer) = self.get_mut(sub) {
                if consumer.phase == Phase::Joining {
                    consumer.rebalance(ctx, known);
                }
                consumer.doubt_commits(ctx, known, peer);
                consumer.find_retry_topic(ctx, known);
            }
            self.resume_on(ctx, known, sub, &there);
        }
    }

    /// A broker says that a group's members changed.
    pub(crate) fn members_changed(&mut self, ctx: &mut Context, group: &Group) {
        let sub = self.of_group(group);
        if let Some(consumer) = sub.and_then(|sub| self.get_mut(sub)) {
            consumer.members_changed(ctx);
        }
    }

    /// Whether a consumer waits for a connection to the peer: it has queues there, or it has not
    /// found any broker yet that tells its share.
    pub(crate) fn is_awaited(&self, known: Known<'_>, peer: PeerId) -> bool {
        let read: Vec<BrokerId> = known.read_at(peer).collect();
        self.staying().any(|(_, consumer)| {
            let mut brokers = read.iter();
            consumer.phase == Phase::Joining
                || brokers.any(|broker| consumer.on(*broker).next().is_some())
        })
    }

    /// Lets go of brokers that no consumer reads from any more.
    pub(super) fn forget_unread(&self, ctx: &mut Context, known: Known<'_>) {
        let topics = self.iter().flat_map(|(_, consumer)| consumer.topics.names());
        let routes = topics.filter_map(|topic| known.routes.known(topic));
        let brokers = routes.flat_map(|route| route.readers.iter());
        let used = brokers.flat_map(|broker| known.brokers.peers(*broker)).collect();
        ctx.remoting.peers.want_only(&used);
    }
}

impl Consumer {
    fn reads(&self, topic: &Topic) -> bool {
        self.topics.names().any(|own| own == topic)
    }

    /// Has the retry topic of the group looked up, unless it is known: a broker has just heard of the
    /// group, with which it makes the topic, or has just put something there. Else it is found by
    /// the refresh of all routes.
    pub(super) fn find_retry_topic(&self, ctx: &mut Context, known: Known<'_>) {
        if let Some(topic) = self.topics.retry().filter(|topic| known.routes.is_unread(topic)) {
            ctx.fx.signal(Signal::RouteWanted(topic.clone()));
        }
    }

    /// Connects to every broker that has queues of its topics.
    pub(super) fn reach_brokers(&self, ctx: &mut Context, known: Known<'_>) {
        if !ctx.fx.plant.is(Planted::StaysAtAddress) {
            self.topics.names().for_each(|topic| reach_brokers(ctx, known, topic));
        }
    }
}

/// Connects to every broker that has queues of the topic, and has it hear of us.
fn reach_brokers(ctx: &mut Context, known: Known<'_>, topic: &Topic) {
    let readers = known.routes.known(topic).into_iter().flat_map(|route| &route.readers);
    for peer in readers.filter_map(|broker| known.brokers.reader(*broker)) {
        ctx.want(peer);
    }
}
