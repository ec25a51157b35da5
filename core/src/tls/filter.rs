//! One connection's TLS: plain bytes on one side, records on the other.
//!
//! Of what the writer gives, a record counts as written when the system has taken all of it: the
//! peer can't have read any of it before. Until then its bytes are the writer's still, which gives
//! them again, and the filter knows how many of them it has encrypted: nobody else has them leave,
//! for what a writer was not told of counts as unsent when the connection ends. What TLS itself has
//! to say (alerts, new keys) goes out at once where nothing is there, else with the next write.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, IoSlice, Read, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustls::{AlertDescription, CertificateError, Connection, Error};

use crate::error::TlsError;

/// Plain bytes of one record, the most there may be.
const RECORD: usize = 16 << 10;
/// Bytes encrypted before the system has to take some.
const AHEAD: usize = 64 << 10;
/// Slices in one record.
const SLICES: usize = 32;
/// Room for what is read of the socket.
const INPUT: usize = 64 << 10;
/// Reads of the socket that may bring nothing to read, one after the other.
const FRUITLESS: u32 = 8;
/// As many times the TLS library takes a few KiB before it looks at them.
const FEEDS: u32 = 4;

/// With this byte each record of data begins.
const DATA: u8 = 0x17;

/// What a handshake waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handshake {
    /// Nothing: it is over.
    Done,
    /// The peer's bytes.
    Read,
    /// The system, to take ours.
    Write,
}

/// The TLS of one connection.
pub struct Filter {
    state: Mutex<State>,
}

struct State {
    tls: Connection,
    /// Records for the peer, of which the system has taken `sent` bytes.
    out: Vec<u8>,
    sent: usize,
    /// Where each record of the writer's ends in `out`, and how many of its bytes it has.
    records: VecDeque<(usize, usize)>,
    /// The writer's bytes that are gone, and that it has not been told of.
    gone: usize,
    input: Input,
    /// The socket gives nothing more.
    ended: bool,
    /// Nothing more is encrypted.
    used_up: bool,
    /// Why nothing more is read.
    failed: Option<TlsError>,
}

/// What has been read of the socket, and not looked at.
#[derive(Default)]
struct Input {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Filter")
    }
}

