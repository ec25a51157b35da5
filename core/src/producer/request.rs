//! Messages that ask: sent as others are, and ended by the reply that a broker pushes
//! (`DefaultMQProducerImpl.request`, `RequestFutureHolder`).
//!
//! | state of a request | leaves on | to |
//! |---|---|---|
//! | Meeting | each broker of its topic that is there knows this client, or denies it | Sending |
//! | | a second, or a quarter of its time | Sending |
//! | | no such topic, the deadline | ended |
//! | Sending | its message is stored, or may be | Sent |
//! | | it is not | ended |
//! | Sending, Sent | the reply | ended |
//! | | the deadline | ended |
//!
//! Whoever answers gives the reply to a broker, which pushes it to the requester if that has told
//! it who it is: so brokers hear a heartbeat before the request leaves. Codes:
//! `PUSH_REPLY_MESSAGE_TO_CLIENT` (326), of brokers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::{Producers, SendOptions};
use crate::effects::{Cancelled, Event, Note, OpKind, PushedReply, SendOwner, TimerKind, Unrouted};
use crate::error::{RequestError, SendError, Stored};
use crate::id::{OpId, PeerId, Table};
use crate::message::{MessageIds, Publish};
use crate::name::Topic;
use crate::remoting::Context;
use crate::route::{Known, Route, Wait, Waiter, Ways};
use crate::time::Instant;
use crate::timer::TimerKey;

/// How long brokers are waited for that do not know this client.
const MEET: Duration = Duration::from_secs(1);

/// How far a request has come.
#[derive(Debug)]
enum Stage {
    /// Brokers are to know this client first. `routed`: which they are is known; `look`: until when
    /// they are waited for.
    Meeting { routed: bool, look: Option<TimerKey> },
    /// Its message is being sent.
    Sending { send: Option<OpId> },
    /// Its message is stored; or may be, by an end that said so.
    Sent { error: Option<Box<SendError>> },
}

/// One request.
#[derive(Debug)]
struct Request {
    /// Until it is being sent.
    waiting: Option<(Arc<Publish>, SendOptions)>,
    correlation: Arc<str>,
    topic: Topic,
    ids: MessageIds,
    since: Instant,
    deadline: Instant,
    timer: TimerKey,
    stage: Stage,
}

/// All requests that have no reply yet.
#[derive(Debug, Default)]
pub(super) struct Requests {
    open: Table<OpId, Box<Request>>,
    by_correlation: BTreeMap<Arc<str>, OpId>,
    /// Those that wait for brokers to know this client.
    meeting: BTreeSet<OpId>,
    /// Bytes of messages that are not being sent yet.
    bytes: usize,
}

impl Producers {
    /// How many requests have no reply yet, and the bytes of those whose message is not being sent.
    pub(crate) const fn requests(&self) -> (usize, usize) {
        (self.requests.open.len(), self.requests.bytes)
    }

    /// Whether a request with that correlation id has no reply yet.
    pub(crate) fn asks(&self, correlation: &str) -> bool {
        self.requests.by_correlation.contains_key(correlation)
    }

    /// The timers of requests.
    pub(super) fn request_timers(&self) -> impl Iterator<Item = TimerKey> {
        self.requests.open.iter().flat_map(|(_, request)| {
            let look = match request.stage {
                Stage::Meeting { look, .. } => look,
                Stage::Sending { .. } | Stage::Sent { .. } => None,
            };
            std::iter::once(request.timer).chain(look)
        })
    }

    /// Whether a reply may come by that peer, so that it has to know this client.
    pub(crate) fn awaits_replies_of(&self, known: Known<'_>, peer: PeerId) -> bool {
        let Requests { open, .. } = &self.requests;
        if open.len() == 0 {
            return false;
        }
        let brokers = known.brokers.with(peer);
        let routes = open.iter().filter_map(|(_, request)| known.routes.known(&request.topic));
        // Mostly all are to one topic: each route is looked at once, as long as they come in a row.
        let mut last: Option<&Arc<Route>> = None;
        for route in routes {
            if last.is_some_and(|last| Arc::ptr_eq(last, route)) {
                continue;
            }
            if brokers.iter().any(|broker| route.brokers.contains(broker)) {
                return true;
            }
            last = Some(route);
        }
        false
    }

