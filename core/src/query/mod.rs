//! Questions of the application: a topic's queues, the first and last offset of one of them, and
//! any request to a peer of its choice.
//!
//! Codes: `GET_ROUTEINFO_BY_TOPIC` (105), `GET_MIN_OFFSET` (31), `GET_MAX_OFFSET` (30).

mod machine;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::error::{Attempt, Attempts, Failure, PeerKind, QueryError};
use crate::frame::request::{MaxOffsetRequest, MinOffsetRequest};
use crate::frame::{HeaderError, Opaque, ReplyFields, Request, ResponseCode};
use crate::message::RecordList;
use crate::name::{Endpoint, Topic};
use crate::time::Instant;
use crate::timer::TimerKey;
pub(crate) use machine::Queries;

/// A queue by its names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueName {
    /// The topic.
    pub topic: Topic,
    /// The broker group.
    pub broker: Arc<str>,
    /// The queue's number there, from 0.
    pub queue: u32,
}

impl QueueName {
    pub(crate) fn ask_min_offset(&self) -> Request {
        Request::MinOffset(MinOffsetRequest {
            topic: self.topic.shared(),
            queue_id: self.queue as i32,
            broker: Some(self.broker.clone()),
            ..Default::default()
        })
    }

    pub(crate) fn ask_max_offset(&self) -> Request {
        Request::MaxOffset(MaxOffsetRequest {
            topic: self.topic.shared(),
            queue_id: self.queue as i32,
            broker: Some(self.broker.clone()),
            ..Default::default()
        })
    }
}

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

/// The answer to a [`Call`], whatever its code.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Response {
    /// The number that the request and its answer carried.
    pub opaque: Option<Opaque>,
    /// Who answered.
    pub endpoint: Endpoint,
    /// What the peer is for.
    pub peer: PeerKind,
    /// How the request ended.
    pub code: ResponseCode,
    /// Why it failed, in the peer's words: the first 1 KiB of them.
    pub remark: Option<Arc<str>>,
    /// The fields, typed where the request's code is known to have them, or why they can't be read.
    pub fields: Result<ReplyFields, HeaderError>,
    /// The body; empty for a pull.
    pub body: Bytes,
    /// The messages of a pull.
    pub records: RecordList,
}

impl Response {
    /// Itself, if its code is `SUCCESS`; else the failure.
    pub fn checked(self) -> Result<Self, QueryError> {
        if self.code == ResponseCode::SUCCESS {
            return Ok(self);
        }
        let failure = Failure::Refused { code: self.code, remark: self.remark.clone() };
        Err(self.failed(failure))
    }

    /// The answer is not what it should be.
    pub fn failed(&self, failure: Failure) -> QueryError {
        let (endpoint, peer, opaque) = (self.endpoint.clone(), self.peer, self.opaque);
        QueryError::Failed(Attempt { endpoint, peer, opaque, failure })
    }
}

impl Query {
    /// Bytes of its body.
    pub(crate) fn body_size(&self) -> usize {
        match self {
            Self::Queues(_) | Self::Writable(_) | Self::MinOffset(_) | Self::MaxOffset(_) => 0,
            Self::Call(call) => call.body.len(),
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

/// A queue that a message may go to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueChoice {
    /// The queue.
    pub queue: QueueName,
    /// Its broker can't be reached at present, or is left alone for failing or answering late.
    pub avoided: bool,
    /// How long its broker took to answer of late; zero before its first answer.
    pub latency: Duration,
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// To [`Query::Queues`], by broker name and number.
    Queues(Vec<QueueName>),
    /// To [`Query::Writable`], by broker name and number.
    Writable(Vec<QueueChoice>),
    /// To [`Query::MinOffset`] and [`Query::MaxOffset`].
    Offset(i64),
    /// To [`Query::Call`].
    Response(Box<Response>),
}

/// One question on its way.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) query: Query,
    /// When it was asked.
    pub(crate) since: Instant,
    /// When it has to end.
    pub(crate) deadline: Instant,
    pub(crate) timer: TimerKey,
    pub(crate) call: Option<Opaque>,
    pub(crate) attempts: Attempts,
}
