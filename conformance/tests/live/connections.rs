//! What a real broker knows of our connections.

use std::time::Duration;

use bytes::Bytes;
use rocketry::proto::body::ConsumerList;
use rocketry::proto::engine::ConnectionState;
use rocketry::proto::error::PeerKind;
use rocketry::proto::frame::Request;
use rocketry::proto::frame::request::{ConsumerListRequest, ProducerConnectionsRequest};
use rocketry::proto::name::Endpoint;
use rocketry::proto::query::{Response, Target};
use rocketry::{Config, Message, Topic};

use crate::rig::{On, Rig, eventually};
use crate::{live_on_both, new_name, new_topic, shared};

live_on_both!(
    conn_08_a_client_that_has_shut_down_is_gone_from_the_broker_at_once,
    conn_13_two_clients_of_one_id_are_both_listed,
    conn_14_sends_go_to_the_port_two_below_only_when_told_to,
);

fn message(topic: &str) -> Message {
    Message::new(Topic::new(topic).expect("a topic"), "x")
}

/// Asks the broker.
fn ask(rig: &Rig, request: Request) -> Response {
    let broker = Endpoint::parse(&shared().1).expect("an address");
    let target = Target::Peer(PeerKind::Broker, broker);
    rig.client.admin().call(target, request, Bytes::new()).wait().expect("an answer")
}

fn conn_08_a_client_that_has_shut_down_is_gone_from_the_broker_at_once(on: On) {
    let (topic, group) = (new_topic(2), new_name());
    let (rig, watcher) = (Rig::start(on, &shared().0), Rig::start(on, &shared().0));
    let asked = || {
        let group = group.as_str().into();
        let request = ProducerConnectionsRequest { producer_group: group, ..Default::default() };
        let response = ask(&watcher, Request::ProducerConnections(request));
        String::from_utf8_lossy(&response.body).contains(&*rig.client.id())
    };
    // Its group is withdrawn with its last producer.
    let producer = rig.client.producer(&*group).expect("a group");
    producer.send(message(&topic)).wait().expect("sent");
    assert!(eventually(Duration::from_secs(5), asked), "the broker never heard of it");
    rig.client.shutdown().wait().expect("an end");
    assert!(!asked(), "the broker still knows it");
    watcher.client.shutdown().wait().expect("an end");
}

fn conn_13_two_clients_of_one_id_are_both_listed(on: On) {
    let (topic, group) = (new_topic(2), new_name());
    let twin = || {
        let mut config = Config::new(&shared().0).expect("settings");
        (config.identity.process, config.identity.salt) = (1, 77);
        Rig::with(on, config)
    };
    let (first, second) = (twin(), twin());
    assert_eq!(first.client.id(), second.client.id());
    let consumers = [&first, &second].map(|rig| {
        let builder = rig.client.consumer(&*group).expect("a group");
        builder.topic(&*topic, "*").start().expect("a consumer")
    });
    let listed = || {
        let group = group.as_str().into();
        let request = ConsumerListRequest { consumer_group: group, ..Default::default() };
        let list = ConsumerList::parse(&ask(&first, Request::ConsumerList(request)).body);
        list.is_ok_and(|list| matches!(&list.client_ids[..], [one, other] if one == other))
    };
    assert!(eventually(Duration::from_secs(10), listed), "the broker never listed both");
    drop(consumers);
    first.client.shutdown().wait().expect("an end");
    second.client.shutdown().wait().expect("an end");
}

fn conn_14_sends_go_to_the_port_two_below_only_when_told_to(on: On) {
    let topic = new_topic(2);
    let plain = Endpoint::parse(&shared().1).expect("an address");
    for vip in [false, true] {
        let mut config = Config::new(&shared().0).expect("settings");
        config.vip_channel = vip;
        let rig = Rig::with(on, config);
        let producer = rig.client.producer("vip").expect("a group");
        for _ in 0..4 {
            producer.send(message(&topic)).wait().expect("sent");
        }
        let connections = rig.client.stats().connections;
        let below = connections.iter().any(|connection| {
            connection.endpoint.port() == plain.port() - 2
                && connection.state == ConnectionState::Connected
        });
        assert_eq!(below, vip, "{connections:?}");
        rig.client.shutdown().wait().expect("an end");
    }
}
