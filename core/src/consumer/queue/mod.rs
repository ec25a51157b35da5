//! One queue while it is ours: what it is doing, and what is held of it.
//!
//! | state | leaves on | to |
//! |---|---|---|
//! | NeedsOffset | the broker knows us | FetchingOffset |
//! | FetchingOffset | the stored offset, or where the group begins | Ready |
//! | | an error | Pausing, then NeedsOffset: an offset is never guessed |
//! | Ready | the broker knows us | Pulling |
//! | | too much is held | Throttled |
//! | Pulling | messages | Ready at the next offset |
//! | | nothing new after a long poll | Ready at the same offset |
//! | | nothing new at once, or an answer that can't be true | Pausing, then Ready |
//! | | the offset is not in the queue | gone: a new life of the queue begins, Ready or Pausing |
//! | | an error | Pausing, then Ready |
//! | | the connection was lost | Ready: it goes on when the broker knows us again |
//! | Throttled | enough was settled | Ready |
//!
//! Codes: `QUERY_CONSUMER_OFFSET` (14), `GET_MAX_OFFSET` (30), `GET_MIN_OFFSET` (31),
//! `PULL_MESSAGE` (11), `UPDATE_CONSUMER_OFFSET` (15).

mod check;
mod committed;
mod held;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

pub(super) use committed::OVERLAP;

use super::handouts::Again;
use super::options::Bounds;
use super::{Batch, Handout, PullBackoff, QueueFlags, QueueStats};
use crate::effects::Plant;
use crate::frame::Opaque;
use crate::name::QueueName;
use crate::remoting::OffsetOf;
use crate::route::RouteQueue;
use crate::time::Instant;
use crate::timer::TimerKey;

/// What a queue is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    NeedsOffset,
    FetchingOffset(Opaque),
    Ready,
    Pulling(Opaque),
    Pausing { timer: TimerKey, has_offset: bool },
    Throttled,
}

/// What a queue needs to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Want {
    /// An offset to begin at.
    Offset,
    /// Messages.
    Messages,
    /// Nothing that a broker could give now.
    Nothing,
}

/// One assigned queue.
#[derive(Debug)]
pub(super) struct Queue {
    pub(super) name: QueueName,
    pub(super) at: RouteQueue,
    /// Which of the consumer's topics it belongs to.
    pub(super) topic: usize,
    state: State,
    /// The offset of the next pull.
    next: i64,
    /// When the pull that is under way, or the last one, began.
    pulled_at: Option<Instant>,
    /// How soon the next one may follow.
    backoff: PullBackoff,
    /// A pull has shown that the first offset is there.
    shown: bool,
    /// The offset the broker last confirmed.
    committed: Option<i64>,
    /// What it confirmed may have died with it since.
    doubted: bool,
    /// When it first confirmed one, and when last.
    confirmed: Option<(Instant, Instant)>,
    /// The commit on its way.
    committing: Option<i64>,
    /// A fault put back on purpose, where such are built.
    plant: Plant,
    batches: VecDeque<Arc<Batch>>,
    /// What is to be handed out.
    pub(super) ready: VecDeque<Handout>,
    /// Messages that were given back, by their batch and place.
    pub(super) again: BTreeMap<(u64, u32), Again>,
    pulled: u64,
    messages: usize,
    bytes: usize,
    flags: Arc<QueueFlags>,
}

impl Queue {
    pub(super) fn new(name: QueueName, at: RouteQueue, topic: usize) -> Self {
        Self {
            name,
            at,
            topic,
            state: State::NeedsOffset,
            next: 0,
            pulled_at: None,
            backoff: PullBackoff::default(),
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
            flags: Arc::default(),
        }
    }

    /// The next life of the queue, at the offset where the broker says that it goes on. What this
    /// one holds is of offsets that mean nothing any more, or something else: it is not part of the
    /// new one, and neither is what was committed (Java freezes the offset and drops the queue).
    pub(super) fn anew(&self, offset: i64) -> Self {
        let mut anew = Self::new(self.name.clone(), self.at, self.topic);
        anew.backoff = self.backoff;
        anew.offset_received(offset, OffsetOf::End);
        anew
    }

    /// Goes on, or stops, as what is held allows. Gives what it needs for that.
    pub(super) fn resume(&mut self, bounds: &Bounds) -> Want {
        if matches!(self.state, State::Ready | State::Throttled) {
            self.state = if self.is_full(bounds) { State::Throttled } else { State::Ready };
        }
        match self.state {
            State::NeedsOffset => Want::Offset,
            State::Ready => Want::Messages,
            State::FetchingOffset(_)
            | State::Pulling(_)
            | State::Pausing { .. }
            | State::Throttled => Want::Nothing,
        }
    }

