//! Messages that the application has for long: told of after `slow_after`, and taken back after
//! `consume_timeout` (`ProcessQueue.cleanExpiredMsg`).
//!
//! Handing out and settling look at no clock and take no lock, so that a look now and then has to
//! find out: each notes how many of a batch were handed out since the one before. A message counts
//! from the first look after it was handed out, and is acted on at a look: up to two pauses between
//! looks late, which is a quarter of the shorter of the two times, and at most 20 s. One that was
//! given back before counts from when it was handed out again.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::again::Place;
use super::queue::Window;
use super::send_back::Back;
use super::turns::Chore;
use super::{Batch, Consumer, Consumers, DeliveryId, Outcome, Trouble};
use crate::effects::{ConsumerTimer, Note, TimerKind};
use crate::id::{QueueKey, SubscriptionId};
use crate::remoting::Context;
use crate::route::Known;
use crate::time::Instant;

/// The pause between two looks is this part of what is looked for.
const PART: u32 = 8;
/// It is never shorter, and never longer.
const SHORTEST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_secs(10);

/// Messages of one batch, handed out since one look and before the next.
#[derive(Debug)]
pub(super) struct Handed {
    from: u32,
    end: u32,
    since: Instant,
}

/// What a look at a queue has found.
#[derive(Debug, Default)]
struct Look {
    /// Messages held for longer than was given.
    overdue: Vec<DeliveryId>,
    /// What is held longest.
    oldest: Option<(Instant, DeliveryId)>,
}

impl Look {
    fn holds(&mut self, since: Instant, id: DeliveryId, is_overdue: bool) {
        if is_overdue {
            self.overdue.push(id);
        }
        if self.oldest.is_none_or(|(oldest, _)| since < oldest) {
            self.oldest = Some((since, id));
        }
    }
}

impl Window {
    /// Looks at what the application has; `timeout` is too long.
    fn look(&mut self, now: Instant, timeout: Option<Duration>) -> Look {
        let mut look = Look::default();
        let is_overdue = |since| timeout.is_some_and(|timeout| now.since(since) >= timeout);
        let batches: Vec<Arc<Batch>> = self.batches().cloned().collect();
        let Self { handed, again, .. } = self;
        for batch in batches {
            let id = batch.id();
            let runs = handed.entry(id.number).or_default();
            let (from, end) = (runs.back().map_or(0, |run| run.end), batch.handed());
            if from < end {
                runs.push_back(Handed { from, end, since: now });
            }
            for run in runs.iter() {
                let open = (run.from..run.end).filter(|index| !batch.is_settled(*index));
                for index in open.filter(|index| !again.contains_key(&(id.number, *index))) {
                    look.holds(run.since, DeliveryId { batch: id, index }, is_overdue(run.since));
                }
            }
            forget_settled(runs, |index| batch.is_settled(index));
            for ((_, index), again) in again.range((id.number, 0)..=(id.number, u32::MAX)) {
                match again.place {
                    Place::Out(since) if !batch.is_settled(*index) => {
                        let id = DeliveryId { batch: id, index: *index };
                        look.holds(since, id, is_overdue(since));
                    }
                    Place::Out(_) | Place::Later(_) | Place::Ready | Place::Leaving(_) => {}
                }
            }
        }
        look
    }
}

/// Lets go of runs that are settled as a whole; the last one stays, to be gone on from.
fn forget_settled(runs: &mut VecDeque<Handed>, is_settled: impl Fn(u32) -> bool) {
    let last = runs.back().map(|run| run.end);
    runs.retain(|run| Some(run.end) == last || !(run.from..run.end).all(&is_settled));
}

impl Consumers {
    /// A consumer is to look at what the application has of it.
    pub(super) fn look_due(&mut self, ctx: &mut Context, known: Known<'_>, sub: SubscriptionId) {
        let Some(consumer) = self.get_mut(sub) else { return };
        consumer.look_timer = None;
        if consumer.is_leaving() || consumer.is_draining() {
            return;
        }
        let held = consumer.queues.iter().filter(|(_, queue)| queue.window.holds());
        let held: Vec<QueueKey> = held.map(|(key, _)| key).collect();
        if !held.is_empty() {
            consumer.look_later(ctx);
        }
        self.attend(ctx, known, sub, held, Chore::Look);
    }
}

impl Consumer {
    /// Sets when it looks next, unless it is set.
    pub(super) fn look_later(&mut self, ctx: &mut Context) {
        if self.look_timer.is_none()
            && let Some(pause) = pause(self.bounds.consume_timeout, self.bounds.slow_after)
        {
            let timer = TimerKind::Consumer(ConsumerTimer::Look(self.id));
            self.look_timer = Some((ctx.fx.now + pause, ctx.fx.after(pause, timer)));
        }
    }

    /// Looks at what the application has of one queue.
    pub(super) fn look(&mut self, ctx: &mut Context, known: Known<'_>, key: QueueKey) {
        if self.is_leaving() || self.is_draining() {
            return;
        }
        let now = ctx.fx.now;
        let Some(queue) = self.queues.get_mut(key) else { return };
        let look = queue.window.look(now, self.bounds.consume_timeout);
        let (name, topic, slow) = (queue.name.clone(), queue.topic, self.bounds.slow_after);
        if let Some((since, id)) = look.oldest
            && slow.is_some_and(|slow| now.since(since) >= slow)
            && self.tells(now, Trouble::Slow)
        {
            let offset = self.batch(id.batch).and_then(|batch| batch.offset(id.index));
            let (group, held) = (self.group.clone(), now.since(since));
            ctx.fx.note(Note::SlowConsumer { group, queue: name.clone(), offset, held });
        }
        if !look.overdue.is_empty() {
            let (group, count) = (self.group.clone(), look.overdue.len());
            ctx.fx.note(Note::HeldTooLong { group, queue: name, count });
            self.tallies.of(topic).timed_out += count as u64;
        }
        for id in look.overdue {
            if let Some(batch) = self.batch(id.batch) {
                batch.take_away(id.index);
                ctx.fx.counters.taken_away += 1;
                if self.broadcasts() {
                    self.fail_here(ctx, known, id, Outcome::Retry { after: None });
                } else {
                    self.send_back(ctx, known, id, Back::OVERDUE);
                }
            }
        }
    }
}

/// The pause between two looks; `None`: there is nothing to look for.
fn pause(timeout: Option<Duration>, slow: Option<Duration>) -> Option<Duration> {
    let least = timeout.into_iter().chain(slow).min()?;
    Some((least / PART).clamp(SHORTEST, LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_are_as_far_apart_as_what_they_look_for_allows() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(pause(None, None), None);
        assert_eq!(pause(seconds(900), seconds(60)), Some(Duration::from_millis(7500)));
        assert_eq!(pause(seconds(900), None), seconds(10));
        assert_eq!(pause(Some(Duration::ZERO), None), Some(Duration::from_millis(10)));
    }

    #[test]
    fn runs_that_are_settled_are_let_go_of_and_the_last_is_kept() {
        let run = |from, end| Handed { from, end, since: Instant::ZERO };
        let mut runs = VecDeque::from([run(0, 4), run(4, 6), run(6, 8)]);
        forget_settled(&mut runs, |index| index != 5);
        assert_eq!(runs.iter().map(|run| run.from).collect::<Vec<_>>(), [4, 6]);
        forget_settled(&mut runs, |_| true);
        assert_eq!(runs.iter().map(|run| run.from).collect::<Vec<_>>(), [6]);
    }
}
