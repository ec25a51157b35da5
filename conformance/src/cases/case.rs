//! One case: what is required, of whom, by which source, and what holds it.

use super::place::Place;

/// How strongly something is required.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Without it messages are lost, hidden or refused.
    Must,
    /// A good client does it.
    Should,
    /// Told for information; never fails a run.
    Info,
}

/// What a case can be run against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The protocol core alone: bytes in, commands out.
    Core,
    /// The embedded broker.
    Embedded,
    /// A live Apache broker.
    Live,
}

/// On which runtimes a case means something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runtimes {
    /// Protocol or broker alone decide: one runtime is enough on the embedded broker.
    One,
    /// A runtime can change the outcome: liveness, deadlines, shutdown, leaks, order of wakes.
    All,
}

/// What shows that a case holds.
#[derive(Clone, Copy, Debug)]
pub enum Proof {
    /// The case itself: panics with what is wrong.
    Run(fn(&Place)),
    /// Tests of this repository, named `binary::path`, that `cargo test` runs.
    Tests(&'static [&'static str]),
    /// Nothing yet.
    NotBuilt,
}

/// A case. Its id stays the same for ever.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Case {
    /// Such as `SEND-04`; what stands before the number is its group.
    pub id: &'static str,
    /// How strongly it is required.
    pub level: Level,
    /// What is required, in a sentence.
    pub requirement: &'static str,
    /// Where the rule comes from: a Java file or test, an issue, another suite.
    pub source: &'static str,
    /// Against what it can be run.
    pub targets: &'static [Target],
    /// On which runtimes it means something.
    pub runtimes: Runtimes,
    /// The first version of RocketMQ that has it, such as `5.1.0`.
    pub since: Option<&'static str>,
    /// The last version of RocketMQ that has it.
    pub until: Option<&'static str>,
    /// Lines of `broker.conf` that a live broker needs for it.
    pub settings: &'static [(&'static str, &'static str)],
    /// It hurts the cluster, so it is run on one of its own.
    pub alone: bool,
    /// What shows that it holds.
    pub proof: Proof,
}
