//! Sends that wait for room: whom it wakes.

use std::collections::BTreeMap;
use std::task::Waker;

/// The wakers of those that wait for room, the oldest first, each with the bytes it needs.
#[derive(Default)]
pub(super) struct Queueing {
    wakers: BTreeMap<u64, (usize, Waker)>,
    next: u64,
}

impl Queueing {
    /// Keeps the waker in the place of `ticket`, given now if there is none. Gives the old one,
    /// which is for dropping after the lock.
    pub(super) fn insert(
        &mut self,
        ticket: &mut Option<u64>,
        size: usize,
        waker: Waker,
    ) -> Option<Waker> {
        let ticket = *ticket.get_or_insert_with(|| {
            self.next += 1;
            self.next
        });
        self.wakers.insert(ticket, (size, waker)).map(|(_, old)| old)
    }

    pub(super) fn remove(&mut self, ticket: u64) -> Option<Waker> {
        self.wakers.remove(&ticket).map(|(_, waker)| waker)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.wakers.is_empty()
    }

    /// Takes out as many as fit so many calls and bytes.
    pub(super) fn take(&mut self, (calls, mut bytes): (usize, usize), into: &mut Vec<Waker>) {
        for _ in 0..calls {
            let Some(first) = self.wakers.first_entry() else { return };
            let Some(left) = bytes.checked_sub(first.get().0) else { return };
            bytes = left;
            into.push(first.remove().1);
        }
    }

    /// Takes out all: nobody will have to wait any more.
    pub(super) fn take_all(&mut self, into: &mut Vec<Waker>) {
        self.take((usize::MAX, usize::MAX), into);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn those_that_wait_are_woken_in_order_as_far_as_there_is_room_and_once_for_each_place() {
        let counts: [Arc<Count>; 3] = Default::default();
        let (mut queueing, mut tickets) = (Queueing::default(), [None; 3]);
        for _ in 0..2 {
            for (at, size) in [(0, 10), (1, 100), (2, 10)] {
                let waker = Waker::from(counts[at].clone());
                drop(queueing.insert(&mut tickets[at], size, waker));
            }
        }
        let woken = |queueing: &mut Queueing, room| {
            let mut wakers = Vec::new();
            queueing.take(room, &mut wakers);
            wakers.into_iter().for_each(Waker::wake);
            counts.each_ref().map(|count| count.0.load(Ordering::Relaxed))
        };
        assert_eq!(woken(&mut queueing, (0, 1000)), [0, 0, 0]);
        // The second does not fit, and is not overtaken by the third.
        assert_eq!(woken(&mut queueing, (9, 50)), [1, 0, 0]);
        assert_eq!(woken(&mut queueing, (1, usize::MAX)), [1, 1, 0]);
        drop(tickets[2].and_then(|ticket| queueing.remove(ticket)));
        assert!(queueing.is_empty());
        assert_eq!(woken(&mut queueing, (9, 1000)), [1, 1, 0]);
    }
}
