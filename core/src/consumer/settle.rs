//! Messages handed out, settled, and given back.

use std::time::Duration;

use super::send_back::Back;
use super::{BatchId, Consumer, Consumers, DeliveryId, Handout, Outcome, Settled};
use crate::effects::{ConsumerTimer, Event, Planted, TimerKind};
use crate::error::Stale;
use crate::id::SubscriptionId;
use crate::remoting::Context;
use crate::route::Known;

impl Consumers {
    /// The next messages of a consumer, oldest pull first.
    pub(crate) fn take(&mut self, ctx: &mut Context, sub: SubscriptionId) -> Option<Handout> {
        let consumer = self.get_mut(sub)?;
        let handout = consumer.take(ctx.fx.now)?;
        consumer.look_later(ctx);
        Some(handout)
    }

    /// Whether it would give some.
    pub(crate) fn has_ready(&self, sub: SubscriptionId) -> bool {
        self.get(sub).is_some_and(Consumer::has_ready)
    }

    /// Whether a consumer gives messages, now or later.
    #[cfg(feature = "client")]
    pub(crate) fn gives(&self, sub: SubscriptionId) -> bool {
        let gives = |consumer: &Consumer| !consumer.is_leaving() && !consumer.is_draining();
        self.get(sub).is_some_and(gives)
    }

    /// Says what became of one message.
    pub(crate) fn settle(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        id: DeliveryId,
        outcome: Outcome,
    ) -> Result<(), Stale> {
        let consumer = self.get_mut(id.batch.sub).ok_or(Stale)?;
        let Some(batch) = consumer.batch(id.batch) else {
            consumer.elder_over(ctx, id.batch, id.index..id.index.saturating_add(1));
            return Err(Stale);
        };
        if id.batch.is_direct() {
            consumer.direct_settled(ctx, id, outcome);
            return Ok(());
        }
        let settles = match outcome {
            Outcome::Done => true,
            Outcome::Retry { .. } => ctx.fx.plant.is(Planted::RetrySettles),
            Outcome::Reject | Outcome::Again | Outcome::Here(_) => false,
        };
        if settles {
            if batch.settle(id.index) == Settled::Last {
                consumer.batch_ended(ctx, known, id.batch)?;
            }
        } else if consumer.is_leaving() {
            // Its queues are being given up: what is not settled goes to other members.
            return Err(Stale);
        } else if !batch.is_settled(id.index) && !consumer.is_on_its_way(id) {
            consumer.give_back(ctx, known, id, outcome);
        }
        Ok(())
    }

    /// The last message of a batch was settled: its room is free again.
    pub(crate) fn batch_ended(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        id: BatchId,
    ) -> Result<(), Stale> {
        let consumer = self.get_mut(id.sub).ok_or(Stale)?;
        if id.is_direct() {
            let id = DeliveryId { batch: id, index: 0 };
            consumer.direct_settled(ctx, id, Outcome::Done);
            return Ok(());
        }
        consumer.batch_ended(ctx, known, id)
    }

    /// Messages that were taken, and that were not handed on since.
    pub(crate) fn give_back(&mut self, ctx: &mut Context, known: Known<'_>, handout: &Handout) {
        let id = handout.batch.id();
        if let Some(consumer) = self.get_mut(id.sub) {
            if handout.batch.is_orderly() {
                consumer.park(ctx, known, handout);
                consumer.elder_over(ctx, id, handout.next..handout.end);
            }
            consumer.withhold(id, handout.next..handout.end);
            consumer.leave_if_drained(ctx);
        }
    }
}

impl Consumer {
    pub(super) fn batch_ended(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        id: BatchId,
    ) -> Result<(), Stale> {
        let Some(queue) = self.queues.get_mut(id.queue) else {
            self.elder_over(ctx, id, 0..0);
            return Err(Stale);
        };
        if let Some(batch) = queue.window.end(id.number) {
            self.tallies.of(queue.topic).ended(&batch, ctx.fx.now);
        }
        self.resume(ctx, known, id.queue);
        self.look_at(id);
        self.settled_in_order(ctx, known, id);
        self.leave_if_drained(ctx);
        Ok(())
    }

    /// Whether the message is being sent back.
    fn is_on_its_way(&self, id: DeliveryId) -> bool {
        let queue = self.queues.get(id.batch.queue);
        let again = queue.and_then(|queue| queue.window.again.get(&(id.batch.number, id.index)));
        again.is_some_and(|again| again.leaving().is_some())
    }

    /// The application is not done with a message.
    fn give_back(&mut self, ctx: &mut Context, known: Known<'_>, id: DeliveryId, outcome: Outcome) {
        if self.is_orderly() {
            self.give_back_in_order(ctx, known, id, outcome);
            return self.release_if_idle(ctx, known, id.batch.queue);
        }
        match outcome {
            outcome if self.broadcasts() => self.fail_here(ctx, known, id, outcome),
            Outcome::Retry { after } => self.send_back(ctx, known, id, Back::after(after)),
            Outcome::Reject => self.send_back(ctx, known, id, Back::Dead),
            Outcome::Here(after) => self.give_back_after(ctx, id, after),
            Outcome::Again if !self.is_draining() => {
                let delay = self.bounds.retry_delay;
                self.offer_again(ctx.fx.now, id, |again| again.dropped(delay));
                self.await_again(ctx);
            }
            Outcome::Again | Outcome::Done => self.give_back_after(ctx, id, Duration::ZERO),
        }
    }

    /// A message is to be delivered again to this consumer, after so long; not by one that
    /// finishes.
    pub(super) fn give_back_after(&mut self, ctx: &mut Context, id: DeliveryId, after: Duration) {
        if self.is_orderly() {
            return self.rest(ctx, id, after);
        }
        if self.is_draining() {
            self.given_back(id.batch, id.index);
            self.leave_if_drained(ctx);
        } else {
            self.offer_again(ctx.fx.now, id, |_| after);
            self.await_again(ctx);
        }
    }

    /// The time of what was given back has come.
    pub(super) fn deliver_again(&mut self, ctx: &mut Context) {
        self.handouts.timer = None;
        if self.wake_later(ctx.fx.now) {
            ctx.fx.event(Event::Deliverable { sub: self.id });
        }
        self.await_again(ctx);
    }

    /// Sets the one timer for what the consumer is to be given again.
    pub(super) fn await_again(&mut self, ctx: &mut Context) {
        let (next, timer) = (self.next_again(), self.handouts.timer);
        let Some(at) = next.filter(|at| timer.is_none_or(|(set, _)| *at < set)) else { return };
        if let Some((_, timer)) = timer {
            ctx.fx.timers.cancel(timer);
        }
        let timer = ctx.fx.timers.at(at, TimerKind::Consumer(ConsumerTimer::Again(self.id)));
        self.handouts.timer = Some((at, timer));
    }
}
