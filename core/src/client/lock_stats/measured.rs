//! The guard that fills the histogram of holds.

use std::ops::{Deref, DerefMut};
use std::sync::MutexGuard;

use super::stats::LockStats;
use crate::client::histogram::Counts;
pub(crate) use crate::client::histogram::Histogram;
use crate::client::host::Clock;
use crate::time::Instant;

/// The figures of the holds so far.
pub(crate) fn stats(holds: &Histogram) -> LockStats {
    let mut counts = Counts::default();
    counts.add(holds);
    LockStats {
        holds: counts.count(),
        mean: counts.mean(),
        p50: counts.quantile(0.5),
        p99: counts.quantile(0.99),
        max: counts.max(),
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
