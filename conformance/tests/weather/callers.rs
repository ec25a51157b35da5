//! Callers on threads that read their own answers, beside others that can't.

use std::thread;
use std::time::{Duration, Instant};

use rocketry::{Message, Producer, Start};

use crate::rig::{On, Rig, eventually};
use crate::{TOPIC, served};

/// Far above the reader's looks of a few milliseconds, far below any deadline.
const SOON: Duration = Duration::from_secs(2);

fn message(number: usize) -> Message {
    Message::new(rocketry::Topic::new(TOPIC).expect("a topic"), format!("message {number}"))
}

/// Sends one by one, until this thread reads its answers itself.
fn alone(producer: &Producer, count: usize) {
    for number in 0..count {
        producer.send(message(number)).wait().expect("sent");
    }
}

fn soon<T>(work: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let result = work();
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    result
}

#[test]
fn a_future_a_dropped_call_and_a_question_end_soon_after_calls_that_waited_alone() {
    let served = served();
    let rig = Rig::start(On::Threads, &served.namesrv());
    let producer = rig.client.producer("callers").expect("a producer");
    for round in 0..20 {
        alone(&producer, 20);
        soon(|| futures::executor::block_on(producer.send(message(round)))).expect("sent");
        alone(&producer, 20);
        drop(producer.send(message(round)));
        soon(|| rig.client.queues(&TOPIC.try_into().expect("a topic")).wait()).expect("queues");
        let stored = served.with(|cluster| cluster.stored(TOPIC));
        alone(&producer, 20);
        let pending: Vec<_> = (0..5).map(|number| producer.send(message(number))).collect();
        // Nobody waits for these: they leave all the same.
        let all = || served.with(|cluster| cluster.stored(TOPIC)) >= stored + 25;
        assert!(eventually(SOON, all), "round {round}");
        pending.into_iter().for_each(|pending| drop(soon(|| pending.wait()).expect("sent")));
    }
}

#[test]
fn threads_that_come_and_go_never_wait_for_each_others_half() {
    let served = served();
    let rig = Rig::start(On::Threads, &served.namesrv());
    let producer = &rig.client.producer("callers").expect("a producer");
    thread::scope(|scope| {
        for caller in 0..4 {
            scope.spawn(move || {
                for round in 0..30 {
                    soon(|| alone(producer, 10));
                    let pending: Vec<_> =
                        (0..caller * 3).map(|number| producer.send(message(number))).collect();
                    pending.into_iter().rev().for_each(|pending| {
                        soon(|| pending.wait()).expect("sent");
                    });
                    thread::sleep(Duration::from_millis((round * caller % 7) as u64));
                }
            });
        }
    });
    assert_eq!(rig.client.stats().counters.sends_in_flight(), 0);
}

#[test]
fn a_consumer_hears_of_messages_soon_while_a_thread_sends_alone() {
    let served = served();
    let rig = Rig::start(On::Threads, &served.namesrv());
    let producer = rig.client.producer("callers").expect("a producer");
    alone(&producer, 50);
    let builder = rig.client.consumer("callers").expect("a group").topic(TOPIC, "*");
    let mut consumer = builder.start_at(Start::First).start().expect("a consumer");
    for _ in 0..50 {
        let delivery = consumer.recv_timeout(Duration::from_secs(10)).expect("a message");
        assert!(delivery.expect("readable").ack().is_taken(), "ours");
    }
    for round in 0..20 {
        alone(&producer, 3);
        for _ in 0..3 {
            let delivery = consumer.recv_timeout(SOON).unwrap_or_else(|_| panic!("round {round}"));
            assert!(delivery.expect("readable").ack().is_taken(), "ours");
        }
    }
}

#[test]
fn a_broker_that_goes_while_a_caller_reads_ends_its_call_by_the_deadline_and_sends_flow_again() {
    let served = served();
    let mut config = rocketry::Config::new(served.namesrv()).expect("settings");
    config.send_timeout = Duration::from_secs(2);
    let rig = Rig::with(On::Threads, config);
    let producer = rig.client.producer("callers").expect("a producer");
    alone(&producer, 50);
    served.stop_broker(0);
    let begun = Instant::now();
    producer.send(message(0)).wait().expect_err("nobody there");
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    served.start_broker(0).expect("the same port");
    let again = || producer.send(message(1)).wait().is_ok();
    assert!(eventually(Duration::from_secs(10), again));
    alone(&producer, 50);
}
