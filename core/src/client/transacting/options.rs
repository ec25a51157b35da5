//! What a transaction producer does otherwise, and why a transaction comes to nothing.

use std::time::Duration;

use crate::error::{ErrorKind, SendError, TransactionError};
use crate::producer::SendReceipt;

/// What one transaction producer does otherwise than its client's settings say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransactionOptions {
    /// From the call to the end of a half message's send; `None`: the client's `send_timeout`.
    pub timeout: Option<Duration>,
    /// From the call on a half message may be decided here for so long; `None`: for as long as it
    /// takes. After that nothing is told, and checks are the checker's.
    pub work_limit: Option<Duration>,
    /// See [`Message::check_after`](crate::message::Message::check_after), which counts where a
    /// message has its own.
    pub check_after: Option<Duration>,
}

impl TransactionOptions {
    /// With a deadline of its own for sends.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// With a limit in time for local work.
    #[must_use]
    pub const fn work_limit(mut self, limit: Duration) -> Self {
        self.work_limit = Some(limit);
        self
    }

    /// With a time before which brokers don't ask.
    #[must_use]
    pub const fn check_after(mut self, after: Duration) -> Self {
        self.check_after = Some(after);
        self
    }
}

/// Why a transaction was not begun: no local work is to be done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BeginError {
    /// The half message was not stored, as far as is known. One that may be is rolled back when its
    /// broker asks.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The half message is stored, but not as safely as the broker is set up for: it is rolled
    /// back, as Java does.
    #[error("the half message is not stored as safely as asked for: {:?}", .receipt.status)]
    Unsafe {
        /// Where it is stored.
        receipt: Box<SendReceipt>,
    },
}

impl BeginError {
    /// What it comes to.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Send(error) => error.kind(),
            Self::Unsafe { .. } => ErrorKind::Rejected,
        }
    }
}

/// Why a whole transaction came to nothing, or is not known to have ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransactionRunError {
    /// It was not begun, and no work was done.
    #[error(transparent)]
    Begin(#[from] BeginError),
    /// The work was done, and the broker has not taken its end.
    #[error(transparent)]
    End(#[from] TransactionError),
}
