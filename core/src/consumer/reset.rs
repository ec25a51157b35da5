//! Offsets that an administrator moves, and how far the group has come.
//!
//! Codes of brokers' requests: `RESET_CONSUMER_CLIENT_OFFSET` (220),
//! `GET_CONSUMER_STATUS_FROM_CLIENT` (221).

use std::collections::BTreeMap;

use super::last_commit::LastCommit;
use super::queue::Lease;
use super::share::Place;
use super::{Consumer, Consumers, Queue};
use crate::body::ConsumerStatusBody;
use crate::effects::{ConsumerTimer, Note, TimerKind};
use crate::id::QueueKey;
use crate::name::{Group, QueueName, Topic};
use crate::remoting::{Context, OffsetReset, PeerAnswer};
use crate::route::Known;
use crate::time::Instant;

/// Who waits for the end of a commit.
#[derive(Debug)]
pub(super) enum Heir {
    /// The queue's next life.
    Anew(QueueKey),
    /// The last commit of a queue that was given up.
    Last(LastCommit),
}

/// Commits that were under way when their queues were taken anew or given up, and who must wait for
/// them: an older offset that arrives late would replace the new one.
#[derive(Debug, Default)]
pub(super) struct Predecessors {
    heirs: BTreeMap<QueueKey, Heir>,
    /// For which commit a queue's next life waits.
    waiting: BTreeMap<QueueKey, QueueKey>,
}

impl Predecessors {
    /// Nothing of the heir is to be committed before the commit of `old` is answered.
    pub(super) fn waits(&mut self, old: QueueKey, heir: Heir) {
        // One that waits itself hands its place on.
        let first = self.waiting.remove(&old).unwrap_or(old);
        if let Heir::Anew(anew) = &heir {
            self.waiting.insert(*anew, first);
        }
        self.heirs.insert(first, heir);
    }

    /// The commit was answered, or came to nothing: who may commit now.
    pub(super) fn ended(&mut self, old: QueueKey) -> Option<Heir> {
        let heir = self.heirs.remove(&old)?;
        if let Heir::Anew(anew) = &heir {
            self.waiting.remove(anew);
        }
        Some(heir)
    }

    /// An administrator has moved the group in these queues: no last commit of theirs is given.
    pub(super) fn have_moved(&mut self, are: impl Fn(&QueueName) -> bool) {
        for heir in self.heirs.values_mut() {
            if let Heir::Last(last) = heir
                && are(&last.name)
            {
                last.has_moved();
            }
        }
    }

    /// Last commits that wait for others.
    pub(super) fn lasts(&self) -> usize {
        self.heirs.values().filter(|heir| matches!(heir, Heir::Last(_))).count()
    }

    /// Whether the queue waits.
    pub(super) fn holds(&self, queue: QueueKey) -> bool {
        self.waiting.contains_key(&queue)
    }
}

impl Consumers {
    /// A group is to go on elsewhere in some queues of a topic. Those that are ours begin a new
    /// life there, and the offset is committed at once: what is held of them, and what of it is
    /// settled from now on, counts no more (`MQClientInstance.resetOffset`). The queues of other
    /// members are theirs: the broker tells every member. Many queues are done in turns, in which
    /// resets that follow each other keep their order.
    pub(crate) fn reset(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        reset: OffsetReset,
    ) -> PeerAnswer {
        let OffsetReset { group, topic, offsets } = reset;
        let sub = self.of_group(&group);
        let Some(consumer) = sub.and_then(|sub| self.get_mut(sub)) else {
            return PeerAnswer::no_consumer(&group);
        };
        let table = offsets.offsets.iter().filter(|(queue, _)| **topic.wire() == *queue.topic);
        let offsets: BTreeMap<(&str, i32), i64> =
            table.map(|(queue, offset)| ((&*queue.broker_name, queue.queue_id), *offset)).collect();
        consumer.forget_lasts(ctx, |name| {
            name.topic == topic && offsets.contains_key(&(&*name.broker, name.queue as i32))
        });
        if consumer.is_leaving() {
            return PeerAnswer::no_consumer(&group);
        }
        let mut moves = Vec::new();
        for key in consumer.queues_of(&topic) {
            let Some(Queue { name, topic, at, .. }) = consumer.queues.get(key) else { continue };
            if let Some(offset) = offsets.get(&(&*name.broker, name.queue as i32)) {
                moves.push(((*topic, *at), (*offset).max(0)));
            }
        }
        let sub = consumer.id;
        self.attend_resets(ctx, known, sub, moves);
        PeerAnswer::Done
    }

