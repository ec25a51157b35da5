//! What is held of a queue: the messages that were pulled and are not settled.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{LockTime, Order};
use crate::consumer::again::Again;
use crate::consumer::held::Handed;
use crate::consumer::options::Bounds;
use crate::consumer::{Batch, BatchId, Handout, PulledRecords, QueueFlags, Tags};
use crate::id::{QueueKey, SubscriptionId};
use crate::name::QueueName;

/// The messages held of one queue.
#[derive(Debug, Default)]
pub(in crate::consumer) struct Window {
    batches: VecDeque<Arc<Batch>>,
    /// What is to be handed out.
    pub(in crate::consumer) ready: VecDeque<Handout>,
    /// Messages that were given back, by their batch and place.
    pub(in crate::consumer) again: BTreeMap<(u64, u32), Again>,
    /// When the application was given what, by batch, as far as was looked.
    pub(in crate::consumer) handed: BTreeMap<u64, VecDeque<Handed>>,
    /// What of it is out, where its messages are handled in their order.
    pub(in crate::consumer) order: Option<Order>,
    pulled: u64,
    messages: usize,
    bytes: usize,
    flags: Arc<QueueFlags>,
}

impl Window {
    /// Whether as much is held unsettled as the limits allow. It changes with pulls and with the
    /// ends of batches alone, of which the engine hears: what is settled of a batch makes no room
    /// before all of it is, since its memory is held until then.
    pub(super) fn is_full(&self, bounds: &Bounds) -> bool {
        self.messages >= bounds.queue_messages
            || self.bytes >= bounds.queue_bytes
            || self.span() >= i64::from(bounds.queue_span)
    }

    /// From the first offset of the oldest batch to the last one of the newest.
    fn span(&self) -> i64 {
        let first = self.batches.front().and_then(|batch| batch.first());
        let last = self.batches.back().and_then(|batch| batch.last());
        first.zip(last).map_or(0, |(first, last)| last.saturating_sub(first))
    }

    /// Keeps what a pull brought, unless all of it is from before the offset asked for.
    pub(in crate::consumer) fn keep(
        &mut self,
        (sub, queue): (SubscriptionId, QueueKey),
        name: &QueueName,
        answer: PulledRecords,
        tags: Option<Arc<Tags>>,
    ) -> Arc<Batch> {
        let id = BatchId { sub, queue, number: self.pulled };
        let batch = Arc::new(Batch::new(id, name.clone(), answer, tags, self.flags.clone()));
        if batch.open() > 0 {
            self.pulled += 1;
            self.messages += batch.records().len();
            self.bytes += batch.held();
            self.batches.push_back(batch.clone());
        }
        batch
    }

    /// Lets go of the batch that was kept last: nobody was given of it.
    pub(in crate::consumer) fn unkeep(&mut self, batch: &Batch) {
        if self.batches.back().is_some_and(|last| last.id() == batch.id()) {
            self.batches.pop_back();
            self.messages -= batch.records().len();
            self.bytes -= batch.held();
        }
    }

    /// Whether messages came that no tag of ours stands for, since this was last asked.
    pub(in crate::consumer) fn take_foreign(&self) -> bool {
        self.flags.foreign.swap(false, Ordering::Relaxed)
    }

    /// The batch of that number, if it is held.
    pub(in crate::consumer) fn batch(&self, number: u64) -> Option<&Arc<Batch>> {
        let place = self.batches.binary_search_by_key(&number, |batch| batch.id().number).ok()?;
        self.batches.get(place)
    }

    /// All that are held, in the order of their pulls.
    pub(in crate::consumer) fn batches(&self) -> impl Iterator<Item = &Arc<Batch>> {
        self.batches.iter()
    }

    /// Whether anything is held.
    pub(in crate::consumer) fn holds(&self) -> bool {
        !self.batches.is_empty()
    }

    /// Has its messages handed out in their order.
    pub(super) fn keep_order(&mut self) {
        let (stale, filtered) = (self.flags.stale.clone(), self.flags.filtered.clone());
        let flags = QueueFlags { stale, filtered, orderly: true, ..QueueFlags::default() };
        self.flags = Arc::new(flags);
        self.order = Some(Order::default());
    }

    /// What whoever hands out its messages knows of the queue's lock.
    pub(super) fn lock_time(&self) -> &LockTime {
        &self.flags.lock
    }

    /// Whoever settles one of its messages need not tell the engine any more.
    pub(in crate::consumer) fn unmark_draining(&self) {
        self.flags.draining.store(false, Ordering::SeqCst);
    }

    /// Has messages that are settled too late counted there, with those of other queues.
    pub(super) fn count(&mut self, stale: Arc<AtomicU64>, filtered: Arc<AtomicU64>) {
        self.flags = Arc::new(QueueFlags { stale, filtered, ..QueueFlags::default() });
    }

    /// Those of the messages held that are settled, in batches that have not ended.
    pub(in crate::consumer) fn settled(&self) -> u64 {
        self.batches.iter().map(|batch| batch.settled() as u64).sum()
    }

    /// Messages held.
    pub(in crate::consumer) const fn messages(&self) -> usize {
        self.messages
    }

    /// Bytes that they hold.
    pub(in crate::consumer) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whoever settles one of its messages is to tell the engine.
    pub(in crate::consumer) fn mark_draining(&self) {
        self.flags.draining.store(true, Ordering::SeqCst);
    }

    /// Lets go of a batch whose last message is settled.
    pub(in crate::consumer) fn end(&mut self, number: u64) -> Option<Arc<Batch>> {
        let found = self.batches.binary_search_by_key(&number, |batch| batch.id().number);
        let place = found.ok().filter(|place| self.batches[*place].open() == 0)?;
        let batch = self.batches.remove(place)?;
        self.messages -= batch.records().len();
        self.bytes -= batch.held();
        self.handed.remove(&number);
        self.forget_again(number);
        Some(batch)
    }

    /// The queue is no longer ours: whoever holds its messages can see it.
    pub(in crate::consumer) fn revoke(&self) {
        self.flags.revoked.store(true, Ordering::Release);
    }

    /// What must hold between two calls.
    pub(super) fn check(&self, name: &QueueName) {
        let held: usize = self.batches.iter().map(|batch| batch.records().len()).sum();
        assert_eq!(held, self.messages, "messages held in {name:?}");
        let held: usize = self.batches.iter().map(|batch| batch.held()).sum();
        assert_eq!(held, self.bytes, "bytes held in {name:?}");
        let known = |number: &u64| self.batch(*number).is_some();
        assert!(self.handed.keys().all(known), "runs of batches that are gone in {name:?}");
        self.order.iter().for_each(Order::check);
        let leaving = self.again.iter().filter(|(_, again)| again.leaving().is_some());
        for ((number, index), _) in leaving {
            assert!(known(number), "{number}.{index} of {name:?} leaves and is not held");
        }
    }
}
