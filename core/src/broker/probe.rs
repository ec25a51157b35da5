//! How brokers fare, and probes of those that are left alone or slow.
//!
//! Codes: `GET_MAX_OFFSET` (30) as a probe (`MQFaultStrategy.ServiceDetector`).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::Brokers;
use super::health::Healths;
use crate::effects::TimerKind;
use crate::frame::{Kind, Request};
use crate::id::{BrokerId, PeerId};
use crate::name::Endpoint;
use crate::remoting::{BrokerAsk, Context, Purpose};
use crate::time::Instant;

/// How often brokers that are left alone are asked.
pub(crate) const PROBES: Duration = Duration::from_secs(3);
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

impl Brokers {
    /// How each broker fares that a route names, or did a while ago.
    pub(crate) fn stats(&self, ctx: &Context, healths: &Healths) -> Vec<BrokerStats> {
        let stats = |id| {
            let (health, master) = (healths.of(id), self.master(id));
            BrokerStats {
                name: self.name(id).clone(),
                master: master.map(|peer| ctx.remoting.peers.endpoint(peer).clone()),
                connected: master.is_some_and(|peer| ctx.remoting.peers.is_reached(peer)),
                answered: health.answered,
                failed: health.failed,
                latency: health.latency,
                isolated_until: health.until,
            }
        };
        self.ids().map(stats).collect()
    }

    /// Asks each broker that is left alone for an offset: one that answers in time is well again.
    /// `probe` is a request that a broker can answer, if a queue of it is known.
    pub(crate) fn probe_isolated(
        &self,
        ctx: &mut Context,
        healths: &Healths,
        probe: &dyn Fn(BrokerId) -> Option<Request>,
    ) {
        for broker in healths.isolated(ctx.fx.now) {
            if let Some((peer, request)) = self.master(broker).zip(probe(broker)) {
                let purpose = Purpose::Broker(BrokerAsk::Probe(broker));
                ctx.ask(peer, purpose, Kind::Offset, request, Bytes::new(), PROBE);
            }
        }
        ctx.fx.after(PROBES, TimerKind::Probe);
    }

    /// A broker let a try run out: sends go to others until it answers anything. It is asked for an
    /// offset until it does, since nobody else may ask it.
    pub(crate) fn slow_down(ctx: &mut Context, peer: PeerId) {
        let main = ctx.remoting.peers.main(peer);
        if ctx.remoting.peers.slow_down(main) {
            ctx.fx.after(PROBES, TimerKind::Slow(main));
        }
    }

    /// Asks a broker that let a try run out, unless it has answered since.
    pub(crate) fn probe_slow(
        &self,
        ctx: &mut Context,
        main: PeerId,
        probe: &dyn Fn(BrokerId) -> Option<Request>,
    ) {
        for broker in self.with(main) {
            if let Some(request) = probe(broker) {
                let purpose = Purpose::Broker(BrokerAsk::Probe(broker));
                ctx.ask(main, purpose, Kind::Offset, request, Bytes::new(), PROBE);
            }
        }
        Self::slow_down(ctx, main);
    }
}
