//! Hostile peers, for some seconds each: what they cost a client in a process of its own.

use std::path::Path;
use std::sync::Mutex;

use rocketry_conformance::siege::{Figures, On, Siege};

/// One client at a time: what is measured is its share of a processor.
static ALONE: Mutex<()> = Mutex::new(());

fn besieged(name: &str, on: On) -> Figures {
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

/// Each on two runtimes. The program `siege` does them on four, and holds an optimised client to a
/// quarter of a processor.
macro_rules! besieged_on {
    ($($name:ident),* $(,)?) => { $(
        mod $name {
            use super::On;

            #[test]
            fn on_tokio() {
                super::$name(On::Tokio);
            }

            #[test]
            fn on_threads() {
                super::$name(On::Threads);
            }
        }
    )* };
}

besieged_on!(
    small_bodies_between_many_frames_hold_no_more_than_is_counted,
    bodies_of_32_mebibytes_are_held_once,
    a_body_that_opens_to_32_mebibytes_is_held_once,
    a_frame_of_crumbs_takes_little_more_than_itself,
    a_route_of_sixty_thousand_brokers_takes_little_memory,
    a_million_members_take_little_memory_and_sends_go_on,
    answers_that_come_a_byte_at_a_time_cost_little,
    a_brokers_port_as_nameserver_costs_little,
    rows_that_cannot_be_true_cost_little,
    a_broker_that_goes_for_ever_is_not_stormed,
    offsets_that_lead_in_a_circle_are_not_run_after,
    a_broker_that_holds_no_pull_is_not_asked_without_end,
);

fn small_bodies_between_many_frames_hold_no_more_than_is_counted(on: On) {
    assert!(besieged("pinned", on).delivered > 100);
}

fn bodies_of_32_mebibytes_are_held_once(on: On) {
    assert!(besieged("large", on).delivered > 1);
}

fn a_body_that_opens_to_32_mebibytes_is_held_once(on: On) {
    assert!(besieged("opened", on).delivered > 1);
}

fn a_frame_of_crumbs_takes_little_more_than_itself(on: On) {
    besieged("crumbs", on);
}

fn a_route_of_sixty_thousand_brokers_takes_little_memory(on: On) {
    besieged("brokers", on);
    besieged("brokers-read", on);
}

fn a_million_members_take_little_memory_and_sends_go_on(on: On) {
    assert!(besieged("members", on).sent > 0);
}

fn answers_that_come_a_byte_at_a_time_cost_little(on: On) {
    let figures = besieged("trickled", on);
    assert!(figures.sent > 0, "{figures:?}");
}

fn a_brokers_port_as_nameserver_costs_little(on: On) {
    let figures = besieged("no-nameserver", on);
    assert!(figures.failed > 0 && figures.sent == 0);
}

fn rows_that_cannot_be_true_cost_little(on: On) {
    let figures = besieged("rows", on);
    assert!(figures.sent > 0, "{figures:?}");
}

fn a_broker_that_goes_for_ever_is_not_stormed(on: On) {
    let figures = besieged("go-away", on);
    assert!(figures.connections < 20, "{figures:?}");
}

fn offsets_that_lead_in_a_circle_are_not_run_after(on: On) {
    let figures = besieged("ping-pong", on);
    assert!(figures.requests < 600, "{figures:?}");
}

fn a_broker_that_holds_no_pull_is_not_asked_without_end(on: On) {
    let figures = besieged("unheld", on);
    assert!(figures.requests < 600, "{figures:?}");
}
