//! A message that comes twice is handled once: by a table of the ids that were handled, written
//! with what the handling does.
//!
//! `cargo run --release --example idempotent -- 10000`, with `NAMESRV_ADDR` set for a cluster of
//! yours. Each tenth message is sent twice, as by a producer that heard no answer and sent again,
//! and each seventh handler fails after its work is done.

mod common;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use common::{Outcome, on_ctrl_c, send_all};
use rocketry::{Client, Message, MessageView, RunOptions, Start, Verdict};

/// How long handlers that are busy may take to end.
const GRACE: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    common::main_shared(std::env::args().skip(1), job)
}

/// What a service keeps in its database: the ids that were handled, in the table of what was made
/// of them, so that one transaction has both.
#[derive(Default)]
struct Orders(Mutex<BTreeMap<String, usize>>);

impl Orders {
    /// Handles an order, unless it was handled before. True if it is new.
    fn handle(&self, id: &str, number: usize) -> bool {
        let mut orders = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        orders.insert(id.to_owned(), number).is_none()
    }
}

fn job(run: &Arc<common::Run>) -> Outcome {
    let client = rocketry::blocking::connect(run.config()?)?;
    // The handlers end first, by their own grace, and the client after them.
    on_ctrl_c(|| {})?;

    let done =
        send_all(run, &client, |index| orders(run, index)).and_then(|()| consume(run, &client));

    client.shutdown().wait()?;
    done
}

/// The id is the sender's own, so that it is the same however often the message is sent: an order's
/// number, as a key. (`Record::unique_id` is another one for each `Message`.)
fn order(run: &common::Run, index: usize) -> Message {
    run.message(index).key(&format!("order-{index}"))
}

/// Each tenth order twice.
fn orders(run: &common::Run, index: usize) -> Vec<Message> {
    vec![order(run, index); if index.is_multiple_of(10) { 2 } else { 1 }]
}

fn consume(run: &Arc<common::Run>, client: &Client) -> Outcome {
    let builder = client.consumer(run.group())?.topic(run.topic(), run.tag());
    let consumer = builder.start_at(Start::First).start()?;
    let (seen, orders) = (run.clone(), Orders::default());
    let handler = move |message: &MessageView| {
        let record = message.message();
        let (Some(id), Some(number)) = (record.keys().next(), common::number(message.body()))
        else {
            // Nothing of ours, and it would be nothing the next time.
            return Verdict::Reject;
        };
        if orders.handle(id, number) {
            seen.received(message.body());
            if number.is_multiple_of(7) {
                // It was handled and says that it was not: it comes again, and is known then.
                return Verdict::RetryHere(Duration::from_millis(10));
            }
        }
        Verdict::Ack
    };
    let handlers = consumer.run(RunOptions::default(), handler)?;
    let (mut ended, mut since) = (0, Instant::now());
    while !common::is_stopped() && since.elapsed() < run.patience() {
        thread::sleep(Duration::from_millis(10));
        let stats = handlers.stats();
        if stats.handled + stats.failed != ended {
            (ended, since) = (stats.handled + stats.failed, Instant::now());
        }
    }
    let stats = handlers.stats();
    println!(
        "{} messages came, {} of them to be retried",
        stats.handled + stats.failed,
        stats.failed
    );
    handlers.stop(GRACE).wait()?;
    Ok(())
}
