//! Handlers that do nothing but count, and how far they are.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rocketry::{
    Client, Consumer, ConsumerBuilder, Polled, PullConsumer, RunOptions, Start as From,
};

use super::figures::{Latencies, Start};
use super::progress::Tally;
use super::{BenchError, Job, PATIENCE, Report, Work, group};

/// Between two looks at how far the handlers are.
pub(super) const GLANCE: Duration = Duration::from_millis(1);

/// What the handlers of one run have counted, and when the clock started.
pub(super) struct Handled {
    seen: Arc<(AtomicUsize, Mutex<Start>)>,
    told: usize,
    moved: Instant,
    tally: Tally,
}

impl Handled {
    pub(super) fn new(job: &Job) -> Self {
        let seen = Arc::new((AtomicUsize::new(0), Mutex::new(Start::now())));
        Self { seen, told: 0, moved: Instant::now(), tally: job.progress.tally() }
    }

    /// Counts one message.
    pub(super) fn counter(&self, job: &Job) -> impl Fn() + Clone + Send + Sync + 'static {
        let (own, warm) = (self.seen.clone(), job.plan.warm);
        move || {
            if own.0.fetch_add(1, Ordering::Relaxed) == warm {
                *own.1.lock().unwrap_or_else(PoisonError::into_inner) = Start::now();
            }
        }
    }

    /// The figures, once all are counted.
    pub(super) fn look(&mut self, job: &Job) -> Result<Option<Report>, BenchError> {
        let all = job.plan.warm + job.plan.count;
        let seen = self.seen.0.load(Ordering::Relaxed).min(all);
        if seen > self.told {
            self.tally.add(seen - self.told);
            (self.told, self.moved) = (seen, Instant::now());
        }
        if seen == all {
            let start = *self.seen.1.lock().unwrap_or_else(PoisonError::into_inner);
            return Ok(Some(start.end(job, &Latencies::new(&job.progress)?)));
        }
        if self.moved.elapsed() > PATIENCE {
            return Err(BenchError::Starved(seen));
        }
        Ok(None)
    }
}

/// What a consumer that polls has counted, and when the clock started.
pub(super) struct Counted {
    seen: usize,
    start: Start,
    tally: Tally,
}

impl Counted {
    pub(super) fn new(job: &Job) -> Self {
        Self { seen: 0, start: Start::now(), tally: job.progress.tally() }
    }

    /// Counts what one poll gave, nothing where none came for long. Gives the figures once all are
    /// counted: the clock starts with the poll that ends the warming up.
    pub(super) fn add(
        &mut self,
        job: &Job,
        given: Vec<Polled>,
    ) -> Result<Option<Report>, BenchError> {
        let (plan, before) = (&job.plan, self.seen);
        if given.is_empty() {
            return Err(BenchError::Starved(before));
        }
        let all = plan.warm + plan.count;
        for polled in given {
            drop(polled?);
            self.seen = (self.seen + 1).min(all);
        }
        self.tally.add(self.seen - before);
        if before < plan.warm && plan.warm <= self.seen {
            self.start = Start::now();
        }
        if self.seen < all {
            return Ok(None);
        }
        Ok(Some(self.start.end(job, &Latencies::new(&job.progress)?)))
    }
}

/// A consumer from the first offset on, in whichever order the work says.
pub(super) fn builder(client: &Client, job: &Job) -> Result<ConsumerBuilder, BenchError> {
    let builder = client.consumer(group())?.topic(job.plan.topic.clone(), "*");
    let builder = builder.start_at(From::First);
    Ok(if job.plan.work == Work::ConsumeOrderly { builder.orderly() } else { builder })
}

/// A consumer that polls from the first offset on.
pub(super) fn polled(client: &Client, job: &Job) -> Result<PullConsumer, BenchError> {
    let builder = client.pull_consumer(group())?.topic(job.plan.topic.clone(), "*");
    Ok(builder.start_at(From::First).start()?)
}

/// A consumer from the first offset on, and how its messages are handled.
pub(super) fn consumer(client: &Client, job: &Job) -> Result<(Consumer, RunOptions), BenchError> {
    let consumer = builder(client, job)?.start()?;
    Ok((consumer, RunOptions::default().concurrency(job.plan.parallel)))
}
