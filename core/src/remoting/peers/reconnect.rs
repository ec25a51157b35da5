//! Connections made, lost, given up and tried again.
//!
//! The pause from one attempt to the next doubles, from `reconnect_min` to `reconnect_max`, each
//! drawn within a quarter; then a peer that work waits for is connected to again. One that is
//! wanted while no work waits rests longer: for such the pause goes on doubling, up to
//! `reconnect_idle_max`, and what comes meanwhile connects at once. Only what a peer says takes its
//! failures from it: one that takes connections and closes them is no better than one that refuses
//! them, and so is one that answers only that it goes (`leaving.rs`). What it says does not shorten
//! the pauses while its connections are lost one soon after the other.

use std::time::Duration;

use super::{Disconnect, Peers, State};
use crate::effects::{Command, Effects, Note, TimerKind};
use crate::error::{CloseReason, ConnectError};
use crate::id::{ConnectionId, PeerId};
use crate::time::Instant;

impl Peers {
    /// Keeps a connection to the peer from now on.
    pub(crate) fn want(&mut self, fx: &mut Effects, id: PeerId) {
        self.peer(id).wanted = true;
        self.reach(fx, id);
    }

    /// Connects, unless it is connected, being connected, or rests after a failure.
    pub(super) fn reach(&mut self, fx: &mut Effects, id: PeerId) {
        if matches!(self.state(id), State::Idle) {
            self.connect(fx, id);
        }
    }

    pub(super) fn connect(&mut self, fx: &mut Effects, id: PeerId) {
        let peer = &mut self.list[id.0 as usize];
        if let Some(retry) = peer.retry.take() {
            fx.timers.cancel(retry);
        }
        if self.stopping {
            peer.state = State::Idle;
            return;
        }
        let conn = self.connections.insert(id);
        let timer = fx.after(fx.config.connect_timeout, TimerKind::Connect(conn));
        peer.state = State::Connecting { conn, timer, slow: false };
        peer.tried = fx.now;
        fx.command(Command::Connect { conn, endpoint: peer.endpoint.clone() });
    }

    /// The adapter has a socket. `None`: it belongs to nobody any more.
    pub(crate) fn connected_now(&mut self, fx: &mut Effects, conn: ConnectionId) -> Option<PeerId> {
        let id = self.of(conn)?;
        let peer = &mut self.list[id.0 as usize];
        let State::Connecting { conn: own, timer, slow } = peer.state else { return None };
        if own != conn {
            return None;
        }
        fx.timers.cancel(timer);
        if slow || self.stopping {
            // `Close` crossed the adapter's `Connected`: it closes, and says `Closed`.
            peer.state = State::Closing { conn, reason: CloseReason::Slow };
            return None;
        }
        peer.state = State::Connected { conn };
        (peer.active, peer.answered) = (fx.now, fx.now);
        let idle = fx.config.max_idle;
        peer.idle = idle.map(|after| fx.after(after, TimerKind::Idle(id)));
        if peer.failures > 0 {
            fx.note(Note::Reconnected { peer: peer.kind, endpoint: peer.endpoint.clone() });
        }
        peer.raised = !peer.queue.is_empty();
        if peer.raised {
            peer.untaken = Some(fx.now);
            fx.command(Command::Transmit { conn });
        }
        Some(id)
    }

    /// The socket could not be had. The error is ours when we gave up.
    pub(crate) fn failed(
        &mut self,
        fx: &mut Effects,
        conn: ConnectionId,
        error: ConnectError,
    ) -> Option<(Disconnect, ConnectError)> {
        let id = self.of(conn)?;
        let State::Connecting { conn: own, timer, slow } = self.peer(id).state else { return None };
        if own != conn {
            return None;
        }
        fx.timers.cancel(timer);
        // What is known of each address, or of a handshake, says more than that it took too long.
        let known = matches!(error, ConnectError::Addresses { .. } | ConnectError::Tls(_));
        let stopping = self.stopping;
        let error = match slow && !known {
            true if stopping => ConnectError::Lost(Box::new(CloseReason::Stopping)),
            true => ConnectError::TimedOut(fx.config.connect_timeout),
            false => error,
        };
        let peer = self.peer(id);
        if peer.failures == 0 && !stopping {
            let (endpoint, peer) = (peer.endpoint.clone(), peer.kind);
            fx.note(Note::ConnectFailed { endpoint, peer, error: error.clone() });
        }
        Some((self.lose(fx, id, conn), error))
    }

    /// Why we closed the connection, if we did: the adapter sees only that it ended.
    pub(crate) fn blame(&self, conn: ConnectionId) -> Option<&CloseReason> {
        let peer = &self.list[self.of(conn)?.0 as usize];
        match &peer.state {
            State::Closing { conn: own, reason } if *own == conn => Some(reason),
            State::Closing { .. }
            | State::Idle
            | State::Backoff { .. }
            | State::Connecting { .. }
            | State::Connected { .. } => peer.leaving.iter().find(|one| one.conn == conn)?.reason(),
        }
    }

