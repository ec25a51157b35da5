//! A checked message with everything encoded that does not depend on the queue it will go to.

use std::fmt;

use bytes::Bytes;

use super::ids::UniqueId;
use super::message::{Message, MessageError};
use super::properties::{NAME_END, UNIQ_KEY, VALUE_END, WAIT};
use crate::frame::Limits;
use crate::frame::json::escape_into;
use crate::name::{Group, Topic};
use crate::time::UnixMillis;

/// How large a message may be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MessageLimits {
    /// Bytes of body: 4 MiB (`DefaultMQProducer.maxMessageSize`, as on the broker).
    pub body: usize,
    /// Bytes of properties in wire form: 32,767, what the length field can say.
    pub properties: usize,
}

impl Default for MessageLimits {
    fn default() -> Self {
        Self { body: 4 << 20, properties: i16::MAX as usize }
    }
}

/// Bytes of a frame beside fields and body: lengths, fixed header keys, queue and broker.
const FRAME_ROOM: usize = 192;
/// Bytes of a header beside the fields: fixed keys, queue, and a broker's name of any length seen.
const HEADER_ROOM: usize = 1024;
/// Bytes of the fields that are the same in each message, with their numbers at their longest.
const FIXED_ROOM: usize = 144;
/// The topic a broker makes unknown topics from (`TopicValidator.AUTO_CREATE_TOPIC_KEY_TOPIC`), and
/// how many queues it then gets at most (`DefaultMQProducer.defaultTopicQueueNums`).
const DEFAULT_TOPIC: &[u8] = br#"","c":"TBW102","d":"4","f":"0","g":""#;

/// A message ready to send, made once in the caller's thread.
///
/// Its ext fields are encoded but for queue and broker, so aiming it at a queue, or at another one
/// when it is sent again, touches neither body nor properties.
#[derive(Clone)]
pub struct Publish {
    topic: Topic,
    group: Group,
    body: Bytes,
    unique_id: UniqueId,
    fields: Vec<u8>,
}

impl Publish {
    /// Checks the message against `limits` and encodes it, with `id` as its unique id and `born` as
    /// the time it was made. Also reports the first value that a setter of [`Message`] refused.
    pub fn new(
        message: Message,
        group: &Group,
        id: UniqueId,
        born: UnixMillis,
        limits: &MessageLimits,
    ) -> Result<Self, MessageError> {
        let Message { topic, properties, body, flag, refused } = message;
        if let Some(error) = refused {
            return Err(error);
        }
        if body.is_empty() {
            return Err(MessageError::EmptyBody);
        }
        if body.len() > limits.body {
            return Err(MessageError::BodyTooLarge { length: body.len(), limit: limits.body });
        }
        let mut added = [0; ADDED];
        write_added(&mut added, &id);
        let length = properties.len() + ADDED;
        let limit = limits.properties.min(i16::MAX as usize);
        if length > limit {
            return Err(MessageError::PropertiesTooLarge { length, limit });
        }
        let added = std::str::from_utf8(&added).unwrap_or_default();
        let fields = encode(&topic, group, &properties, added, born, flag);
        let (length, limit) = (fields.len() + HEADER_ROOM, Limits::SENT.header);
        if length > limit {
            return Err(MessageError::HeaderTooLarge { length, limit });
        }
        Ok(Self { topic, group: group.clone(), body, unique_id: id, fields })
    }

    /// The topic it goes to.
    pub const fn topic(&self) -> &Topic {
        &self.topic
    }

    /// The group that sends it.
    pub const fn group(&self) -> &Group {
        &self.group
    }

    /// The body as it is sent.
    pub const fn body(&self) -> &Bytes {
        &self.body
    }

    /// The id by which sender and receiver know it.
    pub const fn unique_id(&self) -> UniqueId {
        self.unique_id
    }

    /// The ext fields of `SEND_MESSAGE_V2` (310) as JSON members without the braces: all but queue
    /// (`e`) and broker (`n`). The members' names are those of `SendMessageRequestHeaderV2`.
    pub fn fields(&self) -> &[u8] {
        &self.fields
    }

    /// Bytes it will take on the wire, rounded up by some for the parts not yet known: what windows
    /// and queues count.
    pub fn wire_size(&self) -> usize {
        self.fields.len() + self.body.len() + FRAME_ROOM
    }
}

/// Shows lengths instead of contents: they may be large, or not for the log.
impl fmt::Debug for Publish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publish")
            .field("topic", &self.topic)
            .field("group", &self.group)
            .field("unique_id", &self.unique_id)
            .field("fields_length", &self.fields.len())
            .field("body_length", &self.body.len())
            .finish()
    }
}

/// Bytes of the two properties that every message gets: `UNIQ_KEY` and `WAIT`.
const ADDED: usize = UNIQ_KEY.len() + 32 + WAIT.len() + "true".len() + 4;

