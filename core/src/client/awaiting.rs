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
            let left = by.map(|by| by.since(now));
            let may_read = *soon && left.is_none_or(|left| left >= SOON);
            let mut wait = Wait { waker: &waker, may_read, reading: None };
            let polled = poll(&mut wait);
            let reads = wait.reading.is_some();
            if let Some(reading) = wait.reading {
                self.read_once(reading, polled.is_pending().then_some(SOON));
            }
            if let Poll::Ready(result) = polled {
                return Some(result);
            }
            if left.is_some_and(|left| left.is_zero()) {
                return None;
            }
            if !reads {
                self.host().block(&mut || match left {
                    Some(left) => thread::park_timeout(left),
                    None => thread::park(),
                });
            }
            let since = std::mem::replace(&mut now, self.now());
            *soon = now.since(since) < SOON;
        }
    }
}
