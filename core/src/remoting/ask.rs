//! One way to ask: a request carries who wants its answer, and ends in one completion.

use std::time::Duration;

use bytes::Bytes;

use super::{Call, Context, Purpose};
use crate::effects::TimerKind;
use crate::error::{Attempt, Failure};
use crate::frame::{Kind, Opaque, OutFrame, Payload, Request};
use crate::id::PeerId;

/// Who was asked, and with what number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AskedPeer {
    pub(crate) peer: PeerId,
    pub(crate) opaque: Opaque,
}

impl Context {
    /// Sends a request of our own, with a deadline of its own.
    pub(crate) fn ask(
        &mut self,
        peer: PeerId,
        purpose: Purpose,
        kind: Kind,
        request: Request,
        body: Bytes,
        within: Duration,
    ) -> Opaque {
        let call = Call::new(peer, purpose);
        let opaque = self.remoting.calls.open(kind, call);
        let timer = self.fx.after(within, TimerKind::Call(opaque));
        if let Some(call) = self.remoting.calls.find(opaque) {
            call.timer = Some(timer);
        }
        let payload = Payload::Request { request: Box::new(request), body, oneway: false };
        let (peers, fx) = self.peers();
        peers.send(fx, peer, OutFrame { opaque, payload });
        opaque
    }

    /// One try that came to nothing, as errors tell of it.
    pub(crate) fn attempt(
        &self,
        peer: PeerId,
        opaque: Option<Opaque>,
        failure: Failure,
    ) -> Attempt {
        let endpoint = self.remoting.peers.endpoint(peer).clone();
        Attempt { endpoint, peer: self.remoting.peers.kind(peer), opaque, failure }
    }

    /// Has a peer connected to, if it is not.
    pub(crate) fn want(&mut self, peer: PeerId) {
        self.remoting.peers.want(&mut self.fx, peer);
    }

    /// A request to `peer` had no answer in time: its connection may be dead.
    pub(crate) fn suspect(&mut self, peer: PeerId) {
        self.remoting.peers.suspect(&mut self.fx, peer);
        self.close_if_drained(peer);
    }

    /// The request of `opaque` is over: nobody wants its answer any more.
    pub(crate) fn give_up(&mut self, opaque: Opaque) -> Option<Call> {
        let call = self.remoting.calls.close(opaque)?;
        self.close_if_drained(call.peer);
        Some(call)
    }

    /// Closes the connections of a peer that it left, if nothing is under way on them but long
    /// polls.
    pub(crate) fn close_if_drained(&mut self, peer: PeerId) {
        let left: Vec<_> = self.remoting.peers.left(peer).collect();
        for (conn, why) in left {
            let asked = |opaque: Opaque| opaque.kind() != Some(Kind::Pull);
            if !self.remoting.calls.on_connection(peer, conn).any(asked) {
                self.remoting.peers.close(&mut self.fx, conn, why);
            }
        }
    }
}
