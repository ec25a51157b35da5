//! Routes looked up: which nameserver is asked when, and who goes on with what it said.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::{Body, Engine, Note, Operation, TimerKind};
use crate::body::{BrokerData, RefusedRow, RouteBody};
use crate::error::{Attempt, CloseReason, Failure, PeerKind, QueryError, SendError};
use crate::frame::request::RouteRequest;
use crate::frame::{FrameError, Kind, Reply, Request, ResponseCode};
use crate::id::OpId;
use crate::name::Topic;
use crate::remoting::AskedPeer;
use crate::remoting::Purpose;
use crate::route::{FALLBACK, Learnt, Named, Next, Route, Said, Source, Step, Told, Wait};
use crate::time::Instant;

/// The longest time that a nameserver may be silent before the next one is asked.
const SILENCE: Duration = Duration::from_secs(1);
/// The shortest one, also where a call's time is over: it would be asked without end.
const LEAST: Duration = Duration::from_millis(10);

impl Engine {
    /// Has a topic looked up; `waiter` goes on when what it waits for has come.
    pub(super) fn want_route(&mut self, topic: &Topic, waiter: Option<(OpId, Wait)>) {
        match self.routes.want(self.ctx.fx.now, topic, waiter) {
            Next::Ask => self.ask_route(topic),
            Next::Pause(after) => self.pause_route(topic, Some(after)),
            Next::Rest => {}
        }
        if let Some((op, _)) = waiter {
            self.hurry_route(topic, op);
        }
    }

    /// Looks a topic in use up again.
    pub(super) fn refresh_route(&mut self, topic: &Topic) {
        if self.life.is_running() {
            self.want_route(topic, None);
        }
    }

    fn pause_route(&mut self, topic: &Topic, pause: Option<Duration>) {
        if let Some(pause) = pause {
            self.ctx.fx.after(pause, TimerKind::Route(topic.clone()));
        }
    }

    /// The pause between look-ups is over.
    pub(super) fn route_pause_over(&mut self, topic: &Topic) {
        if self.routes.pause_over(self.ctx.fx.now, topic) {
            self.ask_route(topic);
        }
    }

    /// Asks the next nameserver. Without any, the first list of the address server leads here
    /// again.
    pub(super) fn ask_route(&mut self, topic: &Topic) {
        let next = self.routes.next_server(topic, self.names.ring());
        let Some((peer, fallback, lookup)) = next else { return };
        let purpose = Purpose::Route { topic: topic.clone(), fallback, lookup };
        let asked = if fallback { Arc::from(FALLBACK) } else { topic.shared() };
        let request = Request::Route(RouteRequest { topic: asked, ..Default::default() });
        let within = self.ctx.fx.config.request_timeout;
        self.ctx.fx.counters.routes_asked += 1;
        self.ctx.ask(peer, purpose, Kind::Route, request, Bytes::new(), within);
        let config = &self.ctx.fx.config;
        let limit = config.request_timeout.min(config.send_timeout);
        let first = self.routes.waiters(topic).next();
        self.bear_silence(topic, limit);
        first.into_iter().for_each(|op| self.hurry_route(topic, op));
    }

    /// A call waits, which has a deadline of its own.
    fn hurry_route(&mut self, topic: &Topic, op: OpId) {
        let now = self.ctx.fx.now;
        let left = self.operations.get(op).map(|operation| operation.deadline().since(now));
        if let Some(left) = left {
            self.bear_silence(topic, left);
        }
    }

    /// Has the next nameserver asked, or the silent ones left out, after a part of `limit`: all are
    /// asked within a third of it.
    fn bear_silence(&mut self, topic: &Topic, limit: Duration) {
        let others = self.names.len().saturating_sub(1).max(1) as u32;
        let at_most = (limit / 3 / others).clamp(LEAST, SILENCE);
        let Some(patience) = self.routes.patience(topic, at_most) else { return };
        self.look_again_at(topic, self.ctx.fx.now + patience);
    }

    /// Has the look-up looked at again at `at`, unless that happens sooner.
    fn look_again_at(&mut self, topic: &Topic, at: Instant) {
        if self.routes.is_slower(topic, at) {
            let timer = self.ctx.fx.timers.at(at, TimerKind::RouteSlow(topic.clone()));
            if let Some(before) = self.routes.set_slow(topic, Some((at, timer))) {
                self.ctx.fx.timers.cancel(before);
            }
        }
    }

    /// A nameserver has been silent for as long as it may.
    pub(super) fn route_slow(&mut self, topic: &Topic) {
        let now = self.ctx.fx.now;
        match self.routes.slow_over(now, topic, self.names.ring()) {
            // There is nobody else to ask: those that only wanted to know better go on as they are.
            (Step::Wait, again) => {
                if let Some(at) = again {
                    self.look_again_at(topic, at);
                }
                let released = self.routes.without_news(topic);
                released.into_iter().for_each(|op| self.route_known(op));
            }
            (step, _) => self.go_on(topic, step),
        }
    }

