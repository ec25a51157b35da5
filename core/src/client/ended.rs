//! How a shutdown, or a consumer's leaving, came to its end.

use std::fmt;
use std::sync::Arc;
use std::task::Waker;

use crate::effects::Leftover;
use crate::error::FilterRefused;

/// How a shutdown, or a consumer's leaving, came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ended {
    /// All of it is done, and every message that the application held meanwhile was settled.
    InOrder,
    /// It is done, and so many messages that the application held were not settled: given back or
    /// dropped instead, held to the end, or gone with their queues to another member. They are
    /// delivered again, to whoever gets their queues.
    Unsettled(usize),
    /// It is done, but brokers did not confirm, within `shutdown_timeout`, how far some queues were
    /// settled: what was settled there since the commit before, within 5 s as a rule, may be
    /// delivered again.
    Uncommitted {
        /// Queues of which that is so.
        queues: usize,
        /// Messages that were not settled, as those of [`Unsettled`](Self::Unsettled).
        unsettled: usize,
    },
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InOrder => f.write_str("ended in order: every message in hand was settled"),
            Self::Uncommitted { queues, unsettled } => write!(
                f,
                "ended with {unsettled} messages unsettled, and with no broker's word that the \
                 last offsets of {queues} queues are stored: what was settled since the ones \
                 before may come again"
            ),
            Self::Unsettled(1) => f.write_str("ended with 1 message unsettled: it comes again"),
            Self::Unsettled(count) => {
                write!(f, "ended with {count} messages unsettled: they come again")
            }
        }
    }
}

impl Ended {
    pub(super) const fn with(leftover: Leftover) -> Self {
        match leftover {
            Leftover { unsettled: 0, uncommitted: 0 } => Self::InOrder,
            Leftover { unsettled, uncommitted: 0 } => Self::Unsettled(unsettled),
            Leftover { unsettled, uncommitted: queues } => Self::Uncommitted { queues, unsettled },
        }
    }
}

/// Why a shutdown, or a consumer's leaving, was not seen to its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndError {
    /// The runtime was dropped before, or a thread panicked in this client: nothing more was
    /// committed, and no broker was told.
    #[error("the client's runtime is gone: nothing more was committed, and no broker was told")]
    RuntimeGone,
    /// A broker can't filter as the consumer asked for ([`Filter::sql`]): it left its group for
    /// that, in good order, or never joined it.
    ///
    /// [`Filter::sql`]: crate::consumer::Filter::sql
    #[error("{0}: the consumer has left its group")]
    Filter(Arc<FilterRefused>),
    /// Nothing was waited for: waiting would block the very thread that has to do it. It goes on in
    /// the background, and a program that ends now cuts it short.
    #[error("waiting here would block the thread that does the work: await the end instead")]
    WouldDeadlock,
    /// This process is a fork of the one that made the client, and nothing of it is done here.
    #[error("this process is a fork of the one that made the client, in which alone it ends")]
    Forked,
}

/// Those who wait for the client to stop, each in a place of its own however often it asks.
#[derive(Debug, Default)]
pub(crate) struct Stops(Vec<Option<Waker>>);

impl Stops {
    /// Keeps a waker in its place, and gives the one that was there.
    pub(super) fn keep(&mut self, place: &mut Option<usize>, waker: &mut Option<Waker>) {
        let free = || self.0.iter().position(Option::is_none).unwrap_or(self.0.len());
        let at = *place.get_or_insert_with(free);
        if at == self.0.len() {
            self.0.push(None);
        }
        std::mem::swap(&mut self.0[at], waker);
    }

    /// Nobody waits there any more. Gives the waker, which is for dropping after the lock.
    pub(super) fn forget(&mut self, place: usize) -> Option<Waker> {
        self.0.get_mut(place)?.take()
    }

    /// Whom to wake.
    pub(super) fn take_all(&mut self) -> impl Iterator<Item = Waker> {
        std::mem::take(&mut self.0).into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_told_as_a_sentence() {
        let said = |unsettled| Ended::with(Leftover { unsettled, uncommitted: 0 }).to_string();
        assert_eq!(said(0), "ended in order: every message in hand was settled");
        assert_eq!(said(1), "ended with 1 message unsettled: it comes again");
        assert_eq!(said(12), "ended with 12 messages unsettled: they come again");
    }
}
