//! A choice by properties: brokers give each of two groups what it asks for in SQL, the large
//! orders and the small ones, and nothing else crosses the wire.
//!
//! `cargo run --release --example sql -- 10000`, with `NAMESRV_ADDR` set for a cluster of yours,
//! whose brokers have `enablePropertyFilter=true` in their properties.

mod common;

use std::process::ExitCode;

use common::{Outcome, on_ctrl_c, send_all};
use rocketry::{Client, Filter, Message, Start};

/// From here on an order is large.
const LARGE: usize = 100;

fn main() -> ExitCode {
    common::main(std::env::args().skip(1), job)
}

fn job(run: &common::Run) -> Outcome {
    let client = rocketry::blocking::connect(run.config()?)?;
    let to_stop = client.clone();
    on_ctrl_c(move || drop(to_stop.shutdown()))?;

    let done = send_all(run, &client, |index| vec![order(run, index)])
        .and_then(|()| consume(run, &client, "large", "amount >= 100 AND region IN ('eu', 'us')"))
        .and_then(|()| consume(run, &client, "small", "amount < 100 OR region IS NULL"));

    client.shutdown().wait()?;
    done
}

/// Properties are texts; what a broker compares with a number is read as one.
fn order(run: &common::Run, index: usize) -> Message {
    let message = run.message(index).property("amount", &(index % (2 * LARGE)).to_string());
    match index % 3 {
        0 => message.property("region", "eu"),
        1 => message.property("region", "us"),
        _ => message,
    }
}

fn consume(run: &common::Run, client: &Client, what: &str, expression: &str) -> Outcome {
    let builder = client.consumer(format!("{}-{what}", run.group()))?;
    let builder = builder.topic(run.topic(), Filter::sql(expression));
    let mut consumer = builder.start_at(Start::First).start()?;
    let mut count = 0;
    // A broker that can't read the expression, or does not filter by properties, is
    // `RecvTimeoutError::Filter` here.
    while !common::is_stopped() {
        match consumer.recv_timeout(run.patience()) {
            Ok(Ok(order)) => {
                run.received(order.body());
                order.ack();
                count += 1;
            }
            Ok(Err(unreadable)) => return Err(unreadable.to_string().into()),
            Err(rocketry::client::RecvTimeoutError::Timeout) => break,
            Err(error) => return Err(error.into()),
        }
    }
    println!("{count} {what} ones: {expression}");
    consumer.close().wait()?;
    Ok(())
}
