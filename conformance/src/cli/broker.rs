//! `broker`: the embedded broker on real ports, for other languages' clients or one command.

use std::ffi::OsString;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use rocketry_conformance::broker::{Account, Acl, ClusterConfig};
use rocketry_conformance::certificates;
use rocketry_conformance::serve::{Listen, ServeTls, Served, TlsMode};
use rocketry_core::frame::version;

use super::stop::Stop;
use super::{Outcome, command};

/// A nameserver's usual port.
const NAMESRV_PORT: u16 = 9876;
/// A broker's usual port; the next broker's is ten above.
const BROKER_PORT: u16 = 10911;
const BROKER_STEP: usize = 10;
/// A master's first slave is five above it, the next one six.
const SLAVE_STEP: usize = 5;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The address to listen on
    #[arg(long, default_value = "127.0.0.1")]
    host: IpAddr,
    /// The host that routes name, where it is not the one listened on
    #[arg(long)]
    advertise: Option<String>,
    /// The nameserver's port; 0 is any free one, as is leaving it out before a command
    #[arg(long)]
    namesrv_port: Option<u16>,
    /// The first broker's port, each further one's ten above; 0 as with the nameserver's
    #[arg(long)]
    broker_port: Option<u16>,
    /// How many brokers
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=26))]
    brokers: u8,
    /// How many slaves each of them has, five and more ports above it; they answer pulls
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(..=5))]
    slaves: u8,
    /// The version to be: 4.8.0, 4.9.4, 4.9.7, 5.3.3, 5.4.0 or 5.5.0
    #[arg(long = "as", value_name = "VERSION", default_value = "5.3.3", value_parser = version)]
    as_version: i32,
    /// A topic to begin with, and its queues on each broker; may be repeated
    #[arg(long = "topic", value_name = "NAME:QUEUES", value_parser = topic)]
    topics: Vec<(String, u32)>,
    /// Refuse topics that do not exist instead of creating them at the first send
    #[arg(long)]
    no_auto_create: bool,
    /// Filter by properties in SQL (`enablePropertyFilter`), which Apache's brokers do if told so
    #[arg(long)]
    property_filter: bool,
    /// Take timed messages back (`recallMessageEnable`), which Apache's brokers do if told so
    #[arg(long)]
    recalls: bool,
    /// Refuse messages for a time of their own (`timerWheelEnable=false`)
    #[arg(long)]
    no_timers: bool,
    /// How long a message may wait for its time, in seconds (`timerMaxDelaySec`) [default: 259200]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    timer_limit: Option<Duration>,
    /// The delay of each level from 1 on, in seconds (`messageDelayLevel`): `1,5,10`
    #[arg(long, value_name = "SECONDS", value_delimiter = ',', value_parser = seconds)]
    delay_levels: Option<Vec<Duration>>,
    /// The age at which a half message is asked about, in seconds (`transactionTimeOut`) [default:
    /// 6]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    check_after: Option<Duration>,
    /// How often brokers look for such, in seconds (`transactionCheckInterval`) [default: 30]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    check_interval: Option<Duration>,
    /// How often one is asked about (`transactionCheckMax`) [default: 15]
    #[arg(long, value_name = "TIMES")]
    check_max: Option<u32>,
    /// Take no half messages (`rejectTransactionMessage`)
    #[arg(long)]
    no_transactions: bool,
    /// Refuse consumer groups that nobody has made (`autoCreateSubscriptionGroup=false`)
    #[arg(long)]
    no_auto_groups: bool,
    /// Queues of a topic that is created at a send, at most (`defaultTopicQueueNums`) [default: 8]
    #[arg(long, value_name = "QUEUES", value_parser = clap::value_parser!(u32).range(1..))]
    default_queues: Option<u32>,
    /// Whether brokers keep resets of offsets (`useServerSideResetOffset`) [default: from 5.2 on]
    #[arg(long, value_name = "true|false")]
    server_side_reset: Option<bool>,
    /// Let slaves stand in for a master that is away (`enableSlaveActingMaster`)
    #[arg(long)]
    acting_masters: bool,
    /// The largest body, in bytes (`maxMessageSize`) [default: 4194304]
    #[arg(long, value_name = "BYTES")]
    body_limit: Option<usize>,
    /// The most messages of one pull (`maxTransferCountOnMessageInMemory`) [default: 32]
    #[arg(long, value_name = "MESSAGES", value_parser = clap::value_parser!(u32).range(1..))]
    pull_messages: Option<u32>,
    /// The most bytes of one pull (`maxTransferBytesOnMessageInMemory`) [default: 262144]
    #[arg(long, value_name = "BYTES")]
    pull_bytes: Option<usize>,
    /// A client without a heartbeat for so many seconds is closed (`channelExpiredTimeout`)
    /// [default: 120]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    client_expiry: Option<Duration>,
    /// A connection without a frame for so many seconds is closed
    /// (`serverChannelMaxIdleTimeSeconds`) [default: 120]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    idle_limit: Option<Duration>,
    /// The cluster's name in routes
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// Check access keys, as of this account, which may do everything; several may be given
    #[arg(long = "account", value_name = "KEY:SECRET", value_parser = account)]
    accounts: Vec<Account>,
    /// Serve TLS, with a certificate for localhost and 127.0.0.1 of an authority for tests; a
    /// command has that authority in ROCKETRY_TLS_CA
    #[arg(long, value_name = "MODE", value_parser = ["permissive", "enforcing"])]
    tls: Option<String>,
    /// A command to run with NAMESRV_ADDR and ROCKETMQ_BROKER_ADDR set; without one, serve until
    /// Ctrl-C
    #[arg(last = true)]
    command: Vec<OsString>,
}

