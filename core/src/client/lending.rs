//! Callers and consumers' threads that read for themselves: carries out what the
//! [read half](super::link) of a connection decides.

use std::sync::atomic::Ordering::Relaxed;
use std::task::Waker;
use std::time::Duration;

use super::after_unlock::{AfterUnlock, PendingWrite};
use super::link::{Action, Borrowed, Half, ReadTurn};
use super::shared::Shared;
use super::source::Kind;
use super::state::Core;
use crate::error::CloseReason;
use crate::id::{ConnectionId, OpId};

/// How long a caller reads before it looks whether its call has ended otherwise: at its deadline,
/// say.
const PATIENCE: Duration = Duration::from_millis(10);

impl Shared {
    /// Offers the half to callers, if one would have it and nobody else waits: for the connection's
    /// own reader. The waker is woken when somebody waits who can't read.
    pub fn lend(&self, conn: ConnectionId, half: Box<dyn Half>, waker: Waker) -> ReadTurn {
        let mut core = self.lock();
        let Some((open, on)) = core.open(conn) else { return ReadTurn::Read(half) };
        match open.halves.lend(half, waker, &on) {
            Ok(()) => {
                self.free_readers.fetch_add(1, Relaxed);
                ReadTurn::Wait
            }
            Err(half) => ReadTurn::Read(half),
        }
    }

    /// Takes the half back if nobody has used it since the last look, or others wait.
    pub fn take_back(&self, conn: ConnectionId) -> ReadTurn {
        let mut core = self.lock();
        let Some((open, on)) = core.open(conn) else { return ReadTurn::Ended(CloseReason::Ended) };
        let (look, action) = open.halves.take_back(&on);
        if let ReadTurn::Read(_) = look {
            self.free_readers.fetch_sub(1, Relaxed);
        }
        drop(core);
        wake(action);
        look
    }

    /// The half of the connection on which `op` is under way, and what is to be written before.
    fn borrow(&self, op: OpId, kind: &dyn Kind) -> Option<Reading> {
        let mut core = self.lock();
        if kind.has_ended(&mut core.waiting, op) {
            return None;
        }
        let reading = Reading::begin(&mut core, op);
        if reading.is_some() {
            self.free_readers.fetch_sub(1, Relaxed);
            self.tell(core);
            return reading;
        }
        drop(core);
        self.wake_readers();
        None
    }

    /// Reads once, for at most so long, with a half that was [borrowed](Reading) under a lock that
    /// [`run`](Self::run) took; not at all where nothing is waited for any more.
    pub(super) fn read_once(&self, reading: Reading, within: Option<Duration>) {
        if self.is_forked() {
            // The socket is the parent's.
            return;
        }
        self.free_readers.fetch_sub(1, Relaxed);
        let Reading { conn, mut half, write } = reading;
        self.write_before(write);
        let read = within.map_or(Ok(false), |within| half.read(Some(within)));
        self.put_back(conn, read.map(|_| half));
    }

    fn write_before(&self, write: Option<PendingWrite>) {
        if let Some(write) = write {
            let mut after = AfterUnlock::default();
            self.write_here(write, &mut after);
            self.finish(&mut after);
        }
    }

    /// Puts a borrowed half back. Others that wait need the connection's own reader.
    fn put_back(&self, conn: ConnectionId, result: Result<Box<dyn Half>, CloseReason>) {
        let mut core = self.lock();
        let Some((open, on)) = core.open(conn) else { return };
        if result.is_ok() {
            self.free_readers.fetch_add(1, Relaxed);
        }
        let action = open.halves.put_back(result, &on);
        drop(core);
        wake(action);
    }

    /// Reads in this thread until `ended` gives a result: where `op` waits for an answer, and the
    /// half is to be had.
    pub(super) fn read_for<T>(
        &self,
        op: OpId,
        kind: &dyn Kind,
        mut ended: impl FnMut() -> Option<T>,
    ) -> Option<T> {
        let Reading { conn, mut half, write } = self.borrow(op, kind)?;
        self.write_before(write);
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
        let wakers = self.lock().links.free_readers();
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// A borrowed half, for a caller that reads.
pub(super) struct Reading {
    conn: ConnectionId,
    half: Box<dyn Half>,
    /// To be done before.
    write: Option<PendingWrite>,
}

impl Reading {
    fn begin(core: &mut Core, op: OpId) -> Option<Self> {
        let conn = core.engine.awaits_on(op)?;
        Self::on(core, conn)
    }

    /// That of the connection by which messages come, for [`Shared::read_once`].
    pub(super) fn of_pulls(core: &mut Core) -> Option<Self> {
        let conn = core.engine.pulls_on()?;
        Self::on(core, conn)
    }

    fn on(core: &mut Core, conn: ConnectionId) -> Option<Self> {
        let (open, on) = core.open(conn)?;
        let Borrowed { half, writer } = open.halves.borrow(&on)?;
        let engine = &mut core.engine;
        let write = writer.and_then(|writer| core.links.pending_write(engine, conn, writer, false));
        Some(Self { conn, half, write })
    }
}

/// Wakes whom a link would have woken.
fn wake<W>(action: Action<W>) {
    if let Action::Wake(waker) = action {
        waker.wake();
    }
}
