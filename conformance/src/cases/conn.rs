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
use rocketry::{Message, Topic};

use crate::cases::place::Place;
use crate::rig::{Rig, eventually};

fn message(topic: &str) -> Message {
    Message::new(Topic::new(topic).expect("a topic"), "x")
}

/// Asks the broker.
fn ask(place: &Place, rig: &Rig, request: Request) -> Response {
    let broker = Endpoint::parse(&place.broker()).expect("an address");
    let target = Target::Peer(PeerKind::Broker, broker);
    rig.client.admin().call(target, request, Bytes::new()).wait().expect("an answer")
}

pub(crate) fn a_client_that_has_shut_down_is_gone_from_the_broker_at_once(place: &Place) {
    let (topic, group) = (place.topic(2), place.name());
    let (rig, watcher) = (place.rig(), place.rig());
    let asked = || {
        let group = group.as_str().into();
        let request = ProducerConnectionsRequest { producer_group: group, ..Default::default() };
        let response = ask(place, &watcher, Request::ProducerConnections(request));
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

pub(crate) fn two_clients_of_one_id_are_both_listed(place: &Place) {
    let (topic, group) = (place.topic(2), place.name());
    let twin = || {
        let mut config = place.config();
        (config.identity.process, config.identity.salt) = (1, 77);
        place.rig_with(config)
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
        let list = ConsumerList::parse(&ask(place, &first, Request::ConsumerList(request)).body);
        list.is_ok_and(|list| matches!(&list.client_ids[..], [one, other] if one == other))
    };
    assert!(eventually(Duration::from_secs(10), listed), "the broker never listed both");
    drop(consumers);
    first.client.shutdown().wait().expect("an end");
    second.client.shutdown().wait().expect("an end");
}

pub(crate) fn sends_go_to_the_port_two_below_only_when_told_to(place: &Place) {
    let topic = place.topic(2);
    let plain = Endpoint::parse(&place.broker()).expect("an address");
    for vip in [false, true] {
        let mut config = place.config();
        config.vip_channel = vip;
        let rig = place.rig_with(config);
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
