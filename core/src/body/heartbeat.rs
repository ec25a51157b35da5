//! What a client tells every broker about its groups (`HeartbeatData`).

use std::collections::BTreeSet;
use std::sync::OnceLock;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::error::{BodyError, parse, to_json};
use super::text::or_default;
use crate::message::java_string_hash;

/// The body of `HEART_BEAT` (34).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// The client's id, by which the broker tells members of a group apart.
    #[serde(rename = "clientID", default, deserialize_with = "or_default")]
    pub client_id: String,
    /// Its consumer groups, each with all subscriptions.
    #[serde(rename = "consumerDataSet", default, deserialize_with = "or_default")]
    pub consumers: Vec<ConsumerData>,
    /// What [`Self::fingerprint_of_content`] gives, or 0 for a client without heartbeat V2.
    #[serde(rename = "heartbeatFingerprint", default)]
    pub fingerprint: i32,
    /// Its producer groups.
    #[serde(rename = "producerDataSet", default, deserialize_with = "or_default")]
    pub producers: Vec<ProducerData>,
    /// The subscriptions are left out, being those of the last full heartbeat (V2).
    #[serde(rename = "withoutSub", default)]
    pub without_sub: bool,
}

/// A heartbeat that is written as JSON once, by whoever needs it first: the writer of a connection,
/// which holds no lock. All brokers are sent the same bytes.
#[derive(Debug)]
pub struct SharedHeartbeat {
    heartbeat: Heartbeat,
    json: OnceLock<Bytes>,
}

impl From<Heartbeat> for SharedHeartbeat {
    fn from(heartbeat: Heartbeat) -> Self {
        Self { heartbeat, json: OnceLock::new() }
    }
}

impl SharedHeartbeat {
    /// The body as JSON.
    pub fn json(&self) -> &Bytes {
        self.json.get_or_init(|| self.heartbeat.to_json().into())
    }
}

/// One producer group (`ProducerData`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProducerData {
    /// The group.
    #[serde(rename = "groupName")]
    pub group: String,
}

/// One consumer group (`ConsumerData`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsumerData {
    /// Where the group starts on a queue that it has no offset for.
    #[serde(rename = "consumeFromWhere", default)]
    pub consume_from: ConsumeFrom,
    /// Who decides when to pull.
    #[serde(rename = "consumeType", default)]
    pub consume_type: ConsumeType,
    /// The group.
    #[serde(rename = "groupName")]
    pub group: String,
    /// Whether the group shares messages out or each member gets all.
    #[serde(rename = "messageModel", default)]
    pub model: MessageModel,
    /// What it subscribes to. The same in all members of the group, or messages get lost.
    #[serde(rename = "subscriptionDataSet", default, deserialize_with = "or_default")]
    pub subscriptions: Vec<SubscriptionData>,
    /// Units are a deployment of Alibaba's: false.
    #[serde(rename = "unitMode", default)]
    pub unit_mode: bool,
}

/// One subscription (`SubscriptionData`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionData {
    /// The filter is a Java class: no longer supported.
    #[serde(rename = "classFilterMode", default)]
    pub class_filter: bool,
    /// Hashes of the tags, by which the broker filters
    /// ([`java_string_hash`]).
    #[serde(rename = "codeSet", default, deserialize_with = "or_default")]
    pub codes: BTreeSet<i32>,
    /// "TAG" or "SQL92".
    #[serde(rename = "expressionType", default = "tag", deserialize_with = "tag_if_null")]
    pub expression_type: String,
    /// The expression, as "A || B", or "*" for everything.
    #[serde(rename = "subString", default, deserialize_with = "or_default")]
    pub expression: String,
    /// When the subscription was made or changed, in milliseconds since 1970.
    #[serde(rename = "subVersion", default)]
    pub version: i64,
    /// The tags of the expression; none for "*" and for SQL.
    #[serde(rename = "tagsSet", default, deserialize_with = "or_default")]
    pub tags: BTreeSet<String>,
    /// The topic.
    pub topic: String,
}

fn tag() -> String {
    "TAG".to_owned()
}

fn tag_if_null<'de, D: serde::Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    Option::deserialize(from).map(|found| found.unwrap_or_else(tag))
}

/// Where a group starts on a queue that it has no offset for (`ConsumeFromWhere`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ConsumeFrom {
    /// Only what comes from now on.
    #[default]
    #[serde(
        rename = "CONSUME_FROM_LAST_OFFSET",
        alias = "CONSUME_FROM_LAST_OFFSET_AND_FROM_MIN_WHEN_BOOT_FIRST",
        alias = "CONSUME_FROM_MIN_OFFSET",
        alias = "CONSUME_FROM_MAX_OFFSET"
    )]
    Last,
    /// All that the broker still has.
    #[serde(rename = "CONSUME_FROM_FIRST_OFFSET")]
    First,
    /// What was stored from a moment on.
    #[serde(rename = "CONSUME_FROM_TIMESTAMP")]
    Timestamp,
}

