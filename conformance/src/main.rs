//! The command line of the conformance tools; each subcommand is one module of `cli`.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
