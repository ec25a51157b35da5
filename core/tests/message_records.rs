//! Stored records: what Java wrote is read field for field, and no bytes do harm.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use rocketry_core::message::{
    Compression, Item, OffsetMessageId, Record, RecordError, RecordList, StoredRecord,
};
use rocketry_core::rng::Rng;
use rocketry_core::time::UnixMillis;
use serde_json::Value;

const MESSAGES: &str = include_str!("../../conformance/golden/messages.jsonl");
const PULLS: &str = include_str!("../../conformance/golden/pull_bodies.jsonl");

fn hex(text: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(byte).collect()
}

fn rows(text: &str) -> impl Iterator<Item = Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap())
}

fn text<'a>(row: &'a Value, key: &str) -> &'a str {
    row[key].as_str().unwrap()
}

fn int(row: &Value, key: &str) -> i64 {
    row[key].as_i64().unwrap_or_else(|| text(row, key).parse().unwrap())
}

fn host(row: &Value, key: &str) -> SocketAddr {
    let (ip, port) = text(row, key).split_once('|').unwrap();
    SocketAddr::new(ip.parse::<IpAddr>().unwrap(), port.parse().unwrap())
}

/// What this build can open.
fn opens(kind: Option<Compression>) -> bool {
    match kind {
        None => true,
        Some(Compression::Zlib) => cfg!(feature = "zlib"),
        Some(Compression::Lz4) => cfg!(feature = "lz4"),
        Some(Compression::Zstd) => cfg!(feature = "zstd"),
    }
}

fn assert_fields(record: &Record<'_>, row: &Value) {
    assert_eq!(record.topic(), text(row, "topic"));
    assert_eq!(i64::from(record.queue_id()), int(row, "queue_id"));
    assert_eq!(i64::from(record.flag()), int(row, "flag"));
    assert_eq!(record.queue_offset(), int(row, "queue_offset"));
    assert_eq!(record.commit_log_offset(), int(row, "commit_log_offset"));
    // Java clears the lowest bit once it has opened the body.
    assert_eq!(i64::from(record.sys_flag() & !1), int(row, "sys_flag"));
    assert_eq!(record.born_timestamp().0, int(row, "born_timestamp"));
    assert_eq!(record.born_host(), host(row, "born_host"));
    assert_eq!(record.store_timestamp().0, int(row, "store_timestamp"));
    assert_eq!(record.store_host(), host(row, "store_host"));
    assert_eq!(i64::from(record.reconsume_times()), int(row, "reconsume_times"));
    let prepared = int(row, "prepared_transaction_offset");
    assert_eq!(record.prepared_transaction_offset(), prepared);
    let properties: BTreeMap<_, _> = record.properties().iter().collect();
    let expected = row["properties"].as_object().unwrap();
    let expected: BTreeMap<_, _> =
        expected.iter().map(|(k, v)| (k.as_str(), v.as_str().unwrap())).collect();
    assert_eq!(properties, expected);
    assert_eq!(record.unique_id(), expected.get("UNIQ_KEY").copied());
    assert_eq!(record.tags(), expected.get("TAGS").copied());
    let id = text(row, "offset_msg_id");
    assert_eq!(record.offset_message_id(), OffsetMessageId::parse(id).unwrap());
    assert_eq!(record.offset_message_id().to_string(), id);
}

#[test]
fn wire_17_comp_08_records_that_java_stored_are_read_field_for_field() {
    let (mut opened, mut closed) = (0, 0);
    for row in rows(MESSAGES) {
        let list = RecordList::cut(hex(text(&row, "stored")).into());
        assert_eq!(list.len(), 1);
        let record = list.record(0).unwrap();
        assert_fields(&record, &row);
        if opens(record.compression()) {
            assert_eq!(record.body().unwrap(), hex(text(&row, "body")));
            opened += 1;
        } else {
            let kind = record.compression().unwrap();
            assert_eq!(record.body(), Err(RecordError::Compressed { kind }));
            closed += 1;
        }
    }
    let codecs =
        [(cfg!(feature = "zlib"), 18), (cfg!(feature = "lz4"), 15), (cfg!(feature = "zstd"), 13)];
    let compressed: i32 = codecs.iter().map(|(on, rows)| i32::from(*on) * rows).sum();
    let expected = (34 + compressed, 46 - compressed);
    assert_eq!((opened, closed), expected);
}

#[test]
fn records_that_java_stored_are_written_byte_for_byte() {
    for row in rows(MESSAGES) {
        let stored = hex(text(&row, "stored"));
        let list = RecordList::cut(stored.clone().into());
        let record = list.record(0).unwrap();
        let mut written = vec![1, 2, 3];
        let (topic, body) = (record.topic(), record.raw_body());
        StoredRecord::of(&record, &topic, &body, record.properties().as_bytes())
            .encode_into(&mut written);
        assert_eq!(written[3..], stored);
    }
}

