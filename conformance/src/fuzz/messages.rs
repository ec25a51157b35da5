//! Stored messages: lists of records, properties, and bodies that are compressed.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use bytes::Bytes;
use rocketry_core::message::{
    BatchBody, Batched, Compression, Item, OffsetMessageId, Properties, Record, RecordError,
    RecordList, StoredRecord, sys_flag,
};
use rocketry_core::time::UnixMillis;

/// Bytes that the bodies of one input may open to before the rest stays closed.
const OPENED_MAX: usize = 64 << 20;

/// The body of a pull's reply: no byte is lost, no record hides another, and what is read can be
/// stored again.
pub fn record_list(data: &[u8]) {
    let list = RecordList::cut(Bytes::copy_from_slice(data));
    if may_hold_batches(data) {
        return unwrapped(&list);
    }
    assert_eq!((0..list.len()).map(|at| list.raw_len(at)).sum::<usize>(), data.len());
    assert_eq!(list.is_empty(), data.is_empty());
    assert!(list.record(list.len()).is_none() && list.raw(list.len()).is_empty());
    let mut opened = 0;
    let mut at = 0;
    for (index, item) in list.items().enumerate() {
        let raw = list.raw(index);
        assert_eq!(raw, data[at..at + raw.len()]);
        at += raw.len();
        assert_eq!(list.queue_offset(index), item.queue_offset());
        assert!(item.queue_offset().is_none_or(|offset| offset >= 0));
        match item {
            Item::Undecodable(bad) => {
                assert_eq!(bad.raw, raw);
                assert!(!bad.reason.to_string().is_empty());
                let lost = matches!(bad.reason, RecordError::Size { .. });
                assert!(!lost || index + 1 == list.len(), "only the last can have no size");
            }
            Item::Record(record) => {
                assert_eq!(record.raw(), raw);
                if opened < OPENED_MAX {
                    opened += body(&record);
                }
                store_again(&record);
            }
        }
    }
}

/// Whether a record's system flag marks a batch, wherever the records lie.
fn may_hold_batches(data: &[u8]) -> bool {
    let mut rest = data;
    while let Some(size) = rest.first_chunk().map(|word| u32::from_be_bytes(*word) as usize) {
        if size < 40 || size > rest.len() {
            return false;
        }
        if i32::from(rest[39]) & (sys_flag::NEED_UNWRAP | sys_flag::INNER_BATCH) != 0 {
            return true;
        }
        rest = &rest[size..];
    }
    false
}

/// A list whose batches were taken apart, in a copy of its bytes.
fn unwrapped(list: &RecordList) {
    let mut opened = 0;
    for (index, item) in list.items().enumerate() {
        assert_eq!(list.raw(index).len(), list.raw_len(index));
        assert!(item.queue_offset().is_none_or(|offset| offset >= 0));
        if let Item::Record(record) = item
            && opened < OPENED_MAX
        {
            opened += body(&record);
            assert_eq!(record.raw(), list.raw(index));
            let _ = record.properties().iter().count();
        }
    }
}

/// The body of a batch: no byte is lost, and each message can be written again.
pub fn batch_body(data: &[u8]) {
    let mut batch = BatchBody::new(data);
    let mut at = 0;
    while let Some(read) = batch.next() {
        match read {
            Ok(message) => {
                let read = data.len() - batch.rest().len();
                assert!(read >= at + 22 + message.body.len());
                at = read;
                write_again(&message);
            }
            Err(error) => {
                assert!(!error.to_string().is_empty());
                assert!(batch.next().is_none(), "an error is the end");
                assert_eq!(batch.rest(), &data[at..]);
                return;
            }
        }
    }
    assert_eq!(at, data.len());
}

fn write_again(message: &Batched<'_>) {
    let mut out = Vec::new();
    let fits = message.properties.as_bytes().len() <= i16::MAX as usize;
    assert_eq!(message.encode_into(&mut out).is_ok(), fits);
    if fits {
        let mut again = BatchBody::new(&out);
        assert_eq!(again.next(), Some(Ok(*message)));
        assert_eq!(again.next(), None);
    }
}

