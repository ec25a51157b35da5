//! A message that was received, sent once more by the client itself: to the retry topic of its
//! group, when its broker did not take it back
//! (`DefaultMQPushConsumerImpl.sendMessageBackAsNormalMessage`).

use super::ids::UniqueId;
use super::message::MessageError;
use super::properties::{self, append};
use super::publish::{Fields, Publish};
use super::record::Record;
use super::sys_flag::{COMPRESSED, COMPRESSION_TYPE, MULTI_TAGS};
use crate::name::{Group, Topic};

/// The bits of the system flag that say what the body and the tags are.
const KEPT: i32 = COMPRESSED | COMPRESSION_TYPE | MULTI_TAGS;

/// Properties that are written anew, or are those of one storing.
const OF_ONE_STORING: [&str; 11] = [
    properties::CRC32,
    properties::DELAY,
    properties::MAX_OFFSET,
    properties::MAX_RECONSUME_TIMES,
    properties::MIN_OFFSET,
    properties::ORIGIN_MESSAGE_ID,
    properties::POP_CK,
    properties::RECONSUME_TIME,
    properties::RETRY_TOPIC,
    properties::TRANSACTION_PREPARED,
    properties::WAIT,
];

/// How a message is sent to its group's retry topic.
#[derive(Clone, Debug)]
pub(crate) struct Retry<'a> {
    /// The retry topic.
    pub(crate) to: &'a Topic,
    /// The group that sends it.
    pub(crate) by: &'a Group,
    /// The topic it was first sent to.
    pub(crate) from: &'a str,
    /// How often it was consumed, this time included.
    pub(crate) times: u32,
    /// How often it may come again; brokers make dead letters of messages with more.
    pub(crate) most: u32,
    /// The level of the delay.
    pub(crate) level: u32,
}

impl Publish {
    /// The message as it is stored, body and properties of its own, for the retry topic.
    pub(crate) fn retry(record: &Record<'_>, how: &Retry<'_>) -> Result<Self, MessageError> {
        let own = record.properties();
        let id = record.unique_id().and_then(|id| UniqueId::parse(id).ok());
        let mut wire = String::new();
        for (name, value) in own.iter() {
            // The id is written with the other fields.
            let elsewhere = id.is_some() && name == properties::UNIQ_KEY;
            if !elsewhere && !OF_ONE_STORING.contains(&name) {
                append(&mut wire, name, value);
            }
        }
        let mut number = itoa::Buffer::new();
        append(&mut wire, properties::DELAY, number.format(how.level));
        append(&mut wire, properties::RETRY_TOPIC, how.from);
        match own.get(properties::ORIGIN_MESSAGE_ID) {
            Some(origin) => append(&mut wire, properties::ORIGIN_MESSAGE_ID, origin),
            None => append(&mut wire, properties::ORIGIN_MESSAGE_ID, &record.id()),
        }
        let fields = Fields {
            topic: how.to,
            group: how.by,
            properties: &wire,
            id: id.as_ref(),
            waits: own.get(properties::WAIT) != Some("false"),
            born: record.born_timestamp(),
            flag: record.flag(),
            sys_flag: record.sys_flag() & KEPT,
            again: Some((how.times, how.most)),
            batch: false,
        };
        let (fields, body) = (fields.encode(false)?, record.raw_body());
        let id = id.unwrap_or_else(UniqueId::none);
        Ok(Self::of_fields(how.to.clone(), how.by.clone(), body, id, fields))
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use bytes::Bytes;

    use super::super::{RecordList, StoredRecord};
    use super::*;
    use crate::time::UnixMillis;

    const ID: &str = "0A000001ABCD12345678000000000001";

    fn stored(topic: &str, properties: &str) -> RecordList {
        let host = SocketAddr::from((Ipv4Addr::new(10, 0, 0, 1), 10911));
        let mut bytes = Vec::new();
        StoredRecord {
            topic,
            queue_id: 1,
            flag: 7,
            queue_offset: 3,
            commit_log_offset: 4096,
            sys_flag: COMPRESSED | 2 << 8 | 8,
            born_timestamp: UnixMillis(1_700_000_000_000),
            born_host: host,
            store_timestamp: UnixMillis(1_700_000_000_001),
            store_host: host,
            reconsume_times: 2,
            prepared_transaction_offset: 0,
            body: b"packed",
            properties: properties.as_bytes(),
        }
        .encode_into(&mut bytes);
        RecordList::cut(Bytes::from(bytes))
    }

    fn retried(list: &RecordList, from: &str) -> (Publish, serde_json::Value) {
        let (to, by) = (Topic::new("%RETRY%g").unwrap(), Group::new("inner").unwrap());
        let how = Retry { to: &to, by: &by, from, times: 3, most: 16, level: 5 };
        let publish = Publish::retry(&list.record(0).unwrap(), &how).unwrap();
        let fields = format!("{{{}}}", std::str::from_utf8(publish.fields()).unwrap());
        (publish.clone(), serde_json::from_str(&fields).unwrap())
    }

    #[test]
    fn a_message_sent_again_keeps_what_is_its_own_and_says_whence_it_comes() {
        let own =
            "TAGS\x01eu\x02colour\x01red\x02WAIT\x01true\x02DELAY\x013\x02TRAN_MSG\x01true\x02";
        let list = stored("orders", &format!("{own}UNIQ_KEY\x01{ID}\x02"));
        let (publish, fields) = retried(&list, "orders");
        assert_eq!((publish.topic().as_str(), &publish.body()[..]), ("%RETRY%g", &b"packed"[..]));
        assert_eq!(publish.unique_id().as_str(), ID);
        let expected = format!(
            "TAGS\x01eu\x02colour\x01red\x02DELAY\x015\x02RETRY_TOPIC\x01orders\x02\
             ORIGIN_MESSAGE_ID\x01{ID}\x02UNIQ_KEY\x01{ID}\x02WAIT\x01true\x02"
        );
        assert_eq!(fields["i"], expected);
        let numbers = ["f", "g", "h", "j", "l", "m"].map(|name| fields[name].as_str().unwrap());
        assert_eq!(numbers, ["513", "1700000000000", "7", "3", "16", "false"]);
    }

    #[test]
    fn a_message_that_comes_from_the_retry_topic_keeps_its_first_topic_and_id() {
        let own = "RETRY_TOPIC\x01first\x02ORIGIN_MESSAGE_ID\x01AB\x02WAIT\x01false\x02";
        let (publish, fields) = retried(&stored("%RETRY%g", own), "first");
        let expected =
            "DELAY\x015\x02RETRY_TOPIC\x01first\x02ORIGIN_MESSAGE_ID\x01AB\x02WAIT\x01false\x02";
        assert_eq!(fields["i"], expected);
        assert_eq!(publish.unique_id(), UniqueId::none());
    }
}
