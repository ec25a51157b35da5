//! A queue, first in, first out, of what may end while it waits.
//!
//! An end costs no walk: what has ended stays in its place, and is let go of when it comes to the
//! front, or together with all of its like once they are more than half of the queue, each for the
//! price of two. So the queue never keeps more than twice what waits.

use std::collections::VecDeque;

/// Places that a queue keeps when it is swept.
const KEPT: usize = 64;

/// What waits, oldest first, and what has ended meanwhile.
#[derive(Debug)]
pub(crate) struct Fifo<T> {
    list: VecDeque<T>,
    /// How many of them have ended, or more.
    ended: usize,
}

impl<T> Default for Fifo<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Fifo<T> {
    pub(crate) const fn new() -> Self {
        Self { list: VecDeque::new(), ended: 0 }
    }

    /// How many are kept, those that have ended included.
    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether none is kept.
    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many wait.
    pub(crate) fn waiting(&self) -> usize {
        self.list.len().saturating_sub(self.ended)
    }

    /// All that are kept, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.list.iter()
    }

    /// One more waits.
    pub(crate) fn push(&mut self, item: T) {
        self.list.push_back(item);
    }

    /// Takes the first one out, whether or not it has ended; see
    /// [`pop_ended`](Self::pop_ended).
    pub(crate) fn pop(&mut self) -> Option<T> {
        self.list.pop_front()
    }

    /// What was taken out last had ended.
    pub(crate) const fn pop_ended(&mut self) {
        self.ended = self.ended.saturating_sub(1);
    }

    /// The first one that waits still, as `waits` tells. What has ended before it is dropped.
    pub(crate) fn front(&mut self, waits: impl Fn(&T) -> bool) -> Option<&T> {
        while self.list.front().is_some_and(|item| !waits(item)) {
            self.list.pop_front();
            self.pop_ended();
        }
        self.list.front()
    }

    /// One that waited has ended; `waits` tells which have not. Those that are let go of for it are
    /// given to `ended`.
    pub(crate) fn end(&mut self, waits: impl Fn(&T) -> bool, mut ended: impl FnMut(T)) {
        self.ended += 1;
        if self.ended * 2 <= self.list.len() {
            return;
        }
        for _ in 0..self.list.len() {
            let Some(item) = self.list.pop_front() else { break };
            if waits(&item) {
                self.list.push_back(item);
            } else {
                ended(item);
            }
        }
        self.ended = 0;
        self.list.shrink_to(KEPT.max(2 * self.list.len()));
    }

    /// Takes all out, those that have ended included.
    pub(crate) fn take(&mut self) -> VecDeque<T> {
        self.ended = 0;
        std::mem::take(&mut self.list)
    }

    /// Panics where more of those that are kept have ended than is known.
    pub(crate) fn check(&self, waits: impl Fn(&T) -> bool) {
        let ended = self.list.iter().filter(|item| !waits(item)).count();
        assert!(ended <= self.ended, "{ended} have ended that wait");
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn what_ends_is_let_go_of_and_the_others_keep_their_order() {
        let (mut fifo, mut waiting): (Fifo<u32>, BTreeSet<u32>) =
            (Fifo::new(), (0..1000).collect());
        waiting.iter().for_each(|item| fifo.push(*item));
        let mut dropped = BTreeSet::new();
        // All but each tenth end, from either side.
        for item in (0..500).flat_map(|at| [at, 999 - at]).filter(|item| item % 10 != 0) {
            waiting.remove(&item);
            fifo.end(|item| waiting.contains(item), |item| assert!(dropped.insert(item)));
            fifo.check(|item| waiting.contains(item));
            assert_eq!(fifo.waiting(), waiting.len());
            assert!(fifo.len() <= 2 * waiting.len());
        }
        assert!(dropped.iter().all(|item| item % 10 != 0));
        for item in (0..1000).step_by(10) {
            assert_eq!(fifo.front(|item| waiting.contains(item)), Some(&item));
            assert_eq!(fifo.pop(), Some(item));
        }
        assert_eq!(fifo.front(|_| true), None);
        assert_eq!((fifo.len(), fifo.waiting()), (0, 0));
    }

    #[test]
    fn each_of_many_ends_looks_at_few() {
        let (mut fifo, mut waiting): (Fifo<u32>, BTreeSet<u32>) =
            (Fifo::new(), (0..4096).collect());
        waiting.iter().for_each(|item| fifo.push(*item));
        let looks = std::cell::Cell::new(0);
        for item in 0..4096 {
            waiting.remove(&item);
            let waits = |item: &u32| {
                looks.set(looks.get() + 1);
                waiting.contains(item)
            };
            fifo.end(waits, drop);
        }
        assert!(fifo.is_empty() && fifo.list.capacity() <= 2 * KEPT);
        assert!(looks.get() <= 2 * 4096 + 64, "{} looks", looks.get());
    }

    #[test]
    fn one_that_was_taken_out_after_its_end_is_counted_no_more() {
        let mut fifo = Fifo::new();
        (0..4).for_each(|item| fifo.push(item));
        fifo.end(|item| *item != 0, drop);
        assert_eq!((fifo.pop(), fifo.len(), fifo.waiting()), (Some(0), 3, 2));
        fifo.pop_ended();
        assert_eq!(fifo.waiting(), 3);
        assert_eq!((fifo.take().len(), fifo.waiting()), (3, 0));
    }
}
