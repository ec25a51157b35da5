//! Members of one group come and go; the broker alone decides who is a member.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::cases::place::{Place, note};
use crate::rig::collector::Collector;
use crate::rig::eventually;
use crate::rig::load::Load;
use crate::rig::member::Member;
use crate::rig::share::{nothing_missing, shared_evenly, time_to_all};

const PACE: Duration = Duration::from_millis(4);
const JOINING: Duration = Duration::from_secs(25);

pub(crate) fn two_share_and_the_other_gets_all_when_one_closes(place: &Place) {
    let on = place.on();
    let (topic, group) = (place.topic(8), place.name());
    let sender = place.rig();
    let load = Load::start(&sender, &topic, 4, PACE);
    let rigs = [(); 2].map(|()| place.rig());
    let first = Collector::start(&rigs[0], &group, &topic);
    let mut second = Collector::start(&rigs[1], &group, &topic);
    let begun = Instant::now();
    shared_evenly(&[&first, &second], 4, JOINING);
    note!(place, "{on:?}: four each {:?} after the start", begun.elapsed());

    let consumer = second.stop().expect("the consumer");
    let closed = Instant::now();
    consumer.close().wait().expect("an end");
    let took = time_to_all(&first, closed, Duration::from_secs(2));
    note!(place, "{on:?}: all queues {took:?} after the other began to close");
    nothing_missing(&load.stop(), &[&first, &second], &BTreeSet::new());
    let again = first.look(|seen| seen.duplicates());
    note!(place, "{on:?}: {again} came again");
    // Who closes commits first; a real broker tells of commits later.
    assert!(place.served().is_none() || again == 0, "{again} came again");
}

pub(crate) fn the_other_gets_all_when_one_is_killed(place: &Place) {
    let on = place.on();
    let (topic, group) = (place.topic(8), place.name());
    let sender = place.rig();
    let load = Load::start(&sender, &topic, 4, PACE);
    let rig = place.rig();
    let first = Collector::start(&rig, &group, &topic);
    shared_evenly(&[&first], 8, JOINING);
    let second = Member::start(on, (&place.namesrv(), place.access()), &group, &topic);
    shared_evenly(&[&first], 4, JOINING);
    assert!(eventually(Duration::from_secs(5), || second.count() > 100));

    let killed = Instant::now();
    let handled = second.kill();
    let took = time_to_all(&first, killed, Duration::from_secs(25));
    note!(place, "{on:?}: all queues {took:?} after the other was killed");
    nothing_missing(&load.stop(), &[&first], &handled);
}
