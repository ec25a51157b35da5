//! The cluster under its lock, the connections to it, and its timer.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rocketry_core::frame::{Inbound, Limits};
use rocketry_core::time::{Instant, UnixMillis};

use super::peer::Peer;
use super::wire::ServeTls;
use crate::broker::{Cluster, ClusterConfig, ConnId, ListenerId, Output, next_frame};

const SEED: u64 = 0x524F_434B;

#[derive(Debug)]
struct Inner {
    cluster: Cluster,
    peers: HashMap<ConnId, Arc<Peer>>,
    readers: HashMap<ConnId, JoinHandle<()>>,
    issued: u64,
    /// When the timer thread will look again by itself.
    armed: Option<Instant>,
    stopping: bool,
}

#[derive(Debug)]
pub(super) struct Shared {
    inner: Mutex<Inner>,
    timer: Condvar,
    epoch: std::time::Instant,
    tls: Option<ServeTls>,
}

impl Inner {
    /// Moves the cluster's output to its connections; returns those that somebody must flush.
    fn drain(&mut self) -> Vec<Arc<Peer>> {
        let mut flush = Vec::new();
        while let Some(output) = self.cluster.poll_output() {
            match output {
                Output::Frame { conn, frame } => {
                    if let Some(peer) = self.peers.get(&conn).filter(|peer| peer.push(frame)) {
                        flush.push(Arc::clone(peer));
                    }
                }
                Output::Close { conn } => {
                    if let Some(peer) = self.peers.remove(&conn) {
                        peer.close();
                    }
                }
                Output::Finish { conn } => {
                    if let Some(peer) = self.peers.get(&conn).filter(|peer| peer.finish()) {
                        flush.push(Arc::clone(peer));
                    }
                }
            }
        }
        flush
    }
}

/// When the cluster is born, by both clocks: at the begin of a millisecond of the wall clock, so
/// that what it reckons by the other one is never behind. A client's `SystemTime::now()` would be
/// later else than the messages it sends after it.
fn born() -> (std::time::Instant, UnixMillis) {
    // In this order: the time between the two is time that the cluster is ahead.
    let epoch = std::time::Instant::now();
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let unix = UnixMillis(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX));
    let begun = Duration::from_nanos(u64::from(since_1970.subsec_nanos() % 1_000_000));
    match epoch.checked_sub(begun) {
        Some(epoch) => (epoch, unix),
        None => (epoch, unix + Duration::from_millis(1)),
    }
}

impl Shared {
    pub(super) fn new(config: ClusterConfig, tls: Option<ServeTls>) -> Self {
        let (epoch, unix) = born();
        let cluster = Cluster::new(config, SEED, Instant::ZERO, unix);
        let inner = Inner {
            cluster,
            peers: HashMap::new(),
            readers: HashMap::new(),
            issued: 0,
            armed: None,
            stopping: false,
        };
        Self { inner: Mutex::new(inner), timer: Condvar::new(), epoch, tls }
    }

