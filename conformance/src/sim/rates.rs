//! How many requests of each kind came in the busiest second: a loop without a floor shows here.

use std::collections::BTreeMap;
use std::time::Duration;

use rocketry_core::frame::RequestCode;

use super::world::World;
use crate::broker::ListenerId;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rate {
    /// Attempts to connect, of all clients to all servers.
    Connects,
    /// Requests of one code to one server.
    Requests(ListenerId, i32),
}

impl Rate {
    /// Requests of one code to one server.
    pub const fn of(at: ListenerId, code: RequestCode) -> Self {
        Self::Requests(at, code.0)
    }
}

/// Counts of whole seconds.
#[derive(Debug, Default)]
pub(super) struct Rates {
    last: BTreeMap<Rate, u64>,
    busiest: BTreeMap<Rate, u64>,
}

impl World {
    /// Counts by the second from now on, for so long.
    pub fn watch_rates(&mut self, time: Duration) {
        self.rates.last = self.counts().collect();
        for second in 1..=time.as_secs() {
            self.later(Duration::from_secs(second), Self::note_rates);
        }
    }

    fn counts(&self) -> impl Iterator<Item = (Rate, u64)> {
        let requests =
            self.cluster().all_requests().map(|(at, code, count)| (Rate::of(at, code), count));
        requests.chain([(Rate::Connects, self.network.issued)])
    }

    fn note_rates(&mut self) {
        let counts: BTreeMap<Rate, u64> = self.counts().collect();
        for (rate, count) in &counts {
            let new = count - self.rates.last.get(rate).copied().unwrap_or_default();
            let busiest = self.rates.busiest.entry(*rate).or_default();
            *busiest = new.max(*busiest);
        }
        self.rates.last = counts;
    }

    /// The busiest second of each kind.
    pub const fn rates(&self) -> &BTreeMap<Rate, u64> {
        &self.rates.busiest
    }
}
