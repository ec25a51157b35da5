//! Calls that can't begin yet: another call has to end before.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::pending::{Deferred, Pending};
use super::shared::Shared;
use crate::contain::contained;
use crate::engine::Cancelled;
use crate::error::{Attempts, QueryError, Refused, SendError, Stored};
use crate::name::Topic;
use crate::query::{QueueChoice, QueueName};

/// A call that goes on with another one.
struct Then<A, T> {
    first: Pending<A>,
    /// What the first one asks for is a part of the whole, as one of several orders is; else it
    /// only looks, and without what follows nothing has been done.
    counts: bool,
    next: Option<Box<dyn FnOnce(A) -> Pending<T> + Send>>,
}

impl<A: Send, T> Deferred<T> for Then<A, T> {
    fn begin(&mut self, waker: Waker) -> Option<Pending<T>> {
        let Poll::Ready(first) = self.first.poll_result(&Context::from_waker(&waker)) else {
            return None;
        };
        self.next.take().map(|next| next(first))
    }

    fn cancel(self: Box<Self>) -> Cancelled {
        match (self.first.cancel(), self.counts) {
            (found @ (Cancelled::Removed | Cancelled::Detached), true) => found,
            // The first call has ended, and what follows has not begun.
            (Cancelled::Ended, true) => Cancelled::Detached,
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

    /// With what it ends with made into something else: it is the call all the same.
    pub(super) fn map<T: Send + 'static>(
        self,
        shared: &Arc<Shared>,
        change: impl FnOnce(A) -> T + Send + 'static,
    ) -> Pending<T> {
        self.chain(shared, true, |ended| Pending::ready(change(ended)))
    }

    fn chain<T: 'static>(
        self,
        shared: &Arc<Shared>,
        counts: bool,
        next: impl FnOnce(A) -> Pending<T> + Send + 'static,
    ) -> Pending<T> {
        let then = Then { first: self, counts, next: Some(Box::new(next)) };
        let mut pending = Pending::deferred(shared.clone(), Box::new(then));
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
    select: impl FnOnce(&[QueueChoice]) -> Option<usize>,
    topic: Topic,
    queues: Result<Vec<QueueChoice>, QueryError>,
) -> Result<QueueName, SendError> {
    let queues = queues.map_err(|error| no_queues(topic.clone(), error))?;
    let chosen = contained(|| select(&queues)).flatten();
    let chosen = chosen.and_then(|place| queues.into_iter().nth(place));
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
        QueryError::WouldDeadlock => SendError::WouldDeadlock { ids: None },
        QueryError::Forked => SendError::Forked,
    }
}
