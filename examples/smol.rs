//! Tasks of smol: the same handles, awaited.
//!
//! `cargo run --release --example smol -- 10000`, with `NAMESRV_ADDR` set for a cluster of yours.

mod common;

use std::process::ExitCode;
use std::time::Duration;

use common::{Outcome, PAUSE, Run, on_ctrl_c};
use futures::{StreamExt, TryStreamExt, stream};
use rocketry::client::{Received, RecvTimeoutError};
use rocketry::{Client, Consumer, Producer, SendError, Start};
use smol::Timer;
use smol::future::or;

/// Sends under way at once.
const IN_FLIGHT: usize = 256;

fn main() -> ExitCode {
    common::main(std::env::args().skip(1), |run| smol::block_on(job(run)))
}

async fn job(run: &Run) -> Outcome {
    // Its tasks run on smol's global executor. Nothing is sent yet.
    let client = rocketry::smol::connect(run.config()?)?;
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
        Timer::after(PAUSE).await;
    }
    run.sent(index);
    Ok(())
}

async fn consume(run: &Run, client: &Client) -> Outcome {
    let consumer = client.consumer(run.group())?.topic(run.topic(), run.tag());
    let mut consumer = consumer.start_at(Start::First).start()?;
    while let Ok(message) = next(&mut consumer, run.patience()).await {
        let message = message?;
        run.received(message.body());
        // What is not acked is delivered again.
        message.ack();
    }
    Ok(())
}

/// The next message, if there is one in time. Dropping the future of the other one loses nothing.
async fn next(consumer: &mut Consumer, timeout: Duration) -> Result<Received, RecvTimeoutError> {
    let late = async {
        Timer::after(timeout).await;
        Err(RecvTimeoutError::Timeout)
    };
    or(async { Ok(consumer.next().await?) }, late).await
}
