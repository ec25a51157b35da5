//! The messages of one pull, shared by the engine and whoever handles them.
//!
//! Settling a message is a bit here and takes no lock: the engine reads the bits when it commits,
//! and is told only when a batch has ended.

mod settling;

#[cfg(feature = "client")]
use std::any::Any;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use settling::Bits;

use super::queue::LockTime;
use super::runs::Runs;
use crate::consumer::Tags;
use crate::id::{QueueKey, SubscriptionId};
use crate::message::{Item, RecordList, properties};
use crate::name::QueueName;
use crate::time::Instant;

/// The messages of one pull.
#[derive(Debug)]
pub struct Batch {
    id: BatchId,
    queue: QueueName,
    /// The offsets its messages can have, from the one that was asked for.
    places: Range<i64>,
    /// What is to be added to the offsets in the records (`offsetDelta`, of static topics).
    delta: i64,
    /// Whether the messages stand in the order of their offsets.
    in_order: bool,
    /// How many at the front are from before the offset asked for.
    older: u32,
    /// The greatest offset.
    last: Option<i64>,
    records: RecordList,
    /// When they came.
    at: Instant,
    tags: Option<Arc<Tags>>,
    /// A bit for each message, and set ones behind the last.
    pub(super) settled: Bits,
    /// Words of those that have bits left to set.
    open: AtomicU32,
    /// So many messages from the front on were handed out.
    pub(super) handed: AtomicU32,
    /// Messages that were taken from the application, which had them for too long.
    taken: OnceLock<Box<[AtomicU64]>>,
    pub(super) runs: Runs,
    pub(super) flags: Arc<QueueFlags>,
    /// Where the engine is that is told when the batch has ended.
    #[cfg(feature = "client")]
    home: OnceLock<Arc<dyn Any + Send + Sync>>,
}

/// What a queue and those who handle its messages tell each other without a lock.
#[derive(Debug, Default)]
pub(crate) struct QueueFlags {
    /// The queue has been given up.
    pub(crate) revoked: AtomicBool,
    /// The queue's consumer finishes: nothing is handed out, and the engine hears of all that is
    /// settled.
    pub(crate) draining: AtomicBool,
    /// Its messages are handled in their order.
    pub(crate) orderly: bool,
    /// The engine hears of all that is settled: somebody waits for it.
    pub(crate) watched: AtomicBool,
    /// Until when messages may be handed out.
    pub(crate) lock: LockTime,
    /// A message came with a tag that no hash of the consumer's stands for.
    pub(crate) foreign: AtomicBool,
    /// Messages that were settled after the queue had been given up, of all of the consumer's
    /// queues.
    pub(crate) stale: Arc<AtomicU64>,
    /// Messages of the topic that the application's own filter did not want.
    pub(crate) filtered: Arc<AtomicU64>,
}

/// The messages that a pull brought.
#[derive(Debug)]
pub(crate) struct PulledRecords {
    /// The offsets they can have.
    pub(crate) places: Range<i64>,
    /// What is to be added to the offsets in them.
    pub(crate) delta: i64,
    /// The messages.
    pub(crate) records: RecordList,
    /// When they came.
    pub(crate) at: Instant,
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

impl BatchId {
    /// The number of batches that no pull brought: see `direct.rs`.
    pub(crate) const DIRECT: u64 = u64::MAX;

    pub(crate) const fn is_direct(self) -> bool {
        self.number == Self::DIRECT
    }
}

/// Names one message to the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId {
    /// The batch it came in.
    pub batch: BatchId,
    /// The message's place there.
    pub index: u32,
}

/// What settling one message changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// The message had been settled before.
    Before,
    /// The message is settled now, others of its batch are not.
    Now,
    /// The message was the last one, its consumer [drains](crate::engine::Engine::drain), or others
    /// wait for it that come after it in order: tell the engine with [`Engine::batch_ended`].
    ///
    /// [`Engine::batch_ended`]: crate::engine::Engine::batch_ended
    Last,
}

