//! A whole cluster, two masters with slaves and two nameservers, that loses a member at work.

use std::collections::{HashMap, HashSet};
use std::net::TcpStream;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rocketry::{SendStatus, Topic};
use rocketry_conformance::live::{Cluster, Condition, LiveError, Options};

use crate::rig::load::{Load, Outcome};
use crate::rig::{On, Rig, eventually};
use crate::version;

/// Queues of the topic on each master.
const QUEUES: u32 = 4;

/// Held by a test that runs a whole cluster: one of them at a time is enough for a machine.
static ALONE: Mutex<()> = Mutex::new(());

/// Masters with slaves, and two nameservers.
fn whole_cluster(masters: u8) -> Cluster {
    let mut options = Options::new(version());
    options.brokers = masters;
    options.slaves = true;
    options.nameservers = 2;
    // Up to six JVMs start together, beside whatever else the machine does.
    options.patience = Duration::from_secs(240);
    options.life = Duration::from_secs(900);
    Cluster::start_with(options).expect("a cluster")
}

/// One runtime that sends to a topic of its own.
struct Work {
    on: On,
    topic: String,
    load: Load,
    _rig: Rig,
}

impl Work {
    fn start(on: On, cluster: &Cluster) -> Self {
        let topic = format!("failover_{on:?}");
        cluster.create_topic(&topic, QUEUES).expect("the topic is created");
        let rig = Rig::start(on, &cluster.namesrv());
        let load = Load::start(&rig, &topic, 4, Duration::from_millis(2));
        Self { on, topic, load, _rig: rig }
    }

    /// How many messages a broker has answered since `from`.
    fn answered(&self, broker: &str, from: Instant) -> usize {
        self.load.look(|outcome| {
            let by = outcome
                .sent
                .iter()
                .filter(|(receipt, at)| *receipt.broker == *broker && *at > from);
            by.count()
        })
    }

    /// Waits until a broker has answered `count` messages since `from`; gives the time it took.
    fn reaches(&self, broker: &str, count: usize, from: Instant, within: Duration) -> Duration {
        let reached = eventually(within, || self.answered(broker, from) >= count);
        let failed = self.load.look(|outcome| format!("{:?}", outcome.failed));
        assert!(reached, "{:?}: {broker} has answered too little; failed: {failed}", self.on);
        from.elapsed()
    }
}

/// Every message that was answered lies in its queue, by the brokers' own count.
fn nothing_missing(on: On, namesrv: &str, topic: &str, outcome: &Outcome) {
    let rig = Rig::start(on, namesrv);
    let topic = Topic::new(topic).expect("a topic");
    let queues = rig.client.queues(&topic).wait().expect("queues");
    let mut ends = HashMap::new();
    for queue in &queues {
        let end = rig.client.max_offset(queue).wait().expect("an offset");
        ends.insert((queue.broker.to_string(), i64::from(queue.queue)), end);
    }
    assert_eq!(ends.len(), 2 * QUEUES as usize, "{ends:?}");
    let mut places = HashSet::new();
    for (receipt, _) in &outcome.sent {
        assert_eq!(receipt.status, SendStatus::Ok);
        let queue = (receipt.broker.to_string(), i64::from(receipt.queue));
        assert!(receipt.offset < ends[&queue], "{receipt:?} lies behind {}", ends[&queue]);
        assert!(places.insert((queue, receipt.offset)), "{receipt:?}: the place was taken");
    }
    let stored: i64 = ends.values().sum();
    let (sent, failed) = (outcome.sent.len(), outcome.failed.len());
    println!("{on:?}: {sent} answered, {failed} failed, {stored} stored");
    assert!(stored >= i64::try_from(sent).expect("few"), "{stored} of {sent}");
    rig.client.shutdown().wait().expect("an end");
}

#[test]
#[ignore = "needs a live broker"]
fn fault_23_sends_go_on_to_the_other_broker_and_nothing_answered_is_missing() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut cluster = whole_cluster(2);
    let works = [On::Tokio, On::Threads].map(|on| Work::start(on, &cluster));
    let (begun, soon) = (Instant::now(), Duration::from_secs(20));
    for work in &works {
        work.reaches("broker-a", 200, begun, soon);
        work.reaches("broker-b", 200, begun, soon);
    }

    cluster.kill("broker-a").expect("killed");
    let killed = Instant::now();
    assert_eq!(cluster.condition("broker-a").expect("a member"), Condition::Ended);
    for work in &works {
        let took = work.reaches("broker-b", 500, killed, soon);
        println!("{:?}: 500 to the other one within {took:?}", work.on);
    }
    thread::sleep(Duration::from_secs(1));
    for work in &works {
        let settled = killed + Duration::from_secs(1);
        assert_eq!(work.answered("broker-a", settled), 0, "{:?}: a dead broker", work.on);
    }

    cluster.restart("broker-a").expect("it starts again");
    let back = Instant::now();
    for work in &works {
        let took = work.reaches("broker-a", 100, back, Duration::from_secs(60));
        println!("{:?}: 100 to the one that came back within {took:?}", work.on);
    }

    // The other nameserver knows as much.
    cluster.kill("namesrv-1").expect("killed");
    for Work { on, topic, load, _rig } in works {
        let outcome = load.stop();
        nothing_missing(on, &cluster.namesrv(), &topic, &outcome);
        assert!(outcome.failed.is_empty(), "{on:?}: {:?}", outcome.failed);
    }
}

#[test]
#[ignore = "needs a live broker"]
fn members_are_hurt_and_mended_from_outside_by_name() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let cluster = whole_cluster(1);
    let mut outside = Cluster::attach(Some(&cluster.name())).expect("found by its name");
    assert_eq!(outside.members(), cluster.members());
    let error = outside.kill("broker-b").expect_err("there is none");
    assert!(matches!(error, LiveError::NoMember { .. }), "{error}");

    let condition = |name: &str| cluster.condition(name).expect("a member");
    for name in ["namesrv-2", "broker-a", "broker-a-slave"] {
        outside.kill(name).expect("killed");
        assert_eq!(condition(name), Condition::Ended);
        outside.restart(name).expect("it starts again");
        assert_eq!(condition(name), Condition::Runs);
    }
    outside.stop("broker-a").expect("frozen");
    assert!(eventually(Duration::from_secs(5), || condition("broker-a") == Condition::Stopped));
    outside.cont("broker-a").expect("thawed");
    assert!(eventually(Duration::from_secs(5), || condition("broker-a") == Condition::Runs));
    drop(outside);
    assert_eq!(condition("namesrv-1"), Condition::Runs, "letting go changes nothing");

    // The owner ends what others have started.
    let (folder, members) = (cluster.folder().to_owned(), cluster.members().to_owned());
    drop(cluster);
    assert!(!folder.exists());
    for member in members {
        let taken = TcpStream::connect(member.address()).is_ok();
        assert!(!taken, "{} still listens", member.name);
    }
}
