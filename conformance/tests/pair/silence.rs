//! Connections on which nothing is said: given up when their other end is gone, closed when nobody
//! needs them, and kept otherwise.

use std::time::Duration;

use rocketry_conformance::broker::{ClusterConfig, ListenerId};
use rocketry_conformance::sim::{ClientId, Pace, Way, World};
use rocketry_core::engine::Note;
use rocketry_core::error::CloseReason;
use rocketry_core::frame::{RequestCode, ResponseCode};
use rocketry_core::query::{Call, Query, Target};

use crate::setting::*;

/// A client of a broker that closes no idle connection for an hour.
fn patient(change: impl FnOnce(&mut rocketry_core::config::Config)) -> (World, ClientId) {
    let mut cluster = ClusterConfig::default().topic(TOPIC, 4);
    cluster.idle_limit = 3600 * SECOND;
    let mut world = World::new(1, cluster);
    let mut config = config();
    change(&mut config);
    let client = world.client(config);
    (world, client)
}

fn reasons(world: &World, client: ClientId) -> Vec<CloseReason> {
    let closed = world.notes(client).filter_map(|note| match note {
        Note::Closed { reason, .. } => Some(reason.clone()),
        _ => None,
    });
    closed.collect()
}

#[test]
fn a_connection_nobody_uses_is_closed_after_max_idle_without_a_warning_and_made_again() {
    let (mut world, client) = patient(|config| config.max_idle = Some(40 * SECOND));
    store(&mut world, client, "first");
    let closed = world.run_until(100 * SECOND, |world| world.open_links(BROKER) == 0).unwrap();
    assert_eq!(closed, 40 * SECOND, "since the answer, the last thing that came");
    assert_eq!(reasons(&world, client), [CloseReason::Idle(40 * SECOND)]);
    assert!(world.notes(client).all(|note| !note.is_trouble()));
    // Routes are asked for every 30 s: the nameserver's connection is in use.
    world.run_for(300 * SECOND);
    assert_eq!((world.open_links(NS), connects(&world, NS).len()), (1, 1));
    let op = send(&mut world, client, "second");
    let (took, result) = world.end_of(client, op);
    assert!(result.is_ok() && took < ms(20), "{took:?}");
    assert_eq!(connects(&world, BROKER).len(), 2);
    assert_eq!(world.notes(client).filter(|note| note.is_trouble()).count(), 0);
}

#[test]
fn a_nameservers_connection_that_nobody_uses_is_closed_too_and_none_stays_open_without_max_idle() {
    for (max_idle, sockets) in [(Some(120 * SECOND), 0), (None, 1)] {
        let (mut world, client) = patient(|config| config.max_idle = max_idle);
        let ask = |world: &mut World| {
            let request = rocketry_core::frame::Request::ClusterInfo(Default::default());
            let call = Call { target: Target::NameServer, request, body: Default::default() };
            let op = world.query(client, Query::Call(Box::new(call))).unwrap();
            world.run_until(SECOND, |world| world.answer(client, op).is_some()).unwrap();
            assert!(world.answer(client, op).unwrap().result.is_ok());
        };
        ask(&mut world);
        world.run_for(600 * SECOND);
        let stats = world.engine(client).stats();
        assert_eq!(stats.sockets, sockets, "{max_idle:?}");
        assert!(stats.timers <= 4, "{stats:?}");
        ask(&mut world);
    }
}

#[test]
fn a_send_just_when_its_idle_connection_closes_is_stored_once_and_costs_no_attempt() {
    for step in 0..60 {
        let (mut world, client) = patient(|config| {
            config.max_idle = Some(SECOND);
            config.send_attempts = 1;
        });
        store(&mut world, client, "first");
        // From just before the end to just after the close is over.
        world.run_for(SECOND - ms(2) + step * Duration::from_micros(100));
        let op = send(&mut world, client, "second");
        let (took, result) = world.end_of(client, op);
        let receipt = result.unwrap();
        assert!(took < ms(20), "{step}: {took:?}");
        assert_eq!(world.copies(TOPIC, receipt.message_id.as_str()), 1, "{step}");
    }
}

