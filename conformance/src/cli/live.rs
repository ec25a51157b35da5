//! `live`: real brokers on loopback, for a while or around one command.

use std::env;
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
    /// Start a cluster, print its addresses and name, and leave it running
    Up(Start),
    /// Stop what `up` started and delete its data
    Down {
        /// Only the clusters of this version, or the one of this name
        which: Option<String>,
    },
    /// Print the clusters that `up` started or another process uses, and how each member is
    List,
    /// Kill a member of a cluster at once (kill -9); its data stays
    Kill(Target),
    /// Freeze a member (SIGSTOP): its connections stay open and silent
    Stop(Target),
    /// Let a frozen member go on (SIGCONT)
    Cont(Target),
    /// Start a member again on the same port and data, killing it first if it runs
    Restart(Target),
    /// Run a command with NAMESRV_ADDR, ROCKETMQ_BROKER_ADDR, ROCKETMQ_VERSION and
    /// ROCKETRY_CLUSTER set, then clean up
    Exec {
        #[command(flatten)]
        start: Start,
        /// The command and its arguments
        #[arg(last = true, required = true)]
        command: Vec<OsString>,
    },
    /// Create or update a topic
    Topic {
        /// The nameserver's HOST:PORT, or several with `;` between
        namesrv: String,
        /// The broker's HOST:PORT, or several with `;` between: the topic is created on each
        broker: String,
        /// The topic's name
        topic: String,
        /// How many queues to read and write on each broker
        queues: u32,
    },
}

#[derive(Debug, clap::Args)]
struct Start {
    /// The RocketMQ version, such as 5.3.3
    version: String,
    /// How many masters: broker-a, broker-b and so on
    #[arg(long, value_name = "N", default_value_t = 1)]
    brokers: u8,
    /// A slave for each master, which copies without making senders wait: broker-a-slave and so on
    #[arg(long)]
    slaves: bool,
    /// How many nameservers: namesrv-1 and so on; each broker registers at all of them
    #[arg(long, value_name = "N", default_value_t = 1)]
    nameservers: u8,
    /// A further line of every broker's properties, as KEY=VALUE; may be repeated
    #[arg(long = "conf", value_name = "KEY=VALUE")]
    conf: Vec<String>,
    /// End the processes after this many seconds, whatever happens
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    life: u64,
}

#[derive(Debug, clap::Args)]
struct Target {
    /// The member's name, such as broker-a or namesrv-1; `live list` prints them
    name: String,
    /// The cluster's name; without it ROCKETRY_CLUSTER, or the only one that `up` started
    #[arg(long)]
    cluster: Option<String>,
}

impl Target {
    fn cluster(&self) -> Result<Cluster, LiveError> {
        let set = env::var(CLUSTER).ok().filter(|name| !name.is_empty());
        Cluster::attach(self.cluster.clone().or(set).as_deref())
    }
}

/// Names the cluster to the commands that hurt and mend it.
const CLUSTER: &str = "ROCKETRY_CLUSTER";
/// The exit code when Java or Maven is missing, as of arguments that make no sense.
const MISSING: u8 = 2;

pub(super) fn run(args: Args) -> Outcome {
    ended(act(args.action))
}

/// Tells what is missing on this machine, with an exit code of its own.
fn ended(outcome: Outcome) -> Outcome {
    if let Err(error) = &outcome
        && error.downcast_ref().is_some_and(LiveError::is_missing)
    {
        eprintln!("rocketry-conformance: {error}");
        return Ok(MISSING.into());
    }
    outcome
}

fn act(action: Action) -> Outcome {
    match action {
        Action::Up(start) => up(start),
        Action::Down { which } => down(which.as_deref()),
        Action::List => list(),
        Action::Kill(target) => done(target.cluster()?.kill(&target.name)),
        Action::Stop(target) => done(target.cluster()?.stop(&target.name)),
        Action::Cont(target) => done(target.cluster()?.cont(&target.name)),
        Action::Restart(target) => done(target.cluster()?.restart(&target.name)),
        Action::Exec { start, command } => exec(start, &command),
        Action::Topic { namesrv, broker, topic, queues } => {
            done(live::create_topic(&namesrv, &broker, &topic, queues))
        }
    }
}

fn done(result: Result<(), LiveError>) -> Outcome {
    result?;
    Ok(ExitCode::SUCCESS)
}

