//! The handle that receives messages.

use std::fmt;
use std::future::Future;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;

use super::delivery::{Delivery, OnUnreadable, Unreadable, settle};
use super::driving::log_once;
use super::ended::Ended;
use super::park::{block_on, block_until};
use super::pending::Pending;
use super::shared::Owner;
use crate::consumer::{Expression, ExpressionError, Handout, Start, Subscribe};
use crate::engine::Engine;
use crate::error::{ErrorKind, Refused, Stale};
use crate::id::SubscriptionId;
use crate::name::{Group, NameError, Topic};
use crate::time::Instant;

/// Why a consumer could not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// The engine refused.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// A name is not valid.
    #[error(transparent)]
    Name(#[from] NameError),
    /// What is asked for of a topic can't be meant.
    #[error(transparent)]
    Expression(#[from] ExpressionError),
}

impl SubscribeError {
    /// What it comes to.
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Refused(refused) => refused.kind(),
            Self::Name(_) | Self::Expression(_) => ErrorKind::Invalid,
        }
    }
}

/// A consumer to be: name its topics, then [`start`](Self::start) it.
#[derive(Debug)]
pub struct ConsumerBuilder {
    owner: Arc<Owner>,
    group: Group,
    topics: Vec<(Topic, Expression)>,
    start: Start,
    unreadable: OnUnreadable,
    wrong: Option<SubscribeError>,
}

impl ConsumerBuilder {
    pub(crate) const fn new(owner: Arc<Owner>, group: Group) -> Self {
        let unreadable = OnUnreadable::Hold;
        Self { owner, group, topics: Vec::new(), start: Start::Last, unreadable, wrong: None }
    }

    /// Adds a topic with the tags wanted: `*` for all, or `TagA || TagB`; [`start`](Self::start)
    /// refuses what can't be meant, as [`Expression::parse`] does.
    pub fn topic<T>(mut self, topic: T, tags: &str) -> Self
    where
        T: TryInto<Topic>,
        NameError: From<T::Error>,
    {
        match Expression::parse(tags) {
            Ok(expression) => self.topic_by(topic, expression),
            Err(error) => {
                self.wrong.get_or_insert(error.into());
                self
            }
        }
    }

    /// Adds a topic with an expression made before, such as by [`Expression::any_of`].
    pub fn topic_by<T>(mut self, topic: T, expression: Expression) -> Self
    where
        T: TryInto<Topic>,
        NameError: From<T::Error>,
    {
        match topic.try_into() {
            Ok(topic) => self.topics.push((topic, expression)),
            Err(error) => {
                self.wrong.get_or_insert(NameError::from(error).into());
            }
        }
        self
    }

    /// Where the group begins in queues it has no offset for. After the newest message, unless
    /// told otherwise here.
    pub const fn start_at(mut self, start: Start) -> Self {
        self.start = start;
        self
    }

    /// Who settles messages that can't be read: the application, unless told otherwise here.
    pub const fn on_unreadable(mut self, unreadable: OnUnreadable) -> Self {
        self.unreadable = unreadable;
        self
    }

    /// Joins the group. Returns at once; messages come as soon as the brokers have heard of this
    /// consumer and its share of the queues is known. A nameserver that can't be reached or a topic
    /// that is not there is no error: it is looked for on and on. Log records tell of it, and
    /// [`Client::stats`](super::Client::stats) shows what a consumer waits for.
    pub fn start(self) -> Result<Consumer, SubscribeError> {
        if let Some(wrong) = self.wrong {
            return Err(wrong);
        }
        let subscribe = Subscribe { group: self.group, topics: self.topics, start: self.start };
        let shared = self.owner.shared().clone();
        let sub = shared.run(|core, now| {
            let sub = core.engine.subscribe(now, subscribe)?;
            core.consumers.insert(sub, Default::default());
            Ok::<_, Refused>(sub)
        });
        let sub = sub.ok_or_else(|| shared.nobody(Refused::Stopped))??;
        Ok(Consumer { owner: self.owner, sub, current: None, unreadable: self.unreadable })
    }
}

/// Receives the messages of its share of the queues: a [`Stream`], and a blocking
/// [`recv`](Self::recv).
///
/// Taking messages is the pace: what is not taken and settled fills the queues' windows, and their
/// pulls pause. Dropping the consumer leaves its group at once, in the background, with what is
/// settled committed: what others still handle is delivered again elsewhere. [`drain`](Self::drain)
/// waits for them, as [`Client::shutdown`](super::Client::shutdown) does.
pub struct Consumer {
    owner: Arc<Owner>,
    sub: SubscriptionId,
    /// Messages taken from the engine and not handed out yet.
    current: Option<Handout>,
    unreadable: OnUnreadable,
}

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer").field("sub", &self.sub).finish_non_exhaustive()
    }
}

/// Says so where this process is a fork of the client's.
fn told(forked: bool) -> bool {
    if forked {
        log_once(|| log::error!("{}", Refused::Forked));
    }
    forked
}

/// What [`Consumer::next`] gives: the next message, once there is one.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Next<'a>(&'a mut Consumer);

impl Future for Next<'_> {
    type Output = Option<Result<Delivery, Unreadable>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll_delivery(cx)
    }
}

