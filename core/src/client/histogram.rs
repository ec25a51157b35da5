//! Histograms of durations.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Parts of each power of two: a figure is wrong by an eighth at most.
const PARTS: u64 = 8;
const BUCKETS: usize = 320;

/// A histogram that any thread may add to, in nanoseconds.
#[derive(Debug)]
pub(crate) struct Histogram {
    buckets: [AtomicU64; BUCKETS],
    total: AtomicU64,
    max: AtomicU64,
}

impl Default for Histogram {
    fn default() -> Self {
        let buckets = std::array::from_fn(|_| AtomicU64::new(0));
        Self { buckets, total: AtomicU64::new(0), max: AtomicU64::new(0) }
    }
}

fn bucket(nanos: u64) -> usize {
    if nanos < PARTS {
        return nanos as usize;
    }
    let power = u64::from(nanos.ilog2());
    let part = (nanos >> (power - 3)) % PARTS;
    (((power - 2) * PARTS + part) as usize).min(BUCKETS - 1)
}

/// The longest duration of a bucket.
const fn ceiling(bucket: usize) -> u64 {
    let (power, part) = (bucket as u64 / PARTS, bucket as u64 % PARTS);
    if power == 0 { part } else { ((PARTS + part + 1) << (power - 1)) - 1 }
}

impl Histogram {
    pub(crate) fn add(&self, took: Duration) {
        let nanos = took.as_nanos() as u64;
        self.buckets[bucket(nanos)].fetch_add(1, Relaxed);
        self.total.fetch_add(nanos, Relaxed);
        self.max.fetch_max(nanos, Relaxed);
    }
}

/// What histograms hold at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Counts {
    buckets: Box<[u64; BUCKETS]>,
    total: u64,
    max: u64,
}

impl Default for Counts {
    fn default() -> Self {
        Self { buckets: Box::new([0; BUCKETS]), total: 0, max: 0 }
    }
}

impl Counts {
    /// Adds all that is in a histogram.
    pub(crate) fn add(&mut self, histogram: &Histogram) {
        for (count, more) in self.buckets.iter_mut().zip(&histogram.buckets) {
            *count += more.load(Relaxed);
        }
        self.total += histogram.total.load(Relaxed);
        self.max = self.max.max(histogram.max.load(Relaxed));
    }

    pub(crate) fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    pub(crate) fn mean(&self) -> Duration {
        Duration::from_nanos(self.total / self.count().max(1))
    }

    pub(crate) fn quantile(&self, share: f64) -> Duration {
        let mut left = (self.count() as f64 * share.clamp(0.0, 1.0)) as u64;
        let found = self.buckets.iter().position(|count| {
            let here = left < *count;
            left = left.saturating_sub(*count);
            here
        });
        Duration::from_nanos(found.map_or(self.max, ceiling).min(self.max))
    }

    pub(crate) const fn max(&self) -> Duration {
        Duration::from_nanos(self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_cover_all_times_and_are_an_eighth_wide() {
        let mut last = None;
        for nanos in (0..5_000).chain([1 << 20, 1 << 30, (1 << 40) + 5]) {
            let at = bucket(nanos);
            assert!(last.is_none_or(|last| at >= last) && nanos <= ceiling(at), "{nanos}");
            assert!(ceiling(at) <= nanos + nanos / PARTS, "{nanos} in {at} to {}", ceiling(at));
            last = Some(at);
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn figures_are_those_of_what_was_added() {
        let (one, other) = (Histogram::default(), Histogram::default());
        let none = Counts::default();
        assert_eq!((none.count(), none.quantile(0.99), none.max()), Default::default());
        for micros in 1..=1000 {
            let into = if micros % 2 == 0 { &one } else { &other };
            into.add(Duration::from_micros(micros));
        }
        let mut counts = Counts::default();
        counts.add(&one);
        counts.add(&other);
        assert_eq!((counts.count(), counts.max()), (1000, Duration::from_millis(1)));
        assert_eq!(counts.mean(), Duration::from_nanos(500_500));
        let near = |found: Duration, micros| {
            let exact = Duration::from_micros(micros);
            found >= exact && found <= exact + exact / 8
        };
        assert!(near(counts.quantile(0.5), 500) && near(counts.quantile(0.99), 990), "{counts:?}");
        assert_eq!(counts.quantile(1.0), Duration::from_millis(1));
    }
}
