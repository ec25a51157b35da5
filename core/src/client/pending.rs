//! Calls that have not ended: a future, and a thread that waits.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use super::ended::{EndError, Ended};
use super::park::block_on;
use super::question::Question;
use super::shared::Shared;
use super::source::Source;
use super::waiting::{CallResult, Found};
use crate::engine::Cancelled;
use crate::error::{QueryError, SendError};
use crate::id::{OpId, SubscriptionId};
use crate::message::MessageIds;

/// What turns into a call when it is polled.
pub(super) trait Deferred<T>: Send {
    /// Begins the call; or keeps the waker, and it can't begin yet.
    fn begin(&mut self, waker: Waker) -> Option<Pending<T>>;

    /// Gives it up. It never begins.
    fn cancel(self: Box<Self>) -> Cancelled;
}

enum State<T> {
    Ready(Option<T>),
    Call {
        op: OpId,
        source: Source<T>,
    },
    Stop {
        read: fn(Result<Ended, EndError>) -> T,
        /// Where its waker is kept.
        place: Option<usize>,
    },
    Left {
        sub: SubscriptionId,
        read: fn(Result<Ended, EndError>) -> T,
    },
    /// Not begun. The mutex is never locked: it lets a `Pending` be shared between threads.
    Deferred(Mutex<Box<dyn Deferred<T>>>),
}

/// A call that has not ended: await it, or [`wait`](Self::wait) for it.
///
/// The call goes on whether or not anybody looks. Dropping this detaches: the result is ignored.
/// [`cancel`](Self::cancel) gives the call up and says whether anything had left this process.
///
/// A call that nobody looks at goes on for as long as those run that move the client's bytes. On
/// tokio they are tasks, which end with their runtime, and so when `main` does: await
/// [`Client::shutdown`](super::Client::shutdown) before, which sees all calls to their ends.
///
/// ```no_run
/// # use rocketry_core::client::Producer;
/// # use rocketry_core::message::Message;
/// # async fn f(producer: &Producer) -> Result<(), Box<dyn std::error::Error>> {
/// // Any number at once: each is under way when `send` returns.
/// let order = |id: u32| Message::new("orders", format!("order {id}"));
/// let sent: Vec<_> = (0..100).map(|id| producer.send(order(id))).collect();
/// for call in sent {
///     let receipt = call.await?;
///     println!("stored at offset {}", receipt.offset);
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "the result tells whether it worked; use `drop` to let the call go on unseen"]
pub struct Pending<T> {
    shared: Option<Arc<Shared>>,
    state: State<T>,
    /// Of what a send carries.
    ids: Option<MessageIds>,
}

impl<T> fmt::Debug for Pending<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Pending");
        match &self.state {
            State::Ready(result) => shown.field("ready", &result.is_some()),
            State::Call { op, .. } => shown.field("op", op),
            State::Stop { .. } => shown.field("op", &"stop"),
            State::Left { sub, .. } => shown.field("leaving", sub),
            State::Deferred(_) => shown.field("begun", &false),
        };
        shown.finish_non_exhaustive()
    }
}

impl<T> Unpin for Pending<T> {}

/// What may be waited for where the thread itself has to do the work.
pub trait Blockable {
    /// The error for waiting on such a thread; `ids` are of what a send carries that goes on.
    fn would_deadlock(ids: Option<MessageIds>) -> Self;

    /// The error for waiting in a process that was forked from the one that made the call.
    fn forked() -> Self;
}

impl<T> Blockable for Result<T, SendError> {
    fn would_deadlock(ids: Option<MessageIds>) -> Self {
        Err(SendError::WouldDeadlock { ids })
    }

    fn forked() -> Self {
        Err(SendError::Forked)
    }
}

impl<T> Blockable for Result<T, QueryError> {
    fn would_deadlock(_: Option<MessageIds>) -> Self {
        Err(QueryError::WouldDeadlock)
    }

    fn forked() -> Self {
        Err(QueryError::Forked)
    }
}

impl<T> Blockable for Result<T, EndError> {
    fn would_deadlock(_: Option<MessageIds>) -> Self {
        Err(EndError::WouldDeadlock)
    }

    fn forked() -> Self {
        Err(EndError::Forked)
    }
}

impl<T> Pending<T> {
    pub(crate) const fn ready(result: T) -> Self {
        Self { shared: None, state: State::Ready(Some(result)), ids: None }
    }

