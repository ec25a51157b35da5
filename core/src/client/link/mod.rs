//! One connection, as the handles and the pump share it: a state machine without IO.
//!
//! Its halves say [who writes](write_half) and [who reads](read_half). Their states change only
//! under the lock and only here; each transition returns what is to be done, and who holds the lock
//! does it after unlocking. What must hold between two transitions: *frames that wait mean that
//! somebody holds the writer, that its task is owed a wake, or that the reader's look is due*.
//! `explore` goes through every order of two callers, a reader, a writing task and a close.

mod coalesce;
#[cfg(test)]
mod explore;
mod read_half;
mod traffic;
mod write_half;
mod writer;

use std::sync::Arc;
use std::task::Waker;

use crate::dial::Dial;
use crate::error::CloseReason;
use crate::time::Instant;
use read_half::ReadHalf;
pub use read_half::{Half, ReadTurn};
use traffic::Backlog;
pub(crate) use traffic::Traffic;
use write_half::WriteHalf;
pub(crate) use write_half::{WriteTurn, Written};
pub use writer::Sink;
pub(crate) use writer::Writer;

/// Frames that may wait for a caller that waits.
const DEFERRED: usize = 48;

/// What a transition asks for.
#[derive(Debug)]
pub(crate) enum Action<W> {
    /// Fill the writer under the lock, then write in this thread.
    Write(W),
    /// The same, but let others go first that may have something to send as well, and fill it then.
    YieldAndWrite(W),
    /// Wake a task or thread.
    Wake(Waker),
    /// Whoever waits next writes; else the reader's look has it done.
    Defer,
    /// The reader saw the end, and nobody writes any more: the connection is gone.
    Close(CloseReason),
    /// Somebody sees to it, or there is nothing to do.
    Nothing,
}

impl<W> From<Option<Waker>> for Action<W> {
    fn from(waker: Option<Waker>) -> Self {
        waker.map_or(Self::Nothing, Self::Wake)
    }
}

/// A connection that is being made, or stands.
pub(crate) enum Link {
    /// The pump is connecting; the waker is of a task that does, and `dial` is how far it got with
    /// a name of several addresses. `secures`: since then there is a socket, and TLS to agree upon.
    Connecting { waker: Option<Waker>, dial: Option<Dial>, secures: Option<Instant> },
    /// There is a socket.
    Open(Open),
}

/// A connection with a socket.
pub(crate) struct Open {
    pub(crate) sink: Arc<dyn Sink>,
    pub(crate) halves: Halves,
}

/// The two halves of a connection. What they are made of makes no difference to their states.
#[derive(Clone, Debug)]
pub(crate) struct Halves<W = Box<Writer>, H = Box<dyn Half>> {
    write: WriteHalf<W>,
    read: ReadHalf<H>,
    /// The reader saw the end; the connection is closed once nobody writes.
    ended: Option<CloseReason>,
}

/// What a caller that would read is given.
pub(crate) struct Borrowed<W, H> {
    pub(crate) half: H,
    /// Had to be written before: fill it under the lock.
    pub(crate) writer: Option<W>,
}

impl<W: Backlog, H> Halves<W, H> {
    /// A connection that has just been made: its own reader reads, nobody writes.
    pub(crate) fn new(writer: W) -> Self {
        Self { write: WriteHalf::new(writer), read: ReadHalf::default(), ended: None }
    }

    /// Frames have begun to wait. `busy`: this hold of the lock has led to a write already.
    ///
    /// The calling thread writes when nobody writes, nothing waits for the system, and little is
    /// gained by waiting for others.
    pub(crate) fn transmit(&mut self, traffic: &impl Traffic, busy: bool) -> Action<W> {
        let (sends, oneway) = (traffic.sends(), traffic.has_oneway());
        // Who is to read messages next may be busy with those it has.
        if sends > 1 && !oneway && !traffic.has_pulls() && self.read.defer() {
            return Action::Defer;
        }
        let may = !busy && !oneway && !traffic.is_crowded();
        match self.write.take_if(may) {
            Some(writer) if sends > 1 => Action::YieldAndWrite(writer),
            Some(writer) => Action::Write(writer),
            None => self.write.wake().into(),
        }
    }

