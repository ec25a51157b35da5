//! What a consumer asks for.

use super::{ConsumerOptions, Filter};
use crate::name::{Group, Topic};

/// Where a group begins in a queue for which no offset is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[doc(alias = "ConsumeFromWhere")]
pub enum Start {
    /// At the oldest message (`CONSUME_FROM_FIRST_OFFSET`).
    First,
    /// After the newest message, as Java's default (`CONSUME_FROM_LAST_OFFSET`). A broker answers
    /// 0 for a queue so young that its first message is still in memory.
    #[default]
    Last,
}

/// A consumer to be: its group, its topics, and where it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribe {
    /// The group whose members share the queues.
    pub group: Group,
    /// The topics, each with its filter. At least one.
    pub topics: Vec<(Topic, Filter)>,
    /// What it does otherwise than the client's settings say.
    pub options: ConsumerOptions,
}

impl Subscribe {
    /// All messages of `topic`, beginning after the newest.
    pub fn new(group: Group, topic: Topic) -> Self {
        Self { group, topics: vec![(topic, Filter::All)], options: ConsumerOptions::default() }
    }
}