    /// How far a group has come in a topic, as far as this client reads it.
    pub(crate) fn status(&self, now: Instant, group: &Group, topic: &Topic) -> PeerAnswer {
        let Some(consumer) = self.of_group(group).and_then(|sub| self.get(sub)) else {
            return PeerAnswer::no_consumer(group);
        };
        let queues = consumer.queues_of(topic).into_iter();
        let queues = queues.filter_map(|key| consumer.queues.get(key));
        let offsets = queues.filter_map(|queue| Some((queue.name.named(), queue.reached(now)?)));
        let body = ConsumerStatusBody { offsets: offsets.collect(), ..Default::default() };
        PeerAnswer::Body(body.to_json().into())
    }
}

impl Consumer {
    /// The queues of one of its topics.
    fn queues_of(&self, topic: &Topic) -> Vec<QueueKey> {
        self.topics
            .find(topic)
            .map_or_else(Vec::new, |key| self.of_topic(key).map(|(_, key)| key).collect())
    }

    /// A queue begins a new life at an offset that somebody has set.
    pub(super) fn go_on_at(&mut self, ctx: &mut Context, known: Known<'_>, at: Place, to: i64) {
        if self.is_leaving() {
            return;
        }
        let Some(key) = self.places.queue(&at) else { return };
        let Some(queue) = self.queues.get(key) else { return };
        let (name, from) = (queue.name.clone(), queue.cursor.next());
        let old = (key, queue.to_store(ctx.fx.now));
        let Some(key) = self.begin_anew_at(ctx, at, to) else { return };
        if let Some(queue) = self.queues.get_mut(key) {
            queue.reset = Some(to);
        }
        let group = self.group.clone();
        ctx.fx.note(Note::OffsetReset { group, queue: name, from, to });
        self.commit_in_any_case(ctx, known, key);
        self.commit_calls_go_on(ctx, known, old.0);
        self.commit_late(ctx, known, old, key);
        self.resume(ctx, known, key);
        self.look_at_queues();
        self.leave_if_drained(ctx);
    }

    /// A queue begins a new life at an offset that is known to be there.
    pub(super) fn begin_anew_at(
        &mut self,
        ctx: &mut Context,
        at: Place,
        to: i64,
    ) -> Option<QueueKey> {
        let old = self.places.queue(&at)?;
        let lease = self.queues.get(old)?.cursor.lease();
        let key = self.take_anew(old, to)?;
        if let Some(queue) = self.queues.get_mut(key) {
            queue.cursor.show();
            if let Some(lease) = lease {
                // It is no sooner ours to read: whoever had it may have to hear of the move yet.
                ctx.fx.timers.cancel(lease.timer());
                let timer = TimerKind::Consumer(ConsumerTimer::Queue(self.id, key));
                let timer = ctx.fx.timers.at(lease.at(), timer);
                queue.cursor.awaiting(Lease::new(lease.at(), timer));
            }
        }
        Some(key)
    }

    /// A commit was answered, with the offset that is stored now, or came to nothing: who waited
    /// for it goes on. Gives the queue of which no commit is under way any more.
    pub(super) fn predecessor_ended(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        old: QueueKey,
        stored: Option<i64>,
    ) -> Option<QueueKey> {
        match self.predecessors.ended(old) {
            Some(Heir::Anew(anew)) => {
                self.commit(ctx, known, anew);
                self.commit_calls_go_on(ctx, known, anew);
                Some(old)
            }
            Some(Heir::Last(last)) => {
                let key = last.key;
                let awaited = match stored {
                    Some(offset) if offset == last.offset => self.last_stored(ctx.fx.now, last),
                    _ => self.commit_last(ctx, known, last),
                };
                (!awaited).then_some(key)
            }
            None => Some(old),
        }
    }
}
