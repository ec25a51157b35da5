//! Messages handed out, settled, and committed.

use bytes::Bytes;

use super::turns::Chore;
use super::{Engine, Event, Note, TimerKind};
use crate::consumer::{
    BatchId, Consumer, DeliveryId, Handout, Outcome, Phase, Queue, Settled, Trouble,
};
use crate::error::{Failure, Stale};
use crate::frame::request::UpdateOffsetRequest;
use crate::frame::{Kind, Reply, Request, RequestCode, ResponseCode};
use crate::id::BrokerId;
use crate::id::{PeerId, QueueKey, SubscriptionId};
use crate::remoting::{ConsumerAsk, Purpose};
use crate::time::Instant;

impl Engine {
    /// The next messages of a consumer, oldest pull first. Handing out is the application's pace:
    /// what is not taken fills the queue's window, and its pulls pause. Nothing comes of a consumer
    /// that [drains](Self::drain).
    pub fn poll_batch(&mut self, now: Instant, sub: SubscriptionId) -> Option<Handout> {
        let handout = self.take_batch(now, sub)?;
        handout.batch.hand_out(handout.end - 1);
        Some(handout)
    }

    /// The same for handles, which note each message as they hand it on.
    pub(crate) fn take_batch(&mut self, now: Instant, sub: SubscriptionId) -> Option<Handout> {
        self.tick(now);
        self.consumers.get_mut(sub)?.take()
    }

    /// Whether a consumer gives messages, now or later.
    #[cfg(feature = "client")]
    pub(crate) fn gives(&self, sub: SubscriptionId) -> bool {
        let gives = |consumer: &Consumer| !consumer.is_leaving() && !consumer.is_draining();
        self.consumers.get(sub).is_some_and(gives)
    }

    /// Whether [`poll_batch`](Self::poll_batch) would give something.
    pub fn has_batch(&self, sub: SubscriptionId) -> bool {
        self.consumers.get(sub).is_some_and(|consumer| consumer.has_ready())
    }

    /// Says what became of one message. [`Batch::settle`](crate::consumer::Batch::settle) with
    /// [`batch_ended`](Self::batch_ended) does the same for [`Outcome::Done`] without the engine.
    pub fn settle(&mut self, now: Instant, id: DeliveryId, outcome: Outcome) -> Result<(), Stale> {
        let now = self.tick(now);
        let delay = self.ctx.fx.config.retry_delay;
        let consumer = self.consumers.get_mut(id.batch.sub).ok_or(Stale)?;
        let batch = consumer.batch(id.batch).ok_or(Stale)?.clone();
        match outcome {
            Outcome::Done => {
                if batch.settle(id.index) == Settled::Last {
                    self.batch_ended(now, id.batch)?;
                }
            }
            Outcome::Again | Outcome::Later if batch.is_settled(id.index) => {}
            Outcome::Again | Outcome::Later if consumer.is_draining() => {
                consumer.given_back(id.batch, id.index);
                self.leave_if_drained(id.batch.sub);
            }
            Outcome::Again | Outcome::Later => {
                consumer.offer_again(now, id, outcome, delay);
                self.await_again(id.batch.sub);
            }
        }
        Ok(())
    }

    /// The last message of a batch was settled: its room is free again.
    pub fn batch_ended(&mut self, now: Instant, id: BatchId) -> Result<(), Stale> {
        self.tick(now);
        let consumer = self.consumers.get_mut(id.sub).ok_or(Stale)?;
        let queue = consumer.queues.get_mut(id.queue).ok_or(Stale)?;
        queue.end(id.number);
        self.poke(id.sub, id.queue);
        self.settled_of(id);
        Ok(())
    }

    pub(super) fn deliver_again(&mut self, sub: SubscriptionId) {
        let now = self.ctx.fx.now;
        let Some(consumer) = self.consumers.get_mut(sub) else { return };
        consumer.handouts.timer = None;
        if consumer.wake_later(now) {
            self.ctx.fx.event(Event::Deliverable { sub });
        }
        self.await_again(sub);
    }

    /// Sets the one timer for what a consumer is to be given again.
    fn await_again(&mut self, sub: SubscriptionId) {
        let Some(consumer) = self.consumers.get_mut(sub) else { return };
        let (next, timer) = (consumer.next_again(), consumer.handouts.timer);
        let Some(at) = next.filter(|at| timer.is_none_or(|(set, _)| *at < set)) else { return };
        if let Some((_, timer)) = timer {
            self.ctx.fx.timers.cancel(timer);
        }
        let timer = self.ctx.fx.timers.at(at, TimerKind::Again(sub));
        consumer.handouts.timer = Some((at, timer));
    }

