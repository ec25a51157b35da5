//! What is known of one topic, and how far its look-up has come.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::lookup::Lookup;
use super::{Route, Shrunk, Wait, Waiters};
use crate::body::RouteBody;
use crate::error::{Attempt, Attempts};
use crate::id::OpId;
use crate::time::Instant;

/// The first pause between look-ups that somebody waits for; it doubles up to [`HURRY`].
const PAUSE: Duration = Duration::from_millis(200);
/// A lost broker has its topics looked up again, but no topic more often than this.
pub(super) const HURRY: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) enum Fetch {
    Idle,
    Asking(Lookup),
    Paused,
}

/// What a route was compiled from: while all of it is the same, so is the route.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) body: Arc<RouteBody>,
    pub(super) fallback: bool,
    /// [`Brokers::addresses`](crate::broker::Brokers::addresses) afterwards.
    pub(super) addresses: u64,
}

impl PartialEq for Source {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.body, &other.body)
            && (self.fallback, self.addresses) == (other.fallback, other.addresses)
    }
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) route: Option<Arc<Route>>,
    pub(super) source: Option<Source>,
    /// When a nameserver last told the route.
    pub(super) told: Option<Instant>,
    /// Since when nameservers have said that the topic, whose route is known, does not exist.
    pub(super) denied: Option<Instant>,
    /// The last look-up ended with word that there is no such topic.
    pub(super) missing: bool,
    /// The topic had a route of its own once.
    pub(super) existed: bool,
    /// A note said that no route can be had, and none came since.
    pub(super) failing: bool,
    pub(super) fetch: Fetch,
    pub(super) asked: Instant,
    /// Look-ups begun, the present one included.
    pub(super) lookups: u64,
    /// Of those, in a row and close together.
    pub(super) hurried: u32,
    pub(super) waiters: Waiters,
    pub(super) attempts: Attempts,
    /// How a nameserver, or a proxy in its place, has denied the last question, if it has.
    pub(super) denial: Option<Arc<Attempt>>,
    /// The round robin's place; begins anywhere when the route changes.
    pub(super) turn: u32,
    /// A call looked at it since the last refresh.
    pub(super) used: Cell<bool>,
    /// Refreshes since a call did.
    pub(super) unused: u32,
    /// Whether queues to read have gone.
    pub(super) shrunk: Shrunk,
}

impl Entry {
    pub(super) fn new(now: Instant) -> Self {
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
            waiters: Waiters::default(),
            attempts: Attempts::default(),
            denial: None,
            turn: 0,
            used: Cell::new(false),
            unused: 0,
            shrunk: Shrunk::default(),
        }
    }

    pub(super) fn begin(&mut self, now: Instant) {
        let hurried = self.lookups > 0 && now.since(self.asked) < 2 * HURRY;
        self.hurried = if hurried { self.hurried.saturating_add(1) } else { 0 };
        self.lookups += 1;
        (self.fetch, self.asked) = (Fetch::Asking(Lookup::default()), now);
    }

    /// How long after the last look-up began the next one may.
    pub(super) fn floor(&self) -> Duration {
        PAUSE.saturating_mul(1 << self.hurried.min(8)).min(HURRY)
    }

    /// A look-up is over. Those that still wait have another one after a pause.
    pub(super) fn rest(&mut self, now: Instant, waited: bool) -> Option<Duration> {
        self.fetch = if waited { Fetch::Paused } else { Fetch::Idle };
        waited.then(|| (self.asked + self.floor()).since(now).max(PAUSE))
    }

    pub(super) fn answered(&mut self, now: Instant, changed: bool) -> Told {
        (self.told, self.failing) = (Some(now), false);
        (self.denied, self.missing, self.denial) = (None, false, None);
        self.attempts = Attempts::default();
        let released = self.waiters.release(|wait| changed || wait != Wait::Change);
        Told { released, changed: false, pause: self.rest(now, !self.waiters.is_empty()) }
    }

    pub(super) fn exists(&self) -> bool {
        self.route.as_ref().is_some_and(|route| !route.fallback)
    }
}

/// What an answer did.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Calls that go on.
    pub(super) released: VecDeque<OpId>,
    /// The route differs from the last one.
    pub(super) changed: bool,
    /// After this pause the topic is asked for again.
    pub(super) pause: Option<Duration>,
}
