//! Checks the codec against rows of what the real Java classes print.
//!
//! A row is a JSON object on a line of a `*.jsonl` file; its keys tell its format. Bytes are
//! lower-case hexadecimal, and numbers that may pass 2^53 are strings. What has two directions is
//! checked in both.

mod frames;
mod messages;
mod row;
mod rules;
mod texts;

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use row::Row;

/// What became of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileReport {
    /// The file.
    pub path: PathBuf,
    /// Rows that hold.
    pub passed: usize,
    /// Rows that don't: the number of the line, from 1, and what is wrong.
    pub failed: Vec<(usize, String)>,
    /// No row has a known format: the file is not ours to check.
    pub unknown: bool,
}

impl fmt::Display for FileReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.path.file_name().unwrap_or_default().display();
        for (line, reason) in &self.failed {
            writeln!(f, "{name}:{line}: {reason}")?;
        }
        if self.unknown {
            return write!(f, "{name}: skipped, of no known format");
        }
        write!(f, "{name}: {} passed, {} failed", self.passed, self.failed.len())
    }
}

/// Checks every `*.jsonl` file in `folder`, in the order of their names.
///
/// # Errors
/// When the folder or a file in it can't be read.
pub fn run(folder: &Path) -> io::Result<Vec<FileReport>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "jsonl") {
            files.push(path);
        }
    }
    files.sort();
    files.into_iter().map(check_file).collect()
}

fn check_file(path: PathBuf) -> io::Result<FileReport> {
    let bytes = fs::read(&path)?;
    let mut report = FileReport { path, passed: 0, failed: Vec::new(), unknown: true };
    for (at, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        match check_line(line) {
            Ok(known) => {
                report.unknown &= !known;
                if known {
                    report.passed += 1;
                } else {
                    report.failed.push((at + 1, "a row of no known format".to_owned()));
                }
            }
            Err(reason) => {
                report.unknown = false;
                report.failed.push((at + 1, reason));
            }
        }
    }
    if report.unknown {
        report.failed.clear();
    }
    Ok(report)
}

/// Checks one row; `false` when its format is not known.
fn check_line(line: &[u8]) -> Result<bool, String> {
    let value: serde_json::Value =
        serde_json::from_slice(line).map_err(|error| format!("no JSON: {error}"))?;
    let row = Row(&value);
    let Some((_, check)) = FORMATS.iter().find(|(key, _)| row.has(key)) else { return Ok(false) };
    check(row).map(|()| true)
}

type Check = fn(Row<'_>) -> Result<(), String>;

/// Each format by the key that only its rows have.
const FORMATS: [(&str, Check); 11] = [
    ("frame", frames::frame),
    ("stored", messages::stored),
    ("pulled", messages::pulled),
    ("encoded", messages::batch),
    ("id", texts::message_id),
    ("text_hex", texts::properties),
    ("signature", rules::signature),
    ("assigned", rules::allocation),
    ("data_hex", rules::trace),
    ("java_hash", texts::hash),
    ("expression", texts::subscription),
];

/// An error unless both are equal.
fn same<T: PartialEq + fmt::Debug>(what: &str, found: T, expected: T) -> Result<(), String> {
    if found == expected {
        return Ok(());
    }
    let cut = |value: &T| format!("{value:?}").chars().take(300).collect::<String>();
    Err(format!("{what} is {}, Java says {}", cut(&found), cut(&expected)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn golden() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
    }

    #[test]
    fn what_java_printed_holds_row_for_row() {
        let reports = run(&golden()).expect("the golden folder is read");
        for report in &reports {
            assert!(report.failed.is_empty() && !report.unknown, "{report}");
        }
        let rows: Vec<usize> = reports.iter().map(|report| report.passed).collect();
        assert_eq!(rows, [40, 60, 40, 160, 80, 40, 80, 46, 40, 7, 40]);
    }

    /// A change of any text or number in a row that says something must show.
    #[test]
    fn a_row_that_was_tampered_with_fails() {
        let mut caught = 0;
        for entry in fs::read_dir(golden()).expect("the golden folder") {
            let path = entry.expect("a file").path();
            let text = fs::read_to_string(&path).expect("a golden file");
            let Some(line) = text.lines().next().filter(|line| line.starts_with('{')) else {
                continue;
            };
            let keys = ["\"code\":", "\"queue_offset\":", "\"flag\":", "\"port\":", "\"codes\":"];
            for key in keys.into_iter().filter(|key| line.contains(key)) {
                let bad = line.replacen(key, &format!("{key} 7777777, \"was\":"), 1);
                assert!(check_line(bad.as_bytes()).is_err(), "{key} {}", path.display());
                caught += 1;
            }
        }
        assert!(caught > 5, "{caught}");
        for row in ["{\"frame\":\"zz\"}", "{\"stored\":1}", "{\"pulled\":\"00\"}", "{", "\"id\""] {
            assert_ne!(check_line(row.as_bytes()), Ok(true), "{row}");
        }
        assert_eq!(check_line(b"{\"other\":1}"), Ok(false));
    }
}
