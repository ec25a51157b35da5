//! A producer in a process of its own that sends as many messages a second as it is told to,
//! whether or not they find room, and tells what its client held at most: the memory is its own
//! alone.
//!
//! It is this program itself, as [`member`](super::member) is.

use std::collections::VecDeque;
use std::env;
use std::fs;
use std::io::{self, BufRead, Write};
use std::pin::Pin;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use rocketry::{Client, Config, Message, Pending, Producer, SendError, SendReceipt, Stored, Topic};
use serde::{Deserialize, Serialize};

use super::asked::Asked;
use super::{On, Rig};

/// It lives for so long at most.
const LIFE: Duration = Duration::from_secs(300);
/// Pause between two looks at what the client holds.
const LOOK: Duration = Duration::from_millis(20);

type Sent = Pending<Result<SendReceipt, SendError>>;

/// What came of the sends, and the most that was held at one moment.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Figures {
    /// Sends that were begun, those refused at once included.
    pub begun: u64,
    /// Those that ended with a receipt.
    pub stored: u64,
    /// Those that were refused at once, since there was no room.
    pub refused: u64,
    /// Those that ended in an error which says that the message was not stored.
    pub unstored: u64,
    /// Those that may have been stored.
    pub unknown: u64,
    /// The longest that any of them took.
    pub slowest: Duration,
    /// How long sends were begun.
    pub took: Duration,
    /// Sends under way.
    pub pending: usize,
    /// Bytes of those.
    pub pending_bytes: usize,
    /// Sends that waited for room.
    pub waiting: usize,
    /// Bytes of those.
    pub waiting_bytes: usize,
    /// Sends that brokers had not answered, and those given up that kept their places.
    pub unanswered: usize,
    /// Bytes of those.
    pub unanswered_bytes: usize,
    /// Frames that waited for the writer of a connection.
    pub queued: usize,
    /// Kibibytes of memory in use before the first send, and at most; nothing where it is not told.
    pub resident: Option<(u64, u64)>,
}

impl Figures {
    /// Looks at what a client holds now.
    fn look(&mut self, client: &Client) {
        let stats = client.stats();
        let most = |most: &mut usize, now: usize| *most = (*most).max(now);
        most(&mut self.pending, stats.open.operations - stats.waiting);
        most(&mut self.pending_bytes, stats.pending_bytes);
        most(&mut self.waiting, stats.waiting);
        most(&mut self.waiting_bytes, stats.waiting_bytes);
        let windows = || stats.brokers.iter().map(|broker| &broker.window);
        most(&mut self.unanswered, windows().map(|one| one.unanswered + one.given_up).sum());
        most(&mut self.unanswered_bytes, windows().map(|one| one.unanswered_bytes).sum());
        most(&mut self.queued, stats.connections.iter().map(|one| one.queued).sum());
        if let (Some((_, most)), Some(now)) = (&mut self.resident, resident()) {
            *most = (*most).max(now);
        }
    }

    /// Counts a send that has ended.
    fn keep(&mut self, begun: Instant, result: Result<SendReceipt, SendError>) {
        self.slowest = self.slowest.max(begun.elapsed());
        match result.map_err(|error| error.stored()) {
            Ok(_) => self.stored += 1,
            Err(Stored::No) => self.unstored += 1,
            Err(_) => self.unknown += 1,
        }
    }

    /// Kibibytes of memory beyond those before the first send.
    pub fn grown(&self) -> Option<u64> {
        self.resident.map(|(before, most)| most.saturating_sub(before))
    }
}

/// The memory that this process has in use, in KiB; nothing where it is not told.
pub fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// A running producer.
#[derive(Debug)]
pub struct Flood(Asked);

/// What it does.
#[derive(Clone, Debug)]
pub struct Task<'t> {
    /// On which runtime.
    pub on: On,
    /// The nameserver's address.
    pub namesrv: &'t str,
    /// Where the messages go.
    pub topic: &'t str,
    /// Messages a second.
    pub rate: u32,
    /// Bytes of a body.
    pub body: usize,
    /// Settings, by their variables (`ROCKETRY_MAX_PENDING`).
    pub settings: &'t [(&'t str, &'t str)],
}

impl Flood {
    /// Starts one, which sends from now on.
    pub fn start(task: &Task<'_>) -> Self {
        let mut command = Command::new(env::current_exe().expect("this program"));
        command.env("FLOOD_ON", task.on.name()).env("MEMBER_NAMESRV", task.namesrv);
        command.env("MEMBER_TOPIC", task.topic).env("FLOOD_RATE", task.rate.to_string());
        command.env("FLOOD_BODY", task.body.to_string()).envs(task.settings.iter().copied());
        Self(Asked::start(&mut command))
    }

