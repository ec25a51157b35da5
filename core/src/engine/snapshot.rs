//! Everything observable of an engine at one moment, as data and as text for people.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::TopicStats;
use super::shutdown::State;
use super::{BrokerStats, ConsumerStats, Counters, Engine, Stats};
use crate::id::PeerId;
use crate::remoting::ConnectionStats;
use crate::time::Instant;

/// An engine at one moment.
///
/// Made on request, in time that grows with what there is: for a page of metrics each few seconds,
/// not for each message. `Display` gives a page of text, a line for each thing.
#[derive(Clone, Debug)]
#[non_exhaustive]
#[doc(alias = "ConsumerRunningInfo")]
pub struct Snapshot {
    /// The id brokers know this client by.
    pub client_id: Arc<str>,
    /// The moment; what else is an [`Instant`] here is to be compared with it.
    pub at: Instant,
    /// How far the client has come in its life.
    pub phase: ClientPhase,
    /// What was done since the client was made.
    pub counters: Counters,
    /// What there is now.
    pub open: Stats,
    /// Bytes of the messages in flight, as the window `max_pending_bytes` counts them.
    pub pending_bytes: usize,
    /// Every broker that a route names, or did a while ago.
    pub brokers: Vec<BrokerStats>,
    /// Every peer that is spoken to or named, or was a while ago: nameservers first.
    pub connections: Vec<ConnectionStats>,
    /// Every topic in use, by name.
    pub topics: Vec<TopicStats>,
    /// Every consumer.
    pub consumers: Vec<ConsumerStats>,
}

/// How far a client has come in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientPhase {
    /// It takes calls.
    Running,
    /// It has been shut down and finishes what was begun.
    Stopping,
    /// Nothing is left of it.
    Stopped,
}

impl Engine {
    /// Everything observable at `now`. Changes nothing.
    pub fn snapshot(&self, now: Instant) -> Snapshot {
        let at = now.max(self.ctx.fx.now);
        Snapshot {
            client_id: self.ctx.fx.client_id.clone(),
            at,
            phase: match self.shutdown.state() {
                State::Running => ClientPhase::Running,
                State::Draining | State::Unregistering { .. } | State::Closing => {
                    ClientPhase::Stopping
                }
                State::Stopped => ClientPhase::Stopped,
            },
            counters: Counters {
                notes_suppressed: self.ctx.fx.throttle.suppressed(),
                ..self.ctx.fx.counters
            },
            open: self.stats(),
            pending_bytes: self.producers.bytes(),
            brokers: self.brokers(),
            connections: self.connections(),
            topics: self.routes.stats(at).collect(),
            consumers: self.consumers.stats().collect(),
        }
    }

    fn connections(&self) -> Vec<ConnectionStats> {
        let mut in_flight: BTreeMap<PeerId, usize> = BTreeMap::new();
        for peer in self.ctx.remoting.calls.peers() {
            *in_flight.entry(peer).or_default() += 1;
        }
        let with_calls = self.ctx.remoting.peers.stats().map(|(id, stats)| {
            let in_flight = in_flight.get(&id).copied().unwrap_or_default();
            ConnectionStats { in_flight, ..stats }
        });
        with_calls.collect()
    }
}

impl fmt::Display for ClientPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        })
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { client_id, phase, counters, open, .. } = self;
        writeln!(f, "client {client_id}: {phase}")?;
        write!(f, "{counters}")?;
        let Stats { operations, requests, sockets, timers } = open;
        writeln!(
            f,
            "open: {operations} calls of {} bytes, {requests} requests, {sockets} sockets, \
             {timers} timers",
            self.pending_bytes
        )?;
        for broker in &self.brokers {
            writeln!(f, "{}", Since(broker, self.at))?;
        }
        self.connections.iter().try_for_each(|connection| writeln!(f, "{connection}"))?;
        self.topics.iter().try_for_each(|topic| writeln!(f, "{topic}"))?;
        self.consumers.iter().try_for_each(|consumer| write!(f, "{consumer}"))
    }
}

impl fmt::Display for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "sends: {} begun, {} stored, {} oneway, {} failed, {} cancelled, {} in flight; \
             {} tries failed, {} oneway lost",
            self.sends_begun,
            self.sends_stored,
            self.sends_handed,
            self.sends_failed,
            self.sends_cancelled,
            self.sends_in_flight(),
            self.tries_failed,
            self.oneway_lost,
        )?;
        writeln!(
            f,
            "queries: {} begun, {} answered, {} failed, {} cancelled; {} calls refused at once",
            self.queries_begun,
            self.queries_answered,
            self.queries_failed,
            self.queries_cancelled,
            self.calls_refused,
        )?;
        writeln!(
            f,
            "requests: {} sent, {} answered, {} answers to nobody, {} of brokers; {} bytes in",
            self.requests_sent,
            self.replies,
            self.replies_unknown,
            self.requests_received,
            self.bytes_received,
        )?;
        writeln!(
            f,
            "connections: {} made, {} failed, {} ended; {} lines of log left out",
            self.connected, self.connects_failed, self.disconnected, self.notes_suppressed,
        )?;
        writeln!(
            f,
            "routes: {} asked, {} new, {} unchanged; consumed: {} pulled, \
             {} of them from before, {} commits, {} failed",
            self.routes_asked,
            self.routes_compiled,
            self.routes_unchanged,
            self.messages_pulled,
            self.messages_older,
            self.commits,
            self.commits_failed,
        )
    }
}

/// A broker, with its isolation as time from a moment.
struct Since<'a>(&'a BrokerStats, Instant);

impl fmt::Display for Since<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(BrokerStats { name, master, answered, failed, latency, .. }, at) = self;
        write!(f, "broker {name}")?;
        match master {
            Some(master) => write!(f, " at {master}")?,
            None => f.write_str(" without a master")?,
        }
        write!(f, ": {answered} sends answered, {failed} failed, {latency:.1?} each")?;
        match self.0.isolated_until.filter(|until| until > at) {
            Some(until) => write!(f, ", left alone for {:.1?}", until.since(*at)),
            None => Ok(()),
        }
    }
}

impl fmt::Display for ConnectionStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { endpoint, peer, state, in_flight, queued, failures } = self;
        write!(f, "connection to {peer} {endpoint}: {}", state.as_str())?;
        write!(f, ", {in_flight} in flight, {queued} queued")?;
        if *failures > 0 { write!(f, ", failed {failures} times") } else { Ok(()) }
    }
}
