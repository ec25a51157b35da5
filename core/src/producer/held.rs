//! Places of sends that were given up after they had left: the broker has them in its queue still.

use std::collections::VecDeque;
use std::time::Duration;

use crate::id::{BrokerId, PeerId};
use crate::time::Instant;

/// A broker that has not answered what was given up for so long has lost it.
pub(super) const HELD: Duration = Duration::from_secs(10);

/// The place of one.
#[derive(Debug)]
struct Place {
    /// The connection it left on, by its peer.
    lane: PeerId,
    size: usize,
    /// To whom it was given, and when.
    given: (BrokerId, Instant),
    /// When it is free, whatever happens.
    until: Instant,
}

/// Such places at one broker.
#[derive(Debug)]
pub(super) struct Held {
    /// Oldest first.
    places: VecDeque<Place>,
    /// Bytes of their messages.
    bytes: usize,
    /// A timer is set for the oldest.
    timed: bool,
}

impl Held {
    pub(super) const fn new() -> Self {
        Self { places: VecDeque::new(), bytes: 0, timed: false }
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// A send that has left on that lane is given up, which was `given` to a broker some time ago.
    pub(super) fn push(
        &mut self,
        lane: PeerId,
        size: usize,
        given: (BrokerId, Instant),
        now: Instant,
    ) {
        self.places.push_back(Place { lane, size, given, until: now + HELD });
        self.bytes += size;
    }

    /// The broker answers one of them: the oldest, as far as anybody knows. Gives to whom that was
    /// given, and when.
    pub(super) fn answered(&mut self) -> Option<(BrokerId, Instant)> {
        let place = self.places.pop_front()?;
        self.bytes -= place.size;
        Some(place.given)
    }

    /// A connection is lost: nothing will be answered there.
    pub(super) fn lost(&mut self, lane: PeerId) {
        self.places.retain(|place| place.lane != lane);
        self.bytes = self.places.iter().map(|place| place.size).sum();
    }

    /// Those that were held for long enough are free.
    pub(super) fn expire(&mut self, now: Instant) {
        while self.places.front().is_some_and(|place| place.until <= now) {
            self.answered();
        }
    }

    /// The timer that was set has fired.
    pub(super) fn look(&mut self, now: Instant) {
        self.timed = false;
        self.expire(now);
    }

    /// When a timer has to fire that is not set; it is from now on.
    pub(super) fn next_look(&mut self) -> Option<Instant> {
        let at = self.places.front().map(|place| place.until).filter(|_| !self.timed);
        self.timed |= at.is_some();
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_free_by_answers_a_lost_connection_or_in_time() {
        let (mut held, now) = (Held::new(), Instant::ZERO);
        for (lane, size) in [(1, 10), (2, 20), (1, 30)] {
            held.push(PeerId(lane), size, (BrokerId(lane), now), now);
        }
        assert_eq!(held.answered(), Some((BrokerId(1), now)));
        assert_eq!((held.len(), held.bytes()), (2, 50));
        held.lost(PeerId(2));
        assert_eq!((held.len(), held.bytes()), (1, 30));
        assert_eq!((held.next_look(), held.next_look()), (Some(now + HELD), None));
        held.look(now + HELD / 2);
        assert_eq!((held.len(), held.next_look()), (1, Some(now + HELD)));
        held.look(now + HELD);
        assert_eq!((held.len(), held.bytes(), held.next_look()), (0, 0, None));
    }
}
