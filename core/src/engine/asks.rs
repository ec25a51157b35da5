//! Queries: questions of the application, one request each.

use std::time::Duration;

use bytes::Bytes;

use super::{Body, Engine, Event, Operation, TimerKind};
use crate::error::{Attempts, Failure, Lack, QueryError, Refused};
use crate::frame::{Opaque, OutFrame, Payload, Reply, ReplyFields, Request, ResponseCode};
use crate::id::{OpId, PeerId};
use crate::message::RecordList;
use crate::name::Topic;
use crate::query::{self, Answer, Asked, Query, QueueChoice, QueueName, Response, Target};
use crate::remoting::{Call, Purpose};
use crate::route::{Route, RouteQueue, Wait};
use crate::time::Instant;

impl Engine {
    /// Asks for one fact. Ends in one [`Event::Answered`] by `request_timeout`.
    pub fn query(&mut self, now: Instant, query: Query) -> Result<OpId, Refused> {
        let now = self.tick(now);
        self.admit().inspect_err(|_| self.ctx.fx.counters.calls_refused += 1)?;
        self.ctx.fx.counters.queries_begun += 1;
        let within: Duration = self.ctx.fx.config.request_timeout;
        let op = self.operations.insert_with(|op| {
            let timer = self.ctx.fx.timers.after(now, within, TimerKind::Deadline(op));
            let attempts = Attempts::default();
            let deadline = now + within;
            let asked = Asked { query, since: now, deadline, timer, call: None, attempts };
            Operation::Ask(Box::new(asked))
        });
        self.route_ask(op);
        Ok(op)
    }

    fn asked(&mut self, op: OpId) -> Option<&mut Asked> {
        match self.operations.get_mut(op)? {
            Operation::Ask(asked) => Some(asked),
            Operation::Send(_) => None,
        }
    }

    /// Sends the question where its answer is, or has the topic looked up first.
    pub(super) fn route_ask(&mut self, op: OpId) {
        let Some(asked) = self.asked(op) else { return };
        let query = asked.query.clone();
        let Some(topic) = query.topic() else {
            if let Query::Call(call) = query {
                self.call_peer(op, *call);
            }
            return;
        };
        let creates = matches!(query, Query::Writable(_));
        let known = self.routes.serve(topic).filter(|route| creates || !route.fallback);
        let Some(route) = known.cloned() else {
            return self.want_route(topic, Some((op, Wait::Route)));
        };
        match query {
            // What heals by itself is waited for.
            Query::Queues(topic) if route.unread => {
                self.want_route(&topic, Some((op, Wait::Change)));
            }
            Query::Writable(topic) if route.lack.as_ref().is_some_and(|l| !l.is_lasting()) => {
                self.want_route(&topic, Some((op, Wait::Change)));
            }
            Query::Queues(topic) => {
                let queues = route
                    .readable
                    .iter()
                    .map(|at| self.brokers.queue_name(&topic, at.broker, at.queue))
                    .collect();
                self.end_ask(op, Ok(Answer::Queues(queues)));
            }
            Query::Writable(topic) => {
                self.probe_down(&route);
                let queues = self.choices(&topic, &route);
                self.end_ask(op, Ok(Answer::Writable(queues)));
            }
            Query::MinOffset(name) => self.ask_queue(op, &name, name.ask_min_offset()),
            Query::MaxOffset(name) => self.ask_queue(op, &name, name.ask_max_offset()),
            Query::Call(call) => self.call_peer(op, *call),
        }
    }

    /// Asks the master that has a queue.
    fn ask_queue(&mut self, op: OpId, name: &QueueName, request: Request) {
        if let Some(peer) = self.master_of(op, name) {
            self.ask_peer(op, peer, request, Bytes::new());
        }
    }

    /// The master that has a queue; without one, the question waits for another route.
    fn master_of(&mut self, op: OpId, name: &QueueName) -> Option<PeerId> {
        let peer = self.brokers.id(&name.broker).and_then(|id| self.brokers.master(id));
        if peer.is_none() {
            self.want_route(&name.topic, Some((op, Wait::Change)));
        }
        peer
    }

