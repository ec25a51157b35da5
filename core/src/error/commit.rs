//! Why offsets were not committed.

use super::{ErrorKind, Failure, Refused};
use crate::name::QueueName;

/// Why offsets were not committed, as far as is known. Where a commit is of several queues, this is
/// the first that failed: those of others may be stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// The call was refused at once.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The queue is none of this consumer's, or went to another member before its offset left.
    #[error("{queue} is none of this consumer's: its offset was not committed")]
    NotAssigned {
        /// The queue.
        queue: QueueName,
    },
    /// The queue was sought elsewhere, or its broker or an administrator moved it, before this
    /// offset left.
    #[error("{queue} goes on elsewhere by now: its offset was not committed")]
    Moved {
        /// The queue.
        queue: QueueName,
    },
    /// No queue has such an offset.
    #[error("{offset} is no offset of {queue}: offsets begin at 0")]
    Negative {
        /// The queue.
        queue: QueueName,
        /// The offset.
        offset: i64,
    },
    /// There is no connection to the broker, or to a slave of it. Nothing left this process.
    #[error("the offset of {queue} was not committed: its broker is not connected")]
    NotConnected {
        /// The queue.
        queue: QueueName,
    },
    /// The broker refused, or did not answer: then the offset may be stored.
    #[error("the offset of {queue} was not committed: {failure}")]
    Failed {
        /// The queue.
        queue: QueueName,
        /// What happened.
        failure: Failure,
    },
    /// The consumer has left its group, or the client has stopped.
    #[error("the consumer has left its group: what was not committed before is not")]
    Stopped,
    /// Waiting on this thread would block the very one that has to do the work. The call goes on.
    #[error("waiting here would block the thread that does the work: await the call instead")]
    WouldDeadlock,
    /// The call was begun before this process was forked from the one that made the client.
    #[error("this process is a fork of the one that made the call, in which alone it ends")]
    Forked,
}

impl CommitError {
    /// What it comes to.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Refused(refused) => refused.kind(),
            Self::NotAssigned { .. } | Self::Moved { .. } | Self::Negative { .. } => {
                ErrorKind::Invalid
            }
            Self::NotConnected { .. } => ErrorKind::Lost,
            Self::Failed { failure, .. } => failure.kind(),
            Self::Stopped => ErrorKind::Stopped,
            Self::WouldDeadlock => ErrorKind::WouldDeadlock,
            Self::Forked => ErrorKind::Forked,
        }
    }

    /// Whether the same commit may be stored later without a change by the user.
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::NotConnected { .. } => true,
            Self::Failed { failure, .. } => {
                !matches!(failure.kind(), ErrorKind::Unreadable | ErrorKind::Denied)
            }
            Self::Refused(refused) => refused.kind() == ErrorKind::Full,
            Self::NotAssigned { .. }
            | Self::Moved { .. }
            | Self::Negative { .. }
            | Self::Stopped
            | Self::WouldDeadlock
            | Self::Forked => false,
        }
    }

    /// The queue, where it is about one.
    pub const fn queue(&self) -> Option<&QueueName> {
        match self {
            Self::NotAssigned { queue }
            | Self::Moved { queue }
            | Self::Negative { queue, .. }
            | Self::NotConnected { queue }
            | Self::Failed { queue, .. } => Some(queue),
            Self::Refused(_) | Self::Stopped | Self::WouldDeadlock | Self::Forked => None,
        }
    }
}
