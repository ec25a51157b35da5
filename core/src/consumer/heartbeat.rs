//! What heartbeats say of consumers (`MQClientInstance.prepareHeartbeatData`).

use std::collections::BTreeSet;

use super::{Consumer, Consumers, Expression, Start};
use crate::body::{ConsumeFrom, ConsumeType, ConsumerData, MessageModel, SubscriptionData};
use crate::name::Topic;

impl Consumers {
    /// Whether one of them reads the topic.
    pub(crate) fn reads(&self, topic: &Topic) -> bool {
        let mut consumers = self.iter().filter(|(_, consumer)| !consumer.is_leaving());
        consumers.any(|(_, c)| c.subscribe.topics.iter().any(|(own, _)| own == topic))
    }

    /// Those that have not left.
    pub(crate) fn heartbeat(&self) -> Vec<ConsumerData> {
        let consumers = self.iter().map(|(_, consumer)| consumer);
        consumers.filter(|consumer| !consumer.is_leaving()).map(consumer_data).collect()
    }
}

fn consumer_data(consumer: &Consumer) -> ConsumerData {
    let topics = consumer.subscribe.topics.iter();
    ConsumerData {
        consume_from: match consumer.subscribe.start {
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

fn subscription((topic, expression): &(Topic, Expression), version: i64) -> SubscriptionData {
    let tags = expression.tags();
    SubscriptionData {
        class_filter: false,
        codes: tags.iter().flat_map(|tags| tags.codes()).collect(),
        expression_type: "TAG".to_owned(),
        expression: expression.text(),
        version,
        tags: tags.iter().flat_map(|tags| tags.iter()).map(str::to_owned).collect::<BTreeSet<_>>(),
        topic: topic.to_string(),
    }
}
