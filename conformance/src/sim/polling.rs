//! Consumers that applications poll: what they ask of them, and what came of it.

use std::collections::BTreeSet;

use rocketry_core::consumer::{Commit, Handout};
use rocketry_core::error::{CommitError, Stale};
use rocketry_core::id::{OpId, SubscriptionId};
use rocketry_core::query::QueueName;
use rocketry_core::time::Instant;

use super::app::{ClientId, Ended};
use super::world::World;

impl World {
    /// Polls a consumer: what the last poll gave is settled by it.
    pub fn poll(&mut self, client: ClientId, sub: SubscriptionId) -> Vec<Handout> {
        let given = self.tell(client, |session, now| session.engine_mut().poll_messages(now, sub));
        for handout in &given {
            self.record(client, sub, handout);
        }
        self.pump();
        given
    }

    /// Polls until nothing is there, and gives the offsets of one queue, or all where it is the
    /// only one.
    pub fn poll_all(&mut self, client: ClientId, sub: SubscriptionId) -> Vec<i64> {
        let polls = std::iter::from_fn(|| {
            let given = self.poll(client, sub);
            (!given.is_empty()).then_some(given)
        });
        let runs: Vec<Handout> = polls.flatten().collect();
        let offsets = |run: &Handout| {
            let batch = run.batch.clone();
            (run.next..run.end).filter_map(move |index| batch.offset(index))
        };
        runs.iter().flat_map(offsets).collect()
    }

    /// Settles what the last poll gave, as the next one would.
    pub fn settle_polled(&mut self, client: ClientId, sub: SubscriptionId) {
        self.tell(client, |session, now| session.engine_mut().settle_polled(now, sub));
        self.pump();
    }

    /// Has a queue go on at another offset.
    pub fn seek(
        &mut self,
        client: ClientId,
        sub: SubscriptionId,
        (queue, to): (&QueueName, i64),
    ) -> Result<(), Stale> {
        let done = self.tell(client, |session, now| session.engine_mut().seek(now, sub, queue, to));
        self.pump();
        done
    }

    /// Holds queues, or releases them. Gives those that are none of the consumer's.
    pub fn hold(
        &mut self,
        client: ClientId,
        sub: SubscriptionId,
        (queues, held): (&[QueueName], bool),
    ) -> Vec<QueueName> {
        let others = self.tell(client, |session, now| match held {
            true => session.engine_mut().hold(now, sub, queues),
            false => session.engine_mut().release(now, sub, queues),
        });
        self.pump();
        others
    }

    /// Assigns queues to a consumer.
    pub fn assign(
        &mut self,
        client: ClientId,
        sub: SubscriptionId,
        queues: BTreeSet<QueueName>,
    ) -> Result<bool, Stale> {
        let done = self.tell(client, |session, now| session.engine_mut().assign(now, sub, queues));
        self.pump();
        done
    }

    /// Commits.
    pub fn commit(
        &mut self,
        client: ClientId,
        sub: SubscriptionId,
        what: Commit,
    ) -> Result<OpId, CommitError> {
        let op = self.tell(client, |session, now| session.engine_mut().commit(now, sub, what));
        self.pump();
        op
    }

    /// The queues of topics that consumers of a client were told of, in order.
    pub fn topic_queues(&self, client: ClientId) -> &[(Instant, Vec<QueueName>)] {
        &self.clients[client.0].app.topics
    }

    /// What a commit ended with, if it has.
    pub fn committed(&self, client: ClientId, op: OpId) -> Option<&Ended<Result<(), CommitError>>> {
        self.clients[client.0].app.commits.get(&op)
    }
}
