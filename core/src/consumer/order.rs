//! Messages handled in their order: one run of each queue is out at a time, and what is given back
//! holds up what comes after it.
//!
//! Followed is Java's `ConsumeMessageOrderlyService`, but for what it counts: here a pause grows
//! from one attempt to the next, and the dead letter is acknowledged before the next message is
//! handed out.

use std::time::Duration;

use super::again::LEAST;
use super::send_back::Back;
use super::{BatchId, Consumer, DeliveryId, Handout, Outcome};
use crate::body::MessageModel;
use crate::effects::{Event, Planted};
use crate::id::QueueKey;
use crate::remoting::Context;
use crate::route::Known;

/// In which order a consumer's messages are handled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConsumeOrder {
    /// In any: one that is slow or fails keeps no other waiting.
    #[default]
    Concurrent,
    /// Those of a queue one after the other, as they were stored. The queue is locked at its broker
    /// (`LOCK_BATCH_MQ`, 41), so that one member of the group has it at a time, and a message that
    /// is given back is handed out again before the one after it.
    Orderly,
}

/// The shortest and the longest pause of a queue (`ConsumeMessageOrderlyService`).
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(30));

/// The pause after a message was given back so often.
fn pause(times: u32, first: Duration) -> Duration {
    let first = first.clamp(PAUSES.0, PAUSES.1);
    first.saturating_mul(1 << times.saturating_sub(1).min(16)).min(PAUSES.1)
}

impl Consumer {
    /// Whether its messages are handled in their order.
    pub(super) fn is_orderly(&self) -> bool {
        self.options.order == ConsumeOrder::Orderly
    }

    /// Whether its queues are locked at their brokers.
    pub(super) fn needs_locks(&self) -> bool {
        self.is_orderly() && self.options.model == MessageModel::Clustering
    }

    /// Offers the next run of a queue, unless one is out or the queue is not ours. True if it did.
    pub(super) fn offer_run(&mut self, key: QueueKey) -> bool {
        let Some(queue) = self.queues.get_mut(key) else { return false };
        let locked = queue.lock().lets_pull() && !queue.released;
        if !locked || self.elders.bar(&queue.name) || !queue.window.ready.is_empty() {
            return false;
        }
        let Some(order) = &mut queue.window.order else { return false };
        let Some(run) = order.next() else { return false };
        self.offer_now(key, run);
        true
    }

    /// Something of a queue's run was settled, given back, or is due: whether a run is over, and
    /// the next one may come. True if it comes.
    fn end_run(&mut self, key: QueueKey) -> bool {
        let Some(queue) = self.queues.get_mut(key) else { return false };
        let Some(order) = &mut queue.window.order else { return false };
        if let Some(batch) = order.end() {
            queue.window.handed.remove(&batch.id().number);
        }
        self.offer_run(key)
    }

    /// As [`Self::end_run`]; whoever takes messages is told.
    pub(super) fn go_on_in_order(&mut self, ctx: &mut Context, key: QueueKey) {
        if self.end_run(key) {
            ctx.fx.event(Event::Deliverable { sub: self.id });
        }
    }

    /// The pause of a queue is over. True if something comes.
    pub(super) fn pause_of_order_over(&mut self, key: QueueKey) -> bool {
        let Some(queue) = self.queues.get_mut(key) else { return false };
        let Some(order) = &mut queue.window.order else { return false };
        order.pause_over();
        self.end_run(key)
    }

    /// Whoever has a run hands out nothing more of it, for now: a message before is not settled, or
    /// nobody is there to handle it.
    pub(super) fn park(&mut self, ctx: &mut Context, known: Known<'_>, rest: &Handout) {
        let key = rest.batch.id().queue;
        let order = self.queues.get_mut(key).and_then(|queue| queue.window.order.as_mut());
        if order.is_some_and(|order| order.park(rest)) {
            self.go_on_in_order(ctx, key);
            self.release_if_idle(ctx, known, key);
        }
    }