    /// The look-up of a topic ends here: nobody is left out any more for being silent.
    fn end_lookup(&mut self, topic: &Topic) {
        if let Some(timer) = self.routes.set_slow(topic, None) {
            self.ctx.fx.timers.cancel(timer);
        }
    }

    /// A nameserver answered.
    pub(super) fn route_answered(
        &mut self,
        asked: AskedPeer,
        topic: &Topic,
        (lookup, fallback): (u64, bool),
        reply: Reply,
        body: Body,
    ) {
        let failure = match (reply.code, body) {
            (ResponseCode::SUCCESS, Body::Route(Ok(body))) => {
                if self.routes.takes(topic, lookup, fallback) {
                    self.names.prefer(asked.peer);
                    self.route_told(topic, body, fallback);
                }
                return;
            }
            (ResponseCode::SUCCESS, Body::Route(Err(error))) => {
                Failure::Body(error.to_string().into())
            }
            (code, _) => Failure::Refused { code, remark: reply.remark.map(Into::into) },
        };
        if reply.code != ResponseCode::TOPIC_NOT_EXIST {
            return self.route_failed(asked, topic, (lookup, fallback), failure);
        }
        let (key, ring) = ((lookup, fallback), self.names.ring());
        let step = self.routes.said(topic, key, asked.peer, Said::Unknown, ring);
        let believed = self.ctx.fx.plant.is(super::Planted::BelievesOne) && step == Step::Ask;
        let step = if believed { Step::Unknown } else { step };
        if step != Step::Stale {
            let attempt = self.ctx.attempt(asked.peer, Some(asked.opaque), failure);
            self.routes.attempted(topic, attempt);
        }
        self.go_on(topic, step);
    }

    /// A nameserver could not be asked, or could not answer.
    pub(super) fn route_failed(
        &mut self,
        asked: AskedPeer,
        topic: &Topic,
        key: (u64, bool),
        failure: Failure,
    ) {
        self.names.failed(asked.peer);
        // What never will be a nameserver is not asked until the deadline.
        let hopeless = match &failure {
            Failure::Refused { code, .. } => *code == ResponseCode::REQUEST_CODE_NOT_SUPPORTED,
            Failure::Closed(CloseReason::Frame(error)) => matches!(error, FrameError::Foreign(_)),
            _ => false,
        };
        let hopeless = hopeless && self.names.len() == 1;
        let said = Said::Failed(self.ctx.fx.now);
        let step = self.routes.said(topic, key, asked.peer, said, self.names.ring());
        if step == Step::Stale {
            return;
        }
        let attempt = self.ctx.attempt(asked.peer, Some(asked.opaque), failure);
        self.routes.attempted(topic, attempt.clone());
        if step == Step::Failed {
            self.note_failing(topic, &attempt);
        }
        self.go_on(topic, step);
        if hopeless && self.routes.known(topic).is_none() {
            let (waiters, attempts) = self.routes.give_up(topic);
            for op in waiters {
                let (topic, attempts) = (topic.clone(), attempts.clone());
                self.no_topic(op, SendError::NoRoute { topic, attempts });
            }
        }
    }

    fn go_on(&mut self, topic: &Topic, step: Step) {
        match step {
            Step::Ask => self.ask_route(topic),
            // Whoever is silent while the others say that there is none is not waited for long.
            Step::Wait => self.bear_silence(topic, self.ctx.fx.config.request_timeout),
            Step::Unknown => self.route_missing(topic),
            Step::Failed => {
                self.end_lookup(topic);
                let (now, in_use) = (self.ctx.fx.now, self.is_consumed(topic));
                let (released, pause) = self.routes.failed(now, topic, in_use);
                self.pause_route(topic, pause);
                released.into_iter().for_each(|op| self.route_known(op));
            }
            Step::Stale => {}
        }
    }

    /// Every nameserver that answers says that there is no such topic.
    fn route_missing(&mut self, topic: &Topic) {
        // Only a send makes a broker create the topic: other questions have no use for `TBW102`.
        let creates = self.routes.waiters(topic).any(|op| self.creates(op));
        if creates && !self.routes.exists(topic) && !self.routes.is_fallback(topic) {
            self.routes.fall_back(topic);
            return self.ask_route(topic);
        }
        self.end_lookup(topic);
        let (now, consumed) = (self.ctx.fx.now, self.is_consumed(topic));
        let serves = consumed || self.is_served(topic);
        let config = &self.ctx.fx.config;
        let how = (config.route_refresh, serves, config.await_topic);
        let operations = &self.operations;
        let missing = self
            .routes
            .missing(now, topic, how, &|op| operations.get(op).is_some_and(Operation::creates));
        self.pause_route(topic, missing.pause);
        if let Some(attempt) = missing.attempts.last().cloned()
            && (consumed || self.routes.known(topic).is_some() || missing.dropped)
        {
            self.note_failing(topic, &attempt);
        }
        if missing.dropped {
            self.forget_unrouted();
        }
        missing.released.into_iter().for_each(|op| self.route_known(op));
        for op in missing.denied {
            let (topic, attempts) = (topic.clone(), missing.attempts.clone());
            self.no_topic(op, SendError::NoTopic { topic, attempts });
        }
        self.watch_missing(topic);
    }

