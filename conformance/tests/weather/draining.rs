//! The end of consumers whose handlers are busy: by threads that settle, on every runtime.

use std::sync::{Arc, Barrier, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use rocketry::client::{Ended, RecvError};
use rocketry::{Config, Consumer, Delivery, Message, SendOptions, Start, Topic};
use rocketry_conformance::serve::Served;

use crate::rig::{On, Rig};
use crate::{TOPIC, on_all, served};

on_all!(
    life_03_a_shutdown_waits_for_busy_handlers_and_their_acks_count,
    a_consumer_drains_while_its_handlers_are_busy,
    acks_that_come_together_at_a_shutdown_all_count,
    a_shutdown_does_not_wait_for_messages_that_nobody_was_given,
    a_consumer_that_is_closed_leaves_at_once_and_late_acks_are_stale,
    a_waiting_consumer_learns_that_its_client_ends,
    a_handle_gives_nothing_that_it_has_at_hand_while_its_client_ends,
);

const GROUP: &str = "busy";
const HANDLERS: usize = 8;

/// A client that has sent `count` messages, and a consumer of them.
fn start(on: On, served: &Served, count: usize) -> (Rig, Consumer) {
    let mut config = Config::new(served.namesrv()).expect("settings");
    config.shutdown_timeout = Duration::from_secs(20);
    let rig = Rig::with(on, config);
    let producer = rig.client.producer(GROUP).expect("a producer");
    for _ in 0..count {
        let message = Message::new(Topic::new(TOPIC).expect("a topic"), "work");
        producer.send(message).wait().expect("sent");
    }
    let builder = rig.client.consumer(GROUP).expect("a group").topic(TOPIC, "*");
    let consumer = builder.start_at(Start::First).start().expect("a consumer");
    (rig, consumer)
}

fn next(consumer: &mut Consumer) -> Delivery {
    let next = consumer.recv_timeout(Duration::from_secs(10)).expect("a message in time");
    next.expect("a readable message")
}

/// Handlers that take half a second for a message each, all of them busy; each tells whether its
/// ack was in time.
fn handlers(consumer: &mut Consumer) -> Vec<thread::JoinHandle<bool>> {
    let (begun, busy) = mpsc::channel();
    let handle = |delivery: Delivery| {
        let begun = begun.clone();
        thread::spawn(move || {
            begun.send(()).expect("the test waits");
            thread::sleep(Duration::from_millis(500));
            delivery.ack().is_taken()
        })
    };
    let handlers: Vec<_> = (0..HANDLERS).map(|_| handle(next(consumer))).collect();
    (0..HANDLERS).for_each(|_| busy.recv().expect("a busy handler"));
    handlers
}

fn in_time(handlers: Vec<thread::JoinHandle<bool>>) -> usize {
    let acks = handlers.into_iter().map(|handler| handler.join().expect("no panic"));
    acks.filter(|in_time| *in_time).count()
}

fn committed(served: &Served) -> i64 {
    let of = |queue| served.with(|cluster| cluster.committed(0, GROUP, TOPIC, queue));
    (0..8).filter_map(of).sum()
}

fn life_03_a_shutdown_waits_for_busy_handlers_and_their_acks_count(on: On) {
    let served = served();
    let (rig, mut consumer) = start(on, &served, HANDLERS);
    let handlers = handlers(&mut consumer);
    let began = Instant::now();
    assert_eq!(rig.client.shutdown().wait(), Ok(Ended::InOrder));
    let took = began.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert_eq!(in_time(handlers), HANDLERS);
    assert_eq!(committed(&served), HANDLERS as i64);
    assert_eq!(consumer.recv().err(), Some(RecvError::Left));
}

fn a_consumer_drains_while_its_handlers_are_busy(on: On) {
    let served = served();
    let (rig, mut consumer) = start(on, &served, HANDLERS);
    let handlers = handlers(&mut consumer);
    assert_eq!(consumer.drain(Duration::from_secs(10)).wait(), Ok(Ended::InOrder));
    assert_eq!((in_time(handlers), committed(&served)), (HANDLERS, HANDLERS as i64));
    // The client goes on, and its group may be joined again.
    let builder = rig.client.consumer(GROUP).expect("a group").topic(TOPIC, "*");
    let mut again = builder.start().expect("a consumer");
    assert!(again.recv_timeout(Duration::from_millis(500)).is_err(), "all was settled");
    let lazy = start(on, &served, 1);
    drop(again);
    let (_rig, mut lazy) = lazy;
    let held = next(&mut lazy);
    assert_eq!(lazy.drain(Duration::from_millis(200)).wait(), Ok(Ended::Unsettled(1)));
    assert!(held.ack().is_moved(), "too late");
}

/// Of one batch, with messages in it that nobody was given: the first that is seen ends it for all.
fn acks_that_come_together_at_a_shutdown_all_count(on: On) {
    // What goes wrong does so in one round of three.
    for _ in 0..30 {
        let served = served();
        let (rig, mut consumer) = start(on, &served, 0);
        let producer = rig.client.producer(GROUP).expect("a producer");
        let topic = Topic::new(TOPIC).expect("a topic");
        let queue = rig.client.queues(&topic).wait().expect("queues").swap_remove(0);
        let new = || Message::new(topic.clone(), "work");
        let many: Vec<_> =
            (0..3 * HANDLERS).map(|_| producer.send_with(new(), SendOptions::to(&queue))).collect();
        many.into_iter().for_each(|sent| drop(sent.wait().expect("sent")));
        let together = Arc::new(Barrier::new(HANDLERS + 1));
        let handle = |delivery: Delivery| {
            let together = together.clone();
            thread::spawn(move || {
                together.wait();
                thread::sleep(Duration::from_millis(20));
                delivery.ack().is_taken()
            })
        };
        let handlers: Vec<_> = (0..HANDLERS).map(|_| handle(next(&mut consumer))).collect();
        let shutdown = rig.client.shutdown();
        together.wait();
        assert_eq!(shutdown.wait(), Ok(Ended::InOrder));
        assert_eq!((in_time(handlers), committed(&served)), (HANDLERS, HANDLERS as i64));
    }
}

fn a_shutdown_does_not_wait_for_messages_that_nobody_was_given(on: On) {
    let served = served();
    let (rig, mut consumer) = start(on, &served, 100);
    assert!(next(&mut consumer).ack().is_taken(), "ours still");
    let began = Instant::now();
    assert_eq!(rig.client.shutdown().wait(), Ok(Ended::InOrder));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(consumer.recv().err(), Some(RecvError::Left), "it hands out nothing more");
}

fn a_consumer_that_is_closed_leaves_at_once_and_late_acks_are_stale(on: On) {
    let served = served();
    let (_rig, mut consumer) = start(on, &served, 3);
    let held = [next(&mut consumer), next(&mut consumer)];
    assert_eq!(consumer.close().wait(), Ok(Ended::Unsettled(2)));
    assert!(held.into_iter().all(|delivery| delivery.ack().is_moved()));
}

fn a_waiting_consumer_learns_that_its_client_ends(on: On) {
    let served = served();
    let (rig, mut consumer) = start(on, &served, 1);
    let held = next(&mut consumer);
    let waiter = thread::spawn(move || consumer.recv().err() == Some(RecvError::Left));
    thread::sleep(Duration::from_millis(100));
    let ending = rig.client.shutdown();
    // It ends while the shutdown still waits for the message that is held.
    assert!(waiter.join().expect("no panic"));
    assert!(held.ack().is_taken(), "ours still");
    assert_eq!(ending.wait(), Ok(Ended::InOrder));
}

fn a_handle_gives_nothing_that_it_has_at_hand_while_its_client_ends(on: On) {
    let served = served();
    // More than one in some queue, so that the handle has others at hand.
    let (rig, mut consumer) = start(on, &served, 20);
    let held = next(&mut consumer);
    let ending = rig.client.shutdown();
    // It gives nothing more while the shutdown still waits for the message that is held.
    assert_eq!(consumer.recv().err(), Some(RecvError::Left));
    assert!(held.ack().is_taken(), "ours still");
    assert_eq!(ending.wait(), Ok(Ended::InOrder));
}
