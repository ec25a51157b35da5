//! The messages of one pull, shared by the engine and whoever handles them.
//!
//! Settling a message is a bit here and takes no lock: the engine reads the bits when it commits,
//! and is told only when a batch has ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use crate::consumer::Tags;
use crate::id::{QueueKey, SubscriptionId};
use crate::message::{Item, RecordList};
use crate::query::QueueName;

/// The messages of one pull.
#[derive(Debug)]
pub struct Batch {
    id: BatchId,
    queue: QueueName,
    /// The offset that was asked for.
    begin: i64,
    records: RecordList,
    tags: Option<Arc<Tags>>,
    settled: Box<[AtomicU64]>,
    open: AtomicU32,
    revoked: Arc<AtomicBool>,
}

/// Names a batch to the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchId {
    /// The consumer.
    pub sub: SubscriptionId,
    /// The queue, as assigned this time.
    pub queue: QueueKey,
    /// Counts the batches of that queue.
    pub number: u64,
}

/// Names one message to the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId {
    /// The batch it came in.
    pub batch: BatchId,
    /// Its place there.
    pub index: u32,
}

/// What settling one message changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It had been settled before.
    Before,
    /// It is settled now, others of its batch are not.
    Now,
    /// It was the last one: tell the engine with [`Engine::batch_ended`].
    ///
    /// [`Engine::batch_ended`]: crate::engine::Engine::batch_ended
    Last,
}

impl Batch {
    pub(crate) fn new(
        id: BatchId,
        queue: QueueName,
        begin: i64,
        records: RecordList,
        tags: Option<Arc<Tags>>,
        revoked: Arc<AtomicBool>,
    ) -> Self {
        let words = records.len().div_ceil(64);
        let settled = (0..words).map(|_| AtomicU64::new(0)).collect();
        let open = AtomicU32::new(records.len() as u32);
        Self { id, queue, begin, records, tags, settled, open, revoked }
    }

    /// Its name.
    pub const fn id(&self) -> BatchId {
        self.id
    }

    /// The queue it was pulled from.
    pub const fn queue(&self) -> &QueueName {
        &self.queue
    }

    /// The messages, readable or not.
    pub const fn records(&self) -> &RecordList {
        &self.records
    }

    /// Bytes of memory that the batch holds: what came with its messages and can't be let go
    /// before them, and what is kept of each.
    pub fn held(&self) -> usize {
        size_of::<Self>() + self.records.held() + self.settled.len() * size_of::<AtomicU64>()
    }

    /// Whether the message at `index` is one the consumer asked for. Brokers filter by the hash of
    /// a tag alone, so the tag itself is compared here (`PullAPIWrapper.processPullResult`). What
    /// can't be read is always passed on.
    pub fn wanted(&self, index: u32) -> bool {
        match (&self.tags, self.records.item(index as usize)) {
            (Some(tags), Item::Record(record)) => {
                record.tags().is_some_and(|tag| tags.contains(tag))
            }
            (None, _) | (_, Item::Undecodable(_)) => true,
        }
    }

    /// Settles the message at `index`.
    pub fn settle(&self, index: u32) -> Settled {
        let Some(word) = self.settled.get(index as usize / 64) else { return Settled::Before };
        let bit = 1 << (index % 64);
        if word.fetch_or(bit, Ordering::AcqRel) & bit != 0 {
            return Settled::Before;
        }
        match self.open.fetch_sub(1, Ordering::AcqRel) {
            1 => Settled::Last,
            _ => Settled::Now,
        }
    }

    /// Whether the message at `index` is settled.
    pub fn is_settled(&self, index: u32) -> bool {
        let word = self.settled.get(index as usize / 64);
        word.is_none_or(|word| word.load(Ordering::Acquire) & (1 << (index % 64)) != 0)
    }

    /// Messages not settled yet.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Acquire) as usize
    }

    /// Whether the queue has been given up since: another consumer may read these messages too.
    pub fn is_revoked(&self) -> bool {
        self.revoked.load(Ordering::Acquire)
    }

    /// The offset of the first message that is not settled.
    pub(crate) fn low(&self) -> Option<i64> {
        let first = self.settled.iter().enumerate().find_map(|(word, bits)| {
            let free = !bits.load(Ordering::Acquire);
            let index = word * 64 + free.trailing_zeros() as usize;
            (free != 0 && index < self.records.len()).then_some(index)
        })?;
        // A message whose offset can't be read stands after its last readable neighbour.
        let before = (0..=first).rev().find_map(|i| {
            let offset = self.records.queue_offset(i)?;
            Some(offset + i64::from(i < first))
        });
        Some(before.unwrap_or(self.begin))
    }
}

/// Messages to hand out: a run of one batch.
#[derive(Clone, Debug)]
pub struct Handout {
    /// The batch.
    pub batch: Arc<Batch>,
    /// The first message to hand out.
    pub next: u32,
    /// The one after the last.
    pub end: u32,
}

impl Handout {
    pub(crate) fn whole(batch: Arc<Batch>) -> Self {
        let end = batch.records.len() as u32;
        Self { batch, next: 0, end }
    }

    pub(crate) const fn single(batch: Arc<Batch>, index: u32) -> Self {
        Self { batch, next: index, end: index + 1 }
    }
}
