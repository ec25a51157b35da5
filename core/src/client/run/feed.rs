//! The messages of one consumer, shared out among its workers.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use super::super::control::ConsumerHandle;
use super::super::delivery::settle;
use super::super::shared::Shared;
use crate::consumer::{Batch, Handout};

/// A run of messages that any worker may claim from.
struct Slice {
    batch: Arc<Batch>,
    next: AtomicU32,
    end: u32,
    /// As a handout has it.
    again: u32,
}

/// A message that a worker is to handle.
pub(super) struct Claim {
    pub(super) batch: Arc<Batch>,
    pub(super) index: u32,
    pub(super) again: u32,
}

/// A worker's place.
pub(in crate::client) struct Seat {
    feed: Arc<Feed>,
    /// The worker's number: the greatest ones go first when there are to be fewer.
    pub(super) slot: usize,
    slice: Option<Arc<Slice>>,
    /// It may be among the idle ones.
    waits: bool,
    gone: bool,
}

/// Shares out messages, and wakes workers.
///
/// What always holds: a worker is idle only where nothing can be claimed and the engine will tell
/// the feed of what comes, or where another worker was woken that has not looked yet.
pub(super) struct Feed {
    of: ConsumerHandle,
    desk: Mutex<Desk>,
    /// How many are idle, and whether one that was woken has not looked yet: as at the desk, to be
    /// looked at without it.
    idle: AtomicUsize,
    waking: AtomicBool,
    /// The engine tells the feed when there are messages.
    watched: AtomicBool,
}

#[derive(Default)]
struct Desk {
    slices: VecDeque<Arc<Slice>>,
    idle: VecDeque<(usize, Waker)>,
    waking: bool,
    /// Nothing comes any more.
    over: bool,
    /// Workers that there are to be.
    target: usize,
    /// Those that there are.
    seated: Vec<bool>,
}

/// What a worker finds at the desk.
enum Found {
    Slice(Arc<Slice>),
    /// It is not wanted any more.
    Leave,
    /// It is among the idle ones.
    Nothing,
}

impl Slice {
    /// The next message that is to be handled.
    fn claim(&self, shared: &Shared) -> Option<u32> {
        while self.has_more() {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            if index >= self.end {
                break;
            }
            if self.batch.is_revoked() {
                self.next.store(self.end, Ordering::Relaxed);
                break;
            }
            if !self.batch.hand_out(index) {
                // The consumer finishes: nobody sees what is left.
                self.give_back(shared, index, index + 1);
                self.give_back_rest(shared);
                break;
            }
            if self.batch.is_settled(index) {
                continue;
            }
            if self.batch.wanted(index) {
                return Some(index);
            }
            settle(&self.batch, index, shared);
        }
        None
    }

    fn has_more(&self) -> bool {
        self.next.load(Ordering::Relaxed) < self.end
    }

    fn give_back_rest(&self, shared: &Shared) {
        let next = self.next.swap(self.end, Ordering::Relaxed);
        self.give_back(shared, next, self.end);
    }

    fn give_back(&self, shared: &Shared, next: u32, end: u32) {
        if next < end {
            let again = self.again;
            let rest = Handout { batch: self.batch.clone(), next, end, again };
            shared.run(|core, now| core.engine.give_back(now, &rest));
        }
    }
}

impl Feed {
    /// Shares out what comes of a consumer, and `first` before, among up to `workers`.
    pub(super) fn new(of: ConsumerHandle, first: Option<Handout>, workers: usize) -> Arc<Self> {
        let slices = first.into_iter().map(Slice::of).collect();
        let desk = Desk { slices, target: workers, ..Desk::default() };
        let (idle, waking, watched) = Default::default();
        Arc::new(Self { of, desk: Mutex::new(desk), idle, waking, watched })
    }

    /// A handle of the consumer.
    pub(super) const fn control(&self) -> &ConsumerHandle {
        &self.of
    }