    /// Commits what every consumer has settled.
    pub(super) fn commit_due(&mut self) {
        for sub in self.consumers.ids() {
            self.look_at_tags(sub);
            self.commit_new(sub);
        }
        self.ctx.fx.timers.at(self.ctx.fx.now + self.ctx.fx.config.commit, TimerKind::Commit);
    }

    /// Tells of messages whose tags another member of the group asks for, and this one does not.
    fn look_at_tags(&mut self, sub: SubscriptionId) {
        let now = self.ctx.fx.now;
        let Some(consumer) = self.consumers.get_mut(sub) else { return };
        let mut foreign = None;
        for (_, queue) in consumer.queues.iter().filter(|(_, queue)| queue.take_foreign()) {
            foreign = Some(queue.topic);
        }
        let Some(topic) = foreign else { return };
        if consumer.tells(now, Trouble::Tags) {
            let group = consumer.subscribe.group.clone();
            let topic = consumer.subscribe.topics[topic].0.clone();
            self.ctx.fx.note(Note::ForeignTags { group, topic });
        }
    }

    /// Commits what is new in every queue of one consumer.
    fn commit_new(&mut self, sub: SubscriptionId) {
        let Some(consumer) = self.consumers.get(sub).filter(|c| !c.is_leaving()) else { return };
        let now = self.ctx.fx.now;
        let shared = consumer.is_shared(now);
        let new =
            consumer.queues.iter().filter(|(_, queue)| queue.to_commit(now, shared).is_some());
        let new: Vec<QueueKey> = new.map(|(key, _)| key).collect();
        self.attend(sub, new, Chore::Commit);
    }

    /// Commits what is new in one queue.
    pub(super) fn commit_one(&mut self, sub: SubscriptionId, key: QueueKey) {
        if self.consumers.get(sub).is_none_or(Consumer::is_leaving) {
            return;
        }
        let Some((offset, request)) = self.commit_request(sub, key) else { return };
        if self.send_commit(sub, key, offset, request)
            && let Some(queue) = self.queue_mut(sub, key)
        {
            (queue.committing, queue.doubted) = (Some(offset), false);
        }
    }

    fn queue_mut(&mut self, sub: SubscriptionId, key: QueueKey) -> Option<&mut Queue> {
        self.consumers.get_mut(sub)?.queues.get_mut(key)
    }

    fn commit_request(&self, sub: SubscriptionId, key: QueueKey) -> Option<(i64, CommitTo)> {
        let (consumer, now) = (self.consumers.get(sub)?, self.ctx.fx.now);
        let queue = consumer.queues.get(key)?;
        let offset = queue.to_commit(now, consumer.is_shared(now))?;
        Some((offset, CommitTo::of(queue)))
    }

    /// Commits a queue that is no longer in the consumer's table, as far as it was settled.
    pub(super) fn commit_queue(&mut self, sub: SubscriptionId, key: QueueKey, queue: &Queue) {
        if let Some(offset) = queue.to_store(self.ctx.fx.now) {
            self.send_commit(sub, key, offset, CommitTo::of(queue));
        }
    }

    /// Where offsets of a broker's queues go: to the master, or while it is away to a slave that is
    /// connected (`RemoteBrokerOffsetStore.updateConsumeOffsetToBroker`). The master's table
    /// replaces the slave's when it is back, and is told then, see [`Self::doubt_commits`].
    fn keeper(&self, broker: BrokerId) -> Option<PeerId> {
        self.brokers.peers(broker).find(|peer| self.ctx.remoting.peers.is_connected(*peer))
    }

    /// A broker has heard of us anew. What it, or another one in its place, has confirmed before
    /// may be gone: brokers write offsets to their disks every 5 s. All is committed again.
    pub(super) fn doubt_commits(&mut self, sub: SubscriptionId, peer: PeerId) {
        let brokers = self.brokers.with(peer).into_iter();
        let brokers = brokers.filter(|broker| self.keeper(*broker) == Some(peer));
        let Some(consumer) = self.consumers.get(sub) else { return };
        let kept: Vec<QueueKey> = brokers.flat_map(|broker| consumer.on(broker)).collect();
        for key in kept {
            if let Some(queue) = self.queue_mut(sub, key) {
                queue.doubted = true;
            }
        }
    }

