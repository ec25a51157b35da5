//! What is known of topics and brokers, for those who only read it.

use super::Routes;
use crate::broker::Brokers;
use crate::id::{BrokerId, PeerId};
use crate::remoting::Context;

/// Routes and brokers, to be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known<'a> {
    pub(crate) routes: &'a Routes,
    pub(crate) brokers: &'a Brokers,
}

impl Known<'_> {
    /// Whether the peer is connected and has answered a heartbeat of that revision or a later one.
    pub(crate) fn is_ready(self, ctx: &Context, peer: PeerId, revision: u64) -> bool {
        ctx.remoting.peers.is_connected(peer) && self.brokers.knows(peer, revision)
    }

    /// The brokers whose messages are read at the peer.
    pub(crate) fn read_at(self, peer: PeerId) -> impl Iterator<Item = BrokerId> {
        let brokers = self.brokers.with(peer).into_iter();
        brokers.filter(move |broker| self.brokers.reader(*broker) == Some(peer))
    }
}
