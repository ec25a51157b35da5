//! The load generator: the same works as other clients' bench programs, one line each.
//!
//! A line is `peer= work= n= rate= cpu_us= rss_kb= p50_us= p99_us= p999_us=`. `cpu_us` is this
//! process's own CPU time per message, user and system: the figure that holds on a noisy machine.
//! On a terminal the same figures are a table ([`Report::table`]).

mod burst;
mod figures;
mod handled;
mod progress;
mod runtimes;
mod table;
mod tasks;
#[cfg(test)]
mod tests;
mod threads;

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use rocketry::{Config, ConfigError, Message, SendError, Topic};

use crate::live::KEYS;

pub use burst::Burst;
pub use figures::Report;
pub use progress::Progress;

/// A consumer that has been given nothing for so long has caught up.
const QUIET: Duration = Duration::from_secs(2);

/// How long consuming may stand still before the run is given up.
const PATIENCE: Duration = Duration::from_secs(30);

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// `parallel` callers, each waits for its answer.
    Sync,
    /// `parallel` callers, each begins a transaction, commits it, and waits for both answers.
    Transaction,
    /// One caller, `parallel` sends in flight.
    Async,
    /// One caller, one batch of `parallel` messages in flight.
    Batch,
    /// One caller, which waits until a message is given to the connection's writer. What is
    /// counted need not be stored: a busy broker drops what nobody waits for.
    Oneway,
    /// One caller, which begins all sends at once, each with the default deadline, and waits for
    /// all their ends; then one more send. What fails is counted, and ends nothing.
    Burst,
    /// One consumer from the first offset.
    Consume,
    /// The same, each queue's messages in their order.
    ConsumeOrderly,
    /// The same, polled: each poll settles what the one before it gave.
    ConsumePull,
    /// One consumer from the first offset whose `parallel` handlers do nothing: tasks, or threads
    /// where there are no tasks.
    Handlers,
    /// One caller and one consumer, one message in flight: from before its send to its delivery.
    Latency,
}

impl Work {
    /// Messages before the clock starts, as other clients' programs have them: 2,000 sent one by
    /// one, 20,000 consumed, or 200 sent and delivered.
    pub const fn warm(self) -> usize {
        match self {
            Self::Sync | Self::Transaction | Self::Async | Self::Batch => 2_000,
            Self::Oneway | Self::Burst => 2_000,
            Self::Consume | Self::ConsumeOrderly | Self::ConsumePull | Self::Handlers => 20_000,
            Self::Latency => 200,
        }
    }
}

/// Who moves the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runtime {
    /// tokio's multi-threaded runtime.
    Tokio,
    /// smol's global executor.
    Smol,
    /// async-std's global executor for the client, the calling thread for its callers.
    AsyncStd,
    /// Plain threads.
    Std,
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tokio => "tokio",
            Self::Smol => "smol",
            Self::AsyncStd => "async-std",
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
    /// Messages before the clock starts; see [`Work::warm`].
    pub warm: usize,
    /// Messages counted.
    pub count: usize,
    /// Bytes of a body.
    pub body: usize,
    /// Callers of `Sync` and `Transaction`, sends in flight of `Async`, messages in a batch of
    /// `Batch`, handlers of `Handlers`; at least 1.
    /// The others have no use for it.
    pub parallel: usize,
    /// Whether connections are encrypted: with the authority of this crate's
    /// [`certificates`](crate::certificates).
    pub tls: bool,
    /// Whether requests are signed, with the key that `live up` gives brokers which check keys;
    /// others pass it over.
    pub signed: bool,
}

/// A run that has been started.
#[derive(Clone, Debug)]
struct Job {
    plan: Plan,
    peer: Runtime,
    progress: Progress,
}

/// Why a run has no figures.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BenchError {
    /// A setting can't work.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// No client.
    #[error(transparent)]
    Client(#[from] rocketry::blocking::ClientError),
    /// A send failed.
    #[error(transparent)]
    Send(#[from] SendError),
    /// A transaction was not begun.
    #[error(transparent)]
    Begin(#[from] rocketry::BeginError),
    /// A transaction was not ended.
    #[error(transparent)]
    End(#[from] rocketry::TransactionError),
    /// A transaction was not confirmed.
    #[error("a transaction ended as {0:?}")]
    Unconfirmed(rocketry::TransactionState),
    /// No consumer.
    #[error(transparent)]
    Subscribe(#[from] rocketry::client::SubscribeError),
    /// A name is not valid.
    #[error(transparent)]
    Name(#[from] rocketry::proto::name::NameError),
    /// No handlers.
    #[error(transparent)]
    Run(#[from] rocketry::client::RunError),
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

/// Does the work on a runtime, and returns once all of it is done and the client has stopped. Must
/// not be called inside of a runtime.
pub fn run(plan: &Plan, peer: Runtime, progress: &Progress) -> Result<Report, BenchError> {
    let job = Job { plan: plan.clone(), peer, progress: progress.clone() };
    match peer {
        Runtime::Tokio => runtimes::on_tokio(job),
        Runtime::Smol => runtimes::on_smol(job),
        Runtime::AsyncStd => runtimes::on_async_std(job),
        Runtime::Std => threads::run(&job),
    }
}

impl Plan {
    fn config(&self) -> Result<Config, BenchError> {
        let mut config = Config::new(&self.namesrv)?;
        config.tls = self.tls;
        config.tls_ca = self.tls.then(|| crate::certificates::CA.into());
        if self.signed {
            let (key, secret) = KEYS;
            (config.access_key, config.secret_key) = (Some(key.to_owned()), Some(secret.into()));
        }
        if self.work != Work::Burst {
            config.send_timeout = Duration::from_secs(30);
        }
        Ok(config)
    }

    fn message(&self, number: usize) -> Message {
        Message::new(self.topic.clone(), vec![0; self.body]).tag("TagA").key(&format!("K{number}"))
    }

    /// How many of the messages one of the callers of `Sync` or `Transaction` sends.
    const fn share(&self, caller: usize) -> usize {
        self.count / self.parallel + (caller < self.count % self.parallel) as usize
    }

    /// The messages of each batch; the last may be a smaller one.
    fn batches(&self) -> impl Iterator<Item = Range<usize>> {
        let size = self.parallel;
        (0..self.count).step_by(size).map(move |first| first..(first + size).min(self.count))
    }

    fn name(&self) -> String {
        match self.work {
            Work::Sync => format!("sync{}", self.parallel),
            Work::Transaction => format!("transaction{}", self.parallel),
            Work::Async => format!("async{}", self.parallel),
            Work::Batch => format!("batch{}", self.parallel),
            Work::Oneway => "oneway".to_owned(),
            Work::Burst => "burst".to_owned(),
            Work::Consume => "consume".to_owned(),
            Work::ConsumeOrderly => "consume-orderly".to_owned(),
            Work::ConsumePull => "consume-pull".to_owned(),
            Work::Latency => "latency".to_owned(),
            Work::Handlers => format!("handlers{}", self.parallel),
        }
    }
}

/// Whether a transaction was committed.
fn committed(end: rocketry::TransactionReceipt) -> Result<(), BenchError> {
    match end.state {
        rocketry::TransactionState::Committed => Ok(()),
        state => Err(BenchError::Unconfirmed(state)),
    }
}

/// A group nobody else uses.
fn group() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    format!("bench-{}-{}", std::process::id(), since.map_or(0, |since| since.as_nanos()))
}
