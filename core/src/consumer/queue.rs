//! One queue while it is ours: pulling, what is held unsettled, and what may be committed.
//!
//! | state | leaves on | to |
//! |---|---|---|
//! | Unasked | the broker knows us | Asking |
//! | Asking | the stored offset, or where the group begins | Ready |
//! | | an error | Pausing, then Unasked: an offset is never guessed |
//! | Ready | the broker knows us | Pulling |
//! | | too much is held | Full |
//! | Pulling | messages | Ready at the next offset |
//! | | nothing new after a long poll | Ready at the same offset |
//! | | nothing new at once, or an answer that can't be true | Pausing, then Ready |
//! | | the offset is not in the queue | gone: a new life of the queue begins, Ready or Pausing |
//! | | an error | Pausing, then Ready |
//! | | the connection was lost | Ready: it goes on when the broker knows us again |
//! | Full | enough was settled | Ready |
//!
//! Codes: `QUERY_CONSUMER_OFFSET` (14), `GET_MAX_OFFSET` (30), `GET_MIN_OFFSET` (31),
//! `PULL_MESSAGE` (11), `UPDATE_CONSUMER_OFFSET` (15).

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::consumer::handouts::Again;
use crate::consumer::{Answer, Batch, BatchId, Handout, Marks, Pace, Tags};
use crate::effects::{Plant, Planted};
use crate::engine::QueueStats;
use crate::frame::Opaque;
use crate::id::{QueueKey, SubscriptionId};
use crate::name::QueueName;
use crate::route::RouteQueue;
use crate::time::Instant;
use crate::timer::TimerKey;

/// The first offset, stored or not, is shown to be there by a pull that finds nothing wrong with
/// it, or that the broker holds for this long.
const SHOWN: Duration = Duration::from_secs(1);

/// So long after its first commit a queue's former owner may still commit something older.
pub(crate) const OVERLAP: Duration = Duration::from_secs(120);
/// How often an offset is given again meanwhile.
const REPEATED: Duration = Duration::from_secs(20);

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
    /// When the pull that is under way, or the last one, began.
    pub(crate) pulled_at: Option<Instant>,
    /// How soon the next one may follow.
    pub(crate) pace: Pace,
    /// A pull has shown that the first offset is there.
    pub(crate) shown: bool,
    /// The offset the broker last confirmed.
    pub(crate) committed: Option<i64>,
    /// What it confirmed may have died with it since.
    pub(crate) doubted: bool,
    /// When it first confirmed one, and when last.
    confirmed: Option<(Instant, Instant)>,
    /// The commit on its way.
    pub(crate) committing: Option<i64>,
    /// A fault put back on purpose, where such are built.
    pub(crate) plant: Plant,
    batches: VecDeque<Arc<Batch>>,
    /// What is to be handed out.
    pub(super) ready: VecDeque<Handout>,
    /// Messages that were given back, by their batch and place.
    pub(super) again: BTreeMap<(u64, u32), Again>,
    pulled: u64,
    messages: usize,
    bytes: usize,
    marks: Arc<Marks>,
}

impl Queue {
    /// Whether it may be able to go on: nothing of it is under way, and no pause is set.
    pub(crate) const fn rests(&self) -> bool {
        matches!(self.state, State::Unasked | State::Ready | State::Full)
    }

    pub(crate) fn new(name: QueueName, at: RouteQueue, topic: usize) -> Self {
        Self {
            name,
            at,
            topic,
            state: State::Unasked,
            next: 0,
            pulled_at: None,
            pace: Pace::default(),
            shown: false,
            committed: None,
            doubted: false,
            confirmed: None,
            committing: None,
            plant: Plant::default(),
            batches: VecDeque::new(),
            ready: VecDeque::new(),
            again: BTreeMap::new(),
            pulled: 0,
            messages: 0,
            bytes: 0,
            marks: Arc::default(),
        }
    }

    /// The stored offset is known: pulling begins there.
    pub(crate) fn begin(&mut self, offset: i64, stored: bool) {
        self.next = offset.max(0);
        self.committed = stored.then_some(self.next);
        self.shown = false;
        self.state = State::Ready;
    }

    /// The next life of the queue, at the offset where the broker says that it goes on. What this
    /// one holds is of offsets that mean nothing any more, or something else: it is not part of the
    /// new one, and neither is what was committed (Java freezes the offset and drops the queue).
    pub(crate) fn anew(&self, offset: i64) -> Self {
        let mut anew = Self::new(self.name.clone(), self.at, self.topic);
        anew.pace = self.pace;
        anew.begin(offset, false);
        anew
    }

    /// Whether as much is held unsettled as the limits allow.
    pub(crate) const fn is_full(&self, messages: usize, bytes: usize) -> bool {
        self.messages >= messages || self.bytes >= bytes
    }

