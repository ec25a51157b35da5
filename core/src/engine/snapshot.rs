//! Everything observable of an engine at one moment, as data and as text for people.

use std::fmt;
use std::sync::Arc;

use super::TopicStats;
use super::{BrokerStats, ConsumerStats, Counters, Engine, Stats};
use crate::remoting::ConnectionStats;
use crate::shutdown::ClientPhase;
use crate::time::Instant;
use crate::transaction::TransactionStats;

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
    /// Sends that wait for room among those in flight (`wait_for_room`); `open.operations` counts
    /// them as well.
    pub waiting: usize,
    /// Bytes of their messages, as `max_waiting_bytes` counts them.
    pub waiting_bytes: usize,
    /// Every broker that a route names, or did a while ago.
    pub brokers: Vec<BrokerStats>,
    /// Every peer that is spoken to or named, or was a while ago: nameservers first.
    pub connections: Vec<ConnectionStats>,
    /// Every topic in use, by name.
    pub topics: Vec<TopicStats>,
    /// Every consumer.
    pub consumers: Vec<ConsumerStats>,
    /// Transactions.
    pub transactions: TransactionStats,
}

impl Engine {
    /// Everything observable at `now`. Changes nothing.
    pub fn snapshot(&self, now: Instant) -> Snapshot {
        let at = now.max(self.ctx.fx.now);
        Snapshot {
            client_id: self.ctx.fx.client_id.clone(),
            at,
            phase: self.shutdown.phase(),
            counters: Counters {
                notes_suppressed: self.ctx.fx.throttle.suppressed(),
                ..self.ctx.fx.counters
            },
            open: self.stats(),
            pending_bytes: self.producers.bytes(),
            waiting: self.producers.without_room(),
            waiting_bytes: self.producers.bytes_without_room(),
            brokers: self.brokers(),
            connections: self.ctx.remoting.stats(),
            topics: self.routes.stats(at).collect(),
            consumers: self.consumers.stats(at, self.known()).collect(),
            transactions: self.transactions.stats(at),
        }
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { client_id, phase, counters, open, .. } = self;
        writeln!(f, "client {client_id}: {phase}")?;
        write!(f, "{counters}")?;
        let operations = open.operations - self.waiting;
        let Stats { requests, sockets, timers, .. } = open;
        writeln!(
            f,
            "open: {operations} calls of {} bytes ({} more wait for room, of {} bytes), \
             {requests} requests, {sockets} sockets, {timers} timers",
            self.pending_bytes, self.waiting, self.waiting_bytes
        )?;
        for broker in &self.brokers {
            writeln!(f, "{}", broker.at(self.at))?;
        }
        self.connections.iter().try_for_each(|connection| writeln!(f, "{connection}"))?;
        self.topics.iter().try_for_each(|topic| writeln!(f, "{topic}"))?;
        self.consumers.iter().try_for_each(|consumer| write!(f, "{consumer}"))?;
        if self.transactions.is_none() { Ok(()) } else { writeln!(f, "{}", self.transactions) }
    }
}
