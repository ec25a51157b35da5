//! A worker's place at the feed.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};

use super::feed::Feed;
use super::slice::{Claim, Slice};
use crate::consumer::Handout;

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

/// What a worker finds at the desk.
enum Found {
    Slice(Arc<Slice>),
    /// It is not wanted any more.
    Leave,
    /// It is among the idle ones.
    Nothing,
}

impl Seat {
    pub(super) const fn new(feed: Arc<Feed>, slot: usize) -> Self {
        Self { feed, slot, slice: None, waits: false, gone: false }
    }

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
        if slice.is_shared() {
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
