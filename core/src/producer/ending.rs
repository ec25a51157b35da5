//! Sends that end before their answers: at their deadlines, or because nobody wants them any more.

use super::window::Turn;
use super::{Producers, Send, SendReceipt};
use crate::effects::{Cancelled, Event, HalfStored, SendOwner, Signal, Unrouted};
use crate::error::{Attempts, SendError, Stored};
use crate::frame::ResponseCode;
use crate::id::{BrokerId, OpId, PeerId};
use crate::remoting::{Call, Context};
use crate::route::Ways;
use crate::time::Instant;

impl Producers {
    /// The deadline of a send has come, or that of its present try.
    pub(crate) fn deadline(&mut self, ctx: &mut Context, ways: &mut Ways<'_>, op: OpId) {
        let Some(send) = self.sends.get(op) else { return };
        let call = send.call.and_then(|opaque| ctx.remoting.calls.find(opaque));
        let (asked, left) = call.map(|call| (call.peer, call.has_left())).unzip();
        if ctx.fx.now < send.deadline {
            return self.try_over(ctx, ways, op);
        }
        let given = send.at.filter(|_| left == Some(true)).map(|(broker, _)| broker);
        let tried = send.tried;
        if send.failed.is_some() {
            self.end_failed(ctx, op);
        } else {
            self.overdue(ctx, ways, op);
        }
        if let Some(peer) = asked {
            if let Some(broker) = given {
                self.not_answered(ctx, broker, peer, tried);
            }
            ctx.suspect(peer);
        }
    }

    /// A broker has not answered in time what it was given at `tried`.
    pub(super) fn not_answered(
        &mut self,
        ctx: &mut Context,
        broker: BrokerId,
        peer: PeerId,
        tried: Instant,
    ) {
        ctx.fx.counters.tries_failed += 1;
        self.healths.failed(ctx.fx.now, broker);
        self.windows.slow(ctx.remoting.peers.main(peer), tried, ctx.fx.now);
    }

    /// Ends a send whose time is over, with what was missing, as far as anything was.
    fn overdue(&mut self, ctx: &mut Context, ways: &mut Ways<'_>, op: OpId) {
        let Some(send) = self.sends.get(op) else { return };
        let (topic, ids) = (send.publish.topic().clone(), send.publish.ids());
        if send.turn == Turn::Room {
            return self.end_without_room(ctx, ways, op);
        }
        if let Some((_, broker)) = send.turn.waits() {
            return self.end_waiting(ctx, ways, op, broker);
        }
        self.note_unknown(ctx, op);
        let Some(send) = self.sends.get(op) else { return };
        let (behind, refused) = (send.behind, send.pause.is_some() && send.is_refused());
        let waits = ways.routes.is_waiting(&topic, op);
        let lack = if waits { self.aimed(ctx, ways, op).err() } else { None };
        let missing = ways.routes.is_missing(&topic);
        let error = match (self.detach(ctx, ways, op), lack) {
            ((stored, attempts, _), _) if refused => {
                let code = ResponseCode::SYSTEM_BUSY;
                SendError::Rejected { topic, code, stored, ids, attempts }
            }
            ((stored, attempts, true), Some(lack)) => {
                let (lack, ids) = (Box::new(lack), Some(ids));
                SendError::NotWritable { topic, lack, stored, ids, attempts }
            }
            ((stored, attempts, _), _) if behind => {
                SendError::TimedOut { topic, stored, ids, attempts }
            }
            ((Stored::No, attempts, false), _) if missing => SendError::NoTopic { topic, attempts },
            ((Stored::No, attempts, false), _) => SendError::NoRoute { topic, attempts },
            ((stored, attempts, _), _) => SendError::TimedOut { topic, stored, ids, attempts },
        };
        self.end_send(ctx, op, Err(error));
    }

    /// Takes a send off whatever it waits for. Gives whether it may be stored, what was tried, and
    /// whether its topic had a route.
    pub(super) fn detach(
        &mut self,
        ctx: &mut Context,
        ways: &mut Ways<'_>,
        op: OpId,
    ) -> (Stored, Attempts, bool) {
        let Some(send) = self.sends.get(op) else {
            return (Stored::No, Attempts::default(), false);
        };
        let (mut stored, mut attempts) = (send.known(), send.attempts.clone());
        let (topic, call, since) = (send.publish.topic().clone(), send.call, send.since);
        let waits = send.behind || send.turn != Turn::Free;
        let (pausing, size) = (send.pause.is_some() || waits, send.window_size());
        let request = call.zip(send.at).map(|(opaque, (broker, _))| (opaque, broker, send.tried));
        let closed = request.and_then(|request| self.close(ctx, request, size));
        if closed.as_ref().is_some_and(Call::has_left) {
            stored = stored.max(Stored::Unknown);
        }
        if let Some(send) = self.sends.get_mut(op) {
            send.call = None;
            if let Some(pause) = send.pause.take() {
                ctx.fx.timers.cancel(pause);
            }
        }
        // Whoever waits for anything else does not wait for a route.
        if !pausing && call.is_none() {
            attempts.extend(&ways.routes.forget(&topic, op));
        }
        if !pausing && (call.is_some() || ways.routes.is_asking(&topic)) {
            ways.names.blame(ctx, &mut attempts, call.zip(closed.as_ref()), since);
        }
        (stored, attempts, ways.routes.known(&topic).is_some())
    }

