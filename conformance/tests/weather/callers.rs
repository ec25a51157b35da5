//! Callers on threads that read their own answers, beside others that can't.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use rocketry::{Consumer, Message, MessageView, Producer, RecvError, Start};

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

/// Takes and acks so many messages, in this thread.
fn take(consumer: &mut Consumer, count: usize) {
    for _ in 0..count {
        let delivery = consumer.recv_timeout(Duration::from_secs(20)).expect("a message");
        assert!(delivery.expect("readable").ack().is_taken(), "ours");
    }
}

fn consumer(rig: &Rig) -> Consumer {
    let builder = rig.client.consumer("callers").expect("a group").topic(TOPIC, "*");
    builder.start_at(Start::First).start().expect("a consumer")
}

#[test]
fn who_waits_for_messages_reads_them_and_hinders_neither_calls_nor_questions() {
    let served = served();
    let rig = Rig::start(On::Threads, &served.namesrv());
    let producer = rig.client.producer("callers").expect("a producer");
    let batch = (0..100).map(message).collect::<Vec<_>>();
    (0..200).for_each(|_| drop(producer.send_batch(&batch).wait().expect("sent")));
    let (mut consumer, calls) = (consumer(&rig), 300);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            take(&mut consumer, 20_000 + calls);
            over.store(true, Relaxed);
            assert!(consumer.recv_timeout(Duration::from_millis(20)).is_err(), "that was all");
        });
        for number in 0..calls {
            match number % 3 {
                0 => soon(|| producer.send(message(number)).wait()).map(drop).expect("sent"),
                1 => soon(|| futures::executor::block_on(producer.send(message(number))))
                    .map(drop)
                    .expect("sent"),
                _ => {
                    soon(|| rig.client.queues(&TOPIC.try_into().expect("a topic")).wait())
                        .expect("queues");
                    soon(|| producer.send(message(number)).wait()).map(drop).expect("sent");
                }
            }
        }
    });
    assert!(over.load(Relaxed));
}

#[test]
fn who_reads_messages_hears_soon_of_what_comes_otherwise() {
    let served = served();
    let rig = Rig::start(On::Threads, &served.namesrv());
    let producer = rig.client.producer("callers").expect("a producer");
    for round in 0..20 {
        let mut consumer = consumer(&rig);
        let batch = (0..100).map(message).collect::<Vec<_>>();
        producer.send_batch(&batch).wait().expect("sent");
        take(&mut consumer, 100);
        let control = consumer.control();
        let waits = thread::spawn(move || consumer.recv());
        thread::sleep(Duration::from_millis(round % 5));
        let ended = control.drain(Duration::from_secs(10));
        let got = soon(|| waits.join().expect("no panic"));
        assert!(matches!(got, Err(RecvError::Left)), "round {round}: {got:?}");
        soon(|| ended.wait()).expect("left");
    }
}

#[test]
fn a_broker_that_goes_while_messages_are_read_is_found_again() {
    let served = served();
    let rig = Rig::start(On::Threads, &served.namesrv());
    let producer = rig.client.producer("callers").expect("a producer");
    let batch = (0..100).map(message).collect::<Vec<_>>();
    let (mut consumer, mut came) = (consumer(&rig), BTreeSet::new());
    // What was handed out before may come again.
    let mut take = |count: usize| {
        while came.len() < count {
            let delivery = consumer.recv_timeout(Duration::from_secs(20)).expect("a message");
            let delivery = delivery.expect("readable");
            came.insert((delivery.queue().clone(), delivery.offset()));
            delivery.ack();
        }
    };
    for round in 0..3 {
        (0..20).for_each(|_| drop(producer.send_batch(&batch).wait().expect("sent")));
        take(2000 * round + 1000);
        served.stop_broker(0);
        thread::sleep(Duration::from_millis(50));
        served.start_broker(0).expect("the same port");
        take(2000 * (round + 1));
    }
}

#[test]
fn a_wait_for_messages_ends_in_time_while_a_filter_takes_its_own() {
    let served = served();
    let rig = Rig::start(On::Threads, &served.namesrv());
    alone(&rig.client.producer("callers").expect("a producer"), 20);
    let builder = rig.client.consumer("callers").expect("a group").topic(TOPIC, "*");
    let slow = |_: &MessageView| {
        thread::sleep(Duration::from_millis(60));
        false
    };
    let builder = builder.start_at(Start::First).filter_with(slow);
    let (mut consumer, begun) = (builder.start().expect("a consumer"), Instant::now());
    consumer.recv_timeout(Duration::from_secs(1)).expect_err("none is wanted");
    // Parking for the whole time after the filter had taken 600 ms or more of it took 1.6 s.
    assert!(begun.elapsed() < Duration::from_millis(1500), "{:?}", begun.elapsed());
}

#[test]
fn a_filter_may_send_while_somebody_suspends_and_resumes() {
    let served = served();
    let rig = Rig::start(On::Threads, &served.namesrv());
    let producer = Arc::new(rig.client.producer("callers").expect("a producer"));
    let batch = (0..100).map(message).collect::<Vec<_>>();
    (0..30).for_each(|_| drop(producer.send_batch(&batch).wait().expect("sent")));
    let (sender, left, late) =
        (producer.clone(), AtomicUsize::new(3000), Arc::new(AtomicUsize::new(0)));
    let count = late.clone();
    let builder = rig.client.consumer("callers").expect("a group").topic(TOPIC, "*");
    let builder = builder.start_at(Start::First).filter_with(move |_| {
        if left.load(Relaxed) > 0 {
            left.fetch_sub(1, Relaxed);
            let begun = Instant::now();
            let sent = sender.send(message(0)).wait();
            // It would wait for itself if it held the half that reads.
            count.fetch_add(usize::from(sent.is_err() || begun.elapsed() > SOON), Relaxed);
        }
        true
    });
    let mut consumer = builder.start().expect("a consumer");
    let (control, over) = (consumer.control(), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0.. {
                if over.load(Relaxed) {
                    break;
                }
                control.suspend();
                thread::sleep(Duration::from_micros(round % 61));
                control.resume();
                thread::sleep(Duration::from_micros(round * 7 % 97));
            }
        });
        take(&mut consumer, 6000);
        over.store(true, Relaxed);
    });
    assert_eq!(late.load(Relaxed), 0);
}
