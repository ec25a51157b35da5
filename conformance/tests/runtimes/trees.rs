//! RT-03 and RT-04: what a crate does not bring, as cargo sees it.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// The crates that come with a crate and these of its features, on this system.
fn tree(of: &str, features: &str) -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(root).args(["tree", "--locked", "--offline", "-e", "normal"]);
    cargo.args(["--prefix", "none", "-p", of, "--no-default-features", "--features", features]);
    let output = cargo.output().expect("cargo");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout).expect("text");
    said.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

fn brings_none(of: &str, features: &str, unwanted: &[&str]) {
    let tree = tree(of, features);
    assert!(tree.contains("rocketry-core"), "{of}: {tree:?}");
    let found: Vec<_> = unwanted.iter().filter(|name| tree.contains(**name)).collect();
    assert!(found.is_empty(), "{of} with {features:?} brings {found:?}");
}

#[test]
fn rt_03_the_client_on_threads_brings_no_async_runtime() {
    let runtimes = ["tokio", "async-io", "async-std", "smol", "mio", "polling"];
    brings_none("rocketry-std", "", &runtimes);
    brings_none("rocketry", "std", &runtimes);
}

#[test]
fn rt_04_the_client_on_smol_brings_neither_async_std_nor_tokio() {
    brings_none("rocketry-async-std", "smol", &["async-std", "tokio", "mio"]);
    brings_none("rocketry", "smol", &["async-std", "tokio", "mio"]);
}

#[test]
fn the_client_on_tokio_brings_no_other_runtime_and_at_most_48_crates() {
    brings_none("rocketry", "tokio", &["async-io", "async-std", "smol", "polling"]);
    let crates = tree("rocketry", "tokio");
    assert!(crates.len() <= 48, "{} crates: {crates:?}", crates.len());
}

#[test]
fn every_codec_is_there_by_default_and_all_is_below_40_crates_with_tokio() {
    let crates = tree("rocketry", "default,tokio");
    let codecs = ["flate2", "lz4_flex", "ruzstd"];
    assert!(codecs.iter().all(|codec| crates.contains(*codec)), "{crates:?}");
    assert!(crates.len() < 40, "{} crates: {crates:?}", crates.len());
    brings_none("rocketry", "tokio", &codecs);
}

#[test]
fn the_embedded_broker_alone_brings_no_tools_no_runtime_and_no_codec() {
    let unwanted = [
        "async-std",
        "clap",
        "env_logger",
        "flate2",
        "indicatif",
        "lz4_flex",
        "rocketry",
        "ruzstd",
        "smol",
        "tokio",
    ];
    brings_none("rocketry-conformance", "", &unwanted);
    let client = tree("rocketry", "default,tokio");
    let more: Vec<_> = tree("rocketry-conformance", "").difference(&client).cloned().collect();
    assert_eq!(more, ["rocketry-conformance"], "at most 12 are promised");
}
