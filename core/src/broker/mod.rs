//! The brokers that routes name: their addresses, and whether they have heard of us.
//!
//! Answers to codes: `HEART_BEAT` (34). A broker knows a consumer's subscriptions only by its
//! heartbeat, so nothing is pulled from a broker that has not answered one on this connection
//! (protocol facts 2.3: pulling earlier gives 24). What it answered once stays valid while the
//! connection stands: a broker keeps a registration for 120 s, and ends the connection with it
//! (`ClientChannelInfo`, `ProducerManager.scanNotActiveChannel`). A later heartbeat that it refuses
//! or answers late takes nothing away; only its own word does (codes 24, 25, 26).

pub(crate) mod health;
mod known;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

pub(crate) use known::Known;

use crate::error::Lack;
use crate::id::{BrokerId, PeerId};

/// One broker group: a master and its slaves under one name.
#[derive(Debug)]
struct Broker {
    name: Arc<str>,
    /// Peers by the broker's own id; 0 is the master.
    peers: BTreeMap<u64, PeerId>,
    /// An address of it that can't be read.
    unreadable: Option<Arc<str>>,
    /// Looks in a row that found no route, queue or message for it.
    unused: u8,
    /// It is nobody's: its place is for the next broker.
    free: bool,
}

/// Looks at the brokers for which one must go unnamed before it is forgotten.
const LOOKS: u8 = 4;

/// What a peer that is a broker knows of us, on its present connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Heard {
    /// The latest revision of what heartbeats say that it has confirmed.
    knows: Option<u64>,
    /// Heartbeats without an answer.
    under_way: u32,
    /// The last heartbeat came to nothing; the timer of that number sends another one.
    refused: Option<u64>,
}

/// All brokers any route has named.
#[derive(Debug, Default)]
pub(crate) struct Brokers {
    list: Vec<Broker>,
    by_name: HashMap<Arc<str>, BrokerId>,
    /// Places of brokers that were forgotten.
    freed: Vec<BrokerId>,
    heard: HashMap<PeerId, Heard>,
    /// Counts the changes of addresses.
    addresses: u64,
    /// Brokers whose addresses changed since [`take_moved`](Self::take_moved).
    moved: Vec<BrokerId>,
    /// Counts the changes of what a heartbeat says.
    revision: u64,
    /// Counts the heartbeats that came to nothing.
    refusals: u64,
}

impl Brokers {
    /// Keeps what a route says of the broker `name`.
    pub(crate) fn learn(
        &mut self,
        name: &Arc<str>,
        peers: BTreeMap<u64, PeerId>,
        unreadable: Option<Arc<str>>,
    ) -> BrokerId {
        if let Some(id) = self.by_name.get(name) {
            let broker = &mut self.list[id.0 as usize];
            broker.unreadable = unreadable;
            if broker.peers != peers {
                broker.peers = peers;
                self.addresses += 1;
                self.moved.push(*id);
            }
            return *id;
        }
        self.add(name.clone(), peers, unreadable)
    }

    /// The broker `name`, of which nothing else may be known.
    pub(crate) fn named(&mut self, name: &str) -> BrokerId {
        self.id(name).unwrap_or_else(|| self.add(Arc::from(name), BTreeMap::new(), None))
    }

    fn add(
        &mut self,
        name: Arc<str>,
        peers: BTreeMap<u64, PeerId>,
        unreadable: Option<Arc<str>>,
    ) -> BrokerId {
        let freed = self.freed.pop();
        let id = freed.unwrap_or(BrokerId(self.list.len() as u32));
        self.by_name.insert(name.clone(), id);
        let broker = Broker { name, peers, unreadable, unused: 0, free: false };
        match freed {
            Some(id) => self.list[id.0 as usize] = broker,
            None => self.list.push(broker),
        }
        id
    }

    /// Forgets brokers that were not `used` for several looks in a row. Gives those.
    pub(crate) fn forget(&mut self, used: &BTreeSet<BrokerId>) -> Vec<BrokerId> {
        let (mut gone, mut left) = (Vec::new(), BTreeSet::new());
        for (at, broker) in self.list.iter_mut().enumerate().filter(|(_, broker)| !broker.free) {
            let id = BrokerId(at as u32);
            broker.unused = if used.contains(&id) { 0 } else { broker.unused + 1 };
            if broker.unused >= LOOKS {
                broker.free = true;
                self.by_name.remove(&broker.name);
                left.extend(std::mem::take(&mut broker.peers).into_values());
                gone.push(id);
            }
        }
        // An address may be another broker's by now, which knows us.
        let living = self.list.iter().filter(|broker| !broker.free);
        let living: BTreeSet<_> = living.flat_map(|broker| broker.peers.values()).collect();
        left.retain(|peer| !living.contains(peer));
        for peer in left {
            self.heard.remove(&peer);
        }
        self.freed.extend(&gone);
        gone
    }

