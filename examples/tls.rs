//! Encrypted connections, to brokers whose certificates are verified.
//!
//! `cargo run --release --example tls -- 10000`, with `NAMESRV_ADDR` set for a cluster of yours,
//! and `ROCKETRY_TLS_CA` for the file of its authority.

mod common;

use std::process::ExitCode;

use common::{Outcome, PAUSE, Run, on_ctrl_c};
use rocketry::{Client, Start};

fn main() -> ExitCode {
    common::main(std::env::args().skip(1), job)
}

fn job(run: &Run) -> Outcome {
    let mut config = run.config()?;
    config.tls = true;
    // A path, mostly: `Some("/etc/rocketmq/ca.pem".into())`. Without it, the system's authorities.
    config.tls_ca = Some(run.authority());
    // `tls_cert` and `tls_key` are for brokers that want to know who comes, and `tls_server_name`
    // for certificates that name something else than the brokers' addresses.
    let client = rocketry::blocking::connect(config)?;
    let to_stop = client.clone();
    on_ctrl_c(move || drop(to_stop.shutdown()))?;

    let done = produce(run, &client).and_then(|()| consume(run, &client));
    client.shutdown().wait()?;
    done
}

fn produce(run: &Run, client: &Client) -> Outcome {
    let producer = client.producer(run.group())?;
    for first in (0..run.count()).step_by(100) {
        let indices = first..run.count().min(first + 100);
        let sends: Vec<_> =
            indices.map(|index| (index, producer.send(run.message(index)))).collect();
        for (index, send) in sends {
            let mut result = send.wait();
            while let Err(error) = result {
                // A peer that is not trusted says so here.
                if !run.may_repeat(&error) {
                    return Err(error.into());
                }
                std::thread::sleep(PAUSE);
                result = producer.send(run.message(index)).wait();
            }
            run.sent(index);
        }
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
