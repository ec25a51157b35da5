//! Messages that are polled: what one poll gives is settled by the next one, or at the end, and
//! never by being handed out (`DefaultLitePullConsumerImpl.poll` counts it as consumed at once).

use super::{Consumer, Consumers, Handout};
use crate::id::{QueueKey, SubscriptionId};
use crate::name::QueueName;
use crate::remoting::Context;
use crate::route::{Known, RouteQueue};

impl Consumers {
    /// Settles what the last poll gave, and gives up to `poll_batch` of the messages that are
    /// there, oldest pull first.
    pub(crate) fn poll(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        sub: SubscriptionId,
    ) -> Vec<Handout> {
        let Some(consumer) = self.get_mut(sub) else { return Vec::new() };
        consumer.settle_polled(ctx, known, None);
        let mut room = consumer.bounds.poll_batch;
        let mut given = Vec::new();
        while room > 0
            && let Some(mut handout) = consumer.take(ctx.fx.now)
        {
            if let Some(rest) = handout.split_off(room) {
                consumer.put_back(rest);
            }
            room -= handout.end - handout.next;
            handout.batch.hand_out(handout.end - 1);
            given.push(handout);
        }
        consumer.polled.clone_from(&given);
        given
    }

    /// Settles what the last poll gave.
    pub(crate) fn settle_polled(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        sub: SubscriptionId,
    ) {
        if let Some(consumer) = self.get_mut(sub) {
            consumer.settle_polled(ctx, known, None);
        }
    }

    /// The offset of the next message that a poll may give of a queue. `None`: it is none of the
    /// consumer's, or it is not known yet where it begins.
    pub(crate) fn position(
        &self,
        known: Known<'_>,
        sub: SubscriptionId,
        queue: &QueueName,
    ) -> Option<i64> {
        let consumer = self.get(sub)?;
        let Some(key) = consumer.own(known, queue) else {
            let wished = consumer.assigned.as_ref()?.wished(queue);
            return wished?.offset;
        };
        let queue = consumer.queues.get(key)?;
        let ready = queue.window.ready.front();
        let next = ready.and_then(|ready| {
            let mut indices = ready.next..ready.end;
            indices.find_map(|index| ready.batch.offset(index))
        });
        queue.is_begun().then(|| next.unwrap_or_else(|| queue.cursor.next()))
    }
}

impl Handout {
    /// Leaves so many messages, and gives the rest.
    fn split_off(&mut self, most: u32) -> Option<Self> {
        let middle = self.next.saturating_add(most);
        (middle < self.end).then(|| {
            let rest = Self { next: middle, ..self.clone() };
            self.end = middle;
            rest
        })
    }
}

impl Consumer {
    /// Settles what the last poll gave, of one queue or of all. What is of a queue's former life
    /// means nothing any more: it was given up, or sought elsewhere.
    pub(super) fn settle_polled(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        of: Option<QueueKey>,
    ) {
        let mine = |run: &Handout| of.is_none_or(|key| run.batch.id().queue == key);
        let settled: Vec<Handout> = self.polled.extract_if(.., |run| mine(run)).collect();
        for run in settled.into_iter().filter(|run| !run.batch.is_revoked()) {
            if run.batch.settle_run(run.next..run.end) {
                // One that was given up meanwhile has nothing left to be told.
                let _ = self.batch_ended(ctx, known, run.batch.id());
            }
        }
    }

    /// The queue of that name, if it is this consumer's.
    pub(super) fn own(&self, known: Known<'_>, name: &QueueName) -> Option<QueueKey> {
        let (topic, broker) = (self.topics.find(&name.topic)?, known.brokers.id(&name.broker)?);
        self.places.queue(&(topic, RouteQueue { broker, queue: name.queue }))
    }

    /// Whether it commits by itself what is settled.
    pub(super) fn auto_commits(&self) -> bool {
        self.options.taking.polling().is_none_or(|polling| polling.auto_commit)
    }

    /// Whether its messages are polled.
    pub(super) const fn is_polled(&self) -> bool {
        self.options.taking.polling().is_some()
    }
}
