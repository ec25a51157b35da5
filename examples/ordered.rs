//! Order by key: all messages of one customer go to one queue, and come in the order they were
//! sent in.
//!
//! `cargo run --release --example ordered -- 10000`, with `NAMESRV_ADDR` set for a cluster of
//! yours.
//!
//! A queue keeps the order in which its broker stored its messages. So two things make an order:
//! one queue for each key, and one message of a key under way at a time, the next one only when
//! the one before is stored. Different keys need not wait for each other.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::thread;

use common::{Outcome, PAUSE, Run, number, on_ctrl_c};
use rocketry::{Client, Message, Producer, SendError, SendOptions, SendReceipt, Start};

/// Customers, each with orders of its own. One thread for each.
const CUSTOMERS: usize = 16;

fn main() -> ExitCode {
    common::main(std::env::args().skip(1), job)
}

fn job(run: &Run) -> Outcome {
    let client = rocketry::blocking::connect(run.config()?)?;
    let to_stop = client.clone();
    on_ctrl_c(move || drop(to_stop.shutdown()))?;

    let done = produce(run, &client).and_then(|()| consume(run, &client));

    // Commits what was consumed and tells the brokers, instead of leaving them to find out.
    client.shutdown().wait()?;
    done
}

fn produce(run: &Run, client: &Client) -> Outcome {
    let producer = client.producer(run.group())?;
    thread::scope(|scope| {
        let start = |customer| {
            let producer = producer.clone();
            scope.spawn(move || send(run, &producer, customer))
        };
        let senders: Vec<_> = (0..CUSTOMERS).map(start).collect();
        for sender in senders {
            sender.join().map_err(|_| "a sending thread panicked")??;
        }
        Ok(())
    })
}

/// Sends one customer's messages: every sixteenth, beginning with `customer`.
fn send(run: &Run, producer: &Producer, customer: usize) -> Outcome {
    let key = format!("customer-{customer}");
    let mut home: Option<(String, i32)> = None;
    for index in (customer..run.count()).step_by(CUSTOMERS) {
        let message = run.message(index).key(&key);
        let receipt = send_one(run, producer, &message, &key)?;
        run.sent(index);
        // The queue stays the same while the topic's queues do.
        let at = (receipt.broker.to_string(), receipt.queue);
        if *home.get_or_insert(at.clone()) != at {
            return Err(format!("{key} moved to queue {} of {}", at.1, at.0).into());
        }
    }
    Ok(())
}

fn send_one(
    run: &Run,
    producer: &Producer,
    message: &Message,
    key: &str,
) -> Result<SendReceipt, SendError> {
    loop {
        // The hash is Java's, so that Java producers of the same keys use the same queues.
        match producer.send_with(message.clone(), SendOptions::hash(key)).wait() {
            // Nobody has sent a later one meanwhile: the order holds.
            Err(error) if run.may_repeat(&error) => thread::sleep(PAUSE),
            ended => return ended,
        }
    }
}

/// Takes the messages of each queue in their order, in one thread.
fn consume(run: &Run, client: &Client) -> Outcome {
    let consumer = client.consumer(run.group())?.topic(run.topic(), run.tag());
    let mut consumer = consumer.start_at(Start::First).start()?;
    let mut newest: BTreeMap<String, usize> = BTreeMap::new();
    let mut queues = BTreeSet::new();
    while let Ok(message) = consumer.recv_timeout(run.patience()) {
        let message = message?;
        run.received(message.body());
        if let Some(index) = number(message.body()) {
            let key = message.message().keys().next().unwrap_or_default().to_owned();
            let before = newest.insert(key.clone(), index);
            if before.is_some_and(|before| before >= index) {
                return Err(format!("{key}: message {index} came after {before:?}").into());
            }
            queues.insert(message.queue().clone());
        }
        message.ack();
    }
    println!("{} customers in {} queues, each in its order", newest.len(), queues.len());
    Ok(())
}
