//! A worker's place at the feed.

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard};
use std::task::{Context, Poll, Waker};

use super::feed::{Desk, Feed};
use super::slice::{Claim, Slice};
use crate::consumer::Handout;

/// A worker's place.
pub(in crate::client) struct Seat {
    feed: Arc<Feed>,
    /// The worker's number: the greatest ones go first when there are to be fewer.
    pub(super) slot: usize,
    /// By which it is known among the idle ones.
    ticket: u64,
    slice: Option<Arc<Slice>>,
    /// It may be among the idle ones.
    waits: bool,
    /// Its worker has left, and another one may have its number.
    gone: bool,
}

/// How a worker looks at the desk.
enum Look<'a> {
    /// It has nothing to do, and leaves where it is not wanted any more: nothing further is called.
    Free(&'a Waker),
    /// It gathers more of a batch. Not wanted any more, it first handles what it has.
    Gathers(&'a Waker),
    /// The same, without waiting.
    Glances,
}

/// What a worker finds at the desk.
enum Found {
    Slice(Arc<Slice>),
    /// There is nothing for it any more.
    Leave,
    /// It is among the idle ones.
    Nothing,
}

impl Seat {
    pub(super) const fn new(feed: Arc<Feed>, slot: usize, ticket: u64) -> Self {
        Self { feed, slot, ticket, slice: None, waits: false, gone: false }
    }

    /// The next message; ready with none, from then on, where this worker is to leave. One that
    /// `gathers` is the first to hear of more, and leaves at the next call that does not.
    pub(super) fn poll_next(&mut self, cx: &Context<'_>, gathers: bool) -> Poll<Option<Claim>> {
        if self.gone {
            return Poll::Ready(None);
        }
        self.rise();
        loop {
            let paused = self.feed.is_paused();
            if !paused && let Some(claim) = self.claim() {
                return Poll::Ready(Some(claim));
            }
            let look = if gathers { Look::Gathers(cx.waker()) } else { Look::Free(cx.waker()) };
            match self.look(&look, paused) {
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
                Some(None) if paused && !self.feed.is_paused() => _ = self.rise(),
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
            match self.look(&Look::Glances, paused) {
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
        let more = slice.has_more_for_others() || !feed.watched.load(Ordering::Relaxed);
        if more && feed.idle.load(Ordering::Relaxed) > 0 && !feed.waking.load(Ordering::Relaxed) {
            feed.wake_one();
        }
        Some(claim)
    }

    /// The next message after one whose order matters, to be handled together with it.
    pub(super) fn next_of_run(&self) -> Option<Claim> {
        let slice = self.slice.as_ref()?;
        let index = slice.claim_of_run(self.feed.shared())?;
        Some(Claim { batch: slice.batch.clone(), index, again: slice.again })
    }

    /// Looks for a slice at the desk. Without one, a worker that waits is among the idle ones, and
    /// what it has at hand is for whoever comes first.
    fn look(&mut self, how: &Look<'_>, paused: bool) -> Found {
        let feed = self.feed.clone();
        let mut desk = feed.desk();
        if desk.over || self.slot >= desk.target {
            if let Look::Free(_) = how {
                self.gone = true;
                desk.seated[self.slot] = false;
            }
            self.lay_down(desk);
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
        match how {
            Look::Free(waker) => desk.idle.push_front((self.ticket, (*waker).clone())),
            Look::Gathers(waker) => desk.idle.push_back((self.ticket, (*waker).clone())),
            Look::Glances => return Found::Nothing,
        }
        self.waits = true;
        feed.mirror(&desk);
        self.lay_down(desk);
        Found::Nothing
    }

    /// What is left at hand, of a pull that came while the consumer was being suspended, is for
    /// others to claim; the engine's again where none do any more.
    fn lay_down(&mut self, mut desk: MutexGuard<'_, Desk>) {
        let Some(slice) = self.slice.take().filter(|slice| slice.has_more()) else { return };
        if !desk.over && !slice.batch.is_orderly() {
            return desk.lay(slice);
        }
        drop(desk);
        slice.give_back_rest(self.feed.shared());
    }

    /// This worker is not idle any more: it looks, or has found something. Says whether it was
    /// woken.
    fn rise(&mut self) -> bool {
        if !std::mem::take(&mut self.waits) {
            return false;
        }
        let mut desk = self.feed.desk();
        let place = desk.idle.iter().position(|(ticket, _)| *ticket == self.ticket);
        let entry = place.and_then(|place| desk.idle.remove(place));
        if entry.is_none() {
            desk.waking = false;
        }
        self.feed.mirror(&desk);
        drop(desk);
        // The waker is dropped without the lock.
        entry.is_none()
    }

    /// This worker looks for nothing more for now. What it may have been woken for, and what it has
    /// at hand, is for others.
    pub(super) fn leave_off(&mut self) {
        let woken = self.rise();
        // What is at hand in order is handled here, after what was gathered.
        let mine = self.slice.as_ref().is_some_and(|slice| slice.has_more_for_others());
        let feed = self.feed.clone();
        if mine {
            self.lay_down(feed.desk());
        }
        if woken || mine || !feed.watched.load(Ordering::Relaxed) {
            feed.wake_one();
        }
    }

    /// Leaves for good. What is at hand, and what it may have been woken for, is for others.
    pub(super) fn leave(&mut self) {
        self.rise();
        if std::mem::replace(&mut self.gone, true) {
            return;
        }
        let feed = self.feed.clone();
        let mut desk = feed.desk();
        desk.seated[self.slot] = false;
        self.lay_down(desk);
        feed.wake_one();
    }

    /// Has others claim from it as well.
    fn publish(&mut self, handout: Handout) {
        // The engine may have more.
        self.feed.watched.store(false, Ordering::Relaxed);
        let slice = Slice::of(handout);
        if slice.is_shared() {
            self.feed.desk().lay(slice.clone());
        }
        self.slice = Some(slice);
    }
}

/// A task that is dropped with its runtime leaves as well.
impl Drop for Seat {
    fn drop(&mut self) {
        self.leave();
    }
}
