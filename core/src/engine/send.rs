//! Sends: from the application's call over routes and connections to its event.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::ends::place;
use super::{Engine, Event, Note, Operation, TimerKind};
use crate::broker::BrokerId;
use crate::call::{Call, Purpose};
use crate::error::{Attempts, Failure, QueryError, Refused, SendError, Stored, is_retriable_send};
use crate::frame::{Kind, Opaque, OutFrame, Payload, Reply, ResponseCode};
use crate::id::{OpId, PeerId};
use crate::message::Publish;
use crate::producer::{Aim, FRAME, Send, SendOptions, SendReceipt, SendStatus, choose};
use crate::query::Query;
use crate::route::RouteQueue;
use crate::time::Instant;

/// Pause after a busy broker's first refusal; it doubles up to [`BUSY_MAX`].
const BUSY_MIN: Duration = Duration::from_millis(50);
const BUSY_MAX: Duration = Duration::from_millis(500);
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
        let within = options.timeout.unwrap_or(self.ground.config.send_timeout);
        let timed = if within.is_zero() { Err(Refused::NoTime) } else { Ok(()) };
        let admitted = timed.and_then(|()| self.admit());
        admitted.and_then(|()| self.admit_bytes(publish.wire_size())).inspect_err(|_| {
            self.counters.calls_refused += 1;
        })?;
        self.counters.sends_begun += 1;
        let limit = self.try_limit(&options, within);
        let op = self.operations.insert_with(|op| {
            let limit = limit.filter(|limit| *limit < within);
            let timer = self.timers.after(now, limit.unwrap_or(within), TimerKind::Deadline(op));
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
        let most = self.ground.config.max_pending;
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
        let config = &self.ground.config;
        let calls = config.max_pending.saturating_sub(self.operations.len());
        let bytes = config.max_pending_bytes.saturating_sub(self.sending);
        (calls, if self.sending == 0 { usize::MAX } else { bytes })
    }

    /// Makes room for a message of `size` bytes; a message larger than all there is may go alone.
    fn admit_bytes(&mut self, size: usize) -> Result<(), Refused> {
        let most = self.ground.config.max_pending_bytes;
        if self.sending > 0 && self.sending + size > most {
            return Err(Refused::FullOfBytes(most));
        }
        self.sending += size;
        Ok(())
    }

    /// Whether the operation is content with a topic that a broker would create.
    pub(super) fn creates(&self, op: OpId) -> bool {
        match self.operations.get(op) {
            Some(Operation::Send(_)) => true,
            Some(Operation::Ask(asked)) => matches!(asked.query, Query::Writable(_)),
            None => false,
        }
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
        if self.routes.known(topic).is_none() {
            let topic = topic.clone();
            return self.want_route(&topic, Some(op));
        }
        let Some((peer, broker, queue)) = self.aimed(op) else {
            let Some(send) = self.send_of(op) else { return };
            let topic = send.publish.topic().clone();
            return self.end_send(op, Err(SendError::NotWritable { topic }));
        };
        let Some(Operation::Send(send)) = self.operations.get(op) else { return };
        let (keep, oneway) = (send.aim.is_fixed().then_some(queue as usize), send.oneway);
        let wide = send.is_wide();
        let (peers, mut ctx) = self.peers();
        let peer = match wide {
            true => peers.wide(peer),
            false => peers.lane(&mut ctx, peer, keep),
        };
        if oneway && self.queue_oneway(op, peer, broker, queue) {
            return;
        }
        let name = self.brokers.name(broker).clone();
        let call = Call::new(peer, Purpose::Send(op));
        let opaque = self.calls.open(Kind::Send, call);
        let now = self.ground.now;
        let Some(send) = self.send_of(op) else { return };
        (send.at, send.call, send.tried) = (Some((broker, queue)), Some(opaque), now);
        let publish = send.publish.clone();
        let payload = Payload::Publish { publish, queue, broker: name, oneway };
        let (peers, mut ctx) = self.peers();
        peers.count_send(peer, 1);
        peers.send(&mut ctx, peer, OutFrame { opaque, payload });
    }

    /// Where the next try of a send goes: to which peer, as which queue of which broker.
    fn aimed(&mut self, op: OpId) -> Option<(PeerId, BrokerId, i32)> {
        let Some(Operation::Send(send)) = self.operations.get(op) else { return None };
        let (topic, last) = (send.publish.topic(), send.at);
        let (broker, queue) = match &send.aim {
            Aim::Queue { broker, queue } => (self.brokers.id(broker)?, *queue),
            Aim::Hash(hash) => {
                let writable = &self.routes.known(topic)?.writable;
                // Java's remainder keeps the sign, and its `abs` drops it.
                let at = i64::from(*hash).checked_rem(writable.len() as i64)?.unsigned_abs();
                let chosen = writable[at as usize];
                (chosen.broker, chosen.queue as i32)
            }
            aim @ (Aim::InTurn | Aim::Random) => {
                let (route, mut turn) = self.routes.turn(topic)?;
                if *aim == Aim::Random {
                    turn = self.ground.rng.next_u64() as u32;
                }
                let (peers, brokers, healths) = (&self.peers, &self.brokers, &self.healths);
                let (isolates, now) = (self.ground.config.fault_isolation, self.ground.now);
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
                let chosen = choose(&route, turn, last, &is_down)?;
                if let Some(down) = passed.take() {
                    let (peers, mut ctx) = self.peers();
                    peers.probe(&mut ctx, down);
                }
                (chosen.broker, chosen.queue as i32)
            }
        };
        Some((self.brokers.master(broker)?, broker, queue))
    }

    /// Gives a oneway message to the queue of a connection that is there and has room for it: that
    /// ends the call. Nobody will hear of it, so it takes no place among the calls.
    fn queue_oneway(&mut self, op: OpId, peer: PeerId, broker: BrokerId, queue: i32) -> bool {
        let Some(Operation::Send(send)) = self.operations.get(op) else { return false };
        if !self.peers.takes_oneway(peer, send.publish.wire_size()) {
            return false;
        }
        let (publish, opaque) = (send.publish.clone(), self.calls.skip(Kind::Oneway));
        let broker = self.brokers.name(broker).clone();
        let payload = Payload::Publish { publish, queue, broker, oneway: true };
        let (peers, mut ctx) = self.peers();
        peers.send_oneway(&mut ctx, peer, OutFrame { opaque, payload });
        self.end_oneway(op);
        true
    }

    /// The frames that waited for a connection that is gone: calls know of theirs, and of oneway
    /// messages nobody does.
    pub(super) fn lose_oneway(&mut self, peer: PeerId, queued: VecDeque<OutFrame>) {
        let messages: Vec<_> = queued.into_iter().filter_map(OutFrame::into_oneway).collect();
        if !messages.is_empty() {
            self.counters.oneway_lost += messages.len() as u64;
            let endpoint = self.peers.endpoint(peer).clone();
            self.out.note(Note::OnewayLost { endpoint, count: messages.len() });
            self.out.event(Event::OnewayLost { messages });
        }
    }

    fn end_oneway(&mut self, op: OpId) {
        if let Some(Operation::Send(send)) = self.remove(op) {
            self.counters.sends_handed += 1;
            self.out.event(Event::Handed { op, publish: send.publish });
        }
    }

    /// A oneway frame is handed out, if its call has not ended: that ends it.
    pub(super) fn handed(&mut self, opaque: Opaque) -> bool {
        let Some(call) = self.calls.close(opaque) else { return false };
        self.peers.count_send(call.peer, -1);
        let Purpose::Send(op) = call.purpose else { return false };
        self.end_oneway(op);
        true
    }

    /// Takes a call of the application out of the table, with its deadline and the room it took.
    pub(super) fn remove(&mut self, op: OpId) -> Option<Operation> {
        let operation = self.operations.remove(op)?;
        self.timers.cancel(operation.timer());
        if let Operation::Send(send) = &operation {
            self.sending -= send.publish.wire_size();
            let earlier = send.earlier.iter().map(|one| one.opaque);
            for opaque in earlier.chain(send.call) {
                if let Some(call) = self.calls.close(opaque) {
                    self.peers.count_send(call.peer, -1);
                }
            }
        }
        if let Operation::Send(send) = &operation
            && let Some(key) = send.line.clone()
        {
            self.lines.leave(key, op, |op| self.operations.get(op).is_some());
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
        let late = send.earlier.iter().find(|one| one.opaque == opaque).map(|one| one.broker);
        let Some(broker) = late.or(send.at.map(|(broker, _)| broker)) else { return };
        if late.is_none() {
            let now = self.ground.now;
            self.healths.answered(now, broker, now.since(send.tried));
            let config = &self.ground.config;
            let retries = config.retry_not_ok && send.tries + 1 < config.send_attempts;
            if status != SendStatus::Ok && retries {
                return self.send_elsewhere(op);
            }
        }
        let Some(Operation::Send(send)) = self.operations.get(op) else { return };
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
        let most = self.ground.config.send_attempts;
        let Some(Operation::Send(send)) = self.operations.get(op) else { return };
        let why = why.of_size(send.publish.wire_size());
        let attempt = self.attempt(peer, Some(opaque), why.clone());
        let Some(Operation::Send(send)) = self.operations.get_mut(op) else { return };
        send.attempts.push(attempt);
        send.stored = send.stored.max(stored);
        if send.call != Some(opaque) {
            // A try that had run out: another one is under way.
            return send.earlier.retain(|one| one.opaque != opaque);
        }
        send.call = None;
        self.counters.tries_failed += 1;
        if matches!(&why, Failure::Refused { code, .. } if *code == ResponseCode::SYSTEM_BUSY) {
            return self.pause_send(op);
        }
        // A broker that goes away has done nothing, and says so.
        if !matches!(why, Failure::Connect(_)) && !why.is_farewell() {
            send.tries += 1;
        }
        if let Some((broker, _)) = send.at {
            self.healths.failed(self.ground.now, broker);
        }
        let again = match &why {
            Failure::Connect(_) | Failure::Closed(_) | Failure::Cut(_) => true,
            Failure::Refused { code, .. } => is_retriable_send(*code),
            Failure::Unreadable(_)
            | Failure::Body(_)
            | Failure::TimedOut(_)
            | Failure::Fetch(_) => false,
        };
        if again && send.tries < most {
            if matches!(why, Failure::Closed(_)) && self.peers.has_twins(peer) {
                let at = self.ground.now + SETTLE;
                send.pause = Some(self.timers.at(at, TimerKind::Resend(op)));
                return;
            }
            return self.route_send(op);
        }
        let (topic, ids, stored) = (send.publish.topic().clone(), send.publish.ids(), send.known());
        let size = send.publish.wire_size();
        let attempts = std::mem::take(&mut send.attempts);
        let error = match why {
            Failure::Refused { code, .. } => {
                SendError::Rejected { topic, code, stored, ids, attempts }
            }
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
        };
        self.end_send(op, Err(error));
    }

    /// A busy broker has stored nothing and says so at once: it is given time, and the deadline
    /// alone ends the tries (SYSTEM_BUSY of a broker that has just started lasts for seconds).
    fn pause_send(&mut self, op: OpId) {
        let Some(Operation::Send(send)) = self.operations.get_mut(op) else { return };
        let pause = BUSY_MIN.saturating_mul(1 << send.busy.min(8)).min(BUSY_MAX);
        let at = self.ground.now + self.ground.rng.jitter(pause);
        send.busy += 1;
        send.pause = Some(self.timers.at(at, TimerKind::Resend(op)));
    }

    /// The pause after a busy broker's refusal is over.
    pub(super) fn send_pause_over(&mut self, op: OpId) {
        if let Some(send) = self.send_of(op) {
            send.pause = None;
            self.route_send(op);
        }
    }

    /// The deadline of a call has come.
    pub(super) fn deadline(&mut self, op: OpId) {
        let call = self.operations.get(op).and_then(Operation::call);
        let asked = call.and_then(|opaque| self.calls.find(opaque)).map(|call| call.peer);
        match self.operations.get(op) {
            Some(Operation::Send(send)) if self.ground.now < send.until => {
                return self.try_over(op);
            }
            Some(Operation::Send(send)) => {
                let (topic, ids) = (send.publish.topic().clone(), send.publish.ids());
                let refused = send.pause.is_some() && send.is_refused();
                let error = match self.detach_send(op) {
                    (stored, attempts, _) if refused => {
                        let code = ResponseCode::SYSTEM_BUSY;
                        SendError::Rejected { topic, code, stored, ids, attempts }
                    }
                    (stored, attempts, true) => {
                        SendError::TimedOut { topic, stored, ids, attempts }
                    }
                    (Stored::No, attempts, false) => SendError::NoRoute { topic, attempts },
                    (stored, attempts, false) => {
                        SendError::TimedOut { topic, stored, ids, attempts }
                    }
                };
                self.end_send(op, Err(error));
            }
            Some(Operation::Ask(asked)) => {
                let (topic, mut attempts) = (asked.query.topic().cloned(), asked.attempts.clone());
                let (call, since) = (asked.call, asked.since);
                if let Some(topic) = topic {
                    attempts.extend(&self.routes.forget(&topic, op));
                }
                let closed = call.and_then(|opaque| self.calls.close(opaque));
                self.blame_for(&mut attempts, call.zip(closed.as_ref()), since);
                self.end_ask(op, Err(QueryError::TimedOut { attempts }));
            }
            None => {}
        }
        if let Some(peer) = asked {
            self.suspect(peer);
        }
    }

    /// Takes a send off whatever it waits for. Gives whether it may be stored, what was tried, and
    /// whether its topic had a route.
    pub(super) fn detach_send(&mut self, op: OpId) -> (Stored, Attempts, bool) {
        let Some(Operation::Send(send)) = self.operations.get(op) else {
            return (Stored::No, Attempts::default(), false);
        };
        let (mut stored, mut attempts) = (send.known(), send.attempts.clone());
        let (topic, call, since) = (send.publish.topic().clone(), send.call, send.since);
        let behind = send.behind;
        let (pausing, at) = (send.pause.is_some() || send.behind, send.at);
        let closed = call.and_then(|opaque| self.calls.close(opaque));
        if let Some(call) = &closed {
            self.peers.count_send(call.peer, -1);
            if call.has_left() {
                stored = stored.max(Stored::Unknown);
                if let Some((broker, _)) = at {
                    self.healths.failed(self.ground.now, broker);
                }
            }
        }
        if let Some(Operation::Send(send)) = self.operations.get_mut(op) {
            send.call = None;
            if let Some(pause) = send.pause.take() {
                self.timers.cancel(pause);
            }
        }
        attempts.extend(&self.routes.forget(&topic, op));
        if !pausing {
            self.blame_for(&mut attempts, call.zip(closed.as_ref()), since);
        }
        (stored, attempts, behind || self.routes.known(&topic).is_some())
    }
}

impl Operation {
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
