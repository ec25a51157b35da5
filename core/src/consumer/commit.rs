//! Offsets committed: when, to whom, and what becomes of it. Those that no broker keeps are saved
//! instead (`local.rs`).
//!
//! Codes: `UPDATE_CONSUMER_OFFSET` (15).

use bytes::Bytes;

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

/// Whether a queue's offset was told to somebody else than who keeps it by now. Who keeps it may
/// change with a route alone, over connections that stand for long.
pub(super) fn is_elsewhere(ctx: &Context, known: Known<'_>, queue: &Queue) -> bool {
    let other = |told| keeper(ctx, known, queue.at.broker).is_some_and(|keeper| keeper != told);
    queue.keeper.told().is_some_and(other) && !ctx.fx.plant.is(Planted::TrustsCommits)
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
        let (shared, auto) = (self.is_shared(now), self.auto_commits());
        for (_, key) in &part {
            let Some(queue) = self.queues.get_mut(*key) else { continue };
            if is_elsewhere(ctx, known, queue) {
                queue.keeper.doubt();
            }
            let Some(queue) = self.queues.get(*key) else { continue };
            self.tallies.settled_open(queue.topic, queue.window.settled());
            let due = match &self.local {
                Some(_) => self.offset_to_save(ctx, queue),
                None => {
                    let new = queue.to_commit(now, shared).filter(|_| auto);
                    new.or_else(|| queue.keeper.to_repeat()).or_else(|| queue.owed())
                }
            };
            if !auto && due.is_none() {
                continue;
            }
            match due {
                Some(offset) => _ = self.commit_at(ctx, known, *key, offset),
                None => self.stored.skipped += 1,
            }
        }
        let last = part.last().map(|(place, _)| *place).filter(|_| part.len() == room);
        if last.is_none() {
            self.tallies.look_at(now);
        }
        (part.len(), last)
    }

    /// Commits what is new in one queue; where nothing is committed that was not asked for, what an
    /// administrator asked for.
    pub(super) fn commit(&mut self, ctx: &mut Context, known: Known<'_>, key: QueueKey) {
        if self.auto_commits() {
            self.commit_in_any_case(ctx, known, key);
        } else if let Some(offset) = self.queues.get(key).and_then(Queue::owed)
            && !self.is_leaving()
        {
            self.commit_at(ctx, known, key, offset);
        }
    }

    /// Commits what is new in one queue.
    pub(super) fn commit_in_any_case(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        key: QueueKey,
    ) {
        if self.is_leaving() {
            return;
        }
        let shared = self.is_shared(ctx.fx.now);
        let Some(queue) = self.queues.get(key) else { return };
        let due = match &self.local {
            Some(_) => queue.to_store(ctx.fx.now),
            None => queue.to_commit(ctx.fx.now, shared),
        };
        if let Some(offset) = due {
            self.commit_at(ctx, known, key, offset);
        }
    }

    /// Commits an offset of a queue, unless it waits for another commit. False if nothing is sent.
    pub(super) fn commit_at(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        key: QueueKey,
        offset: i64,
    ) -> bool {
        if self.predecessors.holds(key) {
            return false;
        }
        let Some(queue) = self.queues.get(key) else { return false };
        if !queue.lock().holds(ctx.fx.now) {
            // It may be another member's, which knows better.
            return false;
        }
        if let Some(local) = &mut self.local {
            local.put(&mut ctx.fx, &queue.name, (key, offset));
            return true;
        }
        let broker = queue.at.broker;
        let by = self.send_commit(ctx, known, (key, offset), &queue.name, broker);
        let Some(by) = by else { return false };
        self.commits.sent(broker);
        if let Some(queue) = self.queues.get_mut(key) {
            queue.keeper.committing(offset, by);
        }
        true
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
            && self.local.is_none()
            && ctx.fx.plant.is(Planted::CommitsAfterReset)
            && self.send_commit(ctx, known, (old, offset), &queue.name, queue.at.broker).is_some()
        {
            self.commits.sent(queue.at.broker);
        }
    }

    /// Sends one commit to whoever keeps the queue's offsets. Commits wait for their answers: a
    /// oneway one may be lost without a trace. Gives who is told, if anybody is connected.
    pub(super) fn send_commit(
        &self,
        ctx: &mut Context,
        known: Known<'_>,
        (key, offset): (QueueKey, i64),
        name: &QueueName,
        broker: BrokerId,
    ) -> Option<PeerId> {
        let peer = keeper(ctx, known, broker)?;
        let request = Request::UpdateOffset(UpdateOffsetRequest {
            consumer_group: self.group.wire().clone(),
            topic: name.topic.wire().clone(),
            queue_id: name.queue as i32,
            commit_offset: offset,
            broker: Some(name.broker.clone()),
            ..Default::default()
        });
        let within = self.commit_within(&ctx.fx.config);
        let purpose =
            Purpose::Consumer(self.id, ConsumerAsk::Commit { queue: key, broker, offset, within });
        ctx.ask(peer, purpose, Kind::Plain, request, Bytes::new(), within);
        Some(peer)
    }

    /// A broker has heard of us anew. What it, or another one in its place, has confirmed before
    /// may be gone: brokers write offsets to their disks every 5 s. All is committed again.
    pub(super) fn doubt_commits(&mut self, ctx: &Context, known: Known<'_>, peer: PeerId) {
        if self.local.is_some() || ctx.fx.plant.is(Planted::TrustsCommits) {
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
        (key, broker, offset): (QueueKey, BrokerId, i64),
        reply: Reply,
    ) {
        let code = reply.code;
        if code == ResponseCode::SUCCESS {
            return self.commit_ended(ctx, known, (key, broker), Ok(offset));
        }
        let remark = reply.remark.map(Into::into);
        self.commit_failed(ctx, known, (key, broker), Failure::Refused { code, remark });
    }

    /// A commit was refused, or came to nothing: of a queue that is held, or its last one. The loss
    /// of a connection is told by others, and what is held is committed again after it.
    pub(super) fn commit_failed(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        (key, at): (QueueKey, BrokerId),
        failure: Failure,
    ) {
        let answers = matches!(failure, Failure::Refused { .. } | Failure::TimedOut(_));
        let held = self.queues.get(key).filter(|_| answers);
        let held = held.map(|queue| (queue.at.broker, queue.name.clone()));
        if let Some((broker, queue)) = held.or_else(|| self.lasts.queue(key))
            && self.tells(ctx.fx.now, Trouble::Commit(broker))
        {
            let (ask, group) = (RequestCode::UPDATE_CONSUMER_OFFSET, self.group.clone());
            let (queue, failure) = (Some(queue), Box::new(failure.clone()));
            ctx.fx.note(Note::AskFailed { group, ask, queue, failure });
        }
        self.commit_ended(ctx, known, (key, at), Err(failure));
    }

    /// A commit was answered, or came to nothing.
    pub(super) fn commit_ended(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        (key, at): (QueueKey, BrokerId),
        ended: Result<i64, Failure>,
    ) {
        let stored = ended.as_ref().ok().copied();
        let shared = self.is_shared(ctx.fx.now);
        if let Some(queue) = self.queues.get_mut(key) {
            let first = queue.keeper.is_first();
            queue.keeper.commit_ended(ctx.fx.now, stored);
            if first && stored.is_some() && (shared || self.places.held(queue.topic) > 1) {
                queue.keeper.doubt_first();
            }
        }
        self.stored.ended(ctx.fx.now, stored.is_some());
        self.commits.ended(at);
        let again = self.last_ended(ctx, key, stored.is_some());
        let over = self.predecessor_ended(ctx, known, key, stored).filter(|_| !again);
        self.commit_call_ended(ctx, known, key, &ended);
        if let Some(key) = over {
            self.committed_last(ctx, key);
        }
        self.repeat_firsts(ctx, known);
        self.unregister_if_committed(ctx);
    }
}
