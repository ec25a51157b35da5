//! Consumers joining, and their share of the queues.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;

use super::{Body, Engine, Note, TimerKind};
use crate::body::Members;
use crate::consumer::queue::State;
use crate::consumer::{Consumer, Phase, Subscribe, Trouble};
use crate::error::{Failure, Refused};
use crate::frame::request::ConsumerListRequest;
use crate::frame::{Kind, Reply, Request, RequestCode, ResponseCode};
use crate::id::BrokerId;
use crate::id::{PeerId, SubscriptionId};
use crate::name::{Group, Topic};
use crate::query::QueueName;
use crate::remoting::{ConsumerAsk, Purpose};
use crate::route::RouteQueue;
use crate::time::Instant;

/// Notices of one change come from every broker and for every member: they are taken together.
const GATHER: Duration = Duration::from_millis(50);
/// Notices that lead to no change are taken together for ever longer, up to [`AGAIN`], unless they
/// are further apart than this.
const APART: Duration = Duration::from_secs(5);
/// Lists of members that lack us may be older than our heartbeat, but not for so long.
const ABSENT: Duration = Duration::from_secs(3);
/// A rebalance that could not be done is tried again after this (`RebalanceService`, 5.3).
const AGAIN: Duration = Duration::from_secs(1);

impl Engine {
    /// Joins a group: its share of the topics' queues is pulled from now on. Messages come by
    /// [`Event::Deliverable`](super::Event::Deliverable) and [`poll_batch`](Self::poll_batch).
    pub fn subscribe(
        &mut self,
        now: Instant,
        subscribe: Subscribe,
    ) -> Result<SubscriptionId, Refused> {
        self.tick(now);
        if !self.life.is_running() {
            return Err(Refused::Stopped);
        }
        if subscribe.topics.is_empty() {
            return Err(Refused::NoTopic);
        }
        let named: BTreeSet<&Topic> = subscribe.topics.iter().map(|(topic, _)| topic).collect();
        if named.len() < subscribe.topics.len() {
            return Err(Refused::DuplicateTopic);
        }
        if self.consumers.of_group(&subscribe.group).is_some() {
            return Err(Refused::DuplicateGroup);
        }
        let topics: Vec<Topic> = subscribe.topics.iter().map(|(topic, _)| topic.clone()).collect();
        let version = self.ctx.fx.unix().0;
        let revision = self.brokers.changed();
        let sub = self.consumers.insert(Consumer::new(subscribe, version, revision));
        for topic in &topics {
            self.refresh_route(topic);
            self.reach_brokers(topic);
        }
        self.register_all();
        self.rebalance_at(sub, AGAIN);
        Ok(sub)
    }

    /// The topics that consumers read.
    pub(super) fn consumed(&self) -> BTreeSet<Topic> {
        let consumers = self.consumers.iter().filter(|(_, consumer)| !consumer.is_leaving());
        consumers.flat_map(|(_, c)| c.subscribe.topics.iter()).map(|(own, _)| own.clone()).collect()
    }

    /// A consumer waits for a topic that does not exist: it may be created any moment.
    pub(super) fn watch_missing(&mut self, topic: &Topic) {
        if self.consumers.reads(topic) && !self.routes.exists(topic) {
            for sub in self.readers(topic) {
                self.rebalance_at(sub, AGAIN);
            }
        }
    }

    fn readers(&self, topic: &Topic) -> Vec<SubscriptionId> {
        let consumers = self.consumers.iter().filter(|(_, consumer)| !consumer.is_leaving());
        let readers =
            consumers.filter(|(_, c)| c.subscribe.topics.iter().any(|(own, _)| own == topic));
        readers.map(|(sub, _)| sub).collect()
    }

    /// The queues of a topic are others than before.
    pub(super) fn topic_changed(&mut self, topic: &Topic) {
        if !self.consumers.reads(topic) {
            return;
        }
        self.reach_brokers(topic);
        for sub in self.readers(topic) {
            self.rebalance_now(sub);
        }
    }

