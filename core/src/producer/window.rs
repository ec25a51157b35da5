//! What a broker has not answered yet, bounded, and the sends that wait for a place in it.
//!
//! A window belongs to a broker, all its connections together, and is known by its main peer. A
//! send that is given to one of them takes a place, and bytes, until it is answered, fails or is
//! given up. Where there is none it waits here: it has not left, and no connection knows of it. Who
//! waits goes on first in, first out; one that had been given to a broker before goes before those
//! that never were, since it is older. A send that is given up after it has left frees no place:
//! the broker has it in its queue still, until it answers, the connection is lost, or
//! [`HELD`](super::held::HELD) is over.
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
//! | | it ends; its broker is slow, and there is another one | Free |
//! | Called | it has been given to a broker, or waits for a route | Free |
//! | | it goes to another broker, whose window is full | Waits |

use std::collections::VecDeque;

use super::held::Held;
use crate::broker::WindowStats;
use crate::config::Config;
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
    /// Those with a place, maybe, for somebody who waits.
    ready: VecDeque<PeerId>,
}

#[derive(Debug)]
struct Window {
    /// Sends without an answer.
    open: usize,
    /// Bytes of their messages.
    bytes: usize,
    /// Places of those that were given up after they had left.
    held: Held,
    /// Most sends without an answer, where that is less than is configured.
    limit: usize,
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
}

impl Window {
    const fn new() -> Self {
        Self {
            open: 0,
            bytes: 0,
            held: Held::new(),
            limit: usize::MAX,
            grown: 0,
            shrunk: None,
            again: Fifo::new(),
            first: Fifo::new(),
            ready: false,
        }
    }

    /// Whether `size` more bytes fit. Where there is nothing, anything does.
    fn has_room(&self, size: usize, config: &Config) -> bool {
        let (count, bytes) = (config.max_unanswered, config.max_unanswered_bytes);
        let (open, taken) = (self.open + self.held.len(), self.bytes + self.held.bytes());
        open < self.limit.min(count) && (taken == 0 || taken + size <= bytes)
    }

    /// Halves it, once for all that was under way then.
    fn shrink(&mut self, tried: Instant, now: Instant) {
        if self.shrunk.is_none_or(|shrunk| tried > shrunk) {
            let under_way = self.limit.min(self.open + self.held.len() + 1);
            (self.limit, self.grown) = ((under_way / 2).max(LEAST), 0);
            self.shrunk = Some(now);
        }
    }

    /// The oldest of those that wait, if there is room for it. `size_of` tells the size of one that
    /// waits here still.
    fn next(&mut self, config: &Config, size_of: impl Fn(OpId) -> Option<usize>) -> Option<OpId> {
        let op = *self.oldest().front(|op| size_of(*op).is_some())?;
        if !self.has_room(size_of(op)?, config) {
            return None;
        }
        self.oldest().pop();
        self.give_back();
        Some(op)
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
            self.list.resize_with(at + 1, Window::new);
        }
        &mut self.list[at]
    }

    /// Whether a message of `size` bytes has to wait at the broker: it has no place, or others wait
    /// before it and its turn has not come.
    pub(super) fn is_full(&self, peer: PeerId, size: usize, turn: Turn, config: &Config) -> bool {
        self.list.get(peer.0 as usize).is_some_and(|window| {
            (window.waiting() > 0 && turn.called() != Some(peer)) || !window.has_room(size, config)
        })
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

    /// Whether sends wait at the broker for places that are held.
    pub(super) fn waits_for_held(&self, peer: PeerId) -> bool {
        let window = self.list.get(peer.0 as usize);
        window.is_some_and(|window| window.waiting() > 0 && window.held.len() > 0)
    }

    /// Has somebody who waits go on, if there is somebody.
    fn look_at(&mut self, peer: PeerId) {
        let window = self.find(peer);
        if window.waiting() > 0 && !window.ready {
            window.ready = true;
            self.ready.push_back(peer);
        }
    }

    /// A send begins to wait.
    pub(super) fn wait(&mut self, peer: PeerId, op: OpId, was_tried: bool) {
        let window = self.find(peer);
        let list = if was_tried { &mut window.again } else { &mut window.first };
        list.push(op);
    }

    /// One that waited has ended, or gone elsewhere. `waits` tells who waits still.
    pub(super) fn leave(&mut self, peer: PeerId, was_tried: bool, waits: impl Fn(OpId) -> bool) {
        let window = self.find(peer);
        let list = if was_tried { &mut window.again } else { &mut window.first };
        list.end(|op| waits(*op), drop);
        window.give_back();
        // The next one may be smaller.
        self.look_at(peer);
    }

    /// The next send for which there is a place, and where.
    pub(super) fn next(
        &mut self,
        config: &Config,
        size_of: impl Fn(OpId, PeerId) -> Option<usize>,
    ) -> Option<(PeerId, OpId)> {
        while let Some(peer) = self.ready.front().copied() {
            let window = self.find(peer);
            if let Some(op) = window.next(config, |op| size_of(op, peer)) {
                return Some((peer, op));
            }
            window.ready = false;
            self.ready.pop_front();
        }
        None
    }

    /// What there is of a broker's window.
    pub(super) fn stats(&self, config: &Config, peer: PeerId) -> WindowStats {
        let (most, window) = (config.max_unanswered, self.list.get(peer.0 as usize));
        let none = WindowStats { limit: most, ..WindowStats::default() };
        window.map_or(none, |window| WindowStats {
            unanswered: window.open,
            unanswered_bytes: window.bytes,
            given_up: window.held.len(),
            waiting: window.waiting(),
            limit: window.limit.min(most),
        })
    }

    /// A broker has stored a message: its window grows, if it had shrunk.
    pub(super) fn answered(&mut self, peer: PeerId, config: &Config) {
        let window = self.find(peer);
        if window.limit < config.max_unanswered {
            window.grown += STEP;
            if window.grown >= window.limit {
                window.grown = 0;
                window.limit += 1;
            }
        }
    }

    /// A broker that has too much to do refused a message that was given to it at `tried`.
    pub(super) fn refused(&mut self, peer: PeerId, tried: Instant, now: Instant) {
        self.find(peer).shrink(tried, now);
    }

    /// A broker has answered late, or not in time, what it was given at `tried`. That may be since
    /// so much was before it: few under way say nothing of that.
    pub(super) fn slow(&mut self, peer: PeerId, tried: Instant, now: Instant) {
        let window = self.find(peer);
        if window.open + window.held.len() > 2 * LEAST {
            window.shrink(tried, now);
        }
    }

    /// Panics unless the windows count what is under way, and whoever waits has nothing to take.
    /// `open` has the peer and size of each request under way, `waiting` the peer of each send that
    /// waits.
    pub(super) fn check(
        &self,
        config: &Config,
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
            let full = oldest.is_none_or(|size| !window.has_room(size, config));
            assert!(full || window.ready, "a send waits at peer {at}, where there is room");
        }
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
