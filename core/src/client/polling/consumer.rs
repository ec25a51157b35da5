//! The handle that polls messages.

use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::control::PullControl;
use crate::client::awaiting::Wait;
use crate::client::delivery::{Unreadable, opened};
use crate::client::ended::{EndError, Ended};
use crate::client::pending::Pending;
use crate::client::received::RecvError;
use crate::client::shared::Owner;
use crate::client::view::MessageView;
use crate::consumer::Handout;
use crate::id::SubscriptionId;
use crate::name::Group;
use crate::time::Instant;

/// A message that was polled, or one that can't be read: the next poll settles it as all others,
/// and its own verbs do nothing. Who does not want it passed [seeks](PullControl::seek) back to it,
/// or commits by hand and leaves it out.
pub type Polled = Result<MessageView, Unreadable>;

/// Polls messages, as Java's lite pull consumer does: of the queues that the members of the group
/// share, or of those that it was assigned. They are pulled ahead in the background, within the
/// limits of each queue's window.
///
/// What one poll gives is settled by the next one, or by [`close`](Self::close), and not before:
/// what is in hand when the process dies, or when its queue goes to another member, comes again.
/// What is settled is committed every `commit_interval`, or only when it is
/// [asked for](PullControl::commit). Java counts what it hands out as consumed at once.
///
/// Everything but polling may be done by any thread, by a [`PullControl`], which this is as well.
///
/// ```no_run
/// # use rocketry_core::client::Client;
/// # use std::time::Duration;
/// # fn f(client: &Client) -> Result<(), Box<dyn std::error::Error>> {
/// let mut consumer = client.pull_consumer("audit")?.topic("orders", "*").start()?;
/// loop {
///     for polled in consumer.poll(Duration::from_secs(5))? {
///         match polled {
///             Ok(message) => println!("{:?} from {}", message.body(), message.queue()),
///             Err(unreadable) => eprintln!("{unreadable}"),
///         }
///     }
/// }
/// # }
/// ```
#[doc(alias = "DefaultLitePullConsumer", alias = "LitePullConsumer")]
#[doc(alias = "DefaultMQPullConsumer", alias = "MQPullConsumer")]
pub struct PullConsumer {
    owner: Arc<Owner>,
    control: PullControl,
    /// A thread has waited, and messages came soon.
    soon: bool,
}

impl fmt::Debug for PullConsumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PullConsumer").field("sub", &self.control.sub()).finish_non_exhaustive()
    }
}

impl Deref for PullConsumer {
    type Target = PullControl;

    fn deref(&self) -> &PullControl {
        &self.control
    }
}

/// What [`PullConsumer::next`] gives: messages, or none after its time.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct NextPoll<'a> {
    consumer: &'a mut PullConsumer,
    by: Instant,
    /// It is woken at the end of its time.
    reminded: bool,
}

impl Future for NextPoll<'_> {
    type Output = Result<Vec<Polled>, RecvError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(polled) = self.consumer.poll_given(&mut Wait::parked(cx.waker())) {
            return Poll::Ready(polled);
        }
        let shared = self.consumer.owner.shared().clone();
        if shared.clock().now() >= self.by {
            return Poll::Ready(Ok(Vec::new()));
        }
        if !std::mem::replace(&mut self.reminded, true) {
            let (sub, by) = (self.consumer.control.sub(), self.by);
            shared.run(|core, now| core.engine.remind(now, sub, by));
        }
        Poll::Pending
    }
}

impl PullConsumer {
    pub(super) fn new(
        owner: Arc<Owner>,
        (sub, group): (SubscriptionId, Group),
        assigned: bool,
    ) -> Self {
        let control = PullControl::new(owner.shared().clone(), (sub, group), assigned);
        Self { owner, control, soon: false }
    }

    /// Settles what the last poll gave, and gives up to `poll_batch` (10) messages: as soon as
    /// there is one, or none after `within`. With [`Duration::ZERO`] it gives what is there now,
    /// and waits for nothing on any thread.
    ///
    /// They are of any of its queues, each queue's in order. What a filter leaves out is left out
    /// here as well.
    ///
    /// # Errors
    ///
    /// Where none will come any more, or on a thread that must not wait, as
    /// [`Consumer::recv`](crate::client::Consumer::recv).
    ///
    /// See the [example](Self).
    #[doc(alias = "setPollTimeoutMillis", alias = "pull")]
    pub fn poll(&mut self, within: Duration) -> Result<Vec<Polled>, RecvError> {
        let shared = self.owner.shared().clone();
        let now = shared.clock().now();
        if shared.is_forked_by(now) {
            return Err(RecvError::Forked);
        }
        if within.is_zero() {
            let polled = self.poll_given(&mut Wait::parked(Waker::noop()));
            return if let Poll::Ready(polled) = polled { polled } else { Ok(Vec::new()) };
        }
        if !shared.may_block() {
            return Err(RecvError::WouldDeadlock);
        }
        let mut soon = self.soon;
        let by = Some(now + within);
        let polled = shared.await_messages(by, &mut soon, |wait| self.poll_given(wait));
        self.soon = soon;
        polled.unwrap_or_else(|| Ok(Vec::new()))
    }

