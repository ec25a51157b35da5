//! The histogram of holds, and the guard that fills it.

use std::ops::{Deref, DerefMut};
use std::sync::MutexGuard;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::stats::LockStats;
use crate::client::host::Clock;
use crate::time::Instant;

/// Parts of each power of two: a figure is wrong by an eighth at most.
const PARTS: u64 = 8;
const BUCKETS: usize = 320;

/// The histogram, in nanoseconds.
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

/// The longest hold of a bucket.
const fn ceiling(bucket: usize) -> u64 {
    let (power, part) = (bucket as u64 / PARTS, bucket as u64 % PARTS);
    if power == 0 { part } else { ((PARTS + part + 1) << (power - 1)) - 1 }
}

impl Histogram {
    fn add(&self, held: Duration) {
        let nanos = held.as_nanos() as u64;
        self.buckets[bucket(nanos)].fetch_add(1, Relaxed);
        self.total.fetch_add(nanos, Relaxed);
        self.max.fetch_max(nanos, Relaxed);
    }

    pub(crate) fn stats(&self) -> LockStats {
        let buckets = self.buckets.each_ref().map(|count| count.load(Relaxed));
        let holds = buckets.iter().sum::<u64>();
        let quantile = |thousandths: u64| {
            let mut left = holds * thousandths / 1000;
            let found = buckets.iter().position(|count| {
                let here = left < *count;
                left = left.saturating_sub(*count);
                here
            });
            Duration::from_nanos(found.map_or(0, ceiling))
        };
        LockStats {
            holds,
            mean: Duration::from_nanos(self.total.load(Relaxed) / holds.max(1)),
            p50: quantile(500),
            p99: quantile(990),
            max: Duration::from_nanos(self.max.load(Relaxed)),
        }
    }
}

/// The lock, held; counts for how long.
pub(crate) struct Held<'a, T> {
    guard: MutexGuard<'a, T>,
    clock: &'a dyn Clock,
    histogram: &'a Histogram,
    since: Instant,
}

impl<'a, T> Held<'a, T> {
    pub(crate) fn new(
        guard: MutexGuard<'a, T>,
        clock: &'a dyn Clock,
        histogram: &'a Histogram,
    ) -> Self {
        Self { guard, clock, histogram, since: clock.now() }
    }
}

impl<T> Deref for Held<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T> DerefMut for Held<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}

impl<T> Drop for Held<'_, T> {
    fn drop(&mut self) {
        self.histogram.add(self.clock.now().since(self.since));
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
    fn figures_are_those_of_the_holds() {
        let holds = Histogram::default();
        assert_eq!(holds.stats().p99, Duration::ZERO);
        (1..=1000).for_each(|micros| holds.add(Duration::from_micros(micros)));
        let stats = holds.stats();
        assert_eq!((stats.holds, stats.max), (1000, Duration::from_millis(1)));
        assert_eq!(stats.mean, Duration::from_nanos(500_500));
        let near = |found: Duration, micros| {
            let exact = Duration::from_micros(micros);
            found >= exact && found <= exact + exact / 8
        };
        assert!(near(stats.p50, 500) && near(stats.p99, 990), "{stats:?}");
    }
}
