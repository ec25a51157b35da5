//! Where a queue is read next, and what it does for that.

use std::time::Duration;

use super::Lease;
use crate::consumer::PullBackoff;
use crate::frame::Opaque;
use crate::time::Instant;
use crate::timer::TimerKey;

/// The first offset, stored or not, is shown to be there by a pull that finds nothing wrong with
/// it, or that the broker holds for this long.
const SHOWN: Duration = Duration::from_secs(1);

/// What a queue is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It will be ours to read.
    AwaitingLease {
        lease: Lease,
        has_offset: bool,
    },
    NeedsOffset,
    FetchingOffset(Opaque),
    /// Its offset is to be loaded from elsewhere than a broker.
    AwaitingStore,
    Ready,
    Pulling(Opaque),
    Pausing {
        timer: TimerKey,
        has_offset: bool,
    },
    Throttled,
}

/// What a queue needs to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::consumer) enum Want {
    /// An offset to begin at.
    Offset,
    /// Messages.
    Messages,
    /// Nothing that a broker could give now.
    Nothing,
}

/// What a queue goes on by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GoesBy {
    /// The answer to this question.
    Answer(Opaque),
    /// This timer.
    Timer(TimerKey),
    /// What its consumer loads.
    Store,
    /// Room among what is held.
    Room,
    /// Its broker.
    Broker,
}

/// Where the next pull of a queue begins, and what is under way for it.
#[derive(Debug)]
pub(in crate::consumer) struct Cursor {
    state: State,
    /// The offset of the next pull.
    next: i64,
    /// When the pull that is under way, or the last one, began.
    pulled_at: Option<Instant>,
    /// How soon the next one may follow.
    backoff: PullBackoff,
    /// A pull has shown that the first offset is there.
    shown: bool,
    /// The queue's end, as the last answer told it.
    end: Option<i64>,
}

impl Cursor {
    /// No offset is known.
    pub(super) const fn new(backoff: PullBackoff) -> Self {
        Self {
            state: State::NeedsOffset,
            next: 0,
            pulled_at: None,
            backoff,
            shown: false,
            end: None,
        }
    }

    /// The pace of its pulls, which outlives the moves of the offset.
    pub(super) const fn backoff(&self) -> PullBackoff {
        self.backoff
    }

    /// Goes on, or stops where `full`. Gives what it needs for that.
    pub(super) fn resume(&mut self, full: bool) -> Want {
        if matches!(self.state, State::Ready | State::Throttled) {
            self.state = if full { State::Throttled } else { State::Ready };
        }
        match self.state {
            State::NeedsOffset => Want::Offset,
            State::Ready => Want::Messages,
            State::AwaitingLease { .. }
            | State::FetchingOffset(_)
            | State::AwaitingStore
            | State::Pulling(_)
            | State::Pausing { .. }
            | State::Throttled => Want::Nothing,
        }
    }

    /// The queue is not ours to read yet.
    pub(in crate::consumer) const fn awaiting(&mut self, lease: Lease) {
        self.state = State::AwaitingLease { lease, has_offset: self.has_offset() };
    }

    /// From when on it is ours to read, if it is not yet.
    pub(in crate::consumer) const fn lease(&self) -> Option<Lease> {
        match self.state {
            State::AwaitingLease { lease, .. } => Some(lease),
            _ => None,
        }
    }

    /// The pull that is under way, which is given up: its filter is another one by now.
    pub(in crate::consumer) const fn give_up_pull(&mut self) -> Option<Opaque> {
        let State::Pulling(opaque) = self.state else { return None };
        self.state = State::Ready;
        Some(opaque)
    }

    /// The question that is under way.
    pub(in crate::consumer) const fn asked(&self) -> Option<Opaque> {
        match self.goes_by() {
            GoesBy::Answer(opaque) => Some(opaque),
            GoesBy::Timer(_) | GoesBy::Store | GoesBy::Room | GoesBy::Broker => None,
        }
    }

    /// The question where to begin is on its way.
    pub(in crate::consumer) const fn fetching_offset(&mut self, opaque: Opaque) {
        self.state = State::FetchingOffset(opaque);
    }

    /// What is stored elsewhere than by a broker is to be loaded.
    pub(in crate::consumer) const fn await_store(&mut self) {
        self.state = State::AwaitingStore;
    }

    /// What is stored there is known.
    pub(in crate::consumer) const fn store_answered(&mut self) {
        if matches!(self.state, State::AwaitingStore) {
            self.state = State::NeedsOffset;
        }
    }

    /// An offset to begin at is known.
    pub(super) fn begin(&mut self, offset: i64) {
        (self.next, self.shown, self.state) = (offset.max(0), false, State::Ready);
    }

    /// Somebody who knows has set the offset.
    pub(in crate::consumer) const fn show(&mut self) {
        self.shown = true;
    }

    /// A pull is on its way.
    pub(in crate::consumer) const fn pulling(&mut self, opaque: Opaque, now: Instant) {
        self.state = State::Pulling(opaque);
        self.pulled_at = Some(now);
    }

    /// The pull was answered: what with is told next.
    pub(in crate::consumer) const fn pull_answered(&mut self) {
        self.state = State::Ready;
    }

