//! A checked message with everything encoded that does not depend on the queue it will go to.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::compression;
use super::ids::UniqueId;
use super::message::{Message, MessageError};
use super::message_ids::MessageIds;
use super::properties::{NAME_END, UNIQ_KEY, VALUE_END};
use super::signed::{Encoded, Values};
use super::sys_flag::{Compression, TRANSACTION_PREPARED};
use crate::config::Config;
use crate::frame::json::{escape_into, escape_room};
use crate::frame::{Limits, RequestCode, version};
use crate::name::{Group, NameError, Namespace, Topic};
use crate::time::UnixMillis;

/// How large a message may be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MessageLimits {
    /// Bytes of body: 4 MiB (`DefaultMQProducer.maxMessageSize`, as on the broker).
    pub body: usize,
    /// Bytes of properties in wire form: 32,767, what the length field can say.
    pub properties: usize,
    /// A longer body is compressed: 4,096 bytes (`compressMsgBodyOverHowmuch`); a batch's never is.
    pub compress_over: usize,
    /// How hard zlib compresses: 0 to 9; 5 (`compressLevel`).
    pub compress_level: u32,
    /// What compresses: zlib (`compressType`). None is, and a codec whose feature is off compresses
    /// nothing.
    pub compression: Option<Compression>,
    /// The namespace that topics and groups lie in: none (`ClientConfig.namespace`).
    pub namespace: Namespace,
    /// Requests are signed, for which each message keeps what of it is: false. A signature costs
    /// more where it does not.
    pub signed: bool,
}

impl MessageLimits {
    /// What the settings say: `max_body`, `compress_over`, `compress_level`, `compression` and
    /// `namespace`. For loops of one's own; a client's handles take them from there by themselves.
    /// A message made with others is refused by an engine whose namespace is another one.
    pub fn of(config: &Config) -> Self {
        let Config { max_body: body, compress_over, compress_level, compression, .. } = *config;
        let own = Self { body, compress_over, compress_level, compression, ..Self::default() };
        Self { namespace: Namespace::of(config), signed: config.signs(), ..own }
    }
}

impl Default for MessageLimits {
    fn default() -> Self {
        let properties = i16::MAX as usize;
        Self {
            body: 4 << 20,
            properties,
            compress_over: 4096,
            compress_level: 5,
            compression: Some(Compression::Zlib),
            namespace: Namespace::default(),
            signed: false,
        }
    }
}

/// Bytes of a frame beside fields and body: lengths, fixed header keys, queue and broker.
const FRAME_ROOM: usize = 192;
/// Bytes of a header beside the fields: fixed keys, queue, and a broker's name of any length seen.
const HEADER_ROOM: usize = 1024;
/// Bytes of the fields that are the same in each message, with their numbers at their longest, and
/// of the properties that each gets.
const FIXED_ROOM: usize = 220;
/// The topic a broker makes unknown topics from (`TopicValidator.AUTO_CREATE_TOPIC_KEY_TOPIC`), and
/// how many queues it then gets at most (`DefaultMQProducer.defaultTopicQueueNums`).
const DEFAULT_TOPIC: &[u8] = br#"","c":"TBW102","d":"4","f":""#;

/// A message for a time, as brokers get it that know nothing but delay levels.
#[derive(Clone)]
enum Older {
    /// With the first level that is long enough; at once where the time is over.
    Level(Arc<Publish>),
    /// No level is that long.
    Unknown,
}

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
    /// The ids of a batch's messages; `unique_id` is the first one.
    batch: Option<Arc<[UniqueId]>>,
    /// It is a half message.
    half: bool,
    fields: Vec<u8>,
    /// What of it is signed, where requests are.
    #[cfg_attr(not(feature = "acl"), expect(dead_code, reason = "signatures alone read it"))]
    values: Option<Box<Values>>,
    /// What a broker without timer messages gets instead, of a message for a time.
    older: Option<Older>,
    /// It is a reply, for its broker to push.
    reply: bool,
    /// The broker that it goes to first, if its topic is there.
    home: Option<Arc<str>>,
}

impl Publish {
    /// Checks the message against `limits` and encodes it, with `id` as its unique id unless it has
    /// [one of its own](Message::id), and `born` as the time it was made. Also reports the first
    /// value that a setter of [`Message`] refused.
    pub fn new(
        message: Message,
        group: &Group,
        id: UniqueId,
        born: UnixMillis,
        limits: &MessageLimits,
    ) -> Result<Self, MessageError> {
        Self::encode(message, group, id, born, limits, false)
    }

    /// As [`new`](Self::new), as the half message of a transaction: `group` answers for it. A delay
    /// is left out, as Java does with a level (`sendMessageInTransaction`); see
    /// [`Message::delays`](Message::delays).
    pub fn half(
        message: Message,
        group: &Group,
        id: UniqueId,
        born: UnixMillis,
        limits: &MessageLimits,
    ) -> Result<Self, MessageError> {
        let group = &limits.namespace.checked_group(group)?;
        Self::encode(message.into_half(group), group, id, born, limits, true)
    }

