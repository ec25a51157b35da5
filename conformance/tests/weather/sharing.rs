//! Consumers of one group in several clients share the queues, whoever comes and goes.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::rig::collector::Collector;
use crate::rig::load::Load;
use crate::rig::member::Member;
use crate::rig::share::{nothing_missing, shared_evenly, time_to_all};
use crate::rig::{On, Rig, eventually};
use crate::{TOPIC, on_all, served};

on_all!(
    two_share_and_the_other_gets_all_when_one_closes,
    the_other_gets_all_when_one_is_dropped,
    the_other_gets_all_when_one_is_killed,
);

const PACE: Duration = Duration::from_millis(4);

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
    consumer.close().wait().expect("an end");
    let took = time_to_all(&first, closed, Duration::from_secs(2));
    println!("{on:?}: all queues {took:?} after the other began to close");
    second_rig.client.shutdown().wait().expect("an end");
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
