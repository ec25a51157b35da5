//! One message to be handled.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use bytes::Bytes;

use super::received::Settlement;
use super::shared::Shared;
use super::view::MessageView;
use crate::consumer::{Batch, DeliveryId, Outcome, Settled};
use crate::error::Stale;
use crate::message::{Item, RecordError};
use crate::query::QueueName;

/// One message, handed to this consumer until it is settled: a [`MessageView`] with the duty to
/// settle it.
///
/// [`ack`](Self::ack) settles it; the group's offset moves on when everything before it is settled
/// too. [`retry`](Self::retry) has it delivered again after `retry_delay`. Dropping it unsettled
/// has it delivered again after a tenth of that, at most 100 ms, and each further time after twice
/// as long, up to 30 s: a handler that panics loses nothing, and one that always does so keeps no
/// other message waiting. Either way it is delivered again to this consumer, behind what has come
/// meanwhile.
#[must_use = "a delivery that is dropped is delivered again: ack it"]
#[doc(alias = "MessageExt", alias = "MessageView")]
pub struct Delivery {
    view: MessageView,
    /// None once it is settled.
    shared: Option<Arc<Shared>>,
}

/// A message that can't be read: handed out so that it is not lost in silence. Its neighbours are
/// not affected, unless its size can't be true ([`RecordError::Size`]): then whatever follows it in
/// the same answer is part of it, in [`raw`](Self::raw) too, and an ack passes all of that.
///
/// It is held as a [`Delivery`] is, and settling it is the application's as well: the group's
/// offset does not pass it before [`ack`](Self::ack). Dropping it has it handed out again, after
/// the same pauses that grow; in [`Ended`](super::Ended) it counts as every other message. A
/// consumer that is told so settles it by itself ([`OnUnreadable::Settle`]): `ack` and `retry` then
/// do nothing.
#[derive(thiserror::Error)]
#[error(
    "message at {} of queue {} of {} at {} can't be read: {reason}",
    Place(*offset),
    queue.queue,
    queue.topic,
    queue.broker
)]
#[must_use = "a message that can't be read is handed out again unless it is acked"]
pub struct Unreadable {
    /// The queue it is in.
    pub queue: QueueName,
    /// Its offset, if the record tells it. Without one it is settled all the same: an ack passes
    /// its place in the answer.
    pub offset: Option<i64>,
    /// What is wrong with it.
    pub reason: RecordError,
    batch: Arc<Batch>,
    index: u32,
    /// None once it is settled.
    shared: Option<Arc<Shared>>,
}

/// A message that came: one to handle, or one that can't be read, which is to be settled too.
pub type Received = Result<Delivery, Unreadable>;

/// What becomes of messages that can't be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnUnreadable {
    /// They are the application's to settle, as all others: it acks what it has looked at, or kept
    /// elsewhere.
    #[default]
    Hold,
    /// Each is handed out once, settled already: the group's offset passes it whatever the
    /// application makes of it.
    Settle,
}

struct Place(Option<i64>);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(offset) => write!(f, "offset {offset}"),
            None => f.write_str("an unknown offset"),
        }
    }
}

/// Settles a message that is held by `shared`, which it is no longer then.
fn ack(shared: &mut Option<Arc<Shared>>, batch: &Batch, index: u32) -> Settlement {
    let Some(shared) = shared.take() else { return Settlement::Taken };
    settle(batch, index, &shared)
}

/// Gives it back.
fn again(
    shared: &mut Option<Arc<Shared>>,
    batch: &Batch,
    index: u32,
    outcome: Outcome,
) -> Settlement {
    let Some(shared) = shared.take() else { return Settlement::Taken };
    let id = DeliveryId { batch: batch.id(), index };
    told(shared.run(|core, now| core.engine.settle(now, id, outcome)))
}

// A queue that was given up takes nothing back: the next owner gets the message.
impl Drop for Delivery {
    fn drop(&mut self) {
        self.again(Outcome::Again);
    }
}

impl Drop for Unreadable {
    fn drop(&mut self) {
        self.again(Outcome::Again);
    }
}

impl Deref for Delivery {
    type Target = MessageView;

    fn deref(&self) -> &MessageView {
        &self.view
    }
}

impl fmt::Debug for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Unreadable");
        shown.field("queue", &self.queue).field("offset", &self.offset);
        shown.field("reason", &self.reason).field("bytes", &self.raw().len());
        shown.finish_non_exhaustive()
    }
}

impl Unreadable {
    fn again(&mut self, outcome: Outcome) -> Settlement {
        again(&mut self.shared, &self.batch, self.index, outcome)
    }

    /// The record as it came. It shares memory with its pull's other messages.
    ///
    /// ```no_run
    /// # use rocketry_core::client::Unreadable;
    /// # fn f(unreadable: Unreadable) -> Result<(), Box<dyn std::error::Error>> {
    /// std::fs::write("unreadable.bin", unreadable.raw())?;
    /// unreadable.ack();
    /// # Ok(())
    /// # }
    /// ```
    pub fn raw(&self) -> Bytes {
        self.batch.records().raw(self.index as usize)
    }

