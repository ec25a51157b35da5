//! What is refused for want of a key, or of a right.

use super::{Failure, TlsError};
use crate::frame::ResponseCode;

/// What is said of what is closed to everybody; names of topics and groups have no blanks.
const CLOSED: [&str; 3] =
    ["is forbidden", "subscription group no permission", "can not consume by broadcast"];

/// Whether a peer denies a request to whoever sent it: ACL 2.0 does by code 16
/// (`AuthenticationPipeline`, `AuthorizationPipeline`), ACL 1.0 by code 1 with the name of its
/// exception (`PlainPermissionManager`). Another broker of the cluster has the same accounts, and
/// another try the same key.
///
/// Code 16 is also that of a broker, of a topic on it, or of a group, that nobody may write to or
/// read from: the remark says so in the same words in all versions, and another broker may differ.
pub(crate) fn is_denied(code: ResponseCode, remark: Option<&str>) -> bool {
    let says = |part: &str| remark.is_some_and(|remark| remark.contains(part));
    match code {
        ResponseCode::NO_PERMISSION => !CLOSED.into_iter().any(says),
        ResponseCode::SYSTEM_ERROR => says("AclException") || says("org.apache.rocketmq.acl"),
        _ => false,
    }
}

impl Failure {
    /// What became of TLS with the peer, where that is why.
    pub fn tls(&self) -> Option<&TlsError> {
        match self {
            Self::Connect(error) => error.tls(),
            Self::Closed(reason) | Self::Cut(reason) => reason.tls(),
            Self::Refused { .. }
            | Self::Unreadable(_)
            | Self::Body(_)
            | Self::TimedOut(_)
            | Self::NotTaken(_)
            | Self::Fetch(_) => None,
        }
    }

    /// A certificate is not accepted, the peer's here or this client's there.
    pub(crate) fn is_untrusted(&self) -> bool {
        self.tls().is_some_and(TlsError::is_of_certificate)
    }

    /// The peer denied the request to this client's key, or to a client without one.
    pub(crate) fn is_denied(&self) -> bool {
        matches!(self, Self::Refused { code, remark } if is_denied(*code, remark.as_deref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_key_is_told_from_a_topic_that_nobody_may_write_to() {
        let denied = |code: i32, remark: &str| is_denied(ResponseCode(code), Some(remark));
        assert!(denied(16, "check signature failed."));
        assert!(denied(16, "User:a has no permission to access Topic:t from 127.0.0.1, ..."));
        assert!(is_denied(ResponseCode::NO_PERMISSION, None));
        let old = "org.apache.rocketmq.acl.common.AclException: Check signature failed for \
                   accessKey=a, org.apache.rocketmq.acl.plain.PlainPermissionManager.validate";
        assert!(denied(1, old));
        assert!(!denied(16, "the broker[127.0.0.1] sending message is forbidden"));
        assert!(!denied(16, "the topic[t] pulling message is forbidden"));
        assert!(denied(16, "User:a has no permission to access Topic:forbidden from 127.0.0.1."));
        // Whatever key asks.
        assert!(!denied(16, "subscription group no permission, g"));
        assert!(!denied(16, "the consumer group[g] can not consume by broadcast way"));
        assert!(!denied(1, "java.lang.NullPointerException") && !denied(2, old));
    }
}
