//! What a heartbeat says of us (`MQClientInstance.prepareHeartbeatData`).

use std::collections::BTreeSet;

use bytes::Bytes;

use super::Engine;
use crate::body::{
    ConsumeFrom, ConsumeType, ConsumerData, Heartbeat, MessageModel, ProducerData, SubscriptionData,
};
use crate::consumer::{Consumer, Expression, Start};
use crate::name::Topic;

impl Engine {
    /// Whether there is anything to say: a client without groups sends no heartbeat.
    pub(super) fn has_groups(&self) -> bool {
        !self.producers.groups.is_empty() || !self.consumers.is_empty()
    }

    /// The heartbeat's body as it is now.
    pub(super) fn heartbeat(&self) -> Bytes {
        let producers = self.producers.groups.iter();
        let consumers = self.consumers.iter().map(|(_, consumer)| consumer);
        let heartbeat = Heartbeat {
            client_id: self.ground.client_id.to_string(),
            consumers: consumers.filter(|c| !c.is_leaving()).map(consumer_data).collect(),
            fingerprint: 0,
            producers: producers.map(|group| ProducerData { group: group.to_string() }).collect(),
            without_sub: false,
        };
        Bytes::from(heartbeat.to_json())
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
