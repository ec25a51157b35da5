//! Markdown, for the summary of a CI run.

use std::fmt::Write;

use super::{Report, Totals};
use crate::cases::run::Verdict;

pub(super) fn write(report: &Report) -> String {
    let mut out = String::new();
    // A string takes everything.
    let _ = body(report, &mut out);
    out
}

fn body(report: &Report, out: &mut String) -> std::fmt::Result {
    let version = report.version.as_deref().map(|version| format!(", RocketMQ {version}"));
    writeln!(out, "# Conformance: {}{}\n", report.target, version.unwrap_or_default())?;
    writeln!(out, "**{}** in {:.1} s\n", report.totals(), report.took.as_secs_f64())?;
    if !report.is_complete() {
        writeln!(out, "Ended early: {} rounds were not run.\n", report.outcome.unfinished)?;
    }
    writeln!(out, "| group | passed | failed | skipped |\n|---|---:|---:|---:|")?;
    for (group, records) in report.groups() {
        let Totals { passed, failed, skipped } = Totals::of(records.into_iter());
        writeln!(out, "| {group} | {passed} | {failed} | {skipped} |")?;
    }
    for record in &report.outcome.records {
        let Verdict::Failed(why) = &record.verdict else { continue };
        let level = record.case.level.name();
        writeln!(out, "\n## {} failed ({level})\n", record.name())?;
        writeln!(
            out,
            "{}\n\n```text\n{}\n```",
            record.case.requirement,
            why.replace("```", "'''")
        )?;
        record.notes.iter().try_for_each(|note| writeln!(out, "\n- {note}"))?;
    }
    let skips = report.skips();
    if !skips.is_empty() {
        writeln!(out, "\n## Skipped\n\n| reason | cases |\n|---|---|")?;
    }
    for (reason, ids) in skips {
        writeln!(out, "| {} | {} |", reason.replace('|', "\\|"), ids.join(", "))?;
    }
    Ok(())
}
