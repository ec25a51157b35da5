//! Messages that wait: delay levels on the cluster's clock.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rocketry_conformance::broker::{ClusterConfig, ListenerId};
use rocketry_core::frame::request::SendRequest;
use rocketry_core::frame::{Kind, Request, ResponseCode};
use rocketry_core::message::Record;

use crate::world::*;

pub(crate) const SCHEDULE: &str = "SCHEDULE_TOPIC_XXXX";

pub(crate) fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// A property of a stored message, empty without it.
pub(crate) fn property(record: &Record<'_>, name: &str) -> String {
    record.property(name).unwrap_or_default().to_owned()
}

fn delayed(level: &str) -> SendRequest {
    let properties = format!("TAGS\u{1}A\u{2}DELAY\u{1}{level}\u{2}");
    SendRequest { properties: Some(Arc::from(properties)), ..message(TOPIC, 1) }
}

/// A pull of queue 1 that waits.
fn held(world: &mut World, client: &Client, offset: i64) {
    let mut pull = waiting(pull_from(offset));
    pull.queue_id = 1;
    world.send_as(client, Kind::Pull, Request::Pull(pull), Bytes::new(), false);
}

/// The bodies that a held pull was answered with, if it was.
fn woken(world: &mut World, client: &mut Client) -> Option<Vec<String>> {
    let (reply, body) = reply_of(world.received(client).pop()?);
    Some(pulled(reply, body).bodies)
}

#[test]
fn a_delayed_message_comes_into_its_queue_when_it_is_due_and_wakes_who_waits() {
    let mut world = World::one_topic(2);
    let (mut sender, mut reader) = (world.connect(BROKER), world.connect(BROKER));
    held(&mut world, &reader, 0);
    let (code, told) = world.publish(&mut sender, delayed("2"), "later");
    let told = told.unwrap();
    assert_eq!((code, told.queue_id, told.queue_offset), (ResponseCode::SUCCESS, 1, 0));
    assert_eq!(world.session.cluster().stored(TOPIC), 0);
    assert_eq!(world.session.cluster().messages(0, SCHEDULE, 1).len(), 1, "a queue for each level");

    world.pass(millis(4_999));
    assert_eq!((woken(&mut world, &mut reader), world.session.cluster().stored(TOPIC)), (None, 0));
    world.pass(millis(1));
    assert_eq!(woken(&mut world, &mut reader), Some(vec!["later".to_owned()]));
    let list = world.session.cluster().messages(0, TOPIC, 1);
    let record = list.record(0).unwrap();
    assert_eq!((record.queue_offset(), record.tags()), (0, Some("A")));
    assert_eq!(record.store_timestamp().0 - record.born_timestamp().0, 5_001);
    assert_ne!(record.offset_message_id().to_string(), &*told.msg_id, "it is stored anew");
    let kept = ["REAL_TOPIC", "REAL_QID", "DELAY"].map(|name| property(&record, name));
    assert_eq!(kept, [TOPIC, "1", "2"]);
}

#[test]
fn levels_are_the_clusters_and_the_last_one_is_the_highest() {
    let config = ClusterConfig::default().delay_levels([30, 10].map(millis)).topic(TOPIC, 2);
    let mut world = World::new(config);
    let mut client = world.connect(BROKER);
    for (level, body) in [("1", "slow"), ("9", "quick"), ("2", "quick too"), ("-1", "at once")] {
        world.publish(&mut client, delayed(level), body);
    }
    let bodies = |world: &World| {
        let list = world.session.cluster().messages(0, TOPIC, 1);
        let bodies = list.items().map(|item| item.record().unwrap().body().unwrap());
        bodies.map(|body| String::from_utf8(body.to_vec()).unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(bodies(&world), ["at once"]);
    world.pass(millis(10));
    assert_eq!(bodies(&world), ["at once", "quick", "quick too"]);
    let capped =
        property(&world.session.cluster().messages(0, TOPIC, 1).record(1).unwrap(), "DELAY");
    assert_eq!(capped, "2");
    world.pass(millis(20));
    assert_eq!(bodies(&world), ["at once", "quick", "quick too", "slow"]);

    let mut none = World::new(ClusterConfig::default().delay_levels([]).topic(TOPIC, 2));
    let mut client = none.connect(BROKER);
    none.publish(&mut client, delayed("3"), "x");
    assert_eq!(none.session.cluster().stored(TOPIC), 1, "without levels nothing waits");
}

#[test]
fn what_falls_due_while_a_broker_is_down_comes_when_it_is_back() {
    let mut world = World::one_topic(2);
    let mut client = world.connect(BROKER);
    world.publish(&mut client, delayed("1"), "x");
    world.session.with(|cluster| cluster.crash(0));
    world.pass(Duration::from_secs(60));
    assert_eq!(world.session.cluster().stored(TOPIC), 0);
    world.session.with(|cluster| cluster.bring_up(0));
    world.pass(Duration::ZERO);
    assert_eq!(world.session.cluster().stored(TOPIC), 1);
}

#[test]
fn slaves_follow_what_waits_and_what_comes() {
    let mut world = World::new(ClusterConfig::default().slaves().topic(TOPIC, 2));
    let mut client = world.connect(BROKER);
    let mut reader = world.connect(ListenerId::Broker(1));
    world.session.with(|cluster| cluster.set_suggested(1, 1));
    held(&mut world, &reader, 0);
    world.publish(&mut client, delayed("1"), "x");
    assert_eq!(world.session.cluster().max_offset(1, SCHEDULE, 0), Some(1));
    world.pass(Duration::from_secs(1));
    assert_eq!(world.session.cluster().max_offset(1, TOPIC, 1), Some(1));
    assert_eq!(woken(&mut world, &mut reader), Some(vec!["x".to_owned()]));
}

#[test]
fn other_kinds_of_delay_give_way_to_a_level_from_5_0_on() {
    for (version, left) in [(479, ""), (407, "99")] {
        let config = ClusterConfig { version, ..ClusterConfig::default() };
        let mut world = World::new(config.topic(TOPIC, 2));
        let mut client = world.connect(BROKER);
        let properties = "DELAY\u{1}1\u{2}TIMER_DELAY_SEC\u{1}99\u{2}";
        let properties = Some(Arc::from(properties));
        let request = SendRequest { properties, ..message(TOPIC, 0) };
        world.publish(&mut client, request, "x");
        world.pass(Duration::from_secs(1));
        let list = world.session.cluster().messages(0, TOPIC, 0);
        assert_eq!(property(&list.record(0).unwrap(), "TIMER_DELAY_SEC"), left);
    }
}

#[test]
fn a_half_message_does_not_wait() {
    let mut world = World::one_topic(2);
    let mut client = world.connect(BROKER);
    for (sys_flag, stored) in [(4, 1), (8, 1)] {
        world.publish(&mut client, SendRequest { sys_flag, ..delayed("1") }, "x");
        assert_eq!(world.session.cluster().stored(TOPIC), stored, "{sys_flag}");
    }
    world.pass(Duration::from_secs(1));
    assert_eq!(world.session.cluster().stored(TOPIC), 2);
}

#[test]
fn a_message_whose_topic_is_gone_by_then_is_gone_too() {
    let mut world = World::one_topic(2);
    let mut client = world.connect(BROKER);
    world.publish(&mut client, delayed("1"), "x");
    world.session.with(|cluster| cluster.delete_topic(TOPIC));
    world.pass(Duration::from_secs(1));
    assert_eq!(world.session.cluster().stored(TOPIC), 0);
    assert_eq!(world.session.cluster().stored(SCHEDULE), 1);
}
