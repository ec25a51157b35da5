//! What a look-up comes to for its topic and for those who wait.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::entry::{Fetch, Source, Told};
use super::{Route, Routes, Wait};
use crate::error::{Attempt, Attempts};
use crate::id::OpId;
use crate::name::Topic;
use crate::time::Instant;

/// What comes of a look-up that found no such topic.
#[derive(Debug, Default)]
pub(super) struct Missing {
    /// Calls that go on with the route that is known.
    pub(super) released: VecDeque<OpId>,
    /// Calls that end: the topic does not exist.
    pub(super) denied: VecDeque<OpId>,
    /// Who said so.
    pub(super) attempts: Attempts,
    /// After this pause the topic is asked for again.
    pub(super) pause: Option<Duration>,
    /// The route that was known is given up.
    pub(super) dropped: bool,
}

impl Routes {
    /// The answer is the one the topic's route was compiled from: those that only wanted to know go
    /// on.
    pub(super) fn unchanged(
        &mut self,
        now: Instant,
        topic: &Topic,
        source: &Source,
    ) -> Option<Told> {
        let entry = self.topics.get_mut(topic)?;
        (entry.source.as_ref() == Some(source)).then(|| entry.answered(now, false))
    }

    /// A route came.
    pub(super) fn learned(
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
            let before = entry.route.as_ref().map_or(0, |route| route.readable.len());
            entry.shrunk.counts(now, before, route.readable.len());
            entry.turn = start as u32;
            entry.route = Some(Arc::new(route));
        }
        Told { changed, ..told }
    }

    /// Every nameserver that answers says that there is no such topic. `refresh`: how far apart two
    /// such words must be to be believed of a topic that is known; `serves`: its route is of use
    /// all the same; `patient`: calls wait for a topic to be created.
    pub(super) fn missing(
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
                entry.waiters.want_any();
            }
        }
        let known = entry.route.is_some();
        for waiter in entry.waiters.take() {
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
                Wait::Route | Wait::News | Wait::Change => entry.waiters.push(waiter),
            }
        }
        missing.attempts = match entry.waiters.is_empty() {
            true => std::mem::take(&mut entry.attempts),
            false => entry.attempts.clone(),
        };
        missing.pause = entry.rest(now, !entry.waiters.is_empty());
        missing
    }

    /// Every nameserver that was asked failed. Gives those that go on with what is known, and the
    /// pause before the next look-up.
    pub(super) fn failed(
        &mut self,
        now: Instant,
        topic: &Topic,
        in_use: bool,
    ) -> (VecDeque<OpId>, Option<Duration>) {
        let Some(entry) = self.topics.get_mut(topic) else { return Default::default() };
        let known = entry.route.is_some();
        let released = entry.waiters.release(|wait| known && wait == Wait::News);
        let waited = !entry.waiters.is_empty() || (in_use && !known);
        (released, entry.rest(now, waited))
    }

    /// Calls that wanted news of a route that is known, and can go on with it.
    pub(super) fn without_news(&mut self, topic: &Topic) -> VecDeque<OpId> {
        let Some(entry) = self.topics.get_mut(topic) else { return VecDeque::new() };
        let known = entry.route.is_some();
        entry.waiters.release(|wait| known && wait == Wait::News)
    }

    /// Whether this failure is the first one since a route came.
    pub(super) fn begins_to_fail(&mut self, topic: &Topic) -> bool {
        self.topics.get_mut(topic).is_some_and(|entry| !std::mem::replace(&mut entry.failing, true))
    }

    /// One nameserver's word on the topic came to nothing.
    pub(super) fn attempted(&mut self, topic: &Topic, attempt: Attempt) {
        if let Some(entry) = self.topics.get_mut(topic) {
            entry.attempts.push(attempt);
        }
    }

    /// Ends the wait of all who wait for the topic: no nameserver can ever answer.
    pub(super) fn give_up(&mut self, topic: &Topic) -> (VecDeque<OpId>, Attempts) {
        let Some(entry) = self.topics.get_mut(topic) else { return Default::default() };
        entry.fetch = Fetch::Idle;
        (entry.waiters.release(|_| true), std::mem::take(&mut entry.attempts))
    }
}
