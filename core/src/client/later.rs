//! Sends that can't begin yet: a full window has to empty, or a selector waits for the queues.

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
use crate::query::QueueChoice;

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

/// A caller's own choice of the queue.
pub(super) type Select = dyn FnOnce(&Message, &[QueueChoice]) -> Option<usize> + Send;

/// Sends the message as the options say.
type Start<T> = dyn FnOnce(Message, SendOptions) -> Pending<Result<T, SendError>> + Send;

/// A message that waits for its topic's queues, to choose one of them.
pub(super) struct Choosing<T> {
    pub(super) topic: Topic,
    pub(super) queues: Pending<Result<Vec<QueueChoice>, QueryError>>,
    /// The message, who chooses, and what sends it then. Taken when the queues are there.
    pub(super) rest: Option<(Message, Box<Select>, Box<Start<T>>)>,
}

impl<T> Later<Result<T, SendError>> for Choosing<T> {
    fn begin(&mut self, waker: &mut Option<Waker>) -> Option<Pending<Result<T, SendError>>> {
        let own = waker.take().unwrap_or_else(|| Waker::noop().clone());
        let Poll::Ready(queues) = self.queues.poll_result(&Context::from_waker(&own)) else {
            return None;
        };
        let topic = self.topic.clone();
        let Some((message, select, start)) = self.rest.take() else {
            return Some(Pending::ready(Err(SendError::NoChoice { topic })));
        };
        let queues = match queues {
            Ok(queues) => queues,
            Err(error) => return Some(Pending::ready(Err(no_queues(topic, error)))),
        };
        // No lock is held: a selector that panics harms nobody but its own send.
        let chosen = catch_unwind(AssertUnwindSafe(|| select(&message, &queues)));
        let chosen = chosen.ok().flatten().and_then(|chosen| queues.get(chosen));
        Some(match chosen {
            Some(choice) => start(message, SendOptions::to(&choice.queue)),
            None => Pending::ready(Err(SendError::NoChoice { topic })),
        })
    }
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
