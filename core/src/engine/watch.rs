//! Watching brokers: how they fare, probing those that are left alone, and draining those that go.
//!
//! Codes: `GET_MAX_OFFSET` (30) as a probe (`MQFaultStrategy.ServiceDetector`); `GO_AWAY` (1500).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::{Engine, TimerKind};
use crate::frame::Kind;
use crate::id::PeerId;
use crate::name::Endpoint;
use crate::remoting::{BrokerAsk, Purpose};
use crate::time::Instant;

/// How often brokers that are left alone are asked.
pub(super) const PROBES: Duration = Duration::from_secs(3);
/// How soon they must answer.
const PROBE: Duration = Duration::from_millis(200);

/// How one broker fares.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BrokerStats {
    /// The broker group's name.
    pub name: Arc<str>,
    /// The master's address, if there is a master.
    pub master: Option<Endpoint>,
    /// There is a connection to the master.
    pub connected: bool,
    /// Sends that it answered, whatever the answer.
    pub answered: u64,
    /// Sends that it refused with an error, did not answer, or that were lost with a connection.
    pub failed: u64,
    /// A moving average of the time from a try to its answer.
    pub latency: Duration,
    /// Producers leave it alone until then, with `fault_isolation`.
    pub isolated_until: Option<Instant>,
}

impl Engine {
    /// How each broker fares that a route names, or did a while ago: one that no route names for
    /// four refreshes is forgotten.
    pub fn brokers(&self) -> Vec<BrokerStats> {
        let stats = |id| {
            let (health, master) = (self.healths.of(id), self.brokers.master(id));
            BrokerStats {
                name: self.brokers.name(id).clone(),
                master: master.map(|peer| self.ctx.remoting.peers.endpoint(peer).clone()),
                connected: master.is_some_and(|peer| self.ctx.remoting.peers.is_reached(peer)),
                answered: health.answered,
                failed: health.failed,
                latency: health.latency,
                isolated_until: health.until,
            }
        };
        self.brokers.ids().map(stats).collect()
    }

    /// Asks each broker that is left alone for an offset: one that answers in time is well again.
    pub(super) fn probe_due(&mut self) {
        for broker in self.healths.isolated(self.ctx.fx.now) {
            let Some(peer) = self.brokers.master(broker) else { continue };
            let Some((topic, at)) = self.routes.queue_on(broker) else { continue };
            let request = self.queue_name(topic, &at).ask_max_offset();
            self.ctx.ask(
                peer,
                Purpose::Broker(BrokerAsk::Probe(broker)),
                Kind::Offset,
                request,
                Bytes::new(),
                PROBE,
            );
        }
        self.ctx.fx.after(PROBES, TimerKind::Probe);
    }

    /// A broker let a try run out: sends go to others until it answers anything. It is asked for an
    /// offset until it does, since nobody else may ask it.
    pub(super) fn slow_down(&mut self, peer: PeerId) {
        let main = self.ctx.remoting.peers.main(peer);
        if self.ctx.remoting.peers.slow_down(main) {
            self.ctx.fx.after(PROBES, TimerKind::Slow(main));
        }
    }

    pub(super) fn slow_due(&mut self, main: PeerId) {
        self.ctx.remoting.peers.probe_over(main);
        if !self.ctx.remoting.peers.is_slow(main) || !self.life.is_running() {
            return;
        }
        for broker in self.brokers.with(main) {
            if let Some((topic, at)) = self.routes.queue_on(broker) {
                let request = self.queue_name(topic, &at).ask_max_offset();
                let purpose = Purpose::Broker(BrokerAsk::Probe(broker));
                self.ctx.ask(main, purpose, Kind::Offset, request, Bytes::new(), PROBE);
            }
        }
        self.slow_down(main);
    }
}