    /// The application is not done with a message whose order matters.
    pub(super) fn give_back_in_order(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        id: DeliveryId,
        outcome: Outcome,
    ) {
        let Some(queue) = self.queues.get_mut(id.batch.queue) else { return };
        let Some(batch) = queue.window.batch(id.batch.number).cloned() else { return };
        let Some(order) = &mut queue.window.order else { return };
        if order.out_of() != Some(id.batch.number) || order.is_back(id.batch.number, id.index) {
            return;
        }
        order.recall();
        let times = batch.try_again(id.index);
        let before = batch.records().record(id.index as usize);
        let before = before.map_or(0, |record| record.reconsume_times().max(0) as u32);
        let most = self.bounds.max_reconsume_times;
        let is_last = before.saturating_add(times) > most;
        match outcome {
            Outcome::Reject => self.give_away(ctx, known, id, times),
            Outcome::Retry { .. } | Outcome::Again if is_last => {
                self.give_away(ctx, known, id, times);
            }
            Outcome::Retry { after } if ctx.fx.plant.is(Planted::RetryPasses) => {
                self.send_back(ctx, known, id, Back::after(after));
            }
            Outcome::Retry { after: Some(after) } => {
                self.rest(ctx, id, after.clamp(PAUSES.0, PAUSES.1));
            }
            Outcome::Here(after) => self.rest(ctx, id, after),
            Outcome::Retry { after: None } | Outcome::Again | Outcome::Done => {
                self.rest(ctx, id, pause(times, self.bounds.retry_delay));
            }
        }
    }

    /// A message is not tried any more: it becomes a dead letter, or is dropped where the group
    /// broadcasts.
    fn give_away(&mut self, ctx: &mut Context, known: Known<'_>, id: DeliveryId, times: u32) {
        if self.broadcasts() {
            self.drop_message(ctx, known, id, times);
        } else {
            self.send_back(ctx, known, id, Back::Dead);
        }
    }

    /// Has a queue rest for so long before a message of it, and what comes after, is handed out
    /// again.
    pub(super) fn rest(&mut self, ctx: &mut Context, id: DeliveryId, pause: Duration) {
        self.tell_retry(id);
        if self.is_draining() || self.queues.get(id.batch.queue).is_some_and(|q| q.released) {
            return self.keep_back(ctx, id);
        }
        let due = (ctx.fx.now + pause.max(LEAST), self.handouts.issue());
        let Some(queue) = self.queues.get_mut(id.batch.queue) else { return };
        let Some(batch) = queue.window.batch(id.batch.number).cloned() else { return };
        queue.window.again.remove(&(id.batch.number, id.index));
        let Some(order) = &mut queue.window.order else { return };
        let later = order.due().map_or(due, |set| set.max(due));
        if let Some(set) = order.give_back(id.index, later) {
            self.handouts.forget(set);
        }
        self.handouts.wait(later, Handout::single(batch, id.index, 0));
        self.await_again(ctx);
    }

    /// A message that was given back is not handed out here any more.
    fn keep_back(&mut self, ctx: &mut Context, id: DeliveryId) {
        if let Some(queue) = self.queues.get_mut(id.batch.queue)
            && let Some(order) = &mut queue.window.order
        {
            queue.window.again.remove(&(id.batch.number, id.index));
            order.keep(id.index);
            self.go_on_in_order(ctx, id.batch.queue);
            self.look_at_released(ctx, id.batch.queue);
        }
        self.given_back(id.batch, id.index);
        self.leave_if_drained(ctx);
    }

    fn tell_retry(&mut self, id: DeliveryId) {
        if let Some(queue) = self.queues.get(id.batch.queue) {
            self.tallies.of(queue.topic).redelivered += 1;
        }
    }

    /// Something of a batch was settled.
    pub(super) fn settled_in_order(&mut self, ctx: &mut Context, known: Known<'_>, id: BatchId) {
        if self.is_orderly() {
            self.go_on_in_order(ctx, id.queue);
            self.release_if_idle(ctx, known, id.queue);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_of_a_queue_grows_from_one_attempt_to_the_next_up_to_thirty_seconds() {
        let second = Duration::from_secs(1);
        let pauses: Vec<u64> = (1..8).map(|times| pause(times, second).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(pause(1, Duration::ZERO), Duration::from_millis(10));
        assert_eq!(pause(u32::MAX, Duration::from_secs(90)), Duration::from_secs(30));
    }
}
