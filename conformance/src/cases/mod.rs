//! Conformance cases as rows, and what runs them against a broker: the embedded one, a real one
//! that is started for the run, or one that is there.

mod admin;
mod batch;
pub mod case;
mod clusters;
mod common;
mod conn;
mod fault;
mod ns;
mod off;
pub mod place;
mod push;
mod reb;
pub mod report;
pub mod run;
mod runs;
mod send;
mod volume;

pub use case::{Case, Level, Proof, Runtimes, Target};
pub use place::Place;

/// All cases, group by group.
pub fn all() -> impl Iterator<Item = &'static Case> {
    runs::RUNS.iter()
}

impl Case {
    /// What stands before the number of its id.
    pub fn group(&self) -> &'static str {
        self.id.split_once('-').map_or(self.id, |(group, _)| group)
    }
}

impl Level {
    /// `must`, `should` or `info`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Must => "must",
            Self::Should => "should",
            Self::Info => "info",
        }
    }
}

impl Target {
    /// `core`, `embedded` or `live`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Embedded => "embedded",
            Self::Live => "live",
        }
    }
}