impl Filter {
    pub(super) fn new(tls: Connection) -> Self {
        let (out, records, input) = (Vec::new(), VecDeque::new(), Input::default());
        let (sent, gone, ended, used_up, failed) = (0, 0, false, false, None);
        let state = State { tls, out, sent, records, gone, input, ended, used_up, failed };
        Self { state: Mutex::new(state) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the handshake as far as it goes now. `read` and `write` are the socket's, and don't
    /// wait: a `read` that does is called without the lock.
    ///
    /// # Errors
    ///
    /// When there will be no TLS ([`TlsError::of`] tells why), and those of the socket.
    pub fn handshake(
        &self,
        mut read: impl FnMut(&mut [u8]) -> io::Result<usize>,
        mut write: impl FnMut(&[u8]) -> io::Result<usize>,
    ) -> io::Result<Handshake> {
        for _ in 0..FRUITLESS {
            let mut state = self.lock();
            let mut failed = state.feed();
            state.queue();
            match state.flush(&mut write) {
                Ok(true) => {}
                Ok(false) => return Ok(Handshake::Write),
                Err(error) => failed = failed.and(Err(hung_up(error))),
            }
            failed?;
            if !state.tls.is_handshaking() {
                return Ok(Handshake::Done);
            }
            match self.fill(state, &mut read) {
                Ok(0) => return Err(TlsError::HungUp.into()),
                Ok(_) => {}
                Err(error) if is_pause(&error) => return Ok(Handshake::Read),
                Err(error) => return Err(hung_up(error)),
            }
        }
        Err(io::ErrorKind::Interrupted.into())
    }

    /// Encrypts what `slices` hold and has the system take it. Gives how many bytes of theirs are
    /// gone, as a write does; the next call must begin with the first one that is not. `write` does
    /// not wait.
    ///
    /// # Errors
    ///
    /// Those of `write`: [`io::ErrorKind::WouldBlock`] when the system takes no more; and where
    /// keys of TLS 1.2 are used up, which nothing more is encrypted with.
    pub fn write(
        &self,
        slices: &[IoSlice<'_>],
        mut write: impl FnMut(&[u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let mut state = self.lock();
        loop {
            let flushed = state.flush(&mut write);
            let gone = std::mem::take(&mut state.gone);
            if gone > 0 {
                return Ok(gone);
            }
            if !flushed? {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            if !state.encrypt(slices)? {
                return Ok(0);
            }
        }
    }

    /// Reads plain bytes into `space`; 0 is the end as the peer meant it. `read` and `write` are
    /// the socket's; `read` may wait, `write` does not.
    ///
    /// # Errors
    ///
    /// What the socket says; [`io::ErrorKind::Interrupted`] when much came and none of it was to be
    /// read; and when what came is wrong, or the stream was cut off ([`TlsError::of`]).
    pub fn read(
        &self,
        space: &mut [u8],
        mut read: impl FnMut(&mut [u8]) -> io::Result<usize>,
        mut write: impl FnMut(&[u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        for _ in 0..FRUITLESS {
            let mut state = self.lock();
            let found = state.decrypt(space);
            state.say(&mut write);
            if let Some(count) = found? {
                return Ok(count);
            }
            self.fill(state, &mut read)?;
        }
        Err(io::ErrorKind::Interrupted.into())
    }

    /// Tells the peer that nothing more comes, if the system takes that now, and nothing else is on
    /// its way.
    pub fn close(&self, mut write: impl FnMut(&[u8]) -> io::Result<usize>) {
        let mut state = self.lock();
        state.tls.send_close_notify();
        state.say(&mut write);
    }

    /// Whether something of TLS's own is to be written yet.
    pub fn owes(&self) -> bool {
        let state = self.lock();
        state.sent < state.out.len()
    }

    /// Reads of the socket, without the lock.
    fn fill(
        &self,
        mut state: MutexGuard<'_, State>,
        read: &mut impl FnMut(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let mut input = std::mem::take(&mut state.input);
        drop(state);
        let result = read(input.space());
        if let Ok(count) = result {
            input.end += count;
        }
        let mut state = self.lock();
        state.input = input;
        state.ended |= matches!(result, Ok(0));
        result
    }
}

impl Input {
    /// Room to read into, where everything before has been looked at.
    fn space(&mut self) -> &mut [u8] {
        self.bytes.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        if self.bytes.is_empty() {
            self.bytes = vec![0; INPUT];
        }
        &mut self.bytes[self.end..]
    }

    fn is_empty(&self) -> bool {
        self.start == self.end
    }
}

impl State {
    /// Lets the TLS library look at some of what was read.
    fn feed(&mut self) -> io::Result<()> {
        if let Some(error) = &self.failed {
            return Err(error.clone().into());
        }
        loop {
            let before = self.input.start;
            for _ in 0..FEEDS {
                let Input { bytes, start, end } = &mut self.input;
                if start == end {
                    break;
                }
                match self.tls.read_tls(&mut &bytes[*start..*end]) {
                    Ok(count) if count > 0 => *start += count,
                    // It is full for now, or the peer has said that nothing more comes.
                    Ok(_) | Err(_) => break,
                }
            }
            let began = self.tls.is_handshaking();
            if let Err(error) = self.tls.process_new_packets() {
                let error = told(&error, began);
                self.failed = Some(error.clone());
                return Err(error.into());
            }
            if self.input.is_empty() {
                return Ok(());
            }
            if self.input.start == before {
                // After the peer's last word nothing counts.
                self.input.start = self.input.end;
            }
            // The handshake has nothing to hand out, and goes on with the rest.
            if !self.tls.is_handshaking() {
                return Ok(());
            }
        }
    }

    /// Hands out what can be read. `None`: the socket has to give more.
    fn decrypt(&mut self, space: &mut [u8]) -> io::Result<Option<usize>> {
        let mut found = 0;
        while found < space.len() {
            let end = match self.tls.reader().read(&mut space[found..]) {
                Ok(0) => return Ok(Some(found)),
                Ok(count) => {
                    found += count;
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
                Err(_) => Some(if self.used_up { used_up() } else { TlsError::Truncated }),
            };
            let more = match end.or_else(|| self.failed.clone()) {
                Some(error) => Err(error.into()),
                None if !self.input.is_empty() => {
                    // What failed is told when all before it has been handed out.
                    let _ = self.feed();
                    Ok(true)
                }
                // The TLS library knows whether the peer meant to end here.
                None if self.ended => self.tls.read_tls(&mut io::empty()).map(|_| true),
                None => Ok(false),
            };
            match more {
                Ok(true) => {}
                Ok(false) if found == 0 => return Ok(None),
                Err(error) if found == 0 => return Err(error),
                Ok(false) | Err(_) => break,
            }
        }
        Ok(Some(found))
    }

    /// Puts what TLS itself has to say behind what waits for the system.
    fn queue(&mut self) {
        while self.tls.wants_write() {
            // A vector takes everything.
            let _ = self.tls.write_tls(&mut self.out);
        }
    }

    /// Says what TLS itself has to say, where nothing of the writer's comes before it: that must
    /// not leave unless its writer is told, who takes it for unsent when the connection ends. What
    /// does not go now does with the next write; a socket that is broken tells its writer and its
    /// reader itself.
    fn say(&mut self, write: &mut impl FnMut(&[u8]) -> io::Result<usize>) {
        self.queue();
        if self.records.is_empty() {
            let _ = self.flush(write);
        }
    }

    /// Encrypts some of it. False: there is nothing.
    fn encrypt(&mut self, slices: &[IoSlice<'_>]) -> io::Result<bool> {
        let (mut rest, mut skip) = (slices.iter().peekable(), 0);
        while self.out.len() < AHEAD {
            let mut parts = [IoSlice::new(&[]); SLICES];
            let (mut count, mut room) = (0, RECORD);
            while let Some(slice) = rest.peek().filter(|_| count < SLICES && room > 0) {
                let part = &slice[skip..];
                let taken = &part[..part.len().min(room)];
                if taken.len() == part.len() {
                    (skip, _) = (0, rest.next());
                } else {
                    skip += taken.len();
                }
                if !taken.is_empty() {
                    parts[count] = IoSlice::new(taken);
                    (count, room) = (count + 1, room - taken.len());
                }
            }
            if count == 0 {
                break;
            }
            self.queue();
            let begin = self.out.len();
            let taken = self.tls.writer().write_vectored(&parts[..count])?;
            self.queue();
            if taken > 0 && self.out.get(begin) != Some(&DATA) {
                // It took them, and closes: its keys have encrypted what they may. Those of TLS 1.3
                // are replaced instead.
                self.used_up = true;
                return Err(used_up().into());
            }
            self.records.push_back((self.out.len(), taken));
            if taken < RECORD - room {
                // It takes no more for now: what follows must not overtake the rest of this.
                break;
            }
        }
        Ok(!self.records.is_empty())
    }

    /// Writes what waits. False: the system takes no more.
    fn flush(&mut self, write: &mut impl FnMut(&[u8]) -> io::Result<usize>) -> io::Result<bool> {
        let done = loop {
            if self.sent == self.out.len() {
                break Ok(true);
            }
            match write(&self.out[self.sent..]) {
                Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        while let Some((_, plain)) = self.records.front().filter(|(end, _)| *end <= self.sent) {
            self.gone += plain;
            self.records.pop_front();
        }
        if self.sent == self.out.len() {
            self.out.clear();
            self.sent = 0;
        }
        done
    }
}

/// Why a connection of TLS 1.2 ends that has carried some ten million records.
fn used_up() -> TlsError {
    TlsError::Protocol { detail: "the keys of this connection are used up".into() }
}

fn is_pause(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), Interrupted | TimedOut | WouldBlock)
}

/// A peer without TLS closes, and what it has not read makes that a reset.
fn hung_up(error: io::Error) -> io::Error {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected};
    match error.kind() {
        BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected => TlsError::HungUp.into(),
        _ => error,
    }
}

/// What an error of the TLS library's tells.
fn told(error: &Error, handshaking: bool) -> TlsError {
    match error {
        Error::InvalidCertificate(error) => certificate(error),
        Error::AlertReceived(alert) => {
            let said = format!("{alert:?}").into();
            match alert {
                AlertDescription::CertificateRequired
                | AlertDescription::BadCertificate
                | AlertDescription::UnsupportedCertificate
                | AlertDescription::CertificateRevoked
                | AlertDescription::CertificateExpired
                | AlertDescription::CertificateUnknown
                | AlertDescription::UnknownCA
                | AlertDescription::AccessDenied => TlsError::ClientCertificate { alert: said },
                _ => TlsError::Alert { alert: said },
            }
        }
        Error::InvalidMessage(_) if handshaking => TlsError::NotTls,
        other => TlsError::Protocol { detail: other.to_string().into() },
    }
}

/// A name in a certificate as people write it: the library tells it as `DnsName("example.org")`.
fn shown(name: &str) -> &str {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.map_or(name, |inner| inner.trim_matches('"'))
}

fn certificate(error: &CertificateError) -> TlsError {
    match error {
        CertificateError::UnknownIssuer => TlsError::UnknownIssuer,
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsError::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            TlsError::NotYetValid
        }
        CertificateError::NotValidForNameContext { expected, presented } => TlsError::WrongName {
            expected: expected.to_str().into(),
            presented: presented.iter().map(|name| shown(name).to_owned()).collect(),
        },
        other => TlsError::Certificate { detail: other.to_string().into() },
    }
}
