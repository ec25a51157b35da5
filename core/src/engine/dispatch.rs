//! What came in, to whom it belongs.

use std::time::Duration;

use super::{ConsumerTimer, Engine, InFrame, Input, TimerKind};
use crate::error::{CloseReason, ConnectError, Failure, Stored};
use crate::frame::{Content, Kind, Opaque, Reply, ResponseCode};
use crate::id::{ConnectionId, PeerId, RequestId};
use crate::producer::Producers;
use crate::remoting::{
    AskedPeer, BrokerAsk, Call, ConnectionLoss, Disconnect, Incoming, PeerAnswer, PeerRequest,
    Purpose,
};
use crate::time::Instant;

/// Timers handled in one turn.
const TIMERS: usize = 256;

impl Engine {
    /// Something happened in the world. Once the client has stopped, nothing that still comes
    /// changes anything: a page that was asked for, say.
    ///
    /// After this: commands, events, timeout.
    pub fn handle(&mut self, now: Instant, input: Input) {
        self.tick(now);
        if self.shutdown.is_stopped() {
            return;
        }
        match input {
            Input::Connected { conn } => {
                let (peers, fx) = self.ctx.peers();
                let connected = peers.connected_now(fx, conn);
                self.ctx.fx.counters.connected += u64::from(connected.is_some());
                if let Some(peer) = connected.filter(|p| self.ctx.remoting.peers.is_broker(*p)) {
                    self.register(peer);
                }
            }
            Input::ConnectFailed { conn, error } => {
                let (peers, fx) = self.ctx.peers();
                if let Some((lost, error)) = peers.failed(fx, conn, error) {
                    self.ctx.fx.counters.connects_failed += 1;
                    let failure = Failure::Connect(error);
                    self.fail_calls(lost, None, &failure);
                }
            }
            Input::Closed { conn, reason, unsent, begun } => {
                let reason = self.ctx.remoting.peers.blame(conn).cloned().unwrap_or(reason);
                let (peers, fx) = self.ctx.peers();
                if let Some(lost) = peers.closed(fx, conn, &reason) {
                    self.ctx.fx.counters.disconnected += 1;
                    self.ctx.forget_requests(conn);
                    let never = Failure::Connect(ConnectError::Lost(Box::new(reason.clone())));
                    self.ctx.remoting.unsent(conn, &unsent);
                    let loss = ConnectionLoss::new(conn, reason, begun, &unsent);
                    self.fail_calls(lost, Some(&loss), &never);
                }
            }
            Input::Malformed { conn, error } => {
                let (peers, fx) = self.ctx.peers();
                peers.close(fx, conn, error.into());
            }
            Input::Fetched { fetch, result } => self.names.fetched(&mut self.ctx, fetch, result),
            Input::Computed { done } => {
                let (consumers, ctx, known) = self.consumers();
                consumers.computed(ctx, known, done);
            }
            Input::Loaded { done } => {
                let (consumers, ctx, known) = self.consumers();
                consumers.loaded(ctx, known, done);
            }
            Input::Saved { done } => self.consumers.saved(&mut self.ctx, done),
            Input::Timeout => self.time_passed(),
            Input::ClockSync { unix } => {
                let expected = self.ctx.fx.unix();
                (self.ctx.fx.unix, self.ctx.fx.anchor) = (unix, self.ctx.fx.now);
                if unix > expected {
                    // A machine that slept, as far as can be told.
                    let slept = Duration::from_millis((unix.0 - expected.0) as u64);
                    self.consumers.slept(&mut self.ctx, slept);
                }
            }
        }
        self.advance();
    }

