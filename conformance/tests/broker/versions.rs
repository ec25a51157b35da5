//! Brokers of different versions: what is in their answers, and what they know of heartbeats.

use std::sync::Arc;

use rocketry_conformance::broker::{BrokerConfig, ClusterConfig, ListenerId};
use rocketry_core::body::Heartbeat;
use rocketry_core::frame::reply::HeartbeatReply;
use rocketry_core::frame::request::{HeartbeatRequest, RouteRequest};
use rocketry_core::frame::{Kind, ReplyFields, Request, ResponseCode};

use crate::world::*;

/// Sends the heartbeat of a client with one subscription, and returns what is said of it.
fn beat(
    world: &mut World,
    client: &mut Client,
    fingerprint: i32,
    without_sub: bool,
) -> HeartbeatReply {
    let mut beat = Heartbeat::parse(heartbeat("c", TOPIC, "*", 1).as_bytes()).unwrap();
    (beat.fingerprint, beat.without_sub) = (fingerprint, without_sub);
    if without_sub {
        beat.consumers[0].subscriptions.clear();
    }
    let body = String::from_utf8(beat.to_json()).unwrap();
    let request = Request::Heartbeat(HeartbeatRequest::default());
    let (reply, _) = world.ask(client, Kind::Heartbeat, request, &body);
    assert_eq!(reply.code, ResponseCode::SUCCESS);
    match reply.fields.unwrap() {
        ReplyFields::Heartbeat(told) => told,
        fields => panic!("{fields:?}"),
    }
}

fn subscribed(world: &mut World, client: &mut Client) -> bool {
    let code = world.pull(client, by_heartbeat(0, 1)).code;
    assert!(matches!(code, ResponseCode::PULL_NOT_FOUND | ResponseCode::SUBSCRIPTION_NOT_EXIST));
    code == ResponseCode::PULL_NOT_FOUND
}

#[test]
fn answers_show_the_version_of_the_broker_that_gave_them() {
    let old = BrokerConfig { version: Some(373), ..BrokerConfig::new("a", "127.0.0.1:10911") };
    let new = BrokerConfig::new("b", "127.0.0.1:10921");
    let config = ClusterConfig { brokers: vec![old, new], ..ClusterConfig::default() };
    let mut world = World::new(config.topic(TOPIC, 1));
    let route = Request::Route(RouteRequest { topic: Arc::from(TOPIC), ..Default::default() });
    for (at, request, version) in [
        (ListenerId::Broker(0), query_offset(0), 373),
        (ListenerId::Broker(1), query_offset(0), 479),
        (ListenerId::Nameserver, route, 479),
    ] {
        let mut client = world.connect(at);
        world.send_as(&client, Kind::Plain, request, bytes::Bytes::new(), false);
        assert_eq!(world.received(&mut client)[0].version, version);
    }
    world.session.with(|cluster| cluster.set_version(0, 513));
    let mut client = world.connect(BROKER);
    world.send_as(&client, Kind::Plain, query_offset(0), bytes::Bytes::new(), false);
    assert_eq!(world.received(&mut client)[0].version, 513);
}

#[test]
fn conn_06_a_heartbeat_with_another_fingerprint_than_the_groups_last_one_changes_it() {
    let mut world = World::one_topic(1);
    let mut one = world.connect(BROKER);
    let mut two = world.connect(BROKER);
    let told = |sub_changed| HeartbeatReply { v2: true, sub_changed };
    assert_eq!(beat(&mut world, &mut one, 7, false), told(false), "the group's first");
    assert_eq!(beat(&mut world, &mut one, 7, true), told(false));
    assert!(subscribed(&mut world, &mut one), "what was subscribed before stays");
    assert_eq!(beat(&mut world, &mut one, 8, true), told(true), "not what was said before");
    assert_eq!(beat(&mut world, &mut two, 9, false), told(true), "another member says otherwise");
    assert_eq!(beat(&mut world, &mut one, 8, false), told(true));
    assert_eq!(beat(&mut world, &mut one, 0, false), told(true), "one of the first version");
    assert_eq!(beat(&mut world, &mut one, 8, false), told(true), "after that one too");
    assert_eq!(beat(&mut world, &mut one, 8, true), told(false));
}

#[test]
fn a_group_that_nobody_described_has_no_subscriptions_and_is_not_told_so() {
    // Java's table has nothing to differ from: the client finds out by its pulls.
    let mut world = World::one_topic(1);
    let mut client = world.connect(BROKER);
    let told = beat(&mut world, &mut client, 7, true);
    assert_eq!(told, HeartbeatReply { v2: true, sub_changed: false });
    assert!(!subscribed(&mut world, &mut client));
    beat(&mut world, &mut client, 7, false);
    assert!(subscribed(&mut world, &mut client));
    world.session.with(|cluster| {
        cluster.take_down(0);
        cluster.bring_up(0);
    });
    let mut client = world.connect(BROKER);
    assert!(!beat(&mut world, &mut client, 8, true).sub_changed, "a new process knows nothing");
    assert!(!subscribed(&mut world, &mut client));
}

#[test]
fn before_5_1_3_heartbeats_have_one_version_and_nothing_is_said_of_them() {
    for version in [373, 407, 413, 437] {
        let config = ClusterConfig { version, ..ClusterConfig::default() };
        let mut world = World::new(config.topic(TOPIC, 1));
        let mut client = world.connect(BROKER);
        let silent = HeartbeatReply { v2: false, sub_changed: false };
        assert_eq!(beat(&mut world, &mut client, 7, false), silent);
        assert!(subscribed(&mut world, &mut client));
        assert_eq!(beat(&mut world, &mut client, 8, true), silent);
        assert!(!subscribed(&mut world, &mut client), "what is left out is not subscribed");
    }
}
