//! The topics in use: who waits for them, and what becomes of look-ups.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::entry::{Entry, Fetch, HURRY};
use super::{Route, RouteQueue, Wait, Waiter};
use crate::broker::Brokers;
use crate::error::{Attempt, Attempts};
use crate::frame::Request;
use crate::id::{BrokerId, OpId};
use crate::name::Topic;
use crate::time::Instant;

/// A topic that nobody used for so many refreshes is forgotten, unless a consumer reads it: a
/// quarter of an hour with the defaults.
const UNUSED: u32 = 30;

/// What to do for one more that waits.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
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
    pub(super) topics: BTreeMap<Topic, Entry>,
}

impl Routes {
    /// The route of `topic`, if it is known.
    pub(crate) fn known(&self, topic: &Topic) -> Option<&Arc<Route>> {
        self.topics.get(topic)?.route.as_ref()
    }

    /// How the route of a topic was denied to this client's key, where nothing is known of it.
    pub(crate) fn denial(&self, topic: &Topic) -> Option<Arc<Attempt>> {
        let entry = self.topics.get(topic).filter(|entry| entry.route.is_none())?;
        entry.denial.clone()
    }

    /// Somebody answered a question for a topic, or did not.
    pub(super) fn denied_by(&mut self, topic: &Topic, denial: Option<Arc<Attempt>>) {
        if let Some(entry) = self.topics.get_mut(topic) {
            entry.denial = denial;
        }
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
    pub(super) fn begin(&mut self, now: Instant, topic: &Topic, waiter: Option<Waiter>) -> Next {
        let fresh = !self.topics.contains_key(topic);
        let entry = self.topics.entry(topic.clone()).or_insert_with(|| Entry::new(now));
        if let Some(waiter) = waiter {
            entry.waiters.push(waiter);
        }
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
    pub(super) fn pause_over(&mut self, now: Instant, topic: &Topic) -> bool {
        let Some(entry) = self.topics.get_mut(topic) else { return false };
        let ask = matches!(entry.fetch, Fetch::Paused);
        if ask {
            entry.begin(now);
        }
        ask
    }

    /// The operations that wait for the topic.
    pub(super) fn waiters(&self, topic: &Topic) -> impl Iterator<Item = &Waiter> {
        self.topics.get(topic).into_iter().flat_map(|entry| entry.waiters.iter())
    }

    /// Whether an operation waits for the topic.
    pub(crate) fn is_awaited(&self, topic: &Topic) -> bool {
        self.topics.get(topic).is_some_and(|entry| !entry.waiters.is_empty())
    }

    /// Whether that operation waits for the topic.
    pub(crate) fn is_waiting(&self, topic: &Topic, op: OpId) -> bool {
        self.topics.get(topic).is_some_and(|entry| entry.waiters.has(op))
    }

    /// Whether the topic is being looked up.
    pub(crate) fn is_asking(&self, topic: &Topic) -> bool {
        let entry = self.topics.get(topic);
        entry.is_some_and(|entry| matches!(entry.fetch, Fetch::Asking(_)))
    }

    /// An operation no longer waits. Gives what had been tried for it.
    pub(crate) fn forget(&mut self, topic: &Topic, waiter: OpId) -> Attempts {
        let Some(entry) = self.topics.get_mut(topic) else { return Attempts::default() };
        if entry.waiters.remove(waiter) { entry.attempts.clone() } else { Attempts::default() }
    }

    /// Topics whose route names a broker that was lost and that were not looked up just now.
    pub(super) fn touched_by(&self, now: Instant, broker: BrokerId) -> Vec<Topic> {
        let on = |route: &Arc<Route>| route.brokers.binary_search(&broker).is_ok();
        let touched = self.topics.iter().filter(|(_, entry)| {
            now.since(entry.asked) >= HURRY && entry.route.as_ref().is_some_and(on)
        });
        touched.map(|(topic, _)| topic.clone()).collect()
    }

    /// A queue on the broker, of any topic in use.
    pub(super) fn queue_on(&self, broker: BrokerId) -> Option<(&Topic, RouteQueue)> {
        self.topics.iter().find_map(|(topic, entry)| {
            let route = entry.route.as_ref().filter(|route| !route.fallback)?;
            let queue = route.writable.iter().find(|queue| queue.broker == broker)?;
            Some((topic, *queue))
        })
    }

    /// A request that the broker can answer, if a route names a queue of it.
    pub(crate) fn probe(&self, brokers: &Brokers, broker: BrokerId) -> Option<Request> {
        let (topic, at) = self.queue_on(broker)?;
        Some(brokers.queue_name(topic, at.broker, at.queue).ask_max_offset())
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
    pub(super) fn due(
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
    pub(super) fn oldest(&self, now: Instant) -> Instant {
        let idle = self.topics.values().filter(|entry| matches!(entry.fetch, Fetch::Idle));
        idle.map(|entry| entry.asked).min().unwrap_or(now)
    }

    /// All topics that were asked for.
    pub(crate) fn topics(&self) -> impl Iterator<Item = &Topic> {
        self.topics.keys()
    }

    /// What must hold between two calls.
    pub(crate) fn check(&self) {
        for (topic, entry) in &self.topics {
            let served = entry.waiters.is_empty() || !matches!(entry.fetch, Fetch::Idle);
            assert!(served, "{topic} is waited for and nobody asks");
        }
    }
}
