//! The calls of a client that somebody waits for, and their results: a table for each kind of call,
//! so that a result is of the type that its call was made for.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::task::{Poll, Waker};

use crate::effects::PushedReply;
use crate::error::{CommitError, QueryError, RequestError, SendError, Stored, TransactionError};
use crate::id::OpId;
use crate::message::MessageIds;
use crate::name::QueueName;
use crate::producer::SendReceipt;
use crate::query::{QueueChoice, Response};
use crate::transaction::TransactionReceipt;

/// What one kind of call ends with.
pub(crate) trait CallResult: Sized + 'static {
    /// The calls of the kind.
    fn calls(waiting: &mut Waiting) -> &mut Calls<Self>;

    /// The runtime is gone, or the result was taken before. `ids`: of what a send carries.
    fn gone(ids: Option<&MessageIds>) -> Self;

    /// The call ends in the process that this one was forked from.
    fn forked() -> Self;
}

/// What a send ends with.
pub(crate) enum SendEnd {
    /// With the broker's answer, or without one.
    Sent(Result<SendReceipt, SendError>),
    /// A oneway one was given to its writer.
    Handed,
}

impl CallResult for SendEnd {
    fn calls(waiting: &mut Waiting) -> &mut Calls<Self> {
        &mut waiting.sends
    }

    fn gone(ids: Option<&MessageIds>) -> Self {
        let (stored, ids) = (Stored::Unknown, ids.cloned());
        Self::Sent(Err(SendError::RuntimeGone { stored, ids }))
    }

    fn forked() -> Self {
        Self::Sent(Err(SendError::Forked))
    }
}

impl From<SendEnd> for Result<SendReceipt, SendError> {
    fn from(end: SendEnd) -> Self {
        match end {
            SendEnd::Sent(result) => result,
            SendEnd::Handed => Err(SendError::NoReceipt),
        }
    }
}

impl From<SendEnd> for Result<(), SendError> {
    fn from(end: SendEnd) -> Self {
        match end {
            SendEnd::Sent(result) => result.map(drop),
            SendEnd::Handed => Ok(()),
        }
    }
}

/// What a request ends with: its reply is opened by whoever takes it, outside of the lock.
pub(crate) struct RequestEnd(pub(crate) Result<Box<PushedReply>, RequestError>);

impl CallResult for RequestEnd {
    fn calls(waiting: &mut Waiting) -> &mut Calls<Self> {
        &mut waiting.requests
    }

    fn gone(ids: Option<&MessageIds>) -> Self {
        let (stored, ids) = (Stored::Unknown, ids.cloned());
        Self(Err(SendError::RuntimeGone { stored, ids }.into()))
    }

    fn forked() -> Self {
        Self(Err(SendError::Forked.into()))
    }
}

/// What one kind of question is answered with.
pub(crate) trait Found: Sized + 'static {
    /// The questions of the kind.
    fn questions(waiting: &mut Waiting) -> &mut Calls<Result<Self, QueryError>>;
}

impl<A: Found> CallResult for Result<A, QueryError> {
    fn calls(waiting: &mut Waiting) -> &mut Calls<Self> {
        A::questions(waiting)
    }

    fn gone(_: Option<&MessageIds>) -> Self {
        Err(QueryError::Stopped)
    }

    fn forked() -> Self {
        Err(QueryError::Forked)
    }
}

impl Found for Vec<QueueName> {
    fn questions(waiting: &mut Waiting) -> &mut Calls<Result<Self, QueryError>> {
        &mut waiting.queues
    }
}

impl Found for Vec<QueueChoice> {
    fn questions(waiting: &mut Waiting) -> &mut Calls<Result<Self, QueryError>> {
        &mut waiting.choices
    }
}

impl Found for i64 {
    fn questions(waiting: &mut Waiting) -> &mut Calls<Result<Self, QueryError>> {
        &mut waiting.offsets
    }
}

impl Found for Response {
    fn questions(waiting: &mut Waiting) -> &mut Calls<Result<Self, QueryError>> {
        &mut waiting.responses
    }
}

