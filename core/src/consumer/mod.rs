//! The consumers of one client: each a member of its group, with its share of the queues.
//!
//! | state of a consumer | leaves on | to |
//! |---|---|---|
//! | Joining | routes known and a broker has heard of it | Member |
//! | Member | `drain` or shutdown | Member that finishes: no pulls, nothing handed out |
//! | | `close` | Committing |
//! | Member that finishes | all is settled, or the deadline | Committing |
//! | Committing | every offset answered, or the deadline | Unregistering |
//! | Unregistering | every broker answered, or the deadline | gone, `Event::Left` |
//!
//! Codes: `GET_CONSUMER_LIST_BY_GROUP` (38), `NOTIFY_CONSUMER_IDS_CHANGED` (40),
//! `UNREGISTER_CLIENT` (35); those of one queue stand in `queue.rs`.

mod batch;
mod drain;
mod handouts;
mod heartbeat;
mod lead;
mod pace;
pub(crate) mod queue;
mod share;
mod subscribe;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use batch::{Answer, Marks};
pub use batch::{Batch, BatchId, DeliveryId, Handout, Settled};
use drain::Drain;
use handouts::Handouts;
pub(crate) use lead::{Lead, Told};
pub(crate) use pace::Pace;
pub(crate) use queue::Queue;
pub use subscribe::{Expression, ExpressionError, Start, Subscribe, Tags};

use crate::id::BrokerId;
use crate::id::{QueueKey, Slots, SubscriptionId};
use crate::name::Group;
use crate::time::Instant;
use crate::timer::TimerKey;

/// What the application makes of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is done with; its offset may be committed.
    Done,
    /// It is to be delivered again, to this consumer, behind its neighbours and after a pause that
    /// grows each time, from a tenth of `retry_delay`, at most 100 ms, to 30 s: what dropping a
    /// delivery means.
    Again,
    /// It is to be delivered again, to this consumer, after `retry_delay`.
    Later,
}

/// How far a consumer has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Joining,
    Member,
    Committing,
    Unregistering { waiting: usize },
}

/// What a consumer tells of at once, and again once a minute for as long as it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trouble {
    /// Messages with tags that it does not ask for.
    Tags,
    /// No list of the group's members.
    Members,
    /// No offset to begin at, from that broker.
    Begin(BrokerId),
    /// No answer to a pull, of that broker.
    Pull(BrokerId),
    /// Pulls that the broker refuses.
    Refused(BrokerId),
    /// Offsets that the broker does not take.
    Commit(BrokerId),
}

/// How often it tells of it.
const TELL: Duration = Duration::from_secs(60);

/// One consumer.
#[derive(Debug)]
pub(crate) struct Consumer {
    pub(crate) subscribe: Subscribe,
    /// Java's `subVersion`: wall time of the subscription.
    pub(crate) version: i64,
    /// The first revision of our heartbeats that tells of it.
    pub(crate) revision: u64,
    pub(crate) phase: Phase,
    /// It finishes: see `drain.rs`.
    drain: Option<Drain>,
    /// Messages that the application held when it began to leave.
    pub(crate) left_unsettled: usize,
    pub(crate) queues: Slots<QueueKey, Queue>,
    places: share::Places,
    pub(crate) handouts: Handouts,
    /// Commits without an answer, those of queues given up included.
    pub(crate) commits: usize,
    /// The question for the members is on its way.
    pub(crate) asking_members: bool,
    /// When it looks at its share next.
    pub(crate) rebalance_timer: Option<(Instant, TimerKey)>,
    pub(crate) rebalanced: Option<Instant>,
    /// Since when the lists of members lack this one.
    pub(crate) absent: Option<Instant>,
    /// Looks of late that changed nothing.
    pub(crate) idle_looks: u32,
    /// The members named our id more than once when last asked for.
    pub(crate) doubled: bool,
    /// When the group last had other members.
    pub(crate) shared: Option<Instant>,
    told: BTreeMap<Trouble, Instant>,
}

impl Consumer {
    pub(crate) fn new(subscribe: Subscribe, version: i64, revision: u64) -> Self {
        Self {
            subscribe,
            version,
            revision,
            phase: Phase::Joining,
            drain: None,
            left_unsettled: 0,
            queues: Slots::default(),
            places: share::Places::default(),
            handouts: Handouts::default(),
            commits: 0,
            asking_members: false,
            rebalance_timer: None,
            rebalanced: None,
            absent: None,
            idle_looks: 0,
            doubled: false,
            shared: None,
            told: BTreeMap::new(),
        }
    }

    /// Whether another member may have had, a while ago, what is ours now.
    pub(crate) fn is_shared(&self, now: Instant) -> bool {
        self.shared.is_some_and(|at| now.since(at) < queue::OVERLAP)
    }

    pub(crate) const fn is_leaving(&self) -> bool {
        matches!(self.phase, Phase::Committing | Phase::Unregistering { .. })
    }

    /// Whether it is time to tell of a trouble that there is now.
    pub(crate) fn tells(&mut self, now: Instant, trouble: Trouble) -> bool {
        let due = self.told.get(&trouble).is_none_or(|last| now.since(*last) >= TELL);
        if due {
            self.told.insert(trouble, now);
        }
        due
    }

    /// The timers it keeps, and those of its queues.
    pub(crate) fn timers(&self) -> impl Iterator<Item = TimerKey> {
        let queues = self.queues.iter().filter_map(|(_, queue)| queue.timer());
        let own = [self.rebalance_timer, self.handouts.timer, self.drain_timer()];
        queues.chain(own.into_iter().flatten().map(|(_, timer)| timer))
    }

    /// The batch of a delivery, while its queue is ours.
    pub(crate) fn batch(&self, id: BatchId) -> Option<&Arc<Batch>> {
        self.queues.get(id.queue)?.batch(id.number)
    }
}

/// All consumers of one client.
#[derive(Debug, Default)]
pub(crate) struct Consumers {
    slots: Slots<SubscriptionId, Consumer>,
}

impl Consumers {
    pub(crate) fn insert(&mut self, consumer: Consumer) -> SubscriptionId {
        self.slots.insert(consumer)
    }

    pub(crate) fn get(&self, id: SubscriptionId) -> Option<&Consumer> {
        self.slots.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: SubscriptionId) -> Option<&mut Consumer> {
        self.slots.get_mut(id)
    }

    pub(crate) fn remove(&mut self, id: SubscriptionId) -> Option<Consumer> {
        self.slots.remove(id)
    }

    pub(crate) fn of_group(&self, group: &Group) -> Option<SubscriptionId> {
        self.slots.iter().find(|(_, c)| c.subscribe.group == *group).map(|(id, _)| id)
    }

    pub(crate) fn ids(&self) -> Vec<SubscriptionId> {
        self.slots.ids()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (SubscriptionId, &Consumer)> {
        self.slots.iter()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }
}