#[test]
fn a_consumers_connection_stays_while_it_consumes_and_no_longer() {
    let (mut world, client) = patient(|config| {
        config.max_idle = Some(5 * SECOND);
        config.pull_suspend = 20 * SECOND;
    });
    let sub = consume(&mut world, client, Pace::AtOnce);
    world.run_for(600 * SECOND);
    assert_eq!((world.open_links(BROKER), connects(&world, BROKER).len()), (1, 1));
    world.leave(client, sub).unwrap();
    // The pulls that the broker still holds are waited for.
    world.run_until(60 * SECOND, |world| world.open_links(BROKER) == 0).unwrap();
    consume(&mut world, client, Pace::AtOnce);
    store(&mut world, client, "x");
    world.run_until(5 * SECOND, |world| world.distinct() == 1).unwrap();
}

#[test]
fn a_slow_peer_is_not_cut_off_for_a_short_deadline() {
    let (mut world, client) = pair(1, 4);
    store(&mut world, client, "warm");
    let code = RequestCode::SEND_MESSAGE_V2;
    world.with_cluster(|cluster| cluster.set_delay(code, ms(5500)));
    for _ in 0..10 {
        let op = world.send_within(client, message("slow"), ms(100)).unwrap();
        world.end_of(client, op).1.unwrap_err();
        world.run_for(ms(650));
    }
    world.with_cluster(|cluster| cluster.set_delay(code, Duration::ZERO));
    world.run_for(10 * SECOND);
    store(&mut world, client, "next");
    assert_eq!(connects(&world, BROKER).len(), 1);
    assert_eq!(reasons(&world, client), []);
}

#[test]
fn a_connection_whose_other_end_is_gone_is_closed_after_twice_the_timeout_to_the_nanosecond() {
    for (timeout, limit) in
        [(ms(500), 5 * SECOND), (3 * SECOND, 6 * SECOND), (ms(7500), 15 * SECOND)]
    {
        for way in [Way::Up, Way::Down] {
            let (mut world, client) = patient(|config| config.request_timeout = timeout);
            store(&mut world, client, "warm");
            world.stall(BROKER, way);
            let left = world.now();
            let op = world.send_within(client, message("x"), ms(50)).unwrap();
            world.end_of(client, op).1.unwrap_err();
            let closed = |world: &World| !reasons(world, client).is_empty();
            world.run_until(60 * SECOND, closed).unwrap();
            assert_eq!(world.now().since(left), limit, "{way:?}");
            assert_eq!(reasons(&world, client), [CloseReason::Silent(limit)]);
            store(&mut world, client, "next");
        }
    }
}

#[test]
fn a_peer_that_goes_away_while_it_is_silent_is_still_left() {
    let (mut world, client) = pair(1, 4);
    store(&mut world, client, "warm");
    let code = RequestCode::SEND_MESSAGE_V2;
    world.with_cluster(|cluster| {
        cluster.push_error(code, [ResponseCode::GO_AWAY]);
        cluster.set_leaving(ListenerId::Broker(0), false);
    });
    let op = send(&mut world, client, "x");
    let silent = world.send_within(client, message("y"), ms(1)).unwrap();
    world.end_of(client, op).1.unwrap();
    let _ = world.end_of(client, silent);
    world.run_for(20 * SECOND);
    store(&mut world, client, "next");
    assert_eq!(connects(&world, BROKER).len(), 2);
}

#[test]
fn fault_20_a_frame_that_never_ends_does_not_hold_its_connection_for_ever() {
    let (mut world, client) = pair(1, 4);
    store(&mut world, client, "warm");
    let damaged = std::cell::Cell::new(false);
    world.tamper(move |_, way, bytes| {
        if way == Way::Down && bytes.len() > 4 && !damaged.replace(true) {
            // A mebibyte more than there is: all answers that follow are taken for its rest.
            bytes[1] += 0x10;
        }
    });
    let start = world.now();
    while {
        let op = send(&mut world, client, "x");
        world.end_of(client, op).1.is_err()
    } {
        assert!(world.now().since(start) < 45 * SECOND, "{:?}", reasons(&world, client));
    }
    assert!(matches!(reasons(&world, client)[..], [CloseReason::Silent(_)]));
    store(&mut world, client, "next");
}
