//! The works on plain threads.

use std::collections::VecDeque;
use std::thread;
use std::time::Instant;

use rocketry::{Client, Pending, Producer, SendError, SendReceipt, Start as From};

use super::figures::{Latencies, Start};
use super::{BenchError, PATIENCE, Plan, Report, Runtime, WARM, WARM_CONSUME, Work, group};

type Sent = Result<SendReceipt, SendError>;

pub(super) fn run(plan: &Plan) -> Result<Report, BenchError> {
    let client = rocketry::blocking::connect(plan.config()?)?;
    let report = match plan.work {
        Work::Sync => sync(&client, plan),
        Work::Async => window(&client, plan),
        Work::Consume => consume(&client, plan),
    };
    client.shutdown().wait();
    report
}

fn warmed(client: &Client, plan: &Plan) -> Result<Producer, BenchError> {
    let producer = client.producer("bench")?;
    for number in 0..WARM {
        producer.send(plan.message(number)).wait()?;
    }
    Ok(producer)
}

fn sync(client: &Client, plan: &Plan) -> Result<Report, BenchError> {
    let producer = warmed(client, plan)?;
    let each = plan.count / plan.parallel;
    let start = Start::now();
    let caller = || {
        let mut latencies = Latencies::new()?;
        for number in 0..each {
            let begun = Instant::now();
            producer.send(plan.message(number)).wait()?;
            latencies.add(begun);
        }
        Ok::<_, BenchError>(latencies)
    };
    let latencies = thread::scope(|scope| {
        let callers: Vec<_> = (0..plan.parallel).map(|_| scope.spawn(caller)).collect();
        let mut all = Latencies::new()?;
        for caller in callers {
            all.merge(&caller.join().map_err(|_| BenchError::Panicked)??);
        }
        Ok::<_, BenchError>(all)
    })?;
    Ok(start.end(plan, Runtime::Std, each * plan.parallel, &latencies))
}

fn window(client: &Client, plan: &Plan) -> Result<Report, BenchError> {
    let producer = warmed(client, plan)?;
    let mut latencies = Latencies::new()?;
    let mut window: VecDeque<(Instant, Pending<Sent>)> = VecDeque::with_capacity(plan.parallel);
    let start = Start::now();
    for number in 0..plan.count {
        if window.len() == plan.parallel
            && let Some((begun, pending)) = window.pop_front()
        {
            pending.wait()?;
            latencies.add(begun);
        }
        window.push_back((Instant::now(), producer.send(plan.message(number))));
    }
    for (begun, pending) in window {
        pending.wait()?;
        latencies.add(begun);
    }
    Ok(start.end(plan, Runtime::Std, plan.count, &latencies))
}

fn consume(client: &Client, plan: &Plan) -> Result<Report, BenchError> {
    let builder = client.consumer(group())?.topic(plan.topic.clone(), "*").start_at(From::First);
    let mut consumer = builder.start()?;
    let (mut start, mut seen) = (None, 0);
    while seen < WARM_CONSUME + plan.count {
        let Some(delivery) = consumer.recv_timeout(PATIENCE) else {
            return Err(BenchError::Starved(seen));
        };
        // The queue stays ours: there is no other member.
        let _ = delivery?.ack();
        seen += 1;
        if seen == WARM_CONSUME {
            start = Some(Start::now());
        }
    }
    let start = start.unwrap_or_else(Start::now);
    Ok(start.end(plan, Runtime::Std, seen - WARM_CONSUME, &Latencies::new()?))
}
