//! Real brokers that leave: one that says `GO_AWAY` first, one that comes back at another port, one
//! that falls silent beside another.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use crate::live::{self, Cluster, Condition};
use rocketry::{Message, Topic};

use crate::cases::common::all;
use crate::cases::place::{Place, note};
use crate::rig::collector::Collector;
use crate::rig::load::Load;
use crate::rig::{On, Rig, eventually};

fn two_masters(place: &Place) -> Cluster {
    place.cluster(|options| options.brokers = 2)
}

/// A runtime that sends to a topic on both masters and consumes it.
struct Work<'p> {
    place: &'p Place,
    on: On,
    rig: Rig,
    load: Load,
    collector: Collector,
}

impl<'p> Work<'p> {
    fn start(on: On, cluster: &Cluster, place: &'p Place) -> Self {
        let topic = format!("moves_{on:?}");
        cluster.create_topic(&topic, 4).expect("the topic is created");
        let rig = Rig::start(on, &cluster.namesrv());
        let collector = Collector::start(&rig, &format!("group_{on:?}"), &topic);
        let load = Load::start(&rig, &topic, 4, Duration::from_millis(5));
        let work = Self { place, on, rig, load, collector };
        for broker in ["broker-a", "broker-b"] {
            let flows = || work.answered(broker, None) > 100;
            assert!(eventually(Duration::from_secs(30), flows), "{on:?}: {broker} is not used");
        }
        let comes = || work.collector.look(|seen| seen.ids.len() > 100);
        assert!(eventually(Duration::from_secs(30), comes), "{on:?}: nothing comes");
        work
    }

    /// How many messages a broker has answered, since then where a time is given.
    fn answered(&self, broker: &str, from: Option<Instant>) -> usize {
        self.load.look(|outcome| {
            let sent = outcome.sent.iter();
            let by = sent.filter(|(receipt, at)| {
                *receipt.broker == *broker && from.is_none_or(|from| *at > from)
            });
            by.count()
        })
    }

    /// Attempts to connect so far, whatever came of them.
    fn connects(&self) -> u64 {
        let counters = self.rig.client.stats().counters;
        counters.connected + counters.connects_failed
    }

    /// What `broker` answered for has come, and all sends have ended well.
    fn ends_well(self, broker: &str) {
        let Self { place, on, load, collector, .. } = self;
        let outcome = load.stop();
        let sent = outcome.sent.iter().filter(|(receipt, _)| *receipt.broker == *broker);
        let ids: Vec<String> = sent.map(|(receipt, _)| receipt.message_id.to_string()).collect();
        let missing =
            || collector.look(|seen| ids.iter().filter(|id| !seen.ids.contains_key(*id)).count());
        let none = eventually(Duration::from_secs(20), || missing() == 0);
        assert!(none, "{on:?}: {} of {} never came", missing(), ids.len());
        let (sent, failed) = (outcome.sent.len(), outcome.failed.len());
        note!(place, "{on:?}: {sent} sent, {failed} failed, the slowest {:?}", outcome.slowest);
        assert!(outcome.failed.is_empty(), "{on:?}: {:?}", outcome.failed);
    }
}

/// Connections that wait for the end of their time at a port; `None` without `/proc`.
fn time_waits(port: u16) -> Option<usize> {
    let ends = format!(":{port:04X}");
    let mut found = None;
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let Ok(text) = fs::read_to_string(table) else { continue };
        let waits = text.lines().filter(|line| {
            let mut words = line.split_whitespace().skip(1);
            let here = words.next().is_some_and(|address| address.ends_with(&ends));
            let there = words.next().is_some_and(|address| address.ends_with(&ends));
            (here || there) && words.next() == Some("06")
        });
        found = Some(found.unwrap_or(0) + waits.count());
    }
    found
}