    fn encode(
        message: Message,
        group: &Group,
        id: UniqueId,
        born: UnixMillis,
        limits: &MessageLimits,
        half: bool,
    ) -> Result<Self, MessageError> {
        message.check(limits)?;
        let reply = message.is_reply();
        if half && reply {
            return Err(MessageError::NotForTransaction);
        }
        // A reply is pushed at once, whatever it says of a delay.
        let older = if reply { None } else { message.for_older(born) };
        let Message { topic, properties, body, flag, waits, id: kept, home, .. } = message;
        let topic = topic.ok_or(MessageError::Topic(NameError::Blank { what: "topic" }))?;
        // Replies go to a topic of the brokers' own.
        let topic = if reply { topic } else { limits.namespace.checked_topic(topic)? };
        let group = &limits.namespace.checked_group(group)?;
        let id = kept.map_or(id, |kept| *kept);
        let packed = compression::pack(&body, limits);
        let (body, sys_flag) = packed.unwrap_or((body, 0));
        let sys_flag = if half { sys_flag | TRANSACTION_PREPARED } else { sys_flag };
        let encode = |properties: &str| {
            let (topic, id) = (&topic, Some(&id));
            let (again, batch) = (None, false);
            Fields { topic, group, properties, id, waits, born, flag, sys_flag, again, batch }
                .encode(limits.signed)
        };
        let fields = encode(&properties)?;
        let of = |fields| Self::of_fields(topic.clone(), group.clone(), body.clone(), id, fields);
        let older = match older {
            None => None,
            Some(None) => Some(Older::Unknown),
            Some(Some(properties)) => Some(Older::Level(Arc::new(of(encode(&properties)?)))),
        };
        Ok(Self { older, reply, home, half, ..of(fields) })
    }

    /// One message whose fields are encoded, under an id that it has already.
    pub(super) fn of_fields(
        topic: Topic,
        group: Group,
        body: Bytes,
        unique_id: UniqueId,
        encoded: Encoded,
    ) -> Self {
        let (batch, half, older, reply, home) = (None, false, None, false, None);
        let Encoded { fields, values } = encoded;
        Self { topic, group, body, unique_id, batch, half, fields, values, older, reply, home }
    }

    /// A batch; `ids` has at least one id.
    pub(super) fn of_batch(
        topic: Topic,
        group: Group,
        body: Bytes,
        ids: Vec<UniqueId>,
        fields: Encoded,
    ) -> Self {
        let unique_id = ids[0];
        Self { batch: Some(ids.into()), ..Self::of_fields(topic, group, body, unique_id, fields) }
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

    /// Whether what a broker gets depends on its version.
    pub(crate) const fn is_timed(&self) -> bool {
        self.older.is_some()
    }

    /// What a broker of that version gets: itself, unless it is for a time and the broker knows
    /// nothing but levels. `None`: no level is that long.
    pub(crate) fn for_version(self: &Arc<Self>, broker: i32) -> Option<Arc<Self>> {
        match &self.older {
            Some(Older::Level(older)) if !version::times(broker) => Some(older.clone()),
            Some(Older::Unknown) if !version::times(broker) => None,
            Some(_) | None => Some(self.clone()),
        }
    }

    /// Whether it is a half message, which nobody sees before it is committed.
    pub const fn is_half(&self) -> bool {
        self.half
    }

    /// The ids of a batch's messages, in their order; `None` for a single message.
    pub const fn batch_ids(&self) -> Option<&Arc<[UniqueId]>> {
        self.batch.as_ref()
    }

    /// The unique ids of all it carries.
    pub fn ids(&self) -> MessageIds {
        MessageIds::new(self.unique_id, self.batch.clone())
    }

    /// `SEND_MESSAGE_V2` (310), `SEND_BATCH_MESSAGE` (320), or `SEND_REPLY_MESSAGE_V2` (325).
    pub const fn code(&self) -> RequestCode {
        match (&self.batch, self.reply) {
            (None, false) => RequestCode::SEND_MESSAGE_V2,
            (None, true) => RequestCode::SEND_REPLY_MESSAGE_V2,
            (Some(_), _) => RequestCode::SEND_BATCH_MESSAGE,
        }
    }

    /// The broker that it goes to first, if its topic is there.
    pub(crate) const fn home(&self) -> Option<&Arc<str>> {
        self.home.as_ref()
    }

    /// The ext fields of the request as JSON members without the braces: all but queue
    /// (`e`) and broker (`n`). The members' names are those of `SendMessageRequestHeaderV2`.
    pub fn fields(&self) -> &[u8] {
        &self.fields
    }

    /// What of it is signed, if it keeps that.
    #[cfg(feature = "acl")]
    pub(crate) fn values(&self) -> Option<&Values> {
        self.values.as_deref()
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
pub(super) const fn added(waits: bool) -> usize {
    UNIQ_KEY.len() + 32 + wait(waits).len() + 2
}

/// Whether the broker is to answer only when the message is stored, in wire form.
const fn wait(waits: bool) -> &'static str {
    if waits { "WAIT\u{1}true\u{2}" } else { "WAIT\u{1}false\u{2}" }
}

/// The properties that every message gets, in wire form.
pub(super) struct Added {
    bytes: [u8; added(false)],
    length: usize,
}

impl Added {
    pub(super) fn new(id: &UniqueId, waits: bool) -> Self {
        let (mut bytes, mut length) = ([0; added(false)], 0);
        let waits = wait(waits).as_bytes();
        let parts = [UNIQ_KEY.as_bytes(), &[NAME_END], id.as_str().as_bytes(), &[VALUE_END], waits];
        for part in parts {
            bytes[length..length + part.len()].copy_from_slice(part);
            length += part.len();
        }
        Self { bytes, length }
    }

    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }
}

/// What the ext fields of a send are made from.
pub(super) struct Fields<'a> {
    pub(super) topic: &'a Topic,
    pub(super) group: &'a Group,
    /// The properties that the application has set, in wire form.
    pub(super) properties: &'a str,
    /// The id; a batch has one for each of its messages in its body.
    pub(super) id: Option<&'a UniqueId>,
    pub(super) waits: bool,
    pub(super) born: UnixMillis,
    pub(super) flag: i32,
    pub(super) sys_flag: i32,
    /// How often it was consumed, and how often at most, where it is sent again.
    pub(super) again: Option<(u32, u32)>,
    pub(super) batch: bool,
}

