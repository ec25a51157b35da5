//! One round of a case.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Once, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use super::{Options, Record, Site, Verdict};
use crate::cases::case::{Case, Proof};
use crate::cases::place::Place;
use crate::rig::On;

/// How long a case may take, and one with a cluster or settings of its own.
const LIMIT: Duration = Duration::from_secs(180);
const LIMIT_ALONE: Duration = Duration::from_secs(480);
/// The same of a run that may take long.
const LIMIT_LONG: Duration = Duration::from_secs(2400);
/// How often it is looked whether the run is to end.
const LOOK: Duration = Duration::from_millis(50);
/// The name of threads whose panics are verdicts.
const THREAD: &str = "case";

thread_local! {
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Keeps what a case panicked with, and where, instead of printing it.
fn keep_panics() {
    static SET: Once = Once::new();
    SET.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if thread::current().name() == Some(THREAD) {
                PANIC.set(Some(told(info)));
            } else {
                before(info);
            }
        }));
    });
}

fn told(info: &PanicHookInfo<'_>) -> String {
    let text = text(info.payload());
    match info.location() {
        Some(at) => format!("{text} ({}:{})", at.file(), at.line()),
        None => text,
    }
}

fn text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "a panic without words".to_owned())
}

/// Runs a case on these runtimes. `None` when the run was ended meanwhile: what the case began is
/// left behind, as it is when it takes too long.
pub fn run_one(
    case: &'static Case,
    site: &Arc<Site>,
    runtimes: &[On],
    options: &Options,
) -> Option<Record> {
    keep_panics();
    let (begun, limit, long) = (Instant::now(), limit(case, options), options.long);
    let place = Arc::new(OnceLock::new());
    let (own_site, own_place, on) = (site.clone(), place.clone(), runtimes.to_vec());
    let (told, heard) = mpsc::channel();
    let run = move || {
        let verdict = panic::catch_unwind(AssertUnwindSafe(|| {
            let place = own_place.get_or_init(|| own_site.place(case, &on).long(long));
            if let Proof::Run(run) = case.proof {
                run(place);
            }
        }));
        let verdict = verdict.map_err(|payload| PANIC.take().unwrap_or_else(|| text(&*payload)));
        let notes = own_place.get().map(Place::take_notes).unwrap_or_default();
        let _ = told.send((verdict, notes));
    };
    let spawned = thread::Builder::new().name(THREAD.to_owned()).spawn(run);
    let (verdict, notes) = match spawned {
        Err(error) => (Verdict::Failed(format!("no thread to be had: {error}")), Vec::new()),
        Ok(_) => match wait(&heard, begun, limit, options) {
            Waited::Ended(result, notes) => {
                (result.map_or_else(Verdict::Failed, |()| Verdict::Passed), notes)
            }
            Waited::TooLong => {
                let notes = place.get().map(Place::take_notes).unwrap_or_default();
                (Verdict::Failed(format!("it did not end within {limit:?}")), notes)
            }
            Waited::Stopped => return None,
        },
    };
    let runtimes = place.get().map_or(runtimes.to_vec(), Place::used);
    Some(Record { case, runtimes, verdict, took: begun.elapsed(), notes })
}

fn limit(case: &Case, options: &Options) -> Duration {
    let scale = options.timeout_scale;
    let limit = match case.alone || case.long || !case.settings.is_empty() {
        true if options.long => LIMIT_LONG,
        true => LIMIT_ALONE,
        false => LIMIT,
    };
    Duration::try_from_secs_f64(limit.as_secs_f64() * scale).unwrap_or(limit)
}

enum Waited {
    Ended(Result<(), String>, Vec<String>),
    TooLong,
    Stopped,
}

type Told = (Result<(), String>, Vec<String>);

fn wait(
    heard: &mpsc::Receiver<Told>,
    begun: Instant,
    limit: Duration,
    options: &Options,
) -> Waited {
    loop {
        match heard.recv_timeout(LOOK) {
            Ok((result, notes)) => return Waited::Ended(result, notes),
            Err(RecvTimeoutError::Disconnected) => {
                let lost = Err("its thread ended without a word".to_owned());
                return Waited::Ended(lost, Vec::new());
            }
            Err(RecvTimeoutError::Timeout) if options.stop.load(Ordering::SeqCst) => {
                return Waited::Stopped;
            }
            Err(RecvTimeoutError::Timeout) if begun.elapsed() > limit => return Waited::TooLong,
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}
