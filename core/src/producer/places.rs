//! Places in the windows of brokers: who takes one, who gives one back, and who waits for his turn.

use super::held::Held;
use super::window::Turn;
use super::{Producers, Send};
use crate::broker::{Brokers, WindowStats};
use crate::config::Config;
use crate::effects::TimerKind;
use crate::error::{SendError, Stored};
use crate::frame::{Opaque, ResponseCode};
use crate::id::{BrokerId, OpId, PeerId, Table};
use crate::remoting::{Call, Context};
use crate::route::Ways;
use crate::time::Instant;

impl Producers {
    /// Nobody waits for the answer to a send's request any more, which takes `size` bytes of its
    /// window and was given to that broker some time ago.
    pub(super) fn close(
        &mut self,
        ctx: &mut Context,
        (opaque, broker, since): (Opaque, BrokerId, Instant),
        size: usize,
    ) -> Option<Call> {
        let call = ctx.give_up(opaque)?;
        if call.has_left() {
            let (main, given) = (ctx.remoting.peers.main(call.peer), (broker, since));
            self.windows.held(main, |held| held.push(call.peer, size, given, ctx.fx.now));
        }
        self.free_place(ctx, call.peer, size);
        Some(call)
    }

    /// The request of a send has been answered, has failed, or was handed out without wanting an
    /// answer.
    pub(super) fn closed(&mut self, ctx: &mut Context, op: OpId, peer: PeerId) {
        let size = self.sends.get(op).map_or(0, |send| send.window_size());
        self.free_place(ctx, peer, size);
    }

    fn free_place(&mut self, ctx: &mut Context, peer: PeerId, size: usize) {
        ctx.remoting.peers.count_send(peer, -1);
        self.windows.close(ctx.remoting.peers.main(peer), size);
    }

    /// A peer answers what nobody waits for any more.
    pub(crate) fn answered_late(&mut self, ctx: &Context, peer: PeerId) {
        let main = ctx.remoting.peers.main(peer);
        if let Some((broker, since)) = self.windows.held(main, Held::answered) {
            self.healths.answered_late(broker, ctx.fx.now.since(since));
        }
    }

    /// A connection to a peer is lost, and with it what was given up on it.
    pub(crate) fn lost(&mut self, ctx: &Context, peer: PeerId) {
        self.windows.held(ctx.remoting.peers.main(peer), |held| held.lost(peer));
    }

    /// What was given up at a broker may have been kept for long enough.
    pub(crate) fn window_due(&mut self, ctx: &mut Context, peer: PeerId) {
        self.windows.held(peer, |held| held.look(ctx.fx.now));
        self.time_window(ctx, peer);
    }

    fn time_window(&mut self, ctx: &mut Context, peer: PeerId) {
        if self.windows.waits_for_held(peer)
            && let Some(at) = self.windows.held(peer, Held::next_look)
        {
            ctx.fx.timers.at(at, TimerKind::Window(peer));
        }
    }

    /// Whether a send that has waited, or was refused by a busy broker, would be given to its
    /// broker too late: little more of its time is left than the broker's answers take of late. It
    /// is not given to anybody then, since it would keep those waiting that have the time, and
    /// nobody would know whether it was stored.
    pub(super) fn is_too_late(&self, ctx: &Context, op: OpId, broker: BrokerId) -> bool {
        let Some(send) = self.sends.get(op) else { return false };
        if !(send.queued || send.busy > 0) || send.known() != Stored::No {
            return false;
        }
        let latency = self.healths.of(broker).latency;
        send.deadline.since(ctx.fx.now) <= latency + latency / 4
    }

    /// Whether a send has to wait until its broker has answered others: then it does from now on.
    pub(super) fn has_to_wait(
        &mut self,
        ctx: &mut Context,
        op: OpId,
        peer: PeerId,
        broker: BrokerId,
    ) -> bool {
        let Some(send) = self.sends.get(op) else { return false };
        let (size, turn, was_tried) = (send.window_size(), send.turn, send.at.is_some());
        if !self.windows.is_full(peer, size, turn, &ctx.fx.config) {
            return false;
        }
        self.windows.held(peer, |held| held.expire(ctx.fx.now));
        if !self.windows.is_full(peer, size, turn, &ctx.fx.config) {
            return false;
        }
        self.windows.wait(peer, op, was_tried);
        if let Some(send) = self.send_of(op) {
            (send.turn, send.queued) = (Turn::Waits { peer, broker }, true);
        }
        self.time_window(ctx, peer);
        true
    }

