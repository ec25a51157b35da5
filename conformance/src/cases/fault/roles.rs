//! Brokers whose roles a controller gives: the master is killed, and another one is it.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use rocketry::{Config, SendStatus};

use crate::cases::common::{all, named, topic_on_slave};
use crate::cases::place::{Place, Setting, note};
use crate::live::{Cluster, create_topic};
use crate::rig::collector::Collector;
use crate::rig::load::Load;
use crate::rig::{On, Rig, eventually};

/// What a master answers, every broker has that is in its set.
pub(crate) const ROLES: &[Setting] =
    &[("enableControllerMode", "true"), ("allAckInSyncStateSet", "true")];
const BROKER: &str = "broker-a";
const QUEUES: u32 = 4;
/// A controller hears of a broker's end by its connection, or 10 s later.
const SOON: Duration = Duration::from_secs(60);

/// One runtime that sends to a topic of its own and consumes it.
struct Work {
    on: On,
    load: Load,
    collector: Collector,
    _rig: Rig,
}

impl Work {
    fn start(on: On, namesrv: &str) -> Self {
        let mut config = Config::new(namesrv).expect("settings");
        config.send_timeout = Duration::from_secs(5);
        let rig = Rig::with(on, config);
        let topic = topic(on);
        let collector = Collector::start(&rig, &format!("roles_{on:?}"), &topic);
        let load = Load::start(&rig, &topic, 4, Duration::from_millis(10));
        Self { on, load, collector, _rig: rig }
    }

    /// Waits until so many more messages have been stored, and as many have come.
    fn flows(&self, count: usize) {
        let answered = || self.load.look(|outcome| outcome.sent.len());
        let came = || self.collector.look(|seen| seen.ids.len());
        let wanted = (answered() + count, came() + count);
        let flows = || answered() >= wanted.0 && came() >= wanted.1;
        let failed = || self.load.look(|outcome| format!("{:?}", outcome.failed.last()));
        assert!(eventually(SOON, flows), "{:?}: {} sent; {}", self.on, answered(), failed());
    }

    fn lost_nothing(self, place: &Place) {
        let Self { on, load, collector, .. } = self;
        let outcome = load.stop();
        let ids: HashSet<String> =
            outcome.sent.iter().map(|(receipt, _)| receipt.message_id.to_string()).collect();
        let missing =
            || collector.look(|seen| ids.iter().filter(|id| !seen.ids.contains_key(*id)).count());
        let none = eventually(SOON, || missing() == 0);
        let others = outcome.sent.iter().filter(|(receipt, _)| receipt.status != SendStatus::Ok);
        note!(
            place,
            "{on:?}: {} answered, {} of them with another status than SEND_OK; {} failed; {} lost, \
             {} came again",
            ids.len(),
            others.count(),
            outcome.failed.len(),
            missing(),
            collector.look(|seen| seen.duplicates())
        );
        assert!(none, "{on:?}: {} of {} were lost", missing(), ids.len());
    }
}

fn topic(on: On) -> String {
    format!("roles_{on:?}")
}

/// Where the master is, by its route: its name in the cluster, and its address.
fn master(cluster: &Cluster, watcher: &Rig) -> Option<(String, String)> {
    let route = watcher.client.admin().route(&named(BROKER)).wait().ok()?;
    let at = route.brokers.first()?.addresses.get(&0)?.to_string();
    let members = cluster.members().iter();
    let member = members.clone().find(|one| one.address() == at)?;
    Some((member.name.clone(), at))
}

/// Both brokers have all that there is.
fn await_both(cluster: &Cluster) {
    let both = || cluster.in_sync(BROKER).is_ok_and(|count| count == 2);
    assert!(eventually(SOON * 2, both), "{:?}", cluster.in_sync(BROKER));
}

pub(crate) fn writes_go_to_the_master_that_a_controller_has_made(place: &Place) {
    let mut cluster = place.cluster(|options| options.slaves = true);
    let (namesrv, watcher) = (cluster.namesrv(), Rig::watcher(&cluster.namesrv()));
    let (first, at) = master(&cluster, &watcher).expect("a master");
    let members = cluster.members().iter().filter(|one| one.broker_name().is_some());
    let slave = members.map(|one| one.address()).find(|other| *other != at).expect("a slave");
    for &on in place.runtimes() {
        create_topic(&namesrv, &at, &topic(on), QUEUES).expect("created");
        topic_on_slave(&namesrv, &slave, &topic(on), QUEUES);
    }
    await_both(&cluster);
    let works = all(place.runtimes(), |on| Work::start(on, &namesrv));
    works.iter().for_each(|work| work.flows(200));
    let mut old = first;
    for _ in 0..2 {
        cluster.kill(&old).expect("killed");
        let killed = Instant::now();
        let made = || master(&cluster, &watcher).filter(|(name, _)| *name != old);
        assert!(eventually(SOON, || made().is_some()), "nobody is made the master");
        let (new, _) = made().expect("looked at");
        note!(place, "{new} is the master {:?} after {old} was killed", killed.elapsed());
        for work in &works {
            let answered = work.load.first_after(killed, SOON).expect("sends go on") - killed;
            note!(place, "{:?}: first answer {answered:?} after the kill", work.on);
            work.flows(200);
        }
        cluster.restart(&old).expect("it starts again");
        await_both(&cluster);
        let (now, _) = master(&cluster, &watcher).expect("a master");
        assert_eq!(now, new, "the old master is not the master again");
        old = new;
    }
    works.into_iter().for_each(|work| work.lost_nothing(place));
}
