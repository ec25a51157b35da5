//! What must always hold.

use super::{Engine, Stats};
use crate::nameserver::Source;

impl Engine {
    /// Panics when something that must always hold does not: for tests, simulation and fuzzing.
    pub fn check(&self) {
        assert!(self.ctx.fx.signals.is_empty(), "a signal was not carried");
        self.ctx.remoting.check();
        self.routes.check();
        self.check_names();
        self.consumers.check(&self.ctx, self.known());
        self.consumers.check_backs(&self.ctx, self.producers.owners());
        self.transactions.check(&self.ctx);
        self.check_counters();
        self.check_timers();
        let lives = !self.is_stopped();
        assert!(!lives || self.next_timeout().is_some(), "an own loop would wait for ever");
        self.producers.check(&self.ctx, self.known());
        self.queries.check(self.known(), self.names.is_empty());
    }

    /// All names are in the client's namespace, but for those of the topics that replies go to.
    fn check_names(&self) {
        let namespace = &self.ctx.fx.namespace;
        for topic in self.routes.topics().filter(|topic| !topic.as_str().ends_with("_REPLY_TOPIC"))
        {
            assert_eq!(namespace.topic(topic).wire(), topic.wire(), "another name of {topic}");
        }
        for group in self.consumers.groups().chain(self.producers.groups.iter()) {
            assert_eq!(namespace.group(group).wire(), group.wire(), "another name of {group}");
        }
    }

    /// Calls begun are calls ended and calls in flight.
    fn check_counters(&self) {
        let (sends, queries) = (self.producers.len() as u64, self.queries.len() as u64);
        let counters = &self.ctx.fx.counters;
        let counted = (counters.sends_in_flight(), counters.queries_in_flight());
        assert_eq!(counted, (sends, queries), "{counters:?}");
        assert_eq!(counters.rpc_in_flight(), self.producers.requests().0 as u64, "{counters:?}");
    }

    /// What is kept of timers was given out by this engine's table, and a client that has stopped
    /// waits for nothing.
    fn check_timers(&self) {
        let source = self.names.source().and_then(Source::timer);
        let operations = self.producers.timers().chain(self.queries.timers());
        let operations = operations.chain(self.transactions.timers());
        let kept =
            self.ctx.remoting.peers.timers().chain(self.ctx.remoting.calls.timers()).chain(source);
        let kept = kept.chain(self.routes.timers()).chain(self.ctx.remoting.requests.timers());
        for key in kept.chain(operations) {
            assert!(self.ctx.fx.timers.gave(key), "{key:?} is of another table");
        }
        if self.is_stopped() {
            assert_eq!(self.next_timeout(), None, "a stopped client waits");
            assert!(source.is_none(), "a stopped client waits for a page");
            assert_eq!(self.stats(), Stats::default(), "a stopped client has something left");
            assert!(self.consumers.is_empty(), "a stopped client consumes");
            assert_eq!(self.ctx.remoting.requests.len(), 0, "a stopped client is to answer");
        }
    }
}
