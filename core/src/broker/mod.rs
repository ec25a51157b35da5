//! The brokers that routes name: their addresses, and whether they have heard of us.
//!
//! Answers to codes: `HEART_BEAT` (34). A broker knows a consumer's subscriptions only by its
//! heartbeat, so nothing is pulled from a broker that has not answered one on this connection
//! (protocol facts 2.3: pulling earlier gives 24).

pub(crate) mod health;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::id::PeerId;

/// A broker by its name; dense, and the same for the life of the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct BrokerId(pub(crate) u32);

/// One broker group: a master and its slaves under one name.
#[derive(Debug)]
struct Broker {
    name: Arc<str>,
    /// Peers by the broker's own id; 0 is the master.
    peers: BTreeMap<u64, PeerId>,
}

/// What a peer that is a broker knows of us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    /// A heartbeat of that revision is under way.
    Told(u64),
    /// It answered the heartbeat of that revision.
    Knows(u64),
    /// A heartbeat came to nothing; the timer of that number sends another one.
    Refused(u64),
}

/// All brokers any route has named.
#[derive(Debug, Default)]
pub(crate) struct Brokers {
    list: Vec<Broker>,
    by_name: HashMap<Arc<str>, BrokerId>,
    heard: HashMap<PeerId, Heard>,
    /// Counts the changes of addresses.
    addresses: u64,
    /// Counts the changes of what a heartbeat says.
    revision: u64,
    /// Counts the heartbeats that came to nothing.
    refusals: u64,
}

impl Brokers {
    /// Keeps what a route says of the broker `name`.
    pub(crate) fn learn(&mut self, name: &Arc<str>, peers: BTreeMap<u64, PeerId>) -> BrokerId {
        if let Some(id) = self.by_name.get(name) {
            let broker = &mut self.list[id.0 as usize];
            if broker.peers != peers {
                broker.peers = peers;
                self.addresses += 1;
            }
            return *id;
        }
        let id = BrokerId(self.list.len() as u32);
        self.list.push(Broker { name: name.clone(), peers });
        self.by_name.insert(name.clone(), id);
        id
    }

    /// Counts the changes of known brokers' addresses: what was learnt at another count may have
    /// been overwritten by another topic's route.
    pub(crate) const fn addresses(&self) -> u64 {
        self.addresses
    }

    pub(crate) fn id(&self, name: &str) -> Option<BrokerId> {
        self.by_name.get(name).copied()
    }

    pub(crate) fn name(&self, id: BrokerId) -> &Arc<str> {
        &self.list[id.0 as usize].name
    }

    /// Where messages go: the master alone.
    pub(crate) fn master(&self, id: BrokerId) -> Option<PeerId> {
        self.list[id.0 as usize].peers.get(&0).copied()
    }

    /// All addresses of a broker, the master's first.
    pub(crate) fn peers(&self, id: BrokerId) -> impl Iterator<Item = PeerId> {
        self.list[id.0 as usize].peers.values().copied()
    }

    /// All brokers.
    pub(crate) fn ids(&self) -> impl Iterator<Item = BrokerId> + use<> {
        (0..self.list.len() as u32).map(BrokerId)
    }

    /// Where messages are read: the master, or the first slave while there is none.
    pub(crate) fn reader(&self, id: BrokerId) -> Option<PeerId> {
        self.list[id.0 as usize].peers.values().next().copied()
    }

    /// The broker groups that have an address at `peer`.
    pub(crate) fn with(&self, peer: PeerId) -> Vec<BrokerId> {
        let all = (0..self.list.len() as u32).map(BrokerId);
        all.filter(|id| self.list[id.0 as usize].peers.values().any(|at| *at == peer)).collect()
    }

    /// Our groups or subscriptions changed: every broker has to hear it.
    pub(crate) fn changed(&mut self) {
        self.revision += 1;
    }

    /// A heartbeat of the present revision goes out.
    pub(crate) fn told(&mut self, peer: PeerId) {
        let known = self.knows(peer);
        self.heard.insert(
            peer,
            if known { Heard::Knows(self.revision) } else { Heard::Told(self.revision) },
        );
    }

    /// The answer to the last heartbeat came. True if the broker did not know us before.
    pub(crate) fn answered(&mut self, peer: PeerId) -> bool {
        match self.heard.get(&peer) {
            Some(Heard::Told(revision)) => {
                let revision = *revision;
                self.heard.insert(peer, Heard::Knows(revision));
                true
            }
            Some(Heard::Knows(_) | Heard::Refused(_)) | None => false,
        }
    }

    /// The connection is gone, or the broker says that it does not know us.
    pub(crate) fn forgot(&mut self, peer: PeerId) {
        self.heard.remove(&peer);
    }

    /// A heartbeat came to nothing. Gives the number of this event.
    pub(crate) fn refused(&mut self, peer: PeerId) -> u64 {
        self.refusals += 1;
        self.heard.insert(peer, Heard::Refused(self.refusals));
        self.refusals
    }

    /// Whether no heartbeat went out since that one came to nothing.
    pub(crate) fn still_refused(&self, peer: PeerId, number: u64) -> bool {
        self.heard.get(&peer) == Some(&Heard::Refused(number))
    }

    /// Whether the broker has answered a heartbeat with all that is in force now.
    pub(crate) fn knows(&self, peer: PeerId) -> bool {
        self.heard.get(&peer) == Some(&Heard::Knows(self.revision))
    }
}