    /// A call that ends with an `E`.
    pub(super) fn call<E: CallResult>(shared: Arc<Shared>, op: OpId) -> Self
    where
        T: From<E>,
    {
        let state = State::Call { op, source: Source::of::<E>() };
        Self { shared: Some(shared), state, ids: None }
    }

    /// A call that begins when it can, once somebody looks.
    pub(super) fn deferred(shared: Arc<Shared>, deferred: Box<dyn Deferred<T>>) -> Self {
        Self { shared: Some(shared), state: State::Deferred(Mutex::new(deferred)), ids: None }
    }

    /// The same call, which is a send of these messages.
    pub(super) fn of(mut self, ids: MessageIds) -> Self {
        self.ids = Some(ids);
        self
    }

    /// The unique ids of what a send carries, also before it ends: by them its messages can be told
    /// in the log, and sent again under the same ([`Message::id`](crate::message::Message::id)).
    /// `None` for what is no send, for a message that was refused, and for a
    /// [`send_with_selector`](super::Producer::send_with_selector) whose queue is not chosen yet.
    ///
    /// ```no_run
    /// # use rocketry_core::client::Producer;
    /// # use rocketry_core::message::Message;
    /// # fn f(producer: &Producer) -> Result<(), Box<dyn std::error::Error>> {
    /// let call = producer.send(Message::new("orders", "3 apples"));
    /// if let Some(ids) = call.message_ids() {
    ///     ids.iter().for_each(|id| println!("sending {id}"));
    /// }
    /// call.wait()?;
    /// # Ok(())
    /// # }
    /// ```
    pub const fn message_ids(&self) -> Option<&MessageIds> {
        self.ids.as_ref()
    }

    /// Gives the call up. [`Cancelled::Removed`]: nothing was done, and nothing will be. Of a call
    /// that is several requests, those that have not begun are not sent; it is
    /// [`Cancelled::Detached`] once any has left. So is the end of a client or consumer, which goes
    /// on.
    ///
    /// ```no_run
    /// # use rocketry_core::client::Producer;
    /// # use rocketry_core::message::Message;
    /// # use rocketry_core::engine::Cancelled;
    /// # fn f(producer: &Producer) -> Result<(), Box<dyn std::error::Error>> {
    /// let call = producer.send(Message::new("orders", "3 apples"));
    /// match call.cancel() {
    ///     Cancelled::Removed => println!("it is not stored, and will not be"),
    ///     Cancelled::Detached => println!("it may be stored"),
    ///     Cancelled::Ended => println!("it had ended before"),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn cancel(mut self) -> Cancelled {
        if matches!(self.state, State::Stop { .. } | State::Left { .. }) {
            return Cancelled::Detached;
        }
        let state = std::mem::replace(&mut self.state, State::Ready(None));
        let state = match state {
            State::Deferred(deferred) => {
                return deferred.into_inner().unwrap_or_else(PoisonError::into_inner).cancel();
            }
            state => state,
        };
        match (self.shared.take(), state) {
            (Some(shared), State::Call { op, source }) => source.kind.cancel(&shared, op),
            _ => Cancelled::Ended,
        }
    }

    pub(super) fn poll_result(&mut self, cx: &Context<'_>) -> Poll<T> {
        let Some(shared) = &self.shared else {
            let State::Ready(result) = &mut self.state else { return Poll::Pending };
            return result.take().map_or(Poll::Pending, Poll::Ready);
        };
        if let State::Deferred(deferred) = &mut self.state {
            let deferred = deferred.get_mut().unwrap_or_else(PoisonError::into_inner);
            let Some(begun) = deferred.begin(cx.waker().clone()) else { return Poll::Pending };
            *self = begun;
            return self.poll_result(cx);
        }
        // Dropped after every lock below.
        let mut waker = Some(cx.waker().clone());
        let forked = || shared.is_forked_by(shared.clock().now());
        let result = match &mut self.state {
            State::Ready(_) | State::Deferred(_) => return Poll::Pending,
            State::Call { op, source } => {
                match source.take(shared, *op, &mut waker, self.ids.as_ref()) {
                    Some(result) => result,
                    None => return Poll::Pending,
                }
            }
            State::Stop { read, place } => {
                let core = shared.lock_here();
                match core.and_then(|mut core| core.end_of_all(place, &mut waker)) {
                    Some(ended) => read(ended),
                    None if forked() => read(Err(EndError::Forked)),
                    None => return Poll::Pending,
                }
            }
            State::Left { sub, read } => {
                let core = shared.lock_here();
                match core.and_then(|mut core| core.end_of(*sub, &mut waker)) {
                    Some(ended) => read(ended),
                    None if forked() => read(Err(EndError::Forked)),
                    None => return Poll::Pending,
                }
            }
        };
        self.shared = None;
        self.state = State::Ready(None);
        Poll::Ready(result)
    }
}

