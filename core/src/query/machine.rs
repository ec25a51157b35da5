//! Questions: one request each, or none where the route is the answer.

use std::time::Duration;

use bytes::Bytes;

use super::{Answer, Call, OpenQuery, Query, QueueChoice, QueueName, Response, Target};
use crate::broker::health::Healths;
use crate::effects::{Cancelled, Event, OpKind, TimerKind, Unrouted};
use crate::error::{Attempt, Attempts, Failure, Lack, QueryError};
use crate::frame::{Opaque, Reply, ReplyFields, Request, ResponseCode};
use crate::id::{OpId, PeerId, Table};
use crate::message::RecordList;
use crate::name::Topic;
use crate::remoting::{Body, Context, Purpose};
use crate::route::{Known, Route, RouteQueue, Wait, Waiter, Ways};

/// All questions that have no answer yet.
#[derive(Debug, Default)]
pub(crate) struct Queries {
    asked: Table<OpId, Box<OpenQuery>>,
}

impl Queries {
    /// Asks for one fact.
    pub(crate) fn ask(
        &mut self,
        ctx: &mut Context,
        ways: &mut Ways<'_>,
        healths: &Healths,
        query: Query,
        within: Duration,
    ) -> OpId {
        ctx.fx.counters.queries_begun += 1;
        let op = ctx.fx.ops.insert(OpKind::Query);
        let timer = ctx.fx.after(within, TimerKind::Deadline(op));
        let (attempts, since) = (Attempts::default(), ctx.fx.now);
        let deadline = since + within;
        let asked = OpenQuery { query, since, deadline, timer, call: None, attempts };
        self.asked.insert(op, Box::new(asked));
        self.route(ctx, ways, healths, op);
        op
    }

    /// How many there are.
    pub(crate) const fn len(&self) -> usize {
        self.asked.len()
    }

    pub(crate) fn get(&self, op: OpId) -> Option<&OpenQuery> {
        self.asked.get(op).map(|asked| &**asked)
    }

    /// The timers of deadlines.
    pub(crate) fn timers(&self) -> impl Iterator<Item = crate::timer::TimerKey> {
        self.asked.iter().map(|(_, asked)| asked.timer)
    }

    /// Has a question's topic looked up; it goes on when what it waits for has come.
    fn want(&self, ctx: &mut Context, ways: &mut Ways<'_>, op: OpId, wait: Wait) {
        let Some(asked) = self.asked.get(op) else { return };
        let Some(topic) = asked.query.topic() else { return };
        let creates = matches!(asked.query, Query::Writable(_));
        let waiter = Waiter { op, wait, deadline: asked.deadline, creates };
        ways.want(ctx, topic, Some(waiter));
    }

    /// Sends the question where its answer is, or has the topic looked up first.
    pub(crate) fn route(
        &mut self,
        ctx: &mut Context,
        ways: &mut Ways<'_>,
        healths: &Healths,
        op: OpId,
    ) {
        let Some(asked) = self.asked.get_mut(op) else { return };
        let query = asked.query.clone();
        let Some(topic) = query.topic() else {
            if let Query::Call(call) = query {
                self.call_peer(ctx, ways, op, *call);
            }
            return;
        };
        let creates = matches!(query, Query::Writable(_));
        let known = ways.routes.serve(topic).filter(|route| creates || !route.fallback);
        let Some(route) = known.cloned() else {
            return self.want(ctx, ways, op, Wait::Route);
        };
        match query {
            // What heals by itself is waited for.
            Query::Queues(_) if route.unread => {
                self.want(ctx, ways, op, Wait::Change);
            }
            Query::Writable(_) if route.lack.as_ref().is_some_and(|l| !l.is_lasting()) => {
                self.want(ctx, ways, op, Wait::Change);
            }
            Query::Queues(topic) => {
                let queues = route
                    .readable
                    .iter()
                    .map(|at| ways.brokers.queue_name(&topic, at.broker, at.queue))
                    .collect();
                self.end(ctx, op, Answer::Queues(Ok(queues)));
            }
            Query::Writable(topic) => {
                self.probe_down(ctx, ways, &route);
                let queues = self.choices(ctx, ways, healths, &topic, &route);
                self.end(ctx, op, Answer::Writable(Ok(queues)));
            }
            Query::MinOffset(name) => self.ask_queue(ctx, ways, op, &name, name.ask_min_offset()),
            Query::MaxOffset(name) => self.ask_queue(ctx, ways, op, &name, name.ask_max_offset()),
            Query::Call(call) => self.call_peer(ctx, ways, op, *call),
        }
    }

