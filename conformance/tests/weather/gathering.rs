//! Messages taken many at once, and one by one as an iterator.

use std::future::Future;
use std::hint;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use futures::StreamExt;
use rocketry::{
    Client, Config, Consumer, Delivery, Ended, Message, Received, RecvError, Start, Topic,
};
use rocketry_conformance::serve::Served;

use crate::rig::{On, Rig, eventually};
use crate::{TOPIC, on_all, served};

on_all!(
    as_many_as_asked_for_come_at_once_and_what_there_is_after_a_while,
    a_future_for_many_gives_what_there_is_after_a_while,
    a_future_for_many_that_is_dropped_loses_nothing,
    an_iterator_gives_message_after_message_until_the_end,
    a_consumer_that_is_suspended_gives_nothing_of_what_it_has_at_hand,
    push_11_what_a_dropped_call_had_gathered_is_not_handed_out_while_suspended,
    what_a_dropped_call_had_gathered_comes_when_a_resume_meets_the_next_call,
    what_was_gathered_of_queues_that_are_lost_is_passed_over,
    pull_18_a_message_of_a_stream_that_is_dropped_comes_again,
);

const GROUP: &str = "gatherers";
const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(200);

fn start(on: On, served: &Served, count: usize) -> (Rig, Consumer) {
    let mut config = Config::new(served.namesrv()).expect("settings");
    config.commit_interval = Duration::from_millis(50);
    let rig = Rig::with(on, config);
    send(&rig.client, count);
    let consumer = consumer(&rig.client);
    (rig, consumer)
}

fn send(client: &Client, count: usize) {
    let producer = client.producer(GROUP).expect("a producer");
    for body in 0..count {
        let topic = Topic::new(TOPIC).expect("a topic");
        producer.send(Message::new(topic, body.to_string())).wait().expect("sent");
    }
}

fn consumer(client: &Client) -> Consumer {
    let builder = client.consumer(GROUP).expect("a group").topic(TOPIC, "*");
    builder.start_at(Start::First).start().expect("a consumer")
}

fn ack(batch: Vec<Received>) -> usize {
    let count = batch.len();
    for received in batch {
        assert!(received.expect("a readable message").ack().is_taken(), "ours");
    }
    count
}

fn committed(served: &Served) -> i64 {
    let of = |queue| served.with(|cluster| cluster.committed(0, GROUP, TOPIC, queue)).unwrap_or(0);
    (0..8).map(of).sum()
}

fn as_many_as_asked_for_come_at_once_and_what_there_is_after_a_while(on: On) {
    let served = served();
    let (_rig, mut consumer) = start(on, &served, 50);
    let began = Instant::now();
    assert_eq!(ack(consumer.recv_batch(40, LONG).expect("messages")), 40);
    assert!(began.elapsed() < LONG / 2, "it waited");
    let began = Instant::now();
    assert_eq!(ack(consumer.recv_batch(40, SHORT).expect("messages")), 10);
    assert!(began.elapsed() >= SHORT, "{:?}", began.elapsed());
    assert_eq!(consumer.recv_batch(40, SHORT).expect("nothing").len(), 0);
    assert_eq!(consumer.recv_batch(0, LONG).err(), Some(RecvError::EmptyBatch));
    assert_eq!(consumer.drain(LONG).wait(), Ok(Ended::InOrder));
    assert_eq!(committed(&served), 50);
}

fn a_future_for_many_gives_what_there_is_after_a_while(on: On) {
    let served = served();
    let (_rig, mut consumer) = start(on, &served, 50);
    let batch = smol::block_on(consumer.next_batch(40, LONG));
    assert_eq!(ack(batch.expect("messages")), 40);
    let began = Instant::now();
    let batch = smol::block_on(consumer.next_batch(40, SHORT));
    assert_eq!(ack(batch.expect("messages")), 10);
    assert!(began.elapsed() >= SHORT, "{:?}", began.elapsed());
    assert!(began.elapsed() < LONG / 2, "{:?}", began.elapsed());
    let none = smol::block_on(consumer.next_batch(40, SHORT));
    assert_eq!(none.expect("nothing").len(), 0);
}