    /// The answer brought messages.
    pub(in crate::consumer) const fn went_on(&mut self) {
        self.backoff.went_on();
    }

    /// The answer leads on.
    pub(in crate::consumer) const fn leads_on(&mut self, next: i64) {
        (self.next, self.shown) = (next, true);
    }

    /// The answer brought nothing new, and the broker was to wait for `hold`. Gives the pause.
    pub(in crate::consumer) fn stalled(&mut self, now: Instant, hold: Duration) -> Duration {
        self.shown = true;
        let took = self.pulled_at.map_or(Duration::ZERO, |at| now.since(at));
        self.backoff.stalled(took, hold)
    }

    /// The broker is busy, or its answer can't be true. Gives the pause.
    pub(in crate::consumer) fn refused(&mut self) -> Duration {
        self.backoff.refused()
    }

    /// The broker moves the offset. Gives the pause.
    pub(in crate::consumer) fn moved(&mut self, now: Instant) -> Duration {
        self.backoff.moved(now)
    }

    /// The queue goes on at `to` in place: a fault put back on purpose.
    pub(super) const fn move_to(&mut self, to: i64) {
        self.next = to;
    }

    /// The request that was on its way came to nothing.
    pub(in crate::consumer) const fn ask_failed(&mut self) {
        self.state = if self.has_offset() { State::Ready } else { State::NeedsOffset };
    }

    /// The queue rests until that timer.
    pub(in crate::consumer) const fn paused(&mut self, timer: TimerKey) {
        self.state = State::Pausing { timer, has_offset: self.has_offset() };
    }

    /// The pause is over. False if there was none.
    pub(in crate::consumer) const fn pause_over(&mut self) -> bool {
        let pausing = matches!(self.state, State::Pausing { .. } | State::AwaitingLease { .. });
        if pausing {
            self.ask_failed();
        }
        pausing
    }

    pub(super) const fn has_offset(&self) -> bool {
        match self.state {
            State::NeedsOffset | State::FetchingOffset(_) | State::AwaitingStore => false,
            State::AwaitingLease { has_offset, .. } | State::Pausing { has_offset, .. } => {
                has_offset
            }
            State::Ready | State::Pulling(_) | State::Throttled => true,
        }
    }

    /// Whether it may be able to go on: nothing of it is under way, and no pause is set.
    pub(in crate::consumer) const fn rests(&self) -> bool {
        match self.state {
            State::NeedsOffset | State::Ready | State::Throttled => true,
            State::AwaitingLease { .. }
            | State::FetchingOffset(_)
            | State::AwaitingStore
            | State::Pulling(_)
            | State::Pausing { .. } => false,
        }
    }

    /// Whether it can go on as soon as its broker is there and knows us.
    pub(in crate::consumer) const fn awaits_broker(&self) -> bool {
        matches!(self.goes_by(), GoesBy::Broker)
    }

    /// What it goes on by.
    pub(super) const fn goes_by(&self) -> GoesBy {
        match self.state {
            State::FetchingOffset(opaque) | State::Pulling(opaque) => GoesBy::Answer(opaque),
            State::Pausing { timer, .. } => GoesBy::Timer(timer),
            State::AwaitingLease { lease, .. } => GoesBy::Timer(lease.timer()),
            State::AwaitingStore => GoesBy::Store,
            State::Throttled => GoesBy::Room,
            State::Ready | State::NeedsOffset => GoesBy::Broker,
        }
    }

    /// The offset of the next pull.
    pub(in crate::consumer) const fn next(&self) -> i64 {
        self.next
    }

    /// The timer that it keeps, if it does.
    pub(in crate::consumer) const fn timer(&self) -> Option<TimerKey> {
        match self.goes_by() {
            GoesBy::Timer(timer) => Some(timer),
            GoesBy::Answer(_) | GoesBy::Store | GoesBy::Room | GoesBy::Broker => None,
        }
    }

    /// Whether the first offset is known to be in the queue. Brokers answer at once that one is
    /// not: a pull that is held is at one that is.
    pub(super) fn is_shown(&self, now: Instant) -> bool {
        let held = matches!(self.state, State::Pulling(_))
            && self.pulled_at.is_some_and(|at| now.since(at) >= SHOWN);
        self.shown || held
    }

    /// An answer told the queue's end.
    pub(in crate::consumer) const fn ends_at(&mut self, end: i64) {
        self.end = Some(end);
    }

    /// The queue's end, as the last answer told it.
    pub(super) const fn end(&self) -> Option<i64> {
        self.end
    }

    /// When the pull that is under way, or the last one, began.
    pub(in crate::consumer) const fn pulled_at(&self) -> Option<Instant> {
        self.pulled_at
    }

    /// The state for people.
    pub(super) const fn name(&self) -> &'static str {
        match self.state {
            State::AwaitingLease { .. } => "awaiting hand-over",
            State::NeedsOffset => "needs offset",
            State::FetchingOffset(_) => "fetching offset",
            State::AwaitingStore => "loading offset",
            State::Ready => "ready",
            State::Pulling(_) => "pulling",
            State::Pausing { .. } => "pausing",
            State::Throttled => "throttled",
        }
    }
}
