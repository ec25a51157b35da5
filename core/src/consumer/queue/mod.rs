//! One queue of a consumer's share: where it is read, what is held of it, and what is stored.
//!
//! | part | what it knows |
//! |---|---|
//! | [`Cursor`] | the offset of the next pull, and what is under way for it |
//! | [`Window`] | the messages pulled and not settled |
//! | [`Keeper`] | the offset that is stored for the group |
//! | [`Lock`] | whether it is ours alone, where order matters |
//! | [`Order`] | what of it is out, where order matters |
//!
//! | state of the cursor | leaves on | to |
//! |---|---|---|
//! | awaiting hand-over | its lease begins | needs offset, or ready where an offset was set |
//! | needs offset | its broker is there and knows us | fetching offset |
//! | fetching offset | an offset | ready |
//! | | a failure | pausing |
//! | needs offset | its offset is not kept by brokers, and not loaded | loading offset |
//! | loading offset | what is stored | needs offset |
//! | ready | room in the window, its broker is there and knows us | pulling |
//! | | no room | throttled |
//! | pulling | an answer that leads on | ready |
//! | | any other, a failure | pausing, or ready where the broker was lost |
//! | pausing | its timer | needs offset or ready, as before |
//! | throttled | room in the window | ready |

mod check;
mod cursor;
mod keeper;
mod lease;
mod lock;
mod order;
mod window;

use cursor::Cursor;
pub(super) use cursor::Want;
use keeper::Keeper;
pub(super) use keeper::OVERLAP;
pub(super) use lease::Lease;
pub(crate) use lock::LockTime;
pub(super) use lock::{LIFE, Lock};
pub(super) use order::Order;
pub(super) use window::Window;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::assign::Wish;
use super::options::Bounds;
use super::{PullBackoff, QueueStats};
use crate::effects::{Plant, Planted};
use crate::error::Attempt;
use crate::id::TopicKey;
use crate::name::QueueName;
use crate::remoting::OffsetOf;
use crate::route::RouteQueue;
use crate::time::Instant;

/// One assigned queue.
#[derive(Debug)]
pub(super) struct Queue {
    pub(super) name: QueueName,
    pub(super) at: RouteQueue,
    /// Which of the consumer's topics it belongs to.
    pub(super) topic: TopicKey,
    pub(super) cursor: Cursor,
    pub(super) window: Window,
    pub(super) keeper: Keeper,
    /// It begins no pull and hands nothing out, until it is released.
    pub(super) held: bool,
    /// The application has chosen an offset of its own to commit.
    pub(super) chosen: bool,
    /// An administrator has moved it there: that is stored, whoever commits otherwise.
    pub(super) reset: Option<i64>,
    /// The id of the broker that the last answer to a pull sends the next one to: 0 is the master.
    pub(super) suggested: Option<u64>,
    /// The last pull was one of a lite consumer's.
    pub(super) lite: bool,
    /// Its broker denied the last question about it.
    pub(super) denied: Option<Arc<Attempt>>,
    /// Changed by [`Self::locked`].
    lock: Lock,
    /// Up to there all was settled and stored in its life before.
    floor: Option<i64>,
    /// Up to there all was settled in its life before, whoever knows it.
    reached: Option<i64>,
    /// It is another member's by its share, and waits for what is being handled of it.
    pub(super) released: bool,
    /// A fault put back on purpose, where such are built.
    plant: Plant,
}

impl Queue {
    pub(super) fn new(name: QueueName, at: RouteQueue, topic: TopicKey) -> Self {
        let cursor = Cursor::new(PullBackoff::default());
        let (window, keeper) = (Window::default(), Keeper::default());
        let (held, chosen, reset, suggested, lite, plant) = Default::default();
        let (denied, lock, floor) = (None, Lock::Unneeded, None);
        let (reached, released) = (None, false);
        Self {
            name,
            at,
            topic,
            cursor,
            window,
            keeper,
            held,
            chosen,
            reset,
            suggested,
            lite,
            denied,
            lock,
            floor,
            reached,
            released,
            plant,
        }
    }

    /// Its messages are handled in their order, under that lock.
    pub(super) fn in_order(mut self, lock: Lock) -> Self {
        self.window.keep_order();
        self.locked(lock);
        self
    }

    /// What is known of its lock.
    pub(super) const fn lock(&self) -> Lock {
        self.lock
    }

    /// Its lock is in another state.
    pub(super) fn locked(&mut self, lock: Lock) {
        self.lock = lock;
        self.window.lock_time().set(lock);
    }

    /// Messages of it that are settled too late are counted there, and those that the application's
    /// own filter does not want.
    pub(super) fn counting(mut self, stale: &Arc<AtomicU64>, filtered: &Arc<AtomicU64>) -> Self {
        self.window.count(stale.clone(), filtered.clone());
        self
    }

    /// The next life of the queue, at the offset where the broker says that it goes on. What this
    /// one holds is of offsets that mean nothing any more, or something else: it is not part of the
    /// new one, and neither is what was committed (Java freezes the offset and drops the queue).
    pub(super) fn anew(&self, offset: i64) -> Self {
        let mut anew = Self::new(self.name.clone(), self.at, self.topic);
        anew.cursor = Cursor::new(self.cursor.backoff());
        anew.held = self.held;
        anew.suggested = self.suggested;
        anew.cursor.begin(offset);
        anew
    }

