//! Consumers that finish and leave: nothing more is pulled or handed out, what was handed out may
//! be settled until a deadline, what is settled is committed, and brokers are told.

use std::time::Duration;

use super::{Consumer, Consumers, Phase};
use crate::effects::{ConsumerTimer, Event, Leftover, Signal, TimerKind};
use crate::error::Stale;
use crate::id::SubscriptionId;
use crate::remoting::Context;
use crate::route::Known;

impl Consumers {
    /// A consumer finishes within that time, and leaves.
    pub(crate) fn drain(
        &mut self,
        ctx: &mut Context,
        sub: SubscriptionId,
        within: Duration,
    ) -> Result<(), Stale> {
        self.get_mut(sub).ok_or(Stale)?.drain_within(ctx, within);
        Ok(())
    }

    /// A consumer leaves at once, unless it finishes.
    pub(crate) fn leave(&mut self, ctx: &mut Context, sub: SubscriptionId) -> Result<(), Stale> {
        let consumer = self.get_mut(sub).ok_or(Stale)?;
        if !consumer.is_leaving() && !consumer.is_draining() {
            consumer.drain_over(ctx);
        }
        Ok(())
    }

    /// Brokers are being told of a consumer's [`Farewell`](Signal::Farewell), so many.
    pub(crate) fn unregistering(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        sub: SubscriptionId,
        waiting: usize,
    ) {
        let Some(consumer) = self.get_mut(sub) else { return };
        consumer.phase = Phase::Unregistering { waiting };
        if waiting == 0 {
            self.left(ctx, known, sub);
        }
    }

    /// One of them answered, or can't.
    pub(crate) fn unregistered(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        sub: SubscriptionId,
    ) {
        let Some(consumer) = self.get_mut(sub) else { return };
        match &mut consumer.phase {
            Phase::Unregistering { waiting } => {
                *waiting = waiting.saturating_sub(1);
                if *waiting == 0 {
                    self.left(ctx, known, sub);
                }
            }
            Phase::Joining | Phase::Member | Phase::Committing => {}
        }
    }

    /// Commits have taken long enough: brokers are told without them, or the group would count a
    /// member that is none for as long as its client's connections live, up to two minutes. When
    /// that takes too long as well, it has left.
    pub(super) fn leave_overdue(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        sub: SubscriptionId,
    ) {
        let Some(consumer) = self.get_mut(sub) else { return };
        if consumer.phase != Phase::Committing {
            return self.left(ctx, known, sub);
        }
        consumer.lose_uncommitted(ctx);
        consumer.give_up_all();
        let group = consumer.group.clone();
        ctx.fx.signal(Signal::Farewell { sub, group });
        let rest = ctx.fx.now + ctx.fx.config.shutdown_timeout / 4;
        ctx.fx.timers.at(rest, TimerKind::Consumer(ConsumerTimer::Leave(sub)));
    }

    /// Every broker has heard that it left, or it has taken long enough.
    pub(super) fn left(&mut self, ctx: &mut Context, known: Known<'_>, sub: SubscriptionId) {
        let Some(mut consumer) = self.slots.remove(sub) else { return };
        if !consumer.is_leaving() {
            consumer.end_drain(ctx);
        }
        consumer.lose_uncommitted(ctx);
        consumer.give_up_all();
        let (unsettled, uncommitted) = (consumer.left_unsettled, consumer.uncommitted());
        let leftover = Leftover { unsettled, uncommitted };
        consumer.end_commit_calls(ctx);
        self.forget_unread(ctx, known);
        if let Some(local) = consumer.local.take() {
            let (store, orphan) = local.end(&mut ctx.fx);
            self.orphans.extend(orphan.map(|orphan| (sub, orphan)));
            ctx.fx.events.extend(store.map(|store| Event::StoreSpent { store }));
        }
        ctx.fx.event(Event::RuleSpent { rule: consumer.strategy });
        ctx.fx.event(Event::Left { sub, leftover });
    }

    /// The client has taken long enough: all are gone.
    pub(crate) fn all_left(&mut self, ctx: &mut Context, known: Known<'_>) {
        for sub in self.ids() {
            self.left(ctx, known, sub);
        }
    }
}

impl Consumer {
    fn drain_within(&mut self, ctx: &mut Context, within: Duration) {
        if self.is_leaving() {
            return;
        }
        let by = ctx.fx.now + within;
        if let Some((set, timer)) = self.drain_timer() {
            if set <= by {
                return;
            }
            ctx.fx.timers.cancel(timer);
        }
        let timer = ctx.fx.timers.at(by, TimerKind::Consumer(ConsumerTimer::Drain(self.id)));
        self.drain_by(ctx.fx.plant, by, timer);
        // Whoever waits for messages learns that none will come.
        ctx.fx.event(Event::Deliverable { sub: self.id });
        self.leave_if_drained(ctx);
    }

    /// Nothing that was handed out is left: it need not wait any longer.
    pub(super) fn leave_if_drained(&mut self, ctx: &mut Context) {
        if self.is_drained() {
            self.drain_over(ctx);
        }
    }

    /// A consumer has finished, or has taken long enough.
    pub(super) fn drain_over(&mut self, ctx: &mut Context) {
        self.end_drain(ctx);
        self.refuse_direct(ctx);
        if let Some((_, timer)) = self.rebalance_timer.take() {
            ctx.fx.timers.cancel(timer);
        }
        // Commits under way are answered first; giving up the queues, in turns, makes the last ones
        // final.
        self.phase = Phase::Committing;
        self.hurry_saves(ctx);
        self.forget_shares();
        ctx.fx.signal(Signal::Leaving(self.id));
        let overdue = ctx.fx.now + ctx.fx.config.shutdown_timeout * 3 / 4;
        ctx.fx.timers.at(overdue, TimerKind::Consumer(ConsumerTimer::Leave(self.id)));
    }

    /// One that leaves has brokers told once its queues are given up and no commit of it is under
    /// way: they may give its queues to others.
    pub(super) fn unregister_if_committed(&mut self, ctx: &mut Context) {
        let committed = self.commits.is_empty() && self.lasts.is_quiet() && self.queues.is_empty();
        let done = committed && self.locks.are_given_back();
        if self.phase != Phase::Committing || !done {
            return;
        }
        if self.is_saved(ctx) {
            let (sub, group) = (self.id, self.group.clone());
            ctx.fx.signal(Signal::Farewell { sub, group });
        }
    }
}
