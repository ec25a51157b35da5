//! Old faults put back on purpose: a storm finds each of them within two hundred seeds, and the
//! same storm finds nothing without.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rocketry_conformance::sim::{Scene, course};
use rocketry_core::engine::Planted;

/// Storms until one fails.
const SEEDS: u64 = 200;

fn assert_found(fault: Planted) {
    for seed in 1..=SEEDS {
        let scene = Scene { plant: Some(fault), ..Scene::all(seed) };
        let Err(why) = catch_unwind(AssertUnwindSafe(|| course(seed, &scene))) else { continue };
        let text = why.downcast_ref::<String>().map(String::as_str);
        let text = text.or(why.downcast_ref::<&str>().copied()).unwrap_or_default();
        println!("{fault:?}: found by seed {seed}: {text}");
        course(seed, &Scene::all(seed));
        return;
    }
    panic!("{fault:?} was not found by {SEEDS} storms");
}

#[test]
fn pull_19_older_messages_that_move_a_queue_on_are_found() {
    assert_found(Planted::PassesOlder);
}

#[test]
fn pull_20_an_offset_beyond_the_end_is_found() {
    assert_found(Planted::PullsBeyond);
}

#[test]
fn off_18_what_is_committed_past_an_open_message_is_found() {
    assert_found(Planted::CommitsFirstPull);
}

#[test]
fn conn_15_an_address_that_nobody_connects_to_is_found() {
    assert_found(Planted::StaysAtAddress);
}

#[test]
fn ns_17_one_nameserver_that_is_believed_is_found() {
    assert_found(Planted::BelievesOne);
}
