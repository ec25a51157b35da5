//! The cluster: its parts, its connections, and its time.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

#[cfg(feature = "acl")]
use rocketry_core::frame::RequestCode;
use rocketry_core::rng::Rng;
use rocketry_core::time::{Instant, UnixMillis};

use super::answer::{Outbox, Turn};
use super::asked::{ClientAnswer, Received};
use super::config::ClusterConfig;
use super::draft::Pen;
use super::fault::Faults;
use super::node::Node;
use super::registry::Registry;
use super::{ConnId, ListenerId, Output, replica};

/// How often silent clients and idle connections are looked for (`ClientHousekeepingService`).
const SCAN: Duration = Duration::from_secs(10);
/// How often brokers tell the nameserver all their topics (`registerNameServerPeriod`).
const REGISTER: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) listener: ListenerId,
    pub(super) peer: SocketAddr,
    /// When a frame went either way.
    pub(super) seen: Instant,
}

/// A nameserver and its brokers, in memory.
///
/// Drive it with [`accepted`](Self::accepted), [`received`](Self::received),
/// [`closed`](Self::closed) and [`timeout`](Self::timeout); after each, drain
/// [`poll_output`](Self::poll_output) until `None`, then ask [`poll_timeout`](Self::poll_timeout)
/// when to call `timeout`. Time that goes backwards is taken as standing still.
#[derive(Debug)]
pub struct Cluster {
    pub(super) config: ClusterConfig,
    pub(super) nodes: Vec<Node>,
    pub(super) registry: Registry,
    pub(super) faults: Faults,
    /// Servers that answer `GO_AWAY`.
    pub(super) leaving: BTreeSet<ListenerId>,
    /// What clients answered to requests of the brokers'.
    pub(super) answers: Vec<ClientAnswer>,
    /// Requests as they came, once somebody wants them.
    pub(super) kept: Option<Vec<Received>>,
    /// Requests that were unsigned, or signed wrongly.
    #[cfg(feature = "acl")]
    pub(super) unsigned: Vec<RequestCode>,
    pub(super) connections: BTreeMap<ConnId, Connection>,
    pub(super) out: Outbox,
    /// What the test does to answers.
    pub(super) pen: Pen,
    rng: Rng,
    born: Instant,
    born_unix: UnixMillis,
    now: Instant,
    scan_at: Option<Instant>,
    /// When a topic that the nameserver has forgotten is told to it again.
    register_at: Option<Instant>,
}

impl Cluster {
    /// A cluster as configured, without connections. `seed` feeds the choice of queues for sends
    /// to queue -1; `unix` is the wall clock at `now`.
    pub fn new(config: ClusterConfig, seed: u64, now: Instant, unix: UnixMillis) -> Self {
        let mut nodes: Vec<Node> =
            config.brokers.iter().map(|broker| Node::new(broker, &config)).collect();
        let mut registry = Registry::default();
        for node in &mut nodes {
            node.topics.take_changed();
            registry.register(node);
        }
        Self {
            config,
            nodes,
            registry,
            faults: Faults::default(),
            leaving: BTreeSet::new(),
            answers: Vec::new(),
            kept: None,
            #[cfg(feature = "acl")]
            unsigned: Vec::new(),
            connections: BTreeMap::new(),
            out: Outbox::default(),
            pen: Pen::default(),
            rng: Rng::new(seed),
            born: now,
            born_unix: unix,
            now,
            scan_at: None,
            register_at: None,
        }
    }

    /// A connection came in. One to a broker that is down, or that does not exist, is closed.
    /// Messages from it are said to be born at 127.0.0.1, see [`Self::accepted_from`].
    pub fn accepted(&mut self, now: Instant, listener: ListenerId, conn: ConnId) {
        self.accepted_from(now, listener, conn, SocketAddr::from(([127, 0, 0, 1], 0)));
    }

    /// The same for a peer at a known address: the born host of its messages.
    pub fn accepted_from(
        &mut self,
        now: Instant,
        listener: ListenerId,
        conn: ConnId,
        peer: SocketAddr,
    ) {
        let now = self.advance(now);
        let up = match listener {
            ListenerId::Nameserver | ListenerId::SecondNameserver => true,
            ListenerId::Broker(index) => self.nodes.get(index).is_some_and(|node| !node.down),
        };
        if !up {
            return self.out.push(Output::Close { conn });
        }
        self.connections.insert(conn, Connection { listener, peer, seen: now });
        self.scan_at.get_or_insert(now + SCAN);
    }

    /// Tells the nameserver and the slaves what is new at a broker.
    pub(super) fn spread(&mut self, broker: usize) {
        let Some(node) = self.nodes.get_mut(broker) else { return };
        let topics = node.topics.take_changed();
        if !(topics.is_empty() || node.down) {
            self.registry.update(node, &topics);
        }
        if node.followed {
            let (nodes, mut turn) = self.turn();
            replica::spread(nodes, &mut turn, broker, &topics);
        }
    }

