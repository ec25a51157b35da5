//! Sends to a real broker that changes its mind.

use std::thread;
use std::time::{Duration, Instant};

use rocketry_conformance::live;

use crate::rig::load::Load;
use crate::rig::{On, Rig, eventually};
use crate::{live_on_both, new_topic, shared};

live_on_both!(send_28_write_queues_that_are_cut_fail_no_send);

fn send_28_write_queues_that_are_cut_fail_no_send(on: On) {
    let ((namesrv, broker), topic) = (shared(), new_topic(8));
    let rig = Rig::start(on, &namesrv);
    let load = Load::start(&rig, &topic, 8, Duration::from_millis(2));
    let flows = || load.look(|outcome| outcome.sent.len() > 500);
    assert!(eventually(Duration::from_secs(20), flows), "nothing is sent");
    load.forget_slowest();
    live::create_topic(&namesrv, &broker, &topic, 4).expect("cut");
    let cut = Instant::now();
    thread::sleep(Duration::from_secs(2));
    let outcome = load.stop();
    println!("{on:?}: {} sent, the slowest {:?}", outcome.sent.len(), outcome.slowest);
    assert!(outcome.failed.is_empty(), "{on:?}: {:?}", outcome.failed);
    assert!(outcome.slowest < Duration::from_secs(3), "{on:?}: {:?}", outcome.slowest);
    let settled = cut + Duration::from_secs(1);
    let late = outcome.sent.iter().filter(|(_, at)| *at > settled);
    let queues: Vec<i32> = late.map(|(receipt, _)| receipt.queue).collect();
    assert!(queues.len() > 100 && queues.iter().all(|queue| *queue < 4), "{on:?}: {queues:?}");
}
