//! The message a user sends.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::UniqueId;
use super::properties::{self, NAME_END, Properties, VALUE_END};
use super::publish::{MessageLimits, added};
#[cfg(feature = "client")]
use super::record::Record;
use crate::name::{Group, NameError, Topic};

/// Why a message was refused before anything was sent. None of these goes away by trying again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// It goes to no topic: the name given can't be one.
    #[error(transparent)]
    Topic(#[from] NameError),
    /// Brokers refuse a message without a body.
    #[error("the body is empty, and brokers refuse an empty body")]
    EmptyBody,
    /// The body is larger than configured (4 MiB unless changed, as on the broker).
    #[error("the body has {length} bytes, the limit is {limit}")]
    BodyTooLarge {
        /// Bytes given.
        length: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// The properties are longer than the 16 bits of their length can say.
    #[error(
        "tag, keys and properties take {length} bytes with those that client and broker add, the \
         limit is {limit}"
    )]
    PropertiesTooLarge {
        /// Bytes in wire form, with the unique id and 160 for what brokers add.
        length: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// The properties are longer than a header may be: each byte that separates two of them takes
    /// six there.
    #[error("tag, keys and properties take {length} bytes in the header, the limit is {limit}")]
    HeaderTooLarge {
        /// Bytes of the header.
        length: usize,
        /// Bytes allowed: 64 KiB.
        limit: usize,
    },
    /// A property, tag or key without characters: it would vanish on the way.
    #[error("property {name:?} has an empty name or value, which would be lost on the way")]
    EmptyProperty {
        /// The property's name.
        name: Box<str>,
    },
    /// The characters U+0001 and U+0002 separate properties; inside one they would forge another.
    #[error("property {name:?} holds U+0001 or U+0002, which separate properties")]
    Separator {
        /// The property's name.
        name: Box<str>,
    },
    /// Brokers and clients give this name a meaning.
    #[error("property name {name:?} is reserved by RocketMQ: use tag, key or delay, or rename")]
    Reserved {
        /// The property's name.
        name: Box<str>,
    },
    /// Brokers split keys at blanks, so this would become several keys.
    #[error("key {key:?} holds white space, at which brokers split keys")]
    KeyWithSpace {
        /// The key given, cut to 128 characters.
        key: Box<str>,
    },
    /// A batch has at least one message.
    #[error("a batch needs at least one message")]
    EmptyBatch,
    /// A batch goes to one topic.
    #[error("message {index} of the batch is for another topic than the first")]
    MixedTopics {
        /// Which message, from 0.
        index: usize,
    },
    /// Brokers do not take delayed messages in a batch, nor batches for retry topics
    /// (`MessageBatch.generateFromList`), and would push no reply of one.
    #[error("message {index} of the batch has a delay or a retry topic, or is a reply")]
    NotForBatch {
        /// Which message, from 0.
        index: usize,
    },
    /// Brokers push a reply at once: none is kept until a transaction ends.
    #[error("a reply can't be the message of a transaction: brokers push it at once")]
    NotForTransaction,
    /// All bodies and properties of a batch together are one body.
    #[error("the batch takes {length} bytes, the limit is {limit}: split it")]
    BatchTooLarge {
        /// Bytes of the batch.
        length: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// A batch waits to be stored as a whole, or does not (`MessageBatch.generateFromList`).
    #[error("message {index} of the batch waits to be stored, or does not, unlike the first")]
    MixedWaits {
        /// Which message, from 0.
        index: usize,
    },
    /// Brokers keep their own messages there, and refuse those of clients
    /// (`TopicValidator.isNotAllowedSendTopic`).
    #[error("{topic} is a topic of the brokers' own, to which clients may not send")]
    SystemTopic {
        /// The topic.
        topic: Topic,
    },
    /// Consumers could never ask for the tag: `||` separates tags in what they write, and blanks
    /// around them are left out.
    #[error("tag {tag:?} can never be subscribed to: it holds ||, or begins or ends with a blank")]
    Tag {
        /// The tag given, cut to 128 characters.
        tag: Box<str>,
    },
    /// Delay levels are 1 to 18 (`messageDelayLevel` on the broker), or 0 for none.
    #[error("a delay level is 0 to 18, not {level}")]
    DelayLevel {
        /// The level given.
        level: u32,
    },
}

/// Bytes that brokers add to the properties of a message, and count with them: `MSG_REGION`,
/// `TRACE_ON`, `__CRC32#`, and `CLUSTER` with a name of up to 92 bytes.
pub(super) const OF_BROKERS: usize = 160;

/// Three hundred years, in seconds: brokers take what overflows in milliseconds for nothing.
const LATEST_CHECK: u64 = 300 * 365 * 86_400;

/// Topics that clients may not send to (`TopicValidator.NOT_ALLOWED_SEND_TOPIC_SET`).
const FORBIDDEN: [&str; 6] = [
    "SCHEDULE_TOPIC_XXXX",
    "RMQ_SYS_TRANS_HALF_TOPIC",
    "RMQ_SYS_TRANS_OP_HALF_TOPIC",
    "TRANS_CHECK_MAX_TIME_TOPIC",
    "SELF_TEST_TOPIC",
    "OFFSET_MOVED_EVENT",
];

/// A message to send: a topic, a body, and what else the receiver should know.
///
/// ```
/// use rocketry_core::message::Message;
///
/// let message = Message::new("orders", r#"{"id":1848}"#)
///     .tag("paid")
///     .key("1848")
///     .property("currency", "EUR");
/// ```
///
/// Neither [`new`](Self::new) nor the setters fail: the first value they can't take is remembered,
/// and the send is refused with its [`MessageError`] before anything leaves.
///
/// A clone is cheap as far as the body goes: it is shared, not copied.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// None where the name given was refused.
    pub(super) topic: Option<Topic>,
    pub(super) properties: String,
    pub(super) body: Bytes,
    pub(super) flag: i32,
    pub(super) waits: bool,
    pub(super) id: Option<Box<UniqueId>>,
    /// The broker that it goes to first, if its topic is there.
    pub(super) home: Option<Arc<str>>,
    pub(super) refused: Option<MessageError>,
}

