//! How a consumer's handlers are run.

use std::fmt;
use std::io;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use super::super::delivery::Unreadable;
use super::verdict::Verdict;

/// Workers at the start, unless the options say otherwise.
const WORKERS: usize = 16;
/// Workers at most, whatever the options say.
const MOST: usize = 10_000;
/// Messages of a batch at most, unless the options say otherwise.
const BATCH: usize = 32;

/// The bounds of the number of workers: made of one number, or of a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Concurrency(RangeInclusive<usize>);

impl From<usize> for Concurrency {
    fn from(workers: usize) -> Self {
        Self(workers..=workers)
    }
}

impl From<RangeInclusive<usize>> for Concurrency {
    fn from(bounds: RangeInclusive<usize>) -> Self {
        Self(bounds)
    }
}

type OnUnreadableCall = Arc<dyn Fn(&Unreadable) -> Verdict + Send + Sync>;

/// How a consumer's handlers are run: 1 to 64 workers, 16 at the start, and batches of up to 32
/// where batches are handled, unless told otherwise.
///
/// ```
/// use std::time::Duration;
/// use rocketry_core::client::RunOptions;
///
/// let options = RunOptions::default().concurrency(1..=64).start_with(20);
/// let batches = RunOptions::default().concurrency(2).batch(500, Duration::from_millis(100));
/// ```
#[derive(Clone)]
pub struct RunOptions {
    bounds: RangeInclusive<usize>,
    start: Option<usize>,
    batch: usize,
    wait: Duration,
    unreadable: Option<OnUnreadableCall>,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self { bounds: 1..=64, start: None, batch: BATCH, wait: Duration::ZERO, unreadable: None }
    }
}

impl fmt::Debug for RunOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("RunOptions");
        shown.field("bounds", &self.bounds).field("start", &self.start);
        shown.field("batch", &self.batch).field("wait", &self.wait).finish_non_exhaustive()
    }
}

impl RunOptions {
    /// So many handlers at once; or, of a range, at least and at most so many, with
    /// [`Run::set_concurrency`](super::Run::set_concurrency) for changes: at the start 16, or what
    /// of the range is nearest to that. No more than 10 000.
    #[must_use]
    #[doc(alias = "setConsumeThreadMin", alias = "setConsumeThreadMax", alias = "set_thread_count")]
    #[doc(
        alias = "consume_thread_min",
        alias = "consume_thread_max",
        alias = "WithConsumeGoroutineNums"
    )]
    pub fn concurrency(mut self, workers: impl Into<Concurrency>) -> Self {
        self.bounds = workers.into().0;
        self
    }

    /// Begins with so many workers.
    #[must_use]
    pub const fn start_with(mut self, workers: usize) -> Self {
        self.start = Some(workers);
        self
    }

    /// Gives a handler of batches up to `most` messages. What is there is given at once; with
    /// `wait`, a batch that is not full waits so long for more.
    #[must_use]
    #[doc(alias = "setConsumeMessageBatchMaxSize", alias = "WithConsumeMessageBatchMaxSize")]
    pub const fn batch(mut self, most: usize, wait: Duration) -> Self {
        (self.batch, self.wait) = (most, wait);
        self
    }

    /// Asks `call` what is to become of each message that can't be read. Without it such a message
    /// is held and comes again after pauses that grow up to 30 s, with a warning in the log each
    /// time, and the group's offset waits for it: nothing is lost, and nothing is silent. Of a
    /// consumer made with [`OnUnreadable::Settle`](crate::client::OnUnreadable::Settle) it is
    /// settled already, whatever `call` says, and logged once.
    ///
    /// | `call` says | the message |
    /// |---|---|
    /// | `Ack` | is passed by the group's offset |
    /// | `Reject` | becomes a dead letter, by its place in the broker's log; it counts as failed |
    /// | `RetryHere` | comes again to this consumer after that pause |
    /// | `RetryAfter` | the same: no broker sends again what can't be read |
    /// | `Retry` | the same, after pauses that grow up to 30 s |
    ///
    /// Where `call` is given, the log is its own affair; a panic of it is told, and is a `Retry`.
    #[must_use]
    pub fn on_unreadable(
        mut self,
        call: impl Fn(&Unreadable) -> Verdict + Send + Sync + 'static,
    ) -> Self {
        self.unreadable = Some(Arc::new(call));
        self
    }

    /// What must hold of them.
    pub(super) fn check(&self) -> Result<(), RunError> {
        let (least, most) = (*self.bounds.start(), *self.bounds.end());
        if least == 0 || least > most || most > MOST {
            return Err(RunError::Concurrency(self.bounds.clone()));
        }
        if self.start.is_some_and(|workers| !self.bounds.contains(&workers)) {
            return Err(RunError::Start(self.bounds.clone()));
        }
        if self.batch == 0 {
            return Err(RunError::Batch);
        }
        Ok(())
    }

    /// The nearest number of workers that is allowed.
    pub(super) fn clamp(&self, workers: usize) -> usize {
        workers.clamp(*self.bounds.start(), *self.bounds.end())
    }

    /// Workers at the start.
    pub(super) fn begin(&self) -> usize {
        self.start.unwrap_or_else(|| self.clamp(WORKERS))
    }

    /// Messages of a batch at most, and how long one waits for more.
    pub(super) const fn batches(&self) -> (usize, Duration) {
        (self.batch, self.wait)
    }

    /// What the application says of a message that can't be read.
    pub(super) const fn unreadable(&self) -> Option<&OnUnreadableCall> {
        self.unreadable.as_ref()
    }
}

/// Why handlers can't be run. Their consumer has left its group.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// No worker, too many, or bounds that leave no number.
    #[error(
        "concurrency must be at least 1 and at most {MOST}, and a range begin with the lesser \
         number: {0:?}"
    )]
    Concurrency(RangeInclusive<usize>),
    /// Another number of workers at the start than the bounds allow.
    #[error("the number of workers to start with must be within {0:?}")]
    Start(RangeInclusive<usize>),
    /// Batches of nothing.
    #[error("a batch must have room for a message")]
    Batch,
    /// The system gave no thread, or the client's host runs no work.
    #[error("the client's host runs no worker: {0}")]
    Spawn(#[from] io::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_can_not_work_are_refused_by_name() {
        let options = RunOptions::default;
        assert!(options().check().is_ok());
        assert_eq!((options().begin(), options().clamp(99)), (16, 64));
        assert_eq!(options().concurrency(3).begin(), 3);
        assert_eq!(options().concurrency(20..=30).begin(), 20);
        assert_eq!(options().concurrency(1..=30).start_with(7).begin(), 7);
        let wrong = |options: RunOptions| options.check().unwrap_err().to_string();
        assert!(wrong(options().concurrency(0)).contains("at least 1"));
        assert!(wrong(options().concurrency(1..=usize::MAX)).contains("at most 10000"));
        assert!(options().concurrency(MOST).check().is_ok());
        #[expect(clippy::reversed_empty_ranges, reason = "as wrong as can be")]
        let reversed = options().concurrency(3..=2);
        assert!(wrong(reversed).contains("3..=2"));
        assert!(wrong(options().concurrency(1..=4).start_with(5)).contains("1..=4"));
        assert!(wrong(options().batch(0, Duration::ZERO)).contains("batch"));
    }
}
