//! One case: what is required, of whom, by which source, and what holds it.

use std::fmt;

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

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
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

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The core alone.
pub const CORE: &[Target] = &[Target::Core];
/// The embedded broker alone.
pub const EMBEDDED: &[Target] = &[Target::Embedded];
/// Live brokers alone.
pub const LIVE: &[Target] = &[Target::Live];
/// The core, and the embedded broker.
pub const CORE_AND_EMBEDDED: &[Target] = &[Target::Core, Target::Embedded];
/// The core, and live brokers.
pub const CORE_AND_LIVE: &[Target] = &[Target::Core, Target::Live];
/// The embedded broker, and live ones.
pub const EMBEDDED_AND_LIVE: &[Target] = &[Target::Embedded, Target::Live];
/// All there are.
pub const EVERYWHERE: &[Target] = &[Target::Core, Target::Embedded, Target::Live];

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
    /// Tests of this repository; those that are marked as ignored run only when they are asked for.
    ///
    /// Each is named `binary::path`, where the path is that of its file: `pair::aiming::NAME` lies
    /// in `tests/pair/aiming.rs`, `rocketry_core::name::NAME` in the source of that crate, and
    /// `rig::sending::NAME` is a function that `weather` and `live` make tests of.
    Tests(&'static [&'static str]),
    /// Nothing yet, or only a part of what is required.
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
    /// Lines of `broker.conf` that a live broker needs for it, beyond those that `live` writes.
    pub settings: &'static [(&'static str, &'static str)],
    /// Something between client and broker has to hurt their connection: a proxy, or the simulator.
    pub proxy: bool,
    /// It hurts the cluster, so it is run on one of its own.
    pub alone: bool,
    /// It takes minutes on a live broker, where it is run only if that is asked for.
    pub long: bool,
    /// What shows that it holds.
    pub proof: Proof,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.id, self.requirement)
    }
}

impl Case {
    const fn new(
        level: Level,
        id: &'static str,
        requirement: &'static str,
        source: &'static str,
    ) -> Self {
        Self {
            id,
            level,
            requirement,
            source,
            targets: &[],
            runtimes: Runtimes::One,
            since: None,
            until: None,
            settings: &[],
            proxy: false,
            alone: false,
            long: false,
            proof: Proof::NotBuilt,
        }
    }

    /// A case that has to hold, of this id, with its sentence and its source. Nothing shows it yet.
    pub const fn must(id: &'static str, requirement: &'static str, source: &'static str) -> Self {
        Self::new(Level::Must, id, requirement, source)
    }

    /// A case of a good client.
    pub const fn should(id: &'static str, requirement: &'static str, source: &'static str) -> Self {
        Self::new(Level::Should, id, requirement, source)
    }

    /// A case for information.
    pub const fn info(id: &'static str, requirement: &'static str, source: &'static str) -> Self {
        Self::new(Level::Info, id, requirement, source)
    }

    /// Against what it can be run.
    pub const fn on(self, targets: &'static [Target]) -> Self {
        Self { targets, ..self }
    }

    /// A runtime can change its outcome.
    pub const fn on_every_runtime(self) -> Self {
        Self { runtimes: Runtimes::All, ..self }
    }

    /// The first version that has it.
    pub const fn since(self, version: &'static str) -> Self {
        Self { since: Some(version), ..self }
    }

    /// The last version that has it.
    pub const fn until(self, version: &'static str) -> Self {
        Self { until: Some(version), ..self }
    }

    /// Lines of `broker.conf` that it needs.
    pub const fn with(self, settings: &'static [(&'static str, &'static str)]) -> Self {
        Self { settings, ..self }
    }

    /// Its connections have to be hurt.
    pub const fn behind_proxy(self) -> Self {
        Self { proxy: true, ..self }
    }

    /// It is run on a cluster of its own.
    pub const fn alone(self) -> Self {
        Self { alone: true, ..self }
    }

    /// What runs it.
    pub const fn run(self, run: fn(&Place)) -> Self {
        Self { proof: Proof::Run(run), ..self }
    }

    /// The tests that hold it: see [`Proof::Tests`].
    pub const fn held_by(self, tests: &'static [&'static str]) -> Self {
        Self { proof: Proof::Tests(tests), ..self }
    }

    /// What stands before the number of its id.
    pub fn group(&self) -> &'static str {
        self.id.split_once('-').map_or(self.id, |(group, _)| group)
    }
}
