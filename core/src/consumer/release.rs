//! Queues whose messages are handled in their order, and that go to another member: what is being
//! handled is waited for as long as the lock lasts, what is settled is committed with an answer,
//! and then the queue is unlocked. Another member has it a moment later.
//!
//! Where the lock runs out before, or the application still has messages when its consumer leaves
//! at once, nothing is waited for, and the lock is not given back: the broker keeps it for 60 s, in
//! which the handler may go by what it was told of it.

use super::Consumer;
use super::share::Place;
use crate::effects::{Plant, Planted};
use crate::id::QueueKey;
use crate::name::QueueName;
use crate::remoting::Context;
use crate::route::Known;

impl Consumer {
    /// A queue is another member's by its share.
    pub(super) fn release(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        place: Place,
    ) -> Option<QueueName> {
        let key = self.places.queue(&place)?;
        let now = ctx.fx.now;
        let queue = self.queues.get(key)?;
        let name = queue.name.clone();
        let waits = !ctx.fx.plant.is(Planted::ReleasesBusy);
        let busy = waits && queue.window.out(Plant::default()).next().is_some();
        if !busy || !queue.lock().holds(now) || self.is_leaving() {
            self.finish_release(ctx, known, place, key);
            return Some(name);
        }
        self.places.remove(&place);
        self.locks.going.release(place, (key, name.clone()));
        self.stop_handing_out(key);
        self.track_lock(key);
        self.commit(ctx, known, key);
        if let Some(pull) = self.queues.get_mut(key).and_then(|one| one.cursor.give_up_pull()) {
            ctx.give_up_with_timer(pull);
        }
        Some(name)
    }

    /// Nothing more of a queue is handed out, and the engine hears of all that is settled.
    fn stop_handing_out(&mut self, key: QueueKey) {
        let Some(queue) = self.queues.get_mut(key) else { return };
        queue.released = true;
        queue.window.mark_draining();
        if let Some(order) = &mut queue.window.order {
            order.recall();
            for run in queue.window.ready.drain(..).rev() {
                self.handouts.withdrawn();
                order.put_back(run);
            }
            if let Some(due) = order.due() {
                self.handouts.forget(due);
                order.pause_over();
            }
        }
    }

    /// A queue that was to go to another member is ours again before it went. True if it was.
    pub(super) fn take_back(&mut self, ctx: &mut Context, known: Known<'_>, place: Place) -> bool {
        let Some(key) = self.locks.going.take_released(&place) else { return false };
        let Some(queue) = self.queues.get_mut(key) else { return false };
        queue.released = false;
        queue.window.unmark_draining();
        self.places.insert(place, key);
        self.track_lock(key);
        self.go_on_in_order(ctx, key);
        self.resume(ctx, known, key);
        self.want_locks(ctx, place.1.broker, ctx.fx.now);
        true
    }

    /// Whether what was handled of a queue that goes elsewhere has ended: then it goes.
    pub(super) fn release_if_idle(&mut self, ctx: &mut Context, known: Known<'_>, key: QueueKey) {
        let Some(queue) = self.queues.get(key).filter(|queue| queue.released) else { return };
        let place = (queue.topic, queue.at);
        if queue.window.out(Plant::default()).next().is_none() {
            self.finish_release(ctx, known, place, key);
            self.look_at_queues();
        }
    }

    /// Gives up all that goes elsewhere: the consumer leaves.
    pub(super) fn release_all(&mut self, ctx: &mut Context, known: Known<'_>) {
        while let Some((place, key)) = self.locks.going.first_released() {
            self.finish_release(ctx, known, place, key);
        }
    }

    /// A queue goes: it commits, while it is locked, and is unlocked then.
    pub(super) fn finish_release(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        place: Place,
        key: QueueKey,
    ) {
        self.locks.going.take_released(&place);
        let Some(queue) = self.drop_queue(place, key) else { return };
        if !queue.lock().holds(ctx.fx.now) {
            return self.lose_settled(ctx, &queue);
        }
        let waits = !ctx.fx.plant.is(Planted::ReleasesBusy);
        if waits && !queue.window.handled().is_empty() {
            self.commit_given_up(ctx, known, key, &queue);
            return;
        }
        self.locks.going.await_last(key, (queue.at.broker, queue.name.clone()));
        if !self.commit_given_up(ctx, known, key, &queue) {
            self.committed_last(ctx, key);
        }
    }
}
