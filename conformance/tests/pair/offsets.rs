//! What is committed: never past an unsettled message, and all of the rest at the end.

use std::collections::BTreeSet;

use rocketry_conformance::broker::ClusterConfig;
use rocketry_conformance::sim::{ClientId, Pace, World};
use rocketry_core::consumer::{DeliveryId, Outcome};
use rocketry_core::engine::Note;
use rocketry_core::frame::{RequestCode, ResponseCode};
use rocketry_core::id::SubscriptionId;
use rocketry_core::rng::Rng;

use crate::setting::*;

/// A consumer that has taken 100 messages of one queue and settled none.
fn loaded(seed: u64) -> (World, ClientId, SubscriptionId, Vec<DeliveryId>) {
    let (mut world, client) = pair(seed, 1);
    store_many(&mut world, client, 100);
    let sub = consume(&mut world, client, Pace::Manual);
    world.run_for(3 * SECOND);
    let handouts = world.take(client, sub);
    let ids = ids(&handouts);
    assert_eq!(ids.len(), 100);
    (world, client, sub, ids)
}

#[test]
fn a_commit_reaches_the_lowest_unsettled_message_and_never_passes_it() {
    for seed in 0..5 {
        let (mut world, client, _, ids) = loaded(seed);
        let mut rng = Rng::new(seed);
        let mut open: BTreeSet<usize> = (0..100).collect();
        while !open.is_empty() {
            for _ in 0..7 {
                let at = rng.below(open.len().max(1) as u64) as usize;
                let Some(index) = open.iter().copied().nth(at) else { break };
                open.remove(&index);
                world.settle(client, ids[index], Outcome::Done).unwrap();
            }
            let low = open.first().copied().unwrap_or(100) as i64;
            let mut passed = false;
            world.run_until(6 * SECOND, |world| {
                passed |= committed(world).is_some_and(|offset| offset > low);
                false
            });
            assert!(!passed, "{:?} passes {low}", committed(&world));
            assert_eq!(committed(&world).unwrap_or(0), low);
        }
    }
}

#[test]
fn a_refused_commit_is_sent_again_with_the_next_round() {
    let (mut world, client, _, ids) = loaded(1);
    let code = RequestCode::UPDATE_CONSUMER_OFFSET;
    world.with_cluster(|cluster| cluster.push_error(code, [ResponseCode::SYSTEM_ERROR; 2]));
    ids[..30].iter().for_each(|id| world.settle(client, *id, Outcome::Done).unwrap());
    let took = world.run_until(30 * SECOND, |world| committed(world) == Some(30)).unwrap();
    assert!(took > 10 * SECOND && took <= 16 * SECOND, "{took:?}");
}

#[test]
fn a_commit_that_has_nothing_new_is_not_sent() {
    let (mut world, client, _, ids) = loaded(1);
    ids.iter().for_each(|id| world.settle(client, *id, Outcome::Done).unwrap());
    world.run_for(60 * SECOND);
    assert!(world.cluster().requests(RequestCode::UPDATE_CONSUMER_OFFSET) <= 2);
}

#[test]
fn the_last_commit_of_a_queue_waits_for_the_one_that_is_under_way() {
    let (mut world, client, sub, ids) = loaded(1);
    let code = RequestCode::UPDATE_CONSUMER_OFFSET;
    world.with_cluster(|cluster| cluster.set_delay(code, 2 * SECOND));
    ids[..20].iter().for_each(|id| world.settle(client, *id, Outcome::Done).unwrap());
    world.run_until(10 * SECOND, |world| committed(world) == Some(20)).unwrap();
    let before = world.cluster().requests(code);
    ids[20..30].iter().for_each(|id| world.settle(client, *id, Outcome::Done).unwrap());
    world.leave(client, sub).unwrap();
    world.run_for(SECOND);
    assert_eq!(world.cluster().requests(code), before, "it could be overtaken");
    world.run_until(6 * SECOND, |world| world.left_at(client, sub).is_some()).unwrap();
    assert_eq!((committed(&world), world.cluster().requests(code)), (Some(30), before + 1));
}

