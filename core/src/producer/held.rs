//! Places of sends that were given up after they had left: the broker has them in its queue still.

use std::collections::HashMap;
use std::time::Duration;

use crate::fifo::Fifo;
use crate::frame::Opaque;
use crate::id::{BrokerId, ConnectionId};
use crate::time::Instant;

/// A broker that has not answered what was given up for so long has lost it.
pub(super) const HELD: Duration = Duration::from_secs(10);

/// The place of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The connection it left on.
    pub(super) conn: ConnectionId,
    pub(super) size: usize,
    /// To whom it was given, and when.
    pub(super) given: (BrokerId, Instant),
}

/// Such places at one broker.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// By their requests, each with the moment from which it is free, whatever happens.
    places: HashMap<Opaque, (Place, Instant)>,
    /// Their requests, those first that were given up first. The first of all holds a place.
    order: Fifo<Opaque>,
    /// Bytes of their messages.
    bytes: usize,
    /// A timer is set for the oldest.
    timed: bool,
}

impl Held {
    /// Whether there is none, be it free by now or not.
    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// How many there are now, and the bytes of their messages.
    pub(super) fn taken(&self, now: Instant) -> (usize, usize) {
        if self.places.is_empty() {
            return (0, 0);
        }
        let places = self.order.iter().filter_map(|opaque| self.places.get(opaque));
        let free = places.take_while(|(_, until)| *until <= now);
        let all = (self.places.len(), self.bytes);
        free.fold(all, |(count, bytes), (place, _)| (count - 1, bytes - place.size))
    }

    /// The request of a send that has left is given up now.
    pub(super) fn push(&mut self, opaque: Opaque, place: Place, now: Instant) {
        self.expire(now);
        self.bytes += place.size;
        self.order.push(opaque);
        self.places.insert(opaque, (place, now + HELD));
    }

    /// The broker answers a request on that connection. Gives the place of that one, if it held
    /// any.
    pub(super) fn answered(&mut self, opaque: Opaque, conn: ConnectionId) -> Option<Place> {
        self.places.get(&opaque).filter(|(place, _)| place.conn == conn)?;
        self.free(opaque)
    }

    fn free(&mut self, opaque: Opaque) -> Option<Place> {
        let Self { places, order, bytes, .. } = self;
        let (place, _) = places.remove(&opaque)?;
        *bytes -= place.size;
        order.end(|opaque| places.contains_key(opaque), drop);
        if order.front(|opaque| places.contains_key(opaque)).is_none() {
            // The last one gives back what a burst took.
            (*places, *order) = (HashMap::new(), Fifo::new());
        }
        Some(place)
    }

    /// A connection is lost: nothing will be answered there.
    pub(super) fn lost(&mut self, conn: ConnectionId) {
        let on =
            |opaque: &&Opaque| self.places.get(opaque).is_some_and(|(place, _)| place.conn == conn);
        let lost: Vec<Opaque> = self.order.iter().filter(on).copied().collect();
        for opaque in lost {
            self.free(opaque);
        }
    }

    /// Those that were held for long enough are free.
    pub(super) fn expire(&mut self, now: Instant) {
        while let Some((opaque, _)) = self.oldest().filter(|(_, until)| *until <= now) {
            self.free(opaque);
        }
    }

    /// The timer that was set has fired.
    pub(super) fn look(&mut self, now: Instant) {
        self.timed = false;
        self.expire(now);
    }

    /// When a timer has to fire that is not set; it is from now on.
    pub(super) fn next_look(&mut self) -> Option<Instant> {
        let at = self.oldest().map(|(_, until)| until).filter(|_| !self.timed);
        self.timed |= at.is_some();
        at
    }

    /// Whether a timer will fire when the oldest one is free, if there is any.
    pub(super) fn is_timed(&self) -> bool {
        self.timed || self.places.is_empty()
    }

    /// Whether some are free that are kept still.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.oldest().is_some_and(|(_, until)| until <= now)
    }

    fn oldest(&self) -> Option<(Opaque, Instant)> {
        let opaque = *self.order.iter().next()?;
        self.places.get(&opaque).map(|(_, until)| (opaque, *until))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Kind;
    use crate::id::Slots;

    const NOW: Instant = Instant::ZERO;

    fn request(number: u32) -> Opaque {
        Opaque::new(Kind::Send, number)
    }

    /// Places of these sizes, each on its connection.
    fn held(sizes: &[(ConnectionId, usize)]) -> Held {
        let mut held = Held::default();
        for (number, (conn, size)) in (0..).zip(sizes) {
            let place = Place { conn: *conn, size: *size, given: (BrokerId(number), NOW) };
            held.push(request(number), place, NOW);
        }
        held
    }

    fn connections() -> [ConnectionId; 2] {
        let mut slots: Slots<ConnectionId, ()> = Slots::default();
        [slots.insert(()), slots.insert(())]
    }

    #[test]
    fn places_are_free_by_their_own_answers_a_lost_connection_or_in_time() {
        let [one, other] = connections();
        let mut held = held(&[(one, 10), (other, 20), (one, 30), (one, 40)]);
        assert_eq!(held.answered(request(2), one).map(|place| place.given.0), Some(BrokerId(2)));
        assert_eq!(held.taken(NOW), (3, 70));
        // Answered twice, by nobody who was asked, or never asked.
        assert_eq!(held.answered(request(2), one), None);
        assert_eq!(held.answered(request(0), other), None);
        assert_eq!(held.answered(request(7), one), None);
        assert_eq!(held.taken(NOW), (3, 70));
        held.lost(other);
        assert_eq!(held.taken(NOW), (2, 50));
        assert_eq!((held.next_look(), held.next_look()), (Some(NOW + HELD), None));
        held.look(NOW + HELD / 2);
        assert_eq!((held.taken(NOW + HELD / 2), held.next_look()), ((2, 50), Some(NOW + HELD)));
        held.look(NOW + HELD);
        assert_eq!((held.taken(NOW), held.next_look(), held.is_empty()), ((0, 0), None, true));
    }

    #[test]
    fn a_place_takes_nothing_from_the_moment_on_at_which_it_is_free() {
        let [one, _] = connections();
        let mut held = held(&[(one, 10)]);
        let later = NOW + HELD / 2;
        let place = Place { conn: one, size: 20, given: (BrokerId(1), later) };
        held.push(request(1), place, later);
        assert_eq!((held.taken(NOW + HELD), held.is_due(NOW + HELD)), ((1, 20), true));
        assert_eq!(held.taken(later + HELD), (0, 0));
        held.expire(NOW + HELD);
        assert_eq!(
            (held.is_due(NOW + HELD), held.oldest()),
            (false, Some((request(1), later + HELD)))
        );
    }

    #[test]
    fn many_that_are_answered_in_any_order_leave_nothing_behind() {
        let [one, _] = connections();
        let mut held = held(&vec![(one, 1); 4096]);
        for number in (0..2048).flat_map(|number| [number, 4095 - number]) {
            assert!(held.answered(request(number), one).is_some());
            assert!(held.order.len() <= 2 * held.places.len().max(1));
        }
        assert!(held.is_empty() && held.order.is_empty() && held.bytes == 0);
    }
}
