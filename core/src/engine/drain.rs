//! Consumers that finish: nothing more is pulled or handed out, and what was handed out may be
//! settled until a deadline. Then they leave.

use std::time::Duration;

use super::{Engine, Event, TimerKind};
use crate::consumer::BatchId;
use crate::error::Stale;
use crate::id::SubscriptionId;
use crate::time::Instant;

impl Engine {
    /// Leaves a group in good order: no message is pulled or handed out any more, those that were
    /// handed out may be settled for `within`, and then it [leaves](Self::leave), at once when none
    /// is left. Meanwhile it stays a member, and gains no queue. What is given back is not handed
    /// out here again: it stays unsettled, and goes to other members.
    ///
    /// A second call may only shorten the time.
    pub fn drain(
        &mut self,
        now: Instant,
        sub: SubscriptionId,
        within: Duration,
    ) -> Result<(), Stale> {
        let now = self.tick(now);
        let consumer = self.consumers.get_mut(sub).ok_or(Stale)?;
        if consumer.is_leaving() {
            return Ok(());
        }
        if let Some((set, timer)) = consumer.drain_timer() {
            if set <= now + within {
                return Ok(());
            }
            self.ctx.fx.timers.cancel(timer);
        }
        let timer = self.ctx.fx.timers.at(now + within, TimerKind::Drain(sub));
        consumer.drain_by(now + within, timer);
        // Whoever waits for messages learns that none will come.
        self.ctx.fx.event(Event::Deliverable { sub });
        self.leave_if_drained(sub);
        Ok(())
    }

    /// Messages that [`poll_batch`](Self::poll_batch) gave, and that were not handed on since.
    #[cfg(feature = "client")]
    pub(crate) fn give_back(&mut self, now: Instant, handout: &crate::consumer::Handout) {
        self.tick(now);
        let id = handout.batch.id();
        if let Some(consumer) = self.consumers.get_mut(id.sub) {
            consumer.withhold(id, handout.next..handout.end);
            self.leave_if_drained(id.sub);
        }
    }

    /// One message of the batch was settled, or is not to be settled here any more.
    pub(super) fn settled_of(&mut self, id: BatchId) {
        if let Some(consumer) = self.consumers.get_mut(id.sub) {
            consumer.look_at(id);
            self.leave_if_drained(id.sub);
        }
    }

    /// Nothing that was handed out is left: it need not wait any longer.
    pub(super) fn leave_if_drained(&mut self, sub: SubscriptionId) {
        if self.consumers.get(sub).is_some_and(|consumer| consumer.is_drained()) {
            self.drain_over(sub);
        }
    }

    /// It has finished, or has taken long enough.
    pub(super) fn drain_over(&mut self, sub: SubscriptionId) {
        let Some(consumer) = self.consumers.get_mut(sub) else { return };
        if let Some((_, timer)) = consumer.end_drain() {
            self.ctx.fx.timers.cancel(timer);
        }
        self.leave_now(sub);
    }
}
