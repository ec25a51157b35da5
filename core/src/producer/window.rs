//! What a broker has not answered yet, bounded, and the sends that wait for a place in it.
//!
//! A window belongs to a broker, all its connections together, and is known by its main peer. A
//! send that is given to one of them takes a place, and bytes, until it is answered, fails or is
//! given up. Where there is none it waits here: it has not left, and no connection knows of it. Who
//! waits goes on first in, first out; one that had been given to a broker before goes before those
//! that never were, since it is older. A place that nobody waits for here goes to the oldest of
//! those who wait for another broker and may come here. A send that is given up after it has left
//! frees no place: the broker has it in its queue still, until it answers, the connection is lost,
//! or [`HELD`](super::held::HELD) is over.
//!
//! Brokers keep what they have not stored in one queue for all clients, of 10,000 requests
//! (`sendThreadPoolQueueCapacity`), and refuse what is too much (`[OVERLOAD]`) or has waited there
//! for 200 ms (`[TIMEOUT_CLEAN_QUEUE]`). Either halves the window, and where many are under way so
//! does an answer that takes more than half of its send's time, or does not come in time: once for
//! all that was under way then. Other answers let it grow again: additive increase, multiplicative
//! decrease, by which several clients come to equal shares.
//!
//! Who waits long has little time left when its turn comes. A send that has less than the broker's
//! answers take of late ends there as not stored: given to the broker it would end as unknown, and
//! so would all behind it, for as long as more is sent than the broker can store.
//!
//! | state of a send's turn | leaves on | to |
//! |---|---|---|
//! | Room | there is room for it among those under way | Free |
//! | Free | the window of its broker is full | Waits |
//! | Waits | a place is free, and it is the oldest | Called |
//! | | it ends; its broker is slow or has moved, or another one has room | Free |
//! | Called | it has been given to a broker, or waits for a route | Free |
//! | | it goes to another broker, whose window is full | Waits |

use std::collections::VecDeque;

use super::held::Held;
use crate::broker::WindowStats;
use crate::config::Config;
use crate::effects::Effects;
use crate::error::Failure;
use crate::fifo::Fifo;
use crate::frame::ResponseCode;
use crate::id::{BrokerId, OpId, PeerId};
use crate::time::Instant;

/// A window does not shrink below this, unless it is set to less.
const LEAST: usize = 64;
/// Places by which it grows while all that is in it is answered once.
const STEP: usize = 32;

/// How a send stands to the window of its broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// The send waits until there is room for it in the client.
    Room,
    /// The send waits for no place.
    Free,
    /// The send waits for one at that broker, whose main peer this is.
    Waits { peer: PeerId, broker: BrokerId },
    /// There is one for it there.
    Called { peer: PeerId },
}

impl Turn {
    /// At whose window it waits.
    pub(super) const fn waits(self) -> Option<(PeerId, BrokerId)> {
        match self {
            Self::Waits { peer, broker } => Some((peer, broker)),
            Self::Room | Self::Free | Self::Called { .. } => None,
        }
    }

    /// Whose window has a place for it, whoever else waits there.
    const fn called(self) -> Option<PeerId> {
        match self {
            Self::Called { peer } => Some(peer),
            Self::Room | Self::Free | Self::Waits { .. } => None,
        }
    }
}

/// The windows of all brokers, by their main peers.
#[derive(Debug, Default)]
pub(super) struct Windows {
    list: Vec<Window>,
    /// Those with a place, maybe, for somebody who waits there, or elsewhere.
    ready: VecDeque<PeerId>,
    /// Those at which somebody waits, and some at which nobody does any more.
    crowded: Vec<PeerId>,
    /// How many wait at all of them.
    waiting: usize,
}

#[derive(Debug, Default)]
struct Window {
    /// Sends without an answer.
    open: usize,
    /// Bytes of their messages.
    bytes: usize,
    /// Places of those that were given up after they had left.
    held: Held,
    /// Most sends without an answer, where that is less than is configured.
    limit: Option<usize>,
    /// Answers, times [`STEP`], since it last grew.
    grown: usize,
    /// When it was last halved.
    shrunk: Option<Instant>,
    /// Those that wait for another try.
    again: Fifo<OpId>,
    /// Those that wait for their first one.
    first: Fifo<OpId>,
    /// The window is among those that are ready.
    ready: bool,
    /// It is among those at which somebody waits.
    crowded: bool,
}

