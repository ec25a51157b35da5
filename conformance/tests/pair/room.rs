//! Sends for which there is no room: they wait in the client, under their deadlines.

use rocketry_conformance::sim::{ClientId, World};
use rocketry_core::config::Config;
use rocketry_core::engine::Cancelled;
use rocketry_core::error::{Refused, SendError, Stored};
use rocketry_core::id::OpId;
use rocketry_core::producer::SendOptions;
use rocketry_core::query::Query;

use crate::setting::*;

/// A client with room for so many sends, and for so many that wait, and a broker that stores one in
/// a millisecond.
fn small(room: usize, waiting: usize) -> (World, ClientId) {
    let mut config = config();
    (config.max_pending, config.max_waiting) = (room, waiting);
    with(config)
}

fn with(config: Config) -> (World, ClientId) {
    let mut world = world(1, 1);
    let client = world.client(config);
    store(&mut world, client, "warm");
    world.with_cluster(|cluster| cluster.set_send_queue(0, 10_000, 1));
    (world, client)
}

fn offset(world: &World, client: ClientId, op: OpId) -> i64 {
    let ended = world.sent(client, op).ended.as_ref().unwrap();
    ended.result.as_ref().unwrap().offset
}

#[test]
fn without_room_a_send_waits_by_default_first_in_first_out_and_newcomers_behind() {
    let (mut world, client) = small(10, 1000);
    let mut ops: Vec<OpId> = (0..200).map(|_| send(&mut world, client, "x")).collect();
    for _ in 0..50 {
        world.run_for(ms(3));
        ops.push(send(&mut world, client, "late"));
        assert!(world.engine(client).stats().requests <= 10);
    }
    world.run_for(SECOND);
    assert!(ops.iter().map(|op| offset(&world, client, *op)).is_sorted());
    assert_eq!(world.cluster().stored(TOPIC), 251);
    assert_eq!(world.engine(client).stats().operations, 0);
}

#[test]
fn the_deadline_of_one_that_waits_runs_from_its_call_and_it_is_not_stored() {
    let (mut world, client) = small(100, 10_000);
    world.check_each(256);
    let ops: Vec<OpId> = (0..4_000).map(|_| send(&mut world, client, "x")).collect();
    world.run_for(4 * SECOND);
    let last = world.sent(client, ops[3_999]);
    let ended = last.ended.as_ref().unwrap();
    assert!((ms(2_500)..=3 * SECOND).contains(&ended.at.since(last.asked)));
    let error = ended.result.as_ref().unwrap_err();
    assert!(matches!(error, SendError::NoRoom { .. } | SendError::Unanswered { .. }), "{error}");
    assert!(error.stored() == Stored::No && error.is_retriable(), "{error}");
    world.run_for(10 * SECOND);
    let sent = |op: &&OpId| {
        let ended = world.sent(client, **op).ended.as_ref().unwrap();
        !matches!(&ended.result, Err(error) if error.stored() == Stored::No)
    };
    assert_eq!(world.cluster().stored(TOPIC), 1 + ops.iter().filter(sent).count() as u64);
}

#[test]
fn what_waits_is_bounded_by_count_and_by_bytes() {
    let (mut world, client) = small(1, 5);
    for _ in 0..6 {
        send(&mut world, client, "x");
    }
    let refused = world.try_send(client, message("x")).unwrap_err();
    assert_eq!(refused, Refused::FullOfWaiting(5));
    let mut config = config();
    (config.max_pending_bytes, config.max_waiting_bytes) = (10_000, 20_000);
    let (mut world, client) = with(config);
    let large = || message("x".repeat(4_000));
    for _ in 0..6 {
        world.try_send(client, large()).unwrap();
    }
    let refused = world.try_send(client, large()).unwrap_err();
    assert_eq!(refused, Refused::FullOfWaitingBytes(20_000));
    world.run_for(SECOND);
    assert_eq!(world.cluster().stored(TOPIC), 7);
}

#[test]
fn a_cancelled_send_that_waits_for_room_is_removed_and_the_next_one_takes_its_turn() {
    let (mut world, client) = small(1, 1000);
    let ops: Vec<OpId> = (0..200).map(|_| send(&mut world, client, "x")).collect();
    for op in &ops[1..199] {
        assert_eq!(world.cancel(client, *op), Cancelled::Removed);
    }
    world.run_for(ms(50));
    assert!(offset(&world, client, ops[0]) < offset(&world, client, ops[199]));
    assert_eq!(world.cluster().stored(TOPIC), 3);
}

#[test]
fn ordered_sends_that_wait_for_room_keep_their_order() {
    let (mut world, client) = small(3, 1000);
    let one = |world: &mut World, n: usize| {
        world.send_with(client, message(n.to_string()), SendOptions::ordered("k")).unwrap()
    };
    let ops: Vec<OpId> = (0..50).map(|n| one(&mut world, n)).collect();
    world.run_for(2 * SECOND);
    assert!(ops.iter().map(|op| offset(&world, client, *op)).is_sorted_by(|a, b| a < b));
}

#[test]
fn questions_are_asked_while_sends_wait_for_room() {
    let (mut world, client) = small(10, 10_000);
    world.check_each(64);
    for _ in 0..2_000 {
        send(&mut world, client, "x");
    }
    for _ in 0..100 {
        world.run_for(ms(10));
        assert_eq!(world.engine(client).room(), (0, 0));
        world.query(client, Query::Writable(topic(TOPIC))).unwrap();
    }
}

#[test]
fn questions_are_as_many_as_sends_and_take_no_room_from_them() {
    let (mut world, client) = small(3, 10);
    world.door(BROKER, rocketry_conformance::sim::Door::BlackHole);
    let ask = |world: &mut World| world.query(client, Query::Queues(topic("unknown")));
    for _ in 0..3 {
        ask(&mut world).unwrap();
    }
    assert_eq!(ask(&mut world), Err(Refused::Full(3)));
    assert_eq!(world.engine(client).room().0, 3);
    for _ in 0..3 {
        send(&mut world, client, "x");
    }
    assert_eq!(world.engine(client).room().0, 0);
}