    /// Connects to every broker that has queues of the topic, and has it hear of us.
    fn reach_brokers(&mut self, topic: &Topic) {
        let Some(route) = self.routes.known(topic).cloned() else { return };
        let readers: Vec<PeerId> =
            route.readers.iter().filter_map(|broker| self.brokers.reader(*broker)).collect();
        for peer in readers {
            self.ctx.want(peer);
        }
    }

    /// The same for all topics of one consumer.
    fn reach_brokers_of(&mut self, sub: SubscriptionId) {
        if self.ctx.fx.plant.is(super::Planted::StaysAtAddress) {
            return;
        }
        let Some(consumer) = self.consumers.get(sub) else { return };
        let topics: Vec<Topic> =
            consumer.subscribe.topics.iter().map(|(topic, _)| topic.clone()).collect();
        topics.iter().for_each(|topic| self.reach_brokers(topic));
    }

    /// Brokers are at other addresses than before, whichever topic's route said so: those that
    /// consumers read from are connected to there, and the old addresses are let go of.
    pub(super) fn brokers_moved(&mut self, moved: &[BrokerId]) {
        if moved.is_empty() || self.ctx.fx.plant.is(super::Planted::StaysAtAddress) {
            return;
        }
        self.routes.let_go(&mut self.ctx, &self.brokers);
        for topic in self.consumed() {
            let touched = self.routes.known(&topic).is_some_and(|route| {
                moved.iter().any(|broker| route.readers.binary_search(broker).is_ok())
            });
            if touched {
                self.topic_changed(&topic);
            }
        }
        // Where the new address is known and knows us already, nothing else makes queues go on.
        let found: Vec<BrokerId> =
            moved.iter().copied().filter(|id| self.brokers.reader(*id).is_some()).collect();
        for sub in self.consumers.ids() {
            self.poke_on(sub, found.iter().copied());
        }
    }

    /// Whatever a consumer waits for, somebody brings it about: a queue of the route that rests for
    /// its broker has that broker connected to, and a broker that is connected hears of us.
    pub(super) fn check_reach(&self) {
        for (sub, consumer) in self.consumers.iter().filter(|(_, c)| !c.is_leaving()) {
            let joining = consumer.asking_members || consumer.rebalance_timer.is_some();
            assert!(joining, "{sub:?} looks at its share no more");
            for (key, queue) in consumer.queues.iter() {
                let Some(peer) = self.brokers.reader(queue.at.broker) else { continue };
                let rests = matches!(queue.state, State::Ready | State::Unasked);
                if !rests
                    || self.known().is_ready(&self.ctx, peer, consumer.revision)
                    || !self.life.is_running()
                {
                    continue;
                }
                // One that the route names no more is taken away by the next look at the share.
                let route = self.routes.known(&queue.name.topic);
                if route.is_none_or(|route| !route.readable.contains(&queue.at)) {
                    continue;
                }
                let endpoint = self.ctx.remoting.peers.endpoint(peer);
                let comes = if self.ctx.remoting.peers.is_connected(peer) {
                    self.brokers.is_hearing(peer)
                } else {
                    self.ctx.remoting.peers.is_sought(peer)
                };
                assert!(comes, "{key:?} of {sub:?} waits for {endpoint}, which nobody asks");
            }
        }
    }

    /// Lets go of brokers that no consumer reads from any more.
    pub(super) fn forget_unread(&mut self) {
        let consumers = self.consumers.iter().map(|(_, consumer)| consumer);
        let topics = consumers.flat_map(|consumer| &consumer.subscribe.topics);
        let routes = topics.filter_map(|(topic, _)| self.routes.known(topic));
        let brokers = routes.flat_map(|route| route.readers.iter());
        let used = brokers.flat_map(|broker| self.brokers.peers(*broker)).collect();
        self.ctx.remoting.peers.want_only(&used);
    }

    /// Whether a consumer waits for a connection to the peer: it has queues there, or it has not
    /// found any broker yet that tells its share.
    pub(super) fn is_awaited(&self, peer: PeerId) -> bool {
        let read: Vec<BrokerId> = self.known().read_at(peer).collect();
        let mut consumers = self.consumers.iter().filter(|(_, consumer)| !consumer.is_leaving());
        consumers.any(|(_, consumer)| {
            let mut brokers = read.iter();
            consumer.phase == Phase::Joining
                || brokers.any(|broker| consumer.on(*broker).next().is_some())
        })
    }

