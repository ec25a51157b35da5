//! What was denied to a consumer, and by whom.

use std::fmt;
use std::sync::Arc;

use super::Attempt;

/// What a peer denies to a consumer: to its client's key, or to a client without one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Denial {
    /// What it was asked for.
    pub what: DeniedAsk,
    /// Who denied it, and how.
    pub attempt: Arc<Attempt>,
}

/// What a consumer was denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DeniedAsk {
    /// The route of a topic, by a nameserver or a proxy in its place.
    Route,
    /// A heartbeat, without which nothing is pulled: it names all of the client's groups.
    Heartbeat,
    /// The members of the group, or the queues that the broker assigns.
    Members,
    /// Locks of queues whose messages are handled in their order.
    Locks,
    /// What it asked about a queue: an offset, or messages.
    Queue,
}

impl fmt::Display for DeniedAsk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Route => "a topic's route",
            Self::Heartbeat => "a heartbeat",
            Self::Members => "the members of the group",
            Self::Locks => "locks of queues",
            Self::Queue => "a queue's offset or messages",
        })
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; denied was {}", self.attempt, self.what)
    }
}
