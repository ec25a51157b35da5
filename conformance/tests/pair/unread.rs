//! Peers that take nothing any more, or say much and answer nothing: what is kept for them, and
//! when they are given up.

use std::time::Duration;

use rocketry_conformance::broker::{Fault, Requests};
use rocketry_conformance::sim::{ClientId, Way, World, bytes_of};
use rocketry_core::engine::Note;
use rocketry_core::error::CloseReason;
use rocketry_core::frame::request::NotifyIdsRequest;
use rocketry_core::frame::{Opaque, OutFrame, Request, RequestCode};
use rocketry_core::producer::SendOptions;

use crate::setting::*;

fn reasons(world: &World, client: ClientId) -> Vec<CloseReason> {
    let closed = world.notes(client).filter_map(|note| match note {
        Note::Closed { reason, .. } => Some(reason.clone()),
        _ => None,
    });
    closed.collect()
}

/// Frames that wait for the broker's connection, and requests to it without an answer.
fn waiting(world: &World, client: ClientId) -> (usize, usize) {
    let engine = world.engine(client);
    let snapshot = engine.snapshot(world.now());
    let broker = snapshot.connections.iter().find(|one| one.endpoint.to_string() == BROKER);
    broker.map(|one| (one.queued, one.in_flight)).unwrap()
}

#[test]
fn frames_of_ended_sends_do_not_stay_in_the_queue_of_a_peer_that_does_not_read() {
    let (mut world, client) = pair(1, 4);
    store(&mut world, client, "warm");
    world.stall(BROKER, Way::Up);
    for round in 0..20 {
        for _ in 0..50 {
            world.send_within(client, message(vec![7; 10 << 10]), ms(150)).unwrap();
        }
        world.run_for(ms(200));
        let (queued, asked) = waiting(&world, client);
        assert!(queued <= 2 * asked, "{round}: {queued} frames for {asked} requests");
    }
    assert_eq!(reasons(&world, client), [], "it is early yet");
}

#[test]
fn cancelled_sends_leave_the_queue_as_well_and_the_others_stay_in_order() {
    let (mut world, client) = pair(1, 1);
    store(&mut world, client, "warm");
    world.stall(BROKER, Way::Up);
    let body = |n: usize| message(vec![n as u8; 50 << 10]);
    let ops: Vec<_> = (0..80).map(|n| world.try_send(client, body(n)).unwrap()).collect();
    let before = waiting(&world, client).0;
    for (_, op) in ops.iter().enumerate().filter(|(n, _)| n % 4 != 0) {
        world.cancel(client, *op);
    }
    let (after, asked) = waiting(&world, client);
    assert!(before > 60 && after <= 2 * asked, "{before} frames, then {after} for {asked}");
    world.unstall_all();
    for op in ops.iter().step_by(4) {
        world.end_of(client, *op).1.unwrap();
    }
    let offsets = ops.iter().step_by(4).map(|op| {
        let ended = world.sent(client, *op).ended.as_ref().unwrap();
        ended.result.as_ref().unwrap().offset
    });
    assert!(offsets.is_sorted());
}

/// Runs sends of a second each until the broker's connection is closed; gives how long that took.
/// The last one may go on with the next connection.
fn silent_after(world: &mut World, client: ClientId, most: Duration) -> Duration {
    let start = world.now();
    while reasons(world, client).is_empty() {
        assert!(world.now().since(start) < most, "it is never given up");
        let op = world.send_within(client, message("x"), SECOND).unwrap();
        let _ = world.end_of(client, op);
    }
    assert!(matches!(reasons(world, client)[..], [CloseReason::Silent(_)]));
    world.now().since(start)
}

#[test]
fn a_peer_whose_socket_takes_nothing_is_given_up_though_no_request_ever_left_for_it() {
    let (mut world, client) = pair(1, 4);
    store(&mut world, client, "warm");
    world.stall(BROKER, Way::Up);
    // These fill the socket, and no answer to them is due.
    for _ in 0..40 {
        let options = SendOptions::default().oneway().timeout(ms(500));
        world.send_with(client, message(vec![7; 100 << 10]), options).unwrap();
    }
    let took = silent_after(&mut world, client, 30 * SECOND);
    assert!((6 * SECOND..9 * SECOND).contains(&took), "{took:?}");
    world.unstall_all();
    store(&mut world, client, "next");
}