fn a_future_for_many_that_is_dropped_loses_nothing(on: On) {
    let served = served();
    let (_rig, mut consumer) = start(on, &served, 30);
    let began = Instant::now();
    let many = consumer.next_batch(1000, LONG);
    let pause = smol::Timer::after(Duration::from_millis(500));
    let ended = smol::block_on(async {
        smol::future::or(async { Some(many.await) }, async {
            pause.await;
            None
        })
        .await
    });
    assert!(ended.is_none(), "it was to wait for more");
    // What it had comes at once, first to the one, then to the others.
    let one = consumer.recv().expect("a message").expect("a readable one");
    assert!(one.ack().is_taken(), "ours");
    assert_eq!(ack(consumer.recv_batch(29, LONG).expect("messages")), 29);
    assert!(began.elapsed() < LONG / 2, "{:?}", began.elapsed());
    assert_eq!(consumer.drain(LONG).wait(), Ok(Ended::InOrder));
    assert_eq!(committed(&served), 30);
}

fn an_iterator_gives_message_after_message_until_the_end(on: On) {
    let served = served();
    let (_rig, mut consumer) = start(on, &served, 20);
    let control = consumer.control();
    let mut count = 0;
    for received in &mut consumer {
        let message = received.expect("a message").expect("a readable one");
        assert!(message.ack().is_taken(), "ours");
        count += 1;
        if count == 20 {
            let control = control.clone();
            thread::spawn(move || control.drain(LONG).wait());
        }
    }
    assert_eq!(count, 20);
    assert_eq!(control.ended().wait(), Ok(Ended::InOrder));
    assert_eq!(consumer.recv().err(), Some(RecvError::Left));
    assert_eq!(consumer.recv_batch(5, SHORT).err(), Some(RecvError::Left));
    assert_eq!(consumer.iter().count(), 0);
    assert_eq!(committed(&served), 20);
}

fn a_consumer_that_is_suspended_gives_nothing_of_what_it_has_at_hand(on: On) {
    let served = served();
    let (_rig, mut consumer) = start(on, &served, 100);
    let control = consumer.control();
    // Others of its pull are at hand.
    let one = consumer.recv().expect("a message").expect("a readable one");
    assert!(one.ack().is_taken(), "ours");
    control.suspend();
    assert!(consumer.recv_timeout(SHORT).is_err(), "something came");
    let own = control.clone();
    let resumed = thread::spawn(move || {
        thread::sleep(SHORT);
        own.resume();
    });
    assert_eq!(ack(consumer.recv_batch(99, LONG).expect("messages")), 99);
    resumed.join().expect("no panic");
    control.suspend();
    assert_eq!(consumer.drain(LONG).wait(), Ok(Ended::InOrder));
    assert_eq!(committed(&served), 100);
}

fn pull_18_a_message_of_a_stream_that_is_dropped_comes_again(on: On) {
    let served = served();
    let (rig, mut stream) = start(on, &served, 3);
    let first = smol::block_on(StreamExt::next(&mut stream))
        .expect("the first")
        .expect("a message")
        .expect("a readable one");
    let offset = |message: &Delivery| (message.queue().clone(), message.offset());
    let place = offset(&first);
    let control = stream.control();
    // The stream goes, and the message with it, before it was acked.
    drop(stream);
    drop(first);
    assert!(control.ended().wait().is_ok());
    let mut again = consumer(&rig.client);
    let batch = again.recv_batch(3, LONG).expect("messages");
    assert_eq!(batch.len(), 3);
    let came = batch.iter().flatten().any(|message| offset(message) == place);
    assert!(came, "{place:?} is not there");
    assert_eq!(ack(batch), 3);
}

/// Has a call for many gather so many, and drops it, as `select!` does.
fn gather(rig: &Rig, consumer: &mut Consumer, count: usize) {
    let held = || {
        let stats = rig.client.stats();
        stats
            .consumers
            .iter()
            .flat_map(|one| &one.queues)
            .map(|queue| queue.messages)
            .sum::<usize>()
    };
    assert!(eventually(LONG, || {
        let mut call = std::pin::pin!(consumer.next_batch(1000, LONG));
        let polled = call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        polled.is_pending() && held() == count
    }));
}

