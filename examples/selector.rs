//! A choice of one's own: each message goes to a queue of the broker that answers quickest.
//!
//! `cargo run --release --example selector -- 10000`, with `NAMESRV_ADDR` set for a cluster of
//! yours: with several brokers it is worth more.

mod common;

use std::collections::{BTreeMap, VecDeque};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use common::{Outcome, PAUSE, Run, on_ctrl_c};
use rocketry::{Client, Message, Pending, Producer, QueueChoice, Start};
use rocketry::{SendError, SendReceipt};

/// Sends under way at once.
const IN_FLIGHT: usize = 32;
/// Brokers whose times differ by less than this are equally quick.
const CLOSE: Duration = Duration::from_millis(1);
/// One message in so many may go to any broker.
const LOOK: usize = 100;

fn main() -> ExitCode {
    common::main(std::env::args().skip(1), job)
}

fn job(run: &Run) -> Outcome {
    let mut config = run.config()?;
    // Leaves brokers alone for a while that failed or answered late; the selector sees which.
    config.fault_isolation = true;
    let client = rocketry::blocking::connect(config)?;
    let to_stop = client.clone();
    on_ctrl_c(move || drop(to_stop.shutdown()))?;

    let done = produce(run, &client).and_then(|()| consume(run, &client));

    // Commits what was consumed and tells the brokers, instead of leaving them to find out.
    client.shutdown().wait()?;
    done
}

/// The place of the queue that message number `index` goes to: in turn among those of the quickest
/// brokers. It sees the message too, and all queues of its topic that may be written to, as they
/// are at this moment. It may take its time, or even panic: nothing of the client waits for it.
fn quickest(index: usize, _message: &Message, queues: &[QueueChoice]) -> Option<usize> {
    // All left alone? Then any is as good as the other.
    let fit = |choice: &QueueChoice| !choice.isolated || queues.iter().all(|one| one.isolated);
    // A broker that was never asked has answered in no time: so each one gets its try. A few
    // messages go to slow ones too: else nobody would see that they are quick again.
    let best = queues.iter().filter(|choice| fit(choice)).map(|choice| choice.latency).min()?;
    let (turn, any) =
        if index.is_multiple_of(LOOK) { (index / LOOK, true) } else { (index, false) };
    let good = |choice: &QueueChoice| fit(choice) && (any || choice.latency <= best + CLOSE);
    let good: Vec<usize> = (0..queues.len()).filter(|place| good(&queues[*place])).collect();
    good.get(turn % good.len()).copied()
}

type Call = Pending<Result<SendReceipt, SendError>>;

fn send(run: &Run, producer: &Producer, index: usize) -> Call {
    producer.send_with_selector(run.message(index), move |message, queues| {
        quickest(index, message, queues)
    })
}

fn produce(run: &Run, client: &Client) -> Outcome {
    let producer = client.producer(run.group())?;
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    let mut window: VecDeque<(usize, Call)> = VecDeque::new();
    let mut next = 0;
    while next < run.count() || !window.is_empty() {
        if next < run.count() && window.len() < IN_FLIGHT {
            window.push_back((next, send(run, &producer, next)));
            next += 1;
        } else if let Some((index, mut call)) = window.pop_front() {
            let receipt = loop {
                match call.wait() {
                    // Every try of a chosen queue goes to it; another call chooses anew.
                    Err(error) if run.may_repeat(&error) => thread::sleep(PAUSE),
                    ended => break ended?,
                }
                call = send(run, &producer, index);
            };
            *taken.entry(receipt.broker.to_string()).or_default() += 1;
            run.sent(index);
        }
    }
    for (broker, count) in taken {
        println!("{broker} took {count}");
    }
    Ok(())
}

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
