//! RT-01: one script, one call in flight at a time, gives the same outcomes and the same requests
//! under virtual time and on every runtime.

use crate::place::Place;
use crate::script::Trace;
use crate::{handles, world};

/// Compared line by line: a difference shows as the first line that differs.
fn same(place: &str, here: &Trace, expected: &Trace) {
    for (at, (here, expected)) in here.outcomes.iter().zip(&expected.outcomes).enumerate() {
        assert_eq!(here, expected, "outcome {at} on {place}");
    }
    for (lane, requests) in &expected.requests {
        let own = here.requests.get(lane).map(Vec::as_slice).unwrap_or_default();
        for (at, (here, expected)) in own.iter().zip(requests).enumerate() {
            assert_eq!(here, expected, "request {at} of {lane} on {place}: {own:#?}");
        }
    }
    assert_eq!(here, expected, "{place}");
}

fn alike(place: Place) {
    same(&format!("{place:?}"), &handles::play(place), &world::play(1));
}

#[test]
fn rt_01_one_script_gives_one_trace_whatever_is_drawn() {
    let first = world::play(1);
    assert!(first.outcomes.len() > 30, "{first:#?}");
    let failed = first.outcomes.iter().filter(|line| line.starts_with("Unknown ")).count();
    assert_eq!(failed, 2, "the two without an answer: {:#?}", first.outcomes);
    let lanes: Vec<_> = first.requests.keys().map(String::as_str).collect();
    assert_eq!(lanes, ["Broker(0)", "Broker(1)", "Nameserver", "drawn"]);
    for seed in 2..10 {
        same(&format!("seed {seed}"), &world::play(seed), &first);
    }
}

#[test]
fn rt_01_tokio_gives_the_trace_of_virtual_time() {
    alike(Place::Tokio);
}

#[test]
fn rt_01_tokio_on_one_thread_gives_the_trace_of_virtual_time() {
    alike(Place::TokioOne);
}

#[test]
fn rt_01_smol_gives_the_trace_of_virtual_time() {
    alike(Place::Smol);
}

#[test]
fn rt_01_async_std_gives_the_trace_of_virtual_time() {
    alike(Place::AsyncStd);
}

#[test]
fn rt_01_threads_give_the_trace_of_virtual_time() {
    alike(Place::Threads);
}
