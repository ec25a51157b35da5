//! The reading half of one connection: who reads is a state that changes only under the lock.
//!
//! Where threads read, a caller that waits for an answer may as well read it itself, and before it
//! does write what it had sent: that saves waking two other threads, which costs more than all else
//! of such a call.
//!
//! | state | leaves on | to |
//! |---|---|---|
//! | Own | a caller has waited, and nobody else does | Free |
//! | Free | a caller waits for an answer | Lent |
//! | | the connection's reader looks: nobody read since, or others wait | Own |
//! | Lent | the caller has its answer | Free |
//! | | the stream ends | Ended |
//! | Ended | the connection's reader looks | Own, which closes |
//!
//! Others are those that wait for anything but a send, and those that have left a waker. While it
//! is Free nobody reads, and sends are written by whoever waits next: the reader looks every few
//! milliseconds, and is woken when somebody waits who can't read.

use std::fmt;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Waker;
use std::time::Duration;

use super::link::{Job, Link};
use super::shared::{After, Core, Shared};
use crate::error::CloseReason;
use crate::id::{ConnectionId, OpId};

/// How long a caller reads before it looks whether its call has ended otherwise: at its deadline,
/// say.
const PATIENCE: Duration = Duration::from_millis(10);

/// Reads from one connection, for whichever thread has it.
pub trait Half: Send {
    /// Reads once, for at most so long, and gives the engine what came. True: callers would rather
    /// read by themselves, see [`Shared::lend`].
    fn read(&mut self, within: Option<Duration>) -> Result<bool, CloseReason>;
}

/// Who reads.
#[derive(Default)]
enum Reading {
    /// The connection's own reader.
    #[default]
    Own,
    /// Nobody.
    Free(Box<dyn Half>),
    /// A caller that waits for its answer.
    Lent,
    /// Nobody any more.
    Ended(CloseReason),
}

/// The reading half as its connection keeps it.
#[derive(Default)]
pub(crate) struct Shelf {
    reading: Reading,
    /// A caller could have read its answer itself.
    waited: bool,
    /// Somebody took the half since its reader last looked.
    used: bool,
    /// Wakes the reader while it does not read.
    waker: Option<Waker>,
}

/// What a connection's own reader is to do.
pub enum Look {
    /// Read on.
    Read(Box<dyn Half>),
    /// Wait for the waker, at most a few milliseconds, and [look again](Shared::take_back).
    Wait,
    /// The stream has ended.
    Ended(CloseReason),
}

impl fmt::Debug for Look {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read(_) => "Read",
            Self::Wait => "Wait",
            Self::Ended(_) => "Ended",
        })
    }
}

impl Shared {
    /// Offers the half to callers, if one would have it and nobody else waits: for the connection's
    /// own reader. The waker is woken when somebody waits who can't read.
    pub fn lend(&self, conn: ConnectionId, half: Box<dyn Half>, waker: Waker) -> Look {
        let mut core = self.lock();
        let free = core.may_lend(conn) && !core.others_wait(conn);
        let Some(Link::Open(open)) = core.links.get_mut(&conn).filter(|_| free) else {
            return Look::Read(half);
        };
        let (reading, waker) = (Reading::Free(half), Some(waker));
        open.shelf = Shelf { reading, waited: false, used: true, waker };
        self.free_readers.fetch_add(1, Relaxed);
        Look::Wait
    }

    /// Takes the half back if nobody has used it since the last look, or others wait.
    pub fn take_back(&self, conn: ConnectionId) -> Look {
        let mut core = self.lock();
        let (others, unsent) = (core.others_wait(conn), core.engine.has_frames(conn));
        let Some(Link::Open(open)) = core.links.get_mut(&conn) else {
            return Look::Ended(CloseReason::Ended);
        };
        let used = std::mem::take(&mut open.shelf.used);
        let look = match std::mem::take(&mut open.shelf.reading) {
            Reading::Free(half) if used && !others => {
                open.shelf.reading = Reading::Free(half);
                return Look::Wait;
            }
            Reading::Lent => {
                open.shelf.reading = Reading::Lent;
                return Look::Wait;
            }
            Reading::Free(half) => {
                self.free_readers.fetch_sub(1, Relaxed);
                Look::Read(half)
            }
            Reading::Ended(reason) => Look::Ended(reason),
            Reading::Own => Look::Ended(CloseReason::Ended),
        };
        open.shelf = Shelf::default();
        let writer = open.waker.take_if(|_| unsent);
        drop(core);
        writer.into_iter().for_each(Waker::wake);
        look
    }

