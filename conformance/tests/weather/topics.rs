//! A consumer of very many topics.

use std::time::{Duration, Instant};

use rocketry::{Message, Start, Topic};
use rocketry_conformance::broker::{ClusterConfig, TopicConfig};
use rocketry_conformance::serve::Served;

use crate::children::child;
use crate::leaks::memory;
use crate::rig::{On, Rig, eventually};

const TOPICS: usize = 10_000;
/// What the process may grow by, in KiB: the consumer, and what the broker in the same process
/// keeps of it.
const MOST: usize = 100 * 1024;

fn name(number: usize) -> String {
    format!("one_of_many_{number}")
}

/// The memory of a whole process is looked at.
#[test]
fn limit_05_a_consumer_of_ten_thousand_topics_takes_less_than_100_mib() {
    let output = child("ten thousand topics", On::Tokio).output().expect("a process");
    let said = String::from_utf8_lossy(&output.stdout);
    said.lines().filter(|line| line.contains("topics")).for_each(|line| println!("{line}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}\n{errors}");
}

pub(crate) fn ten_thousand(on: On) {
    let topics = (0..TOPICS).map(|number| TopicConfig::new(name(number), 1)).collect();
    let config = ClusterConfig { topics, ..ClusterConfig::default() };
    let served = Served::start(config).expect("a served cluster");
    let sender = Rig::start(on, &served.namesrv());
    let producer = sender.client.producer("many").expect("a producer");
    let send = |number: usize| {
        let topic = Topic::new(name(number)).expect("a topic");
        producer.send(Message::new(topic, "x")).wait().expect("stored");
    };
    send(0);
    let rig = Rig::start(on, &served.namesrv());
    let (before, begun) = (memory(), Instant::now());
    let mut builder = rig.client.consumer("of_many").expect("a group").start_at(Start::First);
    for number in 0..TOPICS {
        builder = builder.topic(name(number), "*");
    }
    let mut consumer = builder.start().expect("a consumer");
    let all = || served.with(|cluster| cluster.held_pulls(0)) >= TOPICS;
    let come = eventually(Duration::from_secs(120), all);
    let held = served.with(|cluster| cluster.held_pulls(0));
    assert!(come, "{held} of {TOPICS} topics are read");
    let (took, grown) = (begun.elapsed(), memory().saturating_sub(before));
    println!("{on:?}: {TOPICS} topics are read after {took:?}; the process grew by {grown} KiB");
    for number in [1, TOPICS / 2, TOPICS - 1] {
        send(number);
    }
    for _ in 0..4 {
        let next = consumer.recv_timeout(Duration::from_secs(20)).expect("a message in time");
        assert!(next.expect("a readable message").ack().is_taken(), "ours still");
    }
    assert!(grown < MOST, "{grown} KiB");
}