impl Fields<'_> {
    /// As JSON members; see [`Publish::fields`]. With what of them is signed, if it is.
    pub(super) fn encode(&self, signed: bool) -> Result<Encoded, MessageError> {
        let fields = self.json()?;
        let values = signed.then(|| Box::new(Values::of(self)));
        Ok(Encoded { fields, values })
    }

    fn json(&self) -> Result<Vec<u8>, MessageError> {
        let (group, topic) = (self.group.wire(), self.topic.wire());
        // Names have nothing to escape.
        let room = group.len() + topic.len() + self.properties.len() + escape_room(self.properties);
        let mut number = itoa::Buffer::new();
        let mut out = Vec::with_capacity(FIXED_ROOM + room);
        out.extend_from_slice(br#""a":""#);
        escape_into(&mut out, group);
        out.extend_from_slice(br#"","b":""#);
        escape_into(&mut out, topic);
        out.extend_from_slice(DEFAULT_TOPIC);
        out.extend_from_slice(number.format(self.sys_flag).as_bytes());
        out.extend_from_slice(br#"","g":""#);
        out.extend_from_slice(number.format(self.born.0).as_bytes());
        out.extend_from_slice(br#"","h":""#);
        out.extend_from_slice(number.format(self.flag).as_bytes());
        out.extend_from_slice(br#"","i":""#);
        escape_into(&mut out, self.properties);
        if let Some(id) = self.id {
            out.extend_from_slice(br"UNIQ_KEY\u0001");
            out.extend_from_slice(id.as_str().as_bytes());
            out.extend_from_slice(br"\u0002");
        }
        out.extend_from_slice(match self.waits {
            true => br"WAIT\u0001true\u0002",
            false => br"WAIT\u0001false\u0002",
        });
        out.extend_from_slice(br#"","j":""#);
        let (times, most) = self.again.unzip();
        out.extend_from_slice(number.format(times.unwrap_or(0)).as_bytes());
        out.extend_from_slice(br#"","k":"false""#);
        if let Some(most) = most {
            out.extend_from_slice(br#","l":""#);
            out.extend_from_slice(number.format(most).as_bytes());
            out.push(b'"');
        }
        out.extend_from_slice(br#","m":""#);
        out.extend_from_slice(if self.batch { b"true\"" } else { b"false\"" });
        let (length, limit) = (out.len() + HEADER_ROOM, Limits::SENT.header);
        if length > limit { Err(MessageError::HeaderTooLarge { length, limit }) } else { Ok(out) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::OF_BROKERS;
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
    fn limits_are_what_the_settings_say() {
        let mut config = Config::default();
        assert_eq!(MessageLimits::of(&config), MessageLimits::default());
        (config.max_body, config.compress_over, config.compress_level) = (7, 8, 9);
        config.compression = None;
        config.namespace = Some("south".to_owned());
        let namespace = Namespace::of(&config);
        let MessageLimits { body, properties, compress_over, compress_level, compression, .. } =
            MessageLimits::of(&config);
        assert_eq!(MessageLimits::of(&config).namespace, namespace);
        assert_eq!((body, compress_over, compress_level, properties), (7, 8, 9, 32_767));
        assert_eq!(compression, None);
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
        let most = 32_767 - OF_BROKERS - added(true) - 3;
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
