//! Messages on their way to the log and back without faults.

use rocketry_conformance::sim::{Pace, Split};
use rocketry_core::error::Refused;

use crate::setting::*;

#[test]
fn send_01_a_message_is_sent_and_consumed() {
    let (mut world, client) = pair(1, 4);
    consume(&mut world, client, Pace::AtOnce);
    store(&mut world, client, "hello");
    let took = world.run_until(3 * SECOND, |world| !world.delivered().is_empty());
    assert!(took.is_some());
    assert_eq!(bodies(&world), ["hello"]);
}

#[test]
fn fault_15_a_frame_may_be_split_at_any_byte() {
    for size in [1, 2, 3, 5, 7] {
        let (mut world, client) = pair(size as u64, 1);
        world.split(Split::Every(size));
        consume(&mut world, client, Pace::AtOnce);
        store_many(&mut world, client, 3);
        world.run_until(3 * SECOND, |world| world.delivered().len() == 3).unwrap();
        assert_eq!(bodies(&world), ["0", "1", "2"]);
    }
}

#[test]
fn send_09_a_thousand_messages_spread_over_eight_queues_evenly() {
    let (mut world, client) = pair(2, 8);
    store_many(&mut world, client, 1000);
    for queue in 0..8 {
        assert_eq!(world.cluster().max_offset(0, TOPIC, queue), Some(125));
    }
}

#[test]
fn send_09_rounds_that_do_not_divide_differ_by_one() {
    let (mut world, client) = pair(3, 8);
    store_many(&mut world, client, 1003);
    let ends = (0..8).map(|queue| world.cluster().max_offset(0, TOPIC, queue).unwrap());
    let ends: Vec<u64> = ends.collect();
    assert_eq!(ends.iter().filter(|end| **end == 126).count(), 3, "{ends:?}");
    assert_eq!(ends.iter().filter(|end| **end == 125).count(), 5, "{ends:?}");
}

#[test]
fn a_message_as_large_as_allowed_goes_through_a_small_window() {
    let (mut world, client) = pair(4, 1);
    consume(&mut world, client, Pace::AtOnce);
    let op = world.try_send(client, message("x".repeat(4 << 20))).unwrap();
    world.end_of(client, op).1.unwrap();
    world.run_until(5 * SECOND, |world| world.distinct() == 1).unwrap();
    assert_eq!(bodies(&world)[0].len(), 4 << 20);
}

#[test]
fn send_26_one_send_more_than_may_be_pending_is_refused_and_nothing_is_lost() {
    let mut world = world(5, 4);
    let mut config = config();
    (config.max_pending, config.wait_for_room) = (10, false);
    let client = world.client(config);
    let ops: Vec<_> = (0..10).map(|i| send(&mut world, client, &i.to_string())).collect();
    assert_eq!(world.try_send(client, message("x")).unwrap_err(), Refused::Full(10));
    for op in ops {
        world.end_of(client, op).1.unwrap();
    }
    store(&mut world, client, "x");
    assert_eq!(world.cluster().stored(TOPIC), 11);
}