impl Batch {
    /// The messages of `answer`. Those from before the offset that was asked for are settled.
    pub(crate) fn new(
        id: BatchId,
        queue: QueueName,
        answer: PulledRecords,
        tags: Option<Arc<Tags>>,
        flags: Arc<QueueFlags>,
    ) -> Self {
        let PulledRecords { places, delta, records, at } = answer;
        let words = records.len().div_ceil(64);
        let behind = |word| u64::MAX.checked_shl((records.len() - 64 * word) as u32).unwrap_or(0);
        let settled = Bits::new(words, behind);
        let open = AtomicU32::new(words as u32);
        let (in_order, older, last) = (true, 0, None);
        let mut batch = Self {
            id,
            queue,
            places,
            delta,
            in_order,
            older,
            last,
            records,
            at,
            tags,
            settled,
            open,
            handed: AtomicU32::new(0),
            taken: OnceLock::new(),
            runs: Runs::default(),
            flags,
            #[cfg(feature = "client")]
            home: OnceLock::new(),
        };
        batch.older = batch.count_older();
        for index in 0..batch.older {
            batch.settle(index);
        }
        (batch.in_order, batch.last) = batch.order();
        batch
    }

    /// Whether the messages stand in the order of their offsets, and the greatest of these.
    fn order(&self) -> (bool, Option<i64>) {
        // Mostly the list knows, and all lie where its first and its last one do.
        let ends = self.records.ascending().filter(|_| self.older == 0);
        let placed = |offset: i64| {
            let offset = offset.checked_add(self.delta);
            offset.filter(|offset| self.places.contains(offset))
        };
        if let Some((first, last)) = ends
            && placed(first).is_some()
            && let Some(last) = placed(last)
        {
            return (true, Some(last));
        }
        let (mut in_order, mut last) = (true, None);
        let offsets = self.records.queue_offsets().skip(self.older());
        for offset in offsets.filter_map(|offset| placed(offset?)) {
            in_order &= last.is_none_or(|last| last < offset);
            last = last.max(Some(offset));
        }
        (in_order, last)
    }

    /// Messages at the front that are from before the offset asked for, as surely as a message at
    /// just that offset follows, or none at all. Any other is one whose offset is damaged: it is
    /// handed out, since nothing says that it was seen before.
    fn count_older(&self) -> u32 {
        let count = self.records.len() as u32;
        let is_older = |index| self.placed(index).is_some_and(|at| at < self.places.start);
        let run = (0..count).find(|index| !is_older(*index)).unwrap_or(count);
        let sure = run == count || self.offset(run) == Some(self.places.start);
        if sure { run } else { 0 }
    }

    /// Messages that were dropped, since they are from before the offset asked for.
    pub(crate) const fn older(&self) -> usize {
        self.older as usize
    }

