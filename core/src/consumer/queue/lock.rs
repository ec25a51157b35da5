//! Whether a queue is ours alone, where its messages are handled in their order.
//!
//! | state | leaves on | to |
//! |---|---|---|
//! | wanted | its broker says that we have it | held |
//! | held | its broker confirms it | held for longer |
//! | | the connection to the broker is lost | doubted |
//! | | its broker says that it is another's, or it has run out | wanted, in a new life |
//! | doubted | its broker confirms it | held |
//! | | its broker says that it is another's, or it has run out | wanted, in a new life |
//!
//! A lock counts from when it was asked for, by our clock, and half as long as on the broker
//! (`ProcessQueue.REBALANCE_LOCK_MAX_LIVE_TIME`). A broker that starts anew knows no locks, so that
//! one held on a connection that is lost may be another's by now: nothing is handed out under it
//! before it is confirmed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::time::Instant;

/// How long a lock lasts, from when it was asked for.
pub(in crate::consumer) const LIFE: Duration = Duration::from_secs(30);

/// The lock of one queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::consumer) enum Lock {
    /// It needs none.
    Unneeded,
    /// Its broker is to be asked for it.
    Wanted,
    /// It is ours until then.
    Held { until: Instant },
    /// The same, as far as was known when the connection to the broker was lost.
    Doubted { until: Instant },
}

impl Lock {
    /// Whether something of the queue may be handed out, and stored.
    pub(in crate::consumer) fn holds(self, now: Instant) -> bool {
        match self {
            Self::Unneeded => true,
            Self::Held { until } => now < until,
            Self::Wanted | Self::Doubted { .. } => false,
        }
    }

    /// Whether messages of the queue may be pulled.
    pub(in crate::consumer) const fn lets_pull(self) -> bool {
        !matches!(self, Self::Wanted)
    }

    /// When it runs out.
    pub(in crate::consumer) const fn until(self) -> Option<Instant> {
        match self {
            Self::Held { until } | Self::Doubted { until } => Some(until),
            Self::Unneeded | Self::Wanted => None,
        }
    }

    /// The connection to the broker is lost.
    pub(in crate::consumer) const fn doubted(self) -> Self {
        match self {
            Self::Held { until } => Self::Doubted { until },
            other => other,
        }
    }

    /// The process slept for so long, which its clock did not show.
    pub(in crate::consumer) fn shortened(self, by: Duration) -> Self {
        let earlier = |until: Instant| {
            Instant::from_nanos(until.as_nanos().saturating_sub(by.as_nanos() as u64))
        };
        match self {
            Self::Held { until } => Self::Held { until: earlier(until) },
            Self::Doubted { until } => Self::Doubted { until: earlier(until) },
            other => other,
        }
    }
}

/// What whoever hands out messages of a queue knows of its lock, without the engine: until when
/// something may be handed out.
#[derive(Debug, Default)]
pub(crate) struct LockTime(AtomicU64);

impl LockTime {
    /// No lock is needed.
    const FREE: u64 = 0;
    /// It is not ours.
    const NONE: u64 = 1;

    pub(super) fn set(&self, lock: Lock) {
        let told = match lock {
            Lock::Unneeded => Self::FREE,
            Lock::Held { until } => until.as_nanos().max(Self::NONE),
            Lock::Wanted | Lock::Doubted { .. } => Self::NONE,
        };
        self.0.store(told, Ordering::SeqCst);
    }

    /// Whether something may be handed out.
    pub(crate) fn holds(&self, now: Instant) -> bool {
        let until = self.0.load(Ordering::SeqCst);
        until == Self::FREE || now.as_nanos() < until
    }

    /// How long it is still ours; `None` where no lock is needed.
    pub(crate) fn remaining(&self, now: Instant) -> Option<Duration> {
        match self.0.load(Ordering::SeqCst) {
            Self::FREE => None,
            until => Some(Instant::from_nanos(until).since(now)),
        }
    }
}