    /// Has a slave take over what it has missed.
    pub(super) fn catch_up(&mut self, slave: usize) {
        let (nodes, mut turn) = self.turn();
        replica::catch_up(nodes, &mut turn, slave);
    }

    /// Arms the next registration, if the nameserver has forgotten a topic that a broker has.
    pub(super) fn register_later(&mut self) {
        let unknown = |node: &Node| {
            !node.down && node.topics.iter().any(|(name, _)| !self.registry.knows(name, &node.name))
        };
        if self.nodes.iter().any(unknown) {
            self.register_at.get_or_insert(self.now + REGISTER);
        }
    }

    /// A connection is gone. Its pulls are dropped, its client leaves its groups.
    pub fn closed(&mut self, now: Instant, conn: ConnId) {
        self.advance(now);
        let Some(connection) = self.connections.remove(&conn) else { return };
        self.out.forget(conn);
        if let ListenerId::Broker(index) = connection.listener {
            let (nodes, mut turn) = self.turn();
            if let Some(node) = nodes.get_mut(index) {
                node.drop_connection(&mut turn, conn);
            }
        }
        if self.connections.is_empty() {
            self.scan_at = None;
        }
    }

    /// The next thing to do, oldest first; drain until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        loop {
            let output = self.out.pop()?;
            match &output {
                Output::Frame { conn, .. } => match self.connections.get_mut(conn) {
                    Some(connection) => connection.seen = self.now,
                    None => continue,
                },
                &Output::Finish { conn } if self.connections.contains_key(&conn) => {
                    self.closed(self.now, conn);
                }
                Output::Finish { .. } => continue,
                Output::Close { .. } => {}
            }
            return Some(output);
        }
    }

    /// When [`Self::timeout`] wants to be called, if nothing happens before.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let polls = self.nodes.iter().filter_map(Node::next_timeout).min();
        let others = [self.out.next_delayed(), self.scan_at, self.register_at];
        others.into_iter().flatten().chain(polls).min()
    }

    /// Time passed: answers pulls and sends replies whose time is up, closes what fell silent.
    pub fn timeout(&mut self, now: Instant) {
        let now = self.advance(now);
        let (nodes, mut turn) = self.turn();
        for node in nodes {
            node.timeout(&mut turn);
        }
        for broker in 0..self.nodes.len() {
            let node = &self.nodes[broker];
            if node.backlog.is_some() || !node.fresh.is_empty() || node.topics.has_changed() {
                self.spread(broker);
            }
        }
        self.out.release(now);
        if self.register_at.is_some_and(|at| at <= now) {
            self.register_at = None;
            self.nodes.iter().filter(|node| !node.down).for_each(|n| self.registry.register(n));
        }
        if self.scan_at.is_some_and(|at| at <= now) {
            self.scan_at = Some(now + SCAN);
            self.scan(now);
        }
    }

    fn scan(&mut self, now: Instant) {
        let silent =
            self.nodes.iter().flat_map(|n| n.groups.silent(now, self.config.client_expiry));
        let mut gone: Vec<ConnId> = silent.collect();
        let idle = |c: &Connection| now.since(c.seen) > self.config.idle_limit;
        gone.extend(self.connections.iter().filter(|(_, c)| idle(c)).map(|(&conn, _)| conn));
        for conn in gone {
            self.close(conn);
        }
    }

    /// Closes a connection from this side.
    pub(super) fn close(&mut self, conn: ConnId) {
        if self.connections.contains_key(&conn) {
            self.closed(self.now, conn);
            self.out.push(Output::Close { conn });
        }
    }

    /// Closes every connection to a broker.
    pub(super) fn close_all(&mut self, broker: usize) {
        let gone: Vec<ConnId> = self.connections_to(ListenerId::Broker(broker)).collect();
        for conn in gone {
            self.close(conn);
        }
    }

    /// How many connections that came in by `listener` are open.
    pub fn connections(&self, listener: ListenerId) -> usize {
        self.connections_to(listener).count()
    }

    /// The connections that came in by `listener` and are open, oldest first.
    pub fn connections_to(&self, listener: ListenerId) -> impl Iterator<Item = ConnId> {
        let to = self.connections.iter().filter(move |(_, c)| c.listener == listener);
        to.map(|(&conn, _)| conn)
    }

    pub(super) fn advance(&mut self, now: Instant) -> Instant {
        self.now = self.now.max(now);
        self.now
    }

    pub(super) const fn now(&self) -> Instant {
        self.now
    }

    pub(super) fn turn(&mut self) -> (&mut [Node], Turn<'_>) {
        let turn = Turn {
            now: self.now,
            unix: self.born_unix + self.now.since(self.born),
            config: &self.config,
            rng: &mut self.rng,
            faults: &self.faults,
            registry: &self.registry,
            out: &mut self.out,
            pen: &mut self.pen,
        };
        (&mut self.nodes, turn)
    }
}
