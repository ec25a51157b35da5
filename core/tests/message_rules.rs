//! What becomes of records and bodies beyond the plain ones: batches inside a record, codecs that
//! are built in or not, bodies of other languages, hostile properties.
#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;

use bytes::Bytes;
use rocketry_core::message::{
    BatchBody, Batched, Compression, Item, Properties, RecordError, RecordList, StoredRecord,
    sys_flag,
};
use rocketry_core::rng::Rng;
use rocketry_core::time::UnixMillis;

const BATCH: i32 = sys_flag::NEED_UNWRAP | sys_flag::INNER_BATCH;

fn stored(queue_offset: i64, sys_flag: i32, body: &[u8]) -> Vec<u8> {
    let host: SocketAddr = "10.0.0.7:10911".parse().unwrap();
    let mut out = Vec::new();
    StoredRecord {
        topic: "orders",
        queue_id: 3,
        flag: 7,
        queue_offset,
        commit_log_offset: 1 << 40,
        sys_flag,
        born_timestamp: UnixMillis(1_700_000_000_001),
        born_host: host,
        store_timestamp: UnixMillis(1_700_000_000_002),
        store_host: host,
        reconsume_times: 0,
        prepared_transaction_offset: 0,
        body,
        properties: b"INNER_NUM\x013\x02",
    }
    .encode_into(&mut out);
    out
}

fn batch(bodies: &[&str]) -> Vec<u8> {
    let mut out = Vec::new();
    for (n, body) in bodies.iter().enumerate() {
        let properties = format!("TAGS\u{1}t{n}\u{2}");
        let properties = Properties::new(properties.as_bytes());
        let message = Batched { flag: n as i32, body: body.as_bytes(), properties };
        message.encode_into(&mut out).unwrap();
    }
    out
}

#[cfg(feature = "zlib")]
fn zlib(body: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packer, body).unwrap();
    packer.finish().unwrap()
}

fn cut(records: &[Vec<u8>]) -> RecordList {
    RecordList::cut(records.concat().into())
}

#[test]
fn a_batch_kept_as_one_record_comes_out_as_its_messages() {
    let list = cut(&[
        stored(9, 0, b"before"),
        stored(10, BATCH | sys_flag::TRANSACTION_COMMIT, &batch(&["a", "b", "c"])),
        stored(13, 0, b"behind"),
        // One flag alone means nothing (`MessageDecoder` asks for both).
        stored(14, sys_flag::INNER_BATCH, b"single"),
    ]);
    let read: Vec<_> = list
        .items()
        .map(|item| {
            let record = item.record().unwrap();
            (record.queue_offset(), record.body().unwrap())
        })
        .collect();
    let expected: [(i64, Bytes); 6] = [
        (9, "before".into()),
        (10, "a".into()),
        (11, "b".into()),
        (12, "c".into()),
        (13, "behind".into()),
        (14, "single".into()),
    ];
    assert_eq!(read, expected);
    let inner = list.record(2).unwrap();
    assert_eq!((inner.flag(), inner.tags(), inner.property("INNER_NUM")), (1, Some("t1"), None));
    assert_eq!((inner.queue_id(), inner.commit_log_offset()), (3, 1 << 40));
    assert_eq!((inner.topic(), inner.store_timestamp().0 % 10), ("orders".into(), 2));
    // The flag of a batch stays: its place in the log is that of all of it.
    let flag = sys_flag::TRANSACTION_COMMIT | sys_flag::INNER_BATCH;
    assert_eq!(inner.sys_flag(), flag);
}

#[test]
fn a_batch_that_breaks_off_reports_the_rest_and_hides_no_neighbour() {
    let whole = batch(&["a", "b", "c"]);
    let size = whole.len() / 3;
    for length in 0..whole.len() {
        let list = cut(&[stored(10, BATCH, &whole[..length]), stored(13, 0, b"behind")]);
        let good = length / size;
        let rest = usize::from(length % size != 0 || length == 0);
        assert_eq!(list.len(), good + rest + 1);
        assert_eq!(list.record(good + rest).unwrap().body().unwrap(), "behind");
        for i in 0..good {
            assert_eq!(list.record(i).unwrap().queue_offset(), 10 + i as i64);
        }
        if rest == 1 {
            let Item::Undecodable(item) = list.item(good) else { panic!("{length} was read") };
            let reason = RecordError::InnerBatch { index: good as u32 };
            assert_eq!((item.reason, item.queue_offset), (reason, Some(10 + good as i64)));
            assert_eq!(item.raw.len(), stored(10, BATCH, &whole[..length]).len());
        }
    }
}

