//! What has been taken out of the engine for one connection, encoded and written.

use std::io::{self, IoSlice};

use super::traffic::Backlog;
use crate::config::Config;
use crate::frame::{Opaque, OutFrame, Outbound};

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

    /// Whether the bytes are encrypted on their way.
    fn is_encrypted(&self) -> bool {
        false
    }
}

/// What a writer needs, handed from one to the next.
#[derive(Debug)]
pub(crate) struct Writer {
    outbound: Outbound,
    frames: Vec<OutFrame>,
}

impl Writer {
    /// A writer for a connection of the client with these settings.
    pub(crate) fn new(config: &Config) -> Self {
        Self { outbound: Outbound::of(config), frames: Vec::new() }
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
    pub(crate) fn begun(&self) -> Option<Opaque> {
        self.outbound.begun()
    }

    /// The frames that were taken out and not written whole.
    pub(crate) fn unsent(&self) -> Vec<Opaque> {
        let unwritten = self.frames.iter().map(|frame| frame.opaque);
        self.outbound.unsent().chain(unwritten).collect()
    }
}

impl Backlog for Box<Writer> {
    fn is_empty(&self) -> bool {
        Writer::is_empty(self)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::frame::{Kind, Request, RequestCode};

    #[test]
    fn a_system_that_takes_nothing_stops_the_frames_and_not_the_memory() {
        let request = Request::Unknown { code: RequestCode(4711), fields: Vec::new() };
        let body = Bytes::from(vec![0; 1024]);
        let frame = OutFrame::request_with_body(Opaque::new(Kind::Plain, 1), request, body);
        let (mut writer, mut taken) = (Writer::new(&Config::default()), 0);
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
