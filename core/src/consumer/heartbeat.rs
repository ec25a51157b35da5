//! What heartbeats say of consumers (`MQClientInstance.prepareHeartbeatData`).

use std::collections::BTreeSet;

use super::{Consumer, Consumers, Filter, Start};
use crate::body::{ConsumeFrom, ConsumeType, ConsumerData, MessageModel, SubscriptionData};
use crate::name::Topic;

impl Consumers {
    /// Those that have not left.
    pub(crate) fn heartbeat(&self) -> Vec<ConsumerData> {
        self.staying().map(|(_, consumer)| consumer_data(consumer)).collect()
    }
}

fn consumer_data(consumer: &Consumer) -> ConsumerData {
    let topics = consumer.subscribe.topics.iter();
    ConsumerData {
        consume_from: match consumer.subscribe.options.start {
            Start::First => ConsumeFrom::First,
            Start::Last => ConsumeFrom::Last,
        },
        consume_type: ConsumeType::Passively,
        group: consumer.subscribe.group.to_string(),
        model: MessageModel::Clustering,
        subscriptions: topics.map(|topic| subscription(topic, consumer.version)).collect(),
        unit_mode: false,
    }
}

fn subscription((topic, filter): &(Topic, Filter), version: i64) -> SubscriptionData {
    let tags = filter.wanted();
    SubscriptionData {
        class_filter: false,
        codes: tags.iter().flat_map(|tags| tags.codes()).collect(),
        expression_type: "TAG".to_owned(),
        expression: filter.text(),
        version,
        tags: tags.iter().flat_map(|tags| tags.iter()).map(str::to_owned).collect::<BTreeSet<_>>(),
        topic: topic.to_string(),
    }
}
