//! Consumers as data and as text for people.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::Ordering;

use super::{Consumer, Consumers, Phase};
use crate::error::Denial;
use crate::histogram::Histogram;
use crate::id::TopicKey;
use crate::name::{Group, QueueName, Topic};
use crate::route::Known;
use crate::time::Instant;

/// One consumer.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ConsumerStats {
    /// Its group.
    pub group: Group,
    /// Its topics.
    pub topics: Vec<Topic>,
    /// How far it has come: `joining`, `member`, `suspended`, `draining`, `committing` or
    /// `unregistering`.
    pub phase: &'static str,
    /// The queues that are its share now.
    pub queues: Vec<QueueStats>,
    /// What became of the messages of each topic.
    pub consumption: Vec<TopicConsumption>,
    /// Messages that were acked after their queue had been given up: another member may have
    /// handled them, too.
    pub stale: u64,
    /// What became of the offsets that it committed.
    pub offsets: OffsetStats,
    /// What brokers and nameservers deny to this client's access key, one of each kind: it goes on
    /// asking.
    pub denied: Vec<Denial>,
}

/// What became of the messages of one topic, since it was subscribed to.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
#[doc(alias = "ConsumeStatus", alias = "ConsumerStatsManager")]
pub struct TopicConsumption {
    /// The topic.
    pub topic: Topic,
    /// Messages that pulls brought.
    pub pulled: u64,
    /// Messages that the application was done with: acked, or passed over for their tags or by its
    /// own filter.
    pub done: u64,
    /// Those among them that the application's own filter did not want: see
    /// `ConsumerBuilder::filter_with`.
    pub filtered: u64,
    /// Messages that went to the group's retry topic.
    pub sent_back: u64,
    /// Messages that went to its dead letters: rejected, or sent back once too often.
    pub dead_lettered: u64,
    /// Messages of a group that broadcasts that were dropped: rejected, or tried here as often as
    /// `max_reconsume_times` says.
    pub dropped: u64,
    /// Those among both that were taken from the application, which had them for longer than
    /// `consume_timeout`.
    pub timed_out: u64,
    /// How often a message was handed out here again, since it had been dropped or kept back.
    pub redelivered: u64,
    /// Messages done a second, over the last minute, or since the first pull that brought some.
    pub done_rate: f64,
    /// Messages a second that were sent back, dead-lettered or redelivered, over the last minute.
    pub failed_rate: f64,
    /// Messages pulled a second, over the last minute.
    pub pulled_rate: f64,
    /// From the answer to a pull until all its messages were settled, counted for each message: it
    /// includes the time that they waited for the application.
    pub held: Histogram,
}

/// What became of the offsets that a consumer committed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct OffsetStats {
    /// Those that brokers confirmed.
    pub stored: u64,
    /// Those that were not sent, since nothing was new in their queues.
    pub skipped: u64,
    /// Those that brokers refused, or did not answer.
    pub failed: u64,
    /// When a broker confirmed one last.
    pub stored_at: Option<Instant>,
}

impl OffsetStats {
    /// A commit was answered, or came to nothing.
    pub(super) const fn ended(&mut self, now: Instant, stored: bool) {
        if stored {
            self.stored += 1;
            self.stored_at = Some(now);
        } else {
            self.failed += 1;
        }
    }
}

/// One queue of a consumer's share.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueStats {
    /// The queue.
    pub queue: QueueName,
    /// What it is doing: `awaiting hand-over`, `needs offset`, `fetching offset`, `loading offset`,
    /// `ready`, `pulling`, `pausing` or `throttled`.
    pub state: &'static str,
    /// The offset of the next pull.
    pub next: i64,
    /// The offset that the broker, or a store, last confirmed as the group's.
    pub committed: Option<i64>,
    /// The queue's end as the last pull told it: the offset of the next message that is stored.
    pub end: Option<i64>,
    /// Messages up to there that are not settled.
    #[doc(alias = "consumerLag")]
    pub lag: Option<u64>,
    /// Messages pulled and not settled.
    pub messages: usize,
    /// Bytes of memory that they hold: what `queue_bytes` bounds.
    pub bytes: usize,
}

