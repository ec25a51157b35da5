//! Work that grows with the queues, done in turns: between two the client's lock is free.
//!
//! What is left of one is due at once: the adapter calls with `Input::Timeout` again, after whoever
//! waits for the lock had it.

use std::collections::VecDeque;

use super::{Consumer, Consumers};
use crate::effects::{ConsumerTimer, TimerKind};
use crate::id::{BrokerId, QueueKey, SubscriptionId};
use crate::remoting::Context;
use crate::route::Known;

/// Queues handled in one turn, whatever calls for it.
const QUEUES: usize = 256;

/// What is to be done for one queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chore {
    /// The queue goes on, if it can.
    Resume,
    /// What is new is committed.
    Commit,
    /// What the application has of it is looked at.
    Look,
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
    /// Whether something is to be done for the queue.
    pub(super) fn holds(&self, sub: SubscriptionId, queue: QueueKey) -> bool {
        self.left.iter().any(|(of, key, _)| (*of, *key) == (sub, queue))
    }
}

impl Consumers {
    /// A call into the engine begins, and with it a turn.
    pub(crate) const fn begin_turn(&mut self) {
        self.turns.handled = 0;
    }

    /// The client has stopped: nothing is left to do.
    pub(crate) fn stop(&mut self) {
        self.turns = Turns::default();
    }

    /// Lets every queue of a consumer that can go on do so.
    pub(super) fn resume_all(&mut self, ctx: &mut Context, known: Known<'_>, sub: SubscriptionId) {
        let Some(consumer) = self.get(sub) else { return };
        let resting = consumer.queues.iter().filter(|(_, queue)| queue.cursor.rests());
        let keys: Vec<QueueKey> = resting.map(|(key, _)| key).collect();
        self.attend(ctx, known, sub, keys, Chore::Resume);
    }

    /// The same for the queues on those brokers.
    pub(super) fn resume_on(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        sub: SubscriptionId,
        brokers: &[BrokerId],
    ) {
        let Some(consumer) = self.get(sub) else { return };
        let there = brokers.iter().flat_map(|broker| consumer.on(*broker));
        let rests =
            |key: &QueueKey| consumer.queues.get(*key).is_some_and(|queue| queue.cursor.rests());
        let keys: Vec<QueueKey> = there.filter(rests).collect();
        self.attend(ctx, known, sub, keys, Chore::Resume);
    }

    /// Does something for many queues: at once, while they are few and nothing is left from before.
    pub(super) fn attend(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        sub: SubscriptionId,
        queues: Vec<QueueKey>,
        chore: Chore,
    ) {
        self.turns.left.extend(queues.into_iter().map(|queue| (sub, queue, chore)));
        if !self.turns.armed {
            self.take_turn(ctx, known);
        }
    }

    /// The next turn of what is left.
    pub(super) fn turn_due(&mut self, ctx: &mut Context, known: Known<'_>) {
        self.turns.armed = false;
        self.take_turn(ctx, known);
    }

    fn take_turn(&mut self, ctx: &mut Context, known: Known<'_>) {
        let Self { slots, turns } = self;
        while turns.handled < QUEUES {
            let Some((sub, queue, chore)) = turns.left.pop_front() else { break };
            turns.handled += 1;
            if let Some(consumer) = slots.get_mut(sub) {
                consumer.attend(ctx, known, queue, chore);
            }
        }
        if !turns.left.is_empty() && !turns.armed {
            turns.armed = true;
            ctx.fx.timers.at(ctx.fx.now, TimerKind::Consumer(ConsumerTimer::Turn));
        }
    }
}

impl Consumer {
    fn attend(&mut self, ctx: &mut Context, known: Known<'_>, queue: QueueKey, chore: Chore) {
        match chore {
            Chore::Resume => self.resume(ctx, known, queue),
            Chore::Commit => self.commit(ctx, known, queue),
            Chore::Look => self.look(ctx, known, queue),
        }
    }
}
