//! The works as tasks, on any runtime that has them.

use std::collections::VecDeque;
use std::future::{Future, ready};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use rocketry::{CheckedHalf, Client, Consumer, Message, Producer, Resolution};

use super::burst::Burst;
use super::figures::{Latencies, Start};
use super::handled::{self, Counted, GLANCE, Handled};
use super::runtimes::Tasks;
use super::{BenchError, Job, PATIENCE, QUIET, Report, Work, committed, group};

pub(super) async fn run<T: Tasks>(tasks: T, job: Job) -> Result<Report, BenchError> {
    let client = T::connect(job.plan.config()?)?;
    let report = match job.plan.work {
        Work::Sync => sync(&tasks, &client, &job).await,
        Work::Transaction => transactions(&tasks, &client, &job).await,
        Work::Async => window(&client, &job).await,
        Work::Batch => batch(&client, &job).await,
        Work::Oneway => oneway(&client, &job).await,
        Work::Burst => burst(&client, &job).await,
        Work::Consume | Work::ConsumeOrderly => consume::<T>(&client, &job).await,
        Work::ConsumePull => polls::<T>(&client, &job).await,
        Work::Handlers => handlers::<T>(&client, &job).await,
        Work::Latency => latency::<T>(&client, &job).await,
    };
    let report = report.map(|report| report.watched(&client));
    let _ = client.shutdown().await;
    report
}

async fn warmed(client: &Client, job: &Job) -> Result<Producer, BenchError> {
    let producer = client.producer("bench")?;
    let mut tally = job.progress.tally();
    for number in 0..job.plan.warm {
        producer.send(job.plan.message(number)).await?;
        tally.add(1);
    }
    Ok(producer)
}

/// Has each caller do its share of a work, one message after the other.
async fn callers<T, F, W>(tasks: &T, job: &Job, work: F) -> Result<Report, BenchError>
where
    T: Tasks,
    F: Fn(Message) -> W + Clone + Send + 'static,
    W: Future<Output = Result<(), BenchError>> + Send,
{
    let shared = Arc::new(job.clone());
    let start = Start::now();
    let spawned: Vec<_> = (0..job.plan.parallel)
        .map(|caller| {
            let (work, job) = (work.clone(), shared.clone());
            tasks.spawn(async move {
                let mut latencies = Latencies::new(&job.progress)?;
                for number in 0..job.plan.share(caller) {
                    let begun = Instant::now();
                    work(job.plan.message(number)).await?;
                    latencies.add(begun, 1);
                }
                Ok::<_, BenchError>(latencies)
            })
        })
        .collect();
    let mut latencies = Latencies::new(&job.progress)?;
    for caller in spawned {
        latencies.merge(&caller.await??);
    }
    Ok(start.end(job, &latencies))
}

async fn sync<T: Tasks>(tasks: &T, client: &Client, job: &Job) -> Result<Report, BenchError> {
    let producer = warmed(client, job).await?;
    let send = move |message| {
        let sent = producer.send(message);
        async move { Ok(sent.await.map(drop)?) }
    };
    callers(tasks, job, send).await
}

async fn transactions<T: Tasks>(
    tasks: &T,
    client: &Client,
    job: &Job,
) -> Result<Report, BenchError> {
    warmed(client, job).await?;
    let unknown = |_: &CheckedHalf| Resolution::Unknown;
    let producer = client.transaction_producer(group(), unknown)?;
    let transact = move |message| {
        let begun = producer.begin(message);
        async move { committed(begun.await?.commit().await?) }
    };
    callers(tasks, job, transact).await
}

async fn window(client: &Client, job: &Job) -> Result<Report, BenchError> {
    let (producer, plan) = (warmed(client, job).await?, &job.plan);
    let mut latencies = Latencies::new(&job.progress)?;
    let mut window = VecDeque::with_capacity(plan.parallel);
    let start = Start::now();
    for number in 0..plan.count {
        if window.len() == plan.parallel
            && let Some((begun, pending)) = window.pop_front()
        {
            pending.await?;
            latencies.add(begun, 1);
        }
        window.push_back((Instant::now(), producer.send(plan.message(number))));
    }
    for (begun, pending) in window {
        pending.await?;
        latencies.add(begun, 1);
    }
    Ok(start.end(job, &latencies))
}

async fn batch(client: &Client, job: &Job) -> Result<Report, BenchError> {
    let producer = warmed(client, job).await?;
    let mut latencies = Latencies::new(&job.progress)?;
    let start = Start::now();
    for numbers in job.plan.batches() {
        let begun = Instant::now();
        let messages: Vec<_> = numbers.map(|number| job.plan.message(number)).collect();
        producer.send_batch(&messages).await?;
        latencies.add(begun, messages.len());
    }
    Ok(start.end(job, &latencies))
}

