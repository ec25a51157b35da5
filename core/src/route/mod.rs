//! Where a topic's queues are, asked of the nameservers and kept while it is in use.
//!
//! | state of a topic | leaves on | to |
//! |---|---|---|
//! | Idle | somebody wants it, or the refresh is due | Asking |
//! | Asking | a route, or an error every nameserver agrees on | Idle |
//! | | a failure | Asking the next nameserver, or Paused after a whole round |
//! | Paused | 200 ms | Asking |
//!
//! Codes: `GET_ROUTEINFO_BY_TOPIC` (105). A topic nobody knows is looked up as `TBW102`, the topic
//! of brokers that create topics by themselves (`DefaultMQProducerImpl.tryToFindTopicPublishInfo`).
//! A known route serves on while no nameserver answers, and while they say that the topic is gone:
//! that is what they say of a topic whose only broker is down.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::body::{QueueData, RouteBody};
use crate::broker::BrokerId;
use crate::engine::TopicStats;
use crate::error::{Attempt, Attempts};
use crate::id::OpId;
use crate::name::Topic;
use crate::time::Instant;

/// The topic whose route stands for topics that a broker will create on their first message.
pub(crate) const FALLBACK: &str = "TBW102";
/// Queues of a topic created that way (`DefaultMQProducer.defaultTopicQueueNums`).
const FALLBACK_QUEUES: u32 = 4;
/// Pause after a round of failures while somebody waits.
pub(crate) const PAUSE: Duration = Duration::from_millis(200);
/// A lost broker has its topics looked up again, but no topic more often than this.
const HURRY: Duration = Duration::from_secs(1);
/// Queues of one topic that are taken from a route; the rest is left out.
const QUEUES_MAX: usize = 1 << 16;

const READ: u32 = 4;
const WRITE: u32 = 2;

/// One queue of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RouteQueue {
    /// The broker group it is on.
    pub(crate) broker: BrokerId,
    /// Its number there, from 0.
    pub(crate) queue: u32,
}

/// The queues of one topic.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Route {
    /// Queues that take messages, on brokers with a master, by broker name and number.
    pub(crate) writable: Vec<RouteQueue>,
    /// Queues that give messages, in the same order.
    pub(crate) readable: Vec<RouteQueue>,
    /// The brokers of either, in the order of their ids.
    pub(crate) brokers: Vec<BrokerId>,
    /// The brokers of those that give messages.
    pub(crate) readers: Vec<BrokerId>,
    /// The topic does not exist yet: this is `TBW102`'s route.
    pub(crate) fallback: bool,
}

impl Route {
    /// Reads `body`; `learn` gives each broker its id and says whether it has a master.
    pub(crate) fn compile(
        body: &RouteBody,
        fallback: bool,
        learn: &mut dyn FnMut(&crate::body::BrokerData) -> Option<(BrokerId, bool)>,
    ) -> Self {
        let mut brokers = BTreeMap::new();
        for broker in &body.brokers {
            if let Some(known) = learn(broker) {
                brokers.insert(broker.broker_name.clone(), known);
            }
        }
        let mut route = Self { fallback, ..Self::default() };
        let mut queues: Vec<&QueueData> = body.queues.iter().collect();
        queues.sort_by(|a, b| a.broker_name.cmp(&b.broker_name));
        queues.dedup_by(|a, b| a.broker_name == b.broker_name);
        for data in queues {
            let Some(&(broker, master)) = brokers.get(&data.broker_name) else { continue };
            let add = |list: &mut Vec<RouteQueue>, count: u32| {
                let count = if fallback { count.min(FALLBACK_QUEUES) } else { count };
                let room = QUEUES_MAX.saturating_sub(list.len()) as u32;
                list.extend((0..count.min(room)).map(|queue| RouteQueue { broker, queue }));
            };
            if data.perm & WRITE != 0 && master {
                add(&mut route.writable, data.write_queues);
            }
            if data.perm & READ != 0 && !fallback {
                add(&mut route.readable, data.read_queues);
            }
        }
        route.readers = brokers_of(&route.readable);
        route.brokers = [brokers_of(&route.writable), route.readers.clone()].concat();
        route.brokers.sort_unstable();
        route.brokers.dedup();
        route
    }
}

