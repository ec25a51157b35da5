//! `run`: conformance cases against the embedded broker, a version of Apache RocketMQ, or a cluster
//! that is there.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use clap::ValueEnum;
use rocketry::ConfigError;
use rocketry_conformance::cases::report::{Report, Wanted};
use rocketry_conformance::cases::run::{
    self, Against, Options, Record, Selection, Site, SiteError, Verdict,
};
use rocketry_conformance::cases::{self, Level};
use rocketry_conformance::live::LiveError;
use rocketry_conformance::rig::{Access, On};

use super::Outcome;
use super::stop::{INTERRUPTED, Stop};

/// The arguments, or what is in the environment, make no sense.
const WRONG: u8 = 2;
/// There is nothing to run against.
const UNREACHABLE: u8 = 3;
/// The suite itself went wrong: a report that can't be written, say.
const BROKEN: u8 = 4;
/// The selectors name no case.
pub(super) const NONE_SELECTED: u8 = 5;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 all that was run holds, 1 something does not (cases told for \
    information never count), 2 wrong arguments, 3 the target can't be reached or started, 4 the \
    suite itself failed, 5 no case is selected, 130 ended by Ctrl-C."
)]
pub(super) struct Args {
    /// Which cases: the begin of ids (PULL, FAULT-07), a pattern (*-06), what to leave out
    /// (!SCALE); all without
    selectors: Vec<String>,
    /// Against what: embedded, namesrv=HOST:PORT or apache=VERSION
    #[arg(long, default_value_t = Against::Embedded)]
    target: Against,
    /// The access key for a cluster that is there (namesrv=HOST:PORT); its secret is in
    /// ROCKETRY_SECRET_KEY. Without these options the environment counts, as for each client
    #[arg(long, value_name = "KEY")]
    access_key: Option<String>,
    /// Encrypt connections to a cluster that is there
    #[arg(long)]
    tls: bool,
    /// The same, with the authorities of this file; all else of TLS is in ROCKETRY_TLS_...
    #[arg(long, value_name = "FILE")]
    tls_ca: Option<String>,
    /// On which runtime; on all, cases on which a runtime has no say take turns
    #[arg(long, default_value = "all", value_parser = ["tokio", "smol", "async-std", "std", "all"])]
    runtime: String,
    /// Every case on each runtime
    #[arg(long)]
    each: bool,
    /// Cases that take minutes, too, and others with more messages
    #[arg(long)]
    long: bool,
    /// The least level of cases
    #[arg(long = "level", value_enum, default_value_t = Least::All)]
    least: Least,
    /// How many cases at a time
    #[arg(long, value_name = "N", default_value_t = 2)]
    jobs: usize,
    /// Multiplies the longest time that cases may take
    #[arg(long, value_name = "F", default_value_t = 1.0)]
    timeout_scale: f64,
    /// End with the first failure
    #[arg(long)]
    fail_fast: bool,
    /// Write reports: junit=FILE, json=FILE, md=FILE, with commas between
    #[arg(long, value_name = "FORM=FILE", value_delimiter = ',')]
    report: Vec<Wanted>,
    /// Tell what cases measure, too
    #[arg(short, long)]
    verbose: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Least {
    /// What messages depend on
    Must,
    /// What a good client does, too
    Should,
    /// What is told for information, too
    All,
}

impl From<Least> for Level {
    fn from(least: Least) -> Self {
        match least {
            Least::Must => Self::Must,
            Least::Should => Self::Should,
            Least::All => Self::Info,
        }
    }
}

pub(super) fn run(args: &Args) -> Outcome {
    let selected = Selection::new(&args.selectors, args.least.into()).of(cases::all());
    if selected.is_empty() {
        eprintln!("rocketry-conformance: no case is selected by {}", args.selectors.join(" "));
        return Ok(NONE_SELECTED.into());
    }
    let access = match access(args) {
        Ok(access) => access,
        Err(error) => {
            eprintln!("rocketry-conformance: {error}");
            return Ok(WRONG.into());
        }
    };
    let (stop, begun) = (Stop::on_signal()?, Instant::now());
    let site = match Site::open(&args.target, &access, stop.flag()) {
        Ok(site) => Arc::new(site),
        Err(SiteError::Start(LiveError::Interrupted)) => return Ok(INTERRUPTED.into()),
        Err(error) => {
            eprintln!("rocketry-conformance: {error}");
            return Ok(UNREACHABLE.into());
        }
    };
    let outcome = run::run(&selected, &site, &options(args, &stop), |record| {
        progress(record, args.verbose);
    });
    let (target, version) = (args.target.to_string(), site.version().map(str::to_owned));
    site.close();
    let report = Report { target, version, outcome, took: begun.elapsed() };
    end(&report, args, &stop)
}

/// What a cluster that is there wants of its clients: what is in the environment, and what the
/// options say. Those that are started here have keys and certificates of their own.
fn access(args: &Args) -> Result<Access, ConfigError> {
    let Against::Namesrv(_) = &args.target else { return Ok(Access::default()) };
    let said = [
        ("ROCKETRY_ACCESS_KEY", args.access_key.clone()),
        ("ROCKETRY_TLS", args.tls.then(|| "true".to_owned())),
        ("ROCKETRY_TLS_CA", args.tls_ca.clone()),
    ];
    let said = said.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Access::of_environment_and(said)
}

fn options(args: &Args, stop: &Stop) -> Options {
    let mut options = Options::default();
    options.runtimes = On::named(&args.runtime).map_or(On::ALL.to_vec(), |on| vec![on]);
    (options.each, options.jobs, options.long) = (args.each, args.jobs, args.long);
    (options.timeout_scale, options.fail_fast) = (args.timeout_scale, args.fail_fast);
    options.stop = stop.flag();
    options
}

/// One line for each round, on standard error.
fn progress(record: &Record, verbose: bool) {
    let word = match &record.verdict {
        Verdict::Passed => "ok    ",
        Verdict::Failed(_) if record.fails() => "FAILED",
        Verdict::Failed(_) => "told  ",
        Verdict::Skipped(_) => "skip  ",
    };
    let mut out = io::stderr().lock();
    // A terminal that has gone is no reason to end.
    let seconds = record.took.as_secs_f64();
    let _ = writeln!(out, "{word} {seconds:7.2}s  {}", record.name());
    if verbose || matches!(record.verdict, Verdict::Failed(_)) {
        let _ = record.notes.iter().try_for_each(|note| writeln!(out, "                 {note}"));
    }
}

fn end(report: &Report, args: &Args, stop: &Stop) -> Outcome {
    let mut broken = false;
    for wanted in &args.report {
        if let Err(error) = wanted.write(report) {
            eprintln!("rocketry-conformance: can't write {}: {error}", wanted.file.display());
            broken = true;
        }
    }
    summary(report)?;
    let failed = report.outcome.records.iter().any(Record::fails);
    Ok(match () {
        () if broken => BROKEN.into(),
        () if failed => ExitCode::FAILURE,
        () if stop.raised() => INTERRUPTED.into(),
        () if !report.is_complete() => BROKEN.into(),
        () => ExitCode::SUCCESS,
    })
}

/// What was skipped and what failed, nearest to the end; the totals are the last line.
fn summary(report: &Report) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for (reason, ids) in report.skips() {
        writeln!(out, "skipped, {reason}: {}", ids.join(" "))?;
    }
    for record in &report.outcome.records {
        let Verdict::Failed(why) = &record.verdict else { continue };
        let (name, case) = (record.name(), record.case);
        writeln!(out, "\n{name} ({}): {}\n  {why}", case.level.name(), case.requirement)?;
    }
    if !report.is_complete() {
        writeln!(out, "ended early: {} rounds were not run", report.outcome.unfinished)?;
    }
    let (seconds, version) = (report.took.as_secs_f64(), report.version.as_deref());
    let version = version.map(|version| format!(", RocketMQ {version}")).unwrap_or_default();
    if out.is_terminal() {
        writeln!(out, "{}{version}, {seconds:.1} s", report.target)?;
    }
    writeln!(out, "{}", report.totals())
}
