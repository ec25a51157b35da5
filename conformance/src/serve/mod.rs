//! The embedded cluster on real sockets, with plain threads: for tests, examples and other
//! languages' clients.
//!
//! A thread per connection reads and decodes before it takes the one lock; whoever makes output
//! writes it after the lock is gone, so that replies to many frames leave in one write. A timer
//! thread ends long polls.

mod door;
mod peer;
mod shared;
#[cfg(test)]
mod tests;
mod wire;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::broker::{Cluster, ClusterConfig, ListenerId};
use door::Door;
use shared::Shared;
use wire::ServeTls as Tls;
#[cfg(feature = "tls")]
pub use wire::{ServeTls, TlsMode};

/// Where a cluster listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// The nameserver's address; port 0 is any free one.
    pub nameserver: SocketAddr,
    /// The brokers' addresses; those left out get a free port of the nameserver's address.
    pub brokers: Vec<SocketAddr>,
    /// The host in routes, where it is not the address bound to.
    pub advertise: Option<String>,
}

impl Default for Listen {
    /// Free ports of 127.0.0.1.
    fn default() -> Self {
        Self { nameserver: any_port(), brokers: Vec::new(), advertise: None }
    }
}

fn any_port() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

/// A cluster that is being served. Dropping it closes its sockets and ends its threads.
#[derive(Debug)]
pub struct Served {
    shared: Arc<Shared>,
    nameserver: SocketAddr,
    brokers: Mutex<Vec<SocketAddr>>,
    advertise: Option<String>,
    doors: Mutex<Vec<Option<Door>>>,
    timer: Option<JoinHandle<()>>,
}

impl Served {
    /// Serves a cluster on free ports of 127.0.0.1.
    pub fn start(config: ClusterConfig) -> io::Result<Self> {
        Self::start_at(config, &Listen::default())
    }

    /// Serves a cluster on these addresses. The brokers' endpoints in `config` are replaced by
    /// what they listen on. Fails when an address can't be bound or a thread can't be started.
    pub fn start_at(config: ClusterConfig, listen: &Listen) -> io::Result<Self> {
        Self::begin(config, listen, None)
    }

    /// The same with TLS, on the nameserver and on all brokers.
    #[cfg(feature = "tls")]
    pub fn start_tls(config: ClusterConfig, listen: &Listen, tls: ServeTls) -> io::Result<Self> {
        Self::begin(config, listen, Some(tls))
    }

    fn begin(mut config: ClusterConfig, listen: &Listen, tls: Option<Tls>) -> io::Result<Self> {
        let nameserver = TcpListener::bind(listen.nameserver)?;
        let nameserver_at = nameserver.local_addr()?;
        let mut sockets = vec![(ListenerId::Nameserver, nameserver)];
        let mut brokers = Vec::new();
        let spare = SocketAddr::new(nameserver_at.ip(), 0);
        for (index, broker) in config.brokers.iter_mut().enumerate() {
            let socket = TcpListener::bind(listen.brokers.get(index).copied().unwrap_or(spare))?;
            let at = socket.local_addr()?;
            broker.endpoint = endpoint(listen.advertise.as_deref(), at);
            brokers.push(at);
            sockets.push((ListenerId::Broker(index), socket));
        }
        let shared = Arc::new(Shared::new(config, tls));
        let timer = Some(shared::run_timer(&shared)?);
        let served = Self {
            shared,
            nameserver: nameserver_at,
            brokers: Mutex::new(brokers),
            advertise: listen.advertise.clone(),
            doors: Mutex::new(Vec::new()),
            timer,
        };
        for (id, socket) in sockets {
            let door = Door::open(&served.shared, id, socket)?;
            served.doors().push(Some(door));
        }
        Ok(served)
    }

    fn doors(&self) -> std::sync::MutexGuard<'_, Vec<Option<Door>>> {
        self.doors.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The nameserver's `host:port`.
    pub fn namesrv(&self) -> String {
        self.nameserver.to_string()
    }

    /// The address a broker listens on, or did before it was stopped.
    pub fn broker(&self, index: usize) -> Option<SocketAddr> {
        self.addresses().get(index).copied()
    }

    fn addresses(&self) -> std::sync::MutexGuard<'_, Vec<SocketAddr>> {
        self.brokers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the cluster, or does something to it: faults, topics. Everything else waits
    /// meanwhile, so be short, and do not call `with` inside.
    pub fn with<T>(&self, act: impl FnOnce(&mut Cluster) -> T) -> T {
        self.shared.run(|cluster, _| act(cluster))
    }

    /// Stops a broker: its port refuses, its connections close, its data stays. Nothing happens
    /// when it is stopped already.
    pub fn stop_broker(&self, index: usize) {
        self.shut(index);
        self.with(|cluster| cluster.take_down(index));
    }

    /// The same, with routes that go on naming the broker: as after `kill -9`.
    pub fn kill_broker(&self, index: usize) {
        self.shut(index);
        self.shared.run(|cluster, now| {
            cluster.timeout(now);
            cluster.crash(index);
        });
    }

    fn shut(&self, index: usize) {
        let door = self.doors().get_mut(index + 1).and_then(Option::take);
        if let Some(door) = door {
            door.close();
        }
    }

    /// Starts a stopped broker on its old port. Nothing happens when it runs.
    pub fn start_broker(&self, index: usize) -> io::Result<()> {
        let at = self.broker(index).ok_or_else(no_such_broker)?;
        self.start_broker_at(index, at).map(drop)
    }

    /// Starts a stopped broker at another address, port 0 being any free one; routes, records and
    /// message ids name that one from now on. Returns where it listens: its old address, when it
    /// runs and nothing happens.
    pub fn start_broker_at(&self, index: usize, at: SocketAddr) -> io::Result<SocketAddr> {
        let mut doors = self.doors();
        let place = doors.get_mut(index + 1).ok_or_else(no_such_broker)?;
        let old = self.broker(index).ok_or_else(no_such_broker)?;
        if place.is_some() {
            return Ok(old);
        }
        let socket = TcpListener::bind(at)?;
        let at = socket.local_addr()?;
        if at != old {
            if let Some(known) = self.addresses().get_mut(index) {
                *known = at;
            }
            let endpoint = endpoint(self.advertise.as_deref(), at);
            self.with(|cluster| cluster.set_endpoint(index, &endpoint));
        }
        self.with(|cluster| cluster.bring_up(index));
        *place = Some(Door::open(&self.shared, ListenerId::Broker(index), socket)?);
        Ok(at)
    }
}

fn no_such_broker() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "there is no such broker")
}

/// What routes call a broker that listens there.
fn endpoint(advertise: Option<&str>, at: SocketAddr) -> String {
    match advertise {
        Some(host) => format!("{host}:{}", at.port()),
        None => at.to_string(),
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        for door in std::mem::take(&mut *self.doors()).into_iter().flatten() {
            door.close();
        }
        self.shared.stop();
        if let Some(timer) = self.timer.take() {
            // A thread that panicked has told so; there is nothing to add while dropping.
            drop(timer.join());
        }
    }
}
