//! Errors by kind, and the facts that each of them carries.

use std::fmt;

use super::{Attempt, Attempts, Failure, QueryError, Refused, SendError, is_retriable_send};
use crate::frame::{Opaque, ResponseCode};
use crate::name::{Endpoint, Topic};

/// What an error comes to, the same words for every operation: for branches, and for labels of
/// metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The operation can't be done as it was asked for: nothing was sent, or no broker takes it.
    Invalid,
    /// There was no room for one more call; nothing was sent.
    Full,
    /// The nameservers do not know the topic.
    NoTopic,
    /// No nameserver could tell where the topic is.
    NoRoute,
    /// The topic has no queue that may be written to.
    NotWritable,
    /// The caller's selector chose no queue.
    NoChoice,
    /// The peer answered with an error.
    Rejected,
    /// The peer denied it to this client's access key, or wants one: it has no such key, the
    /// signature is wrong, or its account lacks the right. No other try helps.
    Denied,
    /// A certificate is not accepted: the peer's here, or this client's there. No other try helps
    /// until one of them, or what is trusted, is another.
    Untrusted,
    /// The deadline passed.
    TimedOut,
    /// There was no connection, or it was lost.
    Lost,
    /// The peer's answer can't be read.
    Unreadable,
    /// The peer is too old for it.
    Unsupported,
    /// The client, or the runtime it needs, has ended.
    Stopped,
    /// Waiting here would block the very thread that has to do the work.
    WouldDeadlock,
    /// The client belongs to the process that this one was forked from.
    Forked,
    /// There is no receipt for what was sent oneway.
    NoReceipt,
}

impl ErrorKind {
    /// A word that stays the same.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Full => "full",
            Self::NoTopic => "no_topic",
            Self::NoRoute => "no_route",
            Self::NotWritable => "not_writable",
            Self::NoChoice => "no_choice",
            Self::Rejected => "rejected",
            Self::Denied => "denied",
            Self::Untrusted => "untrusted",
            Self::TimedOut => "timed_out",
            Self::Lost => "lost",
            Self::Unreadable => "unreadable",
            Self::Unsupported => "unsupported",
            Self::Stopped => "stopped",
            Self::WouldDeadlock => "would_deadlock",
            Self::Forked => "forked",
            Self::NoReceipt => "no_receipt",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Refused {
    /// What it comes to.
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Stopped => ErrorKind::Stopped,
            Self::Full(_)
            | Self::FullOfBytes(_)
            | Self::FullOfWaiting(_)
            | Self::FullOfWaitingBytes(_) => ErrorKind::Full,
            Self::DuplicateGroup(_)
            | Self::DuplicateTopic(_)
            | Self::Undecided(_)
            | Self::DuplicateRequest(_)
            | Self::Name(_)
            | Self::NotHalf
            | Self::NoTopic
            | Self::NoTime => ErrorKind::Invalid,
            Self::Forked => ErrorKind::Forked,
        }
    }
}

impl Attempt {
    /// The peer's code, if it answered with an error.
    pub const fn code(&self) -> Option<ResponseCode> {
        match &self.failure {
            Failure::Refused { code, .. } => Some(*code),
            Failure::Connect(_)
            | Failure::Closed(_)
            | Failure::Cut(_)
            | Failure::Unreadable(_)
            | Failure::Body(_)
            | Failure::Fetch(_)
            | Failure::TimedOut(_)
            | Failure::NotTaken(_) => None,
        }
    }

    fn kind(&self) -> ErrorKind {
        self.failure.kind()
    }
}

impl Failure {
    /// What it comes to.
    pub(super) fn kind(&self) -> ErrorKind {
        match self {
            Self::Refused { .. } if self.is_denied() => ErrorKind::Denied,
            Self::Refused { .. } => ErrorKind::Rejected,
            _ if self.is_untrusted() => ErrorKind::Untrusted,
            Self::Connect(_) | Self::Closed(_) | Self::Cut(_) | Self::Fetch(_) => ErrorKind::Lost,
            Self::Unreadable(_) | Self::Body(_) => ErrorKind::Unreadable,
            Self::TimedOut(_) | Self::NotTaken(_) => ErrorKind::TimedOut,
        }
    }
}

