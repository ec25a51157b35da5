//! Sends: from the application's call over routes and connections to its event.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::{Engine, Event, Note, Operation, TimerKind};
use crate::error::{Failure, Lack, Refused, SendError, Stored, is_retriable_send};
use crate::frame::reply::SendReply;
use crate::frame::{
    HeaderError, Kind, Opaque, OutFrame, Payload, Reply, ReplyFields, ResponseCode,
};
use crate::id::BrokerId;
use crate::id::{OpId, PeerId};
use crate::message::Publish;
use crate::producer::{Aim, FRAME, Send, SendOptions, SendReceipt, SendStatus, choose};
use crate::query::Query;
use crate::remoting::{Call, Purpose};
use crate::route::{RouteQueue, Wait};
use crate::time::Instant;

/// Pause after a busy broker's first refusal; it doubles up to [`BUSY_MAX`].
const BUSY_MIN: Duration = Duration::from_millis(50);
const BUSY_MAX: Duration = Duration::from_millis(500);
/// A route that was told so long ago is looked up again before it ends a send.
const STALE: Duration = Duration::from_secs(1);
/// Tries of a send whose queues are not there, a look-up between each two: a broker that has
/// fewer queues now refuses the others before it has told its nameservers.
const ASTRAY: u32 = 4;
/// What ends one of a broker's connections often ends all: so much later it is known which.
const SETTLE: Duration = Duration::from_millis(50);

impl Engine {
    /// Sends one message, or one batch: to the next queue of its topic in turn, with one more try
    /// on another queue where that may help. Ends in one [`Event::Sent`] by `send_timeout`,
    /// whatever happens.
    pub fn send(&mut self, now: Instant, publish: Arc<Publish>) -> Result<OpId, Refused> {
        self.send_with(now, publish, SendOptions::default())
    }

    /// As [`send`](Self::send), to a queue and with a deadline of its own; a oneway send ends in
    /// [`Event::Handed`] instead, unless it fails: at once where its connection is there and fewer
    /// than 256 KiB of such messages wait for the writer.
    pub fn send_with(
        &mut self,
        now: Instant,
        publish: Arc<Publish>,
        options: SendOptions,
    ) -> Result<OpId, Refused> {
        let now = self.tick(now);
        let within = options.timeout.unwrap_or(self.ctx.fx.config.send_timeout);
        let timed = if within.is_zero() { Err(Refused::NoTime) } else { Ok(()) };
        let admitted = timed.and_then(|()| self.admit());
        admitted.and_then(|()| self.admit_bytes(publish.wire_size())).inspect_err(|_| {
            self.ctx.fx.counters.calls_refused += 1;
        })?;
        self.ctx.fx.counters.sends_begun += 1;
        let limit = self.try_limit(&options, within);
        let op = self.operations.insert_with(|op| {
            let limit = limit.filter(|limit| *limit < within);
            let timer =
                self.ctx.fx.timers.after(now, limit.unwrap_or(within), TimerKind::Deadline(op));
            let times = (timer, now + within, limit);
            Operation::Send(Box::new(Send::new(publish, options, now, times)))
        });
        if self.is_first(op) {
            self.route_send(op);
            self.begin_next();
        }
        Ok(op)
    }

    pub(super) fn admit(&self) -> Result<(), Refused> {
        let most = self.ctx.fx.config.max_pending;
        if !self.life.is_running() {
            Err(Refused::Stopped)
        } else if self.operations.len() >= most {
            Err(Refused::Full(most))
        } else {
            Ok(())
        }
    }

    /// Calls, and bytes of messages, that would still be taken before one is refused as full
    /// ([`Refused::Full`], [`Refused::FullOfBytes`]). While nothing is being sent, a message of any
    /// size is taken.
    pub fn room(&self) -> (usize, usize) {
        let config = &self.ctx.fx.config;
        let calls = config.max_pending.saturating_sub(self.operations.len());
        let bytes = config.max_pending_bytes.saturating_sub(self.sending);
        (calls, if self.sending == 0 { usize::MAX } else { bytes })
    }