#[test]
fn bad_15_bad_16_bad_17_comp_05_a_spoilt_record_is_undecodable_and_hides_no_neighbour() {
    let mut skipped = 0;
    let mut seen = BTreeMap::new();
    for row in rows(PULLS) {
        let list = RecordList::cut(hex(text(&row, "pulled")).into());
        let expected = row["messages"].as_array().unwrap();
        assert_eq!(list.len(), expected.len());
        for (i, message) in expected.iter().enumerate() {
            let kind = text(message, "kind");
            assert_eq!(list.queue_offset(i), Some(int(message, "queue_offset")), "{kind}");
            assert_eq!(list.item(i).queue_offset(), list.queue_offset(i));
            let compression = list.record(i).and_then(|record| record.compression());
            if !opens(compression) {
                skipped += 1;
                continue;
            }
            let body = list.record(i).and_then(|record| record.body().ok());
            match text(message, "status") {
                "ok" => assert_eq!(body.unwrap(), hex(text(message, "body"))),
                _ => assert_eq!(body, None, "{kind}"),
            }
            *seen.entry(kind.to_owned()).or_insert(0) += 1;
        }
    }
    let codecs =
        [(cfg!(feature = "zlib"), 56), (cfg!(feature = "lz4"), 55), (cfg!(feature = "zstd"), 44)];
    let closed: i32 = codecs.iter().map(|(on, rows)| i32::from(!*on) * rows).sum();
    assert_eq!(skipped, closed, "{seen:?}");
    for kind in ["body_length", "crc", "magic", "properties_length", "topic_length"] {
        assert!(seen.contains_key(&format!("bad_{kind}")), "{kind}");
    }
    assert!(seen.contains_key("bad_compression_type"));
}

/// A record of our own, whose topic has `topic` bytes.
fn record(queue_offset: i64, topic: usize, v6: bool, body: &[u8]) -> Vec<u8> {
    let host: SocketAddr =
        if v6 { "[2001:db8::7]:10911" } else { "10.0.0.7:10911" }.parse().unwrap();
    let mut out = Vec::new();
    StoredRecord {
        topic: &"t".repeat(topic),
        queue_id: 3,
        flag: -1,
        queue_offset,
        commit_log_offset: 1 << 40,
        sys_flag: 0,
        born_timestamp: UnixMillis(1_700_000_000_001),
        born_host: host,
        store_timestamp: UnixMillis(1_700_000_000_002),
        store_host: host,
        reconsume_times: 2,
        prepared_transaction_offset: 0,
        body,
        properties: b"KEYS\x01a b\x02TAGS\x01paid\x02UNIQ_KEY\x01u\x02",
    }
    .encode_into(&mut out);
    out
}

#[test]
fn wire_18_wire_19_topics_of_every_length_and_hosts_of_both_kinds_come_back() {
    for topic in [1, 127, 128, 255, 256, 65_535] {
        for v6 in [false, true] {
            let stored = record(5, topic, v6, b"body");
            let magic = if topic > 127 { 0xAB } else { 0xA7 };
            assert_eq!(stored[7], magic);
            let list = RecordList::cut(stored.into());
            let record = list.record(0).unwrap();
            assert_eq!(record.topic(), "t".repeat(topic));
            assert_eq!(record.body().unwrap(), "body");
            assert_eq!(record.store_host().is_ipv6(), v6);
            assert_eq!(record.born_host(), record.store_host());
            assert_eq!(record.keys().collect::<Vec<_>>(), ["a", "b"]);
            assert_eq!((record.tags(), record.unique_id()), (Some("paid"), Some("u")));
            assert_eq!((record.reconsume_times(), record.store_timestamp().0 % 10), (2, 2));
        }
    }
}

#[test]
fn fields_that_a_later_version_appends_are_stepped_over() {
    let mut stored = record(5, 9, false, b"first");
    stored.extend_from_slice(b"news");
    let size = stored.len() as u32;
    stored[..4].copy_from_slice(&size.to_be_bytes());
    stored.extend(record(6, 9, false, b"second"));
    let list = RecordList::cut(stored.into());
    let bodies: Vec<_> = list.items().map(|i| i.record().unwrap().body().unwrap()).collect();
    assert_eq!(bodies, ["first", "second"]);
}

#[test]
fn pull_22_a_body_whose_checksum_was_not_computed_is_read() {
    let mut stored = record(5, 9, false, b"unchecked");
    stored[8..12].fill(0);
    let list = RecordList::cut(stored.clone().into());
    assert_eq!(list.record(0).unwrap().body().unwrap(), "unchecked");
    // Any other number that is not the body's is damage.
    stored[11] = 1;
    let list = RecordList::cut(stored.into());
    let damaged = list.record(0).unwrap().body();
    assert!(matches!(damaged, Err(RecordError::Checksum { expected: 1, .. })), "{damaged:?}");
}

