//! What a consumer reads: its topics, each with a key of its own from subscribing to unsubscribing.

use super::Filter;
use crate::id::{Slots, TopicKey};
use crate::name::Topic;

/// Which of all subscriptions one is: what brokers know by its version, and we by the revision of
/// heartbeats that first told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Edition {
    /// Java's `subVersion`: wall time of the subscription, or of its last change.
    pub(super) version: i64,
    /// The first revision of our heartbeats that tells of it.
    pub(super) revision: u64,
}

/// One topic that is read.
#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) topic: Topic,
    pub(super) filter: Filter,
    pub(super) edition: Edition,
}

/// The topics of one consumer.
#[derive(Debug, Default)]
pub(super) struct Topics(Slots<TopicKey, Subscription>);

impl Topics {
    pub(super) fn new(topics: impl IntoIterator<Item = (Topic, Filter)>, edition: Edition) -> Self {
        let mut slots = Slots::default();
        for (topic, filter) in topics {
            slots.insert(Subscription { topic, filter, edition });
        }
        Self(slots)
    }

    pub(super) fn get(&self, key: TopicKey) -> Option<&Subscription> {
        self.0.get(key)
    }

    pub(super) fn get_mut(&mut self, key: TopicKey) -> Option<&mut Subscription> {
        self.0.get_mut(key)
    }

    /// The one of that topic.
    pub(super) fn find(&self, topic: &Topic) -> Option<TopicKey> {
        self.iter().find(|(_, of)| of.topic == *topic).map(|(key, _)| key)
    }

    pub(super) fn insert(&mut self, subscription: Subscription) {
        self.0.insert(subscription);
    }

    pub(super) fn remove(&mut self, key: TopicKey) -> Option<Subscription> {
        self.0.remove(key)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (TopicKey, &Subscription)> {
        self.0.iter()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &Topic> {
        self.iter().map(|(_, subscription)| &subscription.topic)
    }
}
