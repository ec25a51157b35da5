//! A client in a process of its own that sends, consumes and asks, and has a second one join its
//! group and leave it again, for as long as it is let: the memory is theirs alone.
//!
//! It is this program itself, as [`member`](super::member) is. What it keeps of messages does not
//! grow with their number.

use std::collections::VecDeque;
use std::env;
use std::io::{self, BufRead, Write};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use rocketry::{
    Config, Consumer, Delivery, Message, Pending, SendError, SendReceipt, Start, Stored, Topic,
};
use serde::{Deserialize, Serialize};

use super::asked::Asked;
use super::flood::resident;
use super::{On, Rig, eventually};

/// It lives for so long at most.
const LIFE: Duration = Duration::from_secs(900);
/// The group that consumes.
pub const GROUP: &str = "toil";
/// Sends under way at once.
const WINDOW: usize = 32;
/// Pause between two rounds of them.
const PAUSE: Duration = Duration::from_millis(20);
/// How long a second member stays, and stays away.
const STAYS: Duration = Duration::from_millis(1500);
/// One message of so many is given back once.
const FAILS: u64 = 101;

/// What came of the work so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Day {
    /// Kibibytes of memory in use; 0 where it is not told.
    pub resident: u64,
    /// Sends that ended with a receipt.
    pub stored: u64,
    /// Sends that ended in an error.
    pub failed: u64,
    /// Messages that were handed out and acknowledged.
    pub came: u64,
    /// Those that were stored and have not come yet.
    pub missing: u64,
    /// How often a second member joined.
    pub joined: u64,
}

/// A running client.
#[derive(Debug)]
pub struct Toil(Asked);

impl Toil {
    /// Starts one, which works on a topic from now on.
    pub fn start(on: On, namesrv: &str, topic: &str) -> Self {
        let mut command = Command::new(env::current_exe().expect("this program"));
        command.env("TOIL_ON", on.name()).env("MEMBER_NAMESRV", namesrv);
        command.env("MEMBER_TOPIC", topic);
        Self(Asked::start(&mut command))
    }

    /// How things are.
    pub fn look(&mut self) -> Day {
        self.0.ask("look")
    }

    /// No more is sent: gives what came of it once everything has come, or half a minute later.
    pub fn end(mut self) -> Day {
        self.0.ask("end")
    }
}

/// What is known of a message.
#[derive(Clone, Copy, Debug, Default)]
struct Fate {
    /// Its send has ended, with a receipt or without.
    ended: Option<bool>,
    came: bool,
}

/// Messages by their numbers, from the first one on that is not done with.
#[derive(Debug, Default)]
struct Ledger {
    first: u64,
    open: VecDeque<Fate>,
}

impl Ledger {
    fn of(&mut self, number: u64) -> Option<&mut Fate> {
        let at = usize::try_from(number.checked_sub(self.first)?).ok()?;
        if self.open.len() <= at {
            self.open.resize(at + 1, Fate::default());
        }
        self.open.get_mut(at)
    }

    fn let_go(&mut self) {
        let done = |fate: &Fate| fate.ended.is_some_and(|stored| fate.came || !stored);
        while self.open.front().is_some_and(done) {
            self.open.pop_front();
            self.first += 1;
        }
    }

    fn missing(&self) -> usize {
        self.open.iter().filter(|fate| fate.ended == Some(true) && !fate.came).count()
    }
}

#[derive(Debug, Default)]
struct Work {
    ledger: Mutex<Ledger>,
    stored: AtomicU64,
    failed: AtomicU64,
    came: AtomicU64,
    joined: AtomicU64,
    /// No more is sent, and nobody joins.
    calm: AtomicBool,
    stop: AtomicBool,
}

