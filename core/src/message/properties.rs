//! Message properties in their wire form: `name 0x01 value 0x02`, repeated.

use std::fmt;

use memchr::memchr;

/// Ends a property's name (`MessageDecoder.NAME_VALUE_SEPARATOR`).
pub const NAME_END: u8 = 0x01;
/// Ends a property's value (`MessageDecoder.PROPERTY_SEPARATOR`).
pub const VALUE_END: u8 = 0x02;

/// Keys by which the message can be found again, joined by blanks.
pub const KEYS: &str = "KEYS";
/// The tag that subscriptions select by.
pub const TAGS: &str = "TAGS";
/// The unique id that the producer gave the message.
pub const UNIQ_KEY: &str = "UNIQ_KEY";
/// "true": the broker answers once the message is stored (and replicated, if so configured).
pub const WAIT: &str = "WAIT";
/// Delay level, 1 to 18.
pub const DELAY: &str = "DELAY";
/// The topic a retried message was first sent to.
pub const RETRY_TOPIC: &str = "RETRY_TOPIC";
/// The topic a delayed, half or retried message is kept for.
pub const REAL_TOPIC: &str = "REAL_TOPIC";
/// The queue a delayed or half message is kept for.
pub const REAL_QUEUE: &str = "REAL_QID";
/// "true" on a half message.
pub const TRANSACTION_PREPARED: &str = "TRAN_MSG";
/// The producer group that answers transaction checks.
pub const PRODUCER_GROUP: &str = "PGROUP";
/// Seconds from a half message's birth before which its broker does not ask how it ended.
pub const CHECK_IMMUNITY: &str = "CHECK_IMMUNITY_TIME_IN_SECONDS";
/// How often its broker has asked how a half message ended.
pub const TRANSACTION_CHECK_TIMES: &str = "TRANSACTION_CHECK_TIMES";
/// The application's own id of a transaction: this client's, no broker reads it.
pub const TRANSACTION_ID: &str = "TRANSACTION_ID";
/// The queue's smallest offset when the message was pulled.
pub const MIN_OFFSET: &str = "MIN_OFFSET";
/// The queue's next offset when the message was pulled.
pub const MAX_OFFSET: &str = "MAX_OFFSET";
/// The offset message id of the first delivery of a retried message.
pub const ORIGIN_MESSAGE_ID: &str = "ORIGIN_MESSAGE_ID";
/// How often a message sent back by the client was delivered.
pub const RECONSUME_TIME: &str = "RECONSUME_TIME";
/// Deliveries after which a message goes to the dead-letter topic.
pub const MAX_RECONSUME_TIMES: &str = "MAX_RECONSUME_TIMES";
/// When a handler took the message, in milliseconds since 1970.
pub const CONSUME_START_TIME: &str = "CONSUME_START_TIME";
/// The broker's region.
pub const MSG_REGION: &str = "MSG_REGION";
/// "false" when the broker asks for no trace.
pub const TRACE_ON: &str = "TRACE_ON";
/// The broker's cluster.
pub const CLUSTER: &str = "CLUSTER";
/// Delay in seconds, for brokers with a timer wheel (5.0 and later).
pub const TIMER_DELAY_SEC: &str = "TIMER_DELAY_SEC";
/// Delay in milliseconds.
pub const TIMER_DELAY_MS: &str = "TIMER_DELAY_MS";
/// Delivery time in milliseconds since 1970.
pub const TIMER_DELIVER_MS: &str = "TIMER_DELIVER_MS";
/// Ties a reply to its request.
pub const CORRELATION_ID: &str = "CORRELATION_ID";
/// The client that waits for a reply.
pub const REPLY_TO_CLIENT: &str = "REPLY_TO_CLIENT";
/// How long a requester waits, in milliseconds.
pub const TTL: &str = "TTL";
/// "reply" on a reply message.
pub const MSG_TYPE: &str = "MSG_TYPE";
/// How soon a message is popped, among those of its topic (5.4 and later): the higher, the sooner.
pub const PRIORITY: &str = "_SYS_MSG_PRIORITY_";
/// Which message that waits for its time is taken back.
pub const TIMER_DEL_UNIQKEY: &str = "TIMER_DEL_UNIQKEY";
/// When a message that waits for its time is due, to the second.
pub const TIMER_OUT_MS: &str = "TIMER_OUT_MS";
/// The receipt of a popped message.
pub const POP_CK: &str = "POP_CK";
/// What keeps messages of one order in one queue.
pub const SHARDING_KEY: &str = "__SHARDINGKEY";
/// CRC of the properties, as some brokers append it.
pub const CRC32: &str = "__CRC32#";

