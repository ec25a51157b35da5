//! An order and its message, both or neither: a shop that writes orders is killed, and another one
//! of its group goes on and answers for what the first one began.
//!
//! `cargo run --release --example transactions -- 1000`, with `NAMESRV_ADDR` set for a cluster of
//! yours: brokers ask 6 to 36 s after a half message, so the end of this takes as long there. The
//! database here is a file of lines, synced one by one; with a real one the order is a row, and the
//! local work its transaction.

mod common;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use common::{Failure, Outcome, Run, on_ctrl_c};
use rocketry::{CheckedHalf, Client, Message, Resolution, Start, Topic, TransactionProducer};

/// Brokers have asked about every half message within this.
const CHECKED: Duration = Duration::from_secs(50);
/// What the first shop is told by the second one, which starts it.
const FIRST: &str = "ORDERS_OF_FIRST";

fn main() -> ExitCode {
    match std::env::var(FIRST) {
        Ok(told) => first_shop(&told).map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS),
        Err(_) => common::main(std::env::args().skip(1), job),
    }
}

/// The orders of both shops. A line without its end was never written.
struct Orders {
    path: PathBuf,
    file: Mutex<File>,
}

impl Orders {
    fn open(path: &Path) -> Result<Self, Failure> {
        let file = File::options().create(true).read(true).append(true).open(path)?;
        Ok(Self { path: path.to_owned(), file: Mutex::new(file) })
    }

    /// Writes an order for good.
    fn write(&self, number: usize) -> Result<(), Failure> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(format!("{number}\n").as_bytes())?;
        Ok(file.sync_data()?)
    }

    /// The numbers of all that were written.
    fn written(&self) -> Result<BTreeSet<usize>, Failure> {
        let mut text = String::new();
        File::open(&self.path)?.read_to_string(&mut text)?;
        let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
        Ok(whole.lines().filter_map(|line| line.parse().ok()).collect())
    }

    /// Cuts off what a shop that died has left of a line.
    fn mend(&self) -> Result<(), Failure> {
        let text = std::fs::read(&self.path)?;
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(file.set_len(whole as u64)?)
    }

    /// How the transaction of a half message ended, whoever began it. Writing an order never takes
    /// as long as until a broker asks for the second time: what is not there then never will be.
    fn check(&self, half: &CheckedHalf) -> Resolution {
        let (Ok(written), Ok(number)) = (self.written(), half.transaction_id().parse()) else {
            return Resolution::Unknown;
        };
        match written.contains(&number) {
            true => Resolution::Commit,
            false if half.checks() > 1 => Resolution::RollBack,
            false => Resolution::Unknown,
        }
    }
}

/// A producer of a group that is the shops' own: its checker is any of theirs.
fn shop(client: &Client, group: &str, path: &Path) -> Result<TransactionProducer, Failure> {
    let orders = Orders::open(path)?;
    Ok(client.transaction_producer(group, move |half| orders.check(half))?)
}

/// Takes one order: the half message, the order, and its end.
fn take(shop: &TransactionProducer, orders: &Orders, number: usize, order: Message) -> Outcome {
    let half = shop.begin(order.transaction_id(&number.to_string())).wait()?;
    if let Err(error) = orders.write(number) {
        half.roll_back().wait()?;
        return Err(error);
    }
    // Whatever comes of it, the order is there: a broker that was not told asks.
    half.commit().wait()?;
    Ok(())
}

/// The first shop takes orders until it is killed.
fn first_shop(told: &str) -> Outcome {
    let told: Vec<&str> = told.splitn(4, '\n').collect();
    let [namesrv, topic, group, path] = told[..] else { return Err("not told enough".into()) };
    let client = rocketry::blocking::connect(common::config_at(namesrv)?)?;
    let path = Path::new(path);
    let topic = Topic::new(topic)?;
    let (shop, orders) = (shop(&client, group, path)?, Orders::open(path)?);
    for number in 0.. {
        take(&shop, &orders, number, common::message_of(&topic, group, number))?;
    }
    Ok(())
}

fn job(run: &Run) -> Outcome {
    let client = rocketry::blocking::connect(run.config()?)?;
    let to_stop = client.clone();
    on_ctrl_c(move || drop(to_stop.shutdown()))?;
    let path = std::env::temp_dir().join(run.group().as_str());
    let done = both(run, &client, &path);
    std::fs::remove_file(&path)?;
    client.shutdown().wait()?;
    done
}

fn both(run: &Run, client: &Client, path: &Path) -> Outcome {
    let group = run.group().as_str();
    let orders = Orders::open(path)?;
    let told = [run.namesrv(), run.topic().as_str(), group, &path.to_string_lossy()].join("\n");
    let mut first = Command::new(std::env::current_exe()?).env(FIRST, told).spawn()?;
    while orders.written()?.len() < run.count() / 2 && first.try_wait()?.is_none() {
        thread::sleep(Duration::from_millis(1));
    }
    first.kill()?;
    first.wait()?;
    orders.mend()?;
    let before = orders.written()?;
    println!("the first shop was killed after {} orders", before.len());

    // What it began and did not end is this shop's to answer for.
    let shop = shop(client, group, path)?;
    shop.attend(run.topic());
    for number in (0..run.count()).filter(|number| !before.contains(number)) {
        if common::is_stopped() {
            return Ok(());
        }
        take(&shop, &orders, number, run.message(number))?;
    }
    orders.written()?.into_iter().for_each(|number| run.sent(number));
    consume(run, client)?;
    println!("{}", client.stats().transactions);
    Ok(())
}

fn consume(run: &Run, client: &Client) -> Outcome {
    let reader = format!("{}-readers", run.group());
    let builder = client.consumer(reader)?.topic(run.topic(), run.tag());
    let mut consumer = builder.start_at(Start::First).start()?;
    let begun = Instant::now();
    while !common::is_stopped() {
        match consumer.recv_timeout(Duration::from_millis(200)) {
            Ok(delivery) => {
                let delivery = delivery?;
                run.received(delivery.body());
                delivery.ack();
            }
            // All is there, and whatever a broker could ask about it has asked about.
            Err(_) if run.tally().is_complete() && client.stats().transactions.asking == 0 => break,
            Err(_) if begun.elapsed() > CHECKED => break,
            Err(_) => {}
        }
    }
    Ok(())
}
