//! What became of what the applications asked for.

use std::time::Duration;

use rocketry_core::engine::Note;
use rocketry_core::error::{QueryError, SendError};
use rocketry_core::id::{OpId, SubscriptionId};
use rocketry_core::producer::SendReceipt;
use rocketry_core::query::Answer;
use rocketry_core::time::Instant;

use super::app::{ClientId, Delivered, Ended, Sent};
use super::world::World;

impl World {
    /// Every send of a client.
    pub fn sends(&self, client: ClientId) -> impl Iterator<Item = &Sent> {
        self.clients[client.0].app.sends.values()
    }

    /// One send.
    ///
    /// # Panics
    /// When the client has no such send.
    pub fn sent(&self, client: ClientId, op: OpId) -> &Sent {
        &self.clients[client.0].app.sends[&op]
    }

    /// How a query ended.
    pub fn answer(&self, client: ClientId, op: OpId) -> Option<&Ended<Result<Answer, QueryError>>> {
        self.clients[client.0].app.answers.get(&op)
    }

    /// Lets time pass until a send ends. Gives after what time since it was asked for, and how.
    ///
    /// # Panics
    /// When it does not end by its deadline.
    pub fn end_of(
        &mut self,
        client: ClientId,
        op: OpId,
    ) -> (Duration, Result<SendReceipt, SendError>) {
        let limit = self.sent(client, op).deadline.since(self.now);
        self.run_until(limit, |world| world.sent(client, op).ended.is_some());
        let sent = self.sent(client, op);
        match &sent.ended {
            Some(ended) => (ended.at.since(sent.asked), ended.result.clone()),
            None => panic!("{op:?} did not end by its deadline"),
        }
    }

    /// Everything consumers were given, in order, over all clients.
    pub fn delivered(&self) -> &[Delivered] {
        &self.delivered
    }

    /// How many different messages consumers were given, by unique id.
    pub fn distinct(&self) -> usize {
        self.distinct.len()
    }

    /// Whether a consumer was given the message of this unique id.
    pub fn has_delivered(&self, id: &str) -> bool {
        self.distinct.contains(id)
    }

    /// What a client's engine had to note, in order.
    pub fn notes(&self, client: ClientId) -> impl Iterator<Item = &Note> {
        self.clients[client.0].app.notes.iter().map(|(_, note)| note)
    }

    /// When a consumer had left its group.
    pub fn left_at(&self, client: ClientId, sub: SubscriptionId) -> Option<Instant> {
        let left = &self.clients[client.0].app.left;
        left.iter().find(|(_, own)| *own == sub).map(|(at, _)| *at)
    }

    /// When a client had stopped.
    pub fn stopped_at(&self, client: ClientId) -> Option<Instant> {
        self.clients[client.0].app.stopped
    }

    /// Whether a message of this unique id is in the log of any broker, and how often.
    pub fn copies(&self, topic: &str, id: &str) -> usize {
        let cluster = self.cluster();
        let mut copies = 0;
        for broker in 0..cluster.config().brokers.len() {
            let (read, write) = cluster.queues(broker, topic).unwrap_or_default();
            for queue in 0..read.max(write) as i32 {
                let records = cluster.messages(broker, topic, queue);
                let same = records.items().filter_map(|item| item.record());
                copies += same.filter(|record| record.unique_id() == Some(id)).count();
            }
        }
        copies
    }

    /// Panics unless each send has ended by its deadline or was cancelled.
    pub fn assert_all_ended(&self) {
        for (client, at) in self.clients.iter().enumerate() {
            for (op, sent) in &at.app.sends {
                let open = sent.ended.is_none() && sent.cancelled.is_none();
                assert!(!open || self.now < sent.deadline, "client-{client} {op:?} never ended");
            }
        }
    }
}
