//! Faults that tests ask for, and peers that speak something else.

use std::time::Duration;

use bytes::Bytes;
use rocketry_conformance::broker::{ClusterConfig, ListenerId};
use rocketry_core::body::RouteBody;
use rocketry_core::frame::{Kind, Request, RequestCode, ResponseCode};

use crate::routes::route_of;
use crate::world::*;

#[test]
fn pushed_errors_answer_the_next_requests_of_their_code() {
    let mut world = World::one_topic(1);
    let mut client = world.connect(BROKER);
    let errors =
        [ResponseCode::SYSTEM_BUSY, ResponseCode::SUCCESS, ResponseCode::FLUSH_DISK_TIMEOUT];
    world.session.with(|cluster| cluster.push_error(RequestCode::SEND_MESSAGE_V2, errors));
    let codes: Vec<(i32, bool)> = (0..4)
        .map(|_| world.publish(&mut client, message(TOPIC, 0), "x"))
        .map(|(code, sent)| (code.0, sent.is_some()))
        .collect();
    assert_eq!(codes, [(2, false), (0, true), (10, true), (0, true)]);
    assert_eq!(world.session.cluster().stored(TOPIC), 3);
}

#[test]
fn a_delay_holds_replies_back_but_not_the_work() {
    let mut world = World::one_topic(1);
    let mut client = world.connect(BROKER);
    let second = Duration::from_secs(1);
    world.session.with(|cluster| cluster.set_delay(RequestCode::SEND_MESSAGE_V2, second));
    let send = Request::Send(message(TOPIC, 0));
    world.send_as(&client, Kind::Send, send, Bytes::from_static(b"x"), false);
    assert_eq!(world.session.cluster().stored(TOPIC), 1);
    world.pass(Duration::from_millis(999));
    assert!(world.received(&mut client).is_empty());
    world.pass(Duration::from_millis(1));
    assert_eq!(world.received(&mut client).len(), 1);
}

#[test]
fn a_broker_taken_down_closes_its_connections_and_keeps_its_data() {
    let mut world = World::new(ClusterConfig::default().brokers(2).topic(TOPIC, 1));
    let mut client = world.connect(BROKER);
    let mut names = world.connect(ListenerId::Nameserver);
    world.publish(&mut client, message(TOPIC, 0), "kept");
    world.session.with(|cluster| cluster.take_down(0));
    assert!(!world.session.is_open(client.conn));
    assert!(world.session.is_open(names.conn));
    let refused = world.connect(BROKER);
    assert!(!world.session.is_open(refused.conn));
    let (_, body) = route_of(&mut world, &mut names, TOPIC);
    assert_eq!(RouteBody::parse(&body).unwrap().brokers.len(), 1);

    world.session.with(|cluster| cluster.bring_up(0));
    let mut client = world.connect(BROKER);
    assert_eq!(world.pull(&mut client, pull_from(0)).bodies, ["kept"]);
    let (_, body) = route_of(&mut world, &mut names, TOPIC);
    assert_eq!(RouteBody::parse(&body).unwrap().brokers.len(), 2);
}

#[test]
fn bytes_that_are_no_frame_close_the_connection() {
    let mut world = World::one_topic(1);
    let client = world.connect(BROKER);
    let error =
        world.session.bytes_in(world.now, client.conn, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(error.is_err());
    assert!(!world.session.is_open(client.conn));
}