    fn now(&self) -> Instant {
        Instant::ZERO + self.epoch.elapsed()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something under the lock, and writes what came of it after the lock is gone.
    pub(super) fn run<T>(&self, act: impl FnOnce(&mut Cluster, Instant) -> T) -> T {
        let now = self.now();
        let mut inner = self.lock();
        let done = act(&mut inner.cluster, now);
        self.settle(inner);
        done
    }

    /// Gives the lock back, then writes what the cluster put out.
    fn settle(&self, mut inner: MutexGuard<'_, Inner>) {
        let flush = inner.drain();
        let next = inner.cluster.poll_timeout();
        let sooner = next.is_some_and(|next| inner.armed.is_none_or(|armed| next < armed));
        drop(inner);
        if sooner {
            self.timer.notify_one();
        }
        flush.iter().for_each(Peer::flush);
    }

    /// Takes a connection in and starts to read from it.
    pub(super) fn admit(
        self: &Arc<Self>,
        listener: ListenerId,
        socket: TcpStream,
        from: SocketAddr,
    ) -> io::Result<()> {
        let peer = Arc::new(Peer::new(socket)?);
        let now = self.now();
        let mut inner = self.lock();
        if inner.stopping {
            return Ok(());
        }
        inner.issued += 1;
        let conn = ConnId(inner.issued);
        let (shared, reading) = (Arc::clone(self), Arc::clone(&peer));
        let reader = std::thread::Builder::new()
            .name("broker-read".to_owned())
            .spawn(move || shared.read(conn, &reading))?;
        inner.readers.insert(conn, reader);
        inner.peers.insert(conn, peer);
        inner.cluster.accepted_from(now, listener, conn, from);
        self.settle(inner);
        Ok(())
    }

    fn read(&self, conn: ConnId, peer: &Arc<Peer>) {
        match peer.wire.begin(self.tls.as_ref()) {
            Ok(stays) => self.serve(conn, peer, stays),
            Err(error) => log::warn!("a connection is closed: {error}"),
        }
        peer.close();
        self.run(|cluster, now| cluster.closed(now, conn));
        let mut inner = self.lock();
        inner.peers.remove(&conn);
        inner.readers.remove(&conn);
    }

    /// Answers one connection until its end, or does what one read brings if it does not stay.
    fn serve(&self, conn: ConnId, peer: &Peer, stays: bool) {
        let mut inbound = Inbound::new(Limits::default());
        let mut frames = Vec::new();
        let mut checks = self.lock().cluster.checks_keys();
        loop {
            match peer.wire.read(inbound.space()) {
                Ok(0) => break,
                Ok(count) => inbound.filled(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => break,
            }
            let broken = loop {
                match next_frame(&mut inbound, checks) {
                    Ok(Some(frame)) => frames.push(frame),
                    Ok(None) => break None,
                    Err(error) => break Some(error),
                }
            };
            if !frames.is_empty() {
                checks = self.run(|cluster, now| {
                    for (frame, fields) in frames.drain(..) {
                        cluster.received_with(now, conn, frame, &fields);
                    }
                    cluster.checks_keys()
                });
            }
            if let Some(error) = broken {
                log::warn!("a connection is closed: {error}");
                break;
            }
            if !stays {
                break;
            }
            peer.wait_for_room();
        }
    }

    /// Closes every connection and waits for the threads that read.
    pub(super) fn stop(&self) {
        let mut inner = self.lock();
        inner.stopping = true;
        let peers: Vec<Arc<Peer>> = inner.peers.drain().map(|(_, peer)| peer).collect();
        let readers: Vec<JoinHandle<()>> =
            inner.readers.drain().map(|(_, thread)| thread).collect();
        drop(inner);
        self.timer.notify_all();
        peers.iter().for_each(|peer| peer.close());
        for reader in readers {
            // A thread that panicked has told so.
            drop(reader.join());
        }
    }
}

/// Starts the thread that calls the cluster when its next timeout is due.
pub(super) fn run_timer(shared: &Arc<Shared>) -> io::Result<JoinHandle<()>> {
    let shared = Arc::clone(shared);
    std::thread::Builder::new().name("broker-timer".to_owned()).spawn(move || {
        loop {
            let now = shared.now();
            let mut inner = shared.lock();
            if inner.stopping {
                return;
            }
            let next = inner.cluster.poll_timeout();
            inner.armed = next;
            match next {
                Some(at) if at <= now => {
                    drop(inner);
                    shared.run(|cluster, now| cluster.timeout(now));
                }
                Some(at) => {
                    let waited = shared.timer.wait_timeout(inner, at.since(now));
                    drop(waited.unwrap_or_else(PoisonError::into_inner));
                }
                None => drop(shared.timer.wait(inner).unwrap_or_else(PoisonError::into_inner)),
            }
        }
    })
}
