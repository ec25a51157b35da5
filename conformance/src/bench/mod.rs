//! The load generator: the same works as other clients' bench programs, one line each.
//!
//! A line is `peer= work= n= rate= cpu_us= rss_kb= p50_us= p99_us= p999_us=`. `cpu_us` is this
//! process's own CPU time per message, user and system: the figure that holds on a noisy machine.

mod figures;
mod tasks;
mod threads;

use std::fmt;
use std::time::Duration;

use rocketry::{Config, ConfigError, Message, SendError, Topic, blocking, tokio as on_tokio};

pub use figures::Report;

/// Messages sent before the clock starts.
const WARM: usize = 2_000;
/// Messages consumed before the clock starts.
const WARM_CONSUME: usize = 20_000;
/// How long consuming may stand still before the run is given up.
const PATIENCE: Duration = Duration::from_secs(30);

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// `parallel` callers, each waits for its answer.
    Sync,
    /// One caller, `parallel` sends in flight.
    Async,
    /// One consumer from the first offset.
    Consume,
}

/// Who moves the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runtime {
    /// tokio's multi-threaded runtime.
    Tokio,
    /// Plain threads.
    Std,
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tokio => "tokio",
            Self::Std => "std",
        })
    }
}

/// One run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What to do.
    pub work: Work,
    /// The nameservers.
    pub namesrv: String,
    /// The topic.
    pub topic: Topic,
    /// Messages counted.
    pub count: usize,
    /// Bytes of a body.
    pub body: usize,
    /// Callers of `Sync`, sends in flight of `Async`.
    pub parallel: usize,
}

/// Why a run has no figures.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BenchError {
    /// A setting can't work.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// No client on threads.
    #[error(transparent)]
    Blocking(#[from] blocking::ClientError),
    /// No client on tokio.
    #[error(transparent)]
    Tokio(#[from] on_tokio::ClientError),
    /// A send failed.
    #[error(transparent)]
    Send(#[from] SendError),
    /// No consumer.
    #[error(transparent)]
    Subscribe(#[from] rocketry::client::SubscribeError),
    /// A name is not valid.
    #[error(transparent)]
    Name(#[from] rocketry::core::name::NameError),
    /// A message could not be read.
    #[error(transparent)]
    Unreadable(#[from] rocketry::Unreadable),
    /// Nothing came for a while.
    #[error("only {0} messages came: let the sending works run first")]
    Starved(usize),
    /// The system refused something.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// A task or thread panicked.
    #[error("a caller panicked")]
    Panicked,
}

/// Does the work on a runtime.
pub fn run(plan: &Plan, runtime: Runtime) -> Result<Report, BenchError> {
    match runtime {
        Runtime::Std => threads::run(plan),
        Runtime::Tokio => {
            let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            let plan = plan.clone();
            tokio
                .block_on(async { tokio::spawn(tasks::run(plan)).await })
                .map_err(|_| BenchError::Panicked)?
        }
    }
}

impl Plan {
    fn config(&self) -> Result<Config, BenchError> {
        let mut config = Config::new(&self.namesrv)?;
        config.send_timeout = Duration::from_secs(30);
        Ok(config)
    }

    fn message(&self, number: usize) -> Message {
        Message::new(self.topic.clone(), vec![0; self.body]).tag("TagA").key(&format!("K{number}"))
    }

    fn name(&self) -> String {
        match self.work {
            Work::Sync => format!("sync{}", self.parallel),
            Work::Async => format!("async{}", self.parallel),
            Work::Consume => "consume".to_owned(),
        }
    }
}

/// A group nobody else uses.
fn group() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    format!("bench-{}-{}", std::process::id(), since.map_or(0, |since| since.as_nanos()))
}