impl Work {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().expect("no panic within")
    }

    fn is_calm(&self) -> bool {
        self.calm.load(Ordering::Relaxed)
    }

    /// A send has ended.
    fn ended(&self, number: u64, result: &Result<SendReceipt, SendError>) {
        let count = if result.is_ok() { &self.stored } else { &self.failed };
        count.fetch_add(1, Ordering::Relaxed);
        let mut ledger = self.ledger();
        if let Some(fate) = ledger.of(number) {
            fate.ended = Some(result.is_ok());
        }
        ledger.let_go();
        if let Err(error) = result {
            assert!(error.stored() != Stored::Yes, "{error}");
        }
    }

    fn take(&self, delivery: Delivery) {
        let text = std::str::from_utf8(delivery.body()).expect("a text");
        let number: u64 = text.trim_end_matches('.').parse().expect("a number");
        if number.is_multiple_of(FAILS) && delivery.attempts() < 2 {
            delivery.retry_here(Duration::from_millis(50));
            return;
        }
        // A message that is settled has come, whoever hears of the settling.
        if let Some(fate) = self.ledger().of(number) {
            fate.came = true;
        }
        delivery.ack();
        self.came.fetch_add(1, Ordering::Relaxed);
        self.ledger().let_go();
    }

    fn day(&self) -> Day {
        let count = |counted: &AtomicU64| counted.load(Ordering::Relaxed);
        Day {
            resident: resident().unwrap_or_default(),
            stored: count(&self.stored),
            failed: count(&self.failed),
            came: count(&self.came),
            missing: self.ledger().missing() as u64,
            joined: count(&self.joined),
        }
    }

    fn send(&self, rig: &Rig, topic: &Topic) {
        let (producer, mut number) = (rig.client.producer("toil").expect("a producer"), 0);
        while !self.is_calm() {
            let call = |number: u64| -> Pending<Result<SendReceipt, SendError>> {
                producer.send(Message::new(topic.clone(), format!("{number:.<200}")))
            };
            let round: Vec<_> = (number..).take(WINDOW).map(|one| (one, call(one))).collect();
            number += round.len() as u64;
            round.into_iter().for_each(|(one, sent)| self.ended(one, &sent.wait()));
            // Questions are work, too; what is answered while a broker is away does not matter.
            if let Ok(queues) = rig.client.queues(topic).wait() {
                queues.iter().take(1).for_each(|one| drop(rig.client.max_offset(one).wait()));
            }
            thread::sleep(PAUSE);
        }
    }

    fn consume(&self, consumer: &mut Consumer, goes_on: impl Fn() -> bool) {
        while goes_on() {
            if let Ok(next) = consumer.recv_timeout(Duration::from_millis(20)) {
                self.take(next.expect("a readable message"));
            }
        }
    }

    /// A second member, with a client of its own, joins and leaves.
    fn come_and_go(&self, rig: impl Fn() -> Rig, topic: &Topic) {
        while !self.is_calm() {
            let rig = rig();
            let mut consumer = member(&rig, topic);
            self.joined.fetch_add(1, Ordering::Relaxed);
            let begun = std::time::Instant::now();
            self.consume(&mut consumer, || !self.is_calm() && begun.elapsed() < STAYS);
            // A broker may be away just now.
            drop(consumer.close().wait());
            drop(rig.client.shutdown().wait());
            drop(rig);
            thread::sleep(STAYS);
        }
    }
}

fn member(rig: &Rig, topic: &Topic) -> Consumer {
    let builder = rig.client.consumer(GROUP).expect("a group").topic(topic.as_str(), "*");
    builder.start_at(Start::First).start().expect("a consumer")
}

/// Works until it is told to end; false at once when nobody asked for it.
pub(super) fn be_toil() -> bool {
    let Ok(on) = env::var("TOIL_ON") else { return false };
    thread::spawn(|| {
        thread::sleep(LIFE);
        std::process::exit(1);
    });
    let set = |name: &str| env::var(name).expect("set by the parent");
    let (on, namesrv) = (On::named(&on).expect("a runtime"), set("MEMBER_NAMESRV"));
    let start = || {
        let mut config = Config::new(&namesrv).expect("settings");
        config.send_timeout = Duration::from_secs(10);
        Rig::with(on, config)
    };
    let topic = Topic::new(set("MEMBER_TOPIC")).expect("a topic");
    let (rig, work) = (start(), Work::default());
    let mut consumer = member(&rig, &topic);
    thread::scope(|scope| {
        let sending = scope.spawn(|| work.send(&rig, &topic));
        scope.spawn(|| work.consume(&mut consumer, || !work.stop.load(Ordering::Relaxed)));
        scope.spawn(|| work.come_and_go(start, &topic));
        let mut sending = Some(sending);
        for order in io::stdin().lock().lines().map_while(Result::ok) {
            if order == "end" {
                work.calm.store(true, Ordering::Relaxed);
                if let Some(sending) = sending.take() {
                    sending.join().expect("no panic within");
                }
                eventually(Duration::from_secs(30), || work.ledger().missing() == 0);
            }
            let day = serde_json::to_string(&work.day()).expect("a text");
            if writeln!(io::stdout().lock(), "{day}").is_err() {
                break;
            }
        }
        // Whoever started this has ended.
        std::process::exit(0);
    })
}
