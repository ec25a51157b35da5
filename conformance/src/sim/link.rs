//! One connection between an engine and a server, with a flow of bytes each way.

use rocketry_core::id::ConnectionId;
use rocketry_core::time::Instant;

use super::app::ClientId;
use super::happening::Happening;
use super::trace::Tap;
use crate::broker::{ConnId, ListenerId};

/// A connection, by the order in which they were asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct LinkId(pub(super) u64);

/// A direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Way {
    /// From the engine to the server.
    Up,
    /// From the server to the engine.
    Down,
}

/// What becomes of attempts to connect to an address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Door {
    /// They succeed.
    #[default]
    Open,
    /// They are refused.
    Refuse,
    /// Nothing ever comes back.
    BlackHole,
}

/// Who listens at an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// The embedded nameserver or one of its brokers.
    Cluster(ListenerId),
    /// Something that answers the first bytes it gets with these, and then nothing.
    Parrot(Vec<u8>),
}

/// The server's end.
#[derive(Debug)]
pub(super) enum End {
    /// Not connected yet.
    None,
    Cluster(ConnId),
    Parrot(Vec<u8>),
}

/// Bytes on their way in one direction.
#[derive(Debug)]
pub(super) struct Flow {
    pub(super) tap: Tap,
    /// Bytes accepted and not delivered.
    pub(super) outstanding: usize,
    /// When the last of them arrives: order is kept.
    pub(super) last: Instant,
    pub(super) stalled: bool,
    /// What arrived while stalled.
    pub(super) held: Vec<Happening>,
    /// Bytes to deliver before the connection is cut.
    pub(super) cut_in: Option<u64>,
}

impl Flow {
    fn new(now: Instant) -> Self {
        Self {
            tap: Tap::new(),
            outstanding: 0,
            last: now,
            stalled: false,
            held: Vec::new(),
            cut_in: None,
        }
    }
}

/// A connection, or an attempt at one.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) client: ClientId,
    pub(super) conn: ConnectionId,
    pub(super) endpoint: String,
    /// When the engine asked for it.
    pub(super) begun: Instant,
    pub(super) end: End,
    /// The server accepts, and word of it is on its way.
    pub(super) accepted: bool,
    /// The engine asked for `Close`.
    pub(super) closing: bool,
    /// The engine was told `Connected`.
    pub(super) open: bool,
    /// The engine was told `Closed`.
    pub(super) client_gone: bool,
    /// The server closed it, or was told that it is closed.
    pub(super) server_gone: bool,
    /// Cut: nothing arrives any more.
    pub(super) broken: bool,
    /// The engine said `Transmit` and has not run dry since.
    pub(super) wants_write: bool,
    pub(super) up: Flow,
    pub(super) down: Flow,
}

impl Link {
    pub(super) fn new(
        now: Instant,
        client: ClientId,
        conn: ConnectionId,
        endpoint: String,
    ) -> Self {
        Self {
            client,
            conn,
            endpoint,
            begun: now,
            end: End::None,
            accepted: false,
            closing: false,
            open: false,
            client_gone: false,
            server_gone: false,
            broken: false,
            wants_write: false,
            up: Flow::new(now),
            down: Flow::new(now),
        }
    }

    pub(super) const fn flow(&mut self, way: Way) -> &mut Flow {
        match way {
            Way::Up => &mut self.up,
            Way::Down => &mut self.down,
        }
    }
}
