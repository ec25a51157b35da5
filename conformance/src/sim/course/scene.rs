//! What a storm blows upon.

use std::time::Duration;

use super::{SECOND, ms};
use crate::sim::storm::Gust;

/// What a storm blows upon.
#[derive(Clone, Debug)]
pub struct Scene {
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
    /// Brokers make topics that are not there.
    pub makes_topics: bool,
    /// Mean time between two faults.
    pub mean: Duration,
    /// How long consumers take for a batch, at most.
    pub pace: Duration,
    /// The fault that clients are given.
    #[cfg(feature = "planted")]
    pub plant: Option<rocketry_core::engine::Planted>,
}

impl Scene {
    /// The network's faults, with settings that follow from the seed.
    pub fn network(seed: u64) -> Self {
        Self {
            gusts: Gust::NETWORK.to_vec(),
            brokers: 1 + (seed % 2) as usize,
            slaves: false,
            nameservers: 1,
            hides_down: seed % 4 < 2,
            makes_topics: true,
            mean: ms(100 + 50 * (seed % 10)),
            pace: ms(1 + 60 * (seed % 9)),
            #[cfg(feature = "planted")]
            plant: None,
        }
    }

    /// All faults that there are, with settings that follow from the seed. A topic that is made
    /// anew says little of what came before: only one seed in eight has that. Another one in eight
    /// is gentle.
    pub fn all(seed: u64) -> Self {
        if seed % 8 == 5 {
            return Self::gentle(seed);
        }
        let anew = seed.is_multiple_of(8);
        let gusts =
            Gust::ALL.iter().copied().filter(|gust| anew || *gust != Gust::TopicAnew).collect();
        let scene = Self::of(seed, gusts);
        // Who still holds messages of the old topic when the new one's come?
        Self { pace: if anew { 8 * SECOND } else { scene.pace }, ..scene }
    }

    /// Faults beside which there is always a way on: no send may fail, and nothing stands still.
    pub fn gentle(seed: u64) -> Self {
        let scene = Self::of(seed, Gust::GENTLE.to_vec());
        Self { nameservers: 2, makes_topics: false, ..scene }
    }

    /// These faults, likewise.
    pub fn of(seed: u64, gusts: Vec<Gust>) -> Self {
        let network = Self::network(seed);
        Self {
            slaves: seed % 3 == 1 && gusts.contains(&Gust::MasterAway),
            gusts,
            nameservers: 1 + (seed / 2 % 2) as usize,
            mean: ms(150 + 75 * (seed % 10)),
            ..network
        }
    }
}
