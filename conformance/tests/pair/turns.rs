//! Much to do at one moment is done in turns, and all of it at that moment.

use rocketry_conformance::sim::Pace;
use rocketry_core::engine::{Engine, Event, Input};
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
fn two_thousand_deadlines_of_one_moment_are_told_in_turns() {
    let (start, group) = (Instant::from_nanos(1), Group::new(GROUP).unwrap());
    let mut engine = Engine::new(config().into(), 1, start, UnixMillis(1));
    let ids = UniqueIds::new([127, 0, 0, 1], 1, 1);
    let limits = MessageLimits::default();
    for _ in 0..2000 {
        let id = ids.next(UnixMillis(1));
        let publish = Publish::new(message("m"), &group, id, UnixMillis(1), &limits).unwrap();
        let options = SendOptions::default().timeout(2 * SECOND);
        engine.send_with(start, publish.into(), options).unwrap();
    }
    while engine.poll_event().is_some() {}
    let (now, mut ended, mut turns) = (start + 2 * SECOND, 0, 0);
    while engine.next_timeout().is_some_and(|at| at <= now) {
        engine.handle(now, Input::Timeout);
        let events = std::iter::from_fn(|| engine.poll_event());
        let told = events.filter(|event| matches!(event, Event::Sent { .. })).count();
        assert!(told <= TURN, "{told} calls ended under one hold");
        (ended, turns) = (ended + told, turns + 1);
    }
    assert_eq!(ended, 2000);
    assert!((2000 / TURN..30).contains(&turns), "{turns} turns");
}
