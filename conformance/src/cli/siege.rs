//! `siege`: hostile peers against a client, one line of figures each; `besieged` is the client.

use std::process::ExitCode;

use rocketry_conformance::siege::{self, Figures, On, SIEGES, Siege};

use super::Outcome;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only these attacks; all of them without
    #[arg(value_parser = NAMES.map(clap::builder::PossibleValue::new))]
    attacks: Vec<String>,
    /// Only this runtime
    #[arg(long, value_parser = ["tokio", "smol", "async-std", "std"])]
    runtime: Option<String>,
}

/// The attacks' names.
const NAMES: [&str; SIEGES.len()] = {
    let (mut names, mut at) = ([""; SIEGES.len()], 0);
    while at < SIEGES.len() {
        names[at] = SIEGES[at].name;
        at += 1;
    }
    names
};

/// The part of one processor that an optimised client may take.
const MOST: f64 = 0.25;
const TOO_BUSY: &str = "over a quarter of a processor";
/// The same work takes more of a processor that others are busy on as well: it is looked at again.
const TRIES: u32 = 3;

#[derive(Debug, clap::Args)]
pub(super) struct Besieged {
    attack: String,
    runtime: String,
    namesrv: String,
}

const HEAD: &str = "attack runtime peak-MiB budget-MiB cpu sent failed slowest-ms delivered \
                    connections requests verdict";

pub(super) fn run(args: &Args) -> Outcome {
    let program = std::env::current_exe()?;
    println!("{HEAD}");
    let mut good = true;
    let wanted = |siege: &&Siege| {
        args.attacks.is_empty() || args.attacks.iter().any(|name| name == siege.name)
    };
    for siege in SIEGES.iter().filter(wanted) {
        for on in On::ALL {
            if args.runtime.as_ref().is_some_and(|name| name != on.name()) {
                continue;
            }
            let mut tries = 1..=TRIES;
            good &= loop {
                let found = siege.run(&program, on)?;
                let verdict = verdict(siege, &found);
                row(siege, on, &found, verdict);
                tries.next();
                if verdict != TOO_BUSY || tries.is_empty() {
                    break verdict == "ok";
                }
            };
        }
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What is too much, if anything is. What is not optimised takes ten times the time: only its
/// memory counts.
fn verdict(siege: &Siege, found: &Figures) -> &'static str {
    if found.peak > siege.budget() {
        "too much memory"
    } else if found.cpu >= MOST && !cfg!(debug_assertions) {
        TOO_BUSY
    } else {
        "ok"
    }
}

fn row(siege: &Siege, on: On, found: &Figures, verdict: &str) {
    println!(
        "{} {} {} {} {:.3} {} {} {:.1} {} {} {} {verdict}",
        siege.name,
        on.name(),
        found.peak >> 10,
        siege.budget() >> 10,
        found.cpu,
        found.sent,
        found.failed,
        found.slowest.as_secs_f64() * 1000.0,
        found.delivered,
        found.connections,
        found.requests
    );
}

pub(super) fn endure(args: &Besieged) -> Outcome {
    println!("{}", siege::endure(&args.attack, &args.runtime, &args.namesrv)?);
    Ok(ExitCode::SUCCESS)
}