    /// Makes room for a message of `size` bytes; a message larger than all there is may go alone.
    fn admit_bytes(&mut self, size: usize) -> Result<(), Refused> {
        let most = self.ctx.fx.config.max_pending_bytes;
        if self.sending > 0 && self.sending + size > most {
            return Err(Refused::FullOfBytes(most));
        }
        self.sending += size;
        Ok(())
    }

    pub(super) fn send_of(&mut self, op: OpId) -> Option<&mut Send> {
        match self.operations.get_mut(op)? {
            Operation::Send(send) => Some(send),
            Operation::Ask(_) => None,
        }
    }

    /// Gives the message to a queue, or has its topic looked up first.
    pub(super) fn route_send(&mut self, op: OpId) {
        let Some(Operation::Send(send)) = self.operations.get(op) else { return };
        let topic = send.publish.topic();
        if self.routes.serve(topic).is_none() {
            let topic = topic.clone();
            return self.want_route(&topic, Some((op, Wait::Route)));
        }
        let (peer, broker, queue) = match self.aimed(op) {
            Ok(aimed) => aimed,
            Err(lack) => return self.wait_for_queue(op, lack),
        };
        let Some(Operation::Send(send)) = self.operations.get(op) else { return };
        let (keep, oneway) = (send.aim.is_fixed().then_some(queue as usize), send.oneway);
        let wide = send.is_wide();
        let (peers, fx) = self.ctx.peers();
        let peer = match wide {
            true => peers.wide(peer),
            false => peers.lane(fx, peer, keep),
        };
        if oneway && self.queue_oneway(op, peer, broker, queue) {
            return;
        }
        let name = self.brokers.name(broker).clone();
        let call = Call::new(peer, Purpose::Send(op));
        let opaque = self.ctx.remoting.calls.open(Kind::Send, call);
        let now = self.ctx.fx.now;
        let Some(send) = self.send_of(op) else { return };
        (send.at, send.call, send.tried) = (Some((broker, queue)), Some(opaque), now);
        let publish = send.publish.clone();
        let payload = Payload::Publish { publish, queue, broker: name, oneway };
        let (peers, fx) = self.ctx.peers();
        peers.count_send(peer, 1);
        peers.send(fx, peer, OutFrame { opaque, payload });
    }

    /// The route has no queue for a send. What heals by itself is waited for until the deadline;
    /// what somebody has set so ends the send, once the route is known to be a fresh one.
    fn wait_for_queue(&mut self, op: OpId, lack: Lack) {
        let Some(Operation::Send(send)) = self.operations.get(op) else { return };
        let (topic, ids) = (send.publish.topic().clone(), send.publish.ids());
        if !lack.is_lasting() {
            self.want_route(&topic, Some((op, Wait::Change)));
        } else if !self.routes.is_fresh(self.ctx.fx.now, &topic, STALE) {
            self.want_route(&topic, Some((op, Wait::News)));
        } else {
            let (stored, attempts, _) = self.detach_send(op);
            let (lack, ids) = (Box::new(lack), Some(ids));
            let error = SendError::NotWritable { topic, lack, stored, ids, attempts };
            self.end_send(op, Err(error));
        }
    }

