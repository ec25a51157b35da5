//! Messages that consumers are handed, and what becomes of them.

use std::collections::BTreeSet;
use std::time::Duration;

use rocketry_core::consumer::{DeliveryId, Handout, Outcome, Settled};
use rocketry_core::error::Stale;
use rocketry_core::id::SubscriptionId;
use rocketry_core::message::Item;
use rocketry_core::query::QueueName;

use super::app::{ClientId, Delivered, Pace};
use super::fates::{Kind, place_of};
use super::happening::Happening;
use super::world::World;

impl World {
    /// Takes all that a consumer may have now.
    pub fn take(&mut self, client: ClientId, sub: SubscriptionId) -> Vec<Handout> {
        std::iter::from_fn(|| self.take_one(client, sub)).collect()
    }

    /// Takes the next run of messages, if there is one.
    pub fn take_one(&mut self, client: ClientId, sub: SubscriptionId) -> Option<Handout> {
        let handout =
            self.tell(client, |session, now| session.engine_mut().poll_batch(now, sub))?;
        self.record(client, sub, &handout);
        Some(handout)
    }

    /// Says what became of one message.
    pub fn settle(
        &mut self,
        client: ClientId,
        id: DeliveryId,
        outcome: Outcome,
    ) -> Result<(), Stale> {
        let settled =
            self.tell(client, |session, now| session.engine_mut().settle(now, id, outcome));
        self.pump();
        settled
    }

    /// Is done with a whole run of messages, as the handles are: bits first, then the engine.
    pub fn settle_all(&mut self, client: ClientId, handout: &Handout) {
        self.be_done(client, handout);
        self.pump();
    }

    /// What a client was done with in a queue while its process was there.
    pub(super) fn settled_by(&self, client: ClientId, queue: &QueueName) -> BTreeSet<i64> {
        self.settled_by.get(&(client, queue.clone())).cloned().unwrap_or_default()
    }

    pub(super) fn be_done(&mut self, client: ClientId, handout: &Handout) {
        let batch = &handout.batch;
        let settled = self.settled.entry(batch.queue().clone()).or_default();
        let offsets = (handout.next..handout.end).filter_map(|index| batch.offset(index));
        settled.extend(offsets.clone());
        if !self.clients[client.0].gone {
            let own = self.settled_by.entry((client, batch.queue().clone())).or_default();
            own.extend(offsets);
        }
        for index in handout.next..handout.end {
            if batch.settle(index) == Settled::Last {
                // Stale when the queue was given up meanwhile.
                let _ = self
                    .tell(client, |session, now| session.engine_mut().batch_ended(now, batch.id()));
            }
        }
    }

    pub(super) fn record(&mut self, client: ClientId, sub: SubscriptionId, handout: &Handout) {
        let batch = &handout.batch;
        for index in (handout.next..handout.end).filter(|index| batch.wanted(*index)) {
            let item = batch.records().item(index as usize);
            let (offset, queue) = (batch.offset(index), batch.queue().clone());
            let (id, body) = match item {
                Item::Record(record) => {
                    let text = |body: bytes::Bytes| String::from_utf8_lossy(&body).into_owned();
                    let body = record.body().map(text).map_err(|error| error.to_string());
                    (record.unique_id().map(str::to_owned), body)
                }
                Item::Undecodable(bad) => (None, Err(bad.reason.to_string())),
            };
            let at = self.now;
            let place = place_of(batch.queue());
            if self.judges(client, sub) {
                let group = self.clients[client.0].app.groups[&sub].clone();
                let times = self.fates.hand(group.as_str(), place, offset, id.as_deref());
                self.handed.insert((client, DeliveryId { batch: batch.id(), index }), times);
            }
            self.distinct.extend(id.clone());
            self.delivered.push(Delivered { at, client, sub, queue, offset, id, body });
        }
    }

    pub(super) fn deliverable(&mut self, client: ClientId, sub: SubscriptionId) {
        let pace = self.clients[client.0].app.paces.get(&sub).copied();
        match pace.unwrap_or(Pace::Manual) {
            Pace::Manual => {}
            Pace::AtOnce => {
                for handout in self.take(client, sub) {
                    self.be_done(client, &handout);
                }
            }
            Pace::Within(time) => {
                for handout in self.take(client, sub) {
                    let after = Duration::from_nanos(self.rng.below(time.as_nanos() as u64));
                    let settle = Happening::Settle { client, handout };
                    self.schedule(self.now + after, settle);
                }
            }
            Pace::Judging(time) => self.judge_all(client, sub, time),
            Pace::InOrder(_) => self.take_in_order(client, sub),
        }
    }
}