/// `None` when Ctrl-C came first.
fn cluster(start: Start, stop: &Stop) -> Result<Option<Cluster>, LiveError> {
    let mut options = Options::new(start.version);
    options.brokers = start.brokers;
    options.slaves = start.slaves;
    options.nameservers = start.nameservers;
    options.conf = start.conf;
    options.life = Duration::from_secs(start.life);
    options.stop = Some(stop.flag());
    let (version, brokers) = (options.version.clone(), options.brokers);
    log::info!(version, brokers; "starting a cluster");
    match Cluster::start_with(options) {
        Err(LiveError::Interrupted) => Ok(None),
        started => {
            let cluster = started?;
            let (name, namesrv) = (cluster.name(), cluster.namesrv());
            log::info!(cluster = name, namesrv; "the cluster is up");
            Ok(Some(cluster))
        }
    }
}

fn up(start: Start) -> Outcome {
    let stop = Stop::on_signal()?;
    let Some(cluster) = cluster(start, &stop)? else { return Ok(INTERRUPTED.into()) };
    let mut out = io::stdout().lock();
    writeln!(out, "NAMESRV_ADDR={}", cluster.namesrv())?;
    writeln!(out, "ROCKETMQ_BROKER_ADDR={}", cluster.broker())?;
    writeln!(out, "{CLUSTER}={}", cluster.name())?;
    cluster.release()?;
    Ok(ExitCode::SUCCESS)
}

fn down(which: Option<&str>) -> Outcome {
    let stopped = live::down(which)?;
    let mut out = io::stdout().lock();
    log::info!(clusters = stopped.len(); "stopped");
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
        let live::Running { name, version, namesrv, broker, members, owner, .. } = cluster;
        write!(
            out,
            "{version} NAMESRV_ADDR={namesrv} ROCKETMQ_BROKER_ADDR={broker} {CLUSTER}={name}"
        )?;
        writeln!(out, "{}", owner.map(|id| format!(" used by process {id}")).unwrap_or_default())?;
        for (member, condition) in members {
            let (role, address) = (member.role, member.address());
            writeln!(out, "  {:<16} {role:<10} {address:<15} {condition}", member.name)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn exec(start: Start, command: &[OsString]) -> Outcome {
    let stop = Stop::on_signal()?;
    let Some(cluster) = cluster(start, &stop)? else { return Ok(INTERRUPTED.into()) };
    let addresses = [
        ("NAMESRV_ADDR", cluster.namesrv()),
        ("ROCKETMQ_BROKER_ADDR", cluster.broker()),
        (CLUSTER, cluster.name()),
        ("ROCKETMQ_VERSION", cluster.version().to_owned()),
    ];
    command::run(command, &addresses, &stop)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn parse(words: &str) -> Action {
        let words = ["rocketry-conformance", "live"].into_iter().chain(words.split(' '));
        match Cli::try_parse_from(words).expect("these parse").command {
            Command::Live(Args { action }) => action,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn one_broker_and_nameserver_are_started_unless_more_are_asked_for() {
        let Action::Up(start) = parse("up 5.3.3") else { panic!("up") };
        assert_eq!((start.brokers, start.slaves, start.nameservers), (1, false, 1));
        assert_eq!((start.life, start.conf), (3600, Vec::new()));

        let words =
            "exec 4.8.0 --brokers 2 --slaves --nameservers 2 --conf a=b --conf c=d=e -- x -y";
        let Action::Exec { start, command } = parse(words) else { panic!("exec") };
        assert_eq!((start.brokers, start.slaves, start.nameservers), (2, true, 2));
        assert_eq!(start.conf, ["a=b", "c=d=e"]);
        assert_eq!(command, ["x", "-y"]);
    }

    #[test]
    fn a_member_is_named_and_its_cluster_may_be() {
        let Action::Kill(target) = parse("kill broker-a") else { panic!("kill") };
        assert_eq!((target.name.as_str(), target.cluster), ("broker-a", None));
        let words = "restart namesrv-2 --cluster 5.3.3-7-0";
        let Action::Restart(target) = parse(words) else { panic!("restart") };
        assert_eq!(target.cluster.as_deref(), Some("5.3.3-7-0"));
    }

    #[test]
    fn a_missing_java_ends_with_2_and_other_errors_as_errors() {
        let missing = LiveError::MavenMissing { version: "5.3.3".to_owned() };
        assert_eq!(ended(Err(missing.into())).expect("told"), ExitCode::from(MISSING));
        assert!(ended(Err(LiveError::NoPorts.into())).is_err());
    }
}
