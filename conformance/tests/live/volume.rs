//! Much of everything: each message stored once, told once, read once.

use std::collections::{HashSet, VecDeque};
use std::thread;
use std::time::{Duration, Instant};

use rocketry::{Client, Config, Consumer, Message, Pending, Producer, SendError, SendReceipt};
use rocketry::{SendStatus, Start, Stored, Topic};

use crate::rig::collector::Collector;
use crate::rig::{On, Rig, eventually};
use crate::{live_on_all, new_name, new_topic, shared};

live_on_all!(
    a_hundred_thousand_messages_come_once_each,
    a_successor_begins_where_the_last_one_settled,
);

const COUNT: usize = 100_000;
const WINDOW: usize = 256;
/// Pause after a broker said that it is busy.
const BUSY: Duration = Duration::from_millis(20);

type Sent = Pending<Result<SendReceipt, SendError>>;

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

async fn send_all_on_tokio(producer: Producer, topic: Topic) -> HashSet<String> {
    let (mut ids, mut window, mut left) = (HashSet::new(), VecDeque::<Sent>::new(), COUNT);
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

fn send_all(producer: &Producer, topic: &Topic) -> HashSet<String> {
    let (mut ids, mut window, mut left) = (HashSet::new(), VecDeque::<Sent>::new(), COUNT);
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

/// How many messages a topic has taken, by the broker's own count.
fn stored(client: &Client, topic: &Topic) -> i64 {
    let queues = client.queues(topic).wait().expect("queues");
    assert_eq!(queues.len(), 8);
    queues.iter().map(|queue| client.max_offset(queue).wait().expect("an offset")).sum()
}

fn a_hundred_thousand_messages_come_once_each(on: On) {
    let (name, group) = (new_topic(8), new_name());
    let mut config = Config::new(&shared().0).expect("settings that work");
    config.send_timeout = Duration::from_secs(20);
    let rig = Rig::with(on, config);
    let collector = Collector::start(&rig, &group, &name);
    let topic = Topic::new(&*name).expect("a topic");
    let producer = rig.client.producer("volume").expect("a producer");

    let begun = Instant::now();
    let sent = match rig.handle() {
        None => send_all(&producer, &topic),
        Some(handle) => {
            let sending = handle.spawn(send_all_on_tokio(producer, topic.clone()));
            handle.block_on(sending).expect("no panic")
        }
    };
    let took = begun.elapsed();
    let all =
        eventually(Duration::from_secs(40), || collector.look(|seen| seen.ids.len() >= COUNT));
    let (came, again) = collector.look(|seen| (seen.ids.len(), seen.duplicates()));
    println!("{on:?}: {} sent in {took:?}, {came} came by {:?}", sent.len(), begun.elapsed());
    assert!(all, "{came} came");
    assert_eq!((came, again), (COUNT, 0));
    assert!(collector.look(|seen| sent.iter().all(|id| seen.ids.contains_key(id))));
    assert_eq!(stored(&rig.client, &topic), COUNT as i64);
    rig.client.shutdown().wait();
}

fn next(consumer: &mut Consumer) -> rocketry::Delivery {
    let next = consumer.recv_timeout(Duration::from_secs(20)).expect("a message in time");
    next.expect("a readable message")
}

fn a_successor_begins_where_the_last_one_settled(on: On) {
    let (name, group) = (new_topic(1), new_name());
    let rig = Rig::start(on, &shared().0);
    let topic = Topic::new(&*name).expect("a topic");
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
        assert_eq!(delivery.offset(), offset);
        delivery.ack().expect("ours still");
    }
    first.close().wait();
    let other = Rig::start(on, &shared().0);
    let mut second = consumer(&other);
    for offset in 24..40 {
        let delivery = next(&mut second);
        assert_eq!(delivery.offset(), offset);
        delivery.ack().expect("ours still");
    }
    assert!(second.recv_timeout(Duration::from_millis(500)).is_none(), "there is no more");
}
