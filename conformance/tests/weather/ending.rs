//! Ends: shutdown while work runs, a runtime that goes first, waiting where nobody may wait.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rocketry::client::{EndError, RecvError, RecvTimeoutError, SubscribeError};
use rocketry::proto::error::{Refused, Stored};
use rocketry::{Message, QueryError, SendError, Start, Topic};
use rocketry_conformance::proxy::{Direction, Proxy};

use crate::rig::collector::Collector;
use crate::rig::load::Load;
use crate::rig::{On, Rig, eventually, tokio_runtime};
use crate::{TOPIC, black_hole, on_all, served};

on_all!(
    life_03_a_shutdown_ends_every_send_under_way,
    life_01_after_a_shutdown_every_call_is_refused_as_stopped,
    life_04_a_shutdown_ends_by_its_deadline_with_a_broker_that_is_silent,
    a_shutdown_ends_while_a_connection_is_being_made,
);

fn topic() -> Topic {
    Topic::new(TOPIC).expect("a topic")
}

fn message() -> Message {
    Message::new(topic(), "x")
}

fn life_03_a_shutdown_ends_every_send_under_way(on: On) {
    let served = served();
    let rig = Rig::start(on, &served.namesrv());
    let mut collector = Collector::start(&rig, "ending", TOPIC);
    let load = Load::start(&rig, TOPIC, 8, Duration::ZERO);
    assert!(eventually(Duration::from_secs(5), || load.look(|outcome| outcome.sent.len() > 500)));
    let producer = rig.client.producer("ending").expect("a producer");
    let window: Vec<_> = (0..200).map(|_| producer.send(message())).collect();

    let begun = Instant::now();
    load.tell();
    rig.client.shutdown().wait().expect("an end");
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    for pending in window {
        pending.wait().expect("it was under way and the broker is well");
    }
    let outcome = load.stop();
    let stopped = |error: &SendError| {
        matches!(error, SendError::Refused(Refused::Stopped) | SendError::Stopped { .. })
    };
    assert!(outcome.failed.iter().all(stopped), "{:?}", outcome.failed.first());
    let stored = served.with(|cluster| cluster.stored(TOPIC));
    assert_eq!(stored, outcome.sent.len() as u64 + 200);
    let mut consumer = collector.stop().expect("the consumer");
    let received = consumer.recv_timeout(Duration::from_secs(1));
    assert_eq!(received.err(), Some(RecvTimeoutError::Left));
    assert!(served.with(|cluster| cluster.consumers(0, "ending")).is_empty());
}

fn life_01_after_a_shutdown_every_call_is_refused_as_stopped(on: On) {
    let served = served();
    let rig = Rig::start(on, &served.namesrv());
    let producer = rig.client.producer("ending").expect("a producer");
    producer.send(message()).wait().expect("sent");
    rig.client.shutdown().wait().expect("an end");
    thread::sleep(Duration::from_millis(50));

    let error = producer.send(message()).wait().expect_err("stopped");
    assert_eq!(error, SendError::Refused(Refused::Stopped));
    let builder = rig.client.consumer("ending").expect("a group").topic(TOPIC, "*");
    let error = builder.start().expect_err("stopped");
    assert_eq!(error, SubscribeError::Refused(Refused::Stopped));
    let error = rig.client.queues(&topic()).wait().expect_err("stopped");
    assert_eq!(error, QueryError::Refused(Refused::Stopped));
    rig.client.shutdown().wait().expect("an end");
}

fn life_04_a_shutdown_ends_by_its_deadline_with_a_broker_that_is_silent(on: On) {
    let served = served();
    let proxy = Proxy::start(served.broker(0).expect("a broker")).expect("a proxy");
    served.with(|cluster| cluster.set_endpoint(0, &proxy.address().to_string()));
    let mut config = rocketry::Config::new(served.namesrv()).expect("settings that work");
    config.send_timeout = Duration::from_secs(20);
    config.shutdown_timeout = Duration::from_millis(500);
    let rig = Rig::with(on, config);
    let collector = Collector::start(&rig, "silent", TOPIC);
    let producer = rig.client.producer("ending").expect("a producer");
    producer.send(message()).wait().expect("sent");
    assert!(eventually(Duration::from_secs(5), || collector.look(|seen| seen.ids.len() == 1)));
    proxy.stall(Direction::Down);
    let pending: Vec<_> = (0..20).map(|_| producer.send(message())).collect();

    let begun = Instant::now();
    rig.client.shutdown().wait().expect("an end");
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    for pending in pending {
        let error = pending.wait().expect_err("no answer");
        assert!(matches!(error, SendError::Stopped { .. }), "{error}");
    }
}

