//! A slave that stands in for its master.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rocketry::{Consumer, Message, Start};

use crate::broker::ClusterConfig;
use crate::cases::common::{all, named};
use crate::cases::off::end;
use crate::cases::ord::lockable;
use crate::cases::place::{Place, Setting, note};
use crate::cases::reading::{SOON, acked, committed_sum, next, number, queues, send_to};
use crate::cases::slaves::Pair;
use crate::rig::{Rig, eventually};

pub(crate) const ACTING: &[Setting] =
    &[("enableSlaveActingMaster", "true"), ("slaveReadEnable", "true")];
const TOPIC: &str = "acted";
/// Messages of each of two queues.
const EACH: usize = 60;

/// A member, and the messages of each queue in the order in which they came.
struct Work {
    rig: Rig,
    group: String,
    consumer: Consumer,
    seen: BTreeMap<u32, Vec<usize>>,
}

impl Work {
    /// Takes messages until so many different ones have come.
    fn take(&mut self, count: usize) {
        while self.seen.values().map(Vec::len).sum::<usize>() < count {
            let delivery = next(&mut self.consumer);
            let seen = self.seen.entry(delivery.queue().queue).or_default();
            if !seen.contains(&number(&delivery)) {
                seen.push(number(&delivery));
            }
            acked(delivery);
        }
    }

    /// The group's offsets and locks are at that broker.
    fn is_at(&self, watcher: &Rig, broker: &str, count: i64) {
        let stored = || committed_sum(watcher, broker, &self.group, TOPIC, 2);
        assert!(eventually(SOON * 2, || stored() >= count), "{} of {count} stored", stored());
        let queues = queues(watcher, TOPIC);
        let free = || lockable(watcher, broker, &self.group, &queues);
        assert!(eventually(SOON, || free() == 0), "{}: {} are not locked", self.group, free());
    }
}

/// Waits until the route gives this address as the master's.
fn await_master(watcher: &Rig, address: &str) -> Duration {
    let begun = Instant::now();
    let told = || watcher.client.admin().route(&named(TOPIC)).wait();
    let is_there = || {
        told().is_ok_and(|route| {
            route.brokers[0].addresses.get(&0).is_some_and(|at| **at == *address)
        })
    };
    assert!(eventually(SOON * 3, is_there), "{:?}", told());
    begun.elapsed()
}

pub(crate) fn a_consumer_reads_commits_and_locks_at_an_acting_master(place: &Place) {
    let embedded = ClusterConfig { acting_masters: true, slave_reads: true, ..Default::default() };
    let mut pair = Pair::start(place, embedded, (TOPIC, 2));
    let (master, slave) = (pair.master(), pair.slave());
    let watcher = Rig::watcher(&pair.namesrv());
    // The second queue first: the first one's end tells that the slave has both.
    queues(&watcher, TOPIC).iter().rev().for_each(|queue| send_to(&watcher, queue, 0..EACH));
    let copied = || end(&watcher.client, &slave, TOPIC) == Some(EACH as i64);
    assert!(eventually(SOON * 2, copied), "the slave copied nothing");
    let mut works = all(&place.pair(), |on| {
        let mut config = rocketry::Config::new(pair.namesrv()).expect("settings");
        config.route_refresh_interval = Duration::from_secs(2);
        config.send_timeout = Duration::from_secs(2);
        let (rig, group) = (Rig::with(on, config), format!("acted_{}", on.name()));
        let builder = rig.client.consumer(&*group).expect("a group").topic(TOPIC, "*");
        let consumer = builder.orderly().start_at(Start::First).start().expect("a consumer");
        Work { rig, group, consumer, seen: BTreeMap::new() }
    });
    for work in &mut works {
        work.take(40);
        work.is_at(&watcher, &master, 40);
    }
    pair.kill_master();
    let took = await_master(&watcher, &slave);
    note!(place, "the slave stands in for its master {took:?} after the kill");
    for work in &mut works {
        let begun = Instant::now();
        work.take(80);
        note!(place, "{}: 40 messages of the acting master in {:?}", work.group, begun.elapsed());
        work.is_at(&watcher, &slave, 80);
        let producer = work.rig.client.producer("refused").expect("a producer");
        let error = producer.send(Message::new(named(TOPIC), "x")).wait();
        note!(place, "a send says: {}", error.expect_err("nothing is stored there"));
    }
    pair.restart_master();
    let took = await_master(&watcher, &master);
    note!(place, "the master is in the route {took:?} after its start");
    for work in &mut works {
        work.take(2 * EACH);
        work.is_at(&watcher, &master, 2 * EACH as i64);
        let wanted: Vec<usize> = (0..EACH).collect();
        assert!(work.seen.values().all(|seen| *seen == wanted), "{:?}", work.seen);
    }
}
