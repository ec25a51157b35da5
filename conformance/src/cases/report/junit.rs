//! XML of JUnit, by the schema that Jenkins and its like read: a suite for each group.

use std::fmt::Write;
use std::time::Duration;

use super::{Report, Totals};
use crate::cases::run::{Record, Verdict};

pub(super) fn write(report: &Report) -> String {
    let totals = report.totals();
    let name = format!("rocketry-conformance {}", report.target);
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    element(&mut xml, "testsuites", &name, totals, report.took);
    for (group, records) in report.groups() {
        suite(&mut xml, report, group, &records);
    }
    if !report.is_complete() {
        xml.push_str("  <testsuite name=\"run\" tests=\"1\" failures=\"0\" errors=\"1\" ");
        xml.push_str("skipped=\"0\" time=\"0.000\">\n    ");
        xml.push_str("<testcase name=\"run\" classname=\"run\" time=\"0.000\">\n");
        let left = report.outcome.unfinished;
        line(&mut xml, format_args!("      <error message=\"ended early: {left} not run\"/>"));
        xml.push_str("    </testcase>\n  </testsuite>\n");
    }
    xml.push_str("</testsuites>\n");
    xml
}

fn line(xml: &mut String, text: std::fmt::Arguments<'_>) {
    // A string takes everything.
    let _ = writeln!(xml, "{text}");
}

/// The begin of an element that counts.
fn element(xml: &mut String, tag: &str, name: &str, totals: Totals, took: Duration) {
    let Totals { passed, failed, skipped } = totals;
    let (name, tests, time) = (escaped(name), passed + failed + skipped, took.as_secs_f64());
    line(
        xml,
        format_args!(
            "<{tag} name=\"{name}\" tests=\"{tests}\" failures=\"{failed}\" errors=\"0\" \
             skipped=\"{skipped}\" time=\"{time:.3}\">"
        ),
    );
}

fn suite(xml: &mut String, report: &Report, group: &str, records: &[&Record]) {
    let totals = Totals::of(records.iter().copied());
    xml.push_str("  ");
    element(xml, "testsuite", group, totals, records.iter().map(|record| record.took).sum());
    xml.push_str("    <properties>\n");
    let version = report.version.as_deref().unwrap_or("embedded");
    for (name, value) in [("target", report.target.as_str()), ("version", version)] {
        let value = escaped(value);
        line(xml, format_args!("      <property name=\"{name}\" value=\"{value}\"/>"));
    }
    xml.push_str("    </properties>\n");
    records.iter().for_each(|record| case(xml, record));
    xml.push_str("  </testsuite>\n");
}

fn case(xml: &mut String, record: &Record) {
    let (name, group) = (escaped(&record.name()), record.case.group());
    let time = record.took.as_secs_f64();
    line(
        xml,
        format_args!("    <testcase name=\"{name}\" classname=\"{group}\" time=\"{time:.3}\">"),
    );
    match &record.verdict {
        Verdict::Passed => {}
        Verdict::Skipped(reason) => {
            let reason = escaped(reason);
            line(xml, format_args!("      <skipped message=\"{reason}\"/>"));
        }
        Verdict::Failed(why) => {
            let (kind, required) = (record.case.level.name(), escaped(record.case.requirement));
            let (first, why) = (escaped(why.lines().next().unwrap_or_default()), escaped(why));
            line(
                xml,
                format_args!(
                    "      <failure type=\"{kind}\" message=\"{first}\">{required}\n{why}</failure>"
                ),
            );
        }
    }
    if !record.notes.is_empty() {
        let notes = escaped(&record.notes.join("\n"));
        line(xml, format_args!("      <system-out>{notes}</system-out>"));
    }
    xml.push_str("    </testcase>\n");
}

/// Text as XML 1.0 takes it: characters that it has no place for are left out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' | '\r' => out.push(' '),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {}
            c => out.push(c),
        }
    }
    out
}
