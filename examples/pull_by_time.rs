//! Messages read again from a moment on: a consumer that is polled, and sought by time.
//!
//! `cargo run --release --example pull_by_time -- 10000`, with `NAMESRV_ADDR` set for a cluster of
//! yours.
//!
//! It reads all queues of the topic by itself, whoever else there is, goes back to where the second
//! half of the messages begins, and commits by hand what it has counted.

mod common;

use std::process::ExitCode;
use std::thread;
use std::time::{Duration, SystemTime};

use common::{Outcome, Run, number, on_ctrl_c, send_some};
use rocketry::{Client, PullConsumer, QueueName, Start};

fn main() -> ExitCode {
    common::main(std::env::args().skip(1), job)
}

fn job(run: &Run) -> Outcome {
    let client = rocketry::blocking::connect(run.config()?)?;
    let to_stop = client.clone();
    on_ctrl_c(move || drop(to_stop.shutdown()))?;

    let done = again(run, &client);

    client.shutdown().wait()?;
    done
}

fn again(run: &Run, client: &Client) -> Outcome {
    let half = run.count() / 2;
    send_some(run, client, 0..half)?;
    // Brokers know times to the millisecond; another machine's clock may differ by more.
    thread::sleep(Duration::from_millis(50));
    let moment = SystemTime::now();
    thread::sleep(Duration::from_millis(50));
    send_some(run, client, half..run.count())?;

    let queues = client.queues(run.topic()).wait()?;
    let builder = client.pull_consumer(run.group())?.assign(queues.clone());
    let builder = builder.assigned_filter(run.topic().clone(), run.tag());
    let mut consumer = builder.start_at(Start::First).auto_commit(false).start()?;

    // What was polled before a seek is neither committed nor counted.
    let first = poll_some(&mut consumer, 10, run)?;
    for queue in &queues {
        consumer.seek_to_time(queue, moment).wait()?;
    }
    let second = poll_all(&mut consumer, run, run.count() - half)?;
    if let Some(early) = second.iter().find(|index| **index < half) {
        return Err(format!("message {early} is from before the moment").into());
    }
    for queue in &queues {
        consumer.seek_to_begin(queue).wait()?;
    }
    let all = poll_all(&mut consumer, run, run.count())?;
    all.iter().for_each(|index| run.received(index.to_string().as_bytes()));

    // Resolves once the brokers have the offsets.
    consumer.commit().wait()?;
    println!(
        "{} at first, {} from the moment on, {} from the beginning; committed {}",
        first.len(),
        second.len(),
        all.len(),
        offsets(&consumer, &queues)?,
    );
    consumer.close().wait()?;
    Ok(())
}

/// The numbers of the messages that one poll gives.
fn poll_some(
    consumer: &mut PullConsumer,
    most: usize,
    run: &Run,
) -> Result<Vec<usize>, common::Failure> {
    let mut numbers = Vec::new();
    for polled in consumer.poll(run.patience())? {
        // A message that can't be read is in its place, and is passed like all others.
        numbers.extend(number(polled?.body()));
    }
    assert!(numbers.len() <= most, "a poll gives {most} at most, unless told otherwise");
    Ok(numbers)
}

/// The numbers of so many, or of as many as come.
fn poll_all(
    consumer: &mut PullConsumer,
    run: &Run,
    count: usize,
) -> Result<Vec<usize>, common::Failure> {
    let mut numbers = Vec::new();
    while numbers.len() < count {
        let some = poll_some(consumer, 10, run)?;
        if some.is_empty() {
            break;
        }
        numbers.extend(some);
    }
    Ok(numbers)
}

/// What is committed of all queues.
fn offsets(consumer: &PullConsumer, queues: &[QueueName]) -> Result<i64, common::Failure> {
    let mut sum = 0;
    for queue in queues {
        sum += consumer.committed(queue).wait()?.unwrap_or(0);
    }
    Ok(sum)
}
