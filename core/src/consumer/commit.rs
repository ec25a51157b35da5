//! Offsets committed: when, to whom, and what becomes of it.
//!
//! Codes: `UPDATE_CONSUMER_OFFSET` (15).

use bytes::Bytes;

use super::reset::{Heir, LastCommit};
use super::share::Place;
use super::{Consumer, Consumers, Queue, Trouble};
use crate::effects::{ConsumerTimer, Note, Planted, TimerKind};
use crate::error::Failure;
use crate::frame::request::UpdateOffsetRequest;
use crate::frame::{Kind, Reply, Request, RequestCode, ResponseCode};
use crate::id::{BrokerId, PeerId, QueueKey};
use crate::name::QueueName;
use crate::remoting::{ConsumerAsk, Context, Purpose};
use crate::route::Known;

impl Consumers {
    /// Commits what every consumer has settled, in turns: what is new shows by a look at all that a
    /// queue holds.
    pub(super) fn commit_due(&mut self, ctx: &mut Context, known: Known<'_>) {
        let now = ctx.fx.now;
        for sub in self.ids() {
            let Some(consumer) = self.get_mut(sub) else { continue };
            consumer.look_at_tags(ctx);
            if consumer.is_leaving() {
                continue;
            }
            self.attend_commits(ctx, known, sub);
        }
        let next = now + ctx.fx.config.commit_interval;
        ctx.fx.timers.at(next, TimerKind::Consumer(ConsumerTimer::Commit));
    }
}

/// Where offsets of a broker's queues go: to the master, or while it is away to a slave that is
/// connected (`RemoteBrokerOffsetStore.updateConsumeOffsetToBroker`). The master's table replaces
/// the slave's when it is back, and is told then, see [`Consumer::doubt_commits`].
fn keeper(ctx: &Context, known: Known<'_>, broker: BrokerId) -> Option<PeerId> {
    known.brokers.peers(broker).find(|peer| ctx.remoting.peers.is_connected(*peer))
}

impl Consumer {
    /// Tells of messages whose tags another member of the group asks for, and this one does not.
    fn look_at_tags(&mut self, ctx: &mut Context) {
        let mut foreign = None;
        for (_, queue) in self.queues.iter().filter(|(_, queue)| queue.window.take_foreign()) {
            foreign = Some(queue.topic);
        }
        let topic = foreign.and_then(|topic| self.topics.get(topic));
        let Some(topic) = topic.map(|of| of.topic.clone()) else { return };
        if self.tells(ctx.fx.now, Trouble::Tags) {
            let group = self.group.clone();
            ctx.fx.note(Note::ForeignTags { group, topic });
        }
    }

    /// Commits what is new in so many queues behind a place. Gives how many there were, and behind
    /// which one it goes on.
    pub(super) fn commit_some(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        behind: Option<Place>,
        room: usize,
    ) -> (usize, Option<Place>) {
        let (now, part) = (ctx.fx.now, self.places.behind(behind, room));
        if self.is_leaving() {
            return (0, None);
        }
        let shared = self.is_shared(now);
        for (_, key) in &part {
            let Some(queue) = self.queues.get(*key) else { continue };
            self.tallies.settled_open(queue.topic, queue.window.settled());
            match queue.to_commit(now, shared) {
                Some(offset) => self.commit_at(ctx, known, *key, offset),
                None => self.stored.skipped += 1,
            }
        }
        let last = part.last().map(|(place, _)| *place).filter(|_| part.len() == room);
        if last.is_none() {
            self.tallies.look_at(now);
        }
        (part.len(), last)
    }

    /// Commits what is new in one queue.
    pub(super) fn commit(&mut self, ctx: &mut Context, known: Known<'_>, key: QueueKey) {
        if self.is_leaving() {
            return;
        }
        let shared = self.is_shared(ctx.fx.now);
        let Some(queue) = self.queues.get(key) else { return };
        if let Some(offset) = queue.to_commit(ctx.fx.now, shared) {
            self.commit_at(ctx, known, key, offset);
        }
    }

    fn commit_at(&mut self, ctx: &mut Context, known: Known<'_>, key: QueueKey, offset: i64) {
        if self.predecessors.holds(key) {
            return;
        }
        let Some(queue) = self.queues.get(key) else { return };
        if !queue.lock().holds(ctx.fx.now) {
            // It may be another member's, which knows better.
            return;
        }
        if self.send_commit(ctx, known, (key, offset), &queue.name, queue.at.broker) {
            self.commits += 1;
            if let Some(queue) = self.queues.get_mut(key) {
                queue.keeper.committing(offset);
            }
        }
    }

