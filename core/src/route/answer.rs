//! What nameservers answer, and what it comes to: a route, none, or another question.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::ask::{Directory, pause};
use super::{Learnt, Missing, Named, Route, Routes, Said, Source, Step, Told};
use crate::body::{BrokerData, RefusedRow, RouteBody};
use crate::broker::Brokers;
use crate::effects::{Note, Planted, Signal, Unrouted};
use crate::error::{Attempt, Attempts, CloseReason, Failure, PeerKind};
use crate::frame::{FrameError, Reply, ResponseCode};
use crate::id::OpId;
use crate::name::Topic;
use crate::remoting::{AskedPeer, Body, Context};

impl Routes {
    /// A nameserver answered.
    pub(crate) fn answered(
        &mut self,
        ctx: &mut Context,
        dir: &mut Directory<'_>,
        asked: AskedPeer,
        (topic, lookup, fallback): (&Topic, u64, bool),
        (reply, body): (Reply, Body),
    ) {
        let failure = match (reply.code, body) {
            (ResponseCode::SUCCESS, Body::Route(Ok(body))) => {
                if self.takes(topic, lookup, fallback) {
                    dir.names.prefer(asked.peer);
                    self.told(ctx, dir, topic, body, fallback);
                }
                return;
            }
            (ResponseCode::SUCCESS, Body::Route(Err(error))) => {
                Failure::Body(error.to_string().into())
            }
            (code, _) => Failure::Refused { code, remark: reply.remark.map(Into::into) },
        };
        if reply.code != ResponseCode::TOPIC_NOT_EXIST {
            return self.ask_failed(ctx, dir, asked, (topic, lookup, fallback), failure);
        }
        let (key, ring) = ((lookup, fallback), dir.names.ring());
        let step = self.said(topic, key, asked.peer, Said::Unknown, ring);
        let believed = ctx.fx.plant.is(Planted::BelievesOne) && step == Step::Ask;
        let step = if believed { Step::Unknown } else { step };
        if step != Step::Stale {
            let attempt = ctx.attempt(asked.peer, Some(asked.opaque), failure);
            self.attempted(topic, attempt);
        }
        self.go_on(ctx, dir, topic, step);
    }

    /// A nameserver could not be asked, or could not answer.
    pub(crate) fn ask_failed(
        &mut self,
        ctx: &mut Context,
        dir: &mut Directory<'_>,
        asked: AskedPeer,
        (topic, lookup, fallback): (&Topic, u64, bool),
        failure: Failure,
    ) {
        dir.names.failed(asked.peer);
        // What never will be a nameserver, or will never take us, is not asked until the deadline.
        let hopeless = match &failure {
            Failure::Refused { code, .. } if !failure.is_denied() => {
                *code == ResponseCode::REQUEST_CODE_NOT_SUPPORTED
            }
            Failure::Closed(CloseReason::Frame(error)) => matches!(error, FrameError::Foreign(_)),
            failure => failure.is_denied() || failure.is_untrusted(),
        };
        let now = ctx.fx.now;
        let said = if hopeless { Said::Hopeless(now) } else { Said::Failed(now) };
        let step = self.said(topic, (lookup, fallback), asked.peer, said, dir.names.ring());
        if step == Step::Stale {
            return;
        }
        let hopeless = step == Step::Failed && self.is_hopeless(topic);
        let attempt = ctx.attempt(asked.peer, Some(asked.opaque), failure);
        self.attempted(topic, attempt.clone());
        let denies = attempt.failure.is_denied();
        self.denied_by(topic, denies.then(|| Arc::new(attempt.clone())));
        if step == Step::Failed && (!topic.is_retry() || self.exists(topic)) {
            self.note_failing(ctx, topic, &attempt);
        }
        self.go_on(ctx, dir, topic, step);
        if hopeless && self.known(topic).is_none() {
            let (waiters, attempts) = self.give_up(topic);
            for op in waiters {
                unrouted(ctx, op, topic, &attempts, false);
            }
        }
    }

