//! Members of one group on a real broker, which alone decides who is a member.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::rig::collector::Collector;
use crate::rig::load::Load;
use crate::rig::member::Member;
use crate::rig::share::{nothing_missing, shared_evenly, time_to_all};
use crate::rig::{On, Rig, eventually};
use crate::{live_on_both, new_name, new_topic, shared};

live_on_both!(
    two_share_and_the_other_gets_all_when_one_closes,
    the_other_gets_all_when_one_is_killed,
);

const PACE: Duration = Duration::from_millis(4);
const JOINING: Duration = Duration::from_secs(25);

fn two_share_and_the_other_gets_all_when_one_closes(on: On) {
    let ((namesrv, _), topic, group) = (shared(), new_topic(8), new_name());
    let sender = Rig::start(on, &namesrv);
    let load = Load::start(&sender, &topic, 4, PACE);
    let rigs = [(); 2].map(|()| Rig::start(on, &namesrv));
    let first = Collector::start(&rigs[0], &group, &topic);
    let mut second = Collector::start(&rigs[1], &group, &topic);
    let begun = Instant::now();
    shared_evenly(&[&first, &second], 4, JOINING);
    println!("{on:?}: four each {:?} after the start", begun.elapsed());

    let consumer = second.stop().expect("the consumer");
    let closed = Instant::now();
    consumer.close().wait().expect("an end");
    let took = time_to_all(&first, closed, Duration::from_secs(2));
    println!("{on:?}: all queues {took:?} after the other began to close");
    nothing_missing(&load.stop(), &[&first, &second], &BTreeSet::new());
    println!("{on:?}: {} came again", first.look(|seen| seen.duplicates()));
}

fn the_other_gets_all_when_one_is_killed(on: On) {
    let ((namesrv, _), topic, group) = (shared(), new_topic(8), new_name());
    let sender = Rig::start(on, &namesrv);
    let load = Load::start(&sender, &topic, 4, PACE);
    let rig = Rig::start(on, &namesrv);
    let first = Collector::start(&rig, &group, &topic);
    shared_evenly(&[&first], 8, JOINING);
    let second = Member::start(on, &namesrv, &group, &topic);
    shared_evenly(&[&first], 4, JOINING);
    assert!(eventually(Duration::from_secs(5), || second.count() > 100));

    let killed = Instant::now();
    let handled = second.kill();
    let took = time_to_all(&first, killed, Duration::from_secs(25));
    println!("{on:?}: all queues {took:?} after the other was killed");
    nothing_missing(&load.stop(), &[&first], &handled);
}
