//! What a broker makes of a message to store it: its properties, and the record.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use rocketry_core::frame::{ResponseCode, version};
use rocketry_core::message::properties::{self, Properties};
use rocketry_core::message::{OffsetMessageId, Record, StoredRecord, java_string_hash};
use rocketry_core::rng::Rng;
use rocketry_core::time::UnixMillis;

use super::answer::{Answer, Turn};
use super::node::Node;

/// Longest properties as stored, in bytes: their length is a signed 16-bit number in the record.
pub(super) const PROPERTIES_LIMIT: usize = 32_767;
/// Bytes of a record besides topic, properties and body, at most.
const RECORD_FIXED: usize = 128;

/// The properties as they are stored.
pub(super) struct Stored {
    /// In wire form, with the broker's own.
    pub(super) wire: String,
    /// The tag's code; 0 without one.
    pub(super) tag: i32,
    /// The delay level asked for; 0 without one.
    pub(super) delay: i32,
    pub(super) unique_id: Option<Arc<str>>,
}

impl Stored {
    /// What a client gave, with the properties of a broker of this version behind it
    /// (`AbstractSendMessageProcessor.buildMsgContext`, `SendMessageProcessor.sendMessage`).
    pub(super) fn new(server: i32, given: &str, cluster: &str) -> Self {
        let wire = String::with_capacity(given.len() + 96);
        let mut stored = Self { wire, tag: 0, delay: 0, unique_id: None };
        for (name, value) in Properties::new(given.as_bytes()).iter() {
            match name {
                properties::CLUSTER
                | properties::MSG_REGION
                | properties::TRACE_ON
                | properties::POP_CK => continue,
                properties::TAGS => stored.tag = java_string_hash(value),
                properties::DELAY => stored.delay = value.parse().unwrap_or(0),
                properties::UNIQ_KEY => stored.unique_id = Some(Arc::from(value)),
                _ => {}
            }
            stored.put(name, value);
        }
        if version::pops(server) {
            stored.put(properties::MSG_REGION, "DefaultRegion");
            stored.put(properties::TRACE_ON, "true");
        }
        stored.put(properties::CLUSTER, cluster);
        stored
    }

    /// Marks it as a dead letter, which waits for nothing (`handleRetryAndDLQ`).
    pub(super) fn kill(&mut self) {
        let mut properties = Editable::read(self.wire.as_bytes());
        properties.set(properties::DELAY, "-1");
        (self.wire, self.delay) = (properties.wire(), 0);
    }

    fn put(&mut self, name: &str, value: &str) {
        self.wire.extend([name, "\u{1}", value, "\u{2}"]);
    }

    /// The unique id, made by the broker where the client has given none.
    pub(super) fn unique_id(&mut self, rng: &mut Rng) -> Arc<str> {
        if let Some(given) = &self.unique_id {
            return given.clone();
        }
        let made = format!("{:016X}{:016X}", rng.next_u64(), rng.next_u64());
        self.put(properties::UNIQ_KEY, &made);
        Arc::from(made)
    }
}

/// One message on its way into a queue's log.
#[derive(Debug)]
pub(super) struct Incoming<'a> {
    pub(super) topic: &'a str,
    pub(super) queue: i32,
    pub(super) flag: i32,
    pub(super) sys_flag: i32,
    pub(super) born_timestamp: i64,
    pub(super) born_host: SocketAddr,
    pub(super) reconsume_times: i32,
    pub(super) body: &'a [u8],
    pub(super) properties: &'a [u8],
    pub(super) tag: i32,
    /// Where the half message of its transaction lies, if it has one.
    pub(super) prepared: i64,
    /// The delay level: above 0 it comes later.
    pub(super) delay: i32,
}

impl<'a> Incoming<'a> {
    /// A stored message once more, for this queue.
    pub(super) fn again(
        record: &Record<'a>,
        body: &'a [u8],
        properties: &'a [u8],
        (topic, queue): (&'a str, i32),
    ) -> Self {
        Self {
            topic,
            queue,
            flag: record.flag(),
            sys_flag: record.sys_flag(),
            born_timestamp: record.born_timestamp().0,
            born_host: record.born_host(),
            reconsume_times: record.reconsume_times(),
            body,
            properties,
            tag: record.tags().map_or(0, java_string_hash),
            prepared: record.prepared_transaction_offset(),
            delay: 0,
        }
    }
}

/// Properties that a broker changes: none comes twice.
#[derive(Debug)]
pub(super) struct Editable(Vec<(String, String)>);

impl Editable {
    pub(super) fn read(wire: &[u8]) -> Self {
        let mut read = Self(Vec::new());
        for (name, value) in Properties::new(wire).iter() {
            read.set(name, value);
        }
        read
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(super) fn set(&mut self, name: &str, value: impl Into<String>) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value.into(),
            None => self.0.push((name.to_owned(), value.into())),
        }
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.0.retain(|(known, _)| known != name);
    }

    /// Their wire form.
    pub(super) fn wire(&self) -> String {
        let entry = |(name, value): &(String, String)| format!("{name}\u{1}{value}\u{2}");
        self.0.iter().map(entry).collect()
    }
}

impl Node {
    /// The record at this place of the commit log (`lookMessageByOffset`).
    pub(super) fn look(&self, position: i64) -> Option<Bytes> {
        let position = u64::try_from(position).ok()?;
        let mut logs = self.topics.iter().flat_map(|(_, topic)| topic.logs());
        logs.find_map(|log| log.record_in_log(position)).map(Bytes::copy_from_slice)
    }

    /// Appends a message to its queue; returns its id and its offset there.
    pub(super) fn append(
        &mut self,
        turn: &Turn<'_>,
        message: &Incoming<'_>,
    ) -> Result<(OffsetMessageId, i64), Answer> {
        let topic = self.topics.find_mut(message.topic);
        let Some(log) = topic.and_then(|topic| topic.queue_mut(message.queue)) else {
            return Err(Answer::error(ResponseCode::SYSTEM_ERROR, "the topic has no queue"));
        };
        let record = StoredRecord {
            queue_id: message.queue,
            flag: message.flag,
            queue_offset: log.max() as i64,
            commit_log_offset: self.position as i64,
            sys_flag: message.sys_flag,
            born_timestamp: UnixMillis(message.born_timestamp),
            born_host: message.born_host,
            store_timestamp: turn.unix,
            store_host: self.store_host,
            reconsume_times: message.reconsume_times,
            prepared_transaction_offset: message.prepared,
            body: message.body,
            topic: message.topic,
            properties: message.properties,
        };
        let id = OffsetMessageId { addr: self.store_host, offset: self.position };
        let offset = record.queue_offset;
        let size = RECORD_FIXED + message.topic.len() + message.properties.len();
        let size = size + message.body.len();
        self.position += log.append(message.tag, turn.unix, size, |out| record.encode_into(out));
        if self.followed {
            self.fresh.insert((Box::from(message.topic), message.queue));
        }
        Ok((id, offset))
    }
}
