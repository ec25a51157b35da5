//! Sends to a real broker that changes its mind: fewer queues, frames that it does not take.

use std::time::{Duration, Instant};

use rocketry::{Config, Message, Stored, Topic};
use rocketry_conformance::live;

use crate::rig::load::Load;
use crate::rig::{On, Rig, eventually};
use crate::{live_on_both, new_topic, shared};

live_on_both!(
    send_28_write_queues_that_are_cut_fail_no_send,
    send_29_a_body_over_the_brokers_limit_harms_no_neighbour,
);

fn send_28_write_queues_that_are_cut_fail_no_send(on: On) {
    let ((namesrv, broker), topic) = (shared(), new_topic(8));
    let rig = Rig::start(on, &namesrv);
    let load = Load::start(&rig, &topic, 8, Duration::from_millis(2));
    let flows = || load.look(|outcome| outcome.sent.len() > 500);
    assert!(eventually(Duration::from_secs(20), flows), "nothing is sent");
    load.forget_slowest();
    live::create_topic(&namesrv, &broker, &topic, 4).expect("cut");
    let cut = Instant::now();
    std::thread::sleep(Duration::from_secs(2));
    let outcome = load.stop();
    println!("{on:?}: {} sent, the slowest {:?}", outcome.sent.len(), outcome.slowest);
    assert!(outcome.failed.is_empty(), "{on:?}: {:?}", outcome.failed);
    assert!(outcome.slowest < Duration::from_secs(3), "{on:?}: {:?}", outcome.slowest);
    let settled = cut + Duration::from_secs(1);
    let late = outcome.sent.iter().filter(|(_, at)| *at > settled);
    let queues: Vec<i32> = late.map(|(receipt, _)| receipt.queue).collect();
    assert!(queues.len() > 100 && queues.iter().all(|queue| *queue < 4), "{on:?}: {queues:?}");
}

/// The broker cuts the connection in the middle of the frame.
fn send_29_a_body_over_the_brokers_limit_harms_no_neighbour(on: On) {
    let ((namesrv, _), topic) = (shared(), new_topic(4));
    let mut config = Config::new(&namesrv).expect("settings");
    config.max_body = 64 << 20;
    config.compress_over = usize::MAX;
    let rig = Rig::with(on, config);
    let load = Load::start(&rig, &topic, 4, Duration::from_millis(2));
    let flows = || load.look(|outcome| outcome.sent.len() > 100);
    assert!(eventually(Duration::from_secs(20), flows), "nothing is sent");
    let producer = rig.client.producer("large").expect("a producer");
    let before = rig.client.stats().counters.disconnected;
    let begun = Instant::now();
    let message = Message::new(Topic::new(&*topic).expect("a topic"), vec![7; 17 << 20]);
    let error = producer.send(message).wait().expect_err("too large for the broker");
    let (took, cuts) = (begun.elapsed(), rig.client.stats().counters.disconnected - before);
    println!("{on:?}: {cuts} cuts in {took:?}: {error}");
    let text = error.to_string();
    assert!(text.contains("16 MiB") || text.contains("16777216"), "{on:?}: {text}");
    assert!(!error.is_retriable() && error.stored() == Stored::No, "{on:?}: {text}");
    assert!(cuts <= 2, "{on:?}: {cuts} cuts");
    let outcome = load.stop();
    println!("{on:?}: {} others sent, the slowest {:?}", outcome.sent.len(), outcome.slowest);
    assert!(outcome.failed.is_empty(), "{on:?}: {:?}", outcome.failed);
}
