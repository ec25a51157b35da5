//! What a consumer asks for.

use super::{ConsumerOptions, Filter};
use crate::name::{Group, Topic};

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
