//! What the application asks of consumers.

use std::time::Duration;

use super::Engine;
use crate::consumer::{
    BatchId, Consumers, DeliveryId, Filter, Handout, Outcome, Subscribe, TopicSubscription,
};
use crate::error::{Denial, Refused, Stale};
use crate::id::{PeerId, SubscriptionId};
use crate::name::{Group, QueueName, Topic};
use crate::remoting::Context;
use crate::route::Known;
use crate::time::Instant;

impl Engine {
    /// Joins a group: its share of the topics' queues is pulled from now on. Messages come by
    /// [`Event::Deliverable`](super::Event::Deliverable) and [`poll_batch`](Self::poll_batch).
    ///
    /// After this: commands, events, timeout.
    pub fn subscribe(
        &mut self,
        now: Instant,
        subscribe: Subscribe,
    ) -> Result<SubscriptionId, Refused> {
        self.tick(now);
        if !self.shutdown.is_running() {
            return Err(Refused::Stopped);
        }
        let subscribe = subscribe
            .within(&self.ctx.fx.namespace)
            .map_err(|error| Refused::Name(error.into()))?;
        self.consumers.admits(&subscribe)?;
        let revision = self.brokers.changed();
        Ok(self.ask_consumers(now, |consumers, ctx, known| {
            consumers.subscribe(ctx, known, subscribe, revision)
        }))
    }

    /// Has a consumer read one more topic; or other messages of one that it reads: the filter
    /// counts for all that is pulled from then on. Brokers hear of it at once, or by one heartbeat
    /// behind two that are under way, and nothing is pulled with the new filter before they have. A
    /// filter in SQL counts once a broker has taken it; one that is refused ends the consumer by
    /// [`Event::FilterRefused`](super::Event::FilterRefused).
    ///
    /// After this: commands, events, timeout.
    pub fn subscribe_to(
        &mut self,
        now: Instant,
        sub: SubscriptionId,
        topic: Topic,
        filter: Filter,
    ) -> Result<(), Stale> {
        self.tick(now);
        let topic = self.ctx.fx.namespace.topic(&topic);
        self.consumers.reads_of(sub, &topic)?;
        let revision = self.brokers.changed();
        self.ask_consumers(now, |consumers, ctx, known| {
            consumers.read(ctx, known, sub, (topic, filter), revision);
        });
        Ok(())
    }

    /// Has a consumer read a topic no more: its queues commit what is settled and are given up, and
    /// brokers hear of it at once. False if it does not read it.
    ///
    /// After this: commands, events, timeout.
    pub fn unsubscribe_from(
        &mut self,
        now: Instant,
        sub: SubscriptionId,
        topic: &Topic,
    ) -> Result<bool, Stale> {
        self.tick(now);
        let topic = &self.ctx.fx.namespace.topic(topic);
        let reads = self.consumers.reads_of(sub, topic)?;
        if reads {
            let revision = self.brokers.changed();
            self.ask_consumers(now, |consumers, ctx, known| {
                consumers.unread(ctx, known, sub, topic, revision);
            });
        }
        Ok(reads)
    }

    /// What a consumer reads now; none of one that has left.
    pub fn subscriptions(&self, sub: SubscriptionId) -> Vec<TopicSubscription> {
        self.consumers.subscriptions(sub)
    }

    /// A consumer's group; none of one that has left.
    pub fn group(&self, sub: SubscriptionId) -> Option<Group> {
        self.consumers.group(sub)
    }

    /// The queues that are a consumer's now; none of one that has left.
    pub fn queues(&self, sub: SubscriptionId) -> Vec<QueueName> {
        self.consumers.queues(sub)
    }

    /// What is denied to a consumer's access key now, the first of its kind: a route, a heartbeat,
    /// the group's members, locks, or what was asked about a queue. The consumer goes on asking.
    pub fn denied(&self, sub: SubscriptionId) -> Option<Denial> {
        self.consumers.denied(self.known(), sub)
    }

    /// The next messages of a consumer, oldest pull first. Handing out is the application's pace:
    /// what is not taken fills the queue's window, and its pulls pause. Nothing comes of a consumer
    /// that [drains](Self::drain).
    ///
    /// After this: timeout; room for the next pull comes with settling.
    pub fn poll_batch(&mut self, now: Instant, sub: SubscriptionId) -> Option<Handout> {
        let handout = self.take_batch(now, sub)?;
        handout.batch.hand_out(handout.end - 1);
        Some(handout)
    }

    /// The same for whoever hands the messages on one by one, by
    /// [`Handout::take_next`], and [gives back](Self::give_back)
    /// those that it does not. One run of a queue whose order matters is out at a time.
    ///
    /// After this: as [`poll_batch`](Self::poll_batch).
    pub fn take_batch(&mut self, now: Instant, sub: SubscriptionId) -> Option<Handout> {
        self.tick(now);
        self.consumers.take(&mut self.ctx, sub)
    }

    /// Whether a consumer gives messages, now or later.
    #[cfg(feature = "client")]
    pub(crate) fn gives(&self, sub: SubscriptionId) -> bool {
        self.consumers.gives(sub)
    }

