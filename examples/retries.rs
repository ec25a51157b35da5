//! Messages that can't be handled now, or ever: sent back to their broker to come again later, and
//! the hopeless ones to the group's dead letters, which somebody looks at.
//!
//! `cargo run --release --example retries -- 30`, with `NAMESRV_ADDR` set for a cluster of yours,
//! 5.x for the dead letters: those of 4.x can't be read before an operator allows it. Each fifth
//! message fails at first, each tenth but the first can never be handled.

mod common;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::{Outcome, on_ctrl_c, send_all};
use rocketry::{Client, MessageView, RunOptions, SimpleMessageListener, Start, Verdict};

/// How long handlers that are busy may take to end.
const GRACE: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    if args.is_empty() {
        args.push("30".to_owned());
    }
    common::main_shared(args, job)
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

const fn is_hopeless(number: usize) -> bool {
    number > 0 && number.is_multiple_of(10)
}

fn consume(run: &Arc<common::Run>, client: &Client) -> Outcome {
    let builder = client.consumer(run.group())?.topic(run.topic(), run.tag());
    let consumer = builder.start_at(Start::First).start()?;
    let (seen, retried) = (run.clone(), Arc::new(AtomicUsize::new(0)));
    let again = retried.clone();
    let handler = move |message: &MessageView| match common::number(message.body()) {
        // Nobody will ever handle it: to the dead letters, at once.
        Some(number) if is_hopeless(number) => Verdict::Reject,
        // A service that it needs is away: back to the broker, and again in a second, to this
        // consumer or another one of the group. Plain `Retry` takes longer each time, and after
        // `max_reconsume_times` makes a dead letter as well.
        Some(number) if number.is_multiple_of(5) && message.attempts() == 1 => {
            again.fetch_add(1, Ordering::Relaxed);
            Verdict::RetryAfter(Duration::from_secs(1))
        }
        Some(_) => {
            seen.received(message.body());
            Verdict::Ack
        }
        None => Verdict::Reject,
    };
    let handlers = consumer.run(RunOptions::default(), handler)?;
    let hopeless = (0..run.count()).filter(|number| is_hopeless(*number)).count();
    // The dead letters are a topic like others.
    let letters = client.consumer(format!("{}-letters", run.group()))?;
    let topic = format!("%DLQ%{}", run.group());
    let letters = letters.topic(topic.as_str(), "*").start_at(Start::First).start()?;
    let listener = SimpleMessageListener::keeping();
    let readers = letters.run(RunOptions::default().concurrency(1), listener.handler())?;
    let (mut handled, mut since) = (0, Instant::now());
    while !common::is_stopped() && since.elapsed() < run.patience() {
        thread::sleep(Duration::from_millis(10));
        for letter in listener.messages().iter().skip(handled) {
            // Where it was, how often it was tried, and what it is: somebody may send it again.
            println!("dead letter: {} of {}", letter.id(), letter.topic());
            run.received(letter.body());
            handled += 1;
            since = Instant::now();
        }
    }
    let came = handlers.stats().handled;
    println!(
        "{came} handled, {} retried, {handled} of {hopeless} dead letters read",
        retried.load(Ordering::Relaxed)
    );
    readers.stop(GRACE).wait()?;
    handlers.stop(GRACE).wait()?;
    Ok(())
}
