//! A cache in each of two front ends, and changes that are broadcast: each one hears of every
//! change and forgets what it has of that key. One of them is away for half of the changes, and
//! goes on from the file of its offsets when it is back.
//!
//! `cargo run --release --example broadcast -- 40`, with `NAMESRV_ADDR` set for a cluster of yours.
//! Keep `offset_store_path` where it outlives the program: without it, offsets are below the home,
//! where Java has them.

mod common;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use common::{Outcome, Run, on_ctrl_c};
use rocketry::{Client, MessageModel, MessageView, RunOptions, Start};

/// Keys of the database.
const KEYS: usize = 8;
/// How long handlers that are busy may take to end.
const GRACE: Duration = Duration::from_secs(10);
/// How long a change may take to be heard of: the first ones wait for the topic to be there.
const PATIENCE: Duration = Duration::from_secs(30);

/// Values by key: the database, and what a cache has of it.
type Table = Mutex<BTreeMap<usize, usize>>;

fn main() -> ExitCode {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    if args.is_empty() {
        args.push("40".to_owned());
    }
    common::main_in_own_words(args, job)
}

fn value(table: &Table, key: usize) -> Option<usize> {
    table.lock().unwrap_or_else(PoisonError::into_inner).get(&key).copied()
}

fn set(table: &Table, key: usize, value: usize) {
    table.lock().unwrap_or_else(PoisonError::into_inner).insert(key, value);
}

/// The folder of the offsets, which goes with the program here.
struct Offsets(PathBuf);

impl Drop for Offsets {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A front end's cache, which outlives its consumer here.
#[derive(Default)]
struct Cache {
    kept: Table,
    heard: AtomicUsize,
}

impl Cache {
    /// From here, or else from the database.
    fn get(&self, database: &Table, key: usize) -> Option<usize> {
        if let Some(kept) = value(&self.kept, key) {
            return Some(kept);
        }
        let read = value(database, key)?;
        set(&self.kept, key, read);
        Some(read)
    }

    /// The key has another value now.
    fn forget(&self, key: usize) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
        self.heard.fetch_add(1, Ordering::Relaxed);
    }

    fn heard(&self) -> usize {
        self.heard.load(Ordering::Relaxed)
    }
}

/// A front end while it is there.
struct Front {
    client: Client,
    handlers: rocketry::Run,
}

impl Front {
    /// Begins, or goes on from its file. Two of one name can't be there at once.
    fn start(
        run: &Run,
        offsets: &Offsets,
        name: &str,
        cache: &Arc<Cache>,
    ) -> Result<Self, common::Failure> {
        let mut config = run.config()?;
        config.instance_name = Some(name.to_owned());
        config.offset_store_path = offsets.0.to_str().map(str::to_owned);
        let client = rocketry::blocking::connect(config)?;
        let builder = client.consumer(run.group())?.topic(run.topic(), run.tag());
        let builder = builder.model(MessageModel::Broadcasting).start_at(Start::First);
        let cache = cache.clone();
        let handler = move |message: &MessageView| {
            if let Some(number) = common::number(message.body()) {
                cache.forget(number % KEYS);
            }
        };
        let handlers = builder.start()?.run(RunOptions::default(), handler)?;
        Ok(Self { client, handlers })
    }

    /// Ends: what was handled is saved.
    fn stop(self) -> Outcome {
        self.handlers.stop(GRACE).wait()?;
        self.client.shutdown().wait()?;
        Ok(())
    }
}

/// Changes values, and broadcasts that they are others: after they are.
fn change(
    run: &Run,
    client: &Client,
    database: &Table,
    numbers: std::ops::Range<usize>,
) -> Outcome {
    let producer = client.producer(run.group())?;
    for number in numbers.take_while(|_| !common::is_stopped()) {
        set(database, number % KEYS, number);
        producer.send(run.message(number)).wait()?;
    }
    Ok(())
}

/// Whether both have heard of so many changes, in time.
fn await_heard(caches: &[&Cache], count: usize) -> Outcome {
    let began = Instant::now();
    while caches.iter().any(|cache| cache.heard() < count) && !common::is_stopped() {
        if began.elapsed() > PATIENCE {
            let heard: Vec<usize> = caches.iter().map(|cache| cache.heard()).collect();
            return Err(format!("{heard:?} changes of {count} were heard of").into());
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

fn job(run: &Run) -> Outcome {
    on_ctrl_c(|| {})?;
    let offsets = Offsets(std::env::temp_dir().join(run.group().as_str()));
    let (database, one, two) = (Table::default(), Arc::<Cache>::default(), Arc::default());
    (0..KEYS).for_each(|key| set(&database, key, 0));
    let first = Front::start(run, &offsets, "front-1", &one)?;
    let second = Front::start(run, &offsets, "front-2", &two)?;

    let half = run.count() / 2;
    change(run, &first.client, &database, 0..half)?;
    await_heard(&[&one, &two], half)?;
    // Both read, and keep, what is there now; then the second is away.
    for key in 0..KEYS {
        let _ = (one.get(&database, key), two.get(&database, key));
    }
    second.stop()?;
    change(run, &first.client, &database, half..run.count())?;
    let stale = (0..KEYS).filter(|key| value(&two.kept, *key) != value(&database, *key)).count();

    let second = Front::start(run, &offsets, "front-2", &two)?;
    await_heard(&[&one, &two], run.count())?;
    if common::is_stopped() {
        return Ok(());
    }
    for key in 0..KEYS {
        let (there, [one, two]) =
            (value(&database, key), [&one, &two].map(|cache| cache.get(&database, key)));
        if (one, two) != (there, there) {
            return Err(format!("key {key} is {there:?}, the caches have {one:?}, {two:?}").into());
        }
    }
    println!(
        "front-1 heard of {} changes, front-2 of {}, {} of them when it was back, with {stale} \
         stale values; both caches are right",
        one.heard(),
        two.heard(),
        two.heard() - half
    );
    second.stop()?;
    first.stop()
}
