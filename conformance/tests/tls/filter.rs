//! Two filters with nothing between them but bytes.

use std::collections::VecDeque;
use std::io::{self, IoSlice};

use rocketry_conformance::certificates::{self, CA};
use rocketry_core::config::Config;
use rocketry_core::error::TlsError;
use rocketry_core::name::Endpoint;
use rocketry_core::time::UnixMillis;
use rocketry_core::tls::{Authorities, Filter, Handshake, Tls};

/// 2026-11-28.
const NOW: UnixMillis = UnixMillis(1_795_824_000_000);

pub(crate) fn client_at(now: UnixMillis) -> Filter {
    let mut config = Config::new("127.0.0.1:9876").expect("an address");
    config.tls = true;
    let tls = Tls::new(&config, Authorities::Pem(CA.into()), None, move || now).expect("set up");
    let endpoint = Endpoint::parse("localhost:10911").expect("an address");
    tls.filter(&endpoint).expect("a name")
}

fn server() -> Filter {
    let server = certificates::server(certificates::SERVER, false).expect("a certificate");
    server.filter().expect("a filter")
}

/// Bytes on their way, of which the system takes so many, and gives so many at once.
struct Wire {
    bytes: VecDeque<u8>,
    room: usize,
    gulp: usize,
    cut: bool,
}

impl Wire {
    fn new() -> Self {
        Self { bytes: VecDeque::new(), room: usize::MAX, gulp: usize::MAX, cut: false }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(self.room - self.bytes.len().min(self.room));
        if count == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.bytes.extend(&bytes[..count]);
        Ok(count)
    }

    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let count = space.len().min(self.gulp).min(self.bytes.len());
        if count == 0 && !self.cut {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        for (to, from) in space.iter_mut().zip(self.bytes.drain(..count)) {
            *to = from;
        }
        Ok(count)
    }
}

/// A client, a server, and what goes up and down between them.
struct Pair {
    client: Filter,
    server: Filter,
    up: Wire,
    down: Wire,
}

impl Pair {
    fn new() -> Self {
        Self { client: client_at(NOW), server: server(), up: Wire::new(), down: Wire::new() }
    }

    fn shaken() -> Self {
        let mut pair = Self::new();
        pair.shake().expect("a handshake");
        pair
    }

    fn shake(&mut self) -> io::Result<()> {
        for _ in 0..100_000 {
            let (up, down) = (&mut self.up, &mut self.down);
            let ours = step(self.client.handshake(|s| down.read(s), |b| up.write(b)))?;
            let theirs = step(self.server.handshake(|s| up.read(s), |b| down.write(b)))?;
            if ours && theirs && up.bytes.is_empty() {
                return Ok(());
            }
        }
        panic!("the handshake never ends");
    }

    fn send(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let up = &mut self.up;
        self.client.write(slices, |bytes| up.write(bytes))
    }

    /// What the server can read of what has come up.
    fn received(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let (up, down) = (&mut self.up, &mut self.down);
        self.server.read(space, |s| up.read(s), |b| down.write(b))
    }

