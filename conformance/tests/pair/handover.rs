//! Queues that go from one member to another: committed first, and read after a pause.

use rocketry_conformance::sim::{ClientId, Pace, World};
use rocketry_core::config::Config;
use rocketry_core::id::SubscriptionId;

use crate::setting::*;

fn join(world: &mut World, config: Config) -> (ClientId, SubscriptionId) {
    let client = world.client(config);
    (client, consume(world, client, Pace::AtOnce))
}

/// Offsets are committed by hand-overs alone.
fn seldom() -> Config {
    let mut config = config();
    config.commit_interval = 600 * SECOND;
    config
}

/// When a client was first given a message, or first gained a queue.
fn first_given(world: &World, client: ClientId) -> Option<rocketry_core::time::Instant> {
    world.delivered().iter().find(|one| one.client == client).map(|one| one.at)
}

#[test]
fn reb_12_what_moves_is_committed_first_and_comes_no_second_time() {
    for seed in 0..10 {
        let mut world = world(seed, 8);
        let (first, _) = join(&mut world, seldom());
        store_many(&mut world, first, 200);
        world.run_until(3 * SECOND, |world| world.distinct() == 200).unwrap();
        let (second, _) = join(&mut world, seldom());
        world.run_for(3 * SECOND);
        let lost: usize = world.changes(first).iter().map(|change| change.lost.len()).sum();
        assert_eq!(lost, 4);
        store_many(&mut world, second, 80);
        world.run_until(3 * SECOND, |world| world.distinct() == 280).unwrap();
        assert_eq!(world.delivered().len(), 280, "{seed}: nothing came twice");
    }
}

#[test]
fn who_gains_a_queue_reads_its_offset_after_the_pause_and_who_is_alone_at_once() {
    for pause in [ms(0), ms(500), ms(2000)] {
        let with = || {
            let mut config = config();
            config.handover_pause = pause;
            config
        };
        let mut world = world(3, 8);
        let sender = world.client(config());
        store_many(&mut world, sender, 8);
        let begun = world.now();
        let (first, _) = join(&mut world, with());
        world.run_until(SECOND, |world| world.distinct() == 8).unwrap();
        assert!(first_given(&world, first).unwrap().since(begun) < ms(100), "it is alone");
        let (second, sub) = join(&mut world, with());
        world.run_until(3 * SECOND, |world| !world.engine(second).queues(sub).is_empty()).unwrap();
        let gained = world.changes(second)[0].at;
        world.run_until(SECOND, |world| !world.changes(first)[1..].is_empty()).unwrap();
        store_many(&mut world, sender, 80);
        world.run_until(5 * SECOND, |world| world.distinct() == 88).unwrap();
        let given = first_given(&world, second).unwrap().since(gained);
        assert!(pause <= given && given < pause + ms(200), "{pause:?}: {given:?}");
    }
}

#[test]
fn a_queue_that_is_handed_over_and_reset_is_read_from_there_after_the_pause() {
    let with = || {
        let mut config = config();
        config.handover_pause = 2 * SECOND;
        config
    };
    let mut world = world(3, 8);
    let (first, _) = join(&mut world, with());
    store_many(&mut world, first, 80);
    world.run_until(3 * SECOND, |world| world.distinct() == 80).unwrap();
    world.run_for(6 * SECOND);
    let (second, sub) = join(&mut world, with());
    world.run_until(3 * SECOND, |world| !world.engine(second).queues(sub).is_empty()).unwrap();
    let gained = world.changes(second)[0].at;
    for timestamp in [-1, 0] {
        let reset = (GROUP, TOPIC);
        world.with_cluster(|cluster| cluster.reset_offset(0, reset, timestamp, true)).unwrap();
        world.run_for(ms(100));
    }
    world.run_for(6 * SECOND);
    let given = first_given(&world, second).unwrap().since(gained);
    assert!((2 * SECOND..2 * SECOND + ms(200)).contains(&given), "{given:?}");
    let begun =
        |one: &&rocketry_conformance::sim::Delivered| one.client == second && one.offset == Some(0);
    assert_eq!(world.delivered().iter().filter(begun).count(), 4);
}

#[test]
fn the_state_of_a_queue_that_is_handed_over_says_so() {
    let mut world = world(1, 2);
    join(&mut world, config());
    world.run_for(SECOND);
    let (second, sub) = join(&mut world, config());
    world.run_until(3 * SECOND, |world| !world.engine(second).queues(sub).is_empty()).unwrap();
    let state =
        |world: &World| world.engine(second).snapshot(world.now()).consumers[0].queues[0].state;
    assert_eq!(state(&world), "awaiting hand-over");
    world.run_for(SECOND);
    assert_eq!(state(&world), "pulling");
}

#[test]
fn the_last_member_gains_all_soon_after_the_other_is_gone() {
    let mut world = world(1, 8);
    let (first, own) = join(&mut world, config());
    let (second, _) = join(&mut world, config());
    world.run_for(5 * SECOND);
    world.vanish(second);
    let gone = world.now();
    world.run_until(5 * SECOND, |world| world.engine(first).queues(own).len() == 8).unwrap();
    assert!(world.now().since(gone) < SECOND);
    store_many(&mut world, first, 80);
    let took = world.run_until(5 * SECOND, |world| world.distinct() == 80);
    assert!(took.is_some_and(|took| took < SECOND), "{took:?}");
}
