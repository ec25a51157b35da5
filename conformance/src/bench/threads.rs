//! The works on plain threads.

use std::collections::VecDeque;
use std::thread;
use std::time::Instant;

use rocketry::{CheckedHalf, Client, Pending, Producer, Resolution, SendError, SendReceipt};

use super::burst::Burst;
use super::figures::{Latencies, Start};
use super::handled::{self, Counted, GLANCE, Handled};
use super::{BenchError, Job, PATIENCE, QUIET, Report, Work, committed, group};

type Sent = Result<SendReceipt, SendError>;

pub(super) fn run(job: &Job) -> Result<Report, BenchError> {
    let client = rocketry::blocking::connect(job.plan.config()?)?;
    let report = match job.plan.work {
        Work::Sync => sync(&client, job),
        Work::Transaction => transactions(&client, job),
        Work::Async => window(&client, job),
        Work::Batch => batch(&client, job),
        Work::Oneway => oneway(&client, job),
        Work::Burst => burst(&client, job),
        Work::Consume | Work::ConsumeOrderly => consume(&client, job),
        Work::ConsumePull => polls(&client, job),
        Work::Handlers => handlers(&client, job),
        Work::Latency => latency(&client, job),
    };
    let report = report.map(|report| report.watched(&client));
    let _ = client.shutdown().wait();
    report
}

fn warmed(client: &Client, job: &Job) -> Result<Producer, BenchError> {
    let producer = client.producer("bench")?;
    let mut tally = job.progress.tally();
    for number in 0..job.plan.warm {
        producer.send(job.plan.message(number)).wait()?;
        tally.add(1);
    }
    Ok(producer)
}

fn sync(client: &Client, job: &Job) -> Result<Report, BenchError> {
    let (producer, plan) = (&warmed(client, job)?, &job.plan);
    callers(job, |number| Ok(producer.send(plan.message(number)).wait().map(drop)?))
}

fn transactions(client: &Client, job: &Job) -> Result<Report, BenchError> {
    warmed(client, job)?;
    let unknown = |_: &CheckedHalf| Resolution::Unknown;
    let producer = client.transaction_producer(group(), unknown)?;
    callers(job, |number| {
        let half = producer.begin(job.plan.message(number)).wait()?;
        committed(half.commit().wait()?)
    })
}

/// Has `parallel` callers do one after the other.
fn callers(
    job: &Job,
    each: impl Fn(usize) -> Result<(), BenchError> + Sync,
) -> Result<Report, BenchError> {
    let (plan, each) = (&job.plan, &each);
    let start = Start::now();
    let call = |caller| {
        let mut latencies = Latencies::new(&job.progress)?;
        for number in 0..plan.share(caller) {
            let begun = Instant::now();
            each(number)?;
            latencies.add(begun, 1);
        }
        Ok::<_, BenchError>(latencies)
    };
    let latencies = thread::scope(|scope| {
        let callers: Vec<_> =
            (0..plan.parallel).map(|caller| scope.spawn(move || call(caller))).collect();
        let mut all = Latencies::new(&job.progress)?;
        for caller in callers {
            all.merge(&caller.join().map_err(|_| BenchError::Panicked)??);
        }
        Ok::<_, BenchError>(all)
    })?;
    Ok(start.end(job, &latencies))
}

fn window(client: &Client, job: &Job) -> Result<Report, BenchError> {
    let (producer, plan) = (warmed(client, job)?, &job.plan);
    let mut latencies = Latencies::new(&job.progress)?;
    let mut window: VecDeque<(Instant, Pending<Sent>)> = VecDeque::with_capacity(plan.parallel);
    let start = Start::now();
    for number in 0..plan.count {
        if window.len() == plan.parallel
            && let Some((begun, pending)) = window.pop_front()
        {
            pending.wait()?;
            latencies.add(begun, 1);
        }
        window.push_back((Instant::now(), producer.send(plan.message(number))));
    }
    for (begun, pending) in window {
        pending.wait()?;
        latencies.add(begun, 1);
    }
    Ok(start.end(job, &latencies))
}