    /// No more is sent: gives what came of it once every send has ended.
    pub fn calm(&mut self) -> Figures {
        self.0.ask("calm")
    }

    /// Sends one message, and that again until it is stored: how long it took.
    pub fn probe(&mut self) -> Duration {
        self.0.ask("probe")
    }
}

/// The result of a send that has ended.
fn ended(sent: &mut Sent) -> Option<Result<SendReceipt, SendError>> {
    match Pin::new(sent).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => Some(result),
        Poll::Pending => None,
    }
}

/// Sends until it is told to stop, and waits until all have ended.
fn send(producer: &Producer, message: &Message, rate: f64, stop: &AtomicBool) -> Figures {
    let (mut figures, mut open) = (Figures::default(), VecDeque::<(Instant, Sent)>::new());
    let begun = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        let due = (begun.elapsed().as_secs_f64() * rate) as u64;
        // A part at a time: what has ended is looked at between.
        for _ in figures.begun..due.min(figures.begun + 256) {
            let (at, mut sent) = (Instant::now(), producer.send(message.clone()));
            figures.begun += 1;
            match ended(&mut sent) {
                Some(Err(error)) if error.kind() == rocketry::ErrorKind::Full => {
                    figures.refused += 1;
                }
                Some(result) => figures.keep(at, result),
                None => open.push_back((at, sent)),
            }
        }
        while let Some((at, sent)) = open.front_mut()
            && let Some(result) = ended(sent)
        {
            figures.keep(*at, result);
            open.pop_front();
        }
        if figures.begun >= due {
            thread::sleep(Duration::from_millis(1));
        }
    }
    figures.took = begun.elapsed();
    for (at, sent) in open {
        let result = sent.wait();
        figures.keep(at, result);
    }
    figures
}

/// Sends in a thread, and looks at the client meanwhile.
fn flood(rig: &Rig, message: &Message, rate: f64, stop: &AtomicBool) -> Figures {
    let producer = rig.client.producer("flood").expect("a producer");
    let now = resident();
    let mut held = Figures { resident: now.zip(now), ..Figures::default() };
    let sent = thread::scope(|scope| {
        let sending = scope.spawn(|| send(&producer, message, rate, stop));
        while !sending.is_finished() {
            held.look(&rig.client);
            thread::sleep(LOOK);
        }
        sending.join().expect("no panic within")
    });
    let Figures { begun, stored, refused, unstored, unknown, slowest, took, .. } = sent;
    Figures { begun, stored, refused, unstored, unknown, slowest, took, ..held }
}

/// Sends one message until it is stored.
fn probe(rig: &Rig, message: &Message) -> Duration {
    let (producer, begun) = (rig.client.producer("probe").expect("a producer"), Instant::now());
    while producer.send(message.clone()).wait().is_err() {
        thread::sleep(Duration::from_millis(50));
    }
    begun.elapsed()
}

/// Floods until it is told to be calm; false at once when nobody asked for it.
pub(super) fn be_flood() -> bool {
    let Ok(on) = env::var("FLOOD_ON") else { return false };
    thread::spawn(|| {
        thread::sleep(LIFE);
        std::process::exit(1);
    });
    let set = |name: &str| env::var(name).expect("set by the parent");
    let number = |name: &str| set(name).parse::<u32>().expect("a number");
    let settings = env::vars().filter(|(name, _)| name.starts_with("ROCKETRY_"));
    let config = Config::new(set("MEMBER_NAMESRV")).expect("settings").with_vars(settings);
    let rig = Rig::with(On::named(&on).expect("a runtime"), config.expect("settings"));
    let topic = Topic::new(set("MEMBER_TOPIC")).expect("a topic");
    let message = Message::new(topic, vec![b'f'; number("FLOOD_BODY") as usize]);
    let (stop, rate) = (AtomicBool::new(false), f64::from(number("FLOOD_RATE")));
    thread::scope(|scope| {
        let flooding = scope.spawn(|| flood(&rig, &message, rate, &stop));
        let mut flooding = Some(flooding);
        for order in io::stdin().lock().lines().map_while(Result::ok) {
            stop.store(true, Ordering::Relaxed);
            let answer = match flooding.take() {
                Some(flooding) => serde_json::to_string(&flooding.join().expect("no panic")),
                None => serde_json::to_string(&probe(&rig, &message)),
            };
            let answer = answer.unwrap_or_else(|error| panic!("{order}: {error}"));
            if writeln!(io::stdout().lock(), "{answer}").is_err() {
                break;
            }
        }
        // Whoever started this has ended.
        std::process::exit(0);
    })
}
