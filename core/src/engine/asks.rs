//! Queries: questions of the application, one request each.

use std::time::Duration;

use bytes::Bytes;

use super::{Engine, Event, Operation, TimerKind};
use crate::call::{Call, Purpose};
use crate::connection::PeerId;
use crate::error::{Attempt, Attempts, Failure, QueryError, Refused};
use crate::frame::request::{MaxOffsetRequest, MinOffsetRequest};
use crate::frame::{Kind, OutFrame, Payload, Reply, ReplyFields, Request, ResponseCode};
use crate::id::OpId;
use crate::name::Topic;
use crate::query::{Answer, Asked, Query, QueueChoice, QueueName};
use crate::route::{Route, RouteQueue};
use crate::time::Instant;

impl Engine {
    /// Asks for one fact. Ends in one [`Event::Answered`] by `request_timeout`.
    pub fn query(&mut self, now: Instant, query: Query) -> Result<OpId, Refused> {
        let now = self.tick(now);
        self.admit()?;
        let within: Duration = self.ground.config.request_timeout;
        let op = self.operations.insert_with(|op| {
            let timer = self.timers.after(now, within, TimerKind::Deadline(op));
            let attempts = Attempts::default();
            let asked = Asked { query, since: now, timer, call: None, attempts };
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
        let topic = query.topic();
        let creates = matches!(query, Query::Writable(_));
        let known = self.routes.known(topic).filter(|route| creates || !route.fallback);
        let Some(route) = known.cloned() else {
            return self.want_route(topic, Some(op));
        };
        let (name, first) = match &query {
            Query::MinOffset(name) => (name, true),
            Query::MaxOffset(name) => (name, false),
            Query::Writable(topic) => {
                let queues = self.choices(topic, &route);
                return self.end_ask(op, Ok(Answer::Writable(queues)));
            }
            Query::Queues(topic) => {
                let queues = route.readable.iter().map(|at| QueueName {
                    topic: topic.clone(),
                    broker: self.brokers.name(at.broker).clone(),
                    queue: at.queue,
                });
                let queues = queues.collect();
                return self.end_ask(op, Ok(Answer::Queues(queues)));
            }
        };
        let Some(peer) = self.brokers.id(&name.broker).and_then(|id| self.brokers.master(id))
        else {
            let (topic, attempts) = (name.topic.clone(), Attempts::default());
            return self.end_ask(op, Err(QueryError::NoRoute { topic, attempts }));
        };
        let (topic, queue_id) = (name.topic.shared(), name.queue as i32);
        let broker = Some(name.broker.clone());
        let request = if first {
            Request::MinOffset(MinOffsetRequest { topic, queue_id, broker, ..Default::default() })
        } else {
            Request::MaxOffset(MaxOffsetRequest { topic, queue_id, broker, ..Default::default() })
        };
        let call = Call { peer, purpose: Purpose::Query(op), timer: None, left: false };
        let opaque = self.calls.open(Kind::Offset, call);
        if let Some(asked) = self.asked(op) {
            asked.call = Some(opaque);
        }
        let payload = Payload::Request { request, body: Bytes::new(), oneway: false };
        let (peers, mut ctx) = self.peers();
        peers.send(&mut ctx, peer, OutFrame { opaque, payload });
    }

    fn choices(&self, topic: &Topic, route: &Route) -> Vec<QueueChoice> {
        let choice = |at: &RouteQueue| {
            let master = self.brokers.master(at.broker);
            let down = master.is_none_or(|peer| self.peers.is_down(peer));
            QueueChoice {
                queue: QueueName {
                    topic: topic.clone(),
                    broker: self.brokers.name(at.broker).clone(),
                    queue: at.queue,
                },
                avoided: down || self.healths.is_isolated(self.ground.now, at.broker),
                latency: self.healths.of(at.broker).latency,
            }
        };
        route.writable.iter().map(choice).collect()
    }

    /// The peer answered.
    pub(super) fn ask_answered(&mut self, peer: PeerId, op: OpId, reply: Reply) {
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

    /// The request came to nothing: what never left is tried again until the deadline.
    pub(super) fn ask_failed(&mut self, peer: PeerId, op: OpId, failure: Failure) {
        let again = match &failure {
            Failure::Connect(_) | Failure::Closed(_) => true,
            Failure::Refused { code, .. } => *code == ResponseCode::GO_AWAY,
            _ => false,
        };
        let endpoint = self.peers.endpoint(peer).clone();
        let attempt = Attempt { endpoint, peer: self.peers.kind(peer), failure };
        let Some(asked) = self.asked(op) else { return };
        asked.call = None;
        if again {
            asked.attempts.push(attempt);
            self.route_ask(op);
        } else {
            self.end_ask(op, Err(QueryError::Failed(attempt)));
        }
    }

    pub(super) fn end_ask(&mut self, op: OpId, result: Result<Answer, QueryError>) {
        let Some(operation) = self.operations.remove(op) else { return };
        self.timers.cancel(operation.timer());
        if let Operation::Ask(asked) = &operation {
            asked.call.map(|opaque| self.calls.close(opaque));
        }
        self.out.event(Event::Answered { op, result });
    }
}
