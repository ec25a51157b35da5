//! Which queue a message goes to, which broker a second try goes to, and sends without an answer.

use std::collections::BTreeSet;

use rocketry_conformance::sim::{Answer, ClientId, World};
use rocketry_core::error::{Refused, SendError, Stored};
use rocketry_core::frame::{RequestCode, ResponseCode};
use rocketry_core::message::java_string_hash;
use rocketry_core::producer::{QueueSelection, SendOptions, SendReceipt, SendStatus};
use rocketry_core::query::{Query, QueueName};

use crate::setting::*;

fn sent(
    world: &mut World,
    client: ClientId,
    options: SendOptions,
) -> Result<SendReceipt, SendError> {
    let op = world.send_with(client, message("x"), options).unwrap();
    world.end_of(client, op).1
}

fn aimed(aim: QueueSelection) -> SendOptions {
    let mut options = SendOptions::default();
    options = options.selection(aim);
    options
}

fn to(broker: &str, queue: u32) -> SendOptions {
    SendOptions::to(&QueueName { topic: topic(TOPIC), broker: broker.into(), queue })
}

#[test]
fn send_03_a_oneway_message_is_stored_and_nothing_answers() {
    let (mut world, client) = pair(1, 4);
    for _ in 0..10 {
        let options = SendOptions::default().oneway();
        world.send_with(client, message("x"), options).unwrap();
    }
    world.run_until(SECOND, |world| world.cluster().stored(TOPIC) == 10).unwrap();
    assert!(world.sends(client).all(|sent| sent.handed.is_some() && sent.ended.is_none()));
    assert_eq!(world.engine(client).stats().operations, 0);
    let text = world.trace().text();
    assert!(!text.contains("Down answer") || !text.contains("msgId"), "a oneway send was answered");
}

#[test]
fn send_03_a_oneway_message_without_a_broker_ends_in_an_error_by_its_deadline() {
    let (mut world, client) = pair(2, 1);
    world.with_cluster(|cluster| cluster.take_down(0));
    let options = SendOptions::default().oneway().timeout(2 * SECOND);
    let op = world.send_with(client, message("x"), options).unwrap();
    let (took, result) = world.end_of(client, op);
    assert!(took <= 2 * SECOND, "{took:?}");
    assert_eq!(result.unwrap_err().stored(), Stored::No);
}

#[test]
fn send_04_a_message_goes_to_the_queue_that_was_named() {
    let mut world = brokers(3, 2, 4);
    let client = world.client(config());
    for (broker, queue) in [("broker-b", 3), ("broker-a", 0), ("broker-b", 1)] {
        let receipt = sent(&mut world, client, to(broker, queue)).unwrap();
        assert_eq!((&*receipt.broker, receipt.queue), (broker, queue as i32));
    }
}

#[test]
fn send_05_a_key_has_its_queue_and_random_finds_them_all() {
    let mut world = brokers(4, 2, 4);
    let client = world.client(config());
    for key in ["order-1", "order-2", "\u{7528}\u{6237}", "polygenelubricants"] {
        let receipts: Vec<_> =
            (0..3).map(|_| sent(&mut world, client, SendOptions::hash(key)).unwrap()).collect();
        let queues: BTreeSet<_> = receipts.iter().map(|r| (r.broker.clone(), r.queue)).collect();
        // Eight queues by broker name and number; the hash of the last key is the least integer.
        let at = i64::from(java_string_hash(key)).abs() % 8;
        let broker = if at < 4 { "broker-a" } else { "broker-b" };
        assert_eq!(queues, BTreeSet::from([(broker.into(), (at % 4) as i32)]), "{key}");
    }
    let random = (0..200).map(|_| sent(&mut world, client, aimed(QueueSelection::Random)).unwrap());
    let queues: BTreeSet<_> = random.map(|r| (r.broker, r.queue)).collect();
    assert_eq!(queues.len(), 8);
}