impl Message {
    /// A message with a body of 1 byte to 4 MiB. A `Vec<u8>`, a `String`, a `&'static str` or a
    /// [`Bytes`] becomes the body without being copied.
    ///
    /// The topic is a [`Topic`], of which any number of messages share the text and which was
    /// checked when it was made, or a text, which is checked here, and kept anew for each message.
    pub fn new<T>(topic: T, body: impl Into<Bytes>) -> Self
    where
        T: TryInto<Topic>,
        NameError: From<T::Error>,
    {
        let (topic, refused) = match topic.try_into() {
            Ok(topic) => (Some(topic), None),
            Err(error) => (None, Some(MessageError::Topic(error.into()))),
        };
        let (properties, body) = (String::new(), body.into());
        Self { topic, properties, body, flag: 0, waits: true, id: None, home: None, refused }
    }

    /// Sets the tag, by which subscriptions select (`"paid || refunded"`). A message has one tag:
    /// a second call replaces the first. It holds no `||` and neither begins nor ends with a blank.
    #[must_use]
    #[doc(alias = "setTags", alias = "WithTag")]
    pub fn tag(self, tag: &str) -> Self {
        if !is_tag(tag) && check(properties::TAGS, tag).is_ok() {
            let tag = tag.chars().take(128).collect::<String>().into();
            return self.refuse(MessageError::Tag { tag });
        }
        self.set(properties::TAGS, tag)
    }

    /// Adds a key, by which the message can be found on the broker, such as an order's number. Call
    /// it again for more keys. A key has no white space.
    #[must_use]
    #[doc(alias = "setKeys", alias = "WithKeys")]
    pub fn key(mut self, key: &str) -> Self {
        if has_space(key) {
            let key = key.chars().take(128).collect::<String>().into();
            return self.refuse(MessageError::KeyWithSpace { key });
        }
        match properties::value_range(&self.properties, properties::KEYS) {
            Some(keys) => match check(properties::KEYS, key) {
                Ok(()) => {
                    self.properties.insert(keys.end, ' ');
                    self.properties.insert_str(keys.end + 1, key);
                    self
                }
                Err(error) => self.refuse(error),
            },
            None => self.set(properties::KEYS, key),
        }
    }

