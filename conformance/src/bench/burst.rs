//! What became of a burst: how much of it was stored, and what was said of the rest.

use std::fmt;
use std::time::{Duration, Instant};

use rocketry::{SendError, SendReceipt};
use rocketry_core::error::Stored;

/// The ends of sends that were all begun at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Burst {
    /// Sends that ended with a receipt.
    pub ok: usize,
    /// Those that failed, and whose message is not there.
    pub no: usize,
    /// Those that failed, and whose message may be there.
    pub unknown: usize,
    /// Those that failed, and whose message is there.
    pub yes: usize,
    /// From the first call to the last end.
    pub took: Duration,
    /// How long the next single send took, from its call to its end.
    pub next: Duration,
    /// Whether that one was stored.
    pub next_ok: bool,
}

impl Burst {
    /// One more has ended.
    pub(super) fn add(&mut self, result: &Result<SendReceipt, SendError>) {
        let stored = result.as_ref().err().map(SendError::stored);
        *match stored {
            None => &mut self.ok,
            Some(Stored::No) => &mut self.no,
            Some(Stored::Unknown) => &mut self.unknown,
            Some(Stored::Yes) => &mut self.yes,
        } += 1;
    }

    /// The single send that followed has ended.
    pub(super) fn followed(self, begun: Instant, result: &Result<SendReceipt, SendError>) -> Self {
        Self { next: begun.elapsed(), next_ok: result.is_ok(), ..self }
    }
}

impl fmt::Display for Burst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ok, no, unknown, yes, took, next, next_ok } = self;
        let (took, next) = (took.as_millis(), next.as_micros());
        write!(f, "ok={ok} no={no} unknown={unknown} yes={yes} took_ms={took} ")?;
        write!(f, "next_us={next} next_ok={next_ok}")
    }
}
