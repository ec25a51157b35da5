//! Connections to peers, the requests under way on them, and those of the peers.

mod ask;
mod calls;
mod decode;
mod loss;
mod peers;
mod requests;

pub(crate) use ask::AskedPeer;
pub(crate) use calls::{BrokerAsk, Call, Calls, ConsumerAsk, OffsetOf, Purpose};
pub(crate) use decode::Body;
pub use decode::{Decoder, InFrame};
pub(crate) use loss::Gone;
pub(crate) use peers::*;
pub use peers::{ConnectionState, ConnectionStats};
use requests::Requests;
pub(crate) use requests::{Incoming, PeerAnswer, PeerRequest};

use crate::effects::Effects;

/// All peers, all requests to them, and theirs.
#[derive(Debug, Default)]
pub(crate) struct Remoting {
    pub(crate) calls: Calls,
    pub(crate) peers: Peers,
    pub(crate) requests: Requests,
}

impl Remoting {
    /// What must hold between two calls.
    pub(crate) fn check(&self) {
        self.peers.check();
        self.peers.check_queues(&self.calls.owed(), &|opaque| self.calls.has(opaque));
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
