//! What the tries of a send cost, what is kept of them, and what is counted.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use rocketry_conformance::broker::{ClusterConfig, Fault, ListenerId, Requests};
use rocketry_conformance::sim::{ClientId, Door, Way, World};
use rocketry_core::config::Config;
use rocketry_core::engine::{Cancelled, Note};
use rocketry_core::error::{QueryError, SendError, Stored};
use rocketry_core::frame::{RequestCode, ResponseCode};
use rocketry_core::id::OpId;
use rocketry_core::message::Message;
use rocketry_core::producer::{SendOptions, SendStatus};
use rocketry_core::query::{Query, QueueName};

use crate::setting::*;

const SEND: RequestCode = RequestCode::SEND_MESSAGE_V2;

fn with(brokers: usize, change: impl FnOnce(&mut Config)) -> (World, ClientId) {
    let mut world = World::new(1, ClusterConfig::default().brokers(brokers).topic(TOPIC, 4));
    let mut config = config();
    change(&mut config);
    let client = world.client(config);
    (world, client)
}

fn to(broker: &str) -> SendOptions {
    SendOptions::to(&QueueName { topic: topic(TOPIC), broker: broker.into(), queue: 0 })
}

#[test]
fn send_14_the_pauses_before_a_busy_broker_is_asked_again_grow_to_half_a_second() {
    for seed in 0..10 {
        let (mut world, client) = pair(seed, 4);
        store(&mut world, client, "warm");
        let before = world.cluster().requests(SEND);
        world.with_cluster(|cluster| cluster.push_error(SEND, [ResponseCode::SYSTEM_BUSY; 100]));
        let op = send(&mut world, client, "x");
        world.end_of(client, op).1.unwrap_err();
        // 50, 100, 200 and 400 ms, then half a second each, give or take a quarter.
        let tries = world.cluster().requests(SEND) - before;
        assert!((7..=11).contains(&tries), "{tries}");
    }
}

#[test]
fn obs_latency_is_that_of_a_try_and_not_of_the_lookups_and_tries_before_it() {
    let (mut world, client) = with(2, |_| {});
    let first = ListenerId::Broker(0);
    world.with_cluster(|cluster| {
        cluster.set_delay(RequestCode::GET_ROUTEINFO_BY_TOPIC, SECOND);
    });
    for _ in 0..8 {
        let op = send(&mut world, client, "x");
        world.end_of(client, op).1.unwrap();
    }
    let latency = |world: &World, at: usize| world.engine(client).brokers()[at].latency;
    assert!(latency(&world, 0) < ms(20) && latency(&world, 1) < ms(20));
    // Refused late by the one and stored by the other.
    world.with_cluster(|cluster| {
        cluster.push_error(SEND, [ResponseCode::SYSTEM_ERROR]);
        cluster.push_faults_at(first, Requests::Sends, [Fault::Late(ms(700))]);
    });
    let op = send(&mut world, client, "y");
    world.end_of(client, op).1.unwrap();
    assert!(latency(&world, 1) < ms(20), "{:?}", world.engine(client).brokers());
}

#[test]
fn send_15_without_fault_isolation_a_broker_that_refused_a_send_keeps_its_turns() {
    let (mut world, client) = with(2, |config| config.send_attempts = 1);
    store_many(&mut world, client, 8);
    let first = ListenerId::Broker(0);
    let fault = Fault::Refuse(ResponseCode::SYSTEM_ERROR);
    world.with_cluster(|cluster| cluster.push_faults_at(first, Requests::Sends, [fault]));
    let op = world.send_with(client, message("x"), to("broker-a")).unwrap();
    world.end_of(client, op).1.unwrap_err();
    let broker = &world.engine(client).brokers()[0];
    assert_eq!((broker.failed, broker.isolated_until), (1, None));
    let before = world.cluster().stored_on(0, TOPIC);
    store_many(&mut world, client, 8);
    assert_eq!(world.cluster().stored_on(0, TOPIC) - before, 4);
}

#[test]
fn a_send_may_be_tried_less_or_more_often_than_its_client_says() {
    let (mut world, client) = with(2, |config| config.send_attempts = 2);
    store_many(&mut world, client, 8);
    for (attempts, stored) in [(1, false), (2, false), (3, true)] {
        world.with_cluster(|cluster| {
            cluster.push_error(SEND, vec![ResponseCode::SYSTEM_ERROR; attempts.min(2)]);
        });
        let options = SendOptions::default().attempts(attempts as u32);
        let op = world.send_with(client, message("x"), options).unwrap();
        assert_eq!(world.end_of(client, op).1.is_ok(), stored, "{attempts} attempts");
    }
}