    /// Frames of one connection, in order; `frames` is drained.
    ///
    /// After this: commands, events, timeout.
    pub fn handle_frames(&mut self, now: Instant, conn: ConnectionId, frames: &mut Vec<InFrame>) {
        self.tick(now);
        let Some(peer) = self.ctx.remoting.peers.of(conn) else {
            frames.clear();
            return;
        };
        if frames.is_empty() {
            self.ctx.remoting.peers.stirred(conn, self.ctx.fx.now);
        }
        for frame in frames.drain(..) {
            let InFrame { opaque, content, body, size, version } = frame;
            self.ctx.fx.counters.bytes_received += size as u64;
            match content {
                Content::Reply(reply) => match self.ctx.answered(peer, conn, opaque) {
                    Some(call) => {
                        self.ctx.fx.counters.replies += 1;
                        self.answered((conn, version), opaque, call, reply, body);
                    }
                    None => {
                        self.ctx.fx.counters.replies_unknown += 1;
                        if opaque.kind() == Some(Kind::Send) {
                            self.producers.answered_late(&self.ctx, peer, conn, opaque);
                        }
                    }
                },
                Content::Request { oneway, code, .. } => {
                    let asked = body.into_request().unwrap_or(PeerRequest::Unknown(code));
                    let incoming = Incoming { opaque, asked, oneway };
                    if let Some((asked, id)) = self.ctx.take_in(peer, conn, incoming) {
                        self.serve((peer, conn), asked, id);
                    }
                }
            }
        }
        self.advance();
    }

    /// A peer asks something of us: whoever it is for does it. With an `id`, an answer is waited
    /// for.
    fn serve(&mut self, from: (PeerId, ConnectionId), asked: PeerRequest, id: Option<RequestId>) {
        let answer = match asked {
            PeerRequest::Check(check) => {
                self.transactions.checked(&mut self.ctx, from, check);
                PeerAnswer::Done
            }
            PeerRequest::MembersChanged(group) => {
                if let Some(group) = group {
                    self.consumers.members_changed(&mut self.ctx, &group);
                }
                PeerAnswer::Done
            }
            PeerRequest::ConsumeDirectly(direct) => {
                // Answered once the application is done with it.
                return self.consumers.consume_directly(&mut self.ctx, *direct, id);
            }
            PeerRequest::ResetOffsets(reset) => {
                let (consumers, ctx, known) = self.consumers();
                consumers.reset(ctx, known, *reset)
            }
            PeerRequest::Status(group, topic) => {
                self.consumers.status(self.ctx.fx.now, &group, &topic)
            }
            PeerRequest::Reply(reply) => {
                let (producers, ctx, mut ways) = self.producers();
                producers.replied(ctx, &mut ways, reply);
                PeerAnswer::Done
            }
            PeerRequest::RunningInfo(group) => self.consumers.running_info(&self.ctx, &group),
            PeerRequest::Unreadable(remark) => {
                PeerAnswer::Refused(ResponseCode::SYSTEM_ERROR, remark.into())
            }
            PeerRequest::Unknown(code) => PeerAnswer::unknown(code),
        };
        if let Some(id) = id {
            self.ctx.reply(id, answer);
        }
    }

    /// The answer to one of our requests.
    fn answered(
        &mut self,
        (conn, version): (ConnectionId, i32),
        opaque: Opaque,
        call: Call,
        reply: Reply,
        body: super::Body,
    ) {
        let Call { peer, purpose, timer, .. } = call;
        if let Some(timer) = timer {
            self.ctx.fx.timers.cancel(timer);
        }
        match reply.code {
            ResponseCode::GO_AWAY => self.part_from(peer, conn, CloseReason::GoAway),
            _ => self.ctx.remoting.peers.served(peer),
        }
        match purpose {
            Purpose::Send(op) => {
                let (producers, ctx, mut ways) = self.producers();
                producers.answered(ctx, &mut ways, op, AskedPeer { peer, opaque }, reply);
            }
            Purpose::Query(op) => {
                let (queries, ctx, mut ways, healths) = self.queries();
                queries.answered(ctx, &mut ways, healths, peer, op, (reply, body));
            }
            Purpose::Half(ask) => {
                let (transactions, ctx, known) = self.transactions();
                transactions.answered(ctx, known, peer, ask, (reply, body));
            }
            Purpose::Route { topic, fallback, lookup } => {
                let (asked, of) = (AskedPeer { peer, opaque }, (&topic, lookup, fallback));
                self.with_routes(|routes, ctx, dir| {
                    routes.answered(ctx, dir, asked, of, (reply, body));
                });
            }
            Purpose::Broker(BrokerAsk::Heartbeat { revision }) => {
                let said = (reply.code, reply.remark.as_deref(), version);
                let groups = self.consumers.groups();
                self.brokers.heartbeat_answered(&mut self.ctx, peer, revision, said, groups);
            }
            Purpose::Consumer(sub, ask) => {
                let (consumers, ctx, known) = self.consumers();
                consumers.answered(ctx, known, peer, (sub, ask), reply, body);
            }
            Purpose::Broker(BrokerAsk::Unregister(sub)) => self.unregister_answered(sub),
            Purpose::Broker(BrokerAsk::Withdraw) => {}
            // With whatever code it answered, the broker is there.
            Purpose::Broker(BrokerAsk::Probe(broker)) => self.producers.healths.recovered(broker),
        }
        self.carry();
        self.ctx.close_if_drained(peer);
    }

