//! The cluster: connections, time, and which of its parts a request goes to.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use rocketry_core::frame::{Content, Frame, Request, ResponseCode};
use rocketry_core::rng::Rng;
use rocketry_core::time::{Instant, UnixMillis};

use super::answer::{Answer, Caller, Outbox, Turn};
use super::config::ClusterConfig;
use super::fault::Faults;
use super::node::Node;
use super::{ConnId, ListenerId, Output, nameserver};
use std::time::Duration;

/// How often silent clients and idle connections are looked for (`ClientHousekeepingService`).
const SCAN: Duration = Duration::from_secs(10);

#[derive(Debug)]
struct Connection {
    listener: ListenerId,
    peer: SocketAddr,
    /// When a frame went either way.
    seen: Instant,
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
    pub(super) faults: Faults,
    connections: BTreeMap<ConnId, Connection>,
    out: Outbox,
    rng: Rng,
    born: Instant,
    born_unix: UnixMillis,
    now: Instant,
    scan_at: Option<Instant>,
}

impl Cluster {
    /// A cluster as configured, without connections. `seed` feeds the choice of queues for sends
    /// to queue -1; `unix` is the wall clock at `now`.
    pub fn new(config: ClusterConfig, seed: u64, now: Instant, unix: UnixMillis) -> Self {
        let nodes = config.brokers.iter().map(|broker| Node::new(broker, &config)).collect();
        Self {
            config,
            nodes,
            faults: Faults::default(),
            connections: BTreeMap::new(),
            out: Outbox::default(),
            rng: Rng::new(seed),
            born: now,
            born_unix: unix,
            now,
            scan_at: None,
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
            ListenerId::Nameserver => true,
            ListenerId::Broker(index) => self.nodes.get(index).is_some_and(|node| !node.down),
        };
        if !up {
            return self.out.push(Output::Close { conn });
        }
        self.connections.insert(conn, Connection { listener, peer, seen: now });
        self.scan_at.get_or_insert(now + SCAN);
    }

    /// A frame came from a connection. Replies are ignored: the cluster asks nothing that has one.
    pub fn received(&mut self, now: Instant, conn: ConnId, frame: Frame) {
        let now = self.advance(now);
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        connection.seen = now;
        let (listener, peer) = (connection.listener, connection.peer);
        let Content::Request { request, oneway, code } = frame.content else { return };
        let Frame { opaque, version, body, .. } = frame;
        let caller = Caller { conn, peer, code, opaque, oneway, version };
        self.faults.count(code);
        let request = match request {
            Ok(request) => request,
            Err(error) => {
                let answer = Answer::error(ResponseCode::SYSTEM_ERROR, error.to_string());
                return self.turn().1.reply(&caller, answer);
            }
        };
        let fault = self.faults.next(code);
        if let Some(error) = fault.filter(|&error| !is_stored(error, &request)) {
            let answer = Answer::error(error, "asked for by the test");
            return self.turn().1.reply(&caller, answer);
        }
        let (nodes, mut turn) = self.turn();
        match listener {
            ListenerId::Nameserver => {
                let answer = nameserver::answer(turn.config, nodes, &caller, &request);
                turn.reply(&caller, answer);
            }
            ListenerId::Broker(index) => {
                if let Some(node) = nodes.get_mut(index) {
                    node.handle(&mut turn, caller, request, &body, fault);
                }
            }
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
            if let Output::Frame { conn, .. } = &output {
                match self.connections.get_mut(conn) {
                    Some(connection) => connection.seen = self.now,
                    None => continue,
                }
            }
            return Some(output);
        }
    }

    /// When [`Self::timeout`] wants to be called, if nothing happens before.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let polls = self.nodes.iter().filter_map(Node::next_timeout).min();
        [polls, self.out.next_delayed(), self.scan_at].into_iter().flatten().min()
    }

    /// Time passed: answers pulls and sends replies whose time is up, closes what fell silent.
    pub fn timeout(&mut self, now: Instant) {
        let now = self.advance(now);
        let (nodes, mut turn) = self.turn();
        for node in nodes {
            node.timeout(&mut turn);
        }
        self.out.release(now);
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
    fn close(&mut self, conn: ConnId) {
        if self.connections.contains_key(&conn) {
            self.closed(self.now, conn);
            self.out.push(Output::Close { conn });
        }
    }

    /// Closes every connection to a broker.
    pub(super) fn close_all(&mut self, broker: usize) {
        let to = |c: &Connection| c.listener == ListenerId::Broker(broker);
        let gone: Vec<ConnId> =
            self.connections.iter().filter(|(_, c)| to(c)).map(|(&conn, _)| conn).collect();
        for conn in gone {
            self.close(conn);
        }
    }

    /// The connections that came in by `listener` and are open.
    pub fn connections(&self, listener: ListenerId) -> usize {
        self.connections.values().filter(|c| c.listener == listener).count()
    }

    fn advance(&mut self, now: Instant) -> Instant {
        self.now = self.now.max(now);
        self.now
    }

    fn turn(&mut self) -> (&mut [Node], Turn<'_>) {
        let turn = Turn {
            now: self.now,
            unix: self.born_unix + self.now.since(self.born),
            config: &self.config,
            rng: &mut self.rng,
            faults: &self.faults,
            out: &mut self.out,
        };
        (&mut self.nodes, turn)
    }
}

/// Whether this code means that a send was stored, so that the fault is told with the message kept.
fn is_stored(code: ResponseCode, request: &Request) -> bool {
    let kept = matches!(
        code,
        ResponseCode::FLUSH_DISK_TIMEOUT
            | ResponseCode::SLAVE_NOT_AVAILABLE
            | ResponseCode::FLUSH_SLAVE_TIMEOUT
    );
    kept && matches!(request, Request::Send(_))
}
