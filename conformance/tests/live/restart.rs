//! A real broker that is killed and started again in the middle of work, on every runtime.

use std::collections::HashSet;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use rocketry::SendError;
use rocketry_conformance::live::{Cluster, Options};

use crate::refusals::refused_at_once;
use crate::rig::collector::Collector;
use crate::rig::load::Load;
use crate::rig::{On, Rig, eventually};
use crate::version;

/// One runtime at work on a topic of its own.
pub(crate) struct Work {
    pub(crate) on: On,
    pub(crate) rig: Rig,
    pub(crate) load: Load,
    collector: Collector,
}

impl Work {
    pub(crate) fn start(on: On, cluster: &Cluster) -> Self {
        let topic = format!("restart_{on:?}");
        cluster.create_topic(&topic, 8).expect("the topic is created");
        let rig = Rig::start(on, &cluster.namesrv());
        let collector = Collector::start(&rig, &format!("group_{on:?}"), &topic);
        let load = Load::start(&rig, &topic, 8, Duration::from_millis(2));
        let flows =
            eventually(Duration::from_secs(30), || collector.look(|seen| seen.ids.len() > 500));
        assert!(flows, "{on:?}: nothing comes");
        Self { on, rig, load, collector }
    }

    pub(crate) fn recovers(&self, listening: Instant) {
        let first = self.load.first_after(listening, Duration::from_secs(20));
        let took = first.expect("sends flow again") - listening;
        println!("{:?}: first answer {took:?} after the broker listened", self.on);
        assert!(took < Duration::from_secs(3), "{:?}: {took:?}", self.on);
    }

    pub(crate) fn lost_nothing(self) {
        let Self { on, load, collector, .. } = self;
        let outcome = load.stop();
        let ids = outcome.sent.iter().map(|(receipt, _)| receipt.message_id.to_string());
        let ids: HashSet<String> = ids.collect();
        let missing =
            || collector.look(|seen| ids.iter().filter(|id| !seen.ids.contains_key(*id)).count());
        let none = eventually(Duration::from_secs(20), || missing() == 0);
        let (sent, failed) = (outcome.sent.len(), outcome.failed.len());
        let again = collector.look(|seen| seen.duplicates());
        println!("{on:?}: {sent} sent, {failed} failed, {} missing, {again} again", missing());
        assert!(none, "{on:?}: {} of {sent} never came", missing());
    }
}

/// Looks until the port takes connections; gives when.
fn listens(broker: String) -> thread::JoinHandle<Instant> {
    thread::spawn(move || {
        let listens = || TcpStream::connect(&broker).is_ok();
        assert!(eventually(Duration::from_secs(60), listens), "it never listens");
        Instant::now()
    })
}

#[test]
#[ignore = "needs a live broker"]
fn fault_01_fault_02_a_killed_broker_is_used_again_and_nothing_answered_is_missing() {
    let mut options = Options::new(version());
    options.conf.push("autoCreateTopicEnable=false".to_owned());
    let mut cluster = Cluster::start_with(options).expect("a cluster");
    for on in On::ALL {
        let error = refused_at_once(on, &cluster.namesrv(), "unknown");
        assert!(matches!(error, SendError::NoTopic { .. }), "{error:?}");
    }
    let works = On::ALL.map(|on| Work::start(on, &cluster));
    cluster.kill("broker-a").expect("killed");
    let listening = listens(cluster.broker());
    cluster.restart("broker-a").expect("it starts again");
    let listening = listening.join().expect("no panic");
    works.iter().for_each(|work| work.recovers(listening));
    thread::sleep(Duration::from_secs(1));
    works.into_iter().for_each(Work::lost_nothing);
}
