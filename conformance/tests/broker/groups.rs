//! Consumer groups: who is told of joins, leaves and silence.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rocketry_conformance::broker::ClusterConfig;
use rocketry_core::body::{ConsumerList, Heartbeat};
use rocketry_core::frame::request::{ConsumerListRequest, HeartbeatRequest, UnregisterRequest};
use rocketry_core::frame::{Kind, Request, ResponseCode};

use crate::world::*;

#[test]
fn members_are_told_when_their_group_changes() {
    let mut world = World::one_topic(1);
    let mut first = world.connect(BROKER);
    let mut second = world.connect(BROKER);
    let mut third = world.connect(BROKER);
    world.beat(&mut first, "c1", "*", 1);
    world.received(&mut first);
    for (client, id) in [(&mut second, "c2"), (&mut third, "c3")] {
        world.beat(client, id, "*", 1);
        assert_eq!(notices(&world.received(&mut first)), [GROUP], "{id} joined");
    }
    world.beat(&mut third, "c3", "*", 1);
    assert!(world.received(&mut first).is_empty(), "a heartbeat like the last one changes nothing");

    let list = Request::ConsumerList(ConsumerListRequest {
        consumer_group: Arc::from(GROUP),
        ..Default::default()
    });
    let (reply, body) = world.ask(&mut first, Kind::ConsumerList, list.clone(), "");
    assert_eq!(reply.code, ResponseCode::SUCCESS);
    let mut ids: Vec<String> = ConsumerList::parse(&body).unwrap().client_ids;
    ids.sort();
    assert_eq!(ids, ["c1", "c2", "c3"]);

    let leave = Request::Unregister(UnregisterRequest {
        client_id: Arc::from("c2"),
        producer_group: Some(Arc::from("producers")),
        consumer_group: Some(Arc::from(GROUP)),
        ..Default::default()
    });
    world.received(&mut third);
    let (reply, _) = world.ask(&mut second, Kind::Plain, leave, "");
    assert_eq!(reply.code, ResponseCode::SUCCESS);
    assert_eq!(notices(&world.received(&mut first)), [GROUP], "one unregistered");
    assert_eq!(notices(&world.received(&mut third)), [GROUP]);
    assert!(world.received(&mut second).is_empty(), "who left hears nothing");
    assert_eq!(world.session.cluster().producers(0, "producers"), ["c1", "c3"]);

    world.session.close(world.now, third.conn);
    assert_eq!(notices(&world.received(&mut first)), [GROUP], "one connection closed");
    assert_eq!(world.session.cluster().consumers(0, GROUP), ["c1"]);
    world.session.close(world.now, first.conn);
    let (reply, body) = world.ask(&mut second, Kind::ConsumerList, list, "");
    assert_eq!((reply.code, body.len()), (ResponseCode::SYSTEM_ERROR, 0), "an empty group");
}

#[test]
fn a_newcomer_hears_of_itself_unless_that_is_off() {
    for notify_newcomer in [true, false] {
        let config = ClusterConfig { notify_newcomer, ..ClusterConfig::default() };
        let mut world = World::new(config.topic(TOPIC, 1));
        let mut old = world.connect(BROKER);
        let mut new = world.connect(BROKER);
        world.beat(&mut old, "old", "*", 1);
        world.received(&mut old);
        let beat = Request::Heartbeat(HeartbeatRequest::default());
        let body = Bytes::from(heartbeat("new", TOPIC, "*", 1));
        world.send_as(&new, Kind::Heartbeat, beat, body, false);
        let heard = world.received(&mut new);
        assert_eq!(notices(&heard).len(), usize::from(notify_newcomer));
        assert!(is_reply(heard.last().unwrap()), "the notice goes before the reply, as in Java");
        assert_eq!(notices(&world.received(&mut old)), [GROUP]);
    }
}

