//! One message to be handled.

use std::fmt;
use std::mem::take;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::pending::Pending;
use super::received::Settlement;
use super::requesting::{Replied, replied};
use super::shared::{Home, Shared};
use super::view::MessageView;
use crate::consumer::{Batch, BatchId, DeliveryId, Outcome, Settled};
use crate::error::{Refused, SendError, Stale};
use crate::message::RecordError;
use crate::query::QueueName;

/// One message, handed to this consumer until it is settled: a [`MessageView`] with the duty to
/// settle it.
///
/// | verb | what becomes of the message |
/// |---|---|
/// | [`ack`](Self::ack) | it is done with |
/// | [`retry`](Self::retry) | its broker delivers it again later, until it has come too often |
/// | [`retry_after`](Self::retry_after) | the same, after about the time given |
/// | [`reject`](Self::reject) | it becomes a dead letter at once |
/// | [`retry_here`](Self::retry_here) | it comes again to this consumer, after the time given |
/// | dropped | it comes again to this consumer, soon at first and ever later, up to 30 s |
///
/// The group's offset moves on when a message and everything before it is settled: by an `ack`, or
/// as soon as a broker has said that it took the message back. A handler that panics loses nothing,
/// and one that always does so keeps no other message waiting: what comes again comes behind what
/// has come meanwhile.
///
/// A group that [broadcasts](super::ConsumerBuilder::model) sends nothing back: what is retried
/// comes again to this consumer, `max_reconsume_times` times, and is dropped then, as is what is
/// rejected.
///
/// One that is held for longer than `consume_timeout` (15 min) is taken away and sent back; what is
/// said of it later is answered with [`Settlement::TimedOut`].
#[must_use = "a delivery that is dropped is delivered again: ack it"]
#[doc(alias = "MessageExt", alias = "MessageView")]
pub struct Delivery {
    view: MessageView,
    /// It is to be settled.
    held: bool,
}

/// A message that can't be read: handed out so that it is not lost in silence. Its neighbours are
/// not affected, unless its size can't be true ([`RecordError::Size`]): then whatever follows it in
/// the same answer is part of it, in [`raw`](Self::raw) too, and an ack passes all of that.
///
/// It is held as a [`Delivery`] is, and settling it is the application's as well: the group's
/// offset does not pass it before [`ack`](Self::ack) or [`reject`](Self::reject). Dropping it has
/// it handed out again, after the same pauses that grow; in [`Ended`](super::Ended) it counts as
/// every other message. A consumer that is told so settles it by itself ([`OnUnreadable`]): the
/// verbs then do nothing.
#[derive(thiserror::Error)]
#[error(
    "message at {} of {queue} can't be read: {reason}",
    Place(*offset),
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
    /// It is to be settled.
    held: bool,
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
    /// Each is handed out once, on its way to the group's dead letters already, as by
    /// [`Unreadable::reject`].
    DeadLetters,
    /// The first one is handed out and held, and nothing else any more: what was handed out before
    /// may be settled for as long as `shutdown_timeout`, and the consumer leaves its group. Then,
    /// and at each further call, [`RecvError::Unreadable`](super::RecvError::Unreadable) says so.
    /// Unless it is settled, it is the next thing that the group's next consumer of its queue
    /// meets.
    Stop,
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

/// Settles a message that is held, which it is no longer then.
#[inline]
fn ack(held: &mut bool, batch: &Batch, index: u32) -> Settlement {
    if take(held) { acked(batch, index) } else { Settlement::Taken }
}

fn acked(batch: &Batch, index: u32) -> Settlement {
    settle_with(batch, index, |id| batch_ended(&*owner(batch)?, id))
}

/// Whoever has a batch's engine, if that is there still.
fn owner(batch: &Batch) -> Option<Arc<Shared>> {
    batch.home::<Home>()?.shared.upgrade()
}

/// Gives it back, or has it sent back.
#[inline]
fn give(held: &mut bool, batch: &Batch, index: u32, outcome: Outcome) -> Settlement {
    if take(held) { given(batch, index, outcome) } else { Settlement::Taken }
}

fn given(batch: &Batch, index: u32, outcome: Outcome) -> Settlement {
    if batch.is_taken_away(index) {
        return Settlement::TimedOut;
    }
    let id = DeliveryId { batch: batch.id(), index };
    let shared = owner(batch);
    told(shared.and_then(|shared| shared.run(|core, now| core.engine.settle(now, id, outcome))))
}

// A queue that was given up takes nothing back: the next owner gets the message.
impl Drop for Delivery {
    #[inline]
    fn drop(&mut self) {
        self.give(Outcome::Again);
    }
}

