//! Queues that the application names, whoever else is in the group: no members are asked for, and
//! none of them is shared (`DefaultLitePullConsumerImpl.assign`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;

use super::share::By;
use super::{Consumer, Consumers, Filter, Phase};
use crate::effects::Signal;
use crate::error::Stale;
use crate::id::SubscriptionId;
use crate::name::{QueueName, Topic};
use crate::remoting::Context;
use crate::route::Known;

/// What a consumer of such queues reads.
#[derive(Debug)]
pub(super) struct Assigned {
    pub(super) queues: Arc<BTreeSet<QueueName>>,
    /// What is wanted of a topic, where that is not all.
    filters: BTreeMap<Topic, Filter>,
    /// What is wanted of queues that are not there yet: a route may have to come first.
    wishes: BTreeMap<QueueName, Wish>,
}

/// What a queue begins with, once it is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wish {
    /// The offset to go on at.
    pub(super) offset: Option<i64>,
    /// It begins no pull and hands nothing out.
    pub(super) held: bool,
}

impl Assigned {
    pub(super) fn new(queues: BTreeSet<QueueName>, filters: Vec<(Topic, Filter)>) -> Self {
        let (filters, wishes) = (filters.into_iter().collect(), BTreeMap::new());
        Self { queues: Arc::new(queues), filters, wishes }
    }

    /// What a queue that is among its own, and not there yet, is to begin with.
    pub(super) fn wish(&mut self, queue: &QueueName) -> Option<&mut Wish> {
        let known = self.queues.contains(queue);
        known.then(|| self.wishes.entry(queue.clone()).or_default())
    }

    /// The same, where something was wished.
    pub(super) fn wished(&self, queue: &QueueName) -> Option<Wish> {
        self.wishes.get(queue).copied()
    }

    /// Those that are to be held once they are there.
    pub(super) fn held(&self) -> impl Iterator<Item = &QueueName> {
        self.wishes.iter().filter(|(_, wish)| wish.held).map(|(queue, _)| queue)
    }

    /// The queue is there: what was wished of it, which holds for now.
    pub(super) fn take_wish(&mut self, queue: &QueueName) -> Wish {
        self.wishes.remove(queue).unwrap_or_default()
    }

    /// The topics of its queues.
    pub(super) fn topics(&self) -> BTreeMap<Topic, Filter> {
        let filter = |topic: &Topic| self.filters.get(topic).cloned().unwrap_or(Filter::All);
        let topics = self.queues.iter().map(|queue| &queue.topic);
        topics.map(|topic| (topic.clone(), filter(topic))).collect()
    }
}

impl Consumers {
    /// A consumer reads these queues from now on: what it has of others is given up. False: it
    /// subscribes to topics, and the group decides.
    pub(crate) fn assign(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        sub: SubscriptionId,
        queues: BTreeSet<QueueName>,
        revision: u64,
    ) -> Result<bool, Stale> {
        let consumer = self.get_mut(sub).filter(|consumer| !consumer.is_leaving()).ok_or(Stale)?;
        let Some(assigned) = &mut consumer.assigned else { return Ok(false) };
        assigned.wishes.retain(|queue, _| queues.contains(queue));
        assigned.queues = Arc::new(queues);
        let wanted = assigned.topics();
        // What waits for a broker's word on its filter included.
        let read: BTreeSet<Topic> = consumer.names().cloned().collect();
        for topic in read.iter().filter(|topic| !wanted.contains_key(topic)) {
            self.unread(ctx, known, sub, topic, revision);
        }
        for (topic, filter) in wanted.into_iter().filter(|(topic, _)| !read.contains(topic)) {
            self.read(ctx, known, sub, (topic, filter), revision);
        }
        ctx.fx.signal(Signal::Rebalance(sub));
        Ok(true)
    }
}

impl Consumer {
    /// Its share is what it was assigned, of what there is.
    pub(super) fn rebalance_assigned(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        queues: &Arc<BTreeSet<QueueName>>,
    ) {
        self.phase = Phase::Member;
        self.reach_brokers(ctx, known);
        for topic in self.topics.keys() {
            self.share_topic(ctx, known, topic, By::Assigned(queues.clone()), Bytes::new());
        }
        self.look_again(ctx, known);
    }
}
