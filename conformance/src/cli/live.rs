//! `live`: real brokers on loopback, for a while or around one command.

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::Subcommand;
use rocketry_conformance::live::{self, Cluster, LiveError, Options};

use super::stop::{INTERRUPTED, Stop};
use super::{Outcome, command};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Start a nameserver and a broker, print their addresses, and leave them running
    Up(Start),
    /// Stop what `up` started and delete its data
    Down {
        /// Only the clusters of this version
        version: Option<String>,
    },
    /// Print what `up` started and still runs
    List,
    /// Run a command with NAMESRV_ADDR and ROCKETMQ_BROKER_ADDR set, then clean up
    Exec {
        #[command(flatten)]
        start: Start,
        /// The command and its arguments
        #[arg(last = true, required = true)]
        command: Vec<OsString>,
    },
    /// Create or update a topic
    Topic {
        /// The nameserver's HOST:PORT
        namesrv: String,
        /// The broker's HOST:PORT
        broker: String,
        /// The topic's name
        topic: String,
        /// How many queues to read and write
        queues: u32,
    },
}

#[derive(Debug, clap::Args)]
struct Start {
    /// The RocketMQ version, such as 5.3.3
    version: String,
    /// A further line of broker.conf, as KEY=VALUE; may be repeated
    #[arg(long = "conf", value_name = "KEY=VALUE")]
    conf: Vec<String>,
    /// End the processes after this many seconds, whatever happens
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    life: u64,
}

pub(super) fn run(args: Args) -> Outcome {
    match args.action {
        Action::Up(start) => up(start),
        Action::Down { version } => down(version.as_deref()),
        Action::List => list(),
        Action::Exec { start, command } => exec(start, &command),
        Action::Topic { namesrv, broker, topic, queues } => {
            live::create_topic(&namesrv, &broker, &topic, queues)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// `None` when Ctrl-C came first.
fn cluster(start: Start, stop: &Stop) -> Result<Option<Cluster>, LiveError> {
    let mut options = Options::new(start.version);
    options.conf = start.conf;
    options.life = Duration::from_secs(start.life);
    options.stop = Some(stop.flag());
    match Cluster::start_with(options) {
        Err(LiveError::Interrupted) => Ok(None),
        started => started.map(Some),
    }
}

fn up(start: Start) -> Outcome {
    let stop = Stop::on_signal()?;
    let Some(cluster) = cluster(start, &stop)? else { return Ok(INTERRUPTED.into()) };
    let mut out = io::stdout().lock();
    writeln!(out, "NAMESRV_ADDR={}", cluster.namesrv())?;
    writeln!(out, "ROCKETMQ_BROKER_ADDR={}", cluster.broker())?;
    cluster.release()?;
    Ok(ExitCode::SUCCESS)
}

fn down(version: Option<&str>) -> Outcome {
    let stopped = live::down(version)?;
    let mut out = io::stdout().lock();
    for cluster in &stopped {
        writeln!(out, "stopped RocketMQ {} at {}", cluster.version, cluster.namesrv)?;
    }
    if stopped.is_empty() {
        writeln!(out, "nothing to stop")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn list() -> Outcome {
    let mut out = io::stdout().lock();
    for cluster in live::running()? {
        let live::Running { version, namesrv, broker, .. } = cluster;
        writeln!(out, "{version} NAMESRV_ADDR={namesrv} ROCKETMQ_BROKER_ADDR={broker}")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn exec(start: Start, command: &[OsString]) -> Outcome {
    let stop = Stop::on_signal()?;
    let Some(cluster) = cluster(start, &stop)? else { return Ok(INTERRUPTED.into()) };
    let addresses = [
        ("NAMESRV_ADDR", cluster.namesrv()),
        ("ROCKETMQ_BROKER_ADDR", cluster.broker()),
        ("ROCKETMQ_VERSION", cluster.version().to_owned()),
    ];
    command::run(command, &addresses, &stop)
}