/// Opens a body; the bytes it has then.
fn body(record: &Record<'_>) -> usize {
    match (record.body(), record.compression()) {
        (Ok(body), None) => {
            assert_eq!(body, record.raw_body());
            0
        }
        (Ok(body), Some(_)) => {
            assert!(body.len() <= 32 << 20);
            body.len()
        }
        (Err(error), _) => {
            assert!(!error.to_string().is_empty());
            0
        }
    }
}

/// A record written from what was read says the same.
fn store_again(record: &Record<'_>) {
    let (topic, body) = (record.topic(), record.raw_body());
    let id = record.offset_message_id();
    assert_eq!(OffsetMessageId::parse(&id.to_string()), Ok(id));
    if let Some(tag) = record.tags() {
        assert!(!tag.is_empty());
    }
    assert!(record.keys().all(|key| !key.is_empty()));
    let stored = StoredRecord::of(record, &topic, &body, record.properties().as_bytes());
    let mut bytes = Vec::new();
    stored.encode_into(&mut bytes);
    let list = RecordList::cut(bytes.into());
    let Some(twin) = list.record(0) else { panic!("{:?} of {record:?}", list.item(0)) };
    assert_eq!(list.len(), 1);
    // Text that was not UTF-8 grew, and what does not fit the length field was cut.
    if topic.len() <= usize::from(u16::MAX) {
        assert_eq!(twin.topic(), topic);
    }
    assert_eq!(twin.queue_offset(), record.queue_offset());
    assert_eq!(twin.offset_message_id(), id);
    assert_eq!(twin.born_host(), record.born_host());
    assert_eq!(twin.sys_flag(), record.sys_flag());
    assert_eq!(twin.prepared_transaction_offset(), record.prepared_transaction_offset());
    assert_eq!(twin.properties(), record.properties());
    assert_eq!(twin.raw_body(), body);
}

/// Properties in their wire form: any bytes are some, and the last of two equal names counts.
pub fn properties(data: &[u8]) {
    let read = Properties::new(data);
    assert_eq!(read.as_bytes(), data);
    assert_eq!(read.is_empty(), read.entries().next().is_none());
    let mut wire = Vec::new();
    for (name, value) in read.entries() {
        assert!(!name.is_empty() && !value.is_empty());
        assert!(!name.contains(&1) && !name.contains(&2) && !value.contains(&2));
        wire.extend_from_slice(name);
        wire.push(1);
        wire.extend_from_slice(value);
        wire.push(2);
    }
    assert!(Properties::new(&wire).entries().eq(read.entries()), "written and read again");
    let all: BTreeMap<&[u8], &[u8]> = read.entries().collect();
    for (name, value) in all.into_iter().take(64) {
        if let Ok(name) = std::str::from_utf8(name) {
            assert_eq!(read.get(name), std::str::from_utf8(value).ok());
        }
    }
    assert!(!format!("{read:?}").is_empty());
}

/// A stored body under each kind of compression: the first byte is the system flag's second one,
/// the rest the body.
pub fn compressed_body(data: &[u8]) {
    let (kind, stored) = data.split_first().unwrap_or((&0, &[]));
    let host = SocketAddr::from((Ipv4Addr::LOCALHOST, 10911));
    let record = StoredRecord {
        topic: "T",
        queue_id: 0,
        flag: 0,
        queue_offset: 1,
        commit_log_offset: 2,
        sys_flag: 1 | i32::from(kind & 7) << 8,
        born_timestamp: UnixMillis(3),
        born_host: host,
        store_timestamp: UnixMillis(4),
        store_host: host,
        reconsume_times: 0,
        prepared_transaction_offset: 0,
        body: stored,
        properties: b"",
    };
    let mut bytes = Vec::new();
    record.encode_into(&mut bytes);
    let list = RecordList::cut(bytes.into());
    let Item::Record(record) = list.item(0) else {
        assert!(kind & 7 > 3, "types 0 to 3 are known");
        return;
    };
    assert_eq!(record.raw_body(), stored);
    let opened = record.body();
    assert!(!matches!(opened, Err(RecordError::Checksum { .. })));
    match (record.compression(), &opened) {
        (_, Ok(body)) => assert!(body.len() <= 32 << 20),
        (Some(Compression::Zlib), Err(error)) => {
            let expected =
                matches!(error, RecordError::Damaged { .. } | RecordError::TooLarge { .. });
            assert!(expected, "{error}");
        }
        (_, Err(_)) => {}
    }
}
