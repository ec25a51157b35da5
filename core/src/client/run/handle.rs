//! The handle of handlers that run.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::super::control::ConsumerHandle;
use super::super::ended::{EndError, Ended};
use super::super::opening::Opening;
use super::super::pending::Pending;
use super::super::shared::Owner;
use super::feed::Feed;
use super::options::{RunError, RunOptions};
use super::pool::{MakeWork, Pool};
use super::tally::RunStats;
use crate::consumer::Handout;

/// A consumer whose handlers run, until it is [stopped](Self::stop), its client shuts down, or this
/// is dropped.
///
/// Dropping it leaves the group at once, in the background, as dropping a
/// [`Consumer`](crate::client::Consumer) does: what is settled is committed, and messages whose
/// handlers have not ended go to other members.
#[must_use = "dropping it ends the consumer at once"]
pub struct Run {
    /// Keeps the client.
    _owner: Arc<Owner>,
    control: ConsumerHandle,
    pool: Arc<Pool>,
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (_, target) = self.pool.feed.workers();
        let mut shown = f.debug_struct("Run");
        shown.field("consumer", &self.control).field("concurrency", &target);
        shown.finish_non_exhaustive()
    }
}

/// Begins to hand the messages of a consumer to handlers.
pub(in crate::client) fn start(
    owner: Arc<Owner>,
    control: ConsumerHandle,
    (first, opening): (Option<Handout>, Opening),
    options: RunOptions,
    make: Box<MakeWork>,
) -> Result<Run, RunError> {
    if let Err(wrong) = options.check() {
        control.leave();
        return Err(wrong);
    }
    let begin = options.begin();
    let feed = Feed::new(control.clone(), first, begin);
    let pool = Pool::new(feed, options, opening, make);
    let run = Run { _owner: owner, control, pool };
    run.pool.resize(begin)?;
    Ok(run)
}

impl Run {
    /// Ends it in good order: nothing more is pulled or given to a handler, those that are busy
    /// have `within` to end, what they settled is committed with the broker's answer, and the
    /// queues go to other members. Resolves when that is done, at the latest after `within` and
    /// `shutdown_timeout`, as [`Consumer::drain`](crate::client::Consumer::drain), and says whether
    /// handlers were still busy; dropping it stops nothing.
    ///
    /// ```no_run
    /// # use rocketry_core::client::{Consumer, Ended, RunOptions};
    /// # use std::time::Duration;
    /// # fn f(consumer: Consumer) -> Result<(), Box<dyn std::error::Error>> {
    /// let run = consumer.run(RunOptions::default(), |message| println!("{message:?}"))?;
    /// std::thread::sleep(Duration::from_secs(60));
    /// if run.stop(Duration::from_secs(10)).wait()? != Ended::InOrder {
    ///     eprintln!("some handlers took too long: their messages will come again");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "shutdown", alias = "awaitTerminateMillis", alias = "drain")]
    pub fn stop(self, within: Duration) -> Pending<Result<Ended, EndError>> {
        self.control.drain(within)
    }

    /// Resolves when the consumer has left its group, whoever ended it: the client's shutdown, a
    /// [`ConsumerHandle`], or the end of its runtime. Dropping it stops nothing.
    ///
    /// ```no_run
    /// # use rocketry_core::client::{Consumer, RunOptions};
    /// # fn f(consumer: Consumer) -> Result<(), Box<dyn std::error::Error>> {
    /// let run = consumer.run(RunOptions::default(), |message| println!("{message:?}"))?;
    /// println!("{:?}", run.ended().wait()?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn ended(&self) -> Pending<Result<Ended, EndError>> {
        self.control.ended()
    }

    /// Runs so many handlers at once from now on, or the nearest number that the options allow,
    /// and says how many. With fewer, those that are too many end after the message they are at.
    ///
    /// # Errors
    ///
    /// When the system gives no thread; those that could be started run.
    ///
    /// ```no_run
    /// # use rocketry_core::client::{Consumer, RunOptions};
    /// # fn f(consumer: Consumer) -> Result<(), Box<dyn std::error::Error>> {
    /// let run = consumer.run(RunOptions::default().concurrency(1..=64), |_| ())?;
    /// assert_eq!(run.set_concurrency(100)?, 64);
    /// println!("{} handlers at once", run.concurrency());
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "updateCorePoolSize", alias = "incCorePoolSize", alias = "decCorePoolSize")]
    pub fn set_concurrency(&self, workers: usize) -> io::Result<usize> {
        self.pool.resize(workers)
    }

    /// How many handlers may run at once.
    ///
    /// See the example of [`set_concurrency`](Self::set_concurrency).
    pub fn concurrency(&self) -> usize {
        self.pool.feed.workers().1
    }

    /// What the handlers did so far. Sends nothing, and takes no lock of the client's.
    ///
    /// ```no_run
    /// # use rocketry_core::client::Run;
    /// # fn f(run: &Run) {
    /// let stats = run.stats();
    /// println!("{} handled, {} failed", stats.handled, stats.failed);
    /// println!("99 of 100 took no more than {:?}", stats.times.quantile(0.99));
    /// # }
    /// ```
    pub fn stats(&self) -> RunStats {
        self.pool.stats()
    }

    /// A handle of the consumer, to suspend and resume it by, from any thread.
    ///
    /// ```no_run
    /// # use rocketry_core::client::Run;
    /// # fn f(run: &Run) {
    /// run.control().suspend();
    /// # }
    /// ```
    pub fn control(&self) -> ConsumerHandle {
        self.control.clone()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.control.leave();
    }
}
