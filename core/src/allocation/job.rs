//! A share computed apart from the engine: its cost grows with the topic's queues and the group's
//! members, and the client's lock must not be held for so long.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;

use super::{Allocation, AllocationError, Queue, Strategy, average};
use crate::body::{Assignments, ConsumerList, Members, RequestMode};
use crate::id::{BrokerId, RouteQueue, SubscriptionId, TopicKey};

/// Work that the engine wants done without it, and needs no clock or socket for:
/// [`run`](Self::run) it, on whatever thread, and say so by
/// [`Input::Computed`](crate::engine::Input::Computed).
///
/// ```no_run
/// # use rocketry_core::engine::{Command, Engine, Input};
/// # fn f(engine: &mut Engine, now: rocketry_core::time::Instant) {
/// if let Some(Command::Compute { job }) = engine.poll_command() {
///     engine.handle(now, Input::Computed { done: job.run() });
/// }
/// # }
/// ```
///
/// It is a consumer's share of one topic so far. One that is never run, or whose end comes late,
/// costs no more than that the share stays as it is.
#[derive(Clone)]
pub struct Job(Box<Task>);

/// What a [`Job`] came to, for [`Input::Computed`](crate::engine::Input::Computed).
#[derive(Clone, Debug)]
pub struct Computed {
    pub(crate) ticket: Ticket,
    pub(crate) result: Result<Share, AllocationError>,
}

/// Whose job it is, and which of its jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(crate) sub: SubscriptionId,
    pub(crate) topic: TopicKey,
    pub(crate) generation: u64,
}

/// What is to be computed, and from what.
#[derive(Clone)]
pub(crate) struct Task {
    pub(crate) ticket: Ticket,
    pub(crate) topic: Arc<str>,
    pub(crate) me: Arc<str>,
    /// The topic's queues, by the names of their brokers and by their numbers.
    pub(crate) queues: Arc<[RouteQueue]>,
    /// Those names, where the rule goes by them.
    pub(crate) brokers: Vec<(BrokerId, Arc<str>)>,
    pub(crate) rule: Rule,
    /// What this member has, in the order of [`RouteQueue`].
    pub(crate) held: Arc<[RouteQueue]>,
}

/// Who decides.
#[derive(Clone)]
pub(crate) enum Rule {
    /// A strategy, by the group's members; by their list where their count is not enough.
    Members { strategy: Strategy, members: Members, list: Bytes },
    /// The broker, which has said so in a body of `QUERY_ASSIGNMENT` (400).
    Broker(Bytes),
}

/// A share, and what changes by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    /// All of it, in the order of [`RouteQueue`]: what was held where nothing changes.
    pub(crate) queues: Arc<[RouteQueue]>,
    pub(crate) gained: Vec<RouteQueue>,
    pub(crate) lost: Vec<RouteQueue>,
}

impl From<Task> for Job {
    fn from(task: Task) -> Self {
        Self(Box::new(task))
    }
}

impl PartialEq for Job {
    fn eq(&self, other: &Self) -> bool {
        self.0.ticket == other.0.ticket
    }
}

impl Eq for Job {}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (topic, queues) = (&self.0.topic, self.0.queues.len());
        f.debug_struct("Job").field("topic", topic).field("queues", &queues).finish_non_exhaustive()
    }
}

impl Job {
    /// Does it. Panics of rules of the application's own end here, as an error.
    pub fn run(self) -> Computed {
        let task = &*self.0;
        let result = catch_unwind(AssertUnwindSafe(|| task.share()));
        Computed { ticket: task.ticket, result: result.unwrap_or(Err(AllocationError::Panicked)) }
    }

    /// Whether code of the application's is called, which may block.
    pub fn may_block(&self) -> bool {
        matches!(&self.0.rule, Rule::Members { strategy, .. } if strategy.is_foreign())
    }
}

impl Task {
    fn share(&self) -> Result<Share, AllocationError> {
        let mut wanted = match &self.rule {
            Rule::Members { strategy: Strategy::Average, members, .. } => {
                let place = members.place.unwrap_or(usize::MAX);
                self.queues[average(self.queues.len(), members.count, place)].to_vec()
            }
            Rule::Members { strategy: Strategy::Circle, members, .. } => {
                let from = members.place.unwrap_or(usize::MAX);
                self.queues.iter().skip(from).step_by(members.count.max(1)).copied().collect()
            }
            Rule::Members { strategy, list, .. } => self.by_ids(strategy, list)?,
            Rule::Broker(assigned) => self.assigned(assigned)?,
        };
        wanted.sort_unstable();
        Ok(Share::after(&self.held, wanted))
    }

    fn by_ids(&self, strategy: &Strategy, list: &[u8]) -> Result<Vec<RouteQueue>, AllocationError> {
        let list = ConsumerList::parse(list).map_err(unreadable)?;
        let members = list.client_ids.into_iter().map(Arc::from).collect();
        let named = |at: &RouteQueue| Queue { broker: self.name(at.broker), id: at.queue };
        let queues: Vec<Queue> = self.queues.iter().map(named).collect();
        let allocation = Allocation::of_sorted(self.topic.clone(), queues, members);
        let share = allocation.share(strategy, &self.me)?;
        Ok(share.into_iter().map(|place| self.queues[place]).collect())
    }

    /// The queues of the route that the broker names; others are not there to be read.
    fn assigned(&self, body: &[u8]) -> Result<Vec<RouteQueue>, AllocationError> {
        let assigned = Assignments::parse(body).map_err(unreadable)?;
        if assigned.queues.iter().any(|one| one.mode == RequestMode::Pop) {
            return Err(AllocationError::Pop);
        }
        let mut own = Vec::with_capacity(assigned.queues.len());
        for one in assigned.queues {
            let named = |(_, name): &&(BrokerId, Arc<str>)| **name == *one.queue.broker_name;
            let broker = self.brokers.iter().find(named).map(|(broker, _)| *broker);
            let queue = u32::try_from(one.queue.queue_id).ok();
            own.extend(broker.zip(queue).map(|(broker, queue)| RouteQueue { broker, queue }));
        }
        own.sort_unstable();
        own.dedup();
        let mut there: Vec<RouteQueue> = self.queues.to_vec();
        there.sort_unstable();
        own.retain(|at| there.binary_search(at).is_ok());
        Ok(own)
    }

    fn name(&self, broker: BrokerId) -> Arc<str> {
        let found = self.brokers.binary_search_by_key(&broker, |(id, _)| *id);
        found.map_or_else(|_| "".into(), |at| self.brokers[at].1.clone())
    }
}

fn unreadable(error: crate::body::BodyError) -> AllocationError {
    AllocationError::List { reason: error.to_string().into() }
}

impl Share {
    /// What `wanted`, which is sorted, changes for who holds `held`.
    fn after(held: &Arc<[RouteQueue]>, wanted: Vec<RouteQueue>) -> Self {
        let (mut gained, mut lost) = (Vec::new(), Vec::new());
        if **held == *wanted {
            return Self { queues: held.clone(), gained, lost };
        }
        let mut old = held.iter().copied().peekable();
        for &new in &wanted {
            while let Some(gone) = old.next_if(|old| *old < new) {
                lost.push(gone);
            }
            if old.next_if_eq(&new).is_none() {
                gained.push(new);
            }
        }
        lost.extend(old);
        Self { queues: wanted.into(), gained, lost }
    }
}

#[cfg(test)]
mod tests {}