#[test]
fn a_body_shares_the_read_buffer() {
    let pulled = Bytes::from(record(5, 9, false, b"the body"));
    let range = pulled.as_ptr_range();
    let body = {
        let list = RecordList::cut(pulled);
        list.record(0).unwrap().body().unwrap()
    };
    assert_eq!(body, "the body");
    assert!(range.contains(&body.as_ptr()));
}

#[test]
fn bad_14_a_size_that_cannot_be_true_ends_the_list_as_one_item() {
    for size in [0_u32, 3, 27, 0x7FFF_FFFF, u32::MAX] {
        let mut pulled = record(5, 9, false, b"first");
        let left = pulled.len() as u32;
        let mut bad = record(6, 9, false, b"secnd");
        bad[..4].copy_from_slice(&size.to_be_bytes());
        pulled.extend(bad);
        let list = RecordList::cut(pulled.into());
        assert_eq!(list.len(), 2);
        let Item::Undecodable(rest) = list.item(1) else { panic!("{size} was read") };
        assert_eq!(rest.reason, RecordError::Size { found: size, left });
        assert_eq!((rest.queue_offset, rest.raw.len()), (Some(6), left as usize));
        assert_eq!(list.raw_len(1), left as usize);
    }
}

#[test]
fn a_peer_cannot_make_the_index_larger_than_what_it_sent() {
    let mut smallest = [0; 28];
    smallest[3] = 28;
    let list = RecordList::cut(smallest.repeat(10_000).into());
    assert_eq!(list.len(), 10_000);
    assert!(list.items().all(|item| matches!(item, Item::Undecodable(_))));
    assert_eq!(RecordList::cut(vec![0; 1 << 20].into()).len(), 1);
    assert!(RecordList::cut(Bytes::new()).is_empty());
}

#[test]
fn a_negative_queue_offset_never_comes_out() {
    let list = RecordList::cut(record(-1, 9, false, b"x").into());
    let Item::Undecodable(item) = list.item(0) else { panic!("read") };
    assert_eq!((item.queue_offset, item.reason), (None, RecordError::QueueOffset));
    assert_eq!(list.queue_offset(0), None);
}

/// Looks at everything there is to see.
fn visit(list: &RecordList, whole: usize) {
    let raw = (0..list.len()).map(|i| list.raw_len(i)).sum::<usize>();
    // A flipped bit may make a record a batch, which is written anew.
    assert_eq!(raw, list.byte_len());
    assert!(raw <= whole || list.items().any(|i| i.record().is_some()), "{raw} of {whole}");
    for (i, item) in list.items().enumerate() {
        assert!(item.queue_offset().is_none_or(|offset| offset >= 0));
        assert_eq!(list.raw(i).len(), list.raw_len(i));
        let Item::Record(record) = item else { continue };
        let _ = (record.body(), record.raw_body(), record.topic(), record.born_host());
        let _ = (record.store_timestamp(), record.offset_message_id().to_string());
        let _ = (record.properties().iter().count(), record.keys().count(), record.raw());
        let _ = (record.reconsume_times(), record.prepared_transaction_offset());
    }
}

#[test]
fn no_mutation_of_a_pull_body_does_harm() {
    let pulls: Vec<Vec<u8>> = rows(PULLS).map(|row| hex(text(&row, "pulled"))).collect();
    let mut rng = Rng::new(20_261_122);
    for _ in 0..40_000 {
        let mut pulled = pulls[rng.below(pulls.len() as u64) as usize].clone();
        for _ in 0..=rng.below(4) {
            let at = rng.below(pulled.len() as u64) as usize;
            match rng.below(5) {
                0 => pulled.truncate(at + 1),
                1 => pulled[at] ^= 1 << rng.below(8),
                2 => pulled[at] = rng.next_u64() as u8,
                3 => pulled[at..].iter_mut().take(4).for_each(|byte| *byte = 0xFF),
                _ => drop(pulled.drain(..at)),
            }
        }
        let whole = pulled.len();
        visit(&RecordList::cut(pulled.into()), whole);
    }
}

#[test]
fn bad_18_damage_within_a_record_leaves_all_others_as_they_were() {
    let records: Vec<_> = (0..5).map(|n| record(n, 9, n % 2 == 0, b"some body")).collect();
    let mut rng = Rng::new(7);
    for _ in 0..20_000 {
        let bad = rng.below(5) as usize;
        let mut damaged = records.clone();
        let length = damaged[bad].len() as u64;
        for _ in 0..=rng.below(3) {
            damaged[bad][4 + rng.below(length - 4) as usize] = rng.next_u64() as u8;
        }
        let list = RecordList::cut(damaged.concat().into());
        assert_eq!(list.len(), 5);
        for (i, stored) in records.iter().enumerate().filter(|(i, _)| *i != bad) {
            let record = list.record(i).unwrap();
            assert_eq!(record.raw(), *stored);
            assert_eq!(record.body().unwrap(), "some body");
        }
    }
}

#[test]
fn a_list_can_be_shared_between_threads() {
    const fn shared<T: Send + Sync + 'static>() {}
    shared::<RecordList>();
}
