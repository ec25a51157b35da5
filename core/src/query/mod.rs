//! Questions of the application: a topic's queues, the first and last offset of one of them, and
//! any request to a peer of its choice.
//!
//! Codes: `GET_ROUTEINFO_BY_TOPIC` (105), `GET_MIN_OFFSET` (31), `GET_MAX_OFFSET` (30).

mod machine;

use bytes::Bytes;

pub use crate::effects::{Answer, QueueChoice, Response};
use crate::error::{Attempts, PeerKind, QueryError};
use crate::frame::{Opaque, Request};
pub use crate::name::QueueName;
use crate::name::{Endpoint, NameError, Namespace, Topic};
use crate::time::Instant;
use crate::timer::TimerKey;
pub(crate) use machine::Queries;

/// What may be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Query {
    /// The queues of a topic that may be read.
    Queues(Topic),
    /// The queues of a topic that may be written to, and how their brokers fare. A topic that a
    /// broker would create has those of `TBW102`.
    Writable(Topic),
    /// The offset of a queue's first message.
    MinOffset(QueueName),
    /// The offset after a queue's last message: how many messages it ever took.
    MaxOffset(QueueName),
    /// Any request.
    Call(Box<Call>),
}

/// Whom a request is for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Target {
    /// The nameserver in use; another one once it fails.
    NameServer,
    /// A peer by its address.
    Peer(PeerKind, Endpoint),
    /// The master of the broker that has this queue.
    Queue(QueueName),
}

/// Any request, and whom it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Whom it is for.
    pub target: Target,
    /// The request.
    pub request: Request,
    /// Its body, which may be empty.
    pub body: Bytes,
}

impl Query {
    /// The same in that namespace. What a [`Call`]'s request says is its caller's.
    pub(crate) fn enter(&mut self, namespace: &Namespace) -> Result<(), NameError> {
        let topic = match self {
            Self::Queues(topic) | Self::Writable(topic) => topic,
            Self::MinOffset(queue) | Self::MaxOffset(queue) => &mut queue.topic,
            Self::Call(call) => match &mut call.target {
                Target::Queue(queue) => &mut queue.topic,
                Target::NameServer | Target::Peer(..) => return Ok(()),
            },
        };
        *topic = namespace.checked_topic(topic.clone())?;
        Ok(())
    }

    /// Bytes of its body.
    pub(crate) fn body_size(&self) -> usize {
        match self {
            Self::Queues(_) | Self::Writable(_) | Self::MinOffset(_) | Self::MaxOffset(_) => 0,
            Self::Call(call) => call.body.len(),
        }
    }

    /// How it ends without an answer.
    pub(crate) const fn unanswered(&self, error: QueryError) -> Answer {
        match self {
            Self::Queues(_) => Answer::Queues(Err(error)),
            Self::Writable(_) => Answer::Writable(Err(error)),
            Self::MinOffset(_) | Self::MaxOffset(_) => Answer::Offset(Err(error)),
            Self::Call(_) => Answer::Response(Err(error)),
        }
    }

    /// Whether it may be asked again although it may have been done.
    pub(crate) fn is_repeatable(&self) -> bool {
        match self {
            Self::Queues(_) | Self::Writable(_) | Self::MinOffset(_) | Self::MaxOffset(_) => true,
            Self::Call(call) => call.request.code().only_reads(),
        }
    }

    /// Whether it is to any nameserver.
    pub(crate) fn is_for_servers(&self) -> bool {
        matches!(self, Self::Call(call) if matches!(call.target, Target::NameServer))
    }

    /// The topic whose route it needs, if any.
    pub(crate) fn topic(&self) -> Option<&Topic> {
        match self {
            Self::Queues(topic) | Self::Writable(topic) => Some(topic),
            Self::MinOffset(queue) | Self::MaxOffset(queue) => Some(&queue.topic),
            Self::Call(call) => match &call.target {
                Target::Queue(queue) => Some(&queue.topic),
                Target::NameServer | Target::Peer(..) => None,
            },
        }
    }
}

/// One question on its way.
#[derive(Debug)]
pub(crate) struct OpenQuery {
    pub(crate) query: Query,
    /// When it was asked.
    pub(crate) since: Instant,
    /// When it has to end.
    pub(crate) deadline: Instant,
    pub(crate) timer: TimerKey,
    pub(crate) call: Option<Opaque>,
    pub(crate) attempts: Attempts,
}