impl Consumer {
    /// The next message; `None` once the consumer has left its group. A message that can't be read
    /// comes as an error, which is to be settled too; the next call gives its neighbour.
    ///
    /// Dropping the future loses nothing.
    pub const fn next(&mut self) -> Next<'_> {
        Next(self)
    }

    /// As [`next`](Self::next), blocking this thread. `None` also on a thread that must not block,
    /// as [`Pending::wait`] tells, and in a child of `fork`, each with a log record that says so
    /// (but on a thread that writes one of the client's records).
    pub fn recv(&mut self) -> Option<Result<Delivery, Unreadable>> {
        if let ControlFlow::Break(given) = self.at_once(self.now()) {
            return given;
        }
        let shared = self.owner.shared().clone();
        block_on(shared.host(), |cx| self.poll_delivery(cx))
    }

    /// As [`recv`](Self::recv), for at most `within`; `None` then as well.
    pub fn recv_timeout(&mut self, within: Duration) -> Option<Result<Delivery, Unreadable>> {
        let now = self.now();
        if let ControlFlow::Break(given) = self.at_once(now) {
            return given;
        }
        let shared = self.owner.shared().clone();
        block_until(now + within, shared.host(), |cx| self.poll_delivery(cx)).flatten()
    }

    fn now(&self) -> Instant {
        self.owner.shared().host().now()
    }

    /// What `recv` gives without waiting: the next message, or none where it must not wait. A fork
    /// may slip through for an instant, and is seen before anything waits: nobody would wake it.
    fn at_once(&mut self, now: Instant) -> ControlFlow<Option<Result<Delivery, Unreadable>>> {
        let shared = self.owner.shared();
        if told(shared.is_forked_by(now)) {
            return ControlFlow::Break(None);
        }
        if !shared.may_block() {
            log_once(|| log::error!("recv would block the thread that does the work: use next()"));
            return ControlFlow::Break(None);
        }
        let ready = self.at_hand();
        if ready.is_some() || told(self.owner.shared().is_forked()) {
            return ControlFlow::Break(ready);
        }
        ControlFlow::Continue(())
    }

    /// The next message from what is at hand, without a lock.
    fn at_hand(&mut self) -> Option<Result<Delivery, Unreadable>> {
        let shared = self.owner.shared();
        let handout = self.current.as_mut()?;
        while handout.next < handout.end && !handout.batch.is_revoked() {
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
                let _ = settle(&handout.batch, index, shared);
                continue;
            }
            return Some(Delivery::open(&handout.batch, index, shared, self.unreadable));
        }
        self.current = None;
        None
    }

    fn poll_delivery(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Delivery, Unreadable>>> {
        loop {
            if let Some(delivery) = self.at_hand() {
                return Poll::Ready(Some(delivery));
            }
            // The one that is left here is dropped after the lock.
            let mut waker = Some(cx.waker().clone());
            let (shared, sub) = (self.owner.shared().clone(), self.sub);
            let rest = self.current.take();
            let taken = shared.run(|core, now| {
                let consumer = core.consumers.get_mut(&sub)?;
                if let Some(rest) = &rest {
                    core.engine.give_back(now, rest);
                }
                if !core.engine.gives(sub) {
                    return None;
                }
                let handout = core.engine.take_batch(now, sub);
                if handout.is_none() {
                    std::mem::swap(&mut consumer.waker, &mut waker);
                }
                Some(handout)
            });
            match taken.flatten() {
                None => return Poll::Ready(None),
                Some(None) => return Poll::Pending,
                Some(handout) => self.current = handout,
            }
        }
    }

    /// Finishes, then leaves the group: nothing more is pulled or handed out, and what was handed
    /// out may be settled for `within`; then, or as soon as all of it is, what is settled is
    /// committed with the broker's answer, and the queues go to other members. What is given back
    /// meanwhile goes to them as well.
    ///
    /// Resolves when that is done, at the latest after `within` and `shutdown_timeout`, and says
    /// whether anything was left unsettled; dropping it stops nothing. Keep the deliveries, or hand
    /// them to those who settle them, before this: dropping them gives them back.
    pub fn drain(self, within: Duration) -> Pending<Ended> {
        self.end(|engine, now, sub| engine.drain(now, sub, within))
    }

    /// Leaves the group at once: what is settled is committed with the broker's answer, and the
    /// queues go to other members. Deliveries that are not settled by now can't be any more, and go
    /// to other members: [`drain`](Self::drain) waits for them. Resolves when it has left, at the
    /// latest after `shutdown_timeout`; dropping it stops nothing.
    pub fn close(self) -> Pending<Ended> {
        self.end(|engine, now, sub| engine.leave(now, sub))
    }

    fn end(
        self,
        end: impl FnOnce(&mut Engine, Instant, SubscriptionId) -> Result<(), Stale>,
    ) -> Pending<Ended> {
        let (shared, sub) = (self.owner.shared().clone(), self.sub);
        shared.run(|core, now| {
            core.watch(sub);
            // It may have left with the whole client already.
            let _ = end(&mut core.engine, now, sub);
        });
        Pending::left(shared, sub)
    }
}

impl Stream for Consumer {
    type Item = Result<Delivery, Unreadable>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Delivery, Unreadable>>> {
        self.poll_delivery(cx)
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.owner.shared().run(|core, now| {
            // It may have left with the whole client already.
            let _ = core.engine.leave(now, self.sub);
        });
    }
}
