//! The handle that receives messages.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;

use super::awaiting::Wait;
use super::control::ConsumerHandle;
use super::delivery::{OnUnreadable, Received, settle};
use super::ended::{EndError, Ended};
use super::opening::Opening;
use super::pending::Pending;
use super::received::{RecvError, RecvTimeoutError};
use super::shared::Owner;
use crate::consumer::Handout;
use crate::id::SubscriptionId;
use crate::time::Instant;

/// Receives the messages of its share of the queues: a [`Stream`], and a blocking
/// [`recv`](Self::recv).
///
/// Taking messages is the pace: what is not taken and settled fills the queues' windows, and their
/// pulls pause. Dropping the consumer leaves its group at once, in the background, with what is
/// settled committed: what others still handle is delivered again elsewhere. [`drain`](Self::drain)
/// waits for them, as [`Client::shutdown`](super::Client::shutdown) does.
#[doc(alias = "DefaultMQPushConsumer", alias = "PushConsumer", alias = "SimpleConsumer")]
pub struct Consumer {
    pub(super) owner: Arc<Owner>,
    pub(super) control: ConsumerHandle,
    /// Messages taken from the engine and not handed out yet.
    pub(super) current: Option<Handout>,
    /// Those that a call for many had, and that was dropped before it gave them.
    pub(super) gathered: VecDeque<Received>,
    pub(super) opening: Opening,
    /// It met a message that can't be read, and was told to stop at such.
    stopped: bool,
    /// The stream has ended.
    ended: bool,
    /// Somebody else ends it.
    pub(super) handed_on: bool,
    /// Messages that were not wanted, one after the other, since others could run.
    pub(super) unwanted: u32,
    /// Messages that were given since it was looked whether this process is a fork.
    unlooked: u32,
    /// A thread has waited, and a message came soon.
    soon: bool,
}

/// So many messages that are not wanted are passed in a row before others run, and whoever waits
/// looks at the clock: there may be a whole backlog of them.
const UNWANTED: u32 = 32;
/// So many messages at hand are given to a thread before it is looked whether it is a fork's.
const UNLOOKED: u32 = 8;

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer").field("sub", &self.control.sub).finish_non_exhaustive()
    }
}

/// What [`Consumer::next`] gives: the next message, once there is one.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Next<'a>(&'a mut Consumer);

impl Future for Next<'_> {
    type Output = Result<Received, RecvError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(plain) = self.0.plain() {
            return Poll::Ready(Ok(Ok(plain)));
        }
        self.0.poll_delivery(&mut Wait::parked(cx.waker()))
    }
}

impl Consumer {
    pub(super) fn new(owner: Arc<Owner>, sub: SubscriptionId, opening: Opening) -> Self {
        let control = ConsumerHandle::new(owner.shared().clone(), sub);
        let (current, gathered, stopped, ended, handed_on) = Default::default();
        let (unwanted, unlooked, soon) = Default::default();
        Self {
            owner,
            control,
            current,
            gathered,
            opening,
            stopped,
            ended,
            handed_on,
            unwanted,
            unlooked,
            soon,
        }
    }

