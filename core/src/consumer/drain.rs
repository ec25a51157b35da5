//! What was handed out and is not settled, while a consumer finishes.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::again::Again;
use super::queue::Window;
use super::{BatchId, Consumer};
use crate::effects::{Plant, Planted};
use crate::remoting::Context;
use crate::time::Instant;
use crate::timer::TimerKey;

/// A consumer that finishes.
#[derive(Debug)]
pub(super) struct Drain {
    by: Instant,
    timer: TimerKey,
    /// The messages that the application holds, or that are on their way to a broker. Those that
    /// came directly (309) are none of them: whoever asked for them hears that the group has left.
    out: BTreeMap<BatchId, BTreeSet<u32>>,
    /// Those that it gave back instead of settling them, and that went away with their queues.
    unsettled: usize,
}

impl Window {
    /// The messages that the application holds, handed out and neither settled nor given back, and
    /// those on their way to a broker.
    pub(super) fn out(&self, plant: Plant) -> impl Iterator<Item = (BatchId, BTreeSet<u32>)> {
        let early = plant.is(Planted::DrainsEarly);
        let is_out = move |again: &Again| again.is_out() && !(early && again.leaving().is_some());
        self.batches().filter_map(move |batch| {
            let number = batch.id().number;
            let back = |index: u32| self.order.as_ref().is_some_and(|o| o.is_back(number, index));
            let out =
                |index: &u32| self.again.get(&(number, *index)).is_none_or(is_out) && !back(*index);
            let held = |index: &u32| !batch.is_settled(*index) && out(index);
            let out: BTreeSet<u32> = (0..batch.handed()).filter(held).collect();
            (!out.is_empty()).then(|| (batch.id(), out))
        })
    }
}

impl Consumer {
    pub(super) const fn is_draining(&self) -> bool {
        self.drain.is_some()
    }

    pub(super) fn drain_timer(&self) -> Option<(Instant, TimerKey)> {
        self.drain.as_ref().map(|drain| (drain.by, drain.timer))
    }

    /// Begins to finish, or has less time for it.
    pub(super) fn drain_by(&mut self, plant: Plant, by: Instant, timer: TimerKey) {
        match &mut self.drain {
            Some(drain) => (drain.by, drain.timer) = (by, timer),
            None => {
                // First the mark, then the bits: who settles meanwhile sees the one or is seen.
                self.queues.iter().for_each(|(_, queue)| queue.window.mark_draining());
                let out =
                    self.queues.iter().flat_map(|(_, queue)| queue.window.out(plant)).collect();
                self.drain = Some(Drain { by, timer, out, unsettled: 0 });
            }
        }
    }

    /// Ends it; what the application has not settled is counted.
    pub(super) fn end_drain(&mut self, ctx: &mut Context) {
        self.left_unsettled = self.unsettled();
        if let Some(drain) = self.drain.take() {
            ctx.fx.timers.cancel(drain.timer);
        }
    }

    /// Messages that the application holds, or held when it began to finish and gave back since.
    fn unsettled(&self) -> usize {
        match &self.drain {
            Some(drain) => drain.unsettled + drain.out.values().map(BTreeSet::len).sum::<usize>(),
            None => {
                let out =
                    self.queues.iter().flat_map(|(_, queue)| queue.window.out(Plant::default()));
                out.map(|(_, out)| out.len()).sum()
            }
        }
    }

    /// The application does not hold these after all: it never saw them.
    pub(super) fn withhold(&mut self, id: BatchId, indices: Range<u32>) {
        if let Some(out) = self.drain.as_mut().and_then(|drain| drain.out.get_mut(&id)) {
            out.retain(|index| !indices.contains(index));
        }
        self.look_at(id);
    }

    /// The application gives one back, unsettled.
    pub(super) fn given_back(&mut self, id: BatchId, index: u32) {
        if let Some(drain) = &mut self.drain
            && drain.out.get_mut(&id).is_some_and(|out| out.remove(&index))
        {
            drain.unsettled += 1;
        }
        self.look_at(id);
    }

    /// Something of the batch was settled.
    pub(super) fn look_at(&mut self, id: BatchId) {
        let batch = self.batch(id).cloned();
        let Some(drain) = &mut self.drain else { return };
        let Some(out) = drain.out.get_mut(&id) else { return };
        match batch {
            Some(batch) => out.retain(|index| !batch.is_settled(*index)),
            None => out.clear(),
        }
        if out.is_empty() {
            drain.out.remove(&id);
        }
    }

    /// Queues were given up: nobody settles their messages here.
    pub(super) fn look_at_queues(&mut self) {
        let Some(drain) = &mut self.drain else { return };
        drain.out.retain(|id, out| {
            let kept = self.queues.get(id.queue).is_some();
            drain.unsettled += if kept { 0 } else { out.len() };
            kept
        });
    }

    /// Whether it finishes and has finished.
    pub(super) fn is_drained(&self) -> bool {
        self.drain.as_ref().is_some_and(|drain| drain.out.is_empty())
    }
}
