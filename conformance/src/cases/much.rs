//! Much of everything at once, or for long: a producer that sends more than there is room for, and
//! work that goes on and on.

use std::thread;
use std::time::{Duration, Instant};

use rocketry::Config;

use crate::broker::{Cluster, TopicConfig};
use crate::cases::place::{Place, note};
use crate::rig::flood::{Figures, Flood, Task};
use crate::rig::toil::{GROUP, Toil};
use crate::serve::Served;

const QUEUES: u32 = 8;
/// What a producer sends in a second, where the machine has it.
const RATE: u32 = 100_000;
const BODY: usize = 100;
/// Kibibytes of memory for each send that is under way or waits, for its message and its call: some
/// three times what it counts as.
const EACH: f64 = 2.0;
/// KiB for all else.
const ROOM: u64 = 48 << 10;
/// Ended by their deadlines, on a machine that is busy.
const LATE: Duration = Duration::from_secs(8);

/// Lets the broker forget what lies before these offsets of its queues: it is in this process, and
/// its log would take all memory.
fn forget(served: &Served, topic: &str, before: impl Fn(&Cluster, i32) -> u64) {
    served.with(|cluster| {
        for queue in 0..QUEUES.cast_signed() {
            let offset = before(cluster, queue);
            cluster.expire(0, topic, queue, offset);
        }
    });
}

/// No figure is beyond its bound.
fn assert_bounded(figures: &Figures, config: &Config) {
    let bounds = [
        (figures.pending, config.max_pending),
        (figures.pending_bytes, config.max_pending_bytes),
        (figures.waiting, config.max_waiting),
        (figures.waiting_bytes, config.max_waiting_bytes),
        (figures.unanswered, config.max_unanswered),
        (figures.unanswered_bytes, config.max_unanswered_bytes),
        // Each frame is an unanswered send's, or one of few others.
        (figures.queued, config.max_unanswered + 64),
    ];
    assert!(bounds.iter().all(|(most, bound)| most <= bound), "{bounds:?}: {figures:?}");
}

pub(crate) fn a_producer_of_100_000_messages_a_second_leaves_no_queue_unbounded(place: &Place) {
    let served = place.served().expect("the embedded broker");
    let (namesrv, topic, on) = (place.namesrv(), place.name(), place.on());
    served.with(|cluster| cluster.create_topic(&TopicConfig::new(&*topic, QUEUES)));
    let seconds = Duration::from_secs(if place.is_long() { 10 } else { 2 });
    let task = Task { on, namesrv: &namesrv, topic: &topic, rate: RATE, body: BODY, settings: &[] };
    let (mut flood, begun) = (Flood::start(&task), Instant::now());
    while begun.elapsed() < seconds {
        thread::sleep(Duration::from_millis(100));
        forget(served, &topic, |cluster, queue| {
            cluster.max_offset(0, &topic, queue).unwrap_or_default()
        });
    }
    let figures = flood.calm();
    let back = flood.probe();
    let rate = figures.begun as f64 / figures.took.as_secs_f64();
    note!(place, "{on:?}: {rate:.0} sends begun a second, one in {back:?} after that: {figures:?}");
    let ended = figures.stored + figures.refused + figures.unstored + figures.unknown;
    assert_eq!(figures.begun, ended, "{figures:?}");
    assert!(figures.stored > 0 && figures.slowest < LATE, "{figures:?}");
    assert_bounded(&figures, &Config::new(&namesrv).expect("settings"));
    let held = (figures.pending + figures.waiting) as f64;
    let allowed = (held * EACH) as u64 + ROOM;
    assert!(figures.grown().is_none_or(|grown| grown <= allowed), "{allowed} KiB: {figures:?}");
    assert!(back < LATE, "{back:?} after the flood");
}

/// KiB by which memory may be more in the last third than in the second one.
const FLAT: u64 = 4 << 10;

pub(crate) fn a_day_of_work_keeps_memory_flat_and_loses_nothing(place: &Place) {
    let served = place.served().expect("the embedded broker");
    let (namesrv, topic, on) = (place.namesrv(), place.name(), place.on());
    served.with(|cluster| cluster.create_topic(&TopicConfig::new(&*topic, QUEUES)));
    let seconds = if place.is_long() { 240 } else { 12 };
    let (mut toil, begun) = (Toil::start(on, &namesrv, &topic), Instant::now());
    let third = Duration::from_secs(seconds) / 3;
    let mut most = [0; 3];
    let mut turn = 0_u64;
    while begun.elapsed() < third * 3 {
        thread::sleep(Duration::from_millis(250));
        turn += 1;
        match turn % 16 {
            // What a day has: connections that are lost, and a broker that is restarted.
            4 => served.with(|cluster| cluster.disconnect(0)),
            12 => {
                served.stop_broker(0);
                served.start_broker(0).expect("it starts again");
            }
            _ => {}
        }
        let at = (begun.elapsed().as_secs_f64() / third.as_secs_f64()) as usize;
        most[at.min(2)] = most[at.min(2)].max(toil.look().resident);
        forget(served, &topic, |cluster, queue| {
            cluster.committed(0, GROUP, &topic, queue).unwrap_or_default().cast_unsigned()
        });
    }
    let day = toil.end();
    note!(place, "{on:?}: at most {most:?} KiB in each third; {day:?}");
    assert_eq!(day.missing, 0, "{day:?}");
    assert!(day.stored > 0 && day.came >= day.stored, "{day:?}");
    assert!(most[2] <= most[1] + FLAT, "memory grows: {most:?} KiB");
}
