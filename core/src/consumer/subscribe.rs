//! What a consumer asks for.

use super::{ConsumerOptions, Filter, Polling, Taking};
use crate::name::{Group, NameError, Namespace, Topic};

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

    /// The same in that namespace.
    pub(crate) fn within(self, namespace: &Namespace) -> Result<Self, NameError> {
        let Self { group, topics, mut options } = self;
        if let Taking::Polled(Polling { queues: Some(queues), .. }) = &mut options.taking {
            *queues = queues.iter().map(|queue| namespace.queue(queue)).collect();
        }
        let named = |(topic, filter)| Ok((namespace.checked_topic(topic)?, filter));
        let topics = topics.into_iter().map(named).collect::<Result<_, NameError>>()?;
        Ok(Self { group: namespace.checked_group(&group)?.of_consumers()?, topics, options })
    }
}