pub(super) fn run(args: Args) -> Outcome {
    let stop = Stop::on_signal()?;
    let served = serve(&args)?;
    let broker = served.broker(0).map(|at| at.to_string()).unwrap_or_default();
    log::info!(namesrv = served.namesrv(), broker, brokers = args.brokers; "serving");
    let addresses = [("NAMESRV_ADDR", served.namesrv()), ("ROCKETMQ_BROKER_ADDR", broker)];
    if !args.command.is_empty() {
        let mut env = addresses.to_vec();
        env.extend(args.tls.map(|_| ("ROCKETRY_TLS_CA", certificates::CA.to_owned())));
        return command::run(&args.command, &env, &stop);
    }
    let mut out = io::stdout().lock();
    for (name, address) in &addresses {
        writeln!(out, "{name}={address}")?;
    }
    out.flush()?;
    stop.wait();
    log::info!("interrupted");
    Ok(ExitCode::SUCCESS)
}

/// Listens; where it can't, the error names the addresses and what to do.
fn serve(args: &Args) -> Result<Served, String> {
    let listen = listen(args)?;
    let started = match &args.tls {
        None => Served::start_at(config(args), &listen),
        Some(mode) => Served::start_tls(config(args), &listen, tls(mode)?),
    };
    started.map_err(|error| {
        let all = [listen.nameserver].into_iter().chain(listen.brokers.iter().copied());
        let all: Vec<String> = all.map(|at| at.to_string()).collect();
        let advice = match error.kind() {
            io::ErrorKind::AddrInUse => {
                ": see who listens there, or take other ports with \
                                         --namesrv-port and --broker-port (0 is any free one)"
            }
            io::ErrorKind::AddrNotAvailable => ": --host is an address of this machine",
            _ => "",
        };
        format!("can't listen on all of {}: {error}{advice}", all.join(", "))
    })
}

fn tls(mode: &str) -> Result<ServeTls, String> {
    let server = certificates::server(certificates::SERVER, false);
    let server = server.map_err(|error| error.to_string())?;
    let enforcing = mode == "enforcing";
    let mode = if enforcing { TlsMode::Enforcing } else { TlsMode::Permissive };
    Ok(ServeTls { mode, server })
}