    /// The question where to begin is on its way.
    pub(super) const fn fetching_offset(&mut self, opaque: Opaque) {
        self.state = State::FetchingOffset(opaque);
    }

    /// An offset to begin at is known.
    pub(super) fn offset_received(&mut self, offset: i64, of: OffsetOf) {
        self.next = offset.max(0);
        self.committed = (of == OffsetOf::Group).then_some(self.next);
        self.shown = false;
        self.state = State::Ready;
    }

    /// A pull is on its way.
    pub(super) const fn pulling(&mut self, opaque: Opaque, now: Instant) {
        self.state = State::Pulling(opaque);
        self.pulled_at = Some(now);
    }

    /// The pull was answered: what with is told next.
    pub(super) const fn pull_answered(&mut self) {
        self.state = State::Ready;
    }

    /// The answer brought messages.
    pub(super) const fn went_on(&mut self) {
        self.backoff.went_on();
    }

    /// The answer leads on.
    pub(super) const fn leads_on(&mut self, next: i64) {
        (self.next, self.shown) = (next, true);
    }

    /// The answer brought nothing new, and the broker was to wait for `hold`. Gives the pause.
    pub(super) fn stalled(&mut self, now: Instant, hold: Duration) -> Duration {
        self.shown = true;
        let took = self.pulled_at.map_or(Duration::ZERO, |at| now.since(at));
        self.backoff.stalled(took, hold)
    }

    /// The broker is busy, or its answer can't be true. Gives the pause.
    pub(super) fn refused(&mut self) -> Duration {
        self.backoff.refused()
    }

    /// The broker moves the offset. Gives the pause.
    pub(super) fn moved(&mut self, now: Instant) -> Duration {
        self.backoff.moved(now)
    }

    /// The queue goes on at `to` with all that is held: a fault put back on purpose.
    pub(super) const fn move_in_place(&mut self, to: i64, plant: Plant) {
        (self.next, self.committed, self.plant) = (to, None, plant);
    }

    /// The request that was on its way came to nothing.
    pub(super) const fn ask_failed(&mut self) {
        self.state = if self.has_offset() { State::Ready } else { State::NeedsOffset };
    }

    /// The queue rests until that timer.
    pub(super) const fn paused(&mut self, timer: TimerKey) {
        self.state = State::Pausing { timer, has_offset: self.has_offset() };
    }

    /// The pause is over. False if there was none.
    pub(super) const fn pause_over(&mut self) -> bool {
        let pausing = matches!(self.state, State::Pausing { .. });
        if pausing {
            self.ask_failed();
        }
        pausing
    }

    const fn has_offset(&self) -> bool {
        match self.state {
            State::NeedsOffset | State::FetchingOffset(_) => false,
            State::Pausing { has_offset, .. } => has_offset,
            State::Ready | State::Pulling(_) | State::Throttled => true,
        }
    }

    /// Whether it may be able to go on: nothing of it is under way, and no pause is set.
    pub(super) const fn rests(&self) -> bool {
        match self.state {
            State::NeedsOffset | State::Ready | State::Throttled => true,
            State::FetchingOffset(_) | State::Pulling(_) | State::Pausing { .. } => false,
        }
    }

    /// The offset of the next pull.
    pub(super) const fn next(&self) -> i64 {
        self.next
    }

    /// The timer that it keeps, if it does.
    pub(super) const fn timer(&self) -> Option<TimerKey> {
        match self.state {
            State::Pausing { timer, .. } => Some(timer),
            State::NeedsOffset
            | State::FetchingOffset(_)
            | State::Ready
            | State::Pulling(_)
            | State::Throttled => None,
        }
    }

    /// The queue as data.
    pub(super) fn stats(&self) -> QueueStats {
        QueueStats {
            queue: self.name.clone(),
            state: match self.state {
                State::NeedsOffset => "needs offset",
                State::FetchingOffset(_) => "fetching offset",
                State::Ready => "ready",
                State::Pulling(_) => "pulling",
                State::Pausing { .. } => "pausing",
                State::Throttled => "throttled",
            },
            next: self.next,
            committed: self.committed,
            messages: self.messages,
            bytes: self.bytes,
        }
    }
}