    /// The broker has heard of us on this connection: what waited for that goes on.
    pub(super) fn broker_knows(&mut self, peer: PeerId) {
        for sub in self.consumers.ids() {
            let joining = self.consumers.get(sub).is_some_and(|c| c.phase == Phase::Joining);
            if joining {
                self.rebalance_now(sub);
            }
            self.doubt_commits(sub, peer);
            self.poke_all(sub, Some(peer));
        }
    }

    /// A broker says that a group's members changed.
    pub(super) fn members_changed(&mut self, group: &Group) {
        if let Some(sub) = self.consumers.of_group(group) {
            let now = self.ctx.fx.now;
            let Some(consumer) = self.consumers.get_mut(sub) else { return };
            if consumer.rebalanced.is_none_or(|last| now.since(last) > APART) {
                consumer.idle_looks = 0;
            }
            let gather = GATHER.saturating_mul(1 << consumer.idle_looks.min(8)).min(AGAIN);
            self.rebalance_at(sub, gather);
        }
    }

    /// The next rebalance is in `after`, or earlier if it was to be earlier: a list of members that
    /// comes now may be older than the notice that set that time.
    fn rebalance_at(&mut self, sub: SubscriptionId, after: Duration) {
        let at = self.ctx.fx.now + after;
        let Some(consumer) = self.consumers.get_mut(sub) else { return };
        if let Some((earlier, timer)) = consumer.rebalance_timer {
            if earlier <= at {
                return;
            }
            self.ctx.fx.timers.cancel(timer);
        }
        let timer = self.ctx.fx.timers.at(at, TimerKind::Rebalance(sub));
        consumer.rebalance_timer = Some((at, timer));
    }

    pub(super) fn rebalance_due(&mut self, sub: SubscriptionId) {
        let Some(consumer) = self.consumers.get_mut(sub) else { return };
        consumer.rebalance_timer = None;
        let topics: Vec<Topic> =
            consumer.subscribe.topics.iter().map(|(topic, _)| topic.clone()).collect();
        for topic in &topics {
            // A consumer may be started before its topic exists, or while no broker of it is there.
            if self.routes.is_unread(topic) {
                self.routes.want(&mut self.ctx, &self.names, topic, None);
            }
        }
        self.rebalance_now(sub);
    }

    /// Asks a broker that knows us for the members of the group.
    fn rebalance_now(&mut self, sub: SubscriptionId) {
        let Some(consumer) = self.consumers.get(sub) else { return };
        if consumer.is_leaving() {
            return;
        }
        if consumer.asking_members {
            return self.rebalance_at(sub, GATHER);
        }
        let topics = consumer.subscribe.topics.iter();
        let queues = topics.filter_map(|(topic, _)| self.known().routes.known(topic));
        let mut queues = queues.flat_map(|route| &route.readable);
        let peer = queues.find_map(|queue| {
            let reader = self.brokers.reader(queue.broker);
            reader.filter(|peer| self.known().is_ready(&self.ctx, *peer, consumer.revision))
        });
        let Some(peer) = peer else {
            // Each of them is connected to, or will be: one that knows us leads here again.
            self.reach_brokers_of(sub);
            return self.rebalance_at(sub, AGAIN);
        };
        let consumer_group = consumer.subscribe.group.shared();
        let request =
            Request::ConsumerList(ConsumerListRequest { consumer_group, ..Default::default() });
        let within = self.ctx.fx.config.request_timeout;
        self.ctx.ask(
            peer,
            Purpose::Consumer(sub, ConsumerAsk::Members),
            Kind::ConsumerList,
            request,
            Bytes::new(),
            within,
        );
        if let Some(consumer) = self.consumers.get_mut(sub) {
            consumer.asking_members = true;
        }
    }