#[test]
fn what_a_peer_asks_is_no_sign_that_it_answers() {
    let (mut world, client) = pair(1, 4);
    store(&mut world, client, "warm");
    world.stall(BROKER, Way::Up);
    let request = Request::NotifyIds(NotifyIdsRequest { consumer_group: GROUP.into() });
    let notice = bytes_of(&OutFrame::oneway(Opaque::from_raw(7), request));
    fn tell(world: &mut World, notice: Vec<u8>) {
        world.inject(BROKER, &notice);
        world.later(ms(300), |world| tell(world, notice));
    }
    tell(&mut world, notice);
    let took = silent_after(&mut world, client, 30 * SECOND);
    assert!((6 * SECOND..9 * SECOND).contains(&took), "{took:?}");
}

#[test]
fn a_peer_that_answers_some_and_then_none_is_given_up_by_those_that_wait_on() {
    let (mut world, client) = pair(1, 4);
    store(&mut world, client, "warm");
    let answers = [Fault::Lose, Fault::Lose, Fault::Pass];
    world.with_cluster(|cluster| cluster.push_faults(Requests::Sends, answers));
    let lost = [8, 9].map(|n| world.send_within(client, message("x"), n * SECOND).unwrap());
    world.run_for(ms(100));
    store(&mut world, client, "answered");
    world.stall(BROKER, Way::Down);
    world.run_until(8 * SECOND + ms(200), |world| !reasons(world, client).is_empty()).unwrap();
    assert!(matches!(reasons(&world, client)[..], [CloseReason::Silent(_)]));
    for op in lost {
        let _ = world.end_of(client, op);
    }
}

/// So many requests of the broker's that want answers, of a code that no client serves.
fn ask(world: &mut World, count: i32) {
    let code = RequestCode(4711);
    let frame = |n| {
        let request = Request::Unknown { code, fields: Vec::new() };
        bytes_of(&OutFrame::request(Opaque::from_raw(n), request))
    };
    let bytes: Vec<u8> = (0..count).flat_map(frame).collect();
    world.inject(BROKER, &bytes);
}

#[test]
fn a_peer_that_asks_without_end_and_reads_no_answer_has_few_kept_for_it_and_is_given_up() {
    let (mut world, client) = pair(1, 4);
    store(&mut world, client, "warm");
    world.stall(BROKER, Way::Up);
    for _ in 0..20 {
        ask(&mut world, 1000);
        world.run_for(ms(100));
        let queued = waiting(&world, client).0;
        assert!(queued <= 1024, "{queued} answers are kept");
    }
    let counters = world.engine(client).snapshot(world.now()).counters;
    assert_eq!(counters.requests_received, 20_000);
    assert!(counters.requests_dropped > 10_000, "{counters:?}");
    assert_eq!(reasons(&world, client), [], "it is early yet");
    world.run_until(7 * SECOND, |world| !reasons(world, client).is_empty()).unwrap();
    assert!(matches!(reasons(&world, client)[..], [CloseReason::Silent(_)]));
    world.unstall_all();
    store(&mut world, client, "next");
}

#[test]
fn a_peer_that_asks_much_and_reads_has_each_answer_and_keeps_its_connection() {
    let (mut world, client) = pair(1, 4);
    store(&mut world, client, "warm");
    for _ in 0..40 {
        ask(&mut world, 500);
        world.run_for(ms(50));
    }
    world.run_for(20 * SECOND);
    let counters = world.engine(client).snapshot(world.now()).counters;
    assert_eq!((counters.requests_received, counters.requests_dropped), (20_000, 0));
    assert_eq!((waiting(&world, client), reasons(&world, client)), ((0, 0), vec![]));
    store(&mut world, client, "next");
}