#[test]
fn send_07_a_queue_that_is_not_there_is_refused_by_the_broker() {
    let (mut world, client) = pair(5, 4);
    for queue in [4, 4000] {
        let error = sent(&mut world, client, to("broker-a", queue)).unwrap_err();
        let SendError::Rejected { code, stored, .. } = &error else { panic!("{error}") };
        assert_eq!((*code, *stored), (ResponseCode(29), Stored::No));
        assert!(!error.is_retriable());
    }
    let error = sent(&mut world, client, to("nobody", 0)).unwrap_err();
    assert!(matches!(error, SendError::NotWritable { .. }), "{error}");
}

#[test]
fn send_08_the_broker_picks_the_queue_of_minus_one() {
    let (mut world, client) = pair(6, 4);
    let aim = QueueSelection::Queue { broker: "broker-a".into(), queue: -1 };
    let receipts = (0..40).map(|_| sent(&mut world, client, aimed(aim.clone())).unwrap());
    let queues: BTreeSet<_> = receipts.map(|receipt| receipt.queue).collect();
    assert_eq!(queues, (0..4).collect());
}

#[test]
fn send_10_a_second_try_goes_to_another_broker() {
    let mut world = brokers(7, 2, 4);
    let client = world.client(config());
    for _ in 0..8 {
        let code = RequestCode::SEND_MESSAGE_V2;
        world.with_cluster(|cluster| cluster.push_error(code, [ResponseCode::SYSTEM_ERROR]));
        let before = world.trace().text().len();
        sent(&mut world, client, SendOptions::default()).unwrap();
        let text = &world.trace().text()[before..];
        let tries = text.lines().filter(|line| line.contains("Up SEND_MESSAGE_V2"));
        let asked: Vec<_> = tries.map(|line| line.contains("broker-a")).collect();
        assert_eq!(asked.len(), 2, "{text}");
        assert_ne!(asked[0], asked[1], "{text}");
    }
}

#[test]
fn send_11_only_errors_that_another_queue_may_not_have_are_tried_again() {
    for (code, again) in [
        (17, true),
        (14, true),
        (1, true),
        (2, true),
        (16, true),
        (204, true),
        (205, true),
        (1500, true),
        (13, false),
        (29, false),
        (25, false),
        (3, false),
    ] {
        let (mut world, client) = pair(8, 4);
        let send = RequestCode::SEND_MESSAGE_V2;
        world.with_cluster(|cluster| cluster.push_error(send, [ResponseCode(code)]));
        let result = sent(&mut world, client, SendOptions::default());
        assert_eq!(result.is_ok(), again, "{code}: {result:?}");
    }
}

#[test]
fn send_13_a_status_is_told_and_another_broker_asked_only_on_demand() {
    let codes = [(10, SendStatus::FlushDiskTimeout), (12, SendStatus::FlushSlaveTimeout)];
    for (code, status) in codes.into_iter().chain([(11, SendStatus::SlaveNotAvailable)]) {
        for again in [false, true] {
            let mut world = brokers(9, 2, 1);
            let mut config = config();
            config.retry_not_ok = again;
            let client = world.client(config);
            let send = RequestCode::SEND_MESSAGE_V2;
            world.with_cluster(|cluster| cluster.push_error(send, [ResponseCode(code)]));
            let receipt = sent(&mut world, client, SendOptions::default()).unwrap();
            assert_eq!(receipt.status, if again { SendStatus::Ok } else { status });
            let copies = world.copies(TOPIC, receipt.message_id.as_str());
            assert_eq!(copies, 1 + usize::from(again));
        }
    }
}

#[test]
fn send_15_a_broker_that_failed_is_left_alone_for_ten_seconds() {
    let mut world = brokers(10, 2, 4);
    let mut config = config();
    config.fault_isolation = true;
    let client = world.client(config);
    let code = RequestCode::SEND_MESSAGE_V2;
    world.with_cluster(|cluster| cluster.push_error(code, [ResponseCode::SYSTEM_ERROR]));
    let healthy = sent(&mut world, client, SendOptions::default()).unwrap().broker;
    let isolated = |world: &World| {
        let all = world.engine(client).brokers();
        let bad: Vec<_> = all.iter().filter(|b| b.isolated_until.is_some()).collect();
        assert_eq!((bad.len(), bad[0].failed), (1, 1));
        bad[0].name.clone()
    };
    assert_ne!(isolated(&world), healthy);
    for _ in 0..8 {
        assert_eq!(sent(&mut world, client, SendOptions::default()).unwrap().broker, healthy);
    }
    world.run_for(10 * SECOND);
    let later = (0..8).map(|_| sent(&mut world, client, SendOptions::default()).unwrap().broker);
    assert_eq!(later.collect::<BTreeSet<_>>().len(), 2);
}

