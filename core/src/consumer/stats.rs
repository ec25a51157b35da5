//! Consumers as data and as text for people.

use std::fmt;

use super::{Consumer, Consumers, Phase};
use crate::name::QueueName;
use crate::name::{Group, Topic};

/// One consumer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConsumerStats {
    /// Its group.
    pub group: Group,
    /// Its topics.
    pub topics: Vec<Topic>,
    /// How far it has come: `joining`, `member`, `draining`, `committing` or `unregistering`.
    pub phase: &'static str,
    /// The queues that are its share now.
    pub queues: Vec<QueueStats>,
}

/// One queue of a consumer's share.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueStats {
    /// The queue.
    pub queue: QueueName,
    /// What it is doing: `awaiting hand-over`, `needs offset`, `fetching offset`, `ready`,
    /// `pulling`, `pausing` or `throttled`.
    pub state: &'static str,
    /// The offset of the next pull.
    pub next: i64,
    /// The offset the broker last confirmed as the group's.
    pub committed: Option<i64>,
    /// Messages pulled and not settled.
    pub messages: usize,
    /// Bytes of memory that they hold: what `queue_bytes` bounds.
    pub bytes: usize,
}

impl Consumers {
    /// Every consumer as data.
    pub(crate) fn stats(&self) -> impl Iterator<Item = ConsumerStats> {
        self.iter().map(|(_, consumer)| consumer.stats())
    }
}

impl Consumer {
    fn stats(&self) -> ConsumerStats {
        ConsumerStats {
            group: self.group.clone(),
            topics: self.topics.names().cloned().collect(),
            phase: match self.phase {
                Phase::Joining | Phase::Member if self.is_draining() => "draining",
                Phase::Joining => "joining",
                Phase::Member => "member",
                Phase::Committing => "committing",
                Phase::Unregistering { .. } => "unregistering",
            },
            queues: self.queues.iter().map(|(_, queue)| queue.stats()).collect(),
        }
    }
}

impl fmt::Display for ConsumerStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { group, topics, phase, queues } = self;
        write!(f, "consumer {group} of")?;
        topics.iter().try_for_each(|topic| write!(f, " {topic}"))?;
        writeln!(f, ": {phase}, {} queues", queues.len())?;
        for QueueStats { queue, state, next, committed, messages, bytes } in queues {
            let QueueName { topic, broker, queue } = queue;
            write!(f, "  queue {queue} of {topic} on {broker}: {state}, next {next}, committed ")?;
            match committed {
                Some(offset) => write!(f, "{offset}")?,
                None => f.write_str("none")?,
            }
            writeln!(f, ", {messages} messages of {bytes} bytes held")?;
        }
        Ok(())
    }
}
