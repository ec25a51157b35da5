//! Much of everything: each message stored once and told once.

use std::collections::{HashSet, VecDeque};
use std::thread;
use std::time::{Duration, Instant};

use rocketry::{Client, Config, Message, Pending, Producer, SendError, SendReceipt};
use rocketry::{SendStatus, Stored, Topic};

use super::producing::named;
use super::{On, Rig, eventually};

const WINDOW: usize = 256;
/// Pause after a broker said that it is busy.
const BUSY: Duration = Duration::from_millis(20);

type Sent = Pending<Result<SendReceipt, SendError>>;

/// What was sent, and where.
pub struct Volume {
    pub rig: Rig,
    pub topic: Topic,
    /// The ids of what was answered `SEND_OK`.
    pub ids: HashSet<String>,
    pub took: Duration,
}

/// A client that gives a busy broker time.
pub fn rig(on: On, namesrv: &str) -> Rig {
    let mut config = Config::new(namesrv).expect("settings that work");
    config.send_timeout = Duration::from_secs(20);
    Rig::with(on, config)
}

/// Sends so many messages of 1 KiB, 256 of them at a time, until each is stored.
pub fn send(rig: Rig, topic: &str, count: usize) -> Volume {
    let (topic, begun) = (named(topic), Instant::now());
    let producer = rig.client.producer("volume").expect("a producer");
    let ids = match rig.handle() {
        None => send_all(&producer, &topic, count),
        Some(handle) => {
            let sending = handle.spawn(send_all_on_tokio(producer, topic.clone(), count));
            handle.block_on(sending).expect("no panic")
        }
    };
    Volume { rig, topic, ids, took: begun.elapsed() }
}

impl Volume {
    /// As many messages lie in the log as were answered `SEND_OK`. Prints both counts.
    pub fn lies_in_the_log(&self, on: On, where_: &str) {
        let sent = self.ids.len() as i64;
        // Brokers put messages into their queues after the answer.
        eventually(Duration::from_secs(20), || stored(&self.rig.client, &self.topic) >= sent);
        let stored = stored(&self.rig.client, &self.topic);
        println!("volume: {where_} {on:?}: {sent} SEND_OK, {stored} in the log, {:?}", self.took);
        assert_eq!(stored, sent, "{where_} {on:?}");
    }
}

/// How many messages a topic has, by the broker's own count.
fn stored(client: &Client, topic: &Topic) -> i64 {
    let queues = client.queues(topic).wait().expect("queues");
    assert_eq!(queues.len(), 8);
    let count = |queue| {
        let end = client.max_offset(queue).wait().expect("an offset");
        end - client.min_offset(queue).wait().expect("an offset")
    };
    queues.iter().map(count).sum()
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
