//! What the application asks of consumers that it polls.

use std::collections::BTreeSet;

use super::Engine;
use crate::consumer::{Commit, Handout};
use crate::error::{CommitError, Stale};
use crate::id::{OpId, SubscriptionId};
use crate::name::QueueName;
use crate::time::Instant;

impl Engine {
    /// Settles what the last call gave, and gives what is there: up to `poll_batch` messages of a
    /// consumer whose messages are [polled](crate::consumer::Taking::Polled), oldest pull first.
    ///
    /// After this: commands, events, timeout.
    pub fn poll_messages(&mut self, now: Instant, sub: SubscriptionId) -> Vec<Handout> {
        self.ask_consumers(now, |consumers, ctx, known| consumers.poll(ctx, known, sub))
    }

    /// Settles what the last [`poll_messages`](Self::poll_messages) gave, as the next one would.
    ///
    /// After this: commands, events, timeout.
    pub fn settle_polled(&mut self, now: Instant, sub: SubscriptionId) {
        self.ask_consumers(now, |consumers, ctx, known| consumers.settle_polled(ctx, known, sub));
    }

    /// Has a queue of a consumer go on at `offset`. What was pulled of it before, an answer that is
    /// still on its way, and what was polled of it and is not settled count no more.
    ///
    /// After this: commands, events, timeout.
    pub fn seek(
        &mut self,
        now: Instant,
        sub: SubscriptionId,
        queue: &QueueName,
        offset: i64,
    ) -> Result<(), Stale> {
        let queue = &self.ctx.fx.namespace.queue(queue);
        self.ask_consumers(now, |consumers, ctx, known| {
            consumers.seek(ctx, known, sub, (queue, offset))
        })
    }

    /// Holds queues of a consumer: they begin no pull and hand nothing out, until they are
    /// [released](Self::release) or given up. Gives those that are none of its own.
    ///
    /// After this: nothing.
    pub fn hold(
        &mut self,
        now: Instant,
        sub: SubscriptionId,
        queues: &[QueueName],
    ) -> Vec<QueueName> {
        self.ask_consumers(now, |consumers, ctx, known| {
            consumers.hold(ctx, known, sub, (queues, true))
        })
    }

    /// Releases queues that were [held](Self::hold). Gives those that are none of the consumer's.
    ///
    /// After this: commands, events, timeout.
    pub fn release(
        &mut self,
        now: Instant,
        sub: SubscriptionId,
        queues: &[QueueName],
    ) -> Vec<QueueName> {
        self.ask_consumers(now, |consumers, ctx, known| {
            consumers.hold(ctx, known, sub, (queues, false))
        })
    }

    /// The queues of a consumer that are [held](Self::hold).
    pub fn held(&self, sub: SubscriptionId) -> Vec<QueueName> {
        self.consumers.held(sub)
    }

    /// The offset of the next message that may be polled of a queue, once it is known.
    pub fn position(&self, sub: SubscriptionId, queue: &QueueName) -> Option<i64> {
        self.consumers.position(self.known(), sub, queue)
    }

    /// Has a consumer that was assigned queues read these instead. False for one that subscribes to
    /// topics.
    ///
    /// After this: commands, events, timeout.
    pub fn assign(
        &mut self,
        now: Instant,
        sub: SubscriptionId,
        queues: BTreeSet<QueueName>,
    ) -> Result<bool, Stale> {
        self.tick(now);
        let queues = queues.iter().map(|queue| self.ctx.fx.namespace.queue(queue)).collect();
        let revision = self.brokers.changed();
        self.ask_consumers(now, |consumers, ctx, known| {
            consumers.assign(ctx, known, sub, queues, revision)
        })
    }

    /// Commits offsets of a consumer. Ends in one [`Event::Committed`](super::Event::Committed) by
    /// `request_timeout`, where no other commit of these queues has to end before.
    ///
    /// After this: commands, events, timeout; the event at once, where nothing is to be sent.
    pub fn commit(
        &mut self,
        now: Instant,
        sub: SubscriptionId,
        what: Commit,
    ) -> Result<OpId, CommitError> {
        let what = what.within(&self.ctx.fx.namespace);
        self.ask_consumers(now, |consumers, ctx, known| {
            consumers.commit_asked(ctx, known, sub, what)
        })
    }
}
