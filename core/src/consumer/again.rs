//! Messages that were given back: where each of them is.
//!
//! | where a message is | leaves on | to |
//! |---|---|---|
//! | Later | its time | Ready |
//! | | it is to be sent back | Leaving |
//! | Ready | it is handed out | Out |
//! | Out | it is settled | gone |
//! | | dropped, or given back for later | Later |
//! | | to be sent back, or held for longer than `consume_timeout` | Leaving |
//! | Leaving | a broker has it | settled, gone |
//! | | nobody took it | Later |
//!
//! One that was never given back has no entry.

use std::time::Duration;

use super::handouts::Due;
use super::send_back::Leaving;
use crate::time::Instant;

/// The shortest pause: what is given back in the same moment again and again would leave time to
/// nothing else.
pub(super) const LEAST: Duration = Duration::from_millis(1);
/// The longest pause before a message that is dropped time and again is handed out once more.
const LONGEST: Duration = Duration::from_secs(30);

/// A message that is held and has been given back.
#[derive(Debug)]
pub(super) struct Again {
    /// How often it was dropped.
    drops: u32,
    /// How often the application could not handle it, where that is counted here.
    failures: u32,
    /// How often it was queued to be handed out again.
    pub(super) times: u32,
    pub(super) place: Place,
}

/// Where it is.
#[derive(Debug)]
pub(super) enum Place {
    /// It waits for its time.
    Later(Due),
    /// It is among what is to be handed out.
    Ready,
    /// The application has it, since then.
    Out(Instant),
    /// It is on its way to a broker.
    Leaving(Leaving),
}

impl Again {
    /// One that is given back for the first time, and that the application had since `since`.
    pub(super) const fn out(since: Instant) -> Self {
        Self { drops: 0, failures: 0, times: 0, place: Place::Out(since) }
    }

    /// Whether the application has it, or it is on its way to a broker: whether it is not here.
    pub(super) const fn is_out(&self) -> bool {
        matches!(self.place, Place::Out(_) | Place::Leaving(_))
    }

    /// Its time, while it waits for that.
    pub(super) const fn due(&self) -> Option<Due> {
        match self.place {
            Place::Later(due) => Some(due),
            Place::Ready | Place::Out(_) | Place::Leaving(_) => None,
        }
    }

    /// How it leaves, while it does.
    pub(super) const fn leaving(&self) -> Option<&Leaving> {
        match &self.place {
            Place::Leaving(leaving) => Some(leaving),
            Place::Later(_) | Place::Ready | Place::Out(_) => None,
        }
    }

    /// It could not be handled once more: how often that makes.
    pub(super) const fn failed(&mut self) -> u32 {
        self.failures = self.failures.saturating_add(1);
        self.failures
    }

    /// It was dropped once more: the pause before it comes again.
    pub(super) fn dropped(&mut self, delay: Duration) -> Duration {
        self.drops = self.drops.saturating_add(1);
        pause(self.drops - 1, delay)
    }
}

/// The pause before a message that was dropped comes again: from a tenth of `delay`, at most
/// 100 ms, doubling to 30 s.
fn pause(times: u32, delay: Duration) -> Duration {
    let first = (delay / 10).clamp(LEAST, Duration::from_millis(100));
    first.saturating_mul(1 << times.min(16)).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_is_dropped_comes_again_ever_later_up_to_thirty_seconds() {
        let second = Duration::from_secs(1);
        let pauses: Vec<u128> = (0..11).map(|times| pause(times, second).as_millis()).collect();
        let expected = [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000];
        assert_eq!(pauses, expected);
        assert_eq!(pause(0, 60 * second), Duration::from_millis(100));
        assert_eq!(pause(0, Duration::from_millis(50)), Duration::from_millis(5));
        assert_eq!(pause(0, Duration::ZERO), Duration::from_millis(1));
        assert_eq!(pause(u32::MAX, second), LONGEST);
    }
}