impl CallResult for Result<(), CommitError> {
    fn calls(waiting: &mut Waiting) -> &mut Calls<Self> {
        &mut waiting.commits
    }

    fn gone(_: Option<&MessageIds>) -> Self {
        Err(CommitError::Stopped)
    }

    fn forked() -> Self {
        Err(CommitError::Forked)
    }
}

impl CallResult for Result<TransactionReceipt, TransactionError> {
    fn calls(waiting: &mut Waiting) -> &mut Calls<Self> {
        &mut waiting.ends
    }

    fn gone(_: Option<&MessageIds>) -> Self {
        Err(TransactionError::Stopped)
    }

    fn forked() -> Self {
        Err(TransactionError::Forked)
    }
}

/// How far a call has come.
pub(crate) enum Progress<E> {
    /// The call is under way.
    Open(Option<Waker>),
    /// The call is under way, and nobody wants the result any more.
    Detached,
    /// The call has ended.
    Ended(E),
    /// The runtime is gone.
    Gone,
}

/// Spreads ids over a table. They are our own numbers, so nobody can make them collide.
#[derive(Default)]
pub(crate) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u32(u32::from(*byte)));
    }

    fn write_u32(&mut self, number: u32) {
        self.0 = (self.0.rotate_left(5) ^ u64::from(number)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

/// The calls of one kind.
pub(crate) type Calls<E> = HashMap<OpId, Progress<E>, BuildHasherDefault<IdHasher>>;

/// The calls of one client that somebody waits for.
///
/// A result stays here until its handle takes it, while the engine has given the id's place to
/// another call: so these are tables of ids, not of places.
#[derive(Default)]
pub(crate) struct Waiting {
    sends: Calls<SendEnd>,
    requests: Calls<RequestEnd>,
    queues: Calls<Result<Vec<QueueName>, QueryError>>,
    choices: Calls<Result<Vec<QueueChoice>, QueryError>>,
    offsets: Calls<Result<i64, QueryError>>,
    responses: Calls<Result<Response, QueryError>>,
    commits: Calls<Result<(), CommitError>>,
    ends: Calls<Result<TransactionReceipt, TransactionError>>,
    /// How many of them have a waker.
    parked: usize,
}

impl Waiting {
    pub(crate) fn insert<E: CallResult>(&mut self, op: OpId) {
        E::calls(self).insert(op, Progress::Open(None));
    }

    /// Calls that somebody waits for with a waker.
    pub(crate) const fn parked(&self) -> usize {
        self.parked
    }

    /// Whether there is nothing left to wait for.
    pub(crate) fn has_ended<E: CallResult>(&mut self, op: OpId) -> bool {
        !matches!(E::calls(self).get(&op), Some(Progress::Open(_)))
    }

    /// A call ended. Gives who is to be woken.
    pub(crate) fn end<E: CallResult>(&mut self, op: OpId, result: E) -> Option<Waker> {
        let calls = E::calls(self);
        let call = calls.get_mut(&op)?;
        match std::mem::replace(call, Progress::Ended(result)) {
            Progress::Open(waker) => {
                self.parked -= usize::from(waker.is_some());
                waker
            }
            Progress::Detached => {
                calls.remove(&op);
                None
            }
            ended @ (Progress::Ended(_) | Progress::Gone) => {
                *call = ended;
                None
            }
        }
    }

    /// Nobody wants the result any more. Gives what is to be dropped after the lock.
    pub(super) fn detach<E: CallResult>(&mut self, op: OpId) -> Option<Progress<E>> {
        let calls = E::calls(self);
        match calls.get_mut(&op)? {
            call @ Progress::Open(_) => {
                let open = std::mem::replace(call, Progress::Detached);
                self.parked -= usize::from(matches!(open, Progress::Open(Some(_))));
                Some(open)
            }
            Progress::Detached => None,
            Progress::Ended(_) | Progress::Gone => calls.remove(&op),
        }
    }

    /// The call was given up, and does not end. Gives what is to be dropped after the lock.
    pub(super) fn remove<E: CallResult>(&mut self, op: OpId) -> Option<Progress<E>> {
        let call = E::calls(self).remove(&op);
        self.parked -= usize::from(matches!(call, Some(Progress::Open(Some(_)))));
        call
    }

    /// The result, unless the runtime is gone; or `waker` is kept, to be woken when it is there,
    /// and the one it replaces is left in its place: dropping a waker may run any code, so it is
    /// for after the lock.
    pub(super) fn take<E: CallResult>(
        &mut self,
        op: OpId,
        waker: &mut Option<Waker>,
    ) -> Poll<Option<E>> {
        let calls = E::calls(self);
        if let Some(Progress::Open(kept)) = calls.get_mut(&op) {
            std::mem::swap(kept, waker);
            let (kept, replaced) = (kept.is_some(), waker.is_some());
            self.parked = self.parked + usize::from(kept) - usize::from(replaced);
            return Poll::Pending;
        }
        Poll::Ready(match calls.remove(&op) {
            Some(Progress::Ended(result)) => Some(result),
            Some(_) | None => None,
        })
    }

    pub(crate) fn abandon(&mut self, wakers: &mut Vec<Waker>) {
        self.parked = 0;
        abandon(&mut self.sends, wakers);
        abandon(&mut self.requests, wakers);
        abandon(&mut self.queues, wakers);
        abandon(&mut self.choices, wakers);
        abandon(&mut self.offsets, wakers);
        abandon(&mut self.responses, wakers);
        abandon(&mut self.commits, wakers);
        abandon(&mut self.ends, wakers);
    }
}

#[expect(clippy::disallowed_methods, reason = "the order of waking is nobody's promise")]
fn abandon<E>(calls: &mut Calls<E>, wakers: &mut Vec<Waker>) {
    calls.retain(|_, call| !matches!(call, Progress::Detached));
    for call in calls.values_mut() {
        if let Progress::Open(waker) = call {
            wakers.extend(waker.take());
            *call = Progress::Gone;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn op(number: u32) -> OpId {
        let mut slots = crate::id::Slots::<OpId, ()>::default();
        (0..number).fold(slots.insert(()), |_, _| slots.insert(()))
    }

    type Offset = Result<i64, QueryError>;

    const STOPPED: Offset = Err(QueryError::Stopped);

    #[test]
    fn a_call_leaves_no_slot_however_it_is_given_up_or_ends() {
        let mut waiting = Waiting::default();
        let calls: [OpId; 6] = std::array::from_fn(|number| op(number as u32));
        calls.iter().for_each(|call| waiting.insert::<Offset>(*call));
        let [seen, early, late, parked, cancelled, gone] = calls;
        // Taken by who waited for it.
        assert!(waiting.end(seen, STOPPED).is_none());
        assert_eq!(waiting.take(seen, &mut None), Poll::Ready(Some(STOPPED)));
        // Dropped before it ended, and after.
        drop(waiting.detach::<Offset>(early));
        assert!(waiting.end(early, STOPPED).is_none());
        assert!(waiting.end(late, STOPPED).is_none());
        assert!(matches!(waiting.detach::<Offset>(late), Some(Progress::Ended(_))));
        // Dropped while it waited with a waker, which is given back for after the lock.
        for call in [parked, cancelled] {
            assert!(waiting.take::<Offset>(call, &mut Some(Waker::noop().clone())).is_pending());
        }
        assert_eq!(waiting.parked(), 2);
        assert!(matches!(waiting.detach::<Offset>(parked), Some(Progress::Open(Some(_)))));
        assert!(waiting.end(parked, STOPPED).is_none());
        // Cancelled while it waited so.
        assert!(matches!(waiting.remove::<Offset>(cancelled), Some(Progress::Open(Some(_)))));
        assert!(waiting.end(cancelled, STOPPED).is_none());
        // Dropped when the runtime had gone.
        waiting.abandon(&mut Vec::new());
        assert!(matches!(waiting.detach::<Offset>(gone), Some(Progress::Gone)));
        assert_eq!((waiting.offsets.len(), waiting.parked()), (0, 0));
    }
}