impl Drop for Unreadable {
    fn drop(&mut self) {
        self.give(Outcome::Again);
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
    fn new(batch: &Arc<Batch>, index: u32, reason: RecordError, held: bool) -> Self {
        let (queue, offset) = (batch.queue().clone(), batch.offset(index));
        Self { queue, offset, reason, batch: batch.clone(), index, held }
    }

    fn give(&mut self, outcome: Outcome) -> Settlement {
        give(&mut self.held, &self.batch, self.index, outcome)
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
        ack(&mut self.held, &self.batch, self.index)
    }

    /// Has the broker make a dead letter of it, as [`Delivery::reject`], by its place in the
    /// broker's log, which is all that is needed. Where not even that can be read, or the broker
    /// does not take it and its parts can't be sent by this client either, it comes again here
    /// after `retry_delay` (5 s): it is never passed unsettled.
    ///
    /// ```no_run
    /// # use rocketry_core::client::Unreadable;
    /// # fn f(unreadable: Unreadable) -> Result<(), Box<dyn std::error::Error>> {
    /// eprintln!("{unreadable}");
    /// unreadable.reject();
    /// # Ok(())
    /// # }
    /// ```
    pub fn reject(mut self) -> Settlement {
        self.give(Outcome::Reject)
    }

    /// Has the message handed out again, to this consumer, after `pause`.
    ///
    /// ```no_run
    /// # use rocketry_core::client::Unreadable;
    /// # use std::time::Duration;
    /// # fn f(unreadable: Unreadable) -> Result<(), Box<dyn std::error::Error>> {
    /// eprintln!("{unreadable}");
    /// unreadable.retry_here(Duration::from_secs(60));
    /// # Ok(())
    /// # }
    /// ```
    pub fn retry_here(mut self, pause: Duration) -> Settlement {
        self.give(Outcome::Here(pause))
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
        (index, again): (u32, u32),
        shared: &Arc<Shared>,
        unreadable: OnUnreadable,
    ) -> Result<Self, Unreadable> {
        batch.belongs_to(shared.home());
        match MessageView::open(batch, index) {
            Ok(mut view) => {
                view.again = again.saturating_add(batch.tries(index));
                Ok(Self { view, held: true })
            }
            Err(reason) => Err(Self::unread(batch, index, reason, unreadable)),
        }
    }

    /// One that is handed out, and whose body is as it is stored, and looked at.
    #[inline]
    pub(super) fn plain(batch: &Arc<Batch>, index: u32) -> Self {
        Self { view: MessageView::plain(batch, index), held: true }
    }

    #[cold]
    fn unread(
        batch: &Arc<Batch>,
        index: u32,
        reason: RecordError,
        unreadable: OnUnreadable,
    ) -> Unreadable {
        let mut held = true;
        match unreadable {
            OnUnreadable::Hold | OnUnreadable::Stop => {}
            OnUnreadable::Settle => _ = ack(&mut held, batch, index),
            OnUnreadable::DeadLetters => _ = give(&mut held, batch, index, Outcome::Reject),
        }
        Unreadable::new(batch, index, reason, held)
    }

    #[inline]
    fn give(&mut self, outcome: Outcome) -> Settlement {
        give(&mut self.held, &self.view.batch, self.view.index, outcome)
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

    /// Answers the message, which somebody sent by a request (Java's `request`, or
    /// [`Producer::request`](super::Producer::request)): as
    /// [`Producer::reply`](super::Producer::reply), in the group `CLIENT_INNER_PRODUCER`, within
    /// `send_timeout`. It is still to be settled: reply, wait, and ack.
    ///
    /// ```no_run
    /// # use rocketry_core::client::Delivery;
    /// # async fn f(question: Delivery) -> Result<(), Box<dyn std::error::Error>> {
    /// let answer = format!("{} bytes", question.body().len());
    /// question.reply(answer).await?;
    /// question.ack();
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "createReplyMessage")]
    pub fn reply(&self, body: impl Into<Bytes>) -> Replied {
        match owner(&self.view.batch) {
            Some(shared) => replied(&shared, self.view.to_reply(body)),
            None => Pending::ready(Err(SendError::Refused(Refused::Stopped).into())),
        }
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
    #[inline]
    pub fn ack(mut self) -> Settlement {
        ack(&mut self.held, &self.view.batch, self.view.index)
    }

    /// Sends the message back to its broker (`CONSUMER_SEND_MSG_BACK`, 36), which delivers it
    /// again, to any member of the group that reads the group's retry topic: after 10 s the first
    /// time, and later each further time, up to 2 h. One that has come again `max_reconsume_times`
    /// (16) often becomes a dead letter instead, in the topic `%DLQ%` and the group's name.
    ///
    /// Returns at once, and what follows needs nothing more of the caller. Until the broker has
    /// said that it took the message, the group's offset does not pass it. A broker that refuses,
    /// or says nothing within 5 s, has this client send the message to the retry topic by itself,
    /// on any broker that takes it; where that fails too it is delivered again here after
    /// `retry_delay` (5 s), and [`Note::SendBackFailed`](crate::engine::Note::SendBackFailed)
    /// tells. So it may come twice, and is not lost (`DefaultMQPushConsumerImpl.sendMessageBack`).
    /// Of a group without retry queues (`retryQueueNums` 0) brokers drop what is sent back.
    ///
    /// [`Moved`](Settlement::Moved): nothing is sent, since the next owner of the queue gets it.
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
        self.give(Outcome::Retry { after: None })
    }

