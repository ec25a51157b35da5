//! The rows are what they say: numbered, whole sentences, and held by tests that are there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::{all, groups};
use crate::cases::case::{Proof, Target};

/// Where the sources of crates lie whose own tests are named, from the top folder.
const CRATES: [(&str, &str); 5] = [
    ("rocketry_async_std", "runtime-async-std/src"),
    ("rocketry_conformance", "conformance/src"),
    ("rocketry_core", "core/src"),
    ("rocketry_std", "runtime-std/src"),
    ("rocketry_tokio", "runtime-tokio/src"),
];
/// Where the test binaries lie.
const BINARIES: [&str; 3] = ["conformance/tests", "core/tests", "runtime-std/tests"];

/// Whether a test of that name is in the file that its path leads to.
fn is_there(test: &str) -> bool {
    let Some((path, name)) = test.rsplit_once("::") else { return false };
    let (first, inside) = path.split_once("::").unwrap_or((path, ""));
    let own = CRATES.iter().find(|(krate, _)| *krate == first);
    let places: Vec<String> = match own {
        Some((_, folder)) => vec![format!("{folder}/{}", inside.replace("::", "/"))],
        None => BINARIES.map(|folder| format!("{folder}/{}", path.replace("::", "/"))).into(),
    };
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let wanted = format!("fn {name}(");
    let files = places.iter().flat_map(|place| {
        let place = place.trim_end_matches('/');
        [".rs", "/mod.rs", "/lib.rs"].map(|end| top.join(format!("{place}{end}")))
    });
    files.into_iter().any(|file| fs::read_to_string(file).is_ok_and(|text| text.contains(&wanted)))
}

/// The numbers of a version.
fn version(text: &str) -> Option<[u32; 3]> {
    let numbers: Option<Vec<u32>> = text.split('.').map(|part| part.parse().ok()).collect();
    numbers?.try_into().ok()
}

#[test]
fn ids_are_counted_through_in_each_group() {
    assert!(all().count() >= 420, "{} rows", all().count());
    let mut ids = BTreeSet::new();
    for group in groups() {
        for (at, case) in group.cases().enumerate() {
            assert_eq!(case.id, format!("{}-{:02}", group.name, at + 1));
            assert_eq!(case.group(), group.name);
            assert!(ids.insert(case.id), "{} twice", case.id);
        }
    }
    assert_eq!(ids.len(), all().count());
}

#[test]
fn each_requirement_is_a_sentence_of_its_own() {
    let mut seen = BTreeSet::new();
    for case in all() {
        let text = case.requirement;
        let begins = text.chars().next().is_some_and(|first| !first.is_lowercase());
        assert!(begins && text.ends_with('.') && text.len() >= 20, "{case}");
        assert!(!text.contains("  ") && !text.contains('\n'), "{case}");
        assert!(seen.insert(text), "{case}: said twice");
        assert!(!case.source.is_empty() && !case.targets.is_empty(), "{case}");
    }
}

#[test]
fn versions_and_settings_are_for_live_brokers() {
    for case in all() {
        let (since, until) = (case.since.map(version), case.until.map(version));
        assert!(since != Some(None) && until != Some(None), "{case}");
        if let (Some(since), Some(until)) = (since, until) {
            assert!(since <= until, "{case}");
        }
        let live = case.targets.contains(&Target::Live);
        assert!(live || case.settings.is_empty() && !case.alone, "{case}");
        let plain = |text: &str| !text.is_empty() && !text.contains(['=', '\n']);
        let fine = |(key, value): &(&str, &str)| plain(key) && !key.contains(' ') && plain(value);
        assert!(case.settings.iter().all(fine), "{case}");
    }
    assert_eq!((version("5.1"), version("5.x.0")), (None, None));
}

#[test]
fn tests_that_hold_a_case_are_in_the_sources() {
    let mut named = 0;
    for case in all() {
        let Proof::Tests(tests) = case.proof else { continue };
        assert!(!tests.is_empty(), "{}", case.id);
        assert_eq!(tests.iter().collect::<BTreeSet<_>>().len(), tests.len(), "{}", case.id);
        for test in tests {
            assert!(is_there(test), "{}: there is no {test}", case.id);
            named += 1;
        }
    }
    println!("{named} names of tests");
}

#[test]
fn a_test_that_is_not_there_is_missed() {
    let test = "pair::aiming::send_04_a_message_goes_to_the_queue_that_was_named";
    assert!(is_there(test));
    for wrong in [
        &test.replace("named", "namde"),
        &test.replace("aiming", "aimed"),
        &test[..test.len() - 1],
        "send_04_a_message_goes_to_the_queue_that_was_named",
        "rocketry_core::names::topics_and_groups_are_checked_before_they_are_used",
    ] {
        assert!(!is_there(wrong), "{wrong}");
    }
}