impl<T: Blockable> Pending<T> {
    /// Blocks this thread until the call has ended, which it does by its deadline.
    ///
    /// Where this thread has to do the work, this is an error at once, and the call goes on, also
    /// one that waits for room; only one that has a question to ask first, which has no answer yet,
    /// is given up. That is on one that an adapter says must not block, such as the only one of a
    /// tokio runtime, and wherever this client calls its user: in a waker, in a log appender, in
    /// the `Drop` of a body's owner.
    ///
    /// ```no_run
    /// # use rocketry_core::client::Producer;
    /// # use rocketry_core::message::Message;
    /// # fn f(producer: &Producer) -> Result<(), Box<dyn std::error::Error>> {
    /// match producer.send(Message::new("orders", "3 apples")).wait() {
    ///     Ok(receipt) => println!("stored at offset {}", receipt.offset),
    ///     Err(error) => eprintln!("{error}; stored: {:?}", error.stored()),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn wait(mut self) -> T {
        if let State::Ready(result) = &mut self.state
            && let Some(result) = result.take()
        {
            return result;
        }
        let Some(shared) = self.shared.clone() else { return T::would_deadlock(self.ids.take()) };
        let ended = match &self.state {
            State::Call { op, source } => {
                let core = shared.lock_here();
                core.is_some_and(|mut core| source.kind.has_ended(&mut core.waiting, *op))
            }
            State::Ready(_) | State::Stop { .. } | State::Left { .. } | State::Deferred(_) => false,
        };
        if !ended && shared.is_forked() {
            return T::forked();
        }
        if !shared.may_block() {
            return T::would_deadlock(self.ids.take());
        }
        if let State::Call { op, source } = &self.state {
            let (op, kind) = (*op, source.kind);
            let cx = Context::from_waker(Waker::noop());
            let mut ended = || match self.poll_result(&cx) {
                Poll::Ready(result) => Some(result),
                Poll::Pending => None,
            };
            if let Some(result) = shared.read_for(op, kind, &mut ended) {
                return result;
            }
        }
        block_on(shared.host(), |cx| Pin::new(&mut self).poll(cx))
    }
}

impl Pending<Result<Ended, EndError>> {
    pub(crate) const fn stop(shared: Arc<Shared>) -> Self {
        Self {
            shared: Some(shared),
            state: State::Stop { read: |ended| ended, place: None },
            ids: None,
        }
    }

    pub(crate) const fn left(shared: Arc<Shared>, sub: SubscriptionId) -> Self {
        Self { shared: Some(shared), state: State::Left { sub, read: |ended| ended }, ids: None }
    }
}

impl<T> Future for Pending<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let polled = self.poll_result(cx);
        if let (Poll::Pending, Some(shared)) = (&polled, &self.shared) {
            shared.wake_readers();
        }
        polled
    }
}

impl<T> Drop for Pending<T> {
    fn drop(&mut self) {
        if let (Some(shared), State::Call { op, source }) = (&self.shared, &self.state)
            && !shared.is_forked()
        {
            source.kind.detach(shared, *op);
            shared.wake_readers();
        }
        if let (Some(shared), State::Stop { place: Some(place), .. }) = (&self.shared, &self.state)
        {
            drop(shared.run(|core, _| core.stops.forget(*place)));
        }
        if let (Some(shared), State::Left { sub, .. }) = (&self.shared, &self.state) {
            drop(shared.run(|core, _| core.unwatch(*sub)));
        }
    }
}

/// Asks a question of the engine.
pub(super) fn ask<A: Found>(
    shared: &Arc<Shared>,
    question: Question<A>,
) -> Pending<Result<A, QueryError>> {
    match shared.ask(question) {
        Ok(op) => Pending::call::<Result<A, QueryError>>(shared.clone(), op),
        Err(error) => Pending::ready(Err(error)),
    }
}