    /// Asks the master that has a queue.
    fn ask_queue(
        &mut self,
        ctx: &mut Context,
        ways: &mut Ways<'_>,
        op: OpId,
        name: &QueueName,
        request: Request,
    ) {
        if let Some(peer) = self.master_of(ctx, ways, op, name) {
            self.ask_peer(ctx, op, peer, request, Bytes::new());
        }
    }

    /// The master that has a queue; without one, the question waits for another route.
    fn master_of(
        &mut self,
        ctx: &mut Context,
        ways: &mut Ways<'_>,
        op: OpId,
        name: &QueueName,
    ) -> Option<PeerId> {
        let peer = ways.brokers.id(&name.broker).and_then(|id| ways.brokers.master(id));
        if peer.is_none() {
            self.want(ctx, ways, op, Wait::Change);
        }
        peer
    }

    fn call_peer(&mut self, ctx: &mut Context, ways: &mut Ways<'_>, op: OpId, call: Call) {
        let peer = match &call.target {
            Target::NameServer => ways.names.current(),
            Target::Peer(kind, endpoint) => Some(ctx.remoting.peers.at(*kind, endpoint)),
            Target::Queue(name) => self.master_of(ctx, ways, op, name),
        };
        if let Some(peer) = peer {
            self.ask_peer(ctx, op, peer, call.request, call.body);
        }
    }

    fn ask_peer(
        &mut self,
        ctx: &mut Context,
        op: OpId,
        peer: PeerId,
        request: Request,
        body: Bytes,
    ) {
        let Some(asked) = self.asked.get_mut(op) else { return };
        let (purpose, kind) = (Purpose::Query(op), request.reply_kind());
        asked.call = Some(ctx.ask_until_told(peer, purpose, kind, request, body));
    }

    /// Whoever chooses by himself passes over brokers that are down, as sends do.
    fn probe_down(&mut self, ctx: &mut Context, ways: &mut Ways<'_>, route: &Route) {
        let mut brokers: Vec<_> = route.writable.iter().map(|queue| queue.broker).collect();
        brokers.dedup();
        for broker in brokers {
            let master = ways.brokers.master(broker);
            if let Some(down) = master.filter(|peer| ctx.remoting.peers.is_down(*peer)) {
                let (peers, fx) = ctx.peers();
                peers.probe(fx, down);
            }
        }
    }

    fn choices(
        &self,
        ctx: &mut Context,
        ways: &mut Ways<'_>,
        healths: &Healths,
        topic: &Topic,
        route: &Route,
    ) -> Vec<QueueChoice> {
        let choice = |at: &RouteQueue| {
            let master = ways.brokers.master(at.broker);
            let down = master.is_none_or(|peer| ctx.remoting.peers.is_down(peer));
            let health = healths.of(at.broker);
            QueueChoice {
                queue: ways.brokers.queue_name(topic, at.broker, at.queue),
                isolated: down || healths.is_isolated(ctx.fx.now, at.broker),
                latency: health.latency,
                answered_ppm: health.answered_ppm(),
            }
        };
        route.writable.iter().map(choice).collect()
    }

    /// The peer answered.
    pub(crate) fn answered(
        &mut self,
        ctx: &mut Context,
        ways: &mut Ways<'_>,
        healths: &Healths,
        peer: PeerId,
        op: OpId,
        (reply, body): (Reply, Body),
    ) {
        let Some(asked) = self.asked.get(op) else { return };
        let failure = match (&asked.query, reply.code) {
            (Query::Call(_), code) if code != ResponseCode::GO_AWAY => {
                let response = Box::new(response(ctx, peer, asked.call, reply, body));
                return self.end(ctx, op, Answer::Response(Ok(response)));
            }
            (Query::MinOffset(_) | Query::MaxOffset(_), ResponseCode::SUCCESS) => {
                match reply.fields {
                    Ok(ReplyFields::Offset(fields)) => {
                        // Brokers say -1 of a queue that never had a message.
                        return self.end(ctx, op, Answer::Offset(Ok(fields.offset.max(0))));
                    }
                    Ok(_) => Failure::Body("no fields".into()),
                    Err(error) => Failure::Unreadable(error),
                }
            }
            (_, code) => Failure::Refused { code, remark: reply.remark.map(Into::into) },
        };
        self.failed(ctx, ways, healths, peer, op, failure);
    }