fn push_11_what_a_dropped_call_had_gathered_is_not_handed_out_while_suspended(on: On) {
    let served = served();
    let (rig, mut consumer) = start(on, &served, 20);
    gather(&rig, &mut consumer, 20);
    let control = consumer.control();
    control.suspend();
    assert_eq!(consumer.recv_batch(20, SHORT).expect("nothing").len(), 0);
    assert_eq!(smol::block_on(consumer.next_batch(1, SHORT)).expect("nothing").len(), 0);
    assert!(consumer.recv_timeout(SHORT).is_err(), "something came");
    let own = control.clone();
    let resumed = thread::spawn(move || {
        thread::sleep(SHORT);
        own.resume();
    });
    let began = Instant::now();
    assert_eq!(ack(consumer.recv_batch(15, LONG).expect("messages")), 15);
    assert!(began.elapsed() < LONG / 2, "{:?}", began.elapsed());
    resumed.join().expect("no panic");
    // Nobody is given the rest, and its end waits for nothing.
    control.suspend();
    let ended = control.drain(LONG);
    assert_eq!(consumer.recv_batch(5, LONG).err(), Some(RecvError::Left));
    assert_eq!(ended.wait(), Ok(Ended::Unsettled(5)));
    assert!(began.elapsed() < LONG / 2, "{:?}", began.elapsed());
    assert_eq!(committed(&served), 15);
}

/// Calls that meet a resume.
const ROUNDS: usize = 2000;

/// Whether it was woken.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn what_a_dropped_call_had_gathered_comes_when_a_resume_meets_the_next_call(on: On) {
    let served = served();
    let (rig, mut consumer) = start(on, &served, 200);
    gather(&rig, &mut consumer, 200);
    let control = consumer.control();
    let (begun, resumed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let (mut given, mut slept) = (0, 0);
    let spin = |count| (0..count).for_each(|_| hint::spin_loop());
    thread::scope(|scope| {
        scope.spawn(|| {
            for round in 1..=ROUNDS {
                while begun.load(Ordering::SeqCst) < round {
                    thread::yield_now();
                }
                spin(round * 37 % 400);
                control.resume();
                resumed.store(round, Ordering::SeqCst);
            }
        });
        for round in 1..=ROUNDS {
            control.suspend();
            let woken = Arc::<Woken>::default();
            let waker = Waker::from(woken.clone());
            begun.store(round, Ordering::SeqCst);
            spin(round % 97);
            let polled = pin!(consumer.next()).poll(&mut Context::from_waker(&waker));
            while resumed.load(Ordering::SeqCst) < round {
                thread::yield_now();
            }
            // It is there by then, or its coming is told.
            let told = || eventually(SHORT, || woken.0.load(Ordering::SeqCst));
            given += usize::from(polled.is_ready());
            slept += usize::from(polled.is_pending() && given < 200 && !told());
        }
    });
    assert_eq!(slept, 0, "of {ROUNDS} calls");
}

fn what_was_gathered_of_queues_that_are_lost_is_passed_over(on: On) {
    let served = served();
    let (rig, mut first) = start(on, &served, 80);
    gather(&rig, &mut first, 80);
    let (_other, mut second) = start(on, &served, 0);
    assert!(eventually(LONG, || first.queues().len() == 4 && second.queues().len() == 4));
    // Each comes once: to the one that has its queue now.
    let own = ack(first.recv_batch(80, SHORT).expect("messages"));
    assert_eq!(ack(second.recv_batch(80 - own, LONG).expect("messages")), 80 - own);
    assert!(own > 0 && own < 80, "{own}");
    assert_eq!(first.drain(LONG).wait(), Ok(Ended::InOrder));
    assert_eq!(second.drain(LONG).wait(), Ok(Ended::InOrder));
    assert_eq!(committed(&served), 80);
}
