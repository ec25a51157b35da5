//! Those who wait for one topic, first in, first out. Whoever waits no more is found by his id: all
//! may end at one moment, from whichever side.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::{Wait, Waiter};
use crate::id::OpId;

#[derive(Debug, Default)]
pub(super) struct Waiters {
    /// By number, in the order in which they came.
    list: BTreeMap<u64, Waiter>,
    /// The number of each.
    numbers: HashMap<OpId, u64>,
    last: u64,
}

impl Waiters {
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether that operation waits.
    pub(super) fn has(&self, op: OpId) -> bool {
        self.numbers.contains_key(&op)
    }

    /// All of them, oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Waiter> {
        self.list.values()
    }

    /// One more waits, behind all others.
    pub(super) fn push(&mut self, waiter: Waiter) {
        self.last += 1;
        self.list.insert(self.last, waiter);
        if let Some(before) = self.numbers.insert(waiter.op, self.last) {
            self.list.remove(&before);
        }
    }

    /// An operation waits no more. False if it did not.
    pub(super) fn remove(&mut self, op: OpId) -> bool {
        let waited = self.numbers.remove(&op).and_then(|number| self.list.remove(&number));
        self.give_back();
        waited.is_some()
    }

    /// Takes all of them out, oldest first.
    pub(super) fn take(&mut self) -> impl Iterator<Item = Waiter> + use<> {
        std::mem::take(self).list.into_values()
    }

    /// Takes those out that have what they wait for, oldest first.
    pub(super) fn release(&mut self, ready: impl Fn(Wait) -> bool) -> VecDeque<OpId> {
        let mut released = VecDeque::new();
        self.list.retain(|_, waiter| {
            let stays = !ready(waiter.wait);
            if !stays {
                released.push_back(waiter.op);
            }
            stays
        });
        for op in &released {
            self.numbers.remove(op);
        }
        self.give_back();
        released
    }

    /// The route they know is gone: all of them wait for any.
    pub(super) fn want_any(&mut self) {
        self.list.values_mut().for_each(|waiter| waiter.wait = Wait::Route);
    }

    /// The last one that waited gives back what a burst took.
    fn give_back(&mut self) {
        if self.list.is_empty() {
            self.numbers = HashMap::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Slots;
    use crate::time::Instant;

    #[test]
    fn whoever_waits_no_more_is_gone_at_once_and_the_others_keep_their_order() {
        let mut slots: Slots<OpId, ()> = Slots::default();
        let ops: Vec<OpId> = (0..1000).map(|_| slots.insert(())).collect();
        let mut waiters = Waiters::default();
        for (at, op) in ops.iter().enumerate() {
            let wait = if at % 20 == 0 { Wait::Change } else { Wait::Route };
            waiters.push(Waiter { op: *op, wait, deadline: Instant::ZERO, creates: true });
        }
        // All but each tenth end, from either side.
        for at in (0..500).flat_map(|at| [at, 999 - at]).filter(|at| at % 10 != 0) {
            assert!(waiters.has(ops[at]) && waiters.remove(ops[at]) && !waiters.remove(ops[at]));
        }
        assert!(waiters.iter().map(|one| one.op).eq(ops.iter().copied().step_by(10)));
        let released = waiters.release(|wait| wait == Wait::Route);
        assert!(released.into_iter().eq(ops.iter().copied().skip(10).step_by(20)));
        assert!(waiters.iter().map(|one| one.op).eq(ops.iter().copied().step_by(20)));
        waiters.want_any();
        assert_eq!(waiters.release(|wait| wait == Wait::Route).len(), 50);
        assert!(waiters.is_empty() && waiters.numbers.capacity() == 0);
    }

    #[test]
    fn one_that_waits_again_waits_once_and_behind_the_others() {
        let mut slots: Slots<OpId, ()> = Slots::default();
        let ops: Vec<OpId> = (0..2).map(|_| slots.insert(())).collect();
        let mut waiters = Waiters::default();
        for op in [ops[0], ops[1], ops[0]] {
            let (wait, deadline) = (Wait::News, Instant::ZERO);
            waiters.push(Waiter { op, wait, deadline, creates: false });
        }
        assert!(waiters.take().map(|one| one.op).eq([ops[1], ops[0]]));
        assert!(waiters.is_empty() && !waiters.has(ops[0]));
    }
}