    /// Sets what its place is decided by (`__SHARDINGKEY`), where that is asked for: with producers
    /// that select by message hash (`ProducerOptions::message_hash`), before the keys.
    #[must_use]
    #[doc(alias = "setShardingKey", alias = "WithShardingKey")]
    pub fn sharding_key(self, key: &str) -> Self {
        self.set(properties::SHARDING_KEY, key)
    }

    /// What its place is decided by: its sharding key, else its first key.
    pub fn order_key(&self) -> Option<&str> {
        let value = |name| Some(&self.properties[properties::value_range(&self.properties, name)?]);
        let first = || value(properties::KEYS)?.split(' ').next();
        value(properties::SHARDING_KEY).or_else(first)
    }

    /// Sets a property of your own; a second call with the same name replaces the first value.
    /// Neither name nor value may be empty or hold U+0001 or U+0002. Names that RocketMQ itself
    /// uses are refused ([`is_reserved`](properties::is_reserved)).
    #[must_use]
    #[doc(alias = "putUserProperty", alias = "WithProperty")]
    pub fn property(self, name: &str, value: &str) -> Self {
        if properties::is_reserved(name) {
            return self.refuse(MessageError::Reserved { name: name.into() });
        }
        self.set(name, value)
    }

    /// Delivers the message later, by the broker's table of levels (`messageDelayLevel`): 1 to 18
    /// for 1 s, 5 s, 10 s, 30 s, 1 min to 10 min, 20 min, 30 min, 1 h, 2 h unless the broker was
    /// told otherwise; 0: at once. [`delay`](Self::delay) takes any time. The last of these that is
    /// said counts.
    #[must_use]
    #[doc(alias = "setDelayTimeLevel", alias = "WithDelayTimeLevel")]
    pub fn delay_level(self, level: u32) -> Self {
        match level {
            0 => return self.at_once(),
            1..=18 => {}
            _ => return self.refuse(MessageError::DelayLevel { level }),
        }
        self.at_once().set(properties::DELAY, itoa::Buffer::new().format(level))
    }

    /// From which time on after its birth a broker may ask how a half message ended
    /// (`CHECK_IMMUNITY_TIME_IN_SECONDS`), in whole seconds, rounded up. It looks every 30 s by
    /// default, and takes a later end that it has not asked for as too late.
    #[must_use]
    #[doc(alias = "CHECK_IMMUNITY_TIME_IN_SECONDS")]
    pub fn check_after(self, after: std::time::Duration) -> Self {
        let seconds = after.as_secs().saturating_add(u64::from(after.subsec_nanos() > 0));
        let seconds = seconds.clamp(1, LATEST_CHECK);
        self.set(properties::CHECK_IMMUNITY, itoa::Buffer::new().format(seconds))
    }

    /// Such a [time](Self::check_after), if it has one.
    pub fn own_check_after(&self) -> Option<std::time::Duration> {
        let value = properties::value_range(&self.properties, properties::CHECK_IMMUNITY)?;
        self.properties[value].parse().ok().map(std::time::Duration::from_secs)
    }

    /// What the application calls the transaction of a half message, as a property of its own: the
    /// unique id stays what it is.
    #[must_use]
    #[doc(alias = "setTransactionId")]
    pub fn transaction_id(self, id: &str) -> Self {
        self.set(properties::TRANSACTION_ID, id)
    }

    /// With what makes it a half message of that group.
    pub(super) fn into_half(self, group: &Group) -> Self {
        self.at_once()
            .set(properties::TRANSACTION_PREPARED, "true")
            .set(properties::PRODUCER_GROUP, group.wire())
    }

    /// What the application calls its transaction, if it does.
    #[cfg(feature = "client")]
    pub(crate) fn own_transaction_id(&self) -> Option<&str> {
        let range = properties::value_range(&self.properties, properties::TRANSACTION_ID)?;
        self.properties.get(range)
    }

    /// Sets the flag: 32 bits that RocketMQ carries for you and never reads.
    #[must_use]
    pub const fn flag(mut self, flag: i32) -> Self {
        self.flag = flag;
        self
    }

    /// Whether the broker answers once the message is as safe as it is set up for (`WAIT`,
    /// `Message.setWaitStoreMsgOK`): flushed to disk under `SYNC_FLUSH`, copied to a slave under
    /// `SYNC_MASTER`. True unless set. Without it the answer comes as soon as the message is in the
    /// broker's memory, and is `SEND_OK` where it would have told of a flush or a slave that is
    /// late. The messages of a batch have to be alike in this.
    #[must_use]
    pub const fn wait_store_msg_ok(mut self, waits: bool) -> Self {
        self.waits = waits;
        self
    }

