//! The subcommands and what they share: parsing, one line for an error, and a clean Ctrl-C.

mod bench;
mod broker;
mod command;
mod list;
mod live;
mod log;
mod run;
mod siege;
mod stop;
mod vectors;

use std::error::Error;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Tools that test a RocketMQ client: real brokers, an embedded broker, measurements.
#[derive(Debug, Parser)]
#[command(name = "rocketry-conformance", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    log: log::Args,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Send or consume as fast as it goes, and print one line of figures
    Bench(bench::Args),
    /// Serve the embedded nameserver and broker, in memory and without Java
    Broker(broker::Args),
    /// Print all about one conformance case
    Explain(list::Explain),
    /// Print the conformance cases
    List(list::List),
    /// Start, use and stop a real Apache RocketMQ (needs Java 17 and Maven)
    Live(live::Args),
    /// Run conformance cases: against the embedded broker, a version of Apache RocketMQ, or a
    /// cluster of your own
    Run(run::Args),
    /// Attack a client with hostile peers, and measure its memory and its work
    Siege(siege::Args),
    /// The client of a siege, which measures itself
    #[command(hide = true)]
    Besieged(siege::Besieged),
    /// Check the codec against vectors: what the real Java classes print
    Vectors(vectors::Args),
}

/// What a subcommand ends with: its exit code, or the error to print.
type Outcome = Result<ExitCode, Box<dyn Error>>;

pub(crate) fn run() -> ExitCode {
    act(Cli::parse()).unwrap_or_else(|error| {
        eprintln!("rocketry-conformance: {error}");
        ExitCode::FAILURE
    })
}

fn act(cli: Cli) -> Outcome {
    match cli.command {
        Command::Run(_) => cli.log.listen()?,
        _ => cli.log.start()?,
    }
    match cli.command {
        Command::Bench(args) => bench::run(args),
        Command::Broker(args) => broker::run(args),
        Command::Explain(args) => list::explain(&args),
        Command::List(args) => list::list(&args),
        Command::Live(args) => live::run(args),
        Command::Run(args) => run::run(&args),
        Command::Siege(args) => siege::run(&args),
        Command::Besieged(args) => siege::endure(&args),
        Command::Vectors(args) => vectors::run(&args),
    }
}