    /// As [`poll`](Self::poll), awaited. What the last one gave is settled when this is polled for
    /// the first time. Dropping it loses nothing: what it did not give is given by the next one.
    ///
    /// ```no_run
    /// # use rocketry_core::client::PullConsumer;
    /// # use std::time::Duration;
    /// # async fn f(mut consumer: PullConsumer) -> Result<(), Box<dyn std::error::Error>> {
    /// for message in consumer.next(Duration::from_secs(5)).await?.iter().flatten() {
    ///     println!("{:?}", message.body());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn next(&mut self, within: Duration) -> NextPoll<'_> {
        let by = self.owner.shared().clock().now() + within;
        NextPoll { consumer: self, by, reminded: false }
    }

    fn poll_given(&mut self, wait: &mut Wait<'_>) -> Poll<Result<Vec<Polled>, RecvError>> {
        let (shared, sub) = (self.owner.shared(), self.control.sub());
        loop {
            // The one that is left here is dropped after the lock.
            let mut waker = Some(wait.waker().clone());
            let mut refused = None;
            let given = shared.run(|core, now| {
                let consumer = core.consumers.get(&sub)?;
                let given = core.engine.poll_messages(now, sub);
                if given.is_empty() {
                    if !core.engine.gives(sub) {
                        refused = consumer.refused.clone();
                        return None;
                    }
                    wait.begin(core, sub, &mut waker);
                }
                Some(given)
            });
            let Some(given) = given.flatten() else {
                let ended = refused.map(RecvError::Filter);
                return Poll::Ready(Err(ended.unwrap_or_else(|| shared.end_of_messages())));
            };
            if given.is_empty() {
                wait.begun(shared);
                return Poll::Pending;
            }
            let polled: Vec<Polled> = given.iter().flat_map(messages).collect();
            // All of them may be of tags that only share a hash with one that is asked for.
            if !polled.is_empty() {
                return Poll::Ready(Ok(polled));
            }
        }
    }

    /// Another handle of this consumer, for any thread.
    ///
    /// ```no_run
    /// # use rocketry_core::client::PullConsumer;
    /// # fn f(consumer: &PullConsumer) {
    /// let control = consumer.control();
    /// std::thread::spawn(move || control.seek_to_begin(&control.queues()[0]).wait());
    /// # }
    /// ```
    pub fn control(&self) -> PullControl {
        self.control.clone()
    }

    /// Settles what the last poll gave, and leaves the group: what is settled is committed with the
    /// broker's answer, unless nothing is committed that was not asked for. Resolves when it has
    /// left, at the latest after `shutdown_timeout`; dropping it stops nothing.
    ///
    /// A consumer that is dropped leaves as well, and what it had in hand comes again. The same
    /// holds of one that is not polled any more when the client is shut down, which waits for it:
    /// close it before.
    ///
    /// ```no_run
    /// # use rocketry_core::client::PullConsumer;
    /// # fn f(consumer: PullConsumer) -> Result<(), Box<dyn std::error::Error>> {
    /// println!("{:?}", consumer.close().wait()?);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "shutdown", alias = "Shutdown")]
    pub fn close(self) -> Pending<Result<Ended, EndError>> {
        let sub = self.control.sub();
        self.owner.shared().run(|core, now| core.engine.settle_polled(now, sub));
        let ended = self.control.ended();
        self.control.leave();
        ended
    }
}

/// The messages of a run that are wanted, opened: their checksums are looked at here, in the
/// consumer's thread.
fn messages(run: &Handout) -> impl Iterator<Item = Polled> {
    let wanted = (run.next..run.end).filter(|index| run.batch.wanted(*index));
    wanted.map(|index| opened(&run.batch, index))
}

impl Drop for PullConsumer {
    fn drop(&mut self) {
        self.control.leave();
    }
}