impl Consumers {
    /// Every consumer as data.
    pub(crate) fn stats(
        &self,
        now: Instant,
        known: Known<'_>,
    ) -> impl Iterator<Item = ConsumerStats> {
        self.iter().map(move |(_, consumer)| consumer.stats(now, known))
    }
}

impl Consumer {
    fn stats(&self, now: Instant, known: Known<'_>) -> ConsumerStats {
        ConsumerStats {
            group: self.group.clone(),
            topics: self.topics.own().cloned().collect(),
            phase: match self.phase {
                Phase::Joining | Phase::Member if self.is_draining() => "draining",
                Phase::Joining | Phase::Member if self.suspended => "suspended",
                Phase::Joining => "joining",
                Phase::Member => "member",
                Phase::Committing => "committing",
                Phase::Unregistering { .. } => "unregistering",
            },
            queues: self.queues.iter().map(|(_, queue)| queue.stats()).collect(),
            consumption: self.consumption(now),
            stale: self.stale.load(Ordering::Relaxed),
            offsets: self.stored,
            denied: self.denied(known),
        }
    }

    /// What of each topic is settled in batches that have not ended.
    pub(super) fn settled_open(&self) -> BTreeMap<TopicKey, u64> {
        let mut open = BTreeMap::new();
        for (_, queue) in self.queues.iter() {
            *open.entry(queue.topic).or_default() += queue.window.settled();
        }
        open
    }

    fn consumption(&self, now: Instant) -> Vec<TopicConsumption> {
        let open = self.settled_open();
        let topics = self.topics.iter().filter_map(|(key, of)| {
            let tally = self.tallies.get(key)?;
            let open = open.get(&key).copied().unwrap_or(0);
            Some(tally.stats(now, of.topic.clone(), open))
        });
        topics.collect()
    }
}

impl fmt::Display for ConsumerStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { group, topics, phase, queues, consumption, stale, offsets, denied } = self;
        write!(f, "consumer {group} of")?;
        topics.iter().try_for_each(|topic| write!(f, " {topic}"))?;
        writeln!(f, ": {phase}, {} queues", queues.len())?;
        let OffsetStats { stored, skipped, failed, .. } = offsets;
        writeln!(
            f,
            "  offsets: {stored} stored, {skipped} unchanged, {failed} failed; {stale} messages \
             settled too late"
        )?;
        denied.iter().try_for_each(|denied| writeln!(f, "  denied by {denied}"))?;
        consumption.iter().try_for_each(|topic| writeln!(f, "  {topic}"))?;
        queues.iter().try_for_each(|queue| writeln!(f, "  {queue}"))
    }
}

impl fmt::Display for TopicConsumption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { topic, pulled, done, sent_back, dead_lettered, dropped, redelivered, .. } = self;
        write!(
            f,
            "topic {topic}: {pulled} pulled, {done} done ({:.1} a second), {sent_back} sent back, \
             {dead_lettered} dead letters, {dropped} dropped, {redelivered} redelivered, \
             {} timed out, {} filtered",
            self.done_rate, self.timed_out, self.filtered
        )?;
        match self.held.count() {
            0 => Ok(()),
            _ => write!(f, ", held {}", self.held),
        }
    }
}

impl fmt::Display for QueueStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { queue, state, next, committed, end, lag, messages, bytes } = self;
        write!(f, "{queue}: {state}, next {next}")?;
        match committed {
            Some(offset) => write!(f, ", committed {offset}")?,
            None => f.write_str(", committed none")?,
        }
        if let (Some(end), Some(lag)) = (end, lag) {
            write!(f, ", end {end}, lag {lag}")?;
        }
        write!(f, ", {messages} messages of {bytes} bytes held")
    }
}
