//! Waiting for messages. A task leaves its waker. So does a thread, unless messages come one soon
//! after the other: then it reads them [by itself](super::link).

use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use super::lending::Reading;
use super::park::own_waker;
use super::received::RecvError;
use super::shared::Shared;
use super::state::Core;
use crate::id::SubscriptionId;
use crate::time::Instant;

/// A wait that is shorter than this makes the next one a read, and a read that brings nothing for
/// so long is the last: one who waits for long costs least as it sleeps, and hears at once of what
/// does not come by the connection that it would read.
const SOON: Duration = Duration::from_millis(2);

/// Whether a read can end after [`SOON`]: where it takes half a second, none begins.
const READS: bool = cfg!(not(windows));

/// How a consumer waits that finds no message.
pub(super) struct Wait<'a> {
    waker: &'a Waker,
    may_read: bool,
    reading: Option<Reading>,
}

impl<'a> Wait<'a> {
    /// One that leaves this waker.
    pub(super) const fn parked(waker: &'a Waker) -> Self {
        Self { waker, may_read: false, reading: None }
    }

    pub(super) const fn waker(&self) -> &'a Waker {
        self.waker
    }

    /// A wait has begun: who waits without reading needs others that read.
    pub(super) fn begun(&self, shared: &Shared) {
        if self.reading.is_none() {
            shared.wake_readers();
        }
    }

    /// Before anything of the application's runs: a half that was taken goes back.
    pub(super) fn give_back(&mut self, shared: &Shared) {
        if let Some(reading) = self.reading.take() {
            shared.read_once(reading, None);
        }
    }

    /// From now on it waits by its waker, which whoever ends a pause wakes at once.
    pub(super) const fn sleep(&mut self) {
        self.may_read = false;
    }

    /// There is no message: takes the connection's read half, if it may and can, or leaves `waker`
    /// with the consumer. The one that was there is left in its place, for dropping after the lock.
    pub(super) fn begin(
        &mut self,
        core: &mut Core,
        sub: SubscriptionId,
        waker: &mut Option<Waker>,
    ) {
        if self.may_read && self.reading.is_none() {
            self.reading = Reading::of_pulls(core);
        }
        if self.reading.is_some() {
            *waker = None;
        }
        if let Some(consumer) = core.consumers.get_mut(&sub) {
            std::mem::swap(&mut consumer.waker, waker);
        }
    }
}

impl Shared {
    /// Blocks this thread until `poll` is ready, or the clock shows `by`. `soon`: whether the last
    /// wait was short. A process that was forked waits for nothing, and reads nothing of what is
    /// its parent's.
    pub(super) fn await_messages<T>(
        &self,
        by: Option<Instant>,
        soon: &mut bool,
        mut poll: impl FnMut(&mut Wait<'_>) -> Poll<Result<T, RecvError>>,
    ) -> Option<Result<T, RecvError>> {
        if self.is_forked() {
            return Some(Err(RecvError::Forked));
        }
        let (waker, mut now) = (own_waker(), self.now());
        loop {
            let near = by.is_some_and(|by| by.since(now) < SOON);
            let mut wait = Wait { waker: &waker, may_read: READS && *soon && !near, reading: None };
            let polled = poll(&mut wait);
            // The application's filter runs in it, and may have taken its time.
            now = self.now();
            let (begun, left) = (now, by.map(|by| by.since(now)));
            let over = left.is_some_and(|left| left.is_zero());
            if over || polled.is_ready() {
                wait.give_back(self);
                return match polled {
                    Poll::Ready(result) => Some(result),
                    Poll::Pending => None,
                };
            }
            match wait.reading {
                Some(reading) => self.read_once(reading, Some(SOON)),
                None => self.host().block(&mut || match left {
                    Some(left) => thread::park_timeout(left),
                    None => thread::park(),
                }),
            }
            now = self.now();
            *soon = now.since(begun) < SOON;
        }
    }
}
