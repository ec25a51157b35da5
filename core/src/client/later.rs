//! Calls that can't begin yet: a full window has to empty, or another call has to end before.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::Pending;
use super::pending::Slot;
use super::shared::Shared;
use crate::error::{Attempts, QueryError, Refused, SendError, Stored};
use crate::message::{Message, Publish};
use crate::name::Topic;
use crate::producer::SendOptions;
use crate::query::{QueueChoice, QueueName};

/// What turns into a call when it is polled.
pub(super) trait Later<T>: Send {
    /// Begins the call; or keeps the waker, and it can't begin yet.
    fn begin(&mut self, waker: &mut Option<Waker>) -> Option<Pending<T>>;
}

/// What reads the result of a send.
pub(super) type Read<T> = fn(Slot) -> Result<T, SendError>;

/// A message that waits until fewer are under way.
pub(super) struct Waiting<T> {
    pub(super) shared: Arc<Shared>,
    pub(super) publish: Arc<Publish>,
    pub(super) options: SendOptions,
    pub(super) read: Read<T>,
}

impl<T> Later<Result<T, SendError>> for Waiting<T> {
    fn begin(&mut self, waker: &mut Option<Waker>) -> Option<Pending<Result<T, SendError>>> {
        let (publish, options) = (self.publish.clone(), self.options.clone());
        let op = self.shared.run(|core, now| match core.engine.send_with(now, publish, options) {
            Ok(op) => {
                core.waiting.insert(op);
                Some(Ok(op))
            }
            Err(Refused::Full(_) | Refused::FullOfBytes(_)) => {
                core.queueing.extend(waker.take());
                None
            }
            Err(refused) => Some(Err(refused)),
        });
        match op {
            Some(None) => None,
            Some(Some(Ok(op))) => Some(Pending::call(self.shared.clone(), op, self.read)),
            Some(Some(Err(refused))) => Some(Pending::ready(Err(SendError::Refused(refused)))),
            None => Some(Pending::ready(Err(SendError::RuntimeGone { stored: Stored::No }))),
        }
    }
}

impl<T> Drop for Waiting<T> {
    /// The room it was woken for, if it was, is another one's now.
    fn drop(&mut self) {
        let next = self.shared.lock().queueing.pop_front();
        next.into_iter().for_each(Waker::wake);
    }
}

/// A call that goes on with another one.
struct Then<A, T> {
    first: Pending<A>,
    next: Option<Box<dyn FnOnce(A) -> Pending<T> + Send>>,
}

impl<A: Send, T> Later<T> for Then<A, T> {
    fn begin(&mut self, waker: &mut Option<Waker>) -> Option<Pending<T>> {
        let own = waker.take().unwrap_or_else(|| Waker::noop().clone());
        let Poll::Ready(first) = self.first.poll_result(&Context::from_waker(&own)) else {
            return None;
        };
        self.next.take().map(|next| next(first))
    }
}

impl<A: Send + 'static> Pending<A> {
    /// Goes on with `next` when this has ended: now if it has, else in the thread that looks.
    pub(super) fn then<T: 'static>(
        self,
        shared: &Arc<Shared>,
        next: impl FnOnce(A) -> Pending<T> + Send + 'static,
    ) -> Pending<T> {
        let then = Then { first: self, next: Some(Box::new(next)) };
        Pending::later(shared.clone(), Box::new(then))
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
        QueryError::TimedOut { attempts } => SendError::NoRoute { topic, attempts },
        QueryError::Failed(attempt) => {
            let mut attempts = Attempts::default();
            attempts.push(attempt);
            SendError::NoRoute { topic, attempts }
        }
        QueryError::Stopped => SendError::Stopped { stored: Stored::No },
        QueryError::WouldDeadlock => SendError::WouldDeadlock,
    }
}
