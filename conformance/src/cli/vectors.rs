//! `vectors`: checks the codec against what the real Java classes print.

use std::path::PathBuf;
use std::process::ExitCode;

use rocketry_conformance::vectors;

use super::Outcome;

/// The exit code for a folder that can't be read, or has no vectors in it.
const UNREADABLE: u8 = 2;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The folder with the *.jsonl files
    dir: PathBuf,
}

pub(super) fn run(args: &Args) -> Outcome {
    let folder = args.dir.display();
    let reports = match vectors::run(&args.dir) {
        Ok(reports) => reports,
        Err(error) => {
            eprintln!("rocketry-conformance: can't read {folder}: {error}");
            return Ok(UNREADABLE.into());
        }
    };
    for report in &reports {
        let file = report.path.display();
        log::info!(file:%, passed = report.passed, failed = report.failed.len(); "checked a file");
        println!("{report}");
    }
    let passed: usize = reports.iter().map(|report| report.passed).sum();
    let failed: usize = reports.iter().map(|report| report.failed.len()).sum();
    println!("{passed} passed, {failed} failed");
    if passed + failed == 0 {
        eprintln!("rocketry-conformance: no vectors in {folder}");
        return Ok(UNREADABLE.into());
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
