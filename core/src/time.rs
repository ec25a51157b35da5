//! Time as a value: the core never reads a clock, it is told.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;
#[expect(clippy::disallowed_types, reason = "a time that is given: no clock is read")]
use std::time::SystemTime;

/// A point on the embedder's monotonic clock: nanoseconds since an epoch the embedder chooses
/// (the process's start, say). Only differences mean anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The epoch itself.
    pub const ZERO: Self = Self(0);
    /// Later than every instant a clock will show (584 years after the epoch).
    pub const FAR: Self = Self(u64::MAX);

    /// The instant `nanos` nanoseconds after the epoch.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the epoch.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to `self`; zero when `earlier` is the later one.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    /// Saturates at [`Instant::FAR`].
    fn add(self, by: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, by: Duration) {
        *self = *self + by;
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;

    /// Saturates at [`Instant::ZERO`].
    fn sub(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// A duration in a text: four digits of it tell all that a reader wants to know.
pub(crate) struct Rounded(pub(crate) Duration);

impl fmt::Display for Rounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        let step = 10_u128.pow(nanos.checked_ilog10().unwrap_or(0).saturating_sub(3));
        let rounded = (nanos + step / 2) / step * step;
        write!(f, "{:?}", u64::try_from(rounded).map_or(self.0, Duration::from_nanos))
    }
}

/// Whole milliseconds, as RocketMQ counts them; the most there are for what is longer.
pub(crate) fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// Wall-clock time in milliseconds since 1970-01-01 UTC, as RocketMQ writes it on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixMillis(pub i64);

impl From<i64> for UnixMillis {
    fn from(millis: i64) -> Self {
        Self(millis)
    }
}

#[expect(clippy::disallowed_types, reason = "a time that is given: no clock is read")]
impl From<SystemTime> for UnixMillis {
    /// That time, to the millisecond.
    fn from(time: SystemTime) -> Self {
        Self(match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => millis(after),
            Err(before) => -millis(before.duration()),
        })
    }
}

impl Add<Duration> for UnixMillis {
    type Output = Self;

    fn add(self, by: Duration) -> Self {
        Self(self.0.saturating_add(millis(by)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_in_a_text_has_four_digits() {
        let shown = |nanos| Rounded(Duration::from_nanos(nanos)).to_string();
        for (nanos, text) in [
            (0, "0ns"),
            (999, "999ns"),
            (12_345, "12.35µs"),
            (1_234_000_000, "1.234s"),
            (2_999_873_412, "3s"),
            (1_200_000_000, "1.2s"),
            (61_234_567_890, "61.23s"),
            (120_000_000_000, "120s"),
        ] {
            assert_eq!(shown(nanos), text);
        }
        assert_eq!(Rounded(Duration::MAX).to_string(), format!("{:?}", Duration::MAX));
    }
}