    /// As [`retry`](Self::retry), after about `pause`: the nearest of brokers' 18 delay levels,
    /// which are 1 s, 5 s, 10 s, 30 s, 1 min to 10 min by minutes, 20 min, 30 min, 1 h and 2 h
    /// unless the broker was told otherwise (`messageDelayLevel`), and of two as near the longer
    /// one.
    ///
    /// ```no_run
    /// # use rocketry_core::client::Delivery;
    /// # use std::time::Duration;
    /// # fn f(delivery: Delivery) -> Result<(), Box<dyn std::error::Error>> {
    /// // The shop is closed: at its third attempt it may as well wait for an hour.
    /// match delivery.attempts() {
    ///     1 | 2 => delivery.retry(),
    ///     _ => delivery.retry_after(Duration::from_secs(3600)),
    /// };
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "setDelayLevelWhenNextConsume", alias = "WithDelayLevel")]
    pub fn retry_after(mut self, pause: Duration) -> Settlement {
        self.give(Outcome::Retry { after: Some(pause) })
    }

    /// Has the broker make a dead letter of the message at once, however often it came: nobody gets
    /// it any more who does not read the topic `%DLQ%` and the group's name. It is sent back with
    /// level -1; a broker that does not take it has it sent to the retry topic as one that has come
    /// too often, which makes a dead letter of it as well. Where nobody takes it, it is delivered
    /// again here after `retry_delay`: a message that was rejected is never lost on the way. All
    /// else is as with [`retry`](Self::retry).
    ///
    /// ```no_run
    /// # use rocketry_core::client::Delivery;
    /// # fn f(delivery: Delivery) -> Result<(), Box<dyn std::error::Error>> {
    /// match delivery.message().property("version") {
    ///     Some("1") => delivery.ack(),
    ///     _ => delivery.reject(),
    /// };
    /// # Ok(())
    /// # }
    /// ```
    pub fn reject(mut self) -> Settlement {
        self.give(Outcome::Reject)
    }

    /// Has the message delivered again to this consumer, after `pause`, while its queue stays here:
    /// nothing is sent, the group's offset waits, and the time takes room in the queue's window.
    /// For pauses of seconds; what is to wait longer is better [sent back](Self::retry_after).
    ///
    /// ```no_run
    /// # use rocketry_core::client::Delivery;
    /// # use std::time::Duration;
    /// # fn f(delivery: Delivery) -> Result<(), Box<dyn std::error::Error>> {
    /// delivery.retry_here(Duration::from_millis(200));
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "SUSPEND_CURRENT_QUEUE_A_MOMENT")]
    pub fn retry_here(mut self, pause: Duration) -> Settlement {
        self.give(Outcome::Here(pause))
    }
}

/// A message to be read, without the duty to settle it; one that can't be read has none either.
pub(super) fn opened(batch: &Arc<Batch>, index: u32) -> Result<MessageView, Unreadable> {
    MessageView::open(batch, index).map_err(|reason| Unreadable::new(batch, index, reason, false))
}

/// Whether a message is this consumer's still: its queue is, and it was not held for too long.
pub(super) fn is_held(received: &Received) -> bool {
    let (batch, index) = match received {
        Ok(delivery) => (&delivery.view.batch, delivery.view.index),
        Err(unreadable) => (&unreadable.batch, unreadable.index),
    };
    !batch.is_revoked() && !batch.is_taken_away(index)
}

/// Whether a message's order matters.
pub(super) fn is_orderly(received: &Received) -> bool {
    match received {
        Ok(delivery) => delivery.view.batch.is_orderly(),
        Err(unreadable) => unreadable.batch.is_orderly(),
    }
}

/// Settles one message, and tells the engine if it was the last of its batch, or if its consumer
/// finishes: then whoever tells first ends it for all that are settled by now.
pub(crate) fn settle(batch: &Batch, index: u32, shared: &Shared) -> Settlement {
    settle_with(batch, index, |id| batch_ended(shared, id))
}

/// As [`settle`]; `ended` tells the engine.
#[inline]
fn settle_with(
    batch: &Batch,
    index: u32,
    ended: impl FnOnce(BatchId) -> Option<Result<(), Stale>>,
) -> Settlement {
    if batch.is_revoked() {
        // Counted there. Where order matters, what is read of the queue anew waits for it.
        if batch.settle(index) == Settled::Last && batch.is_orderly() {
            ended(batch.id());
        }
        return Settlement::Moved;
    }
    if batch.is_taken_away(index) {
        return Settlement::TimedOut;
    }
    if batch.settle(index) == Settled::Last {
        let ended = ended(batch.id());
        if !batch.is_draining() {
            return told(ended);
        }
    }
    Settlement::Taken
}

/// Tells the engine that a batch may have ended.
#[cold]
fn batch_ended(shared: &Shared, id: BatchId) -> Option<Result<(), Stale>> {
    shared.run(|core, now| core.engine.batch_ended(now, id))
}

/// What the engine made of it. Without one there is nothing that could still count.
const fn told(done: Option<Result<(), Stale>>) -> Settlement {
    match done {
        Some(Ok(())) => Settlement::Taken,
        Some(Err(Stale)) | None => Settlement::Moved,
    }
}
