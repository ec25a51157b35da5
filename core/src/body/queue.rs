//! Queues in JSON, as values and as keys of tables (`MessageQueue`).

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::error::push_json;
use super::text::or_default;
use crate::name::QueueName;

/// A queue by its names (`MessageQueue`).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MessageQueue {
    /// The broker.
    #[serde(rename = "brokerName", default, deserialize_with = "or_default")]
    pub broker_name: String,
    /// The number of the queue on that broker.
    #[serde(rename = "queueId")]
    pub queue_id: i32,
    /// The topic.
    pub topic: String,
}

impl QueueName {
    /// The queue as bodies name it.
    pub(crate) fn named(&self) -> MessageQueue {
        MessageQueue {
            broker_name: self.broker.to_string(),
            queue_id: self.queue as i32,
            topic: self.topic.wire().to_string(),
        }
    }
}

/// What stands for a queue as a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum QueueKey {
    /// The queue itself.
    Queue(MessageQueue),
    /// Another place of the same body, as "$.mqPopTable.null": fastjson writes a path where it
    /// meets an object again, and for a key of a table that path names no queue.
    Reference(Box<str>),
}

/// A table of queues: `{{"brokerName":"b","queueId":3,"topic":"T"}:100}`, fastjson's way to write a
/// map with objects as keys. Keeps the order of the wire; a queue may come twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueTable<V>(
    /// The entries.
    pub Vec<(QueueKey, V)>,
);

impl<V> Default for QueueTable<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<V> FromIterator<(MessageQueue, V)> for QueueTable<V> {
    fn from_iter<I: IntoIterator<Item = (MessageQueue, V)>>(entries: I) -> Self {
        Self(entries.into_iter().map(|(queue, value)| (QueueKey::Queue(queue), value)).collect())
    }
}

impl<V> QueueTable<V> {
    /// The entries that name their queue.
    pub fn iter(&self) -> impl Iterator<Item = (&MessageQueue, &V)> {
        self.0.iter().filter_map(|(key, value)| match key {
            QueueKey::Queue(queue) => Some((queue, value)),
            QueueKey::Reference(_) => None,
        })
    }

    /// The value of a queue.
    pub fn get(&self, queue: &MessageQueue) -> Option<&V> {
        self.iter().find_map(|(found, value)| (found == queue).then_some(value))
    }
}

impl<V: Serialize> QueueTable<V> {
    /// Writes the table as Java's admin tools read it.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.push(b'{');
        for (number, (key, value)) in self.0.iter().enumerate() {
            if number > 0 {
                out.push(b',');
            }
            match key {
                QueueKey::Queue(queue) => push_json(out, queue),
                QueueKey::Reference(path) => push_json(out, &Reference { path: path.clone() }),
            }
            out.push(b':');
            push_json(out, value);
        }
        out.push(b'}');
    }
}

#[derive(Serialize, Deserialize)]
struct Reference {
    #[serde(rename = "$ref")]
    path: Box<str>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum KeyJson {
    Reference(Reference),
    Queue(MessageQueue),
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for QueueTable<V> {
    /// Reads a map whose keys are texts that hold JSON: what the tolerant reader makes of objects.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Entries<V>(std::marker::PhantomData<V>);
        impl<'de, V: Deserialize<'de>> Visitor<'de> for Entries<V> {
            type Value = QueueTable<V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of queues")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(key) = map.next_key::<String>()? {
                    let key = match serde_json::from_str(&key) {
                        Ok(KeyJson::Queue(queue)) => QueueKey::Queue(queue),
                        Ok(KeyJson::Reference(Reference { path })) => QueueKey::Reference(path),
                        Err(_) => return Err(serde::de::Error::custom("a key is no queue")),
                    };
                    entries.push((key, map.next_value()?));
                }
                Ok(QueueTable(entries))
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(QueueTable::default())
            }
        }
        from.deserialize_any(Entries(std::marker::PhantomData))
    }
}
