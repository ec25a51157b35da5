//! What is made of messages before they are sent: batches, and bodies that are compressed.
#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use rocketry_core::frame::RequestCode;
use rocketry_core::message::{
    BatchBody, Message, MessageError, MessageLimits, Publish, UniqueId, UniqueIds,
};
use rocketry_core::name::{Group, Topic};
use rocketry_core::time::UnixMillis;

const BORN: UnixMillis = UnixMillis(1_763_800_000_000);

fn message(topic: &str, body: impl Into<Bytes>) -> Message {
    Message::new(Topic::new(topic).unwrap(), body)
}

fn batch(messages: &[Message]) -> Result<Publish, MessageError> {
    let ids = UniqueIds::new([10, 0, 0, 1], 77, 5);
    let group = Group::new("shop").unwrap();
    Publish::batch(messages, &group, || ids.next(BORN), BORN, &MessageLimits::default())
}

fn single(message: Message, limits: &MessageLimits) -> Publish {
    let id = UniqueIds::new([10, 0, 0, 1], 77, 5).next(BORN);
    Publish::new(message, &Group::new("shop").unwrap(), id, BORN, limits).unwrap()
}

fn fields(publish: &Publish) -> serde_json::Value {
    let text = std::str::from_utf8(publish.fields()).unwrap();
    serde_json::from_str(&format!("{{{text}}}")).unwrap()
}

#[test]
fn batch_01_batch_06_each_message_keeps_its_body_properties_and_id() {
    let messages: Vec<_> =
        (0..10).map(|n| message("T", format!("b{n}")).tag("t").key(&format!("k{n}"))).collect();
    let publish = batch(&messages).unwrap();
    assert_eq!(publish.code(), RequestCode::SEND_BATCH_MESSAGE);
    let ids: Vec<UniqueId> = publish.batch_ids().unwrap().to_vec();
    assert_eq!(publish.unique_id(), ids[0]);
    let fields = fields(&publish);
    assert_eq!((&fields["m"], &fields["f"]), (&"true".into(), &"0".into()));
    assert_eq!(fields["i"], "WAIT\u{1}true\u{2}");
    let read: Vec<_> = BatchBody::new(publish.body()).map(Result::unwrap).collect();
    assert_eq!(read.len(), 10);
    for (n, one) in read.iter().enumerate() {
        assert_eq!(one.body, format!("b{n}").as_bytes());
        let get = |name| one.properties.get(name).unwrap();
        assert_eq!((get("TAGS"), get("KEYS")), ("t", &*format!("k{n}")));
        assert_eq!((get("UNIQ_KEY"), get("WAIT")), (ids[n].as_str(), "true"));
    }
}

#[test]
fn batch_03_batch_04_mixed_topics_delays_and_retry_topics_are_refused() {
    assert_eq!(batch(&[]).unwrap_err(), MessageError::EmptyBatch);
    let mixed = [message("T", "a"), message("T", "b"), message("U", "c")];
    assert_eq!(batch(&mixed).unwrap_err(), MessageError::MixedTopics { index: 2 });
    let delayed = [message("T", "a"), message("T", "b").delay_level(3)];
    assert_eq!(batch(&delayed).unwrap_err(), MessageError::NotForBatch { index: 1 });
    let retry = [message("%RETRY%g", "a")];
    assert_eq!(batch(&retry).unwrap_err(), MessageError::NotForBatch { index: 0 });
    let empty = [message("T", "a"), message("T", "")];
    assert_eq!(batch(&empty).unwrap_err(), MessageError::EmptyBody);
}

#[test]
fn batch_05_what_is_larger_than_a_body_together_is_refused() {
    let quarter = || message("T", vec![b'x'; 1 << 20]);
    assert!(batch(&[quarter(), quarter(), quarter()]).is_ok());
    let error = batch(&[quarter(), quarter(), quarter(), quarter()]).unwrap_err();
    let limit = 4 << 20;
    let MessageError::BatchTooLarge { length, limit: most } = error else { panic!("{error}") };
    assert!(length > limit && most == limit);
}

#[cfg(feature = "zlib")]
#[test]
fn comp_01_a_body_of_4096_bytes_is_sent_as_it_is_and_a_longer_one_compressed() {
    use rocketry_core::message::{RecordList, StoredRecord, sys_flag};
    let limits = MessageLimits::default();
    let plain = single(message("T", vec![b'x'; 4096]), &limits);
    assert_eq!((plain.body().len(), &fields(&plain)["f"]), (4096, &"0".into()));
    let packed = single(message("T", vec![b'x'; 4097]), &limits);
    assert!(packed.body().len() < 100);
    assert_eq!(fields(&packed)["f"], "1");
    // As a broker stores it, and a consumer opens it.
    let host = "127.0.0.1:1".parse().unwrap();
    let record = StoredRecord {
        topic: "T",
        queue_id: 0,
        flag: 0,
        queue_offset: 0,
        commit_log_offset: 0,
        sys_flag: sys_flag::COMPRESSED,
        born_timestamp: BORN,
        born_host: host,
        store_timestamp: BORN,
        store_host: host,
        reconsume_times: 0,
        prepared_transaction_offset: 0,
        body: packed.body(),
        properties: b"",
    };
    let mut stored = Vec::new();
    record.encode_into(&mut stored);
    let list = RecordList::cut(stored.into());
    assert_eq!(list.record(0).unwrap().body().unwrap(), vec![b'x'; 4097]);
    let mut never = MessageLimits::default();
    never.compress_over = usize::MAX;
    assert_eq!(single(message("T", vec![b'x'; 1 << 20]), &never).body().len(), 1 << 20);
}

#[cfg(feature = "zlib")]
#[test]
fn comp_07_a_body_that_does_not_shrink_is_sent_as_it_is() {
    let mut rng = rocketry_core::rng::Rng::new(7);
    let noise: Vec<u8> = (0..3 << 17).flat_map(|_| rng.next_u64().to_le_bytes()).collect();
    let publish = single(message("T", noise.clone()), &MessageLimits::default());
    assert_eq!((publish.body(), &fields(&publish)["f"]), (&Bytes::from(noise), &"0".into()));
}
