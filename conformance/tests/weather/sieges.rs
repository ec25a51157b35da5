//! Hostile peers, for some seconds each: what they cost a client in a process of its own.

use std::path::Path;
use std::sync::Mutex;

use rocketry_conformance::siege::{Figures, On, Siege};

use crate::rig;

/// One client at a time: what is measured is its share of a processor.
static ALONE: Mutex<()> = Mutex::new(());

fn besieged(name: &str, on: rig::On) -> Figures {
    let on = match on {
        rig::On::Tokio => On::Tokio,
        rig::On::Smol => On::Smol,
        rig::On::AsyncStd => On::AsyncStd,
        rig::On::Threads => On::Std,
    };
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

/// An optimised client's share of a processor. What is not optimised takes ten times as long to
/// read what comes, and is held to nothing.
fn assert_calm(figures: &Figures) {
    assert!(cfg!(debug_assertions) || figures.cpu < 0.25, "{figures:?}");
}

/// Each on four runtimes; without optimisation, where one takes ten times as long, on two.
macro_rules! besieged_on {
    ($($name:ident),* $(,)?) => { $(
        mod $name {
            #[test]
            fn on_tokio() {
                super::$name($crate::rig::On::Tokio);
            }

            #[test]
            #[cfg_attr(debug_assertions, ignore = "the optimised run has it")]
            fn on_smol() {
                super::$name($crate::rig::On::Smol);
            }

            #[test]
            #[cfg_attr(debug_assertions, ignore = "the optimised run has it")]
            fn on_async_std() {
                super::$name($crate::rig::On::AsyncStd);
            }

            #[test]
            fn on_threads() {
                super::$name($crate::rig::On::Threads);
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

fn small_bodies_between_many_frames_hold_no_more_than_is_counted(on: rig::On) {
    assert!(besieged("pinned", on).delivered > 100);
}

fn bodies_of_32_mebibytes_are_held_once(on: rig::On) {
    assert!(besieged("large", on).delivered > 1);
}

fn a_body_that_opens_to_32_mebibytes_is_held_once(on: rig::On) {
    assert!(besieged("opened", on).delivered > 1);
}

fn a_frame_of_crumbs_takes_little_more_than_itself(on: rig::On) {
    besieged("crumbs", on);
}

fn a_route_of_sixty_thousand_brokers_takes_little_memory(on: rig::On) {
    besieged("brokers", on);
    besieged("brokers-read", on);
}

fn a_million_members_take_little_memory_and_sends_go_on(on: rig::On) {
    assert!(besieged("members", on).sent > 0);
}

fn answers_that_come_a_byte_at_a_time_cost_little(on: rig::On) {
    let figures = besieged("trickled", on);
    assert!(figures.sent > 0, "{figures:?}");
    assert_calm(&figures);
}

fn a_brokers_port_as_nameserver_costs_little(on: rig::On) {
    let figures = besieged("no-nameserver", on);
    assert!(figures.failed > 0 && figures.sent == 0);
    assert_calm(&figures);
}

fn rows_that_cannot_be_true_cost_little(on: rig::On) {
    let figures = besieged("rows", on);
    assert!(figures.sent > 0, "{figures:?}");
    assert_calm(&figures);
}

fn a_broker_that_goes_for_ever_is_not_stormed(on: rig::On) {
    let figures = besieged("go-away", on);
    assert!(figures.connections < 20, "{figures:?}");
    assert_calm(&figures);
}

fn offsets_that_lead_in_a_circle_are_not_run_after(on: rig::On) {
    let figures = besieged("ping-pong", on);
    assert!(figures.requests < 600, "{figures:?}");
    assert_calm(&figures);
}

fn a_broker_that_holds_no_pull_is_not_asked_without_end(on: rig::On) {
    let figures = besieged("unheld", on);
    assert!(figures.requests < 600, "{figures:?}");
    assert_calm(&figures);
}
