//! The writing side of one connection: frames queue up, and one thread at a time writes them.

use std::io::{self, IoSlice};
use std::net::TcpStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rocketry_core::frame::{Limits, OutFrame, Outbound};

use super::wire::Wire;

/// A thread with other things to do waits so long for a peer that does not read; then a thread of
/// its own writes the rest.
const PATIENCE: Duration = Duration::from_millis(2);
/// Frames that may wait for a peer before nothing more is read from it.
const BACKLOG: usize = 4096;
const SLICES: usize = 32;

#[derive(Debug, Default)]
struct Queue {
    frames: Vec<OutFrame>,
    /// Some thread writes, and will look at the queue again before it stops.
    writing: bool,
    closed: bool,
    /// It is to be closed once nothing is queued any more.
    finishing: bool,
}

#[derive(Debug)]
pub(super) struct Peer {
    pub(super) wire: Wire,
    queue: Mutex<Queue>,
    room: Condvar,
    /// Held by the thread that writes.
    out: Mutex<(Outbound, Vec<OutFrame>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writer {
    Borrowed,
    Own,
}

impl Peer {
    pub(super) fn new(socket: TcpStream) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        socket.set_write_timeout(Some(PATIENCE))?;
        Ok(Self {
            wire: Wire::new(socket),
            queue: Mutex::default(),
            room: Condvar::new(),
            out: Mutex::new((Outbound::with_limits(Limits::default()), Vec::new())),
        })
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a frame; `true` when the caller must [`flush`](Self::flush) for it to leave.
    pub(super) fn push(&self, frame: OutFrame) -> bool {
        let mut queue = self.queue();
        if queue.closed {
            return false;
        }
        queue.frames.push(frame);
        queue.frames.len() == 1 && !queue.writing
    }

    /// Closes the connection once all that is queued is written; `true` when the caller must
    /// [`flush`](Self::flush) for that.
    pub(super) fn finish(&self) -> bool {
        let mut queue = self.queue();
        queue.finishing = true;
        !queue.writing
    }

    /// Writes what is queued, unless another thread is doing so.
    pub(super) fn flush(self: &Arc<Self>) {
        {
            let mut queue = self.queue();
            if queue.writing || queue.closed {
                return;
            }
            queue.writing = true;
        }
        self.write(Writer::Borrowed);
    }

    fn write(self: &Arc<Self>, writer: Writer) {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        let (outbound, batch) = &mut *out;
        loop {
            if outbound.is_empty() {
                let mut queue = self.queue();
                if queue.frames.is_empty() || queue.closed {
                    queue.writing = false;
                    let finished = queue.finishing && !queue.closed;
                    drop(queue);
                    if finished {
                        self.close();
                    }
                    return;
                }
                std::mem::swap(&mut queue.frames, batch);
                self.room.notify_all();
                drop(queue);
                // A broker sends what it read itself: none is too large.
                for frame in batch.drain(..) {
                    let _ = outbound.push(&frame);
                }
            }
            let mut slices = [IoSlice::new(&[]); SLICES];
            let count = outbound.slices(&mut slices);
            match self.wire.write(&slices[..count]) {
                Ok(0) => return self.close(),
                Ok(written) => outbound.advance(written),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_full(&error) => {
                    if self.queue().closed {
                        return;
                    }
                    if writer == Writer::Borrowed {
                        drop(out);
                        return self.hand_over();
                    }
                }
                Err(_) => return self.close(),
            }
        }
    }

    /// The peer does not read: a thread of its own goes on, so that nobody else waits for it.
    fn hand_over(self: &Arc<Self>) {
        let peer = Arc::clone(self);
        let thread = std::thread::Builder::new().name("broker-write".to_owned());
        if thread.spawn(move || peer.write(Writer::Own)).is_err() {
            self.close();
        }
    }

    /// Waits while more is queued for this peer than it should be.
    pub(super) fn wait_for_room(&self) {
        let mut queue = self.queue();
        while queue.frames.len() > BACKLOG && !queue.closed {
            queue = self.room.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Closes the socket; the thread that reads from it finds that out.
    pub(super) fn close(&self) {
        let mut queue = self.queue();
        queue.closed = true;
        queue.frames.clear();
        self.room.notify_all();
        drop(queue);
        self.wire.shutdown();
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}