/// A broker that is asked to end leaves the route and answers everything with `GO_AWAY` until it
/// has ended. A topic that it alone has is still wanted of it.
pub(crate) fn a_broker_that_leaves_with_grace_is_not_stormed_and_all_goes_on_elsewhere(
    place: &Place,
) {
    let cluster = two_masters(place);
    let broker = cluster.broker();
    live::create_topic(&cluster.namesrv(), &broker, "alone", 4).expect("the topic is created");
    let works = all(&place.pair(), |on| Work::start(on, &cluster, place));
    let alone = works.iter().map(|work| {
        let load = Load::start(&work.rig, "alone", 4, Duration::from_millis(5));
        let collector = Collector::start(&work.rig, &format!("alone_{:?}", work.on), "alone");
        let comes = || collector.look(|seen| seen.ids.len() > 50);
        assert!(eventually(Duration::from_secs(30), comes), "{:?}: nothing comes", work.on);
        (load, collector)
    });
    let alone: Vec<_> = alone.collect();
    let leaving = cluster.members().iter().find(|member| member.name == "broker-a");
    let port = leaving.expect("a member").port;
    let waits = time_waits(port);
    let before: Vec<u64> = works.iter().map(Work::connects).collect();
    cluster.end("broker-a").expect("asked to end");
    let asked = Instant::now();
    for second in 1..=8 {
        thread::sleep(Duration::from_secs(second).saturating_sub(asked.elapsed()));
        if second == 3 {
            let condition = cluster.condition("broker-a").expect("a member");
            assert_eq!(condition, Condition::Runs, "it does not take its time");
        }
        let from = asked + Duration::from_secs(second) - Duration::from_millis(1500);
        for work in &works {
            assert!(work.answered("broker-b", Some(from)) > 0, "{:?}: no sends flow", work.on);
        }
    }
    for (work, before) in works.iter().zip(before) {
        let connects = work.connects() - before;
        note!(place, "{:?}: {connects} connects in {:?}", work.on, asked.elapsed());
        assert!(connects < 20, "{:?}: {connects} connects", work.on);
    }
    if let (Some(before), Some(now)) = (waits, time_waits(port)) {
        note!(place, "{} more connections in TIME_WAIT", now.saturating_sub(before));
        assert!(now < before + 50, "{now} connections in TIME_WAIT, {before} before");
    }
    alone.iter().for_each(|(load, _)| load.tell());
    works.into_iter().for_each(|work| work.ends_well("broker-b"));
}

fn send_eight(cluster: &Cluster) {
    let rig = Rig::watcher(&cluster.namesrv());
    let producer = rig.client.producer("moves").expect("a producer");
    for _ in 0..8 {
        let message = Message::new(Topic::new("moved").expect("a topic"), "x");
        producer.send(message).wait().expect("stored");
    }
    rig.client.shutdown().wait().expect("an end");
}

/// The consumer has no send that would look for the broker.
pub(crate) fn a_consumer_alone_finds_its_broker_at_another_port(place: &Place) {
    let mut cluster = place.cluster(|_| ());
    cluster.create_topic("moved", 4).expect("the topic is created");
    let runtimes = place.pair();
    let rigs = all(&runtimes, |on| Rig::start(on, &cluster.namesrv()));
    let consumers: Vec<Collector> = runtimes
        .iter()
        .zip(&rigs)
        .map(|(on, rig)| Collector::start(rig, &format!("group_{on:?}"), "moved"))
        .collect();
    send_eight(&cluster);
    let all = |count: usize| {
        let came = |consumer: &Collector| consumer.look(|seen| seen.ids.len() == count);
        eventually(Duration::from_secs(20), || consumers.iter().all(came))
    };
    assert!(all(8), "nothing comes");

    let old = cluster.broker();
    cluster.move_away("broker-a").expect("it starts elsewhere");
    let registered = Instant::now();
    assert_ne!(cluster.broker(), old);
    send_eight(&cluster);
    assert!(all(16), "a consumer never found the broker at {}", cluster.broker());
    note!(place, "all came {:?} after the broker was registered", registered.elapsed());
    assert!(registered.elapsed() < Duration::from_secs(3), "{:?}", registered.elapsed());
    let again = consumers.iter().map(|consumer| consumer.look(|seen| seen.duplicates()));
    note!(place, "{:?} came again", again.collect::<Vec<_>>());
}

/// Its connections stand and are silent; the other one could take every message.
pub(crate) fn beside_a_frozen_broker_no_send_is_slow_after_the_first(place: &Place) {
    let cluster = two_masters(place);
    let works = all(&place.pair(), |on| Work::start(on, &cluster, place));
    cluster.stop("broker-a").expect("frozen");
    let frozen = Instant::now();
    // The first victims are those under way, and what is sent until their time is over.
    thread::sleep(Duration::from_secs(3));
    let settled: Vec<_> = works.iter().map(|work| work.load.forget_slowest()).collect();
    thread::sleep(Duration::from_secs(8).saturating_sub(frozen.elapsed()));
    for (work, first) in works.iter().zip(settled) {
        let slowest = work.load.look(|outcome| outcome.slowest);
        let count = work.answered("broker-b", Some(frozen));
        note!(place, "{:?}: {count} sent; {first:?} at first, then {slowest:?}", work.on);
        assert!(slowest < Duration::from_millis(1500), "{:?}: {slowest:?}", work.on);
        assert!(count > 500, "{:?}: {count} sent", work.on);
    }
    cluster.cont("broker-a").expect("thawed");
    let thawed = Instant::now();
    for work in &works {
        let used =
            eventually(Duration::from_secs(35), || work.answered("broker-a", Some(thawed)) > 20);
        assert!(used, "{:?}: the broker that went on is not used again", work.on);
        note!(place, "{:?}: used again after {:?}", work.on, thawed.elapsed());
    }
    works.into_iter().for_each(|work| work.ends_well("broker-b"));
}
