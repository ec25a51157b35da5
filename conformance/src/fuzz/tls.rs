//! The TLS of a connection against a server that lies: in place of a handshake, in it, and in
//! records that nobody but it can encrypt.

use std::io::{self, IoSlice};

use rocketry_core::error::TlsError;
use rocketry_core::tls::{Filter, Handshake};

use super::supply::Supply;
use super::tls_peer::{Peer, Wire, client};

/// Steps of one input.
const STEPS: usize = 64;
/// Bytes that a client sends for itself: its hello, its part of the handshake, an alert.
const OWN: usize = 16 << 10;
/// Bytes around what is written, for each call.
const AROUND: usize = 256;

/// A client's filter never panics, never asks the system without end, hands out nothing but what
/// the server has encrypted, in order, says why it ends and stays with it, and sends no more than
/// its writer has and its handshake takes. The first byte decides whether there is a server at all,
/// whether its handshake is damaged, and its version; the second one on the pieces that are read.
pub fn tls_filter(data: &[u8]) {
    let mut supply = Supply::new(data);
    let kind = supply.byte();
    let gulp = [usize::MAX, 5000, 100, 7][usize::from(supply.byte()) % 4];
    let mut run = Run::new(gulp, kind & 4 != 0);
    match kind & 3 {
        0 => {
            run.wire.put(supply.rest());
            run.wire.cut = true;
            assert!(!run.shake(None), "no server, and a handshake");
        }
        1 => {
            run.shake(None);
        }
        _ => {
            run.shake(Some(&mut supply));
        }
    }
    for _ in 0..STEPS {
        if supply.is_empty() {
            break;
        }
        run.step(&mut supply);
    }
    run.end();
}

struct Run {
    client: Filter,
    wire: Wire,
    server: Peer,
    shaken: bool,
    /// All that the server has encrypted as data.
    plain: Vec<u8>,
    got: usize,
    /// The server has kept to the protocol.
    honest: bool,
    /// Nothing more comes; false where that is an error.
    over: Option<bool>,
    /// What the client has not been told as written, which comes again.
    unsent: Vec<u8>,
    /// The most that may go up.
    most: usize,
}

impl Run {
    fn new(gulp: usize, older: bool) -> Self {
        Self {
            client: client(),
            wire: Wire::new(gulp),
            server: Peer::new(older),
            shaken: false,
            plain: Vec::new(),
            got: 0,
            honest: true,
            over: None,
            unsent: Vec::new(),
            most: OWN,
        }
    }

    /// Goes through the handshake, as far as it goes. True if it ended well.
    fn shake(&mut self, mut damage: Option<&mut Supply<'_>>) -> bool {
        self.honest = damage.is_none();
        loop {
            let before = self.wire.moved();
            if !self.shaken && !self.shake_once() {
                self.over = Some(false);
                return false;
            }
            self.server.hear(&mut self.wire);
            let mut flight = self.server.speak();
            let cut = damage.as_deref_mut().is_some_and(|supply| hurt(&mut flight, supply));
            self.wire.put(&flight);
            self.wire.cut |= cut;
            if self.wire.moved() == before && flight.is_empty() && !cut {
                assert!(self.shaken || !self.honest, "the handshake never ends");
                return self.shaken;
            }
        }
    }