/// Each broker of a list of queues, in which those of a broker stand together, once and in order.
fn brokers_of(queues: &[RouteQueue]) -> Vec<BrokerId> {
    let mut brokers: Vec<_> =
        queues.chunk_by(|a, b| a.broker == b.broker).map(|queues| queues[0].broker).collect();
    brokers.sort_unstable();
    brokers.dedup();
    brokers
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fetch {
    Idle,
    Asking,
    Paused,
}

/// What a route was compiled from: while all of it is the same, so is the route.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) body: Arc<RouteBody>,
    pub(crate) fallback: bool,
    /// [`Brokers::addresses`](crate::broker::Brokers::addresses) afterwards.
    pub(crate) addresses: u64,
}

impl PartialEq for Source {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.body, &other.body)
            && (self.fallback, self.addresses) == (other.fallback, other.addresses)
    }
}

#[derive(Debug)]
struct Entry {
    route: Option<Arc<Route>>,
    source: Option<Source>,
    /// When a nameserver last told the route.
    told: Option<Instant>,
    /// It was noted that no route can be had, and none came since.
    failing: bool,
    fetch: Fetch,
    asked: Instant,
    waiters: VecDeque<OpId>,
    /// Nameservers asked since the last answer.
    tried: usize,
    attempts: Attempts,
    /// The round robin's place; begins anywhere when the route changes.
    turn: u32,
}

impl Entry {
    fn answered(&mut self, now: Instant) -> VecDeque<OpId> {
        (self.fetch, self.tried, self.attempts) = (Fetch::Idle, 0, Attempts::default());
        (self.told, self.failing) = (Some(now), false);
        std::mem::take(&mut self.waiters)
    }
}

/// What to do after a failure.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Ask the next nameserver now.
    Ask,
    /// Ask again after [`PAUSE`].
    Pause,
    /// Nothing: nobody waits.
    Rest,
}

/// The routes of all topics in use.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    topics: BTreeMap<Topic, Entry>,
}

impl Routes {
    /// The route of `topic`, if it is known.
    pub(crate) fn known(&self, topic: &Topic) -> Option<&Arc<Route>> {
        self.topics.get(topic)?.route.as_ref()
    }

    /// Whether the topic has a route of its own; `TBW102`'s has no queue to read.
    pub(crate) fn exists(&self, topic: &Topic) -> bool {
        self.known(topic).is_some_and(|route| !route.fallback)
    }

    /// The route and the round robin's next place, for one send.
    pub(crate) fn turn(&mut self, topic: &Topic) -> Option<(Arc<Route>, u32)> {
        let entry = self.topics.get_mut(topic)?;
        let route = entry.route.clone()?;
        entry.turn = entry.turn.wrapping_add(1);
        Some((route, entry.turn))
    }

    /// Has the topic looked up; `waiter` is told of the outcome. True if a request must go out.
    pub(crate) fn want(&mut self, now: Instant, topic: &Topic, waiter: Option<OpId>) -> bool {
        let entry = self.topics.entry(topic.clone()).or_insert_with(|| Entry {
            route: None,
            source: None,
            told: None,
            failing: false,
            fetch: Fetch::Idle,
            asked: now,
            waiters: VecDeque::new(),
            tried: 0,
            attempts: Attempts::default(),
            turn: 0,
        });
        entry.waiters.extend(waiter);
        let ask = entry.fetch == Fetch::Idle;
        if ask {
            entry.fetch = Fetch::Asking;
            entry.asked = now;
        }
        ask
    }

    /// Topics that are being looked up.
    pub(crate) fn asking(&self) -> Vec<Topic> {
        let asking = self.topics.iter().filter(|(_, entry)| entry.fetch == Fetch::Asking);
        asking.map(|(topic, _)| topic.clone()).collect()
    }

