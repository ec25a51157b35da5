//! The end: finish what runs, commit, unregister, close.
//!
//! | state | leaves on | to |
//! |---|---|---|
//! | Running | `shutdown` | Draining |
//! | Draining | every call has ended, every consumer has left | Unregistering |
//! | Unregistering | every broker answered | Closing |
//! | any but Running | `shutdown_timeout` | Closing, what still waits ended with an error |
//! | Closing | every connection is closed | Stopped, `Event::Stopped` |

use super::{Engine, Event, Stats, TimerKind};
use crate::broker::Brokers;
use crate::id::SubscriptionId;
use crate::name::Group;
use crate::nameserver::Source;
use crate::remoting::BrokerAsk;
use crate::time::Instant;

#[derive(Debug, Default)]
pub(super) enum State {
    #[default]
    Running,
    Draining,
    Unregistering {
        waiting: usize,
    },
    Closing,
    Stopped,
}

/// How far the client has come in its life.
#[derive(Debug, Default)]
pub(super) struct Shutdown(State);

impl Shutdown {
    /// Whether brokers are to know of it: one that ends is a member of its groups until what its
    /// consumers were given is settled.
    pub(super) const fn is_member(&self) -> bool {
        matches!(self.0, State::Running | State::Draining)
    }

    pub(super) const fn is_running(&self) -> bool {
        matches!(self.0, State::Running)
    }

    pub(super) const fn state(&self) -> &State {
        &self.0
    }

    pub(super) const fn is_stopped(&self) -> bool {
        matches!(self.0, State::Stopped)
    }
}

impl Engine {
    /// Ends everything in good order, within `shutdown_timeout`: new calls are refused, sends
    /// under way finish, consumers [drain](Self::drain) for at most three quarters of it and leave,
    /// brokers are told, connections close. Ends with [`Event::Stopped`]. A second call changes
    /// nothing.
    pub fn shutdown(&mut self, now: Instant) {
        let now = self.tick(now);
        if !self.shutdown.is_running() {
            return;
        }
        self.shutdown.0 = State::Draining;
        let overdue = now + self.ctx.fx.config.shutdown_timeout;
        self.ctx.fx.timers.at(overdue, TimerKind::Leave);
        // The last quarter is for their commits and goodbyes.
        let within = self.ctx.fx.config.shutdown_timeout * 3 / 4;
        for sub in self.consumers.ids() {
            // A consumer that had gone would have no id here.
            let _ = self.drain(now, sub, within);
        }
        self.advance();
    }

    /// Goes on with the end, as far as it can go now.
    pub(super) fn advance(&mut self) {
        self.carry();
        let (producers, ctx, mut ways) = self.producers();
        producers.begin_next(ctx, &mut ways);
        if matches!(self.shutdown.0, State::Draining)
            && self.ctx.fx.ops.is_empty()
            && self.consumers.is_empty()
        {
            let waiting = self.unregister_producers();
            self.shutdown.0 = State::Unregistering { waiting };
        }
        if matches!(self.shutdown.0, State::Unregistering { waiting: 0 }) {
            self.close_all();
        }
        if matches!(self.shutdown.0, State::Closing) && self.ctx.remoting.peers.sockets() == 0 {
            self.stopped();
        }
    }

    /// Nothing is waited for any more. Tables are emptied and not replaced: keys into them may be
    /// kept elsewhere, and must name nothing that is set later.
    fn stopped(&mut self) {
        self.shutdown.0 = State::Stopped;
        if let Some(source) = self.names.source_mut() {
            source.stop();
        }
        // Requests to peers that were not connected have nobody left to wait for them.
        self.ctx.remoting.calls.clear();
        let (peers, fx) = self.ctx.peers();
        peers.drop_frames(fx);
        self.ctx.fx.timers.clear();
        self.consumers.stop();
        self.ctx.fx.throttle.end();
        self.ctx.fx.event(Event::Stopped);
    }

    /// What is kept of timers was given out by this engine's table, and a client that has stopped
    /// waits for nothing.
    pub(super) fn check_timers(&self) {
        let source = self.names.source().and_then(Source::timer);
        let operations = self.producers.timers().chain(self.queries.timers());
        let kept =
            self.ctx.remoting.peers.timers().chain(self.ctx.remoting.calls.timers()).chain(source);
        let kept = kept.chain(self.routes.timers()).chain(self.ctx.remoting.requests.timers());
        for key in kept.chain(operations) {
            assert!(self.ctx.fx.timers.gave(key), "{key:?} is of another table");
        }
        if self.shutdown.is_stopped() {
            assert_eq!(self.next_timeout(), None, "a stopped client waits");
            assert!(source.is_none(), "a stopped client waits for a page");
            assert_eq!(self.stats(), Stats::default(), "a stopped client has something left");
            assert!(self.consumers.is_empty(), "a stopped client consumes");
            assert_eq!(self.ctx.remoting.requests.len(), 0, "a stopped client is to answer");
        }
    }

    fn close_all(&mut self) {
        self.shutdown.0 = State::Closing;
        let (peers, fx) = self.ctx.peers();
        peers.stop(fx);
    }

    /// Java's clients tell each broker for each group (`MQClientInstance.unregisterClient`).
    fn unregister_producers(&mut self) -> usize {
        let groups: Vec<Group> = self.producers.groups.iter().cloned().collect();
        Brokers::unregister_producers(&mut self.ctx, &groups, BrokerAsk::Unregister(None))
    }

    /// A broker answered a farewell, or can't.
    pub(super) fn unregister_answered(&mut self, sub: Option<SubscriptionId>) {
        if let Some(sub) = sub {
            let (consumers, ctx, known) = self.consumers();
            consumers.unregistered(ctx, known, sub);
        } else if let State::Unregistering { waiting } = &mut self.shutdown.0 {
            *waiting = waiting.saturating_sub(1);
        }
    }

    /// `shutdown_timeout` is over.
    pub(super) fn shutdown_overdue(&mut self) {
        self.abandon_calls();
        let (consumers, ctx, known) = self.consumers();
        consumers.all_left(ctx, known);
        self.close_all();
    }
}
