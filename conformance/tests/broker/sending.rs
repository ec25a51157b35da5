//! Sends: what is stored, where, and what is refused.

use bytes::Bytes;
use rocketry_conformance::broker::{ClusterConfig, TopicConfig};
use rocketry_core::frame::request::SendRequest;
use rocketry_core::frame::{Kind, Request, RequestCode, ResponseCode};
use rocketry_core::message::OffsetMessageId;
use rocketry_core::time::UnixMillis;

use crate::world::*;

#[test]
fn sends_get_offsets_and_are_pulled_back_as_stored_records() {
    let mut world = World::one_topic(2);
    let mut client = world.connect(BROKER);
    let mut last_transaction = None;
    for (i, body) in ["zero", "one", "two"].into_iter().enumerate() {
        let (code, sent) = world.publish(&mut client, tagged("A"), body);
        let sent = sent.unwrap();
        assert_eq!((code, sent.queue_id, sent.queue_offset), (ResponseCode::SUCCESS, 0, i as i64));
        let id = OffsetMessageId::parse(&sent.msg_id).unwrap();
        assert_eq!(id.addr, "127.0.0.1:10911".parse().unwrap());
        last_transaction = sent.transaction_id;
    }
    let found = world.pull(&mut client, pull_from(1));
    assert_eq!((found.code, found.next, found.min, found.max), (ResponseCode::SUCCESS, 3, 0, 3));
    assert_eq!(found.bodies, ["one", "two"]);

    let kept = world.session.cluster().messages(0, TOPIC, 0);
    let record = kept.record(2).unwrap();
    assert_eq!(last_transaction.as_deref(), record.unique_id());
    assert_eq!((record.queue_offset(), record.queue_id(), record.flag()), (2, 0, 3));
    assert_eq!(record.topic(), TOPIC);
    assert_eq!((record.tags(), record.property("WAIT")), (Some("A"), Some("true")));
    assert_eq!(record.property("CLUSTER"), Some("DefaultCluster"));
    assert_eq!(record.unique_id().map(str::len), Some(32));
    assert_eq!(record.born_timestamp(), UnixMillis(1_699_999_999_999));
    assert_eq!(record.store_timestamp(), UnixMillis(1_700_000_000_000));
    assert_eq!(world.session.cluster().max_offset(0, TOPIC, 1), Some(0));
    assert_eq!(world.session.cluster().requests(RequestCode::SEND_MESSAGE_V2), 3);
}

#[test]
fn a_oneway_send_is_stored_and_not_answered() {
    let mut world = World::one_topic(1);
    let mut client = world.connect(BROKER);
    let send = Request::Send(message(TOPIC, 0));
    world.send_as(&client, Kind::Send, send, Bytes::from_static(b"x"), true);
    assert!(world.received(&mut client).is_empty());
    assert_eq!(world.session.cluster().stored(TOPIC), 1);
}

#[test]
fn a_send_with_long_field_names_is_the_same_send() {
    let mut world = World::one_topic(1);
    let mut client = world.connect(BROKER);
    let fields = [
        ("producerGroup", "producers"),
        ("topic", TOPIC),
        ("defaultTopic", "TBW102"),
        ("defaultTopicQueueNums", "4"),
        ("queueId", "0"),
        ("sysFlag", "0"),
        ("bornTimestamp", "1"),
        ("flag", "0"),
    ];
    let fields = fields.map(|(name, value)| (Box::from(name), Box::from(value))).to_vec();
    let request = Request::Unknown { code: RequestCode::SEND_MESSAGE, fields };
    let (reply, _) = world.ask(&mut client, Kind::Send, request, "v1");
    assert_eq!(reply.code, ResponseCode::SUCCESS);
    assert_eq!(world.pull(&mut client, pull_from(0)).bodies, ["v1"]);
}

#[test]
fn a_send_without_a_queue_is_spread_by_the_seed() {
    let mut world = World::one_topic(4);
    let mut client = world.connect(BROKER);
    let mut queues: Vec<i32> = (0..32)
        .map(|_| world.publish(&mut client, message(TOPIC, -1), "x").1.unwrap().queue_id)
        .collect();
    queues.sort_unstable();
    queues.dedup();
    assert_eq!(queues, [0, 1, 2, 3]);
}

#[test]
fn bad_sends_are_refused_as_java_refuses_them() {
    let config = ClusterConfig { body_limit: 10, ..ClusterConfig::default() };
    let mut world = World::new(config.topic(TOPIC, 2));
    world.session.with(|c| c.create_topic(&TopicConfig::new("read_only", 2).perm(4)));
    let mut client = world.connect(BROKER);
    let mut code = |request, body| world.publish(&mut client, request, body).0;
    assert_eq!(code(message(TOPIC, 2), "x"), ResponseCode::INVALID_PARAMETER);
    assert_eq!(code(message("read_only", 0), "x"), ResponseCode::SUCCESS, "the route says no");
    assert_eq!(code(message("SCHEDULE_TOPIC_XXXX", 0), "x"), ResponseCode::NO_PERMISSION);
    assert_eq!(code(message("../etc", 0), "x"), ResponseCode::INVALID_PARAMETER);
    assert_eq!(code(message(TOPIC, 0), ""), ResponseCode::SYSTEM_ERROR);
    assert_eq!(code(message(TOPIC, 0), "eleven byte"), ResponseCode::MESSAGE_ILLEGAL);
    assert_eq!(code(message(TOPIC, 0), "ten bytes."), ResponseCode::SUCCESS);
}

#[test]
fn topics_are_made_by_a_send_only_when_that_is_on() {
    let mut world = World::new(ClusterConfig::default());
    let mut client = world.connect(BROKER);
    let (code, _) = world.publish(&mut client, message("made", 0), "x");
    assert_eq!(code, ResponseCode::SUCCESS);
    assert_eq!(world.session.cluster().queues(0, "made"), Some((4, 4)));
    let many = SendRequest { default_topic_queues: 100, ..message("wide", 0) };
    world.publish(&mut client, many, "x");
    assert_eq!(world.session.cluster().queues(0, "wide"), Some((8, 8)));

    let off = ClusterConfig { auto_create_topics: false, ..ClusterConfig::default() };
    let mut world = World::new(off);
    let mut client = world.connect(BROKER);
    let (code, _) = world.publish(&mut client, message("made", 0), "x");
    assert_eq!(code, ResponseCode::TOPIC_NOT_EXIST);
    let (code, _) = world.publish(&mut client, message("%RETRY%group_a", 0), "x");
    assert_eq!(code, ResponseCode::SUCCESS);
}

#[test]
fn the_same_seed_and_input_give_the_same_bytes() {
    let run = || {
        let mut world = World::one_topic(8);
        let mut client = world.connect(BROKER);
        let mut told = Vec::new();
        for i in 0..50 {
            world.publish(&mut client, message(TOPIC, -1), &i.to_string());
        }
        for queue in 0..8 {
            for item in world.session.cluster().messages(0, TOPIC, queue).items() {
                told.push(item.record().unwrap().raw());
            }
        }
        told
    };
    assert_eq!(run(), run());
}
