//! How the messages of a consumer are taken, and settled by that.

use std::collections::BTreeSet;

use crate::name::QueueName;

/// How the messages of a consumer are taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Taking {
    /// They are handed out as they come, and each is settled by itself.
    #[default]
    Delivered,
    /// They are polled, as by Java's `DefaultLitePullConsumer`: what one poll gives is settled by
    /// the next.
    Polled(Polling),
}

/// What a consumer that is polled does otherwise than others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Polling {
    /// What is settled is committed every `commit_interval`, when a queue is given up, and at the
    /// end; else nothing is committed that was not asked for.
    pub auto_commit: bool,
    /// The queues that it reads, whoever else is in the group: no members are asked for. `None`: it
    /// subscribes to topics, whose queues the group's members share.
    pub queues: Option<BTreeSet<QueueName>>,
    /// It is told of the queues of the topics that it reads, whoever reads them, at first and when
    /// they change ([`Event::TopicQueues`](crate::engine::Event::TopicQueues)).
    pub watches: bool,
}

impl Default for Polling {
    fn default() -> Self {
        Self { auto_commit: true, queues: None, watches: false }
    }
}

impl Taking {
    /// What it says of polls, where messages are polled.
    pub(super) const fn polling(&self) -> Option<&Polling> {
        match self {
            Self::Delivered => None,
            Self::Polled(polling) => Some(polling),
        }
    }
}
