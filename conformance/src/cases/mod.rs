//! Conformance cases as rows, and what runs them against a broker: the embedded one, a real one
//! that is started for the run, or one that is there.

mod admin;
mod backlog;
mod batch;
mod bcast;
pub mod case;
mod catalogue;
mod clusters;
mod common;
mod conn;
mod delay;
mod expressions;
mod fault;
mod filt;
mod groups;
mod keys;
mod loss;
mod models;
mod much;
mod ns;
mod off;
mod offsets;
mod ord;
mod order;
mod packed;
mod peers;
pub mod place;
mod polling;
mod pull;
mod push;
mod reading;
mod reb;
pub mod report;
mod retry;
mod rpc;
pub mod run;
mod runs;
mod send;
mod shops;
mod slaves;
mod spaces;
mod sql;
mod stored;
mod tls;
mod txn;
mod txn_java;
mod volume;

use std::collections::BTreeMap;
use std::sync::LazyLock;

pub use case::{Case, Level, Proof, Runtimes, Target};
pub use catalogue::{Group, groups};
pub use place::Place;

/// The rows of the catalogue, those with a function with what it needs.
static CASES: LazyLock<Vec<Case>> = LazyLock::new(|| {
    let mut runs: BTreeMap<&str, &runs::Run> = runs::RUNS.iter().map(|run| (run.id, run)).collect();
    let cases = catalogue::all().map(|case| match runs.remove(case.id) {
        Some(run) => run.of(*case),
        None => *case,
    });
    let cases = cases.collect();
    debug_assert!(runs.is_empty(), "no row for {:?}", runs.keys());
    cases
});

/// All cases, group by group.
pub fn all() -> impl Iterator<Item = &'static Case> {
    CASES.iter()
}
