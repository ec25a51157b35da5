//! One consumer that is polled, and what it is to be given next.

use std::collections::{BTreeMap, BTreeSet};

use rocketry_core::consumer::{Commit, Filter, Polling, Start, Subscribe, Taking};
use rocketry_core::error::CommitError;
use rocketry_core::id::{OpId, SubscriptionId};
use rocketry_core::name::Group;
use rocketry_core::query::QueueName;

use super::{Ledger, config, topic};
use crate::sim::app::{ClientId, Pace};
use crate::sim::world::World;

/// A poll gives so many messages at most.
const BATCH: u32 = 7;

#[derive(Debug)]
pub(super) struct Poller {
    pub(super) group: &'static str,
    client: ClientId,
    sub: SubscriptionId,
    /// The queues that it reads, where they are assigned.
    assigned: Option<BTreeSet<QueueName>>,
    /// What comes next of each queue, once it is known.
    next: BTreeMap<QueueName, i64>,
    held: BTreeSet<QueueName>,
    /// Changes of its queues that were looked at.
    changes: usize,
    commits: Vec<OpId>,
}

impl Poller {
    /// One with a client of its own.
    pub(super) fn start(
        world: &mut World,
        group: &'static str,
        (auto_commit, assigned): (bool, Option<BTreeSet<QueueName>>),
    ) -> Self {
        let client = world.client(config());
        let name = Group::new(group).unwrap_or_else(|error| panic!("{error}"));
        let mut subscribe = Subscribe::new(name, topic());
        let polling = Polling { auto_commit, queues: assigned.clone(), ..Polling::default() };
        subscribe.options = subscribe.options.poll_batch(BATCH).start_at(Start::First);
        subscribe.options.taking = Taking::Polled(polling);
        subscribe.topics = vec![(topic(), Filter::All)];
        let sub = world.subscribe(client, subscribe, Pace::Manual);
        let sub = sub.unwrap_or_else(|error| panic!("{error}"));
        let (next, held, commits) = (BTreeMap::new(), BTreeSet::new(), Vec::new());
        Self { group, client, sub, assigned, next, held, changes: 0, commits }
    }

    pub(super) const fn client(&self) -> ClientId {
        self.client
    }

    pub(super) const fn is_assigned(&self) -> bool {
        self.assigned.is_some()
    }

    /// What comes next of a queue, as far as it is known.
    pub(super) fn next(&self, queue: &QueueName) -> Option<i64> {
        self.next.get(queue).copied()
    }

    /// How far it is: a queue that it has gained may be at its end already.
    pub(super) fn reached(&self, world: &World, queue: &QueueName) -> Option<i64> {
        self.next(queue).or_else(|| world.engine(self.client).position(self.sub, queue))
    }

    /// Queues that it lost begin wherever the group is, once they are back, and are not held; but
    /// for those that it is assigned still, which went from the route alone.
    fn look(&mut self, world: &World) {
        let changes = world.changes(self.client);
        for queue in changes[self.changes..].iter().flat_map(|change| &change.lost) {
            self.next.remove(queue);
            if self.assigned.as_ref().is_none_or(|own| !own.contains(queue)) {
                self.held.remove(queue);
            }
        }
        self.changes = changes.len();
    }

    /// What the last poll gave is settled: it may be committed.
    fn settle(&self, ledger: &mut Ledger) {
        for (queue, next) in &self.next {
            ledger.allow(self.group, queue, *next);
        }
    }

    /// Polls, and holds what comes to what has to come. Gives how many there were.
    pub(super) fn poll(&mut self, world: &mut World, ledger: &mut Ledger) -> usize {
        self.look(world);
        self.settle(ledger);
        let given = world.poll(self.client, self.sub);
        let mut count = 0;
        for run in &given {
            let queue = run.batch.queue();
            assert!(!self.held.contains(queue), "{queue} is held");
            for index in run.next..run.end {
                count += 1;
                let Some(offset) = run.batch.offset(index) else { panic!("a place in {queue}") };
                let due = self.next.insert(queue.clone(), offset + 1).unwrap_or(offset);
                assert_eq!(offset, due, "{:?} of {}: {queue} skips", self.client, self.group);
                ledger.seen.entry((self.group, queue.clone())).or_default().insert(offset);
            }
        }
        assert!(count <= BATCH as usize, "{count} by one poll");
        count
    }

    /// True where the queue is its own.
    pub(super) fn seek(
        &mut self,
        world: &mut World,
        ledger: &mut Ledger,
        queue: &QueueName,
        to: i64,
    ) -> bool {
        self.look(world);
        let sought = world.seek(self.client, self.sub, (queue, to)).is_ok();
        if sought {
            self.next.insert(queue.clone(), to);
            ledger.allow(self.group, queue, to);
        }
        sought
    }

    pub(super) fn hold(&mut self, world: &mut World, queue: &QueueName, held: bool) {
        self.look(world);
        let one = std::slice::from_ref(queue);
        let others = world.hold(self.client, self.sub, (one, held));
        if held && others.is_empty() {
            self.held.insert(queue.clone());
        } else {
            self.held.remove(queue);
        }
    }

    pub(super) fn commit(&mut self, world: &mut World, ledger: &mut Ledger) {
        self.look(world);
        self.settle(ledger);
        self.commits.extend(world.commit(self.client, self.sub, Commit::Polled));
    }

    /// What the last commit ended with, if it has.
    pub(super) fn last_commit(&self, world: &World) -> Option<Result<(), CommitError>> {
        let last = self.commits.last()?;
        world.committed(self.client, *last).map(|ended| ended.result.clone())
    }

    /// Reads these queues. What was wished of others is forgotten.
    pub(super) fn assign(&mut self, world: &mut World, queues: BTreeSet<QueueName>) {
        let done = world.assign(self.client, self.sub, queues.clone());
        assert_eq!(done, Ok(true));
        self.look(world);
        let own: BTreeSet<QueueName> =
            world.engine(self.client).queues(self.sub).into_iter().collect();
        let stays = |queue: &QueueName| own.contains(queue) || queues.contains(queue);
        self.next.retain(|queue, _| stays(queue));
        self.held.retain(stays);
        self.assigned = Some(queues);
    }

    /// Leaves, with what the last poll gave settled or not.
    pub(super) fn leave(self, world: &mut World, ledger: &mut Ledger, settles: bool) {
        if settles {
            self.settle(ledger);
            world.settle_polled(self.client, self.sub);
        }
        assert!(world.leave(self.client, self.sub).is_ok());
    }
}
