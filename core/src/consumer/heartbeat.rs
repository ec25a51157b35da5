//! What heartbeats say of consumers (`MQClientInstance.prepareHeartbeatData`).

use std::collections::BTreeSet;

use super::topics::Subscription;
use super::{Consumer, Consumers, Filter, Start, Taking};
use crate::body::{ConsumeFrom, ConsumeType, ConsumerData, SubscriptionData};
use crate::id::SubscriptionId;
use crate::name::Topic;

impl Consumers {
    /// Those that have not left and read something, each with the version of its subscriptions.
    pub(crate) fn heard(&self) -> impl Iterator<Item = (SubscriptionId, i64)> {
        self.reading().map(|(sub, consumer)| (sub, consumer.edition.version))
    }

    /// The same as brokers hear of them.
    pub(crate) fn heartbeat(&self) -> Vec<ConsumerData> {
        self.reading().map(|(_, consumer)| consumer_data(consumer)).collect()
    }

    /// A member that reads nothing would be given a share, which then is nobody's. One that waits
    /// for brokers' words on its filters has not joined.
    fn reading(&self) -> impl Iterator<Item = (SubscriptionId, &Consumer)> {
        let reads = |one: &Consumer| !one.topics.is_empty() && !one.wishes.hold_back();
        self.staying().filter(move |(_, consumer)| reads(consumer))
    }
}

fn consumer_data(consumer: &Consumer) -> ConsumerData {
    ConsumerData {
        consume_from: match consumer.options.start {
            Start::First => ConsumeFrom::First,
            Start::Last => ConsumeFrom::Last,
            Start::Time(_) => ConsumeFrom::Timestamp,
        },
        consume_type: match &consumer.options.taking {
            Taking::Delivered => ConsumeType::Passively,
            Taking::Polled(_) => ConsumeType::Actively,
        },
        group: consumer.group.wire().to_string(),
        model: consumer.options.model,
        // What was assigned is no part of what the group shares.
        subscriptions: match consumer.assigned {
            Some(_) => Vec::new(),
            None => subscriptions(consumer).collect(),
        },
        unit_mode: false,
    }
}

/// What it subscribes to.
pub(super) fn subscriptions(consumer: &Consumer) -> impl Iterator<Item = SubscriptionData> {
    consumer.topics.iter().map(|(_, of)| subscription(of))
}

fn subscription(of: &Subscription) -> SubscriptionData {
    data(&of.topic, &of.filter, of.edition.version)
}

/// One topic, read by that filter (`FilterAPI`).
pub(super) fn data(topic: &Topic, filter: &Filter, version: i64) -> SubscriptionData {
    let tags = filter.wanted();
    SubscriptionData {
        class_filter: false,
        codes: tags.iter().flat_map(|tags| tags.codes()).collect(),
        expression_type: filter.kind().to_owned(),
        expression: filter.text(),
        version,
        tags: tags.iter().flat_map(|tags| tags.iter()).map(str::to_owned).collect::<BTreeSet<_>>(),
        topic: topic.wire().to_string(),
    }
}
