//! Why a consumer gives no message, and what became of those that it gave.

use std::sync::Arc;

use crate::error::{Denial, FilterRefused};

/// Why [`Consumer::recv`](super::Consumer::recv), and the stream of messages, gave none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecvError {
    /// The consumer hands out nothing more: it finishes, or has left its group, as the client was
    /// shut down.
    #[error("the consumer has left its group: no more messages come")]
    Left,
    /// A message that can't be read was handed out, and the consumer was told to stop at such
    /// ([`OnUnreadable::Stop`](super::OnUnreadable::Stop)): it leaves its group.
    #[error("the consumer has stopped at a message that can't be read: no more messages come")]
    Unreadable,
    /// A broker can't filter as this consumer asked for ([`Filter::sql`]): it has left its group,
    /// or never joined it.
    ///
    /// [`Filter::sql`]: crate::consumer::Filter::sql
    #[error("{0}: no more messages come")]
    Filter(Arc<FilterRefused>),
    /// The client's runtime was dropped before it had stopped, or a thread panicked in the client:
    /// nobody moves its bytes.
    #[error("the client's runtime is gone: no more messages come")]
    RuntimeGone,
    /// Waiting on this thread would block the very one that has to do the work. Nothing was waited
    /// for, and messages go on to come.
    #[error("waiting here would block the thread that does the work: await `next` instead")]
    WouldDeadlock,
    /// A batch of no messages was asked for.
    #[error("a batch of 0 messages was asked for: ask for at least one")]
    EmptyBatch,
    /// This process is a fork of the one that made the client, in which alone messages come.
    #[error("this process is a fork of the one that made the client, in which alone messages come")]
    Forked,
}

/// Why [`Consumer::recv_timeout`](super::Consumer::recv_timeout) gave no message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecvTimeoutError {
    /// None came in time; later ones may.
    #[error("no message came in time")]
    Timeout,
    /// None came in time, and a peer denies what the consumer needs to this client's access key,
    /// or wants one. The consumer goes on asking, and the next call may give a message: an account
    /// may be given the right, or the [key](crate::auth) be replaced.
    #[error("no message came in time: {0}")]
    Denied(Denial),
    /// As [`RecvError::Left`].
    #[error("{}", RecvError::Left)]
    Left,
    /// As [`RecvError::Unreadable`].
    #[error("{}", RecvError::Unreadable)]
    Unreadable,
    /// As [`RecvError::Filter`].
    #[error("{}", RecvError::Filter(.0.clone()))]
    Filter(Arc<FilterRefused>),
    /// As [`RecvError::RuntimeGone`].
    #[error("{}", RecvError::RuntimeGone)]
    RuntimeGone,
    /// As [`RecvError::WouldDeadlock`].
    #[error("{}", RecvError::WouldDeadlock)]
    WouldDeadlock,
    /// As [`RecvError::EmptyBatch`], which no call with this error gives.
    #[error("{}", RecvError::EmptyBatch)]
    EmptyBatch,
    /// As [`RecvError::Forked`].
    #[error("{}", RecvError::Forked)]
    Forked,
}

impl From<RecvError> for RecvTimeoutError {
    fn from(error: RecvError) -> Self {
        match error {
            RecvError::Left => Self::Left,
            RecvError::Unreadable => Self::Unreadable,
            RecvError::Filter(refused) => Self::Filter(refused),
            RecvError::RuntimeGone => Self::RuntimeGone,
            RecvError::WouldDeadlock => Self::WouldDeadlock,
            RecvError::EmptyBatch => Self::EmptyBatch,
            RecvError::Forked => Self::Forked,
        }
    }
}

/// What became of a message that was acked, sent back, or given back to be delivered again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// It counts.
    Taken,
    /// Its queue had been given up before, by a rebalance or by the end of its consumer: another
    /// member may get the message as well. There is nothing to be done but to know that a message
    /// may be handled twice.
    Moved,
    /// It had been held for longer than `consume_timeout`, and was sent back before: it comes
    /// again, here or elsewhere, whatever was said of it now.
    TimedOut,
}

impl Settlement {
    /// Whether it counts.
    ///
    /// ```no_run
    /// # use rocketry_core::client::Delivery;
    /// # fn f(delivery: Delivery) -> Result<(), Box<dyn std::error::Error>> {
    /// let settlement = delivery.ack();
    /// assert!(settlement.is_taken() || settlement.is_moved() || settlement.is_timed_out());
    /// # Ok(())
    /// # }
    /// ```
    pub const fn is_taken(self) -> bool {
        matches!(self, Self::Taken)
    }

    /// Whether the queue had been given up before.
    ///
    /// See the example of [`is_taken`](Self::is_taken).
    pub const fn is_moved(self) -> bool {
        matches!(self, Self::Moved)
    }

    /// Whether it had been taken away before, for being held too long.
    ///
    /// See the example of [`is_taken`](Self::is_taken).
    pub const fn is_timed_out(self) -> bool {
        matches!(self, Self::TimedOut)
    }
}