#[test]
fn send_15_a_probe_ends_the_isolation_of_a_broker_that_answers_it() {
    let mut world = brokers(11, 2, 4);
    let mut config = config();
    (config.fault_isolation, config.probe_isolated) = (true, true);
    let client = world.client(config);
    let code = RequestCode::SEND_MESSAGE_V2;
    world.with_cluster(|cluster| cluster.push_error(code, [ResponseCode::SYSTEM_ERROR]));
    sent(&mut world, client, SendOptions::default()).unwrap();
    let isolated = |world: &World| {
        world.engine(client).brokers().iter().filter(|b| b.isolated_until.is_some()).count()
    };
    assert_eq!(isolated(&world), 1);
    world.run_until(4 * SECOND, |world| isolated(world) == 0).unwrap();
}

#[test]
fn send_26_a_window_counted_in_bytes_refuses_what_does_not_fit_it() {
    let mut world = world(12, 4);
    let mut config = config();
    (config.max_pending_bytes, config.wait_for_room) = (10_000, false);
    let client = world.client(config);
    let large = || message("x".repeat(4_000));
    let first = world.try_send(client, large()).unwrap();
    world.try_send(client, large()).unwrap();
    let refused = world.try_send(client, large()).unwrap_err();
    assert_eq!(refused, Refused::FullOfBytes(10_000));
    world.end_of(client, first).1.unwrap();
    world.run_for(SECOND);
    // One that is larger than the whole window may go alone.
    let alone = world.try_send(client, message("x".repeat(20_000))).unwrap();
    world.end_of(client, alone).1.unwrap();
}

#[test]
fn conn_09_a_broker_that_goes_away_is_connected_to_anew_and_nothing_is_lost() {
    let (mut world, client) = pair(13, 4);
    store(&mut world, client, "first");
    let before = world.trace().text().matches("Connect").count();
    let code = RequestCode::SEND_MESSAGE_V2;
    world.with_cluster(|cluster| cluster.push_error(code, [ResponseCode::GO_AWAY]));
    let ops: Vec<_> = (0..20).map(|n| send(&mut world, client, &n.to_string())).collect();
    for op in ops {
        let (took, result) = world.end_of(client, op);
        let receipt = result.unwrap();
        assert!(took < ms(100), "{took:?}");
        assert_eq!(world.copies(TOPIC, receipt.message_id.as_str()), 1);
    }
    assert!(world.trace().text().matches("Connect").count() > before);
    // Nothing was done: that is no try, however often it is said.
    world.with_cluster(|cluster| cluster.push_error(code, [ResponseCode::GO_AWAY; 3]));
    sent(&mut world, client, SendOptions::default()).unwrap();
}

#[test]
fn a_selector_is_shown_the_queues_that_may_be_written_to() {
    let mut world = brokers(14, 2, 2);
    let client = world.client(config());
    let op = world.query(client, Query::Writable(topic(TOPIC))).unwrap();
    world.run_until(SECOND, |world| world.answer(client, op).is_some()).unwrap();
    let Ok(Answer::Writable(queues)) = &world.answer(client, op).unwrap().result else {
        panic!("no queues")
    };
    let names: Vec<_> = queues.iter().map(|q| (&*q.queue.broker, q.queue.queue)).collect();
    assert_eq!(names, [("broker-a", 0), ("broker-a", 1), ("broker-b", 0), ("broker-b", 1)]);
    assert!(queues.iter().all(|queue| !queue.isolated));
}