#[test]
fn a_batch_whose_body_is_damaged_is_undecodable_as_a_whole() {
    let mut bad = stored(10, BATCH, &batch(&["a", "b"]));
    bad[100] ^= 1;
    let list = cut(&[bad, stored(12, 0, b"behind")]);
    let Item::Undecodable(item) = list.item(0) else { panic!("read") };
    assert!(matches!(item.reason, RecordError::Checksum { .. }));
    assert_eq!((item.queue_offset, list.len()), (Some(10), 2));
}

#[test]
fn no_batch_makes_more_than_its_limit() {
    // Each empty message of 22 bytes becomes a record of its own: four times as many bytes.
    let body = batch(&[""]).repeat(1 << 20);
    let list = cut(&[stored(0, BATCH, &body), stored(1 << 20, 0, b"behind")]);
    assert!(list.byte_len() < body.len() + (65 << 20));
    let Item::Undecodable(item) = list.item(list.len() - 2) else { panic!("all was read") };
    assert_eq!(item.reason, RecordError::TooLarge { limit: 32 << 20 });
    assert_eq!(item.queue_offset, Some(list.len() as i64 - 2));
    assert_eq!(list.record(list.len() - 1).unwrap().body().unwrap(), "behind");
}

#[test]
fn pull_22_a_batch_whose_checksum_was_not_computed_comes_out_as_its_messages() {
    let mut unchecked = stored(10, BATCH, &batch(&["a", "b"]));
    unchecked[8..12].fill(0);
    let list = cut(&[unchecked]);
    let bodies: Vec<_> = list.items().map(|i| i.record().unwrap().body().unwrap()).collect();
    assert_eq!(bodies, ["a", "b"]);
}

#[test]
#[cfg(feature = "zlib")]
fn a_batch_that_is_compressed_comes_out_as_its_messages() {
    let packed = stored(10, BATCH | sys_flag::COMPRESSED, &zlib(&batch(&["a", "b"])));
    let list = cut(&[packed, stored(12, 0, b"behind")]);
    let read: Vec<_> = list.items().map(|item| item.record().unwrap()).collect();
    let bodies: Vec<_> = read.iter().map(|record| record.body().unwrap()).collect();
    assert_eq!(bodies, ["a", "b", "behind"]);
    assert_eq!((read[1].tags(), read[1].queue_offset()), (Some("t1"), 11));
}

#[test]
#[cfg(feature = "zlib")]
fn a_list_opens_bodies_up_to_the_limit_it_was_cut_with() {
    let body = vec![7; 100_000];
    let (single, inner) = (zlib(&body), zlib(&batch(&[&"x".repeat(100_000)])));
    let records = [
        stored(5, sys_flag::COMPRESSED, &single),
        stored(6, BATCH | sys_flag::COMPRESSED, &inner),
        stored(7, 0, b"behind"),
    ];
    let within = |limit| {
        let pulled = Bytes::from(records.concat());
        let pinned = pulled.len();
        let list = RecordList::cut_within(pulled, pinned, limit);
        let read = |item: Item<'_>| match item {
            Item::Record(record) => record.body().map(|body| body.len()),
            Item::Undecodable(item) => Err(item.reason),
        };
        list.items().map(read).collect::<Vec<_>>()
    };
    assert_eq!(within(99_999)[0], Err(RecordError::TooLarge { limit: 99_999 }));
    assert_eq!(within(99_999)[1..], [Err(RecordError::TooLarge { limit: 99_999 }), Ok(6)]);
    assert_eq!(within(100_100), [Ok(100_000), Ok(100_000), Ok(6)]);
}

