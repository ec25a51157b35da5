//! Pauses between attempts to connect.

use std::time::Duration;

use rocketry_conformance::broker::{ClusterConfig, Fault};
use rocketry_conformance::sim::{Door, Pace, World};
use rocketry_core::frame::RequestCode;
use rocketry_core::producer::{QueueSelection, SendOptions};

use crate::setting::*;

const SECOND_BROKER: &str = "127.0.0.1:10921";

#[test]
fn conn_10_while_a_send_waits_pauses_double_up_to_a_second_each_drawn_within_a_quarter() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..20 {
        let (mut world, client) = pair(seed, 4);
        world.door(BROKER, Door::Refuse);
        let op = world.send_within(client, message("x"), 30 * SECOND).unwrap();
        world.run_for(20 * SECOND);
        let gaps = gaps(&connects(&world, BROKER));
        // A refusal takes up to 3 ms there and back.
        for (at, gap) in gaps.iter().enumerate() {
            let doubled = ms(100 << at.min(10)).min(ms(800));
            let (least, most) = (doubled * 3 / 4, (doubled * 5 / 4).min(SECOND) + ms(3));
            assert!((least..=most).contains(gap), "{at}: {gap:?}");
        }
        assert!(gaps.len() > 20, "{gaps:?}");
        seen.insert(gaps[1]);
        world.door(BROKER, Door::Open);
        let opened = world.now();
        world.end_of(client, op).1.unwrap();
        assert!(world.now().since(opened) < SECOND + ms(20));
        // An answer starts it all again.
        world.door(BROKER, Door::Refuse);
        let before = connects(&world, BROKER).len();
        let start = world.elapsed();
        world.cut_all(BROKER);
        world.send_within(client, message("y"), 30 * SECOND).unwrap();
        world.run_for(SECOND);
        let after = connects(&world, BROKER);
        assert!(after[before] - start < ms(130), "{after:?}");
    }
    assert!(seen.len() > 15, "pauses are drawn: {seen:?}");
}

/// Two members that share two brokers: each has the queues of one, and would read from the other.
fn two_members() -> (World, [rocketry_conformance::sim::ClientId; 2]) {
    let mut cluster = ClusterConfig::default().brokers(2).topic(TOPIC, 4);
    cluster.hide_down_brokers = false;
    let mut world = World::new(1, cluster);
    let members = [world.client(config()), world.client(config())];
    for member in members {
        consume(&mut world, member, Pace::AtOnce);
    }
    world.run_for(30 * SECOND);
    (world, members)
}

/// When that client began to connect to the second broker, since so many seconds.
fn attempts(world: &World, client: usize, since: Duration) -> Vec<Duration> {
    let name = format!("client-{client} ");
    let lines = world.trace().text().lines().filter(|line| line.contains(&name));
    let lines = lines.filter(|line| line.contains(" Connect {") && line.contains(SECOND_BROKER));
    let when = |line: &str| {
        let stamp = line.trim_start().split(' ').next().unwrap();
        Duration::from_secs_f64(stamp.parse().unwrap()) - 10 * SECOND
    };
    lines.map(when).filter(|at| *at > since).collect()
}

#[test]
fn conn_10_a_wanted_broker_that_no_queue_waits_for_is_tried_twice_a_minute_at_last() {
    let (mut world, members) = two_members();
    let down = world.elapsed() + 10 * SECOND;
    world.take_down(1);
    world.run_for(600 * SECOND);
    // The first member has the first broker's queues, the second one those that are gone.
    let idle = gaps(&attempts(&world, 0, down));
    let waiting = gaps(&attempts(&world, 1, down));
    assert!(idle.iter().all(|gap| *gap <= 30 * SECOND + ms(3)), "{idle:?}");
    let long = idle.iter().filter(|gap| **gap >= 17 * SECOND).count();
    assert!(long >= 10 && idle.len() < 45, "{idle:?}");
    assert!(waiting.iter().all(|gap| *gap <= SECOND + ms(3)), "{waiting:?}");
    assert!(waiting.len() > 500, "{}", waiting.len());
    // Work that comes is not kept waiting: its first attempt is made at once.
    world.bring_up(1);
    let mut options = SendOptions::default();
    options = options.selection(QueueSelection::Queue { broker: "broker-b".into(), queue: 0 });
    let op = world.send_with(members[0], message("x"), options).unwrap();
    let (took, result) = world.end_of(members[0], op);
    assert!(result.is_ok() && took < ms(20), "{took:?} {result:?}");
    world.run_until(3 * SECOND, |world| world.distinct() == 1).unwrap();
    assert!(world.cluster().stored_on(1, TOPIC) > 0);
}

#[test]
fn a_queue_given_to_a_member_reaches_a_broker_that_was_left_to_rest() {
    let (mut world, members) = two_members();
    world.take_down(1);
    world.run_for(600 * SECOND);
    world.bring_up(1);
    world.vanish(members[1]);
    let op = world.send_within(members[0], message("x"), SECOND).unwrap();
    world.end_of(members[0], op).1.unwrap();
    world.run_until(30 * SECOND, |world| world.distinct() == 1).unwrap();
}

#[test]
fn conn_10_a_broker_that_takes_connections_and_closes_them_is_not_tried_more_often() {
    let (mut world, client) = pair(1, 4);
    consume(&mut world, client, Pace::AtOnce);
    world.run_for(5 * SECOND);
    world.take_down(0);
    world.door(BROKER, Door::Open);
    let before = connects(&world, BROKER).len();
    world.run_for(60 * SECOND);
    let tries = connects(&world, BROKER).len() - before;
    assert!((55..80).contains(&tries), "{tries}");
    world.bring_up(0);
    store(&mut world, client, "x");
    world.run_until(2 * SECOND, |world| world.distinct() == 1).unwrap();
}

#[test]
fn sends_flow_again_within_a_second_and_a_half_of_a_brokers_return_whatever_became_of_connects() {
    for door in [Door::Refuse, Door::BlackHole] {
        for seed in 0..40 {
            let (mut world, client) = pair(seed, 4);
            store(&mut world, client, "warm");
            world.take_down(0);
            world.door(BROKER, door);
            for _ in 0..(20 + seed) {
                send(&mut world, client, "x");
                world.run_for(ms(170));
            }
            world.bring_up(0);
            let before = world.cluster().stored(TOPIC);
            send(&mut world, client, "x");
            let flows = |world: &World| world.cluster().stored(TOPIC) > before;
            let took = world.run_until(5 * SECOND, flows).unwrap();
            assert!(took < ms(1500), "{door:?}: {took:?}");
            world.run_for(3 * SECOND - took);
            world.assert_all_ended();
        }
    }
}

#[test]
fn a_broker_that_answers_heartbeats_and_garbles_all_else_is_connected_to_once_a_second() {
    let (mut world, client) = pair(21, 4);
    world.with_cluster(|cluster| {
        let code = RequestCode::QUERY_CONSUMER_OFFSET;
        cluster.push_faults(code, vec![Fault::LoseAndClose; 2000]);
    });
    consume(&mut world, client, Pace::AtOnce);
    world.run_for(60 * SECOND);
    let made = connects(&world, BROKER).len();
    assert!((20..100).contains(&made), "{made} connects in a minute");
    world.with_cluster(|cluster| cluster.clear_faults());
    store(&mut world, client, "x");
    world.run_until(5 * SECOND, |world| world.distinct() == 1).unwrap();
}
