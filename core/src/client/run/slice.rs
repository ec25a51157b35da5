//! Messages that workers claim.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::super::delivery::settle;
use super::super::shared::Shared;
use crate::consumer::{Batch, Handout};

/// A run of messages that any worker may claim from.
pub(super) struct Slice {
    pub(super) batch: Arc<Batch>,
    next: AtomicU32,
    end: u32,
    /// As a handout has it, and the next one.
    pub(super) again: u32,
    run: u32,
}

/// A message that a worker is to handle.
pub(super) struct Claim {
    pub(super) batch: Arc<Batch>,
    pub(super) index: u32,
    pub(super) again: u32,
}

impl Slice {
    pub(super) fn of(handout: Handout) -> Arc<Self> {
        let Handout { batch, next, end, again, run } = handout;
        Arc::new(Self { batch, next: AtomicU32::new(next), end, again, run })
    }

    /// Whether others may claim of it as well.
    pub(super) fn is_shared(&self) -> bool {
        !self.batch.is_orderly() && self.end - self.next.load(Ordering::Relaxed) > 1
    }

    /// Whether there is something that others may claim.
    pub(super) fn has_more_for_others(&self) -> bool {
        !self.batch.is_orderly() && self.has_more()
    }

    /// The next message that is to be handled: where order matters, those before are settled.
    pub(super) fn claim(&self, shared: &Shared) -> Option<u32> {
        if self.batch.is_orderly() && self.has_more() {
            let next = self.next.load(Ordering::Relaxed);
            let rest = self.rest(next, self.end);
            if !self.batch.goes_on(&rest, || shared.clock().now()) {
                self.give_back_rest(shared);
                return None;
            }
        }
        self.claim_of_run(shared)
    }

    /// The same, whatever became of the messages before: for whoever handles several together.
    pub(super) fn claim_of_run(&self, shared: &Shared) -> Option<u32> {
        while self.has_more() {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            if index >= self.end {
                break;
            }
            if self.batch.is_revoked() {
                self.next.store(self.end, Ordering::Relaxed);
                break;
            }
            if !self.batch.hand_out(index) {
                // The consumer finishes: nobody sees what is left.
                self.give_back(shared, index, index + 1);
                self.give_back_rest(shared);
                break;
            }
            if self.batch.is_settled(index) {
                continue;
            }
            if self.batch.wanted(index) {
                return Some(index);
            }
            settle(&self.batch, index, shared);
        }
        None
    }

    pub(super) fn has_more(&self) -> bool {
        self.next.load(Ordering::Relaxed) < self.end
    }

    pub(super) fn give_back_rest(&self, shared: &Shared) {
        let next = self.next.swap(self.end, Ordering::Relaxed);
        self.give_back(shared, next, self.end);
    }

    fn rest(&self, next: u32, end: u32) -> Handout {
        Handout { batch: self.batch.clone(), next, end, again: self.again, run: self.run }
    }

    fn give_back(&self, shared: &Shared, next: u32, end: u32) {
        if next < end {
            let rest = self.rest(next, end);
            shared.run(|core, now| core.engine.give_back(now, &rest));
        }
    }
}
