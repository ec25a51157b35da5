//! Offsets of times, and bodies that come compressed.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rocketry_conformance::broker::ClusterConfig;
use rocketry_core::frame::reply::TimestampReply;
use rocketry_core::frame::request::{EarliestTimeRequest, SearchOffsetRequest, SendRequest};
use rocketry_core::frame::{Kind, ReplyFields, Request, ResponseCode};
use rocketry_core::message::Compression;

use crate::world::*;

/// What the clock showed when the world began.
const START: i64 = 1_700_000_000_000;

fn search(world: &mut World, client: &mut Client, after: i64, boundary: Option<&str>) -> i64 {
    let ask = SearchOffsetRequest {
        topic: Arc::from(TOPIC),
        queue_id: 0,
        timestamp: START + after,
        boundary: boundary.map(Arc::from),
        ..Default::default()
    };
    let (reply, _) = world.ask(client, Kind::Offset, Request::SearchOffset(ask), "");
    offset_of(&reply).unwrap()
}

fn earliest(world: &mut World, client: &mut Client, topic: &str) -> i64 {
    let ask = EarliestTimeRequest { topic: Arc::from(topic), ..Default::default() };
    let (reply, _) = world.ask(client, Kind::Timestamp, Request::EarliestTime(ask), "");
    match reply.fields.unwrap() {
        ReplyFields::Timestamp(TimestampReply { timestamp }) => timestamp,
        fields => panic!("{fields:?}"),
    }
}

/// Messages 0 to 2 at the start, 3 and 4 after 100 ms, 5 after 200 ms.
fn filled(version: i32) -> (World, Client) {
    let config = ClusterConfig { version, ..ClusterConfig::default() };
    let mut world = World::new(config.topic(TOPIC, 1));
    let mut client = world.connect(BROKER);
    for count in [3, 2, 1] {
        for _ in 0..count {
            world.publish(&mut client, message(TOPIC, 0), "x");
        }
        world.pass(Duration::from_millis(100));
    }
    (world, client)
}

#[test]
fn a_time_is_searched_for_by_its_lower_or_its_upper_end() {
    let (mut world, mut client) = filled(479);
    for (after, lower, upper) in
        [(-1, 0, 0), (0, 0, 2), (1, 3, 2), (100, 3, 4), (150, 5, 4), (200, 5, 5), (201, 6, 5)]
    {
        assert_eq!(search(&mut world, &mut client, after, Some("LOWER")), lower, "{after}");
        assert_eq!(search(&mut world, &mut client, after, None), lower, "{after}");
        assert_eq!(search(&mut world, &mut client, after, Some("upper")), upper, "{after}");
    }
    world.session.with(|cluster| cluster.expire(0, TOPIC, 0, 4));
    assert_eq!(search(&mut world, &mut client, 0, None), 4, "not before the queue");
    assert_eq!(search(&mut world, &mut client, 0, Some("UPPER")), 4);
}

#[test]
fn before_5_0_the_nearer_message_is_found() {
    let (mut world, mut client) = filled(407);
    for (after, offset) in
        [(-1, 0), (0, 0), (40, 2), (50, 2), (51, 3), (100, 3), (151, 5), (200, 5), (900, 5)]
    {
        assert_eq!(search(&mut world, &mut client, after, Some("UPPER")), offset, "{after}");
    }
}

#[test]
fn the_first_messages_time_is_told_and_minus_one_without_any() {
    let (mut world, mut client) = filled(479);
    assert_eq!(earliest(&mut world, &mut client, TOPIC), START);
    world.session.with(|cluster| cluster.expire(0, TOPIC, 0, 4));
    assert_eq!(earliest(&mut world, &mut client, TOPIC), START + 100);
    world.session.with(|cluster| cluster.expire(0, TOPIC, 0, 6));
    assert_eq!(earliest(&mut world, &mut client, TOPIC), -1);
    assert_eq!(earliest(&mut world, &mut client, "unknown"), -1);
    assert_eq!(search(&mut world, &mut client, 0, None), 6);
}

#[test]
fn compressed_bodies_are_stored_as_they_come() {
    let mut world = World::one_topic(1);
    let mut client = world.connect(BROKER);
    let bits = Compression::Lz4.bits();
    let sent = Bytes::from_static(b"\x04\x22\x4d\x18 whatever");
    let request = Request::Send(SendRequest { sys_flag: bits, ..message(TOPIC, 0) });
    world.send_as(&client, Kind::Send, request, sent.clone(), false);
    let (reply, _) = reply_of(world.received(&mut client).remove(0));
    assert_eq!(reply.code, ResponseCode::SUCCESS);
    let kept = world.session.cluster().messages(0, TOPIC, 0);
    let record = kept.record(0).unwrap();
    assert_eq!((record.sys_flag(), &record.raw_body()[..]), (bits, &sent[..]));
}
