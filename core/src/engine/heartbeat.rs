//! Heartbeats: what all machines are to brokers, and when it is said.

use bytes::Bytes;

use super::{BrokerStats, Engine, TimerKind};
use crate::body::{Heartbeat, ProducerData};
use crate::broker::Brokers;
use crate::frame::Request;
use crate::id::{BrokerId, PeerId};
use crate::remoting::BrokerAsk;

impl Engine {
    /// Whether there is anything to say, and to whom: a client without groups sends no heartbeat.
    fn registers(&self) -> bool {
        (!self.producers.groups.is_empty() || !self.consumers.is_empty())
            && self.shutdown.is_member()
    }

    /// The heartbeat's body as it is now.
    fn heartbeat(&self) -> Bytes {
        let producers = self.producers.groups.iter();
        let heartbeat = Heartbeat {
            client_id: self.ctx.fx.client_id.to_string(),
            consumers: self.consumers.heartbeat(),
            fingerprint: 0,
            producers: producers.map(|group| ProducerData { group: group.to_string() }).collect(),
            without_sub: false,
        };
        Bytes::from(heartbeat.to_json())
    }

    /// Registers with one broker.
    pub(super) fn register(&mut self, peer: PeerId) {
        if self.registers() {
            let body = self.heartbeat();
            self.brokers.heartbeat(&mut self.ctx, peer, body);
        }
    }

    /// The pause after a heartbeat that came to nothing is over.
    pub(super) fn register_again(&mut self, peer: PeerId, refusal: u64) {
        if self.brokers.is_due_again(&self.ctx, peer, refusal) {
            self.register(peer);
        }
    }

    /// Registers with every broker there is a connection to; one that stalls delays no other.
    pub(super) fn register_all(&mut self) {
        if !self.registers() {
            return;
        }
        let connected: Vec<PeerId> = self.ctx.remoting.peers.brokers().collect();
        let body = self.heartbeat();
        for peer in connected {
            self.brokers.heartbeat(&mut self.ctx, peer, body.clone());
        }
    }

    /// The heartbeat of all brokers is due.
    pub(super) fn heartbeat_due(&mut self) {
        for group in self.producers.groups.take_unused(self.ctx.fx.now) {
            self.brokers.changed();
            // Nobody waits for the brokers' answers: one that does not hear of it forgets the group
            // with our next connection.
            if self.shutdown.is_running() {
                Brokers::unregister_producers(&mut self.ctx, &[group], BrokerAsk::Withdraw);
            }
        }
        self.register_all();
        let after = self.ctx.fx.rng.jitter(self.ctx.fx.config.heartbeat_interval);
        self.ctx.fx.after(after, TimerKind::Heartbeat);
    }

    /// How each broker fares that a route names, or did a while ago: one that no route names for
    /// four refreshes is forgotten.
    pub fn brokers(&self) -> Vec<BrokerStats> {
        self.brokers.stats(&self.ctx, &self.producers.healths)
    }

    /// Brokers that are left alone are to be asked whether they are well again.
    pub(super) fn probe_due(&mut self) {
        let Self { ctx, brokers, routes, producers, .. } = self;
        let probe = |broker| probe(brokers, routes, broker);
        brokers.probe_isolated(ctx, &producers.healths, &probe);
    }

    /// So is one that let a try run out.
    pub(super) fn slow_due(&mut self, main: PeerId) {
        self.ctx.remoting.peers.probe_over(main);
        if self.ctx.remoting.peers.is_slow(main) && self.shutdown.is_running() {
            let Self { ctx, brokers, routes, .. } = self;
            let probe = |broker| probe(brokers, routes, broker);
            brokers.probe_slow(ctx, main, &probe);
        }
    }
}

/// A request that a broker can answer, if a route names a queue of it.
fn probe(brokers: &Brokers, routes: &crate::route::Routes, broker: BrokerId) -> Option<Request> {
    let (topic, at) = routes.queue_on(broker)?;
    Some(brokers.queue_name(topic, at.broker, at.queue).ask_max_offset())
}