impl Window {
    /// Sends that the broker has, and bytes of their messages.
    fn taken(&self, now: Instant) -> (usize, usize) {
        let (held, bytes) = self.held.taken(now);
        (self.open + held, self.bytes + bytes)
    }

    /// Whether `size` more bytes fit. Where there is nothing, anything does.
    fn has_room(&self, size: usize, fx: &Effects) -> bool {
        let (count, taken) = self.taken(fx.now);
        count < self.most(fx) && (taken == 0 || taken + size <= fx.config.max_unanswered_bytes)
    }

    /// Most sends without an answer.
    fn most(&self, fx: &Effects) -> usize {
        let most = fx.config.max_unanswered;
        self.limit.map_or(most, |limit| limit.min(most))
    }

    /// Halves it, once for all that was under way then.
    fn shrink(&mut self, tried: Instant, now: Instant) {
        if self.shrunk.is_none_or(|shrunk| tried > shrunk) {
            let under_way = self.taken(now).0 + 1;
            let under_way = self.limit.map_or(under_way, |limit| limit.min(under_way));
            (self.limit, self.grown) = (Some((under_way / 2).max(LEAST)), 0);
            self.shrunk = Some(now);
        }
    }

    /// How many wait.
    fn waiting(&self) -> usize {
        self.again.waiting() + self.first.waiting()
    }

    /// Those of which one is next.
    fn oldest(&mut self) -> &mut Fifo<OpId> {
        if self.again.waiting() > 0 { &mut self.again } else { &mut self.first }
    }

    /// The last one that waited gives back what a burst took.
    fn give_back(&mut self) {
        if self.waiting() == 0 {
            (self.again, self.first) = (Fifo::new(), Fifo::new());
        }
    }
}

impl Windows {
    fn find(&mut self, peer: PeerId) -> &mut Window {
        let at = peer.0 as usize;
        if self.list.len() <= at {
            self.list.resize_with(at + 1, Window::default);
        }
        &mut self.list[at]
    }

    /// Whether a message of `size` bytes has to wait at the broker: it has no place, or others wait
    /// before it and its turn has not come.
    pub(super) fn is_full(&self, peer: PeerId, size: usize, turn: Turn, fx: &Effects) -> bool {
        self.list.get(peer.0 as usize).is_some_and(|window| {
            (window.waiting() > 0 && turn.called() != Some(peer)) || !window.has_room(size, fx)
        })
    }

    /// Whether there is a place for `size` bytes, whoever waits.
    pub(super) fn has_room(&self, peer: PeerId, size: usize, fx: &Effects) -> bool {
        self.list.get(peer.0 as usize).is_none_or(|window| window.has_room(size, fx))
    }

    /// A send takes a place.
    pub(super) fn open(&mut self, peer: PeerId, size: usize) {
        let window = self.find(peer);
        window.open += 1;
        window.bytes += size;
    }

    /// A place is free again.
    pub(super) fn close(&mut self, peer: PeerId, size: usize) {
        let window = self.find(peer);
        window.open -= 1;
        window.bytes -= size;
        self.look_at(peer);
    }

    /// Changes what is held of places, which may free some.
    pub(super) fn held<T>(&mut self, peer: PeerId, change: impl FnOnce(&mut Held) -> T) -> T {
        let done = change(&mut self.find(peer).held);
        self.look_at(peer);
        done
    }

    /// Whether places are held that have been free for some time.
    pub(super) fn is_due(&self, peer: PeerId, now: Instant) -> bool {
        self.list.get(peer.0 as usize).is_some_and(|window| window.held.is_due(now))
    }

    /// Whether sends wait at the broker for places that are held.
    pub(super) fn waits_for_held(&self, peer: PeerId) -> bool {
        let window = self.list.get(peer.0 as usize);
        window.is_some_and(|window| window.waiting() > 0 && !window.held.is_empty())
    }