    /// The client's next move. False: it has failed, and stays so.
    fn shake_once(&mut self) -> bool {
        let Self { client, wire, .. } = self;
        match wire.lend(|read, write| client.handshake(read, write)) {
            Ok(Handshake::Done) => self.shaken = true,
            Ok(Handshake::Read) => assert!(wire.is_dry(), "there was something to read"),
            Ok(Handshake::Write) => panic!("the system takes everything"),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                assert!(TlsError::of(&error).is_some(), "no reason: {error}");
                let again = wire.lend(|read, write| client.handshake(read, write));
                assert!(again.is_err(), "it went on after {error}");
                return false;
            }
        }
        true
    }

    fn step(&mut self, supply: &mut Supply<'_>) {
        match supply.byte() % 10 {
            0 | 1 => {
                let data = supply.long_chunk();
                self.honest &= (1..=16 << 10).contains(&data.len());
                self.forge(0x17, data, 1);
            }
            2 => {
                let (kind, times) = (supply.byte(), usize::from(supply.byte() % 4) + 1);
                self.forge(kind, supply.chunk(), times);
            }
            3 => {
                let (kind, times) = (supply.byte() % 6 + 0x13, usize::from(supply.byte()));
                self.forge(kind, supply.chunk(), times);
            }
            4 => {
                self.honest = false;
                self.wire.put(supply.chunk());
            }
            5 => {
                let said = self.server.say(supply.chunk());
                if self.wire.put(&self.server.speak()) {
                    self.plain.extend(said);
                } else {
                    self.honest = false;
                }
            }
            6 => {
                // Replaces its keys, or says that nothing more comes.
                self.honest &= self.server.turn(supply.byte().is_multiple_of(4));
                self.honest &= self.wire.put(&self.server.speak());
            }
            7 => {
                self.read(1 + usize::from(supply.byte()) * 64);
            }
            8 => self.write(supply),
            _ => self.wire.cut |= supply.byte().is_multiple_of(8),
        }
    }

    /// The server encrypts a record of its own making.
    fn forge(&mut self, kind: u8, payload: &[u8], times: usize) {
        if kind != 0x17 || payload.is_empty() {
            self.honest = false;
        }
        for _ in 0..times {
            let Some(record) = self.server.forge(kind, payload) else { return };
            if !self.wire.put(&record) {
                self.honest = false;
                return;
            }
            if kind == 0x17 {
                self.plain.extend(payload);
            }
        }
    }

    /// What the client can read, into so much room. False: nothing, until something comes.
    fn read(&mut self, room: usize) -> bool {
        if !self.shaken {
            return false;
        }
        let mut space = vec![0; room];
        let Self { client, wire, .. } = self;
        match wire.lend(|read, write| client.read(&mut space, read, write)) {
            Ok(0) => {
                assert_ne!(self.over, Some(false), "it ended by an error before");
                self.over = Some(true);
            }
            Ok(count) => {
                assert_eq!(self.over, None, "it had ended");
                let expected = self.plain.get(self.got..self.got + count);
                // A type of 0 is padding: the type, then, is what the server had meant for data.
                let wrong = expected != Some(&space[..count]) && !self.server.pads();
                assert!(!wrong, "what the server did not encrypt");
                self.got += count;
            }
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => {
                    assert!(wire.is_dry() && !wire.cut, "there was something to read");
                    return false;
                }
                io::ErrorKind::Interrupted => {}
                _ => {
                    assert!(TlsError::of(&error).is_some(), "no reason: {error}");
                    assert_ne!(self.over, Some(true), "it had ended well before {error}");
                    self.over = Some(false);
                }
            },
        }
        self.over.is_none()
    }

    /// The client writes, to a system that takes so much.
    fn write(&mut self, supply: &mut Supply<'_>) {
        if !self.shaken {
            return;
        }
        let more = supply.chunk();
        self.unsent.extend(more.repeat(1 + usize::from(supply.byte() % 64)));
        self.wire.room = usize::from(supply.byte()) * 64;
        let Self { client, wire, unsent, .. } = self;
        let (first, second) = unsent.split_at(unsent.len() / 3);
        let slices = [IoSlice::new(first), IoSlice::new(second)];
        // Nothing can be written where the connection has failed.
        let gone = wire.lend(|_, write| client.write(&slices, write)).unwrap_or(0);
        assert!(gone <= unsent.len(), "more than there was");
        unsent.drain(..gone);
        self.most += gone + AROUND;
        self.wire.room = usize::MAX;
        self.server.hear(&mut self.wire);
    }

    fn end(&mut self) {
        self.wire.gulp = usize::MAX;
        while self.read(20_000) {}
        if self.honest && self.shaken {
            assert_eq!(self.got, self.plain.len(), "something is missing");
        }
        let over = self.over;
        self.read(64);
        assert_eq!(self.over, over, "an end stays");
        // Of what was encrypted some is on its way, as much as a filter encrypts ahead.
        let most = self.most + (128 << 10).min(2 * self.unsent.len());
        assert!(self.wire.sent <= most, "{} bytes went up", self.wire.sent);
        let Self { client, wire, .. } = self;
        client.close(|bytes| wire.write(bytes));
    }
}

/// Damages what the server says in the handshake, at up to one place a flight. True: it ends there.
fn hurt(flight: &mut Vec<u8>, supply: &mut Supply<'_>) -> bool {
    if flight.is_empty() {
        return false;
    }
    let (how, at) = (supply.byte() % 8, usize::from(supply.short()) % flight.len());
    match how {
        0 => flight[at] ^= 1 << (supply.byte() % 8),
        1 => flight[at] = supply.byte(),
        2 => {
            flight.remove(at);
        }
        3 => drop(flight.splice(at..at, supply.chunk().iter().copied())),
        4 => {
            let end = (at + usize::from(supply.byte())).min(flight.len());
            drop(flight.splice(at..end, supply.chunk().iter().copied()));
        }
        5 => flight.truncate(at),
        6 => {
            flight.truncate(at);
            return true;
        }
        _ => {}
    }
    false
}
