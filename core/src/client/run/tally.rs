//! What handlers did, counted by each worker for itself.

use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::histogram::Histogram;

/// What one worker did. Only its own worker adds to it.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) handled: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) panicked: AtomicU64,
    pub(super) moved: AtomicU64,
    pub(super) timed_out: AtomicU64,
    pub(super) unreadable: AtomicU64,
    pub(super) in_progress: AtomicUsize,
    /// Locked by nobody else but who asks for all.
    times: Mutex<Histogram>,
}

impl Tally {
    /// Adds where nobody else does.
    pub(super) fn add(count: &AtomicU64, more: usize) {
        count.store(count.load(Relaxed) + more as u64, Relaxed);
    }

    /// A handler took so long.
    pub(super) fn took(&self, taken: Duration) {
        self.times.lock().unwrap_or_else(PoisonError::into_inner).record(taken, 1);
    }

    /// So many messages are with the handler, until what is returned is dropped.
    pub(super) fn begin(&self, messages: usize) -> InProgress<'_> {
        self.in_progress.store(messages, Relaxed);
        InProgress(self)
    }
}

pub(super) struct InProgress<'a>(&'a Tally);

impl Drop for InProgress<'_> {
    fn drop(&mut self) {
        self.0.in_progress.store(0, Relaxed);
    }
}

/// What the handlers of a [`Run`](super::Run) did so far.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct RunStats {
    /// Workers that are there.
    pub workers: usize,
    /// Messages that are with a handler now.
    pub in_progress: usize,
    /// Messages that were acked.
    pub handled: u64,
    /// Messages that were not: by verdict, error or panic; those as well that can't be read and
    /// were rejected.
    pub failed: u64,
    /// Calls that panicked.
    pub panicked: u64,
    /// Messages whose queue had gone to another member when their handler ended.
    pub moved: u64,
    /// Messages that had been taken from their handler after `consume_timeout`, when it ended.
    pub timed_out: u64,
    /// Messages that could not be read, each time they came.
    pub unreadable: u64,
    /// How long handlers took, one entry a call.
    pub times: Histogram,
}

/// On one line: what became of messages, and how long the handlers took.
impl fmt::Display for RunStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { workers, in_progress, handled, failed, .. } = self;
        write!(f, "{handled} messages handled, {failed} failed, {in_progress} in progress")?;
        for (count, what) in [
            (self.panicked, "calls panicked"),
            (self.moved, "with queues that had moved"),
            (self.timed_out, "held for too long"),
            (self.unreadable, "that can't be read"),
        ] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        write!(f, "; {workers} workers; times: {}", self.times)
    }
}

impl RunStats {
    pub(super) fn add(&mut self, tally: &Tally) {
        self.in_progress += tally.in_progress.load(Relaxed);
        self.handled += tally.handled.load(Relaxed);
        self.failed += tally.failed.load(Relaxed);
        self.panicked += tally.panicked.load(Relaxed);
        self.moved += tally.moved.load(Relaxed);
        self.timed_out += tally.timed_out.load(Relaxed);
        self.unreadable += tally.unreadable.load(Relaxed);
        self.times.add(&tally.times.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_handlers_did_is_shown_on_one_line() {
        let mut stats = RunStats { workers: 16, handled: 90, failed: 2, ..RunStats::default() };
        stats.times.record(Duration::from_micros(100), 92);
        let all = "90 messages handled, 2 failed, 0 in progress; 16 workers; \
                   times: p50 < 128µs, p99 < 128µs";
        assert_eq!(stats.to_string(), all);
        (stats.panicked, stats.unreadable) = (1, 3);
        assert!(stats.to_string().contains("in progress, 1 calls panicked, 3 that can't be read;"));
    }
}
