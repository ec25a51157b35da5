//! `bench`: one work, one line of figures; on a terminal a table, and how far it is.

use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use rocketry::Topic;
use rocketry_conformance::bench::{self, BenchError, Plan, Progress, Report, Runtime, Work};

use super::Outcome;

/// Between two looks at how far the work is.
const GLANCE: Duration = Duration::from_millis(200);

#[derive(Clone, Copy, Debug, ValueEnum)]
enum WorkArg {
    /// PARALLEL callers, each waits for its answer
    Sync,
    /// PARALLEL callers, each begins a transaction, commits it and waits for both answers
    Transaction,
    /// One caller with PARALLEL sends in flight
    Async,
    /// One caller with one batch of PARALLEL messages in flight
    Batch,
    /// One caller that wants no answers; a busy broker drops some of what is counted
    Oneway,
    /// One caller that begins all sends at once, and one more when they have ended
    Burst,
    /// One consumer from the first offset
    Consume,
    /// The same, each queue's messages in their order
    ConsumeOrderly,
    /// The same, polled
    ConsumePull,
    /// The same with PARALLEL handlers that do nothing
    Handlers,
    /// One message in flight, from before its send to its delivery
    Latency,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum RuntimeArg {
    /// tokio's multi-threaded runtime
    Tokio,
    /// smol's global executor, of SMOL_THREADS threads (1)
    Smol,
    /// async-std's global executor, and the callers on the main thread
    AsyncStd,
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
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    count: u32,
    /// Bytes of a body
    #[arg(value_parser = clap::value_parser!(u32).range(1..=4 << 20))]
    body_bytes: u32,
    /// Callers of sync, sends in flight of async, messages in a batch, handlers
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000))]
    parallel: u32,
    /// Who moves the bytes
    #[arg(long, default_value = "tokio")]
    runtime: RuntimeArg,
    /// Messages before those that count [default: 2000, for consume 20000, for latency 200]
    #[arg(long, value_name = "COUNT")]
    warm: Option<u32>,
    /// Encrypt connections, for brokers that `broker --tls` or `live up` gave the certificates of
    /// this program
    #[arg(long)]
    tls: bool,
}

pub(super) fn run(args: Args) -> Outcome {
    let work = match args.work {
        WorkArg::Sync => Work::Sync,
        WorkArg::Transaction => Work::Transaction,
        WorkArg::Async => Work::Async,
        WorkArg::Batch => Work::Batch,
        WorkArg::Oneway => Work::Oneway,
        WorkArg::Burst => Work::Burst,
        WorkArg::Consume => Work::Consume,
        WorkArg::ConsumeOrderly => Work::ConsumeOrderly,
        WorkArg::ConsumePull => Work::ConsumePull,
        WorkArg::Handlers => Work::Handlers,
        WorkArg::Latency => Work::Latency,
    };
    let runtime = match args.runtime {
        RuntimeArg::Tokio => Runtime::Tokio,
        RuntimeArg::Smol => Runtime::Smol,
        RuntimeArg::AsyncStd => Runtime::AsyncStd,
        RuntimeArg::Std => Runtime::Std,
    };
    let plan = Plan {
        work,
        namesrv: args.namesrv,
        topic: args.topic,
        warm: args.warm.map_or(work.warm(), |warm| warm as usize),
        count: args.count as usize,
        body: args.body_bytes as usize,
        parallel: args.parallel as usize,
        tls: args.tls,
    };
    let (namesrv, topic, count) = (plan.namesrv.as_str(), plan.topic.as_str(), plan.count);
    log::info!(namesrv, topic, count, runtime:%; "the work begins");
    let report = if io::stdout().is_terminal() {
        let report = watched(&plan, runtime)?;
        println!("{}", report.table());
        report
    } else {
        let report = bench::run(&plan, runtime, &Progress::default())?;
        println!("{report}");
        report
    };
    report.burst.filter(|_| io::stdout().is_terminal()).into_iter().for_each(|b| println!("{b}"));
    report.lock_line().into_iter().for_each(|line| println!("{line}"));
    log::info!(count; "the work is done");
    Ok(ExitCode::SUCCESS)
}

/// Does the work with a bar on standard error, where that is a terminal.
fn watched(plan: &Plan, runtime: Runtime) -> Result<Report, BenchError> {
    let progress = Progress::default();
    let bar = bar(plan);
    let (done, ended) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let (progress, bar) = (&progress, &bar);
        scope.spawn(move || {
            while ended.recv_timeout(GLANCE) == Err(RecvTimeoutError::Timeout) {
                let seen = progress.seen();
                bar.set_message(if seen < plan.warm { "warming up" } else { "measuring" });
                bar.set_position(seen as u64);
            }
            bar.finish_and_clear();
        });
        let report = bench::run(plan, runtime, progress);
        drop(done);
        report
    })
}

fn bar(plan: &Plan) -> ProgressBar {
    let bar = ProgressBar::new((plan.warm + plan.count) as u64);
    match ProgressStyle::with_template("{msg:10} {bar:30} {human_pos}/{human_len}  {eta} left") {
        Ok(style) => bar.with_style(style),
        // The template is fixed; the usual bar does as well.
        Err(_) => bar,
    }
}