    /// Sends one commit to whoever keeps the queue's offsets. Commits wait for their answers: a
    /// oneway one may be lost without a trace. False if nobody is connected.
    fn send_commit(
        &mut self,
        sub: SubscriptionId,
        queue: QueueKey,
        offset: i64,
        to: CommitTo,
    ) -> bool {
        let Some(consumer) = self.consumers.get(sub) else { return false };
        let Some(peer) = self.keeper(to.broker) else { return false };
        let request = Request::UpdateOffset(UpdateOffsetRequest {
            consumer_group: consumer.subscribe.group.shared(),
            topic: to.name.topic.shared(),
            queue_id: to.name.queue as i32,
            commit_offset: offset,
            broker: Some(to.name.broker),
            ..Default::default()
        });
        let within = self.ctx.fx.config.request_timeout;
        let purpose = Purpose::Consumer(sub, ConsumerAsk::Commit { queue, offset });
        self.ctx.ask(peer, purpose, Kind::Plain, request, Bytes::new(), within);
        if let Some(consumer) = self.consumers.get_mut(sub) {
            consumer.commits += 1;
        }
        true
    }

    /// A broker answered a commit.
    pub(super) fn commit_replied(
        &mut self,
        sub: SubscriptionId,
        key: QueueKey,
        offset: i64,
        reply: Reply,
    ) {
        let (now, code) = (self.ctx.fx.now, reply.code);
        let stored = code == ResponseCode::SUCCESS;
        if let Some(consumer) = self.consumers.get_mut(sub).filter(|_| !stored)
            && let Some((broker, name)) = consumer.queues.get(key).map(|q| (q.at.broker, &q.name))
        {
            let (group, queue) = (consumer.subscribe.group.clone(), Some(name.clone()));
            let remark = reply.remark.map(Into::into);
            let failure = Box::new(Failure::Refused { code, remark });
            let ask = RequestCode::UPDATE_CONSUMER_OFFSET;
            if consumer.tells(now, Trouble::Commit(broker)) {
                self.ctx.fx.note(Note::AskFailed { group, ask, queue, failure });
            }
        }
        self.commit_answered(sub, key, stored.then_some(offset));
    }

    /// A commit was answered, or came to nothing.
    pub(super) fn commit_answered(
        &mut self,
        sub: SubscriptionId,
        key: QueueKey,
        stored: Option<i64>,
    ) {
        match stored {
            Some(_) => self.ctx.fx.counters.commits += 1,
            None => self.ctx.fx.counters.commits_failed += 1,
        }
        let now = self.ctx.fx.now;
        if let Some(queue) = self.queue_mut(sub, key) {
            queue.committing = None;
            match stored {
                Some(offset) => queue.confirmed(now, offset),
                None => queue.doubted = true,
            }
        }
        if let Some(consumer) = self.consumers.get_mut(sub) {
            consumer.commits = consumer.commits.saturating_sub(1);
        }
        self.unregister_if_committed(sub);
    }

    /// Leaves a group at once: what is settled is committed with an answer, every broker is told,
    /// and [`Event::Left`] ends it, within `shutdown_timeout`. Messages handed out and not settled
    /// go to other members. Changes nothing while it [drains](Self::drain).
    pub fn leave(&mut self, now: Instant, sub: SubscriptionId) -> Result<(), Stale> {
        self.tick(now);
        let consumer = self.consumers.get(sub).ok_or(Stale)?;
        if !consumer.is_leaving() && !consumer.is_draining() {
            self.drain_over(sub);
        }
        Ok(())
    }

    pub(super) fn leave_now(&mut self, sub: SubscriptionId) {
        let Some(consumer) = self.consumers.get_mut(sub) else { return };
        if let Some((_, timer)) = consumer.rebalance_timer.take() {
            self.ctx.fx.timers.cancel(timer);
        }
        // Commits under way are answered first; giving up the queues makes the last ones final.
        consumer.phase = Phase::Committing;
        for (key, queue) in consumer.give_up_all() {
            self.commit_queue(sub, key, &queue);
        }
        let overdue = self.ctx.fx.now + self.ctx.fx.config.shutdown_timeout;
        self.ctx.fx.timers.at(overdue, TimerKind::Leave(Some(sub)));
        self.unregister_if_committed(sub);
        self.advance();
    }

    /// A consumer that leaves tells the brokers once no commit of it is under way.
    fn unregister_if_committed(&mut self, sub: SubscriptionId) {
        let done =
            |consumer: &Consumer| consumer.phase == Phase::Committing && consumer.commits == 0;
        if self.consumers.get(sub).is_some_and(done) {
            self.unregister_consumer(sub);
        }
    }
}

/// Where a commit goes.
struct CommitTo {
    name: crate::query::QueueName,
    broker: crate::id::BrokerId,
}

impl CommitTo {
    fn of(queue: &Queue) -> Self {
        Self { name: queue.name.clone(), broker: queue.at.broker }
    }
}
