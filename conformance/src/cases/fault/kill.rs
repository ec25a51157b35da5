//! A broker that writes each message to its disk before it answers, and is killed with sends in
//! flight.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use rocketry::{Config, SendError, Stored};

use crate::cases::common::all;
use crate::cases::loss::Ground;
use crate::cases::place::{Place, Setting, note};
use crate::live;
use crate::rig::collector::Collector;
use crate::rig::load::{Load, Outcome};
use crate::rig::{On, Rig, eventually};

pub(crate) const FLUSHED: &[Setting] = &[("flushDiskType", "SYNC_FLUSH")];
const KILLS: usize = 2;
const CALLERS: usize = 8;
const DEADLINE: Duration = Duration::from_secs(3);
/// What a machine that is busy may take beyond a deadline.
const LATE: Duration = Duration::from_secs(2);
const SOON: Duration = Duration::from_secs(30);

/// Callers on one runtime, each of which waits for its send before it begins the next.
struct Work {
    on: On,
    topic: String,
    rig: Rig,
    load: Load,
}

impl Work {
    fn start(on: On, (namesrv, broker): (&str, &str)) -> Self {
        let topic = format!("killed_{on:?}");
        live::create_topic(namesrv, broker, &topic, 4).expect("created");
        let mut config = Config::new(namesrv).expect("settings");
        config.send_timeout = DEADLINE;
        let rig = Rig::with(on, config);
        let load = Load::start(&rig, &topic, CALLERS, Duration::ZERO);
        Self { on, topic, rig, load }
    }

    /// Tries that came to nothing so far.
    fn lost_tries(&self) -> u64 {
        self.rig.client.stats().counters.tries_failed
    }

    fn flows(&self, count: usize) {
        let answered = || self.load.look(|outcome| outcome.sent.len());
        let wanted = answered() + count;
        assert!(eventually(SOON, || answered() >= wanted), "{:?}: {} sent", self.on, answered());
    }

    /// Each send has ended in time, and what was answered is there.
    fn judge(self, place: &Place, namesrv: &str) {
        let Self { on, topic, load, .. } = self;
        let Outcome { sent, failed, slowest } = load.stop();
        assert!(slowest < DEADLINE + LATE, "{on:?}: a send took {slowest:?}");
        assert!(failed.iter().all(SendError::is_retriable), "{on:?}: {:?}", failed.first());
        let unknown = failed.iter().filter(|error| error.stored() == Stored::Unknown).count();
        let ids: HashSet<String> =
            sent.iter().map(|(receipt, _)| receipt.message_id.to_string()).collect();
        assert_eq!(ids.len(), sent.len(), "{on:?}: an id was given twice");
        let rig = Rig::start(on, namesrv);
        let collector = Collector::start(&rig, &format!("judges_{on:?}"), &topic);
        let missing =
            || collector.look(|seen| ids.iter().filter(|id| !seen.ids.contains_key(*id)).count());
        let none = eventually(SOON, || missing() == 0);
        let (came, again) = collector.look(|seen| (seen.ids.len(), seen.duplicates()));
        note!(
            place,
            "{on:?}: {} answered, {} lost; {} ended in an error, {unknown} of them of unknown \
             fate; {came} came, {again} again; the slowest send took {slowest:?}",
            ids.len(),
            missing(),
            failed.len()
        );
        assert!(none, "{on:?}: {} of {} were lost", missing(), ids.len());
        // Who was told that a message is not stored was told the truth.
        assert!(came <= ids.len() + unknown, "{on:?}: {came} came");
    }
}

pub(crate) fn a_broker_that_is_killed_loses_nothing_that_it_has_answered(place: &Place) {
    let mut ground = Ground::of(place, |_| ());
    let (namesrv, broker) = ground.at();
    let works = all(place.runtimes(), |on| Work::start(on, (&namesrv, &broker)));
    for kill in 1..=KILLS {
        works.iter().for_each(|work| work.flows(200));
        let before: Vec<u64> = works.iter().map(Work::lost_tries).collect();
        let begun = Instant::now();
        ground.kill_and_restart();
        note!(place, "kill {kill}: the broker is back after {:?}", begun.elapsed());
        for (work, before) in works.iter().zip(before) {
            assert!(work.lost_tries() > before, "{:?}: nothing was in flight", work.on);
        }
    }
    works.iter().for_each(|work| work.flows(200));
    works.into_iter().for_each(|work| work.judge(place, &namesrv));
}
