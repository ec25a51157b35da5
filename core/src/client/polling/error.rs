//! Why a queue is not sought elsewhere, held or released.

use crate::client::pending::Blockable;
use crate::error::{CommitError, ErrorKind, QueryError};
use crate::message::MessageIds;
use crate::name::QueueName;

/// The queue is none of the consumer's: it was not assigned, or is another member's now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{queue} is none of this consumer's")]
pub struct NotAssigned {
    /// The queue.
    pub queue: QueueName,
}

impl NotAssigned {
    /// What it comes to.
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

/// Why a queue goes on where it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SeekError {
    /// The queue is none of the consumer's.
    #[error(transparent)]
    NotAssigned(#[from] NotAssigned),
    /// The queue has no such offset.
    #[error("{queue} can't go on at {offset}: it has {min} to {max}")]
    OutOfRange {
        /// The queue.
        queue: QueueName,
        /// The offset asked for.
        offset: i64,
        /// Its first offset.
        min: i64,
        /// The one after its last message.
        max: i64,
    },
    /// The broker did not say where the queue begins and ends.
    #[error(transparent)]
    Query(#[from] QueryError),
}

impl SeekError {
    /// What it comes to.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NotAssigned(_) | Self::OutOfRange { .. } => ErrorKind::Invalid,
            Self::Query(error) => error.kind(),
        }
    }

    /// Whether the same call may succeed later without a change by the user.
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::NotAssigned(_) | Self::OutOfRange { .. } => false,
            Self::Query(error) => error.is_retriable(),
        }
    }
}

impl Blockable for Result<(), SeekError> {
    fn would_deadlock(_: Option<MessageIds>) -> Self {
        Err(QueryError::WouldDeadlock.into())
    }

    fn forked() -> Self {
        Err(QueryError::Forked.into())
    }
}

impl Blockable for Result<(), CommitError> {
    fn would_deadlock(_: Option<MessageIds>) -> Self {
        Err(CommitError::WouldDeadlock)
    }

    fn forked() -> Self {
        Err(CommitError::Forked)
    }
}
