//! What an idle client costs. That no engine spins is asserted after every step of every test.

use rocketry_conformance::sim::{Door, Pace};
use rocketry_core::frame::RequestCode;

use crate::setting::*;

const HOUR: std::time::Duration = std::time::Duration::from_secs(3600);

#[test]
fn an_idle_hour_of_a_producer_takes_few_steps() {
    let (mut world, client) = pair(1, 8);
    world.produce(client);
    store(&mut world, client, "x");
    let before = world.steps();
    world.run_for(HOUR);
    // Heartbeats, route refreshes and commits: some 12 of them a minute.
    let steps = world.steps() - before;
    assert!(steps < 3_000, "{steps}");
}

#[test]
fn an_idle_hour_of_a_consumer_takes_few_steps() {
    let (mut world, client) = pair(1, 8);
    consume(&mut world, client, Pace::AtOnce);
    store(&mut world, client, "x");
    world.run_for(SECOND);
    let (before, pulls) = (world.steps(), world.cluster().requests(RequestCode::PULL_MESSAGE));
    world.run_for(HOUR);
    let steps = world.steps() - before;
    // Each of 8 queues pulls every 15 s: 1,920 pulls, each a few pieces of bytes each way.
    let pulls = world.cluster().requests(RequestCode::PULL_MESSAGE) - pulls;
    assert!(pulls <= 8 * 241, "{pulls}");
    assert!(steps < 12 * pulls, "{steps}");
    assert_eq!(world.distinct(), 1);
    // One pull for each queue, and a timer for each pull and for each of the few periods.
    let stats = world.engine(client).stats();
    assert!(stats.requests <= 8 && stats.timers <= 8 + 6, "{stats:?}");
}

#[test]
fn an_hour_without_any_peer_takes_few_steps() {
    for door in [Door::Refuse, Door::BlackHole] {
        let (mut world, client) = pair(1, 8);
        consume(&mut world, client, Pace::AtOnce);
        world.run_for(10 * SECOND);
        for host in [NS, BROKER] {
            world.door(host, door);
            world.cut_all(host);
        }
        let before = world.steps();
        world.run_for(HOUR);
        let steps = world.steps() - before;
        assert!(steps < 25_000, "{steps} with {door:?}");
        world.door(NS, Door::Open);
        world.door(BROKER, Door::Open);
        world.run_for(5 * SECOND);
        store(&mut world, client, "x");
        assert!(world.run_until(SECOND, |world| world.distinct() == 1).is_some());
    }
}

#[test]
fn an_hour_before_any_peer_is_there_takes_few_steps() {
    let (mut world, client) = pair(1, 8);
    world.door(NS, Door::Refuse);
    consume(&mut world, client, Pace::AtOnce);
    world.run_for(HOUR);
    assert!(world.steps() < 30_000, "{}", world.steps());
    world.door(NS, Door::Open);
    store(&mut world, client, "x");
    assert!(world.run_until(5 * SECOND, |world| world.distinct() == 1).is_some());
}
