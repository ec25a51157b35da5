//! Messages of a queue's former life that are still being handled, where order matters: what is
//! read of the queue anew, after a reset or after another member had it, waits for them
//! (`MessageQueueLock`).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use super::queue::Window;
use super::{Batch, BatchId, Consumer, Queue};
use crate::effects::Plant;
use crate::name::QueueName;
use crate::remoting::Context;

/// What is still being handled of one batch.
type Elder = (Arc<Batch>, BTreeSet<u32>);

/// Those of one consumer.
#[derive(Debug, Default)]
pub(super) struct Elders(BTreeMap<QueueName, BTreeMap<BatchId, Elder>>);

impl Elders {
    /// Whether something of that queue is still being handled.
    pub(super) fn bar(&self, name: &QueueName) -> bool {
        self.0.contains_key(name)
    }

    /// These are settled, or given back. The queue of which nothing is left.
    fn over(&mut self, id: BatchId, indices: &Range<u32>) -> Option<QueueName> {
        let (name, batches) = self.0.iter_mut().find(|(_, batches)| batches.contains_key(&id))?;
        let name = name.clone();
        if let Some((batch, out)) = batches.get_mut(&id) {
            out.retain(|index| !indices.contains(index) && !batch.is_settled(*index));
        }
        batches.retain(|_, (_, out)| !out.is_empty());
        let none = batches.is_empty();
        none.then(|| self.0.remove(&name)).map(|_| name)
    }
}

impl Window {
    /// The messages that the application holds.
    pub(super) fn handled(&self) -> BTreeMap<BatchId, BTreeSet<u32>> {
        let leaves = |id: BatchId, index: u32| {
            self.again.get(&(id.number, index)).is_some_and(|again| again.leaving().is_some())
        };
        let mut all: BTreeMap<_, _> = self.out(Plant::default()).collect();
        all.retain(|id, out: &mut BTreeSet<u32>| {
            out.retain(|index| !leaves(*id, *index));
            !out.is_empty()
        });
        all
    }
}

impl Consumer {
    /// A queue is given up: what the application holds of it is remembered.
    pub(super) fn keep_elders(&mut self, queue: &Queue) {
        if !self.is_orderly() || self.is_leaving() {
            return;
        }
        // First the mark, then the bits: who settles meanwhile sees the one or is seen.
        queue.window.mark_draining();
        for (id, out) in queue.window.handled() {
            if let Some(batch) = queue.window.batch(id.number).cloned() {
                self.elders.0.entry(queue.name.clone()).or_default().insert(id, (batch, out));
            }
        }
    }

    /// Something was settled, or given back, of a queue that was given up.
    pub(super) fn elder_over(&mut self, ctx: &mut Context, id: BatchId, indices: Range<u32>) {
        let Some(name) = self.elders.over(id, &indices) else { return };
        let queue = self.queues.iter().find(|(_, queue)| queue.name == name && !queue.released);
        if let Some((key, _)) = queue {
            self.go_on_in_order(ctx, key);
        }
    }
}
