//! What the fuzzers run, run here over the committed corpus and over small damage to valid input.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use rocketry_conformance::fuzz::{TARGETS, Target, mutate};
use rocketry_core::rng::Rng;

/// Mutations per target: all of this test takes a few seconds unoptimised.
const ROUNDS: usize = 2_000;
/// Targets whose single run is long, and their rounds.
const SLOW: [(&str, usize); 2] = [("engine_session", 400), ("outbound_partial", 400)];
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
    for file in corpus(target) {
        let data = fs::read(&file).unwrap();
        Shown { data: &data, what: format!("{}", file.display()) }.run(target);
    }
    let seeds = (target.seeds)();
    let mut rng = Rng::new(1);
    for round in 0..rounds(target) {
        let mut data = seeds[round % seeds.len()].clone();
        mutate(&mut data, &mut rng);
        Shown { data: &data, what: format!("{name}, round {round}") }.run(target);
    }
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
    compressed_body,
    trace,
    ids,
    names,
    outbound_partial,
    publish,
    engine_session,
}

#[test]
fn valid_inputs_hold() {
    for target in TARGETS {
        for (at, data) in (target.seeds)().iter().enumerate() {
            Shown { data, what: format!("seed {at} of {}", target.name) }.run(target);
        }
    }
}

#[test]
fn the_corpus_is_small() {
    let files = TARGETS.iter().flat_map(corpus);
    let sizes: u64 = files.map(|file| fs::metadata(file).unwrap().len()).sum();
    assert!(sizes > 0 && sizes < CORPUS_MAX, "{sizes} bytes");
}

/// Writes the seeds into the corpus: run it after changing them.
#[test]
#[ignore = "writes into the repository"]
fn write_the_corpus() {
    for target in TARGETS {
        let folder = fuzz().join("corpus").join(target.name);
        fs::create_dir_all(&folder).unwrap();
        for (at, data) in (target.seeds)().into_iter().enumerate() {
            fs::write(folder.join(format!("seed-{at:02}")), data).unwrap();
        }
    }
}
