//! Work that grows with the queues, done in turns: between two the client's lock is free.
//!
//! What is left of one is due at once: the adapter calls with `Input::Timeout` again, after whoever
//! waits for the lock had it.

use std::collections::VecDeque;

use super::share::Place;
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
    /// The pull that is under way is given up, and another one begun: its filter is another one.
    PullAnew,
    /// What the application has of it is looked at.
    Look,
    /// What somebody waits for is committed.
    Commit,
}

/// What is left to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    /// Something for one queue.
    Queue(SubscriptionId, QueueKey, Chore),
    /// A consumer's oldest change of its share.
    Transfer(SubscriptionId),
    /// A queue goes on at an offset that somebody has set. It is named by its place: it begins a
    /// new life with each.
    Reset(SubscriptionId, Place, i64),
    /// What is new is committed, in all queues of a consumer, or those behind that place.
    Commit(SubscriptionId, Option<Place>),
    /// A consumer leaves: its queues are given up.
    Leave(SubscriptionId),
}

impl Left {
    /// Whose it is.
    const fn sub(self) -> SubscriptionId {
        match self {
            Self::Queue(sub, ..)
            | Self::Transfer(sub)
            | Self::Reset(sub, ..)
            | Self::Commit(sub, _)
            | Self::Leave(sub) => sub,
        }
    }
}

/// What is left for the next turns, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Turns {
    left: VecDeque<Left>,
    /// The timer of the next turn is set.
    armed: bool,
    /// Queues that were handled in this turn.
    handled: usize,
}

impl Turns {
    /// Whether something is to be done for the queue.
    pub(super) fn holds(&self, sub: SubscriptionId, queue: QueueKey) -> bool {
        let is =
            |left: &Left| matches!(left, Left::Queue(of, key, _) if (*of, *key) == (sub, queue));
        self.left.iter().any(is)
    }

    /// Whether a change of a consumer's share waits.
    pub(super) fn has_transfer(&self, sub: SubscriptionId) -> bool {
        self.left.contains(&Left::Transfer(sub))
    }

    /// Whether queues of a consumer that leaves wait to be given up.
    pub(super) fn has_leave(&self, sub: SubscriptionId) -> bool {
        self.left.contains(&Left::Leave(sub))
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
        self.orphans.clear();
    }

    /// Lets every queue of a consumer that can go on do so.
    pub(super) fn resume_all(&mut self, ctx: &mut Context, known: Known<'_>, sub: SubscriptionId) {
        let Some(consumer) = self.get(sub) else { return };
        let keys = consumer.resting();
        self.attend(ctx, known, sub, keys, Chore::Resume);
    }

    /// Lets every queue on those brokers that can go on do so.
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
        self.turns.left.extend(queues.into_iter().map(|queue| Left::Queue(sub, queue, chore)));
        self.take_turn_unless_armed(ctx, known);
    }

    /// The same for the change of a consumer's share that was told last.
    pub(super) fn attend_transfer(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        sub: SubscriptionId,
    ) {
        self.turns.left.push_back(Left::Transfer(sub));
        self.take_turn_unless_armed(ctx, known);
    }

    /// The same for queues that go on at offsets that somebody has set.
    pub(super) fn attend_resets(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        sub: SubscriptionId,
        moves: Vec<(Place, i64)>,
    ) {
        self.turns.left.extend(moves.into_iter().map(|(at, to)| Left::Reset(sub, at, to)));
        self.take_turn_unless_armed(ctx, known);
    }

    /// The same for what is new in a consumer's queues, unless that is being done.
    pub(super) fn attend_commits(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        sub: SubscriptionId,
    ) {
        let under_way = |left: &Left| matches!(left, Left::Commit(of, _) if *of == sub);
        if !self.turns.left.iter().any(under_way) {
            self.turns.left.push_back(Left::Commit(sub, None));
        }
        self.take_turn_unless_armed(ctx, known);
    }

    /// The same for the queues of a consumer that leaves.
    pub(crate) fn leaving(&mut self, ctx: &mut Context, known: Known<'_>, sub: SubscriptionId) {
        self.turns.left.push_back(Left::Leave(sub));
        self.take_turn_unless_armed(ctx, known);
    }

    fn take_turn_unless_armed(&mut self, ctx: &mut Context, known: Known<'_>) {
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
        let Self { slots, turns, .. } = self;
        while turns.handled < QUEUES {
            let Some(left) = turns.left.pop_front() else { break };
            let Some(consumer) = slots.get_mut(left.sub()) else { continue };
            let room = QUEUES - turns.handled;
            match left {
                Left::Queue(_, queue, chore) => {
                    turns.handled += 1;
                    consumer.attend(ctx, known, queue, chore);
                }
                Left::Reset(_, at, to) => {
                    // It commits, and pulls.
                    turns.handled += 2;
                    consumer.go_on_at(ctx, known, at, to);
                }
                Left::Commit(sub, behind) => {
                    let (handled, behind) = consumer.commit_some(ctx, known, behind, room);
                    turns.handled += handled;
                    if behind.is_some() {
                        turns.left.push_front(Left::Commit(sub, behind));
                    }
                }
                Left::Leave(_) => {
                    let handled = consumer.lose_some(ctx, known, room);
                    turns.handled += handled.queues;
                    if handled.more {
                        turns.left.push_front(left);
                    }
                }
                Left::Transfer(sub) => {
                    let handled = consumer.transfer(ctx, known, room);
                    turns.handled += handled.queues.max(1);
                    if handled.more {
                        turns.left.push_front(left);
                    } else if consumer.bounds.are_divided() && !consumer.is_leaving() {
                        // Each queue's part of what its topic may hold is another one.
                        let queues = consumer.resting().into_iter();
                        turns.left.extend(queues.map(|key| Left::Queue(sub, key, Chore::Resume)));
                    }
                }
            }
        }
        if !turns.left.is_empty() && !turns.armed {
            turns.armed = true;
            ctx.fx.timers.at(ctx.fx.now, TimerKind::Consumer(ConsumerTimer::Turn));
        }
    }
}

/// What a turn has done of a change.
#[derive(Clone, Copy, Debug)]
pub(super) struct Handled {
    pub(super) queues: usize,
    /// Some of it is left.
    pub(super) more: bool,
}

impl Consumer {
    /// The queues of which nothing is under way.
    fn resting(&self) -> Vec<QueueKey> {
        let resting = self.queues.iter().filter(|(_, queue)| queue.cursor.rests());
        resting.map(|(key, _)| key).collect()
    }

    fn attend(&mut self, ctx: &mut Context, known: Known<'_>, queue: QueueKey, chore: Chore) {
        match chore {
            Chore::Resume => self.resume(ctx, known, queue),
            Chore::PullAnew => self.pull_anew(ctx, known, queue),
            Chore::Look => self.look(ctx, known, queue),
            Chore::Commit => self.commit_calls_go_on(ctx, known, queue),
        }
    }
}
