//! Handlers that are called, as tasks of tokio, until the service is told to stop: by SIGTERM, as
//! supervisors do it, or by Ctrl-C.
//!
//! `cargo run --release --example handlers_tokio -- 10000`, with `NAMESRV_ADDR` set for a cluster
//! of yours. It ends by itself when all messages have come.

mod common;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{Outcome, PAUSE, on_ctrl_c};
use futures::{StreamExt, TryStreamExt, stream};
use rocketry::{Client, Ended, MessageView, Producer, Run, RunOptions, SendError, Start};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;

/// Sends under way at once.
const IN_FLIGHT: usize = 256;
/// How long handlers that are busy may take to end.
const GRACE: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    common::main_shared(std::env::args().skip(1), job)
}

#[tokio::main]
async fn job(run: &Arc<common::Run>) -> Outcome {
    let client = rocketry::tokio::connect(run.config()?)?;
    // The handlers end first, by their own grace, and the client after them.
    on_ctrl_c(|| {})?;

    let done = work(run, &client).await;

    client.shutdown().await?;
    done
}

async fn work(run: &Arc<common::Run>, client: &Client) -> Outcome {
    produce(run, client).await?;
    consume(run, client).await
}

async fn produce(run: &common::Run, client: &Client) -> Outcome {
    let producer = client.producer(run.group())?;
    let wanted = stream::iter((0..run.count()).take_while(|_| !common::is_stopped()));
    let sends = wanted.map(|index| send(run, &producer, index));
    sends.buffer_unordered(IN_FLIGHT).try_collect::<()>().await?;
    Ok(())
}

async fn send(run: &common::Run, producer: &Producer, index: usize) -> Result<(), SendError> {
    while let Err(error) = producer.send(run.message(index)).await {
        if !run.may_repeat(&error) {
            return Err(error);
        }
        sleep(PAUSE).await;
    }
    run.sent(index);
    Ok(())
}

async fn consume(run: &Arc<common::Run>, client: &Client) -> Outcome {
    let builder = client.consumer(run.group())?.topic(run.topic(), run.tag());
    let consumer = builder.start_at(Start::First).start()?;
    let seen = run.clone();
    // An error has the message come again, and is logged; so has a panic.
    let handler = move |message: MessageView| {
        let seen = seen.clone();
        async move { store(&seen, &message).await }
    };
    let handlers = consumer.run_async(RunOptions::default().concurrency(16), handler)?;
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        () = all_there(run, &handlers) => {}
        _ = terminated.recv() => println!("told to stop"),
        // Somebody else ended them: a shutdown of the client, say.
        ended = handlers.ended() => return ended.map(drop).map_err(Into::into),
    }
    // Nothing more is begun, those that are busy finish, and what they did is committed.
    match handlers.stop(GRACE).await? {
        Ended::InOrder => println!("every message that was begun is settled"),
        ended => println!("{ended}"),
    }
    Ok(())
}

async fn store(run: &common::Run, message: &MessageView) -> Result<(), std::io::Error> {
    // Here a service would await its database.
    tokio::task::yield_now().await;
    run.received(message.body());
    Ok(())
}

/// Until every message is there, or none has come for a while, or Ctrl-C.
async fn all_there(run: &common::Run, handlers: &Run) {
    let (mut handled, mut since) = (0, Instant::now());
    while !common::is_stopped() && since.elapsed() < run.patience() {
        sleep(Duration::from_millis(10)).await;
        let now = handlers.stats().handled;
        if now != handled {
            (handled, since) = (now, Instant::now());
        }
    }
}