#[test]
fn what_a_try_stored_badly_is_told_when_the_better_try_is_refused_or_not_answered() {
    let (mut world, client) = with(2, |config| config.retry_not_ok = true);
    for better in [Fault::Refuse(ResponseCode::NO_PERMISSION), Fault::Lose] {
        let faults = [Fault::Refuse(ResponseCode::FLUSH_DISK_TIMEOUT), better];
        world.with_cluster(|cluster| cluster.push_faults(Requests::Sends, faults));
        let op = send(&mut world, client, "x");
        let receipt = world.end_of(client, op).1.unwrap();
        assert_eq!(receipt.status, SendStatus::FlushDiskTimeout);
        assert_eq!(world.copies(TOPIC, receipt.message_id.as_str()), 1);
        assert!(!receipt.offset_message_id.is_empty(), "{receipt:?}");
    }
}

#[test]
fn a_try_timeout_has_a_floor() {
    let (mut world, client) = with(1, |config| config.try_timeout = Some(Duration::from_nanos(1)));
    store(&mut world, client, "warm");
    world.with_cluster(|cluster| cluster.push_faults(Requests::Sends, [Fault::Lose]));
    send(&mut world, client, "x");
    let mut turns = 0;
    let end = world.now() + SECOND;
    while turns < 10_000 && world.step(end) {
        turns += 1;
    }
    assert!((50..300).contains(&turns), "{turns} turns in a second");
}

#[test]
fn a_broker_that_refuses_connects_is_not_said_to_be_silent_as_well() {
    let (mut world, client) = pair(1, 4);
    world.door(BROKER, Door::Refuse);
    let op = send(&mut world, client, "x");
    let error = world.end_of(client, op).1.unwrap_err();
    assert_eq!(error.stored(), Stored::No);
    let text = error.to_string();
    assert!(text.contains("connection refused") && !text.contains("no connection"), "{text}");
}

fn cancel_all(world: &mut World, client: ClientId, ops: &[OpId]) {
    for op in ops {
        assert_ne!(world.cancel(client, *op), Cancelled::Ended);
    }
}

#[test]
fn what_has_ended_leaves_neither_timers_nor_room_taken() {
    let (mut world, client) = pair(1, 4);
    store(&mut world, client, "warm");
    let calm = world.engine(client).stats();
    store_many(&mut world, client, 300);
    let ops: Vec<_> = (0..50).map(|n| send(&mut world, client, &n.to_string())).collect();
    cancel_all(&mut world, client, &ops);
    for _ in 0..50 {
        let queue = QueueName { topic: topic(TOPIC), broker: "broker-a".into(), queue: 0 };
        let op = world.query(client, Query::MaxOffset(queue)).unwrap();
        world.run_until(SECOND, |world| world.answer(client, op).is_some()).unwrap();
    }
    world.with_cluster(|cluster| cluster.push_error(SEND, [ResponseCode::SYSTEM_BUSY; 50]));
    let ops: Vec<_> = (0..50).map(|n| send(&mut world, client, &n.to_string())).collect();
    world.run_for(ms(10));
    cancel_all(&mut world, client, &ops);
    assert_eq!(world.engine(client).stats(), calm);
    assert_eq!(world.engine(client).snapshot(world.now()).pending_bytes, 0);
}

#[test]
fn send_03_oneway_messages_lost_with_their_connection_are_counted_each() {
    let (mut world, client) = with(1, |config| config.compress_level = 0);
    store(&mut world, client, "warm");
    world.stall(BROKER, Way::Up);
    let oneway = SendOptions::default().oneway();
    for n in 0..64 {
        let body = vec![n; 8 << 10];
        world.send_with(client, message(body), oneway.clone()).unwrap();
    }
    world.run_for(ms(1));
    world.cut_all(BROKER);
    world.run_for(SECOND);
    let told = world.notes(client).filter_map(|note| match note {
        Note::OnewayLost { count, .. } => Some(*count as u64),
        _ => None,
    });
    let (told, counters) = (told.sum::<u64>(), world.engine(client).snapshot(world.now()).counters);
    assert_eq!((counters.oneway_lost, counters.sends_handed), (told, 64));
    // The system took a quarter of a megabyte. What had not been handed out went to the next
    // connection, and nothing else ever left.
    let stored = world.cluster().stored(TOPIC) - 1;
    assert_eq!(told + stored, 64 - 30, "{told} told, {stored} stored");
    assert!(told > 20, "{told}");
}

