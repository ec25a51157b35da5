//! From when on a queue is ours to read: not before whoever had it could commit.
//!
//! A member that loses a queue sends a last commit when it learns of that, which is about when the
//! one that gains it does. Who reads the stored offset at once begins where the other one's last
//! round of commits was, and delivers again what has been settled since.

use std::time::Duration;

use crate::time::Instant;
use crate::timer::TimerKey;

/// So long after a group last had other members one of them may still have had a queue.
const LATELY: Duration = Duration::from_secs(5);

/// A queue that will be ours to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::consumer) struct Lease {
    /// When it begins.
    at: Instant,
    /// The timer of that time.
    timer: TimerKey,
}

impl Lease {
    /// How long a queue rests that a member gains whose group last had others at `shared`.
    pub(in crate::consumer) fn pause(
        now: Instant,
        shared: Option<Instant>,
        pause: Duration,
    ) -> Option<Duration> {
        let lately = shared.is_some_and(|at| now.since(at) < LATELY);
        (lately && !pause.is_zero()).then_some(pause)
    }

    /// One that begins at that time, when the timer fires.
    pub(in crate::consumer) const fn new(at: Instant, timer: TimerKey) -> Self {
        Self { at, timer }
    }

    /// When it begins.
    pub(in crate::consumer) const fn at(self) -> Instant {
        self.at
    }

    /// The timer that brings its begin.
    pub(in crate::consumer) const fn timer(self) -> TimerKey {
        self.timer
    }
}