    /// The message is done with, unread: the group's offset may pass it, unless its queue has
    /// [moved](Settlement::Moved).
    ///
    /// See the example of [`raw`](Self::raw).
    pub fn ack(mut self) -> Settlement {
        ack(&mut self.shared, &self.batch, self.index)
    }

    /// Has the message handed out again, to this consumer, after `retry_delay` (1 s).
    ///
    /// ```no_run
    /// # use rocketry_core::client::Unreadable;
    /// # fn f(unreadable: Unreadable) -> Result<(), Box<dyn std::error::Error>> {
    /// eprintln!("{unreadable}");
    /// unreadable.retry();
    /// # Ok(())
    /// # }
    /// ```
    pub fn retry(mut self) -> Settlement {
        self.again(Outcome::Later)
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Delivery");
        shown.field("queue", self.queue()).field("offset", &self.offset());
        shown.field("bytes", &self.body().len()).finish_non_exhaustive()
    }
}

impl Delivery {
    /// Opens the message at `index`: its checksum is looked at here, in the consumer's thread,
    /// before any handler sees it.
    pub(crate) fn open(
        batch: &Arc<Batch>,
        index: u32,
        shared: &Arc<Shared>,
        unreadable: OnUnreadable,
    ) -> Result<Self, Unreadable> {
        let mut shared = Some(shared.clone());
        let reason = match batch.records().item(index as usize) {
            Item::Record(record) => match record.body() {
                Ok(body) => {
                    let view = MessageView { batch: batch.clone(), index, body };
                    return Ok(Self { view, shared });
                }
                Err(reason) => reason,
            },
            Item::Undecodable(undecodable) => undecodable.reason,
        };
        if unreadable == OnUnreadable::Settle {
            ack(&mut shared, batch, index);
        }
        let (queue, offset) = (batch.queue().clone(), batch.offset(index));
        Err(Unreadable { queue, offset, reason, batch: batch.clone(), index, shared })
    }

    fn again(&mut self, outcome: Outcome) -> Settlement {
        again(&mut self.shared, &self.view.batch, self.view.index, outcome)
    }

    /// The message to be read, without the duty to settle it: for a log, or another task.
    ///
    /// ```no_run
    /// # use rocketry_core::client::{Delivery, MessageView};
    /// # fn f(delivery: Delivery) -> Result<(), Box<dyn std::error::Error>> {
    /// let view: MessageView = delivery.view();
    /// delivery.ack();
    /// println!("{:?}", view.body());
    /// # Ok(())
    /// # }
    /// ```
    pub fn view(&self) -> MessageView {
        self.view.clone()
    }

    /// The message is done with, unless its queue has [moved](Settlement::Moved), in which case
    /// another consumer gets it as well. The lock is taken only when it was the last of its pull.
    ///
    /// ```no_run
    /// # use rocketry_core::client::Delivery;
    /// # fn f(delivery: Delivery) -> Result<(), Box<dyn std::error::Error>> {
    /// if delivery.ack().is_moved() {
    ///     println!("another member of the group may get it as well");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "CONSUME_SUCCESS", alias = "ConsumeConcurrentlyStatus", alias = "ConsumeSuccess")]
    pub fn ack(mut self) -> Settlement {
        ack(&mut self.shared, &self.view.batch, self.view.index)
    }

    /// Has the message delivered again, to this consumer, after `retry_delay` (1 s).
    ///
    /// ```no_run
    /// # use rocketry_core::client::Delivery;
    /// # fn f(delivery: Delivery) -> Result<(), Box<dyn std::error::Error>> {
    /// match std::str::from_utf8(delivery.body()) {
    ///     Ok(_) => delivery.ack(),
    ///     Err(_) => delivery.retry(),
    /// };
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "RECONSUME_LATER", alias = "ConsumeRetryLater", alias = "sendMessageBack")]
    pub fn retry(mut self) -> Settlement {
        self.again(Outcome::Later)
    }
}

/// Settles one message, and tells the engine if it was the last of its batch, or if its consumer
/// finishes: then whoever tells first ends it for all that are settled by now.
pub(crate) fn settle(batch: &Batch, index: u32, shared: &Shared) -> Settlement {
    if batch.is_revoked() {
        // Counted there.
        batch.settle(index);
        return Settlement::Moved;
    }
    if batch.settle(index) == Settled::Last {
        let ended = shared.run(|core, now| core.engine.batch_ended(now, batch.id()));
        if !batch.is_draining() {
            return told(ended);
        }
    }
    Settlement::Taken
}

/// What the engine made of it. Without one there is nothing that could still count.
const fn told(done: Option<Result<(), Stale>>) -> Settlement {
    match done {
        Some(Ok(())) => Settlement::Taken,
        Some(Err(Stale)) | None => Settlement::Moved,
    }
}
