//! Connections, and bytes on their way: delayed, split, in order until cut.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use rocketry_core::engine::Command;
use rocketry_core::error::{CloseReason, ConnectError};
use rocketry_core::fetch::{FetchError, FetchId, Url};
use rocketry_core::id::ConnectionId;
use rocketry_core::rng::Rng;

use super::app::ClientId;
use super::disk::DiskJob;
use super::happening::Happening;
use super::link::{Door, End, Host, Link, LinkId, Way};
use super::world::World;
use crate::broker::{ClusterConfig, ListenerId};

/// Bytes one direction takes before its writer has to wait, as a socket's buffers do.
const WINDOW: usize = 256 << 10;

/// Computing something for an engine takes at most this, unless a test says otherwise.
pub(super) const COMPUTE: Duration = Duration::from_millis(5);

/// How bytes that were written at once are split on their way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Split {
    /// Not at all.
    Whole,
    /// At up to three places drawn at random.
    #[default]
    Random,
    /// Into pieces of this many bytes.
    Every(usize),
}

/// What asking for a page comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Page {
    /// This text.
    Says(String),
    /// This error.
    Fails(FetchError),
    /// This text, so much later than the network takes.
    Late(String, Duration),
    /// Nothing, ever.
    Silent,
}

/// Everything between engines and servers.
pub(super) struct Network {
    pub(super) links: BTreeMap<LinkId, Link>,
    pub(super) hosts: BTreeMap<String, Host>,
    pub(super) doors: BTreeMap<String, Door>,
    /// Pages by URL.
    pages: BTreeMap<String, Page>,
    pub(super) tamper: Option<Box<Tamper>>,
    pub(super) split: Split,
    /// Bytes a second to or from an address, where there is a limit.
    pub(super) rates: Vec<(String, Way, u64)>,
    /// The shortest delay one way, and how much may be added to it.
    pub(super) latency: (Duration, Duration),
    pub(super) issued: u64,
    rng: Rng,
}

/// Changes the bytes one side writes to an address.
pub(super) type Tamper = dyn FnMut(&str, Way, &mut Vec<u8>);

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Network").field("links", &self.links).finish_non_exhaustive()
    }
}

impl Network {
    pub(super) fn new(cluster: &ClusterConfig, seed: u64) -> Self {
        let brokers = cluster.brokers.iter().enumerate().map(|(index, broker)| {
            (broker.endpoint.clone(), Host::Cluster(ListenerId::Broker(index)))
        });
        let mut hosts: BTreeMap<String, Host> = brokers.collect();
        hosts.insert("ns:9876".to_owned(), Host::Cluster(ListenerId::Nameserver));
        Self {
            links: BTreeMap::new(),
            hosts,
            doors: BTreeMap::new(),
            pages: BTreeMap::new(),
            tamper: None,
            split: Split::default(),
            rates: Vec::new(),
            latency: (Duration::from_micros(500), Duration::from_millis(1)),
            issued: 0,
            rng: Rng::new(seed),
        }
    }

    pub(super) fn delay(&mut self) -> Duration {
        let (least, spread) = self.latency;
        least + Duration::from_nanos(self.rng.below(spread.as_nanos() as u64))
    }

    fn cut_up(&mut self, mut bytes: Vec<u8>) -> Vec<Vec<u8>> {
        let mut pieces = Vec::new();
        let places = match self.split {
            Split::Whole => 0,
            Split::Random => self.rng.below(4) as usize,
            Split::Every(size) => bytes.len().div_ceil(size.max(1)),
        };
        for _ in 0..places {
            let at = match self.split {
                Split::Every(size) => size.max(1),
                Split::Whole | Split::Random => self.rng.below(bytes.len() as u64 + 1) as usize,
            };
            if at > 0 && at < bytes.len() {
                let rest = bytes.split_off(at);
                pieces.push(std::mem::replace(&mut bytes, rest));
            }
        }
        pieces.push(bytes);
        pieces
    }
}

