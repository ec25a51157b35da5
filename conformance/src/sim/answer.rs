//! What questions were answered with, whatever was asked.

use rocketry_core::error::QueryError;
use rocketry_core::query::{self, QueueChoice, QueueName, Response};

/// What a question was answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The queues that may be read.
    Queues(Vec<QueueName>),
    /// The queues that may be written to.
    Writable(Vec<QueueChoice>),
    /// An offset.
    Offset(i64),
    /// A peer's answer.
    Response(Box<Response>),
}

impl Answer {
    /// The same, or why there is none.
    pub(super) fn of(answer: query::Answer) -> Result<Self, QueryError> {
        Ok(match answer {
            query::Answer::Queues(result) => Self::Queues(result?),
            query::Answer::Writable(result) => Self::Writable(result?),
            query::Answer::Offset(result) => Self::Offset(result?),
            query::Answer::Response(result) => Self::Response(result?),
            other => panic!("the application does not know {other:?}"),
        })
    }
}