    /// Whether so much is deferred by now that the calling thread writes it. [`Action::Nothing`]:
    /// nothing is deferred any more.
    pub(crate) fn gathered(&mut self, traffic: &impl Traffic) -> Action<W> {
        if !self.read.is_deferred() {
            return Action::Nothing;
        }
        if traffic.frames() < DEFERRED {
            return Action::Defer;
        }
        self.read.undefer();
        self.write.take_if(true).map_or(Action::Nothing, Action::Write)
    }

    /// The writing task asks what to do next. `yielded`: it has let others go first. The waker that
    /// `waker` takes the place of is left in `replaced`, for dropping after the lock.
    pub(crate) fn turn(
        &mut self,
        waker: &Waker,
        replaced: &mut Option<Waker>,
        yielded: bool,
        traffic: &impl Traffic,
    ) -> WriteTurn<W> {
        self.write.turn(waker, replaced, yielded, traffic)
    }

    /// Somebody has written, and gives the right to write back.
    pub(crate) fn wrote(&mut self, writer: W, wrote: Written, traffic: &impl Traffic) -> Action<W> {
        if wrote == Written::Again
            && self.ended.is_none()
            && writer.is_empty()
            && traffic.has_frames()
        {
            return Action::Write(writer);
        }
        let more = !writer.is_empty() || traffic.has_frames();
        self.write.put_back(writer, wrote);
        match self.close() {
            Action::Nothing if more => self.write.wake().into(),
            action => action,
        }
    }

    /// The connection's reader saw the end.
    pub(crate) fn end(&mut self, reason: CloseReason) -> Action<W> {
        self.ended = Some(reason);
        self.close()
    }

    fn close(&self) -> Action<W> {
        match &self.ended {
            Some(reason) if !self.write.is_held() => Action::Close(reason.clone()),
            Some(_) | None => Action::Nothing,
        }
    }

    /// Whether a caller would have read by itself, and nobody waits for more than sends and
    /// messages.
    pub(crate) fn may_lend(&self, traffic: &impl Traffic) -> bool {
        self.read.is_wanted() && self.ended.is_none() && traffic.only_messages()
    }

    /// The connection's reader offers its half to callers; it is given back where nobody would have
    /// it, or others wait. Otherwise `waker` is woken when somebody waits who can't read.
    pub(crate) fn lend(&mut self, half: H, waker: Waker, traffic: &impl Traffic) -> Result<(), H> {
        if !self.may_lend(traffic) || traffic.others_wait() {
            return Err(half);
        }
        self.read.free(half, waker);
        Ok(())
    }

    /// The connection's reader looks: it has its half back if nobody has used it since the last
    /// look, or others wait. What is deferred is then the writing task's.
    pub(crate) fn take_back(&mut self, traffic: &impl Traffic) -> (ReadTurn<H>, Action<W>) {
        let look = self.read.take_back(traffic.others_wait());
        let action = match look {
            ReadTurn::Read(_) | ReadTurn::Ended(_) if traffic.has_frames() => {
                self.write.wake().into()
            }
            ReadTurn::Read(_) | ReadTurn::Ended(_) | ReadTurn::Wait => Action::Nothing,
        };
        (look, action)
    }

    /// A caller that waits would read; it writes before what is deferred. `None`: the half is not
    /// to be had.
    pub(crate) fn borrow(&mut self, traffic: &impl Traffic) -> Option<Borrowed<W, H>> {
        let half = self.read.borrow()?;
        let writer = self.write.take_if(traffic.has_frames());
        Some(Borrowed { half, writer })
    }

    /// The caller has read. Others that wait need the connection's own reader, which also is to
    /// hear of the end.
    pub(crate) fn put_back(
        &mut self,
        result: Result<H, CloseReason>,
        traffic: &impl Traffic,
    ) -> Action<W> {
        self.read.put_back(result, traffic.others_wait()).into()
    }

    /// Somebody waits who does not read: a reader that offered its half is to read on.
    pub(crate) fn wanted_back(&self) -> Option<&Waker> {
        self.read.wanted_back()
    }

    /// The writer, unless somebody has it: for what never left.
    pub(crate) fn idle_writer(&self) -> Option<&W> {
        self.write.idle()
    }

    /// The writing task is to see that the connection is gone.
    pub(crate) fn gone(&mut self) -> Option<Waker> {
        self.write.wake()
    }
}
