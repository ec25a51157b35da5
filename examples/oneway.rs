//! Messages without an answer: the cheapest way to send, and nobody knows what was stored.
//!
//! `cargo run --release --example oneway -- 10000`, with `NAMESRV_ADDR` set for a cluster of yours.
//!
//! For figures and traces of which some may be missing. A broker that is too busy drops what nobody
//! waits for; what a broken connection had under way is gone as well.

mod common;

use std::process::ExitCode;

use common::{Outcome, Run, on_ctrl_c};
use rocketry::{Client, Start};

fn main() -> ExitCode {
    common::main_in_own_words(std::env::args().skip(1), job)
}

fn job(run: &Run) -> Outcome {
    let client = rocketry::blocking::connect(run.config()?)?;
    let to_stop = client.clone();
    on_ctrl_c(move || drop(to_stop.shutdown()))?;

    let done = produce(run, &client).and_then(|()| consume(run, &client));

    // Commits what was consumed and tells the brokers, instead of leaving them to find out.
    client.shutdown().wait()?;
    done?;
    let (tally, lost) = (run.tally(), run.tally().lost());
    println!("handed over {}, consumed {}, never came {lost}", tally.sent(), tally.consumed());
    Ok(())
}

fn produce(run: &Run, client: &Client) -> Outcome {
    let producer = client.producer(run.group())?;
    // The first one as usual: it finds the brokers, creates the topic if need be, and tells what is
    // wrong where something is. Messages without an answer would only be gone.
    producer.send(run.message(0)).wait()?;
    run.sent(0);
    for index in 1..run.count() {
        // Waits until the message is given to the connection's writer, no longer: so that the
        // network's pace is ours. Errors are those that come before that.
        producer.send_oneway(run.message(index)).wait()?;
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
        message.ack();
    }
    Ok(())
}
