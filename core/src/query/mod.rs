//! Questions of the application: a topic's queues, the first and last offset of one of them.
//!
//! Codes: `GET_ROUTEINFO_BY_TOPIC` (105), `GET_MIN_OFFSET` (31), `GET_MAX_OFFSET` (30).

use std::sync::Arc;
use std::time::Duration;

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
    /// The queues of a topic that may be written to, and how their brokers fare. A topic that a
    /// broker would create has those of `TBW102`.
    Writable(Topic),
    /// The offset of a queue's first message.
    MinOffset(QueueName),
    /// The offset after a queue's last message: how many messages it ever took.
    MaxOffset(QueueName),
}

impl Query {
    pub(crate) const fn topic(&self) -> &Topic {
        match self {
            Self::Queues(topic) | Self::Writable(topic) => topic,
            Self::MinOffset(queue) | Self::MaxOffset(queue) => &queue.topic,
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
