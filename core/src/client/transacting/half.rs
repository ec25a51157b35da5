//! Half messages: on their way, and undecided.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use super::super::pending::{Blockable, Pending};
use super::options::BeginError;
use super::producer::Place;
use crate::engine::Cancelled;
use crate::error::{SendError, TransactionError};
use crate::message::{MessageIds, UniqueId};
use crate::producer::{SendReceipt, SendStatus};
use crate::transaction::{Resolution, TransactionReceipt};

/// A half message that nobody has decided; dropped, it is left to checks.
pub(super) struct Undecided {
    /// Its producer, whose group answers checks until this has its end.
    pub(super) place: Arc<Place>,
    pub(super) id: UniqueId,
    /// What the application calls the transaction, or the unique id.
    pub(super) name: Arc<str>,
    /// It has an end.
    pub(super) decided: AtomicBool,
}

impl fmt::Debug for Undecided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Undecided").field(&self.id).finish()
    }
}

impl Drop for Undecided {
    fn drop(&mut self) {
        if !self.decided.load(Ordering::Relaxed) {
            self.place.shared().run(|core, now| core.engine.leave_half(now, self.id));
        }
    }
}

impl Undecided {
    /// Nobody does local work for it.
    fn give_up(&self) {
        self.decided.store(true, Ordering::Relaxed);
        self.place.shared().run(|core, now| core.engine.give_up_half(now, self.id));
    }

    pub(super) fn end(
        &self,
        resolution: Resolution,
    ) -> Pending<Result<TransactionReceipt, TransactionError>> {
        let shared = self.place.shared();
        self.decided.store(true, Ordering::Relaxed);
        let ended = shared.run(|core, now| {
            let op = core.engine.resolve(now, self.id, resolution)?;
            core.waiting.insert::<Result<TransactionReceipt, TransactionError>>(op);
            Ok::<_, TransactionError>(op)
        });
        match ended.unwrap_or_else(|| Err(shared.nobody(TransactionError::Stopped))) {
            Ok(op) => {
                Pending::call::<Result<TransactionReceipt, TransactionError>>(shared.clone(), op)
            }
            Err(error) => Pending::ready(Err(error)),
        }
    }
}

/// A half message on its way: await it, or [`wait`](Self::wait) for it. Dropping it leaves the half
/// message, if it is stored, to its broker's checks.
#[derive(Debug)]
#[must_use = "the half message is undecided until it is committed or rolled back"]
pub struct Begin {
    pub(super) call: Pending<Result<SendReceipt, SendError>>,
    pub(super) half: Option<Undecided>,
}

impl Begin {
    pub(super) const fn failed(error: SendError) -> Self {
        Self { call: Pending::ready(Err(error)), half: None }
    }

    /// The unique id of the message, also before it is stored; `None` if it was refused.
    pub const fn message_ids(&self) -> Option<&MessageIds> {
        self.call.message_ids()
    }

    /// Gives the half message up. Where it may be stored, it is left to the broker's checks.
    pub fn cancel(self) -> Cancelled {
        self.call.cancel()
    }

    /// Blocks this thread until the half message is stored, or is not, which is so by its deadline.
    pub fn wait(self) -> Result<HalfMessage, BeginError> {
        let Self { call, half } = self;
        begun(call.wait(), half)
    }
}

fn begun(
    stored: Result<SendReceipt, SendError>,
    half: Option<Undecided>,
) -> Result<HalfMessage, BeginError> {
    let receipt = stored.inspect_err(|_| half.iter().for_each(Undecided::give_up))?;
    match (half, receipt.status) {
        (Some(undecided), SendStatus::Ok) => Ok(HalfMessage { undecided, receipt }),
        // It is rolled back already.
        _ => Err(BeginError::Unsafe { receipt: Box::new(receipt) }),
    }
}

impl Future for Begin {
    type Output = Result<HalfMessage, BeginError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Poll::Ready(stored) = Pin::new(&mut self.call).poll(cx) else { return Poll::Pending };
        Poll::Ready(begun(stored, self.half.take()))
    }
}

/// A half message that is stored, and that nobody sees until it is committed. Dropping it leaves it
/// to its broker's checks, which the group's checker answers.
///
/// Its group is answered for as long as it lives, also when the [`TransactionProducer`] is gone.
/// Its first end counts, for whatever checks come later. A broker that asks while the local work is
/// under way is answered with its end, if that comes within 5 s, and else that nobody knows yet.
///
/// [`TransactionProducer`]: super::TransactionProducer
#[derive(Debug)]
#[must_use = "it is undecided until it is committed or rolled back"]
pub struct HalfMessage {
    pub(super) undecided: Undecided,
    receipt: SendReceipt,
}

impl HalfMessage {
    /// Where it is stored. Its offset is that in the broker's own topic of half messages.
    pub const fn receipt(&self) -> &SendReceipt {
        &self.receipt
    }

    /// The unique id of the message, by which the transaction is known.
    pub const fn message_id(&self) -> UniqueId {
        self.undecided.id
    }

    /// What the application calls the transaction ([`Message::transaction_id`]); else the unique
    /// id.
    ///
    /// [`Message::transaction_id`]: crate::message::Message::transaction_id
    #[doc(alias = "getTransactionId")]
    pub fn transaction_id(&self) -> &str {
        &self.undecided.name
    }

    /// Has the message delivered (`END_TRANSACTION`, 37). The call is under way when this returns
    /// and ends by `request_timeout` (3 s), with the broker's word, which Java's clients don't ask
    /// for, or without one ([`Unconfirmed`]): the broker asks then, and is told the same.
    /// Dropping the [`Pending`] lets it go on.
    ///
    /// [`Unconfirmed`]: crate::transaction::TransactionState::Unconfirmed
    pub fn commit(self) -> Pending<Result<TransactionReceipt, TransactionError>> {
        self.end(Resolution::Commit)
    }

    /// Has the message never delivered; else as [`commit`](Self::commit).
    pub fn roll_back(self) -> Pending<Result<TransactionReceipt, TransactionError>> {
        self.end(Resolution::RollBack)
    }

    /// Ends it with what local work has come to. [`Resolution::Unknown`] tells the broker so
    /// (oneway, as no broker answers that) and leaves the rest to the group's checker.
    pub fn end(
        self,
        resolution: Resolution,
    ) -> Pending<Result<TransactionReceipt, TransactionError>> {
        self.undecided.end(resolution)
    }
}

impl Blockable for Result<TransactionReceipt, TransactionError> {
    fn would_deadlock(_: Option<MessageIds>) -> Self {
        Err(TransactionError::WouldDeadlock)
    }

    fn forked() -> Self {
        Err(TransactionError::Forked)
    }
}
