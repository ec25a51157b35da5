//! Several connections to one broker.

use std::collections::BTreeMap;

use rocketry_conformance::sim::{ClientId, Door, Pace, Way, World};
use rocketry_core::engine::Stats;
use rocketry_core::frame::RequestCode;
use rocketry_core::producer::SendOptions;

use crate::setting::*;

/// A client of one broker with so many connections to it, all of them there.
fn with_lanes(seed: u64, count: u32) -> (World, ClientId) {
    let mut world = world(seed, 4);
    let mut config = config();
    config.connections_per_broker = count;
    let client = world.client(config);
    store(&mut world, client, "warm");
    world.run_for(ms(10));
    (world, client)
}

/// Sends seen on each connection, from line `from` of the trace on.
fn sends(world: &World, from: usize) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    let lines = world.trace().text().lines().skip(from);
    for line in lines.filter(|line| line.contains(" Up ") && line.contains("SEND_MESSAGE_V2")) {
        let conn = line.split_whitespace().find(|word| word.starts_with("ConnectionId"));
        *counts.entry(conn.unwrap().to_owned()).or_default() += 1;
    }
    counts
}

#[test]
fn sends_spread_evenly_over_the_connections_and_all_else_takes_the_first() {
    let (mut world, client) = with_lanes(1, 4);
    world.produce(client);
    consume(&mut world, client, Pace::AtOnce);
    world.run_for(5 * SECOND);
    assert_eq!((world.open_links(BROKER), world.open_links(NS)), (4, 1));
    let from = world.trace().text().lines().count();
    let ops: Vec<_> = (0..100).map(|n| send(&mut world, client, &n.to_string())).collect();
    for op in ops {
        world.end_of(client, op).1.unwrap();
    }
    let at_once = sends(&world, from);
    assert_eq!(at_once.into_values().collect::<Vec<_>>(), [25; 4]);
    let from = world.trace().text().lines().count();
    store_many(&mut world, client, 1);
    (0..39).for_each(|_| store(&mut world, client, "one after the other"));
    assert_eq!(sends(&world, from).into_values().collect::<Vec<_>>(), [10; 4]);
    let beats = world.cluster().requests(RequestCode::HEART_BEAT);
    world.run_for(60 * SECOND);
    let beats = world.cluster().requests(RequestCode::HEART_BEAT) - beats;
    assert!(beats <= 3, "{beats} heartbeats in a minute");
    assert_eq!(world.cluster().producers(0, "producers").len(), 1);
    assert_eq!(world.cluster().consumers(0, GROUP).len(), 1);
    assert_eq!(world.engine(client).brokers().iter().filter(|broker| broker.connected).count(), 1);
    world.shutdown(client);
    world.run_until(SECOND, |world| world.stopped_at(client).is_some()).unwrap();
    assert_eq!(world.engine(client).stats(), Stats::default());
}

#[test]
fn sends_to_a_chosen_queue_keep_to_one_connection_while_it_is_there() {
    let (mut world, client) = with_lanes(2, 4);
    for key in ["a", "b", "c"] {
        let from = world.trace().text().lines().count();
        let send = |world: &mut World| {
            let op = world.send_with(client, message("x"), SendOptions::hash(key)).unwrap();
            world.end_of(client, op).1.unwrap();
        };
        (0..10).for_each(|_| send(&mut world));
        assert_eq!(sends(&world, from).len(), 1, "{key}");
    }
    world.door(BROKER, Door::Refuse);
    (0..3).for_each(|_| world.cut_one(BROKER, 0));
    world.run_for(ms(10));
    for key in ["a", "b", "c"] {
        let op = world.send_with(client, message("x"), SendOptions::hash(key)).unwrap();
        let (took, result) = world.end_of(client, op);
        assert!(result.is_ok() && took < ms(20), "{took:?} {result:?}");
    }
}

#[test]
fn connections_that_are_down_stop_no_send_that_another_one_can_carry() {
    for door in [Door::Refuse, Door::BlackHole] {
        for living in 0..4 {
            let (mut world, client) = with_lanes(3, 4);
            world.door(BROKER, door);
            let ops: Vec<_> = (0..40).map(|n| send(&mut world, client, &n.to_string())).collect();
            for at in (0..4).rev().filter(|at| *at != living) {
                world.cut_one(BROKER, at);
            }
            for op in ops {
                let (took, result) = world.end_of(client, op);
                assert!(result.is_ok() && took < ms(80), "{living}: {took:?} {result:?}");
            }
            for n in 0..200 {
                let op = send(&mut world, client, &n.to_string());
                let (took, result) = world.end_of(client, op);
                assert!(result.is_ok() && took < ms(20), "{living}: {took:?} {result:?}");
                world.run_for(ms(30));
            }
            world.door(BROKER, Door::Open);
            world.run_for(3 * SECOND);
            (0..4).for_each(|_| store(&mut world, client, "again"));
            world.run_for(3 * SECOND);
            assert_eq!(world.open_links(BROKER), 4, "{living} {door:?}");
        }
    }
}

#[test]
fn a_broker_that_restarts_costs_a_send_one_attempt_however_many_connections_it_had() {
    for seed in 0..10 {
        let (mut world, client) = with_lanes(seed, 4);
        world.latency(ms(1), ms(8));
        let ops: Vec<_> = (0..40).map(|n| send(&mut world, client, &n.to_string())).collect();
        world.cut_all(BROKER);
        for op in ops {
            let (took, result) = world.end_of(client, op);
            assert!(result.is_ok() && took < ms(500), "{took:?} {result:?}");
        }
    }
}

#[test]
fn a_connection_that_goes_silent_takes_no_more_than_one_send_that_comes_alone() {
    for way in [Way::Up, Way::Down] {
        let (mut world, client) = with_lanes(4, 4);
        world.stall_one(BROKER, 2, way);
        let mut lost = 0;
        for n in 0..50 {
            let op = send(&mut world, client, &n.to_string());
            lost += usize::from(world.end_of(client, op).1.is_err());
        }
        assert_eq!(lost, 1, "{way:?}");
        world.run_for(10 * SECOND);
        store(&mut world, client, "again");
        world.run_for(SECOND);
        assert_eq!(world.open_links(BROKER), 4, "the silent one is made anew");
    }
}

#[test]
fn a_client_with_lanes_that_close_when_idle_loses_nothing_in_a_storm() {
    for seed in 0..6 {
        let mut world = brokers(seed, 2, 4);
        let mut config = config();
        config.connections_per_broker = 3;
        config.max_idle = Some(SECOND);
        let client = world.client(config);
        world.produce(client);
        consume(&mut world, client, Pace::Within(ms(50)));
        for n in 0..300 {
            world.later(ms(100 * n + n * n % 97), move |world| {
                let _ = world.try_send(client, message("x"));
            });
        }
        world.storm(30 * SECOND, ms(200));
        world.run_for(35 * SECOND);
        world.assert_all_ended();
        let good = world
            .sends(client)
            .filter(|sent| sent.ended.as_ref().is_some_and(|ended| ended.result.is_ok()));
        let good: Vec<String> = good.map(|sent| sent.id.to_string()).collect();
        assert!(good.len() > 150, "{}", good.len());
        let all = |world: &World| good.iter().all(|id| world.has_delivered(id));
        world.run_until(60 * SECOND, all).unwrap();
        world.shutdown(client);
        world.run_until(4 * SECOND, |world| world.stopped_at(client).is_some()).unwrap();
        world.run_for(10 * SECOND);
        assert_eq!(world.engine(client).stats(), Stats::default());
    }
}
