//! What the fuzzers run, run here over the committed corpus and over small damage to valid input:
//! a fixed number of rounds, and with `FUZZ_SECONDS` for so long, with another seed each time
//! (`FUZZ_SEED` repeats one).
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rocketry_conformance::fuzz::{TARGETS, Target, mutate};
use rocketry_core::rng::Rng;

/// Mutations per target: all of this test takes a few seconds unoptimised.
const ROUNDS: usize = 2_000;
/// Targets whose single run is long, and their rounds.
const SLOW: [(&str, usize); 4] =
    [("engine_session", 400), ("outbound_partial", 400), ("broker_asks", 400), ("tls_filter", 400)];
/// All corpora together stay below this.
const CORPUS_MAX: u64 = 1 << 20;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

fn corpus(target: &Target) -> Vec<PathBuf> {
    let folder = fuzz().join("corpus").join(target.name);
    let entries = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn target(name: &str) -> &'static Target {
    TARGETS.iter().find(|target| target.name == name).unwrap()
}

fn rounds(target: &Target) -> usize {
    SLOW.iter().find(|(name, _)| *name == target.name).map_or(ROUNDS, |(_, rounds)| *rounds)
}

/// Runs the committed corpus, then mutations of the seeds. On a panic the input is printed in hex.
fn run(name: &str) {
    let target = target(name);
    let mut known = Vec::new();
    for file in corpus(target) {
        let data = fs::read(&file).unwrap();
        Shown { data: &data, what: format!("{}", file.display()) }.run(target);
        known.push(data);
    }
    if let Some(seconds) = number("FUZZ_SECONDS") {
        return run_for(target, &known, Duration::from_secs(seconds));
    }
    let seeds = (target.seeds)();
    let mut rng = Rng::new(1);
    for round in 0..rounds(target) {
        let mut data = seeds[round % seeds.len()].clone();
        mutate(&mut data, &mut rng);
        Shown { data: &data, what: format!("{name}, round {round}") }.run(target);
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Inputs drawn from what is known, until the time is over.
fn run_for(target: &Target, known: &[Vec<u8>], time: Duration) {
    let by_clock = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    let seed = number("FUZZ_SEED").unwrap_or_else(by_clock);
    let (mut rng, start, mut rounds) = (Rng::new(seed), Instant::now(), 0u64);
    while start.elapsed() < time {
        let data = invent(known, &mut rng);
        let what = format!("{}, FUZZ_SEED={seed}, round {rounds}", target.name);
        Shown { data: &data, what }.run(target);
        rounds += 1;
    }
    println!("{}: {rounds} inputs, FUZZ_SEED={seed}", target.name);
}

/// A known input damaged, two of them joined, one with noise behind it, or noise alone.
fn invent(known: &[Vec<u8>], rng: &mut Rng) -> Vec<u8> {
    let some = |rng: &mut Rng| known[rng.below(known.len() as u64) as usize].clone();
    let noise = |rng: &mut Rng| -> Vec<u8> {
        let longest = 1 << rng.below(12);
        let length = rng.below(longest);
        // Small bytes are verbs and lengths, any others data.
        let most = if rng.below(2) == 0 { 32 } else { 256 };
        (0..length).map(|_| rng.below(most) as u8).collect()
    };
    let mut data = some(rng);
    let at = rng.below(data.len() as u64 + 1) as usize;
    match rng.below(8) {
        0..=3 => {}
        4 => {
            data.truncate(at);
            let other = some(rng);
            let from = rng.below(other.len() as u64 + 1) as usize;
            data.extend_from_slice(&other[from..]);
        }
        5 => {
            data.truncate(at);
            data.extend(noise(rng));
        }
        6 => {
            let inside = noise(rng);
            data.splice(at..at, inside);
        }
        _ => return noise(rng),
    }
    mutate(&mut data, rng);
    data
}

/// Prints its input when it is dropped in a panic.
struct Shown<'a> {
    data: &'a [u8],
    what: String,
}

impl Shown<'_> {
    fn run(self, target: &Target) {
        (target.run)(self.data);
    }
}

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let hex: String = self.data.iter().map(|byte| format!("{byte:02x}")).collect();
            eprintln!("{}: {hex}", self.what);
        }
    }
}

macro_rules! holds {
    ($($name:ident,)*) => {
        $(#[test]
        fn $name() {
            run(stringify!($name));
        })*

        #[test]
        fn every_target_is_run_here_and_by_cargo_fuzz() {
            let here = [$(stringify!($name),)*];
            let listed: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(here[..], listed);
            let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
            for name in here {
                let shim = format!("fuzz_targets/{name}.rs");
                assert!(manifest.contains(&format!("path = \"{shim}\"")), "{shim}");
                let text = fs::read_to_string(fuzz().join(&shim)).unwrap();
                assert!(text.contains(&format!("fuzz::{name}(data)")), "{shim}");
            }
        }
    };
}

holds! {
    inbound_stream,
    json_header,
    binary_header,
    record_list,
    batch_body,
    properties,
    route_body,
    tolerant_json,
    json_bodies,
    offset_file,
    compressed_body,
    trace,
    ids,
    names,
    outbound_partial,
    publish,
    sql,
    recall_handle,
    broker_asks,
    engine_session,
    tls_filter,
}

#[test]
fn valid_inputs_hold() {
    for target in TARGETS {
        for (at, data) in (target.seeds)().iter().enumerate() {
            Shown { data, what: format!("seed {at} of {}", target.name) }.run(target);
        }
    }
}

/// `FUZZ_CORPUS=write` writes the seeds into it: after changing them.
#[test]
fn the_corpus_is_small() {
    if std::env::var("FUZZ_CORPUS").is_ok_and(|mode| mode == "write") {
        write_the_corpus();
    }
    let files = TARGETS.iter().flat_map(corpus);
    let sizes: u64 = files.map(|file| fs::metadata(file).unwrap().len()).sum();
    assert!(sizes > 0 && sizes < CORPUS_MAX, "{sizes} bytes");
}

/// A seed that was changed is written anew.
#[test]
fn the_seeds_of_the_corpus_are_those_of_the_targets() {
    for target in TARGETS {
        let folder = fuzz().join("corpus").join(target.name);
        for (at, data) in (target.seeds)().into_iter().enumerate() {
            let file = folder.join(format!("seed-{at:02}"));
            let same = fs::read(&file).is_ok_and(|kept| kept == data);
            assert!(same, "{}: write it with FUZZ_CORPUS=write", file.display());
        }
    }
}

fn write_the_corpus() {
    for target in TARGETS {
        let folder = fuzz().join("corpus").join(target.name);
        fs::create_dir_all(&folder).unwrap();
        for (at, data) in (target.seeds)().into_iter().enumerate() {
            fs::write(folder.join(format!("seed-{at:02}")), data).unwrap();
        }
    }
}