fn assert_successor_begins_at(world: &mut World, offset: i64) {
    let before = world.delivered().len();
    let heir = world.client(config());
    consume(world, heir, Pace::AtOnce);
    world.run_for(5 * SECOND);
    let offsets: Vec<i64> =
        world.delivered()[before..].iter().map(|one| one.offset.unwrap()).collect();
    assert_eq!(offsets, (offset..100).collect::<Vec<_>>());
}

#[test]
fn who_leaves_has_committed_all_that_it_settled_and_the_successor_begins_there() {
    for (seed, done) in [(1, 0), (2, 1), (3, 37), (4, 99), (5, 100)] {
        let (mut world, client, sub, ids) = loaded(seed);
        // One of those that come later is settled too: it has to come again.
        ids[..done].iter().for_each(|id| world.settle(client, *id, Outcome::Done).unwrap());
        ids.get(done + 1).map(|id| world.settle(client, *id, Outcome::Done));
        world.leave(client, sub).unwrap();
        let took = world.run_until(SECOND, |world| world.left_at(client, sub).is_some());
        assert!(took.is_some_and(|took| took < ms(50)), "{took:?}");
        assert_eq!(committed(&world).unwrap_or(0), done as i64);
        assert_successor_begins_at(&mut world, done as i64);
        assert!(world.settle(client, ids[99], Outcome::Done).is_err());
    }
}

#[test]
fn who_shuts_down_has_committed_all_that_it_settled_and_the_successor_begins_there() {
    for (seed, done) in [(1, 0), (2, 1), (3, 37), (4, 99), (5, 100)] {
        let (mut world, client, _, ids) = loaded(seed);
        ids[..done].iter().for_each(|id| world.settle(client, *id, Outcome::Done).unwrap());
        // What is held may still be settled for most of `shutdown_timeout`.
        let waits = if done < 100 { world.engine(client).config().shutdown_timeout } else { ms(0) };
        world.shutdown(client);
        let took = world.run_until(4 * SECOND, |world| world.stopped_at(client).is_some());
        assert!(took.is_some_and(|took| took < waits + ms(50)), "{took:?}");
        assert_eq!(committed(&world).unwrap_or(0), done as i64);
        assert_successor_begins_at(&mut world, done as i64);
    }
}

#[test]
fn who_leaves_waits_for_every_commit_to_be_answered() {
    for pause in [0, 10, 40, 60, 100, 300, 2000, 4990, 5010] {
        let mut world = world(pause, 8);
        let client = world.client(config());
        store_many(&mut world, client, 200);
        let sub = consume(&mut world, client, Pace::Within(ms(2000)));
        world.run_for(4 * SECOND);
        let late = RequestCode::UPDATE_CONSUMER_OFFSET;
        world.with_cluster(|cluster| cluster.set_delay(late, ms(500)));
        // A second member takes half the queues: their commits are on their way as well.
        let other = world.client(config());
        consume(&mut world, other, Pace::AtOnce);
        world.run_for(ms(pause));
        store_many(&mut world, client, 16);
        world.leave(client, sub).unwrap();
        world.run_until(4 * SECOND, |world| world.left_at(client, sub).is_some()).unwrap();
        let mine = |line: &&str| line.contains("client-0");
        let text = world.trace().text();
        let (before, _) =
            text.split_once("client-0 ConnectionId(1.0) Up UNREGISTER_CLIENT").unwrap();
        let asked = before.lines().filter(mine).filter(|l| l.contains("Up UPDATE_CONSUMER_OFFSET"));
        for line in asked {
            let opaque = line.split('#').nth(1).unwrap().split(' ').next().unwrap();
            let answer = format!("Down answer #{opaque} ");
            assert!(before.contains(&answer), "{pause}: left before the answer to {line}");
        }
    }
}

/// A master, its slave, and a consumer that has taken 100 messages of one queue.
fn with_slave(seed: u64) -> (World, ClientId, Vec<DeliveryId>) {
    let mut world = World::new(seed, ClusterConfig::default().slaves().topic(TOPIC, 1));
    let client = world.client(config());
    store_many(&mut world, client, 100);
    let sub = consume(&mut world, client, Pace::Manual);
    world.run_for(3 * SECOND);
    let ids = ids(&world.take(client, sub));
    assert_eq!(ids.len(), 100);
    (world, client, ids)
}

