//! More sends than a broker can take: what is under way to it is bounded, and the rest waits here.

use std::time::Duration;

use rocketry_conformance::sim::{ClientId, World};
use rocketry_core::config::Config;
use rocketry_core::engine::Cancelled;
use rocketry_core::error::{SendError, Stored};
use rocketry_core::frame::RequestCode;
use rocketry_core::id::OpId;
use rocketry_core::producer::SendOptions;

use crate::setting::*;

const SEND: RequestCode = RequestCode::SEND_MESSAGE_V2;

/// A client that has sent one message to a broker which then takes its time.
fn busy(queues: u32, capacity: usize, each: usize, config: Config) -> (World, ClientId) {
    let mut world = world(1, queues);
    let client = world.client(config);
    store(&mut world, client, "warm");
    world.with_cluster(|cluster| cluster.set_send_queue(0, capacity, each));
    (world, client)
}

/// The same with a broker that refuses nothing for the time it has waited.
fn patient(queues: u32, each: usize, config: Config) -> (World, ClientId) {
    let (mut world, client) = busy(queues, CAPACITY, each, config);
    world.with_cluster(|cluster| cluster.set_patient_send_queue(0, CAPACITY, each));
    (world, client)
}

fn took(world: &World, client: ClientId, op: OpId) -> Duration {
    let sent = world.sent(client, op);
    sent.ended.as_ref().unwrap().at.since(sent.asked)
}

#[test]
fn a_burst_of_65_000_sends_is_stored_by_a_broker_that_has_the_time_and_the_next_one_is_quick() {
    let (mut world, client) = busy(8, CAPACITY, 32, config());
    world.check_each(4096);
    let ops = burst(&mut world, client, 65_000);
    world.run_for(4 * SECOND);
    assert_eq!(ends(&world, client, &ops), (65_000, 0, 0));
    assert_eq!(world.cluster().stored(TOPIC), 65_001);
    // None was refused: each was sent once.
    assert_eq!(world.cluster().requests(SEND), 65_001);
    let next = send(&mut world, client, "next");
    world.end_of(client, next).1.unwrap();
    assert!(took(&world, client, next) < ms(20));
}

#[test]
fn what_has_not_left_by_its_deadline_is_not_stored_and_what_has_is_no_more_than_the_window() {
    let (mut world, client) = patient(8, 1, narrow(256));
    world.check_each(256);
    let ops = burst(&mut world, client, 5_000);
    world.run_for(4 * SECOND);
    let (stored, no, unknown) = ends(&world, client, &ops);
    assert!((2_800..=3_000).contains(&stored), "{stored}");
    assert!(unknown <= 256, "{stored} {no} {unknown}");
    let last = &world.sent(client, ops[4_999]).ended.as_ref().unwrap().result;
    let error = last.as_ref().unwrap_err();
    assert!(matches!(error, SendError::Unanswered { stored: Stored::No, .. }), "{error}");
    assert!(error.is_retriable() && error.message_ids().is_some(), "{error}");
    assert!(error.to_string().contains("broker-a"), "{error}");
    assert!((ms(2_500)..=3 * SECOND).contains(&took(&world, client, ops[4_999])));
    // What is said to be not stored is not.
    world.run_for(10 * SECOND);
    assert_eq!(world.cluster().stored(TOPIC), (1 + stored + unknown) as u64);
}

#[test]
fn those_that_wait_go_on_first_in_first_out_and_newcomers_behind_them() {
    let (mut world, client) = busy(1, CAPACITY, 1, narrow(8));
    let mut ops = burst(&mut world, client, 100);
    for _ in 0..20 {
        world.run_for(ms(3));
        ops.extend(burst(&mut world, client, 1));
    }
    world.run_for(SECOND);
    let offset = |op: &OpId| {
        let ended = world.sent(client, *op).ended.as_ref().unwrap();
        ended.result.as_ref().unwrap().offset
    };
    assert!(ops.iter().map(offset).is_sorted());
}

#[test]
fn ordered_sends_that_wait_keep_their_order() {
    let (mut world, client) = busy(4, CAPACITY, 1, narrow(2));
    let crowd = burst(&mut world, client, 50);
    let ordered = |key: &str| SendOptions::ordered(key);
    let one = |world: &mut World, n: usize| {
        world.send_with(client, message(n.to_string()), ordered("k")).unwrap()
    };
    let ops: Vec<OpId> = (0..20).map(|n| one(&mut world, n)).collect();
    world.run_for(2 * SECOND);
    assert_eq!(ends(&world, client, &crowd), (50, 0, 0));
    let offset = |op: &OpId| {
        let ended = world.sent(client, *op).ended.as_ref().unwrap();
        ended.result.as_ref().unwrap().offset
    };
    assert!(ops.iter().map(offset).is_sorted_by(|a, b| a < b));
}

