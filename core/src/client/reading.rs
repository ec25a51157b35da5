//! The reading half of one connection: who reads is a state that changes only under the lock.
//!
//! Where threads read, a caller that waits for the only answer under way may as well read it
//! itself: that saves waking a second thread, which costs more than all else of such a call.
//!
//! | state | leaves on | to |
//! |---|---|---|
//! | Own | nothing is under way, and a caller has waited alone | Free |
//! | Free | a caller waits for the only call under way | Lent |
//! | | the connection's reader looks, and nobody read since | Own |
//! | Lent | the caller has its answer | Free |
//! | | the stream ends | Ended |
//! | Ended | the connection's reader looks | Own, which closes |
//!
//! While it is Free nobody reads: the reader looks every few milliseconds, and is woken when
//! somebody waits who can't read.

use std::fmt;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Waker;
use std::time::Duration;

use super::link::Link;
use super::shared::{Core, Shared};
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
    /// Offers the half to callers, if any would have it and nothing is under way: for the
    /// connection's own reader. The waker is woken when somebody waits who can't read.
    pub fn lend(&self, conn: ConnectionId, half: Box<dyn Half>, waker: Waker) -> Look {
        let mut core = self.lock();
        let free = core.may_lend(conn);
        let Some(Link::Open(open)) = core.links.get_mut(&conn).filter(|_| free) else {
            return Look::Read(half);
        };
        let (reading, waker) = (Reading::Free(half), Some(waker));
        open.shelf = Shelf { reading, waited: false, used: true, waker };
        self.free_readers.fetch_add(1, Relaxed);
        Look::Wait
    }

    /// Takes the half back if nobody has used it since the last look, or something is under way.
    pub fn take_back(&self, conn: ConnectionId) -> Look {
        let mut core = self.lock();
        let quiet = core.engine.calls_on(conn) == 0;
        let Some(Link::Open(open)) = core.links.get_mut(&conn) else {
            return Look::Ended(CloseReason::Ended);
        };
        let used = std::mem::take(&mut open.shelf.used);
        let look = match std::mem::take(&mut open.shelf.reading) {
            Reading::Free(half) if used && quiet => {
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
        look
    }

    /// The half of the connection on which `op` is the only call under way.
    fn borrow(&self, op: OpId) -> Option<(ConnectionId, Box<dyn Half>)> {
        let mut core = self.lock();
        let conn = core.engine.only_call(op)?;
        let Link::Open(open) = core.links.get_mut(&conn)? else { return None };
        match std::mem::take(&mut open.shelf.reading) {
            Reading::Free(half) => {
                (open.shelf.reading, open.shelf.used) = (Reading::Lent, true);
                self.free_readers.fetch_sub(1, Relaxed);
                Some((conn, half))
            }
            other => {
                open.shelf.waited |= matches!(other, Reading::Own);
                open.shelf.reading = other;
                None
            }
        }
    }

    /// Puts a borrowed half back. Others that wait for answers need the connection's own reader.
    fn put_back(&self, conn: ConnectionId, result: Result<Box<dyn Half>, CloseReason>) {
        let mut core = self.lock();
        let busy = core.engine.calls_on(conn) > 0;
        let Some(Link::Open(open)) = core.links.get_mut(&conn) else { return };
        let ended = result.is_err();
        open.shelf.reading = match result {
            Ok(half) => {
                self.free_readers.fetch_add(1, Relaxed);
                Reading::Free(half)
            }
            Err(reason) => Reading::Ended(reason),
        };
        let waker = open.shelf.waker.clone().filter(|_| busy || ended);
        drop(core);
        waker.into_iter().for_each(Waker::wake);
    }

    /// Reads in this thread until `ended` gives a result: where `op` is the only call under way on
    /// its connection, and the half is to be had.
    pub(super) fn read_for<T>(&self, op: OpId, mut ended: impl FnMut() -> Option<T>) -> Option<T> {
        let (conn, mut half) = self.borrow(op)?;
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
        let free = shelves.filter(|shelf| matches!(shelf.reading, Reading::Free(_)));
        let wakers: Vec<_> = free.filter_map(|shelf| shelf.waker.clone()).collect();
        drop(core);
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl Core {
    /// Whether a caller would have read by itself, and nothing is under way now.
    pub(super) fn may_lend(&self, conn: ConnectionId) -> bool {
        let Some(Link::Open(open)) = self.links.get(&conn) else { return false };
        open.shelf.waited && open.ended.is_none() && self.engine.calls_on(conn) == 0
    }
}
