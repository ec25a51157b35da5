//! Ends of transactions, as brokers are told of them (`EndTransactionProcessor`).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::by_id::take;
use super::machine::{Half, Place};
use super::{Resolution, TransactionReceipt, TransactionState, Transactions};
use crate::effects::{Event, Note, OpKind, Planted, TimerKind};
use crate::error::{Attempt, Failure, TransactionError};
use crate::frame::request::{EndTransactionRequest, QueryMessageRequest};
use crate::frame::{Kind, Opaque, Reply, Request, ResponseCode};
use crate::id::{ConnectionId, OpId, PeerId};
use crate::message::{RecordList, UniqueId};
use crate::remoting::{Body, Call, Context, HalfAsk, Purpose};
use crate::route::Known;
use crate::timer::TimerKey;

/// Brokers ask about a half message that is older than 6 s (`transactionTimeOut`), and may ask
/// another client of the group, which may have it committed: it is looked for first then.
const OTHERS_ASKED: Duration = Duration::from_secs(5);
/// Messages of one key that are looked at. Brokers have an own number for unique ids.
const LOOKED_AT: i32 = 32;

/// The question whether a message is in its topic.
pub(super) fn look_for(topic: Arc<str>, key: Arc<str>, broker: Option<Arc<str>>) -> Request {
    Request::QueryMessage(QueryMessageRequest {
        topic,
        key,
        max_messages: LOOKED_AT,
        begin_timestamp: 0,
        end_timestamp: i64::MAX,
        unique: Some(true),
        broker,
        ..QueryMessageRequest::default()
    })
}

/// Whether these messages have that one among them: hashes of keys may be the same.
pub(super) fn holds(messages: &Bytes, id: &str) -> bool {
    let found = RecordList::cut(messages.clone());
    found.items().filter_map(|item| item.record()).any(|record| record.unique_id() == Some(id))
}

/// Whether a broker that answers so may look the next time.
const fn is_passing(code: ResponseCode) -> bool {
    matches!(
        code,
        ResponseCode::SYSTEM_BUSY | ResponseCode::SERVICE_NOT_AVAILABLE | ResponseCode::GO_AWAY
    )
}

/// The end of one transaction, on its way.
#[derive(Debug)]
pub(super) struct End {
    pub(super) id: UniqueId,
    resolution: Resolution,
    half: Box<Half>,
    /// By when it has to end.
    pub(super) timer: TimerKey,
    /// The request, unless it is not under way.
    call: Option<Opaque>,
    /// Whether the message was looked for.
    looked: bool,
    /// The last try.
    attempt: Option<Box<Attempt>>,
    /// Nobody wants to know how it ends.
    detached: bool,
}

impl Transactions {
    /// Ends a transaction, by the word of the application.
    pub(crate) fn resolve(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        id: UniqueId,
        resolution: Resolution,
    ) -> Result<OpId, TransactionError> {
        let half = self.halves.get(&id).filter(|half| half.place.is_some());
        let half = half.ok_or(TransactionError::Decided)?;
        if half.is_overdue(ctx.fx.now) {
            self.leave(ctx, id);
            return Err(TransactionError::Overdue);
        }
        let op = ctx.fx.ops.insert(OpKind::End);
        let Some(half) = self.take_half(ctx, id) else { return Err(TransactionError::Decided) };
        if resolution != Resolution::Unknown {
            self.keep(ctx, id, resolution, half.check_after);
        } else {
            self.counted.left += 1;
        }
        let timer = ctx.fx.after(ctx.fx.config.request_timeout, TimerKind::Deadline(op));
        let (call, attempt, looked, detached) = (None, None, false, false);
        if resolution == Resolution::Unknown {
            self.tell(ctx, known, id, &half, resolution);
        }
        let end = End { id, resolution, half, timer, call, looked, attempt, detached };
        self.ends.insert(op, end);
        *self.ending.entry(id).or_default() += 1;
        match resolution {
            Resolution::Unknown => self.finish(ctx, op, Ok(TransactionState::Unknown)),
            Resolution::Commit | Resolution::RollBack => self.send(ctx, known, op),
        }
        Ok(op)
    }

    /// Tells the broker, or that there is nobody to tell.
    fn send(&mut self, ctx: &mut Context, known: Known<'_>, op: OpId) {
        let Some(end) = self.ends.get_mut(op) else { return };
        let Some(peer) = whom(ctx, known, &end.half) else {
            return self.unconfirmed(ctx, op, false);
        };
        let commits = end.resolution == Resolution::Commit;
        let old = ctx.fx.now.since(end.half.since) >= OTHERS_ASKED;
        let (request, ask, kind) = if commits && old && !end.looked {
            let broker = end.half.place.as_ref().map(|place| place.broker.clone());
            let key = end.half.id_text(end.id);
            let request = look_for(end.half.topic.wire().clone(), key, broker);
            (request, HalfAsk::LookFirst(op), Kind::Fields)
        } else {
            self.verdicts.told(Some(ctx.fx.now), end.id);
            let end = end.half.end(end.id, end.resolution);
            (Request::EndTransaction(end), HalfAsk::End(op), Kind::Plain)
        };
        let purpose = Purpose::Half(ask);
        end.call = Some(ctx.ask_until_told(peer, purpose, kind, request, Bytes::new()));
        count(ctx, peer, ask, 1);
    }