impl World {
    /// Does what an engine asks for. True if there was anything.
    pub(super) fn obey(&mut self, client: ClientId) -> bool {
        let mut busy = false;
        while let Some(command) = self.clients[client.0].session.engine_mut().poll_command() {
            busy = true;
            self.trace.line(self.now, format_args!("{client:?} {command:?}"));
            match command {
                Command::Connect { conn, endpoint } => {
                    self.network.issued += 1;
                    let id = LinkId(self.network.issued);
                    let link = Link::new(self.now, client, conn, endpoint.as_str().to_owned());
                    self.network.links.insert(id, link);
                    self.dial(id);
                }
                Command::Transmit { conn } => {
                    let link = self.network.links.values_mut();
                    for link in link.filter(|l| l.client == client && l.conn == conn) {
                        link.wants_write = true;
                    }
                }
                Command::Close { conn, .. } => self.close_asked(client, conn),
                Command::Fetch { fetch, url } => self.fetch(client, fetch, &url),
                Command::Compute { job } => self.compute(client, job),
                Command::Load { job } => self.keep_offsets(client, DiskJob::Load(job)),
                Command::Save { job } => self.keep_offsets(client, DiskJob::Save(job)),
            }
        }
        busy
    }

    fn fetch(&mut self, client: ClientId, fetch: FetchId, url: &Url) {
        let mut at = self.now + self.network.delay() + self.network.delay();
        let refused =
            || FetchError::Connect(io::Error::from(io::ErrorKind::ConnectionRefused).into());
        let page = self.network.pages.get(url.as_str()).cloned();
        let result = match page.unwrap_or(Page::Fails(refused())) {
            Page::Says(text) => Ok(text.into()),
            Page::Fails(error) => Err(error),
            Page::Late(text, by) => {
                at += by;
                Ok(text.into())
            }
            Page::Silent => return,
        };
        self.schedule(at, Happening::Fetched { client, fetch, result });
    }

    /// What the address server says at `url` from now on; a page that is not set refuses.
    pub fn page(&mut self, url: &str, page: Page) {
        self.network.pages.insert(url.to_owned(), page);
    }

    fn dial(&mut self, id: LinkId) {
        let there = self.network.delay() + self.network.delay();
        let Some(link) = self.network.links.get_mut(&id) else { return };
        let door = self.network.doors.get(&link.endpoint).copied().unwrap_or_default();
        let known = self.network.hosts.contains_key(&link.endpoint);
        match door {
            Door::BlackHole => {}
            Door::Open if known => {
                link.accepted = true;
                self.schedule(self.now + there, Happening::Connected(id));
            }
            Door::Open | Door::Refuse => {
                self.schedule(self.now + there, Happening::Refused(id));
            }
        }
    }

    fn close_asked(&mut self, client: ClientId, conn: ConnectionId) {
        let found = self.network.links.iter().find(|(_, l)| l.client == client && l.conn == conn);
        let Some(id) = found.map(|(id, _)| *id) else { return };
        let crosses = self.rng.below(2) == 0;
        let Some(link) = self.network.links.get_mut(&id) else { return };
        link.closing = true;
        if !link.open && link.accepted && crosses {
            // The socket was there before the order to give up was read.
            self.schedule(self.now, Happening::Connected(id));
        }
        self.schedule(self.now, Happening::Closed(id));
    }

    pub(super) fn connected(&mut self, id: LinkId) {
        let Some(link) = self.network.links.get_mut(&id).filter(|l| !l.open && !l.client_gone)
        else {
            return;
        };
        let host = self.network.hosts.get(&link.endpoint).cloned();
        let (client, conn) = (link.client, link.conn);
        link.open = true;
        link.end = match host {
            Some(Host::Cluster(listener)) => End::Cluster(self.broker.connect(self.now, listener)),
            Some(Host::Parrot(answer)) => End::Parrot(answer),
            None => End::None,
        };
        self.trace.line(self.now, format_args!("{client:?} connected {conn:?}"));
        self.tell(client, |session, now| session.connected(now, conn));
    }

    pub(super) fn refused(&mut self, id: LinkId) {
        let Some(link) = self.network.links.remove(&id) else { return };
        let error = ConnectError::from(io::Error::from(io::ErrorKind::ConnectionRefused));
        let (client, conn) = (link.client, link.conn);
        self.trace.line(self.now, format_args!("{client:?} refused {conn:?}"));
        self.tell(client, |session, now| session.connect_failed(now, conn, error));
    }