    /// Has somebody who waits go on, there or elsewhere, if there is somebody.
    fn look_at(&mut self, peer: PeerId) {
        if self.waiting == 0 {
            return;
        }
        let window = self.find(peer);
        if !window.ready {
            window.ready = true;
            self.ready.push_back(peer);
        }
    }

    /// Has those looked at who wait, wherever they do: their brokers may be elsewhere now.
    pub(super) fn look_at_all(&mut self) {
        for at in 0..self.crowded.len() {
            self.look_at(self.crowded[at]);
        }
    }

    /// A send begins to wait.
    pub(super) fn wait(&mut self, peer: PeerId, op: OpId, was_tried: bool) {
        self.waiting += 1;
        let window = self.find(peer);
        let list = if was_tried { &mut window.again } else { &mut window.first };
        list.push(op);
        if !window.crowded {
            window.crowded = true;
            self.crowded.push(peer);
        }
    }

    /// One that waited has ended, or gone elsewhere. `waits` tells who waits still.
    pub(super) fn leave(&mut self, peer: PeerId, was_tried: bool, waits: impl Fn(OpId) -> bool) {
        self.waiting -= 1;
        let window = self.find(peer);
        let list = if was_tried { &mut window.again } else { &mut window.first };
        list.end(|op| waits(*op), drop);
        window.give_back();
        // The next one may be smaller.
        self.look_at(peer);
    }

    /// The next broker to look at: it may have a place for somebody who waits.
    pub(super) fn ready(&self) -> Option<PeerId> {
        self.ready.front().copied()
    }

    /// It has none.
    pub(super) fn rest(&mut self, peer: PeerId) {
        self.find(peer).ready = false;
        self.ready.pop_front();
    }

    /// The broker at that place in the list of those at which somebody waits.
    pub(super) fn crowded(&mut self, at: usize) -> Option<PeerId> {
        loop {
            let peer = *self.crowded.get(at)?;
            let window = self.find(peer);
            if window.waiting() > 0 {
                return Some(peer);
            }
            window.crowded = false;
            self.crowded.swap_remove(at);
        }
    }

    /// The oldest of those who wait at the broker. `waits` tells who does still.
    pub(super) fn oldest(&mut self, peer: PeerId, waits: impl Fn(OpId) -> bool) -> Option<OpId> {
        self.find(peer).oldest().front(|op| waits(*op)).copied()
    }

    /// That one waits no more.
    pub(super) fn take_oldest(&mut self, peer: PeerId) {
        self.waiting -= 1;
        let window = self.find(peer);
        window.oldest().pop();
        window.give_back();
    }

    /// What there is of a broker's window.
    pub(super) fn stats(&self, fx: &Effects, peer: PeerId) -> WindowStats {
        let (most, window) = (fx.config.max_unanswered, self.list.get(peer.0 as usize));
        let none = WindowStats { limit: most, ..WindowStats::default() };
        window.map_or(none, |window| WindowStats {
            unanswered: window.open,
            unanswered_bytes: window.bytes,
            given_up: window.held.taken(fx.now).0,
            waiting: window.waiting(),
            limit: window.most(fx),
        })
    }

    /// A broker has stored a message: its window grows, if it had shrunk.
    pub(super) fn answered(&mut self, peer: PeerId, config: &Config) {
        let window = self.find(peer);
        if let Some(limit) = window.limit.as_mut().filter(|limit| **limit < config.max_unanswered) {
            window.grown += STEP;
            if window.grown >= *limit {
                window.grown = 0;
                *limit += 1;
            }
        }
    }

    /// The peer, whose window [is idle](Self::is_idle), is nobody's any more: whoever has its place
    /// next begins anew.
    pub(super) fn forget(&mut self, peer: PeerId) {
        if let Some(window) = self.list.get_mut(peer.0 as usize) {
            let Window { ready, crowded, .. } = *window;
            *window = Window { ready, crowded, ..Window::default() };
        }
    }

