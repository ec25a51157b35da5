//! Look-ups of topics: which nameserver is asked when.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::{FALLBACK, Next, Routes, Step, Waiter};
use crate::broker::Brokers;
use crate::effects::TimerKind;
use crate::frame::request::RouteRequest;
use crate::frame::{Kind, Request};
use crate::name::Topic;
use crate::nameserver::NameServers;
use crate::remoting::{Context, Purpose};
use crate::time::Instant;

/// The longest time that a nameserver may be silent before the next one is asked.
const SILENCE: Duration = Duration::from_secs(1);
/// The shortest one, also where a call's time is over: it would be asked without end.
const LEAST: Duration = Duration::from_millis(10);

/// Whom look-ups ask, what they tell of, and what is used of it.
pub(crate) struct Directory<'a> {
    pub(crate) names: &'a mut NameServers,
    pub(crate) brokers: &'a mut Brokers,
    /// Whether a consumer reads a topic.
    pub(crate) reads: &'a dyn Fn(&Topic) -> bool,
}

/// Ways to brokers: topics, whom to ask for them, and where their brokers are.
pub(crate) struct Ways<'a> {
    pub(crate) routes: &'a mut Routes,
    pub(crate) names: &'a mut NameServers,
    pub(crate) brokers: &'a Brokers,
}

impl Ways<'_> {
    /// Has a topic looked up; `waiter` goes on when what it waits for has come.
    pub(crate) fn want(&mut self, ctx: &mut Context, topic: &Topic, waiter: Option<Waiter>) {
        self.routes.want(ctx, self.names, topic, waiter);
    }
}

impl Routes {
    /// Has a topic looked up; `waiter` goes on when what it waits for has come.
    pub(crate) fn want(
        &mut self,
        ctx: &mut Context,
        names: &NameServers,
        topic: &Topic,
        waiter: Option<Waiter>,
    ) {
        match self.begin(ctx.fx.now, topic, waiter) {
            Next::Ask => self.ask(ctx, names, topic),
            Next::Pause(after) => pause(ctx, topic, Some(after)),
            Next::Rest => {}
        }
        if let Some(waiter) = waiter {
            self.hurry(ctx, names, topic, waiter.deadline);
        }
    }

    /// The pause between look-ups is over.
    pub(crate) fn look_up_again(&mut self, ctx: &mut Context, names: &NameServers, topic: &Topic) {
        if self.pause_over(ctx.fx.now, topic) {
            self.ask(ctx, names, topic);
        }
    }

    /// The first list of nameservers is there: look-ups that nobody was asked for begin.
    pub(crate) fn servers_known(&mut self, ctx: &mut Context, names: &NameServers) {
        for topic in self.asking() {
            self.ask(ctx, names, &topic);
        }
    }

    /// Asks the next nameserver. Without any, the first list of the address server leads here
    /// again.
    pub(super) fn ask(&mut self, ctx: &mut Context, names: &NameServers, topic: &Topic) {
        let next = self.next_server(topic, names.ring());
        let Some((peer, fallback, lookup)) = next else { return };
        let purpose = Purpose::Route { topic: topic.clone(), fallback, lookup };
        let asked = if fallback { Arc::from(FALLBACK) } else { topic.wire().clone() };
        let request = Request::Route(RouteRequest { topic: asked, ..Default::default() });
        let within = ctx.fx.config.request_timeout;
        ctx.fx.counters.routes_asked += 1;
        ctx.ask(peer, purpose, Kind::Route, request, Bytes::new(), within);
        let limit = within.min(ctx.fx.config.send_timeout);
        let first = self.waiters(topic).next().map(|waiter| waiter.deadline);
        self.bear_silence(ctx, names, topic, limit);
        if let Some(deadline) = first {
            self.hurry(ctx, names, topic, deadline);
        }
    }

    /// A call waits, which has a deadline of its own.
    fn hurry(&mut self, ctx: &mut Context, names: &NameServers, topic: &Topic, deadline: Instant) {
        let left = deadline.since(ctx.fx.now);
        self.bear_silence(ctx, names, topic, left);
    }

