//! A cluster with the byte halves of its connections: bytes in, bytes out, for tests under
//! virtual time and for simulations.

use std::collections::BTreeMap;
use std::io::IoSlice;

use rocketry_core::frame::{Content, Frame, FrameError, Inbound, Limits, Outbound, Pairs, Whole};
use rocketry_core::time::{Instant, UnixMillis};

use super::{Cluster, ClusterConfig, ConnId, ListenerId, Output};

/// Largest frame taken, in bytes (`com.rocketmq.remoting.frameMaxLength`): the connection closes
/// over a larger one once its length is read.
const FRAME: usize = 16 << 20;

#[derive(Debug)]
struct Halves {
    inbound: Inbound,
    outbound: Outbound,
    /// It closes once all bytes are out.
    finishing: bool,
}

/// The next frame, with its fields as they came where keys are checked.
pub(crate) fn next_frame(
    inbound: &mut Inbound,
    checks: bool,
) -> Result<Option<(Frame, Pairs)>, FrameError> {
    let whole = inbound.next(|head| {
        let fields = if checks { head.fields.to_pairs().unwrap_or_default() } else { Pairs::new() };
        (head.opaque, head.version, Content::read(head), fields)
    })?;
    Ok(whole.map(|Whole { content: (opaque, version, content, fields), body, held, size }| {
        (Frame { opaque, version, content, body, held, size }, fields)
    }))
}

/// A [`Cluster`] that speaks bytes.
#[derive(Debug)]
pub struct Session {
    cluster: Cluster,
    connections: BTreeMap<ConnId, Halves>,
    issued: u64,
}

impl Session {
    /// A session around a new cluster; the arguments are those of [`Cluster::new`].
    pub fn new(config: ClusterConfig, seed: u64, now: Instant, unix: UnixMillis) -> Self {
        let cluster = Cluster::new(config, seed, now, unix);
        Self { cluster, connections: BTreeMap::new(), issued: 0 }
    }

    /// Opens a connection. It may be closed already: see [`Self::is_open`].
    pub fn connect(&mut self, now: Instant, listener: ListenerId) -> ConnId {
        self.issued += 1;
        let conn = ConnId(self.issued);
        let inbound = Inbound::new(Limits { frame: FRAME, ..Limits::default() });
        let outbound = Outbound::with_limits(Limits::default());
        self.connections.insert(conn, Halves { inbound, outbound, finishing: false });
        self.cluster.accepted(now, listener, conn);
        self.drain();
        conn
    }

    /// Takes bytes from a peer, cut anywhere. After an error the connection is closed.
    pub fn bytes_in(
        &mut self,
        now: Instant,
        conn: ConnId,
        mut bytes: &[u8],
    ) -> Result<(), FrameError> {
        while let Some(halves) = self.connections.get_mut(&conn).filter(|_| !bytes.is_empty()) {
            let space = halves.inbound.space();
            let count = space.len().min(bytes.len());
            let (now_in, later) = bytes.split_at(count);
            space[..count].copy_from_slice(now_in);
            halves.inbound.filled(count);
            bytes = later;
            self.frames_in(now, conn)?;
        }
        self.drain();
        Ok(())
    }

    fn frames_in(&mut self, now: Instant, conn: ConnId) -> Result<(), FrameError> {
        let checks = self.cluster.checks_keys();
        while let Some(halves) = self.connections.get_mut(&conn) {
            match next_frame(&mut halves.inbound, checks) {
                Ok(Some((frame, fields))) => {
                    self.cluster.received_with(now, conn, frame, &fields);
                }
                Ok(None) => break,
                Err(error) => {
                    self.close(now, conn);
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Appends the bytes that wait for a peer to `into`, at most `limit`; returns their number.
    pub fn bytes_out(&mut self, conn: ConnId, into: &mut Vec<u8>, limit: usize) -> usize {
        let Some(Halves { outbound, finishing, .. }) = self.connections.get_mut(&conn) else {
            return 0;
        };
        let before = into.len();
        loop {
            let room = limit - (into.len() - before);
            let mut slices = [IoSlice::new(&[]); 16];
            let count = outbound.slices(&mut slices);
            let at = into.len();
            for slice in &slices[..count] {
                let left = room - (into.len() - at);
                into.extend_from_slice(&slice[..slice.len().min(left)]);
            }
            let taken = into.len() - at;
            if taken == 0 {
                break;
            }
            outbound.advance(taken);
        }
        if *finishing && outbound.is_empty() {
            self.connections.remove(&conn);
        }
        into.len() - before
    }

    /// The peer closed the connection, or the network did.
    pub fn close(&mut self, now: Instant, conn: ConnId) {
        self.connections.remove(&conn);
        self.cluster.closed(now, conn);
        self.drain();
    }

    /// Whether the connection is open. A closed one has no bytes left.
    pub fn is_open(&self, conn: ConnId) -> bool {
        self.connections.contains_key(&conn)
    }

    /// When [`Self::timeout`] wants to be called, if nothing happens before.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.cluster.poll_timeout()
    }

    /// Time passed.
    pub fn timeout(&mut self, now: Instant) {
        self.cluster.timeout(now);
        self.drain();
    }

    /// The cluster, to look at.
    pub const fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Does something to the cluster, and takes what it puts out.
    pub fn with<T>(&mut self, act: impl FnOnce(&mut Cluster) -> T) -> T {
        let done = act(&mut self.cluster);
        self.drain();
        done
    }

    fn drain(&mut self) {
        while let Some(output) = self.cluster.poll_output() {
            match output {
                Output::Frame { conn, frame } => {
                    if let Some(halves) = self.connections.get_mut(&conn) {
                        // A broker sends what it read itself: none is too large.
                        let _ = halves.outbound.push(&frame);
                    }
                }
                Output::Close { conn } => {
                    self.connections.remove(&conn);
                }
                Output::Finish { conn } => {
                    if let Some(halves) = self.connections.get_mut(&conn) {
                        halves.finishing = true;
                        if halves.outbound.is_empty() {
                            self.connections.remove(&conn);
                        }
                    }
                }
            }
        }
    }
}
