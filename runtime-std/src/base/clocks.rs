//! The clocks of the system, as the core counts time.

use std::time::SystemTime;

use rocketry_core::client::adapter::Clock;
use rocketry_core::time::{Instant, UnixMillis};

/// The monotonic and the wall clock of the system.
#[derive(Clone, Copy, Debug)]
pub struct Clocks {
    epoch: std::time::Instant,
}

impl Default for Clocks {
    fn default() -> Self {
        Self { epoch: std::time::Instant::now() }
    }
}

impl Clocks {
    /// When an instant of the core is, on the system's clock. Far instants are a day away.
    pub fn system(&self, at: Instant) -> std::time::Instant {
        let day = std::time::Duration::from_secs(86_400);
        let latest = self.epoch.elapsed() + day;
        self.epoch + at.since(Instant::ZERO).min(latest)
    }
}

impl Clock for Clocks {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.epoch.elapsed().as_nanos() as u64)
    }

    fn unix(&self) -> UnixMillis {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        UnixMillis(since.map_or(0, |since| since.as_millis() as i64))
    }

    fn process(&self) -> u32 {
        std::process::id()
    }
}
