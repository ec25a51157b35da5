//! The calls of a client that somebody waits for, and their results.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::task::Waker;

use crate::error::{QueryError, SendError};
use crate::id::OpId;
use crate::producer::SendReceipt;
use crate::query::Answer;

/// What a call waits for, or how it ended.
pub(crate) enum Slot {
    Waiting(Option<Waker>),
    /// Nobody wants the result any more.
    Detached,
    Sent(Result<SendReceipt, SendError>),
    Answered(Result<Answer, QueryError>),
    /// A oneway send was given to its writer.
    Handed,
    /// The runtime is gone.
    Gone,
    /// It ends in the process that this one was forked from.
    Forked,
}

/// Spreads ids over a table. They are our own numbers, so nobody can make them collide.
#[derive(Default)]
pub(crate) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u32(u32::from(*byte)));
    }

    fn write_u32(&mut self, number: u32) {
        self.0 = (self.0.rotate_left(5) ^ u64::from(number)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

/// The calls of one client that somebody waits for.
///
/// A result stays here until its handle takes it, while the engine has given the id's place to
/// another call: so this is a table of ids, not of places.
#[derive(Default)]
pub(crate) struct Waiting {
    slots: HashMap<OpId, Slot, BuildHasherDefault<IdHasher>>,
    /// How many of them have a waker.
    parked: usize,
}

impl Waiting {
    pub(crate) fn insert(&mut self, op: OpId) {
        self.slots.insert(op, Slot::Waiting(None));
    }

    /// Calls that somebody waits for with a waker.
    pub(crate) const fn parked(&self) -> usize {
        self.parked
    }

    /// Whether there is nothing left to wait for.
    pub(crate) fn has_ended(&self, op: OpId) -> bool {
        !matches!(self.slots.get(&op), Some(Slot::Waiting(_)))
    }

    /// A call ended. Gives who is to be woken.
    pub(crate) fn end(&mut self, op: OpId, result: Slot) -> Option<Waker> {
        let slot = self.slots.get_mut(&op)?;
        match std::mem::replace(slot, result) {
            Slot::Waiting(waker) => {
                self.parked -= usize::from(waker.is_some());
                waker
            }
            Slot::Detached => {
                self.slots.remove(&op);
                None
            }
            ended @ (Slot::Sent(_)
            | Slot::Answered(_)
            | Slot::Handed
            | Slot::Gone
            | Slot::Forked) => {
                *slot = ended;
                None
            }
        }
    }

    /// Nobody wants the result any more.
    pub(super) fn detach(&mut self, op: OpId) -> Option<Slot> {
        match self.slots.get_mut(&op)? {
            slot @ Slot::Waiting(_) => {
                let slot = std::mem::replace(slot, Slot::Detached);
                self.parked -= usize::from(matches!(slot, Slot::Waiting(Some(_))));
                Some(slot)
            }
            Slot::Detached => None,
            Slot::Sent(_) | Slot::Answered(_) | Slot::Handed | Slot::Gone | Slot::Forked => {
                self.slots.remove(&op)
            }
        }
    }

    /// The result; or `waker` is kept, to be woken when it is there, and the one it replaces is
    /// left in its place: dropping a waker may run any code, so it is for after the lock.
    pub(super) fn take(&mut self, op: OpId, waker: &mut Option<Waker>) -> Option<Slot> {
        match self.slots.get_mut(&op) {
            Some(Slot::Waiting(old)) => {
                self.parked += usize::from(waker.is_some());
                self.parked -= usize::from(old.is_some());
                std::mem::swap(old, waker);
                None
            }
            Some(_) | None => Some(self.slots.remove(&op).unwrap_or(Slot::Gone)),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the order of waking is nobody's promise")]
    pub(crate) fn abandon(&mut self, wakers: &mut Vec<Waker>) {
        self.parked = 0;
        self.slots.retain(|_, slot| !matches!(slot, Slot::Detached));
        for slot in self.slots.values_mut() {
            if let Slot::Waiting(waker) = slot {
                wakers.extend(waker.take());
                *slot = Slot::Gone;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn op(number: u32) -> OpId {
        let mut slots = crate::id::Slots::<OpId, ()>::default();
        (0..number).fold(slots.insert(()), |_, _| slots.insert(()))
    }

    fn stopped() -> Slot {
        Slot::Answered(Err(QueryError::Stopped))
    }

    #[test]
    fn a_call_leaves_no_slot_however_it_is_given_up_or_ends() {
        let mut waiting = Waiting::default();
        let calls: [OpId; 5] = std::array::from_fn(|number| op(number as u32));
        calls.iter().for_each(|call| waiting.insert(*call));
        let [seen, early, late, parked, gone] = calls;
        // Taken by who waited for it.
        assert!(waiting.end(seen, stopped()).is_none());
        assert!(matches!(waiting.take(seen, &mut None), Some(Slot::Answered(_))));
        // Dropped before it ended, and after.
        drop(waiting.detach(early));
        assert!(waiting.end(early, stopped()).is_none());
        assert!(waiting.end(late, stopped()).is_none());
        assert!(matches!(waiting.detach(late), Some(Slot::Answered(_))));
        // Dropped while it waited with a waker, which is given back for after the lock.
        assert!(waiting.take(parked, &mut Some(Waker::noop().clone())).is_none());
        assert_eq!(waiting.parked(), 1);
        assert!(matches!(waiting.detach(parked), Some(Slot::Waiting(Some(_)))));
        assert!(waiting.end(parked, stopped()).is_none());
        // Dropped when the runtime had gone.
        waiting.abandon(&mut Vec::new());
        assert!(matches!(waiting.detach(gone), Some(Slot::Gone)));
        assert_eq!((waiting.slots.len(), waiting.parked()), (0, 0));
    }
}
