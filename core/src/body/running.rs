//! What a consumer tells of itself when a broker asks: its running info, and how it handled a
//! message on demand.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::error::{BodyError, ObjectWriter, json_body, parse};
use super::heartbeat::SubscriptionData;
use super::queue::QueueTable;
use super::text::or_default;

/// The body of the reply to `GET_CONSUMER_RUNNING_INFO` (307): `ConsumerRunningInfo`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RunningInfo {
    /// The stacks of the threads, where they were asked for.
    pub jstack: Option<String>,
    /// The queues it pops from.
    pub mq_pop_table: QueueTable<PopQueueInfo>,
    /// The queues it pulls from.
    pub mq_table: QueueTable<PullQueueInfo>,
    /// Settings, and `PROP_CONSUME_TYPE`, `PROP_CLIENT_VERSION`, `PROP_CONSUMER_START_TIMESTAMP`
    /// and so on, by which Java's admin tools know what they see.
    #[serde(deserialize_with = "or_default")]
    pub properties: BTreeMap<String, String>,
    /// How it goes, by topic.
    #[serde(deserialize_with = "or_default")]
    pub status_table: BTreeMap<String, ConsumeStatus>,
    /// What it subscribes to.
    #[serde(deserialize_with = "or_default")]
    pub subscription_set: Vec<SubscriptionData>,
    /// What the application adds.
    #[serde(deserialize_with = "or_default")]
    pub user_consumer_info: BTreeMap<String, String>,
}

impl RunningInfo {
    /// Reads the body: at most 16 MiB.
    pub fn parse(json: &[u8]) -> Result<Self, BodyError> {
        parse("running info", json)
    }

    /// The body as Java's admin tools read it.
    pub fn to_json(&self) -> Vec<u8> {
        let object = ObjectWriter::new();
        let object = match &self.jstack {
            Some(jstack) => object.field("jstack", jstack),
            None => object,
        };
        object
            .member("mqPopTable", |out| self.mq_pop_table.write(out))
            .member("mqTable", |out| self.mq_table.write(out))
            .field("properties", &self.properties)
            .field("statusTable", &self.status_table)
            .field("subscriptionSet", &self.subscription_set)
            .field("userConsumerInfo", &self.user_consumer_info)
            .end()
    }
}

/// One queue that is pulled from (`ProcessQueueInfo`). Times are in milliseconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PullQueueInfo {
    /// Messages fetched and not settled.
    pub cached_msg_count: i32,
    /// The largest offset of these.
    pub cached_msg_max_offset: i64,
    /// The least one.
    pub cached_msg_min_offset: i64,
    /// Their bodies, in MiB.
    #[serde(rename = "cachedMsgSizeInMiB")]
    pub cached_msg_size_mib: i32,
    /// The offset of the next message to settle.
    pub commit_offset: i64,
    /// No longer this consumer's; Java spells it so.
    #[serde(rename = "droped")]
    pub dropped: bool,
    /// When a message was handled last.
    pub last_consume_timestamp: i64,
    /// When the queue was locked last.
    pub last_lock_timestamp: i64,
    /// When the broker was asked last.
    pub last_pull_timestamp: i64,
    /// Locked for orderly consumption.
    pub locked: bool,
    /// Messages in hand of an orderly consumer.
    pub transaction_msg_count: i32,
    /// The largest offset of these.
    pub transaction_msg_max_offset: i64,
    /// The least one.
    pub transaction_msg_min_offset: i64,
    /// How often giving the lock back failed.
    pub try_unlock_times: i64,
}

/// One queue that is popped from (`PopProcessQueueInfo`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PopQueueInfo {
    /// No longer this consumer's; Java spells it so.
    #[serde(rename = "droped")]
    pub dropped: bool,
    /// When the broker was asked last, in milliseconds since 1970.
    pub last_pop_timestamp: i64,
    /// Messages popped and not settled.
    pub wait_ack_count: i32,
}

/// How consumption of a topic goes (`ConsumeStatus`). Times are in milliseconds, rates per second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ConsumeStatus {
    /// Messages that failed within the hour.
    #[serde(rename = "consumeFailedMsgs")]
    pub failed: i64,
    /// Messages that fail per second.
    #[serde(rename = "consumeFailedTPS")]
    pub failed_rate: f64,
    /// Messages handled per second.
    #[serde(rename = "consumeOKTPS")]
    pub ok_rate: f64,
    /// How long a batch takes to handle.
    #[serde(rename = "consumeRT")]
    pub consume_millis: f64,
    /// How long a pull takes.
    #[serde(rename = "pullRT")]
    pub pull_millis: f64,
    /// Messages pulled per second.
    #[serde(rename = "pullTPS")]
    pub pull_rate: f64,
}

/// The body of the reply to `CONSUME_MESSAGE_DIRECTLY` (309): `ConsumeMessageDirectlyResult`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsumeDirectlyResult {
    /// Whether an orderly consumer commits by itself.
    #[serde(rename = "autoCommit", default)]
    pub auto_commit: bool,
    /// What the handler said.
    #[serde(rename = "consumeResult")]
    pub result: DirectResult,
    /// Whether the consumer is an orderly one.
    #[serde(default)]
    pub order: bool,
    /// Why it failed, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
    /// How long it took, in milliseconds.
    #[serde(rename = "spentTimeMills", default)]
    pub spent_millis: i64,
}

json_body!(ConsumeDirectlyResult, "result of direct consumption");

/// What a handler said to a message it was given on demand (`CMResult`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DirectResult {
    /// Done.
    CrSuccess,
    /// To be delivered again later.
    CrLater,
    /// An orderly consumer rolls its batch back.
    CrRollback,
    /// An orderly consumer commits its batch.
    CrCommit,
    /// The listener failed.
    CrThrowException,
    /// The listener said nothing.
    CrReturnNull,
}
