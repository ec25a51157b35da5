//! Much of everything: each message stored once, told once, read once.

use std::collections::{HashSet, VecDeque};
use std::thread;
use std::time::{Duration, Instant};

use rocketry::{Consumer, Start};
use rocketry::{Message, Pending, Producer, SendError, SendReceipt, SendStatus, Stored, Topic};

use super::common::{named, stored};
use super::place::{Place, note};
use crate::rig::collector::Collector;
use crate::rig::{Rig, eventually};

const WINDOW: usize = 256;
/// Pause after a broker said that it is busy.
const BUSY: Duration = Duration::from_millis(20);

type Sent = Pending<Result<SendReceipt, SendError>>;

/// Fewer are enough where the broker lives in this process.
fn count(place: &Place) -> usize {
    if place.served().is_some() { 5_000 } else { 100_000 }
}

pub(crate) fn many_messages_lie_in_the_log_and_come_once_each(place: &Place) {
    let (name, group, count) = (place.topic(8), place.name(), count(place));
    let mut config = place.config();
    config.send_timeout = Duration::from_secs(20);
    let rig = place.rig_with(config);
    let collector = Collector::start(&rig, &group, &name);
    let (topic, begun) = (named(&name), Instant::now());
    let producer = rig.client.producer("volume").expect("a producer");
    let ids = match rig.handle() {
        None => send_all(&producer, &topic, count),
        Some(handle) => {
            let sending = handle.spawn(send_all_on_tokio(producer, topic, count));
            handle.block_on(sending).expect("no panic")
        }
    };
    let took = begun.elapsed();
    assert_eq!(ids.len(), count);
    lies_in_the_log(place, &rig, &name, count, took);
    let all =
        eventually(Duration::from_secs(40), || collector.look(|seen| seen.ids.len() >= count));
    let (came, again) = collector.look(|seen| (seen.ids.len(), seen.duplicates()));
    assert!(all, "{came} came");
    assert_eq!((came, again), (count, 0));
    assert!(collector.look(|seen| ids.iter().all(|id| seen.ids.contains_key(id))));
    rig.client.shutdown().wait().expect("an end");
}

/// As many messages lie in the log as were answered `SEND_OK`.
fn lies_in_the_log(place: &Place, rig: &Rig, topic: &str, sent: usize, took: Duration) {
    let sent = i64::try_from(sent).expect("few");
    // Brokers put messages into their queues after the answer.
    eventually(Duration::from_secs(20), || stored(rig, topic) >= sent);
    let (on, lies) = (place.on(), stored(rig, topic));
    note!(place, "{on:?}: {sent} SEND_OK, {lies} in the log, {took:?}");
    assert_eq!(lies, sent, "{on:?}");
}

fn message(topic: &Topic) -> Message {
    Message::new(topic.clone(), vec![b'z'; 1024])
}

/// Keeps the id of a stored message. False if it is to be sent once more: a broker under load
/// refuses some ("broker busy") and says that it has not stored them.
fn kept(ids: &mut HashSet<String>, result: Result<SendReceipt, SendError>) -> bool {
    match result {
        Ok(receipt) => {
            assert_eq!(receipt.status, SendStatus::Ok);
            assert!(ids.insert(receipt.message_id.to_string()), "an id was given twice");
            true
        }
        Err(error) => {
            assert!(error.is_retriable() && error.stored() == Stored::No, "{error}");
            false
        }
    }
}

async fn send_all_on_tokio(producer: Producer, topic: Topic, count: usize) -> HashSet<String> {
    let (mut ids, mut window, mut left) = (HashSet::new(), VecDeque::<Sent>::new(), count);
    while left > 0 || !window.is_empty() {
        if left > 0 && window.len() < WINDOW {
            window.push_back(producer.send(message(&topic)));
            left -= 1;
        } else if let Some(first) = window.pop_front()
            && !kept(&mut ids, first.await)
        {
            tokio::time::sleep(BUSY).await;
            left += 1;
        }
    }
    ids
}

fn send_all(producer: &Producer, topic: &Topic, count: usize) -> HashSet<String> {
    let (mut ids, mut window, mut left) = (HashSet::new(), VecDeque::<Sent>::new(), count);
    while left > 0 || !window.is_empty() {
        if left > 0 && window.len() < WINDOW {
            window.push_back(producer.send(message(topic)));
            left -= 1;
        } else if let Some(first) = window.pop_front()
            && !kept(&mut ids, first.wait())
        {
            thread::sleep(BUSY);
            left += 1;
        }
    }
    ids
}

fn next(consumer: &mut Consumer) -> rocketry::Delivery {
    let next = consumer.recv_timeout(Duration::from_secs(20)).expect("a message in time");
    next.expect("a readable message")
}

pub(crate) fn a_successor_begins_where_the_last_one_settled(place: &Place) {
    let (name, group) = (place.topic(1), place.name());
    let rig = place.rig();
    let topic = named(&name);
    let producer = rig.client.producer("successor").expect("a producer");
    for _ in 0..40 {
        producer.send(message(&topic)).wait().expect("stored");
    }
    let consumer = |rig: &Rig| {
        let builder = rig.client.consumer(&*group).expect("a group").topic(&*name, "*");
        builder.start_at(Start::First).start().expect("a consumer")
    };
    let mut first = consumer(&rig);
    for offset in 0..24 {
        let delivery = next(&mut first);
        assert_eq!(delivery.offset(), Some(offset));
        assert!(delivery.ack().is_taken(), "ours still");
    }
    first.close().wait().expect("an end");
    let other = place.rig();
    let mut second = consumer(&other);
    for offset in 24..40 {
        let delivery = next(&mut second);
        assert_eq!(delivery.offset(), Some(offset));
        assert!(delivery.ack().is_taken(), "ours still");
    }
    assert!(second.recv_timeout(Duration::from_millis(500)).is_err(), "there is no more");
}