    pub(super) fn go_on(
        &mut self,
        ctx: &mut Context,
        dir: &mut Directory<'_>,
        topic: &Topic,
        step: Step,
    ) {
        match step {
            Step::Ask => self.ask(ctx, dir.names, topic),
            // Whoever is silent while the others say that there is none is not waited for long.
            Step::Wait => {
                let limit = ctx.fx.config.request_timeout;
                self.bear_silence(ctx, dir.names, topic, limit);
            }
            Step::Unknown => self.denied(ctx, dir, topic),
            Step::Failed => {
                self.end_lookup(ctx, topic);
                let (released, after) =
                    self.failed(ctx.fx.now, topic, (dir.reads)(topic) && !topic.is_retry());
                pause(ctx, topic, after);
                routed(ctx, released);
            }
            Step::Stale => {}
        }
    }

    /// Every nameserver that answers says that there is no such topic.
    fn denied(&mut self, ctx: &mut Context, dir: &mut Directory<'_>, topic: &Topic) {
        // Only a send makes a broker create the topic: other questions have no use for `TBW102`.
        let creates = self.waiters(topic).any(|waiter| waiter.creates);
        if creates && !self.exists(topic) && !self.is_fallback(topic) {
            self.fall_back(topic);
            return self.ask(ctx, dir.names, topic);
        }
        self.end_lookup(ctx, topic);
        let reads = (dir.reads)(topic);
        let serves = reads || self.is_served(ctx, dir.brokers, topic);
        let how = (ctx.fx.config.route_refresh_interval, serves, ctx.fx.config.await_topic);
        let missing = self.missing(ctx.fx.now, topic, how);
        let Missing { released, denied, attempts, pause: after, dropped } = missing;
        pause(ctx, topic, after);
        if let Some(attempt) = attempts.last()
            && ((reads && !topic.is_retry()) || self.known(topic).is_some() || dropped)
        {
            self.note_failing(ctx, topic, &attempt.clone());
        }
        if dropped {
            self.let_go(ctx, dir.brokers);
        }
        routed(ctx, released);
        for op in denied {
            unrouted(ctx, op, topic, &attempts, true);
        }
        ctx.fx.signal(Signal::TopicMissing(topic.clone()));
    }

    /// Whether a broker of the topic's route is connected: it is there, whatever is said of it.
    fn is_served(&self, ctx: &Context, brokers: &Brokers, topic: &Topic) -> bool {
        let Some(route) = self.known(topic) else { return false };
        let mut named = route.brokers.iter();
        named.any(|id| brokers.peers(*id).any(|peer| ctx.remoting.peers.is_reached(peer)))
    }

    /// A nameserver told a topic's route. The decoder gives the same `Arc` for the same bytes, and
    /// then there is nothing to compile.
    fn told(
        &mut self,
        ctx: &mut Context,
        dir: &mut Directory<'_>,
        topic: &Topic,
        body: Arc<RouteBody>,
        fallback: bool,
    ) {
        self.end_lookup(ctx, topic);
        let now = ctx.fx.now;
        let brokers = &mut *dir.brokers;
        let source = Source { body, fallback, addresses: brokers.addresses() };
        if let Some(told) = self.unchanged(now, topic, &source) {
            ctx.fx.counters.routes_unchanged += 1;
            return news(ctx, topic, told);
        }
        ctx.fx.counters.routes_compiled += 1;
        let body = source.body.clone();
        let route = Route::compile(&body, fallback, &mut |named| match named {
            Named::Told(data) => learn(ctx, brokers, data),
            Named::Only(name) => {
                let broker = brokers.named(name);
                let (master, reached) = (brokers.master(broker), brokers.reader(broker));
                let (master, reached) = (master.is_some(), reached.is_some());
                Learnt { broker, master, reached, unreadable: None }
            }
        });
        for RefusedRow { broker_name, reason } in &body.refused {
            let (broker, reason) = (broker_name.clone(), reason.clone());
            ctx.fx.note(Note::RowRefused { topic: topic.clone(), broker, reason });
        }
        let source = Source { addresses: brokers.addresses(), ..source };
        let moved = brokers.take_moved();
        let start = ctx.fx.rng.next_u64();
        let before = self.known(topic).cloned();
        let told = self.learned(now, topic, route, source, start);
        if before.is_some_and(|before| self.names_less(topic, &before)) {
            self.let_go(ctx, dir.brokers);
        }
        self.await_queues(ctx, topic);
        news(ctx, topic, told);
        if !moved.is_empty() {
            ctx.fx.signal(Signal::BrokersMoved(moved));
        }
    }

