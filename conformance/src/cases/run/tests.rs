use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::*;
use crate::cases::case::{EMBEDDED, LIVE, Proof};
use crate::cases::place::Place;
use crate::rig::Access;

const HOLDS: Case = Case::must("RUN-01", "The sample holds.", "new")
    .on(EMBEDDED)
    .on_every_runtime()
    .run(|place| place.note(format!("on {:?}", place.on())));
static SAMPLES: [Case; 6] = [
    HOLDS,
    Case { id: "RUN-02", proof: Proof::Run(|_| panic!("it is {}", "wrong")), ..HOLDS },
    Case { id: "RUN-03", level: Level::Info, proof: Proof::Run(|_| panic!("odd")), ..HOLDS },
    Case { id: "RUN-04", targets: LIVE, ..HOLDS },
    Case { id: "RUN-05", proof: Proof::Run(hangs), ..HOLDS },
    Case { id: "RUN-06", proof: Proof::NotBuilt, ..HOLDS },
];

fn hangs(_: &Place) {
    thread::sleep(Duration::from_secs(20));
}

fn site() -> Arc<Site> {
    Arc::new(Site::open(&Against::Embedded, &Access::default(), Arc::default()).expect("embedded"))
}

fn outcome(ids: &[&str], options: &Options) -> Outcome {
    let samples: Vec<&'static Case> =
        SAMPLES.iter().filter(|case| ids.contains(&case.id)).collect();
    let mut told = 0;
    let outcome = run(&samples, &site(), options, |_| told += 1);
    let ran = outcome.records.iter().filter(|one| !matches!(one.verdict, Verdict::Skipped(_)));
    assert_eq!(told, ran.count());
    outcome
}

fn on_threads() -> Options {
    Options { runtimes: vec![On::Threads], ..Options::default() }
}

#[test]
fn panics_are_verdicts_with_their_place_and_skips_have_reasons() {
    let outcome = outcome(&["RUN-01", "RUN-02", "RUN-03", "RUN-04", "RUN-06"], &on_threads());
    let found: Vec<_> =
        outcome.records.iter().map(|one| (one.name(), one.verdict.clone(), one.fails())).collect();
    assert_eq!(found[0], ("RUN-01 on std".to_owned(), Verdict::Passed, false));
    let Verdict::Failed(why) = &found[1].1 else { panic!("{found:?}") };
    assert!(why.starts_with("it is wrong (") && why.contains("tests.rs:"), "{why}");
    assert!(found[1].2 && !found[2].2, "what is told for information fails nothing");
    let skipped = |reason: &str| Verdict::Skipped(reason.to_owned());
    assert_eq!(found[3], ("RUN-04".to_owned(), skipped("only for live brokers"), false));
    assert_eq!(found[4].1, skipped("not built yet"));
    assert_eq!(outcome.records[0].notes, ["on Threads"]);
    assert_eq!(outcome.unfinished, 0);
}

#[test]
fn a_case_that_hangs_fails_by_its_limit() {
    let options = Options { timeout_scale: 0.002, ..on_threads() };
    let begun = Instant::now();
    let outcome = outcome(&["RUN-05"], &options);
    assert!(begun.elapsed() < Duration::from_secs(10));
    let Verdict::Failed(why) = &outcome.records[0].verdict else { panic!("{outcome:?}") };
    assert_eq!(why, "it did not end within 360ms");
}

#[test]
fn a_run_that_is_ended_early_says_what_it_left() {
    let options = Options { jobs: 1, runtimes: On::ALL.to_vec(), ..Options::default() };
    let stop = options.stop.clone();
    let ended = thread::spawn(move || outcome(&["RUN-01", "RUN-05"], &options));
    thread::sleep(Duration::from_secs(2));
    stop.store(true, Ordering::SeqCst);
    let outcome = ended.join().expect("no panic");
    assert_eq!((outcome.records.len(), outcome.unfinished), (4, 4));

    let hasty = Options { fail_fast: true, jobs: 1, ..Options::default() };
    let outcome = self::outcome(&["RUN-02"], &hasty);
    assert_eq!((outcome.records.len(), outcome.unfinished), (1, 3));
}
