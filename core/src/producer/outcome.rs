//! What brokers answer to sends, what fails, and what a send does then.

use std::sync::Arc;
use std::time::Duration;

use super::window::is_overload;
use super::{FRAME, Producers, Send, SendReceipt, SendStatus};
use crate::effects::{Signal, TimerKind};
use crate::error::{Failure, SendError, Stored, is_retriable_send};
use crate::frame::reply::SendReply;
use crate::frame::{HeaderError, Reply, ReplyFields, ResponseCode};
use crate::id::{OpId, PeerId};
use crate::remoting::{AskedPeer, Context};
use crate::route::{Wait, Ways};

/// Pause after a busy broker's first refusal; it doubles up to [`BUSY_MAX`].
const BUSY_MIN: Duration = Duration::from_millis(50);
const BUSY_MAX: Duration = Duration::from_millis(500);
/// Tries of a send whose queues are not there, a look-up between each two: a broker that has
/// fewer queues now refuses the others before it has told its nameservers.
const ASTRAY: u32 = 4;
/// What ends one of a broker's connections often ends all: so much later it is known which.
const SETTLE: Duration = Duration::from_millis(50);

impl Producers {
    /// The broker answered.
    pub(crate) fn answered(
        &mut self,
        ctx: &mut Context,
        ways: &mut Ways<'_>,
        op: OpId,
        asked: AskedPeer,
        reply: Reply,
    ) {
        self.closed(ctx, op, asked.peer);
        let opaque = asked.opaque;
        let Some(status) = SendStatus::of(reply.code) else {
            let code = reply.code;
            let failure = Failure::Refused { code, remark: reply.remark.map(Arc::from) };
            return self.try_failed(ctx, ways, op, asked, failure, Stored::No);
        };
        let fields = match place(reply.fields) {
            Ok(fields) => fields,
            Err(failure) => return self.try_failed(ctx, ways, op, asked, failure, Stored::Yes),
        };
        let Some(send) = self.sends.get(op) else { return };
        let Some((broker, _)) = send.at else { return };
        let main = ctx.remoting.peers.main(asked.peer);
        if send.is_slow(ctx.fx.now) {
            self.windows.slow(main, send.tried, ctx.fx.now);
        } else {
            self.windows.answered(main, &ctx.fx.config);
        }
        let late = send.earlier.iter().find(|one| one.opaque == opaque).map(|one| one.broker);
        let receipt = SendReceipt {
            status,
            topic: send.publish.topic().clone(),
            broker: ways.brokers.name(late.unwrap_or(broker)).clone(),
            queue: fields.queue_id,
            offset: fields.queue_offset,
            message_id: send.publish.unique_id(),
            offset_message_id: fields.msg_id,
            recall_handle: fields.recall_handle,
            batch: send.publish.batch_ids().cloned(),
        };
        if late.is_some() {
            self.forget_try(ctx, ways, op);
        } else {
            let (now, config) = (ctx.fx.now, &ctx.fx.config);
            self.healths.answered(now, broker, now.since(send.tried));
            let retries = config.retry_not_ok && send.tries + 1 < send.most;
            if status != SendStatus::Ok && retries {
                return self.send_elsewhere(ctx, ways, op, receipt);
            }
        }
        let created = ways.routes.known(&receipt.topic).is_some_and(|route| route.fallback);
        if created {
            // The broker has just created the topic: its own route will replace TBW102's.
            ctx.fx.signal(Signal::RouteWanted(receipt.topic.clone()));
        }
        self.end_send(ctx, op, Ok(receipt));
    }

    /// The message is stored, but not as well as asked for: another broker may do better.
    fn send_elsewhere(
        &mut self,
        ctx: &mut Context,
        ways: &mut Ways<'_>,
        op: OpId,
        receipt: SendReceipt,
    ) {
        if let Some(send) = self.send_of(op) {
            (send.call, send.stored) = (None, Stored::Yes);
            send.receipt.get_or_insert_with(|| Box::new(receipt));
            send.tries += 1;
            self.route_send(ctx, ways, op);
        }
    }

    /// The request of one try came to nothing. `stored`: whether that try may have stored the
    /// message.
    pub(crate) fn failed(
        &mut self,
        ctx: &mut Context,
        ways: &mut Ways<'_>,
        op: OpId,
        asked: AskedPeer,
        why: Failure,
        stored: Stored,
    ) {
        self.closed(ctx, op, asked.peer);
        self.try_failed(ctx, ways, op, asked, why, stored);
    }

