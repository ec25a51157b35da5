//! One way to ask: a request carries who wants its answer, and ends in one completion.

use std::time::Duration;

use bytes::Bytes;

use super::{Call, ConsumerAsk, Context, Purpose, Remoting};
use crate::effects::TimerKind;
use crate::error::{Attempt, Failure};
use crate::frame::{Kind, Opaque, OutFrame, Payload, Request};
use crate::id::{ConnectionId, PeerId};

/// How long a broker may take to take a message back, as Java's
/// (`DefaultMQPushConsumerImpl.sendMessageBack`).
pub(crate) const SEND_BACK: Duration = Duration::from_secs(5);

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
        let payload = Payload::Request { request: Box::new(request), body, oneway: false };
        self.ask_with(peer, purpose, kind, payload, within)
    }

    /// The same with what is asked as a frame's payload.
    pub(crate) fn ask_with(
        &mut self,
        peer: PeerId,
        purpose: Purpose,
        kind: Kind,
        payload: Payload,
        within: Duration,
    ) -> Opaque {
        let opaque = self.send_out(peer, purpose, kind, payload);
        let timer = self.fx.after(within, TimerKind::Call(opaque));
        if let Some(call) = self.remoting.calls.find(opaque) {
            call.timer = Some(timer);
        }
        opaque
    }

    /// The same without a deadline: its owner has one, and gives the request up.
    pub(crate) fn ask_until_told(
        &mut self,
        peer: PeerId,
        purpose: Purpose,
        kind: Kind,
        request: Request,
        body: Bytes,
    ) -> Opaque {
        let payload = Payload::Request { request: Box::new(request), body, oneway: false };
        self.send_out(peer, purpose, kind, payload)
    }

    fn send_out(&mut self, peer: PeerId, purpose: Purpose, kind: Kind, payload: Payload) -> Opaque {
        let opaque = self.remoting.calls.open(kind, Call::new(peer, purpose));
        let (peers, fx) = self.peers();
        peers.send(fx, peer, OutFrame { opaque, payload });
        opaque
    }

    /// Sends a request that wants no answer.
    pub(crate) fn tell(&mut self, peer: PeerId, request: Request) {
        let opaque = self.remoting.calls.skip(Kind::Plain);
        let (peers, fx) = self.peers();
        peers.send(fx, peer, OutFrame::oneway(opaque, request));
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
        let call = self.close(opaque)?;
        self.close_if_drained(call.peer);
        Some(call)
    }

    /// The same with its deadline.
    pub(crate) fn give_up_with_timer(&mut self, opaque: Opaque) {
        if let Some(timer) = self.give_up(opaque).and_then(|call| call.timer) {
            self.fx.timers.cancel(timer);
        }
    }

    /// Takes a call out of the table.
    pub(crate) fn close(&mut self, opaque: Opaque) -> Option<Call> {
        let call = self.remoting.calls.close(opaque)?;
        self.over(opaque, &call);
        Some(call)
    }

    /// An answer came on `conn`. Gives the call that it ends, if it is anybody's.
    pub(crate) fn answered(
        &mut self,
        peer: PeerId,
        conn: ConnectionId,
        opaque: Opaque,
    ) -> Option<Call> {
        let call = self.remoting.calls.answered(peer, opaque);
        if let Some(call) = &call {
            self.over(opaque, call);
        }
        // Late ones too: the peer was slow, and is there.
        self.remoting.peers.heard(conn, self.fx.now);
        call
    }

    /// A call is out of the table. What of it still waits for a writer is given back, now or when
    /// there is more of the kind.
    fn over(&mut self, opaque: Opaque, call: &Call) {
        let Remoting { calls, peers, .. } = &mut self.remoting;
        match call.on {
            Some(_) if opaque.kind() == Some(Kind::Pull) => {}
            Some(conn) => peers.owes_less(call.peer, conn),
            None => peers.call_over(&mut self.fx, call.peer, |opaque| calls.has(opaque)),
        }
    }

    /// A frame was taken for the connection's writer, and counts as seen by the peer. False if its
    /// call has ended meanwhile: then it need not leave.
    pub(crate) fn hand_out(&mut self, conn: ConnectionId, frame: &OutFrame) -> bool {
        let kind = frame.opaque.kind();
        if kind != Some(Kind::Oneway) {
            if !frame.has_call() {
                return true;
            }
            let Some(call) = self.remoting.calls.find(frame.opaque) else { return false };
            call.on = Some(conn);
            if kind != Some(Kind::Pull) {
                self.remoting.peers.asked(conn, self.fx.now);
            }
        }
        self.fx.counters.requests_sent += 1;
        true
    }

    /// The time of a request of our own is over. Gives the call, if it has not ended, and how it
    /// fails.
    pub(crate) fn overdue(&mut self, opaque: Opaque) -> Option<(Call, Failure)> {
        let call = Call { timer: None, ..self.close(opaque)? };
        let within = match call.purpose {
            Purpose::Consumer(_, ConsumerAsk::Pull { .. }) => self.fx.config.pull_timeout,
            Purpose::Consumer(_, ConsumerAsk::SendBack { .. }) => SEND_BACK,
            Purpose::Consumer(_, ConsumerAsk::Commit { within, .. }) => within,
            _ => self.fx.config.request_timeout,
        };
        Some((call, Failure::TimedOut(within)))
    }

    /// A frame was taken for a writer whose call has ended: it does not leave.
    pub(crate) fn pass_over(&mut self, conn: ConnectionId, frame: OutFrame) {
        self.remoting.peers.passed_over(conn);
        self.fx.give_back_frame(frame);
    }

    /// Closes the connections of a peer that it left, if nothing is under way on them but long
    /// polls.
    pub(crate) fn close_if_drained(&mut self, peer: PeerId) {
        while let Some((conn, why)) = self.remoting.peers.drained(peer) {
            self.remoting.peers.close(&mut self.fx, conn, why);
        }
    }
}