    /// Keeps what a pull brought, unless all of it is from before the offset asked for.
    pub(crate) fn keep(
        &mut self,
        sub: SubscriptionId,
        queue: QueueKey,
        answer: Answer,
        tags: Option<Arc<Tags>>,
    ) -> Arc<Batch> {
        let id = BatchId { sub, queue, number: self.pulled };
        let batch = Arc::new(Batch::new(id, self.name.clone(), answer, tags, self.marks.clone()));
        if batch.open() > 0 {
            self.pulled += 1;
            self.messages += batch.records().len();
            self.bytes += batch.held();
            self.batches.push_back(batch.clone());
        }
        batch
    }

    /// Lets go of the batch that was kept last: nobody was given of it.
    pub(crate) fn unkeep(&mut self, batch: &Batch) {
        if self.batches.back().is_some_and(|last| last.id() == batch.id()) {
            self.batches.pop_back();
            self.messages -= batch.records().len();
            self.bytes -= batch.held();
        }
    }

    /// Whether messages came that no tag of ours stands for, since this was last asked.
    pub(crate) fn take_foreign(&self) -> bool {
        self.marks.foreign.swap(false, Ordering::Relaxed)
    }

    /// The batch of that number, if it is held.
    pub(crate) fn batch(&self, number: u64) -> Option<&Arc<Batch>> {
        let place = self.batches.binary_search_by_key(&number, |batch| batch.id().number).ok()?;
        self.batches.get(place)
    }

    /// All that are held, in the order of their pulls.
    pub(super) fn batches(&self) -> impl Iterator<Item = &Arc<Batch>> {
        self.batches.iter()
    }

    /// Whoever settles one of its messages is to tell the engine.
    pub(super) fn mark_draining(&self) {
        self.marks.draining.store(true, Ordering::SeqCst);
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
        self.forget_again(number);
        true
    }

    /// What may be committed: the lowest offset not settled. `None` before the first offset is
    /// known, and shown to be there.
    pub(crate) fn position(&self, now: Instant) -> Option<i64> {
        match self.state {
            State::Unasked | State::Asking(_) | State::Pausing { asked: false, .. } => None,
            State::Ready | State::Pulling(_) | State::Pausing { .. } | State::Full => {
                self.is_shown(now).then(|| self.low().map_or(self.next, |low| low.min(self.next)))
            }
        }
    }

    /// The lowest offset that is held unsettled, of whichever pull.
    fn low(&self) -> Option<i64> {
        let mut lows = self.batches.iter().filter_map(|batch| batch.low());
        if self.plant.is(Planted::CommitsFirstPull) { lows.next() } else { lows.min() }
    }

    /// Brokers answer at once that an offset is not in the queue: a pull that is held is at one
    /// that is.
    fn is_shown(&self, now: Instant) -> bool {
        let held = matches!(self.state, State::Pulling(_))
            && self.pulled_at.is_some_and(|at| now.since(at) >= SHOWN);
        self.shown || held
    }

    /// A broker confirmed an offset.
    pub(crate) fn confirmed(&mut self, now: Instant, offset: i64) {
        self.committed = Some(offset);
        let first = self.confirmed.map_or(now, |(first, _)| first);
        self.confirmed = Some((first, now));
    }

    /// Who had the queue before may have seen late that it has not: its last offset then replaced a
    /// later one of ours. Ours is given again for a while (Java gives all, every 5 s, for ever).
    fn is_unsure(&self, now: Instant) -> bool {
        self.confirmed
            .is_some_and(|(first, last)| now.since(first) < OVERLAP && now.since(last) >= REPEATED)
    }

    /// What should be committed now: nothing while a commit is under way or nothing is new.
    /// `shared`: the group has, or had just now, other members.
    pub(crate) fn to_commit(&self, now: Instant, shared: bool) -> Option<i64> {
        if self.committing.is_some() {
            return None;
        }
        let again = || self.position(now).filter(|at| self.committed == Some(*at));
        self.to_store(now).or_else(|| again().filter(|_| shared && self.is_unsure(now)))
    }

    /// What the broker should have and, as far as we know, has not. An offset of ours never goes
    /// back: the broker may know a later one from another member.
    pub(crate) fn to_store(&self, now: Instant) -> Option<i64> {
        let position = self.position(now)?;
        let new = match self.committed {
            Some(last) => last < position || (self.doubted && last == position),
            None => true,
        };
        new.then_some(position)
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
        self.marks.revoked.store(true, Ordering::Release);
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
        let position = self.position(Instant::FAR);
        for low in self.batches.iter().filter_map(|batch| batch.low()) {
            for passed in [position, self.committing, self.committed] {
                let passes = passed.is_some_and(|passed| passed > low);
                assert!(!passes, "{:?} commits {passed:?}, past {low}", self.name);
            }
        }
        let held: usize = self.batches.iter().map(|batch| batch.records().len()).sum();
        assert_eq!(held, self.messages, "messages held in {:?}", self.name);
        let held: usize = self.batches.iter().map(|batch| batch.held()).sum();
        assert_eq!(held, self.bytes, "bytes held in {:?}", self.name);
    }
}
