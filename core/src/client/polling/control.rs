//! What may be done with a consumer that is polled, beside polling.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::error::{NotAssigned, SeekError};
use crate::client::control::ConsumerHandle;
use crate::client::ended::{EndError, Ended};
use crate::client::offsets;
use crate::client::pending::{Pending, ask};
use crate::client::question::Question;
use crate::client::shared::Shared;
use crate::client::subscribing::SubscribeError;
use crate::consumer::{Commit, Filter, FilterError};
use crate::error::{CommitError, Denial, QueryError, Refused, Stale};
use crate::id::SubscriptionId;
use crate::name::{Group, NameError, QueueName, Topic};
use crate::time::UnixMillis;

/// Asks and tells a consumer that is polled, from any thread. Cheap to clone; it keeps neither the
/// consumer nor its client.
#[derive(Clone)]
pub struct PullControl {
    consumer: ConsumerHandle,
    group: Group,
    /// Its queues are named by the application.
    assigned: bool,
}

impl fmt::Debug for PullControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PullControl").field("sub", &self.sub()).finish_non_exhaustive()
    }
}

type Sought = Pending<Result<(), SeekError>>;
type Asked<T> = Pending<Result<T, QueryError>>;

impl PullControl {
    pub(super) fn new(
        shared: Arc<Shared>,
        (sub, group): (SubscriptionId, Group),
        assigned: bool,
    ) -> Self {
        Self { consumer: ConsumerHandle::new(shared, sub), group, assigned }
    }

    pub(super) const fn sub(&self) -> SubscriptionId {
        self.consumer.sub
    }

    const fn shared(&self) -> &Arc<Shared> {
        &self.consumer.shared
    }

    pub(super) fn leave(&self) {
        self.consumer.leave();
    }

    /// The queues that are its own now: those it shares with the group, or those that it was
    /// assigned and that the topic has; none after the client's end.
    ///
    /// ```no_run
    /// # use rocketry_core::client::PullConsumer;
    /// # fn f(consumer: &PullConsumer) {
    /// println!("{} queues are ours", consumer.queues().len());
    /// # }
    /// ```
    #[doc(alias = "assignment")]
    pub fn queues(&self) -> Vec<QueueName> {
        self.consumer.queues()
    }

    /// Reads these queues from now on, where queues were assigned at the start. Those that it had
    /// and that are not among them commit what is settled, and are given up; those that it keeps go
    /// on where they are.
    ///
    /// # Errors
    ///
    /// [`SubscribeError::Assigned`] where it subscribes to topics, and after its end.
    ///
    /// ```no_run
    /// # use rocketry_core::client::{Client, PullConsumer};
    /// # use rocketry_core::name::Topic;
    /// # fn f(client: &Client, consumer: &PullConsumer) -> Result<(), Box<dyn std::error::Error>> {
    /// consumer.assign(client.queues(&Topic::new("orders")?).wait()?)?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "Assign")]
    pub fn assign(
        &self,
        queues: impl IntoIterator<Item = QueueName>,
    ) -> Result<(), SubscribeError> {
        let (queues, sub) = (queues.into_iter().collect(), self.sub());
        match self.shared().run(|core, now| core.engine.assign(now, sub, queues)) {
            Some(Ok(true)) => Ok(()),
            Some(Ok(false)) => Err(SubscribeError::Assigned),
            Some(Err(Stale)) => Err(Refused::Stopped.into()),
            None => Err(self.shared().nobody(Refused::Stopped).into()),
        }
    }

    /// As [`ConsumerHandle::subscribe`](crate::client::ConsumerHandle::subscribe);
    /// [`SubscribeError::Assigned`] where queues were assigned.
    ///
    /// ```no_run
    /// # use rocketry_core::client::PullConsumer;
    /// # fn f(consumer: &PullConsumer) -> Result<(), Box<dyn std::error::Error>> {
    /// consumer.subscribe("refunds", "*")?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn subscribe<T, F>(&self, topic: T, filter: F) -> Result<(), SubscribeError>
    where
        T: TryInto<Topic>,
        NameError: From<T::Error>,
        F: TryInto<Filter>,
        FilterError: From<F::Error>,
    {
        if self.assigned {
            return Err(SubscribeError::Assigned);
        }
        self.consumer.subscribe(topic, filter)
    }