    /// The request came to nothing: what was not done is tried again until the deadline, and what
    /// may have been done only if it may be done twice.
    pub(crate) fn failed(
        &mut self,
        ctx: &mut Context,
        ways: &mut Ways<'_>,
        healths: &Healths,
        peer: PeerId,
        op: OpId,
        failure: Failure,
    ) {
        let Some(asked) = self.asked.get_mut(op) else { return };
        let failure = failure.of_size(asked.query.body_size());
        let again = match &failure {
            Failure::Connect(_) => true,
            // The request was never seen whole; a second time it is the request that is not taken.
            Failure::Cut(_) => !asked.attempts.has_cut(),
            Failure::Closed(_) => asked.query.is_repeatable(),
            Failure::Refused { .. } => failure.is_farewell(),
            Failure::Unreadable(_)
            | Failure::Body(_)
            | Failure::TimedOut(_)
            | Failure::NotTaken(_)
            | Failure::Fetch(_) => false,
        };
        let attempt = ctx.attempt(peer, asked.call.take(), failure);
        if again {
            asked.attempts.push(attempt);
            // A broker is none of the nameservers: that changes nothing.
            ways.names.failed(peer);
            self.route(ctx, ways, healths, op);
        } else {
            self.fail(ctx, op, QueryError::Failed(attempt));
        }
    }

    /// Ends a question with what it was answered with.
    fn end(&mut self, ctx: &mut Context, op: OpId, answer: Answer) {
        if self.take(ctx, op).is_some() {
            ctx.fx.counters.queries_answered += 1;
            ctx.fx.event(Event::Answered { op, answer });
        }
    }

    /// Ends a question without an answer.
    fn fail(&mut self, ctx: &mut Context, op: OpId, error: QueryError) {
        if let Some(asked) = self.take(ctx, op) {
            ctx.fx.counters.queries_failed += 1;
            ctx.fx.event(Event::Answered { op, answer: asked.query.unanswered(error) });
        }
    }

    /// Takes out a question that ends, and gives up what it was asked by.
    fn take(&mut self, ctx: &mut Context, op: OpId) -> Option<Box<OpenQuery>> {
        let asked = self.remove(ctx, op)?;
        asked.call.map(|opaque| ctx.give_up(opaque));
        Some(asked)
    }

    fn remove(&mut self, ctx: &mut Context, op: OpId) -> Option<Box<OpenQuery>> {
        let asked = self.asked.remove(op)?;
        ctx.fx.ops.remove(op);
        ctx.fx.timers.cancel(asked.timer);
        if let Query::Call(call) = &asked.query {
            ctx.fx.give_back_body(call.body.clone());
        }
        Some(asked)
    }

    /// The deadline of a question has come.
    pub(crate) fn deadline(&mut self, ctx: &mut Context, ways: &mut Ways<'_>, op: OpId) {
        let Some(asked) = self.asked.get(op) else { return };
        let peer = asked.call.and_then(|opaque| ctx.remoting.calls.find(opaque));
        let peer = peer.map(|call| call.peer);
        let (query, mut attempts) = (asked.query.clone(), asked.attempts.clone());
        let (call, since) = (asked.call, asked.since);
        let topic = query.topic().cloned();
        let waits = topic.as_ref().is_some_and(|topic| ways.routes.is_waiting(topic, op));
        let lack = if waits { lack_of(ways, &query) } else { None };
        let known = topic.as_ref().is_none_or(|topic| ways.routes.is_asking(topic));
        if let Some(topic) = &topic {
            attempts.extend(&ways.routes.forget(topic, op));
        }
        let closed = call.and_then(|opaque| ctx.close(opaque));
        if call.is_some() || known {
            ways.names.blame(ctx, &mut attempts, call.zip(closed.as_ref()), since);
        }
        let error = match (topic, lack) {
            (Some(topic), Some(lack)) => {
                QueryError::NoQueue { topic, lack: Box::new(lack), attempts }
            }
            // The question waited for the topic's route to the end, as a send would have.
            (Some(topic), None) if waits && ways.routes.known(&topic).is_none() => {
                QueryError::NoRoute { topic, attempts }
            }
            _ => QueryError::TimedOut { attempts },
        };
        self.fail(ctx, op, error);
        if let Some(peer) = peer {
            ctx.suspect(peer);
        }
    }