    /// Whether [`poll_batch`](Self::poll_batch) would give something.
    pub fn has_batch(&self, sub: SubscriptionId) -> bool {
        self.consumers.has_ready(sub)
    }

    /// Says what became of one message. [`Batch::settle`](crate::consumer::Batch::settle) with
    /// [`batch_ended`](Self::batch_ended) does the same for [`Outcome::Done`] without the engine.
    ///
    /// After this: commands, events, timeout.
    pub fn settle(&mut self, now: Instant, id: DeliveryId, outcome: Outcome) -> Result<(), Stale> {
        self.ask_consumers(now, |consumers, ctx, known| consumers.settle(ctx, known, id, outcome))
    }

    /// The last message of a batch was settled: its room is free again.
    ///
    /// After this: commands, timeout; [`Event::Left`](super::Event::Left), if it was the last one
    /// of a consumer that [drains](Self::drain).
    pub fn batch_ended(&mut self, now: Instant, id: BatchId) -> Result<(), Stale> {
        self.ask_consumers(now, |consumers, ctx, known| consumers.batch_ended(ctx, known, id))
    }

    /// Suspends a consumer: it hands out nothing and begins no pull, until it is
    /// [resumed](Self::resume). It stays a member of its group with its queues; what pulls under
    /// way bring is kept, what is out is settled, and offsets are committed, as ever.
    ///
    /// After this: nothing.
    pub fn suspend(&mut self, now: Instant, sub: SubscriptionId) -> Result<(), Stale> {
        self.ask_consumers(now, |consumers, ctx, known| consumers.suspend(ctx, known, sub, true))
    }

    /// Resumes a consumer that was [suspended](Self::suspend), or was not.
    ///
    /// After this: commands, events, timeout.
    pub fn resume(&mut self, now: Instant, sub: SubscriptionId) -> Result<(), Stale> {
        self.ask_consumers(now, |consumers, ctx, known| consumers.suspend(ctx, known, sub, false))
    }

    /// Whether a consumer is suspended.
    pub fn is_suspended(&self, sub: SubscriptionId) -> bool {
        self.consumers.is_suspended(sub)
    }

    /// Tells by [`Event::Deliverable`](super::Event::Deliverable) when that time has come, whether
    /// or not there are messages: for whoever gathers some until then. The last time told holds.
    ///
    /// After this: timeout.
    pub fn remind(&mut self, now: Instant, sub: SubscriptionId, at: Instant) {
        self.ask_consumers(now, |consumers, ctx, _| consumers.remind(ctx, sub, at));
    }

    /// Messages that [`take_batch`](Self::take_batch) gave, and that were not handed on since.
    /// Where order matters they come again when those before them are settled, by this consumer or
    /// another one.
    ///
    /// After this: events, timeout.
    pub fn give_back(&mut self, now: Instant, handout: &Handout) {
        self.ask_consumers(now, |consumers, ctx, known| consumers.give_back(ctx, known, handout));
    }

    /// Leaves a group in good order: no message is pulled or handed out any more, those that were
    /// handed out may be settled for `timeout`, and then it [leaves](Self::leave), at once when
    /// none is left. Meanwhile it stays a member, and gains no queue. What is given back is not
    /// handed out here again: it stays unsettled, and goes to other members. Messages that an
    /// administrator wants consumed directly are not waited for, and not counted.
    ///
    /// A second call may only shorten the time.
    ///
    /// After this: commands, events, timeout.
    pub fn drain(
        &mut self,
        now: Instant,
        sub: SubscriptionId,
        timeout: Duration,
    ) -> Result<(), Stale> {
        self.ask_consumers(now, |consumers, ctx, _| consumers.drain(ctx, sub, timeout))
    }

    /// Leaves a group at once: what is settled is committed with an answer, every broker is told,
    /// and [`Event::Left`](super::Event::Left) ends it, within `shutdown_timeout`. Messages handed
    /// out and not settled go to other members. Changes nothing while it [drains](Self::drain).
    ///
    /// After this: commands, events, timeout.
    pub fn leave(&mut self, now: Instant, sub: SubscriptionId) -> Result<(), Stale> {
        self.ask_consumers(now, |consumers, ctx, _| consumers.leave(ctx, sub))
    }

    /// One verb, and what follows of it elsewhere.
    pub(super) fn ask_consumers<T>(
        &mut self,
        now: Instant,
        verb: impl FnOnce(&mut Consumers, &mut Context, Known<'_>) -> T,
    ) -> T {
        self.tick(now);
        let (consumers, ctx, known) = self.consumers();
        let done = verb(consumers, ctx, known);
        self.advance();
        done
    }

    /// Whether a consumer waits for a connection to the peer.
    pub(super) fn is_awaited(&self, peer: PeerId) -> bool {
        self.consumers.is_awaited(self.known(), peer)
            || self.producers.awaits_replies_of(self.known(), peer)
            || self.transactions.is_awaited(self.known(), peer)
    }
}
