//! Questions and their answers: a message is sent, somebody who reads its topic answers it, and the
//! reply comes to who asked.
//!
//! `cargo run --release --example request_reply -- 10000`, with `NAMESRV_ADDR` set for a cluster of
//! yours. Who asks and who answers are mostly two programs, in any two languages.

mod common;

use std::collections::VecDeque;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use common::{Failure, Outcome, Run, on_ctrl_c};
use rocketry::{Client, Pending, ReplyMessage, RequestError, Start};

/// Questions under way at once.
const IN_FLIGHT: usize = 64;
/// From a question to its answer, the first one's connections included.
const TIMEOUT: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    common::main(std::env::args().skip(1), job)
}

fn job(run: &Run) -> Outcome {
    let client = rocketry::blocking::connect(run.config()?)?;
    let other = rocketry::blocking::connect(run.config()?)?;
    let to_stop = client.clone();
    on_ctrl_c(move || drop(to_stop.shutdown()))?;

    let done = thread::scope(|scope| {
        let answering = scope.spawn(|| answer(run, &other));
        let asked = ask(run, &client);
        // Its consumer ends, and with it the loop.
        other.shutdown().wait()?;
        let answered = answering.join().map_err(|_| Failure::from("the answerer panicked"))??;
        println!("{answered} questions were answered");
        asked
    });
    client.shutdown().wait()?;
    done
}

fn ask(run: &Run, client: &Client) -> Outcome {
    let producer = client.producer(run.group())?;
    let mut window: VecDeque<Asked> = VecDeque::new();
    for index in 0..run.count() {
        window.push_back((index, producer.request(run.message(index), TIMEOUT)));
        if window.len() == IN_FLIGHT {
            settle(run, window.pop_front())?;
        }
    }
    while !window.is_empty() {
        settle(run, window.pop_front())?;
    }
    Ok(())
}

/// A question under way: its number, and the call.
type Asked = (usize, Pending<Result<ReplyMessage, RequestError>>);

fn settle(run: &Run, asked: Option<Asked>) -> Outcome {
    let Some((index, call)) = asked else { return Ok(()) };
    match call.wait() {
        Ok(reply) => {
            run.sent(index);
            run.received(reply.body());
            Ok(())
        }
        // Whether it may have been handled all the same is `error.stored()`.
        Err(error) => Err(format!("question {index}: {error}").into()),
    }
}

/// Answers each question by what it said, until the client ends.
fn answer(run: &Run, client: &Client) -> Result<usize, Failure> {
    let consumer = client.consumer(run.group())?.topic(run.topic(), run.tag());
    let mut consumer = consumer.start_at(Start::First).start()?;
    let mut answered = 0;
    while let Ok(question) = consumer.recv() {
        let question = question?;
        // The reply is under way when this returns; waiting for it, too, tells whether it arrived.
        drop(question.reply(question.body().clone()));
        question.ack();
        answered += 1;
    }
    Ok(answered)
}
