//! What a storm blows upon, where groups of consumers are.

use std::time::Duration;

use super::{STORM, ms};
use crate::sim::storm::Gust;

/// Brokers, faults, and how groups are made.
#[derive(Clone, Debug)]
pub struct GroupScene {
    /// How long faults come.
    pub length: Duration,
    /// Kinds of faults.
    pub gusts: Vec<Gust>,
    /// Masters.
    pub brokers: usize,
    /// Each has a slave, which answers pulls.
    pub slaves: bool,
    /// Nameservers, one or two.
    pub nameservers: usize,
    /// Brokers that are down are not in routes.
    pub hides_down: bool,
    /// Mean time between two faults.
    pub mean: Duration,
    /// How long members take for a message, at most.
    pub pace: Duration,
    /// How long shares take to be computed, at most.
    pub computes: Duration,
    /// Administrators move offsets.
    pub resets: bool,
    /// The rule by which the first group shares queues, of those that there are.
    pub rule: u64,
    /// The first group handles messages in their order, and some of its members' processes stand
    /// still for a while.
    pub orderly: bool,
    /// The fault that clients are given.
    #[cfg(feature = "planted")]
    pub plant: Option<rocketry_core::engine::Planted>,
}

impl GroupScene {
    /// All faults that befall groups, with settings that follow from the seed.
    pub fn new(seed: u64) -> Self {
        Self::of(seed, Gust::GROUPS.to_vec())
    }

    /// The same with a group that handles messages in their order, for longer than locks last.
    /// Nobody moves offsets: what a group is given first after that may be anything.
    pub fn orderly(seed: u64) -> Self {
        Self { orderly: true, resets: false, length: 4 * STORM, ..Self::new(seed) }
    }

    /// These faults, likewise.
    pub fn of(seed: u64, gusts: Vec<Gust>) -> Self {
        Self {
            slaves: seed % 3 == 1 && gusts.contains(&Gust::MasterAway),
            gusts,
            length: STORM,
            brokers: 1 + (seed % 2) as usize,
            nameservers: 1 + (seed / 2 % 2) as usize,
            hides_down: seed % 4 < 2,
            mean: ms(150 + 75 * (seed % 10)),
            pace: ms(1 + 60 * (seed % 9)),
            computes: ms([5, 500, 3000][(seed % 3) as usize]),
            resets: seed % 4 == 3,
            rule: seed % 5,
            orderly: false,
            #[cfg(feature = "planted")]
            plant: None,
        }
    }
}
