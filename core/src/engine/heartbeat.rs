//! Heartbeats: what all machines are to brokers, and when it is said.

use std::sync::Arc;

use super::{BrokerStats, Engine, TimerKind};
use crate::body::SharedHeartbeat;
use crate::broker::HeardGroups;
use crate::id::PeerId;

impl Engine {
    /// Whether there is anything to say, and to whom: a client without groups sends no heartbeat.
    fn registers(&self) -> bool {
        (!self.producers.groups.is_empty() || !self.consumers.is_empty())
            && self.shutdown.is_member()
    }

    /// The heartbeat as it is now.
    fn heartbeat(&mut self) -> Arc<SharedHeartbeat> {
        let Self { consumers, producers, brokers, ctx, .. } = self;
        let groups = HeardGroups {
            consumers: consumers.heard().collect(),
            producers: producers.groups.iter().cloned().collect(),
        };
        brokers.heartbeat_of(&ctx.fx.client_id, groups, || consumers.heartbeat())
    }

    /// Registers with one broker.
    pub(super) fn register(&mut self, peer: PeerId) {
        if self.registers() {
            let heartbeat = self.heartbeat();
            self.brokers.heartbeat(&mut self.ctx, peer, &heartbeat);
        }
    }

    /// A broker has confirmed a heartbeat: consumers may read there, and requests go on that waited
    /// for it.
    pub(super) fn registered(&mut self, peer: PeerId) {
        let (consumers, ctx, known) = self.consumers();
        consumers.registered(ctx, known, peer);
        self.met();
    }

    /// Requests go on that no broker is waited for any more.
    pub(super) fn met(&mut self) {
        let (producers, ctx, mut ways) = self.producers();
        producers.met(ctx, &mut ways);
    }

    /// A message waits for a broker's version, and no heartbeat is under way whose answer tells it:
    /// it gets one also from a client that has no groups.
    pub(super) fn ask_version(&mut self, peer: PeerId) {
        if self.shutdown.is_running() && !self.brokers.is_hearing(peer) {
            let heartbeat = self.heartbeat();
            self.brokers.heartbeat(&mut self.ctx, peer, &heartbeat);
        }
    }

    /// The pause after a heartbeat that came to nothing is over.
    pub(super) fn register_again(&mut self, peer: PeerId, refusal: u64) {
        if self.brokers.is_due_again(&self.ctx, peer, refusal) {
            match self.registers() {
                true => self.register(peer),
                false => self.brokers.forgot(peer),
            }
        }
    }

    /// Registers with every broker there is a connection to, at once or after those heartbeats that
    /// are under way.
    pub(super) fn register_all(&mut self) {
        let hear = if self.registers() { self.brokers.may_hear(&self.ctx) } else { Vec::new() };
        hear.into_iter().for_each(|peer| self.register(peer));
    }

    /// The heartbeat of all brokers is due.
    pub(super) fn heartbeat_due(&mut self) {
        let Self { producers, ctx, brokers, .. } = self;
        producers.groups.forget_unused(ctx, brokers, self.shutdown.is_running());
        self.register_all();
        let (transactions, ctx, known) = self.transactions();
        transactions.reach_all(ctx, known);
        let after = self.ctx.fx.rng.jitter(self.ctx.fx.config.heartbeat_interval);
        self.ctx.fx.after(after, TimerKind::Heartbeat);
    }

    /// How each broker fares that a route names, or did a while ago: one that no route names for
    /// four refreshes is forgotten.
    pub fn brokers(&self) -> Vec<BrokerStats> {
        let window = |peer| self.producers.window(&self.ctx.fx, peer);
        self.brokers.stats(&self.ctx, &self.producers.healths, window)
    }

    /// Brokers that are left alone are to be asked whether they are well again.
    pub(super) fn probe_due(&mut self) {
        let Self { ctx, brokers, routes, producers, .. } = self;
        let probe = |broker| routes.probe(brokers, broker);
        brokers.probe_isolated(ctx, &producers.healths, &probe);
    }

    /// So is one that let a try run out.
    pub(super) fn slow_due(&mut self, main: PeerId) {
        self.ctx.remoting.peers.probe_over(main);
        if self.ctx.remoting.peers.is_slow(main) && self.shutdown.is_running() {
            let Self { ctx, brokers, routes, .. } = self;
            let probe = |broker| routes.probe(brokers, broker);
            brokers.probe_slow(ctx, main, &probe);
        }
    }
}
