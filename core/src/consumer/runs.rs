//! Messages that are handed out in their order: what whoever has a run of them may hand out next,
//! and how often each was given back, without a lock.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::{Batch, Handout};
use crate::time::Instant;

/// The runs of one batch.
#[derive(Debug, Default)]
pub(super) struct Runs {
    /// Counts those that were recalled: what is left of them is another run's.
    number: AtomicU32,
    /// How often each message was given back, once one was.
    tries: OnceLock<Box<[AtomicU32]>>,
}

impl Batch {
    /// Whether its messages are handled in their order.
    pub fn is_orderly(&self) -> bool {
        self.flags.orderly
    }

    /// The number of the run that is out, or will be.
    pub(super) fn run(&self) -> u32 {
        self.runs.number.load(Ordering::SeqCst)
    }

    /// Nothing more is handed out of the run that is out; the engine is told of each message of it
    /// that is settled, since the last one is waited for.
    pub(super) fn recall(&self) {
        self.flags.watched.store(true, Ordering::SeqCst);
        self.runs.number.fetch_add(1, Ordering::SeqCst);
    }

    /// The run is over: the engine need not hear of each message any more.
    pub(super) fn unwatch(&self) {
        self.flags.watched.store(false, Ordering::SeqCst);
    }

    /// What is not settled is handed out again, from there on.
    pub(super) fn rewind(&self, next: u32) {
        self.handed.store(next, Ordering::SeqCst);
    }

    /// The first message that is not settled.
    pub(super) fn first_open(&self) -> Option<u32> {
        (0..self.records().len() as u32).find(|index| !self.is_settled(*index))
    }

    /// Whether whoever has this run may hand out the next message of it: all before are settled,
    /// nothing of it was given back, and the queue's lock lasts. Of a batch whose order does not
    /// matter it always may.
    pub(crate) fn goes_on(&self, handout: &Handout, now: impl FnOnce() -> Instant) -> bool {
        self.is_next(handout) && self.is_locked(now)
    }

    /// The same, whether or not the lock lasts.
    pub(crate) fn is_next(&self, handout: &Handout) -> bool {
        // The run last: what was given back and is settled since is of another one.
        !self.is_orderly() || (self.is_settled_before(handout.next) && self.run() == handout.run)
    }

    /// Whether the queue's lock lasts, where it needs one: the clock is read for that alone.
    pub(crate) fn is_locked(&self, now: impl FnOnce() -> Instant) -> bool {
        !self.is_orderly() || self.flags.lock.holds(now())
    }

    /// How long the queue's lock lasts; `None`: it needs none.
    pub fn lock_remaining(&self, now: Instant) -> Option<std::time::Duration> {
        self.flags.lock.remaining(now)
    }

    fn is_settled_before(&self, next: u32) -> bool {
        let (words, rest) = (next as usize / 64, next % 64);
        let full = |word: &AtomicU64| word.load(Ordering::SeqCst) == u64::MAX;
        let mask = (1 << rest) - 1;
        self.settled.iter().take(words).all(full)
            && self.settled.get(words).is_none_or(|w| w.load(Ordering::SeqCst) & mask == mask)
    }

    /// How often the message at `index` was given back here, where order matters.
    pub fn tries(&self, index: u32) -> u32 {
        let tries = self.runs.tries.get().and_then(|tries| tries.get(index as usize));
        tries.map_or(0, |tries| tries.load(Ordering::SeqCst))
    }

    /// The message at `index` was given back once more. How often it was.
    pub(super) fn try_again(&self, index: u32) -> u32 {
        let none = || (0..self.records().len()).map(|_| AtomicU32::new(0)).collect();
        let tries = self.runs.tries.get_or_init(none).get(index as usize);
        tries.map_or(0, |tries| tries.fetch_add(1, Ordering::SeqCst).saturating_add(1))
    }
}

impl Handout {
    /// The next message of a run that may be handed out, if there is one now: where order matters,
    /// once those before it are settled, while the queue is locked. What is left is to be
    /// [given back](crate::engine::Engine::give_back). Some may be [unwanted](Batch::wanted): they
    /// are to be settled.
    pub fn take_next(&mut self, now: Instant) -> Option<u32> {
        while self.next < self.end && !self.batch.is_revoked() {
            let index = self.next;
            if !self.batch.goes_on(self, || now) || !self.batch.hand_out(index) {
                return None;
            }
            self.next += 1;
            if !self.batch.is_settled(index) {
                return Some(index);
            }
        }
        None
    }
}
