//! Pulls: at once and held, filters, and the offsets around them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rocketry_conformance::broker::ClusterConfig;
use rocketry_core::frame::request::{
    MaxOffsetRequest, MinOffsetRequest, PullRequest, UpdateOffsetRequest,
};
use rocketry_core::frame::{Kind, Request, ResponseCode};

use crate::world::*;

#[test]
fn a_held_pull_is_answered_when_a_message_arrives() {
    let mut world = World::one_topic(2);
    let mut consumer = world.connect(BROKER);
    let mut producer = world.connect(BROKER);
    let opaque = world.send_as(
        &consumer,
        Kind::Pull,
        Request::Pull(waiting(pull_from(0))),
        Bytes::new(),
        false,
    );
    world.pass(Duration::from_secs(5));
    assert!(world.received(&mut consumer).is_empty());
    world.publish(&mut producer, message(TOPIC, 1), "another queue");
    assert!(world.received(&mut consumer).is_empty());
    world.publish(&mut producer, message(TOPIC, 0), "this one");
    let mut frames = world.received(&mut consumer);
    assert_eq!((frames.len(), frames[0].opaque), (1, opaque));
    let (reply, body) = reply_of(frames.remove(0));
    assert_eq!(pulled(reply, body).bodies, ["this one"]);
    assert_eq!(world.session.cluster().held_pulls(0), 0);
    world.pass(Duration::from_secs(60));
    assert!(world.received(&mut consumer).is_empty(), "answered once");
}

#[test]
fn a_held_pull_ends_at_its_time_without_a_message() {
    let mut world = World::one_topic(1);
    let mut client = world.connect(BROKER);
    world.publish(&mut client, message(TOPIC, 0), "old");
    let pull = Request::Pull(waiting(pull_from(1)));
    world.send_as(&client, Kind::Pull, pull, Bytes::new(), false);
    world.pass(Duration::from_millis(14_999));
    assert!(world.received(&mut client).is_empty());
    world.pass(Duration::from_millis(1));
    let mut frames = world.received(&mut client);
    let (reply, body) = reply_of(frames.remove(0));
    let none = pulled(reply, body);
    assert_eq!((none.code, none.next, none.max), (ResponseCode::PULL_NOT_FOUND, 1, 1));
}

#[test]
fn pulls_outside_the_queue_are_told_where_to_go_on() {
    let mut world = World::one_topic(1);
    let mut client = world.connect(BROKER);
    let empty = world.pull(&mut client, pull_from(0));
    assert_eq!((empty.code, empty.next), (ResponseCode::PULL_NOT_FOUND, 0));
    let wrong = world.pull(&mut client, pull_from(9));
    assert_eq!((wrong.code, wrong.next), (ResponseCode::PULL_OFFSET_MOVED, 0));
    for i in 0..10 {
        world.publish(&mut client, message(TOPIC, 0), &i.to_string());
    }
    world.session.with(|cluster| cluster.expire(0, TOPIC, 0, 4));
    let mut at = |offset| {
        let found = world.pull(&mut client, waiting(pull_from(offset)));
        (found.code, found.next, found.min, found.max)
    };
    assert_eq!(at(3), (ResponseCode::PULL_OFFSET_MOVED, 4, 4, 10));
    assert_eq!(at(-1), (ResponseCode::PULL_OFFSET_MOVED, 4, 4, 10));
    assert_eq!(at(11), (ResponseCode::PULL_OFFSET_MOVED, 10, 4, 10));
    assert_eq!(at(4), (ResponseCode::SUCCESS, 10, 4, 10));
    let end = world.pull(&mut client, pull_from(10));
    assert_eq!((end.code, end.next), (ResponseCode::PULL_NOT_FOUND, 10));
    assert_eq!(world.session.cluster().messages(0, TOPIC, 0).len(), 6);
}

#[test]
fn a_pull_gets_at_most_its_messages_and_its_bytes_but_always_one() {
    let config = ClusterConfig { pull_bytes: 1000, ..ClusterConfig::default() };
    let mut world = World::new(config.topic(TOPIC, 1));
    let mut client = world.connect(BROKER);
    world.publish(&mut client, message(TOPIC, 0), &"x".repeat(2000));
    for i in 0..40 {
        world.publish(&mut client, message(TOPIC, 0), &i.to_string());
    }
    assert_eq!(world.pull(&mut client, pull_from(0)).bodies.len(), 1);
    let three = PullRequest { max_messages: 3, ..pull_from(1) };
    assert_eq!(world.pull(&mut client, three).bodies, ["0", "1", "2"]);
    let few = world.pull(&mut client, pull_from(1)).bodies.len();
    assert!((2..=10).contains(&few), "{few} records of 160 bytes or so");
}

