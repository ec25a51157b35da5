//! The works as tasks of tokio.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use rocketry::{Client, Producer, Start as From};

use super::figures::{Latencies, Start};
use super::{BenchError, PATIENCE, Plan, Report, Runtime, WARM, WARM_CONSUME, Work, group};

pub(super) async fn run(plan: Plan) -> Result<Report, BenchError> {
    let client = rocketry::tokio::connect(plan.config()?)?;
    let report = match plan.work {
        Work::Sync => sync(&client, plan).await,
        Work::Async => window(&client, &plan).await,
        Work::Consume => consume(&client, &plan).await,
    };
    client.shutdown().await;
    report
}

async fn warmed(client: &Client, plan: &Plan) -> Result<Producer, BenchError> {
    let producer = client.producer("bench")?;
    for number in 0..WARM {
        producer.send(plan.message(number)).await?;
    }
    Ok(producer)
}

async fn sync(client: &Client, plan: Plan) -> Result<Report, BenchError> {
    let producer = warmed(client, &plan).await?;
    let (plan, each) = (Arc::new(plan.clone()), plan.count / plan.parallel);
    let start = Start::now();
    let callers: Vec<_> = (0..plan.parallel)
        .map(|_| {
            let (producer, plan) = (producer.clone(), plan.clone());
            tokio::spawn(async move {
                let mut latencies = Latencies::new()?;
                for number in 0..each {
                    let begun = Instant::now();
                    producer.send(plan.message(number)).await?;
                    latencies.add(begun);
                }
                Ok::<_, BenchError>(latencies)
            })
        })
        .collect();
    let mut latencies = Latencies::new()?;
    for caller in callers {
        latencies.merge(&caller.await.map_err(|_| BenchError::Panicked)??);
    }
    Ok(start.end(&plan, Runtime::Tokio, each * plan.parallel, &latencies))
}

async fn window(client: &Client, plan: &Plan) -> Result<Report, BenchError> {
    let producer = warmed(client, plan).await?;
    let mut latencies = Latencies::new()?;
    let mut window = VecDeque::with_capacity(plan.parallel);
    let start = Start::now();
    for number in 0..plan.count {
        if window.len() == plan.parallel
            && let Some((begun, pending)) = window.pop_front()
        {
            pending.await?;
            latencies.add(begun);
        }
        window.push_back((Instant::now(), producer.send(plan.message(number))));
    }
    for (begun, pending) in window {
        pending.await?;
        latencies.add(begun);
    }
    Ok(start.end(plan, Runtime::Tokio, plan.count, &latencies))
}

async fn consume(client: &Client, plan: &Plan) -> Result<Report, BenchError> {
    let builder = client.consumer(group())?.topic(plan.topic.clone(), "*").start_at(From::First);
    let mut consumer = builder.start()?;
    let (mut start, mut seen) = (None, 0);
    while seen < WARM_CONSUME + plan.count {
        let next = tokio::time::timeout(PATIENCE, consumer.next()).await;
        let Ok(Some(delivery)) = next else { return Err(BenchError::Starved(seen)) };
        // The queue stays ours: there is no other member.
        let _ = delivery?.ack();
        seen += 1;
        if seen == WARM_CONSUME {
            start = Some(Start::now());
        }
    }
    let start = start.unwrap_or_else(Start::now);
    Ok(start.end(plan, Runtime::Tokio, seen - WARM_CONSUME, &Latencies::new()?))
}