    /// The broker says whether the message is in its topic already.
    fn looked_first(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        op: OpId,
        (reply, body): (Reply, Body),
    ) {
        let Some(end) = self.ends.get_mut(op) else { return };
        end.call = None;
        end.looked = reply.code != ResponseCode::GO_AWAY;
        let found = matches!(&body, Body::Raw(body) if holds(body, end.id.as_str()));
        if reply.code != ResponseCode::SUCCESS || !found {
            return self.send(ctx, known, op);
        }
        self.counted.copies += 1;
        let rest = end.half.asked.take().map(|asked| asked.check.end(Resolution::RollBack));
        if let Some((rest, peer)) = rest.zip(whom(ctx, known, &end.half)) {
            self.say(ctx, peer, rest, Resolution::RollBack);
        }
        self.finish(ctx, op, Ok(TransactionState::Committed));
    }

    /// The same where nobody waits for what comes of it.
    pub(super) fn tell(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        id: UniqueId,
        half: &Half,
        resolution: Resolution,
    ) {
        if half.place.is_none() && half.asked.is_none() {
            return;
        }
        let Some(peer) = whom(ctx, known, half) else { return };
        self.say(ctx, peer, half.end(id, resolution), resolution);
    }

    /// Tells a peer how a half message ended.
    pub(super) fn say(
        &mut self,
        ctx: &mut Context,
        peer: PeerId,
        end: EndTransactionRequest,
        resolution: Resolution,
    ) {
        let request = Request::EndTransaction(end);
        if resolution == Resolution::Unknown {
            // No broker answers that.
            return ctx.tell(peer, request);
        }
        let purpose = Purpose::Half(HalfAsk::Told { commit: resolution == Resolution::Commit });
        let within = ctx.fx.config.request_timeout;
        ctx.ask(peer, purpose, Kind::Plain, request, Bytes::new(), within);
    }

    /// The broker answered.
    pub(crate) fn answered(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        peer: PeerId,
        ask: HalfAsk,
        (reply, body): (Reply, Body),
    ) {
        let op = match ask {
            HalfAsk::End(op) => op,
            HalfAsk::LookFirst(op) => {
                return self.looked_first(ctx, known, op, (reply, body));
            }
            HalfAsk::Look(check) => {
                return match reply.code {
                    ResponseCode::SUCCESS => self.looked(ctx, check, Some(body)),
                    code if is_passing(code) => self.looked(ctx, check, None),
                    // It is not there; or this broker never tells, as one whose account lets the
                    // client write and not read.
                    _ => self.looked(ctx, check, Some(Body::None)),
                };
            }
            HalfAsk::Commit(check) => {
                self.settled(check);
                return self.told(ctx, peer, true, reply);
            }
            HalfAsk::Told { commit } => return self.told(ctx, peer, commit, reply),
        };
        count(ctx, peer, ask, -1);
        let Some(end) = self.ends.get_mut(op) else { return };
        end.call = None;
        let remark = reply.remark.map(Into::into);
        match reply.code {
            ResponseCode::SUCCESS => {
                let state = match end.resolution {
                    Resolution::Commit => TransactionState::Committed,
                    _ => TransactionState::RolledBack,
                };
                self.finish(ctx, op, Ok(state));
            }
            // It was not looked at.
            ResponseCode::GO_AWAY => self.send(ctx, known, op),
            ResponseCode::ILLEGAL_OPERATION => {
                self.finish(ctx, op, Err(TransactionError::TooLate { remark }));
            }
            code => self.finish(ctx, op, Err(TransactionError::Rejected { code, remark })),
        }
    }

    /// What a broker says to an end that nobody waits for.
    fn told(&mut self, ctx: &mut Context, peer: PeerId, commit: bool, reply: Reply) {
        match reply.code {
            ResponseCode::SUCCESS if commit => self.counted.committed += 1,
            ResponseCode::SUCCESS => self.counted.rolled_back += 1,
            code => {
                self.counted.unconfirmed += 1;
                let endpoint = ctx.remoting.peers.endpoint(peer).clone();
                let reason = reply.remark.map(Into::into);
                ctx.fx.note(Note::EndRefused { endpoint, code, reason });
            }
        }
    }

