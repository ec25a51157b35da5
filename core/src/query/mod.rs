//! Questions of the application: a topic's queues, the first and last offset of one of them.
//!
//! Codes: `GET_ROUTEINFO_BY_TOPIC` (105), `GET_MIN_OFFSET` (31), `GET_MAX_OFFSET` (30).

use std::sync::Arc;

use crate::error::Attempts;
use crate::frame::Opaque;
use crate::name::Topic;
use crate::time::Instant;
use crate::timer::TimerKey;

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

/// What may be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Query {
    /// The queues of a topic that may be read.
    Queues(Topic),
    /// The offset of a queue's first message.
    MinOffset(QueueName),
    /// The offset after a queue's last message: how many messages it ever took.
    MaxOffset(QueueName),
}

impl Query {
    pub(crate) const fn topic(&self) -> &Topic {
        match self {
            Self::Queues(topic) => topic,
            Self::MinOffset(queue) | Self::MaxOffset(queue) => &queue.topic,
        }
    }
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// To [`Query::Queues`], by broker name and number.
    Queues(Vec<QueueName>),
    /// To [`Query::MinOffset`] and [`Query::MaxOffset`].
    Offset(i64),
}

/// One question on its way.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) query: Query,
    /// When it was asked.
    pub(crate) since: Instant,
    pub(crate) timer: TimerKey,
    pub(crate) call: Option<Opaque>,
    pub(crate) attempts: Attempts,
}
