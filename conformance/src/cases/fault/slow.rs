//! A broker that reads slowly.

use std::thread;
use std::time::{Duration, Instant};

use crate::cases::place::{Place, note};
use crate::proxy::{Direction, Proxy};
use crate::rig::eventually;
use crate::rig::flood::{Flood, Task};

/// What the broker reads in a second.
const READS: u32 = 1 << 10;
/// Messages a second, and bytes of each: some 20 MB a second are offered.
const RATE: u32 = 2000;
const BODY: usize = 10 << 10;
const DEADLINE: Duration = Duration::from_secs(3);
/// What a machine that is busy may take beyond a deadline.
const LATE: Duration = Duration::from_secs(2);
/// Bounds that a few seconds reach.
const PENDING: usize = 2048;
const PENDING_BYTES: usize = 8 << 20;
const WAITING: usize = 256;
const WAITING_BYTES: usize = 2 << 20;
const SETTINGS: &[(&str, &str)] = &[
    ("ROCKETRY_SEND_TIMEOUT", "3s"),
    ("ROCKETRY_MAX_PENDING", "2048"),
    ("ROCKETRY_MAX_PENDING_BYTES", "8MiB"),
    ("ROCKETRY_MAX_WAITING", "256"),
    ("ROCKETRY_MAX_WAITING_BYTES", "2MiB"),
    // The bodies would be next to nothing.
    ("ROCKETRY_COMPRESS_OVER", "1MiB"),
];
/// KiB beyond what the bounds allow: threads, buffers, and what each message has around it.
const ROOM: u64 = 24 << 10;

pub(crate) fn sends_to_a_broker_that_reads_slowly_are_held_back(place: &Place) {
    let served = place.served().expect("the embedded broker");
    let proxy = Proxy::start(served.broker(0).expect("a broker")).expect("a proxy");
    served.with(|cluster| cluster.set_endpoint(0, &proxy.address().to_string()));
    let (namesrv, topic) = (place.namesrv(), place.name());
    served.with(|cluster| cluster.create_topic(&crate::broker::TopicConfig::new(&*topic, 4)));
    let on = place.on();
    let task =
        Task { on, namesrv: &namesrv, topic: &topic, rate: RATE, body: BODY, settings: SETTINGS };
    let mut flood = Flood::start(&task);
    let stored = || served.with(|cluster| cluster.stored(&topic));
    assert!(eventually(DEADLINE * 10, || stored() > 500), "{} stored", stored());
    proxy.slow(Direction::Up, Some(READS));
    thread::sleep(Duration::from_secs(if place.is_long() { 60 } else { 8 }));
    let figures = flood.calm();
    let slow = stored();
    proxy.slow(Direction::Up, None);
    let (back, begun) = (flood.probe(), Instant::now());
    note!(
        place,
        "{on:?}: stored again {back:?} after the broker reads on; {slow} stored before, {} after; \
         {figures:?}",
        stored()
    );
    assert!(back < Duration::from_secs(15), "{back:?}, {:?}", begun.elapsed());
    assert!(figures.slowest < DEADLINE + LATE, "a send took {:?}", figures.slowest);
    assert!(figures.refused > 0 && figures.unknown > 0, "nothing was held back: {figures:?}");
    assert!(figures.pending <= PENDING && figures.pending_bytes <= PENDING_BYTES, "{figures:?}");
    assert!(figures.waiting <= WAITING && figures.waiting_bytes <= WAITING_BYTES, "{figures:?}");
    assert!(figures.queued <= PENDING, "{figures:?}");
    let allowed = ((PENDING_BYTES + WAITING_BYTES) >> 10) as u64 + ROOM;
    assert!(figures.grown().is_none_or(|grown| grown <= allowed), "{allowed} KiB: {figures:?}");
}
