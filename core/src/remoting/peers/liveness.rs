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

/// So long parts of a frame count without a whole one.
const PARTS: Duration = Duration::from_secs(30);

impl Peers {
    /// A request that is to be answered soon was handed out.
    pub(crate) fn asked(&mut self, conn: ConnectionId, now: Instant) {
        if let Some(id) = self.of(conn) {
            self.peer(id).unheard.get_or_insert(now);
        }
    }

    /// Something came on a connection: `whole` frames, or a part of one. Parts alone are no sign of
    /// life for ever: after damage to its length a frame never ends, and takes in all that follows.
    pub(crate) fn heard(&mut self, conn: ConnectionId, now: Instant, whole: bool) {
        let Some(id) = self.of(conn).filter(|id| self.connection(*id) == Some(conn)) else {
            return;
        };
        if whole {
            let main = self.main(id);
            self.peer(main).slow = false;
        }
        let peer = self.peer(id);
        if whole {
            peer.whole = now;
        } else if now.since(peer.whole) >= PARTS {
            return;
        }
        (peer.unheard, peer.overdue, peer.active) = (None, false, now);
    }

    /// The peer does its work: it answered a request, and not with `GO_AWAY`.
    pub(crate) fn served(&mut self, id: PeerId) {
        self.peer(id).failures = 0;
    }

    /// A request to the peer had no answer in time. If nothing at all has come back for twice
    /// `request_timeout`, 5 s at least, since the first one left, the connection is dead without a
    /// word, and another one has to be made (Java closes it for any single request:
    /// `clientCloseSocketIfTimeout`). A request with a short deadline of its own says little: a
    /// peer may be slow. If it is too early to tell, a timer looks again.
    pub(crate) fn suspect(&mut self, fx: &mut Effects, id: PeerId) {
        let limit = fx.config.request_timeout.saturating_mul(2).max(PATIENCE);
        let peer = self.peer(id);
        let (Some(since), State::Connected { conn, .. }) = (peer.unheard, &peer.state) else {
            return;
        };
        let conn = *conn;
        peer.overdue = true;
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
        if peer.overdue {
            self.suspect(fx, id);
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
