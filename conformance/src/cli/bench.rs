//! `bench`: one work, one line of figures.

use std::process::ExitCode;

use clap::ValueEnum;
use rocketry::Topic;
use rocketry_conformance::bench::{self, Plan, Runtime, Work};

use super::Outcome;

#[derive(Clone, Copy, Debug, ValueEnum)]
enum WorkArg {
    /// PARALLEL callers, each waits for its answer
    Sync,
    /// One caller with PARALLEL sends in flight
    Async,
    /// One consumer from the first offset
    Consume,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum RuntimeArg {
    /// tokio's multi-threaded runtime
    Tokio,
    /// Plain threads
    Std,
}

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What to do
    work: WorkArg,
    /// The nameservers: host:port, several joined by ';'
    namesrv: String,
    /// The topic; it must exist, or be created automatically
    topic: Topic,
    /// Messages to count
    count: usize,
    /// Bytes of a body
    #[arg(value_parser = clap::value_parser!(u32).range(1..=4 << 20))]
    body_bytes: u32,
    /// Callers of sync, sends in flight of async
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000))]
    parallel: u32,
    /// Who moves the bytes
    #[arg(long, default_value = "tokio")]
    runtime: RuntimeArg,
}

pub(super) fn run(args: Args) -> Outcome {
    let plan = Plan {
        work: match args.work {
            WorkArg::Sync => Work::Sync,
            WorkArg::Async => Work::Async,
            WorkArg::Consume => Work::Consume,
        },
        namesrv: args.namesrv,
        topic: args.topic,
        count: args.count,
        body: args.body_bytes as usize,
        parallel: args.parallel as usize,
    };
    let runtime = match args.runtime {
        RuntimeArg::Tokio => Runtime::Tokio,
        RuntimeArg::Std => Runtime::Std,
    };
    println!("{}", bench::run(&plan, runtime)?);
    Ok(ExitCode::SUCCESS)
}