    /// The request came to nothing.
    pub(crate) fn failed(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        peer: PeerId,
        ask: HalfAsk,
        failure: Failure,
    ) {
        let (op, told) = match ask {
            HalfAsk::End(op) => (op, true),
            HalfAsk::LookFirst(op) => (op, false),
            HalfAsk::Look(check) => return self.looked(ctx, check, None),
            HalfAsk::Commit(check) => {
                self.settled(check);
                self.counted.unconfirmed += 1;
                return;
            }
            HalfAsk::Told { .. } => {
                self.counted.unconfirmed += 1;
                return;
            }
        };
        count(ctx, peer, ask, -1);
        let Some(end) = self.ends.get_mut(op) else { return };
        let unseen = matches!(failure, Failure::Connect(_) | Failure::Cut(_));
        let attempt = ctx.attempt(peer, end.call.take(), failure);
        end.attempt = Some(Box::new(attempt));
        if unseen {
            self.verdicts.told(None, end.id);
        }
        if unseen || ctx.fx.plant.is(Planted::RepeatsEnds) {
            self.send(ctx, known, op);
        } else {
            self.unconfirmed(ctx, op, told);
        }
    }

    /// Its time is over.
    pub(crate) fn deadline(&mut self, ctx: &mut Context, op: OpId) {
        let Some(end) = self.ends.get_mut(op) else { return };
        let call = end.call.take().and_then(|opaque| Some((opaque, give_up(ctx, opaque)?)));
        let is_end = |call: &Call| call.purpose == Purpose::Half(HalfAsk::End(op));
        let told = call.as_ref().is_some_and(|(_, call)| call.has_left() && is_end(call));
        if let Some((opaque, call)) = call {
            let failure = Failure::TimedOut(ctx.fx.config.request_timeout);
            if told || end.attempt.is_none() {
                end.attempt = Some(Box::new(ctx.attempt(call.peer, Some(opaque), failure)));
            }
            ctx.suspect(call.peer);
        }
        self.unconfirmed(ctx, op, told);
    }

    /// Nobody wants to know any more how it ends.
    pub(crate) fn detach(&mut self, op: OpId) {
        if let Some(end) = self.ends.get_mut(op) {
            end.detached = true;
        }
    }

    /// The client stops.
    pub(crate) fn abandon(&mut self, ctx: &mut Context, op: OpId) {
        if let Some(opaque) = self.ends.get_mut(op).and_then(|end| end.call.take()) {
            give_up(ctx, opaque);
        }
        self.finish(ctx, op, Err(TransactionError::Stopped));
    }

    fn unconfirmed(&mut self, ctx: &mut Context, op: OpId, told: bool) {
        let Some(end) = self.ends.get_mut(op) else { return };
        let (resolution, attempt) = (end.resolution, end.attempt.take());
        let state = TransactionState::Unconfirmed { resolution, told, attempt };
        self.finish(ctx, op, Ok(state));
    }

    fn finish(
        &mut self,
        ctx: &mut Context,
        op: OpId,
        result: Result<TransactionState, TransactionError>,
    ) {
        let Some(End { id, half, timer, detached, .. }) = self.ends.remove(op) else { return };
        match self.ending.get_mut(&id) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) | None => drop(take(&mut self.ending, id)),
        }
        ctx.fx.ops.remove(op);
        ctx.fx.timers.cancel(timer);
        match &result {
            Ok(TransactionState::Committed) => self.counted.committed += 1,
            Ok(TransactionState::RolledBack) => self.counted.rolled_back += 1,
            Ok(TransactionState::Unknown) => {}
            Ok(TransactionState::Unconfirmed { .. }) | Err(_) => self.counted.unconfirmed += 1,
        }
        if !detached {
            let name = half.name;
            let result = result.map(|state| TransactionReceipt {
                state,
                message_id: id,
                transaction_id: name,
            });
            ctx.fx.event(Event::TransactionEnded { op, result });
        }
    }

    /// Whether a transaction's end is under way.
    pub(super) fn is_ending(&self, id: UniqueId) -> bool {
        self.ending.contains_key(&id)
    }

    /// The request of a call, if it is under way.
    pub(crate) fn call_of(&self, op: OpId) -> Option<Opaque> {
        self.ends.get(op).and_then(|end| end.call)
    }
}

/// Whom to tell of a half message: who asked about it, on the connection by which that came; else
/// the master of its broker.
fn whom(ctx: &Context, known: Known<'_>, half: &Half) -> Option<PeerId> {
    let stands =
        |peer: PeerId, conn: ConnectionId| ctx.remoting.peers.connection(peer) == Some(conn);
    let asked = half.asked.as_ref().filter(|asked| stands(asked.peer, asked.conn));
    let master = |Place { broker, .. }: &Place| {
        known.brokers.id(broker).and_then(|id| known.brokers.master(id))
    };
    asked.map(|asked| asked.peer).or_else(|| half.place.as_ref().and_then(master))
}

/// An end by the word of the application counts as a send on its connection: its caller waits for
/// it as for one, and it is written together with others.
fn count(ctx: &mut Context, peer: PeerId, ask: HalfAsk, change: i32) {
    if matches!(ask, HalfAsk::End(_)) {
        ctx.remoting.peers.count_send(peer, change);
    }
}

/// The request of an end is over: nobody wants its answer any more.
fn give_up(ctx: &mut Context, opaque: Opaque) -> Option<Call> {
    let call = ctx.give_up(opaque)?;
    if let Purpose::Half(ask) = &call.purpose {
        count(ctx, call.peer, *ask, -1);
    }
    Some(call)
}
