//! How brokers fare, as figures.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::Brokers;
use super::health::Healths;
use crate::id::PeerId;
use crate::name::Endpoint;
use crate::remoting::Context;
use crate::time::Instant;

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
    /// What it has not answered, and what waits for that.
    pub window: WindowStats,
}

/// The sends that one broker has not answered, and those that wait until it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WindowStats {
    /// Messages and batches given to the broker, or to its connections, whose answers are waited
    /// for.
    pub unanswered: usize,
    /// Bytes of those.
    pub unanswered_bytes: usize,
    /// Those that were given up, by their deadlines or by being cancelled, after they had left: the
    /// broker may have them in its queue, and they keep their places for up to 10 s.
    pub given_up: usize,
    /// Sends that wait for their turn.
    pub waiting: usize,
    /// How many may be unanswered: `max_unanswered`, or less since the broker had too much to do.
    pub limit: usize,
}

impl BrokerStats {
    /// A line of text, as things are at `now`.
    pub(crate) fn at(&self, now: Instant) -> impl fmt::Display {
        At(self, now)
    }
}

impl Brokers {
    /// How each broker fares that a route names, or did a while ago.
    pub(crate) fn stats(
        &self,
        ctx: &Context,
        healths: &Healths,
        window: impl Fn(PeerId) -> WindowStats,
    ) -> Vec<BrokerStats> {
        let stats = |id| {
            let (health, master) = (healths.of(id), self.master(id));
            BrokerStats {
                name: self.name(id).clone(),
                master: master.map(|peer| ctx.remoting.peers.endpoint(peer).clone()),
                connected: master.is_some_and(|peer| ctx.remoting.peers.is_reached(peer)),
                answered: health.answered,
                failed: health.failed,
                latency: health.latency,
                isolated_until: health.until.filter(|_| ctx.fx.config.fault_isolation),
                window: master.map(&window).unwrap_or_default(),
            }
        };
        self.ids().map(stats).collect()
    }
}

/// A broker, with its isolation as time from a moment.
struct At<'a>(&'a BrokerStats, Instant);

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(BrokerStats { name, master, answered, failed, latency, window, .. }, at) = self;
        write!(f, "broker {name}")?;
        match master {
            Some(master) => write!(f, " at {master}")?,
            None => f.write_str(" without a master")?,
        }
        write!(f, ": {answered} sends answered, {failed} failed, {latency:.1?} each")?;
        let WindowStats { unanswered, given_up, waiting, limit, .. } = window;
        write!(f, ", {unanswered} unanswered of {limit}")?;
        if *given_up > 0 {
            write!(f, " and {given_up} given up")?;
        }
        if *waiting > 0 {
            write!(f, ", {waiting} wait for their turn")?;
        }
        match self.0.isolated_until.filter(|until| until > at) {
            Some(until) => {
                write!(f, ", left alone for {:.1?} by fault_isolation", until.since(*at))
            }
            None => Ok(()),
        }
    }
}
