//! Topics and groups as admin tools list and configure them, and who is connected for a group.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::error::json_body;
use super::heartbeat::{ConsumeFrom, ConsumeType, MessageModel, SubscriptionData};
use super::text::or_default;

/// The body of the reply to `GET_ALL_TOPIC_LIST_FROM_NAMESERVER` (206): `TopicList`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicList {
    /// A broker, where only its topics are meant.
    #[serde(rename = "brokerAddr", default, skip_serializing_if = "Option::is_none")]
    pub broker_address: Option<String>,
    /// The topics, those of the system too.
    #[serde(rename = "topicList", default, deserialize_with = "or_default")]
    pub topics: BTreeSet<String>,
}

json_body!(TopicList, "topic list");

/// A topic's configuration (`TopicConfig`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TopicConfig {
    /// Attributes, as `message.type`.
    #[serde(default, deserialize_with = "or_default")]
    pub attributes: BTreeMap<String, String>,
    /// Whether it is of global order.
    #[serde(default)]
    pub order: bool,
    /// 4: readable, 2: writable (`PermName`).
    #[serde(default)]
    pub perm: i32,
    /// Queues to read from.
    #[serde(rename = "readQueueNums", default)]
    pub read_queues: i32,
    /// `SINGLE_TAG` or `MULTI_TAG`.
    #[serde(rename = "topicFilterType", default, deserialize_with = "or_default")]
    pub filter_type: String,
    /// The topic.
    pub topic_name: String,
    /// `TopicSysFlag`.
    #[serde(default)]
    pub topic_sys_flag: i32,
    /// Queues to send to.
    #[serde(rename = "writeQueueNums", default)]
    pub write_queues: i32,
}

json_body!(TopicConfig, "topic configuration");

impl TopicConfig {
    /// A topic to read from and to send to, with so many queues.
    pub fn new(topic: &str, queues: i32) -> Self {
        Self {
            attributes: BTreeMap::new(),
            order: false,
            perm: 6,
            read_queues: queues,
            filter_type: "SINGLE_TAG".to_owned(),
            topic_name: topic.to_owned(),
            topic_sys_flag: 0,
            write_queues: queues,
        }
    }
}

/// The body of `UPDATE_AND_CREATE_TOPIC_LIST` (18): `CreateTopicListRequestBody`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicConfigList {
    /// The topics.
    #[serde(rename = "topicConfigList", default, deserialize_with = "or_default")]
    pub topics: Vec<TopicConfig>,
}

json_body!(TopicConfigList, "list of topic configurations");

/// The body of the reply to `GET_ALL_TOPIC_CONFIG` (21): `TopicConfigSerializeWrapper`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicConfigTable {
    /// The topics, by name.
    #[serde(rename = "topicConfigTable", default, deserialize_with = "or_default")]
    pub topics: BTreeMap<String, TopicConfig>,
}

json_body!(TopicConfigTable, "table of topic configurations");

/// A group's configuration, the body of `UPDATE_AND_CREATE_SUBSCRIPTIONGROUP` (200):
/// `SubscriptionGroupConfig`. What is missing gets Java's defaults.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GroupConfig {
    /// Attributes.
    #[serde(deserialize_with = "or_default")]
    pub attributes: BTreeMap<String, String>,
    /// The broker to read from; 0: the master.
    pub broker_id: i64,
    /// Whether it may consume by broadcast.
    pub consume_broadcast_enable: bool,
    /// Whether it may consume at all.
    pub consume_enable: bool,
    /// Whether a new group may begin at a queue's first message.
    pub consume_from_min_enable: bool,
    /// Whether queues are popped in order.
    pub consume_message_orderly: bool,
    /// How long a message may take, in minutes.
    pub consume_timeout_minute: i32,
    /// The group.
    pub group_name: String,
    /// Flags.
    pub group_sys_flag: i32,
    /// Whether members hear of each other at once.
    pub notify_consumer_ids_changed_enable: bool,
    /// After how many attempts a message becomes a dead letter.
    pub retry_max_times: i32,
    /// Queues of the retry topic; 0: failed messages are dropped.
    pub retry_queue_nums: i32,
    /// The broker to read from by those that lag.
    pub which_broker_when_consume_slowly: i64,
}