    /// One try came to nothing, whose request is over.
    pub(super) fn try_failed(
        &mut self,
        ctx: &mut Context,
        ways: &mut Ways<'_>,
        op: OpId,
        asked: AskedPeer,
        why: Failure,
        stored: Stored,
    ) {
        let AskedPeer { peer, opaque } = asked;
        let Some(send) = self.sends.get(op) else { return };
        let most = send.most;
        let why = why.of_size(send.publish.wire_size());
        let attempt = ctx.attempt(peer, Some(opaque), why.clone());
        let astray = is_astray(&why);
        let Some(send) = self.sends.get_mut(op) else { return };
        send.attempts.push(attempt);
        send.stored = send.stored.max(stored);
        if send.call != Some(opaque) {
            // A try that had run out: another one is under way, or was the last.
            send.earlier.retain(|one| one.opaque != opaque);
            if send.earlier.is_empty() {
                self.end_failed(ctx, op);
            }
            return;
        }
        send.call = None;
        ctx.fx.counters.tries_failed += 1;
        if matches!(&why, Failure::Refused { code, .. } if *code == ResponseCode::SYSTEM_BUSY) {
            return self.pause_send(ctx, op, peer, &why);
        }
        // A broker that goes away has done nothing, and says so.
        if !matches!(why, Failure::Connect(_)) && !why.is_farewell() {
            send.tries += 1;
        }
        // What a broker denies says nothing of how well it is.
        if let Some((broker, _)) = send.at.filter(|_| !why.is_denied()) {
            self.healths.failed(ctx.fx.now, broker);
        }
        let again = match &why {
            Failure::Connect(_) | Failure::Closed(_) | Failure::Cut(_) => true,
            // Where the queue is not there, another route may have one; but not this very queue.
            Failure::Refused { .. } if astray => !send.selection.names_queue(),
            Failure::Refused { code, .. } => !why.is_denied() && is_retriable_send(*code),
            Failure::Unreadable(_)
            | Failure::Body(_)
            | Failure::TimedOut(_)
            | Failure::NotTaken(_)
            | Failure::Fetch(_) => false,
        };
        if astray {
            if again && send.tries < most.max(ASTRAY) {
                return self.want(ctx, ways, op, Wait::News);
            }
            ways.want(ctx, send.publish.topic(), None);
        }
        let Some(send) = self.sends.get_mut(op) else { return };
        if again && send.tries < most {
            if matches!(why, Failure::Closed(_)) && ctx.remoting.peers.has_twins(peer) {
                let at = ctx.fx.now + SETTLE;
                send.pause = Some(ctx.fx.timers.at(at, TimerKind::Resend(op)));
                return;
            }
            return self.route_send(ctx, ways, op);
        }
        send.failed = Some(why);
        if send.earlier.is_empty() {
            self.end_failed(ctx, op);
        }
    }

    /// Ends a send whose last try failed, if it did.
    pub(super) fn end_failed(&mut self, ctx: &mut Context, op: OpId) -> bool {
        let Some(send) = self.send_of(op) else { return false };
        let Some(why) = send.failed.take() else { return false };
        let error = spent(send, why);
        self.end_send(ctx, op, Err(error));
        true
    }

    /// A busy broker has stored nothing and says so at once: it is given time, and the deadline
    /// alone ends the tries (SYSTEM_BUSY of a broker that has just started lasts for seconds).
    fn pause_send(&mut self, ctx: &mut Context, op: OpId, peer: PeerId, why: &Failure) {
        let Some(send) = self.sends.get_mut(op) else { return };
        if is_overload(why) {
            let main = ctx.remoting.peers.main(peer);
            self.windows.refused(main, send.tried, ctx.fx.now);
        }
        let pause = BUSY_MIN.saturating_mul(1 << send.busy.min(8)).min(BUSY_MAX);
        let at = ctx.fx.now + ctx.fx.rng.jitter(pause);
        send.busy += 1;
        send.pause = Some(ctx.fx.timers.at(at, TimerKind::Resend(op)));
    }

    /// The pause after a busy broker's refusal is over.
    pub(crate) fn pause_over(&mut self, ctx: &mut Context, ways: &mut Ways<'_>, op: OpId) {
        if let Some(send) = self.send_of(op) {
            send.pause = None;
            self.route_send(ctx, ways, op);
        }
    }
}

/// What a send ends with that has no try left.
fn spent(send: &mut Send, why: Failure) -> SendError {
    let (topic, ids, stored) = (send.publish.topic().clone(), send.publish.ids(), send.known());
    let size = send.publish.wire_size();
    let attempts = std::mem::take(&mut send.attempts);
    match why {
        Failure::Refused { code, .. } => SendError::Rejected { topic, code, stored, ids, attempts },
        Failure::Unreadable(_) | Failure::Body(_) => {
            SendError::Unreadable { topic, stored, ids, attempts }
        }
        Failure::Cut(_) if size > FRAME => {
            SendError::OverFrame { topic, size, stored, ids, attempts }
        }
        Failure::Connect(_)
        | Failure::Closed(_)
        | Failure::Cut(_)
        | Failure::TimedOut(_)
        | Failure::NotTaken(_)
        | Failure::Fetch(_) => SendError::Lost { topic, stored, ids, attempts },
    }
}

/// Whether a broker says that a queue is not there that the route names: it is led elsewhere, the
/// topic has fewer of them (`AbstractSendMessageProcessor.msgCheck`), or is gone from this broker.
fn is_astray(why: &Failure) -> bool {
    let Failure::Refused { code, remark } = why else { return false };
    match *code {
        ResponseCode::NOT_LEADER_FOR_QUEUE | ResponseCode::TOPIC_NOT_EXIST => true,
        // Brokers before 5.2 say so with a general code.
        ResponseCode::INVALID_PARAMETER | ResponseCode::SYSTEM_ERROR => {
            let remark = remark.as_deref().unwrap_or_default();
            remark.contains("queueId") && remark.contains("is illegal")
        }
        _ => false,
    }
}

/// Where a message was stored, by an answer that says that it was.
fn place(fields: Result<ReplyFields, HeaderError>) -> Result<SendReply, Failure> {
    let below = |field, value: i64| {
        let error = HeaderError::invalid(field, &value.to_string(), "a number from 0 on");
        Err(Failure::Unreadable(error))
    };
    match fields {
        Ok(ReplyFields::Send(fields)) if fields.queue_id < 0 => {
            below("queueId", i64::from(fields.queue_id))
        }
        Ok(ReplyFields::Send(fields)) if fields.queue_offset < 0 => {
            below("queueOffset", fields.queue_offset)
        }
        Ok(ReplyFields::Send(fields)) => Ok(fields),
        Ok(_) => Err(Failure::Body(Arc::from("no fields"))),
        Err(error) => Err(Failure::Unreadable(error)),
    }
}