    /// The deadline of a send has come that waits for its turn at that broker.
    pub(super) fn end_waiting(
        &mut self,
        ctx: &mut Context,
        ways: &mut Ways<'_>,
        op: OpId,
        broker: BrokerId,
    ) {
        let Some(send) = self.sends.get(op) else { return };
        let (topic, ids) = (send.publish.topic().clone(), send.publish.ids());
        let (broker, refused) = (ways.brokers.name(broker).clone(), send.is_refused());
        let (stored, attempts, _) = self.detach(ctx, ways, op);
        let code = ResponseCode::SYSTEM_BUSY;
        let error = match refused {
            true => SendError::Rejected { topic, code, stored, ids, attempts },
            false => SendError::Unanswered { topic, broker, stored, ids, attempts },
        };
        self.end_send(ctx, op, Err(error));
    }

    /// One that waited at a window, for its first try or after one, does so no more.
    pub(super) fn leave_window(&mut self, peer: PeerId, was_tried: bool) {
        let Self { windows, sends, .. } = self;
        windows.leave(peer, was_tried, |op| size_of(sends, op, peer).is_some());
    }

    /// Lets the next one go on for which there is a place. False if there is none.
    pub(super) fn call_next(&mut self, ctx: &mut Context, ways: &mut Ways<'_>) -> bool {
        let Self { windows, sends, .. } = self;
        let next = windows.next(&ctx.fx.config, |op, peer| size_of(sends, op, peer));
        let Some((peer, op)) = next else { return false };
        let Some(send) = self.send_of(op) else { return true };
        let was = std::mem::replace(&mut send.turn, Turn::Called { peer });
        match was.waits().filter(|_| send.deadline <= ctx.fx.now) {
            // The send's timer is behind others that are due as well.
            Some((_, broker)) => self.end_waiting(ctx, ways, op, broker),
            None => self.route_send(ctx, ways, op),
        }
        if let Some(send) = self.send_of(op).filter(|send| send.turn.waits().is_none()) {
            send.turn = Turn::Free;
        }
        true
    }

    /// A send that waits at a broker which lets tries run out goes elsewhere, if there is where.
    pub(super) fn turn_elsewhere(
        &mut self,
        ctx: &mut Context,
        ways: &mut Ways<'_>,
        op: OpId,
        turn: Turn,
    ) {
        let Some((peer, broker)) = turn.waits() else { return };
        if !ctx.remoting.peers.is_slow(peer) || !self.has_others(ctx, ways, op, broker) {
            return;
        }
        if let Some(send) = self.send_of(op) {
            send.turn = Turn::Free;
            let was_tried = send.at.is_some();
            self.leave_window(peer, was_tried);
            self.route_send(ctx, ways, op);
        }
    }

    /// Whether the queue's broker has no place for a send.
    pub(super) fn is_full_at(
        &self,
        ctx: &Context,
        brokers: &Brokers,
        send: &Send,
        broker: BrokerId,
    ) -> bool {
        let (size, turn) = (send.window_size(), send.turn);
        let master = brokers.master(broker);
        master.is_some_and(|peer| self.windows.is_full(peer, size, turn, &ctx.fx.config))
    }

    /// What a broker has not answered, by its main peer.
    pub(crate) fn window(&self, config: &Config, peer: PeerId) -> WindowStats {
        self.windows.stats(config, peer)
    }

    /// Places are counted, and whoever waits for one has none.
    pub(super) fn check_windows(&self, ctx: &Context) {
        let (calls, peers) = (&ctx.remoting.calls, &ctx.remoting.peers);
        let open = self.sends.iter().flat_map(|(_, send)| {
            let size = send.window_size();
            let places = send.requests().filter_map(|(opaque, ..)| calls.place_of(opaque));
            places.map(move |(peer, _)| (peers.main(peer), size))
        });
        let waiting = self.sends.iter().filter_map(|(_, send)| Some(send.turn.waits()?.0));
        let size_of = |op, peer| size_of(&self.sends, op, peer);
        self.windows.check(&ctx.fx.config, open, waiting, size_of);
    }
}

/// The size of a message that waits at that broker's window.
fn size_of(sends: &Table<OpId, Box<Send>>, op: OpId, peer: PeerId) -> Option<usize> {
    let send = sends.get(op)?;
    let waits = send.turn.waits().is_some_and(|(at, _)| at == peer);
    waits.then(|| send.window_size())
}