fn config(args: &Args) -> ClusterConfig {
    let first = ClusterConfig::default().brokers(usize::from(args.brokers));
    let first = (0..args.slaves).fold(first, |config, _| config.slaves());
    let mut config =
        args.topics.iter().fold(first, |config, (name, queues)| config.topic(name, *queues));
    config.version = args.as_version;
    config.auto_create_topics = !args.no_auto_create;
    config.property_filter = args.property_filter;
    config.recalls = args.recalls;
    config.timers = !args.no_timers;
    config.auto_create_groups = !args.no_auto_groups;
    config.acting_masters = args.acting_masters;
    config.transactions.rejects = args.no_transactions;
    config.server_side_reset = args.server_side_reset;
    limits(args, &mut config);
    if !args.accounts.is_empty() {
        config.acl = Some(Acl { accounts: args.accounts.clone() });
    }
    config
}

/// What is otherwise as Apache's brokers have it.
fn limits(args: &Args, config: &mut ClusterConfig) {
    fn set<T: Clone>(setting: &mut T, given: &Option<T>) {
        if let Some(given) = given {
            *setting = given.clone();
        }
    }
    set(&mut config.cluster, &args.cluster);
    set(&mut config.timer_limit, &args.timer_limit);
    set(&mut config.delay_levels, &args.delay_levels);
    set(&mut config.transactions.timeout, &args.check_after);
    set(&mut config.transactions.interval, &args.check_interval);
    set(&mut config.transactions.checks, &args.check_max);
    set(&mut config.default_queues, &args.default_queues);
    set(&mut config.body_limit, &args.body_limit);
    set(&mut config.pull_messages, &args.pull_messages);
    set(&mut config.pull_bytes, &args.pull_bytes);
    set(&mut config.client_expiry, &args.client_expiry);
    set(&mut config.idle_limit, &args.idle_limit);
}

/// Whole seconds, at least one.
fn seconds(text: &str) -> Result<Duration, &'static str> {
    match text.parse() {
        Ok(seconds) if seconds > 0 => Ok(Duration::from_secs(seconds)),
        _ => Err("give whole seconds, at least one"),
    }
}

/// `KEY:SECRET`.
fn account(text: &str) -> Result<Account, &'static str> {
    match text.split_once(':') {
        Some((key, secret)) if !key.is_empty() && !secret.is_empty() => {
            Ok(Account::new(key, secret).admin())
        }
        Some(_) | None => Err("give the key and its secret with a colon between"),
    }
}

fn listen(args: &Args) -> Result<Listen, String> {
    let usual = |port| if args.command.is_empty() { port } else { 0 };
    let nameserver = args.namesrv_port.unwrap_or(usual(NAMESRV_PORT));
    let first = args.broker_port.unwrap_or(usual(BROKER_PORT));
    let mut brokers = Vec::new();
    let masters = usize::from(args.brokers);
    for index in 0..masters * (1 + usize::from(args.slaves)) {
        let above = match index / masters {
            0 => 0,
            round => SLAVE_STEP + round - 1,
        };
        let port = match first {
            0 => Some(0),
            _ => u16::try_from(usize::from(first) + index % masters * BROKER_STEP + above).ok(),
        };
        let port = port.ok_or_else(|| format!("no port for broker {index} from {first} up"))?;
        brokers.push(SocketAddr::new(args.host, port));
    }
    let advertise = args.advertise.clone();
    Ok(Listen { nameserver: SocketAddr::new(args.host, nameserver), brokers, advertise })
}

fn version(text: &str) -> Result<i32, String> {
    Ok(match text {
        "4.8.0" => version::V4_8_0,
        "4.9.4" => version::V4_9_4,
        "4.9.7" => version::V4_9_7,
        "5.3.3" => version::V5_3_3,
        "5.4.0" => version::V5_4_0,
        "5.5.0" => version::V5_5_0,
        _ => return Err("4.8.0, 4.9.4, 4.9.7, 5.3.3, 5.4.0 and 5.5.0 are known".to_owned()),
    })
}