#[test]
fn the_queues_that_stand_for_a_topic_about_to_be_created_are_no_answer_to_who_would_read_it() {
    let (mut world, client) = pair(1, 4);
    world.with_cluster(|cluster| cluster.set_delay(SEND, ms(500)));
    let op = world.try_send(client, Message::new(topic("fresh"), "x")).unwrap();
    world.run_for(ms(100));
    let asked = world.query(client, Query::Queues(topic("fresh"))).unwrap();
    world.run_until(SECOND, |world| world.answer(client, asked).is_some()).unwrap();
    // It is looked up anew: as the first message may have created it, or not.
    match &world.answer(client, asked).unwrap().result {
        Ok(rocketry_conformance::sim::Answer::Queues(queues)) => assert_eq!(queues.len(), 4),
        Err(QueryError::NoRoute { .. }) => {}
        other => panic!("{other:?}"),
    }
    world.end_of(client, op).1.unwrap();
}

#[test]
fn a_stopped_clients_send_that_had_left_is_said_to_be_perhaps_stored() {
    let (mut world, client) = with(1, |config| config.send_timeout = 60 * SECOND);
    store(&mut world, client, "warm");
    world.stall(BROKER, Way::Down);
    let op = send(&mut world, client, "x");
    world.shutdown(client);
    let (took, result) = world.end_of(client, op);
    let error = result.unwrap_err();
    assert!(matches!(error, SendError::Stopped { stored: Stored::Unknown, .. }), "{error}");
    assert_eq!(took, 3 * SECOND);
}

#[test]
fn what_was_not_yet_written_when_its_connection_was_lost_costs_no_attempt() {
    let (mut world, client) = with(1, |config| config.send_attempts = 1);
    store(&mut world, client, "warm");
    let sent = Rc::new(Cell::new(0));
    let count = sent.clone();
    world.tamper(move |endpoint, way, bytes| {
        let up = endpoint == BROKER && way == Way::Up;
        count.set(count.get() + if up { bytes.len() } else { 0 });
    });
    store(&mut world, client, "0");
    let size = sent.get();
    world.cut_all(BROKER);
    world.run_for(ms(10));
    // Not a whole number of the writer's runs of 64 KiB goes into the network's 256.
    for _ in 0..2 {
        send(&mut world, client, &"x".repeat(40 << 10));
    }
    let ops: Vec<_> = (0..1500).map(|n| send(&mut world, client, &n.to_string())).collect();
    world.run_until(SECOND, |world| world.open_links(BROKER) == 1).unwrap();
    world.cut_all(BROKER);
    let mut perhaps = 0;
    for op in ops {
        if let Err(error) = world.end_of(client, op).1 {
            assert_eq!(error.stored(), Stored::Unknown, "{error}");
            perhaps += 1;
        }
    }
    // What lay encoded behind what the network took had not left, and goes again.
    let most = ((256 << 10) - 2 * (40 << 10)) / size + 1;
    assert!(perhaps > most / 2 && perhaps <= most, "{perhaps} of {most}");
}

#[test]
fn send_09_clients_begin_their_rounds_at_different_queues() {
    let mut world = world(1, 8);
    let mut queues = std::collections::BTreeSet::new();
    for _ in 0..16 {
        let client = world.client(config());
        let op = send(&mut world, client, "first");
        queues.insert(world.end_of(client, op).1.unwrap().queue);
    }
    assert!(queues.len() >= 4, "{queues:?}");
}

#[test]
fn send_03_a_oneway_message_asks_for_no_answer_and_gets_none() {
    let (mut world, client) = pair(1, 4);
    let oneway = SendOptions::default().oneway();
    // The first of them wait for route and connection, the others go straight to the writer.
    for _ in 0..3 {
        for _ in 0..10 {
            world.send_with(client, message("x"), oneway.clone()).unwrap();
        }
        world.run_for(SECOND);
    }
    assert_eq!(world.cluster().stored(TOPIC), 30);
    let counters = world.engine(client).snapshot(world.now()).counters;
    // The route's answer is the only one.
    assert_eq!((counters.replies, counters.replies_unknown), (1, 0));
}
