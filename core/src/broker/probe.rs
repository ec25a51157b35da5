//! Probes of brokers that are left alone or slow.
//!
//! Codes: `GET_MAX_OFFSET` (30) as a probe (`MQFaultStrategy.ServiceDetector`).

use std::time::Duration;

use bytes::Bytes;

use super::Brokers;
use super::health::Healths;
use crate::effects::TimerKind;
use crate::frame::{Kind, Request};
use crate::id::{BrokerId, PeerId};
use crate::remoting::{BrokerAsk, Context, Purpose};

/// How often brokers that are left alone are asked.
pub(crate) const PROBES: Duration = Duration::from_secs(3);
/// How soon they must answer.
const PROBE: Duration = Duration::from_millis(200);

impl Brokers {
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
