//! Consumers of one group in several clients share the queues, also when one is dropped.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::rig::collector::Collector;
use crate::rig::load::Load;
use crate::rig::share::{nothing_missing, shared_evenly, time_to_all};
use crate::rig::{On, Rig};
use crate::{TOPIC, on_all, served};

on_all!(the_other_gets_all_when_one_is_dropped,);

const PACE: Duration = Duration::from_millis(4);

fn two(on: On, namesrv: &str, group: &str) -> [(Rig, Collector); 2] {
    [(); 2].map(|()| {
        let rig = Rig::start(on, namesrv);
        let collector = Collector::start(&rig, group, TOPIC);
        (rig, collector)
    })
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
