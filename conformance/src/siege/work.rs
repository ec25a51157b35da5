//! What the client does meanwhile, in a process of its own that measures itself.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use rocketry::{Client, Config, Message, Start, Topic};

use super::{Figures, On, SiegeError, TOPIC, Work};

/// Kibibytes, from a line of what the system tells of this process.
fn memory(line: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let found = status.lines().find_map(|text| text.strip_prefix(line));
    found.and_then(|text| text.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

/// Processor time that this process has taken, to a hundredth of a second.
fn cpu() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The program's name is in brackets and may hold anything.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks = fields.split_whitespace().skip(11).take(2);
    Duration::from_millis(10 * ticks.filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>())
}

/// Works against the peer at `namesrv` for `time`, and measures.
pub(super) fn endure(
    work: Work,
    on: On,
    namesrv: &str,
    time: Duration,
) -> Result<Figures, SiegeError> {
    let tokio = match on {
        On::Tokio => Some(tokio::runtime::Runtime::new()?),
        On::Smol | On::AsyncStd | On::Threads => None,
    };
    let entered = tokio.as_ref().map(tokio::runtime::Runtime::enter);
    let (start, begun, spent) = (memory("VmRSS:"), Instant::now(), cpu());
    let program = memory("RssFile:");
    let config = Config::new(namesrv)?;
    let client = match on {
        On::Tokio => rocketry::tokio::connect(config)?,
        On::Smol => rocketry::smol::connect(config)?,
        On::AsyncStd => rocketry::async_std::connect(config)?,
        On::Threads => rocketry::blocking::connect(config)?,
    };
    drop(entered);
    let end = begun + time;
    let mut figures = Figures::default();
    thread::scope(|scope| {
        let delivered = scope.spawn(|| match work {
            Work::Send => Ok(0),
            Work::Consume { keep } => consume(&client, keep, end),
        });
        send(&client, end, &mut figures)?;
        figures.delivered = delivered.join().map_err(|_| SiegeError::Panicked)??;
        Ok::<_, SiegeError>(())
    })?;
    // Code that has run since is in memory as well, and has nothing to do with the peer.
    let program = memory("RssFile:").saturating_sub(program);
    figures.peak = memory("VmHWM:").saturating_sub(start + program);
    figures.cpu = (cpu() - spent).as_secs_f64() / begun.elapsed().as_secs_f64();
    Ok(figures)
}

/// Sends one message after the other, with a pause between them.
fn send(client: &Client, end: Instant, figures: &mut Figures) -> Result<(), SiegeError> {
    let (producer, topic) = (client.producer("besieged")?, Topic::new(TOPIC)?);
    while Instant::now() < end {
        let begun = Instant::now();
        match producer.send(Message::new(topic.clone(), "still here")).wait() {
            Ok(_) => {
                figures.sent += 1;
                figures.slowest = figures.slowest.max(begun.elapsed());
            }
            Err(_) => figures.failed += 1,
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Takes what comes; `keep`: all of it is held, as by an application that is slow, and else it is
/// settled at once.
fn consume(client: &Client, keep: bool, end: Instant) -> Result<u64, SiegeError> {
    let builder = client.consumer("besieged")?.topic(TOPIC, "*").start_at(Start::First);
    let (mut consumer, mut held, mut count) = (builder.start()?, Vec::new(), 0);
    while Instant::now() < end {
        match consumer.recv_timeout(Duration::from_millis(20)) {
            Ok(Ok(delivery)) if keep => held.push(delivery),
            Ok(Ok(delivery)) => _ = delivery.ack(),
            Ok(Err(unreadable)) => _ = unreadable.ack(),
            Err(_) => continue,
        }
        count += 1;
    }
    Ok(count)
}