fn a_shutdown_ends_while_a_connection_is_being_made(on: On) {
    let (hole, ..) = &black_hole();
    let mut config = rocketry::Config::new(hole.to_string()).expect("settings that work");
    config.connect_timeout = Duration::from_secs(6);
    config.shutdown_timeout = Duration::from_millis(300);
    let rig = Rig::with(on, config);
    let pending = rig.client.producer("ending").expect("a producer").send(message());
    thread::sleep(Duration::from_millis(100));
    let begun = Instant::now();
    rig.client.shutdown().wait().expect("an end");
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    pending.wait().expect_err("nobody was there");
}

/// Runs `act` on a thread and fails when it hangs.
fn within<T: Send + 'static>(limit: Duration, act: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = mpsc::channel();
    thread::spawn(move || done.send(act()));
    result.recv_timeout(limit).expect("it hangs, or panicked")
}

#[test]
fn a_runtime_that_goes_first_ends_every_call() {
    let served = served();
    let proxy = Proxy::start(served.broker(0).expect("a broker")).expect("a proxy");
    served.with(|cluster| cluster.set_endpoint(0, &proxy.address().to_string()));
    let Rig { client, tokio } = Rig::start(On::Tokio, &served.namesrv());
    let producer = client.producer("ending").expect("a producer");
    producer.send(message()).wait().expect("sent");
    let builder = client.consumer("ending").expect("a group").topic(TOPIC, "*");
    let mut consumer = builder.start_at(Start::First).start().expect("a consumer");
    // What is there already has come, so that nothing more can.
    consumer.recv_timeout(Duration::from_secs(10)).expect("in time").expect("readable").ack();
    proxy.stall(Direction::Down);
    let pending: Vec<_> = (0..10).map(|_| producer.send(message())).collect();
    let waits = thread::spawn(move || consumer.recv().err());
    thread::sleep(Duration::from_millis(100));
    drop(tokio);

    within(Duration::from_secs(2), move || {
        for pending in pending {
            let error = pending.wait().expect_err("nobody moves bytes");
            assert!(matches!(error, SendError::RuntimeGone { .. }), "{error}");
        }
        assert_eq!(waits.join().expect("no panic"), Some(RecvError::RuntimeGone));
        let error = producer.send(message()).wait().expect_err("nobody moves bytes");
        assert!(matches!(error, SendError::RuntimeGone { .. }), "{error}");
        assert_eq!(client.queues(&topic()).wait(), Err(QueryError::Stopped));
        assert_eq!(client.shutdown().wait(), Err(EndError::RuntimeGone));
    });
}

#[test]
fn a_runtime_that_goes_before_its_first_turn_ends_every_call() {
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let tokio = tokio.expect("a runtime");
    let entered = tokio.enter();
    let client = rocketry::tokio::connect("127.0.0.1:9876").expect("a client");
    drop(entered);
    let pending = client.producer("ending").expect("a producer").send(message());
    drop(tokio);
    within(Duration::from_secs(2), move || {
        let error = pending.wait().expect_err("nobody moves bytes");
        assert!(matches!(error, SendError::RuntimeGone { .. }), "{error}");
    });
}

#[test]
fn waiting_on_the_only_thread_of_a_runtime_is_an_error_at_once() {
    let served = served();
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build();
    tokio.expect("a runtime").block_on(async {
        let client = rocketry::tokio::connect(&*served.namesrv()).expect("a client");
        let producer = client.producer("ending").expect("a producer");
        let begun = Instant::now();
        let pending = producer.send(message());
        let ids = pending.message_ids().cloned();
        let error = pending.wait().expect_err("it would block");
        assert_eq!((error.stored(), error.message_ids()), (Stored::Unknown, ids.as_ref()));
        assert_eq!(error, SendError::WouldDeadlock { ids });
        let error =
            producer.send_with_selector(message(), |_, _| Some(0)).wait().expect_err("it too");
        assert_eq!(error, SendError::WouldDeadlock { ids: None });
        assert_eq!(error.stored(), Stored::No);
        assert_eq!(client.queues(&topic()).wait(), Err(QueryError::WouldDeadlock));
        let builder = client.consumer("ending").expect("a group").topic(TOPIC, "*");
        let mut consumer = builder.start().expect("a consumer");
        assert_eq!(consumer.recv().err(), Some(RecvError::WouldDeadlock));
        let received = consumer.recv_timeout(Duration::from_secs(5));
        assert_eq!(received.err(), Some(RecvTimeoutError::WouldDeadlock));
        assert!(begun.elapsed() < Duration::from_millis(500), "{:?}", begun.elapsed());
        producer.send(message()).await.expect("awaiting works");
        client.shutdown().await.expect("an end");
    });
}

#[test]
fn waiting_on_a_thread_of_a_larger_runtime_is_allowed() {
    let served = served();
    let tokio = tokio_runtime();
    let namesrv = served.namesrv();
    let sent = tokio.block_on(async move {
        let task = tokio::spawn(async move {
            let client = rocketry::tokio::connect(&*namesrv).expect("a client");
            client.producer("ending").expect("a producer").send(message()).wait()
        });
        task.await.expect("no panic")
    });
    sent.expect("the other thread does the work");
}
