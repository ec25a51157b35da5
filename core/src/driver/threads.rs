//! Loops that block: for plain threads.

use std::io::{self, IoSlice};

use crate::client::{Shared, Sink, Turn};
use crate::id::ConnectionId;
use std::task::Waker;
use std::thread;
use std::time::Duration;

/// How long oneway messages are gathered before they are written together.
const GATHER: Duration = Duration::from_micros(100);

/// A socket that a thread may block on.
pub trait Blocking: Sink {
    /// Writes something, and blocks until the system takes it.
    fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize>;
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
    let mut turn = shared.turn(conn, waker, false);
    if let Turn::Yield { oneway } = turn {
        if oneway {
            thread::park_timeout(GATHER);
        } else {
            thread::yield_now();
        }
        turn = shared.turn(conn, waker, true);
    }
    match turn {
        Turn::Wait | Turn::Yield { .. } => Wrote::Nothing,
        Turn::Gone => Wrote::Gone,
        Turn::Write(mut writer) => {
            let written = writer.write_with(|slices| socket.write(slices));
            if written.is_err() {
                // The reader sees the end, and tells the engine what was not written.
                socket.shutdown();
            }
            shared.wrote(conn, writer);
            Wrote::Some
        }
    }
}
