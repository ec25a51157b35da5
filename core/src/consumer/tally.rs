//! What became of the messages of each topic, counted.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::{Batch, TopicConsumption};
use crate::body::ConsumeStatus;
use crate::histogram::Histogram;
use crate::id::TopicKey;
use crate::name::Topic;
use crate::time::Instant;

/// Looks back that a rate is made of, one each `commit_interval`.
const LOOKS: usize = 12;

/// What became of the messages of one topic.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    /// Messages of batches that have ended, or went away with their queues: those that were
    /// settled, in whichever way.
    settled: u64,
    /// Those of them that went to the retry topic.
    pub(super) sent_back: u64,
    /// Those of them that went to the dead letters.
    pub(super) dead_lettered: u64,
    /// Those of them that were dropped, by a group that broadcasts.
    pub(super) dropped: u64,
    /// How often a message was to be handed out here again.
    pub(super) redelivered: u64,
    /// Messages that were taken from the application, which had them for too long.
    pub(super) timed_out: u64,
    /// Messages that pulls brought.
    pulled: u64,
    /// Messages that the application's own filter did not want, counted where they are opened.
    pub(super) filtered: Arc<AtomicU64>,
    /// How long pulls that brought messages took.
    pulls: Histogram,
    /// From a pull's answer until all its messages were settled, counted for each message.
    held: Histogram,
    /// Messages settled in batches that have not ended, of the queues looked at so far.
    seen_open: u64,
    /// What the counts were, of late.
    looks: VecDeque<Look>,
}

/// The counts at one moment.
#[derive(Clone, Copy, Debug)]
struct Look {
    at: Instant,
    done: u64,
    failed: u64,
    pulled: u64,
}

/// Messages a second, over the last minute.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Rates {
    done: f64,
    failed: f64,
    pulled: f64,
}

impl Tally {
    /// A pull brought messages, so long after it was sent.
    pub(super) fn pulled(&mut self, now: Instant, messages: usize, took: Duration) {
        if self.looks.is_empty() {
            // A long poll is no time of slow messages.
            self.look_at(now - took.min(Duration::from_secs(1)), 0);
        }
        self.pulled += messages as u64;
        self.pulls.record(took, 1);
    }

    /// All messages of a batch are settled.
    pub(super) fn ended(&mut self, batch: &Batch, now: Instant) {
        self.gave_up(batch);
        self.held.record(now.since(batch.pulled_at()), batch.settled() as u64);
    }

    /// A batch went away with its queue: what of it was settled counts.
    pub(super) fn gave_up(&mut self, batch: &Batch) {
        self.settled += batch.settled() as u64;
    }

    /// Messages that did not go well.
    const fn failed(&self) -> u64 {
        self.sent_back + self.dead_lettered + self.dropped + self.redelivered
    }

    /// Messages that the application was done with, `open` of them in batches that have not ended.
    const fn done(&self, open: u64) -> u64 {
        let failed = self.sent_back + self.dead_lettered + self.dropped;
        (self.settled + open).saturating_sub(failed)
    }

    /// Time has passed.
    fn look_at(&mut self, now: Instant, open: u64) {
        self.looks.push_back(self.look(now, open));
        if self.looks.len() > LOOKS {
            self.looks.pop_front();
        }
    }

    fn look(&self, at: Instant, open: u64) -> Look {
        Look { at, done: self.done(open), failed: self.failed(), pulled: self.pulled }
    }

    /// Messages a second since the oldest look.
    fn rates(&self, now: Instant, open: u64) -> Rates {
        let Some(first) = self.looks.front() else { return Rates::default() };
        let last = self.look(now, open);
        let seconds = last.at.since(first.at).as_secs_f64();
        if seconds == 0.0 {
            return Rates::default();
        }
        let rate = |from: u64, to: u64| to.saturating_sub(from) as f64 / seconds;
        Rates {
            done: rate(first.done, last.done),
            failed: rate(first.failed, last.failed),
            pulled: rate(first.pulled, last.pulled),
        }
    }

    /// As data; `open` messages are settled in batches that have not ended.
    pub(super) fn stats(&self, now: Instant, topic: Topic, open: u64) -> TopicConsumption {
        let Rates { done, failed, pulled } = self.rates(now, open);
        TopicConsumption {
            topic,
            pulled: self.pulled,
            done: self.done(open),
            sent_back: self.sent_back,
            dead_lettered: self.dead_lettered,
            dropped: self.dropped,
            redelivered: self.redelivered,
            timed_out: self.timed_out,
            filtered: self.filtered.load(Ordering::Relaxed),
            done_rate: done,
            failed_rate: failed,
            pulled_rate: pulled,
            held: self.held.clone(),
        }
    }

    /// As Java's admin tools show it.
    pub(super) fn consume_status(&self, now: Instant, open: u64) -> ConsumeStatus {
        let Rates { done, failed, pulled } = self.rates(now, open);
        let millis = |histogram: &Histogram| histogram.mean().as_secs_f64() * 1000.0;
        ConsumeStatus {
            failed: i64::try_from(self.failed()).unwrap_or(i64::MAX),
            failed_rate: failed,
            ok_rate: done,
            consume_millis: millis(&self.held),
            pull_millis: millis(&self.pulls),
            pull_rate: pulled,
        }
    }
}

/// The tallies of one consumer's topics.
#[derive(Debug, Default)]
pub(super) struct Tallies(BTreeMap<TopicKey, Tally>);

impl Tallies {
    pub(super) fn of(&mut self, topic: TopicKey) -> &mut Tally {
        self.0.entry(topic).or_default()
    }

    pub(super) fn get(&self, topic: TopicKey) -> Option<&Tally> {
        self.0.get(&topic)
    }

    /// So many messages of a queue are settled in batches that have not ended.
    pub(super) fn settled_open(&mut self, topic: TopicKey, messages: u64) {
        if let Some(tally) = self.0.get_mut(&topic) {
            tally.seen_open += messages;
        }
    }

    /// A look at all queues has ended.
    pub(super) fn look_at(&mut self, now: Instant) {
        for tally in self.0.values_mut() {
            let open = std::mem::take(&mut tally.seen_open);
            tally.look_at(now, open);
        }
    }
}