    /// Where the next try of a send goes: to which peer, as which queue of which broker.
    pub(super) fn aimed(&mut self, op: OpId) -> Result<(PeerId, BrokerId, i32), Lack> {
        let Some(Operation::Send(send)) = self.operations.get(op) else {
            return Err(Lack::Queues);
        };
        let (topic, last) = (send.publish.topic(), send.at);
        let (broker, queue) = match &send.aim {
            Aim::Queue { broker, queue } => match self.brokers.id(broker) {
                Some(id) => (id, *queue),
                None => return Err(Lack::Broker { broker: broker.clone() }),
            },
            Aim::Hash(hash) => {
                let route = self.routes.known(topic).ok_or(Lack::Queues)?;
                // Java's remainder keeps the sign, and its `abs` drops it.
                let at = i64::from(*hash).checked_rem(route.writable.len() as i64);
                let at = at.ok_or_else(|| route.lack())?.unsigned_abs();
                let chosen = route.writable[at as usize];
                (chosen.broker, chosen.queue as i32)
            }
            aim @ (Aim::InTurn | Aim::Random) => {
                let (route, mut turn) = self.routes.turn(topic).ok_or(Lack::Queues)?;
                if *aim == Aim::Random {
                    turn = self.ctx.fx.rng.next_u64() as u32;
                }
                let (peers, brokers, healths) =
                    (&self.ctx.remoting.peers, &self.brokers, &self.healths);
                let (isolates, now) = (self.ctx.fx.config.fault_isolation, self.ctx.fx.now);
                let passed = Cell::new(None);
                let is_down = |broker| {
                    let master = brokers.master(broker);
                    let down = master.is_none_or(|p| peers.is_down(p));
                    if down {
                        passed.set(master);
                    }
                    let slow = master.is_some_and(|p| peers.is_slow(p));
                    down || slow || (isolates && healths.is_isolated(now, broker))
                };
                let last = last.map(|(broker, queue)| RouteQueue { broker, queue: queue as u32 });
                let has_it = |broker| send.has_left_for(broker);
                let chosen = choose(&route, turn, last, &has_it, &is_down);
                let chosen = chosen.ok_or_else(|| route.lack())?;
                if let Some(down) = passed.take() {
                    let (peers, fx) = self.ctx.peers();
                    peers.probe(fx, down);
                }
                (chosen.broker, chosen.queue as i32)
            }
        };
        let master = self.brokers.master(broker).ok_or_else(|| self.brokers.lack(broker))?;
        Ok((master, broker, queue))
    }

    /// Gives a oneway message to the queue of a connection that is there and has room for it: that
    /// ends the call. Nobody will hear of it, so it takes no place among the calls.
    fn queue_oneway(&mut self, op: OpId, peer: PeerId, broker: BrokerId, queue: i32) -> bool {
        let Some(Operation::Send(send)) = self.operations.get(op) else { return false };
        if !self.ctx.remoting.peers.takes_oneway(peer, send.publish.wire_size()) {
            return false;
        }
        let (publish, opaque) = (send.publish.clone(), self.ctx.remoting.calls.skip(Kind::Oneway));
        let broker = self.brokers.name(broker).clone();
        let payload = Payload::Publish { publish, queue, broker, oneway: true };
        let (peers, fx) = self.ctx.peers();
        peers.send_oneway(fx, peer, OutFrame { opaque, payload });
        self.end_oneway(op);
        true
    }

    /// The frames that waited for a connection that is gone: calls know of theirs, and of oneway
    /// messages nobody does.
    pub(super) fn lose_oneway(&mut self, peer: PeerId, queued: VecDeque<OutFrame>) {
        let messages: Vec<_> = queued.into_iter().filter_map(OutFrame::into_oneway).collect();
        if !messages.is_empty() {
            self.ctx.fx.counters.oneway_lost += messages.len() as u64;
            let endpoint = self.ctx.remoting.peers.endpoint(peer).clone();
            self.ctx.fx.note(Note::OnewayLost { endpoint, count: messages.len() });
            self.ctx.fx.event(Event::OnewayLost { messages });
        }
    }

    fn end_oneway(&mut self, op: OpId) {
        if let Some(Operation::Send(send)) = self.remove(op) {
            self.ctx.fx.counters.sends_handed += 1;
            self.ctx.fx.event(Event::Handed { op, publish: send.publish });
        }
    }

    /// A oneway frame is handed out, if its call has not ended: that ends it.
    pub(super) fn handed(&mut self, opaque: Opaque) -> bool {
        let Some(call) = self.ctx.remoting.calls.close(opaque) else { return false };
        self.ctx.remoting.peers.count_send(call.peer, -1);
        let Purpose::Send(op) = call.purpose else { return false };
        self.end_oneway(op);
        true
    }

