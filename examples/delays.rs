//! Messages for later: after a time of any length, at a time, and taken back.
//!
//! `cargo run --release --example delays -- 100`, with `NAMESRV_ADDR` set for a cluster of yours.

mod common;

use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

use common::{Outcome, Run, on_ctrl_c};
use rocketry::{Client, ErrorKind, Message, Start};

/// Brokers deliver in the second after it.
const LATER: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    common::main(std::env::args().skip(1), job)
}

fn job(run: &Run) -> Outcome {
    let client = rocketry::blocking::connect(run.config()?)?;
    let to_stop = client.clone();
    on_ctrl_c(move || drop(to_stop.shutdown()))?;

    let begun = Instant::now();
    let done = produce(run, &client)
        .and_then(|()| take_back(run, &client))
        .and_then(|()| consume(run, &client, begun));
    client.shutdown().wait()?;
    done
}

/// Half of the messages are for a while from now, half of them for a moment.
fn produce(run: &Run, client: &Client) -> Outcome {
    let at = SystemTime::now() + LATER;
    common::send_all(run, client, |index| {
        let message = run.message(index);
        vec![if index % 2 == 0 { message.delay(LATER) } else { message.deliver_at(at) }]
    })
}

/// One that is not to come: from 5.3 on, and only where the broker may (`recallMessageEnable`).
fn take_back(run: &Run, client: &Client) -> Outcome {
    let producer = client.producer(run.group())?;
    let message = Message::new(run.topic().clone(), "not this one").delay(60 * LATER);
    let receipt = producer.send(message).wait()?;
    let Some(handle) = &receipt.recall_handle else {
        println!("this broker takes no messages back: it is older than 5.3");
        return Ok(());
    };
    match producer.recall(handle).wait() {
        Ok(id) => println!("message {id} is taken back"),
        Err(error) if error.kind() == ErrorKind::Rejected => println!("{error}"),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

fn consume(run: &Run, client: &Client, begun: Instant) -> Outcome {
    let consumer = client.consumer(run.group())?.topic(run.topic(), run.tag());
    let mut consumer = consumer.start_at(Start::First).start()?;
    let mut first = None;
    while let Ok(message) = consumer.recv_timeout(run.patience()) {
        let message = message?;
        first.get_or_insert_with(|| begun.elapsed());
        run.received(message.body());
        message.ack();
    }
    if let Some(first) = first {
        println!(
            "the first of {} came {:.1} s after the sends began",
            run.count(),
            first.as_secs_f64()
        );
    }
    Ok(())
}
