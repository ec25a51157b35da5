//! The cases that run against the embedded broker, each as a test: `SEND-04 on tokio`.

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use rocketry_conformance::cases::run::{self, Against, Options, Site, Verdict};
use rocketry_conformance::cases::{self, Case};
use rocketry_conformance::rig::{Access, On, member};

/// Cases wait for most of their time.
const AT_A_TIME: usize = 8;

fn main() -> ExitCode {
    if member::be_member() {
        return ExitCode::SUCCESS;
    }
    let mut args = Arguments::from_args();
    args.test_threads.get_or_insert(AT_A_TIME);
    let site = Site::open(&Against::Embedded, &Access::default(), Arc::default())
        .expect("nothing is started");
    let site = Arc::new(site);
    let embedded = cases::all().filter(|case| site.skips(case).is_none());
    let trials = embedded.flat_map(|case| {
        let rounds = site.rounds(case, &On::ALL, false).into_iter();
        rounds.map(|runtimes| trial(case, &site, runtimes)).collect::<Vec<_>>()
    });
    libtest_mimic::run(&args, trials.collect()).exit_code()
}

fn trial(case: &'static Case, site: &Arc<Site>, runtimes: Vec<On>) -> Trial {
    let (site, name) = (site.clone(), format!("{} on {}", case.id, runtimes[0].name()));
    Trial::test(name, move || {
        let record = run::run_one(case, &site, &runtimes, &Options::default());
        let record = record.ok_or("it was ended early")?;
        match record.verdict {
            Verdict::Passed => Ok(()),
            Verdict::Failed(why) | Verdict::Skipped(why) => {
                let notes = record.notes.join("\n");
                Err(Failed::from(format!("{}\n{why}\n{notes}", case.requirement)))
            }
        }
    })
}