    /// Sends one message that asks, and waits for the reply with that correlation id.
    pub(crate) fn request(
        &mut self,
        ctx: &mut Context,
        ways: &mut Ways<'_>,
        (publish, options): (Arc<Publish>, SendOptions),
        correlation: Arc<str>,
        within: Duration,
    ) -> OpId {
        ctx.fx.counters.rpc_begun += 1;
        let op = ctx.fx.ops.insert(OpKind::Request);
        let timer = ctx.fx.after(within, TimerKind::Deadline(op));
        let look = Some(ctx.fx.after((within / 4).min(MEET), TimerKind::Meet(op)));
        self.requests.bytes += publish.wire_size();
        self.requests.by_correlation.insert(correlation.clone(), op);
        self.requests.meeting.insert(op);
        let request = Request {
            topic: publish.topic().clone(),
            ids: publish.ids(),
            waiting: Some((publish, options)),
            correlation,
            since: ctx.fx.now,
            deadline: ctx.fx.now + within,
            timer,
            stage: Stage::Meeting { routed: false, look },
        };
        self.requests.open.insert(op, Box::new(request));
        self.meet(ctx, ways, op);
        op
    }

    /// Sends a request, if each broker of its topic knows this client; else has them told.
    pub(crate) fn meet(&mut self, ctx: &mut Context, ways: &mut Ways<'_>, op: OpId) {
        let Some(request) = self.requests.open.get_mut(op) else { return };
        let Stage::Meeting { routed, look } = &mut request.stage else { return };
        let Some((publish, _)) = &request.waiting else { return };
        let Some(route) = ways.routes.serve(&request.topic).cloned() else {
            *routed = false;
            let (wait, deadline) = (Wait::Route, request.deadline);
            let waiter = Waiter { op, wait, deadline, creates: true };
            return ways.want(ctx, &request.topic, Some(waiter));
        };
        *routed = true;
        let hurries = look.is_none();
        let revision = self.groups.revision(publish.group());
        let mut strangers = 0;
        for peer in route.brokers.iter().filter_map(|broker| ways.brokers.master(*broker)) {
            // Also the one that knows it: a connection that is lost is made again for the reply.
            ctx.want(peer);
            // One that denies us is not waited for: what it denies ends by the send.
            if !ways.brokers.knows(peer, revision) && !ways.brokers.denies(peer) {
                strangers += usize::from(!ctx.remoting.peers.is_down(peer));
            }
        }
        if strangers == 0 || hurries {
            self.send_request(ctx, ways, op);
        }
    }

    /// A broker knows this client now, or denies it: requests that waited for that may go on.
    pub(crate) fn met(&mut self, ctx: &mut Context, ways: &mut Ways<'_>) {
        for op in self.requests.meeting.clone() {
            let stage = self.requests.open.get(op).map(|request| &request.stage);
            if matches!(stage, Some(Stage::Meeting { routed: true, .. })) {
                self.meet(ctx, ways, op);
            }
        }
    }

    /// Brokers have had their time to know this client: the request goes on without them.
    pub(crate) fn meet_over(&mut self, ctx: &mut Context, ways: &mut Ways<'_>, op: OpId) {
        let Some(request) = self.requests.open.get_mut(op) else { return };
        let Stage::Meeting { routed, look } = &mut request.stage else { return };
        *look = None;
        if *routed {
            self.send_request(ctx, ways, op);
        }
    }

