//! Calls that can't begin yet: a full window has to empty, or another call has to end before.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::Pending;
use super::pending::Slot;
use super::shared::Shared;
use crate::engine::Cancelled;
use crate::error::{Attempts, QueryError, Refused, SendError, Stored};
use crate::message::{Message, Publish};
use crate::name::Topic;
use crate::producer::SendOptions;
use crate::query::{QueueChoice, QueueName};

/// What turns into a call when it is polled.
pub(super) trait Later<T>: Send {
    /// Begins the call; or keeps the waker, and it can't begin yet.
    fn begin(&mut self, waker: Waker) -> Option<Pending<T>>;

    /// Gives it up. It never begins.
    fn cancel(self: Box<Self>) -> Cancelled;
}

/// What reads the result of a send.
pub(super) type Read<T> = fn(Slot) -> Result<T, SendError>;

/// A message that waits until fewer are under way.
pub(super) struct Waiting<T> {
    shared: Arc<Shared>,
    publish: Arc<Publish>,
    options: SendOptions,
    read: Read<T>,
    /// Its place among those that wait, once somebody has looked.
    ticket: Option<u64>,
}

impl<T> Waiting<T> {
    pub(super) const fn new(
        shared: Arc<Shared>,
        publish: Arc<Publish>,
        options: SendOptions,
        read: Read<T>,
    ) -> Self {
        Self { shared, publish, options, read, ticket: None }
    }

    /// Has `waker` woken when there is room, in the order of those that wait. Where there is some
    /// already, that is at once.
    fn queue_up(&mut self, waker: Waker) {
        // A look that nobody waits behind would be woken in the place of one that does.
        if waker.will_wake(Waker::noop()) {
            return;
        }
        let (ticket, size) = (&mut self.ticket, self.publish.wire_size());
        let again = waker.clone();
        // The old waker is dropped after the lock.
        if self.shared.run(|core, _| core.queueing.insert(ticket, size, waker)).is_none() {
            again.wake();
        }
    }
}

impl<T> Later<Result<T, SendError>> for Waiting<T> {
    fn begin(&mut self, waker: Waker) -> Option<Pending<Result<T, SendError>>> {
        match self.shared.send(self.publish.clone(), self.options.clone()) {
            Ok(op) => {
                Some(Pending::call(self.shared.clone(), op, self.read).of(self.publish.ids()))
            }
            Err(error) if error.is_full() => {
                self.queue_up(waker);
                None
            }
            Err(error) => Some(Pending::ready(Err(error))),
        }
    }

    fn cancel(self: Box<Self>) -> Cancelled {
        Cancelled::Removed
    }
}

impl<T> Drop for Waiting<T> {
    /// The room it was woken for, if it was, is another one's now: every hold of the lock looks.
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            drop(self.shared.run(|core, _| core.queueing.remove(ticket)));
        }
    }
}

/// The wakers of those that wait for room, the oldest first, each with the bytes it needs.
#[derive(Default)]
pub(super) struct Queueing {
    wakers: BTreeMap<u64, (usize, Waker)>,
    next: u64,
}

impl Queueing {
    /// Keeps the waker in the place of `ticket`, given now if there is none. Gives the old one,
    /// which is for dropping after the lock.
    fn insert(&mut self, ticket: &mut Option<u64>, size: usize, waker: Waker) -> Option<Waker> {
        let ticket = *ticket.get_or_insert_with(|| {
            self.next += 1;
            self.next
        });
        self.wakers.insert(ticket, (size, waker)).map(|(_, old)| old)
    }

    fn remove(&mut self, ticket: u64) -> Option<Waker> {
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

/// A call that goes on with another one.
struct Then<A, T> {
    first: Pending<A>,
    /// What the first one asks for is a part of the whole, as one of several orders is; else it
    /// only looks, and without what follows nothing has been done.
    counts: bool,
    next: Option<Box<dyn FnOnce(A) -> Pending<T> + Send>>,
}

impl<A: Send, T> Later<T> for Then<A, T> {
    fn begin(&mut self, waker: Waker) -> Option<Pending<T>> {
        let Poll::Ready(first) = self.first.poll_result(&Context::from_waker(&waker)) else {
            return None;
        };
        self.next.take().map(|next| next(first))
    }

    fn cancel(self: Box<Self>) -> Cancelled {
        match (self.first.cancel(), self.counts) {
            (found @ (Cancelled::Removed | Cancelled::Detached), true) => found,
            // It has ended, and what follows has not begun.
            (Cancelled::Unknown, true) => Cancelled::Detached,
            (_, false) => Cancelled::Removed,
        }
    }
}

impl<A: Send + 'static> Pending<A> {
    /// Goes on with `next` when this question has ended: now if it has, else in the thread that
    /// looks.
    pub(super) fn then<T: 'static>(
        self,
        shared: &Arc<Shared>,
        next: impl FnOnce(A) -> Pending<T> + Send + 'static,
    ) -> Pending<T> {
        self.chain(shared, false, next)
    }

    fn chain<T: 'static>(
        self,
        shared: &Arc<Shared>,
        counts: bool,
        next: impl FnOnce(A) -> Pending<T> + Send + 'static,
    ) -> Pending<T> {
        let then = Then { first: self, counts, next: Some(Box::new(next)) };
        let mut pending = Pending::later(shared.clone(), Box::new(then));
        match pending.poll_result(&Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => Pending::ready(result),
            Poll::Pending => pending,
        }
    }
}

impl<A: Send + 'static, E: Send + 'static> Pending<Result<A, E>> {
    /// As [`then`](Self::then) for orders too, unless this ends in an error.
    pub(super) fn and_then<T: 'static>(
        self,
        shared: &Arc<Shared>,
        next: impl FnOnce(A) -> Pending<Result<T, E>> + Send + 'static,
    ) -> Pending<Result<T, E>> {
        self.chain(shared, true, |first| match first {
            Ok(first) => next(first),
            Err(error) => Pending::ready(Err(error)),
        })
    }
}

/// The queue that a caller's own `select` chooses. No lock is held: one that panics harms nobody.
pub(super) fn chosen(
    select: impl FnOnce(&Message, &[QueueChoice]) -> Option<usize>,
    message: &Message,
    queues: Result<Vec<QueueChoice>, QueryError>,
) -> Result<QueueName, SendError> {
    let queues = queues.map_err(|error| no_queues(message.topic().clone(), error))?;
    let chosen = catch_unwind(AssertUnwindSafe(|| select(message, &queues))).ok().flatten();
    let chosen = chosen.and_then(|place| queues.into_iter().nth(place));
    let topic = message.topic().clone();
    chosen.map(|choice| choice.queue).ok_or(SendError::NoChoice { topic })
}

fn no_queues(topic: Topic, error: QueryError) -> SendError {
    match error {
        QueryError::Refused(refused) => SendError::Refused(refused),
        QueryError::NoRoute { topic, attempts } => SendError::NoRoute { topic, attempts },
        QueryError::NoQueue { topic, lack, attempts } => {
            SendError::NotWritable { topic, lack, stored: Stored::No, ids: None, attempts }
        }
        QueryError::TimedOut { attempts } => SendError::NoRoute { topic, attempts },
        QueryError::Failed(attempt) => {
            let mut attempts = Attempts::default();
            attempts.push(attempt);
            SendError::NoRoute { topic, attempts }
        }
        QueryError::Stopped => SendError::Refused(Refused::Stopped),
        QueryError::WouldDeadlock => SendError::WouldDeadlock,
        QueryError::Forked => SendError::Forked,
    }
}

#[cfg(test)]
mod tests {
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
