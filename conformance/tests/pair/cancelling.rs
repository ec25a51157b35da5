//! Sends given up by the application.

use rocketry_conformance::sim::{Door, Way};
use rocketry_core::engine::Cancelled;

use crate::setting::*;

#[test]
fn a_send_that_waits_for_its_route_is_removed_and_never_sent() {
    let (mut world, client) = pair(1, 4);
    let op = send(&mut world, client, "x");
    assert_eq!(world.cancel(client, op), Cancelled::Removed);
    world.run_for(10 * SECOND);
    assert_eq!(world.cluster().stored(TOPIC), 0);
    assert_eq!(world.cancel(client, op), Cancelled::Ended);
}

#[test]
fn a_send_that_waits_for_a_connection_is_removed_and_never_sent() {
    let (mut world, client) = pair(1, 4);
    world.door(BROKER, Door::BlackHole);
    let op = send(&mut world, client, "x");
    world.run_for(SECOND);
    assert_eq!(world.cancel(client, op), Cancelled::Removed);
    world.door(BROKER, Door::Open);
    world.run_for(10 * SECOND);
    assert_eq!(world.cluster().stored(TOPIC), 0);
    store(&mut world, client, "next");
}

#[test]
fn send_25_a_send_that_has_left_is_detached_and_its_answer_ignored() {
    let (mut world, client) = pair(1, 4);
    store(&mut world, client, "warm");
    let op = send(&mut world, client, "x");
    assert_eq!(world.cancel(client, op), Cancelled::Detached);
    assert_eq!(world.cancel(client, op), Cancelled::Ended);
    world.run_for(10 * SECOND);
    assert_eq!(world.cluster().stored(TOPIC), 2);
    assert!(world.sent(client, op).ended.is_none());
}

#[test]
fn a_send_that_has_ended_is_unknown() {
    let (mut world, client) = pair(1, 4);
    let op = send(&mut world, client, "x");
    world.end_of(client, op).1.unwrap();
    assert_eq!(world.cancel(client, op), Cancelled::Ended);
}

#[test]
fn send_25_at_whatever_moment_a_send_is_cancelled_removed_means_not_stored() {
    for micros in 0..120 {
        let (mut world, client) = pair(micros, 4);
        let op = send(&mut world, client, "x");
        world.run_for(std::time::Duration::from_micros(micros * 100));
        let found = world.cancel(client, op);
        world.run_for(5 * SECOND);
        let id = world.sent(client, op).id.to_string();
        let copies = world.copies(TOPIC, &id);
        match found {
            Cancelled::Removed => assert_eq!(copies, 0, "{micros}"),
            Cancelled::Detached => assert!(world.sent(client, op).ended.is_none()),
            Cancelled::Ended => assert!(copies == 1 && world.sent(client, op).ended.is_some()),
        }
        assert_eq!(world.engine(client).stats().operations, 0);
    }
}

#[test]
fn what_did_not_fit_the_socket_when_it_was_cancelled_never_leaves() {
    let (mut world, client) = pair(1, 4);
    store(&mut world, client, "warm");
    world.stall(BROKER, Way::Up);
    let big = vec![7; 100 << 10];
    let ops: Vec<_> =
        (0..20).map(|_| world.try_send(client, message(big.clone())).unwrap()).collect();
    let found: Vec<Cancelled> = ops.iter().map(|op| world.cancel(client, *op)).collect();
    let removed = found.iter().filter(|found| **found == Cancelled::Removed).count();
    assert!(removed > 10, "{found:?}");
    world.unstall_all();
    world.run_for(SECOND);
    assert_eq!(world.cluster().stored(TOPIC) as usize, 1 + 20 - removed);
}