    /// Gives a send up. It ends without an event.
    pub(crate) fn cancel(&mut self, ctx: &mut Context, ways: &mut Ways<'_>, op: OpId) -> Cancelled {
        ctx.fx.counters.sends_cancelled += 1;
        let found = match self.detach(ctx, ways, op).0 {
            Stored::No => Cancelled::Removed,
            Stored::Unknown | Stored::Yes => Cancelled::Detached,
        };
        if let Some(send) = self.remove(ctx, op) {
            ctx.fx.give_back(send.publish);
        }
        found
    }

    /// No route will come for a send, and so it ends.
    pub(crate) fn unrouted(&mut self, ctx: &mut Context, op: OpId, unrouted: Unrouted) {
        self.end_send(ctx, op, Err(unrouted.into()));
    }

    /// The client stops: a send ends as it stands.
    pub(crate) fn abandon(&mut self, ctx: &mut Context, ways: &mut Ways<'_>, op: OpId) {
        let Some(send) = self.sends.get(op) else { return };
        let ids = send.publish.ids();
        let stored = self.detach(ctx, ways, op).0;
        self.end_send(ctx, op, Err(SendError::Stopped { stored, ids }));
    }

    pub(super) fn end_send(
        &mut self,
        ctx: &mut Context,
        op: OpId,
        result: Result<SendReceipt, SendError>,
    ) {
        if let Some(mut send) = self.remove(ctx, op) {
            let result = match (result, send.receipt.take()) {
                (Err(_), Some(receipt)) => Ok(*receipt),
                (result, _) => result.map_err(|error| known(error, &send)),
            };
            match &result {
                Ok(_) => ctx.fx.counters.sends_stored += 1,
                Err(_) => ctx.fx.counters.sends_failed += 1,
            }
            if send.publish.is_half() {
                let id = send.publish.unique_id();
                let result = match &result {
                    Ok(receipt) => Ok(HalfStored::of(receipt)),
                    Err(error) => Err(error.stored()),
                };
                ctx.fx.signal(Signal::HalfSent { id, result });
            }
            match send.owner {
                None => ctx.fx.event(Event::Sent { op, publish: send.publish, result }),
                Some(owner) => {
                    ctx.fx.give_back(send.publish);
                    let result = match result {
                        Err(error) if error.stored() != Stored::Yes => Err(Box::new(error)),
                        Ok(_) | Err(_) => Ok(()),
                    };
                    match owner {
                        SendOwner::Request(op) => self.request_sent(ctx, op, result),
                        SendOwner::Consumer { .. } => {
                            ctx.fx.signal(Signal::SendEnded { owner, result });
                        }
                    }
                }
            }
        }
    }
}

/// What an earlier try knows is kept to the end, whatever ends the call: a message that left may be
/// stored, and an error that could not say so becomes one that can.
fn known(error: SendError, send: &Send) -> SendError {
    if error.stored() >= send.known() {
        return error;
    }
    let (topic, ids, stored) = (send.publish.topic().clone(), send.publish.ids(), send.known());
    let mut attempts = send.attempts.clone();
    if let Some(further) = error.attempts() {
        attempts.extend(further);
    }
    SendError::Lost { topic, stored, ids, attempts }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::message::{Message, MessageLimits, Publish, UniqueId};
    use crate::name::{Group, Topic};
    use crate::producer::SendOptions;
    use crate::time::UnixMillis;
    use crate::timer::Timers;

    #[test]
    fn send_30_no_end_says_less_than_an_earlier_try_knows() {
        let topic = Topic::new("orders").unwrap();
        let id = UniqueId::parse("0A000001ABCD12345678000000000001").unwrap();
        let (message, group) = (Message::new(topic.clone(), "x"), Group::new("shop").unwrap());
        let limits = MessageLimits::default();
        let publish = Publish::new(message, &group, id, UnixMillis(0), &limits).unwrap();
        let timer = Timers::<()>::default().at(Instant::ZERO, ());
        let times = (timer, Instant::ZERO + Duration::from_secs(3), None);
        let options = SendOptions::default();
        let mut send = Send::new(Arc::new(publish), options, 2, Instant::ZERO, times);
        let no_topic =
            || SendError::NoTopic { topic: topic.clone(), attempts: Attempts::default() };
        assert_eq!(known(no_topic(), &send), no_topic());
        for stored in [Stored::Unknown, Stored::Yes] {
            send.stored = stored;
            let error = known(no_topic(), &send);
            assert_eq!((error.stored(), error.topic()), (stored, Some(&topic)));
            assert_eq!(error.message_ids().unwrap().first(), id);
        }
        let stopped = SendError::Stopped { stored: Stored::Yes, ids: send.publish.ids() };
        assert_eq!(known(stopped.clone(), &send), stopped);
    }
}
