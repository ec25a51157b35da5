//! The brokers that routes name: their addresses, whether they know us, and how they fare.

mod by_peer;
pub(crate) mod health;
mod probe;
mod registration;
mod stats;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use by_peer::ByPeer;
pub(crate) use probe::PROBES;
pub(crate) use registration::HeardGroups;
use registration::Registration;
pub use stats::{BrokerStats, WindowStats};

use crate::body::SharedHeartbeat;
use crate::error::Lack;
use crate::id::{BrokerId, PeerId};
use crate::name::{QueueName, Topic};

/// One broker group: a master and its slaves under one name.
#[derive(Debug)]
struct Broker {
    name: Arc<str>,
    /// Peers by the broker's own id; 0 is the master.
    peers: BTreeMap<u64, PeerId>,
    /// An address of the broker that can't be read.
    unreadable: Option<Arc<str>>,
    /// Looks in a row that found no route, queue or message for it.
    unused: u8,
    /// The broker is nobody's: its place is for the next broker.
    free: bool,
}

/// Looks at the brokers for which one must go unnamed before it is forgotten.
const LOOKS: u8 = 4;

/// All brokers any route has named.
#[derive(Debug, Default)]
pub(crate) struct Brokers {
    list: Vec<Broker>,
    by_name: HashMap<Arc<str>, BrokerId>,
    /// Places of brokers that were forgotten.
    freed: Vec<BrokerId>,
    registrations: ByPeer<Registration>,
    /// Counts the changes of addresses.
    addresses: u64,
    /// Brokers whose addresses changed since [`take_moved`](Self::take_moved).
    moved: Vec<BrokerId>,
    /// Counts the changes of what a heartbeat says.
    revision: u64,
    /// What heartbeats said last, and of which groups.
    said: Option<(HeardGroups, Arc<SharedHeartbeat>)>,
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
            self.registrations.remove(peer);
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

    /// A queue of a broker, by its names.
    pub(crate) fn queue_name(&self, topic: &Topic, broker: BrokerId, queue: u32) -> QueueName {
        QueueName { topic: topic.clone(), broker: self.name(broker).clone(), queue }
    }

    /// Where messages go: the master alone.
    pub(crate) fn master(&self, id: BrokerId) -> Option<PeerId> {
        self.list[id.0 as usize].peers.get(&0).copied()
    }

    /// That of the broker of this name with that id, if a route tells of it.
    pub(crate) fn peer(&self, id: BrokerId, number: u64) -> Option<PeerId> {
        self.list[id.0 as usize].peers.get(&number).copied()
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
}
