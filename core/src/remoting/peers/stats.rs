//! Connections as data.

use std::fmt;

use super::{Peers, State};
use crate::error::PeerKind;
use crate::id::PeerId;
use crate::name::Endpoint;
use crate::timer::TimerKey;

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ConnectionState {
    /// There is none, and nothing to make one for.
    Idle,
    /// The last one failed or was lost; the next try waits.
    Backoff,
    /// A connection is being made.
    Connecting,
    /// The connection is there.
    Connected,
    /// The connection is there, but the peer said that it goes: nothing more is sent on it, and
    /// there is no other one yet.
    Leaving,
    /// We have closed it, and wait for the adapter's word that it is gone.
    Closing,
}

impl ConnectionState {
    /// A word for people and for labels of metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Backoff => "backoff",
            Self::Connecting => "connecting",
            Self::Connected => "connected",
            Self::Leaving => "leaving",
            Self::Closing => "closing",
        }
    }
}

/// One peer's connection at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionStats {
    /// The peer's address.
    pub endpoint: Endpoint,
    /// What the peer is for.
    pub peer: PeerKind,
    /// How far the connection has come.
    pub state: ConnectionState,
    /// Requests without an answer, long polls and those still queued included.
    pub in_flight: usize,
    /// Frames that wait for the writer.
    pub queued: usize,
    /// Connections in a row that failed or were lost, since the peer last said anything.
    pub failures: u32,
}

impl fmt::Display for ConnectionStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { endpoint, peer, state, in_flight, queued, failures } = self;
        write!(f, "connection to {peer} {endpoint}: {}", state.as_str())?;
        write!(f, ", {in_flight} in flight, {queued} queued")?;
        if *failures > 0 { write!(f, ", failed {failures} times") } else { Ok(()) }
    }
}

impl Peers {
    /// The timers that are kept.
    pub(crate) fn timers(&self) -> impl Iterator<Item = TimerKey> {
        self.list.iter().flat_map(|peer| {
            let connecting = match peer.state {
                State::Connecting { timer, .. } => Some(timer),
                State::Idle
                | State::Backoff { .. }
                | State::Connected { .. }
                | State::Closing { .. } => None,
            };
            [connecting, peer.retry, peer.doubt, peer.idle].into_iter().flatten()
        })
    }

    /// Every peer that is named, in the order of their places, and each of several connections to
    /// one; `in_flight` is left to whoever knows the calls.
    pub(crate) fn stats(&self) -> impl Iterator<Item = (PeerId, ConnectionStats)> {
        let living = self.list.iter().enumerate().filter(|(_, peer)| !peer.free);
        living.map(|(id, peer)| {
            let state = match &peer.state {
                State::Idle | State::Backoff { .. } if !peer.leaving.is_empty() => {
                    ConnectionState::Leaving
                }
                State::Idle => ConnectionState::Idle,
                State::Backoff { .. } => ConnectionState::Backoff,
                State::Connecting { .. } => ConnectionState::Connecting,
                State::Connected { .. } => ConnectionState::Connected,
                State::Closing { .. } => ConnectionState::Closing,
            };
            let stats = ConnectionStats {
                endpoint: peer.endpoint.clone(),
                peer: peer.kind,
                state,
                in_flight: 0,
                queued: peer.queue.len(),
                failures: peer.failures,
            };
            (PeerId(id as u32), stats)
        })
    }
}