    /// What the application wished of it before it was there.
    pub(super) fn begin_as(&mut self, wish: Wish) {
        self.held = wish.held;
        if let Some(offset) = wish.offset {
            self.cursor.begin(offset);
            self.cursor.show();
        }
    }

    /// As what it begins when it is there again: nothing that is unsettled is passed.
    pub(super) fn to_wish(&self) -> Wish {
        Wish { offset: self.lowest_open(), held: self.held }
    }

    /// The lowest offset that is not settled, once it has begun.
    fn lowest_open(&self) -> Option<i64> {
        let next = self.cursor.next();
        self.is_begun().then(|| self.low().map_or(next, |low| low.min(next)))
    }

    /// The next life of the queue, of which it is not known where it goes on: it was another
    /// member's for a while. What was stored before is settled, even if its broker forgets it.
    pub(super) fn anew_from_stored(&self) -> Self {
        let mut anew = Self::new(self.name.clone(), self.at, self.topic);
        anew.cursor = Cursor::new(self.cursor.backoff());
        anew.held = self.held;
        anew.suggested = self.suggested;
        anew.floor = self.keeper.committed().max(self.floor);
        anew.reached = self.lowest_open().or(self.reached);
        anew
    }

    /// Whether it knows where to pull.
    pub(super) const fn is_begun(&self) -> bool {
        self.cursor.has_offset()
    }

    /// Goes on, or stops, as what is held allows. Gives what it needs for that.
    pub(super) fn resume(&mut self, bounds: &Bounds) -> Want {
        self.cursor.resume(self.window.is_full(bounds))
    }

    /// Where it goes on if the group has no offset stored: behind what was settled of it here. An
    /// end of the queue may be behind more than that by now.
    pub(super) fn left_off(&self) -> Option<i64> {
        self.reached.max(self.floor)
    }

    /// An offset to begin at is known.
    pub(super) fn offset_received(&mut self, now: Instant, offset: i64, of: OffsetOf) {
        self.cursor.begin(self.floor.map_or(offset, |floor| floor.max(offset)));
        if of == OffsetOf::Group {
            self.keeper.inherits(now, offset.max(0));
        }
    }

    /// The queue goes on at `to` with all that is held: a fault put back on purpose.
    pub(super) const fn move_in_place(&mut self, to: i64, plant: Plant) {
        self.cursor.move_to(to);
        self.keeper.forget();
        self.plant = plant;
    }

    /// What may be committed: the lowest offset not settled. `None` before the first offset is
    /// known, and shown to be there.
    fn position(&self, now: Instant) -> Option<i64> {
        self.lowest_open().filter(|_| self.cursor.is_shown(now))
    }

    /// The lowest offset that is held unsettled, of whichever pull.
    pub(super) fn low(&self) -> Option<i64> {
        let mut lows = self.window.batches().filter_map(|batch| batch.low());
        if self.plant.is(Planted::CommitsFirstPull) { lows.next() } else { lows.min() }
    }

    /// What should be committed now: nothing while a commit is under way or nothing is new.
    /// `shared`: the group has, or had just now, other members.
    pub(super) fn to_commit(&self, now: Instant, shared: bool) -> Option<i64> {
        if self.keeper.under_way().is_some() {
            return None;
        }
        let again = || self.position(now).filter(|at| self.keeper.committed() == Some(*at));
        self.to_store(now).or_else(|| again().filter(|_| self.keeper.is_unsure(now, shared)))
    }

    /// The offset up to which all is settled, if it is known.
    pub(super) fn settled_to(&self, now: Instant) -> Option<i64> {
        self.position(now)
    }

    /// Where it was moved by an administrator, and what nobody has confirmed yet.
    pub(super) fn owed(&self) -> Option<i64> {
        let idle = self.keeper.committed().is_none() && self.keeper.under_way().is_none();
        self.reset.filter(|_| idle)
    }

    /// What the broker should have and, as far as we know, has not.
    pub(super) fn to_store(&self, now: Instant) -> Option<i64> {
        self.position(now).filter(|position| self.keeper.lacks(*position))
    }

    /// Messages up to the end that was told last that are not settled, or not stored yet.
    fn lag(&self) -> Option<u64> {
        let reached = self.low().unwrap_or_else(|| self.cursor.next());
        let known = self.cursor.end().filter(|_| self.cursor.has_offset());
        known.map(|end| u64::try_from(end.saturating_sub(reached)).unwrap_or(0))
    }

    /// How far it has come: what may be committed, or is.
    pub(super) fn reached(&self, now: Instant) -> Option<i64> {
        self.position(now).or_else(|| self.keeper.committed())
    }

    /// The queue as data.
    pub(super) fn stats(&self) -> QueueStats {
        QueueStats {
            queue: self.name.clone(),
            state: match self.lock {
                _ if self.released => "handing over",
                Lock::Wanted => "awaiting lock",
                Lock::Unneeded | Lock::Held { .. } | Lock::Doubted { .. } => self.cursor.name(),
            },
            next: self.cursor.next(),
            committed: self.keeper.committed(),
            end: self.cursor.end(),
            lag: self.lag(),
            messages: self.window.messages(),
            bytes: self.window.bytes(),
        }
    }
}
