//! Queues of a consumer that is polled, moved to other offsets, held and released.
//!
//! A queue that is sought elsewhere begins a new life there, as one whose offset an administrator
//! moves does: what was pulled before, an answer that is still on its way, and what the last poll
//! gave of it belong to the old one, and count no more.

use super::assign::Assigned;
use super::turns::Chore;
use super::{Consumer, Consumers};
use crate::effects::{Event, Planted};
use crate::error::Stale;
use crate::id::{QueueKey, SubscriptionId};
use crate::name::QueueName;
use crate::remoting::Context;
use crate::route::Known;

impl Consumers {
    /// A queue goes on at `to`.
    pub(crate) fn seek(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        sub: SubscriptionId,
        (queue, to): (&QueueName, i64),
    ) -> Result<(), Stale> {
        let consumer = self.get_mut(sub).filter(|consumer| !consumer.is_leaving()).ok_or(Stale)?;
        match (consumer.own(known, queue), &mut consumer.assigned) {
            (Some(key), _) => consumer.seek(ctx, known, key, to),
            (None, Some(assigned)) => assigned.wish(queue).ok_or(Stale)?.offset = Some(to),
            (None, None) => return Err(Stale),
        }
        Ok(())
    }

    /// Queues are held, or released. Gives those that are none of the consumer's.
    pub(crate) fn hold(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        sub: SubscriptionId,
        (queues, held): (&[QueueName], bool),
    ) -> Vec<QueueName> {
        let Some(consumer) = self.get_mut(sub) else { return queues.to_vec() };
        let (mut others, mut released) = (Vec::new(), Vec::new());
        for name in queues {
            match consumer.own(known, name) {
                Some(key) if held => consumer.hold(key),
                Some(key) => released.extend(consumer.unhold(key).then_some(key)),
                None => {
                    let assigned = consumer.assigned.as_mut();
                    match assigned.and_then(|assigned| assigned.wish(name)) {
                        Some(wish) => wish.held = held,
                        None => others.push(name.clone()),
                    }
                }
            }
        }
        if held {
            consumer.forget_turns();
        } else if consumer.has_ready() {
            ctx.fx.event(Event::Deliverable { sub });
        }
        self.attend(ctx, known, sub, released, Chore::Resume);
        others
    }

    /// The queues that are held.
    pub(crate) fn held(&self, sub: SubscriptionId) -> Vec<QueueName> {
        let Some(consumer) = self.get(sub) else { return Vec::new() };
        let there = consumer.queues.iter().filter(|(_, queue)| queue.held);
        let there = there.map(|(_, queue)| queue.name.clone());
        let wished = consumer.assigned.iter().flat_map(Assigned::held);
        there.chain(wished.cloned()).collect()
    }
}

impl Consumer {
    fn seek(&mut self, ctx: &mut Context, known: Known<'_>, mut key: QueueKey, to: i64) {
        let plant = ctx.fx.plant;
        let Some(queue) = self.queues.get_mut(key) else { return };
        let pulls = queue.is_begun() && !queue.cursor.rests() && queue.cursor.timer().is_none();
        if pulls && queue.window.ready.is_empty() && plant.is(Planted::TakesBeforeSeek) {
            queue.move_in_place(to, plant);
            return self.resume(ctx, known, key);
        }
        let place = (queue.topic, queue.at);
        if let Some(asked) = queue.cursor.asked() {
            ctx.give_up_with_timer(asked);
        }
        let Some(anew) = self.begin_anew_at(ctx, place, to) else { return };
        self.commit_calls_go_on(ctx, known, std::mem::replace(&mut key, anew));
        self.resume(ctx, known, key);
        self.look_at_queues();
        self.leave_if_drained(ctx);
    }

    /// A queue begins no pull and hands nothing out.
    fn hold(&mut self, key: QueueKey) {
        if let Some(queue) = self.queues.get_mut(key).filter(|queue| !queue.held) {
            queue.held = true;
            self.handouts.hold(queue.window.ready.len());
        }
    }

    /// What it has is handed out again. False if it was not held.
    fn unhold(&mut self, key: QueueKey) -> bool {
        let Some(queue) = self.queues.get_mut(key).filter(|queue| queue.held) else { return false };
        queue.held = false;
        self.handouts.release(key, queue.window.ready.len());
        true
    }
}