    /// Gives a question up. It ends without an event.
    pub(crate) fn cancel(&mut self, ctx: &mut Context, ways: &mut Ways<'_>, op: OpId) -> Cancelled {
        let Some(asked) = self.asked.get(op) else { return Cancelled::Ended };
        let lost = |attempt: &Attempt| matches!(attempt.failure, Failure::Closed(_));
        let mut left = asked.attempts.iter().any(lost);
        if let Some(topic) = asked.query.topic() {
            ways.routes.forget(topic, op);
        }
        let call = asked.call.and_then(|opaque| ctx.give_up(opaque));
        left |= call.is_some_and(|call| call.has_left());
        ctx.fx.counters.queries_cancelled += 1;
        self.remove(ctx, op);
        if left { Cancelled::Detached } else { Cancelled::Removed }
    }

    /// No route will come for a question, and so it ends.
    pub(crate) fn unrouted(&mut self, ctx: &mut Context, op: OpId, unrouted: Unrouted) {
        let Unrouted { topic, attempts, .. } = unrouted;
        self.fail(ctx, op, QueryError::NoRoute { topic, attempts });
    }

    /// The client stops: a question ends without an answer.
    pub(crate) fn abandon(&mut self, ctx: &mut Context, op: OpId) {
        self.fail(ctx, op, QueryError::Stopped);
    }

    /// The first list of nameservers is there: what waited for it is asked.
    pub(crate) fn servers_known(
        &mut self,
        ctx: &mut Context,
        ways: &mut Ways<'_>,
        healths: &Healths,
    ) {
        for op in self.waiting_for_servers() {
            self.route(ctx, ways, healths, op);
        }
    }

    /// There is none, and what waits learns why.
    pub(crate) fn servers_failed(&mut self, attempt: &Attempt) {
        for op in self.waiting_for_servers() {
            if let Some(asked) = self.asked.get_mut(op) {
                asked.attempts.push(attempt.clone());
            }
        }
    }

    /// Questions to a nameserver that nobody could be asked so far.
    fn waiting_for_servers(&self) -> Vec<OpId> {
        let waits = |asked: &OpenQuery| asked.query.is_for_servers() && asked.call.is_none();
        self.asked.iter().filter(|(_, asked)| waits(asked)).map(|(op, _)| op).collect()
    }

    /// Every question waits for something that will come.
    pub(crate) fn check(&self, known: Known<'_>, unlisted: bool) {
        for (op, asked) in self.asked.iter() {
            let called = asked.call.is_some() || (unlisted && asked.query.is_for_servers());
            let topic = asked.query.topic();
            let waits = called || topic.is_some_and(|topic| known.routes.is_awaited(topic));
            assert!(waits, "{op:?} waits for nothing");
        }
    }
}

/// What a question waits for that has no peer to be asked of.
fn lack_of(ways: &Ways<'_>, query: &Query) -> Option<Lack> {
    let route = ways.routes.known(query.topic()?)?;
    let of_queue = |name: &QueueName| match ways.brokers.id(&name.broker) {
        None => Some(Lack::Broker { broker: name.broker.clone() }),
        Some(id) if ways.brokers.master(id).is_none() => Some(ways.brokers.lack(id)),
        Some(_) => None,
    };
    match query {
        Query::Queues(_) => route.unread.then(|| route.lack()),
        Query::Writable(_) => route.lack.clone(),
        Query::MinOffset(name) | Query::MaxOffset(name) => of_queue(name),
        Query::Call(call) => match &call.target {
            Target::Queue(name) => of_queue(name),
            Target::NameServer | Target::Peer(..) => None,
        },
    }
}

fn response(
    ctx: &Context,
    peer: PeerId,
    opaque: Option<Opaque>,
    reply: Reply,
    body: Body,
) -> Response {
    let (body, records) = match body {
        Body::Raw(body) => (body, RecordList::default()),
        Body::Records(records) => (Bytes::new(), records),
        Body::None | Body::Route(_) | Body::Members(..) | Body::Locks(_) | Body::Request(_) => {
            Default::default()
        }
    };
    Response {
        opaque,
        endpoint: ctx.remoting.peers.endpoint(peer).clone(),
        peer: ctx.remoting.peers.kind(peer),
        code: reply.code,
        remark: reply.remark.map(Into::into),
        fields: reply.fields,
        body,
        records,
    }
}