    pub(super) const fn shared(&self) -> &Arc<Shared> {
        &self.of.shared
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has so many workers, of whom those that are too many leave; gives seats for those that lack.
    pub(super) fn resize(self: &Arc<Self>, workers: usize) -> Vec<Seat> {
        let mut desk = self.desk();
        if desk.over {
            return Vec::new();
        }
        desk.target = workers;
        if desk.seated.len() < workers {
            desk.seated.resize(workers, false);
        }
        let mut seats = Vec::new();
        for slot in 0..workers {
            if !std::mem::replace(&mut desk.seated[slot], true) {
                let feed = self.clone();
                seats.push(Seat { feed, slot, slice: None, waits: false, gone: false });
            }
        }
        let idle: Vec<Waker> = desk.idle.iter().map(|(_, waker)| waker.clone()).collect();
        drop(desk);
        idle.into_iter().for_each(Waker::wake);
        seats
    }

    /// Workers that there are, and that there are to be.
    pub(super) fn workers(&self) -> (usize, usize) {
        let desk = self.desk();
        (desk.seated.iter().filter(|seated| **seated).count(), desk.target)
    }

    /// Wakes one idle worker, unless one that was woken has not looked yet.
    fn wake_one(&self) {
        let mut desk = self.desk();
        if desk.waking {
            return;
        }
        if let Some((_, waker)) = desk.idle.pop_back() {
            desk.waking = true;
            self.mirror(&desk);
            drop(desk);
            waker.wake();
        }
    }

    fn mirror(&self, desk: &Desk) {
        self.idle.store(desk.idle.len(), Ordering::Relaxed);
        self.waking.store(desk.waking, Ordering::Relaxed);
    }

    fn is_paused(&self) -> bool {
        self.of.is_suspended()
    }

    /// Nothing comes any more: everybody leaves.
    fn end(&self) {
        let (slices, idle) = {
            let mut desk = self.desk();
            desk.over = true;
            let left = (std::mem::take(&mut desk.slices), std::mem::take(&mut desk.idle));
            self.mirror(&desk);
            left
        };
        slices.iter().for_each(|slice| slice.give_back_rest(self.shared()));
        idle.into_iter().for_each(|(_, waker)| waker.wake());
    }

    /// The next messages of the engine; without any, and where it is to `watch`, the engine tells
    /// the feed of the next ones. Gives `None` where none come any more.
    fn take(self: &Arc<Self>, watch: bool) -> Option<Option<Handout>> {
        let mut waker = watch.then(|| Waker::from(self.clone()));
        let sub = self.of.sub;
        let taken = self.shared().run(|core, now| {
            let consumer = core.consumers.get_mut(&sub)?;
            if !core.engine.gives(sub) {
                return None;
            }
            let handout = core.engine.take_batch(now, sub);
            if handout.is_none() && watch {
                std::mem::swap(&mut consumer.waker, &mut waker);
                self.watched.store(true, Ordering::Relaxed);
            }
            Some(handout)
        });
        taken.flatten()
    }
}

/// The engine has messages, or says that none come any more.
impl Wake for Feed {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.watched.store(false, Ordering::Relaxed);
        self.wake_one();
    }
}

impl Slice {
    fn of(handout: Handout) -> Arc<Self> {
        let Handout { batch, next, end, again } = handout;
        Arc::new(Self { batch, next: AtomicU32::new(next), end, again })
    }
}

impl Seat {
    /// The next message; ready with none where this worker is to leave. One that `gathers` is the
    /// first to hear of more.
    pub(super) fn poll_next(&mut self, cx: &Context<'_>, gathers: bool) -> Poll<Option<Claim>> {
        self.rise();
        loop {
            let paused = self.feed.is_paused();
            if !paused && let Some(claim) = self.claim() {
                return Poll::Ready(Some(claim));
            }
            match self.look(Some((cx.waker(), gathers)), paused) {
                Found::Slice(slice) => {
                    self.slice = Some(slice);
                    continue;
                }
                Found::Leave => return Poll::Ready(None),
                Found::Nothing => {}
            }
            match self.feed.take(true) {
                None => {
                    self.feed.end();
                    self.rise();
                }
                Some(None) if paused && !self.feed.is_paused() => self.rise(),
                Some(None) => return Poll::Pending,
                Some(Some(handout)) => {
                    self.rise();
                    self.publish(handout);
                }
            }
        }
    }

