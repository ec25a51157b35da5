//! Consumers that are suspended: they stay members and keep what they hold, and begin no pull and
//! hand out nothing until they are resumed. And reminders of whoever waits for their messages.

use super::{Consumer, Consumers};
use crate::effects::{ConsumerTimer, Event, TimerKind};
use crate::error::Stale;
use crate::id::SubscriptionId;
use crate::remoting::Context;
use crate::route::Known;
use crate::time::Instant;

impl Consumers {
    /// Suspends a consumer, or resumes it: then its queues go on, and what came meanwhile is handed
    /// out.
    pub(crate) fn suspend(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        sub: SubscriptionId,
        suspended: bool,
    ) -> Result<(), Stale> {
        let consumer = self.get_mut(sub).ok_or(Stale)?;
        let before = std::mem::replace(&mut consumer.suspended, suspended);
        if before && !suspended {
            // Whoever takes its messages may have kept some, too.
            ctx.fx.event(Event::Deliverable { sub });
            self.resume_all(ctx, known, sub);
        }
        Ok(())
    }

    /// Whether a consumer is suspended.
    pub(crate) fn is_suspended(&self, sub: SubscriptionId) -> bool {
        self.get(sub).is_some_and(|consumer| consumer.suspended)
    }

    /// Has whoever takes a consumer's messages look again at that time, instead of any set before.
    pub(crate) fn remind(&mut self, ctx: &mut Context, sub: SubscriptionId, at: Instant) {
        let Some(consumer) = self.get_mut(sub) else { return };
        if let Some((set, timer)) = consumer.reminder {
            if set == at {
                return;
            }
            ctx.fx.timers.cancel(timer);
        }
        let timer = ctx.fx.timers.at(at, TimerKind::Consumer(ConsumerTimer::Remind(sub)));
        consumer.reminder = Some((at, timer));
    }
}

impl Consumer {
    pub(super) fn remind_due(&mut self, ctx: &mut Context) {
        self.reminder = None;
        ctx.fx.event(Event::Deliverable { sub: self.id });
    }
}