    /// No lookup could begin, for a reason that is that of all topics.
    pub(crate) fn tried(&mut self, attempt: &Attempt) {
        let asking = self.topics.values_mut().filter(|entry| entry.fetch == Fetch::Asking);
        asking.for_each(|entry| entry.attempts.push(attempt.clone()));
    }

    /// The pause of a topic is over. True if a request must go out.
    pub(crate) fn pause_over(&mut self, now: Instant, topic: &Topic) -> bool {
        let Some(entry) = self.topics.get_mut(topic) else { return false };
        let ask = entry.fetch == Fetch::Paused;
        if ask {
            (entry.fetch, entry.asked, entry.tried) = (Fetch::Asking, now, 0);
        }
        ask
    }

    /// The answer is the one the topic's route was compiled from: gives those that waited for it.
    pub(crate) fn unchanged(
        &mut self,
        now: Instant,
        topic: &Topic,
        source: &Source,
    ) -> Option<VecDeque<OpId>> {
        let entry = self.topics.get_mut(topic)?;
        (entry.source.as_ref() == Some(source)).then(|| entry.answered(now))
    }

    /// A route came. Gives those that waited for it, and whether it differs from the last one.
    pub(crate) fn learned(
        &mut self,
        now: Instant,
        topic: &Topic,
        route: Route,
        source: Source,
        start: u64,
    ) -> (VecDeque<OpId>, bool) {
        let Some(entry) = self.topics.get_mut(topic) else { return Default::default() };
        let waiters = entry.answered(now);
        entry.source = Some(source);
        let changed = entry.route.as_deref() != Some(&route);
        if changed {
            entry.turn = start as u32;
            entry.route = Some(Arc::new(route));
        }
        (waiters, changed)
    }

    /// The nameserver says that there is no such topic: those that waited are told, unless an
    /// older route serves on.
    pub(crate) fn missing(
        &mut self,
        topic: &Topic,
        attempt: Attempt,
    ) -> (VecDeque<OpId>, Attempts) {
        let Some(entry) = self.topics.get_mut(topic) else { return Default::default() };
        entry.attempts.push(attempt);
        (entry.fetch, entry.tried) = (Fetch::Idle, 0);
        (std::mem::take(&mut entry.waiters), std::mem::take(&mut entry.attempts))
    }

    /// The operations that wait for the topic.
    pub(crate) fn waiters(&self, topic: &Topic) -> impl Iterator<Item = OpId> {
        self.topics.get(topic).into_iter().flat_map(|entry| entry.waiters.iter().copied())
    }

    /// Whether an operation waits for the topic.
    pub(crate) fn is_awaited(&self, topic: &Topic) -> bool {
        self.topics.get(topic).is_some_and(|entry| !entry.waiters.is_empty())
    }

    /// The request failed. `servers`: how many nameservers there are.
    pub(crate) fn failed(
        &mut self,
        now: Instant,
        topic: &Topic,
        attempt: Attempt,
        servers: usize,
        in_use: bool,
    ) -> Next {
        let Some(entry) = self.topics.get_mut(topic) else { return Next::Rest };
        entry.attempts.push(attempt);
        entry.tried += 1;
        if entry.tried < servers {
            entry.asked = now;
            return Next::Ask;
        }
        let waited = !entry.waiters.is_empty() || (in_use && entry.route.is_none());
        entry.fetch = if waited { Fetch::Paused } else { Fetch::Idle };
        entry.tried = 0;
        if waited { Next::Pause } else { Next::Rest }
    }

    /// Whether this failure is the first one since a route came.
    pub(crate) fn begins_to_fail(&mut self, topic: &Topic) -> bool {
        self.topics.get_mut(topic).is_some_and(|entry| !std::mem::replace(&mut entry.failing, true))
    }

    /// Ends the wait of all who wait for the topic: no nameserver can ever answer.
    pub(crate) fn give_up(&mut self, topic: &Topic) -> (VecDeque<OpId>, Attempts) {
        let Some(entry) = self.topics.get_mut(topic) else { return Default::default() };
        (entry.fetch, entry.tried) = (Fetch::Idle, 0);
        (std::mem::take(&mut entry.waiters), std::mem::take(&mut entry.attempts))
    }

