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
//! logger takes its records, with their key-values: this one is `env_logger`. Until a program
//! installs a logger nothing is written anywhere.

mod common;

use std::collections::VecDeque;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::process::ExitCode;
use std::thread;

use common::{Failure, Outcome, PAUSE, Run, on_ctrl_c};
use env_logger::{Builder, Target, WriteStyle};
use log::kv::{self, Key, Value, VisitSource};
use log::{LevelFilter, Record};
use rocketry::{Client, Start};
use serde_json::{Map, json};

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
    let form = take(args, "--log")?.unwrap_or("text".to_owned());
    let level = take(args, "--log-level")?.unwrap_or("info".to_owned());
    let mut logger = Builder::new();
    match level.parse::<LevelFilter>() {
        // `filter_module("rocketry", level)` would be the client's records alone.
        Ok(level) => logger.filter_level(level),
        Err(_) => return Err("--log-level is off, error, warn, info, debug or trace".into()),
    };
    match form.as_str() {
        "text" => logger.format_timestamp_millis().write_style(WriteStyle::Never),
        "color" => {
            // A user who wants no colours anywhere (https://no-color.org) is asked first.
            let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
            let style = if plain { WriteStyle::Never } else { WriteStyle::Always };
            logger.format_timestamp_millis().write_style(style)
        }
        "json" => logger.format(|line, record| {
            let time = line.timestamp_millis();
            write_json(line, &time.to_string(), record)
        }),
        _ => return Err("--log is text, json or color".into()),
    };
    if let Some(path) = take(args, "--log-file")? {
        let file = OpenOptions::new().create(true).append(true).open(&path);
        let file = file.map_err(|error| format!("can't write the log {path}: {error}"))?;
        logger.target(Target::Pipe(Box::new(file)));
    }
    Ok(logger.try_init()?)
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

/// One record as one line of JSON. Key-values are an object of their own: their names are free.
fn write_json(line: &mut dyn Write, time: &str, record: &Record<'_>) -> io::Result<()> {
    let mut fields = Fields(Map::new());
    record.key_values().visit(&mut fields).map_err(io::Error::other)?;
    let (level, target) = (record.level(), json!(record.target()));
    let (message, fields) = (json!(record.args().to_string()), json!(fields.0));
    write!(line, r#"{{"time":"{time}","level":"{level}","target":{target},"#)?;
    writeln!(line, r#""message":{message},"fields":{fields}}}"#)
}

/// A record's key-values. Numbers stay numbers.
struct Fields(Map<String, serde_json::Value>);

impl<'kvs> VisitSource<'kvs> for Fields {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        let value = match (value.to_u64(), value.to_i64(), value.to_bool()) {
            (Some(number), _, _) => json!(number),
            (_, Some(number), _) => json!(number),
            (_, _, Some(flag)) => json!(flag),
            (None, None, None) => json!(value.to_string()),
        };
        self.0.insert(key.to_string(), value);
        Ok(())
    }
}

fn job(run: &Run) -> Outcome {
    let client = rocketry::blocking::connect(run.namesrv())?;
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
