//! Much to do at one moment is done in turns, and all of it at that moment.

use rocketry_conformance::sim::Pace;
use rocketry_core::config::Config;
use rocketry_core::engine::{Engine, Event, Input};
use rocketry_core::error::SendError;
use rocketry_core::message::{MessageLimits, Publish, UniqueIds};
use rocketry_core::name::Group;
use rocketry_core::producer::SendOptions;
use rocketry_core::time::{Instant, UnixMillis};

use crate::setting::*;

/// What one call of an engine may do at most, with what belongs to it.
const TURN: usize = 300;

#[test]
fn a_thousand_queues_are_begun_pulled_and_committed_in_turns_and_none_waits_for_time() {
    let (mut world, client) = pair(1, 1000);
    consume(&mut world, client, Pace::AtOnce);
    let pulling = |world: &rocketry_conformance::sim::World| {
        world.engine(client).snapshot(world.now()).consumers[0].queues.len() == 1000
            && world.engine(client).stats().requests >= 1000
    };
    world.run_until(3 * SECOND, pulling).unwrap();
    assert!(world.most_at_once() <= TURN, "{} requests at once", world.most_at_once());
    store_many(&mut world, client, 1000);
    world.run_until(3 * SECOND, |world| world.distinct() == 1000).unwrap();
    world.run_for(6 * SECOND);
    let committed = |queue| world.cluster().committed(0, GROUP, TOPIC, queue);
    assert!((0..1000).all(|queue| committed(queue) == Some(1)));
    assert!(world.most_at_once() <= TURN, "{} requests at once", world.most_at_once());
}

#[test]
fn a_thousand_queues_are_given_up_by_a_drain_in_turns() {
    let (mut world, client) = pair(1, 1000);
    world.check_each(16);
    let sub = consume(&mut world, client, Pace::AtOnce);
    world.run_for(10 * SECOND);
    store_many(&mut world, client, 1000);
    world.run_until(3 * SECOND, |world| world.distinct() == 1000).unwrap();
    let before = world.most_at_once();
    assert!(before <= TURN, "{before} requests at once");
    world.drain(client, sub, SECOND).unwrap();
    world.run_until(SECOND, |world| world.left_at(client, sub).is_some()).unwrap();
    assert!(world.most_at_once() <= TURN, "{} requests at once", world.most_at_once());
    let committed = |queue| world.cluster().committed(0, GROUP, TOPIC, queue);
    assert!((0..1000).all(|queue| committed(queue) == Some(1)));
}

#[test]
fn a_thousand_queues_are_reset_in_turns() {
    let (mut world, client) = pair(1, 1000);
    world.check_each(16);
    consume(&mut world, client, Pace::AtOnce);
    world.run_for(10 * SECOND);
    store_many(&mut world, client, 1000);
    world.run_until(3 * SECOND, |world| world.distinct() == 1000).unwrap();
    // So that each has an offset stored, which brokers ask for.
    world.run_for(6 * SECOND);
    let before = world.most_at_once();
    assert!(before <= TURN, "{before} requests at once");
    world.with_cluster(|cluster| cluster.reset_offset(0, (GROUP, TOPIC), 0, true)).unwrap();
    world.run_for(5 * SECOND);
    assert!(world.most_at_once() <= TURN, "{} requests at once", world.most_at_once());
    assert_eq!(world.delivered().len(), 2000, "each came again");
}

#[test]
fn resets_that_follow_each_other_keep_their_order_in_each_queue() {
    let (mut world, client) = pair(1, 300);
    consume(&mut world, client, Pace::Manual);
    world.run_for(10 * SECOND);
    store_many(&mut world, client, 300);
    world.run_for(6 * SECOND);
    for (times, expected) in [([-1, 0], 0), ([0, -1], 1), ([-1, 0], 0)] {
        for time in times {
            let reset = (GROUP, TOPIC);
            world.with_cluster(|cluster| cluster.reset_offset(0, reset, time, true)).unwrap();
        }
        world.run_for(4 * SECOND);
        let committed = |queue| world.cluster().committed(0, GROUP, TOPIC, queue);
        let last = (0..300).filter(|queue| committed(*queue) == Some(expected)).count();
        assert_eq!(last, 300, "{times:?}");
    }
}

/// An engine that was asked to send so many messages within two seconds, and knows no route.
fn burst(config: Config, count: usize) -> Engine {
    let (start, group) = (Instant::from_nanos(1), Group::new(GROUP).unwrap());
    let mut engine = Engine::new(config.into(), 1, start, UnixMillis(1));
    let ids = UniqueIds::new([127, 0, 0, 1], 1, 1);
    let limits = MessageLimits::default();
    for _ in 0..count {
        let id = ids.next(UnixMillis(1));
        let publish = Publish::new(message("m"), &group, id, UnixMillis(1), &limits).unwrap();
        let options = SendOptions::default().timeout(2 * SECOND);
        engine.send_with(start, publish.into(), options).unwrap();
    }
    while engine.poll_event().is_some() {}
    engine
}

/// What all of them end with at their deadline, in turns.
fn end_all(mut engine: Engine) -> Vec<SendError> {
    let (now, mut ended, mut turns) = (Instant::from_nanos(1) + 2 * SECOND, Vec::new(), 0);
    while engine.next_timeout().is_some_and(|at| at <= now) {
        engine.handle(now, Input::Timeout);
        engine.check();
        let events = std::iter::from_fn(|| engine.poll_event());
        let before = ended.len();
        ended.extend(events.filter_map(|event| match event {
            Event::Sent { result, .. } => result.err(),
            _ => None,
        }));
        let told = ended.len() - before;
        assert!(told <= TURN, "{told} calls ended under one hold");
        turns += 1;
    }
    assert!((ended.len() / TURN..=ended.len() / 128).contains(&turns), "{turns} turns");
    ended
}

#[test]
fn two_thousand_deadlines_of_one_moment_are_told_in_turns() {
    assert_eq!(end_all(burst(config(), 2000)).len(), 2000);
}

#[test]
fn deadlines_of_one_moment_of_sends_without_room_are_told_in_turns() {
    let mut config = config();
    config.max_pending = 2_000;
    let ended = end_all(burst(config, 10_000));
    let without_room = ended.iter().filter(|error| matches!(error, SendError::NoRoom { .. }));
    assert_eq!((ended.len(), without_room.count()), (10_000, 8_000));
}
