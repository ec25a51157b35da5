//! JSON of the schema `rocketry-conformance/1`: fields are added, and none changes its meaning.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Report, Totals};
use crate::cases::run::{Record, Verdict};

#[derive(Serialize)]
struct Document<'r> {
    schema: &'static str,
    tool: &'static str,
    target: &'r str,
    version: Option<&'r str>,
    complete: bool,
    unfinished: usize,
    seconds: f64,
    totals: Counts,
    groups: BTreeMap<&'static str, Counts>,
    cases: Vec<Row<'r>>,
}

#[derive(Serialize)]
struct Counts {
    passed: usize,
    failed: usize,
    skipped: usize,
}

#[derive(Serialize)]
struct Row<'r> {
    id: &'static str,
    group: &'static str,
    level: &'static str,
    requirement: &'static str,
    source: &'static str,
    runtimes: Vec<&'static str>,
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'r str>,
    seconds: f64,
    notes: &'r [String],
}

impl From<Totals> for Counts {
    fn from(Totals { passed, failed, skipped }: Totals) -> Self {
        Self { passed, failed, skipped }
    }
}

pub(super) fn write(report: &Report) -> serde_json::Result<String> {
    let groups = report.groups().into_iter();
    let document = Document {
        schema: "rocketry-conformance/1",
        tool: env!("CARGO_PKG_VERSION"),
        target: &report.target,
        version: report.version.as_deref(),
        complete: report.is_complete(),
        unfinished: report.outcome.unfinished,
        seconds: report.took.as_secs_f64(),
        totals: report.totals().into(),
        groups: groups.map(|(group, all)| (group, Totals::of(all.into_iter()).into())).collect(),
        cases: report.outcome.records.iter().map(row).collect(),
    };
    serde_json::to_string_pretty(&document)
}

fn row(record: &Record) -> Row<'_> {
    let (verdict, reason) = match &record.verdict {
        Verdict::Passed => ("passed", None),
        Verdict::Failed(why) => ("failed", Some(why.as_str())),
        Verdict::Skipped(why) => ("skipped", Some(why.as_str())),
    };
    Row {
        id: record.case.id,
        group: record.case.group(),
        level: record.case.level.name(),
        requirement: record.case.requirement,
        source: record.case.source,
        runtimes: record.runtimes.iter().map(|on| on.name()).collect(),
        verdict,
        reason,
        seconds: record.took.as_secs_f64(),
        notes: &record.notes,
    }
}
