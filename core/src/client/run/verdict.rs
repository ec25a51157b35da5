//! What handlers may say of a message.

use std::fmt;
use std::time::Duration;

/// What is to become of a message, by its handler's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[doc(alias = "ConsumeConcurrentlyStatus", alias = "ConsumeResult", alias = "ConsumeStatus")]
pub enum Verdict {
    /// It is done with, as by [`Delivery::ack`](crate::client::Delivery::ack).
    #[doc(alias = "CONSUME_SUCCESS", alias = "ConsumeSuccess")]
    Ack,
    /// It is to come again, to whichever member of the group, as by
    /// [`Delivery::retry`](crate::client::Delivery::retry). Of an
    /// [orderly](crate::client::ConsumerBuilder::orderly) consumer, here and with the next two: the
    /// queue rests, and then the same message comes again to it.
    #[doc(alias = "RECONSUME_LATER", alias = "ConsumeRetryLater")]
    Retry,
    /// The same after about that time, as by
    /// [`Delivery::retry_after`](crate::client::Delivery::retry_after).
    #[doc(alias = "setDelayLevelWhenNextConsume")]
    RetryAfter(Duration),
    /// It is to come again to this consumer after that time, and the broker is not told, as by
    /// [`Delivery::retry_here`](crate::client::Delivery::retry_here).
    RetryHere(Duration),
    /// It can never be handled and goes to the dead letters, as by
    /// [`Delivery::reject`](crate::client::Delivery::reject).
    Reject,
}

/// What a handler's return value means: a verdict, and why. A handler may return whatever turns
/// into one: nothing or [`Verdict`]; or a `Result` of either, whose error means
/// [`Verdict::Retry`] and is logged with the message's place, but nothing of its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handled {
    /// What is to become of the message.
    pub verdict: Verdict,
    /// Why it could not be handled.
    pub error: Option<String>,
}

impl From<Verdict> for Handled {
    fn from(verdict: Verdict) -> Self {
        Self { verdict, error: None }
    }
}

impl From<()> for Handled {
    fn from((): ()) -> Self {
        Verdict::Ack.into()
    }
}

impl From<()> for Verdict {
    fn from((): ()) -> Self {
        Self::Ack
    }
}

impl<T: Into<Verdict>, E: fmt::Display> From<Result<T, E>> for Handled {
    fn from(result: Result<T, E>) -> Self {
        match result {
            Ok(done) => done.into().into(),
            Err(error) => Self { verdict: Verdict::Retry, error: Some(error.to_string()) },
        }
    }
}

/// What a handler of batches may say beside its verdict.
#[derive(Debug, Default)]
#[doc(alias = "ConsumeConcurrentlyContext")]
pub struct BatchContext {
    done: Option<usize>,
    later: Option<Duration>,
}

impl BatchContext {
    /// The first `count` messages are done with, whatever becomes of the rest: that is decided by
    /// the verdict, and a verdict of [`Verdict::Ack`] counts as [`Verdict::Retry`] for it. It holds
    /// as well where the handler panics later. The last word counts.
    ///
    /// ```
    /// use rocketry_core::client::{BatchContext, MessageView};
    ///
    /// fn store(messages: &[MessageView], batch: &mut BatchContext) -> std::io::Result<()> {
    ///     for (before, message) in messages.iter().enumerate() {
    ///         batch.done(before);
    ///         std::fs::write("last", message.body())?;
    ///     }
    ///     batch.done(messages.len());
    ///     Ok(())
    /// }
    /// ```
    #[doc(alias = "setAckIndex", alias = "ackIndex")]
    pub const fn done(&mut self, count: usize) {
        self.done = Some(count);
    }

    /// What is to be retried comes again after `pause`, unless the verdict names another one.
    ///
    /// ```
    /// # use rocketry_core::client::BatchContext;
    /// # use std::time::Duration;
    /// # fn f(batch: &mut BatchContext) {
    /// batch.retry_after(Duration::from_secs(30));
    /// # }
    /// ```
    #[doc(alias = "setDelayLevelWhenNextConsume")]
    pub const fn retry_after(&mut self, pause: Duration) {
        self.later = Some(pause);
    }

    /// How many are done with, of so many, and what becomes of the rest.
    pub(super) fn split(&self, of: usize, verdict: Verdict) -> (usize, Verdict) {
        let (done, rest) = match (self.done, verdict) {
            (None, Verdict::Ack) => (of, Verdict::Ack),
            (None, verdict) => (0, verdict),
            (Some(done), Verdict::Ack) => (done.min(of), Verdict::Retry),
            (Some(done), verdict) => (done.min(of), verdict),
        };
        match (rest, self.later) {
            (Verdict::Retry, Some(pause)) => (done, Verdict::RetryAfter(pause)),
            (rest, _) => (done, rest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_handlers_return_is_a_verdict() {
        assert_eq!(Handled::from(()).verdict, Verdict::Ack);
        assert_eq!(Handled::from(Verdict::Reject).verdict, Verdict::Reject);
        let none: Result<(), String> = Ok(());
        assert_eq!(Handled::from(none).verdict, Verdict::Ack);
        let some: Result<Verdict, String> = Ok(Verdict::Reject);
        assert_eq!(Handled::from(some).verdict, Verdict::Reject);
        let failed: Result<(), &str> = Err("no room");
        let handled = Handled::from(failed);
        assert_eq!((handled.verdict, handled.error.as_deref()), (Verdict::Retry, Some("no room")));
    }

    #[test]
    fn of_a_batch_the_first_may_be_done_and_the_rest_has_the_verdict() {
        let split = |done, later, verdict| BatchContext { done, later }.split(8, verdict);
        let pause = Duration::from_secs(9);
        assert_eq!(split(None, None, Verdict::Ack), (8, Verdict::Ack));
        assert_eq!(split(None, None, Verdict::Retry), (0, Verdict::Retry));
        assert_eq!(split(Some(3), None, Verdict::Ack), (3, Verdict::Retry));
        assert_eq!(split(Some(3), Some(pause), Verdict::Ack), (3, Verdict::RetryAfter(pause)));
        assert_eq!(split(Some(3), Some(pause), Verdict::Reject), (3, Verdict::Reject));
        assert_eq!(split(Some(99), None, Verdict::Ack).0, 8);
    }
}
