//! `siege`: hostile peers against a client, one line of figures each; `besieged` is the client.

use std::process::ExitCode;

use rocketry_conformance::siege::{self, On, SIEGES};

use super::Outcome;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only these attacks; all of them without
    attacks: Vec<String>,
    /// Only this runtime: tokio, smol, async-std or std
    #[arg(long)]
    runtime: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Besieged {
    attack: String,
    runtime: String,
    namesrv: String,
}

const HEAD: &str = "attack runtime peak-MiB budget-MiB cpu sent failed slowest-ms delivered \
                    connections requests";

pub(super) fn run(args: &Args) -> Outcome {
    let program = std::env::current_exe()?;
    println!("{HEAD}");
    let mut good = true;
    for siege in &SIEGES {
        if !args.attacks.is_empty() && !args.attacks.iter().any(|name| name == siege.name) {
            continue;
        }
        for on in On::ALL {
            if args.runtime.as_ref().is_some_and(|name| name != on.name()) {
                continue;
            }
            let found = siege.run(&program, on)?;
            let (peak, budget) = (found.peak >> 10, siege.budget() >> 10);
            good &= found.peak <= siege.budget() && found.cpu < 0.25;
            println!(
                "{} {} {peak} {budget} {:.3} {} {} {:.1} {} {} {}",
                siege.name,
                on.name(),
                found.cpu,
                found.sent,
                found.failed,
                found.slowest.as_secs_f64() * 1000.0,
                found.delivered,
                found.connections,
                found.requests
            );
        }
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

pub(super) fn endure(args: &Besieged) -> Outcome {
    println!("{}", siege::endure(&args.attack, &args.runtime, &args.namesrv)?);
    Ok(ExitCode::SUCCESS)
}
