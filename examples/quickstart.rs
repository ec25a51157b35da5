//! Sends messages through a broker, consumes them, and shows how that went.
//!
//! ```sh
//! cargo run --release --example quickstart                      # embedded broker, 10,000 messages
//! cargo run --release --example quickstart -- 100000 --runtime tokio
//! NAMESRV_ADDR=localhost:9876 cargo run --release --example quickstart
//! ```
//!
//! What a cluster asks for, such as access keys and TLS, is said in the environment
//! (`ROCKETRY_ACCESS_KEY`, `ROCKETRY_SECRET_KEY`, `ROCKETRY_TLS_CA`).
//!
//! `blocking.rs`, `tokio.rs` and `smol.rs` do the same without the figures.

mod common;

use std::collections::VecDeque;
use std::fmt::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use common::{Outcome, PAUSE, Run, on_ctrl_c};
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use rocketry::{Client, Pending, Producer, SendError, SendReceipt, Start};

/// Sends under way at once.
const IN_FLIGHT: usize = 256;

#[derive(Clone, Copy, Debug)]
enum Runtime {
    Std,
    Tokio,
    Smol,
    AsyncStd,
}

fn main() -> ExitCode {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let mut runtime = Runtime::Std;
    if let Some(at) = args.iter().position(|arg| arg == "--runtime") {
        match args.get(at + 1).map(String::as_str) {
            Some("std") => runtime = Runtime::Std,
            Some("tokio") => runtime = Runtime::Tokio,
            Some("smol") => runtime = Runtime::Smol,
            Some("async-std") => runtime = Runtime::AsyncStd,
            _ => {
                eprintln!("--runtime is std, tokio, smol or async-std");
                return ExitCode::from(2);
            }
        }
        args.drain(at..at + 2);
    }
    common::main(args, |run| job(run, runtime))
}

fn job(run: &Run, runtime: Runtime) -> Outcome {
    // The handles are the same types on every runtime; only who moves the bytes differs.
    match runtime {
        Runtime::Std => through(run, &rocketry::blocking::connect(run.config()?)?, "threads"),
        Runtime::Smol => through(run, &rocketry::smol::connect(run.config()?)?, "smol"),
        Runtime::AsyncStd => {
            through(run, &rocketry::async_std::connect(run.config()?)?, "async-std")
        }
        Runtime::Tokio => {
            let tokio = tokio::runtime::Runtime::new()?;
            let config = run.config()?;
            let connect = async { rocketry::tokio::connect(config) };
            through(run, &tokio.block_on(connect)?, "tokio")
        }
    }
}

fn through(run: &Run, client: &Client, runtime: &str) -> Outcome {
    let to_stop = client.clone();
    on_ctrl_c(move || drop(to_stop.shutdown()))?;
    println!("client on {runtime}, {IN_FLIGHT} messages in flight");

    let done = produce(run, client).and_then(|()| consume(run, client));
    // Commits what was consumed and tells the brokers, instead of leaving them to find out.
    client.shutdown().wait()?;
    done
}

type Call = Pending<Result<SendReceipt, SendError>>;
/// A send under way: its message's number, when it began, and the call.
type Sending = (usize, Instant, Call);

fn produce(run: &Run, client: &Client) -> Outcome {
    let bar = progress("sending", run.count());
    let began = Instant::now();
    let producer = client.producer(run.group())?;
    // The first send alone: it finds the brokers, connects, and creates the topic if need be.
    let receipt = settle(run, &producer, 0, producer.send(run.message(0)))?;
    let first = began.elapsed();
    run.sent(0);

    let mut window: VecDeque<Sending> = VecDeque::with_capacity(IN_FLIGHT);
    let mut brokers = vec![receipt.broker];
    let mut latencies = vec![first];
    let mut next = 1;
    while next < run.count() || !window.is_empty() {
        if next < run.count() && window.len() < IN_FLIGHT {
            window.push_back((next, Instant::now(), producer.send(run.message(next))));
            next += 1;
        } else if let Some((index, since, pending)) = window.pop_front() {
            let receipt = settle(run, &producer, index, pending)?;
            latencies.push(since.elapsed());
            run.sent(index);
            note_broker(&mut brokers, &receipt.broker);
            bar.inc(1);
        }
    }
    let took = began.elapsed();
    bar.finish_and_clear();
    latencies.sort_unstable();
    println!(
        "sent {} messages in {}: {}/s; the first after {}; p50 {}, p99 {}; to {}",
        latencies.len(),
        time(took),
        rate(latencies.len(), took),
        time(first),
        time(percentile(&latencies, 50)),
        time(percentile(&latencies, 99)),
        brokers.join(", "),
    );
    Ok(())
}

/// Waits for a send, and sends again what a busy broker refused.
fn settle(
    run: &Run,
    producer: &Producer,
    index: usize,
    mut call: Call,
) -> Result<SendReceipt, SendError> {
    loop {
        match call.wait() {
            Err(error) if run.may_repeat(&error) => thread::sleep(PAUSE),
            ended => return ended,
        }
        call = producer.send(run.message(index));
    }
}

fn consume(run: &Run, client: &Client) -> Outcome {
    let bar = progress("consuming", run.count());
    let began = Instant::now();
    let consumer = client.consumer(run.group())?.topic(run.topic(), run.tag());
    let mut consumer = consumer.start_at(Start::First).start()?;
    let (mut first, mut took, mut consumed) = (Duration::ZERO, Duration::ZERO, 0);
    while let Ok(message) = consumer.recv_timeout(run.patience()) {
        let message = message?;
        took = began.elapsed();
        if consumed == 0 {
            first = took;
        }
        consumed += 1;
        run.received(message.body());
        message.ack();
        bar.inc(1);
    }
    bar.finish_and_clear();
    println!(
        "consumed {consumed} messages in {}: {}/s; the first after {}",
        time(took),
        rate(consumed, took),
        time(first),
    );
    Ok(())
}

/// A bar on the terminal's error output; nothing when that is not a terminal.
fn progress(what: &'static str, count: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg:9} [{bar:40}] {pos}/{len} {rate}");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    let rate = |state: &ProgressState, out: &mut dyn Write| {
        // The bar is only there to be looked at: nothing is to be done about a failed write.
        let _ = write!(out, "{:.0}/s", state.per_sec());
    };
    ProgressBar::new(count as u64).with_style(style.with_key("rate", rate)).with_message(what)
}

fn note_broker(brokers: &mut Vec<Arc<str>>, broker: &Arc<str>) {
    if !brokers.contains(broker) {
        brokers.push(broker.clone());
    }
}

/// The duration that `percent` of the calls did not exceed; of none, zero.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(rank).copied().unwrap_or_default()
}

fn rate(count: usize, took: Duration) -> u64 {
    (count as f64 / took.as_secs_f64().max(1e-9)) as u64
}

fn time(took: Duration) -> String {
    match took.as_secs_f64() {
        seconds if seconds >= 1.0 => format!("{seconds:.2} s"),
        seconds => format!("{:.2} ms", seconds * 1e3),
    }
}
