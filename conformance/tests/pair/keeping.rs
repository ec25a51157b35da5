//! Sends that keep the order of their key, whatever becomes of their tries.

use rocketry_conformance::broker::{Fault, Requests};
use rocketry_conformance::sim::{ClientId, Door, World};
use rocketry_core::engine::Cancelled;
use rocketry_core::error::{SendError, Stored};
use rocketry_core::frame::ResponseCode;
use rocketry_core::id::OpId;
use rocketry_core::producer::SendOptions;

use crate::setting::*;

fn ordered(world: &mut World, client: ClientId, key: &str, body: &str) -> OpId {
    let options = SendOptions::ordered(key);
    world.send_with(client, message(body.to_owned()), options).unwrap()
}

/// The bodies in the log of the one queue, each with its first copy alone.
fn log(world: &World) -> Vec<String> {
    let records = world.cluster().messages(0, TOPIC, 0);
    let body = |index| {
        let record = records.record(index).unwrap();
        String::from_utf8(record.body().unwrap().to_vec()).unwrap()
    };
    let mut bodies: Vec<String> = Vec::new();
    for body in (0..records.len()).map(body) {
        if !bodies.contains(&body) {
            bodies.push(body);
        }
    }
    bodies
}

fn numbers(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|n| n.to_string()).collect()
}

#[test]
fn send_32_the_order_of_a_key_is_kept_over_tries_that_are_refused_lost_or_told_to_go() {
    let fates = [
        Fault::Refuse(ResponseCode::SYSTEM_ERROR),
        Fault::Refuse(ResponseCode::SYSTEM_BUSY),
        Fault::Refuse(ResponseCode::GO_AWAY),
        Fault::LoseAndClose,
        Fault::Close,
    ];
    for (seed, fate) in fates.into_iter().enumerate() {
        for at in 0..4 {
            let (mut world, client) = pair(seed as u64, 1);
            store(&mut world, client, "warm");
            let faults = (0..=at).map(|n| if n == at { fate } else { Fault::Pass });
            world.with_cluster(|cluster| cluster.push_faults(Requests::Sends, faults));
            let ops: Vec<_> =
                (0..10).map(|n| ordered(&mut world, client, "key", &n.to_string())).collect();
            for op in ops {
                world.end_of(client, op).1.unwrap();
            }
            assert_eq!(log(&world)[1..], numbers(0..10), "{fate:?} {at}");
        }
    }
}

#[test]
fn send_32_the_order_of_a_key_is_kept_while_its_broker_is_away() {
    for seed in 0..10 {
        let (mut world, client) = pair(seed, 1);
        store(&mut world, client, "warm");
        world.take_down(0);
        let mut ops = Vec::new();
        for n in 0..20 {
            ops.push(ordered(&mut world, client, "key", &n.to_string()));
            world.run_for(ms(50));
            if n == 15 {
                world.bring_up(0);
            }
        }
        for op in ops {
            world.end_of(client, op).1.unwrap();
        }
        assert_eq!(log(&world)[1..], numbers(0..20));
    }
}

#[test]
fn send_32_one_of_a_key_is_under_way_and_other_keys_do_not_wait_for_it() {
    let (mut world, client) = pair(1, 4);
    store(&mut world, client, "warm");
    world.with_cluster(|cluster| cluster.push_faults(Requests::Sends, [Fault::Late(SECOND)]));
    let slow = ordered(&mut world, client, "slow", "0");
    let behind = ordered(&mut world, client, "slow", "1");
    for n in 0..10 {
        let other = ordered(&mut world, client, &format!("other-{n}"), "x");
        let (took, result) = world.end_of(client, other);
        assert!(result.is_ok() && took < ms(20), "{took:?}");
    }
    assert!(world.sent(client, behind).ended.is_none());
    world.end_of(client, slow).1.unwrap();
    assert!(world.end_of(client, behind).1.is_ok());
}

#[test]
fn send_32_those_behind_one_that_ends_in_an_error_or_is_given_up_go_on_in_their_order() {
    let (mut world, client) = pair(1, 1);
    store(&mut world, client, "warm");
    world.with_cluster(|cluster| cluster.push_faults(Requests::Sends, [Fault::Lose]));
    let lost = ordered(&mut world, client, "key", "lost");
    let waits = |world: &mut World, body: &str, millis| {
        let options = SendOptions::ordered("key").timeout(ms(millis));
        world.send_with(client, message(body.to_owned()), options).unwrap()
    };
    let late = waits(&mut world, "late", 1000);
    let given_up = waits(&mut world, "given up", 60_000);
    let ops: Vec<_> = (0..5).map(|n| waits(&mut world, &n.to_string(), 60_000)).collect();
    assert_eq!(world.cancel(client, given_up), Cancelled::Removed);
    // Its deadline runs while it waits, and nothing of it has left.
    let (took, result) = world.end_of(client, late);
    let error = result.unwrap_err();
    assert!(matches!(error, SendError::TimedOut { stored: Stored::No, .. }), "{error}");
    assert_eq!(took, ms(1000));
    assert_eq!(world.end_of(client, lost).1.unwrap_err().stored(), Stored::Unknown);
    for op in ops {
        world.end_of(client, op).1.unwrap();
    }
    assert_eq!(log(&world)[1..], numbers(0..5));
    assert_eq!(world.engine(client).stats().operations, 0);
}

#[test]
fn send_32_a_long_line_that_can_not_be_sent_ends_without_a_word_left_over() {
    let (mut world, client) = pair(1, 1);
    world.door(NS, Door::Refuse);
    let ops: Vec<_> = (0..2_000).map(|_| ordered(&mut world, client, "key", "x")).collect();
    world.shutdown(client);
    world.run_for(10 * SECOND);
    for op in ops {
        assert!(world.sent(client, op).ended.as_ref().unwrap().result.is_err());
    }
    assert_eq!(world.engine(client).stats().operations, 0);
}

#[test]
fn ordered_oneway_messages_beyond_the_room_of_their_connection_leave_one_after_the_other() {
    let (mut world, client) = pair(6, 1);
    store(&mut world, client, "warm");
    let body = "x".repeat(60 << 10);
    for n in 0..20 {
        let options = SendOptions::ordered("key").oneway();
        world.send_with(client, message(format!("{n} {body}")), options).unwrap();
    }
    world.run_for(SECOND);
    assert_eq!(world.cluster().stored(TOPIC), 21);
    assert_eq!(world.engine(client).stats().operations, 0);
}