#[test]
fn bytes_without_an_answer_are_bounded_and_a_message_of_any_size_goes_alone() {
    let mut config = config();
    config.max_unanswered_bytes = 10_000;
    let (mut world, client) = busy(1, CAPACITY, 1, config);
    let large = world.try_send(client, message(vec![b'x'; 50_000])).unwrap();
    let small = burst(&mut world, client, 100);
    world.run_for(ms(0));
    assert_eq!(world.engine(client).stats().requests, 1);
    world.run_for(SECOND);
    assert_eq!(ends(&world, client, &[large]), (1, 0, 0));
    assert_eq!(ends(&world, client, &small), (100, 0, 0));
}

#[test]
fn a_cancelled_send_that_waits_leaves_its_place_to_the_next_one() {
    let (mut world, client) = busy(1, CAPACITY, 1, narrow(1));
    let ops = burst(&mut world, client, 200);
    for op in &ops[1..199] {
        assert_eq!(world.cancel(client, *op), Cancelled::Removed);
    }
    world.run_for(ms(50));
    assert_eq!(ends(&world, client, &[ops[0], ops[199]]), (2, 0, 0));
    assert_eq!(world.cluster().stored(TOPIC), 3);
}

#[test]
fn an_overloaded_broker_is_shared_with_another_client_and_both_store_all() {
    let mut world = world(1, 8);
    world.check_each(256);
    let clients = [world.client(narrow(1024)), world.client(narrow(1024))];
    clients.iter().for_each(|client| store(&mut world, *client, "warm"));
    world.with_cluster(|cluster| cluster.set_send_queue(0, 1000, 4));
    let [mine, theirs] = clients.map(|client| burst(&mut world, client, 5_000));
    world.run_for(4 * SECOND);
    assert_eq!(ends(&world, clients[0], &mine), (5_000, 0, 0));
    assert_eq!(ends(&world, clients[1], &theirs), (5_000, 0, 0));
    // Without a smaller window each tries most of them again and again.
    let refused = world.cluster().requests(SEND) - 10_002;
    assert!((1..3_000).contains(&refused), "{refused}");
}

#[test]
fn sends_in_turn_go_to_a_broker_that_has_room() {
    let mut world = brokers(1, 2, 4);
    world.check_each(16);
    let client = world.client(narrow(64));
    store_many(&mut world, client, 8);
    world.with_cluster(|cluster| {
        cluster.set_send_queue(0, CAPACITY, 1);
        cluster.set_send_queue(1, CAPACITY, 20);
    });
    let mut ops = Vec::new();
    for _ in 0..60 {
        ops.extend(burst(&mut world, client, 50));
        world.run_for(ms(10));
    }
    world.run_for(ms(100));
    assert_eq!(ends(&world, client, &ops), (3_000, 0, 0));
}

#[test]
fn what_waits_for_a_broker_that_has_fallen_silent_goes_to_the_other_one() {
    let mut world = brokers(1, 2, 4);
    world.check_each(16);
    let client = world.client(narrow(64));
    store_many(&mut world, client, 8);
    world.with_cluster(|cluster| {
        cluster.set_patient_send_queue(0, CAPACITY, 0);
        cluster.set_patient_send_queue(1, CAPACITY, 1);
    });
    let ops = burst(&mut world, client, 1_000);
    world.run_for(3 * SECOND);
    assert_eq!(ends(&world, client, &ops), (1_000, 0, 0));
}

#[test]
fn a_broker_that_says_nothing_gets_no_more_than_its_window_however_long_calls_go_on() {
    let (mut world, client) = patient(4, 0, narrow(100));
    world.check_each(64);
    let before = world.cluster().requests(SEND);
    let mut ops = Vec::new();
    for _ in 0..40 {
        ops.extend(burst(&mut world, client, 50));
        world.run_for(ms(100));
    }
    world.run_for(3 * SECOND);
    // Its connection is given up after a while: the next one has a window of its own.
    let asked = world.cluster().requests(SEND) - before;
    assert!((100..=300).contains(&asked), "{asked}");
    let (stored, no, unknown) = ends(&world, client, &ops);
    assert!(stored == 0 && no >= 1_700 && unknown as u64 <= asked, "{no} {unknown} of {asked}");
    // What it answers late frees its place.
    world.with_cluster(|cluster| cluster.set_patient_send_queue(0, CAPACITY, 100));
    let ops = burst(&mut world, client, 200);
    world.run_for(12 * SECOND);
    assert_eq!(ends(&world, client, &ops), (200, 0, 0));
}

