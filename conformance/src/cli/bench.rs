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
    /// Sign requests, with a key that the account of `live up --conf authenticationEnabled=true`
    /// has; other brokers pass it over
    #[arg(long)]
    signed: bool,
    /// The same work in these ways, too, in turns with the plain one, of a broker that takes all of
    /// them (`broker --tls permissive`); the last lines are medians, as parts of the plain ones
    #[arg(long, value_enum, value_delimiter = ',', conflicts_with_all = ["tls", "signed"])]
    beside: Vec<Way>,
    /// How many turns
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Way {
    /// Nothing besides
    Plain,
    /// Signed requests
    Signed,
    /// Encrypted connections
    Tls,
    /// Both
    Both,
}

impl Way {
    const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Signed => "signed",
            Self::Tls => "tls",
            Self::Both => "both",
        }
    }
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
        signed: args.signed,
    };
    if !args.beside.is_empty() {
        return beside(&plan, runtime, &args.beside, args.rounds);
    }
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

/// Does the work in several ways in turns, so that whatever else the machine does falls on all
/// alike.
fn beside(plan: &Plan, runtime: Runtime, ways: &[Way], rounds: u32) -> Outcome {
    let ways: Vec<Way> = [&[Way::Plain], ways].concat();
    let mut figures: Vec<Vec<(f64, f64)>> = vec![Vec::new(); ways.len()];
    for _ in 0..rounds {
        for (way, figures) in ways.iter().zip(&mut figures) {
            let tls = matches!(way, Way::Tls | Way::Both);
            let signed = matches!(way, Way::Signed | Way::Both);
            let plan = Plan { tls, signed, ..plan.clone() };
            let report = bench::run(&plan, runtime, &Progress::default())?;
            println!("{report} way={}", way.name());
            figures.push((report.cpu_us, report.rate));
        }
    }
    let medians: Vec<(f64, f64)> = figures.iter().map(|all| medians(all)).collect();
    let (plain_cpu, plain_rate) = medians[0];
    for (way, (cpu, rate)) in ways.iter().zip(&medians).skip(1) {
        let (more, cpu_part, rate_part) = (cpu - plain_cpu, cpu / plain_cpu, rate / plain_rate);
        let name = way.name();
        println!("way={name} cpu={cpu_part:.2} rate={rate_part:.2} more_cpu_us={more:.2}");
    }
    Ok(ExitCode::SUCCESS)
}

/// The middle one of each figure.
fn medians(all: &[(f64, f64)]) -> (f64, f64) {
    let middle = |mut each: Vec<f64>| {
        each.sort_by(f64::total_cmp);
        each[each.len() / 2]
    };
    let (cpu, rate) = all.iter().copied().unzip();
    (middle(cpu), middle(rate))
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
