//! Clients that are dropped leave no thread, no task and no file descriptor behind.
//!
//! The counts are of a whole process, so each runs in one of its own.

use std::env;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use rocketry::{Client, Message, Start, Topic};
use rocketry_conformance::broker::{Fault, Requests};

use crate::children::{child, counted};
use crate::rig::{On, eventually, tokio_runtime};
use crate::{TOPIC, on_all, served};

on_all!(
    life_02_clients_dropped_at_work_leave_nothing_behind,
    limit_09_a_hundred_clients_leave_nothing_behind,
    connections_that_were_lost_leave_nothing_behind,
);

/// Runs a body in its process.
fn alone(mut command: Command, on: On) {
    let output = command.output().expect("a process");
    let said = String::from_utf8_lossy(&output.stdout);
    let found = said.lines().filter(|line| line.contains("threads"));
    found.for_each(|line| println!("{on:?}: {line}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}\n{errors}");
}

fn limit_09_a_hundred_clients_leave_nothing_behind(on: On) {
    alone(counted(on, 100), on);
}

/// `LEAKS_ON=smol` and its like ask for one runtime only.
#[test]
#[ignore = "takes minutes: LIMIT-09 in full"]
fn limit_09_ten_thousand_clients_leave_nothing_behind() {
    let only = env::var("LEAKS_ON").ok().and_then(|name| On::named(&name));
    let all = On::ALL.into_iter().filter(|on| only.is_none_or(|only| only == *on));
    all.for_each(|on| alone(counted(on, 10_000), on));
}

fn life_02_clients_dropped_at_work_leave_nothing_behind(on: On) {
    alone(child("dropped", on), on);
}

fn connections_that_were_lost_leave_nothing_behind(on: On) {
    alone(child("lost connections", on), on);
}

/// Threads and open files of this process. Those of the pool that smol and async-std share for name
/// lookups are the pool's: it keeps one or two, however many clients come and go.
fn counts() -> (usize, usize) {
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let name = |task: fs::DirEntry| fs::read_to_string(task.path().join("comm"));
    let names = tasks.filter_map(|task| name(task).ok());
    let threads = names.filter(|name| !name.starts_with("blocking-")).count();
    (threads, fs::read_dir("/proc/self/fd").map_or(0, Iterator::count))
}

/// Waits until no more is there than before.
fn settles_at(before: (usize, usize), within: Duration) -> bool {
    eventually(within, || {
        let now = counts();
        now.0 <= before.0 && now.1 <= before.1
    })
}

/// Kibibytes of memory that this process holds.
pub(crate) fn memory() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

fn connect(on: On, namesrv: &str) -> Client {
    match on {
        On::Threads => rocketry::blocking::connect(namesrv).expect("a client"),
        On::Tokio => rocketry::tokio::connect(namesrv).expect("a client"),
        On::Smol => rocketry::smol::connect(namesrv).expect("a client"),
        On::AsyncStd => rocketry::async_std::connect(namesrv).expect("a client"),
    }
}

fn message() -> Message {
    Message::new(Topic::new(TOPIC).expect("a topic"), "x")
}

/// One client with a producer and a consumer, used and dropped in one of the possible orders.
fn cycle(on: On, namesrv: &str, number: usize) {
    let client = connect(on, namesrv);
    let producer = client.producer("leaks").expect("a producer");
    let builder = client.consumer(format!("leaks-{number}")).expect("a group").topic(TOPIC, "*");
    let mut consumer = builder.start_at(Start::First).start().expect("a consumer");
    producer.send(message()).wait().expect("sent");
    let got = consumer.recv_timeout(Duration::from_secs(10)).expect("a message");
    let delivery = got.expect("a readable message");
    match number % 4 {
        0 => {
            assert!(delivery.ack().is_taken(), "ours still");
            drop(client);
            drop(consumer);
            drop(producer);
        }
        1 => {
            drop(delivery);
            drop(producer);
            drop(client);
            drop(consumer);
        }
        2 => {
            // The handle of a message outlives everything else.
            drop(consumer);
            drop((producer, client));
            drop(delivery);
        }
        _ => {
            assert!(delivery.ack().is_taken(), "ours still");
            consumer.close().wait().expect("an end");
            client.shutdown().wait().expect("an end");
        }
    }
}

pub(crate) fn cycles(on: On, count: usize) {
    let served = served();
    let tokio = tokio_runtime();
    let _entered = tokio.enter();
    cycle(on, &served.namesrv(), 0);
    std::thread::sleep(Duration::from_secs(1));
    let (before, begun) = (counts(), Instant::now());
    let (mut most, held) = (before, memory());
    for number in 1..=count {
        cycle(on, &served.namesrv(), number);
        let now = counts();
        most = (most.0.max(now.0), most.1.max(now.1));
    }
    let took = begun.elapsed();
    let settled = settles_at(before, Duration::from_secs(15));
    println!(
        "(threads, files): {before:?} before, {most:?} most, {:?} after {} clients in {took:?}; \
         {held} KiB before, {} after, the broker's and its log included",
        counts(),
        count,
        memory()
    );
    assert_nothing_left(settled, before, &tokio);
}

fn assert_nothing_left(settled: bool, before: (usize, usize), tokio: &tokio::runtime::Runtime) {
    assert!(settled, "{:?} after {before:?}", counts());
    let idle = eventually(Duration::from_secs(5), || tokio.metrics().num_alive_tasks() == 0);
    assert!(idle, "{} tasks", tokio.metrics().num_alive_tasks());
}

/// Clients that are dropped, without a shutdown, while the broker owes them answers.
pub(crate) fn dropped(on: On) {
    let served = served();
    let tokio = tokio_runtime();
    let _entered = tokio.enter();
    cycle(on, &served.namesrv(), 0);
    std::thread::sleep(Duration::from_secs(1));
    let before = counts();
    for number in 0..4 {
        let client = connect(on, &served.namesrv());
        let producer = client.producer("leaks").expect("a producer");
        producer.send(message()).wait().expect("sent");
        let name = format!("leaks-{number}");
        let builder = client.consumer(name).expect("a group").topic(TOPIC, "*");
        let consumer = builder.start_at(Start::First).start().expect("a consumer");
        served.with(|cluster| cluster.push_faults(Requests::Sends, [Fault::Lose; 4]));
        let pending: Vec<_> = (0..4).map(|_| producer.send(message())).collect();
        drop((client, consumer, producer));
        if number % 2 == 0 {
            drop(pending);
        } else {
            pending.into_iter().for_each(|pending| drop(pending.wait()));
        }
        served.with(|cluster| cluster.clear_faults());
    }
    let settled = settles_at(before, Duration::from_secs(15));
    println!("(threads, files): {before:?} before, {:?} after", counts());
    assert_nothing_left(settled, before, &tokio);
}

pub(crate) fn lost_connections(on: On) {
    let served = served();
    let tokio = tokio_runtime();
    let _entered = tokio.enter();
    let client = connect(on, &served.namesrv());
    let producer = client.producer("leaks").expect("a producer");
    producer.send(message()).wait().expect("sent");
    let (before, tasks) = (counts(), tokio.metrics().num_alive_tasks());
    for _ in 0..30 {
        served.with(|cluster| cluster.disconnect(0));
        producer.send(message()).wait().expect("sent on a new connection");
    }
    let settled = settles_at(before, Duration::from_secs(5));
    println!("(threads, files): {before:?} before, {:?} after 30 losses", counts());
    assert!(settled, "{:?} after {before:?}", counts());
    assert_eq!(tokio.metrics().num_alive_tasks(), tasks);
}