#[test]
fn no_mutation_of_a_batch_does_harm() {
    let records = [stored(10, BATCH, &batch(&["one", "two", "three"])), stored(13, 0, b"behind")];
    let length = records[0].len() as u64;
    let mut rng = Rng::new(320);
    for _ in 0..20_000 {
        let mut damaged = records.clone();
        for _ in 0..=rng.below(3) {
            damaged[0][4 + rng.below(length - 4) as usize] = rng.next_u64() as u8;
        }
        let list = cut(&damaged);
        assert_eq!(list.record(list.len() - 1).unwrap().raw(), records[1]);
        for item in list.items().filter_map(Item::record) {
            let _ = (item.body(), item.topic(), item.properties().iter().count());
        }
        let mut body = batch(&["one", "two"]);
        let at = rng.below(body.len() as u64) as usize;
        body[at] = rng.next_u64() as u8;
        assert!(BatchBody::new(&body).count() <= 3);
    }
}

#[test]
fn comp_05_every_compression_type_is_known_or_undecodable() {
    for kind in 0..8 {
        let list = cut(&[stored(5, 1 | kind << 8, b"packed"), stored(6, 0, b"behind")]);
        match list.item(0) {
            Item::Record(record) => {
                let expected = match kind {
                    0 | 3 => Compression::Zlib,
                    1 => Compression::Lz4,
                    2 => Compression::Zstd,
                    _ => panic!("{kind} was read"),
                };
                assert_eq!(record.compression(), Some(expected));
                assert!(record.body().is_err());
                // COMP-08: whether or not the codec is built in, nothing of the message is lost.
                assert_eq!(
                    (record.raw_body(), record.sys_flag()),
                    ("packed".into(), 1 | kind << 8)
                );
            }
            Item::Undecodable(item) => {
                let found = kind as u8;
                assert!(kind > 3);
                assert_eq!(item.reason, RecordError::CompressionType { found });
                assert_eq!(item.queue_offset, Some(5));
            }
        }
        assert_eq!(list.record(1).unwrap().body().unwrap(), "behind");
    }
}

#[test]
#[cfg(feature = "zlib")]
fn comp_10_what_python_and_go_compressed_opens() {
    // zlib.compress(b"hello from python " * 20), at its levels 6 and 1, with the legacy type 0.
    let fast = "7801cb48cdc9c957482bcacf5528a82cc9c8cf53c81815a141680000dbdd87c9";
    let deflated = "789ccb48cdc9c957482bcacf5528a82cc9c8cf53c81815a1810800dbdd87c9";
    // Go's compress/zlib over strings.Repeat("hello from go ", 20), at its levels 5 and 1.
    let go = "785eca48cdc9c957482bcacf5548cf5718e5c17880000000fffffdc663d9";
    let go_fast = "7801ecc7310d00200c05512b678e96a1cd25dfff8011c677cf8c545c5abe2a2e2d2f0000fffffdc\
        663d9";
    for (text, writer) in [(deflated, "python"), (fast, "python"), (go, "go"), (go_fast, "go")] {
        let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
        let packed: Vec<u8> = (0..text.len()).step_by(2).map(byte).collect();
        let list = cut(&[stored(5, sys_flag::COMPRESSED, &packed)]);
        let body = list.record(0).unwrap().body().unwrap();
        assert_eq!(body, format!("hello from {writer} ").repeat(20));
    }
}

#[test]
fn bad_18_one_undecodable_message_of_thirty_two_hides_no_other() {
    let mut records: Vec<_> = (0..32).map(|n| stored(n, 0, b"a body")).collect();
    records[4][7] = 0;
    let list = cut(&records);
    assert_eq!(list.len(), 32);
    let offsets: Vec<_> = list.items().map(|item| item.queue_offset().unwrap()).collect();
    assert_eq!(offsets, (0..32).collect::<Vec<_>>());
    assert_eq!(list.items().filter(|item| item.record().is_some()).count(), 31);
    let Item::Undecodable(item) = list.item(4) else { panic!("read") };
    assert_eq!(item.raw, records[4]);
}

#[test]
fn bad_28_properties_without_meaning_are_read_in_one_pass() {
    let texts = [vec![b'x'; 32 << 10], vec![1; 32 << 10], vec![2; 32 << 10], b"\x01\x02".repeat(9)];
    for text in &texts {
        assert_eq!(Properties::new(text).iter().count(), 0);
        assert_eq!(Properties::new(text).get("x"), None);
        assert!(Properties::new(text).is_empty());
    }
    let mixed = [&texts[1][..], b"\x02A\x01b\x02", &texts[2]].concat();
    assert_eq!(Properties::new(&mixed).iter().collect::<Vec<_>>(), [("A", "b")]);
}
