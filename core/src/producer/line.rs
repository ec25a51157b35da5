//! Sends that keep an order: of each key one is under way, the others wait behind it in the order
//! of their calls.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};

use crate::fifo::Fifo;
use crate::id::OpId;
use crate::name::Topic;

/// What sends that keep one order have in common: their topic, and what their key hashes to. Keys
/// of one hash go to one queue, and wait for each other.
pub(crate) type Key = (Topic, i32);

#[derive(Debug)]
struct Line {
    first: OpId,
    /// Behind it.
    waiting: Fifo<OpId>,
}

/// All lines in which somebody is.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    lines: HashMap<Key, Line>,
    /// Those that have become the first of theirs.
    begin: VecDeque<OpId>,
}

impl Lines {
    /// Puts a send at the end of its line. True if it is the first one.
    pub(crate) fn enter(&mut self, key: Key, op: OpId) -> bool {
        match self.lines.entry(key) {
            Entry::Vacant(place) => {
                place.insert(Line { first: op, waiting: Fifo::new() });
                true
            }
            Entry::Occupied(mut place) => {
                place.get_mut().waiting.push(op);
                false
            }
        }
    }

    /// A send has ended, which `lives` no more: the next one of its line is to begin.
    pub(crate) fn leave(&mut self, key: Key, op: OpId, lives: impl Fn(OpId) -> bool) {
        let Entry::Occupied(mut place) = self.lines.entry(key) else { return };
        let line = place.get_mut();
        if line.first != op {
            return line.waiting.end(|op| lives(*op), drop);
        }
        if line.waiting.front(|op| lives(*op)).is_some()
            && let Some(next) = line.waiting.pop()
        {
            line.first = next;
            self.begin.push_back(next);
        } else {
            place.remove();
        }
    }

    /// The next one that is to begin.
    pub(crate) fn next(&mut self) -> Option<OpId> {
        self.begin.pop_front()
    }

    /// Whether nobody is in any line.
    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.begin.is_empty()
    }

    /// Whom a send waits behind.
    pub(crate) fn first(&self, key: &Key) -> Option<OpId> {
        self.lines.get(key).map(|line| line.first)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeSet;

    use super::*;
    use crate::id::Slots;

    #[test]
    fn a_line_moves_on_in_order_and_keeps_no_more_places_than_twice_those_that_wait() {
        let mut slots: Slots<OpId, ()> = Slots::default();
        let ops: Vec<OpId> = (0..1000).map(|_| slots.insert(())).collect();
        let living: RefCell<BTreeSet<OpId>> = RefCell::new(ops.iter().copied().collect());
        let key = || (Topic::new("orders").unwrap(), 7);
        let mut lines = Lines::default();
        let firsts = ops.iter().filter(|op| lines.enter(key(), **op)).count();
        assert_eq!(firsts, 1);
        // All but each tenth end while they wait.
        for op in ops.iter().enumerate().filter(|(n, _)| n % 10 != 0).map(|(_, op)| *op) {
            living.borrow_mut().remove(&op);
            lines.leave(key(), op, |op| living.borrow().contains(&op));
            let line = &lines.lines[&key()];
            assert!(line.waiting.len() <= 2 * living.borrow().len() + 1);
        }
        let mut first = Some(ops[0]);
        let mut order = Vec::new();
        while let Some(op) = first {
            assert_eq!(lines.first(&key()), Some(op));
            order.push(op);
            living.borrow_mut().remove(&op);
            lines.leave(key(), op, |op| living.borrow().contains(&op));
            first = lines.next();
        }
        assert!(order.iter().copied().eq(ops.iter().copied().step_by(10)));
        assert!(lines.is_empty());
    }
}