    /// What a question waits for that has no peer to be asked of.
    pub(super) fn lack_of(&self, query: &Query) -> Option<Lack> {
        let route = self.routes.known(query.topic()?)?;
        let of_queue = |name: &QueueName| match self.brokers.id(&name.broker) {
            None => Some(Lack::Broker { broker: name.broker.clone() }),
            Some(id) if self.brokers.master(id).is_none() => Some(self.brokers.lack(id)),
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

    fn call_peer(&mut self, op: OpId, call: query::Call) {
        let peer = match &call.target {
            Target::NameServer => self.names.current(),
            Target::Peer(kind, endpoint) => Some(self.ctx.remoting.peers.at(*kind, endpoint)),
            Target::Queue(name) => self.master_of(op, name),
        };
        if let Some(peer) = peer {
            self.ask_peer(op, peer, call.request, call.body);
        }
    }

    fn ask_peer(&mut self, op: OpId, peer: PeerId, request: Request, body: Bytes) {
        let call = Call::new(peer, Purpose::Query(op));
        let opaque = self.ctx.remoting.calls.open(request.reply_kind(), call);
        let Some(asked) = self.asked(op) else { return };
        asked.call = Some(opaque);
        let payload = Payload::Request { request: Box::new(request), body, oneway: false };
        let (peers, fx) = self.ctx.peers();
        peers.send(fx, peer, OutFrame { opaque, payload });
    }

    /// Whoever chooses by himself passes over brokers that are down, as sends do.
    fn probe_down(&mut self, route: &Route) {
        let mut brokers: Vec<_> = route.writable.iter().map(|queue| queue.broker).collect();
        brokers.dedup();
        for broker in brokers {
            let master = self.brokers.master(broker);
            if let Some(down) = master.filter(|peer| self.ctx.remoting.peers.is_down(*peer)) {
                let (peers, fx) = self.ctx.peers();
                peers.probe(fx, down);
            }
        }
    }

    fn choices(&self, topic: &Topic, route: &Route) -> Vec<QueueChoice> {
        let choice = |at: &RouteQueue| {
            let master = self.brokers.master(at.broker);
            let down = master.is_none_or(|peer| self.ctx.remoting.peers.is_down(peer));
            QueueChoice {
                queue: self.brokers.queue_name(topic, at.broker, at.queue),
                avoided: down || self.healths.is_isolated(self.ctx.fx.now, at.broker),
                latency: self.healths.of(at.broker).latency,
            }
        };
        route.writable.iter().map(choice).collect()
    }

    /// The peer answered.
    pub(super) fn ask_answered(&mut self, peer: PeerId, op: OpId, reply: Reply, body: Body) {
        let called = self.asked(op).is_some_and(|asked| matches!(asked.query, Query::Call(_)));
        if called && reply.code != ResponseCode::GO_AWAY {
            let opaque = self.operations.get(op).and_then(Operation::call);
            let response = self.response(peer, opaque, reply, body);
            return self.end_ask(op, Ok(Answer::Response(Box::new(response))));
        }
        let failure = match (reply.code, reply.fields) {
            (ResponseCode::SUCCESS, Ok(ReplyFields::Offset(fields))) => {
                return self.end_ask(op, Ok(Answer::Offset(fields.offset)));
            }
            (ResponseCode::SUCCESS, Err(error)) => Failure::Unreadable(error),
            (ResponseCode::SUCCESS, Ok(_)) => Failure::Body("no fields".into()),
            (code, _) => Failure::Refused { code, remark: reply.remark.map(Into::into) },
        };
        self.ask_failed(peer, op, failure);
    }

    fn response(&self, peer: PeerId, opaque: Option<Opaque>, reply: Reply, body: Body) -> Response {
        let (body, records) = match body {
            Body::Raw(body) => (body, RecordList::default()),
            Body::Records(records) => (Bytes::new(), records),
            Body::None | Body::Route(_) | Body::Members(_) => Default::default(),
        };
        Response {
            opaque,
            endpoint: self.ctx.remoting.peers.endpoint(peer).clone(),
            peer: self.ctx.remoting.peers.kind(peer),
            code: reply.code,
            remark: reply.remark.map(Into::into),
            fields: reply.fields,
            body,
            records,
        }
    }

    /// The request came to nothing: what was not done is tried again until the deadline, and what
    /// may have been done only if it may be done twice.
    pub(super) fn ask_failed(&mut self, peer: PeerId, op: OpId, failure: Failure) {
        let size = self.asked(op).map_or(0, |asked| asked.query.body_size());
        let failure = failure.of_size(size);
        let again = match &failure {
            Failure::Connect(_) => true,
            // It was never seen whole; a second time it is the request that is not taken.
            Failure::Cut(_) => !self.asked(op).is_some_and(|asked| asked.attempts.has_cut()),
            Failure::Closed(_) => self.asked(op).is_some_and(|asked| asked.query.is_repeatable()),
            Failure::Refused { .. } => failure.is_farewell(),
            Failure::Unreadable(_)
            | Failure::Body(_)
            | Failure::TimedOut(_)
            | Failure::Fetch(_) => false,
        };
        let opaque = self.operations.get(op).and_then(Operation::call);
        let attempt = self.ctx.attempt(peer, opaque, failure);
        let Some(asked) = self.asked(op) else { return };
        asked.call = None;
        if again {
            asked.attempts.push(attempt);
            // A broker is none of the nameservers: that changes nothing.
            self.names.failed(peer);
            self.route_ask(op);
        } else {
            self.end_ask(op, Err(QueryError::Failed(attempt)));
        }
    }

    pub(super) fn end_ask(&mut self, op: OpId, result: Result<Answer, QueryError>) {
        let Some(operation) = self.remove(op) else { return };
        if let Operation::Ask(asked) = &operation {
            asked.call.map(|opaque| self.ctx.give_up(opaque));
        }
        match &result {
            Ok(_) => self.ctx.fx.counters.queries_answered += 1,
            Err(_) => self.ctx.fx.counters.queries_failed += 1,
        }
        self.ctx.fx.event(Event::Answered { op, result });
    }
}
