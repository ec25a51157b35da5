//! Sends to a real broker that changes its mind: fewer queues, frames that it does not take.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rocketry::{Message, Pending, SendError, SendOptions, SendReceipt, Stored, Topic};

use crate::cases::common::all;
use crate::cases::place::{Place, note};
use crate::rig::load::Load;
use crate::rig::{Rig, eventually};

pub(crate) fn write_queues_that_are_cut_fail_no_send(place: &Place) {
    let on = place.on();
    let topic = place.topic(8);
    let rig = place.rig();
    let load = Load::start(&rig, &topic, 8, Duration::from_millis(2));
    let flows = || load.look(|outcome| outcome.sent.len() > 500);
    assert!(eventually(Duration::from_secs(20), flows), "nothing is sent");
    load.forget_slowest();
    place.create(&topic, 4);
    let cut = Instant::now();
    thread::sleep(Duration::from_secs(2));
    let outcome = load.stop();
    note!(place, "{on:?}: {} sent, the slowest {:?}", outcome.sent.len(), outcome.slowest);
    assert!(outcome.failed.is_empty(), "{on:?}: {:?}", outcome.failed);
    assert!(outcome.slowest < Duration::from_secs(3), "{on:?}: {:?}", outcome.slowest);
    let settled = cut + Duration::from_secs(1);
    let late = outcome.sent.iter().filter(|(_, at)| *at > settled);
    let queues: Vec<i32> = late.map(|(receipt, _)| receipt.queue).collect();
    assert!(queues.len() > 100 && queues.iter().all(|queue| *queue < 4), "{on:?}: {queues:?}");
}

/// All bodies of a topic's one queue, as they lie there.
fn stored(rig: &Rig, topic: &Topic) -> Vec<u32> {
    let queue = rig.client.queues(topic).wait().expect("queues").swap_remove(0);
    let (mut bodies, mut offset) = (Vec::new(), 0);
    loop {
        let pulled = rig.client.admin().pull(&queue, offset, 32).wait().expect("pulled");
        if pulled.records.is_empty() {
            assert_eq!(offset, rig.client.max_offset(&queue).wait().expect("an offset"));
            return bodies;
        }
        for at in 0..pulled.records.len() {
            let body = pulled.records.record(at).expect("readable").body().expect("whole");
            let text = String::from_utf8(body.to_vec()).expect("text");
            bodies.push(text.parse().expect("a number"));
        }
        offset = pulled.next_offset;
    }
}

/// Sends numbers of one key until told to stop, and waits for all of them.
fn send_in_order(
    (rig, topic): &(Rig, Topic),
    done: &AtomicBool,
) -> Result<Vec<SendReceipt>, SendError> {
    let producer = rig.client.producer("ordered").expect("a producer");
    let options = SendOptions::ordered("key").timeout(Duration::from_secs(40));
    let mut pending = Vec::new();
    while !done.load(Ordering::Relaxed) {
        let message = Message::new(topic.clone(), pending.len().to_string());
        pending.push(producer.send_with(message, options.clone()));
        thread::sleep(Duration::from_millis(5));
    }
    pending.into_iter().map(Pending::wait).collect()
}

/// What is sent while the broker is away waits for it, behind what was sent before.
pub(crate) fn ordered_sends_over_a_restart_are_stored_in_order(place: &Place) {
    let mut cluster = place.cluster(|_| ());
    let works = all(&place.pair(), |on| {
        let name = format!("ordered_{on:?}");
        cluster.create_topic(&name, 1).expect("the topic is created");
        (Rig::start(on, &cluster.namesrv()), Topic::new(name).expect("a topic"))
    });
    let done = AtomicBool::new(false);
    let sent = thread::scope(|scope| {
        let senders = works.iter().map(|work| scope.spawn(|| send_in_order(work, &done)));
        let senders: Vec<_> = senders.collect();
        thread::sleep(Duration::from_secs(1));
        cluster.kill("broker-a").expect("killed");
        cluster.restart("broker-a").expect("it starts again");
        thread::sleep(Duration::from_secs(1));
        done.store(true, Ordering::Relaxed);
        senders.into_iter().map(|sender| sender.join().expect("no panic")).collect::<Vec<_>>()
    });
    for ((rig, topic), sent) in works.iter().zip(sent) {
        let sent = sent.unwrap_or_else(|error| panic!("{topic}: {error}")).len();
        let stored = stored(rig, topic);
        let mut seen = BTreeSet::new();
        let firsts: Vec<u32> = stored.iter().copied().filter(|body| seen.insert(*body)).collect();
        note!(place, "{topic}: {sent} sent, {} stored twice", stored.len() - firsts.len());
        let all = (0..u32::try_from(sent).expect("few")).collect::<Vec<_>>();
        let wrong = firsts.iter().zip(&all).position(|(one, other)| one != other);
        assert!(wrong.is_none() && firsts.len() == sent, "{topic}: wrong at {wrong:?} of {sent}");
        rig.client.shutdown().wait().expect("an end");
    }
}

/// The broker cuts the connection in the middle of the frame.
pub(crate) fn a_body_over_the_brokers_limit_harms_no_neighbour(place: &Place) {
    let on = place.on();
    let topic = place.topic(4);
    let mut config = place.config();
    config.max_body = 64 << 20;
    config.compress_over = usize::MAX;
    let rig = place.rig_with(config);
    let load = Load::start(&rig, &topic, 4, Duration::from_millis(2));
    let flows = || load.look(|outcome| outcome.sent.len() > 100);
    assert!(eventually(Duration::from_secs(20), flows), "nothing is sent");
    let producer = rig.client.producer("large").expect("a producer");
    let before = rig.client.stats().counters.disconnected;
    let begun = Instant::now();
    let message = Message::new(Topic::new(&*topic).expect("a topic"), vec![7; 17 << 20]);
    let error = producer.send(message).wait().expect_err("too large for the broker");
    let (took, cuts) = (begun.elapsed(), rig.client.stats().counters.disconnected - before);
    note!(place, "{on:?}: {cuts} cuts in {took:?}: {error}");
    let text = error.to_string();
    assert!(text.contains("16 MiB") || text.contains("16777216"), "{on:?}: {text}");
    assert!(!error.is_retriable() && error.stored() == Stored::No, "{on:?}: {text}");
    assert!(cuts <= 2, "{on:?}: {cuts} cuts");
    let outcome = load.stop();
    note!(place, "{on:?}: {} others sent, the slowest {:?}", outcome.sent.len(), outcome.slowest);
    assert!(outcome.failed.is_empty(), "{on:?}: {:?}", outcome.failed);
}