    /// Nobody waits for the answer to a send's request any more.
    pub(super) fn close_send(&mut self, opaque: Opaque) -> Option<Call> {
        let call = self.ctx.give_up(opaque)?;
        self.ctx.remoting.peers.count_send(call.peer, -1);
        Some(call)
    }

    /// Takes a call of the application out of the table, with its deadline and the room it took.
    pub(super) fn remove(&mut self, op: OpId) -> Option<Operation> {
        let operation = self.operations.remove(op)?;
        self.ctx.fx.timers.cancel(operation.timer());
        if let Operation::Send(send) = &operation {
            self.sending -= send.publish.wire_size();
            let earlier = send.earlier.iter().map(|one| one.opaque);
            for opaque in earlier.chain(send.call) {
                self.close_send(opaque);
            }
            if let Some(key) = send.line.clone() {
                self.lines.leave(key, op, |op| self.operations.get(op).is_some());
            }
        }
        Some(operation)
    }

    /// The broker answered.
    pub(super) fn send_answered(&mut self, peer: PeerId, op: OpId, opaque: Opaque, reply: Reply) {
        let Some(status) = SendStatus::of(reply.code) else {
            let code = reply.code;
            let failure = Failure::Refused { code, remark: reply.remark.map(Arc::from) };
            return self.send_failed(peer, op, opaque, failure, Stored::No);
        };
        let fields = match place(reply.fields) {
            Ok(fields) => fields,
            Err(failure) => return self.send_failed(peer, op, opaque, failure, Stored::Yes),
        };
        let Some(Operation::Send(send)) = self.operations.get(op) else { return };
        let Some((broker, _)) = send.at else { return };
        let late = send.earlier.iter().find(|one| one.opaque == opaque).map(|one| one.broker);
        if late.is_some() {
            self.forget_try(op);
        } else {
            let (now, config) = (self.ctx.fx.now, &self.ctx.fx.config);
            self.healths.answered(now, broker, now.since(send.tried));
            let retries = config.retry_not_ok && send.tries + 1 < config.send_attempts;
            if status != SendStatus::Ok && retries {
                return self.send_elsewhere(op);
            }
        }
        let Some(Operation::Send(send)) = self.operations.get(op) else { return };
        let broker = late.unwrap_or(broker);
        let receipt = SendReceipt {
            status,
            topic: send.publish.topic().clone(),
            broker: self.brokers.name(broker).clone(),
            queue: fields.queue_id,
            offset: fields.queue_offset,
            message_id: send.publish.unique_id(),
            offset_message_id: fields.msg_id,
            batch: send.publish.batch_ids().cloned(),
        };
        let created = self.routes.known(send.publish.topic()).is_some_and(|route| route.fallback);
        if created {
            // The broker has just created the topic: its own route will replace TBW102's.
            let topic = receipt.topic.clone();
            self.refresh_route(&topic);
        }
        self.end_send(op, Ok(receipt));
    }

    /// The message is stored, but not as well as asked for: another broker may do better.
    fn send_elsewhere(&mut self, op: OpId) {
        if let Some(send) = self.send_of(op) {
            (send.call, send.stored) = (None, Stored::Yes);
            send.tries += 1;
            self.route_send(op);
        }
    }

