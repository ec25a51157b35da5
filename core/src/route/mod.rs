//! Routes: which brokers have which queues of a topic.
//!
//! | state of a topic | leaves on | to |
//! |---|---|---|
//! | Idle | a call needs it, or a better one; the refresh interval; its broker is lost | Asking |
//! | Asking | a route | Idle; Paused while somebody waits for another one |
//! | | one nameserver does not know the topic, fails, or is silent | the next one is asked |
//! | | all that answer say that there is none | Idle; Paused while somebody waits |
//! | | all failed | Paused if somebody waits, else Idle |
//! | Paused | the pause | Asking |
//!
//! Codes: `GET_ROUTEINFO_BY_TOPIC` (105). A topic nobody knows is looked up as `TBW102`, the topic
//! of brokers that create topics by themselves (`DefaultMQProducerImpl.tryToFindTopicPublishInfo`).
//! A known route serves on while no nameserver answers, and while they say that the topic is gone:
//! that is what they say of a topic whose only broker is down, and what one says that was just
//! started. They are believed once they have said so twice, `route_refresh_interval` apart, and no
//! broker of the route is connected.

mod answer;
mod ask;
mod compile;
mod known;
mod lookup;
mod stats;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

pub(crate) use ask::{Directory, Ways};
pub(crate) use compile::{Learnt, Named, Route, RouteQueue};
pub(crate) use known::Known;
use lookup::Lookup;
use lookup::{Said, Step};
pub use stats::TopicStats;

use crate::body::RouteBody;
use crate::error::{Attempt, Attempts};
use crate::id::{BrokerId, OpId};
use crate::name::Topic;
use crate::time::Instant;

/// The topic whose route stands for topics that a broker will create on their first message.
pub(crate) const FALLBACK: &str = "TBW102";
/// The first pause between look-ups that somebody waits for; it doubles up to [`HURRY`].
const PAUSE: Duration = Duration::from_millis(200);
/// A lost broker has its topics looked up again, but no topic more often than this.
const HURRY: Duration = Duration::from_secs(1);
/// A topic that nobody used for so many refreshes is forgotten, unless a consumer reads it: a
/// quarter of an hour with the defaults.
const UNUSED: u32 = 30;

/// What an operation waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// A route at all.
    Route,
    /// The end of one look-up, whatever it brings: the route may be out of date.
    News,
    /// A route other than the present one, which is of no use.
    Change,
}

/// An operation that waits for a topic.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiter {
    pub(crate) op: OpId,
    pub(crate) wait: Wait,
    /// When it ends without what it waits for.
    pub(crate) deadline: Instant,
    /// It is content with a topic that a broker would create.
    pub(crate) creates: bool,
}

#[derive(Debug)]
enum Fetch {
    Idle,
    Asking(Lookup),
    Paused,
}

/// What a route was compiled from: while all of it is the same, so is the route.
#[derive(Clone, Debug)]
struct Source {
    body: Arc<RouteBody>,
    fallback: bool,
    /// [`Brokers::addresses`](crate::broker::Brokers::addresses) afterwards.
    addresses: u64,
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
    /// Since when nameservers have said that the topic, whose route is known, does not exist.
    denied: Option<Instant>,
    /// The last look-up ended with word that there is no such topic.
    missing: bool,
    /// It had a route of its own once.
    existed: bool,
    /// It was noted that no route can be had, and none came since.
    failing: bool,
    fetch: Fetch,
    asked: Instant,
    /// Look-ups begun, the present one included.
    lookups: u64,
    /// Of those, in a row and close together.
    hurried: u32,
    waiters: VecDeque<Waiter>,
    attempts: Attempts,
    /// The round robin's place; begins anywhere when the route changes.
    turn: u32,
    /// A call looked at it since the last refresh.
    used: Cell<bool>,
    /// Refreshes since a call did.
    unused: u32,
}

impl Entry {
    fn new(now: Instant) -> Self {
        Self {
            route: None,
            source: None,
            told: None,
            denied: None,
            missing: false,
            existed: false,
            failing: false,
            fetch: Fetch::Idle,
            asked: now,
            lookups: 0,
            hurried: 0,
            waiters: VecDeque::new(),
            attempts: Attempts::default(),
            turn: 0,
            used: Cell::new(false),
            unused: 0,
        }
    }

    fn begin(&mut self, now: Instant) {
        let hurried = self.lookups > 0 && now.since(self.asked) < 2 * HURRY;
        self.hurried = if hurried { self.hurried.saturating_add(1) } else { 0 };
        self.lookups += 1;
        (self.fetch, self.asked) = (Fetch::Asking(Lookup::default()), now);
    }

