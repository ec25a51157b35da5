//! The client's log, and the program's own: as text, in colour or as JSON lines, to standard error
//! or a file, from a level on.
//!
//! ```sh
//! cargo run --release --example logging
//! cargo run --release --example logging -- --log color --log-level debug 10
//! cargo run --release --example logging -- --log json --log-file rocketry.jsonl
//! ```
//!
//! The client writes through the crate `log`, under targets that begin with `rocketry`, so that any
//! logger takes its records, with their key-values: this one is `rocketry::logging`, a feature.
//! Until a program installs a logger nothing is written anywhere.

mod common;

use std::collections::VecDeque;
use std::process::ExitCode;
use std::thread;

use common::{Failure, Outcome, PAUSE, Run, on_ctrl_c};
use rocketry::logging::{LevelFilter, Logging};
use rocketry::{Client, Start};

/// Sends under way at once.
const IN_FLIGHT: usize = 32;

fn main() -> ExitCode {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    if let Err(error) = start_logging(&mut args) {
        eprintln!("{error}");
        return ExitCode::from(2);
    }
    common::main(args, job)
}

/// Installs the logger that the arguments ask for, and takes them out.
fn start_logging(args: &mut Vec<String>) -> Result<(), Failure> {
    // `target("rocketry")` would be the client's records alone.
    let mut logging = Logging::new();
    if let Some(form) = take(args, "--log")? {
        logging = logging.form(form.parse().map_err(|error| format!("--log {form}: {error}"))?);
    }
    if let Some(level) = take(args, "--log-level")? {
        let known = "--log-level is off, error, warn, info, debug or trace";
        logging = logging.level(level.parse::<LevelFilter>().map_err(|_| known)?);
    }
    if let Some(path) = take(args, "--log-file")? {
        logging = logging.file(path);
    }
    Ok(logging.start()?)
}

/// The value of an option, taken out of the arguments.
fn take(args: &mut Vec<String>, option: &str) -> Result<Option<String>, Failure> {
    let Some(at) = args.iter().position(|arg| arg == option) else { return Ok(None) };
    args.remove(at);
    if at == args.len() {
        return Err(format!("{option} needs a value").into());
    }
    Ok(Some(args.remove(at)))
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
    // Values are data, not part of the text: a log store can search by them.
    log::info!(topic = run.topic().as_str(), count = run.count(); "sending");
    let producer = client.producer(run.group())?;
    let mut window = VecDeque::new();
    let mut next = 0;
    while next < run.count() || !window.is_empty() {
        if next < run.count() && window.len() < IN_FLIGHT {
            window.push_back((next, producer.send(run.message(next))));
            next += 1;
        } else if let Some((index, mut call)) = window.pop_front() {
            let receipt = loop {
                match call.wait() {
                    Err(error) if run.may_repeat(&error) => {
                        log::warn!(message = index; "sending again: {error}");
                        thread::sleep(PAUSE);
                    }
                    ended => break ended?,
                }
                call = producer.send(run.message(index));
            };
            let (broker, queue, offset) = (&*receipt.broker, receipt.queue, receipt.offset);
            log::debug!(message = index, broker, queue, offset; "stored");
            run.sent(index);
        }
    }
    log::info!(count = run.count(); "all are stored");
    Ok(())
}

fn consume(run: &Run, client: &Client) -> Outcome {
    let consumer = client.consumer(run.group())?.topic(run.topic(), run.tag());
    let mut consumer = consumer.start_at(Start::First).start()?;
    while let Ok(message) = consumer.recv_timeout(run.patience()) {
        let message = message?;
        run.received(message.body());
        let (queue, offset) = (message.queue().queue, message.offset());
        log::debug!(queue, offset; "consumed");
        message.ack();
    }
    log::info!(count = run.tally().consumed(); "no more messages");
    Ok(())
}
