//! What is made of messages before they are sent: batches, and bodies that are compressed.
#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use rocketry_core::frame::RequestCode;
use rocketry_core::message::{
    BatchBody, Message, MessageError, MessageLimits, Properties, Publish, UniqueId, UniqueIds,
};
use rocketry_core::name::{Group, NameError, Topic};
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
fn batch_01_each_message_keeps_its_flag() {
    let flags = [7, 0, -1, i32::MIN];
    let publish = batch(&flags.map(|flag| message("T", "b").flag(flag))).unwrap();
    let read = BatchBody::new(publish.body()).map(|one| one.unwrap().flag);
    assert_eq!(read.collect::<Vec<_>>(), flags);
}

#[test]
fn two_clients_of_one_process_give_no_id_twice() {
    let clients = [1, 2].map(|salt| UniqueIds::new([10, 0, 0, 1], 77, salt));
    let ids = clients.iter().flat_map(|ids| (0..1000).map(|_| ids.next(BORN)));
    assert_eq!(ids.collect::<std::collections::BTreeSet<_>>().len(), 2000);
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

#[cfg(feature = "zlib")]
#[test]
fn comp_09_a_batch_is_sent_as_it_is_however_long_and_however_much_it_would_shrink() {
    let messages: Vec<_> = (0..8).map(|_| message("T", vec![b'x'; 5000])).collect();
    let publish = batch(&messages).unwrap();
    assert_eq!(fields(&publish)["f"], "0");
    let read = BatchBody::new(publish.body()).map(Result::unwrap);
    assert!(read.clone().count() == 8 && read.into_iter().all(|one| one.body.len() == 5000));
}

#[test]
fn send_18_a_topic_that_brokers_refuse_is_refused_before_anything_is_sent() {
    let refused = |name: &str| Topic::new(name).unwrap_err();
    for blank in ["", " ", "\t \n"] {
        assert_eq!(refused(blank), NameError::Blank { what: "topic" });
    }
    let too_long =
        NameError::TooLong { what: "topic", given: "t".repeat(128), length: 128, limit: 127 };
    assert_eq!(refused(&"t".repeat(128)), too_long);
    assert!(Topic::new("t".repeat(127)).is_ok());
    // CVE-2019-17572: a topic's name is a folder's on the broker.
    for (name, found) in
        [("../../etc", '.'), ("a/b", '/'), ("a b", ' '), ("\u{8bdd}\u{9898}", '话')]
    {
        assert_eq!(
            refused(name),
            NameError::Character { what: "topic", given: name.into(), found }
        );
    }
    for name in [
        "SCHEDULE_TOPIC_XXXX",
        "RMQ_SYS_TRANS_HALF_TOPIC",
        "RMQ_SYS_TRANS_OP_HALF_TOPIC",
        "TRANS_CHECK_MAX_TIME_TOPIC",
        "SELF_TEST_TOPIC",
        "OFFSET_MOVED_EVENT",
    ] {
        let error = batch(&[message(name, "x")]).unwrap_err();
        assert_eq!(error, MessageError::SystemTopic { topic: Topic::new(name).unwrap() });
        assert!(error.to_string().contains(name), "{error}");
    }
    // The trace's topic is the broker's own and open to clients.
    assert!(batch(&[message("RMQ_SYS_TRACE_TOPIC", "x")]).is_ok());
}

#[test]
fn send_20_no_name_and_no_value_can_forge_another_property() {
    for name in ["UNIQ_KEY", "WAIT", "TAGS", "KEYS", "DELAY", "TRAN_MSG", "PGROUP", "REAL_TOPIC"] {
        let reserved = MessageError::Reserved { name: name.into() };
        assert_eq!(batch(&[message("T", "x").property(name, "v")]).unwrap_err(), reserved);
    }
    for text in ["a\u{1}b", "\u{2}", "v\u{2}UNIQ_KEY\u{1}forged"] {
        let each = [
            message("T", "x").property("own", text),
            message("T", "x").property(text, "v"),
            message("T", "x").tag(text),
            message("T", "x").key(text),
        ];
        for message in each {
            let error = batch(&[message]).unwrap_err();
            assert!(matches!(error, MessageError::Separator { .. }), "{error}");
        }
    }
    // What looks like a separator to others is text here, and its neighbours stay as they are.
    let odd = "\u{3}=;&\"\\\u{0}\n\u{7f}\u{85}";
    let publish = single(
        message("T", "x").property("before", "b").property("odd", odd).property("behind", "c"),
        &MessageLimits::default(),
    );
    let fields = fields(&publish);
    let properties = Properties::new(fields["i"].as_str().unwrap().as_bytes());
    let read = ["before", "odd", "behind"].map(|name| properties.get(name).unwrap());
    assert_eq!(read, ["b", odd, "c"]);
    assert_eq!(properties.iter().count(), 5);
}

#[test]
fn send_24_a_message_that_does_not_wait_to_be_stored_says_so() {
    let waits = |publish: &Publish| {
        let fields = fields(publish);
        let properties = Properties::new(fields["i"].as_str().unwrap().as_bytes());
        let all = properties.iter().filter(|(name, _)| *name == "WAIT");
        all.map(|(_, value)| value.to_owned()).collect::<Vec<_>>()
    };
    let limits = MessageLimits::default();
    let single = |message| single(message, &limits);
    assert_eq!(waits(&single(message("T", "x"))), ["true"]);
    assert_eq!(waits(&single(message("T", "x").wait_store_msg_ok(false))), ["false"]);
    let quick = || message("T", "x").wait_store_msg_ok(false);
    let publish = batch(&[quick(), quick()]).unwrap();
    assert_eq!(waits(&publish), ["false"]);
    for element in BatchBody::new(publish.body()) {
        assert_eq!(element.unwrap().properties.get("WAIT"), Some("false"));
    }
    let mixed = batch(&[quick(), quick(), message("T", "x")]);
    assert_eq!(mixed.unwrap_err(), MessageError::MixedWaits { index: 2 });
    // The longest properties are one byte shorter with the longer word.
    let longest = 32_767 - "UNIQ_KEY".len() - 34 - "WAIT\u{1}true\u{2}".len() - 3 - 160;
    let filled = |length| message("T", "x").property("p", &"v".repeat(length));
    assert!(batch(&[filled(longest)]).is_ok());
    assert!(batch(&[filled(longest - 1).wait_store_msg_ok(false)]).is_ok());
    let error = batch(&[filled(longest).wait_store_msg_ok(false)]).unwrap_err();
    assert!(matches!(error, MessageError::PropertiesTooLarge { length: 32_768, .. }), "{error}");
}
