//! Where a [`Pending`](super::Pending) has its result from: the table of its call's kind.

use std::marker::PhantomData;
use std::task::{Poll, Waker};

use super::shared::Shared;
use super::waiting::{CallResult, Waiting};
use crate::engine::Cancelled;
use crate::id::OpId;
use crate::message::MessageIds;

/// What may be done with a call of one kind, whatever it ends with.
pub(super) trait Kind: Sync {
    /// Whether there is nothing left to wait for.
    fn has_ended(&self, waiting: &mut Waiting, op: OpId) -> bool;

    /// Nobody wants the result any more.
    fn detach(&self, shared: &Shared, op: OpId);

    /// Gives the call up.
    fn cancel(&self, shared: &Shared, op: OpId) -> Cancelled;
}

/// The kind of calls that end with an `E`.
struct KindOf<E>(PhantomData<fn() -> E>);

impl<E: CallResult> Kind for KindOf<E> {
    fn has_ended(&self, waiting: &mut Waiting, op: OpId) -> bool {
        waiting.has_ended::<E>(op)
    }

    fn detach(&self, shared: &Shared, op: OpId) {
        // What was waiting is dropped after the lock.
        let call = shared.lock().waiting.detach::<E>(op);
        drop(call);
    }

    fn cancel(&self, shared: &Shared, op: OpId) -> Cancelled {
        let cancelled =
            shared.run(|core, now| (core.waiting.remove::<E>(op), core.engine.cancel(now, op)));
        cancelled.map_or(Cancelled::Ended, |(_call, found)| found)
    }
}

/// The kind of a call, and how its end is read as a `T`.
pub(super) struct Source<T> {
    pub(super) kind: &'static dyn Kind,
    take: fn(&Shared, OpId, &mut Option<Waker>, Option<&MessageIds>) -> Option<T>,
}

impl<T> Source<T> {
    /// That of calls which end with an `E`.
    pub(super) fn of<E: CallResult>() -> Self
    where
        T: From<E>,
    {
        Self { kind: &KindOf::<E>(PhantomData), take: take::<E, T> }
    }

    /// How the call ended; or `waker` is kept until it has, and the one it replaces is left in its
    /// place. `ids`: of what a send carries.
    pub(super) fn take(
        &self,
        shared: &Shared,
        op: OpId,
        waker: &mut Option<Waker>,
        ids: Option<&MessageIds>,
    ) -> Option<T> {
        (self.take)(shared, op, waker, ids)
    }
}

fn take<E: CallResult, T: From<E>>(
    shared: &Shared,
    op: OpId,
    waker: &mut Option<Waker>,
    ids: Option<&MessageIds>,
) -> Option<T> {
    let taken = shared.lock_here().map(|mut core| core.waiting.take::<E>(op, waker));
    Some(T::from(match taken {
        Some(Poll::Ready(Some(end))) => end,
        Some(Poll::Ready(None)) => E::gone(ids),
        Some(Poll::Pending) | None if shared.is_forked_by(shared.now()) => E::forked(),
        Some(Poll::Pending) | None => return None,
    }))
}