    /// Sends it under this unique id instead of a new one: for a message that an earlier call may
    /// have stored, by the id that its error or its `Pending` told, so that consumers can tell that
    /// the two are one. Two different messages of one id are one to whoever looks for it.
    #[must_use]
    pub fn id(mut self, id: UniqueId) -> Self {
        self.id = Some(Box::new(id));
        self
    }

    /// A message to send with what an application gave the one that was received: its topic, body,
    /// flag, tag, keys and own properties. What brokers and clients added is left out.
    #[cfg(feature = "client")]
    pub(crate) fn of(topic: &str, record: &Record<'_>, body: Bytes) -> Self {
        let mut message = Self::new(topic, body).flag(record.flag());
        for (name, value) in record.properties().iter() {
            if matches!(name, properties::TAGS | properties::KEYS) || !properties::is_reserved(name)
            {
                message = message.set(name, value);
            }
        }
        message
    }

    /// The topic it goes to; `None` where the name given [was refused](Self::refused).
    pub const fn topic(&self) -> Option<&Topic> {
        self.topic.as_ref()
    }

    /// The body.
    pub const fn body(&self) -> &Bytes {
        &self.body
    }

    /// Everything set so far by tag, key, property and delay level.
    pub fn properties(&self) -> Properties<'_> {
        Properties::new(self.properties.as_bytes())
    }

    /// The first value that a setter could not take, if any.
    pub const fn refused(&self) -> Option<&MessageError> {
        self.refused.as_ref()
    }

    /// Sets any property, also a reserved one.
    pub(super) fn set(mut self, name: &str, value: &str) -> Self {
        if let Err(error) = check(name, value) {
            return self.refuse(error);
        }
        match properties::value_range(&self.properties, name) {
            Some(old) => self.properties.replace_range(old, value),
            None => properties::append(&mut self.properties, name, value),
        }
        self
    }

    /// Its topic, unless something was refused.
    pub(crate) fn check_topic(&self) -> Result<&Topic, MessageError> {
        match (&self.refused, &self.topic) {
            (Some(error), _) => Err(error.clone()),
            (None, Some(topic)) => Ok(topic),
            (None, None) => Err(MessageError::Topic(NameError::Blank { what: "topic" })),
        }
    }

    /// Whether it can be sent as it is. Gives its topic.
    pub(super) fn check(&self, limits: &MessageLimits) -> Result<&Topic, MessageError> {
        let topic = self.check_topic()?;
        if FORBIDDEN.contains(&topic.as_str()) {
            return Err(MessageError::SystemTopic { topic: topic.clone() });
        }
        if self.body.is_empty() {
            return Err(MessageError::EmptyBody);
        }
        if self.body.len() > limits.body {
            return Err(MessageError::BodyTooLarge { length: self.body.len(), limit: limits.body });
        }
        let length = self.properties.len() + added(self.waits) + OF_BROKERS;
        let limit = limits.properties.min(i16::MAX as usize);
        if length > limit {
            return Err(MessageError::PropertiesTooLarge { length, limit });
        }
        Ok(topic)
    }

    fn refuse(mut self, error: MessageError) -> Self {
        self.refused.get_or_insert(error);
        self
    }
}

/// Shows the body's length instead of the body: it may be large, or not for the log.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("topic", &self.topic)
            .field("properties", &self.properties())
            .field("body_length", &self.body.len())
            .field("flag", &self.flag)
            .field("waits", &self.waits)
            .field("id", &self.id)
            .field("refused", &self.refused)
            .finish()
    }
}

/// The text without what Java takes for blanks at its ends (`String.trim`).
pub(crate) fn trimmed(text: &str) -> &str {
    text.trim_matches(|c| c <= ' ')
}

/// Whether a subscription can name the tag.
pub(crate) fn is_tag(tag: &str) -> bool {
    let blank = |byte: Option<&u8>| byte.is_some_and(|byte| *byte <= b' ');
    let bytes = tag.as_bytes();
    let bars = bytes.windows(2).any(|two| two == b"||");
    !tag.is_empty() && !bars && !blank(bytes.first()) && !blank(bytes.last())
}