/// Who decides when to pull (`ConsumeType`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ConsumeType {
    /// The application (pull and lite pull).
    #[serde(rename = "CONSUME_ACTIVELY")]
    Actively,
    /// The client (push).
    #[default]
    #[serde(rename = "CONSUME_PASSIVELY")]
    Passively,
    /// The client, by pop. Java's own says `CONSUME_PASSIVELY` all the same.
    #[serde(rename = "CONSUME_POP")]
    Pop,
}

/// Whether a group shares messages out (`MessageModel`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum MessageModel {
    /// Each message goes to one member.
    #[default]
    #[serde(rename = "CLUSTERING")]
    Clustering,
    /// Each message goes to every member.
    #[serde(rename = "BROADCASTING")]
    Broadcasting,
}

impl Heartbeat {
    /// Reads the body: at most 16 MiB. Unknown fields and the order of fields don't matter.
    pub fn parse(json: &[u8]) -> Result<Self, BodyError> {
        parse("heartbeat", json)
    }

    /// The body as JSON, with fields in the order that Java writes them.
    pub fn to_json(&self) -> Vec<u8> {
        to_json(self)
    }

    /// What heartbeat V2 compares: Java's hash of the JSON without client, versions and marks
    /// (`HeartbeatData.computeHeartbeatFingerprint`). Keep groups and subscriptions sorted, or it
    /// changes when nothing has.
    pub fn fingerprint_of_content(&self) -> i32 {
        let mut content = self.clone();
        content.client_id.clear();
        content.fingerprint = 0;
        content.without_sub = false;
        for subscription in content.consumers.iter_mut().flat_map(|c| &mut c.subscriptions) {
            subscription.version = 0;
        }
        java_string_hash(&String::from_utf8_lossy(&content.to_json()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn golden() -> &'static str {
        let text = include_str!("../../../conformance/golden/bodies.txt");
        text.lines().find_map(|line| line.strip_prefix("heartbeat = ")).unwrap()
    }

    fn heartbeat() -> Heartbeat {
        let tags = ["A", "B"].map(str::to_owned);
        Heartbeat {
            client_id: "ip@pid".into(),
            consumers: vec![ConsumerData {
                consume_from: ConsumeFrom::Last,
                consume_type: ConsumeType::Passively,
                group: "g".into(),
                model: MessageModel::Clustering,
                subscriptions: vec![SubscriptionData {
                    class_filter: false,
                    codes: tags.iter().map(|tag| java_string_hash(tag)).collect(),
                    expression_type: tag(),
                    expression: "A || B".into(),
                    version: 1,
                    tags: tags.into(),
                    topic: "T".into(),
                }],
                unit_mode: false,
            }],
            fingerprint: 0,
            producers: vec![ProducerData { group: "pg".into() }],
            without_sub: false,
        }
    }

    #[test]
    fn a_heartbeat_is_written_and_read_as_java_does() {
        assert_eq!(String::from_utf8(heartbeat().to_json()).unwrap(), golden());
        assert_eq!(Heartbeat::parse(golden().as_bytes()), Ok(heartbeat()));
    }

    #[test]
    fn the_fingerprint_is_javas_and_ignores_what_changes_by_itself() {
        let mut heartbeat = heartbeat();
        assert_eq!(heartbeat.fingerprint_of_content(), 1_745_656_135);
        heartbeat.client_id = "other".into();
        heartbeat.consumers[0].subscriptions[0].version = 99;
        heartbeat.fingerprint = 5;
        heartbeat.without_sub = true;
        assert_eq!(heartbeat.fingerprint_of_content(), 1_745_656_135);
        heartbeat.producers.clear();
        assert_ne!(heartbeat.fingerprint_of_content(), 1_745_656_135);
    }

    #[test]
    fn a_heartbeat_of_another_client_may_leave_fields_out() {
        let json = br#"{"clientID":"go","producerDataSet":[{"groupName":"p"}],"later":{"a":[1]},
            "consumerDataSet":[{"groupName":"g","consumeFromWhere":"CONSUME_FROM_MAX_OFFSET",
            "subscriptionDataSet":[{"topic":"T","expressionType":null,"codeSet":null}]}]}"#;
        let read = Heartbeat::parse(json).unwrap();
        assert_eq!((&*read.client_id, &*read.producers[0].group), ("go", "p"));
        let subscription = &read.consumers[0].subscriptions[0];
        assert_eq!((&*subscription.topic, &*subscription.expression_type), ("T", "TAG"));
        assert_eq!(read.consumers[0].model, MessageModel::Clustering);
        assert!(Heartbeat::parse(br#"{"consumerDataSet":[{}]}"#).is_err());
    }
}
