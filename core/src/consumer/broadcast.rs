//! Broadcasting: each member of a group reads every queue of its topics and keeps its own offsets.
//!
//! There are no members to share with, so brokers are not asked for them, and no retry topic: what
//! the application could not handle comes again here, as often as `max_reconsume_times` says, and
//! is dropped then, which is told (Java drops it at the first time).

use std::time::Duration;

use bytes::Bytes;

use super::again::Again;
use super::share::By;
use super::{Consumer, DeliveryId, Outcome, Phase, Settled};
use crate::body::MessageModel;
use crate::effects::Note;
use crate::remoting::Context;
use crate::route::Known;

impl Consumer {
    /// Whether each member of the group reads all.
    pub(super) fn broadcasts(&self) -> bool {
        self.options.model == MessageModel::Broadcasting
    }

    /// Looks at all queues of its topics, which are its own.
    pub(super) fn take_all(&mut self, ctx: &mut Context, known: Known<'_>) {
        let topics = self.topics.keys();
        if self.topics.own().any(|topic| known.routes.known(topic).is_some()) {
            self.phase = Phase::Member;
        }
        for topic in topics {
            self.share_topic(ctx, known, topic, By::All, Bytes::new());
        }
        self.look_again(ctx, known);
    }

    /// The application could not handle a message: it comes again here, or is dropped.
    pub(super) fn fail_here(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        id: DeliveryId,
        outcome: Outcome,
    ) {
        let (now, most) = (ctx.fx.now, self.bounds.max_reconsume_times);
        let after = match outcome {
            Outcome::Here(after) => return self.give_back_after(ctx, id, after),
            Outcome::Retry { after } => after,
            Outcome::Reject | Outcome::Again | Outcome::Done => None,
        };
        let Some(queue) = self.queues.get_mut(id.batch.queue) else { return };
        let place = (id.batch.number, id.index);
        let again = queue.window.again.entry(place).or_insert_with(|| Again::out(now));
        let failures = again.failed();
        if outcome == Outcome::Reject || failures > most {
            return self.drop_message(ctx, known, id, failures);
        }
        if self.is_draining() {
            return self.give_back_after(ctx, id, Duration::ZERO);
        }
        let delay = self.bounds.retry_delay;
        self.offer_again(now, id, |again| after.unwrap_or_else(|| again.dropped(delay)));
        self.await_again(ctx);
    }

    /// A message is passed over: nobody has it any more.
    pub(super) fn drop_message(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        id: DeliveryId,
        attempts: u32,
    ) {
        let Some(queue) = self.queues.get_mut(id.batch.queue) else { return };
        self.tallies.of(queue.topic).dropped += 1;
        queue.window.again.remove(&(id.batch.number, id.index));
        let Some(batch) = queue.window.batch(id.batch.number).cloned() else { return };
        let (group, queue, offset) =
            (self.group.clone(), queue.name.clone(), batch.offset(id.index));
        ctx.fx.note(Note::Dropped { group, queue, offset, attempts });
        if batch.settle(id.index) == Settled::Last {
            // Nothing that could be stale: its queue was just looked at.
            let _ = self.batch_ended(ctx, known, batch.id());
        }
    }
}
