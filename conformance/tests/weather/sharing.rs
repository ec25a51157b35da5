//! Consumers of one group in several clients share the queues, whoever comes and goes.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::rig::collector::Collector;
use crate::rig::load::{Load, Outcome};
use crate::rig::member::Member;
use crate::rig::{On, Rig, eventually};
use crate::{TOPIC, on_both, served};

on_both!(
    two_share_and_the_other_gets_all_when_one_closes,
    the_other_gets_all_when_one_is_dropped,
    the_other_gets_all_when_one_is_killed,
);

const PACE: Duration = Duration::from_millis(4);

/// The queues that gave the consumer something just now.
fn queues_now(collector: &Collector) -> BTreeSet<u32> {
    let window = Duration::from_millis(150);
    let from = Instant::now().checked_sub(window).unwrap_or_else(Instant::now);
    collector.look(|seen| seen.queues_since(from))
}

/// Waits until each consumer reads `count` queues that no other one reads.
pub(crate) fn shared_evenly(collectors: &[&Collector], count: usize, within: Duration) {
    let mut queues = Vec::new();
    let even = eventually(within, || {
        queues = collectors.iter().map(|collector| queues_now(collector)).collect();
        let all: BTreeSet<u32> = queues.iter().flatten().copied().collect();
        all.len() == count * queues.len() && queues.iter().all(|own| own.len() == count)
    });
    assert!(even, "{queues:?} where {count} each were expected");
}

/// Waits until the consumer has had a message of each of eight queues since `from`.
pub(crate) fn time_to_all(collector: &Collector, from: Instant, within: Duration) -> Duration {
    let all = eventually(within, || collector.look(|seen| seen.queues_since(from).len() == 8));
    assert!(all, "{:?}", collector.look(|seen| seen.queues_since(from)));
    from.elapsed()
}

/// Every message that was answered SEND_OK was seen by one of them.
pub(crate) fn nothing_missing(sent: &Outcome, by: &[&Collector], also: &BTreeSet<String>) {
    let ids: Vec<_> = sent.sent.iter().map(|(r, _)| r.message_id.to_string()).collect();
    let missing = || {
        let seen = |id: &String| by.iter().any(|one| one.look(|seen| seen.ids.contains_key(id)));
        ids.iter().filter(|id| !also.contains(*id) && !seen(id)).count()
    };
    let none = eventually(Duration::from_secs(10), || missing() == 0);
    assert!(none, "{} of {} were missed", missing(), ids.len());
}

fn two(on: On, namesrv: &str, group: &str) -> [(Rig, Collector); 2] {
    [(); 2].map(|()| {
        let rig = Rig::start(on, namesrv);
        let collector = Collector::start(&rig, group, TOPIC);
        (rig, collector)
    })
}

fn two_share_and_the_other_gets_all_when_one_closes(on: On) {
    let served = served();
    let sender = Rig::start(on, &served.namesrv());
    let load = Load::start(&sender, TOPIC, 4, PACE);
    let [(_first_rig, first), (second_rig, mut second)] = two(on, &served.namesrv(), "closing");
    shared_evenly(&[&first, &second], 4, Duration::from_secs(5));

    let consumer = second.stop().expect("the consumer");
    let closed = Instant::now();
    consumer.close().wait();
    let took = time_to_all(&first, closed, Duration::from_secs(2));
    println!("{on:?}: all queues {took:?} after the other began to close");
    second_rig.client.shutdown().wait();
    nothing_missing(&load.stop(), &[&first, &second], &BTreeSet::new());
    let duplicates = first.look(|seen| seen.duplicates());
    assert_eq!(duplicates, 0, "who closes commits first");
}

fn the_other_gets_all_when_one_is_dropped(on: On) {
    let served = served();
    let sender = Rig::start(on, &served.namesrv());
    let load = Load::start(&sender, TOPIC, 4, PACE);
    let [(_first_rig, first), (second_rig, mut second)] = two(on, &served.namesrv(), "dropping");
    shared_evenly(&[&first, &second], 4, Duration::from_secs(5));

    let consumer = second.stop().expect("the consumer");
    let dropped = Instant::now();
    drop((consumer, second_rig));
    let took = time_to_all(&first, dropped, Duration::from_secs(25));
    println!("{on:?}: all queues {took:?} after the other was dropped");
    nothing_missing(&load.stop(), &[&first, &second], &BTreeSet::new());
}

fn the_other_gets_all_when_one_is_killed(on: On) {
    let served = served();
    let sender = Rig::start(on, &served.namesrv());
    let load = Load::start(&sender, TOPIC, 4, PACE);
    let rig = Rig::start(on, &served.namesrv());
    let first = Collector::start(&rig, "killed", TOPIC);
    shared_evenly(&[&first], 8, Duration::from_secs(5));
    let second = Member::start(on, &served.namesrv(), "killed", TOPIC);
    shared_evenly(&[&first], 4, Duration::from_secs(5));
    assert!(eventually(Duration::from_secs(5), || second.count() > 100));

    let killed = Instant::now();
    let handled = second.kill();
    let took = time_to_all(&first, killed, Duration::from_secs(25));
    println!("{on:?}: all queues {took:?} after the other was killed");
    nothing_missing(&load.stop(), &[&first], &handled);
}
