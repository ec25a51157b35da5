//! One message to be handled.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::shared::Shared;
use crate::consumer::{Batch, DeliveryId, Outcome, Settled};
use crate::error::Stale;
use crate::message::{Item, Record, RecordError};
use crate::query::QueueName;

/// One message, handed to this consumer until it is settled.
///
/// [`ack`](Self::ack) settles it; the group's offset moves on when everything before it is settled
/// too. [`retry`](Self::retry) has it delivered again after `retry_delay`. Dropping it unsettled
/// has it delivered again at once: a handler that panics loses nothing. Either way it is delivered
/// again to this consumer, in no particular order with the messages after it.
#[must_use = "a delivery that is dropped is delivered again: ack it"]
pub struct Delivery {
    batch: Arc<Batch>,
    index: u32,
    body: Bytes,
    shared: Option<Arc<Shared>>,
}

/// A message that can't be read: handed out so that it is not lost in silence, and counted as
/// settled. Its neighbours are not affected.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "message at offset {offset:?} of queue {} of {} can't be read: {reason}",
    queue.queue,
    queue.topic
)]
pub struct Unreadable {
    /// The queue it is in.
    pub queue: QueueName,
    /// Its offset, as far as it can be told.
    pub offset: Option<i64>,
    /// What is wrong with it.
    pub reason: RecordError,
    /// The record as it came.
    pub raw: Bytes,
}

impl fmt::Debug for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Unreadable");
        shown.field("queue", &self.queue).field("offset", &self.offset);
        shown.field("reason", &self.reason).field("bytes", &self.raw.len()).finish()
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Delivery");
        shown.field("queue", self.queue()).field("offset", &self.offset());
        shown.field("bytes", &self.body.len()).finish_non_exhaustive()
    }
}

impl Delivery {
    /// Opens the message at `index`: its checksum is looked at here, in the consumer's thread,
    /// before any handler sees it.
    pub(crate) fn open(
        batch: &Arc<Batch>,
        index: u32,
        shared: &Arc<Shared>,
    ) -> Result<Self, Unreadable> {
        let reason = match batch.records().item(index as usize) {
            Item::Record(record) => match record.body() {
                Ok(body) => {
                    let (batch, shared) = (batch.clone(), Some(shared.clone()));
                    return Ok(Self { batch, index, body, shared });
                }
                Err(reason) => reason,
            },
            Item::Undecodable(undecodable) => undecodable.reason,
        };
        Err(Unreadable {
            queue: batch.queue().clone(),
            offset: batch.offset(index),
            reason,
            raw: batch.records().raw(index as usize),
        })
    }

    fn record(&self) -> Option<Record<'_>> {
        self.batch.records().record(self.index as usize)
    }

    /// The body, opened if it was compressed. It shares memory with its pull's other messages:
    /// copy it to keep a small one for long.
    pub const fn body(&self) -> &Bytes {
        &self.body
    }

    /// Everything else of the message: tags, keys, properties, times, ids.
    ///
    /// # Panics
    /// Never: a delivery is only made of a record that can be read.
    pub fn message(&self) -> Record<'_> {
        #[expect(clippy::expect_used, reason = "`open` made sure of it")]
        self.record().expect("a delivery is a readable record")
    }

    /// The queue it came from.
    pub fn queue(&self) -> &QueueName {
        self.batch.queue()
    }

    /// Its place in the queue, from 0; -1 where the broker's number can't be its place.
    pub fn offset(&self) -> i64 {
        self.batch.offset(self.index).unwrap_or(-1)
    }

    /// The message is done with. The lock is taken only when it was the last of its pull. An error
    /// says that the queue has been given up: another consumer may get the message as well.
    pub fn ack(mut self) -> Result<(), Stale> {
        let Some(shared) = self.shared.take() else { return Ok(()) };
        settle(&self.batch, self.index, &shared)
    }

    /// Has the message delivered again, to this consumer, after `retry_delay` (1 s).
    pub fn retry(mut self) -> Result<(), Stale> {
        self.again(Outcome::Later)
    }

    fn again(&mut self, outcome: Outcome) -> Result<(), Stale> {
        let Some(shared) = self.shared.take() else { return Ok(()) };
        let id = DeliveryId { batch: self.batch.id(), index: self.index };
        let done = shared.run(|core, now| core.engine.settle(now, id, outcome));
        done.unwrap_or(Err(Stale))
    }
}

/// Settles one message, and tells the engine if it was the last of its batch.
pub(crate) fn settle(batch: &Batch, index: u32, shared: &Shared) -> Result<(), Stale> {
    if batch.is_revoked() {
        return Err(Stale);
    }
    if batch.settle(index) == Settled::Last {
        let ended = shared.run(|core, now| core.engine.batch_ended(now, batch.id()));
        return ended.unwrap_or(Err(Stale));
    }
    Ok(())
}

impl Drop for Delivery {
    fn drop(&mut self) {
        // A queue that was given up takes nothing back: the next owner gets the message.
        let _ = self.again(Outcome::Again);
    }
}