    /// One of our requests came to nothing.
    fn failed(&mut self, opaque: Opaque, call: Call, failure: Failure) {
        let left = call.has_left();
        let Call { peer, purpose, timer, .. } = call;
        if let Some(timer) = timer {
            self.ctx.fx.timers.cancel(timer);
        }
        match purpose {
            Purpose::Send(op) => {
                let stored = if left { Stored::Unknown } else { Stored::No };
                let (producers, ctx, mut ways) = self.producers();
                producers.failed(ctx, &mut ways, op, AskedPeer { peer, opaque }, failure, stored);
            }
            Purpose::Query(op) => {
                let (queries, ctx, mut ways, healths) = self.queries();
                queries.failed(ctx, &mut ways, healths, peer, op, failure);
            }
            Purpose::Half(ask) => {
                let (transactions, ctx, known) = self.transactions();
                transactions.failed(ctx, known, peer, ask, failure);
            }
            Purpose::Route { topic, fallback, lookup } => {
                let (asked, of) = (AskedPeer { peer, opaque }, (&topic, lookup, fallback));
                self.with_routes(|routes, ctx, dir| {
                    routes.ask_failed(ctx, dir, asked, of, failure);
                });
            }
            Purpose::Broker(BrokerAsk::Heartbeat { .. }) => {
                self.brokers.heartbeat_failed(&mut self.ctx, peer)
            }
            Purpose::Consumer(sub, ask) => {
                let (consumers, ctx, known) = self.consumers();
                consumers.failed(ctx, known, (sub, ask), &failure);
            }
            Purpose::Broker(BrokerAsk::Unregister(sub)) => self.unregister_answered(sub),
            Purpose::Broker(BrokerAsk::Probe(_) | BrokerAsk::Withdraw) => {}
        }
        self.carry();
    }

    /// A peer said on that connection that it goes, or is not asked any more: what has left is
    /// answered there, and all else goes on elsewhere or with the next connection.
    pub(super) fn part_from(&mut self, peer: PeerId, conn: ConnectionId, why: CloseReason) {
        let (peers, fx) = self.ctx.peers();
        if let Some(lost) = peers.leave(fx, peer, conn, why.clone()) {
            let never = Failure::Connect(ConnectError::Lost(Box::new(why)));
            self.fail_calls(lost, None, &never);
        }
    }

    /// A connection is gone, and with it every request on it. With a peer's present one, or when
    /// that takes nothing more, so is what never left: it fails as `never`.
    pub(super) fn fail_calls(
        &mut self,
        lost: Disconnect,
        gone: Option<&ConnectionLoss>,
        never: &Failure,
    ) {
        let Disconnect { peer, queued, present } = lost;
        if let Some(gone) = gone {
            self.producers.lost(&self.ctx, peer, gone.conn);
        }
        let taken = gone.map_or(0, |gone| gone.oneway);
        Producers::lose_oneway(&mut self.ctx, peer, queued, taken);
        if present {
            self.lost(peer, gone.is_some_and(|gone| gone.idle));
        }
        for opaque in self.ctx.remoting.calls.of_peer(peer) {
            if let Some((call, failure)) = self.ctx.remoting.lose(opaque, present, gone, never) {
                self.failed(opaque, call, failure);
            }
        }
        if present {
            let awaited = self.is_awaited(peer);
            let (peers, fx) = self.ctx.peers();
            peers.lost(fx, peer, awaited);
        }
    }