async fn oneway(client: &Client, job: &Job) -> Result<Report, BenchError> {
    let producer = warmed(client, job).await?;
    let mut latencies = Latencies::new(&job.progress)?;
    let start = Start::now();
    for number in 0..job.plan.count {
        let begun = Instant::now();
        producer.send_oneway(job.plan.message(number)).await?;
        latencies.add(begun, 1);
    }
    Ok(start.end(job, &latencies))
}

async fn burst(client: &Client, job: &Job) -> Result<Report, BenchError> {
    let (producer, plan) = (warmed(client, job).await?, &job.plan);
    let mut latencies = Latencies::new(&job.progress)?;
    let (start, first, mut ends) = (Start::now(), Instant::now(), Burst::default());
    let begin = |number| (Instant::now(), producer.send(plan.message(number)));
    let begun: Vec<_> = (0..plan.count).map(begin).collect();
    for (since, pending) in begun {
        ends.add(&pending.await);
        latencies.add(since, 1);
    }
    ends.took = first.elapsed();
    let report = start.end(job, &latencies);
    let (begun, next) = begin(plan.count);
    Ok(Report { burst: Some(ends.followed(begun, &next.await)), ..report })
}

/// Each message is sent once the one before it has come.
async fn latency<T: Tasks>(client: &Client, job: &Job) -> Result<Report, BenchError> {
    let (plan, producer) = (&job.plan, client.producer("bench")?);
    let mut consumer = client.consumer(group())?.topic(plan.topic.clone(), "*").start()?;
    // What a young topic has already, see `Start::Last`.
    while let Some(Ok(before)) = T::timeout(QUIET, consumer.next()).await {
        before?.ack();
    }
    let mut latencies = Latencies::new(&job.progress)?;
    let mut start = Start::now();
    for number in 0..plan.warm + plan.count {
        if number == plan.warm {
            (start, latencies) = (Start::now(), Latencies::new(&job.progress)?);
        }
        let begun = Instant::now();
        let sent = producer.send(plan.message(number));
        let next = T::timeout(PATIENCE, consumer.next()).await;
        let Some(Ok(delivery)) = next else { return Err(BenchError::Starved(number)) };
        latencies.add(begun, 1);
        delivery?.ack();
        sent.await?;
    }
    Ok(start.end(job, &latencies))
}

/// A timer for each wait would be no work of the client's: one looks now and then whether it goes
/// on.
async fn consume<T: Tasks>(client: &Client, job: &Job) -> Result<Report, BenchError> {
    let (consumer, seen) = (handled::builder(client, job)?.start()?, AtomicUsize::new(0));
    let mut taking = pin!(taking(consumer, job, &seen));
    loop {
        let before = seen.load(Ordering::Relaxed);
        match T::timeout(PATIENCE, taking.as_mut()).await {
            Some(report) => return report,
            None if seen.load(Ordering::Relaxed) == before => {
                return Err(BenchError::Starved(before));
            }
            None => {}
        }
    }
}

/// Takes messages as an application does.
async fn taking(
    mut consumer: Consumer,
    job: &Job,
    seen: &AtomicUsize,
) -> Result<Report, BenchError> {
    let plan = &job.plan;
    let (mut start, mut tally) = (Start::now(), job.progress.tally());
    for number in 0..plan.warm + plan.count {
        if number == plan.warm {
            start = Start::now();
        }
        // The queue stays ours: there is no other member.
        consumer.next().await.map_err(|_| BenchError::Starved(number))??.ack();
        seen.store(number + 1, Ordering::Relaxed);
        tally.add(1);
    }
    Ok(start.end(job, &Latencies::new(&job.progress)?))
}

async fn polls<T: Tasks>(client: &Client, job: &Job) -> Result<Report, BenchError> {
    let mut consumer = handled::polled(client, job)?;
    let mut counted = Counted::new(job);
    loop {
        let given = consumer.next(PATIENCE).await;
        if let Some(report) = counted.add(job, given.unwrap_or_default())? {
            return Ok(report);
        }
    }
}

async fn handlers<T: Tasks>(client: &Client, job: &Job) -> Result<Report, BenchError> {
    let mut handled = Handled::new(job);
    let (count, (consumer, options)) = (handled.counter(job), handled::consumer(client, job)?);
    let run = consumer.run_async(options, move |_| {
        count();
        ready(())
    })?;
    loop {
        let pause = T::timeout(GLANCE, std::future::pending::<()>()).await;
        debug_assert!(pause.is_none(), "nothing comes of it");
        if let Some(report) = handled.look(job)? {
            drop(run);
            return Ok(report);
        }
    }
}
