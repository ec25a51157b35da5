//! Runs cases: several at a time, each in a thread of its own, with a limit to its time and its
//! panics caught.

mod one;
mod select;
mod site;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

pub use one::run_one;
pub use select::Selection;
pub use site::{Against, Site, SiteError};

use crate::cases::case::{Case, Level};
use crate::rig::On;

/// What came of a round of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It holds.
    Passed,
    /// It does not, and why.
    Failed(String),
    /// It was not run, and why: its row says so.
    Skipped(String),
}

/// A round of a case and what came of it.
#[derive(Clone, Debug)]
pub struct Record {
    /// The case.
    pub case: &'static Case,
    /// The runtimes; none of a case that was skipped.
    pub runtimes: Vec<On>,
    /// What came of it.
    pub verdict: Verdict,
    /// How long it took.
    pub took: Duration,
    /// What it measured, in its own words.
    pub notes: Vec<String>,
}

impl Record {
    /// The case and its runtimes: `SEND-04 on tokio`.
    pub fn name(&self) -> String {
        let on: Vec<&str> = self.runtimes.iter().map(|on| on.name()).collect();
        let id = self.case.id;
        if on.is_empty() { id.to_owned() } else { format!("{id} on {}", on.join("+")) }
    }

    /// Whether it makes the run fail: what is told for information never does.
    pub fn fails(&self) -> bool {
        matches!(self.verdict, Verdict::Failed(_)) && self.case.level < Level::Info
    }
}

/// How cases are to be run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// On which runtimes.
    pub runtimes: Vec<On>,
    /// Whether a case on which runtimes have no say is run on each of them all the same.
    pub each: bool,
    /// How many at a time.
    pub jobs: usize,
    /// What the longest time of each case is multiplied with.
    pub timeout_scale: f64,
    /// Whether cases that take minutes are run as well, and others with more messages.
    pub long: bool,
    /// Whether the first failure ends the run.
    pub fail_fast: bool,
    /// Raised to end the run early.
    pub stop: Arc<AtomicBool>,
}

impl Default for Options {
    /// On every runtime, two at a time.
    fn default() -> Self {
        Self {
            runtimes: On::ALL.to_vec(),
            each: false,
            jobs: 2,
            timeout_scale: 1.0,
            long: false,
            fail_fast: false,
            stop: Arc::default(),
        }
    }
}

/// What a run came to.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// What was run or skipped, in the order of the cases.
    pub records: Vec<Record>,
    /// Rounds that were not begun or not awaited, since the run was ended early.
    pub unfinished: usize,
}

type Job = (usize, &'static Case, Vec<On>);

/// Runs these cases and tells of each record as it comes.
pub fn run(
    cases: &[&'static Case],
    site: &Arc<Site>,
    options: &Options,
    mut tell: impl FnMut(&Record),
) -> Outcome {
    let (mut records, mut jobs) = (Vec::new(), Vec::new());
    for (at, case) in cases.iter().enumerate() {
        let too_long = case.long && !options.long && site.version().is_some();
        let too_long = too_long.then(|| "takes minutes: --long".to_owned());
        if let Some(reason) = site.skips(case).or(too_long) {
            records.push((at, skipped(case, reason)));
            continue;
        }
        let rounds = site.rounds(case, &options.runtimes, options.each);
        jobs.extend(rounds.into_iter().map(|runtimes: Vec<On>| (at, *case, runtimes)));
    }
    let expected = jobs.len();
    // What takes longest begins first.
    jobs.sort_by_key(|(_, case, _)| !case.alone);
    let jobs = Mutex::new(VecDeque::from(jobs));
    let (told, heard) = mpsc::channel();
    let mut ended = 0;
    thread::scope(|scope| {
        for _ in 0..options.jobs.max(1) {
            let (told, jobs) = (told.clone(), &jobs);
            scope.spawn(move || work(jobs, site, options, &told));
        }
        drop(told);
        for (at, record) in heard {
            tell(&record);
            ended += 1;
            records.push((at, record));
        }
    });
    records.sort_by_key(|(at, record)| (*at, record.runtimes.first().map(|on| on.name())));
    let records = records.into_iter().map(|(_, record)| record).collect();
    Outcome { records, unfinished: expected - ended }
}

fn skipped(case: &'static Case, reason: String) -> Record {
    let verdict = Verdict::Skipped(reason);
    Record { case, runtimes: Vec::new(), verdict, took: Duration::ZERO, notes: Vec::new() }
}

/// Takes one job after the other until there is none, or the run is to end.
fn work(
    jobs: &Mutex<VecDeque<Job>>,
    site: &Arc<Site>,
    options: &Options,
    told: &mpsc::Sender<(usize, Record)>,
) {
    while !options.stop.load(Ordering::SeqCst) {
        let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let Some((at, case, runtimes)) = next else { return };
        let Some(record) = run_one(case, site, &runtimes, options) else { return };
        if options.fail_fast && record.fails() {
            options.stop.store(true, Ordering::SeqCst);
        }
        if told.send((at, record)).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
