//! Wall clocks that are set while a client works.

use rocketry_conformance::sim::{ClientId, Pace, World};
use rocketry_core::frame::RequestCode;

use crate::setting::*;

const HOUR: i64 = 3_600_000;
/// Back, forward, and to where it was.
const SET: [i64; 4] = [-HOUR, 2 * HOUR, -2 * HOUR, HOUR];

/// A client that sends and consumes for four minutes, its clock set or not each minute. How often
/// it told a broker of itself, asked for the route, and committed.
fn at_work(seed: u64, set: bool) -> [u64; 3] {
    let (mut world, client) = pair(seed, 2);
    consume(&mut world, client, Pace::AtOnce);
    world.run_for(5 * SECOND);
    for by in SET {
        if set {
            world.shift_clock(client, by);
        }
        for step in 0..60 {
            world.later(SECOND * step, move |world| {
                send(world, client, "x");
            });
        }
        world.run_for(60 * SECOND);
    }
    world.run_for(5 * SECOND);
    assert_eq!((world.distinct(), world.delivered().len()), (240, 240), "{seed}");
    let stored: i64 = (0..2).map(|queue| committed_of(&world, queue).unwrap()).sum();
    assert_eq!(stored, 240, "{seed}");
    use RequestCode as Code;
    [Code::HEART_BEAT, Code::GET_ROUTEINFO_BY_TOPIC, Code::UPDATE_CONSUMER_OFFSET]
        .map(|code| world.cluster().requests(code))
}

#[test]
fn fault_27_an_hour_in_either_direction_moves_no_timer_and_loses_nothing() {
    for seed in 0..5 {
        let (still, set) = (at_work(seed, false), at_work(seed, true));
        let differs = still.iter().zip(set).filter(|(one, other)| one.abs_diff(*other) > 2);
        assert_eq!(differs.count(), 0, "{seed}: {still:?} without, {set:?} with");
    }
}

#[test]
fn fault_27_a_send_ends_by_its_deadline_whatever_the_clock_is_set_to() {
    for by in SET {
        let (mut world, client) = pair(1, 1);
        store(&mut world, client, "first");
        world.with_cluster(|cluster| {
            cluster.set_delay(RequestCode::SEND_MESSAGE_V2, 60 * SECOND);
        });
        let op = send(&mut world, client, "late");
        world.run_for(SECOND);
        world.shift_clock(client, by);
        let (took, result) = world.end_of(client, op);
        assert!(result.is_err() && took > ms(2900) && took <= 3 * SECOND, "{by}: {took:?}");
    }
}

fn orderly(world: &mut World) -> ClientId {
    let client = world.client(config());
    let mut subscribe = from_first(GROUP);
    subscribe.options = subscribe.options.orderly();
    world.subscribe(client, subscribe, Pace::InOrder(ms(20))).unwrap();
    client
}

/// A clock that is set forward looks as one of a machine that slept: locks are given up, and had
/// again at once.
#[test]
fn fault_27_orderly_consumers_go_on_after_an_hour_in_either_direction() {
    let mut world = world(1, 2);
    let producer = world.client(config());
    let members = [orderly(&mut world), orderly(&mut world)];
    for by in SET {
        world.run_for(5 * SECOND);
        let before = world.distinct();
        members.iter().for_each(|client| world.shift_clock(*client, by));
        store_many(&mut world, producer, 20);
        let took = world.run_until(2 * SECOND, |world| world.distinct() == before + 20);
        assert!(took.is_some(), "{by}: {} of {}", world.distinct(), before + 20);
    }
}
