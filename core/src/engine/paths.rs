//! Ways to brokers: routes looked up, and requests of our own sent.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::{Body, Command, Engine, Note, TimerKind};
use crate::body::RouteBody;
use crate::call::{Call, Purpose};
use crate::error::{Attempt, CloseReason, Failure, PeerKind, QueryError, SendError};
use crate::frame::request::RouteRequest;
use crate::frame::{FrameError, Kind, Opaque, OutFrame, Payload, Reply, Request, ResponseCode};
use crate::id::{OpId, PeerId};
use crate::name::{Endpoint, Topic};
use crate::route::{FALLBACK, Next, PAUSE, Route, Source};

/// Who was asked, and with what number.
#[derive(Clone, Copy, Debug)]
pub(super) struct AskedPeer {
    pub(super) peer: PeerId,
    pub(super) opaque: Opaque,
}

impl Engine {
    /// Sends a request of our own, with a deadline of its own.
    pub(super) fn ask(
        &mut self,
        peer: PeerId,
        purpose: Purpose,
        kind: Kind,
        request: Request,
        body: Bytes,
        within: Duration,
    ) -> Opaque {
        let call = Call::new(peer, purpose);
        let opaque = self.calls.open(kind, call);
        let timer = self.timers.after(self.ground.now, within, TimerKind::Call(opaque));
        if let Some(call) = self.calls.find(opaque) {
            call.timer = Some(timer);
        }
        let payload = Payload::Request { request, body, oneway: false };
        let (peers, mut ctx) = self.peers();
        peers.send(&mut ctx, peer, OutFrame { opaque, payload });
        opaque
    }

    /// Has a topic looked up; `waiter` goes on when its route is known.
    pub(super) fn want_route(&mut self, topic: &Topic, waiter: Option<OpId>) {
        if self.routes.want(self.ground.now, topic, waiter) {
            self.ask_route(topic, false);
        }
    }

    /// Looks a topic in use up again.
    pub(super) fn refresh_route(&mut self, topic: &Topic) {
        if self.life.is_running() {
            self.want_route(topic, None);
        }
    }

    pub(super) fn ask_route(&mut self, topic: &Topic, fallback: bool) {
        // Without any, the first list of the address server leads here again.
        let Some(peer) = self.names.current() else { return };
        let purpose = Purpose::Route { topic: topic.clone(), fallback };
        let asked = if fallback { Arc::from(FALLBACK) } else { topic.shared() };
        let request = Request::Route(RouteRequest { topic: asked, ..Default::default() });
        let within = self.ground.config.request_timeout;
        self.counters.routes_asked += 1;
        self.ask(peer, purpose, Kind::Route, request, Bytes::new(), within);
    }

    /// One try that came to nothing, as errors tell of it.
    pub(super) fn attempt(
        &self,
        peer: PeerId,
        opaque: Option<Opaque>,
        failure: Failure,
    ) -> Attempt {
        let endpoint = self.peers.endpoint(peer).clone();
        Attempt { endpoint, peer: self.peers.kind(peer), opaque, failure }
    }

    /// A nameserver answered.
    pub(super) fn route_answered(
        &mut self,
        asked: AskedPeer,
        topic: &Topic,
        fallback: bool,
        reply: Reply,
        body: Body,
    ) {
        let failure = match (reply.code, body) {
            (ResponseCode::SUCCESS, Body::Route(Ok(body))) => {
                return self.route_told(topic, body, fallback);
            }
            (ResponseCode::SUCCESS, Body::Route(Err(error))) => {
                Failure::Body(error.to_string().into())
            }
            (code, _) => Failure::Refused { code, remark: reply.remark.map(Into::into) },
        };
        let missing = reply.code == ResponseCode::TOPIC_NOT_EXIST;
        if !missing {
            return self.route_failed(asked, topic, fallback, failure);
        }
        // Only a send makes a broker create the topic: other questions have no use for `TBW102`.
        let creates = self.routes.waiters(topic).any(|op| self.creates(op));
        if !fallback && creates && self.routes.known(topic).is_none() {
            return self.ask_route(topic, true);
        }
        let attempt = self.attempt(asked.peer, Some(asked.opaque), failure);
        if self.is_consumed(topic) || self.routes.known(topic).is_some() {
            self.note_failing(topic, &attempt);
        }
        let (waiters, attempts) = self.routes.missing(topic, attempt);
        for op in waiters {
            // A question about a topic that only `TBW102` stands for would ask again for ever.
            let known = self.routes.known(topic);
            if known.is_some_and(|route| !route.fallback || self.creates(op)) {
                self.route_known(op);
            } else {
                let (topic, attempts) = (topic.clone(), attempts.clone());
                self.no_topic(op, SendError::NoTopic { topic, attempts });
            }
        }
        self.watch_missing(topic);
    }