    /// Commits a queue that is no longer in the consumer's table, as far as it was settled: once no
    /// other commit of it is under way, which could arrive late and take the offset back. Whether
    /// there is a commit to be waited for.
    pub(super) fn commit_given_up(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        key: QueueKey,
        queue: &Queue,
    ) -> bool {
        let Some(offset) = queue.to_store(ctx.fx.now) else { return false };
        let last = LastCommit { key, name: queue.name.clone(), broker: queue.at.broker, offset };
        if queue.keeper.under_way().is_some() || self.predecessors.holds(key) {
            self.predecessors.waits(key, Heir::Last(last));
            return true;
        }
        self.commit_last(ctx, known, &last)
    }

    /// Sends a queue's last commit. False if nobody is there to take it.
    pub(super) fn commit_last(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        last: &LastCommit,
    ) -> bool {
        let sent = self.send_commit(ctx, known, (last.key, last.offset), &last.name, last.broker);
        self.commits += usize::from(sent);
        sent
    }

    /// Commits what a queue had settled before it was reset: a fault put back on purpose.
    pub(super) fn commit_late(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        (old, settled): (QueueKey, Option<i64>),
        anew: QueueKey,
    ) {
        if let (Some(offset), Some(queue)) = (settled, self.queues.get(anew))
            && ctx.fx.plant.is(Planted::CommitsAfterReset)
            && self.send_commit(ctx, known, (old, offset), &queue.name, queue.at.broker)
        {
            self.commits += 1;
        }
    }

    /// Sends one commit to whoever keeps the queue's offsets. Commits wait for their answers: a
    /// oneway one may be lost without a trace. False if nobody is connected.
    fn send_commit(
        &self,
        ctx: &mut Context,
        known: Known<'_>,
        (key, offset): (QueueKey, i64),
        name: &QueueName,
        broker: BrokerId,
    ) -> bool {
        let Some(peer) = keeper(ctx, known, broker) else { return false };
        let request = Request::UpdateOffset(UpdateOffsetRequest {
            consumer_group: self.group.shared(),
            topic: name.topic.shared(),
            queue_id: name.queue as i32,
            commit_offset: offset,
            broker: Some(name.broker.clone()),
            ..Default::default()
        });
        let within = ctx.fx.config.request_timeout;
        let purpose = Purpose::Consumer(self.id, ConsumerAsk::Commit { queue: key, offset });
        ctx.ask(peer, purpose, Kind::Plain, request, Bytes::new(), within);
        true
    }

    /// A broker has heard of us anew. What it, or another one in its place, has confirmed before
    /// may be gone: brokers write offsets to their disks every 5 s. All is committed again.
    pub(super) fn doubt_commits(&mut self, ctx: &Context, known: Known<'_>, peer: PeerId) {
        if ctx.fx.plant.is(Planted::TrustsCommits) {
            return;
        }
        let brokers = known.brokers.with(peer).into_iter();
        let brokers = brokers.filter(|broker| keeper(ctx, known, *broker) == Some(peer));
        let kept: Vec<QueueKey> = brokers.flat_map(|broker| self.on(broker)).collect();
        for key in kept {
            if let Some(queue) = self.queues.get_mut(key) {
                queue.keeper.doubt();
            }
        }
    }

    /// A broker answered a commit.
    pub(super) fn commit_answered(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        (key, offset): (QueueKey, i64),
        reply: Reply,
    ) {
        let code = reply.code;
        let stored = code == ResponseCode::SUCCESS;
        if let Some(queue) = self.queues.get(key).filter(|_| !stored) {
            let (broker, queue) = (queue.at.broker, Some(queue.name.clone()));
            if self.tells(ctx.fx.now, Trouble::Commit(broker)) {
                let remark = reply.remark.map(Into::into);
                let failure = Box::new(Failure::Refused { code, remark });
                let ask = RequestCode::UPDATE_CONSUMER_OFFSET;
                let group = self.group.clone();
                ctx.fx.note(Note::AskFailed { group, ask, queue, failure });
            }
        }
        self.commit_ended(ctx, known, key, stored.then_some(offset));
    }

    /// A commit was answered, or came to nothing.
    pub(super) fn commit_ended(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        key: QueueKey,
        stored: Option<i64>,
    ) {
        if let Some(queue) = self.queues.get_mut(key) {
            queue.keeper.commit_ended(ctx.fx.now, stored);
        }
        self.stored.ended(ctx.fx.now, stored.is_some());
        self.commits = self.commits.saturating_sub(1);
        if let Some(key) = self.predecessor_ended(ctx, known, key, stored) {
            self.committed_last(ctx, key);
        }
        self.unregister_if_committed(ctx);
    }
}
