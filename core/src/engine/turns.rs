//! Work that grows with what there is, done in turns: between two the client's lock is free.
//!
//! A turn handles so many timers, or so many queues. What is left is due at once: the adapter calls
//! with `Input::Timeout` again, after whoever waits for the lock had it.

use std::collections::VecDeque;

use super::{Engine, TimerKind};
use crate::id::{QueueKey, SubscriptionId};

/// Timers handled in one turn.
const TIMERS: usize = 256;
/// Queues handled in one turn, whatever calls for it.
const QUEUES: usize = 256;

/// What is to be done for one queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chore {
    /// It goes on, if it can.
    Poke,
    /// What is new is committed.
    Commit,
}

/// What is left for the next turns, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Turns {
    left: VecDeque<(SubscriptionId, QueueKey, Chore)>,
    /// The timer of the next turn is set.
    armed: bool,
    /// Queues that were handled in this turn.
    handled: usize,
}

impl Turns {
    /// A call into the engine begins, and with it a turn.
    pub(super) const fn begin(&mut self) {
        self.handled = 0;
    }

    /// Nothing is left to do.
    pub(super) fn end(&mut self) {
        *self = Self::default();
    }

    /// Whether something is to be done for the queue.
    pub(super) fn holds(&self, sub: SubscriptionId, queue: QueueKey) -> bool {
        self.left.iter().any(|(of, key, _)| (*of, *key) == (sub, queue))
    }
}

impl Engine {
    /// Handles what is due, as far as one turn goes.
    pub(super) fn time_passed(&mut self) {
        for _ in 0..TIMERS {
            let Some(kind) = self.ctx.fx.timers.pop_due(self.ctx.fx.now) else { break };
            let whole = kind == TimerKind::Turn;
            self.fire(kind);
            if whole {
                break;
            }
        }
        self.ctx.fx.flush_notes();
    }

    /// Does something for many queues: at once, while they are few and nothing is left from before.
    pub(super) fn attend(&mut self, sub: SubscriptionId, queues: Vec<QueueKey>, chore: Chore) {
        self.turns.left.extend(queues.into_iter().map(|queue| (sub, queue, chore)));
        if !self.turns.armed {
            self.take_turn();
        }
    }

    /// The next turn of what is left.
    pub(super) fn turn_due(&mut self) {
        self.turns.armed = false;
        self.take_turn();
    }

    fn take_turn(&mut self) {
        while self.turns.handled < QUEUES {
            let Some((sub, queue, chore)) = self.turns.left.pop_front() else { break };
            self.turns.handled += 1;
            match chore {
                Chore::Poke => self.poke(sub, queue),
                Chore::Commit => self.commit_one(sub, queue),
            }
        }
        if !self.turns.left.is_empty() && !self.turns.armed {
            self.turns.armed = true;
            self.ctx.fx.timers.at(self.ctx.fx.now, TimerKind::Turn);
        }
    }
}