/// Names that [`Message::property`](super::Message::property) refuses, sorted: brokers and clients
/// give them a meaning (`MessageConst.STRING_HASH_SET`, plus those it forgot).
const RESERVED: [&str; 53] = [
    "1ST_POP_TIME",
    "ARRIVE_TIME",
    "BORN_TIMESTAMP",
    "CLUSTER",
    "CONSUME_START_TIME",
    "CORRELATION_ID",
    "DELAY",
    "DUP_INFO",
    "EXTEND_UNIQ_INFO",
    "INNER_BASE",
    "INNER_MULTI_DISPATCH",
    "INNER_MULTI_QUEUE_OFFSET",
    "INNER_NUM",
    "INSTANCE_ID",
    "KEYS",
    "MAX_OFFSET",
    "MAX_RECONSUME_TIMES",
    "MIN_OFFSET",
    "MSG_REGION",
    "MSG_TYPE",
    "ORIGIN_MESSAGE_ID",
    "PGROUP",
    "POP_CK",
    "POP_CK_OFFSET",
    "PUSH_REPLY_TIME",
    "REAL_QID",
    "REAL_TOPIC",
    "RECONSUME_TIME",
    "REPLY_TO_CLIENT",
    "RETRY_TOPIC",
    "TAGS",
    "TIMER_DELAY_LEVEL",
    "TIMER_DELAY_MS",
    "TIMER_DELAY_SEC",
    "TIMER_DELIVER_MS",
    "TIMER_DEL_UNIQKEY",
    "TIMER_DEQUEUE_MS",
    "TIMER_ENQUEUE_MS",
    "TIMER_OUT_MS",
    "TIMER_ROLL_TIMES",
    "TRACE_ON",
    "TRANSACTION_CHECK_TIMES",
    "TRAN_MSG",
    "TRAN_PREPARED_QUEUE_OFFSET",
    "TTL",
    "UNIQ_KEY",
    "WAIT",
    "_SYS_MSG_PRIORITY_",
    "__BORNHOST",
    "__CRC32#",
    "__RMQ.TRANSIENT.GROUP_SYS_FLAG",
    "__RMQ.TRANSIENT.TOPIC_SYS_FLAG",
    "__transactionId__",
];

/// Whether brokers or clients give this name a meaning of their own.
pub fn is_reserved(name: &str) -> bool {
    RESERVED.binary_search(&name).is_ok()
}

/// The properties of one message, read where they lie: nothing is copied or kept.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Properties<'a>(&'a [u8]);

impl<'a> Properties<'a> {
    /// Views properties in their wire form. Any bytes will do.
    pub const fn new(wire: &'a [u8]) -> Self {
        Self(wire)
    }

    /// The wire form itself.
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// Whether there is no property at all.
    pub fn is_empty(self) -> bool {
        self.entries().next().is_none()
    }

    /// Every name and value that is UTF-8, in wire order. A name that was written twice comes
    /// twice; the later one counts, as in Java's map. What is not UTF-8 is in [`Self::entries`].
    pub fn iter(self) -> impl Iterator<Item = (&'a str, &'a str)> + Clone {
        self.entries().filter_map(|(name, value)| {
            Some((std::str::from_utf8(name).ok()?, std::str::from_utf8(value).ok()?))
        })
    }

    /// Every name and value as bytes, in wire order. An entry without a separator, or with an empty
    /// name or value, is skipped (`MessageDecoder.string2messageProperties`).
    pub fn entries(self) -> Entries<'a> {
        Entries { rest: self.0 }
    }

    /// The value of `name`: the last one, if it was written more than once. `None` also when the
    /// value is not UTF-8.
    pub fn get(self, name: &str) -> Option<&'a str> {
        let found = self.entries().filter(|(n, _)| *n == name.as_bytes()).last()?;
        std::str::from_utf8(found.1).ok()
    }
}

impl fmt::Debug for Properties<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lossy = |(name, value)| (String::from_utf8_lossy(name), String::from_utf8_lossy(value));
        f.debug_map().entries(self.entries().map(lossy)).finish()
    }
}

/// Names and values as bytes; see [`Properties::entries`].
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Entries<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        while !self.rest.is_empty() {
            let end = memchr(VALUE_END, self.rest).unwrap_or(self.rest.len());
            let entry = &self.rest[..end];
            self.rest = self.rest.get(end + 1..).unwrap_or_default();
            let Some(split) = memchr(NAME_END, entry) else { continue };
            let (name, value) = (&entry[..split], &entry[split + 1..]);
            if !name.is_empty() && !value.is_empty() {
                return Some((name, value));
            }
        }
        None
    }
}

