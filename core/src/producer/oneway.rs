//! Messages that nobody answers.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Producers;
use crate::effects::{Event, Note};
use crate::frame::{Kind, Opaque, OutFrame, Payload};
use crate::id::{BrokerId, OpId, PeerId};
use crate::message::Publish;
use crate::remoting::{Context, Purpose};
use crate::route::Ways;

impl Producers {
    /// Gives a oneway message to the queue of a connection that is there and has room for it: that
    /// ends the call. Nobody will hear of it, so it takes no place among the calls.
    pub(super) fn queue_oneway(
        &mut self,
        ctx: &mut Context,
        ways: &mut Ways<'_>,
        op: OpId,
        publish: &Arc<Publish>,
        (peer, broker, queue): (PeerId, BrokerId, i32),
    ) -> bool {
        if !ctx.remoting.peers.takes_oneway(peer, publish.wire_size()) {
            return false;
        }
        let (publish, opaque) = (publish.clone(), ctx.remoting.calls.skip(Kind::Oneway));
        let broker = ways.brokers.name(broker).clone();
        let payload = Payload::Publish { publish, queue, broker, oneway: true };
        let (peers, fx) = ctx.peers();
        peers.send_oneway(fx, peer, OutFrame { opaque, payload });
        self.end_oneway(ctx, op);
        true
    }

    /// The frames that waited for a connection that is gone: calls know of theirs, and of oneway
    /// messages nobody does. Its writer had `taken` so many more, and not written them whole.
    pub(crate) fn lose_oneway(
        ctx: &mut Context,
        peer: PeerId,
        queued: VecDeque<OutFrame>,
        taken: usize,
    ) {
        let mut messages = Vec::new();
        for frame in queued {
            match frame.into_oneway() {
                Ok(publish) => messages.push(publish),
                Err(frame) => ctx.fx.give_back_frame(frame),
            }
        }
        let count = messages.len() + taken;
        if count > 0 {
            ctx.fx.counters.oneway_lost += count as u64;
            let endpoint = ctx.remoting.peers.endpoint(peer).clone();
            ctx.fx.note(Note::OnewayLost { endpoint, count });
        }
        if !messages.is_empty() {
            ctx.fx.event(Event::OnewayLost { messages });
        }
    }

    fn end_oneway(&mut self, ctx: &mut Context, op: OpId) {
        if let Some(send) = self.remove(ctx, op) {
            ctx.fx.counters.sends_handed += 1;
            ctx.fx.event(Event::Handed { op, publish: send.publish });
        }
    }

    /// A oneway frame is handed out, if its call has not ended: that ends it.
    pub(crate) fn handed(
        &mut self,
        ctx: &mut Context,
        ways: &mut Ways<'_>,
        opaque: Opaque,
    ) -> bool {
        let Some(call) = ctx.remoting.calls.close(opaque) else { return false };
        let Purpose::Send(op) = call.purpose else { return false };
        self.closed(ctx, op, call.peer);
        self.end_oneway(ctx, op);
        self.begin_next(ctx, ways);
        ctx.fx.counters.requests_sent += 1;
        true
    }
}