fn batch(client: &Client, job: &Job) -> Result<Report, BenchError> {
    let producer = warmed(client, job)?;
    let mut latencies = Latencies::new(&job.progress)?;
    let start = Start::now();
    for numbers in job.plan.batches() {
        let begun = Instant::now();
        let messages: Vec<_> = numbers.map(|number| job.plan.message(number)).collect();
        producer.send_batch(&messages).wait()?;
        latencies.add(begun, messages.len());
    }
    Ok(start.end(job, &latencies))
}

fn oneway(client: &Client, job: &Job) -> Result<Report, BenchError> {
    let producer = warmed(client, job)?;
    let mut latencies = Latencies::new(&job.progress)?;
    let start = Start::now();
    for number in 0..job.plan.count {
        let begun = Instant::now();
        producer.send_oneway(job.plan.message(number)).wait()?;
        latencies.add(begun, 1);
    }
    Ok(start.end(job, &latencies))
}

fn burst(client: &Client, job: &Job) -> Result<Report, BenchError> {
    let (producer, plan) = (warmed(client, job)?, &job.plan);
    let mut latencies = Latencies::new(&job.progress)?;
    let (start, first, mut ends) = (Start::now(), Instant::now(), Burst::default());
    let begin = |number| (Instant::now(), producer.send(plan.message(number)));
    let begun: Vec<(Instant, Pending<Sent>)> = (0..plan.count).map(begin).collect();
    for (since, pending) in begun {
        ends.add(&pending.wait());
        latencies.add(since, 1);
    }
    ends.took = first.elapsed();
    let report = start.end(job, &latencies);
    let (begun, next) = begin(plan.count);
    Ok(Report { burst: Some(ends.followed(begun, &next.wait())), ..report })
}

/// Each message is sent once the one before it has come.
fn latency(client: &Client, job: &Job) -> Result<Report, BenchError> {
    let (plan, producer) = (&job.plan, client.producer("bench")?);
    let mut consumer = client.consumer(group())?.topic(plan.topic.clone(), "*").start()?;
    // What a young topic has already, see `Start::Last`.
    while let Ok(before) = consumer.recv_timeout(QUIET) {
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
        let next = consumer.recv_timeout(PATIENCE);
        let Ok(delivery) = next else { return Err(BenchError::Starved(number)) };
        latencies.add(begun, 1);
        delivery?.ack();
        sent.wait()?;
    }
    Ok(start.end(job, &latencies))
}

fn consume(client: &Client, job: &Job) -> Result<Report, BenchError> {
    let plan = &job.plan;
    let mut consumer = handled::builder(client, job)?.start()?;
    let (mut start, mut tally) = (Start::now(), job.progress.tally());
    for seen in 0..plan.warm + plan.count {
        if seen == plan.warm {
            start = Start::now();
        }
        let next = consumer.recv_timeout(PATIENCE);
        let Ok(delivery) = next else { return Err(BenchError::Starved(seen)) };
        // The queue stays ours: there is no other member.
        delivery?.ack();
        tally.add(1);
    }
    Ok(start.end(job, &Latencies::new(&job.progress)?))
}

fn polls(client: &Client, job: &Job) -> Result<Report, BenchError> {
    let mut consumer = handled::polled(client, job)?;
    let mut counted = Counted::new(job);
    loop {
        let given = consumer.poll(PATIENCE);
        if let Some(report) = counted.add(job, given.unwrap_or_default())? {
            return Ok(report);
        }
    }
}

fn handlers(client: &Client, job: &Job) -> Result<Report, BenchError> {
    let mut handled = Handled::new(job);
    let (count, (consumer, options)) = (handled.counter(job), handled::consumer(client, job)?);
    let run = consumer.run(options, move |_| count())?;
    loop {
        thread::sleep(GLANCE);
        if let Some(report) = handled.look(job)? {
            drop(run);
            return Ok(report);
        }
    }
}
