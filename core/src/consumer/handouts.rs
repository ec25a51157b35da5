//! Messages on their way to the application: those to hand out now, in the order of their pulls,
//! and those that come again later, in the order of their times.
//!
//! What is to be handed out lies with its queue, and goes with it when it is given up. The turns of
//! the queues are kept here; those of queues that are gone are passed over.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::consumer::queue::Window;
use crate::consumer::{Consumer, DeliveryId, Handout, Outcome, Queue};
use crate::id::QueueKey;
use crate::time::Instant;
use crate::timer::TimerKey;

/// The shortest pause: what is given back in the same moment again and again would leave time to
/// nothing else.
const LEAST: Duration = Duration::from_millis(1);
/// The longest pause before a message that is dropped time and again is handed out once more.
const LONGEST: Duration = Duration::from_secs(30);

/// When a message is handed out again: its time, and a number that tells it from others.
pub(super) type Due = (Instant, u64);

/// A message that is held and has been given back.
#[derive(Debug, Default)]
pub(super) struct Again {
    /// How often it was dropped.
    times: u32,
    /// When it comes again, while it waits for that.
    due: Option<Due>,
}

impl Again {
    /// Whether it waits for its time.
    pub(super) const fn waits(&self) -> bool {
        self.due.is_some()
    }
}

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

/// The pause before a message that was dropped comes again: from a tenth of `delay`, at most
/// 100 ms, doubling to 30 s.
fn pause(times: u32, delay: Duration) -> Duration {
    let first = (delay / 10).clamp(LEAST, Duration::from_millis(100));
    first.saturating_mul(1 << times.min(16)).min(LONGEST)
}

impl Window {
    /// Forgets what was given back of a batch that has ended. What still waits for its time is
    /// passed over then.
    pub(super) fn forget_again(&mut self, number: u64) {
        if self.again.is_empty() {
            return;
        }
        let of_batch = self.again.range((number, 0)..=(number, u32::MAX));
        let idle = of_batch.filter(|(_, again)| again.due.is_none());
        let idle: Vec<(u64, u32)> = idle.map(|(place, _)| *place).collect();
        for place in idle {
            self.again.remove(&place);
        }
    }
}

impl Consumer {
    /// Queues messages to be handed out.
    pub(super) fn offer(&mut self, handout: Handout) {
        let key = handout.batch.id().queue;
        if let Some(queue) = self.queues.get_mut(key) {
            queue.window.ready.push_back(handout);
            self.handouts.turns.push_back(key);
            self.handouts.ready += 1;
        }
    }

    /// The next messages to hand out.
    pub(super) fn take(&mut self) -> Option<Handout> {
        if self.is_draining() || self.suspended {
            return None;
        }
        loop {
            let key = self.handouts.turns.pop_front()?;
            if let Some(handout) = self.queues.get_mut(key).and_then(|q| q.window.ready.pop_front())
            {
                self.handouts.ready -= 1;
                return Some(handout);
            }
        }
    }

    pub(super) const fn has_ready(&self) -> bool {
        !self.is_draining() && !self.suspended && self.handouts.ready > 0
    }

    /// Queues a message that was given back: behind its neighbours, after a pause. One that is
    /// dropped again and again must not starve the others. `delay` is what one is given that is to
    /// be retried.
    pub(super) fn offer_again(
        &mut self,
        now: Instant,
        id: DeliveryId,
        outcome: Outcome,
        delay: Duration,
    ) {
        let Some(queue) = self.queues.get_mut(id.batch.queue) else { return };
        let Some(batch) = queue.window.batch(id.batch.number).cloned() else { return };
        let again = queue.window.again.entry((id.batch.number, id.index)).or_default();
        if let Some(due) = again.due.take() {
            self.handouts.later.remove(&due);
        }
        let after = match outcome {
            Outcome::Again => {
                again.times = again.times.saturating_add(1);
                pause(again.times - 1, delay)
            }
            Outcome::Later | Outcome::Done => delay.max(LEAST),
        };
        self.handouts.issued += 1;
        let due = (now + after, self.handouts.issued);
        again.due = Some(due);
        self.handouts.later.insert(due, Handout::single(batch, id.index));
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
            let place = (id.number, index);
            if handout.batch.is_settled(index) {
                queue.window.again.remove(&place);
                continue;
            }
            if let Some(again) = queue.window.again.get_mut(&place) {
                again.due = None;
            }
            self.offer(handout);
            any = true;
        }
        any
    }

    /// Forgets what was to be handed out of a queue that is given up.
    pub(super) fn forget_handouts(&mut self, queue: &Queue) {
        let Self { handouts, queues, .. } = self;
        handouts.ready -= queue.window.ready.len();
        for due in queue.window.again.values().filter_map(|again| again.due) {
            handouts.later.remove(&due);
        }
        if handouts.turns.len() > 2 * handouts.ready + 64 {
            handouts.turns.retain(|key| queues.get(*key).is_some());
        }
    }

    /// What must hold between two calls.
    pub(super) fn check_handouts(&self) {
        let queues = || self.queues.iter().map(|(_, queue)| queue);
        let ready: usize = queues().map(|queue| queue.window.ready.len()).sum();
        assert_eq!(ready, self.handouts.ready, "runs of messages to hand out");
        let due =
            queues().flat_map(|queue| queue.window.again.values()).filter(|a| a.due.is_some());
        assert_eq!(due.count(), self.handouts.later.len(), "messages that come later");
        let (timer, next) = (self.handouts.timer.map(|(at, _)| at), self.next_again());
        let woken = next.is_none_or(|next| timer.is_some_and(|timer| timer <= next));
        assert!(woken, "nothing wakes what comes at {next:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_is_dropped_comes_again_ever_later_up_to_thirty_seconds() {
        let second = Duration::from_secs(1);
        let pauses: Vec<u128> = (0..11).map(|times| pause(times, second).as_millis()).collect();
        let expected = [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000];
        assert_eq!(pauses, expected);
        assert_eq!(pause(0, 60 * second), Duration::from_millis(100));
        assert_eq!(pause(0, Duration::from_millis(50)), Duration::from_millis(5));
        assert_eq!(pause(0, Duration::ZERO), Duration::from_millis(1));
        assert_eq!(pause(u32::MAX, second), LONGEST);
    }
}