    /// Counts a message that the application's own filter does not want, and that is settled for it
    /// ([`TopicConsumption::filtered`](super::TopicConsumption::filtered)).
    pub fn count_filtered(&self) {
        self.flags.filtered.fetch_add(1, Ordering::Relaxed);
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

    fn placed(&self, index: u32) -> Option<i64> {
        self.records.queue_offset(index as usize)?.checked_add(self.delta)
    }

    /// The place of the message at `index` in its queue. `None` where it can't be read, or can't
    /// be one of this answer.
    pub fn offset(&self, index: u32) -> Option<i64> {
        self.placed(index).filter(|offset| self.places.contains(offset))
    }

    /// The first offset that can be read.
    pub(crate) fn first(&self) -> Option<i64> {
        (self.older..self.records.len() as u32).find_map(|index| self.offset(index))
    }

    /// The greatest offset among the messages.
    pub(crate) const fn last(&self) -> Option<i64> {
        self.last
    }

    /// Bytes of memory that the batch holds: what came with its messages and can't be let go
    /// before them, and what is kept of each.
    pub fn held(&self) -> usize {
        size_of::<Self>() + self.records.held() + self.settled.len() * size_of::<AtomicU64>()
    }

    /// Whether the message at `index` is one the consumer asked for. Brokers filter by the hash of
    /// a tag alone, so the tag itself is compared here (`PullAPIWrapper.processPullResult`). What
    /// can't be read is always passed on; what is from before the offset asked for never is.
    ///
    /// A tag whose hash is none of the consumer's is noted: another member of the group asks for
    /// other tags.
    #[inline]
    pub fn wanted(&self, index: u32) -> bool {
        if index < self.older {
            return false;
        }
        self.tags.as_ref().is_none_or(|tags| self.has_one_of(tags, index))
    }

    fn has_one_of(&self, tags: &Tags, index: u32) -> bool {
        match self.records.item(index as usize) {
            Item::Record(record) => {
                let tag = record.tags();
                let wanted = tag.is_some_and(|tag| tags.contains(tag));
                if !wanted && !tags.has_code(tag.unwrap_or_default()) {
                    self.flags.foreign.store(true, Ordering::Relaxed);
                }
                wanted
            }
            Item::Undecodable(_) => true,
        }
    }

    /// The message at `index` alone, in memory of its own. Nothing of it is to be settled here.
    #[cfg(feature = "client")]
    pub(crate) fn single(&self, index: u32) -> Self {
        // Where order matters, it still tells of the lock.
        let home = self.home.get().filter(|_| self.is_orderly()).cloned();
        Self {
            id: self.id,
            at: self.at,
            queue: self.queue.clone(),
            places: self.places.clone(),
            delta: self.delta,
            in_order: true,
            older: 0,
            last: self.offset(index),
            records: self.records.single(index as usize),
            tags: None,
            settled: Bits::default(),
            taken: Default::default(),
            runs: Runs::default(),
            open: AtomicU32::new(1),
            handed: AtomicU32::new(1),
            flags: self.flags.clone(),
            home: home.map_or_else(OnceLock::new, OnceLock::from),
        }
    }

    /// Keeps where its engine is, for those who settle its messages: what each of them would keep
    /// of it costs as much as settling does.
    #[cfg(feature = "client")]
    pub(crate) fn belongs_to<T: Any + Send + Sync>(&self, home: &Arc<T>) {
        self.home.get_or_init(|| home.clone());
    }

    /// Where its engine is, as was kept.
    #[cfg(feature = "client")]
    pub(crate) fn home<T: Any>(&self) -> Option<&T> {
        self.home.get()?.downcast_ref()
    }

    /// Takes the message at `index` from the application, which has had it for too long.
    pub(crate) fn take_away(&self, index: u32) {
        let words = || self.settled.iter().map(|_| AtomicU64::new(0)).collect();
        if let Some(word) = self.taken.get_or_init(words).get(index as usize / 64) {
            word.fetch_or(1 << (index % 64), Ordering::SeqCst);
        }
    }

    /// The message at `index` is given to the application anew.
    pub(crate) fn give_anew(&self, index: u32) {
        if let Some(word) = self.taken.get().and_then(|taken| taken.get(index as usize / 64)) {
            word.fetch_and(!(1 << (index % 64)), Ordering::SeqCst);
        }
    }

    /// Whether the message at `index` was taken from the application, which had it for longer than
    /// `consume_timeout`: it is on its way back to its broker.
    pub fn is_taken_away(&self, index: u32) -> bool {
        let word = self.taken.get().and_then(|taken| taken.get(index as usize / 64));
        word.is_some_and(|word| word.load(Ordering::SeqCst) & (1 << (index % 64)) != 0)
    }

    /// The topic that the message at `index` was first sent to: that of its queue, unless it comes
    /// from its group's retry topic (`DefaultMQPushConsumerImpl.resetRetryAndNamespace`).
    pub fn topic(&self, index: u32) -> &str {
        let first = self.retried(index).map(|first| self.queue.topic.bare(first));
        first.unwrap_or_else(|| self.queue.topic.as_str())
    }

    /// The same by the name that brokers know.
    pub(crate) fn known_topic(&self, index: u32) -> &str {
        self.retried(index).unwrap_or_else(|| self.queue.topic.wire())
    }

    /// The topic that the message at `index` says it was first sent to, where it comes again.
    fn retried(&self, index: u32) -> Option<&str> {
        let retried =
            self.records.record(index as usize).filter(|_| self.queue.topic.is_of_group());
        retried.and_then(|record| record.property(properties::RETRY_TOPIC))
    }

    /// Where the message at `index` is in its broker's log, by which the broker may be asked to
    /// take it back. `None` where that can't be read, or is that of several messages.
    pub(crate) fn commit_log_offset(&self, index: u32) -> Option<i64> {
        match self.records.item(index as usize) {
            Item::Record(record) if record.is_of_batch() => None,
            Item::Record(record) => Some(record.commit_log_offset()),
            // One at a place where the queue can have a message is no accident of other bytes.
            Item::Undecodable(undecodable) => {
                self.offset(index).and_then(|_| undecodable.commit_log_offset())
            }
        }
    }

    /// Messages not settled yet. None once whoever settled the last one knows that it did, and not
    /// before: it is the one that tells.
    pub fn open(&self) -> usize {
        if self.open.load(Ordering::Acquire) == 0 {
            return 0;
        }
        let open = |word: &AtomicU64| word.load(Ordering::Acquire).count_zeros() as usize;
        self.settled.iter().map(open).sum::<usize>().max(1)
    }

    /// Messages settled, of those that were handed out or are to be.
    pub(crate) fn settled(&self) -> usize {
        self.records.len() - self.older() - self.open()
    }

    /// When it came.
    pub(crate) const fn pulled_at(&self) -> Instant {
        self.at
    }

    /// Whether its consumer finishes.
    pub(crate) fn is_draining(&self) -> bool {
        self.flags.draining.load(Ordering::SeqCst)
    }

    fn is_watched(&self) -> bool {
        self.flags.orderly && self.flags.watched.load(Ordering::SeqCst)
    }

    /// Notes that the message at `index` is handed out. False: it must not be, since the consumer
    /// finishes; what it has is to be given back.
    pub(crate) fn hand_out(&self, index: u32) -> bool {
        // Several threads may hand out of one batch.
        if self.handed.load(Ordering::SeqCst) <= index {
            self.handed.fetch_max(index + 1, Ordering::SeqCst);
        }
        !self.is_draining()
    }

    /// So many messages from the front on were handed out.
    pub(crate) fn handed(&self) -> u32 {
        self.handed.load(Ordering::SeqCst)
    }

    /// Whether the queue has been given up since: another consumer may read these messages too.
    pub fn is_revoked(&self) -> bool {
        self.flags.revoked.load(Ordering::Acquire)
    }

    /// The lowest offset that is not settled.
    pub(crate) fn low(&self) -> Option<i64> {
        if !self.in_order {
            let open = (0..self.records.len() as u32).filter(|index| !self.is_settled(*index));
            return open.map(|index| self.offset(index).unwrap_or(self.places.start)).min();
        }
        let first = self.settled.iter().enumerate().find_map(|(word, bits)| {
            let free = !bits.load(Ordering::Acquire);
            let index = word * 64 + free.trailing_zeros() as usize;
            (free != 0 && index < self.records.len()).then_some(index)
        })?;
        // A message whose offset can't be read stands after its last readable neighbour.
        let before = (0..=first as u32).rev().find_map(|i| {
            let offset = self.offset(i)?;
            Some(offset + i64::from((i as usize) < first))
        });
        Some(before.unwrap_or(self.places.start))
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
    /// How often it was handed out before, where it is a message that comes again; 0 for those of a
    /// pull, and for all of a queue whose messages are handled in their order.
    pub again: u32,
    /// Which run of its batch it is, where they are.
    pub run: u32,
}

impl Handout {
    pub(crate) fn whole(batch: Arc<Batch>) -> Self {
        let (end, run) = (batch.records.len() as u32, batch.run());
        Self { batch, next: 0, end, again: 0, run }
    }

    pub(crate) fn single(batch: Arc<Batch>, index: u32, again: u32) -> Self {
        let run = batch.run();
        Self { batch, next: index, end: index + 1, again, run }
    }
}
