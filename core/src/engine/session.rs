//! Engine and byte halves together: for hand-written event loops, tests, simulation and fuzzing.

use std::collections::BTreeMap;
use std::io::IoSlice;

use bytes::Bytes;

use super::{Decoder, Engine, InFrame, Input};
use crate::allocation::Computed;
use crate::config::ConfigError;
use crate::error::{CloseReason, ConnectError};
use crate::fetch::{FetchError, FetchId};
use crate::frame::{Inbound, Limits, Outbound};
use crate::id::ConnectionId;
use crate::offsets::{LoadedOffsets, SavedOffsets};
use crate::time::Instant;

/// Frames encoded ahead of the socket: enough for one write.
const AHEAD: usize = 64 << 10;

#[derive(Debug)]
struct Halves {
    inbound: Inbound,
    decoder: Decoder,
    outbound: Outbound,
}

/// An engine whose connections are bytes in and bytes out. The loop around it is on the [front
/// page](crate).
///
/// After each method that is told `now`: commands, events, timeout, as [`Engine`]'s page has it. Of
/// the others, [`to_write`](Self::to_write) and [`transmit`](Self::transmit) take frames out, and
/// may give events and commands as [`Engine::poll_frame`] does; [`space`](Self::space) and
/// [`wrote`](Self::wrote) change nothing outside of their connection.
#[derive(Debug)]
pub struct Session {
    engine: Engine,
    limits: Limits,
    halves: BTreeMap<ConnectionId, Halves>,
    arrived: Vec<InFrame>,
}

impl Session {
    /// A session around an engine without connections, for a loop with plain sockets;
    /// [`Limits::of`] gives what its settings say.
    ///
    /// # Errors
    ///
    /// Where the settings [ask for TLS](crate::config::Config::encrypts): the engine encrypts
    /// nothing. A loop that does is for [`encrypted`](Self::encrypted).
    pub fn new(engine: Engine, limits: Limits) -> Result<Self, ConfigError> {
        if engine.config().encrypts() {
            let problem = "must be off for Session::new: a loop that encrypts its sockets says so \
                           by Session::encrypted";
            return Err(ConfigError::Field { field: "tls", problem });
        }
        Ok(Self::encrypted(engine, limits))
    }

    /// The same for a loop that encrypts where the settings ask for it: the handshake comes before
    /// [`connected`](Self::connected), and what is read and written goes through the filter of its
    /// connection (`tls::Tls::filter`).
    pub fn encrypted(engine: Engine, limits: Limits) -> Self {
        Self { engine, limits, halves: BTreeMap::new(), arrived: Vec::new() }
    }

    /// The engine, for getters.
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The engine, for verbs and polls. Frames and connections go by the session's own methods.
    pub const fn engine_mut(&mut self) -> &mut Engine {
        &mut self.engine
    }

    /// The socket asked for by `Connect` is there. [`closed`](Self::closed) has to follow once.
    ///
    /// After this: commands, of what waited for it, events, timeout.
    pub fn connected(&mut self, now: Instant, conn: ConnectionId) {
        let inbound = Inbound::new(self.limits.clone());
        let outbound = Outbound::of_limits(self.engine.config(), self.limits.sent());
        let decoder = Decoder::of(self.engine.config());
        let halves = Halves { inbound, decoder, outbound };
        self.halves.insert(conn, halves);
        self.engine.handle(now, Input::Connected { conn });
    }

    /// The socket asked for by `Connect` could not be had, or was given up on `Close` before it was
    /// there ([`ConnectError::Aborted`]).
    ///
    /// After this: events of calls that fail by it, commands of those that go elsewhere, timeout.
    pub fn connect_failed(&mut self, now: Instant, conn: ConnectionId, error: ConnectError) {
        self.engine.handle(now, Input::ConnectFailed { conn, error });
    }

    /// The socket is gone, whoever closed it. What [`wrote`](Self::wrote) has not told of counts as
    /// never sent. Of a connection that was never [`connected`](Self::connected) this changes
    /// nothing: say [`connect_failed`](Self::connect_failed).
    ///
    /// After this: events of calls that fail by it, commands of those that go elsewhere, timeout.
    pub fn closed(&mut self, now: Instant, conn: ConnectionId, reason: CloseReason) {
        if let Some(halves) = self.halves.remove(&conn) {
            let (unsent, begun) = (halves.outbound.unsent().collect(), halves.outbound.begun());
            self.engine.handle(now, Input::Closed { conn, reason, unsent, begun });
        }
    }

    /// The page asked for by `Fetch` is there, or could not be had.
    ///
    /// After this: commands, events, timeout.
    pub fn fetched(&mut self, now: Instant, fetch: FetchId, result: Result<Bytes, FetchError>) {
        self.engine.handle(now, Input::Fetched { fetch, result });
    }

    /// What `Compute` asked for is computed.
    ///
    /// After this: commands, events, timeout.
    pub fn computed(&mut self, now: Instant, done: Computed) {
        self.engine.handle(now, Input::Computed { done });
    }

    /// What `Load` asked for is loaded, or could not be.
    ///
    /// After this: commands, events, timeout.
    pub fn loaded(&mut self, now: Instant, done: LoadedOffsets) {
        self.engine.handle(now, Input::Loaded { done });
    }