    /// Whether a broker of the topic's route is connected: it is there, whatever is said of it.
    fn is_served(&self, topic: &Topic) -> bool {
        let Some(route) = self.routes.known(topic) else { return false };
        let mut brokers = route.brokers.iter();
        brokers
            .any(|id| self.brokers.peers(*id).any(|peer| self.ctx.remoting.peers.is_reached(peer)))
    }

    /// A nameserver told a topic's route. The decoder gives the same `Arc` for the same bytes, and
    /// then there is nothing to compile.
    fn route_told(&mut self, topic: &Topic, body: Arc<RouteBody>, fallback: bool) {
        self.end_lookup(topic);
        let now = self.ctx.fx.now;
        let addresses = self.brokers.addresses();
        let source = Source { body, fallback, addresses };
        if let Some(told) = self.routes.unchanged(now, topic, &source) {
            self.ctx.fx.counters.routes_unchanged += 1;
            return self.route_news(topic, told);
        }
        self.ctx.fx.counters.routes_compiled += 1;
        let body = source.body.clone();
        let route = Route::compile(&body, fallback, &mut |named| match named {
            Named::Told(data) => self.learn_broker(data),
            Named::Only(name) => {
                let broker = self.brokers.named(name);
                let (master, reached) = (self.brokers.master(broker), self.brokers.reader(broker));
                let (master, reached) = (master.is_some(), reached.is_some());
                Learnt { broker, master, reached, unreadable: None }
            }
        });
        for RefusedRow { broker_name, reason } in &body.refused {
            let (broker, reason) = (broker_name.clone(), reason.clone());
            self.ctx.fx.note(Note::RowRefused { topic: topic.clone(), broker, reason });
        }
        let source = Source { addresses: self.brokers.addresses(), ..source };
        let moved = self.brokers.take_moved();
        let start = self.ctx.fx.rng.next_u64();
        let told = self.routes.learned(now, topic, route, source, start);
        self.route_news(topic, told);
        self.brokers_moved(&moved);
    }

    /// Keeps where a broker is. Addresses that can't be read are told of, and left out.
    fn learn_broker(&mut self, data: &BrokerData) -> Learnt {
        let mut unreadable = None;
        let mut addresses = BTreeMap::new();
        for (id, told) in &data.addresses {
            match self.ctx.fx.config.rewritten(told) {
                Ok(address) => {
                    addresses.insert(*id, self.ctx.remoting.peers.at(PeerKind::Broker, &address));
                }
                Err(_) => {
                    let (broker, address) = (data.broker_name.clone(), Arc::from(&**told));
                    unreadable = unreadable.or_else(|| Some(Arc::clone(&address)));
                    self.ctx.fx.note(Note::UnreadableAddress { broker, address });
                }
            }
        }
        let (master, reached) = (addresses.contains_key(&0), !addresses.is_empty());
        let broker = self.brokers.learn(&data.broker_name, addresses, unreadable.clone());
        Learnt { broker, master, reached, unreadable }
    }

    fn route_news(&mut self, topic: &Topic, told: Told) {
        let Told { released, changed, pause } = told;
        self.pause_route(topic, pause);
        released.into_iter().for_each(|op| self.route_known(op));
        if changed {
            self.note_route(topic);
            self.forget_unrouted();
            self.topic_changed(topic);
        }
    }

    fn note_route(&mut self, topic: &Topic) {
        // `TBW102`'s queues are nobody's.
        if let Some(route) = self.routes.known(topic).filter(|route| !route.fallback) {
            let (writable, readable) = (route.writable.len(), route.readable.len());
            self.ctx.fx.note(Note::RouteChanged { topic: topic.clone(), writable, readable });
        }
    }

    /// Tells that a topic's route can't be had: once, until it can.
    fn note_failing(&mut self, topic: &Topic, attempt: &Attempt) {
        if self.routes.begins_to_fail(topic) {
            let (topic, known) = (topic.clone(), self.routes.known(topic).is_some());
            self.ctx.fx.note(Note::RouteFailed {
                topic,
                attempt: Box::new(attempt.clone()),
                known,
            });
        }
    }

    fn route_known(&mut self, op: OpId) {
        if self.send_of(op).is_some() {
            self.route_send(op);
        } else {
            self.route_ask(op);
        }
    }

    /// No route will come for a call.
    fn no_topic(&mut self, op: OpId, error: SendError) {
        if self.send_of(op).is_some() {
            return self.end_send(op, Err(error));
        }
        if let SendError::NoTopic { topic, attempts } | SendError::NoRoute { topic, attempts } =
            error
        {
            self.end_ask(op, Err(QueryError::NoRoute { topic, attempts }));
        }
    }
}
