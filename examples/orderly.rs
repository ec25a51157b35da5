//! Orders handled in their order: each customer's balance is written to a "database" by handlers of
//! which only one at a time has a customer, and a write that fails is tried again before the next
//! one.
//!
//! `cargo run --release --example orderly -- 10000`, with `NAMESRV_ADDR` set for a cluster of
//! yours.
//!
//! The key of a message picks its queue, and the queue has one handler at a time in the whole
//! group. So the handler needs no lock of its own, and nothing is kept for each key but what the
//! application itself keeps.

mod common;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use common::{Outcome, number, on_ctrl_c};
use rocketry::{Client, Message, MessageView, RunOptions, SendOptions, Start};

const CUSTOMERS: usize = 100;
/// Each so-many-th order can't be written at the first attempt.
const FAILS: usize = 1000;
/// What a write may take, and must not outlive: the broker has no fence against who lost a lock.
const WRITE: Duration = Duration::from_secs(2);
const GRACE: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    common::main_shared(std::env::args().skip(1), job)
}

fn job(run: &Arc<common::Run>) -> Outcome {
    let client = rocketry::blocking::connect(run.config()?)?;
    on_ctrl_c(|| {})?;

    let done = produce(run, &client).and_then(|()| consume(run, &client));

    // Gives the locks back, so that another member goes on at once.
    client.shutdown().wait()?;
    done
}

fn customer(index: usize) -> String {
    format!("customer-{}", index % CUSTOMERS)
}

/// Sends all orders; those of one customer one after the other.
fn produce(run: &common::Run, client: &Client) -> Outcome {
    let producer = client.producer(run.group())?;
    let order = |index: usize| -> Message { run.message(index).key(&customer(index)) };
    let mut under_way = Vec::new();
    for index in (0..run.count()).take_while(|_| !common::is_stopped()) {
        let options = SendOptions::ordered(&customer(index));
        under_way.push(producer.send_with(order(index), options));
        run.sent(index);
        if under_way.len() == CUSTOMERS {
            under_way.drain(..).try_for_each(|sent| sent.wait().map(drop))?;
        }
    }
    under_way.into_iter().try_for_each(|sent| sent.wait().map(drop))?;
    Ok(())
}

fn consume(run: &Arc<common::Run>, client: &Client) -> Outcome {
    let builder = client.consumer(run.group())?.topic(run.topic(), run.tag());
    let consumer = builder.orderly().start_at(Start::First).start()?;
    let (table, seen) = (Arc::<Table>::default(), run.clone());
    let own = table.clone();
    // Queues are handled at the same time, the messages of each one by one.
    let handlers = consumer.run(RunOptions::default(), move |message: &MessageView| {
        if message.lock_remaining().is_some_and(|left| left < WRITE) {
            return Err("the queue may be another's before this is written".to_owned());
        }
        // An error has the queue rest for a second, and the same message come again.
        own.write(message)?;
        seen.received(message.body());
        Ok(())
    })?;
    let (mut handled, mut since) = (0, Instant::now());
    while !common::is_stopped() && since.elapsed() < run.patience() {
        thread::sleep(Duration::from_millis(10));
        let now = handlers.stats().handled;
        if now != handled {
            (handled, since) = (now, Instant::now());
        }
    }
    println!("{}, {} tried again", table, handlers.stats().failed);
    handlers.stop(GRACE).wait()?;
    table.assert_in_order()
}

/// What stands for a table of a database: the newest order of each customer.
#[derive(Debug, Default)]
struct Table {
    rows: Mutex<BTreeMap<String, usize>>,
    wrong: Mutex<Option<String>>,
}

impl Table {
    fn write(&self, message: &MessageView) -> Result<(), String> {
        let order = number(message.body()).ok_or("no order")?;
        if order.is_multiple_of(FAILS) && message.attempts() == 1 {
            return Err("the database is busy".to_owned());
        }
        let key = message.message().keys().next().unwrap_or_default().to_owned();
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let before = rows.insert(key.clone(), order);
        if before.is_some_and(|before| before >= order) {
            let text = format!("{key}: order {order} came after {before:?}");
            self.wrong.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(text);
        }
        Ok(())
    }

    fn assert_in_order(&self) -> Outcome {
        let wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner).take();
        wrong.map_or(Ok(()), |wrong| Err(wrong.into()))
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        write!(f, "{} customers, each in its order", rows.len())
    }
}
