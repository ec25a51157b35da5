//! How long things take, counted by powers of two.

use std::fmt;
use std::time::Duration;

/// Places of the table: the last one has all from about an hour on.
const PLACES: usize = 33;

/// Durations counted by powers of two of a microsecond: place 0 has those under 1 us, place `n`
/// those under 2^n us that are not before.
///
/// ```
/// use rocketry_core::histogram::Histogram;
/// use std::time::Duration;
///
/// let mut taken = Histogram::default();
/// taken.record(Duration::from_micros(100), 99);
/// taken.record(Duration::from_millis(50), 1);
/// assert_eq!((taken.count(), taken.quantile(0.5)), (100, Duration::from_micros(128)));
/// assert_eq!(taken.quantile(1.0), Duration::from_micros(65_536));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Histogram {
    counts: [u64; PLACES],
    total: Duration,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: [0; PLACES], total: Duration::ZERO }
    }
}

impl Histogram {
    /// Counts `times` things that took so long each.
    pub fn record(&mut self, taken: Duration, times: u64) {
        let micros = u64::try_from(taken.as_micros()).unwrap_or(u64::MAX);
        let place = (u64::BITS - micros.leading_zeros()) as usize;
        let count = &mut self.counts[place.min(PLACES - 1)];
        *count = count.saturating_add(times);
        let all = taken.saturating_mul(u32::try_from(times).unwrap_or(u32::MAX));
        self.total = self.total.saturating_add(all);
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// How long they took together.
    pub const fn total(&self) -> Duration {
        self.total
    }

    /// How long one took on average; zero without any.
    pub fn mean(&self) -> Duration {
        match self.count() {
            0 => Duration::ZERO,
            count => Duration::from_nanos((self.total.as_nanos() / u128::from(count)) as u64),
        }
    }

    /// What that part of them, from 0 to 1, took less than: the bound of a place, so at most twice
    /// the truth. Zero without any.
    pub fn quantile(&self, part: f64) -> Duration {
        let wanted = (self.count() as f64 * part.clamp(0.0, 1.0)).ceil() as u64;
        let mut passed = 0_u64;
        for (place, count) in self.counts.iter().enumerate() {
            passed = passed.saturating_add(*count);
            if *count > 0 && passed >= wanted {
                return Duration::from_micros(1 << place);
            }
        }
        Duration::ZERO
    }

    /// The places that have any, each as what they took less than, and how many there are.
    pub fn places(&self) -> impl Iterator<Item = (Duration, u64)> {
        let places = self.counts.iter().enumerate().filter(|(_, count)| **count > 0);
        places.map(|(place, count)| (Duration::from_micros(1 << place), *count))
    }

    /// Adds what another one counted.
    pub fn add(&mut self, other: &Self) {
        for (own, count) in self.counts.iter_mut().zip(other.counts) {
            *own = own.saturating_add(count);
        }
        self.total = self.total.saturating_add(other.total);
    }
}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.places()).finish()
    }
}

impl fmt::Display for Histogram {
    /// `p50 < 128µs, p99 < 65.536ms`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p50 < {:?}, p99 < {:?}", self.quantile(0.5), self.quantile(0.99))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_bounds_what_was_counted_by_less_than_twice() {
        let mut rng = crate::rng::Rng::new(7);
        let mut histogram = Histogram::default();
        let mut all = Vec::new();
        for _ in 0..1000 {
            let bits = rng.below(31);
            let micros = 1 + rng.below(1 << bits);
            all.push(micros);
            histogram.record(Duration::from_micros(micros), 1);
        }
        all.sort_unstable();
        for part in [0.001, 0.25, 0.5, 0.9, 0.99, 1.0] {
            let exact = all[((part * 1000.0) as usize).max(1) - 1];
            let bound = histogram.quantile(part).as_micros() as u64;
            assert!(exact < bound && bound <= 2 * exact, "{part}: {exact} {bound}");
        }
        assert_eq!(histogram.total(), Duration::from_micros(all.iter().sum()));
        assert_eq!(histogram.mean().as_micros() as u64, all.iter().sum::<u64>() / 1000);
    }

    #[test]
    fn nothing_is_nothing_and_the_longest_has_a_place() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile(0.5), Duration::ZERO);
        assert_eq!((histogram.mean(), histogram.places().count()), (Duration::ZERO, 0));
        histogram.record(Duration::ZERO, 1);
        histogram.record(Duration::MAX, u64::MAX);
        histogram.record(Duration::MAX, u64::MAX);
        let mut twice = histogram.clone();
        twice.add(&histogram);
        assert_eq!(twice.count(), u64::MAX);
        assert_eq!(twice.quantile(1.0), Duration::from_micros(1 << 32));
        assert_eq!(format!("{:?}", histogram.places().next().unwrap()), "(1µs, 1)");
    }
}
