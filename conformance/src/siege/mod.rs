//! Hostile peers against a client, each for some seconds: what the client's process holds at most,
//! how much of a processor it takes, and how long its sends wait meanwhile.
//!
//! The client runs in a process of its own (the hidden subcommand `besieged` of this crate's
//! program), so that peak memory is its own alone; the peer runs in the process that asks.

mod attacks;
mod foe;
mod work;

use std::fmt;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::str::FromStr;
use std::thread;
use std::time::{Duration, Instant};

pub use crate::rig::On;

use foe::{Foe, Script};

/// The topic of every siege.
const TOPIC: &str = "besieged";
const MIB: usize = 1 << 20;
/// How long a client may take beyond its time before its process is ended.
const PATIENCE: Duration = Duration::from_secs(30);

/// Memory above the start that a client may take at most, beyond one frame and its opened body:
/// 64 MiB, in kibibytes.
pub const BUDGET: u64 = 64 << 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    /// Sends alone.
    Send,
    /// Sends, and consumes beside them.
    Consume { keep: bool },
}

/// One attack.
pub struct Siege {
    /// Its name.
    pub name: &'static str,
    peer: fn() -> Box<Script>,
    work: Work,
    seconds: u64,
    /// MiB of one frame of the peer's, and of what its body opens to.
    frame: u64,
}

impl fmt::Debug for Siege {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

const CONSUME: Work = Work::Consume { keep: false };
const KEEP: Work = Work::Consume { keep: true };

/// Every attack there is.
pub const SIEGES: [Siege; 13] = [
    row("pinned", attacks::pinned, KEEP, 4, 0),
    row("large", attacks::large, CONSUME, 3, 32),
    row("opened", attacks::opened, CONSUME, 3, 32),
    row("crumbs", attacks::crumbs, CONSUME, 3, 32),
    row("brokers", attacks::brokers, Work::Send, 3, 14),
    row("brokers-read", attacks::brokers, CONSUME, 3, 14),
    row("members", attacks::members, CONSUME, 4, 14),
    row("go-away", attacks::go_away, CONSUME, 3, 0),
    row("ping-pong", attacks::ping_pong, CONSUME, 2, 0),
    row("unheld", attacks::unheld, CONSUME, 2, 0),
    row("rows", attacks::rows, CONSUME, 2, 0),
    row("trickled", attacks::trickled, CONSUME, 3, 0),
    row("no-nameserver", attacks::no_nameserver, CONSUME, 2, 0),
];

const fn row(
    name: &'static str,
    peer: fn() -> Box<Script>,
    work: Work,
    seconds: u64,
    frame: u64,
) -> Siege {
    Siege { name, peer, work, seconds, frame }
}

/// What a siege came to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// Peak memory above the start, in kibibytes, without the pages of the program itself.
    pub peak: u64,
    /// The share of one processor.
    pub cpu: f64,
    /// Sends that were answered.
    pub sent: u64,
    /// Sends that failed.
    pub failed: u64,
    /// The longest that one of those answered took.
    pub slowest: Duration,
    /// Messages that came.
    pub delivered: u64,
    /// Connections made to the peer.
    pub connections: u64,
    /// Requests that came to it.
    pub requests: u64,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { peak, cpu, sent, failed, slowest, delivered, connections, requests } = self;
        let slowest = slowest.as_micros();
        write!(f, "{peak} {cpu:.3} {sent} {failed} {slowest} {delivered} {connections} {requests}")
    }
}

impl FromStr for Figures {
    type Err = SiegeError;

    fn from_str(line: &str) -> Result<Self, SiegeError> {
        let mut words = line.split_whitespace();
        let mut next = || words.next().ok_or(SiegeError::Figures);
        let number = |word: &str| word.parse::<u64>().map_err(|_| SiegeError::Figures);
        Ok(Self {
            peak: number(next()?)?,
            cpu: next()?.parse().map_err(|_| SiegeError::Figures)?,
            sent: number(next()?)?,
            failed: number(next()?)?,
            slowest: Duration::from_micros(number(next()?)?),
            delivered: number(next()?)?,
            connections: number(next()?)?,
            requests: number(next()?)?,
        })
    }
}

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SiegeError {
    /// No socket, or no process.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// No client.
    #[error(transparent)]
    Client(#[from] rocketry::blocking::ClientError),
    /// A setting was refused.
    #[error(transparent)]
    Config(#[from] rocketry::ConfigError),
    /// A name was refused.
    #[error(transparent)]
    Name(#[from] rocketry_core::name::NameError),
    /// The consumer was refused.
    #[error(transparent)]
    Subscribe(#[from] rocketry::client::SubscribeError),
    /// A thread of the client's process panicked.
    #[error("a thread of the client's process panicked")]
    Panicked,
    /// The client's process ended without figures.
    #[error("the client's process printed no figures")]
    Figures,
    /// There is no such attack, or no such runtime.
    #[error("nothing is called {0}")]
    Unknown(String),
}

impl Siege {
    /// The attack of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        SIEGES.iter().find(|siege| siege.name == name)
    }

    /// Kibibytes above the start that the client may take at most.
    pub const fn budget(&self) -> u64 {
        BUDGET + (self.frame << 10)
    }

    /// Attacks a client of its own, in a process of `program`, which is this crate's.
    pub fn run(&self, program: &Path, on: On) -> Result<Figures, SiegeError> {
        let foe = Foe::start((self.peer)())?;
        let mut child = Command::new(program)
            .args(["besieged", self.name, on.name(), &foe.at().to_string()])
            .stdout(Stdio::piped())
            .spawn()?;
        let overdue = Instant::now() + PATIENCE + Duration::from_secs(self.seconds);
        while child.try_wait()?.is_none() {
            if Instant::now() > overdue {
                child.kill()?;
            }
            thread::sleep(Duration::from_millis(20));
        }
        let output = child.wait_with_output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        let figures: Figures = said.lines().last().unwrap_or_default().parse()?;
        Ok(Figures { connections: foe.connections(), requests: foe.requests(), ..figures })
    }
}

/// The client's side, in a process that does nothing else.
pub fn endure(siege: &str, on: &str, namesrv: &str) -> Result<Figures, SiegeError> {
    let unknown = |name: &str| SiegeError::Unknown(name.to_owned());
    let siege = Siege::named(siege).ok_or_else(|| unknown(siege))?;
    let on = On::named(on).ok_or_else(|| unknown(on))?;
    work::endure(siege.work, on, namesrv, Duration::from_secs(siege.seconds))
}