    /// Why a broker has no master that could be asked.
    pub(crate) fn lack(&self, id: BrokerId) -> Lack {
        let Broker { name, unreadable, .. } = &self.list[id.0 as usize];
        let broker = name.clone();
        match unreadable.clone() {
            Some(address) => Lack::Address { broker, address },
            None => Lack::Master { broker },
        }
    }

    /// Counts the changes of known brokers' addresses: what was learnt at another count may have
    /// been overwritten by another topic's route.
    pub(crate) const fn addresses(&self) -> u64 {
        self.addresses
    }

    /// The brokers whose addresses are others than before.
    pub(crate) fn take_moved(&mut self) -> Vec<BrokerId> {
        std::mem::take(&mut self.moved)
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
        let living: Vec<BrokerId> = self.living().collect();
        living.into_iter()
    }

    fn living(&self) -> impl Iterator<Item = BrokerId> {
        let all = self.list.iter().enumerate().filter(|(_, broker)| !broker.free);
        all.map(|(at, _)| BrokerId(at as u32))
    }

    /// Where messages are read: the master, or the first slave while there is none.
    pub(crate) fn reader(&self, id: BrokerId) -> Option<PeerId> {
        self.list[id.0 as usize].peers.values().next().copied()
    }

    /// The broker groups that have an address at `peer`.
    pub(crate) fn with(&self, peer: PeerId) -> Vec<BrokerId> {
        self.living()
            .filter(|id| self.list[id.0 as usize].peers.values().any(|at| *at == peer))
            .collect()
    }

    /// Our groups or subscriptions changed: every broker has to hear it. Gives the revision that
    /// heartbeats tell from now on.
    pub(crate) fn changed(&mut self) -> u64 {
        self.revision += 1;
        self.revision
    }

    /// A heartbeat goes out. Gives the revision that it tells.
    pub(crate) fn told(&mut self, peer: PeerId) -> u64 {
        let heard = self.heard.entry(peer).or_default();
        heard.under_way += 1;
        heard.refused = None;
        self.revision
    }

    /// The answer to the heartbeat of that revision came. True if the broker knows more of us than
    /// before.
    pub(crate) fn answered(&mut self, peer: PeerId, revision: u64) -> bool {
        let Some(heard) = self.heard.get_mut(&peer) else { return false };
        heard.under_way = heard.under_way.saturating_sub(1);
        let news = heard.knows.is_none_or(|known| known < revision);
        if news {
            heard.knows = Some(revision);
        }
        news
    }

    /// The connection is gone, and all that the broker knew by it.
    pub(crate) fn forgot(&mut self, peer: PeerId) {
        self.heard.remove(&peer);
    }

    /// The broker says that it does not know us.
    pub(crate) fn denied(&mut self, peer: PeerId) {
        if let Some(heard) = self.heard.get_mut(&peer) {
            heard.knows = None;
        }
    }

    /// A heartbeat came to nothing. Gives the number of this event.
    pub(crate) fn refused(&mut self, peer: PeerId) -> u64 {
        self.refusals += 1;
        let heard = self.heard.entry(peer).or_default();
        heard.under_way = heard.under_way.saturating_sub(1);
        heard.refused = Some(self.refusals);
        self.refusals
    }

    /// Whether no heartbeat went out since that one came to nothing.
    pub(crate) fn still_refused(&self, peer: PeerId, number: u64) -> bool {
        self.heard.get(&peer).and_then(|heard| heard.refused) == Some(number)
    }

    /// Whether the broker has confirmed what heartbeats say since `revision`.
    pub(crate) fn knows(&self, peer: PeerId, revision: u64) -> bool {
        let known = self.heard.get(&peer).and_then(|heard| heard.knows);
        known.is_some_and(|known| known >= revision)
    }

    /// Whether the broker is about to hear of us: a heartbeat is under way, or will be.
    pub(crate) fn is_hearing(&self, peer: PeerId) -> bool {
        let heard = self.heard.get(&peer);
        heard.is_some_and(|heard| heard.under_way > 0 || heard.refused.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_heartbeats_under_way_confirm_what_each_has_told() {
        let (peer, mut brokers) = (PeerId(1), Brokers::default());
        let first = brokers.told(peer);
        let revision = brokers.changed();
        let second = brokers.told(peer);
        assert!(brokers.answered(peer, first));
        assert!(brokers.knows(peer, first) && !brokers.knows(peer, revision));
        assert!(brokers.is_hearing(peer) && brokers.answered(peer, second));
        assert!(brokers.knows(peer, revision) && !brokers.is_hearing(peer));
        // An answer that comes late takes nothing back, nor does one that refuses.
        brokers.told(peer);
        let number = brokers.refused(peer);
        assert!(!brokers.answered(peer, first) && brokers.knows(peer, revision));
        assert!(brokers.still_refused(peer, number) && brokers.is_hearing(peer));
        brokers.told(peer);
        assert!(!brokers.still_refused(peer, number));
        brokers.denied(peer);
        assert!(!brokers.knows(peer, first) && brokers.is_hearing(peer));
    }
}
