//! What a connection's silence means: that its other end is gone without a word, or that nobody
//! needs it.

use std::time::Duration;

use super::{Peers, State};
use crate::effects::{Effects, TimerKind};
use crate::error::CloseReason;
use crate::id::{ConnectionId, PeerId};
use crate::time::Instant;

/// So long at least a connection may be silent while requests are overdue.
const PATIENCE: Duration = Duration::from_secs(5);

/// So long after the last answer parts of a frame may be those of the next one.
const PARTS: Duration = Duration::from_secs(30);

impl Peers {
    /// A request that is to be answered soon was handed out.
    pub(crate) fn asked(&mut self, conn: ConnectionId, now: Instant) {
        if let Some(id) = self.of(conn) {
            let peer = self.peer(id);
            peer.owed += 1;
            peer.owing = None;
            peer.unheard.get_or_insert(now);
        }
    }

    /// One of those has its answer, or its call has ended without one.
    pub(crate) fn owes_less(&mut self, id: PeerId, conn: ConnectionId) {
        let present = self.connection(id) == Some(conn);
        let peer = self.peer(id);
        if present {
            peer.owed = peer.owed.saturating_sub(1);
            peer.owing = peer.owing.filter(|_| peer.owed > 0);
        } else if let Some(left) = peer.leaving.iter_mut().find(|one| one.conn == conn) {
            left.owed = left.owed.saturating_sub(1);
        }
    }

    /// An answer came on a connection: its peer is there, and what it has not answered yet has its
    /// time from now on.
    pub(crate) fn heard(&mut self, conn: ConnectionId, now: Instant) {
        let Some(id) = self.of(conn).filter(|id| self.connection(*id) == Some(conn)) else {
            return;
        };
        let main = self.main(id);
        self.peer(main).slow = false;
        let peer = self.peer(id);
        peer.unheard = None;
        peer.owing = (peer.owed > 0).then_some(now);
        peer.untaken = (!peer.queue.is_empty()).then_some(now);
        (peer.part, peer.overdue, peer.unread) = (None, false, false);
        (peer.answered, peer.active) = (now, now);
    }

    /// A part of a frame came, which may be an answer's: it is waited for. Parts alone are no sign
    /// of life for ever: after damage to its length a frame never ends, and takes in all that
    /// follows.
    pub(crate) fn stirred(&mut self, conn: ConnectionId, now: Instant) {
        let Some(id) = self.of(conn).filter(|id| self.connection(*id) == Some(conn)) else {
            return;
        };
        let peer = self.peer(id);
        if now.since(peer.answered) < PARTS {
            (peer.part, peer.active) = (Some(now), now);
        }
    }

    /// A request of the peer's came: the connection is in use. Whether its peer does what it is
    /// asked is another matter, and so that is no sign of life.
    pub(crate) fn used(&mut self, conn: ConnectionId, now: Instant) {
        let Some(id) = self.of(conn).filter(|id| self.connection(*id) == Some(conn)) else {
            return;
        };
        let peer = self.peer(id);
        (peer.part, peer.active) = (None, now);
    }

    /// The peer does its work: it answered a request, and not with `GO_AWAY`.
    pub(crate) fn served(&mut self, id: PeerId) {
        let peer = self.peer(id);
        (peer.failures, peer.unanswered) = (0, false);
    }

    /// A request to the peer had no answer in time. If no other answer has come for twice
    /// `request_timeout`, 5 s at least, since the first one left, or if the writer could hand
    /// nothing to the system for so long while frames wait, the connection is dead without a word,
    /// and another one has to be made (Java closes it for any single request:
    /// `clientCloseSocketIfTimeout`). A request with a short deadline of its own says little: a
    /// peer may be slow. If it is too early to tell, a timer looks again.
    pub(crate) fn suspect(&mut self, fx: &mut Effects, id: PeerId) {
        let peer = self.peer(id);
        if matches!(peer.state, State::Connected { .. }) {
            peer.overdue = true;
            self.look_at(fx, id);
        }
    }

    /// So many answers to the peer's own requests wait for it that one more request was dropped.
    /// That says nothing of what it owes: its connection is closed only when the writer goes on
    /// taking nothing.
    pub(crate) fn suspect_reader(&mut self, fx: &mut Effects, id: PeerId) {
        let peer = self.peer(id);
        if matches!(peer.state, State::Connected { .. }) {
            peer.unread = true;
            self.look_at(fx, id);
        }
    }

    /// Closes the connection if the peer has been silent for too long; else looks again.
    fn look_at(&mut self, fx: &mut Effects, id: PeerId) {
        let limit = fx.config.request_timeout.saturating_mul(2).max(PATIENCE);
        let peer = self.peer(id);
        let unheard = peer.unheard.or(peer.owing).filter(|_| peer.overdue);
        let since = unheard.into_iter().chain(peer.untaken).min();
        let State::Connected { conn } = peer.state else { return };
        let Some(since) = since else {
            (peer.overdue, peer.unread) = (false, false);
            return;
        };
        let since = peer.part.map_or(since, |part| part.max(since));
        let silent = fx.now.since(since);
        if silent >= limit {
            self.close(fx, conn, CloseReason::Silent(silent));
        } else if peer.doubt.is_none() {
            peer.doubt = Some(fx.timers.at(since + limit, TimerKind::Silence(id)));
        }
    }

    /// The time to look again has come.
    pub(crate) fn silence_due(&mut self, fx: &mut Effects, id: PeerId) {
        let peer = self.peer(id);
        peer.doubt = None;
        if peer.overdue || peer.unread {
            self.look_at(fx, id);
        }
    }

    /// A connection may have been idle for `max_idle`: then it is closed, unless it is wanted or,
    /// as `busy` says, requests wait for answers on it. The next request makes another one.
    pub(crate) fn idle_due(&mut self, fx: &mut Effects, id: PeerId, busy: bool) {
        let peer = self.peer(id);
        peer.idle = None;
        let (Some(limit), State::Connected { conn, .. }) = (fx.config.max_idle, &peer.state) else {
            return;
        };
        let (conn, idle) = (*conn, fx.now.since(peer.active));
        if idle >= limit && !busy && !peer.wanted && peer.queue.is_empty() {
            return self.close(fx, conn, CloseReason::Idle(idle));
        }
        let from = if idle >= limit { fx.now } else { peer.active };
        peer.idle = Some(fx.timers.at(from + limit, TimerKind::Idle(id)));
    }
}
