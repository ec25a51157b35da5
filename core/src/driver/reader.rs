//! Bytes to frames, decoded before the lock is taken.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::client::adapter::{Scratch, Shared, Sink};
use crate::engine::{Decoder, InFrame};
use crate::error::CloseReason;
use crate::frame::{Inbound, Limits};
use crate::id::ConnectionId;
use crate::time::Instant;

/// Frames given to the engine under one hold of the lock.
const FRAMES: usize = 32;

/// A frame that takes longer than this is reported as a sign of life, part by part.
const SLOW: Duration = Duration::from_millis(500);

/// The reading half of one connection.
#[derive(Debug)]
pub struct Reader {
    shared: Arc<Shared>,
    conn: ConnectionId,
    inbound: Inbound,
    decoder: Decoder,
    arrived: Vec<InFrame>,
    scratch: Scratch,
    /// When the engine last heard of this connection.
    told: Instant,
    may_lend: bool,
    /// Something has come.
    answered: bool,
}

impl Reader {
    /// A reader that has read nothing.
    pub fn new(shared: Arc<Shared>, conn: ConnectionId) -> Self {
        let config = shared.config();
        let (inbound, decoder) = (Inbound::new(Limits::of(config)), Decoder::of(config));
        let (told, scratch) = (shared.now(), Scratch::default());
        let arrived = Vec::with_capacity(FRAMES);
        Self {
            shared,
            conn,
            inbound,
            decoder,
            arrived,
            scratch,
            told,
            may_lend: false,
            answered: false,
        }
    }

    /// Room for the next read; never empty.
    pub fn space(&mut self) -> &mut [u8] {
        self.inbound.space()
    }

    /// `count` bytes of [`space`](Self::space) were read. False: they were no frames; stop reading.
    pub fn filled(&mut self, count: usize) -> bool {
        self.inbound.filled(count);
        self.answered = true;
        loop {
            let error = loop {
                if self.arrived.len() == FRAMES {
                    break None;
                }
                match self.inbound.next_frame() {
                    Ok(Some(frame)) => self.arrived.push(self.decoder.read(frame)),
                    Ok(None) => break None,
                    Err(error) => break Some(error),
                }
            };
            let more = self.arrived.len() == FRAMES;
            if !self.arrived.is_empty() || self.is_slow() {
                let lend = self.shared.arrived(self.conn, &mut self.arrived, &mut self.scratch);
                self.may_lend = lend;
            }
            if let Some(error) = error {
                self.shared.malformed(self.conn, error);
                return false;
            }
            if !more {
                return true;
            }
        }
    }

    /// The stream has ended, as a peer that wants TLS does at the first bytes without it.
    pub(super) fn end(&self, socket: &impl Sink) -> CloseReason {
        match self.answered || socket.is_encrypted() {
            true => CloseReason::Ended,
            false => CloseReason::Unanswered,
        }
    }

    /// A read has failed: what a peer that closes has not read makes that a reset.
    pub(super) fn failure(&self, socket: &impl Sink, error: io::Error) -> CloseReason {
        match error.kind() {
            io::ErrorKind::ConnectionReset if !self.answered && !socket.is_encrypted() => {
                CloseReason::Unanswered
            }
            _ => error.into(),
        }
    }

    /// Callers would rather read by themselves, and nothing was under way a moment ago.
    pub const fn may_lend(&self) -> bool {
        self.may_lend
    }

    /// A frame takes long to arrive: the engine must hear that the peer is alive.
    fn is_slow(&mut self) -> bool {
        let now = self.shared.now();
        let slow = now.since(self.told) >= SLOW;
        if slow || !self.arrived.is_empty() {
            self.told = now;
        }
        slow
    }
}
