//! Messages on their way to the application: those to hand out now, in the order of their pulls,
//! and those that come again later, in the order of their times.
//!
//! What is to be handed out lies with its queue, and goes with it when it is given up. The turns of
//! the queues are kept here; those of queues that are gone are passed over.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::again::{Again, LEAST, Place};
use crate::consumer::queue::{Order, Window};
use crate::consumer::{Consumer, DeliveryId, Handout, Queue};
use crate::id::QueueKey;
use crate::time::Instant;
use crate::timer::TimerKey;

/// When a message is handed out again: its time, and a number that tells it from others.
pub(super) type Due = (Instant, u64);

/// What the application is to be given, by turns and times.
#[derive(Debug, Default)]
pub(super) struct Handouts {
    turns: VecDeque<QueueKey>,
    /// Turns of queues that are still there.
    ready: usize,
    later: BTreeMap<Due, Handout>,
    issued: u64,
    /// What wakes the first of those that come later.
    pub(super) timer: Option<(Instant, TimerKey)>,
}

impl Handouts {
    /// So many runs of a queue are to have no turn any more.
    pub(super) const fn hold(&mut self, runs: usize) {
        self.ready -= runs;
    }

    /// So many runs of a queue have their turns again.
    pub(super) fn release(&mut self, key: QueueKey, runs: usize) {
        self.ready += runs;
        self.turns.extend(std::iter::repeat_n(key, runs));
    }

    /// A message that was to come later does not.
    pub(super) fn forget(&mut self, due: Due) {
        self.later.remove(&due);
    }

    /// A message is to come then.
    pub(super) fn wait(&mut self, due: Due, handout: Handout) {
        self.later.insert(due, handout);
    }

    /// A number that tells a time from others.
    pub(super) const fn issue(&mut self) -> u64 {
        self.issued += 1;
        self.issued
    }

    /// A run that was ready is not any more.
    pub(super) const fn withdrawn(&mut self) {
        self.ready -= 1;
    }
}

impl Window {
    /// Forgets what was given back of a batch that has ended. What still waits for its time is
    /// passed over then.
    pub(super) fn forget_again(&mut self, number: u64) {
        if self.again.is_empty() {
            return;
        }
        let of_batch = self.again.range((number, 0)..=(number, u32::MAX));
        let idle = of_batch.filter(|(_, again)| again.due().is_none());
        let idle: Vec<(u64, u32)> = idle.map(|(place, _)| *place).collect();
        for place in idle {
            self.again.remove(&place);
        }
    }

    /// Notes that these are handed out. False: it is one message that was given back meanwhile once
    /// more, and comes again by that.
    fn hand_out(&mut self, now: Instant, handout: &Handout) -> bool {
        if handout.end != handout.next + 1 {
            return true;
        }
        let place = (handout.batch.id().number, handout.next);
        let Some(again) = self.again.get_mut(&place) else { return true };
        let ready = matches!(again.place, Place::Ready);
        if ready {
            again.place = Place::Out(now);
        }
        ready
    }
}

impl Queue {
    /// Runs that have their turns to be handed out: none of a queue that is held.
    fn turns(&self) -> usize {
        if self.held { 0 } else { self.window.ready.len() }
    }
}

impl Consumer {
    /// Queues messages to be handed out; where order matters, behind those of the queue before
    /// them.
    pub(super) fn offer(&mut self, handout: Handout) {
        let key = handout.batch.id().queue;
        if let Some(order) = self.queues.get_mut(key).and_then(|queue| queue.window.order.as_mut())
        {
            order.push(handout);
            self.offer_run(key);
            return;
        }
        self.offer_now(key, handout);
    }

    /// Queues messages to be handed out next.
    pub(super) fn offer_now(&mut self, key: QueueKey, handout: Handout) {
        if let Some(queue) = self.queues.get_mut(key) {
            queue.window.ready.push_back(handout);
            if !queue.held {
                self.handouts.turns.push_back(key);
                self.handouts.ready += 1;
            }
        }
    }

    /// Forgets the turns of queues that are held.
    pub(super) fn forget_turns(&mut self) {
        let Self { handouts, queues, .. } = self;
        handouts.turns.retain(|key| queues.get(*key).is_some_and(|queue| !queue.held));
    }

    /// Puts back what was taken, to be handed out before all else.
    pub(super) fn put_back(&mut self, rest: Handout) {
        let key = rest.batch.id().queue;
        if let Some(queue) = self.queues.get_mut(key) {
            queue.window.ready.push_front(rest);
            self.handouts.turns.push_front(key);
            self.handouts.ready += 1;
        }
    }

