//! Which nameserver to ask first: the one that told a route last, until it fails or another one
//! tells what it does not know.
//!
//! Nameservers do not talk to each other and may disagree for a while; staying with one keeps
//! routes from flapping between their views. What one does not know, or does not say in time, the
//! others are asked for (`route/lookup.rs`).

mod blame;
mod list;
mod source;

use crate::effects::Effects;
use crate::error::PeerKind;
use crate::id::PeerId;
use crate::remoting::Peers;

pub(crate) use source::Source;

/// The nameservers of one client.
#[derive(Debug)]
pub(crate) struct NameServers {
    peers: Vec<PeerId>,
    current: usize,
    /// The address server, where one tells the list.
    source: Option<Source>,
}

impl NameServers {
    /// Those of the settings, which name them or an address server.
    pub(crate) fn of(fx: &mut Effects, peers: &mut Peers) -> Self {
        let servers = fx.config.name_servers.iter();
        let servers = servers.map(|server| peers.at(PeerKind::NameServer, server)).collect();
        let source = fx.config.address_page().map(Source::new);
        Self::new(servers, fx.rng.next_u64(), source)
    }

    /// Starts at a place drawn by the caller, so that a fleet of clients spreads out.
    pub(crate) fn new(peers: Vec<PeerId>, start: u64, source: Option<Source>) -> Self {
        let current = (start % peers.len().max(1) as u64) as usize;
        Self { peers, current, source }
    }

    /// Takes a new list over, and gives those that are no longer in it; `None` if it is the same.
    /// The current one stays, or else the next is drawn by `start`.
    pub(crate) fn adopt(&mut self, peers: Vec<PeerId>, start: u64) -> Option<Vec<PeerId>> {
        let gone: Vec<_> = self.peers.iter().copied().filter(|old| !peers.contains(old)).collect();
        if gone.is_empty() && peers.len() == self.peers.len() {
            return None;
        }
        let current = self.current();
        let kept = peers.iter().position(|peer| Some(*peer) == current);
        self.current = kept.unwrap_or((start % peers.len().max(1) as u64) as usize);
        self.peers = peers;
        Some(gone)
    }

    /// Whether the peer is one of them.
    pub(crate) fn has(&self, peer: PeerId) -> bool {
        self.peers.contains(&peer)
    }

    /// The address server.
    pub(crate) const fn source(&self) -> Option<&Source> {
        self.source.as_ref()
    }

    /// The address server, to ask it.
    pub(crate) const fn source_mut(&mut self) -> Option<&mut Source> {
        self.source.as_mut()
    }

    /// Whom to ask now.
    pub(crate) fn current(&self) -> Option<PeerId> {
        self.peers.get(self.current).copied()
    }

    /// All of them, the one to ask now first.
    pub(crate) fn ring(&self) -> impl Iterator<Item = PeerId> {
        let (before, from) = self.peers.split_at(self.current.min(self.peers.len()));
        from.iter().chain(before).copied()
    }

    /// `peer` told a route: it is asked from now on. One that is no longer listed is not.
    pub(crate) fn prefer(&mut self, peer: PeerId) {
        if let Some(at) = self.peers.iter().position(|own| *own == peer) {
            self.current = at;
        }
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

    /// Whether none is known: the address server has not told any yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_nameserver_is_kept_until_it_fails() {
        let mut servers = NameServers::new(vec![PeerId(0), PeerId(1), PeerId(2)], 4, None);
        assert_eq!(servers.current(), Some(PeerId(1)));
        servers.failed(PeerId(0));
        assert_eq!(servers.current(), Some(PeerId(1)));
        servers.failed(PeerId(1));
        servers.failed(PeerId(2));
        assert_eq!(servers.current(), Some(PeerId(0)));
        servers.prefer(PeerId(2));
        servers.prefer(PeerId(7));
        assert!(servers.ring().eq([PeerId(2), PeerId(0), PeerId(1)]));
    }

    #[test]
    fn a_new_list_keeps_the_current_one_while_it_is_listed() {
        let mut servers = NameServers::new(vec![PeerId(0), PeerId(1)], 1, None);
        assert_eq!(servers.adopt(vec![PeerId(1), PeerId(0)], 0), None);
        assert_eq!(servers.adopt(vec![PeerId(2), PeerId(3), PeerId(1)], 0), Some(vec![PeerId(0)]));
        assert_eq!(servers.current(), Some(PeerId(1)));
        let gone = vec![PeerId(2), PeerId(3), PeerId(1)];
        assert_eq!(servers.adopt(vec![PeerId(4), PeerId(5)], 3), Some(gone));
        assert_eq!(servers.current(), Some(PeerId(5)));
    }
}
