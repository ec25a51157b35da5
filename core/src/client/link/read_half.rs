//! The read half of a connection: who reads.
//!
//! Where threads read, a caller that waits for an answer may as well read it itself, and before it
//! does write what it had sent: that saves waking two other threads, which costs more than all else
//! of such a call. So may a consumer's thread that waits for messages.
//!
//! | state | leaves on | to |
//! |---|---|---|
//! | Own | a caller has waited, and nobody else does | Free |
//! | Free | a caller waits for an answer, or a consumer for messages | Lent |
//! | | the connection's reader looks: nobody read since, or others wait | Own |
//! | Lent | the caller has its answer, or the consumer has waited for long | Free |
//! | | the stream ends | Ended |
//! | Ended | the connection's reader looks | Own, which closes |
//!
//! Others are those that wait for anything but a send or messages, and those that have left a
//! waker. While it is Free nobody reads, and sends are deferred: written by whoever waits next. The
//! reader looks every few milliseconds, and is woken when somebody waits who can't read.

use std::fmt;
use std::task::Waker;
use std::time::Duration;

use crate::error::CloseReason;

/// Reads from one connection, for whichever thread has it.
pub trait Half: Send {
    /// Reads once, for at most so long, and gives the engine what came. True: callers would rather
    /// read by themselves, see [`Shared::lend`](crate::client::adapter::Shared::lend).
    fn read(&mut self, within: Option<Duration>) -> Result<bool, CloseReason>;
}

/// What a connection's own reader is to do.
pub enum ReadTurn<H = Box<dyn Half>> {
    /// Read on.
    Read(H),
    /// Wait for the waker, at most a few milliseconds, and
    /// [look again](crate::client::adapter::Shared::take_back).
    Wait,
    /// The stream has ended.
    Ended(CloseReason),
}

impl<H> fmt::Debug for ReadTurn<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read(_) => "Read",
            Self::Wait => "Wait",
            Self::Ended(_) => "Ended",
        })
    }
}

/// Who reads.
#[derive(Clone, Debug)]
enum State<H> {
    /// The connection's own reader. `waited`: a caller could have read its answer itself.
    Own { waited: bool },
    /// Nobody. `deferred`: frames wait for whoever waits next.
    Free { half: H, deferred: bool, away: Away },
    /// A caller that waits for its answer.
    Lent { away: Away },
    /// Nobody any more.
    Ended(CloseReason),
}

/// A connection's own reader while it does not read.
#[derive(Clone, Debug)]
struct Away {
    waker: Waker,
    /// Somebody took the half since it last looked.
    used: bool,
}

/// The read half as its connection keeps it.
#[derive(Clone, Debug)]
pub(super) struct ReadHalf<H> {
    state: State<H>,
}

impl<H> Default for ReadHalf<H> {
    fn default() -> Self {
        Self { state: State::Own { waited: false } }
    }
}

impl<H> ReadHalf<H> {
    /// Takes the state out, to put another one in.
    fn take(&mut self) -> State<H> {
        std::mem::take(self).state
    }

    /// Leaves the frames that wait to whoever waits next. False: somebody reads.
    pub(super) const fn defer(&mut self) -> bool {
        match &mut self.state {
            State::Free { deferred, .. } => {
                *deferred = true;
                true
            }
            State::Own { .. } | State::Lent { .. } | State::Ended(_) => false,
        }
    }

    pub(super) const fn is_deferred(&self) -> bool {
        matches!(self.state, State::Free { deferred: true, .. })
    }

    pub(super) const fn undefer(&mut self) {
        if let State::Free { deferred, .. } = &mut self.state {
            *deferred = false;
        }
    }

    /// Whether a caller would have read by itself.
    pub(super) const fn is_wanted(&self) -> bool {
        matches!(self.state, State::Own { waited: true })
    }

    pub(super) fn free(&mut self, half: H, waker: Waker) {
        let away = Away { waker, used: true };
        self.state = State::Free { half, deferred: false, away };
    }

    pub(super) fn take_back(&mut self, others: bool) -> ReadTurn<H> {
        match self.take() {
            State::Free { half, deferred, away } if away.used && !others => {
                let away = Away { used: false, ..away };
                self.state = State::Free { half, deferred, away };
                ReadTurn::Wait
            }
            State::Free { half, .. } => ReadTurn::Read(half),
            State::Lent { away } => {
                self.state = State::Lent { away: Away { used: false, ..away } };
                ReadTurn::Wait
            }
            State::Ended(reason) => ReadTurn::Ended(reason),
            State::Own { .. } => ReadTurn::Ended(CloseReason::Ended),
        }
    }

    pub(super) fn borrow(&mut self) -> Option<H> {
        match self.take() {
            State::Free { half, away, .. } => {
                self.state = State::Lent { away: Away { used: true, ..away } };
                Some(half)
            }
            State::Own { .. } => {
                self.state = State::Own { waited: true };
                None
            }
            other @ (State::Lent { .. } | State::Ended(_)) => {
                self.state = other;
                None
            }
        }
    }

    /// Gives whom to wake: `others` wait, or the stream has ended.
    pub(super) fn put_back(
        &mut self,
        result: Result<H, CloseReason>,
        others: bool,
    ) -> Option<Waker> {
        let State::Lent { away } = self.take() else { return None };
        match result {
            Ok(half) => {
                let waker = others.then(|| away.waker.clone());
                self.state = State::Free { half, deferred: false, away };
                waker
            }
            Err(reason) => {
                self.state = State::Ended(reason);
                Some(away.waker)
            }
        }
    }

    /// Wakes the reader where nobody reads.
    pub(super) const fn wanted_back(&self) -> Option<&Waker> {
        match &self.state {
            State::Free { away, .. } => Some(&away.waker),
            State::Own { .. } | State::Lent { .. } | State::Ended(_) => None,
        }
    }
}
