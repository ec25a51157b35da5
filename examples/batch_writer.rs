//! Messages written many at once, each once: a batch is written with the place of each message and
//! synced, as one transaction of a file, and acked after. What comes again, after a crash in
//! between or a rebalance, is told by its place and written no second time.
//!
//! `cargo run --release --example batch_writer -- 10000`, with `NAMESRV_ADDR` set for a cluster of
//! yours. The file here is new in each run and goes with it; a database takes its place as well,
//! with the places in a table that the same transaction writes.

mod common;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use common::{Failure, Outcome, Run, on_ctrl_c, send_all};
use rocketry::{Client, Consumer, Delivery, Start};

/// Messages of a batch at most, and how long one waits for so many.
const BATCH: usize = 500;
const WAIT: Duration = Duration::from_millis(50);

fn main() -> ExitCode {
    common::main(std::env::args().skip(1), job)
}

fn job(run: &Run) -> Outcome {
    let client = rocketry::blocking::connect(run.config()?)?;
    let to_stop = client.clone();
    on_ctrl_c(move || drop(to_stop.shutdown()))?;

    let done = send_all(run, &client, |index| vec![run.message(index)])
        .and_then(|()| consume(run, &client));

    client.shutdown().wait()?;
    done
}

fn consume(run: &Run, client: &Client) -> Outcome {
    let builder = client.consumer(run.group())?.topic(run.topic(), run.tag());
    let mut consumer = builder.start_at(Start::First).start()?;
    let path = std::env::temp_dir().join(run.group().as_str());
    let done = Journal::open(&path).and_then(|mut journal| write(run, &mut consumer, &mut journal));
    std::fs::remove_file(&path)?;
    done
}

fn write(run: &Run, consumer: &mut Consumer, journal: &mut Journal) -> Outcome {
    let mut idle = Duration::ZERO;
    while idle < run.patience() {
        let Ok(batch) = consumer.recv_batch(BATCH, WAIT) else { break };
        idle = if batch.is_empty() { idle + WAIT } else { Duration::ZERO };
        let batch = batch.into_iter().collect::<Result<Vec<Delivery>, _>>()?;
        for message in journal.commit(&batch)? {
            run.received(message.body());
        }
        // Only now: a crash before this has the batch come again, to be told by its places.
        for message in batch {
            message.ack();
        }
    }
    println!("{} transactions", journal.transactions);
    Ok(())
}

/// A file of lines, each a message with its place. A line without its end was never committed.
struct Journal {
    path: PathBuf,
    file: File,
    known: BTreeSet<String>,
    transactions: usize,
}

impl Journal {
    /// Opens one, and reads which messages are in it.
    fn open(path: &Path) -> Result<Self, Failure> {
        let file = File::options().create(true).read(true).append(true).open(path)?;
        let lines = BufReader::new(&file).lines();
        let place = |line: String| line.split(' ').next().unwrap_or_default().to_owned();
        let known = lines.map(|line| line.map(place)).collect::<Result<_, _>>()?;
        Ok(Self { path: path.to_owned(), file, known, transactions: 0 })
    }

    /// Writes the messages that are not in it yet, all or none of them, and gives those.
    fn commit<'a>(&mut self, batch: &'a [Delivery]) -> Result<Vec<&'a Delivery>, Failure> {
        let (mut lines, mut new) = (String::new(), Vec::new());
        for message in batch {
            let place = place_of(message);
            if self.known.insert(place.clone()) {
                let text = String::from_utf8_lossy(message.body());
                lines.push_str(&format!("{place} {}\n", text.trim_end()));
                new.push(message);
            }
        }
        if !new.is_empty() {
            let before = self.file.metadata()?.len();
            let done = self.file.write_all(lines.as_bytes()).and_then(|()| self.file.sync_data());
            if let Err(error) = done {
                // As it was: what was written of it goes.
                self.file.set_len(before)?;
                return Err(format!("{}: {error}", self.path.display()).into());
            }
            self.transactions += 1;
        }
        Ok(new)
    }
}

/// A message's place is its own for good: broker, queue and offset.
fn place_of(message: &Delivery) -> String {
    let queue = message.queue();
    format!("{}/{}/{}", queue.broker, queue.queue, message.offset().unwrap_or(-1))
}