    fn send_request(&mut self, ctx: &mut Context, ways: &mut Ways<'_>, op: OpId) {
        let Some((publish, options)) = self.take_waiting(ctx, op) else { return };
        let Some(request) = self.requests.open.get_mut(op) else { return };
        request.stage = Stage::Sending { send: None };
        let within = request.deadline.since(ctx.fx.now);
        let admitted = self.admit(&ctx.fx.config, publish.wire_size());
        let turn = match admitted {
            Ok(turn) => turn,
            Err(refused) => {
                ctx.fx.give_back(publish);
                return self.request_sent(ctx, op, Err(Box::new(refused.into())));
            }
        };
        let owner = Some(SendOwner::Request(op));
        let options = SendOptions { owner, oneway: false, ..options };
        let send = self.send(ctx, ways, publish, options, (within, turn));
        // It may have ended at once, and the request with it.
        let lives = self.sends.get(send).is_some();
        if let Some(request) = self.requests.open.get_mut(op).filter(|_| lives) {
            request.stage = Stage::Sending { send: Some(send) };
        }
    }

    /// The message of a request whose meeting is over, with what belongs to that.
    fn take_waiting(&mut self, ctx: &mut Context, op: OpId) -> Option<(Arc<Publish>, SendOptions)> {
        let request = self.requests.open.get_mut(op)?;
        if let Stage::Meeting { look: Some(look), .. } = request.stage {
            ctx.fx.timers.cancel(look);
        }
        self.requests.meeting.remove(&op);
        let waiting = request.waiting.take()?;
        self.requests.bytes -= waiting.0.wire_size();
        Some(waiting)
    }

    /// The message of a request is stored, or will not be, as far as is known. One that may be is
    /// waited for: its reply may come.
    pub(super) fn request_sent(
        &mut self,
        ctx: &mut Context,
        op: OpId,
        result: Result<(), Box<SendError>>,
    ) {
        let Some(request) = self.requests.open.get_mut(op) else { return };
        let stopped = |error: &SendError| matches!(error, SendError::Stopped { .. });
        request.stage = match result {
            Ok(()) => Stage::Sent { error: None },
            Err(error)
                if error.stored() == Stored::No
                    || stopped(&error)
                    || ctx.fx.now >= request.deadline =>
            {
                return self.end_request(ctx, op, Err(RequestError::Send(error)));
            }
            Err(error) => Stage::Sent { error: Some(error) },
        };
    }

    /// A reply came. One that nobody waits for is dropped, counted and told; its broker hears that
    /// all is well, since its sender would else only send it again
    /// (`ClientRemotingProcessor.processReplyMessage`).
    pub(crate) fn replied(
        &mut self,
        ctx: &mut Context,
        ways: &mut Ways<'_>,
        reply: Box<PushedReply>,
    ) {
        let Some(op) = self.requests.by_correlation.get(reply.correlation()).copied() else {
            ctx.fx.counters.rpc_late += 1;
            let (correlation, from) = (reply.correlation().into(), reply.born_host().clone());
            return ctx.fx.note(Note::ReplyDropped { correlation, from });
        };
        let stage = self.requests.open.get(op).map(|request| &request.stage);
        // Whoever has its reply needs no other try.
        if let Some(Stage::Sending { send: Some(send) }) = stage {
            let send = *send;
            self.cancel(ctx, ways, send);
        }
        self.end_request(ctx, op, Ok(reply));
    }

    /// No route will come for a request.
    pub(crate) fn request_unrouted(&mut self, ctx: &mut Context, op: OpId, unrouted: Unrouted) {
        let error = SendError::from(unrouted);
        self.end_request(ctx, op, Err(RequestError::Send(Box::new(error))));
    }

    /// The deadline of a request has come.
    pub(crate) fn request_overdue(&mut self, ctx: &mut Context, ways: &mut Ways<'_>, op: OpId) {
        let Some(request) = self.requests.open.get_mut(op) else { return };
        let (topic, ids) = (request.topic.clone(), request.ids.clone());
        let error = match &mut request.stage {
            Stage::Sending { send } => {
                if let Some(send) = *send {
                    // It ends as it stands, and this with it.
                    self.deadline(ctx, ways, send);
                }
                let stored = Stored::Unknown;
                let attempts = Default::default();
                RequestError::Send(Box::new(SendError::TimedOut { topic, stored, ids, attempts }))
            }
            Stage::Sent { error: None } => {
                let within = request.deadline.since(request.since);
                RequestError::NoReply { topic, within, ids }
            }
            Stage::Sent { error: Some(error) } => RequestError::Send(error.clone()),
            Stage::Meeting { .. } => {
                let missing = ways.routes.is_missing(&topic);
                let attempts = ways.routes.forget(&topic, op);
                SendError::from(Unrouted { topic, attempts, missing }).into()
            }
        };
        self.end_request(ctx, op, Err(error));
    }