    /// The socket is gone.
    pub(crate) fn closed(
        &mut self,
        fx: &mut Effects,
        conn: ConnectionId,
        reason: &CloseReason,
    ) -> Option<Disconnect> {
        let id = self.of(conn)?;
        if !self.stopping {
            let (peer, endpoint) = (self.kind(id), self.endpoint(id).clone());
            fx.note(Note::Closed { peer, endpoint, reason: reason.clone() });
            self.peer(id).unanswered = *reason == CloseReason::Unanswered;
        }
        Some(if self.gone(id, conn) { Disconnect::of_leaving(id) } else { self.lose(fx, id, conn) })
    }

    fn lose(&mut self, fx: &mut Effects, id: PeerId, conn: ConnectionId) -> Disconnect {
        self.connections.remove(conn);
        let stopping = self.stopping;
        let peer = self.peer(id);
        let unused = matches!(peer.state, State::Closing { reason: CloseReason::Idle(_), .. });
        // An attempt that took its time has been pause enough.
        let failed = matches!(peer.state, State::Connecting { .. });
        let from = if failed { peer.tried } else { fx.now };
        let queued = peer.clear(fx);
        if stopping || unused {
            (peer.state, peer.failures) = (State::Idle, 0);
            return Disconnect { peer: id, queued, present: true };
        }
        peer.calm_down(fx.now);
        let config = &*fx.config;
        let times = peer.failures.max(peer.losses).min(16);
        let doubled = config.reconnect_min.saturating_mul(1 << times);
        peer.losses = peer.losses.saturating_add(u32::from(!failed));
        // Drawn around a bit less than the most, or half of all pauses would be exactly that.
        let mut drawn = |most: Duration| fx.rng.jitter(doubled.min(most * 4 / 5)).min(most);
        let soon = from + drawn(config.reconnect_max);
        let late = fx.now + drawn(config.reconnect_idle_max).max(Duration::from_nanos(1));
        peer.failures = peer.failures.saturating_add(1);
        self.pause(fx, id, soon, late);
        Disconnect { peer: id, queued, present: true }
    }

    /// No attempt before `soon`, and none before `late` while no work waits.
    pub(super) fn pause(&mut self, fx: &mut Effects, id: PeerId, soon: Instant, late: Instant) {
        let peer = self.peer(id);
        if soon > fx.now {
            peer.state = State::Backoff { late: late.max(soon) };
            peer.retry = Some(fx.timers.at(soon, TimerKind::Reconnect(id)));
        } else {
            self.rest(fx, id, late);
        }
    }

    /// What comes connects at once; without anything, a peer that is wanted is tried at `late`.
    fn rest(&mut self, fx: &mut Effects, id: PeerId, late: Instant) {
        let peer = self.peer(id);
        peer.state = State::Idle;
        if peer.wanted {
            peer.retry = Some(fx.timers.at(late, TimerKind::Reconnect(id)));
        }
    }

    /// A connection is lost, and its calls have gone on: a peer without a pause that a consumer
    /// waits for is connected to.
    pub(crate) fn lost(&mut self, fx: &mut Effects, id: PeerId, awaited: bool) {
        if self.peer(id).wanted && awaited {
            self.reach(fx, id);
        }
    }

    /// A pause is over. `awaited`: a consumer has queues there, or needs any broker at all.
    pub(crate) fn pause_over(&mut self, fx: &mut Effects, id: PeerId, awaited: bool) {
        let peer = self.peer(id);
        peer.retry = None;
        let work = !peer.queue.is_empty() || (peer.wanted && awaited);
        match peer.state {
            State::Backoff { late } if work || (peer.wanted && late <= fx.now) => {
                self.connect(fx, id);
            }
            State::Backoff { late } => self.rest(fx, id, late),
            State::Idle if peer.wanted => self.connect(fx, id),
            State::Idle
            | State::Connecting { .. }
            | State::Connected { .. }
            | State::Closing { .. } => {}
        }
    }

    /// `connect_timeout` is over: the adapter is told to give up.
    pub(crate) fn too_slow(&mut self, fx: &mut Effects, conn: ConnectionId) {
        let Some(id) = self.of(conn) else { return };
        if let State::Connecting { conn: own, slow, .. } = &mut self.peer(id).state
            && *own == conn
        {
            *slow = true;
            fx.command(Command::Close { conn, reason: CloseReason::Slow });
        }
    }

    /// Closes a peer's connection; it may be made again.
    pub(crate) fn close(&mut self, fx: &mut Effects, conn: ConnectionId, why: CloseReason) {
        let Some(id) = self.of(conn) else { return };
        let peer = self.peer(id);
        match &mut peer.state {
            State::Connected { conn: own } if *own == conn => {
                peer.state = State::Closing { conn, reason: why.clone() };
            }
            State::Connecting { conn: own, slow, .. } if *own == conn && !*slow => *slow = true,
            State::Connected { .. }
            | State::Connecting { .. }
            | State::Closing { .. }
            | State::Idle
            | State::Backoff { .. } => {
                let left = peer.leaving.iter_mut().find(|one| one.conn == conn);
                if !left.is_some_and(|one| one.closes(&why)) {
                    return;
                }
            }
        }
        fx.command(Command::Close { conn, reason: why });
    }

    /// Closes every connection and makes no further one.
    pub(crate) fn stop(&mut self, fx: &mut Effects) {
        self.stopping = true;
        for conn in self.connections.ids() {
            self.close(fx, conn, CloseReason::Stopping);
        }
    }
}