#[test]
fn off_17_while_a_slave_serves_alone_offsets_are_committed_there_and_kept_over_a_restart() {
    for seed in 0..4 {
        let (mut world, client, ids) = with_slave(seed);
        world.take_down(0);
        ids[..60].iter().for_each(|id| world.settle(client, *id, Outcome::Done).unwrap());
        let at_slave = |world: &World| world.cluster().committed(1, GROUP, TOPIC, 0);
        world.run_until(15 * SECOND, |world| at_slave(world) == Some(60)).unwrap();
        // The whole group is killed, and started again.
        world.vanish(client);
        world.run_for(SECOND);
        assert_successor_begins_at(&mut world, 60);
    }
}

/// The master's connection stands before its route names it again: nothing else tells that it is
/// the one who keeps offsets by now.
#[test]
fn off_17_what_a_slave_has_kept_is_committed_again_once_a_route_names_the_master() {
    for seed in 0..4 {
        let cluster = ClusterConfig { hide_down_brokers: true, ..Default::default() };
        let mut world = World::new(seed, cluster.slaves().topic(TOPIC, 1));
        let client = world.client(config());
        store_many(&mut world, client, 100);
        let sub = consume(&mut world, client, Pace::Manual);
        world.run_for(3 * SECOND);
        let ids = ids(&world.take(client, sub));
        world.take_down(0);
        let headless = |note: &Note| matches!(note, Note::RouteChanged { writable: 0, .. });
        world.run_until(60 * SECOND, |world| world.notes(client).any(headless)).unwrap();
        world.bring_up(0);
        ids[..60].iter().for_each(|id| world.settle(client, *id, Outcome::Done).unwrap());
        let at_slave = |world: &World| world.cluster().committed(1, GROUP, TOPIC, 0);
        world.run_until(15 * SECOND, |world| at_slave(world) == Some(60)).unwrap();
        world.run_until(60 * SECOND, |world| committed(world) == Some(60)).unwrap();
    }
}

#[test]
fn off_17_what_a_slave_has_kept_is_committed_again_once_the_master_is_back() {
    for seed in 0..4 {
        let (mut world, client, ids) = with_slave(seed);
        world.run_for(6 * SECOND);
        world.take_down(0);
        ids[..60].iter().for_each(|id| world.settle(client, *id, Outcome::Done).unwrap());
        let at_slave = |world: &World| world.cluster().committed(1, GROUP, TOPIC, 0);
        world.run_until(15 * SECOND, |world| at_slave(world) == Some(60)).unwrap();
        world.bring_up(0);
        // The master's table has replaced the slave's.
        assert_ne!(at_slave(&world), Some(60));
        let back = |world: &World| committed(world) == Some(60) && at_slave(world) == Some(60);
        // After the next look at the route, which is 37 s away at most, and a long poll.
        world.run_until(60 * SECOND, back).unwrap();
    }
}

#[test]
fn off_17_an_offset_that_died_with_a_broker_is_committed_again_after_the_next_registration() {
    let (mut world, client, _, ids) = loaded(1);
    ids[..60].iter().for_each(|id| world.settle(client, *id, Outcome::Done).unwrap());
    world.run_until(6 * SECOND, |world| committed(world) == Some(60)).unwrap();
    // The broker had answered, and had written nothing of it to its disk.
    world.take_down(0);
    world.run_for(2 * SECOND);
    world.with_cluster(|cluster| cluster.set_committed(0, GROUP, TOPIC, 0, 10));
    world.bring_up(0);
    let took = world.run_until(30 * SECOND, |world| committed(world) == Some(60)).unwrap();
    assert!(took < 8 * SECOND, "{took:?}");
    // Once for each registration, and not again and again.
    let commits = |world: &World| world.cluster().requests(RequestCode::UPDATE_CONSUMER_OFFSET);
    let before = commits(&world);
    world.run_for(60 * SECOND);
    assert_eq!(commits(&world), before);
}

