//! One deadline covers all that a send does: route, connection, every try and every pause.

use std::time::Duration;

use rocketry_conformance::broker::{ClusterConfig, Fault, Requests};
use rocketry_conformance::sim::{ClientId, Way, World};
use rocketry_core::error::{Refused, SendError, Stored};
use rocketry_core::frame::{RequestCode, ResponseCode};

use crate::setting::*;

const SEND: RequestCode = RequestCode::SEND_MESSAGE_V2;

/// Two brokers, and a client that tries as often as it is let.
fn patient(seed: u64) -> (World, ClientId) {
    let mut world = World::new(seed, ClusterConfig::default().brokers(2).topic(TOPIC, 4));
    let mut config = config();
    config.send_attempts = 16;
    // A try may take all there is; one that runs out before is another matter (`frozen.rs`).
    config.try_timeout = Some(120 * SECOND);
    let client = world.client(config);
    (world, client)
}

/// Sends with that deadline, which has to be when it ends.
fn ends_exactly(world: &mut World, client: ClientId, within: Duration) -> SendError {
    let op = world.send_within(client, message("x"), within).unwrap();
    let (took, result) = world.end_of(client, op);
    let error = result.unwrap_err();
    assert_eq!(took, within, "{error}");
    error
}

#[test]
fn a_send_without_any_time_is_refused_and_says_so() {
    let (mut world, client) = pair(1, 1);
    let refused = world.send_within(client, message("x"), ms(0)).unwrap_err();
    assert_eq!(refused, Refused::NoTime);
    assert!(refused.to_string().contains("no time"), "{refused}");
    world.run_for(SECOND);
    assert_eq!(world.cluster().stored(TOPIC), 0);
}

#[test]
fn send_12_tries_that_are_refused_slowly_end_exactly_at_the_deadline() {
    for (seed, within) in [(1, ms(300)), (2, ms(1000)), (3, ms(3000)), (4, ms(4321))] {
        let (mut world, client) = patient(seed);
        store(&mut world, client, "warm");
        let before = world.cluster().requests(SEND);
        world.with_cluster(|cluster| {
            cluster.push_error(SEND, [ResponseCode::SYSTEM_ERROR; 32]);
            cluster.set_delay(SEND, ms(700));
        });
        let error = ends_exactly(&mut world, client, within);
        assert!(matches!(error, SendError::TimedOut { stored: Stored::Unknown, .. }), "{error}");
        let tries = world.cluster().requests(SEND) - before;
        assert_eq!(tries, 1 + within.as_millis() as u64 / 702, "{within:?}");
    }
}

#[test]
fn send_12_an_answer_that_never_comes_ends_exactly_at_the_deadline() {
    for fault in [Fault::Lose, Fault::Mute] {
        for within in [ms(1), ms(50), ms(999), ms(3000), ms(60_000)] {
            let (mut world, client) = patient(5);
            store(&mut world, client, "warm");
            world.with_cluster(|cluster| cluster.push_faults(Requests::Sends, [fault]));
            let error = ends_exactly(&mut world, client, within);
            assert!(matches!(error, SendError::TimedOut { stored: Stored::Unknown, .. }));
            world.with_cluster(|cluster| cluster.clear_faults());
            store(&mut world, client, "next");
        }
    }
}

#[test]
fn send_12_a_broker_that_closes_on_every_try_ends_by_the_deadline() {
    for fault in [Fault::Close, Fault::LoseAndClose] {
        let (mut world, client) = patient(6);
        world.with_cluster(|cluster| cluster.push_faults(Requests::Sends, [fault; 64]));
        let op = world.send_within(client, message("x"), ms(500)).unwrap();
        let (took, result) = world.end_of(client, op);
        let error = result.unwrap_err();
        assert!(took <= ms(500) && error.stored() == Stored::Unknown, "{took:?}: {error}");
        assert!(world.cluster().requests(SEND) <= 16);
    }
}

#[test]
fn send_12_the_route_and_the_connection_are_part_of_it() {
    let (mut world, client) = patient(7);
    world.with_cluster(|cluster| {
        cluster.set_delay(RequestCode::GET_ROUTEINFO_BY_TOPIC, ms(600));
        cluster.set_delay(SEND, ms(600));
    });
    let error = ends_exactly(&mut world, client, ms(1000));
    assert!(matches!(error, SendError::TimedOut { stored: Stored::Unknown, .. }), "{error}");

    let (mut world, client) = patient(8);
    world.tamper(|endpoint, way, bytes| {
        if endpoint == NS && way == Way::Down {
            bytes.clear();
        }
    });
    let error = ends_exactly(&mut world, client, ms(1000));
    assert!(matches!(error, SendError::NoRoute { .. }) && error.stored() == Stored::No, "{error}");
}

#[test]
fn send_12_many_at_once_with_deadlines_of_their_own_each_end_at_theirs() {
    let (mut world, client) = patient(9);
    store_many(&mut world, client, 8);
    for broker in [BROKER, "127.0.0.1:10921"] {
        world.stall(broker, Way::Down);
    }
    // The 199th would have no time at all, and be refused at once.
    let withins: Vec<_> = (1..199).map(|n| ms(7 * (n * 37 % 199))).collect();
    let send = |within: &Duration| world.send_within(client, message("x"), *within).unwrap();
    let ops: Vec<_> = withins.iter().map(send).collect();
    world.run_for(2 * SECOND);
    for (op, within) in ops.iter().zip(withins) {
        let sent = world.sent(client, *op);
        let ended = sent.ended.as_ref().unwrap();
        assert_eq!(ended.at.since(sent.asked), within);
        assert!(ended.result.is_err());
    }
}

#[test]
fn send_26_a_window_full_of_sends_to_a_silent_broker_is_empty_at_the_deadline() {
    let mut world = world(10, 4);
    let mut config = config();
    (config.max_pending, config.wait_for_room) = (10, false);
    let client = world.client(config);
    store(&mut world, client, "warm");
    world.stall(BROKER, Way::Down);
    let ops: Vec<_> = (0..10).map(|n| send(&mut world, client, &n.to_string())).collect();
    assert_eq!(world.try_send(client, message("x")).unwrap_err(), Refused::Full(10));
    world.run_for(3 * SECOND);
    for op in ops {
        let ended = world.sent(client, op).ended.clone().unwrap();
        assert!(matches!(ended.result, Err(SendError::TimedOut { stored: Stored::Unknown, .. })));
    }
    world.unstall_all();
    store(&mut world, client, "again");
    assert_eq!(world.engine(client).stats().operations, 0);
}
