//! Connections whose peer said that it goes (`GO_AWAY`): they answer what they were asked, beside
//! the next one, and carry nothing more.
//!
//! The first time the next connection may be made at once. A broker that is being shut down says it
//! on each connection until its process ends, for half a minute and more: then the pause before the
//! next one doubles from `reconnect_min` to four seconds, until a connection has stood for as long
//! as half a minute.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Disconnect, Peer, Peers, State};
use crate::effects::Effects;
use crate::error::CloseReason;
use crate::frame::OutFrame;
use crate::id::{ConnectionId, PeerId};
use crate::time::Instant;

/// Longest pause before the next connection to a peer that goes on saying that it goes; not below
/// `reconnect_max`.
const PAUSE: Duration = Duration::from_secs(4);
/// A connection that stood for so long shows that the peer had come back.
const CALM: Duration = Duration::from_secs(30);

/// A connection that closes once everything it was asked is answered.
#[derive(Debug)]
pub(super) struct Leaving {
    pub(super) conn: ConnectionId,
    /// Why it is left.
    why: CloseReason,
    /// Why we closed it, if we have.
    reason: Option<CloseReason>,
    /// Requests that have left on it and whose calls wait, but for long polls.
    pub(super) owed: u32,
}

impl Leaving {
    /// Why we closed it, if we have.
    pub(super) const fn reason(&self) -> Option<&CloseReason> {
        self.reason.as_ref()
    }

    /// Whether this is the first word of its closing.
    pub(super) fn closes(&mut self, why: &CloseReason) -> bool {
        let first = self.reason.is_none();
        self.reason.get_or_insert_with(|| why.clone());
        first
    }
}

impl Peer {
    /// What belonged to the connection is over. Gives the frames that waited for it.
    pub(super) fn clear(&mut self, fx: &mut Effects) -> VecDeque<OutFrame> {
        (self.raised, self.overdue, self.unread) = (false, false, false);
        (self.unheard, self.owing, self.untaken, self.part) = (None, None, None, None);
        (self.owed, self.oneway, self.answers) = (0, 0, 0);
        for timer in [self.idle.take(), self.doubt.take()].into_iter().flatten() {
            fx.timers.cancel(timer);
        }
        self.queue.take()
    }

    /// A connection that stood for long ends the succession of farewells.
    pub(super) fn calm_down(&mut self, now: Instant) {
        let stood = matches!(self.state, State::Connected { .. } | State::Closing { .. });
        if stood && now.since(self.tried) >= CALM {
            (self.farewells, self.losses) = (0, 0);
        }
    }
}

impl Peers {
    /// The peer said on `conn` that it goes, or is to be left: nothing more is handed out for that
    /// connection, and the peer has none until the next one is made. `None`: it was not the present
    /// one.
    pub(crate) fn leave(
        &mut self,
        fx: &mut Effects,
        id: PeerId,
        conn: ConnectionId,
        why: CloseReason,
    ) -> Option<Disconnect> {
        if self.stopping || self.connection(id) != Some(conn) {
            return None;
        }
        let peer = self.peer(id);
        let owed = peer.owed;
        let queued = peer.clear(fx);
        peer.calm_down(fx.now);
        peer.leaving.push(Leaving { conn, why, reason: None, owed });
        let config = &*fx.config;
        let times = peer.farewells.min(16);
        let (from, most) = (config.reconnect_min, config.reconnect_max.max(PAUSE));
        let doubled = from.saturating_mul(1 << times.saturating_sub(1)).min(most * 4 / 5);
        let pause = if times == 0 { Duration::ZERO } else { fx.rng.jitter(doubled).min(most) };
        let rest = from.saturating_mul(1 << times).min(config.reconnect_idle_max * 4 / 5);
        let idle = fx.rng.jitter(rest);
        // The first time says nothing against it.
        peer.failures = peer.failures.saturating_add(u32::from(times > 0));
        peer.farewells += 1;
        self.pause(fx, id, fx.now + pause, fx.now + idle.max(Duration::from_nanos(1)));
        Some(Disconnect { peer: id, queued, present: true })
    }

    /// A connection of a peer that it left, on which nothing is under way but long polls, and that
    /// is not being closed yet; and why it is to be.
    pub(crate) fn drained(&self, id: PeerId) -> Option<(ConnectionId, CloseReason)> {
        let mut leaving = self.list[id.0 as usize].leaving.iter();
        let drained = leaving.find(|one| one.owed == 0 && one.reason.is_none())?;
        Some((drained.conn, drained.why.clone()))
    }

    /// The connections that peers have left, each with how many answers it owes.
    pub(super) fn owed_by_left(&self) -> impl Iterator<Item = (PeerId, ConnectionId, u32)> {
        let peers = (0..).map(PeerId).zip(&self.list);
        peers.flat_map(|(id, peer)| peer.leaving.iter().map(move |one| (id, one.conn, one.owed)))
    }

    /// A connection is gone. True if its peer had left it before.
    pub(super) fn gone(&mut self, id: PeerId, conn: ConnectionId) -> bool {
        let leaving = &mut self.peer(id).leaving;
        let before = leaving.len();
        leaving.retain(|one| one.conn != conn);
        let left = leaving.len() < before;
        if left {
            self.connections.remove(conn);
        }
        left
    }
}
