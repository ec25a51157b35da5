//! A broker that drops its connections in the middle of work.

use std::collections::HashSet;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::rig::collector::Collector;
use crate::rig::load::Load;
use crate::rig::{On, Rig, eventually};
use crate::{TOPIC, on_all, served};

on_all!(a_broker_that_drops_every_connection_is_used_again,);

const CALLERS: usize = 8;

fn a_broker_that_drops_every_connection_is_used_again(on: On) {
    let served = served();
    let rig = Rig::start(on, &served.namesrv());
    let collector = Collector::start(&rig, "dropped", TOPIC);
    let load = Load::start(&rig, TOPIC, CALLERS, Duration::from_millis(2));
    for _ in 0..5 {
        sleep(Duration::from_millis(300));
        let cut = Instant::now();
        served.with(|cluster| cluster.disconnect(0));
        let first = load.first_after(cut, Duration::from_secs(5)).expect("sends flow again");
        // The fifth pause between two connects is up to a second.
        assert!(first - cut < Duration::from_secs(2), "{:?}", first - cut);
    }
    let sent = load_stopped(load);
    all_arrived(&sent, &collector);
}

/// The ids of what was answered SEND_OK.
fn load_stopped(load: Load) -> HashSet<String> {
    let outcome = load.stop();
    println!("{} sent, {} failed", outcome.sent.len(), outcome.failed.len());
    outcome.sent.iter().map(|(receipt, _)| receipt.message_id.to_string()).collect()
}

fn all_arrived(sent: &HashSet<String>, collector: &Collector) {
    let missing =
        || collector.look(|seen| sent.iter().filter(|id| !seen.ids.contains_key(*id)).count());
    let all = eventually(Duration::from_secs(10), || missing() == 0);
    assert!(all, "{} of {} never came", missing(), sent.len());
    println!("{} again", collector.look(|seen| seen.duplicates()));
}
