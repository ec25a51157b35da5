//! What the clients of this process log, kept for cases that look at what a user is told.

use std::fmt;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Instant;

use log::kv::{self, Key, Value, VisitSource};
use log::{Level, LevelFilter, Log, Metadata, Record};

/// A record, and whose it is.
struct Line {
    client: String,
    text: String,
    at: Instant,
}

/// Keeps what clients tell, and hands everything on.
struct Heard {
    lines: Mutex<Vec<Line>>,
    beside: Option<Box<dyn Log>>,
}

static HEARD: OnceLock<Heard> = OnceLock::new();

struct Whose(String);

impl<'kvs> VisitSource<'kvs> for Whose {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        if key.as_str() == "client" {
            self.0 = value.to_string();
        }
        Ok(())
    }
}

fn is_kept(metadata: &Metadata<'_>) -> bool {
    metadata.target() == "rocketry" && metadata.level() <= Level::Info
}

impl Log for Heard {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        is_kept(metadata) || self.beside.as_ref().is_some_and(|other| other.enabled(metadata))
    }

    fn log(&self, record: &Record<'_>) {
        if let Some(other) = &self.beside {
            other.log(record);
        }
        let mut whose = Whose(String::new());
        if is_kept(record.metadata()) && record.key_values().visit(&mut whose).is_ok() {
            let (text, at) = (record.args().to_string(), Instant::now());
            let mut kept = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
            kept.push(Line { client: whose.0, text, at });
        }
    }

    fn flush(&self) {
        if let Some(other) = &self.beside {
            other.flush();
        }
    }
}

impl fmt::Debug for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Heard")
    }
}

/// From now on what clients log is kept, and goes to `beside` as far as its level, too. Nothing
/// changes where it is kept already.
///
/// # Panics
///
/// When this process has another logger.
pub fn listen(beside: Option<(Box<dyn Log>, LevelFilter)>) {
    if HEARD.get().is_some() {
        return;
    }
    let level = beside.as_ref().map_or(LevelFilter::Off, |(_, level)| *level);
    let beside = beside.map(|(other, _)| other);
    let heard = HEARD.get_or_init(|| Heard { lines: Mutex::default(), beside });
    if log::set_logger(heard).is_err() {
        panic!("this process has another logger");
    }
    log::set_max_level(level.max(LevelFilter::Info));
}

/// What a client has told that has a text in it, and when.
pub fn lines(client: &str, part: &str) -> Vec<(Instant, String)> {
    let Some(heard) = HEARD.get() else { return Vec::new() };
    let kept = heard.lines.lock().unwrap_or_else(PoisonError::into_inner);
    let of_client = kept.iter().filter(|one| one.client == client && one.text.contains(part));
    of_client.map(|one| (one.at, one.text.clone())).collect()
}
