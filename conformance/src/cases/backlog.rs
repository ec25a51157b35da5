//! Much of everything: a large backlog before a slow consumer, many queues, long names.

use std::thread;
use std::time::{Duration, Instant};

use crate::cases::common::await_stored;
use crate::cases::place::{Place, note};
use crate::cases::reading::{QUIET, acked, consume, drained, next, number, send_all};
use crate::rig::flood::resident;

const QUEUES: u32 = 8;
/// What a client holds of a queue before its pulls pause, and what its last pull may bring.
const HELD: usize = 1000 + 32;

pub(crate) fn a_slow_consumer_holds_what_it_may_and_no_more(place: &Place) {
    let count = match (place.served(), place.is_long()) {
        (Some(_), _) => 20_000,
        (None, false) => 50_000,
        (None, true) => 200_000,
    };
    let (topic, group) = (place.topic(QUEUES), place.name());
    let sender = place.rig();
    for first in (0..count).step_by(1000) {
        send_all(&sender, &topic, first..first + 1000);
    }
    await_stored(&sender, &topic, count as i64);
    let rig = place.rig();
    let before = resident();
    let mut consumer = consume(&rig, &group, &topic, "*");
    let (begun, mut most, mut handled) = (Instant::now(), (0, 0), 0);
    while begun.elapsed() < Duration::from_secs(10) {
        acked(next(&mut consumer));
        handled += 1;
        thread::sleep(Duration::from_millis(10));
        let consumers = rig.client.stats().consumers;
        let queues = &consumers[0].queues;
        let messages = queues.iter().map(|queue| queue.messages).max().unwrap_or_default();
        let bytes: usize = queues.iter().map(|queue| queue.bytes).sum();
        most = (most.0.max(messages), most.1.max(bytes));
    }
    note!(
        place,
        "{:?}: of {count} messages {handled} were handled in 10 s; at most {} of a queue and {} \
         bytes in all were held; the process had {before:?} KiB before and {:?} after",
        place.on(),
        most.0,
        most.1,
        resident()
    );
    assert!(most.0 <= HELD, "{} messages of a queue were held", most.0);
    assert!(most.0 >= 900, "{} messages of a queue were held: is it no backlog?", most.0);
}

pub(crate) fn a_topic_with_1024_queues_works(place: &Place) {
    const MANY: u32 = 1024;
    let (topic, group) = (place.topic(MANY), place.name());
    let rig = place.rig();
    let mut consumer = consume(&rig, &group, &topic, "*");
    let (begun, all) = (Instant::now(), 2 * MANY as usize);
    send_all(&rig, &topic, 0..all);
    let first = next(&mut consumer);
    let mut bodies = vec![number(&first)];
    acked(first);
    bodies.extend(drained(&mut consumer, QUIET * 2));
    bodies.sort_unstable();
    note!(place, "{:?}: {} messages after {:?}", place.on(), bodies.len(), begun.elapsed());
    assert_eq!(consumer.queues().len(), MANY as usize);
    assert_eq!(bodies, (0..all).collect::<Vec<_>>());
}

/// The longest group has a retry topic that is as long as topics may be.
pub(crate) fn the_longest_group_has_its_retries(place: &Place) {
    let (topic, name) = (place.topic(1), place.name());
    let group = format!("{name}{}", "g".repeat(120 - name.len()));
    let rig = place.rig();
    send_all(&rig, &topic, 0..1);
    let mut consumer = consume(&rig, &group, &topic, "*");
    assert!(next(&mut consumer).retry_after(Duration::from_secs(1)).is_taken(), "ours");
    let again = next(&mut consumer);
    assert_eq!((number(&again), again.attempts()), (0, 2));
    assert_eq!(again.queue().topic.as_str(), format!("%RETRY%{group}"));
    acked(again);
}
