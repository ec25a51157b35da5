//! Why a transaction was not ended.

use std::sync::Arc;

use super::{ErrorKind, Refused, is_denied};
use crate::frame::ResponseCode;

/// Why a transaction was not ended as it was to be, as far as is known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransactionError {
    /// The call was refused at once. The broker will ask.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The half message is decided already, or was left to the broker's checks.
    #[error("the half message is decided already, or left to the broker's checks")]
    Decided,
    /// The time that the local work had (`work_limit`) was over. Nothing was sent: the broker's
    /// checks decide.
    #[error("the local work took longer than it may: the broker's checks decide")]
    Overdue,
    /// The end came later than the broker takes one that it has not asked for
    /// (`CHECK_IMMUNITY_TIME_IN_SECONDS`, code 604). It will ask, and is then told the same.
    #[error("the end came too late for the broker, which will ask{}", words(.remark))]
    TooLate {
        /// The broker's words.
        remark: Option<Arc<str>>,
    },
    /// The broker refused: it knows no such half message, or another group's; or it denied it to
    /// this client's key, and is told the same when it asks.
    #[error("the broker refused the end of the transaction: {code}{}", words(.remark))]
    Rejected {
        /// The broker's code.
        code: ResponseCode,
        /// The broker's words.
        remark: Option<Arc<str>>,
    },
    /// The client stopped before the answer came, or its runtime is gone: the broker was told
    /// perhaps. It asks another client of the group otherwise.
    #[error("the client stopped before the broker had confirmed the transaction's end")]
    Stopped,
    /// Waiting on this thread would block the very one that has to do the work. The call goes on.
    #[error("waiting here would block the thread that does the work: await the call instead")]
    WouldDeadlock,
    /// The call was begun before this process was forked from the one that made the client.
    #[error("this process is a fork of the one that made the call, in which alone it ends")]
    Forked,
}

fn words(remark: &Option<Arc<str>>) -> String {
    remark.as_ref().map_or_else(String::new, |remark| format!(" ({remark})"))
}

impl TransactionError {
    /// What it comes to.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Refused(refused) => refused.kind(),
            Self::Rejected { code, remark } if is_denied(*code, remark.as_deref()) => {
                ErrorKind::Denied
            }
            Self::Decided => ErrorKind::Invalid,
            Self::Overdue | Self::TooLate { .. } => ErrorKind::TimedOut,
            Self::Rejected { .. } => ErrorKind::Rejected,
            Self::Stopped => ErrorKind::Stopped,
            Self::WouldDeadlock => ErrorKind::WouldDeadlock,
            Self::Forked => ErrorKind::Forked,
        }
    }
}
