//! The frames that wait for the writers of connections.
//!
//! A call may end while its frame waits: at its deadline, by being cancelled, by another answer.
//! Its frame is then of no use, and neither is the message in it: the queue is a
//! [`Fifo`](crate::fifo::Fifo), which lets go of such frames.

use std::collections::BTreeMap;

use super::{Peers, State};
use crate::effects::{Command, Effects};
use crate::frame::{Opaque, OutFrame};
use crate::id::{ConnectionId, PeerId};
use crate::time::Instant;

/// Bytes of oneway messages that may wait for the writer of one connection.
const ONEWAY: usize = 256 << 10;

/// Bytes of answers to its own requests that may wait for a peer.
const ANSWERS: usize = 256 << 10;

impl Peers {
    /// Queues a frame, and connects if there is no connection.
    pub(crate) fn send(&mut self, fx: &mut Effects, id: PeerId, frame: OutFrame) {
        let peer = self.peer(id);
        peer.queue.push(frame);
        match peer.state {
            State::Idle => self.connect(fx, id),
            State::Connected { conn } if !peer.raised => {
                peer.raised = true;
                peer.untaken.get_or_insert(fx.now);
                fx.command(Command::Transmit { conn });
            }
            State::Connected { .. }
            | State::Connecting { .. }
            | State::Backoff { .. }
            | State::Closing { .. } => {}
        }
    }

    /// Whether a oneway message of `size` bytes may wait for the peer's writer.
    pub(crate) fn takes_oneway(&self, id: PeerId, size: usize) -> bool {
        let peer = &self.list[id.0 as usize];
        matches!(peer.state, State::Connected { .. })
            && (peer.oneway == 0 || peer.oneway + size <= ONEWAY)
    }

    /// Queues a oneway message that the peer [takes](Self::takes_oneway).
    pub(crate) fn send_oneway(&mut self, fx: &mut Effects, id: PeerId, frame: OutFrame) {
        self.peer(id).oneway += frame.oneway_size().unwrap_or_default();
        self.send(fx, id, frame);
    }

    /// Whether one more answer to a request of the peer's may wait for its writer.
    pub(crate) fn takes_answer(&self, id: PeerId) -> bool {
        self.list[id.0 as usize].answers < ANSWERS
    }

    /// Queues an answer to a request of the peer's.
    pub(crate) fn send_answer(&mut self, fx: &mut Effects, id: PeerId, frame: OutFrame) {
        self.peer(id).answers += frame.answer_size().unwrap_or_default();
        self.send(fx, id, frame);
    }

    /// Whether oneway messages wait for the connection's writer.
    pub(crate) fn has_oneway(&self, conn: ConnectionId) -> bool {
        self.present(conn).is_some_and(|peer| peer.oneway > 0)
    }

    /// The next frame for a connection's writer.
    pub(crate) fn next_frame(&mut self, conn: ConnectionId, now: Instant) -> Option<OutFrame> {
        let id = self.of(conn)?;
        let peer = self.peer(id);
        if !matches!(peer.state, State::Connected { conn: own } if own == conn) {
            return None;
        }
        let frame = peer.queue.pop();
        if let Some(size) = frame.as_ref().and_then(OutFrame::oneway_size) {
            peer.oneway -= size;
        }
        if let Some(size) = frame.as_ref().and_then(OutFrame::answer_size) {
            peer.answers -= size;
        }
        // A bounded drain may stop at the last frame without asking again.
        peer.raised = !peer.queue.is_empty();
        peer.untaken = peer.raised.then_some(now);
        if frame.is_some() {
            peer.active = now;
        }
        frame
    }

    /// How many frames wait for a connection's writer.
    pub(crate) fn frames(&self, conn: ConnectionId) -> usize {
        self.present(conn).map_or(0, |peer| peer.queue.len())
    }

    /// Whether frames wait for a connection's writer.
    pub(crate) fn has_frames(&self, conn: ConnectionId) -> bool {
        self.present(conn).is_some_and(|peer| !peer.queue.is_empty())
    }

    /// A call to the peer has ended whose frame had not been handed out; `lives` tells which have
    /// not. Frames of calls that have ended are given back once they are more than half.
    pub(crate) fn call_over(
        &mut self,
        fx: &mut Effects,
        id: PeerId,
        lives: impl Fn(Opaque) -> bool,
    ) {
        let peer = self.peer(id);
        let waits = |frame: &OutFrame| !frame.has_call() || lives(frame.opaque);
        peer.queue.end(waits, |frame| fx.give_back_frame(frame));
        // A writer that finds nothing goes to sleep. Whether this one ever looked is not known yet:
        // `untaken` stays until it does.
        peer.raised &= !peer.queue.is_empty();
    }

    /// The frame that the connection's writer was handed last was of a call that had ended.
    pub(crate) fn passed_over(&mut self, conn: ConnectionId) {
        if let Some(id) = self.of(conn) {
            self.peer(id).queue.pop_ended();
        }
    }

    /// Nothing leaves any more: what waits is given back.
    pub(crate) fn drop_frames(&mut self, fx: &mut Effects) {
        for peer in &mut self.list {
            (peer.raised, peer.oneway, peer.answers) = (false, 0, 0);
            let queue = peer.queue.take();
            queue.into_iter().for_each(|frame| fx.give_back_frame(frame));
        }
    }

    /// What must hold between two calls: it is known how many answers each connection owes, and
    /// ended calls keep little. `lives` tells which calls have not ended.
    pub(crate) fn check_queues(
        &self,
        owed: &BTreeMap<(PeerId, ConnectionId), u32>,
        lives: &dyn Fn(Opaque) -> bool,
    ) {
        for (at, peer) in self.list.iter().enumerate() {
            let (id, name) = (PeerId(at as u32), &peer.endpoint);
            if let Some(conn) = self.connection(id) {
                let left = owed.get(&(id, conn)).copied().unwrap_or_default();
                assert_eq!(peer.owed, left, "{name} owes another number of answers");
            }
            peer.queue.check(|frame| !frame.has_call() || lives(frame.opaque));
        }
        for (id, conn, owed_here) in self.owed_by_left() {
            let left = owed.get(&(id, conn)).copied().unwrap_or_default();
            assert_eq!(owed_here, left, "{conn:?} owes another number of answers");
        }
    }
}