    /// The half of the connection on which `op` is under way, and what is to be written before.
    fn borrow(&self, op: OpId) -> Option<(ConnectionId, Box<dyn Half>, Option<Job>)> {
        let mut core = self.lock();
        if core.waiting.has_ended(op) {
            return None;
        }
        let Some(conn) = core.engine.awaits_on(op) else {
            drop(core);
            self.wake_readers();
            return None;
        };
        let Link::Open(open) = core.links.get_mut(&conn)? else { return None };
        match std::mem::take(&mut open.shelf.reading) {
            Reading::Free(half) => {
                (open.shelf.reading, open.shelf.used) = (Reading::Lent, true);
                self.free_readers.fetch_sub(1, Relaxed);
                Some((conn, half, core.job(conn)))
            }
            other => {
                open.shelf.waited |= matches!(other, Reading::Own);
                open.shelf.reading = other;
                drop(core);
                self.wake_readers();
                None
            }
        }
    }

    /// Puts a borrowed half back. Others that wait need the connection's own reader.
    fn put_back(&self, conn: ConnectionId, result: Result<Box<dyn Half>, CloseReason>) {
        let mut core = self.lock();
        let others = core.others_wait(conn);
        let Some(Link::Open(open)) = core.links.get_mut(&conn) else { return };
        let ended = result.is_err();
        open.shelf.reading = match result {
            Ok(half) => {
                self.free_readers.fetch_add(1, Relaxed);
                Reading::Free(half)
            }
            Err(reason) => Reading::Ended(reason),
        };
        let waker = open.shelf.waker.clone().filter(|_| others || ended);
        drop(core);
        waker.into_iter().for_each(Waker::wake);
    }

    /// Reads in this thread until `ended` gives a result: where `op` waits for an answer, and the
    /// half is to be had.
    pub(super) fn read_for<T>(&self, op: OpId, mut ended: impl FnMut() -> Option<T>) -> Option<T> {
        let (conn, mut half, job) = self.borrow(op)?;
        if let Some(job) = job {
            let mut after = After::default();
            self.write_alone(job, &mut after);
            self.finish(&mut after);
        }
        loop {
            if let Err(reason) = half.read(Some(PATIENCE)) {
                self.put_back(conn, Err(reason));
                return None;
            }
            if let Some(result) = ended() {
                self.put_back(conn, Ok(half));
                return Some(result);
            }
        }
    }

    /// Somebody waits who does not read: readers that offered their half read on.
    pub(super) fn wake_readers(&self) {
        if self.free_readers.load(Relaxed) == 0 {
            return;
        }
        let core = self.lock();
        let shelves = core.links.values().filter_map(|link| match link {
            Link::Open(open) => Some(&open.shelf),
            Link::Connecting { .. } => None,
        });
        let free = shelves.filter(|shelf| shelf.is_free());
        let wakers: Vec<_> = free.filter_map(|shelf| shelf.waker.clone()).collect();
        drop(core);
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl Shelf {
    /// Whether nobody reads, until a caller waits.
    pub(super) const fn is_free(&self) -> bool {
        matches!(self.reading, Reading::Free(_))
    }
}

impl Core {
    /// Whether a caller would have read by itself, and nobody waits for more than sends.
    pub(super) fn may_lend(&self, conn: ConnectionId) -> bool {
        let Some(Link::Open(open)) = self.links.get(&conn) else { return false };
        open.shelf.waited && open.ended.is_none() && self.engine.only_sends(conn)
    }

    /// Whether somebody waits for what comes on the connection who does not read: for more than
    /// sends, or with a waker.
    fn others_wait(&self, conn: ConnectionId) -> bool {
        !self.engine.only_sends(conn) || self.waiting.parked() > 0
    }
}