/// Consumers that judge each message by itself.
impl World {
    fn judges(&self, client: ClientId, sub: SubscriptionId) -> bool {
        let pace = self.clients[client.0].app.paces.get(&sub);
        matches!(pace, Some(Pace::Judging(_) | Pace::InOrder(_)))
    }

    fn judge_all(&mut self, client: ClientId, sub: SubscriptionId, within: Duration) {
        for handout in self.take(client, sub) {
            for index in handout.next..handout.end {
                if !handout.batch.wanted(index) {
                    continue;
                }
                let one = Handout { next: index, end: index + 1, ..handout.clone() };
                if within.is_zero() {
                    self.judge(client, &one);
                } else {
                    let after = Duration::from_nanos(self.rng.below(within.as_nanos() as u64));
                    self.schedule(self.now + after, Happening::Judge { client, handout: one });
                }
            }
        }
    }

    /// One message is judged, by what it says.
    pub(super) fn judge(&mut self, client: ClientId, one: &Handout) {
        if self.clients[client.0].gone {
            return;
        }
        let (batch, index) = (&one.batch, one.next);
        let id = DeliveryId { batch: batch.id(), index };
        let Some(group) = self.clients[client.0].app.groups.get(&id.batch.sub).cloned() else {
            return;
        };
        let times = self.handed.get(&(client, id)).copied().unwrap_or_default();
        let outcome = self.verdict(one, times);
        // What is to come again in its order stays here.
        let back = match outcome {
            Outcome::Retry { .. } => !batch.is_orderly(),
            Outcome::Reject => true,
            Outcome::Done | Outcome::Here(_) | Outcome::Again => false,
        };
        let done = outcome == Outcome::Done;
        if done || back {
            let place = place_of(batch.queue());
            let held = !batch.is_revoked();
            self.fates.judge(group.as_str(), place, batch.offset(index), (done, held));
        }
        if done && self.rng.below(2) == 0 {
            return self.settle_one(client, one);
        }
        // One that ends well comes again as long as it is given back. Not where the queue was lost
        // meanwhile: whoever has it may have handled the message by then.
        let again = batch.is_orderly() && !batch.is_revoked() && !done;
        let comes_again = again && kind_of(one) == Kind::Flaky;
        if comes_again && self.is_locked_by(client, group.as_str(), batch.queue()) {
            let (topic, name, number) = place_of(batch.queue());
            if let Some(offset) = batch.offset(index) {
                let place = format!("{topic} {name} {number}");
                self.firsts.give_back(group.as_str(), client, &place, offset);
            }
        }
        // Stale when the queue was given up meanwhile.
        let _ = self.tell(client, |session, now| session.engine_mut().settle(now, id, outcome));
    }

    /// What becomes of a message that was handed out so often before.
    fn verdict(&mut self, one: &Handout, times: u32) -> Outcome {
        let (batch, kind) = (&one.batch, kind_of(one));
        let drawn = self.rng.below(5);
        match kind {
            Kind::Flaky if times < 2 => match drawn {
                0 | 1 => Outcome::Retry { after: None },
                2 => Outcome::Retry { after: Some(Duration::from_secs(1)) },
                3 => Outcome::Again,
                _ => Outcome::Here(Duration::from_millis(self.rng.below(500))),
            },
            Kind::Dead => Outcome::Reject,
            Kind::Hopeless => Outcome::Retry { after: None },
            // Only once: its copies are damaged as well.
            Kind::Unreadable if drawn == 0 && times == 0 && !is_retry(batch.queue()) => {
                Outcome::Retry { after: None }
            }
            Kind::Good | Kind::Flaky | Kind::Unreadable => Outcome::Done,
        }
    }

    /// One message is done with as the handles are: bits first, then the engine.
    pub(super) fn settle_one(&mut self, client: ClientId, one: &Handout) {
        if one.batch.settle(one.next) == Settled::Last {
            // Stale when the queue was given up meanwhile.
            let id = one.batch.id();
            let _ = self.tell(client, |session, now| session.engine_mut().batch_ended(now, id));
        }
    }
}

/// What one message says of itself.
fn kind_of(one: &Handout) -> Kind {
    match one.batch.records().item(one.next as usize) {
        Item::Record(record) => Kind::of(&String::from_utf8_lossy(&record.raw_body())),
        Item::Undecodable(_) => Kind::Unreadable,
    }
}

fn is_retry(queue: &QueueName) -> bool {
    queue.topic.as_str().starts_with("%RETRY%")
}