    /// What `Save` gave is saved, or could not be.
    ///
    /// After this: commands, events, timeout.
    pub fn saved(&mut self, now: Instant, done: SavedOffsets) {
        self.engine.handle(now, Input::Saved { done });
    }

    /// Time passed: whatever is due by `now` is done, up to 256 timers.
    ///
    /// After this: commands, events, and a later timeout, unless more was due.
    pub fn timeout(&mut self, now: Instant) {
        self.engine.handle(now, Input::Timeout);
    }

    /// Room for the next read of a socket, never empty. `None`: the connection is not there.
    pub fn space(&mut self, conn: ConnectionId) -> Option<&mut [u8]> {
        Some(self.halves.get_mut(&conn)?.inbound.space())
    }

    /// `count` bytes of [`space`](Self::space) hold what was read. A peer whose bytes are no frames
    /// gets a `Close`.
    ///
    /// After this: commands, events, timeout.
    pub fn received(&mut self, now: Instant, conn: ConnectionId, count: usize) {
        let Some(halves) = self.halves.get_mut(&conn) else { return };
        halves.inbound.filled(count);
        let error = loop {
            match halves.inbound.next_frame() {
                Ok(Some(frame)) => self.arrived.push(halves.decoder.read(frame)),
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        self.engine.handle_frames(now, conn, &mut self.arrived);
        if let Some(error) = error {
            self.engine.handle(now, Input::Malformed { conn, error });
        }
    }

    /// Copies `bytes` in, as if they had been read.
    pub fn receive(&mut self, now: Instant, conn: ConnectionId, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let Some(space) = self.space(conn) else { return };
            let count = space.len().min(bytes.len());
            space[..count].copy_from_slice(&bytes[..count]);
            bytes = &bytes[count..];
            self.received(now, conn, count);
        }
    }

    /// What is to be written on a socket, as slices for one vectored write. Gives how many slices
    /// it filled; 0 when there is nothing. The same bytes come again until [`wrote`](Self::wrote)
    /// says how many the system took: keep no copy of them.
    ///
    /// After this: events, commands and timeout, as after [`Engine::poll_frame`].
    pub fn to_write<'a>(&'a mut self, conn: ConnectionId, slices: &mut [IoSlice<'a>]) -> usize {
        let Some(halves) = self.halves.get_mut(&conn) else { return 0 };
        while halves.outbound.len() < AHEAD {
            let Some(frame) = self.engine.poll_frame(conn) else { break };
            // See `Publish::new`: none of ours is too large.
            let _ = halves.outbound.push(&frame);
        }
        halves.outbound.slices(slices)
    }

    /// `count` bytes of [`to_write`](Self::to_write) were given to the system.
    ///
    /// After this: what is left, by `to_write`.
    pub fn wrote(&mut self, conn: ConnectionId, count: usize) {
        if let Some(halves) = self.halves.get_mut(&conn) {
            halves.outbound.advance(count);
        }
    }

    /// Takes out at most `most` bytes that are to be written, as if they had been.
    pub fn transmit(&mut self, conn: ConnectionId, most: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut slices = [IoSlice::new(&[]); 16];
        let count = self.to_write(conn, &mut slices);
        for slice in &slices[..count] {
            let room = most - bytes.len();
            bytes.extend_from_slice(&slice[..room.min(slice.len())]);
        }
        self.wrote(conn, bytes.len());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::config::Config;
    use crate::time::UnixMillis;

    #[test]
    fn a_message_that_was_made_without_the_clients_namespace_is_refused() {
        use crate::error::Refused;
        use crate::message::{Message, MessageLimits, Publish, UniqueId};
        use crate::name::{Group, Topic};
        let config = Config { namespace: Some("south".to_owned()), ..Config::default() };
        let own = MessageLimits::of(&config);
        let mut engine = Engine::new(Arc::new(config), 1, Instant::ZERO, UnixMillis(0));
        let mut send = |limits: &MessageLimits| {
            let (message, group) = (Message::new(Topic::new("t").unwrap(), "x"), Group::new("g"));
            let id = UniqueId::parse("0A000001ABCD12345678000000000001").unwrap();
            let made = Publish::new(message, &group.unwrap(), id, UnixMillis(0), limits).unwrap();
            engine.send(Instant::ZERO, Arc::new(made)).map(|_| ())
        };
        assert_eq!(send(&own), Ok(()));
        let refused = send(&MessageLimits::default()).unwrap_err();
        assert!(matches!(refused, Refused::Name(_)), "{refused}");
        assert_eq!(refused.to_string(), "\"t\" is no topic of the namespace south");
    }

    #[test]
    fn sockets_are_not_plain_without_a_word_where_the_settings_ask_for_tls() {
        let session = |config: Config| {
            let engine = Engine::new(Arc::new(config), 1, Instant::ZERO, UnixMillis(0));
            Session::new(engine, Limits::SENT)
        };
        assert!(session(Config::default()).is_ok());
        let server = Some("broker.test".to_owned());
        let config = Config { tls_server_name: server, ..Config::default() };
        let error = session(config).unwrap_err().to_string();
        assert!(error.starts_with("tls ") && error.contains("Session::encrypted"), "{error}");
    }
}