#[test]
fn off_17_who_leaves_right_after_a_registration_commits_again_what_may_have_died() {
    let (mut world, client, sub, ids) = loaded(2);
    ids[..60].iter().for_each(|id| world.settle(client, *id, Outcome::Done).unwrap());
    world.run_until(6 * SECOND, |world| committed(world) == Some(60)).unwrap();
    world.with_cluster(|cluster| cluster.set_committed(0, GROUP, TOPIC, 0, 10));
    world.cut_all(BROKER);
    world.run_until(SECOND, |world| world.cluster().held_pulls(0) == 0).unwrap();
    world.run_until(5 * SECOND, |world| world.cluster().held_pulls(0) == 1).unwrap();
    world.leave(client, sub).unwrap();
    world.run_until(SECOND, |world| world.left_at(client, sub).is_some()).unwrap();
    assert_eq!(committed(&world), Some(60));
}

#[test]
fn a_slave_that_lags_moves_no_offset_and_is_asked_at_a_pace() {
    let cluster = ClusterConfig::default().slaves().topic(TOPIC, 1);
    let mut world = without_retries(World::new(5, cluster));
    let client = world.client(config());
    store_many(&mut world, client, 50);
    world.with_cluster(|cluster| cluster.set_lagging(1, true));
    store_many(&mut world, client, 50);
    consume(&mut world, client, Pace::AtOnce);
    world.run_for(7 * SECOND);
    world.take_down(0);
    let pulls = |world: &World| world.cluster().requests(RequestCode::PULL_MESSAGE);
    let before = pulls(&world);
    world.run_for(60 * SECOND);
    assert!(pulls(&world) - before < 75, "{}", pulls(&world) - before);
    world.bring_up(0);
    world.run_for(60 * SECOND);
    store(&mut world, client, "new");
    world.run_until(5 * SECOND, |world| world.distinct() == 101).unwrap();
    assert_eq!(world.delivered().len(), 101);
}

#[test]
fn an_older_offset_that_the_last_owner_of_a_queue_commits_late_does_not_stay() {
    let (mut world, client) = pair(1, 1);
    store_many(&mut world, client, 20);
    consume(&mut world, client, Pace::AtOnce);
    // There is no queue for a second member, but it might have had this one.
    let other = world.client(config());
    consume(&mut world, other, Pace::AtOnce);
    world.run_for(12 * SECOND);
    assert_eq!(committed(&world), Some(20));
    // Who saw late that the queue is no longer its own.
    world.with_cluster(|cluster| cluster.set_committed(0, GROUP, TOPIC, 0, 7));
    let took = world.run_until(60 * SECOND, |world| committed(world) == Some(20));
    assert!(took.is_some_and(|took| took <= 25 * SECOND), "{took:?}");
    // It costs a few commits, and then no more.
    world.run_for(120 * SECOND);
    let commits = world.cluster().requests(RequestCode::UPDATE_CONSUMER_OFFSET);
    assert!(commits <= 8, "{commits}");
    world.run_for(300 * SECOND);
    assert_eq!(world.cluster().requests(RequestCode::UPDATE_CONSUMER_OFFSET), commits);
}

#[test]
fn first_offsets_that_a_broker_lost_among_each_other_are_stored_with_the_next_round() {
    let mut lost = 0;
    for seed in 0..10 {
        let (mut world, client) = pair(seed, 4);
        world.with_cluster(|cluster| cluster.lose_first_offsets(0));
        consume(&mut world, client, Pace::AtOnce);
        world.run_for(3 * SECOND);
        store_many(&mut world, client, 16);
        let stored = |world: &World| {
            let at = |queue| world.cluster().committed(0, GROUP, TOPIC, queue);
            (0..4).filter(|queue| at(*queue) == Some(4)).count()
        };
        let commits = |world: &World| world.cluster().requests(RequestCode::UPDATE_CONSUMER_OFFSET);
        world.run_until(6 * SECOND, |world| commits(world) == 4).unwrap();
        // Of those that come in one read the last alone is left.
        lost += 4 - stored(&world);
        world.run_for(6 * SECOND);
        assert_eq!((stored(&world), commits(&world)), (4, 8), "seed {seed}");
        world.run_for(30 * SECOND);
        assert_eq!(commits(&world), 8, "they stay, and are given no more");
    }
    assert!(lost > 0);
}
