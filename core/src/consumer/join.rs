//! Consumers joining their groups, and the topics and brokers they depend on.

use std::collections::BTreeSet;
use std::time::Duration;

use super::rebalance::AGAIN;
use super::topics::{Role, Subscription};
use super::turns::Chore;
use super::{Consumer, Consumers, Edition, Filter, Phase, Subscribe, TopicSubscription};
use crate::effects::{ConsumerTimer, Event, Planted, Signal, TimerKind};
use crate::error::{Refused, Stale};
use crate::id::{BrokerId, PeerId, QueueKey, RouteQueue, SubscriptionId};
use crate::name::{Group, QueueName, Topic};
use crate::remoting::Context;
use crate::route::{Known, Route};

/// So long after a topic is read no more brokers are let go of that nobody reads from.
const UNREAD: Duration = Duration::from_secs(1);

impl Consumers {
    /// Whether such a consumer may join.
    pub(crate) fn admits(&self, subscribe: &Subscribe) -> Result<(), Refused> {
        let polling = subscribe.options.taking.polling();
        let assigned = polling.is_some_and(|polling| polling.queues.is_some());
        if subscribe.topics.is_empty() && !subscribe.options.without_topics && !assigned {
            return Err(Refused::NoTopic);
        }
        let mut named = BTreeSet::new();
        let mut topics = subscribe.topics.iter().map(|(topic, _)| topic);
        if let Some(twice) = topics.find(|topic| !named.insert(*topic)) {
            return Err(Refused::DuplicateTopic(twice.clone()));
        }
        if self.of_group(&subscribe.group).is_some() {
            return Err(Refused::DuplicateGroup(subscribe.group.clone()));
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
        let edition = Edition { version: ctx.fx.unix().0, revision };
        let config = &ctx.fx.config;
        let sub = self.slots.insert_with(|id| Consumer::new(id, subscribe, config, edition));
        if let Some(consumer) = self.get_mut(sub) {
            for topic in consumer.topics.own().chain(consumer.wishes.topics()) {
                ctx.fx.signal(Signal::RouteWanted(topic.clone()));
                reach_brokers(ctx, known, topic);
                consumer.tell_queues(ctx, known, topic);
            }
            ctx.fx.signal(Signal::GroupsChanged);
            consumer.rebalance_after(ctx, AGAIN);
            if consumer.assigned.is_some() {
                ctx.fx.signal(Signal::Rebalance(sub));
            }
            consumer.load_ahead(ctx);
        }
        sub
    }

    /// One reads a topic from now on, or other messages of it than before: at once, or when a
    /// broker has taken the filter.
    pub(crate) fn read(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        sub: SubscriptionId,
        (topic, filter): (Topic, Filter),
        revision: u64,
    ) {
        let Some(consumer) = self.get_mut(sub) else { return };
        if consumer.topics.retry() == Some(&topic) {
            return;
        }
        if filter.is_judged() {
            return self.wish(ctx, known, sub, (topic, filter));
        }
        consumer.wishes.forget(&topic);
        consumer.join_if_taken(revision);
        self.adopt(ctx, known, sub, (topic, filter), revision);
    }

    /// One reads a topic by that filter from now on.
    pub(super) fn adopt(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        sub: SubscriptionId,
        (topic, filter): (Topic, Filter),
        revision: u64,
    ) {
        let Some(consumer) = self.get_mut(sub) else { return };
        let edition = consumer.next_edition(ctx, revision);
        ctx.fx.signal(Signal::GroupsChanged);
        match consumer.topics.find_own(&topic) {
            Some(key) => {
                if let Some(of) = consumer.topics.get_mut(key) {
                    *of = Subscription::new(topic, filter, edition, of.role);
                }
                let queues = consumer.of_topic(key).map(|(_, queue)| queue).collect();
                self.attend(ctx, known, sub, queues, Chore::PullAnew);
            }
            None => {
                ctx.fx.signal(Signal::RouteWanted(topic.clone()));
                reach_brokers(ctx, known, &topic);
                consumer.tell_queues(ctx, known, &topic);
                let role = Role::Own;
                consumer.topics.insert(Subscription::new(topic, filter, edition, role));
                ctx.fx.signal(Signal::Rebalance(sub));
            }
        }
    }

    /// One reads a topic no more: its queues commit and are given up.
    pub(crate) fn unread(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        sub: SubscriptionId,
        topic: &Topic,
        revision: u64,
    ) {
        let Some(consumer) = self.get_mut(sub) else { return };
        consumer.wishes.forget(topic);
        consumer.join_if_taken(revision);
        ctx.fx.signal(Signal::GroupsChanged);
        let Some(key) = consumer.topics.find_own(topic) else { return };
        consumer.topics.remove(key);
        let mut forgotten = usize::from(consumer.forget_share(key));
        if consumer.topics.is_empty() {
            // One that reads nothing is no member: its share would be nobody's, and what was sent
            // back would wait in it.
            for key in consumer.topics.keys() {
                forgotten += usize::from(consumer.forget_share(key));
            }
            ctx.fx.signal(Signal::GroupIdle { group: consumer.group.clone() });
        }
        for _ in 0..forgotten {
            self.attend_transfer(ctx, known, sub);
        }
        self.look_for_unread(ctx);
    }

    /// Whether a consumer, which has to be there, reads the topic.
    pub(crate) fn reads_of(&self, sub: SubscriptionId, topic: &Topic) -> Result<bool, Stale> {
        let consumer = self.get(sub).filter(|consumer| !consumer.is_leaving());
        let reads =
            |one: &Consumer| one.topics.find_own(topic).is_some() || one.wishes.contains(topic);
        consumer.map(reads).ok_or(Stale)
    }

    /// A consumer's group.
    pub(crate) fn group(&self, sub: SubscriptionId) -> Option<Group> {
        self.slots.get(sub).map(|consumer| consumer.group.clone())
    }

    /// What a consumer reads.
    pub(crate) fn subscriptions(&self, sub: SubscriptionId) -> Vec<TopicSubscription> {
        let Some(consumer) = self.get(sub) else { return Vec::new() };
        let topics = consumer.topics.iter().map(|(_, of)| of).filter(|of| of.role == Role::Own);
        // A filter that a broker has not taken yet is the newer one of its topic.
        let old = topics.map(|of| (&of.topic, &of.filter));
        let old = old.filter(|(topic, _)| !consumer.wishes.contains(topic));
        let all = old.chain(consumer.wishes.iter());
        let data = |(topic, filter): (&Topic, &Filter)| TopicSubscription {
            topic: topic.clone(),
            filter: filter.clone(),
        };
        all.map(data).collect()
    }

    /// The queues that are a consumer's, of the topics that the application asks for.
    pub(crate) fn queues(&self, sub: SubscriptionId) -> Vec<QueueName> {
        let Some(consumer) = self.get(sub) else { return Vec::new() };
        let own = consumer.queues.iter().filter(|(_, queue)| !queue.released);
        let mut names = own.map(|(_, queue)| queue.name.clone()).collect();
        consumer.topics.retain_own(&mut names);
        names
    }

    /// Whether one of them reads the topic.
    pub(crate) fn reads(&self, topic: &Topic) -> bool {
        self.staying().any(|(_, consumer)| consumer.reads(topic))
    }

    /// The topics that consumers read.
    pub(crate) fn consumed(&self) -> BTreeSet<Topic> {
        self.staying().flat_map(|(_, consumer)| consumer.names()).cloned().collect()
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
            if let Some(consumer) = self.get_mut(sub) {
                consumer.tell_queues(ctx, known, topic);
                consumer.rebalance_together(ctx, known);
            }
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
        self.doubt_moved(ctx, moved);
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
        let there: Vec<BrokerId> = known.brokers.with(peer);
        for sub in self.ids() {
            if let Some(consumer) = self.get_mut(sub) {
                consumer.plain.remove(&peer);
                if consumer.phase == Phase::Joining || consumer.questions.lack_brokers() {
                    consumer.rebalance(ctx, known);
                }
                consumer.vet(ctx, known);
                consumer.doubt_commits(ctx, known, peer);
                consumer.find_retry_topic(ctx, known, &there);
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

    /// Topics are read no more: brokers that no consumer reads from are let go of in a moment, once
    /// for all that go until then, since each look is at all topics.
    pub(super) fn look_for_unread(&mut self, ctx: &mut Context) {
        if !std::mem::replace(&mut self.unread, true) {
            ctx.fx.after(UNREAD, TimerKind::Consumer(ConsumerTimer::Unread));
        }
    }

    /// Lets go of brokers that no consumer reads from any more.
    pub(super) fn forget_unread(&mut self, ctx: &mut Context, known: Known<'_>) {
        self.unread = false;
        let topics = self.iter().flat_map(|(_, consumer)| consumer.names());
        let routes = topics.filter_map(|topic| known.routes.known(topic));
        let brokers = routes.flat_map(|route| route.readers.iter());
        let used = brokers.flat_map(|broker| known.brokers.peers(*broker)).collect();
        ctx.remoting.peers.want_only(&used);
    }
}

impl Consumer {
    /// The next one of its subscriptions, whose version is another one even within a millisecond
    /// and where the clock was set back: brokers compare them.
    fn next_edition(&mut self, ctx: &Context, revision: u64) -> Edition {
        self.edition.version = ctx.fx.unix().0.max(self.edition.version + 1);
        Edition { version: self.edition.version, revision }
    }

    /// Has a queue's pull begun anew, whose filter is another one: what the broker holds, or has
    /// answered meanwhile, is of the one before.
    pub(super) fn pull_anew(&mut self, ctx: &mut Context, known: Known<'_>, key: QueueKey) {
        let pull = self.queues.get_mut(key).and_then(|queue| queue.cursor.give_up_pull());
        if let Some(pull) = pull {
            ctx.give_up_with_timer(pull);
        }
        self.resume(ctx, known, key);
    }

    fn reads(&self, topic: &Topic) -> bool {
        self.topics.find(topic).is_some() || self.wishes.contains(topic)
    }

    /// Tells of the queues of a topic, as far as they are known, where that is wanted.
    fn tell_queues(&self, ctx: &mut Context, known: Known<'_>, topic: &Topic) {
        let watches = self.options.taking.polling().is_some_and(|polling| polling.watches);
        let route = known.routes.known(topic).filter(|route| watches && !route.unread);
        let Some(route) = route else { return };
        let named = |at: &RouteQueue| known.brokers.queue_name(topic, at.broker, at.queue);
        let queues = route.readable.iter().map(named).collect();
        ctx.fx.event(Event::TopicQueues { sub: self.id, topic: topic.clone(), queues });
    }

    /// Has the retry topic of the group looked up, unless it is known: a broker has just heard of
    /// the group, with which it makes the topic, or has just put something there. Else it is found
    /// by the refresh of all routes. `there`: who has heard of the group, and may lack in a route
    /// that is older than that.
    pub(super) fn find_retry_topic(&self, ctx: &mut Context, known: Known<'_>, there: &[BrokerId]) {
        let Some(topic) = self.topics.retry() else { return };
        let lacks = |route: &Route| there.iter().any(|broker| !route.brokers.contains(broker));
        if !known.routes.exists(topic)
            || known.routes.known(topic).is_some_and(|route| lacks(route))
        {
            ctx.fx.signal(Signal::RouteWanted(topic.clone()));
        }
    }

    /// Connects to every broker that has queues of its topics.
    pub(super) fn reach_brokers(&self, ctx: &mut Context, known: Known<'_>) {
        if !ctx.fx.plant.is(Planted::StaysAtAddress) {
            self.names().for_each(|topic| reach_brokers(ctx, known, topic));
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
