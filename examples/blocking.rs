//! Threads that wait: no async runtime anywhere in the program.
//!
//! `cargo run --release --example blocking -- 10000`, with `NAMESRV_ADDR` set for a cluster of
//! yours.

mod common;

use std::process::ExitCode;
use std::thread;

use common::{Outcome, PAUSE, Run, on_ctrl_c};
use rocketry::{Client, Producer, SendError, Start};

/// Threads that send. Each waits for its own message, so this many are under way.
const SENDERS: usize = 16;

fn main() -> ExitCode {
    common::main(std::env::args().skip(1), job)
}

fn job(run: &Run) -> Outcome {
    // Nothing is sent yet: a nameserver that is not there shows as an error of the first send.
    let client = rocketry::blocking::connect(run.config()?)?;
    let to_stop = client.clone();
    on_ctrl_c(move || drop(to_stop.shutdown()))?;

    let done = produce(run, &client).and_then(|()| consume(run, &client));

    // Commits what was consumed and tells the brokers, instead of leaving them to find out.
    client.shutdown().wait()?;
    done
}

fn produce(run: &Run, client: &Client) -> Outcome {
    // One producer serves all threads, over one connection to each broker.
    let producer = client.producer(run.group())?;
    thread::scope(|scope| {
        let start = |first| {
            let producer = producer.clone();
            scope.spawn(move || send(run, &producer, first))
        };
        let senders: Vec<_> = (0..SENDERS).map(start).collect();
        for sender in senders {
            sender.join().map_err(|_| "a sending thread panicked")??;
        }
        Ok(())
    })
}

/// Sends every sixteenth message, beginning with `first`.
fn send(run: &Run, producer: &Producer, first: usize) -> Result<(), SendError> {
    for index in (first..run.count()).step_by(SENDERS) {
        while let Err(error) = producer.send(run.message(index)).wait() {
            // The error knows whether the message may be stored, and whether a repetition can help.
            if !run.may_repeat(&error) {
                return Err(error);
            }
            thread::sleep(PAUSE);
        }
        run.sent(index);
    }
    Ok(())
}

fn consume(run: &Run, client: &Client) -> Outcome {
    let consumer = client.consumer(run.group())?.topic(run.topic(), run.tag());
    let mut consumer = consumer.start_at(Start::First).start()?;
    while let Ok(message) = consumer.recv_timeout(run.patience()) {
        let message = message?;
        run.received(message.body());
        // What is not acked is delivered again.
        message.ack();
    }
    Ok(())
}
