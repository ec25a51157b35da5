//! What a consumer reads: its topics, each with a key of its own from subscribing to unsubscribing.

use super::Filter;
use crate::id::{Slots, TopicKey};
use crate::name::Topic;

/// One topic that is read.
#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) topic: Topic,
    pub(super) filter: Filter,
}

/// The topics of one consumer.
#[derive(Debug, Default)]
pub(super) struct Topics(Slots<TopicKey, Subscription>);

impl Topics {
    pub(super) fn new(topics: impl IntoIterator<Item = (Topic, Filter)>) -> Self {
        let mut slots = Slots::default();
        for (topic, filter) in topics {
            slots.insert(Subscription { topic, filter });
        }
        Self(slots)
    }

    pub(super) fn find(&self, topic: &Topic) -> Option<TopicKey> {
        self.iter().find_map(|(key, of)| (of.topic == *topic).then_some(key))
    }

    pub(super) fn get(&self, key: TopicKey) -> Option<&Subscription> {
        self.0.get(key)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (TopicKey, &Subscription)> {
        self.0.iter()
    }

    pub(super) fn keys(&self) -> Vec<TopicKey> {
        self.0.ids()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &Topic> {
        self.iter().map(|(_, subscription)| &subscription.topic)
    }
}
