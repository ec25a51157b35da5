//! Loops that block: for plain threads.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::task::Waker;
use std::thread;
use std::time::Duration;

use super::reader::Reader;
use crate::client::adapter::{Half, ReadTurn, Shared, Sink, WriteTurn, Written};
use crate::error::CloseReason;
use crate::id::ConnectionId;

/// How long oneway messages are gathered before they are written together.
const GATHER: Duration = Duration::from_micros(100);

/// How long a reader that offered its half to callers waits before it looks.
const LOOK: Duration = Duration::from_millis(5);

/// A socket that a thread may block on.
pub trait Blocking: Sink {
    /// Blocks until something can be read, at most for the [patience](Self::set_patience); 0 is
    /// the end.
    fn read(&self, space: &mut [u8]) -> io::Result<usize>;

    /// How long a read waits from now on.
    fn set_patience(&self, patience: Option<Duration>) -> io::Result<()>;

    /// Writes something, and blocks until the system takes it.
    fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Writes what the system takes at once, on a thread that may wait a little for it: as
    /// [`Sink::try_write`], but where the system has no such write, and that leaves all to the
    /// writing thread. TLS writes so by the threads that shake hands and write.
    fn write_now(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.try_write(slices)
    }

    /// Blocks until [`Self::write_now`] may take something again.
    fn wait_writable(&self) -> io::Result<()>;
}

/// What a writing thread found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrote {
    /// Something was written: look again.
    Some,
    /// Nothing is to be written until the waker is woken.
    Nothing,
    /// The connection is gone.
    Gone,
}

/// One turn of a connection's writing thread.
pub fn write_next(
    shared: &Shared,
    conn: ConnectionId,
    socket: &dyn Blocking,
    waker: &Waker,
) -> Wrote {
    let _driving = shared.driving();
    let mut turn = shared.turn(conn, waker, false);
    if let WriteTurn::Yield { oneway } = turn {
        if oneway {
            thread::park_timeout(GATHER);
        } else {
            thread::yield_now();
        }
        turn = shared.turn(conn, waker, true);
    }
    match turn {
        WriteTurn::Wait | WriteTurn::Yield { .. } => Wrote::Nothing,
        WriteTurn::Gone => Wrote::Gone,
        WriteTurn::Write(mut writer) => {
            let wrote = match writer.write_with(|slices| socket.write(slices)) {
                Ok(_) => Written::Done,
                Err(_) => {
                    // The reader sees the end, and tells the engine what was not written.
                    socket.shutdown();
                    Written::Broken
                }
            };
            shared.wrote(conn, writer, wrote);
            Wrote::Some
        }
    }
}

struct ReadingHalf<S> {
    reader: Reader,
    socket: Arc<S>,
    patience: Option<Duration>,
}

impl<S: Blocking> Half for ReadingHalf<S> {
    fn read(&mut self, within: Option<Duration>) -> Result<bool, CloseReason> {
        if self.patience != within {
            self.socket.set_patience(within)?;
            self.patience = within;
        }
        match self.socket.read(self.reader.space()) {
            Ok(count) if count > 0 && self.reader.filled(count) => Ok(self.reader.may_lend()),
            Ok(_) => Err(self.reader.end(&*self.socket)),
            Err(error) => match error.kind() {
                io::ErrorKind::Interrupted
                | io::ErrorKind::WouldBlock
                | io::ErrorKind::TimedOut => Ok(false),
                _ => Err(self.reader.failure(&*self.socket, error)),
            },
        }
    }
}

/// Reads in this thread until the stream ends, or lets callers read that wait for their answers
/// alone. `waker` unparks this thread.
pub fn read_all<S: Blocking>(
    shared: &Arc<Shared>,
    conn: ConnectionId,
    socket: &Arc<S>,
    waker: &Waker,
) -> CloseReason {
    let _driving = shared.driving();
    let (reader, socket) = (Reader::new(shared.clone(), conn), socket.clone());
    let mut half: Box<dyn Half> = Box::new(ReadingHalf { reader, socket, patience: None });
    loop {
        match half.read(None) {
            Ok(false) => continue,
            Ok(true) => {}
            Err(reason) => return reason,
        }
        let mut look = shared.lend(conn, half, waker.clone());
        half = loop {
            match look {
                ReadTurn::Read(half) => break half,
                ReadTurn::Ended(reason) => return reason,
                ReadTurn::Wait => thread::park_timeout(LOOK),
            }
            look = shared.take_back(conn);
        };
    }
}