impl SendError {
    /// What it comes to.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Invalid(_) | Self::OverFrame { .. } => ErrorKind::Invalid,
            Self::Refused(refused) => refused.kind(),
            Self::NoTopic { .. } => ErrorKind::NoTopic,
            Self::NoRoute { .. } | Self::TimedOut { .. } | Self::Lost { .. }
                if self.is_untrusted() =>
            {
                ErrorKind::Untrusted
            }
            Self::NoRoute { .. } if self.is_denied() => ErrorKind::Denied,
            Self::NoRoute { .. } => ErrorKind::NoRoute,
            Self::NotWritable { .. } => ErrorKind::NotWritable,
            Self::Rejected { .. } if self.is_denied() => ErrorKind::Denied,
            Self::Rejected { .. } => ErrorKind::Rejected,
            Self::TimedOut { .. } | Self::Unanswered { .. } | Self::NoRoom { .. } => {
                ErrorKind::TimedOut
            }
            Self::Lost { .. } => ErrorKind::Lost,
            Self::Unreadable { .. } => ErrorKind::Unreadable,
            Self::Unsupported { .. } => ErrorKind::Unsupported,
            Self::Stopped { .. } | Self::RuntimeGone { .. } => ErrorKind::Stopped,
            Self::WouldDeadlock { .. } => ErrorKind::WouldDeadlock,
            Self::Forked => ErrorKind::Forked,
            Self::NoChoice { .. } => ErrorKind::NoChoice,
            Self::NoReceipt => ErrorKind::NoReceipt,
        }
    }

    /// The topic, where the error came after it was looked at.
    pub const fn topic(&self) -> Option<&Topic> {
        match self {
            Self::NoTopic { topic, .. }
            | Self::NoRoute { topic, .. }
            | Self::NotWritable { topic, .. }
            | Self::Rejected { topic, .. }
            | Self::TimedOut { topic, .. }
            | Self::Unanswered { topic, .. }
            | Self::NoRoom { topic, .. }
            | Self::Lost { topic, .. }
            | Self::Unreadable { topic, .. }
            | Self::OverFrame { topic, .. }
            | Self::Unsupported { topic, .. }
            | Self::NoChoice { topic } => Some(topic),
            Self::Invalid(_)
            | Self::Refused(_)
            | Self::Stopped { .. }
            | Self::RuntimeGone { .. }
            | Self::WouldDeadlock { .. }
            | Self::Forked
            | Self::NoReceipt => None,
        }
    }

    /// The last try: whom we asked, with what number, and what became of it.
    pub fn last_attempt(&self) -> Option<&Attempt> {
        self.attempts().and_then(Attempts::last)
    }

    /// The code that the last peer answered, if it answered.
    pub fn code(&self) -> Option<ResponseCode> {
        match self {
            Self::Rejected { code, .. } => Some(*code),
            _ => self.last_attempt().and_then(Attempt::code),
        }
    }

    /// The address of the broker, or of the nameserver, that was tried last.
    pub fn endpoint(&self) -> Option<&Endpoint> {
        self.last_attempt().map(|attempt| &attempt.endpoint)
    }

    /// The number of the last request, as brokers' logs show it.
    pub fn opaque(&self) -> Option<Opaque> {
        self.last_attempt().and_then(|attempt| attempt.opaque)
    }
}

impl QueryError {
    /// What it comes to.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Refused(refused) => refused.kind(),
            Self::NoRoute { .. } if self.is_missing() => ErrorKind::NoTopic,
            Self::NoRoute { .. } | Self::TimedOut { .. } if self.is_lasting() => {
                self.last_attempt().map_or(ErrorKind::NoRoute, Attempt::kind)
            }
            Self::NoRoute { .. } | Self::NoQueue { .. } => ErrorKind::NoRoute,
            Self::Failed(attempt) => attempt.kind(),
            Self::TimedOut { .. } => ErrorKind::TimedOut,
            Self::Stopped => ErrorKind::Stopped,
            Self::WouldDeadlock => ErrorKind::WouldDeadlock,
            Self::Forked => ErrorKind::Forked,
        }
    }

    /// The nameservers say that there is no such topic.
    fn is_missing(&self) -> bool {
        matches!(self, Self::NoRoute { .. }) && self.code() == Some(ResponseCode::TOPIC_NOT_EXIST)
    }

    /// The last peer denied it to this client's key, or a certificate is not accepted.
    fn is_lasting(&self) -> bool {
        let lasting =
            |attempt: &Attempt| attempt.failure.is_denied() || attempt.failure.is_untrusted();
        self.last_attempt().is_some_and(lasting)
    }

    /// Whether the same question may be answered later without a change by the user.
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::Refused(refused) => refused.kind() == ErrorKind::Full,
            Self::NoRoute { .. } => !self.is_missing() && !self.is_lasting(),
            Self::Failed(_) | Self::TimedOut { .. } if self.is_lasting() => false,
            Self::NoQueue { .. } | Self::TimedOut { .. } => true,
            Self::Failed(attempt) => match &attempt.failure {
                // What another broker might allow, this one does not.
                Failure::Refused { code, .. } => {
                    let fixed = [ResponseCode::NO_PERMISSION, ResponseCode::TOPIC_NOT_EXIST];
                    let denied = attempt.failure.is_denied();
                    is_retriable_send(*code) && !fixed.contains(code) && !denied
                }
                Failure::Connect(_)
                | Failure::Closed(_)
                | Failure::Cut(_)
                | Failure::Fetch(_)
                | Failure::TimedOut(_)
                | Failure::NotTaken(_) => true,
                Failure::Unreadable(_) | Failure::Body(_) => false,
            },
            Self::Stopped | Self::WouldDeadlock | Self::Forked => false,
        }
    }

    /// The topic, if the question was about one and its route was not to be had.
    pub const fn topic(&self) -> Option<&Topic> {
        match self {
            Self::NoRoute { topic, .. } | Self::NoQueue { topic, .. } => Some(topic),
            Self::Refused(_)
            | Self::Failed(_)
            | Self::TimedOut { .. }
            | Self::Stopped
            | Self::WouldDeadlock
            | Self::Forked => None,
        }
    }

    /// The last try: whom we asked, with what number, and what became of it.
    pub fn last_attempt(&self) -> Option<&Attempt> {
        match self {
            Self::NoRoute { attempts, .. }
            | Self::NoQueue { attempts, .. }
            | Self::TimedOut { attempts } => attempts.last(),
            Self::Failed(attempt) => Some(attempt),
            Self::Refused(_) | Self::Stopped | Self::WouldDeadlock | Self::Forked => None,
        }
    }

    /// The code that the last peer answered, if it answered.
    pub fn code(&self) -> Option<ResponseCode> {
        self.last_attempt().and_then(Attempt::code)
    }

    /// The address of the peer that was tried last.
    pub fn endpoint(&self) -> Option<&Endpoint> {
        self.last_attempt().map(|attempt| &attempt.endpoint)
    }

    /// The number of the last request, as brokers' logs show it.
    pub fn opaque(&self) -> Option<Opaque> {
        self.last_attempt().and_then(|attempt| attempt.opaque)
    }
}