    /// The next message that is there, without waiting for one.
    pub(super) fn try_next(&mut self) -> Option<Claim> {
        loop {
            let paused = self.feed.is_paused();
            if paused {
                return None;
            }
            if let Some(claim) = self.claim() {
                return Some(claim);
            }
            match self.look(None, paused) {
                Found::Slice(slice) => self.slice = Some(slice),
                Found::Leave => return None,
                Found::Nothing => self.publish(self.feed.take(false)??),
            }
        }
    }

    /// Claims from the slice at hand. Where more is left, or the engine may have more, another
    /// worker is woken for it.
    fn claim(&mut self) -> Option<Claim> {
        let (slice, feed) = (self.slice.as_ref()?, &self.feed);
        let Some(index) = slice.claim(feed.shared()) else {
            self.slice = None;
            return None;
        };
        let claim = Claim { batch: slice.batch.clone(), index, again: slice.again };
        let more = slice.has_more() || !feed.watched.load(Ordering::Relaxed);
        if more && feed.idle.load(Ordering::Relaxed) > 0 && !feed.waking.load(Ordering::Relaxed) {
            feed.wake_one();
        }
        Some(claim)
    }

    /// Looks for a slice at the desk. Without one, this worker is among the idle ones, by that
    /// waker.
    fn look(&mut self, idle: Option<(&Waker, bool)>, paused: bool) -> Found {
        let feed = &self.feed;
        let mut desk = feed.desk();
        if desk.over || self.slot >= desk.target {
            desk.seated[self.slot] = false;
            self.gone = true;
            drop(desk);
            // What it was woken for is another one's.
            feed.wake_one();
            return Found::Leave;
        }
        while desk.slices.front().is_some_and(|slice| !slice.has_more()) {
            desk.slices.pop_front();
        }
        if let Some(slice) = desk.slices.front().filter(|_| !paused) {
            return Found::Slice(slice.clone());
        }
        if let Some((waker, gathers)) = idle {
            let entry = (self.slot, waker.clone());
            if gathers {
                desk.idle.push_back(entry);
            } else {
                desk.idle.push_front(entry);
            }
            self.waits = true;
            feed.mirror(&desk);
        }
        Found::Nothing
    }

    /// This worker is not idle any more: it looks, or has found something.
    fn rise(&mut self) {
        if !std::mem::take(&mut self.waits) {
            return;
        }
        let mut desk = self.feed.desk();
        let place = desk.idle.iter().position(|(slot, _)| *slot == self.slot);
        let entry = place.and_then(|place| desk.idle.remove(place));
        if entry.is_none() {
            desk.waking = false;
        }
        self.feed.mirror(&desk);
        drop(desk);
        drop(entry);
    }

    /// This worker looks for nothing more for now. What it may have been woken for is for others.
    pub(super) fn leave_off(&mut self) {
        self.rise();
        let feed = &self.feed;
        let mine = self.slice.as_ref().is_some_and(|slice| slice.has_more());
        if mine || !feed.watched.load(Ordering::Relaxed) {
            feed.wake_one();
        }
    }

    /// Has others claim from it as well.
    fn publish(&mut self, handout: Handout) {
        // The engine may have more.
        self.feed.watched.store(false, Ordering::Relaxed);
        let slice = Slice::of(handout);
        if slice.end - slice.next.load(Ordering::Relaxed) > 1 {
            self.feed.desk().slices.push_back(slice.clone());
        }
        self.slice = Some(slice);
    }
}

/// A task that is dropped with its runtime leaves as well.
impl Drop for Seat {
    fn drop(&mut self) {
        self.rise();
        if !self.gone {
            self.feed.desk().seated[self.slot] = false;
            self.feed.wake_one();
        }
    }
}