    /// There is no list of members: without one nothing is consumed.
    pub(super) fn members_failed(&mut self, sub: SubscriptionId, failure: Failure) {
        let now = self.ctx.fx.now;
        let Some(consumer) = self.consumers.get_mut(sub) else { return };
        consumer.asking_members = false;
        // A lost connection is told of as such.
        let lost = matches!(failure, Failure::Connect(_) | Failure::Closed(_));
        if !lost && !consumer.is_leaving() && consumer.tells(now, Trouble::Members) {
            let group = consumer.subscribe.group.clone();
            let ask = RequestCode::GET_CONSUMER_LIST_BY_GROUP;
            let failure = Box::new(failure);
            self.ctx.fx.note(Note::AskFailed { group, ask, queue: None, failure });
        }
        self.rebalance_at(sub, AGAIN);
    }

    /// The members are known: this consumer's share is computed.
    pub(super) fn members_answered(&mut self, sub: SubscriptionId, reply: Reply, body: Body) {
        let members = match (reply.code, body) {
            (ResponseCode::SUCCESS, Body::Members(Ok(members))) => members,
            (ResponseCode::SUCCESS, Body::Members(Err(error))) => {
                return self.members_failed(sub, Failure::Body(error.to_string().into()));
            }
            // An empty group answers code 1: our heartbeat has not been counted yet.
            (code, _) => {
                let remark = reply.remark.map(Into::into);
                return self.members_failed(sub, Failure::Refused { code, remark });
            }
        };
        let now = self.ctx.fx.now;
        let Some(consumer) = self.consumers.get_mut(sub) else { return };
        consumer.asking_members = false;
        if consumer.is_leaving() {
            return;
        }
        if members.doubled && !consumer.doubled {
            let client_id = self.ctx.fx.client_id.clone();
            let group = consumer.subscribe.group.clone();
            self.ctx.fx.note(Note::SharedId { group, client_id });
        }
        consumer.doubled = members.doubled;
        if members.count > 1 {
            consumer.shared = Some(now);
        }
        consumer.idle_looks = consumer.idle_looks.saturating_add(1);
        let mut missing = false;
        let topics = consumer.subscribe.topics.iter();
        let unread = topics.clone().any(|(topic, _)| self.routes.is_unread(topic));
        for topic in 0..topics.len() {
            missing |= !self.share_topic(sub, topic, members);
        }
        let Some(consumer) = self.consumers.get_mut(sub) else { return };
        let absent = members.place.is_none().then(|| consumer.absent.unwrap_or(now));
        consumer.absent = absent;
        if absent.is_some_and(|since| now.since(since) >= ABSENT) {
            let lacks = Failure::Body("the list of members lacks this one".into());
            return self.members_failed(sub, lacks);
        }
        consumer.rebalanced = Some(now);
        if !missing {
            consumer.phase = Phase::Member;
        }
        consumer.look_at_queues();
        if consumer.is_drained() {
            return self.drain_over(sub);
        }
        let after = if missing || unread { AGAIN } else { self.ctx.fx.config.rebalance };
        self.rebalance_at(sub, after);
        self.poke_all(sub, None);
    }

    /// Takes this consumer's share of one topic. False if the members do not include us.
    fn share_topic(&mut self, sub: SubscriptionId, topic: usize, members: Members) -> bool {
        let Some(consumer) = self.consumers.get_mut(sub) else { return true };
        let name = consumer.subscribe.topics[topic].0.clone();
        // What is held of a topic whose route names nothing is kept: its brokers may be away.
        let Some(route) = self.routes.known(&name).filter(|route| !route.unread).cloned() else {
            return true;
        };
        let brokers = &self.brokers;
        let named = |at: RouteQueue| QueueName {
            topic: name.clone(),
            broker: brokers.name(at.broker).clone(),
            queue: at.queue,
        };
        let Some((share, change)) = consumer.assign(topic, &route, members, &named) else {
            return false;
        };
        if !change.added.is_empty() || !change.removed.is_empty() {
            consumer.idle_looks = 0;
            let group = consumer.subscribe.group.clone();
            let (topic, members) = (name.clone(), members.count);
            self.ctx.fx.note(Note::Rebalanced { group, topic, share, members });
        }
        for (key, queue) in &change.removed {
            self.commit_queue(sub, *key, queue);
        }
        true
    }
}
