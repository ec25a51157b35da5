//! Peers that can't be reached, or are not what they should be.

use rocketry_conformance::broker::ClusterConfig;
use rocketry_conformance::sim::{ClientId, Door, Host, World};
use rocketry_core::config::Config;
use rocketry_core::error::{QueryError, SendError, Stored};
use rocketry_core::query::Query;

use crate::setting::*;

const HTTP: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";

fn at(name_servers: &str) -> (World, ClientId) {
    let mut world = World::new(1, ClusterConfig::default().topic(TOPIC, 4));
    let client = world.client(Config::new(name_servers).unwrap());
    (world, client)
}

#[test]
fn without_a_nameserver_a_send_ends_exactly_at_its_deadline_and_says_whom_it_tried() {
    for door in [Door::Refuse, Door::BlackHole] {
        let (mut world, client) = pair(1, 4);
        world.door(NS, door);
        let op = send(&mut world, client, "x");
        let (took, result) = world.end_of(client, op);
        let error = result.unwrap_err();
        assert!(matches!(error, SendError::NoRoute { .. }), "{error}");
        assert_eq!((took, error.stored()), (3 * SECOND, Stored::No), "{door:?}");
        assert!(error.to_string().contains("nameserver ns:9876"), "{door:?}: {error}");
    }
}

#[test]
fn without_a_nameserver_a_question_ends_exactly_at_its_deadline() {
    for door in [Door::Refuse, Door::BlackHole] {
        let (mut world, client) = pair(1, 4);
        world.door(NS, door);
        let op = world.query(client, Query::Queues(topic(TOPIC))).unwrap();
        let took = world.run_until(5 * SECOND, |world| world.answer(client, op).is_some());
        assert_eq!(took, Some(3 * SECOND));
        let answer = world.answer(client, op).unwrap().result.clone().unwrap_err();
        assert!(answer.to_string().contains("nameserver ns:9876"), "{door:?}: {answer}");
    }
}

#[test]
fn a_broker_that_swallows_connects_ends_a_send_at_its_deadline_and_nothing_was_stored() {
    for door in [Door::Refuse, Door::BlackHole] {
        let (mut world, client) = pair(1, 4);
        world.door(BROKER, door);
        let op = send(&mut world, client, "x");
        let (took, result) = world.end_of(client, op);
        let error = result.unwrap_err();
        assert!(matches!(error, SendError::TimedOut { stored: Stored::No, .. }), "{error}");
        assert_eq!(took, 3 * SECOND, "{door:?}");
        assert!(error.to_string().contains("broker 127.0.0.1:10911"), "{door:?}: {error}");
    }
}

#[test]
fn a_deadline_of_its_own_is_kept_to_the_nanosecond() {
    let (mut world, client) = pair(1, 4);
    world.door(NS, Door::BlackHole);
    for nanos in [1, 999, 1_000_001, 2_999_999_999, 7_000_000_000] {
        let within = std::time::Duration::from_nanos(nanos);
        let op = world.send_within(client, message("x"), within).unwrap();
        assert_eq!(world.end_of(client, op).0, within);
    }
}

#[test]
fn a_brokers_port_given_as_nameserver_is_named_at_once() {
    let (mut world, client) = at(BROKER);
    let op = send(&mut world, client, "x");
    let (took, result) = world.end_of(client, op);
    let error = result.unwrap_err();
    assert!(matches!(error, SendError::NoRoute { .. }) && took < ms(50), "{took:?} {error}");
    assert!(error.to_string().contains("looks like a broker's port"), "{error}");
    assert!(error.to_string().contains("9876"), "{error}");
}

#[test]
fn a_nameserver_that_speaks_http_is_named_at_once() {
    let (mut world, client) = at("web:80");
    world.host("web:80", Host::Parrot(HTTP.to_vec()));
    let op = send(&mut world, client, "x");
    let (took, result) = world.end_of(client, op);
    let error = result.unwrap_err();
    assert!(matches!(error, SendError::NoRoute { .. }) && took < ms(50), "{took:?} {error}");
    assert!(error.to_string().contains("speaks HTTP"), "{error}");
    let op = world.query(client, Query::Queues(topic(TOPIC))).unwrap();
    let took = world.run_until(5 * SECOND, |world| world.answer(client, op).is_some()).unwrap();
    let answer = world.answer(client, op).unwrap().result.clone().unwrap_err();
    assert!(matches!(answer, QueryError::NoRoute { .. }) && took < SECOND, "{took:?} {answer}");
    assert!(answer.to_string().contains("speaks HTTP"), "{answer}");
}

#[test]
fn a_broker_that_speaks_http_is_named() {
    let (mut world, client) = pair(1, 4);
    world.host(BROKER, Host::Parrot(HTTP.to_vec()));
    let op = send(&mut world, client, "x");
    let (took, result) = world.end_of(client, op);
    let error = result.unwrap_err();
    assert!(error.to_string().contains("speaks HTTP") && took < SECOND, "{took:?} {error}");
}

#[test]
fn a_peer_that_answers_nothing_ends_a_send_at_its_deadline() {
    let (mut world, client) = at("mute:9876");
    world.host("mute:9876", Host::Parrot(Vec::new()));
    let op = send(&mut world, client, "x");
    let (took, result) = world.end_of(client, op);
    let error = result.unwrap_err();
    assert!(matches!(error, SendError::NoRoute { .. }), "{error}");
    assert_eq!(took, 3 * SECOND);
    assert!(error.to_string().contains("nameserver mute:9876"), "{error}");
}