#[test]
fn the_heartbeat_says_what_a_group_may_pull() {
    let mut world = World::one_topic(1);
    let mut client = world.connect(BROKER);
    let mut code = |world: &mut World, pull| world.pull(&mut client, pull).code;
    assert_eq!(code(&mut world, by_heartbeat(0, 5)), ResponseCode::SUBSCRIPTION_NOT_EXIST);
    let mut other = world.connect(BROKER);
    assert_eq!(world.beat(&mut other, "client-1", "*", 5), ResponseCode::SUCCESS);
    assert_eq!(code(&mut world, by_heartbeat(0, 5)), ResponseCode::PULL_NOT_FOUND);
    assert_eq!(code(&mut world, by_heartbeat(0, 6)), ResponseCode::SUBSCRIPTION_NOT_LATEST);
    assert_eq!(world.beat(&mut other, "client-1", "*", 6), ResponseCode::SUCCESS);
    assert_eq!(code(&mut world, by_heartbeat(0, 6)), ResponseCode::PULL_NOT_FOUND);
    let retry = PullRequest { topic: Arc::from("%RETRY%group_a"), ..by_heartbeat(0, 6) };
    assert_eq!(code(&mut world, retry), ResponseCode::SUBSCRIPTION_NOT_EXIST);
    let unknown = PullRequest { topic: Arc::from("unknown"), ..pull_from(0) };
    assert_eq!(code(&mut world, unknown), ResponseCode::TOPIC_NOT_EXIST);
    let beyond = PullRequest { queue_id: 1, ..pull_from(0) };
    assert_eq!(code(&mut world, beyond), ResponseCode::INVALID_PARAMETER);
    let sql = PullRequest { expression_type: Some(Arc::from("SQL92")), ..pull_from(0) };
    assert_eq!(code(&mut world, sql), ResponseCode::SYSTEM_ERROR);
}

#[test]
fn messages_of_other_tags_are_left_out() {
    let mut world = World::one_topic(1);
    let mut client = world.connect(BROKER);
    world.beat(&mut client, "client-1", "A || B", 1);
    for tag in ["A", "C", "B", "C", "C"] {
        world.publish(&mut client, tagged(tag), tag);
    }
    world.publish(&mut client, message(TOPIC, 0), "untagged");
    let found = world.pull(&mut client, by_heartbeat(0, 1));
    assert_eq!((found.bodies, found.next), (vec!["A".to_owned(), "B".to_owned()], 6));
    let none = world.pull(&mut client, waiting(by_heartbeat(3, 1)));
    assert_eq!((none.code, none.next), (ResponseCode::PULL_RETRY_IMMEDIATELY, 6));
    let separators = PullRequest { subscription: Some(Arc::from("||")), ..pull_from(0) };
    let refused = world.pull(&mut client, separators).code;
    assert_eq!(refused, ResponseCode::SUBSCRIPTION_PARSE_FAILED);
    let own = PullRequest { subscription: Some(Arc::from("C")), ..pull_from(0) };
    assert_eq!(world.pull(&mut client, own).bodies, ["C", "C", "C"]);

    let held = Request::Pull(waiting(by_heartbeat(6, 1)));
    let opaque = world.send_as(&client, Kind::Pull, held, Bytes::new(), false);
    let mut producer = world.connect(BROKER);
    world.publish(&mut producer, tagged("C"), "C");
    assert!(world.received(&mut client).is_empty(), "a message of another tag wakes nobody");
    world.publish(&mut producer, tagged("B"), "B");
    let frames = world.received(&mut client);
    assert_eq!((frames.len(), frames[0].opaque), (1, opaque));
}

#[test]
fn offsets_are_stored_and_a_young_queue_starts_at_0() {
    let mut world = World::one_topic(2);
    let mut client = world.connect(BROKER);
    let mut ask = |world: &mut World, request| {
        let reply = world.ask(&mut client, Kind::Offset, request, "").0;
        (reply.code, offset_of(&reply))
    };
    assert_eq!(ask(&mut world, query_offset(0)), (ResponseCode::QUERY_NOT_FOUND, None));
    let mut producer = world.connect(BROKER);
    world.publish(&mut producer, message(TOPIC, 0), "x");
    assert_eq!(ask(&mut world, query_offset(0)), (ResponseCode::SUCCESS, Some(0)));
    world.session.with(|cluster| cluster.expire(0, TOPIC, 0, 1));
    assert_eq!(ask(&mut world, query_offset(0)), (ResponseCode::QUERY_NOT_FOUND, None));

    let topic: Arc<str> = Arc::from(TOPIC);
    let min = Request::MinOffset(MinOffsetRequest {
        topic: topic.clone(),
        queue_id: 0,
        broker: None,
        ..Default::default()
    });
    let max = Request::MaxOffset(MaxOffsetRequest {
        topic: topic.clone(),
        queue_id: 0,
        broker: None,
        ..Default::default()
    });
    assert_eq!(ask(&mut world, min), (ResponseCode::SUCCESS, Some(1)));
    assert_eq!(ask(&mut world, max), (ResponseCode::SUCCESS, Some(1)));

    let update = UpdateOffsetRequest {
        consumer_group: Arc::from(GROUP),
        topic,
        queue_id: 1,
        commit_offset: 42,
        broker: None,
        ..Default::default()
    };
    let (code, _) = ask(&mut world, Request::UpdateOffset(update.clone()));
    assert_eq!(code, ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST, "nobody of the group was here");
    world.beat(&mut producer, "client-1", "*", 1);
    assert_eq!(ask(&mut world, Request::UpdateOffset(update.clone())).0, ResponseCode::SUCCESS);
    assert_eq!(ask(&mut world, query_offset(1)), (ResponseCode::SUCCESS, Some(42)));
    let unknown = UpdateOffsetRequest { topic: Arc::from("unknown"), ..update };
    let (code, _) = ask(&mut world, Request::UpdateOffset(unknown));
    assert_eq!(code, ResponseCode::TOPIC_NOT_EXIST);

    let commits = PullRequest { sys_flag: 5, commit_offset: 7, ..pull_from(1) };
    world.pull(&mut producer, commits);
    assert_eq!(world.session.cluster().committed(0, GROUP, TOPIC, 0), Some(7));
}
