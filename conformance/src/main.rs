//! The command line of the conformance tools; each subcommand is one module of `cli`.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    if rocketry_conformance::rig::member::be_member() {
        return ExitCode::SUCCESS;
    }
    cli::run()
}