impl Default for GroupConfig {
    fn default() -> Self {
        Self {
            attributes: BTreeMap::new(),
            broker_id: 0,
            consume_broadcast_enable: true,
            consume_enable: true,
            consume_from_min_enable: true,
            consume_message_orderly: false,
            consume_timeout_minute: 15,
            group_name: String::new(),
            group_sys_flag: 0,
            notify_consumer_ids_changed_enable: true,
            retry_max_times: 16,
            retry_queue_nums: 1,
            which_broker_when_consume_slowly: 1,
        }
    }
}

json_body!(GroupConfig, "group configuration");

/// The body of `UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST` (225): `SubscriptionGroupList`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupConfigList {
    /// The groups.
    #[serde(rename = "groupConfigList", default, deserialize_with = "or_default")]
    pub groups: Vec<GroupConfig>,
}

json_body!(GroupConfigList, "list of group configurations");

/// The body of the reply to `GET_ALL_SUBSCRIPTIONGROUP_CONFIG` (201): `SubscriptionGroupWrapper`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupConfigTable {
    /// The groups, by name.
    #[serde(rename = "subscriptionGroupTable", default, deserialize_with = "or_default")]
    pub groups: BTreeMap<String, GroupConfig>,
}

json_body!(GroupConfigTable, "table of group configurations");

/// One connected client (`Connection`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// Where it comes from, as "ip:port".
    #[serde(rename = "clientAddr", default, deserialize_with = "or_default")]
    pub address: String,
    /// Its id.
    #[serde(rename = "clientId")]
    pub client_id: String,
    /// Its language, as `LanguageCode` names it.
    #[serde(default, deserialize_with = "or_default")]
    pub language: String,
    /// Its version, an ordinal of `MQVersion.Version`.
    #[serde(default)]
    pub version: i32,
}

/// The body of the reply to `GET_CONSUMER_CONNECTION_LIST` (203): `ConsumerConnection`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsumerConnections {
    /// The clients.
    #[serde(rename = "connectionSet", default, deserialize_with = "or_default")]
    pub connections: Vec<Connection>,
    /// Where the group starts on a queue that it has no offset for.
    #[serde(rename = "consumeFromWhere", default)]
    pub consume_from: ConsumeFrom,
    /// Who decides when to pull.
    #[serde(rename = "consumeType", default)]
    pub consume_type: ConsumeType,
    /// Whether the group shares messages out.
    #[serde(rename = "messageModel", default)]
    pub model: MessageModel,
    /// What it subscribes to, by topic.
    #[serde(rename = "subscriptionTable", default, deserialize_with = "or_default")]
    pub subscriptions: BTreeMap<String, SubscriptionData>,
}

json_body!(ConsumerConnections, "list of consumer connections");

/// The body of the reply to `GET_PRODUCER_CONNECTION_LIST` (204): `ProducerConnection`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProducerConnections {
    /// The clients.
    #[serde(rename = "connectionSet", default, deserialize_with = "or_default")]
    pub connections: Vec<Connection>,
}

json_body!(ProducerConnections, "list of producer connections");

/// The body of `CHECK_CLIENT_CONFIG` (46): `CheckClientRequestBody`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckClientBody {
    /// The client.
    #[serde(rename = "clientId")]
    pub client_id: String,
    /// Its group.
    pub group: String,
    /// The namespace that topic and group lie in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The subscription to check: a broker compiles its expression.
    #[serde(rename = "subscriptionData")]
    pub subscription: SubscriptionData,
}

json_body!(CheckClientBody, "check of a client");
