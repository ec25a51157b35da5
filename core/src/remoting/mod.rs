//! Connections to peers, the requests under way on them, and those of the peers.

mod ask;
mod calls;
mod decode;
mod loss;
mod peers;
mod requests;

use std::collections::BTreeMap;

pub(crate) use ask::{AskedPeer, SEND_BACK};
pub(crate) use calls::{BrokerAsk, Call, Calls, ConsumerAsk, HalfAsk, OffsetOf, Purpose};
pub(crate) use decode::Body;
pub use decode::{Decoder, InFrame};
pub(crate) use loss::ConnectionLoss;
pub(crate) use peers::*;
pub use peers::{ConnectionState, ConnectionStats};
use requests::Requests;
pub(crate) use requests::{
    ANSWER_WITHIN, DirectMessage, HalfCheck, Incoming, OffsetReset, PeerAnswer, PeerRequest,
};

use crate::effects::Effects;
use crate::frame::Opaque;
use crate::id::{ConnectionId, PeerId};

/// All peers, all requests to them, and theirs.
#[derive(Debug, Default)]
pub(crate) struct Remoting {
    pub(crate) calls: Calls,
    pub(crate) peers: Peers,
    pub(crate) requests: Requests,
}

impl Remoting {
    /// Every peer's connection, with the requests under way on it.
    pub(crate) fn stats(&self) -> Vec<ConnectionStats> {
        let mut in_flight: BTreeMap<PeerId, usize> = BTreeMap::new();
        for peer in self.calls.peers() {
            *in_flight.entry(peer).or_default() += 1;
        }
        let with_calls = self.peers.stats().map(|(id, stats)| {
            let in_flight = in_flight.get(&id).copied().unwrap_or_default();
            ConnectionStats { in_flight, ..stats }
        });
        with_calls.collect()
    }

    /// Requests that wait for their answers on the connection.
    pub(crate) fn calls_on(&self, conn: ConnectionId) -> u32 {
        self.peers.of(conn).map_or(0, |peer| self.calls.on(peer))
    }

    fn pulls(&self, conn: ConnectionId) -> u32 {
        self.peers.of(conn).map_or(0, |peer| self.calls.pulls_on(peer))
    }

    /// Whether messages are asked for on the connection.
    pub(crate) fn has_pulls(&self, conn: ConnectionId) -> bool {
        self.pulls(conn) > 0
    }

    /// Whether all requests under way on the connection, if any, are sends and pulls.
    pub(crate) fn only_messages(&self, conn: ConnectionId) -> bool {
        self.calls_on(conn) == self.peers.sends(conn) + self.pulls(conn)
    }

    /// The connection on which a request is under way, if nothing but sends and pulls is besides.
    pub(crate) fn awaits_on(&self, opaque: Opaque) -> Option<ConnectionId> {
        let (peer, on) = self.calls.place_of(opaque)?;
        // What left on a connection that its peer has left is answered there.
        let own = self.peers.connection(peer);
        let conn = own.filter(|own| on.is_none_or(|on| on == *own))?;
        (self.calls.on(peer) == 1 || self.only_messages(conn)).then_some(conn)
    }

    /// The connection that all pulls under way are on, if nothing but sends is besides.
    pub(crate) fn pulls_on(&self) -> Option<ConnectionId> {
        let conn = self.peers.connection(self.calls.puller()?)?;
        self.only_messages(conn).then_some(conn)
    }

    /// What must hold between two calls.
    pub(crate) fn check(&self) {
        self.peers.check();
        self.calls.check();
        self.peers.check_queues(&self.calls.owed(), &|opaque| self.calls.has(opaque));
        self.peers.check_sends(&self.calls.sends());
    }
}

/// What a machine may touch besides itself.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) fx: Effects,
    pub(crate) remoting: Remoting,
}

impl Context {
    /// The connections, and what their methods are handed.
    pub(crate) const fn peers(&mut self) -> (&mut Peers, &mut Effects) {
        (&mut self.remoting.peers, &mut self.fx)
    }
}
