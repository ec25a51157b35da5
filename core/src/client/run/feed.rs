//! The messages of one consumer, shared out among its workers.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

use super::super::control::ConsumerHandle;
use super::super::shared::Shared;
use super::seat::Seat;
use super::slice::Slice;
use crate::consumer::Handout;

/// Shares out what comes, and wakes workers.
///
/// What always holds: a worker is idle only where nothing can be claimed and the engine will tell
/// the feed of what comes, or where another worker was woken that has not looked yet.
pub(super) struct Feed {
    of: ConsumerHandle,
    desk: Mutex<Desk>,
    /// How many are idle, and whether one that was woken has not looked yet: as at the desk, to be
    /// looked at without it.
    pub(super) idle: AtomicUsize,
    pub(super) waking: AtomicBool,
    /// The engine tells the feed when there are messages.
    pub(super) watched: AtomicBool,
}

/// Where workers meet.
#[derive(Default)]
pub(super) struct Desk {
    pub(super) slices: VecDeque<Arc<Slice>>,
    /// By ticket: the one that is woken next is the last.
    pub(super) idle: VecDeque<(u64, Waker)>,
    pub(super) waking: bool,
    /// Nothing comes any more.
    pub(super) over: bool,
    /// Workers that there are to be.
    pub(super) target: usize,
    /// Those that there are.
    pub(super) seated: Vec<bool>,
    /// Seats that there were: each has a ticket of its own, as one number may have many seats in
    /// turn.
    tickets: u64,
}

impl Desk {
    /// Has others claim of a slice.
    pub(super) fn lay(&mut self, slice: Arc<Slice>) {
        if !self.slices.iter().any(|other| Arc::ptr_eq(other, &slice)) {
            self.slices.push_back(slice);
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

    pub(super) fn desk(&self) -> MutexGuard<'_, Desk> {
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
        let idle: Vec<Waker> = desk.idle.iter().map(|(_, waker)| waker.clone()).collect();
        drop(desk);
        idle.into_iter().for_each(Waker::wake);
        self.vacant()
    }

    /// Seats for those workers that lack.
    pub(super) fn vacant(self: &Arc<Self>) -> Vec<Seat> {
        let mut desk = self.desk();
        if desk.over {
            return Vec::new();
        }
        let mut seats = Vec::new();
        for slot in 0..desk.target {
            if !std::mem::replace(&mut desk.seated[slot], true) {
                desk.tickets += 1;
                seats.push(Seat::new(self.clone(), slot, desk.tickets));
            }
        }
        seats
    }

    /// Workers that there are, and that there are to be.
    pub(super) fn workers(&self) -> (usize, usize) {
        let desk = self.desk();
        (desk.seated.iter().filter(|seated| **seated).count(), desk.target)
    }

    /// Wakes one idle worker, unless one that was woken has not looked yet.
    pub(super) fn wake_one(&self) {
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

    pub(super) fn mirror(&self, desk: &Desk) {
        self.idle.store(desk.idle.len(), Ordering::Relaxed);
        self.waking.store(desk.waking, Ordering::Relaxed);
    }

    pub(super) fn is_paused(&self) -> bool {
        self.of.is_suspended()
    }

    /// Nothing comes any more: everybody leaves.
    pub(super) fn end(&self) {
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
    pub(super) fn take(self: &Arc<Self>, watch: bool) -> Option<Option<Handout>> {
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
        if watch {
            self.shared().wake_readers();
        }
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