    /// What the engine's `Close` comes to.
    pub(super) fn closed_here(&mut self, id: LinkId) {
        let Some(link) = self.network.links.get_mut(&id).filter(|l| !l.client_gone) else { return };
        let (client, conn, last) = (link.client, link.conn, link.up.last);
        if !link.open {
            self.network.links.remove(&id);
            let error = ConnectError::Aborted;
            return self.tell(client, |session, now| session.connect_failed(now, conn, error));
        }
        link.client_gone = true;
        if !link.server_gone {
            let ended = Happening::Ended { link: id, way: Way::Up, reason: CloseReason::Ended };
            self.schedule(last.max(self.now), ended);
        }
        let reason = CloseReason::Ended;
        self.tell(client, |session, now| session.closed(now, conn, reason));
        self.sweep(id);
    }

    /// Puts bytes on their way.
    pub(super) fn carry(&mut self, id: LinkId, way: Way, mut bytes: Vec<u8>) {
        let Some(link) = self.network.links.get_mut(&id) else { return };
        if let Some(tamper) = &mut self.network.tamper {
            tamper(&link.endpoint, way, &mut bytes);
        }
        if bytes.is_empty() {
            return;
        }
        for line in link.flow(way).tap.read(&bytes) {
            let (client, conn) = (link.client, link.conn);
            self.trace.line(self.now, format_args!("{client:?} {conn:?} {way:?} {line}"));
        }
        let limits =
            |(endpoint, of, _): &&(String, Way, u64)| *of == way && *endpoint == link.endpoint;
        let rate = self.network.rates.iter().find(limits).map(|(.., rate)| *rate);
        for bytes in self.network.cut_up(bytes) {
            let at = self.now + self.network.delay();
            let Some(link) = self.network.links.get_mut(&id) else { return };
            let takes = rate.map_or(0, |rate| bytes.len() as u64 * 1_000_000_000 / rate.max(1));
            let flow = link.flow(way);
            flow.outstanding += bytes.len();
            flow.last = flow.last.max(at) + Duration::from_nanos(takes);
            let at = flow.last;
            self.schedule(at, Happening::Arrived { link: id, way, bytes });
        }
    }

    /// Takes what both sides want to write. True if there was anything.
    pub(super) fn carry_all(&mut self) -> bool {
        let mut busy = false;
        let ids: Vec<LinkId> = self.network.links.keys().copied().collect();
        for id in ids {
            busy |= self.carry_up(id);
            busy |= self.carry_down(id);
        }
        busy
    }

    fn carry_up(&mut self, id: LinkId) -> bool {
        let mut busy = false;
        while let Some(link) = self.network.links.get_mut(&id) {
            let room = WINDOW.saturating_sub(link.up.outstanding);
            if !link.wants_write || link.closing || link.client_gone || room == 0 {
                break;
            }
            let (client, conn) = (link.client, link.conn);
            let bytes = self.tell(client, |session, _| session.transmit(conn, room));
            if bytes.is_empty() {
                if let Some(link) = self.network.links.get_mut(&id) {
                    link.wants_write = false;
                }
                break;
            }
            busy = true;
            self.carry(id, Way::Up, bytes);
        }
        busy
    }

    fn carry_down(&mut self, id: LinkId) -> bool {
        let Some(link) = self.network.links.get_mut(&id) else { return false };
        let End::Cluster(conn) = link.end else { return false };
        if link.server_gone {
            return false;
        }
        if !self.broker.is_open(conn) {
            link.server_gone = true;
            let at = link.down.last.max(self.now);
            let ended = Happening::Ended { link: id, way: Way::Down, reason: CloseReason::Ended };
            self.schedule(at, ended);
            return true;
        }
        let room = WINDOW.saturating_sub(link.down.outstanding);
        let mut bytes = Vec::new();
        if link.broken || self.broker.bytes_out(conn, &mut bytes, room) == 0 {
            return false;
        }
        self.carry(id, Way::Down, bytes);
        true
    }

    /// Forgets a link that both sides are done with.
    pub(super) fn sweep(&mut self, id: LinkId) {
        if self.network.links.get(&id).is_some_and(|l| l.client_gone && l.server_gone) {
            self.network.links.remove(&id);
        }
    }
}
