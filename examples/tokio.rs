//! Tasks of tokio: the same handles, awaited.
//!
//! `cargo run --release --example tokio -- 10000`, with `NAMESRV_ADDR` set for a cluster of yours.

mod common;

use std::process::ExitCode;

use common::{Outcome, PAUSE, Run, on_ctrl_c};
use futures::{StreamExt, TryStreamExt, stream};
use rocketry::{Client, Producer, SendError, Start};
use tokio::time::{sleep, timeout};

/// Sends under way at once.
const IN_FLIGHT: usize = 256;

fn main() -> ExitCode {
    common::main(std::env::args().skip(1), job)
}

#[tokio::main]
async fn job(run: &Run) -> Outcome {
    // Uses the runtime it is called in. Nothing is sent yet.
    let client = rocketry::tokio::connect(run.config()?)?;
    let to_stop = client.clone();
    on_ctrl_c(move || drop(to_stop.shutdown()))?;

    let done = work(run, &client).await;

    // Commits what was consumed and tells the brokers, instead of leaving them to find out.
    client.shutdown().await?;
    done
}

async fn work(run: &Run, client: &Client) -> Outcome {
    produce(run, client).await?;
    consume(run, client).await
}

async fn produce(run: &Run, client: &Client) -> Outcome {
    let producer = client.producer(run.group())?;
    let sends = stream::iter(0..run.count()).map(|index| send(run, &producer, index));
    sends.buffer_unordered(IN_FLIGHT).try_collect::<()>().await?;
    Ok(())
}

async fn send(run: &Run, producer: &Producer, index: usize) -> Result<(), SendError> {
    // Under way once `send` returns, whether or not anybody polls what it gives.
    while let Err(error) = producer.send(run.message(index)).await {
        // The error knows whether the message may be stored, and whether a repetition can help.
        if !run.may_repeat(&error) {
            return Err(error);
        }
        sleep(PAUSE).await;
    }
    run.sent(index);
    Ok(())
}

async fn consume(run: &Run, client: &Client) -> Outcome {
    let consumer = client.consumer(run.group())?.topic(run.topic(), run.tag());
    let mut consumer = consumer.start_at(Start::First).start()?;
    while let Ok(Ok(message)) = timeout(run.patience(), consumer.next()).await {
        let message = message?;
        run.received(message.body());
        // What is not acked is delivered again.
        message.ack();
    }
    Ok(())
}
