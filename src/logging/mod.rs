//! A logger for programs that have none: what the client logs, and what the program does, as lines
//! for people, in colour, or as JSON, to standard error or a file.
//!
//! ```
//! use rocketry::logging::{Form, LevelFilter, Logging};
//!
//! Logging::new().form(Form::Json).level(LevelFilter::Debug).start()?;
//! log::info!(shop = "north"; "open");
//! # Ok::<(), rocketry::logging::LoggingError>(())
//! ```
//!
//! The client itself writes through the crate [`log`] alone, and any logger takes its records; this
//! one is there with the feature `logging`, and brings no crate with it.

mod line;
#[cfg(test)]
mod tests;

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use std::{env, fmt};

pub use log::LevelFilter;
use log::{Log, Metadata, Record};

/// How a record is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Form {
    /// A line for people, without colours: `text`.
    #[default]
    Text,
    /// A line for people, coloured unless `NO_COLOR` is set: `color`.
    Color,
    /// A JSON object on a line of its own: `json`. It has `time`, `level`, `target`, `message`,
    /// and the record's key-values under `fields`.
    Json,
}

impl Form {
    /// Every form, in the order of their names in a usage text.
    pub const ALL: [Self; 3] = [Self::Text, Self::Json, Self::Color];

    /// Its name, as options and settings have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Color => "color",
            Self::Json => "json",
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Form {
    type Err = UnknownForm;

    fn from_str(name: &str) -> Result<Self, UnknownForm> {
        Self::ALL.into_iter().find(|form| form.name() == name).ok_or(UnknownForm)
    }
}

/// There is no form of that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a form is text, json or color")]
pub struct UnknownForm;

/// Why no logger was installed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoggingError {
    /// The file can't be written.
    #[error("can't write the log {}: {source}", path.display())]
    File {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The process has a logger already: there is one for all of it.
    #[error("this process has a logger already")]
    Taken,
}

/// What is to be logged, and how: text from `info` on to standard error, unless told otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logging {
    form: Form,
    level: LevelFilter,
    target: String,
    file: Option<PathBuf>,
}

impl Default for Logging {
    fn default() -> Self {
        Self { form: Form::Text, level: LevelFilter::Info, target: String::new(), file: None }
    }
}

impl Logging {
    /// Text from `info` on to standard error.
    pub fn new() -> Self {
        Self::default()
    }

    /// In this form.
    pub const fn form(mut self, form: Form) -> Self {
        self.form = form;
        self
    }

    /// From this level on.
    pub const fn level(mut self, level: LevelFilter) -> Self {
        self.level = level;
        self
    }

    /// Only records whose target begins so: those of the client with `rocketry`.
    pub fn target(mut self, begin: impl Into<String>) -> Self {
        self.target = begin.into();
        self
    }

    /// Behind what this file has, instead of to standard error. It is made where it is not there.
    pub fn file(mut self, path: impl AsRef<Path>) -> Self {
        self.file = Some(path.as_ref().to_owned());
        self
    }

    /// Installs the logger for the whole process, for as long as it runs.
    ///
    /// Records are written one by one, each with one write, on the thread that logs.
    ///
    /// # Errors
    ///
    /// When the file can't be written, or another logger is installed.
    pub fn start(self) -> Result<(), LoggingError> {
        let out: Box<dyn Write + Send> = match &self.file {
            None => Box::new(io::stderr()),
            Some(path) => {
                let file = OpenOptions::new().create(true).append(true).open(path);
                let named = |source| LoggingError::File { path: path.clone(), source };
                Box::new(file.map_err(named)?)
            }
        };
        let plain = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let level = self.level;
        let logger = Logger::new(self, plain, out);
        log::set_boxed_logger(Box::new(logger)).map_err(|_| LoggingError::Taken)?;
        log::set_max_level(level);
        Ok(())
    }
}

struct Logger {
    form: Form,
    level: LevelFilter,
    target: String,
    out: Mutex<Box<dyn Write + Send>>,
}

impl Logger {
    /// `plain` takes colours away.
    fn new(what: Logging, plain: bool, out: Box<dyn Write + Send>) -> Self {
        let Logging { form, level, target, file: _ } = what;
        let form = if plain && form == Form::Color { Form::Text } else { form };
        Self { form, level, target, out: Mutex::new(out) }
    }
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= self.level && metadata.target().starts_with(&self.target)
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // Made before the lock is taken: what a value does when it is written is its own affair.
        let line = line::of(self.form, time, record);
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody can be told of a log that can't be written.
        drop(out.write_all(line.as_bytes()));
    }

    fn flush(&self) {
        drop(self.out.lock().unwrap_or_else(PoisonError::into_inner).flush());
    }
}
