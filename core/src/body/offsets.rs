//! Offsets of many queues at once: moved, shown, and compared with what the broker has.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use super::error::{BodyError, ObjectWriter, parse};
use super::queue::{MessageQueue, QueueTable};
use super::text::or_default;

/// The body of `RESET_CONSUMER_CLIENT_OFFSET` (220), and of 222's reply: `ResetOffsetBody`, for
/// C++ clients `ResetOffsetBodyForC`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct ResetOffsetBody {
    /// Where each queue is to go on.
    #[serde(rename = "offsetTable", default, deserialize_with = "table_or_list")]
    pub offsets: QueueTable<i64>,
}

#[derive(Deserialize)]
struct QueueOffset {
    #[serde(flatten)]
    queue: MessageQueue,
    offset: i64,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum TableOrList {
    List(Vec<QueueOffset>),
    Table(QueueTable<i64>),
}

fn table_or_list<'de, D: Deserializer<'de>>(from: D) -> Result<QueueTable<i64>, D::Error> {
    Ok(match Option::deserialize(from)? {
        None => QueueTable::default(),
        Some(TableOrList::Table(table)) => table,
        Some(TableOrList::List(list)) => list.into_iter().map(|e| (e.queue, e.offset)).collect(),
    })
}

impl ResetOffsetBody {
    /// Reads either form: a table with queues as keys, or a list.
    pub fn parse(json: &[u8]) -> Result<Self, BodyError> {
        parse("reset of offsets", json)
    }

    /// The table that Java reads.
    pub fn to_json(&self) -> Vec<u8> {
        ObjectWriter::new().member("offsetTable", |out| self.offsets.write(out)).end()
    }

    /// The list that C++ clients read.
    pub fn to_list_json(&self) -> Vec<u8> {
        #[derive(Serialize)]
        struct Entry<'a> {
            #[serde(flatten)]
            queue: &'a MessageQueue,
            offset: i64,
        }
        let entries = self.offsets.iter();
        let list: Vec<_> =
            entries.map(|(queue, offset)| Entry { queue, offset: *offset }).collect();
        ObjectWriter::new().field("offsetTable", &list).end()
    }
}

/// The body of the reply to `GET_CONSUMER_STATUS_FROM_CLIENT` (221): `GetConsumerStatusBody`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct ConsumerStatusBody {
    /// From a broker: the offsets of each client, by its id.
    #[serde(rename = "consumerTable", default, deserialize_with = "or_default")]
    pub clients: BTreeMap<String, QueueTable<i64>>,
    /// From a client: its own offsets.
    #[serde(rename = "messageQueueTable", default)]
    pub offsets: QueueTable<i64>,
}

impl ConsumerStatusBody {
    /// Reads the body: at most 16 MiB.
    pub fn parse(json: &[u8]) -> Result<Self, BodyError> {
        parse("consumer status", json)
    }

    /// The body as Java's admin tools read it.
    pub fn to_json(&self) -> Vec<u8> {
        let clients = |out: &mut Vec<u8>| {
            let mut object = ObjectWriter::new();
            for (client, table) in &self.clients {
                object = object.member(client, |out| table.write(out));
            }
            out.extend_from_slice(&object.end());
        };
        ObjectWriter::new()
            .member("consumerTable", clients)
            .member("messageQueueTable", |out| self.offsets.write(out))
            .end()
    }
}

/// The body of the reply to `GET_CONSUME_STATS` (208): `ConsumeStats`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct ConsumeStats {
    /// Messages per second that the group consumes.
    #[serde(rename = "consumeTps", default)]
    pub rate: f64,
    /// Each queue's offsets.
    #[serde(rename = "offsetTable", default)]
    pub offsets: QueueTable<ConsumeOffset>,
}

/// How far a group is in one queue (`OffsetWrapper`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumeOffset {
    /// The offset after the queue's last message.
    pub broker_offset: i64,
    /// The offset that the group has stored.
    pub consumer_offset: i64,
    /// When the message before that was stored, in milliseconds since 1970.
    pub last_timestamp: i64,
    /// The offset that the group pulled last.
    pub pull_offset: i64,
}

impl ConsumeStats {
    /// Reads the body: at most 16 MiB.
    pub fn parse(json: &[u8]) -> Result<Self, BodyError> {
        parse("consume stats", json)
    }

    /// The body as Java's admin tools read it.
    pub fn to_json(&self) -> Vec<u8> {
        ObjectWriter::new()
            .field("consumeTps", &self.rate)
            .member("offsetTable", |out| self.offsets.write(out))
            .end()
    }

    /// Messages that wait for the group, in all queues.
    pub fn lag(&self) -> i64 {
        let lag = |offset: &ConsumeOffset| {
            offset.broker_offset.saturating_sub(offset.consumer_offset).max(0)
        };
        self.offsets.0.iter().fold(0_i64, |sum, (_, offset)| sum.saturating_add(lag(offset)))
    }
}

/// The body of the reply to `GET_TOPIC_STATS_INFO` (202): `TopicStatsTable`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct TopicStats {
    /// Each queue's ends.
    #[serde(rename = "offsetTable", default)]
    pub offsets: QueueTable<TopicOffset>,
    /// Messages per second that are sent to the topic.
    #[serde(rename = "topicPutTps", default)]
    pub rate: f64,
}

/// The ends of one queue (`TopicOffset`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TopicOffset {
    /// When its last message was stored, in milliseconds since 1970.
    pub last_update_timestamp: i64,
    /// The offset after its last message.
    pub max_offset: i64,
    /// The offset of its first message.
    pub min_offset: i64,
}

impl TopicStats {
    /// Reads the body: at most 16 MiB.
    pub fn parse(json: &[u8]) -> Result<Self, BodyError> {
        parse("topic stats", json)
    }

    /// The body as Java's admin tools read it.
    pub fn to_json(&self) -> Vec<u8> {
        ObjectWriter::new()
            .member("offsetTable", |out| self.offsets.write(out))
            .field("topicPutTps", &self.rate)
            .end()
    }
}
