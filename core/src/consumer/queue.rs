//! One queue while it is ours: pulling, what is held unsettled, and what may be committed.
//!
//! | state | leaves on | to |
//! |---|---|---|
//! | Unasked | the broker knows us | Asking |
//! | Asking | the stored offset, or where the group begins | Ready |
//! | | an error | Pausing, then Unasked: an offset is never guessed |
//! | Ready | the broker knows us | Pulling |
//! | | too much is held | Full |
//! | Pulling | messages, or nothing new | Ready at the next offset |
//! | | an error | Pausing, then Ready |
//! | | the connection was lost | Ready: it goes on when the broker knows us again |
//! | Full | enough was settled | Ready |
//!
//! Codes: `QUERY_CONSUMER_OFFSET` (14), `GET_MAX_OFFSET` (30), `GET_MIN_OFFSET` (31),
//! `PULL_MESSAGE` (11), `UPDATE_CONSUMER_OFFSET` (15).

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::consumer::{Batch, BatchId, Tags};
use crate::engine::QueueStats;
use crate::frame::Opaque;
use crate::id::{QueueKey, SubscriptionId};
use crate::message::RecordList;
use crate::query::QueueName;
use crate::route::RouteQueue;
use crate::timer::TimerKey;

/// What a queue is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Unasked,
    Asking(Opaque),
    Ready,
    Pulling(Opaque),
    Pausing { timer: TimerKey, asked: bool },
    Full,
}

/// One assigned queue.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) name: QueueName,
    pub(crate) at: RouteQueue,
    /// Which of the consumer's topics it belongs to.
    pub(crate) topic: usize,
    pub(crate) state: State,
    /// The offset of the next pull.
    pub(crate) next: i64,
    /// The offset the broker last confirmed.
    pub(crate) committed: Option<i64>,
    /// The commit on its way.
    pub(crate) committing: Option<i64>,
    batches: VecDeque<Arc<Batch>>,
    pulled: u64,
    messages: usize,
    bytes: usize,
    revoked: Arc<AtomicBool>,
}

impl Queue {
    pub(crate) fn new(name: QueueName, at: RouteQueue, topic: usize) -> Self {
        Self {
            name,
            at,
            topic,
            state: State::Unasked,
            next: 0,
            committed: None,
            committing: None,
            batches: VecDeque::new(),
            pulled: 0,
            messages: 0,
            bytes: 0,
            revoked: Arc::default(),
        }
    }

    /// The stored offset is known: pulling begins there.
    pub(crate) fn begin(&mut self, offset: i64, stored: bool) {
        self.next = offset.max(0);
        self.committed = stored.then_some(self.next);
        self.state = State::Ready;
    }

    /// Whether as much is held unsettled as the limits allow.
    pub(crate) const fn is_full(&self, messages: usize, bytes: usize) -> bool {
        self.messages >= messages || self.bytes >= bytes
    }

    /// Keeps what a pull brought.
    pub(crate) fn keep(
        &mut self,
        sub: SubscriptionId,
        queue: QueueKey,
        records: RecordList,
        tags: Option<Arc<Tags>>,
    ) -> Arc<Batch> {
        let id = BatchId { sub, queue, number: self.pulled };
        let (name, revoked) = (self.name.clone(), self.revoked.clone());
        let batch = Arc::new(Batch::new(id, name, self.next, records, tags, revoked));
        self.pulled += 1;
        self.messages += batch.records().len();
        self.bytes += batch.held();
        self.batches.push_back(batch.clone());
        batch
    }

    /// The batch of that number, if it is held.
    pub(crate) fn batch(&self, number: u64) -> Option<&Arc<Batch>> {
        let place = self.batches.binary_search_by_key(&number, |batch| batch.id().number).ok()?;
        self.batches.get(place)
    }

    /// Lets go of a batch whose last message is settled.
    pub(crate) fn end(&mut self, number: u64) -> bool {
        let found = self.batches.binary_search_by_key(&number, |batch| batch.id().number);
        let Ok(place) = found else { return false };
        if self.batches[place].open() > 0 {
            return false;
        }
        if let Some(batch) = self.batches.remove(place) {
            self.messages -= batch.records().len();
            self.bytes -= batch.held();
        }
        true
    }

    /// What may be committed: the lowest offset not settled. `None` before the first offset is
    /// known.
    pub(crate) fn position(&self) -> Option<i64> {
        match self.state {
            State::Unasked | State::Asking(_) | State::Pausing { asked: false, .. } => None,
            State::Ready | State::Pulling(_) | State::Pausing { .. } | State::Full => {
                let low = self.batches.iter().find_map(|batch| batch.low());
                Some(low.map_or(self.next, |low| low.min(self.next)))
            }
        }
    }

    /// What should be committed now: nothing while a commit is under way or nothing is new.
    pub(crate) fn to_commit(&self) -> Option<i64> {
        let position = self.position()?;
        let new = self.committing.is_none() && self.committed != Some(position);
        // An offset of ours never goes back: the broker may know a later one from another member.
        (new && self.committed.is_none_or(|last| last < position)).then_some(position)
    }

    /// The timer that it keeps, if it does.
    pub(crate) const fn timer(&self) -> Option<TimerKey> {
        match self.state {
            State::Pausing { timer, .. } => Some(timer),
            State::Unasked | State::Asking(_) | State::Ready | State::Pulling(_) | State::Full => {
                None
            }
        }
    }

    /// The queue is no longer ours: whoever holds its messages can see it.
    pub(crate) fn revoke(&self) {
        self.revoked.store(true, Ordering::Release);
    }

    /// The queue as data.
    pub(crate) fn stats(&self) -> QueueStats {
        QueueStats {
            queue: self.name.clone(),
            state: match self.state {
                State::Unasked => "unasked",
                State::Asking(_) => "asking",
                State::Ready => "ready",
                State::Pulling(_) => "pulling",
                State::Pausing { .. } => "pausing",
                State::Full => "full",
            },
            next: self.next,
            committed: self.committed,
            messages: self.messages,
            bytes: self.bytes,
        }
    }

    /// What must hold between two calls.
    pub(crate) fn check(&self, full: bool) {
        assert!(full || self.state != State::Full, "{:?} waits for nothing", self.name);
        if let (Some(position), Some(low)) =
            (self.position(), self.batches.iter().find_map(|batch| batch.low()))
        {
            assert!(position <= low, "{:?} would commit past {low}", self.name);
        }
        let held: usize = self.batches.iter().map(|batch| batch.records().len()).sum();
        assert_eq!(held, self.messages, "messages held in {:?}", self.name);
        let held: usize = self.batches.iter().map(|batch| batch.held()).sum();
        assert_eq!(held, self.bytes, "bytes held in {:?}", self.name);
    }
}