fn topic(text: &str) -> Result<(String, u32), String> {
    let (name, queues) = text.rsplit_once(':').ok_or("write it as NAME:QUEUES")?;
    match queues.parse() {
        Ok(queues) if queues > 0 && !name.is_empty() => Ok((name.to_owned(), queues)),
        _ => Err("write it as NAME:QUEUES, with at least one queue".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use rocketry_conformance::broker::TransactionConfig;

    use super::*;

    #[derive(Debug, Parser)]
    struct Alone {
        #[command(flatten)]
        args: Args,
    }

    fn args(words: &[&str]) -> Args {
        let words = [&["broker"], words].concat();
        Alone::try_parse_from(words).expect("valid arguments").args
    }

    #[test]
    fn alone_it_takes_the_usual_ports_and_free_ones_around_a_command() {
        let alone = listen(&args(&["--brokers", "2"])).expect("ports");
        assert_eq!(alone.nameserver.port(), 9876);
        let ports: Vec<u16> = alone.brokers.iter().map(SocketAddr::port).collect();
        assert_eq!(ports, [10911, 10921]);
        let around = listen(&args(&["--", "true"])).expect("ports");
        assert_eq!((around.nameserver.port(), around.brokers[0].port()), (0, 0));
        assert!(listen(&args(&["--broker-port", "65530", "--brokers", "2"])).is_err());
    }

    #[test]
    fn a_port_that_is_taken_is_named_with_what_to_do() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = taken.local_addr().expect("bound").port().to_string();
        let error =
            serve(&args(&["--namesrv-port", &port, "--broker-port", "0"])).expect_err("taken");
        assert!(error.contains(&format!("127.0.0.1:{port}")), "{error}");
        assert!(error.contains("--namesrv-port"), "{error}");
        let words = ["--host", "198.51.100.1", "--namesrv-port", "0", "--broker-port", "0"];
        let error = serve(&args(&words)).expect_err("nobody's address");
        assert!(error.contains("--host is an address of this machine"), "{error}");
    }

    #[test]
    fn slaves_listen_above_their_masters() {
        let args = args(&["--brokers", "2", "--slaves", "2"]);
        let ports: Vec<u16> =
            listen(&args).expect("ports").brokers.iter().map(SocketAddr::port).collect();
        assert_eq!(ports, [10911, 10921, 10916, 10926, 10917, 10927]);
        let routed: Vec<u16> =
            config(&args).brokers.iter().map(|b| b.endpoint[10..].parse().expect("port")).collect();
        assert_eq!(routed, ports, "as the configuration has them");
    }

    #[test]
    fn a_version_is_one_of_those_that_are_known() {
        assert_eq!(args(&["--as", "4.9.7"]).as_version, 407);
        assert_eq!(args(&[]).as_version, 479);
        assert!(version("4.9").is_err());
    }

    #[test]
    fn each_setting_of_brokers_has_a_switch() {
        assert_eq!(config(&args(&[])), ClusterConfig::default(), "as Apache's brokers are");
        let flags = "--recalls --no-timers --no-transactions --no-auto-groups --no-auto-create \
                     --property-filter --acting-masters --server-side-reset false";
        let limits = "--timer-limit 60 --delay-levels 1,2 --check-after 1 --check-interval 2 \
                      --check-max 3 --default-queues 4 --body-limit 5 --pull-messages 6 \
                      --pull-bytes 7 --client-expiry 8 --idle-limit 9 --cluster c";
        let words: Vec<&str> = [flags, limits].iter().flat_map(|all| all.split(' ')).collect();
        let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
        let set = config(&args(&words));
        let expected = ClusterConfig {
            recalls: true,
            timers: false,
            auto_create_groups: false,
            auto_create_topics: false,
            property_filter: true,
            acting_masters: true,
            server_side_reset: Some(false),
            timer_limit: Duration::from_secs(60),
            delay_levels: [1, 2].map(Duration::from_secs).into(),
            transactions: TransactionConfig {
                timeout: Duration::from_secs(1),
                interval: Duration::from_secs(2),
                checks: 3,
                rejects: true,
            },
            default_queues: 4,
            body_limit: 5,
            pull_messages: 6,
            pull_bytes: 7,
            client_expiry: Duration::from_secs(8),
            idle_limit: Duration::from_secs(9),
            cluster: "c".to_owned(),
            ..ClusterConfig::default()
        };
        assert_eq!(set, expected);
        for bad in ["0", "-1", "1.5", "soon"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn topics_are_named_with_their_queues() {
        assert_eq!(topic("orders:4"), Ok(("orders".to_owned(), 4)));
        for bad in ["orders", "orders:", ":4", "orders:0", "orders:many"] {
            assert!(topic(bad).is_err(), "{bad}");
        }
    }
}
