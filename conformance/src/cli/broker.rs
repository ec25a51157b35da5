//! `broker`: the embedded broker on real ports, for other languages' clients or one command.

use std::ffi::OsString;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;

use rocketry_conformance::broker::ClusterConfig;
use rocketry_conformance::serve::{Listen, Served};

use super::stop::Stop;
use super::{Outcome, command};

/// A nameserver's usual port.
const NAMESRV_PORT: u16 = 9876;
/// A broker's usual port; the next broker's is ten above.
const BROKER_PORT: u16 = 10911;
const BROKER_STEP: usize = 10;

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
    /// A topic to begin with, and its queues on each broker; may be repeated
    #[arg(long = "topic", value_name = "NAME:QUEUES", value_parser = topic)]
    topics: Vec<(String, u32)>,
    /// Refuse topics that do not exist instead of creating them at the first send
    #[arg(long)]
    no_auto_create: bool,
    /// A command to run with NAMESRV_ADDR and ROCKETMQ_BROKER_ADDR set; without one, serve until
    /// Ctrl-C
    #[arg(last = true)]
    command: Vec<OsString>,
}

pub(super) fn run(args: Args) -> Outcome {
    let stop = Stop::on_signal()?;
    let served = Served::start_at(config(&args), &listen(&args)?)?;
    let broker = served.broker(0).map(|at| at.to_string()).unwrap_or_default();
    let addresses = [("NAMESRV_ADDR", served.namesrv()), ("ROCKETMQ_BROKER_ADDR", broker)];
    if !args.command.is_empty() {
        return command::run(&args.command, &addresses, &stop);
    }
    let mut out = io::stdout().lock();
    for (name, address) in &addresses {
        writeln!(out, "{name}={address}")?;
    }
    out.flush()?;
    stop.wait();
    Ok(ExitCode::SUCCESS)
}

fn config(args: &Args) -> ClusterConfig {
    let first = ClusterConfig::default().brokers(usize::from(args.brokers));
    let mut config =
        args.topics.iter().fold(first, |config, (name, queues)| config.topic(name, *queues));
    config.auto_create_topics = !args.no_auto_create;
    config
}

fn listen(args: &Args) -> Result<Listen, String> {
    let usual = |port| if args.command.is_empty() { port } else { 0 };
    let nameserver = args.namesrv_port.unwrap_or(usual(NAMESRV_PORT));
    let first = args.broker_port.unwrap_or(usual(BROKER_PORT));
    let mut brokers = Vec::new();
    for index in 0..usize::from(args.brokers) {
        let port = match first {
            0 => Some(0),
            _ => u16::try_from(usize::from(first) + index * BROKER_STEP).ok(),
        };
        let port = port.ok_or_else(|| format!("no port for broker {index} from {first} up"))?;
        brokers.push(SocketAddr::new(args.host, port));
    }
    let advertise = args.advertise.clone();
    Ok(Listen { nameserver: SocketAddr::new(args.host, nameserver), brokers, advertise })
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
    fn topics_are_named_with_their_queues() {
        assert_eq!(topic("orders:4"), Ok(("orders".to_owned(), 4)));
        for bad in ["orders", "orders:", ":4", "orders:0", "orders:many"] {
            assert!(topic(bad).is_err(), "{bad}");
        }
    }
}