    /// How long after the last look-up began the next one may.
    fn floor(&self) -> Duration {
        PAUSE.saturating_mul(1 << self.hurried.min(8)).min(HURRY)
    }

    /// A look-up is over. Those that still wait have another one after a pause.
    fn rest(&mut self, now: Instant, waited: bool) -> Option<Duration> {
        self.fetch = if waited { Fetch::Paused } else { Fetch::Idle };
        waited.then(|| (self.asked + self.floor()).since(now).max(PAUSE))
    }

    fn answered(&mut self, now: Instant, changed: bool) -> Told {
        (self.told, self.failing) = (Some(now), false);
        (self.denied, self.missing) = (None, false);
        self.attempts = Attempts::default();
        let released = self.release(|wait| changed || wait != Wait::Change);
        Told { released, changed: false, pause: self.rest(now, !self.waiters.is_empty()) }
    }

    fn release(&mut self, ready: impl Fn(Wait) -> bool) -> VecDeque<OpId> {
        let (released, waiters): (VecDeque<_>, _) =
            std::mem::take(&mut self.waiters).into_iter().partition(|waiter| ready(waiter.wait));
        self.waiters = waiters;
        released.into_iter().map(|waiter: Waiter| waiter.op).collect()
    }

    fn exists(&self) -> bool {
        self.route.as_ref().is_some_and(|route| !route.fallback)
    }
}

/// What an answer did.
#[derive(Debug, Default)]
struct Told {
    /// Calls that go on.
    released: VecDeque<OpId>,
    /// The route differs from the last one.
    changed: bool,
    /// After this pause the topic is asked for again.
    pause: Option<Duration>,
}

/// What comes of a look-up that found no such topic.
#[derive(Debug, Default)]
struct Missing {
    /// Calls that go on with the route that is known.
    released: VecDeque<OpId>,
    /// Calls that end: the topic does not exist.
    denied: VecDeque<OpId>,
    /// Who said so.
    attempts: Attempts,
    /// After this pause the topic is asked for again.
    pause: Option<Duration>,
    /// The route that was known is given up.
    dropped: bool,
}

