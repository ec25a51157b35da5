//! Why a message was not taken back.

use std::sync::Arc;

#[cfg(feature = "client")]
use super::Failure;
use super::{ErrorKind, QueryError};
#[cfg(feature = "client")]
use crate::frame::ResponseCode;

/// Why a message that waits for its time was not taken back, as far as is known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecallError {
    /// The text is no handle of a message; nothing was sent.
    #[error("no recall handle, as SendReceipt::recall_handle has it: {handle:?}")]
    Handle {
        /// The text, cut to 128 characters.
        handle: Box<str>,
    },
    /// The broker takes no messages back: it is too old.
    #[error("taking a message back needs brokers from {needs} on, and {broker} is older")]
    Unsupported {
        /// The broker group.
        broker: Arc<str>,
        /// The first version that does.
        needs: &'static str,
    },
    /// The broker takes no messages back, or none of this topic: it was not told to
    /// (`recallMessageEnable`, false by default).
    #[error("{broker} takes no messages back (recallMessageEnable)")]
    NotAllowed {
        /// The broker group.
        broker: Arc<str>,
    },
    /// The broker says that it is too late, or that the handle is none of its own: the message's
    /// time is over, and it was delivered.
    #[error("{broker} does not take the message back: {remark}")]
    TooLate {
        /// The broker group.
        broker: Arc<str>,
        /// The broker's words.
        remark: Arc<str>,
    },
    /// The broker could not be asked, denied it to this client's key, or answered otherwise.
    #[error(transparent)]
    Failed(#[from] QueryError),
}

impl RecallError {
    /// What a broker's answer comes to.
    #[cfg(feature = "client")]
    pub(crate) fn of(broker: &Arc<str>, error: QueryError) -> Self {
        let QueryError::Failed(attempt) = &error else { return Self::Failed(error) };
        let Failure::Refused { code, remark } = &attempt.failure else {
            return Self::Failed(error);
        };
        if attempt.failure.is_denied() {
            return Self::Failed(error);
        }
        let broker = broker.clone();
        match *code {
            ResponseCode::REQUEST_CODE_NOT_SUPPORTED => Self::Unsupported { broker, needs: "5.3" },
            ResponseCode::NO_PERMISSION => Self::NotAllowed { broker },
            ResponseCode::ILLEGAL_OPERATION => {
                let remark = remark.clone().unwrap_or_else(|| Arc::from("no reason given"));
                Self::TooLate { broker, remark }
            }
            _ => Self::Failed(error),
        }
    }

    /// What it comes to.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Handle { .. } => ErrorKind::Invalid,
            Self::Unsupported { .. } => ErrorKind::Unsupported,
            Self::NotAllowed { .. } | Self::TooLate { .. } => ErrorKind::Rejected,
            Self::Failed(error) => error.kind(),
        }
    }

    /// Whether the same call may succeed later without a change by the user.
    pub fn is_retriable(&self) -> bool {
        matches!(self, Self::Failed(error) if error.is_retriable())
    }
}

#[cfg(feature = "client")]
#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Attempt, PeerKind};
    use crate::name::Endpoint;

    #[test]
    fn a_key_that_is_denied_is_told_from_a_broker_that_takes_nothing_back() {
        let of = |code: i32, remark: &str| {
            let (code, remark) = (ResponseCode(code), Some(remark.into()));
            let endpoint = Endpoint::parse("a:10911").unwrap();
            let failure = Failure::Refused { code, remark };
            let peer = PeerKind::Broker;
            let attempt = Attempt { endpoint, peer, opaque: None, failure };
            RecallError::of(&"broker-a".into(), QueryError::Failed(attempt))
        };
        for (code, remark) in [(16, "check signature failed."), (1, "AclException: no")] {
            let error = of(code, remark);
            assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
            assert!(error.to_string().contains(remark) && !error.is_retriable(), "{error}");
        }
        let off = of(16, "recall failed, operation is forbidden");
        assert!(matches!(off, RecallError::NotAllowed { .. }), "{off}");
        assert_eq!(off.kind(), ErrorKind::Rejected);
    }
}