    /// Has the next nameserver asked, or the silent ones left out, after a part of `limit`: all are
    /// asked within a third of it.
    pub(super) fn bear_silence(
        &mut self,
        ctx: &mut Context,
        names: &NameServers,
        topic: &Topic,
        limit: Duration,
    ) {
        let others = names.len().saturating_sub(1).max(1) as u32;
        let at_most = (limit / 3 / others).clamp(LEAST, SILENCE);
        let Some(patience) = self.patience(topic, at_most) else { return };
        let at = ctx.fx.now + patience;
        self.look_at(ctx, topic, at);
    }

    /// Has the look-up looked at again at `at`, unless that happens sooner.
    fn look_at(&mut self, ctx: &mut Context, topic: &Topic, at: Instant) {
        if self.is_slower(topic, at) {
            let timer = ctx.fx.timers.at(at, TimerKind::RouteSlow(topic.clone()));
            if let Some(before) = self.set_slow(topic, Some((at, timer))) {
                ctx.fx.timers.cancel(before);
            }
        }
    }

    /// A nameserver has been silent for as long as it may.
    pub(crate) fn slow(&mut self, ctx: &mut Context, dir: &mut Directory<'_>, topic: &Topic) {
        match self.slow_over(ctx.fx.now, topic, dir.names.ring()) {
            // There is nobody else to ask: those that only wanted to know better go on as they are.
            (Step::Wait, again) => {
                if let Some(at) = again {
                    self.look_at(ctx, topic, at);
                }
                super::answer::routed(ctx, self.without_news(topic));
            }
            (step, _) => self.go_on(ctx, dir, topic, step),
        }
    }

    /// The look-up of a topic ends here: nobody is left out any more for being silent.
    pub(super) fn end_lookup(&mut self, ctx: &mut Context, topic: &Topic) {
        if let Some(timer) = self.set_slow(topic, None) {
            ctx.fx.timers.cancel(timer);
        }
    }

    /// A broker's connection was lost: its topics are looked up again, since their masters may have
    /// moved.
    pub(crate) fn broker_lost(
        &mut self,
        ctx: &mut Context,
        names: &NameServers,
        lost: &[crate::id::BrokerId],
    ) {
        for broker in lost {
            for topic in self.touched_by(ctx.fx.now, *broker) {
                self.want(ctx, names, &topic, None);
            }
        }
    }

    /// Looks the topics up again that were last asked for long enough ago. The next round is drawn
    /// up to a quarter late, and never early: no topic is asked for more often than configured, and
    /// clients that began together drift apart. `refreshes`: the client is not about to end.
    pub(crate) fn refresh(
        &mut self,
        ctx: &mut Context,
        names: &NameServers,
        brokers: &Brokers,
        consumed: &std::collections::BTreeSet<Topic>,
        refreshes: bool,
    ) {
        let (now, age) = (ctx.fx.now, ctx.fx.config.route_refresh_interval);
        let (due, forgotten) = self.due(now, age, consumed);
        for topic in due.iter().filter(|_| refreshes) {
            self.want(ctx, names, topic, None);
        }
        if forgotten {
            self.let_go(ctx, brokers);
        }
    }

    /// Sets when the next refresh is.
    pub(crate) fn refresh_later(&self, ctx: &mut Context) {
        let (now, age) = (ctx.fx.now, ctx.fx.config.route_refresh_interval);
        let late = ctx.fx.rng.below(age.as_nanos() as u64 / 4);
        let next = self.oldest(now) + age + Duration::from_nanos(late);
        // A topic that can't be asked for, since no nameserver is set, stays due.
        ctx.fx.timers.at(next.max(now + age / 4), TimerKind::Routes);
    }
}

pub(super) fn pause(ctx: &mut Context, topic: &Topic, pause: Option<Duration>) {
    if let Some(pause) = pause {
        ctx.fx.after(pause, TimerKind::Route(topic.clone()));
    }
}