    /// A nameserver told a topic's route. The decoder gives the same `Arc` for the same bytes, and
    /// then there is nothing to compile.
    fn route_told(&mut self, topic: &Topic, body: Arc<RouteBody>, fallback: bool) {
        let now = self.ground.now;
        let addresses = self.brokers.addresses();
        let source = Source { body, fallback, addresses };
        if let Some(waiters) = self.routes.unchanged(now, topic, &source) {
            self.counters.routes_unchanged += 1;
            waiters.into_iter().for_each(|op| self.route_known(op));
            return;
        }
        self.counters.routes_compiled += 1;
        let (peers, config) = (&mut self.peers, &self.ground.config);
        let brokers = &mut self.brokers;
        let route = Route::compile(&source.body, fallback, &mut |data| {
            let addresses = data.addresses.iter().filter_map(|(id, address)| {
                let address = config.rewritten(Endpoint::parse(address).ok()?);
                Some((*id, peers.at(PeerKind::Broker, &address)))
            });
            let addresses: std::collections::BTreeMap<_, _> = addresses.collect();
            let master = addresses.contains_key(&0);
            let known = !addresses.is_empty();
            known.then(|| (brokers.learn(&data.broker_name, addresses), master))
        });
        let source = Source { addresses: self.brokers.addresses(), ..source };
        let moved = self.brokers.take_moved();
        self.route_learned(topic, route, source);
        self.brokers_moved(&moved);
    }

    fn route_learned(&mut self, topic: &Topic, route: Route, source: Source) {
        let start = self.ground.rng.next_u64();
        let (waiters, changed) = self.routes.learned(self.ground.now, topic, route, source, start);
        for op in waiters {
            self.route_known(op);
        }
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
            self.out.note(Note::RouteChanged { topic: topic.clone(), writable, readable });
        }
    }

    /// Tells that a topic's route can't be had: once, until it can.
    fn note_failing(&mut self, topic: &Topic, attempt: &Attempt) {
        if self.routes.begins_to_fail(topic) {
            let (topic, known) = (topic.clone(), self.routes.known(topic).is_some());
            self.out.note(Note::RouteFailed { topic, attempt: Box::new(attempt.clone()), known });
        }
    }

    /// Lets go of brokers, and of addresses of brokers, that no route names any more.
    pub(super) fn forget_unrouted(&mut self) {
        let brokers = self.routes.brokers();
        let used = brokers.into_iter().flat_map(|id| self.brokers.peers(id)).collect();
        self.peers.want_only(&used);
    }

    fn route_known(&mut self, op: OpId) {
        if self.send_of(op).is_some() {
            self.route_send(op);
        } else {
            self.route_ask(op);
        }
    }

    /// The nameserver could not be asked, or could not answer.
    pub(super) fn route_failed(
        &mut self,
        asked: AskedPeer,
        topic: &Topic,
        fallback: bool,
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
        let attempt = self.attempt(asked.peer, Some(asked.opaque), failure);
        let in_use = self.is_consumed(topic);
        let (now, servers) = (self.ground.now, self.names.len());
        let next = self.routes.failed(now, topic, attempt.clone(), servers, in_use);
        if next != Next::Ask {
            self.note_failing(topic, &attempt);
        }
        match next {
            Next::Ask => self.ask_route(topic, fallback),
            Next::Rest => {}
            Next::Pause => {
                self.timers.after(now, PAUSE, TimerKind::Route(topic.clone()));
            }
        }
        if hopeless && self.routes.known(topic).is_none() {
            let (waiters, attempts) = self.routes.give_up(topic);
            for op in waiters {
                let (topic, attempts) = (topic.clone(), attempts.clone());
                self.no_topic(op, SendError::NoRoute { topic, attempts });
            }
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

    /// The pause after failed lookups is over.
    pub(super) fn route_pause_over(&mut self, topic: &Topic) {
        if self.routes.pause_over(self.ground.now, topic) {
            self.ask_route(topic, false);
        }
    }

    /// Looks the topics up again that were last asked for long enough ago. The next round is drawn
    /// up to a quarter late, and never early: no topic is asked for more often than configured, and
    /// clients that began together drift apart.
    pub(super) fn refresh_routes(&mut self) {
        let (now, age) = (self.ground.now, self.ground.config.route_refresh);
        for topic in self.routes.due(now, age, &self.consumed()) {
            self.refresh_route(&topic);
        }
        let late = self.ground.rng.below(age.as_nanos() as u64 / 4);
        let next = self.routes.oldest(now) + age + Duration::from_nanos(late);
        // A topic that can't be asked for, since no nameserver is set, stays due.
        self.timers.at(next.max(now + age / 4), TimerKind::Routes);
    }

    /// A connection was lost: the topics of its broker are looked up again, since their masters may
    /// have moved.
    pub(super) fn lost(&mut self, peer: PeerId, idle: bool) {
        self.brokers.forgot(peer);
        if idle || self.peers.kind(peer) == PeerKind::NameServer || !self.life.is_running() {
            return;
        }
        for broker in self.brokers.with(self.peers.main(peer)) {
            for topic in self.routes.touched_by(self.ground.now, broker) {
                self.refresh_route(&topic);
            }
        }
    }

    /// Ends with what the peer sent being no frames: the connection is closed for it.
    pub(super) fn malformed(
        &mut self,
        conn: crate::id::ConnectionId,
        error: crate::frame::FrameError,
    ) {
        let (peers, mut ctx) = self.peers();
        peers.close(&mut ctx, conn, error.into());
    }

    /// The commands that wait, for tests and traces.
    pub fn commands(&self) -> impl Iterator<Item = &Command> {
        self.out.commands.iter()
    }
}