    fn all_received(&mut self) -> Vec<u8> {
        let (mut all, mut space) = (Vec::new(), vec![0; 20_000]);
        loop {
            match self.received(&mut space) {
                Ok(0) => return all,
                Ok(count) => all.extend(&space[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return all,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

fn step(result: io::Result<Handshake>) -> io::Result<bool> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(false),
        other => other.map(|step| step == Handshake::Done),
    }
}

fn tls(error: &io::Error) -> TlsError {
    TlsError::of(error).unwrap_or_else(|| panic!("{error}")).clone()
}

fn blocks<T: std::fmt::Debug>(result: &io::Result<T>) -> bool {
    result.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}

/// Numbers that look drawn, the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % below as u64) as usize
    }
}

#[test]
fn tls_08_records_of_one_byte_that_come_byte_by_byte_arrive_whole() {
    let mut pair = Pair::new();
    (pair.up.gulp, pair.down.gulp) = (1, 1);
    pair.shake().expect("a handshake, byte by byte");
    let bytes: Vec<u8> = (0..5000).map(|number| (number % 251) as u8).collect();
    for byte in &bytes {
        assert_eq!(pair.send(&[IoSlice::new(&[*byte])]).expect("taken"), 1);
    }
    assert_eq!(pair.all_received(), bytes);
}

#[test]
fn what_is_not_told_as_written_the_peer_cannot_read() {
    let body: Vec<u8> = (0..300_000).map(|number| (number * 7 % 251) as u8).collect();
    for seed in 1..30 {
        let (mut pair, mut dice) = (Pair::shaken(), Dice(seed));
        let (mut gone, mut got) = (0, Vec::new());
        while gone < body.len() {
            pair.up.room = pair.up.bytes.len() + dice.roll(50_000);
            // As a writer has it: a header, a body and another header, from the first byte that
            // is not gone.
            let rest = &body[gone..];
            let (one, two) = (dice.roll(500).min(rest.len()), dice.roll(100_000).min(rest.len()));
            let (first, second) = (one.min(two), one.max(two));
            let slices = [&rest[..first], &rest[first..second], &rest[second..]];
            match pair.send(&slices.map(IoSlice::new)) {
                Ok(count) => gone += count,
                error => assert!(blocks(&error), "{error:?}"),
            }
            got.extend(pair.all_received());
            assert!(got.len() <= gone, "{} of {gone} are there", got.len());
            assert!(got[..] == body[..got.len()]);
        }
        pair.up.room = usize::MAX;
        assert_eq!(got.len(), body.len());
    }
}

#[test]
fn a_system_that_takes_nothing_is_not_given_more_than_it_was() {
    let mut pair = Pair::shaken();
    pair.up.room = 0;
    let body = vec![7; 4 << 20];
    for _ in 0..1000 {
        assert!(blocks(&pair.send(&[IoSlice::new(&body)])));
    }
    (pair.up.room, pair.up.gulp) = (usize::MAX, usize::MAX);
    let gone = pair.send(&[IoSlice::new(&body)]).expect("taken");
    assert!((16 << 10..128 << 10).contains(&gone), "{gone} were ahead");
    assert_eq!(pair.all_received().len(), gone);
}

#[test]
fn neither_reading_nor_closing_gives_the_peer_what_is_not_told_as_written() {
    for closes in [false, true] {
        let mut pair = Pair::shaken();
        pair.up.room = 0;
        assert!(blocks(&pair.send(&[IoSlice::new(b"not told")])));
        pair.up.room = usize::MAX;
        let (up, down) = (&mut pair.up, &mut pair.down);
        if closes {
            pair.client.close(|bytes| up.write(bytes));
        } else {
            let read = pair.client.read(&mut [0; 64], |s| down.read(s), |b| up.write(b));
            assert!(blocks(&read), "{read:?}");
        }
        assert_eq!(pair.all_received(), b"", "closes: {closes}");
        if !closes {
            assert_eq!(pair.send(&[IoSlice::new(b"not told")]).expect("taken"), 8);
            assert_eq!(pair.all_received(), b"not told");
        }
    }
}

#[test]
fn a_stream_that_ends_without_a_word_was_cut_off() {
    let mut pair = Pair::shaken();
    pair.send(&[IoSlice::new(b"the last")]).expect("taken");
    pair.up.cut = true;
    let mut space = [0; 64];
    assert_eq!(pair.received(&mut space).expect("what came"), 8);
    for _ in 0..3 {
        let cut = pair.received(&mut space).expect_err("an end");
        assert_eq!(tls(&cut), TlsError::Truncated);
    }
    // The same, in the middle of a record.
    let mut pair = Pair::shaken();
    pair.send(&[IoSlice::new(b"the last")]).expect("taken");
    pair.up.bytes.pop_back();
    pair.up.cut = true;
    assert_eq!(tls(&pair.received(&mut space).expect_err("an end")), TlsError::Truncated);
    // And one that ends as it should.
    let mut pair = Pair::shaken();
    pair.send(&[IoSlice::new(b"the last")]).expect("taken");
    let up = &mut pair.up;
    pair.client.close(|bytes| up.write(bytes));
    pair.up.cut = true;
    assert_eq!(pair.received(&mut space).expect("what came"), 8);
    assert_eq!(pair.received(&mut space).expect("the end"), 0);
    assert_eq!(pair.received(&mut space).expect("the end"), 0);
}

#[test]
fn what_comes_before_a_record_that_is_wrong_is_read_before_the_error() {
    let mut pair = Pair::shaken();
    pair.send(&[IoSlice::new(b"an answer")]).expect("taken");
    pair.up.bytes.extend([0x17, 3, 3, 0, 17].into_iter().chain([7; 17]));
    let mut space = [0; 64];
    assert_eq!(pair.received(&mut space).expect("what came"), 9);
    for _ in 0..2 {
        let wrong = pair.received(&mut space).expect_err("no record of the client's");
        assert!(matches!(tls(&wrong), TlsError::Protocol { .. }), "{wrong}");
    }
}

#[test]
fn tls_07_certificates_are_valid_by_the_clock_that_was_given() {
    for (now, expected) in [
        (UnixMillis(631_152_000_000), TlsError::NotYetValid),
        (UnixMillis(5_000_000_000_000), TlsError::Expired),
    ] {
        let mut pair = Pair::new();
        pair.client = client_at(now);
        assert_eq!(tls(&pair.shake().expect_err("the wrong time")), expected);
    }
}

#[test]
fn whatever_comes_instead_of_a_handshake_ends_it_with_a_reason() {
    let answers: [&[u8]; 5] = [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        &[0, 0, 0, 100, 0, 0, 0, 80, b'{', b'"'],
        &[0; 4096],
        &[0xff; 70_000],
    ];
    for answer in answers {
        let (client, mut down, mut up) = (client_at(NOW), Wire::new(), Wire::new());
        down.bytes.extend(answer);
        let error = loop {
            match client.handshake(|s| down.read(s), |b| up.write(b)) {
                Ok(step) => assert_eq!(step, Handshake::Read, "{answer:?}"),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break error,
            }
            assert!(!down.cut, "the end was not seen");
            down.cut = true;
        };
        assert_eq!(tls(&error), TlsError::NotTls, "{answer:?}");
    }
    let (client, mut down, mut up) = (client_at(NOW), Wire::new(), Wire::new());
    down.cut = true;
    let error = client.handshake(|s| down.read(s), |b| up.write(b)).expect_err("nobody");
    assert_eq!(tls(&error), TlsError::HungUp);
}

/// Damages what goes either way at some place: a byte changed, lost, or doubled, or all cut off.
fn damage(wire: &mut Wire, dice: &mut Dice) {
    if wire.bytes.is_empty() {
        return;
    }
    let at = dice.roll(wire.bytes.len());
    match dice.roll(4) {
        0 => wire.bytes[at] ^= 1 << dice.roll(8),
        1 => drop(wire.bytes.remove(at)),
        2 => wire.bytes.insert(at, dice.roll(256) as u8),
        _ => {
            wire.bytes.truncate(at);
            wire.cut = true;
        }
    }
}

#[test]
fn damage_on_the_way_is_an_error_or_a_wait_and_never_a_wrong_byte() {
    let body: Vec<u8> = (0..40_000).map(|number| (number % 253) as u8).collect();
    for seed in 1..400 {
        let (mut pair, mut dice) = (Pair::new(), Dice(seed * 77_777));
        let (in_handshake, when) = (seed % 2 == 0, dice.roll(4));
        for turn in 0..8 {
            if in_handshake && turn == when {
                damage(&mut pair.up, &mut dice);
                damage(&mut pair.down, &mut dice);
            }
            let (up, down) = (&mut pair.up, &mut pair.down);
            let ours = pair.client.handshake(|s| down.read(s), |b| up.write(b));
            let theirs = pair.server.handshake(|s| up.read(s), |b| down.write(b));
            if ours.is_err() || theirs.is_err() {
                break;
            }
        }
        let mut gone = 0;
        while let Ok(count @ 1..) = pair.send(&[IoSlice::new(&body[gone..])]) {
            gone += count;
        }
        if !in_handshake {
            damage(&mut pair.up, &mut dice);
        }
        let (mut got, mut space): (Vec<u8>, _) = (Vec::new(), vec![0; 9000]);
        for _ in 0..1000 {
            match pair.received(&mut space) {
                Ok(0) => break,
                Ok(count) => got.extend(&space[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        assert!(got.len() <= body.len() && got[..] == body[..got.len()], "seed {seed}");
    }
}