    /// Whether nobody waits at the broker, and it has nothing.
    pub(super) fn is_idle(&self, peer: PeerId) -> bool {
        self.list.get(peer.0 as usize).is_none_or(|window| {
            window.waiting() == 0 && window.open == 0 && window.held.is_empty()
        })
    }

    /// A broker that has too much to do refused a message that was given to it at `tried`.
    pub(super) fn refused(&mut self, peer: PeerId, tried: Instant, now: Instant) {
        self.find(peer).shrink(tried, now);
    }

    /// A broker has answered late, or not in time, what it was given at `tried`. That may be since
    /// so much was before it: few under way say nothing of that.
    pub(super) fn slow(&mut self, peer: PeerId, tried: Instant, now: Instant) {
        let window = self.find(peer);
        if window.taken(now).0 > 2 * LEAST {
            window.shrink(tried, now);
        }
    }

    /// Panics unless the windows count what is under way, and whoever waits has nothing to take.
    /// `open` has the peer and size of each request under way, `waiting` the peer of each send that
    /// waits.
    pub(super) fn check(
        &self,
        fx: &Effects,
        open: impl Iterator<Item = (PeerId, usize)>,
        waiting: impl Iterator<Item = PeerId>,
        size_of: impl Fn(OpId, PeerId) -> Option<usize>,
    ) {
        let mut counts = vec![(0, 0, 0); self.list.len()];
        for (peer, size) in open {
            counts[peer.0 as usize].0 += 1;
            counts[peer.0 as usize].1 += size;
        }
        waiting.for_each(|peer| counts[peer.0 as usize].2 += 1);
        for (at, window) in self.list.iter().enumerate() {
            let counted = (window.open, window.bytes, window.waiting());
            assert_eq!(counted, counts[at], "the window of peer {at}");
            let lists = window.again.iter().chain(window.first.iter());
            let oldest = lists.copied().find_map(|op| size_of(op, PeerId(at as u32)));
            let full = oldest.is_none_or(|size| !window.has_room(size, fx));
            let looked_at = window.ready || window.held.is_due(fx.now);
            assert!(full || looked_at, "a send waits at peer {at}, where there is room");
            let told = window.waiting() == 0 || window.held.is_timed();
            assert!(told, "nobody says at peer {at} when a place is free");
            assert!(window.crowded || window.waiting() == 0, "peer {at} is crowded");
        }
        let waiting: usize = self.list.iter().map(Window::waiting).sum();
        assert_eq!(self.waiting, waiting, "sends that wait for brokers");
    }
}

/// Whether a broker says that it has more requests than it can do in time
/// (`NettyRemotingAbstract.processRequestCommand`, `BrokerFastFailure.cleanExpiredRequestInQueue`).
/// Others of this code are about itself: it has just begun, or its disk is slow.
pub(super) fn is_overload(why: &Failure) -> bool {
    let Failure::Refused { code, remark } = why else { return false };
    let remark = remark.as_deref().unwrap_or_default();
    *code == ResponseCode::SYSTEM_BUSY
        && ["[OVERLOAD]", "[TIMEOUT_CLEAN_QUEUE]"].iter().any(|word| remark.starts_with(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use crate::time::UnixMillis;

    #[test]
    fn the_next_peer_at_a_place_does_not_inherit_the_window_of_the_last_one() {
        let config = Config::new("ns:9876").unwrap();
        let fx = Effects::new(config.into(), Rng::new(1), Instant::from_nanos(1), UnixMillis(0));
        let (peer, mut windows) = (PeerId(3), Windows::default());
        for _ in 0..1000 {
            windows.open(peer, 10);
        }
        windows.refused(peer, fx.now, fx.now);
        assert!(!windows.is_idle(peer) && windows.stats(&fx, peer).limit < 1000);
        for _ in 0..1000 {
            windows.close(peer, 10);
        }
        assert!(windows.is_idle(peer) && windows.stats(&fx, peer).limit < 1000);
        windows.forget(peer);
        assert_eq!(windows.stats(&fx, peer).limit, fx.config.max_unanswered);
    }
}