    /// The next message, or why none comes any more. A message that can't be read comes as an
    /// error inside, which is to be settled too; the next call gives its neighbour.
    ///
    /// Dropping the future loses nothing.
    ///
    /// ```no_run
    /// # use rocketry_core::client::Consumer;
    /// # async fn f(mut consumer: Consumer) -> Result<(), Box<dyn std::error::Error>> {
    /// loop {
    ///     match consumer.next().await? {
    ///         Ok(message) => {
    ///             println!("{:?} from {:?}", message.body(), message.queue());
    ///             message.ack();
    ///         }
    ///         Err(unreadable) => _ = unreadable.ack(),
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub const fn next(&mut self) -> Next<'_> {
        Next(self)
    }

    /// As [`next`](Self::next), blocking this thread. On a thread that must not block, as
    /// [`Pending::wait`] tells, it is [`RecvError::WouldDeadlock`] at once.
    ///
    /// ```no_run
    /// # use rocketry_core::client::Consumer;
    /// # fn f(mut consumer: Consumer) -> Result<(), Box<dyn std::error::Error>> {
    /// match consumer.recv()? {
    ///     Ok(message) => {
    ///         println!("{:?} from {:?}", message.body(), message.queue());
    ///         message.ack();
    ///     }
    ///     // A body that can't be opened, say: the group's offset waits for its ack, too.
    ///     Err(unreadable) => {
    ///         eprintln!("{unreadable}");
    ///         unreadable.ack();
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "poll", alias = "receive", alias = "take")]
    #[inline]
    pub fn recv(&mut self) -> Result<Received, RecvError> {
        self.may_take()?;
        match self.plain() {
            Some(plain) => Ok(Ok(plain)),
            None => self.await_one(),
        }
    }

    /// As [`recv`](Self::recv), for at most `timeout`. Where a broker denies the consumer its
    /// messages then, the error says so ([`RecvTimeoutError::Denied`]), and it goes on asking.
    ///
    /// ```no_run
    /// # use rocketry_core::client::{Consumer, RecvTimeoutError};
    /// # use std::time::Duration;
    /// # fn f(mut consumer: Consumer) -> Result<(), Box<dyn std::error::Error>> {
    /// match consumer.recv_timeout(Duration::from_secs(5)) {
    ///     Ok(received) => println!("{received:?}"),
    ///     Err(RecvTimeoutError::Timeout) => println!("nothing for five seconds"),
    ///     Err(error) => return Err(error.into()),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "poll", alias = "receive")]
    #[inline]
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Received, RecvTimeoutError> {
        self.may_take()?;
        match self.plain() {
            Some(plain) => Ok(Ok(plain)),
            None => self.await_one_for(timeout),
        }
    }

    fn await_one(&mut self) -> Result<Received, RecvError> {
        if let Some(ready) = self.at_hand() {
            return Ok(ready);
        }
        loop {
            if let Some(ended) = self.await_by(None, Self::poll_delivery) {
                return ended;
            }
        }
    }

    fn await_one_for(&mut self, timeout: Duration) -> Result<Received, RecvTimeoutError> {
        if let Some(ready) = self.at_hand() {
            return Ok(ready);
        }
        let by = self.now() + timeout;
        match self.await_by(Some(by), Self::poll_delivery) {
            Some(ended) => Ok(ended?),
            None => Err(self
                .control
                .denied()
                .map_or(RecvTimeoutError::Timeout, RecvTimeoutError::Denied)),
        }
    }

    /// Blocks this thread until `poll` is ready, or the clock shows `by`.
    pub(super) fn await_by<T>(
        &mut self,
        by: Option<Instant>,
        mut poll: impl FnMut(&mut Self, &mut Wait<'_>) -> Poll<Result<T, RecvError>>,
    ) -> Option<Result<T, RecvError>> {
        let (shared, mut soon) = (self.owner.shared().clone(), self.soon);
        let ended = shared.await_messages(by, &mut soon, |wait| poll(self, wait));
        self.soon = soon;
        ended
    }

    fn now(&self) -> Instant {
        self.owner.shared().clock().now()
    }

    /// Whether it may wait on this thread, and what time it is.
    pub(super) fn may_wait(&self) -> Result<Instant, RecvError> {
        let (shared, now) = (self.owner.shared(), self.now());
        if shared.is_forked_by(now) {
            return Err(RecvError::Forked);
        }
        if !shared.may_block() {
            return Err(RecvError::WouldDeadlock);
        }
        Ok(now)
    }

    /// Whether messages may be taken on this thread. A fork may slip through for a few messages
    /// that are at hand, as it does where they are awaited, and is seen before anything waits:
    /// nobody would wake it.
    fn may_take(&mut self) -> Result<(), RecvError> {
        // A look at the clock costs as much as settling does.
        self.unlooked = (self.unlooked + 1) % UNLOOKED;
        if self.unlooked == 0 && self.owner.shared().is_forked_by(self.now()) {
            return Err(RecvError::Forked);
        }
        if self.owner.shared().may_block() { Ok(()) } else { Err(RecvError::WouldDeadlock) }
    }

    /// The next message from what is at hand, without a lock.
    fn at_hand(&mut self) -> Option<Received> {
        if self.control.is_suspended() {
            return None;
        }
        self.one_gathered().or_else(|| self.fresh())
    }

    /// The next message of those taken from the engine.
    fn fresh(&mut self) -> Option<Received> {
        // Where order matters, those before it are settled by then.
        self.current.as_ref().filter(|run| run.batch.is_next(run))?;
        self.fresh_of_run()
    }

    /// As [`Self::fresh`], whatever became of the messages before.
    pub(super) fn fresh_of_run(&mut self) -> Option<Received> {
        let shared = self.owner.shared();
        let handout = self.current.as_mut()?;
        if !handout.batch.is_locked(|| shared.clock().now()) {
            return None;
        }
        while handout.next < handout.end && !handout.batch.is_revoked() {
            if self.unwanted >= UNWANTED {
                return None;
            }
            let index = handout.next;
            if !handout.batch.hand_out(index) {
                // The consumer finishes: the engine is given back what is left here.
                return None;
            }
            handout.next += 1;
            if handout.batch.is_settled(index) {
                continue;
            }
            if !handout.batch.wanted(index) {
                // Not asked for: the broker's filter knows tags only by their hashes.
                settle(&handout.batch, index, shared);
                self.unwanted += 1;
                continue;
            }
            let at = (index, handout.again);
            let opened = self.opening.open(&handout.batch, at, shared);
            let Some(received) = opened else {
                self.unwanted += 1;
                continue;
            };
            self.unwanted = 0;
            if received.is_err() && self.opening.unreadable == OnUnreadable::Stop {
                self.stop();
            }
            return Some(received);
        }
        self.current = None;
        None
    }

    /// Hands out nothing more, and leaves the group when what was handed out is settled.
    fn stop(&mut self) {
        self.stopped = true;
        drop(self.control.drain(self.owner.shared().config().shutdown_timeout));
    }

    fn poll_delivery(&mut self, wait: &mut Wait<'_>) -> Poll<Result<Received, RecvError>> {
        loop {
            if let Some(ready) = self.at_hand() {
                return Poll::Ready(Ok(ready));
            }
            match self.poll_fresh(wait) {
                // Resumed meanwhile, what was gathered before comes now: nobody wakes for it.
                Poll::Pending if !self.gathered.is_empty() && !self.control.is_suspended() => {}
                polled => return polled,
            }
        }
    }

    /// As [`Self::poll_delivery`], without what was gathered.
    pub(super) fn poll_fresh(&mut self, wait: &mut Wait<'_>) -> Poll<Result<Received, RecvError>> {
        loop {
            wait.give_back(self.owner.shared());
            let paused = self.control.is_suspended();
            if paused {
                wait.sleep();
            }
            if !paused && let Some(plain) = self.plain() {
                return Poll::Ready(Ok(Ok(plain)));
            }
            if !paused && let Some(delivery) = self.fresh() {
                return Poll::Ready(Ok(delivery));
            }
            if self.unwanted >= UNWANTED {
                self.unwanted = 0;
                wait.waker().wake_by_ref();
                return Poll::Pending;
            }
            // The one that is left here is dropped after the lock.
            let mut waker = Some(wait.waker().clone());
            let (shared, sub) = (self.owner.shared().clone(), self.control.sub);
            let mut rest = self.current.as_ref();
            let mut refused = None;
            let taken = shared.run(|core, now| {
                let consumer = core.consumers.get(&sub)?;
                if !core.engine.gives(sub) {
                    refused = consumer.refused.clone();
                    rest.into_iter().for_each(|rest| core.engine.give_back(now, rest));
                    return None;
                }
                // What waits for the messages before it, is not locked any more, or was recalled,
                // is the engine's again.
                if let Some(run) = rest.take_if(|run| run.batch.is_orderly()) {
                    core.engine.give_back(now, run);
                }
                // Where something else is left at hand, the consumer is suspended.
                let taken = if rest.is_none() { core.engine.take_batch(now, sub) } else { None };
                if taken.is_none() {
                    wait.begin(core, sub, &mut waker);
                }
                Some(taken)
            });
            match taken.flatten() {
                None => {
                    self.current = None;
                    if paused {
                        // Nobody is given these any more.
                        self.gathered.clear();
                    }
                    let stopped = self.stopped.then_some(RecvError::Unreadable);
                    let ended = stopped.or(refused.map(RecvError::Filter));
                    return Poll::Ready(Err(ended.unwrap_or_else(|| shared.end_of_messages())));
                }
                Some(None) if paused && !self.control.is_suspended() => self.forget_run(),
                Some(None) => {
                    wait.begun(&shared);
                    self.forget_run();
                    return Poll::Pending;
                }
                Some(handout) => self.current = handout,
            }
        }
    }

    /// What is at hand of a queue whose order matters was given back to the engine.
    fn forget_run(&mut self) {
        self.current.take_if(|run| run.batch.is_orderly());
    }

    /// Another handle of this consumer, to suspend, resume or end it by, from any thread.
    ///
    /// ```no_run
    /// # use rocketry_core::client::Consumer;
    /// # fn f(consumer: &Consumer) {
    /// let control = consumer.control();
    /// std::thread::spawn(move || control.suspend());
    /// # }
    /// ```
    #[doc(alias = "suspend", alias = "resume")]
    pub fn control(&self) -> ConsumerHandle {
        self.control.clone()
    }

    /// Finishes, then leaves the group: nothing more is pulled or handed out, and what was handed
    /// out may be settled for `timeout`; then, or as soon as all of it is, what is settled is
    /// committed with the broker's answer, and the queues go to other members. What is given back
    /// meanwhile goes to them as well. Messages that an administrator wants consumed directly are
    /// not waited for.
    ///
    /// Resolves when that is done, at the latest after `timeout` and `shutdown_timeout`, and says
    /// whether anything was left unsettled; dropping it stops nothing. Keep the deliveries, or hand
    /// them to those who settle them, before this: dropping them gives them back.
    ///
    /// ```no_run
    /// # use rocketry_core::client::{Consumer, Ended};
    /// # use std::time::Duration;
    /// # fn f(consumer: Consumer) -> Result<(), Box<dyn std::error::Error>> {
    /// let ended = consumer.drain(Duration::from_secs(10)).wait()?;
    /// assert_eq!(ended, Ended::InOrder, "somebody held a message for too long");
    /// # Ok(())
    /// # }
    /// ```
    pub fn drain(self, timeout: Duration) -> Pending<Result<Ended, EndError>> {
        self.end(|control| control.drain(timeout))
    }

    /// Leaves the group at once: what is settled is committed with the broker's answer, and the
    /// queues go to other members. Deliveries that are not settled by now can't be any more, and go
    /// to other members: [`drain`](Self::drain) waits for them. Resolves when it has left, at the
    /// latest after `shutdown_timeout`; dropping it stops nothing.
    ///
    /// ```no_run
    /// # use rocketry_core::client::Consumer;
    /// # fn f(consumer: Consumer) -> Result<(), Box<dyn std::error::Error>> {
    /// println!("{:?}", consumer.close().wait()?);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "shutdown", alias = "Shutdown", alias = "unsubscribe")]
    pub fn close(self) -> Pending<Result<Ended, EndError>> {
        self.end(|control| {
            let pending = control.ended();
            control.leave();
            pending
        })
    }

    fn end(
        mut self,
        end: impl FnOnce(&ConsumerHandle) -> Pending<Result<Ended, EndError>>,
    ) -> Pending<Result<Ended, EndError>> {
        // Nobody was given these.
        self.gathered.clear();
        end(&self.control)
    }
}

/// The messages until the consumer has left its group, which ends the stream. It ends as well after
/// an error that says why no more come otherwise.
impl Stream for Consumer {
    type Item = Result<Received, RecvError>;

    #[inline]
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        if let Some(plain) = self.plain() {
            return Poll::Ready(Some(Ok(Ok(plain))));
        }
        self.poll_delivery(&mut Wait::parked(cx.waker())).map(|received| {
            self.ended = received.is_err();
            Some(received).filter(|received| !matches!(received, Err(RecvError::Left)))
        })
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.gathered.clear();
        if !self.handed_on {
            self.control.leave();
        }
    }
}
