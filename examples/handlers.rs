//! Handlers that are called, on threads: no loop, no async runtime.
//!
//! `cargo run --release --example handlers -- 10000`, with `NAMESRV_ADDR` set for a cluster of
//! yours.

mod common;

use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use common::{Outcome, on_ctrl_c, send_all};
use rocketry::{Client, Run, RunOptions, Start, Verdict};

/// How long handlers that are busy may take to end.
const GRACE: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    common::main_shared(std::env::args().skip(1), job)
}

fn job(run: &Arc<common::Run>) -> Outcome {
    let client = rocketry::blocking::connect(run.config()?)?;
    // The handlers end first, by their own grace, and the client after them.
    on_ctrl_c(|| {})?;

    let done = send_all(run, &client, |index| vec![run.message(index)])
        .and_then(|()| consume(run, &client));

    client.shutdown().wait()?;
    done
}

fn consume(run: &Arc<common::Run>, client: &Client) -> Outcome {
    let builder = client.consumer(run.group())?.topic(run.topic(), run.tag());
    let consumer = builder.start_at(Start::First).start()?;
    let seen = run.clone();
    // Up to 64 threads, 16 at the start. Each message is some worker's, and a slow one keeps no
    // other waiting.
    let options = RunOptions::default().concurrency(1..=64);
    let handlers = consumer.run(options, move |message| {
        seen.received(message.body());
        // `()` would do as well; `Retry` has it come again, and so do an error and a panic.
        Verdict::Ack
    })?;
    wait(run, &handlers);
    println!("{} handled by {} workers", handlers.stats().handled, handlers.concurrency());
    // Those that are busy finish, and what they did is committed.
    handlers.stop(GRACE).wait()?;
    Ok(())
}

/// Until every message is there, or none has come for a while, or Ctrl-C.
fn wait(run: &common::Run, handlers: &Run) {
    let (mut handled, mut since) = (0, Instant::now());
    while !common::is_stopped() && since.elapsed() < run.patience() {
        thread::sleep(Duration::from_millis(10));
        let now = handlers.stats().handled;
        if now != handled {
            (handled, since) = (now, Instant::now());
        }
    }
}
