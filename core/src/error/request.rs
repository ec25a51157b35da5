//! Why a request has no reply, and why a message can't be answered.

use std::time::Duration;

use super::{ErrorKind, Refused, SendError, Stored};
use crate::message::{MessageError, MessageIds, NoRequest, RecordError};
use crate::name::Topic;
use crate::time::Rounded;

/// Why a request ended without a reply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[doc(alias = "RequestTimeoutException")]
pub enum RequestError {
    /// The request could not be sent, as far as is known. Where it may be stored
    /// ([`SendError::stored`]) a reply was waited for until the deadline.
    #[error("{0}")]
    Send(Box<SendError>),
    /// The request is stored, and no reply came by the deadline: nobody reads the topic, whoever
    /// does is slow, or does not answer; or the broker that was given the reply does not know this
    /// client.
    #[error(
        "no reply to the request to topic {topic} within {}; it is stored, as {ids}",
        Rounded(*.within)
    )]
    NoReply {
        /// The topic.
        topic: Topic,
        /// How long it was waited for.
        within: Duration,
        /// The request's unique id.
        ids: MessageIds,
    },
    /// The reply came, and its body can't be opened.
    #[error("the reply to request {correlation} can't be read: {reason}")]
    Unreadable {
        /// The correlation id of both.
        correlation: Box<str>,
        /// What is wrong with it.
        reason: RecordError,
    },
}

impl From<SendError> for RequestError {
    fn from(error: SendError) -> Self {
        Self::Send(Box::new(error))
    }
}

impl From<Refused> for RequestError {
    fn from(refused: Refused) -> Self {
        SendError::Refused(refused).into()
    }
}

impl From<MessageError> for RequestError {
    fn from(error: MessageError) -> Self {
        SendError::Invalid(error).into()
    }
}

impl RequestError {
    /// What it comes to.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Send(error) => error.kind(),
            Self::NoReply { .. } => ErrorKind::TimedOut,
            Self::Unreadable { .. } => ErrorKind::Unreadable,
        }
    }

    /// Whether the same request may have a reply later without a change by the user. Where
    /// [`stored`](Self::stored) is not [`Stored::No`], it may be handled twice.
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::Send(error) => error.is_retriable(),
            Self::NoReply { .. } => true,
            Self::Unreadable { .. } => false,
        }
    }

    /// Whether the request may be in the log, and be handled.
    pub const fn stored(&self) -> Stored {
        match self {
            Self::Send(error) => error.stored(),
            Self::NoReply { .. } | Self::Unreadable { .. } => Stored::Yes,
        }
    }
}

/// Why a message was not answered, as far as is known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplyError {
    /// The message asks for nothing: it was not sent by a request. Nothing was sent.
    #[error(transparent)]
    NoRequest(#[from] NoRequest),
    /// The broker did not take the reply, or did not say so: `Rejected` with `SYSTEM_ERROR`, where
    /// the requester is not connected to it.
    #[error(transparent)]
    Send(#[from] SendError),
}

impl From<MessageError> for ReplyError {
    fn from(error: MessageError) -> Self {
        SendError::Invalid(error).into()
    }
}

impl ReplyError {
    /// What it comes to.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NoRequest(_) => ErrorKind::Invalid,
            Self::Send(error) => error.kind(),
        }
    }

    /// Whether the same reply may be taken later without a change by the user.
    pub fn is_retriable(&self) -> bool {
        matches!(self, Self::Send(error) if error.is_retriable())
    }
}