/// Whether there is white space in a text: a look at its bytes is enough for most.
fn has_space(text: &str) -> bool {
    let may = |byte: u8| byte <= b' ' || byte >= 0x80;
    text.bytes().any(may) && text.contains(char::is_whitespace)
}

fn check(name: &str, value: &str) -> Result<(), MessageError> {
    if name.is_empty() || value.is_empty() {
        return Err(MessageError::EmptyProperty { name: name.into() });
    }
    // No early end: short texts are the rule, and long ones go 16 bytes at a time.
    let separates = |text: &str| {
        text.bytes().fold(false, |found, byte| found | (byte == NAME_END) | (byte == VALUE_END))
    };
    if separates(name) || separates(value) {
        return Err(MessageError::Separator { name: name.into() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> Message {
        Message::new(Topic::new("orders").unwrap(), "body")
    }

    #[test]
    fn tag_keys_and_properties_are_each_written_once() {
        let message = message()
            .key("a")
            .tag("old")
            .property("currency", "EUR")
            .key("b")
            .tag("paid")
            .property("currency", "USD")
            .delay_level(3)
            .key("c");
        let read: Vec<_> = message.properties().iter().collect();
        assert_eq!(
            read,
            [("KEYS", "a b c"), ("TAGS", "paid"), ("currency", "USD"), ("DELAY", "3")]
        );
        assert_eq!(message.refused(), None);
    }

    #[test]
    fn a_topic_is_taken_as_text_and_refused_when_it_is_sent() {
        let limits = MessageLimits::default();
        for sent in [
            Message::new("orders", "body"),
            Message::new(String::from("orders"), "body"),
            Message::new(Topic::new("orders").unwrap(), "body"),
        ] {
            assert_eq!(sent, message());
            assert_eq!(sent.check(&limits).map(Topic::as_str), Ok("orders"));
        }
        let wrong = Message::new("a.b", "body").tag("").key("k");
        assert_eq!(wrong.topic(), None);
        let refused = MessageError::Topic(NameError::Character {
            what: "topic",
            given: "a.b".into(),
            found: '.',
        });
        assert_eq!(wrong.check(&limits), Err(refused));
    }

    #[test]
    fn a_message_is_placed_by_its_sharding_key_before_its_keys() {
        assert_eq!(message().order_key(), None);
        assert_eq!(message().key("a").key("b").order_key(), Some("a"));
        assert_eq!(message().key("a").sharding_key("c d").order_key(), Some("c d"));
    }

    #[test]
    fn a_message_shows_its_properties_but_not_its_body() {
        let shown = format!("{:?}", message().tag("paid"));
        assert!(
            shown.contains(r#"{"TAGS": "paid"}"#) && shown.contains("body_length: 4"),
            "{shown}"
        );
        assert!(!shown.contains("\"body\""), "{shown}");
    }

    #[test]
    fn the_first_value_refused_is_remembered() {
        let name = || "x".into();
        let cases = [
            (message().property("x", ""), MessageError::EmptyProperty { name: name() }),
            (message().property("", "v"), MessageError::EmptyProperty { name: "".into() }),
            (message().property("x", "a\u{1}b"), MessageError::Separator { name: name() }),
            (message().key("a").key("\u{2}"), MessageError::Separator { name: "KEYS".into() }),
            (message().key("a").key(""), MessageError::EmptyProperty { name: "KEYS".into() }),
            (
                message().property("UNIQ_KEY", "1"),
                MessageError::Reserved { name: "UNIQ_KEY".into() },
            ),
            (message().tag("a || b"), MessageError::Tag { tag: "a || b".into() }),
            (message().tag(" a"), MessageError::Tag { tag: " a".into() }),
            (message().tag("a\t"), MessageError::Tag { tag: "a\t".into() }),
            (message().tag(""), MessageError::EmptyProperty { name: "TAGS".into() }),
            (message().key("a b"), MessageError::KeyWithSpace { key: "a b".into() }),
            (message().delay_level(19).key(" "), MessageError::DelayLevel { level: 19 }),
        ];
        for (message, expected) in cases {
            assert_eq!(message.refused(), Some(&expected));
        }
    }
}