    /// Gives a request up. It ends without an event; a reply that still comes is dropped.
    pub(crate) fn cancel_request(
        &mut self,
        ctx: &mut Context,
        ways: &mut Ways<'_>,
        op: OpId,
    ) -> Cancelled {
        let Some(request) = self.remove_request(ctx, op) else { return Cancelled::Ended };
        ctx.fx.counters.rpc_cancelled += 1;
        match request.stage {
            Stage::Meeting { .. } => {
                ways.routes.forget(&request.topic, op);
                Cancelled::Removed
            }
            Stage::Sending { send: Some(send) } => self.cancel(ctx, ways, send),
            Stage::Sending { send: None } | Stage::Sent { .. } => Cancelled::Detached,
        }
    }

    /// The client stops: a request ends as it stands. That of one whose message is being sent ends
    /// with that.
    pub(crate) fn abandon_request(&mut self, ctx: &mut Context, ways: &mut Ways<'_>, op: OpId) {
        let Some(request) = self.requests.open.get(op) else { return };
        let (topic, ids) = (request.topic.clone(), request.ids.clone());
        let stored = match &request.stage {
            Stage::Sending { send: Some(send) } => {
                let send = *send;
                return self.abandon(ctx, ways, send);
            }
            Stage::Sending { send: None } => Stored::Unknown,
            Stage::Sent { error } => error.as_ref().map_or(Stored::Yes, |error| error.stored()),
            Stage::Meeting { .. } => {
                ways.routes.forget(&topic, op);
                Stored::No
            }
        };
        self.end_request(ctx, op, Err(SendError::Stopped { stored, ids }.into()));
    }

    fn remove_request(&mut self, ctx: &mut Context, op: OpId) -> Option<Box<Request>> {
        if let Some((publish, _)) = self.take_waiting(ctx, op) {
            ctx.fx.give_back(publish);
        }
        let request = self.requests.open.remove(op)?;
        self.requests.by_correlation.remove(&request.correlation);
        ctx.fx.ops.remove(op);
        ctx.fx.timers.cancel(request.timer);
        Some(request)
    }

    fn end_request(
        &mut self,
        ctx: &mut Context,
        op: OpId,
        result: Result<Box<PushedReply>, RequestError>,
    ) {
        if self.remove_request(ctx, op).is_some() {
            match &result {
                Ok(_) => ctx.fx.counters.rpc_replied += 1,
                Err(_) => ctx.fx.counters.rpc_failed += 1,
            }
            ctx.fx.event(Event::Replied { op, result });
        }
    }

    /// Each request waits for something that will come, and is found by its reply.
    pub(super) fn check_requests(&self) {
        let Requests { open, by_correlation, meeting, bytes } = &self.requests;
        assert_eq!(open.len(), by_correlation.len(), "a reply would find another request");
        let mut kept = 0;
        for (op, request) in open.iter() {
            assert_eq!(by_correlation.get(&request.correlation), Some(&op));
            assert_eq!(meeting.contains(&op), request.waiting.is_some(), "{op:?}");
            kept += request.waiting.as_ref().map_or(0, |(publish, _)| publish.wire_size());
            if let Stage::Sending { send } = request.stage {
                let send = send.and_then(|send| self.sends.get(send));
                let owner = send.and_then(|send| send.owner);
                assert_eq!(owner, Some(SendOwner::Request(op)), "{op:?} sends nothing");
            }
        }
        assert_eq!((kept, meeting.len() <= open.len()), (*bytes, true));
    }
}