    /// The next messages to hand out.
    pub(super) fn take(&mut self, now: Instant) -> Option<Handout> {
        if self.is_leaving() || self.is_draining() || self.suspended {
            return None;
        }
        if let Some(handout) = self.direct.take() {
            return Some(handout);
        }
        loop {
            let key = self.handouts.turns.pop_front()?;
            let Some(queue) = self.queues.get_mut(key) else { continue };
            let Some(handout) = queue.window.ready.pop_front() else { continue };
            self.handouts.ready -= 1;
            let locked = queue.lock().holds(now) && !queue.released;
            if let Some(order) = &mut queue.window.order {
                if locked {
                    order.begin(&handout);
                    return Some(handout);
                }
                order.put_back(handout);
                continue;
            }
            if queue.window.hand_out(now, &handout) {
                return Some(handout);
            }
        }
    }

    pub(super) fn has_ready(&self) -> bool {
        let open = !self.is_leaving() && !self.is_draining() && !self.suspended;
        open && (self.handouts.ready > 0 || self.direct.has_ready())
    }

    /// Queues a message that was given back: behind its neighbours, after a pause that `after`
    /// gives. One that is dropped again and again must not starve the others.
    pub(super) fn offer_again(
        &mut self,
        now: Instant,
        id: DeliveryId,
        after: impl FnOnce(&mut Again) -> Duration,
    ) {
        let Some(queue) = self.queues.get_mut(id.batch.queue) else { return };
        let Some(batch) = queue.window.batch(id.batch.number).cloned() else { return };
        let again = queue.window.again.entry((id.batch.number, id.index));
        let again = again.or_insert_with(|| Again::out(now));
        if let Some(due) = again.due() {
            self.handouts.later.remove(&due);
        }
        self.handouts.issued += 1;
        let due = (now + after(again).max(LEAST), self.handouts.issued);
        again.place = Place::Later(due);
        again.times = again.times.saturating_add(1);
        self.handouts.later.insert(due, Handout::single(batch, id.index, again.times));
        self.tallies.of(queue.topic).redelivered += 1;
    }

    /// When the first of those comes that come later.
    pub(super) fn next_again(&self) -> Option<Instant> {
        self.handouts.later.first_key_value().map(|((at, _), _)| *at)
    }

    /// Moves what is due to the end of what is ready. True if there was any.
    pub(super) fn wake_later(&mut self, now: Instant) -> bool {
        let mut any = false;
        while let Some(entry) = self.handouts.later.first_entry().filter(|e| e.key().0 <= now) {
            let handout = entry.remove();
            let (id, index) = (handout.batch.id(), handout.next);
            let Some(queue) = self.queues.get_mut(id.queue) else { continue };
            if queue.window.order.is_some() {
                any |= self.pause_of_order_over(id.queue);
                continue;
            }
            let place = (id.number, index);
            if handout.batch.is_settled(index) {
                queue.window.again.remove(&place);
                continue;
            }
            if let Some(again) = queue.window.again.get_mut(&place) {
                again.place = Place::Ready;
            }
            handout.batch.give_anew(index);
            self.offer(handout);
            any = true;
        }
        any
    }

    /// Forgets what was to be handed out of a queue that is given up.
    pub(super) fn forget_handouts(&mut self, queue: &Queue) {
        let handouts = &mut self.handouts;
        handouts.ready -= queue.turns();
        let order = queue.window.order.iter().filter_map(Order::due);
        for due in queue.window.again.values().filter_map(Again::due).chain(order) {
            handouts.later.remove(&due);
        }
        if queue.window.again.values().any(|again| again.leaving().is_some()) {
            self.forget_backs();
        }
        let Self { handouts, queues, .. } = self;
        if handouts.turns.len() > 2 * handouts.ready + 64 {
            handouts.turns.retain(|key| queues.get(*key).is_some());
        }
    }

    /// What must hold between two calls.
    pub(super) fn check_handouts(&self) {
        let queues = || self.queues.iter().map(|(_, queue)| queue);
        let ready: usize = queues().map(Queue::turns).sum();
        assert_eq!(ready, self.handouts.ready, "runs of messages to hand out");
        let due = queues().flat_map(|queue| queue.window.again.values()).filter_map(Again::due);
        let order = queues().filter_map(|queue| queue.window.order.as_ref()?.due());
        assert_eq!(due.chain(order).count(), self.handouts.later.len(), "messages that come later");
        let (timer, next) = (self.handouts.timer.map(|(at, _)| at), self.next_again());
        let woken = next.is_none_or(|next| timer.is_some_and(|timer| timer <= next));
        assert!(woken, "nothing wakes what comes at {next:?}");
    }
}