/// What to do for one more that waits.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// Ask a nameserver now.
    Ask,
    /// Ask after this pause.
    Pause(Duration),
    /// Nothing: it is being asked for, or will be.
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

    /// The same for a call, which thereby uses the topic.
    pub(crate) fn serve(&self, topic: &Topic) -> Option<&Arc<Route>> {
        let entry = self.topics.get(topic)?;
        entry.used.set(true);
        entry.route.as_ref()
    }

    /// Whether the topic has a route of its own; `TBW102`'s has no queue to read.
    pub(crate) fn exists(&self, topic: &Topic) -> bool {
        self.topics.get(topic).is_some_and(Entry::exists)
    }

    /// Whether there is nothing to read of the topic that may come by itself.
    pub(crate) fn is_unread(&self, topic: &Topic) -> bool {
        self.known(topic).is_none_or(|route| route.fallback || route.unread)
    }

    /// Whether nameservers say that there is no such topic, and never said anything else.
    pub(crate) fn is_missing(&self, topic: &Topic) -> bool {
        let missing = |entry: &Entry| entry.missing && !entry.existed && entry.route.is_none();
        self.topics.get(topic).is_some_and(missing)
    }

    /// Whether the topic's route was told within so long; or could not be had in a look-up that
    /// began within so long and has ended.
    pub(crate) fn is_fresh(&self, now: Instant, topic: &Topic, within: Duration) -> bool {
        let fresh = |at: Instant| now.since(at) < within;
        self.topics.get(topic).is_some_and(|entry| {
            let asking = matches!(entry.fetch, Fetch::Asking(_));
            entry.told.is_some_and(fresh) || (!asking && fresh(entry.asked))
        })
    }

    /// The route and the round robin's next place, for one send.
    pub(crate) fn turn(&mut self, topic: &Topic) -> Option<(Arc<Route>, u32)> {
        let entry = self.topics.get_mut(topic)?;
        let route = entry.route.clone()?;
        entry.turn = entry.turn.wrapping_add(1);
        Some((route, entry.turn))
    }

    /// Has the topic looked up; `waiter` goes on when what it waits for has come.
    fn begin(&mut self, now: Instant, topic: &Topic, waiter: Option<Waiter>) -> Next {
        let fresh = !self.topics.contains_key(topic);
        let entry = self.topics.entry(topic.clone()).or_insert_with(|| Entry::new(now));
        entry.waiters.extend(waiter);
        match (&entry.fetch, waiter.map(|waiter| waiter.wait)) {
            (Fetch::Asking(_) | Fetch::Paused, _) => return Next::Rest,
            (Fetch::Idle, Some(Wait::News | Wait::Change) | None) if !fresh => {
                let at = entry.asked + entry.floor();
                if at > now {
                    entry.fetch = Fetch::Paused;
                    return Next::Pause(at.since(now));
                }
            }
            (Fetch::Idle, Some(_) | None) => {}
        }
        entry.begin(now);
        Next::Ask
    }

    /// Topics that are being looked up, and that nobody has been asked for yet.
    pub(crate) fn asking(&self) -> Vec<Topic> {
        let unasked = |entry: &Entry| match &entry.fetch {
            Fetch::Asking(lookup) => lookup.is_unasked(),
            Fetch::Idle | Fetch::Paused => false,
        };
        let asking = self.topics.iter().filter(|(_, entry)| unasked(entry));
        asking.map(|(topic, _)| topic.clone()).collect()
    }

    /// No lookup could begin, for a reason that is that of all topics.
    pub(crate) fn tried(&mut self, attempt: &Attempt) {
        let asking =
            self.topics.values_mut().filter(|entry| matches!(entry.fetch, Fetch::Asking(_)));
        asking.for_each(|entry| entry.attempts.push(attempt.clone()));
    }

    /// The pause of a topic is over. True if a request must go out.
    fn pause_over(&mut self, now: Instant, topic: &Topic) -> bool {
        let Some(entry) = self.topics.get_mut(topic) else { return false };
        let ask = matches!(entry.fetch, Fetch::Paused);
        if ask {
            entry.begin(now);
        }
        ask
    }

    /// The answer is the one the topic's route was compiled from: those that only wanted to know go
    /// on.
    fn unchanged(&mut self, now: Instant, topic: &Topic, source: &Source) -> Option<Told> {
        let entry = self.topics.get_mut(topic)?;
        (entry.source.as_ref() == Some(source)).then(|| entry.answered(now, false))
    }

    /// A route came.
    fn learned(
        &mut self,
        now: Instant,
        topic: &Topic,
        route: Route,
        source: Source,
        start: u64,
    ) -> Told {
        let Some(entry) = self.topics.get_mut(topic) else { return Told::default() };
        entry.existed |= !route.fallback;
        // Where nothing is left to wait for but a change, another address may be one.
        let told = entry.answered(now, true);
        entry.source = Some(source);
        let changed = entry.route.as_deref() != Some(&route);
        if changed {
            entry.turn = start as u32;
            entry.route = Some(Arc::new(route));
        }
        Told { changed, ..told }
    }

    /// Every nameserver that answers says that there is no such topic. `refresh`: how far apart two
    /// such words must be to be believed of a topic that is known; `serves`: its route is of use
    /// all the same; `patient`: calls wait for a topic to be created.
    fn missing(
        &mut self,
        now: Instant,
        topic: &Topic,
        (refresh, serves, patient): (Duration, bool, bool),
    ) -> Missing {
        let Some(entry) = self.topics.get_mut(topic) else { return Missing::default() };
        entry.missing = true;
        let mut missing = Missing::default();
        if entry.exists() {
            let since = *entry.denied.get_or_insert(now);
            missing.dropped = now.since(since) >= refresh && !serves;
            if missing.dropped {
                (entry.route, entry.source, entry.told) = (None, None, None);
                entry.waiters.iter_mut().for_each(|waiter| waiter.wait = Wait::Route);
            }
        }
        let known = entry.route.is_some();
        for waiter in std::mem::take(&mut entry.waiters) {
            let op = waiter.op;
            match waiter.wait {
                Wait::News if known => missing.released.push_back(op),
                // `TBW102`'s route stands for the topic, for whoever creates it.
                Wait::Route if known && (entry.exists() || waiter.creates) => {
                    missing.released.push_back(op);
                }
                Wait::Route | Wait::News if !patient && !entry.existed => {
                    missing.denied.push_back(op);
                }
                Wait::Route | Wait::News | Wait::Change => entry.waiters.push_back(waiter),
            }
        }
        missing.attempts = match entry.waiters.is_empty() {
            true => std::mem::take(&mut entry.attempts),
            false => entry.attempts.clone(),
        };
        missing.pause = entry.rest(now, !entry.waiters.is_empty());
        missing
    }

    /// The operations that wait for the topic.
    fn waiters(&self, topic: &Topic) -> impl Iterator<Item = &Waiter> {
        self.topics.get(topic).into_iter().flat_map(|entry| &entry.waiters)
    }

    /// Whether an operation waits for the topic.
    pub(crate) fn is_awaited(&self, topic: &Topic) -> bool {
        self.topics.get(topic).is_some_and(|entry| !entry.waiters.is_empty())
    }

    /// Whether that operation waits for the topic.
    pub(crate) fn is_waiting(&self, topic: &Topic, op: OpId) -> bool {
        let entry = self.topics.get(topic);
        entry.is_some_and(|entry| entry.waiters.iter().any(|waiter| waiter.op == op))
    }

    /// Whether the topic is being looked up.
    pub(crate) fn is_asking(&self, topic: &Topic) -> bool {
        let entry = self.topics.get(topic);
        entry.is_some_and(|entry| matches!(entry.fetch, Fetch::Asking(_)))
    }

    /// Every nameserver that was asked failed. Gives those that go on with what is known, and the
    /// pause before the next look-up.
    fn failed(
        &mut self,
        now: Instant,
        topic: &Topic,
        in_use: bool,
    ) -> (VecDeque<OpId>, Option<Duration>) {
        let Some(entry) = self.topics.get_mut(topic) else { return Default::default() };
        let known = entry.route.is_some();
        let released = entry.release(|wait| known && wait == Wait::News);
        let waited = !entry.waiters.is_empty() || (in_use && !known);
        (released, entry.rest(now, waited))
    }

    /// Calls that wanted news of a route that is known, and can go on with it.
    fn without_news(&mut self, topic: &Topic) -> VecDeque<OpId> {
        let Some(entry) = self.topics.get_mut(topic) else { return VecDeque::new() };
        let known = entry.route.is_some();
        entry.release(|wait| known && wait == Wait::News)
    }

    /// Whether this failure is the first one since a route came.
    fn begins_to_fail(&mut self, topic: &Topic) -> bool {
        self.topics.get_mut(topic).is_some_and(|entry| !std::mem::replace(&mut entry.failing, true))
    }

    /// One nameserver's word on the topic came to nothing.
    fn attempted(&mut self, topic: &Topic, attempt: Attempt) {
        if let Some(entry) = self.topics.get_mut(topic) {
            entry.attempts.push(attempt);
        }
    }

    /// Ends the wait of all who wait for the topic: no nameserver can ever answer.
    fn give_up(&mut self, topic: &Topic) -> (VecDeque<OpId>, Attempts) {
        let Some(entry) = self.topics.get_mut(topic) else { return Default::default() };
        entry.fetch = Fetch::Idle;
        (entry.release(|_| true), std::mem::take(&mut entry.attempts))
    }

    /// An operation no longer waits. Gives what had been tried for it.
    pub(crate) fn forget(&mut self, topic: &Topic, waiter: OpId) -> Attempts {
        let Some(entry) = self.topics.get_mut(topic) else { return Attempts::default() };
        // Deadlines come in the order of calls, mostly: it is found at the front.
        let Some(at) = entry.waiters.iter().position(|own| own.op == waiter) else {
            return Attempts::default();
        };
        entry.waiters.remove(at);
        entry.attempts.clone()
    }

    /// Topics whose route names a broker that was lost and that were not looked up just now.
    fn touched_by(&self, now: Instant, broker: BrokerId) -> Vec<Topic> {
        let on = |route: &Arc<Route>| route.brokers.binary_search(&broker).is_ok();
        let touched = self.topics.iter().filter(|(_, entry)| {
            now.since(entry.asked) >= HURRY && entry.route.as_ref().is_some_and(on)
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
    /// asked for until the client ends. So is one that no call used for [`UNUSED`] refreshes. The
    /// flag says whether a route was forgotten with one.
    fn due(
        &mut self,
        now: Instant,
        age: Duration,
        consumed: &BTreeSet<Topic>,
    ) -> (Vec<Topic>, bool) {
        let mut forgotten = false;
        let mut due = Vec::new();
        self.topics.retain(|topic, entry| {
            let idle = matches!(entry.fetch, Fetch::Idle);
            if !idle || !entry.waiters.is_empty() {
                return true;
            }
            let read = consumed.contains(topic);
            if entry.route.is_none() && !entry.existed && !read {
                return false;
            }
            if now.since(entry.asked) < age {
                return true;
            }
            entry.unused = if read || entry.used.take() { 0 } else { entry.unused + 1 };
            let kept = entry.unused < UNUSED;
            forgotten |= !kept;
            due.extend(kept.then(|| topic.clone()));
            kept
        });
        (due, forgotten)
    }

    /// When the topic was asked for that is to be refreshed next; `now` when there is none.
    fn oldest(&self, now: Instant) -> Instant {
        let idle = self.topics.values().filter(|entry| matches!(entry.fetch, Fetch::Idle));
        idle.map(|entry| entry.asked).min().unwrap_or(now)
    }

    /// What must hold between two calls.
    pub(crate) fn check(&self) {
        for (topic, entry) in &self.topics {
            let served = entry.waiters.is_empty() || !matches!(entry.fetch, Fetch::Idle);
            assert!(served, "{topic} is waited for and nobody asks");
        }
    }
}
