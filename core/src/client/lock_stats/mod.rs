//! How long the lock is held: measured with the feature `lock-stats` alone.

#[cfg(feature = "lock-stats")]
mod measured;
mod stats;

#[cfg(feature = "lock-stats")]
pub(crate) use measured::{Held, Histogram};
pub use stats::LockStats;

/// The lock, held.
#[cfg(not(feature = "lock-stats"))]
pub(crate) type Held<'a, T> = std::sync::MutexGuard<'a, T>;