    /// One try came to nothing. `stored`: whether that try may have stored the message.
    pub(super) fn send_failed(
        &mut self,
        peer: PeerId,
        op: OpId,
        opaque: Opaque,
        why: Failure,
        stored: Stored,
    ) {
        let most = self.ctx.fx.config.send_attempts;
        let Some(Operation::Send(send)) = self.operations.get(op) else { return };
        let why = why.of_size(send.publish.wire_size());
        let attempt = self.ctx.attempt(peer, Some(opaque), why.clone());
        let astray = is_astray(&why);
        let Some(Operation::Send(send)) = self.operations.get_mut(op) else { return };
        send.attempts.push(attempt);
        send.stored = send.stored.max(stored);
        if send.call != Some(opaque) {
            // A try that had run out: another one is under way, or was the last.
            send.earlier.retain(|one| one.opaque != opaque);
            if send.earlier.is_empty() {
                self.end_failed(op);
            }
            return;
        }
        send.call = None;
        self.ctx.fx.counters.tries_failed += 1;
        if matches!(&why, Failure::Refused { code, .. } if *code == ResponseCode::SYSTEM_BUSY) {
            return self.pause_send(op);
        }
        // A broker that goes away has done nothing, and says so.
        if !matches!(why, Failure::Connect(_)) && !why.is_farewell() {
            send.tries += 1;
        }
        if let Some((broker, _)) = send.at {
            self.healths.failed(self.ctx.fx.now, broker);
        }
        let again = match &why {
            Failure::Connect(_) | Failure::Closed(_) | Failure::Cut(_) => true,
            // Where the queue is not there, another route may have one; but not this very queue.
            Failure::Refused { .. } if astray => !matches!(send.aim, Aim::Queue { .. }),
            Failure::Refused { code, .. } => is_retriable_send(*code),
            Failure::Unreadable(_)
            | Failure::Body(_)
            | Failure::TimedOut(_)
            | Failure::Fetch(_) => false,
        };
        if astray {
            let waits = again && send.tries < most.max(ASTRAY);
            let topic = send.publish.topic().clone();
            self.want_route(&topic, waits.then_some((op, Wait::News)));
            if waits {
                return;
            }
        }
        let Some(Operation::Send(send)) = self.operations.get_mut(op) else { return };
        if again && send.tries < most {
            if matches!(why, Failure::Closed(_)) && self.ctx.remoting.peers.has_twins(peer) {
                let at = self.ctx.fx.now + SETTLE;
                send.pause = Some(self.ctx.fx.timers.at(at, TimerKind::Resend(op)));
                return;
            }
            return self.route_send(op);
        }
        send.failed = Some(why);
        if send.earlier.is_empty() {
            self.end_failed(op);
        }
    }

    /// Ends a send whose last try failed, if it did.
    pub(super) fn end_failed(&mut self, op: OpId) -> bool {
        let Some(send) = self.send_of(op) else { return false };
        let Some(why) = send.failed.take() else { return false };
        let error = spent(send, why);
        self.end_send(op, Err(error));
        true
    }

    /// A busy broker has stored nothing and says so at once: it is given time, and the deadline
    /// alone ends the tries (SYSTEM_BUSY of a broker that has just started lasts for seconds).
    fn pause_send(&mut self, op: OpId) {
        let Some(Operation::Send(send)) = self.operations.get_mut(op) else { return };
        let pause = BUSY_MIN.saturating_mul(1 << send.busy.min(8)).min(BUSY_MAX);
        let at = self.ctx.fx.now + self.ctx.fx.rng.jitter(pause);
        send.busy += 1;
        send.pause = Some(self.ctx.fx.timers.at(at, TimerKind::Resend(op)));
    }

    /// The pause after a busy broker's refusal is over.
    pub(super) fn send_pause_over(&mut self, op: OpId) {
        if let Some(send) = self.send_of(op) {
            send.pause = None;
            self.route_send(op);
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

impl Operation {
    /// Whether it is content with a topic that a broker would create.
    pub(super) const fn creates(&self) -> bool {
        match self {
            Self::Send(_) => true,
            Self::Ask(asked) => matches!(asked.query, Query::Writable(_)),
        }
    }

    /// When it has to end.
    pub(super) const fn deadline(&self) -> Instant {
        match self {
            Self::Send(send) => send.deadline,
            Self::Ask(asked) => asked.deadline,
        }
    }

    /// The request on its way, if there is one.
    pub(super) const fn call(&self) -> Option<Opaque> {
        match self {
            Self::Send(send) => send.call,
            Self::Ask(asked) => asked.call,
        }
    }

    pub(super) const fn timer(&self) -> crate::timer::TimerKey {
        match self {
            Self::Send(send) => send.timer,
            Self::Ask(asked) => asked.timer,
        }
    }
}