/// Offers a broker twice as much as it can store for so long. Gives the sends of the second half.
fn overload(world: &mut World, client: ClientId, time: Duration) -> Vec<OpId> {
    let mut ops = Vec::new();
    let steps = time.as_millis() as usize;
    for step in 0..steps {
        let sent = burst(world, client, 2);
        ops.extend(sent.into_iter().filter(|_| step >= steps / 2));
        world.run_for(ms(1));
    }
    world.run_for(4 * SECOND);
    ops
}

/// Half of what is offered can be stored: most of that is, and of hardly anything it is not known.
fn check_overload(world: &World, client: ClientId, ops: &[OpId]) {
    let (stored, no, unknown) = ends(world, client, ops);
    let most = ops.len() / 2;
    assert!(stored > most * 3 / 4 && unknown < most / 10, "{stored} {no} {unknown} of {most}");
}

fn quick(max_pending: usize) -> Config {
    let mut config = config();
    (config.send_timeout, config.max_pending) = (ms(500), max_pending);
    config
}

#[test]
fn a_broker_that_is_offered_twice_what_it_stores_does_as_much_as_it_can() {
    for max_pending in [65_536, 300] {
        let (mut world, client) = busy(8, CAPACITY, 1, quick(max_pending));
        world.check_each(256);
        let ops = overload(&mut world, client, 4 * SECOND);
        check_overload(&world, client, &ops);
    }
}

#[test]
fn a_broker_that_refuses_nothing_is_not_given_what_it_cannot_store_in_time() {
    for max_pending in [65_536, 300] {
        let (mut world, client) = patient(8, 1, quick(max_pending));
        world.check_each(256);
        let ops = overload(&mut world, client, 6 * SECOND);
        check_overload(&world, client, &ops);
        // When less is offered all is stored, at once.
        let mut ops = Vec::new();
        for _ in 0..500 {
            ops.extend(burst(&mut world, client, 1));
            world.run_for(ms(2));
        }
        world.run_for(SECOND);
        let (stored, no, unknown) = ends(&world, client, &ops);
        assert!(stored >= 490, "{stored} {no} {unknown}");
    }
}

#[test]
fn what_waited_for_room_is_not_given_to_a_broker_that_answers_too_late() {
    let mut config = quick(100);
    config.max_waiting = 10_000;
    let (mut world, client) = patient(8, 1, config);
    world.with_cluster(|cluster| cluster.set_delay(SEND, ms(800)));
    for _ in 0..2 {
        let ops = burst(&mut world, client, 100);
        world.run_for(2 * SECOND);
        assert_eq!(ends(&world, client, &ops), (0, 0, 100));
    }
    let ops = burst(&mut world, client, 5_000);
    world.run_for(2 * SECOND);
    assert_eq!(ends(&world, client, &ops), (0, 4_900, 100));
}

#[test]
fn what_was_cancelled_says_nothing_of_its_broker() {
    let mut config = config();
    config.fault_isolation = true;
    let (mut world, client) = patient(8, 1, config);
    let ops = burst(&mut world, client, 20);
    world.run_for(ms(2));
    assert_eq!(world.cancel(client, ops[19]), Cancelled::Detached);
    let brokers = world.engine(client).brokers();
    assert!(brokers.iter().all(|broker| broker.failed == 0), "{brokers:?}");
}

#[test]
fn what_waits_is_told_with_what_is_unanswered() {
    let mut config = narrow(10);
    config.max_pending = 100;
    let (mut world, client) = busy(1, CAPACITY, 1, config);
    let _ops = burst(&mut world, client, 150);
    let told = world.engine(client).snapshot(world.now());
    assert_eq!((told.open.operations, told.waiting), (150, 50));
    assert!(told.waiting_bytes > 50 && told.pending_bytes > told.waiting_bytes, "{told:?}");
    let window = &told.brokers[0].window;
    assert_eq!((window.unanswered, window.waiting, window.limit), (10, 90, 10));
    let text = told.to_string();
    assert!(text.contains("open: 100 calls of ") && text.contains("(50 more wait"), "{text}");
    assert!(text.contains("10 unanswered of 10, 90 wait for their turn"), "{text}");
    world.run_for(SECOND);
    let told = world.engine(client).snapshot(world.now());
    assert_eq!((told.open.operations, told.waiting, told.waiting_bytes), (0, 0, 0));
    assert_eq!(told.brokers[0].window.unanswered, 0);
}