    /// Handles what is due, as far as one turn goes: what is left is due at once, and the adapter
    /// lets others run before it calls again.
    fn time_passed(&mut self) {
        for _ in 0..TIMERS {
            let Some(kind) = self.ctx.fx.timers.pop_due(self.ctx.fx.now) else { break };
            let whole = kind == TimerKind::Consumer(ConsumerTimer::Turn);
            self.fire(kind);
            if whole {
                break;
            }
        }
        self.ctx.fx.flush_notes();
    }

    /// One timer's time has come.
    fn fire(&mut self, kind: TimerKind) {
        match kind {
            TimerKind::Deadline(op) => self.deadline(op),
            TimerKind::Call(opaque) => {
                if let Some((call, failure)) = self.ctx.overdue(opaque) {
                    let peer = call.peer;
                    self.failed(opaque, call, failure);
                    self.ctx.suspect(peer);
                }
            }
            TimerKind::Request(id) => self.ctx.request_overdue(id),
            TimerKind::Resend(op) => {
                let (producers, ctx, mut ways) = self.producers();
                producers.pause_over(ctx, &mut ways, op);
            }
            TimerKind::Meet(op) => {
                let (producers, ctx, mut ways) = self.producers();
                producers.meet_over(ctx, &mut ways, op);
            }
            TimerKind::Sends => self.producers.turn_due(),
            TimerKind::Window(peer) => self.producers.window_due(&mut self.ctx, peer),
            TimerKind::Slow(peer) => self.slow_due(peer),
            TimerKind::Connect(conn) => {
                let (peers, fx) = self.ctx.peers();
                peers.too_slow(fx, conn);
            }
            TimerKind::Reconnect(peer) => {
                let awaited = self.is_awaited(peer);
                let (peers, fx) = self.ctx.peers();
                peers.pause_over(fx, peer, awaited);
            }
            TimerKind::Silence(peer) => {
                let (peers, fx) = self.ctx.peers();
                peers.silence_due(fx, peer);
            }
            TimerKind::Idle(peer) => {
                let busy = self.ctx.remoting.calls.on(peer) > 0;
                let (peers, fx) = self.ctx.peers();
                peers.idle_due(fx, peer, busy);
            }
            TimerKind::Route(topic) => {
                self.routes.look_up_again(&mut self.ctx, &self.names, &topic)
            }
            TimerKind::RouteSlow(topic) => {
                self.with_routes(|routes, ctx, dir| routes.slow(ctx, dir, &topic))
            }
            TimerKind::RouteShrunk(topic) => self.route_shrunk(&topic),
            TimerKind::Routes => self.refresh_routes(),
            TimerKind::Fetch => self.fetch_servers(),
            TimerKind::FetchSlow(fetch) => self.names.fetch_slow(&mut self.ctx, fetch),
            TimerKind::Heartbeat => self.heartbeat_due(),
            TimerKind::Register(peer, refusal) => self.register_again(peer, refusal),
            TimerKind::Probe => self.probe_due(),
            TimerKind::Notes => self.ctx.fx.flush_notes(),
            TimerKind::Leave => self.shutdown_overdue(),
            TimerKind::Check(id) => self.transactions.patience_over(&mut self.ctx, id),
            TimerKind::Consumer(timer) => {
                let (consumers, ctx, known) = self.consumers();
                consumers.timer_fired(ctx, known, timer);
            }
        }
        self.carry();
    }

    /// The peer behind a connection, for what an adapter logs.
    pub fn endpoint(&self, conn: ConnectionId) -> Option<&crate::name::Endpoint> {
        self.ctx.remoting.peers.of(conn).map(|peer: PeerId| self.ctx.remoting.peers.endpoint(peer))
    }
}
