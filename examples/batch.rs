//! Many messages in one request: stored one after the other in one queue, or none of them.
//!
//! `cargo run --release --example batch -- 10000`, with `NAMESRV_ADDR` set for a cluster of yours.

mod common;

use std::collections::VecDeque;
use std::process::ExitCode;
use std::thread;

use common::{Outcome, PAUSE, Run, on_ctrl_c};
use rocketry::{Client, Message, Pending, Producer, SendError, SendReceipt, Start};

/// Messages in a batch. Together they must fit `max_body`, 4 MiB unless configured otherwise.
const BATCH: usize = 32;
/// Batches under way at once.
const IN_FLIGHT: usize = 8;

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

/// A batch under way: its first message's number, its messages, and the call.
type Sending = (usize, Vec<Message>, Pending<Result<SendReceipt, SendError>>);

fn produce(run: &Run, client: &Client) -> Outcome {
    let producer = client.producer(run.group())?;
    let mut window: VecDeque<Sending> = VecDeque::new();
    let mut batches = 0;
    for first in (0..run.count()).step_by(BATCH) {
        // All of one topic, none with a delay: they are stored together.
        let numbers = first..run.count().min(first + BATCH);
        let batch: Vec<Message> = numbers.map(|index| run.message(index)).collect();
        let call = producer.send_batch(&batch);
        window.push_back((first, batch, call));
        if window.len() == IN_FLIGHT {
            batches += settle(run, &producer, window.pop_front())?;
        }
    }
    while !window.is_empty() {
        batches += settle(run, &producer, window.pop_front())?;
    }
    println!("{} messages left in {batches} requests", run.count());
    Ok(())
}

/// Waits for a batch, and sends again what a busy broker refused. Gives how many were stored.
fn settle(run: &Run, producer: &Producer, sending: Option<Sending>) -> Result<usize, SendError> {
    let Some((first, batch, mut call)) = sending else { return Ok(0) };
    let receipt = loop {
        match call.wait() {
            Ok(receipt) => break receipt,
            // One error for all of them: none was stored, or all of them may be.
            Err(error) if run.may_repeat(&error) => thread::sleep(PAUSE),
            Err(error) => return Err(error),
        }
        call = producer.send_batch(&batch);
    };
    // One receipt for all of them, with each one's id and offset, in their order.
    for (index, (_id, _offset, _)) in receipt.messages().enumerate() {
        run.sent(first + index);
    }
    Ok(1)
}

/// Consumers see single messages: nothing tells that they came in a batch.
fn consume(run: &Run, client: &Client) -> Outcome {
    let consumer = client.consumer(run.group())?.topic(run.topic(), run.tag());
    let mut consumer = consumer.start_at(Start::First).start()?;
    while let Ok(message) = consumer.recv_timeout(run.patience()) {
        let message = message?;
        run.received(message.body());
        message.ack();
    }
    Ok(())
}
