//! Offsets that an administrator moves, and how far the group has come.
//!
//! Codes of brokers' requests: `RESET_CONSUMER_CLIENT_OFFSET` (220),
//! `GET_CONSUMER_STATUS_FROM_CLIENT` (221).

use std::collections::BTreeMap;

use super::{Consumer, Consumers};
use crate::body::{ConsumerStatusBody, MessageQueue};
use crate::effects::Note;
use crate::id::QueueKey;
use crate::name::{Group, QueueName, Topic};
use crate::remoting::{Context, OffsetReset, PeerAnswer};
use crate::route::Known;
use crate::time::Instant;

/// Commits that were under way when their queues were taken anew, and who must wait for them: an
/// older offset that arrives late would replace the new one.
#[derive(Debug, Default)]
pub(super) struct Predecessors(BTreeMap<QueueKey, QueueKey>);

impl Predecessors {
    /// Nothing of `anew` is to be committed before the commit of `old` is answered.
    pub(super) fn waits(&mut self, old: QueueKey, anew: QueueKey) {
        // One that waits itself hands its place on.
        let first = self.0.iter().find_map(|(first, next)| (*next == old).then_some(*first));
        self.0.insert(first.unwrap_or(old), anew);
    }

    /// The commit was answered, or came to nothing: who may commit now.
    pub(super) fn ended(&mut self, old: QueueKey) -> Option<QueueKey> {
        self.0.remove(&old)
    }

    /// Whether the queue waits.
    pub(super) fn holds(&self, queue: QueueKey) -> bool {
        self.0.values().any(|waits| *waits == queue)
    }
}

impl Consumers {
    /// A group is to go on elsewhere in some queues of a topic. Those that are ours begin a new
    /// life there, and the offset is committed at once: what is held of them, and what of it is
    /// settled from now on, counts no more (`MQClientInstance.resetOffset`). The queues of other
    /// members are theirs: the broker tells every member.
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
        if consumer.is_leaving() {
            return PeerAnswer::no_consumer(&group);
        }
        let table = offsets.offsets.iter().filter(|(queue, _)| topic.as_str() == queue.topic);
        let offsets: BTreeMap<(&str, i32), i64> =
            table.map(|(queue, offset)| ((&*queue.broker_name, queue.queue_id), *offset)).collect();
        for key in consumer.queues_of(&topic) {
            let Some(name) = consumer.queues.get(key).map(|queue| &queue.name) else { continue };
            if let Some(offset) = offsets.get(&(&*name.broker, name.queue as i32)) {
                consumer.go_on_at(ctx, known, key, (*offset).max(0));
            }
        }
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
    fn go_on_at(&mut self, ctx: &mut Context, known: Known<'_>, key: QueueKey, to: i64) {
        let Some(queue) = self.queues.get(key) else { return };
        let (name, from) = (queue.name.clone(), queue.cursor.next());
        let old = (key, queue.to_store(ctx.fx.now));
        let Some(key) = self.take_anew(key, to) else { return };
        if let Some(queue) = self.queues.get_mut(key) {
            queue.cursor.show();
        }
        let group = self.group.clone();
        ctx.fx.note(Note::OffsetReset { group, queue: name, from, to });
        self.commit(ctx, known, key);
        self.commit_late(ctx, known, old, key);
        self.resume(ctx, known, key);
        self.look_at_queues();
        self.leave_if_drained(ctx, known);
    }

    /// The commit of a queue's last life was answered, or came to nothing.
    pub(super) fn predecessor_ended(&mut self, ctx: &mut Context, known: Known<'_>, old: QueueKey) {
        if let Some(anew) = self.predecessors.ended(old) {
            self.commit(ctx, known, anew);
        }
    }
}

impl QueueName {
    /// The queue as bodies name it.
    pub(super) fn named(&self) -> MessageQueue {
        MessageQueue {
            broker_name: self.broker.to_string(),
            queue_id: self.queue as i32,
            topic: self.topic.to_string(),
        }
    }
}
