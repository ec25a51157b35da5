//! Peers that nobody names any more: brokers that moved away, addresses that were asked once.
//!
//! A place among the peers is used again once nothing refers to it: no route and no list of
//! nameservers names the peer, it has no connection and no timer, and no call is under way to it.

use super::{Peers, State};
use crate::id::PeerId;

/// Looks at the peers for which one must go unnamed before it is forgotten.
const LOOKS: u8 = 4;

impl Peers {
    /// Forgets peers that were not `used` for several looks in a row. Gives those.
    pub(crate) fn forget(&mut self, used: &dyn Fn(PeerId) -> bool) -> Vec<PeerId> {
        let before = self.freed.len();
        for at in 0..self.list.len() {
            let id = PeerId(at as u32);
            let peer = &self.list[at];
            if peer.free || peer.main != id {
                continue;
            }
            let others = peer.lanes.iter().copied().chain(peer.wide);
            let all: Vec<PeerId> = others.chain([id]).collect();
            if all.iter().any(|lane| used(*lane) || !self.is_bare(*lane)) {
                self.peer(id).unused = 0;
                continue;
            }
            self.peer(id).unused += 1;
            if self.list[at].unused >= LOOKS {
                all.into_iter().for_each(|lane| self.free(lane));
            }
        }
        self.freed[before..].to_vec()
    }

    /// Whether nothing is kept for the peer: no connection, no timer, no frame.
    fn is_bare(&self, id: PeerId) -> bool {
        let peer = &self.list[id.0 as usize];
        let timers = [peer.retry, peer.doubt, peer.idle];
        matches!(peer.state, State::Idle)
            && peer.queue.is_empty()
            && peer.leaving.is_empty()
            && !peer.wanted
            && !peer.probed
            && timers.iter().all(Option::is_none)
    }

    fn free(&mut self, id: PeerId) {
        let peer = self.peer(id);
        if peer.free {
            return;
        }
        (peer.free, peer.lanes, peer.wide, peer.slow) = (true, Vec::new(), None, false);
        let key = Self::key(peer.kind, &peer.endpoint);
        if self.by_endpoint.get(&key) == Some(&id) {
            self.by_endpoint.remove(&key);
        }
        self.freed.push(id);
    }
}
