//! Hostile peers, for some seconds each: what they cost a client in a process of its own, here on
//! tokio. The program `siege` does it on the others, and holds an optimised client to a quarter of
//! a processor.

use std::path::Path;
use std::sync::Mutex;

use rocketry_conformance::siege::{Figures, On, Siege};

/// One client at a time: what is measured is its share of a processor.
static ALONE: Mutex<()> = Mutex::new(());

fn besieged(name: &str) -> Figures {
    let on = On::Tokio;
    let alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let siege = Siege::named(name).expect("an attack");
    let program = Path::new(env!("CARGO_BIN_EXE_rocketry-conformance"));
    let figures = siege.run(program, on).expect("figures");
    drop(alone);
    println!("{name} on {on:?}: {figures:?}");
    let (peak, budget) = (figures.peak, siege.budget());
    assert!(peak <= budget, "{name} on {on:?}: {peak} KiB above the start, {budget} allowed");
    figures
}

#[test]
fn small_bodies_between_many_frames_hold_no_more_than_is_counted() {
    assert!(besieged("pinned").delivered > 100);
}

#[test]
fn bodies_of_32_mebibytes_are_held_once() {
    assert!(besieged("large").delivered > 1);
}

#[test]
fn a_body_that_opens_to_32_mebibytes_is_held_once() {
    assert!(besieged("opened").delivered > 1);
}

#[test]
fn a_frame_of_crumbs_takes_little_more_than_itself() {
    besieged("crumbs");
}

#[test]
fn a_route_of_sixty_thousand_brokers_takes_little_memory() {
    besieged("brokers");
    besieged("brokers-read");
}

#[test]
fn a_million_members_take_little_memory_and_sends_go_on() {
    assert!(besieged("members").sent > 0);
}

#[test]
fn answers_that_come_a_byte_at_a_time_cost_little() {
    let figures = besieged("trickled");
    assert!(figures.sent > 0, "{figures:?}");
}

#[test]
fn a_brokers_port_as_nameserver_costs_little() {
    let figures = besieged("no-nameserver");
    assert!(figures.failed > 0 && figures.sent == 0);
}

#[test]
fn rows_that_cannot_be_true_cost_little() {
    let figures = besieged("rows");
    assert!(figures.sent > 0, "{figures:?}");
}

#[test]
fn a_broker_that_goes_for_ever_is_not_stormed() {
    let figures = besieged("go-away");
    assert!(figures.connections < 20, "{figures:?}");
}

#[test]
fn offsets_that_lead_in_a_circle_are_not_run_after() {
    let figures = besieged("ping-pong");
    assert!(figures.requests < 600, "{figures:?}");
}

#[test]
fn a_broker_that_holds_no_pull_is_not_asked_without_end() {
    let figures = besieged("unheld");
    assert!(figures.requests < 600, "{figures:?}");
}
