//! Who reads on threads, told by how often the connections' own readers are woken. A test binary of
//! its own: no other client's threads are in its process.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

use std::fs;

use rocketry::{Config, Message, Producer, Topic};
use rocketry_conformance::broker::ClusterConfig;
use rocketry_conformance::serve::Served;

const TOPIC: &str = "reading";

/// How often the client's readers have gone to sleep so far.
fn sleeps() -> u64 {
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten().map(|task| task.path());
    let named = |path: &std::path::PathBuf| {
        fs::read_to_string(path.join("comm")).is_ok_and(|name| name.trim() == "rocketry-read")
    };
    let count = |path: std::path::PathBuf| {
        let status = fs::read_to_string(path.join("status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        line.and_then(|count| count.trim().parse::<u64>().ok()).unwrap_or_default()
    };
    tasks.filter(named).map(count).sum()
}

fn send(producer: &Producer, count: u64) {
    for _ in 0..count {
        let message = Message::new(Topic::new(TOPIC).unwrap(), "x");
        producer.send(message).wait().unwrap();
    }
}

#[test]
fn a_caller_that_waits_alone_still_reads_for_itself_after_many_calls() {
    let served = Served::start(ClusterConfig::default().topic(TOPIC, 4)).unwrap();
    let config = Config::new(served.namesrv()).unwrap();
    let client = rocketry::blocking::connect(config).unwrap();
    let producer = client.producer("reading").unwrap();
    send(&producer, 200);
    // Others read for a while, and the caller has to come to it again.
    for _ in 0..3 {
        let waiting: Vec<_> =
            (0..20).map(|_| producer.send(Message::new(Topic::new(TOPIC).unwrap(), "x"))).collect();
        waiting.into_iter().for_each(|call| drop(futures::executor::block_on(call).unwrap()));
        send(&producer, 200);
        let (before, count) = (sleeps(), 4000);
        send(&producer, count);
        let slept = sleeps() - before;
        // The reader looks every few milliseconds; each answer it reads itself wakes it once.
        assert!(slept < count / 2, "readers slept {slept} times in {count} calls");
    }
}
