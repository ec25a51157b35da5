//! What questions are answered with.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::error::{Attempt, Failure, PeerKind, QueryError};
use crate::frame::{HeaderError, Opaque, ReplyFields, ResponseCode};
use crate::message::RecordList;
use crate::name::{Endpoint, QueueName};

/// The answer to a [`Call`](crate::query::Call), whatever its code.
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

/// A queue that a message may go to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueChoice {
    /// The queue.
    pub queue: QueueName,
    /// The queue's broker can't be reached at present, or is left alone for failing or answering
    /// late.
    pub isolated: bool,
    /// How long its broker took to answer of late; zero before its first answer.
    pub latency: Duration,
    /// Tries of a million at that broker that were answered of late.
    pub(crate) answered_ppm: u32,
}

impl QueueChoice {
    /// How many of the tries at its broker were answered of late, about the last eight: 1.0 is all
    /// of them, and what it is before the first one.
    pub fn success_rate(&self) -> f64 {
        f64::from(self.answered_ppm) / 1e6
    }
}

/// What a question has ended with: for each kind of question a result of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// Of [`Query::Queues`](crate::query::Query::Queues), by broker name and number.
    Queues(Result<Vec<QueueName>, QueryError>),
    /// Of [`Query::Writable`](crate::query::Query::Writable), by broker name and number.
    Writable(Result<Vec<QueueChoice>, QueryError>),
    /// Of [`Query::MinOffset`](crate::query::Query::MinOffset) and
    /// [`Query::MaxOffset`](crate::query::Query::MaxOffset).
    Offset(Result<i64, QueryError>),
    /// Of [`Query::Call`](crate::query::Query::Call).
    Response(Result<Box<Response>, QueryError>),
}