    /// An operation no longer waits. Gives what had been tried for it.
    pub(crate) fn forget(&mut self, topic: &Topic, waiter: OpId) -> Attempts {
        let Some(entry) = self.topics.get_mut(topic) else { return Attempts::default() };
        entry.waiters.retain(|id| *id != waiter);
        entry.attempts.clone()
    }

    /// Topics whose route names a broker that was lost and that were not looked up just now.
    pub(crate) fn touched_by(&self, now: Instant, broker: BrokerId) -> Vec<Topic> {
        let on = |route: &Arc<Route>| route.brokers.binary_search(&broker).is_ok();
        let touched = self.topics.iter().filter(|(_, entry)| {
            entry.route.as_ref().is_some_and(on) && now.since(entry.asked) >= HURRY
        });
        touched.map(|(topic, _)| topic.clone()).collect()
    }

    /// A queue on the broker, of any topic in use.
    pub(crate) fn queue_on(&self, broker: BrokerId) -> Option<(&Topic, RouteQueue)> {
        self.topics.iter().find_map(|(topic, entry)| {
            let route = entry.route.as_ref().filter(|route| !route.fallback)?;
            let queue = route.writable.iter().find(|queue| queue.broker == broker)?;
            Some((topic, *queue))
        })
    }

    /// The brokers that any route names.
    pub(crate) fn brokers(&self) -> BTreeSet<BrokerId> {
        let routes = self.topics.values().filter_map(|entry| entry.route.as_ref());
        routes.flat_map(|route| route.brokers.iter().copied()).collect()
    }

    /// The topics in use that were last asked for `age` ago or earlier, for the periodic refresh. A
    /// topic that nobody found, waits for or has `consumed` is forgotten: a misspelt name is not
    /// asked for until the client ends.
    pub(crate) fn due(
        &mut self,
        now: Instant,
        age: Duration,
        consumed: &BTreeSet<Topic>,
    ) -> Vec<Topic> {
        self.topics.retain(|topic, entry| {
            entry.route.is_some()
                || entry.fetch != Fetch::Idle
                || !entry.waiters.is_empty()
                || consumed.contains(topic)
        });
        let idle = self.topics.iter().filter(|(_, entry)| entry.fetch == Fetch::Idle);
        let due = idle.filter(|(_, entry)| now.since(entry.asked) >= age);
        due.map(|(topic, _)| topic.clone()).collect()
    }

    /// When the topic was asked for that is to be refreshed next; `now` when there is none.
    pub(crate) fn oldest(&self, now: Instant) -> Instant {
        let idle = self.topics.values().filter(|entry| entry.fetch == Fetch::Idle);
        idle.map(|entry| entry.asked).min().unwrap_or(now)
    }

    /// What is known of each topic in use, by name.
    pub(crate) fn stats(&self, now: Instant) -> impl Iterator<Item = TopicStats> {
        self.topics.iter().map(move |(topic, entry)| {
            let route = entry.route.as_deref();
            TopicStats {
                topic: topic.clone(),
                writable: route.map_or(0, |route| route.writable.len()),
                readable: route.map_or(0, |route| route.readable.len()),
                fallback: route.is_some_and(|route| route.fallback),
                age: entry.told.map(|told| now.since(told)),
                asking: entry.fetch != Fetch::Idle,
                waiting: entry.waiters.len(),
            }
        })
    }

    /// What must hold between two calls.
    pub(crate) fn check(&self) {
        for (topic, entry) in &self.topics {
            let served = entry.waiters.is_empty() || entry.fetch != Fetch::Idle;
            assert!(served, "{topic} is waited for and nobody asks");
        }
    }
}

impl RouteQueue {
    /// Before every other queue in order.
    pub(crate) const FIRST: Self = Self { broker: BrokerId(0), queue: 0 };
}
