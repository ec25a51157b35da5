//! What a run came to, for people and for machines.

mod json;
mod junit;
mod markdown;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::run::{Outcome, Record, Verdict};

/// A run, to be reported.
#[derive(Clone, Debug)]
pub struct Report {
    /// The target as it was asked for.
    pub target: String,
    /// The version of RocketMQ there; none of the embedded broker.
    pub version: Option<String>,
    /// What was run or skipped.
    pub outcome: Outcome,
    /// How long it took.
    pub took: Duration,
}

/// How many rounds passed, failed and were skipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Rounds that passed.
    pub passed: usize,
    /// Rounds that failed.
    pub failed: usize,
    /// Cases that were skipped.
    pub skipped: usize,
}

impl Totals {
    fn of<'r>(records: impl Iterator<Item = &'r Record>) -> Self {
        records.fold(Self::default(), |mut totals, record| {
            match record.verdict {
                Verdict::Passed => totals.passed += 1,
                Verdict::Failed(_) => totals.failed += 1,
                Verdict::Skipped(_) => totals.skipped += 1,
            }
            totals
        })
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { passed, failed, skipped } = self;
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

impl Report {
    /// Over all cases.
    pub fn totals(&self) -> Totals {
        Totals::of(self.outcome.records.iter())
    }

    /// Whether every round was run to its end.
    pub fn is_complete(&self) -> bool {
        self.outcome.unfinished == 0
    }

    /// The records of each group, in the order of the groups' first cases.
    fn groups(&self) -> Vec<(&'static str, Vec<&Record>)> {
        let mut groups: Vec<(&'static str, Vec<&Record>)> = Vec::new();
        for record in &self.outcome.records {
            let name = record.case.group();
            match groups.iter_mut().find(|(own, _)| *own == name) {
                Some((_, records)) => records.push(record),
                None => groups.push((name, vec![record])),
            }
        }
        groups
    }

    /// The cases that were skipped, by the reason.
    pub fn skips(&self) -> BTreeMap<&str, Vec<&'static str>> {
        let mut skips = BTreeMap::<&str, Vec<&'static str>>::new();
        for record in &self.outcome.records {
            if let Verdict::Skipped(reason) = &record.verdict {
                skips.entry(reason).or_default().push(record.case.id);
            }
        }
        skips
    }
}

/// A form of report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// XML of JUnit, as CI servers read it.
    Junit,
    /// JSON of the schema `rocketry-conformance/1`.
    Json,
    /// Markdown.
    Markdown,
}

/// A report and the file it goes to: `junit=FILE`, `json=FILE`, `md=FILE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its form.
    pub form: Form,
    /// Where it goes.
    pub file: PathBuf,
}

impl FromStr for Wanted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (form, file) = text.split_once('=').unwrap_or((text, ""));
        let form = match form {
            "junit" => Form::Junit,
            "json" => Form::Json,
            "md" => Form::Markdown,
            _ => return Err("a report is junit=FILE, json=FILE or md=FILE".to_owned()),
        };
        if file.is_empty() {
            return Err("a report needs a file, as in junit=FILE".to_owned());
        }
        Ok(Self { form, file: file.into() })
    }
}

impl Wanted {
    /// Writes it: the whole of it or nothing.
    pub fn write(&self, report: &Report) -> io::Result<()> {
        let text = match self.form {
            Form::Junit => junit::write(report),
            Form::Json => json::write(report)?,
            Form::Markdown => markdown::write(report),
        };
        let mut draft = self.file.clone().into_os_string();
        draft.push(".new");
        fs::write(&draft, text)?;
        fs::rename(&draft, &self.file)
    }
}