/// Bytes that the properties of a message often take.
const ROOM: usize = 64;

/// Adds a property in wire form. The caller has made sure that neither holds a separator.
pub(crate) fn append(wire: &mut String, name: &str, value: &str) {
    // The first of several, mostly: they should not each allocate anew.
    let room = if wire.is_empty() { ROOM } else { 0 };
    wire.reserve((name.len() + value.len() + 2).max(room));
    wire.push_str(name);
    wire.push(char::from(NAME_END));
    wire.push_str(value);
    wire.push(char::from(VALUE_END));
}

/// The byte range of a property's value in wire form, for a text that [`append`] wrote.
pub(crate) fn value_range(wire: &str, name: &str) -> Option<std::ops::Range<usize>> {
    let (bytes, name) = (wire.as_bytes(), name.as_bytes());
    let mut at = 0;
    // Texts are short: a plain loop is quicker than `memchr`.
    while let Some(end) = bytes[at..].iter().position(|byte| *byte == VALUE_END) {
        let entry = &bytes[at..at + end];
        if entry.strip_prefix(name).is_some_and(|rest| rest.first() == Some(&NAME_END)) {
            return Some(at + name.len() + 1..at + end);
        }
        at += end + 1;
    }
    None
}

/// Whether one of these is in a text that [`append`] wrote: in one walk, since mostly none is.
pub(crate) fn has_any(wire: &str, names: &[&str]) -> bool {
    let mut rest = wire.as_bytes();
    while let Some(end) = rest.iter().position(|byte| *byte == NAME_END) {
        let (name, value) = rest.split_at(end);
        if names.iter().any(|other| other.as_bytes() == name) {
            return true;
        }
        let over = value.iter().position(|byte| *byte == VALUE_END);
        rest = over.map_or(&[], |over| &value[over + 1..]);
    }
    false
}

/// Takes a property out of a text that [`append`] wrote.
pub(crate) fn remove(wire: &mut String, name: &str) {
    if let Some(value) = value_range(wire, name) {
        wire.replace_range(value.start - name.len() - 1..=value.end, "");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn hex(text: &str) -> Vec<u8> {
        let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
        (0..text.len()).step_by(2).map(byte).collect()
    }

    #[test]
    fn wire_20_java_and_we_read_the_same_properties() {
        let mut rows = 0;
        for line in include_str!("../../../conformance/golden/properties.jsonl").lines() {
            let row: serde_json::Value = serde_json::from_str(line).unwrap();
            let wire = hex(row["text_hex"].as_str().unwrap());
            let read: BTreeMap<_, _> = Properties::new(&wire).iter().collect();
            let expected: BTreeMap<_, _> = row["properties"]
                .as_object()
                .unwrap()
                .iter()
                .map(|(k, v)| (k.as_str(), v.as_str().unwrap()))
                .collect();
            assert_eq!(read, expected, "{line}");
            for (name, value) in &expected {
                assert_eq!(Properties::new(&wire).get(name), Some(*value));
            }
            rows += 1;
        }
        assert_eq!(rows, 46);
    }

    #[test]
    fn what_we_write_is_what_java_writes() {
        let mut wire = String::new();
        for (name, value) in [("KEYS", "K"), ("WAIT", "true"), ("TAGS", "A")] {
            append(&mut wire, name, value);
        }
        assert_eq!(wire, "KEYS\x01K\x02WAIT\x01true\x02TAGS\x01A\x02");
        assert_eq!(value_range(&wire, "WAIT").map(|r| &wire[r]), Some("true"));
        assert_eq!(value_range(&wire, "TAG"), None);
        for name in ["WAIT", "TAG", "KEYS"] {
            remove(&mut wire, name);
        }
        assert_eq!(wire, "TAGS\x01A\x02");
    }

    #[test]
    fn bad_13_text_that_is_not_utf8_hides_no_other_property() {
        let properties = Properties::new(b"A\x01\xFF\x02B\x01b\x02");
        assert_eq!(properties.iter().collect::<Vec<_>>(), [("B", "b")]);
        assert_eq!(properties.entries().count(), 2);
        assert_eq!(properties.get("A"), None);
        assert!(!properties.is_empty());
    }

    #[test]
    fn reserved_names_are_sorted_so_that_the_search_finds_them() {
        assert!(RESERVED.is_sorted());
        assert!(is_reserved(KEYS) && is_reserved(DELAY) && is_reserved("1ST_POP_TIME"));
        assert!(!is_reserved("order") && !is_reserved(SHARDING_KEY));
    }
}