    /// Whether the topic's route lacks a broker that it named before.
    fn names_less(&self, topic: &Topic, before: &Route) -> bool {
        let now = self.known(topic).map_or(&[][..], |route| &route.brokers);
        before.brokers.iter().any(|broker| now.binary_search(broker).is_err())
    }

    /// Tells of a route that changed.
    pub(crate) fn changed(&self, ctx: &mut Context, topic: &Topic) {
        // `TBW102`'s queues are nobody's.
        if let Some(route) = self.known(topic).filter(|route| !route.fallback) {
            let (writable, readable) = (route.writable.len(), route.readable.len());
            ctx.fx.note(Note::RouteChanged { topic: topic.clone(), writable, readable });
        }
    }

    /// Lets go of brokers, and of addresses of brokers, that no route names any more.
    pub(crate) fn let_go(&self, ctx: &mut Context, brokers: &Brokers) {
        let used = self.brokers().into_iter().flat_map(|id| brokers.peers(id)).collect();
        ctx.remoting.peers.want_only(&used);
    }

    /// Tells that a topic's route can't be had: once, until it can. A client that stops needs none.
    fn note_failing(&mut self, ctx: &mut Context, topic: &Topic, attempt: &Attempt) {
        if !attempt.failure.is_by_stopping() && self.begins_to_fail(topic) {
            let (topic, known) = (topic.clone(), self.known(topic).is_some());
            ctx.fx.note(Note::RouteFailed { topic, attempt: Box::new(attempt.clone()), known });
        }
    }
}

/// A look-up brought a route, or the one that was known.
fn news(ctx: &mut Context, topic: &Topic, told: Told) {
    let Told { released, changed, pause: after } = told;
    pause(ctx, topic, after);
    routed(ctx, released);
    if changed {
        ctx.fx.signal(Signal::RouteChanged(topic.clone()));
    }
}

/// Calls go on with what is known.
pub(super) fn routed(ctx: &mut Context, ops: impl IntoIterator<Item = OpId>) {
    ops.into_iter().for_each(|op| ctx.fx.signal(Signal::Routed(op)));
}

/// No route will come for a call.
fn unrouted(ctx: &mut Context, op: OpId, topic: &Topic, attempts: &Attempts, missing: bool) {
    let (topic, attempts) = (topic.clone(), attempts.clone());
    ctx.fx.signal(Signal::Unrouted(op, Box::new(Unrouted { topic, missing, attempts })));
}

/// Keeps where a broker is. Addresses that can't be read are told of, and left out.
fn learn(ctx: &mut Context, brokers: &mut Brokers, data: &BrokerData) -> Learnt {
    let mut unreadable = None;
    let mut addresses = BTreeMap::new();
    for (id, told) in &data.addresses {
        match ctx.fx.config.rewritten(told) {
            Ok(address) => {
                addresses.insert(*id, ctx.remoting.peers.at(PeerKind::Broker, &address));
            }
            Err(_) => {
                let (broker, address) = (data.broker_name.clone(), Arc::from(&**told));
                unreadable = unreadable.or_else(|| Some(Arc::clone(&address)));
                ctx.fx.note(Note::UnreadableAddress { broker, address });
            }
        }
    }
    let (master, reached) = (addresses.contains_key(&0), !addresses.is_empty());
    let broker = brokers.learn(&data.broker_name, addresses, unreadable.clone());
    Learnt { broker, master, reached, unreadable }
}
