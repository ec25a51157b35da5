//! `list` and `explain`: the cases there are.

use std::io::{self, Write};
use std::process::ExitCode;

use rocketry_conformance::cases::run::Selection;
use rocketry_conformance::cases::{self, Case, Proof, Runtimes};
use serde_json::json;

use super::Outcome;
use super::run::{Least, NONE_SELECTED};

#[derive(Debug, clap::Args)]
pub(super) struct List {
    /// Which cases, as `run` takes them; all without
    selectors: Vec<String>,
    /// The least level of cases
    #[arg(long = "level", value_enum, default_value_t = Least::All)]
    least: Least,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Explain {
    /// The case, such as SEND-04
    id: String,
}

pub(super) fn list(args: &List) -> Outcome {
    let selected = Selection::new(&args.selectors, args.least.into()).of(cases::all());
    let mut out = io::stdout().lock();
    for case in &selected {
        if args.json {
            writeln!(out, "{}", object(case))?;
        } else {
            let (level, proof) = (case.level.name(), proof(case));
            let targets = targets(case).join(",");
            writeln!(
                out,
                "{:<10} {level:<6} {targets:<14} {proof:<9} {}",
                case.id, case.requirement
            )?;
        }
    }
    Ok(if selected.is_empty() { NONE_SELECTED.into() } else { ExitCode::SUCCESS })
}

pub(super) fn explain(args: &Explain) -> Outcome {
    let id = args.id.to_ascii_uppercase();
    let Some(case) = cases::all().find(|case| case.id == id) else {
        eprintln!("rocketry-conformance: there is no case {id}; `list` prints them");
        return Ok(NONE_SELECTED.into());
    };
    let mut out = io::stdout().lock();
    writeln!(out, "{} ({})\n{}\n", case.id, case.level.name(), case.requirement)?;
    writeln!(out, "source    {}", case.source)?;
    writeln!(out, "targets   {}", targets(case).join(", "))?;
    let runtimes = match case.runtimes {
        Runtimes::One => "one is enough: the protocol or the broker decides",
        Runtimes::All => "each: it can change the outcome",
    };
    writeln!(out, "runtimes  {runtimes}")?;
    if case.since.is_some() || case.until.is_some() {
        let (since, until) = (case.since.unwrap_or("the first"), case.until.unwrap_or("the last"));
        writeln!(out, "versions  from {since} to {until}")?;
    }
    for (name, value) in case.settings {
        writeln!(out, "setting   {name}={value}")?;
    }
    if case.alone {
        writeln!(out, "cluster   of its own, which it hurts")?;
    }
    if case.long {
        writeln!(out, "time      minutes: with --long alone")?;
    }
    match &case.proof {
        Proof::Run(_) => writeln!(out, "run       rocketry-conformance run {}", case.id)?,
        Proof::Tests(names) => {
            names.iter().try_for_each(|name| writeln!(out, "test      {name}"))?;
        }
        Proof::NotBuilt => writeln!(out, "not built yet")?,
    }
    Ok(ExitCode::SUCCESS)
}

fn targets(case: &Case) -> Vec<&'static str> {
    case.targets.iter().map(|target| target.name()).collect()
}

fn proof(case: &Case) -> &'static str {
    match case.proof {
        Proof::Run(_) => "run",
        Proof::Tests(_) => "tests",
        Proof::NotBuilt => "not-built",
    }
}

fn object(case: &Case) -> serde_json::Value {
    json!({
        "id": case.id, "group": case.group(), "level": case.level.name(),
        "requirement": case.requirement, "source": case.source, "targets": targets(case),
        "since": case.since, "until": case.until, "alone": case.alone, "proof": proof(case),
    })
}
