//! The write half of a connection: who writes.
//!
//! | state | leaves on | to |
//! |---|---|---|
//! | Idle | a caller, or the writing task, takes the writer | Held |
//! | Held | what was taken is written, or the system takes no more | Idle |
//! | | a write failed | Broken |
//! | Broken | never: the reader sees the end | |
//!
//! The writing task's waker is kept while it waits. Without one it has been woken, or it runs: it
//! asks again before it waits. What the system did not take is the writing task's alone.

use std::task::Waker;

use super::coalesce::Coalesce;
use super::traffic::{Backlog, Traffic};
use super::writer::Writer;

/// Who writes.
#[derive(Clone, Debug)]
enum State<W> {
    /// Nobody.
    Idle(W),
    /// Whoever has the writer.
    Held,
    /// Nobody any more. The writer knows what never left.
    Broken(W),
}

/// What a writing task is to do next.
#[derive(Debug)]
pub(crate) enum WriteTurn<W = Box<Writer>> {
    /// Fill this under the lock, write it, then give it back.
    Write(W),
    /// Let those who are about to send go first, then ask again. Nobody waits for `oneway`
    /// messages: they have time.
    Yield { oneway: bool },
    /// Nothing until the waker is woken.
    Wait,
    /// The connection is gone.
    Gone,
}

/// How a write went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// As far as the system would take it; what has come meanwhile is the writing task's.
    Done,
    /// The same, but who wrote would write what has come meanwhile.
    Again,
    /// It failed.
    Broken,
}

/// The write half as its connection keeps it.
#[derive(Clone, Debug)]
pub(super) struct WriteHalf<W> {
    state: State<W>,
    /// Wakes the writing task or thread.
    waker: Option<Waker>,
    coalesce: Coalesce,
}

impl<W: Backlog> WriteHalf<W> {
    pub(super) fn new(writer: W) -> Self {
        Self { state: State::Idle(writer), waker: None, coalesce: Coalesce::default() }
    }

    /// Takes the writer for a caller that `may` write, where nobody has it and the system has taken
    /// everything so far.
    pub(super) fn take_if(&mut self, may: bool) -> Option<W> {
        let State::Idle(writer) = &self.state else { return None };
        if may && writer.is_empty() { self.take() } else { None }
    }

    fn take(&mut self) -> Option<W> {
        match std::mem::replace(&mut self.state, State::Held) {
            State::Idle(writer) => Some(writer),
            other @ (State::Held | State::Broken(_)) => {
                self.state = other;
                None
            }
        }
    }

    /// Has the writing task look. Without a waker it does anyway.
    pub(super) const fn wake(&mut self) -> Option<Waker> {
        self.waker.take()
    }

    /// The waker that is kept from now on is cloned under the lock, as the one exception, and only
    /// where it has changed: it is the adapter's own. The one it replaces is left in `replaced`.
    pub(super) fn turn(
        &mut self,
        waker: &Waker,
        replaced: &mut Option<Waker>,
        yielded: bool,
        traffic: &impl Traffic,
    ) -> WriteTurn<W> {
        let waits = match &self.state {
            State::Idle(writer) => traffic.has_frames() || !writer.is_empty(),
            State::Held => false,
            State::Broken(_) => return WriteTurn::Gone,
        };
        if !waits {
            if !self.waker.as_ref().is_some_and(|old| old.will_wake(waker)) {
                *replaced = self.waker.replace(waker.clone());
            }
            return WriteTurn::Wait;
        }
        if yielded {
            self.coalesce.end(traffic.frames());
        } else {
            let oneway = traffic.has_oneway();
            if oneway || (traffic.is_crowded() && self.coalesce.begin(traffic.frames())) {
                return WriteTurn::Yield { oneway };
            }
        }
        match self.take() {
            Some(writer) => WriteTurn::Write(writer),
            None => WriteTurn::Gone,
        }
    }

    pub(super) fn put_back(&mut self, writer: W, wrote: Written) {
        self.state = match wrote {
            Written::Done | Written::Again => State::Idle(writer),
            Written::Broken => State::Broken(writer),
        };
    }

    pub(super) const fn is_held(&self) -> bool {
        matches!(self.state, State::Held)
    }

    /// The writer, unless somebody has it.
    pub(super) const fn idle(&self) -> Option<&W> {
        match &self.state {
            State::Idle(writer) | State::Broken(writer) => Some(writer),
            State::Held => None,
        }
    }
}