    /// As [`ConsumerHandle::unsubscribe`](crate::client::ConsumerHandle::unsubscribe);
    /// [`SubscribeError::Assigned`] where queues were assigned.
    ///
    /// ```no_run
    /// # use rocketry_core::client::PullConsumer;
    /// # fn f(consumer: &PullConsumer) -> Result<(), Box<dyn std::error::Error>> {
    /// assert!(consumer.unsubscribe("refunds")?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn unsubscribe<T>(&self, topic: T) -> Result<bool, SubscribeError>
    where
        T: TryInto<Topic>,
        NameError: From<T::Error>,
    {
        if self.assigned {
            return Err(SubscribeError::Assigned);
        }
        self.consumer.unsubscribe(topic)
    }

    /// Has a queue go on at `offset`, which has to be one of its own: where it begins and ends is
    /// asked first (31, 30). It is done when this resolves, within `request_timeout` for each
    /// question; an answer that no queue can begin at leaves it where it is.
    ///
    /// What was pulled of it before is dropped, as is an answer that is on its way. What was polled
    /// of it and is not settled yet counts no more: neither is it committed, nor does it hold the
    /// offset back. With `auto_commit` the new offset is the group's within `commit_interval`.
    ///
    /// ```no_run
    /// # use rocketry_core::client::PullConsumer;
    /// # fn f(consumer: &PullConsumer) -> Result<(), Box<dyn std::error::Error>> {
    /// for queue in consumer.queues() {
    ///     consumer.seek(&queue, 1000).wait()?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn seek(&self, queue: &QueueName, offset: i64) -> Sought {
        let (control, own) = (self.clone(), queue.clone());
        let shared = self.shared().clone();
        let first = ask(&shared, Question::min_offset(queue));
        first.then(&shared.clone(), move |min| {
            let min = match min {
                Ok(min) => min,
                Err(error) => return Pending::ready(Err(error.into())),
            };
            let end = ask(&shared, Question::max_offset(&own));
            end.then(&shared, move |max| {
                Pending::ready(match max {
                    Ok(max) if (min..=max).contains(&offset) => control.go_to(&own, offset),
                    Ok(max) => Err(SeekError::OutOfRange { queue: own, offset, min, max }),
                    Err(error) => Err(error.into()),
                })
            })
        })
    }

    /// Has a queue go on at its first message (31), otherwise as [`seek`](Self::seek).
    ///
    /// See the example of [`PullConsumer::control`](super::PullConsumer::control), and of
    /// [`seek_to_time`](Self::seek_to_time).
    #[doc(alias = "seekToBegin")]
    pub fn seek_to_begin(&self, queue: &QueueName) -> Sought {
        self.seek_where(queue, ask(self.shared(), Question::min_offset(queue)))
    }

    /// Has a queue go on after its last message (30), otherwise as [`seek`](Self::seek).
    ///
    /// See the example of [`seek_to_time`](Self::seek_to_time).
    #[doc(alias = "seekToEnd")]
    pub fn seek_to_end(&self, queue: &QueueName) -> Sought {
        self.seek_where(queue, ask(self.shared(), Question::max_offset(queue)))
    }

    /// Has a queue go on at its first message that was stored at that time or later by the broker's
    /// clock (29), after the last one where there is none; otherwise as [`seek`](Self::seek).
    ///
    /// ```no_run
    /// # use rocketry_core::client::PullConsumer;
    /// # use std::time::{Duration, SystemTime};
    /// # fn f(consumer: &PullConsumer) -> Result<(), Box<dyn std::error::Error>> {
    /// let hour_ago = SystemTime::now() - Duration::from_secs(3600);
    /// for queue in consumer.queues() {
    ///     match consumer.seek_to_time(&queue, hour_ago).wait() {
    ///         Ok(()) => {}
    ///         Err(error) if error.is_retriable() => consumer.seek_to_end(&queue).wait()?,
    ///         Err(_) => consumer.seek_to_begin(&queue).wait()?,
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "offsetForTimestamp")]
    pub fn seek_to_time(&self, queue: &QueueName, time: impl Into<UnixMillis>) -> Sought {
        self.seek_where(queue, self.offset_for_time(queue, time))
    }

    fn seek_where(&self, queue: &QueueName, offset: Asked<i64>) -> Sought {
        let (control, queue) = (self.clone(), queue.clone());
        offset.then(self.shared(), move |offset| {
            Pending::ready(match offset {
                Ok(offset) => control.go_to(&queue, offset),
                Err(error) => Err(error.into()),
            })
        })
    }

    fn go_to(&self, queue: &QueueName, offset: i64) -> Result<(), SeekError> {
        let sub = self.sub();
        match self.shared().run(|core, now| core.engine.seek(now, sub, queue, offset)) {
            Some(Ok(())) => Ok(()),
            Some(Err(Stale)) => Err(NotAssigned { queue: queue.clone() }.into()),
            None => Err(self.shared().nobody(QueryError::Stopped).into()),
        }
    }

    /// Pauses queues: nothing of them is pulled, and no poll gives any, until they are
    /// [resumed](Self::resume). What was pulled before is kept, and what was polled is settled as
    /// ever. A queue that goes to another member and comes back is not paused.
    ///
    /// # Errors
    ///
    /// Names the first that is none of the consumer's; the others are paused.
    ///
    /// ```no_run
    /// # use rocketry_core::client::PullConsumer;
    /// # fn f(consumer: &PullConsumer) -> Result<(), Box<dyn std::error::Error>> {
    /// let queues = consumer.queues();
    /// consumer.pause(&queues)?;
    /// assert_eq!(consumer.paused().len(), queues.len());
    /// consumer.resume(&queues)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn pause(&self, queues: &[QueueName]) -> Result<(), NotAssigned> {
        let sub = self.sub();
        let others = self.shared().run(|core, now| core.engine.hold(now, sub, queues));
        first(others.unwrap_or_else(|| queues.to_vec()))
    }

    /// Resumes queues that were [paused](Self::pause): what is there is given, and pulls go on.
    ///
    /// # Errors
    ///
    /// As [`pause`](Self::pause).
    ///
    /// See the example of [`pause`](Self::pause).
    pub fn resume(&self, queues: &[QueueName]) -> Result<(), NotAssigned> {
        let sub = self.sub();
        let others = self.shared().run(|core, now| core.engine.release(now, sub, queues));
        first(others.unwrap_or_else(|| queues.to_vec()))
    }

    /// The queues that are [paused](Self::pause).
    ///
    /// See the example of [`pause`](Self::pause).
    pub fn paused(&self) -> Vec<QueueName> {
        let sub = self.sub();
        self.shared().run(|core, _| core.engine.held(sub)).unwrap_or_default()
    }

    /// Commits all that was polled, what the last poll gave included. Each queue's offset is a
    /// request (15), and this resolves when all are answered, within `request_timeout`, or twice
    /// that where another commit of a queue has to end before. Dropping it lets them go on.
    ///
    /// ```no_run
    /// # use rocketry_core::client::PullConsumer;
    /// # fn f(consumer: &PullConsumer) -> Result<(), Box<dyn std::error::Error>> {
    /// if let Err(error) = consumer.commit().wait() {
    ///     eprintln!("{error}; again may help: {}", error.is_retriable());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "commitSync", alias = "commitAll")]
    pub fn commit(&self) -> Pending<Result<(), CommitError>> {
        self.commit_what(Commit::Polled)
    }

    /// Commits all that was polled of one queue, otherwise as [`commit`](Self::commit).
    ///
    /// ```no_run
    /// # use rocketry_core::client::PullConsumer;
    /// # fn f(consumer: &PullConsumer) -> Result<(), Box<dyn std::error::Error>> {
    /// for queue in consumer.queues() {
    ///     consumer.commit_queue(&queue).wait()?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn commit_queue(&self, queue: &QueueName) -> Pending<Result<(), CommitError>> {
        self.commit_what(Commit::Queue(queue.clone()))
    }

    /// Commits these offsets, each that of the message to go on with, whatever was polled; it may
    /// be less than was committed before. Otherwise as [`commit`](Self::commit). With
    /// `auto_commit` what is settled replaces an offset before it within `commit_interval`.
    ///
    /// ```no_run
    /// # use rocketry_core::client::{MessageView, PullConsumer};
    /// # type Outcome = Result<(), Box<dyn std::error::Error>>;
    /// # fn f(consumer: &PullConsumer, last: &MessageView) -> Outcome {
    /// let next = last.offset().map(|offset| (last.queue().clone(), offset + 1));
    /// consumer.commit_offsets(next).wait()?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "commitSync", alias = "updateOffset", alias = "updateConsumeOffset")]
    pub fn commit_offsets(
        &self,
        offsets: impl IntoIterator<Item = (QueueName, i64)>,
    ) -> Pending<Result<(), CommitError>> {
        let offsets: BTreeMap<QueueName, i64> = offsets.into_iter().collect();
        self.commit_what(Commit::Offsets(offsets))
    }

    fn commit_what(&self, what: Commit) -> Pending<Result<(), CommitError>> {
        let sub = self.sub();
        let begun = self.shared().run(|core, now| {
            let op = core.engine.commit(now, sub, what)?;
            core.waiting.insert::<Result<(), CommitError>>(op);
            Ok(op)
        });
        match begun {
            Some(Ok(op)) => Pending::call::<Result<(), CommitError>>(self.shared().clone(), op),
            Some(Err(error)) => Pending::ready(Err(error)),
            None => Pending::ready(Err(self.shared().nobody(CommitError::Stopped))),
        }
    }

    /// The offset of the next message that a poll may give of a queue; `None` where it is none of
    /// the consumer's, or where it begins is not known yet.
    ///
    /// ```no_run
    /// # use rocketry_core::client::PullConsumer;
    /// # fn f(consumer: &PullConsumer) -> Result<(), Box<dyn std::error::Error>> {
    /// for queue in consumer.queues() {
    ///     let (next, stored) = (consumer.position(&queue), consumer.committed(&queue).wait()?);
    ///     println!("{queue}: next {next:?}, committed {stored:?}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn position(&self, queue: &QueueName) -> Option<i64> {
        let sub = self.sub();
        self.shared().run(|core, _| core.engine.position(sub, queue)).flatten()
    }

    /// The offset that the group has stored of a queue, whoever reads it, as its broker tells it
    /// (14). For a queue whose first message is still in memory brokers before 5.0 answer 0 where
    /// there is none.
    ///
    /// See the example of [`position`](Self::position).
    pub fn committed(&self, queue: &QueueName) -> Asked<Option<i64>> {
        offsets::committed(self.shared(), &self.group, queue)
    }

    /// The offset of a queue's first message stored at that time or later by the broker's clock
    /// (29); what [`Admin::search_offset`](crate::client::Admin::search_offset) gives.
    ///
    /// ```no_run
    /// # use rocketry_core::client::PullConsumer;
    /// # use std::time::SystemTime;
    /// # fn f(consumer: &PullConsumer) -> Result<(), Box<dyn std::error::Error>> {
    /// for queue in consumer.queues() {
    ///     println!("{}", consumer.offset_for_time(&queue, SystemTime::now()).wait()?);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "offsetForTimestamp", alias = "searchOffset")]
    pub fn offset_for_time(&self, queue: &QueueName, time: impl Into<UnixMillis>) -> Asked<i64> {
        offsets::search(self.shared(), queue, time.into())
    }

    /// What is denied to this client's access key, as [`ConsumerHandle::denied`]: a poll that
    /// gives nothing does not tell.
    ///
    /// ```no_run
    /// # use rocketry_core::client::PullConsumer;
    /// # fn f(consumer: &PullConsumer) {
    /// if let Some(denied) = consumer.denied() {
    ///     eprintln!("nothing can come: {denied}");
    /// }
    /// # }
    /// ```
    pub fn denied(&self) -> Option<Denial> {
        self.consumer.denied()
    }

    /// Resolves when the consumer has left its group, whoever ended it, with how it went.
    ///
    /// ```no_run
    /// # use rocketry_core::client::PullControl;
    /// # async fn f(control: PullControl) -> Result<(), Box<dyn std::error::Error>> {
    /// println!("{:?}", control.ended().await?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn ended(&self) -> Pending<Result<Ended, EndError>> {
        self.consumer.ended()
    }
}

fn first(others: Vec<QueueName>) -> Result<(), NotAssigned> {
    others.into_iter().next().map_or(Ok(()), |queue| Err(NotAssigned { queue }))
}
