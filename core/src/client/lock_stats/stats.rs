//! What the measuring comes to.

use std::time::Duration;

/// How long a client's lock was held, since the client was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LockStats {
    /// How often it was taken.
    pub holds: u64,
    /// The mean.
    pub mean: Duration,
    /// Half of the holds were no longer, to an eighth.
    pub p50: Duration,
    /// 99 of 100 were no longer, to an eighth.
    pub p99: Duration,
    /// The longest one. A thread that loses its core meanwhile holds on.
    pub max: Duration,
}
