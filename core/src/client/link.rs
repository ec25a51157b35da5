//! The writing half of one connection: who writes is a state that changes only under the lock.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::task::Waker;

use super::reading::Shelf;
use crate::dial::Dial;
use crate::error::CloseReason;
use crate::frame::{Limits, OutFrame, Outbound};

/// Frames taken out of the engine under one hold of the lock.
const FRAMES: usize = 64;
/// Bytes that may wait for the system: with as many, no further frame is taken out. What nobody
/// answers would else pile up here without end.
const AHEAD: usize = 256 << 10;

/// Where a connection's bytes go. Calls never block.
pub trait Sink: Send + Sync + 'static {
    /// Writes what the system takes now; `WouldBlock` when it takes nothing.
    fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Ends both directions: the reader sees the end of the stream.
    fn shutdown(&self);
}

/// What a writer needs, handed from one to the next.
#[derive(Debug)]
pub(crate) struct Writer {
    outbound: Outbound,
    frames: Vec<OutFrame>,
}

impl Writer {
    /// A writer of frames up to those limits.
    pub(crate) fn new(limits: Limits) -> Self {
        Self { outbound: Outbound::with_limits(limits), frames: Vec::new() }
    }

    /// Takes frames out of the engine, at most [`FRAMES`], and none while [`AHEAD`] bytes wait for
    /// the system. Under the lock.
    pub(crate) fn fill(&mut self, mut next: impl FnMut() -> Option<OutFrame>) {
        while self.frames.len() < FRAMES && self.outbound.len() < AHEAD {
            let Some(frame) = next() else { break };
            self.frames.push(frame);
        }
    }

    /// Encodes and writes until all is written (`Ok(true)`) or the system takes no more
    /// (`Ok(false)`). Not under the lock.
    pub(crate) fn write(&mut self, sink: &dyn Sink) -> io::Result<bool> {
        self.write_with(|slices| sink.try_write(slices))
    }

    /// As [`write`](Self::write), with a write of the caller's.
    pub(crate) fn write_with(
        &mut self,
        mut write: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> io::Result<bool> {
        for frame in self.frames.drain(..) {
            // Messages are measured when they are made, and our own requests are short: what is
            // too large all the same is not sent, and its call ends by its deadline.
            let _ = self.outbound.push(&frame);
        }
        while !self.outbound.is_empty() {
            let mut slices = [IoSlice::new(&[]); 64];
            let count = self.outbound.slices(&mut slices);
            match write(&slices[..count]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => self.outbound.advance(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Whether something taken out has not been written.
    pub(crate) fn is_empty(&self) -> bool {
        self.frames.is_empty() && self.outbound.is_empty()
    }

    /// The frame that was written in part.
    pub(crate) fn begun(&self) -> Option<crate::frame::Opaque> {
        self.outbound.begun()
    }

    /// The frames that were taken out and not written whole.
    pub(crate) fn unsent(&self) -> Vec<crate::frame::Opaque> {
        let unwritten = self.frames.iter().map(|frame| frame.opaque);
        self.outbound.unsent().chain(unwritten).collect()
    }
}

/// Whether a writer that lets others go first finds more to write afterwards. Where all sends come
/// from one task it never does, and letting go costs the waking of a thread.
#[derive(Debug)]
pub(crate) struct Gathering {
    /// Up to [`TRUST`]; none is left after as many times in vain.
    trust: u32,
    /// Turns since others were last let go first.
    skipped: u32,
    /// Frames that waited when they were.
    waited: usize,
}

const TRUST: u32 = 4;
/// Without trust, one turn in so many is tried.
const RETRY: u32 = 32;

impl Default for Gathering {
    fn default() -> Self {
        Self { trust: TRUST, skipped: 0, waited: 0 }
    }
}

impl Gathering {
    /// Whether to let others go first, while `frames` wait.
    pub(crate) fn begin(&mut self, frames: usize) -> bool {
        self.skipped += 1;
        let begins = self.trust > 0 || self.skipped >= RETRY;
        if begins {
            (self.skipped, self.waited) = (0, frames);
        }
        begins
    }

    /// They went first, and now so many `frames` wait.
    pub(crate) fn end(&mut self, frames: usize) {
        let trust =
            if frames > self.waited { self.trust + 2 } else { self.trust.saturating_sub(1) };
        self.trust = trust.min(TRUST);
    }
}

/// One connection, as the handles and the pump share it.
pub(crate) enum Link {
    /// The pump is connecting; the waker is of a task that does, and `dial` is how far it got with
    /// a name of several addresses.
    Connecting { waker: Option<Waker>, dial: Option<Dial> },
    /// There is a socket.
    Open(Open),
}

pub(crate) struct Open {
    pub(crate) sink: Arc<dyn Sink>,
    /// `None` while somebody writes.
    pub(crate) writer: Option<Box<Writer>>,
    /// Wakes the writing task or thread.
    pub(crate) waker: Option<Waker>,
    pub(crate) gathering: Gathering,
    /// Who reads.
    pub(crate) shelf: Shelf,
    /// The reader saw the end; the connection is closed once nobody writes.
    pub(crate) ended: Option<CloseReason>,
}

/// A write to be done by whoever holds it, after unlocking.
pub(crate) struct Job {
    pub(crate) conn: crate::id::ConnectionId,
    pub(crate) sink: Arc<dyn Sink>,
    pub(crate) writer: Box<Writer>,
    /// Others may have something to send as well: nothing is taken out yet.
    pub(crate) patient: bool,
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::frame::{Kind, Opaque, Request, RequestCode};

    #[test]
    fn others_go_first_as_long_as_that_brings_something() {
        let mut gathering = Gathering::default();
        let mut tried = |gains: usize| {
            let mut tries = 0;
            for _ in 0..RETRY {
                if gathering.begin(1) {
                    tries += 1;
                    gathering.end(1 + gains);
                }
            }
            tries
        };
        assert_eq!(tried(0), TRUST);
        assert_eq!(tried(0), 1);
        // The one try in so many finds something.
        assert!(tried(1) >= 1);
        assert_eq!(tried(1), RETRY);
    }

    #[test]
    fn a_system_that_takes_nothing_stops_the_frames_and_not_the_memory() {
        let request = Request::Unknown { code: RequestCode(4711), fields: Vec::new() };
        let body = Bytes::from(vec![0; 1024]);
        let frame = OutFrame::request_with_body(Opaque::new(Kind::Plain, 1), request, body);
        let (mut writer, mut taken) = (Writer::new(Limits::SENT), 0);
        for _ in 0..10_000 {
            writer.fill(|| {
                taken += 1;
                Some(frame.clone())
            });
            let written = writer.write_with(|_| Err(io::ErrorKind::WouldBlock.into()));
            assert!(matches!(written, Ok(false)));
        }
        assert!(taken < AHEAD / 1024 + FRAMES, "{taken} frames were taken");
        assert_eq!(writer.unsent().len(), taken);
        let all = writer.write_with(|slices| Ok(slices.iter().map(|slice| slice.len()).sum()));
        assert!(matches!(all, Ok(true)) && writer.is_empty());
        writer.fill(|| Some(frame.clone()));
        assert!(!writer.is_empty());
    }
}
