//! How soon a broker that brings nothing on is asked again: at once when it may have been by
//! chance, and once a second when it stays so. Every loop with a peer has such a floor.

use std::time::Duration;

use crate::time::Instant;

/// The first pause; it doubles.
const FIRST: Duration = Duration::from_millis(10);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(1);
/// Long polls that end sooner than this are followed by a pause, however short they were meant.
const LEAST: Duration = Duration::from_millis(50);
/// Moves of an offset that are further apart have nothing to do with each other.
const APART: Duration = Duration::from_secs(30);

/// The pause after the `times`th answer of a row that brought nothing on, from 0.
pub(super) fn pause(times: u32) -> Duration {
    FIRST.saturating_mul(1 << times.min(16)).min(LONGEST)
}

/// The pace of one queue's pulls. It outlives the moves of the queue's offset.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PullBackoff {
    stalls: u32,
    moves: u32,
    moved: Option<Instant>,
}

impl PullBackoff {
    /// Messages came.
    pub(super) const fn went_on(&mut self) {
        self.stalls = 0;
    }

    /// An answer brought nothing on, `took` after its question, for which the broker was to wait
    /// for `hold`. Gives the pause before the next one: none after a long poll.
    pub(super) fn stalled(&mut self, took: Duration, hold: Duration) -> Duration {
        if took >= hold.min(LONGEST) {
            self.stalls = 0;
            return LEAST.saturating_sub(took);
        }
        self.refused()
    }

    /// The broker is busy, or its answer can't be true: a pause in any case.
    pub(super) fn refused(&mut self) -> Duration {
        self.stalls = self.stalls.saturating_add(1);
        pause(self.stalls - 1)
    }

    /// The broker moved the queue's offset. The first time costs no pause.
    pub(super) fn moved(&mut self, now: Instant) -> Duration {
        let before = self.moved.replace(now);
        if before.is_none_or(|before| now.since(before) > APART) {
            self.moves = 0;
            return Duration::ZERO;
        }
        self.moves = self.moves.saturating_add(1);
        pause(self.moves - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn pauses_grow_to_a_second_and_begin_anew_when_something_came() {
        let mut backoff = PullBackoff::default();
        let mut pauses = || (0..9).map(|_| backoff.stalled(ms(1), ms(15_000))).collect::<Vec<_>>();
        let grown = [10, 20, 40, 80, 160, 320, 640, 1000, 1000].map(ms);
        assert_eq!(pauses(), grown);
        backoff.went_on();
        assert_eq!(backoff.stalled(ms(999), ms(15_000)), ms(10));
        assert_eq!(pause(u32::MAX), ms(1000));
    }

    #[test]
    fn a_broker_that_held_the_pull_for_as_long_as_asked_is_asked_again_at_once() {
        let mut backoff = PullBackoff::default();
        assert_eq!(backoff.stalled(ms(15_000), ms(15_000)), Duration::ZERO);
        assert_eq!(backoff.stalled(ms(1_000), ms(15_000)), Duration::ZERO);
        assert_eq!(backoff.stalled(ms(100), ms(100)), Duration::ZERO);
        assert_eq!(backoff.stalled(ms(20), ms(20)), ms(30));
        assert_eq!(backoff.stalled(ms(0), ms(0)), ms(50));
    }

    #[test]
    fn one_move_is_followed_at_once_and_a_ring_of_them_at_a_pause() {
        let (mut backoff, at) = (PullBackoff::default(), |millis| Instant::ZERO + ms(millis));
        assert_eq!(backoff.moved(at(0)), Duration::ZERO);
        assert_eq!([backoff.moved(at(1)), backoff.moved(at(12))], [ms(10), ms(20)]);
        assert_eq!(backoff.moved(at(12 + 30_001)), Duration::ZERO);
    }
}