#[test]
fn a_client_that_falls_silent_is_closed() {
    let mut world = World::one_topic(1);
    let mut silent = world.connect(BROKER);
    let mut lively = world.connect(BROKER);
    world.beat(&mut silent, "silent", "*", 1);
    for _ in 0..5 {
        world.beat(&mut lively, "lively", "*", 1);
        world.received(&mut lively);
        world.pass(Duration::from_secs(27));
    }
    assert!(!world.session.is_open(silent.conn));
    assert!(world.session.is_open(lively.conn));
    assert_eq!(notices(&world.received(&mut lively)), [GROUP]);
}

#[test]
fn of_a_topic_named_twice_in_one_heartbeat_the_last_tags_count() {
    let mut world = World::one_topic(1);
    let mut client = world.connect(BROKER);
    let [first, last] = ["A", "B"].map(|tag| heartbeat("client-1", TOPIC, tag, 1));
    let subscription = |text: &str| {
        let (_, rest) = text.split_once("\"subscriptionDataSet\":[").unwrap();
        rest.split_once("],\"unitMode\"").unwrap().0.to_owned()
    };
    let both = format!("{},{}", subscription(&first), subscription(&last));
    let body = first.replace(&subscription(&first), &both);
    let request = Request::Heartbeat(HeartbeatRequest::default());
    let (reply, _) = world.ask(&mut client, Kind::Heartbeat, request, &body);
    assert_eq!(reply.code, ResponseCode::SUCCESS);
    for tag in ["A", "B", "A"] {
        world.publish(&mut client, tagged(tag), tag);
    }
    assert_eq!(world.pull(&mut client, by_heartbeat(0, 1)).bodies, ["B"]);
}

#[test]
fn of_a_topic_named_twice_in_one_heartbeat_the_newer_tags_count_wherever_they_stand() {
    for versions in [[2, 1], [1, 2]] {
        let mut world = World::one_topic(1);
        let mut client = world.connect(BROKER);
        let tags = if versions == [2, 1] { ["new", "old"] } else { ["old", "new"] };
        let mut beats = [0, 1].map(|at| {
            let json = heartbeat("client-1", TOPIC, tags[at], versions[at]);
            Heartbeat::parse(json.as_bytes()).unwrap()
        });
        let second = beats[1].consumers[0].subscriptions.remove(0);
        beats[0].consumers[0].subscriptions.push(second);
        let body = String::from_utf8(beats[0].to_json()).unwrap();
        let request = Request::Heartbeat(HeartbeatRequest::default());
        world.ask(&mut client, Kind::Heartbeat, request, &body);
        for tag in ["old", "new"] {
            world.publish(&mut client, tagged(tag), tag);
        }
        assert_eq!(world.pull(&mut client, by_heartbeat(0, 2)).bodies, ["new"], "{versions:?}");
    }
}

#[test]
fn where_members_differ_the_newest_subscription_of_any_counts_for_all() {
    let mut world = World::one_topic(1);
    let mut clients = [world.connect(BROKER), world.connect(BROKER)];
    for tag in ["A", "B"] {
        world.publish(&mut clients[0], tagged(tag), tag);
    }
    world.beat(&mut clients[0], "c1", "A", 5);
    world.beat(&mut clients[1], "c2", "B", 4);
    for client in &mut clients {
        world.received(client);
        assert_eq!(world.pull(client, by_heartbeat(0, 4)).bodies, ["A"], "an older one is none");
    }
    let late = world.pull(&mut clients[1], by_heartbeat(0, 6));
    assert_eq!(late.code, ResponseCode::SUBSCRIPTION_NOT_LATEST);
    world.beat(&mut clients[1], "c2", "B", 6);
    for client in &mut clients {
        assert_eq!(world.pull(client, by_heartbeat(0, 6)).bodies, ["B"]);
    }
    let mut elsewhere = by_heartbeat(0, 6);
    elsewhere.topic = Arc::from("TBW102");
    let unknown = world.pull(&mut clients[0], elsewhere);
    assert_eq!(unknown.code, ResponseCode::SUBSCRIPTION_NOT_EXIST);
}