fn write_added(out: &mut [u8; ADDED], id: &UniqueId) {
    let parts = [
        UNIQ_KEY.as_bytes(),
        &[NAME_END],
        id.as_str().as_bytes(),
        &[VALUE_END],
        WAIT.as_bytes(),
        &[NAME_END],
        b"true",
        &[VALUE_END],
    ];
    let mut at = 0;
    for part in parts {
        out[at..at + part.len()].copy_from_slice(part);
        at += part.len();
    }
}

/// Bytes that JSON escapes take beyond the text itself.
fn escape_room(text: &str) -> usize {
    text.bytes()
        .map(|byte| match byte {
            b'"' | b'\\' => 1,
            0..0x20 => 5,
            _ => 0,
        })
        .sum()
}

fn encode(
    topic: &Topic,
    group: &Group,
    properties: &str,
    added: &str,
    born: UnixMillis,
    flag: i32,
) -> Vec<u8> {
    let texts = [group.as_str(), topic.as_str(), properties, added];
    let room: usize = texts.iter().map(|text| text.len() + escape_room(text)).sum();
    let mut number = itoa::Buffer::new();
    let mut out = Vec::with_capacity(FIXED_ROOM + room);
    out.extend_from_slice(br#""a":""#);
    escape_into(&mut out, group.as_str());
    out.extend_from_slice(br#"","b":""#);
    escape_into(&mut out, topic.as_str());
    out.extend_from_slice(DEFAULT_TOPIC);
    out.extend_from_slice(number.format(born.0).as_bytes());
    out.extend_from_slice(br#"","h":""#);
    out.extend_from_slice(number.format(flag).as_bytes());
    out.extend_from_slice(br#"","i":""#);
    escape_into(&mut out, properties);
    escape_into(&mut out, added);
    out.extend_from_slice(br#"","j":"0","k":"false","m":"false""#);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0A000001ABCD12345678000000000001";

    fn publish(message: Message) -> Result<Publish, MessageError> {
        let group = Group::new("shop").unwrap();
        let id = UniqueId::parse(ID).unwrap();
        Publish::new(message, &group, id, UnixMillis(1_700_000_000_000), &MessageLimits::default())
    }

    fn message(body: impl Into<Bytes>) -> Message {
        Message::new(Topic::new("orders").unwrap(), body)
    }

    #[test]
    fn fields_are_those_of_a_v2_send_without_queue_and_broker() {
        let publish = publish(message("x").tag("paid").property("q", "\"\\\t").flag(-7)).unwrap();
        let text = std::str::from_utf8(publish.fields()).unwrap();
        let expected = concat!(
            r#""a":"shop","b":"orders","c":"TBW102","d":"4","f":"0","g":"1700000000000","#,
            r#""h":"-7","i":""#
        );
        assert!(text.starts_with(expected), "{text}");
        assert!(text.ends_with(r#"","j":"0","k":"false","m":"false""#), "{text}");
        let read: serde_json::Value = serde_json::from_str(&format!("{{{text}}}")).unwrap();
        let properties =
            format!("TAGS\x01paid\x02q\x01\"\\\t\x02UNIQ_KEY\x01{ID}\x02WAIT\x01true\x02");
        assert_eq!(read["i"], properties);
        assert_eq!(publish.unique_id().as_str(), ID);
        assert!(publish.wire_size() > publish.fields().len() + 1);
    }

    #[test]
    fn the_fields_are_encoded_into_one_allocation() {
        let texts = ["plain", "\"\\\n\r\t\u{0}\u{1f}\u{7f}é😀"];
        for text in texts {
            let message = message("x").key("k").property("p", &text.replace('\u{1}', ""));
            let fields = publish(message.flag(i32::MIN)).unwrap().fields;
            // A second allocation would at least have doubled the room.
            assert!(fields.capacity() < fields.len() + FIXED_ROOM, "{text:?}");
        }
    }

    #[test]
    fn what_a_broker_would_refuse_is_refused_before_it_is_sent() {
        assert_eq!(publish(message("")).unwrap_err(), MessageError::EmptyBody);
        let limit = 4 << 20;
        assert!(publish(message(vec![0; limit])).is_ok());
        assert_eq!(
            publish(message(vec![0; limit + 1])).unwrap_err(),
            MessageError::BodyTooLarge { length: limit + 1, limit }
        );
        let most = 32_767 - ADDED - 3;
        assert!(publish(message("x").property("p", &"v".repeat(most))).is_ok());
        assert_eq!(
            publish(message("x").property("p", &"v".repeat(most + 1))).unwrap_err(),
            MessageError::PropertiesTooLarge { length: 32_768, limit: 32_767 }
        );
        let many = |count| (0..count).fold(message("x"), |m, n| m.property(&format!("{n}"), "v"));
        assert!(publish(many(3_000)).is_ok());
        let limit = 64 << 10;
        let refused = publish(many(4_000)).unwrap_err();
        assert!(matches!(refused, MessageError::HeaderTooLarge { length, limit: l }
            if l == limit && length > limit));
        let refused = publish(message("x").key("a b")).unwrap_err();
        assert_eq!(refused, MessageError::KeyWithSpace { key: "a b".into() });
    }
}
