//! What a consumer reads: its topics, each with a key of its own from subscribing to it until
//! unsubscribing, and the retry topic of its group, which it reads by itself
//! (`DefaultMQPushConsumerImpl.copySubscription`).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Filter, Start};
use crate::id::{Slots, TopicKey};
use crate::name::{Group, QueueName, Topic};

/// Why a topic is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The application asks for it.
    Own,
    /// Messages that were sent back come from it. Brokers make it, with the group's first heartbeat
    /// or its first message: that it is not there is no trouble, and nothing waits for it.
    Retry,
}

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
    pub(super) role: Role,
    /// What pulls say of the filter: its text, and the language of that.
    pub(super) said: (Arc<str>, Arc<str>),
}

impl Subscription {
    pub(super) fn new(topic: Topic, filter: Filter, edition: Edition, role: Role) -> Self {
        let said = (filter.text().into(), filter.kind().into());
        Self { topic, filter, edition, role, said }
    }
}

/// The topics of one consumer: there may be tens of thousands, and each route and each share asks
/// for one of them.
#[derive(Debug, Default)]
pub(super) struct Topics {
    slots: Slots<TopicKey, Subscription>,
    by_name: BTreeMap<Topic, TopicKey>,
    /// The one that messages come from which were sent back.
    retry: Option<TopicKey>,
}

impl Topics {
    /// Those that are asked for, and the group's retry topic where messages may be sent back.
    pub(super) fn new(
        group: &Group,
        topics: impl IntoIterator<Item = (Topic, Filter)>,
        edition: Edition,
        sends_back: bool,
    ) -> Self {
        let (mut own, retry) = (Self::default(), Topic::retry_of(group));
        for (topic, filter) in topics.into_iter().filter(|(topic, _)| *topic != retry) {
            own.insert(Subscription::new(topic, filter, edition, Role::Own));
        }
        // What could not be handled is sent to nobody by a group that broadcasts, or polls.
        if sends_back {
            own.insert(Subscription::new(retry, Filter::All, edition, Role::Retry));
        }
        own
    }

    pub(super) fn get(&self, key: TopicKey) -> Option<&Subscription> {
        self.slots.get(key)
    }

    pub(super) fn get_mut(&mut self, key: TopicKey) -> Option<&mut Subscription> {
        self.slots.get_mut(key)
    }

    /// The one of that topic, if the application asked for it.
    pub(super) fn find_own(&self, topic: &Topic) -> Option<TopicKey> {
        self.find(topic).filter(|key| self.get(*key).is_some_and(|of| of.role == Role::Own))
    }

    /// The one of that topic.
    pub(super) fn find(&self, topic: &Topic) -> Option<TopicKey> {
        self.by_name.get(topic).copied()
    }

    pub(super) fn insert(&mut self, subscription: Subscription) {
        let (name, role) = (subscription.topic.clone(), subscription.role);
        let key = self.slots.insert(subscription);
        self.by_name.insert(name, key);
        if role == Role::Retry {
            self.retry = Some(key);
        }
    }

    pub(super) fn remove(&mut self, key: TopicKey) -> Option<Subscription> {
        let gone = self.slots.remove(key)?;
        self.by_name.remove(&gone.topic);
        self.retry.take_if(|retry| *retry == key);
        Some(gone)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (TopicKey, &Subscription)> {
        self.slots.iter()
    }

    /// Whether the application asks for none.
    pub(super) fn is_empty(&self) -> bool {
        self.own().next().is_none()
    }

    /// The keys of all.
    pub(super) fn keys(&self) -> Vec<TopicKey> {
        self.slots.ids()
    }

    /// All that are read.
    pub(super) fn names(&self) -> impl Iterator<Item = &Topic> {
        self.iter().map(|(_, subscription)| &subscription.topic)
    }

    /// Those that the application asks for.
    pub(super) fn own(&self) -> impl Iterator<Item = &Topic> {
        let own = self.iter().filter(|(_, of)| of.role == Role::Own);
        own.map(|(_, subscription)| &subscription.topic)
    }

    /// The one that messages come from which were sent back.
    pub(super) fn retry(&self) -> Option<&Topic> {
        self.get(self.retry?).map(|subscription| &subscription.topic)
    }

    /// Leaves out the queues of the retry topic, which are no business of the application's.
    pub(super) fn retain_own(&self, queues: &mut Vec<QueueName>) {
        queues.retain(|queue| self.retry() != Some(&queue.topic));
    }

    /// Where a group without an offset begins in the topic's queues: what was sent back is for the
    /// group in any case (`RebalancePushImpl.computePullFromWhere`).
    pub(super) fn start(&self, key: TopicKey, start: Start) -> Start {
        match self.get(key).map(|of| of.role) {
            Some(Role::Retry) => Start::First,
            Some(Role::Own) | None => start,
        }
    }
}
