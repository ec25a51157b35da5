//! Which nameserver to ask: the one that answered last, until it fails.
//!
//! Nameservers do not talk to each other and may disagree for a while; staying with one keeps
//! routes from flapping between their views.

use crate::id::PeerId;

/// The nameservers of one client.
#[derive(Debug)]
pub(crate) struct NameServers {
    peers: Vec<PeerId>,
    current: usize,
}

impl NameServers {
    /// Starts at a place drawn by the caller, so that a fleet of clients spreads out.
    pub(crate) fn new(peers: Vec<PeerId>, start: u64) -> Self {
        let current = (start % peers.len().max(1) as u64) as usize;
        Self { peers, current }
    }

    /// Whom to ask now.
    pub(crate) fn current(&self) -> Option<PeerId> {
        self.peers.get(self.current).copied()
    }

    /// `peer` failed: the next one is asked from now on. A failure of one that is no longer
    /// current changes nothing.
    pub(crate) fn failed(&mut self, peer: PeerId) {
        if self.current() == Some(peer) {
            self.current = (self.current + 1) % self.peers.len();
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.peers.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_nameserver_is_kept_until_it_fails() {
        let mut servers = NameServers::new(vec![PeerId(0), PeerId(1), PeerId(2)], 4);
        assert_eq!(servers.current(), Some(PeerId(1)));
        servers.failed(PeerId(0));
        assert_eq!(servers.current(), Some(PeerId(1)));
        servers.failed(PeerId(1));
        servers.failed(PeerId(2));
        assert_eq!(servers.current(), Some(PeerId(0)));
    }
}
