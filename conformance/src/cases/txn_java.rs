//! Transactions beside Apache's client for Java: each reads what the other commits, and answers for
//! the other one's dead.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use rocketry::{CheckedHalf, Message, Resolution};

use crate::broker::{ClusterConfig, TopicConfig};
use crate::cases::common::stored;
use crate::cases::peers::Peer;
use crate::cases::place::{Place, note};
use crate::cases::reading::{consume, next};
use crate::embedded::EmbeddedCluster;
use crate::live;
use crate::rig::shop::{Book, Custom, Shop};
use crate::rig::{On, Rig, eventually};

const TOPICS: [&str; 3] = ["read", "theirs", "ours"];
const COUNT: usize = 10;
/// A live broker looks each 10 s for half messages of 6 s.
const CHECKED: Duration = Duration::from_secs(90);

/// One cluster, and names of one run.
struct Ground<'a> {
    on: On,
    version: &'a str,
    namesrv: &'a str,
    prefix: &'a str,
}

/// Even numbers are committed.
fn by_number(body: &str) -> Resolution {
    let number: usize = body.rsplit(' ').next().and_then(|n| n.parse().ok()).expect("a number");
    if number.is_multiple_of(2) { Resolution::Commit } else { Resolution::RollBack }
}

fn check(half: &CheckedHalf) -> Resolution {
    by_number(std::str::from_utf8(&half.body().expect("a body")).expect("a text"))
}

impl Ground<'_> {
    fn java(&self, mode: &str, topic: &str, more: &[&str]) -> Peer {
        let (group, topic) = (self.name("group_", topic), self.name("", topic));
        let words = [&[mode, self.namesrv, &group, &topic], more].concat();
        Peer::transactions(self.version, &words)
    }

    fn name(&self, kind: &str, topic: &str) -> String {
        format!("{}{kind}{topic}", self.prefix)
    }

    /// The bodies in a topic, each once, once there are so many.
    fn bodies(&self, rig: &Rig, topic: &str, count: i64) -> Vec<String> {
        let name = self.name("", topic);
        let there = eventually(CHECKED, || stored(rig, &name) >= count);
        assert!(there, "{topic}: {} of {count} are there", stored(rig, &name));
        let mut consumer = consume(rig, &self.name("readers_", topic), &name, "*");
        let mut bodies = BTreeSet::new();
        while (bodies.len() as i64) < count {
            let delivery = next(&mut consumer);
            bodies.insert(String::from_utf8(delivery.body().to_vec()).expect("a text"));
            assert!(delivery.ack().is_taken());
        }
        bodies.into_iter().collect()
    }

    /// Java reads what is committed here, once, and nothing else.
    fn java_reads(&self, rig: &Rig) -> Vec<String> {
        let reader = self.java("read", "read", &[]);
        reader.await_ready();
        let group = self.name("sellers_", "read");
        let producer = rig.client.transaction_producer(group, check).expect("a producer");
        for number in 0..2 * COUNT {
            let body = format!("ours-{number:02}");
            let message = Message::new(self.name("", "read"), body.clone()).transaction_id(&body);
            let half = producer.begin(message).wait().expect("a half message");
            let end = if number % 2 == 0 { Resolution::Commit } else { Resolution::RollBack };
            half.end(end).wait().expect("an end");
        }
        let all = eventually(CHECKED, || reader.told("got").len() >= COUNT);
        std::thread::sleep(Duration::from_secs(1));
        assert!(all, "{:?}", reader.told("got"));
        let mut told = reader.told("got");
        told.sort_unstable();
        told.into_iter().map(|line| format!("read {line}")).collect()
    }

    /// Java begins transactions and is killed: the group's producer here is asked, and answers.
    fn we_answer_for_java(&self, rig: &Rig) -> Vec<String> {
        let java = self.java("leave", "theirs", &[&COUNT.to_string()]);
        java.await_ready();
        // As `kill -9` does.
        drop(java);
        let group = self.name("group_", "theirs");
        let producer = rig.client.transaction_producer(group, check).expect("a producer");
        producer.attend(&self.name("", "theirs").as_str().try_into().expect("a topic"));
        let bodies = self.bodies(rig, "theirs", COUNT as i64 / 2);
        let stats = rig.client.stats().transactions;
        assert!(stats.checks >= COUNT as u64, "{stats}");
        bodies.into_iter().map(|body| format!("theirs {body}")).collect()
    }

    /// A process of ours begins some and is killed: the group's producer in Java answers.
    fn java_answers_for_us(&self, rig: &Rig) -> Vec<String> {
        let folder = std::env::temp_dir().join(format!("rocketry-{}", self.prefix));
        fs::create_dir_all(&folder).expect("a folder");
        let (group, topic) = (self.name("group_", "ours"), self.name("", "ours"));
        let custom = Custom::Leaves(COUNT);
        let shop = Shop::start(
            self.on,
            (self.namesrv, &group, &topic),
            ("shop", &Book::at(&folder), custom),
        );
        let begun = eventually(CHECKED, || shop.begun() == COUNT);
        assert!(begun, "{} half messages", shop.begun());
        shop.kill();
        let _ = fs::remove_dir_all(&folder);
        let java = self.java("answer", "ours", &[]);
        java.await_ready();
        let bodies = self.bodies(rig, "ours", COUNT as i64 / 2 + 1);
        let asked: BTreeSet<String> = java.told("asked").into_iter().collect();
        assert!(eventually(CHECKED, || java.told("asked").len() >= COUNT), "{asked:?}");
        bodies.into_iter().map(|body| format!("ours {body}")).collect()
    }

    fn lines(&self) -> Vec<String> {
        let rig = Rig::with(self.on, crate::rig::patient(self.namesrv));
        [self.java_reads(&rig), self.we_answer_for_java(&rig), self.java_answers_for_us(&rig)]
            .concat()
    }
}

pub(crate) fn java_and_we_answer_for_each_others_dead(place: &Place) {
    let (prefix, version) = (place.name(), place.version());
    for topic in TOPICS {
        let topic = format!("{prefix}{topic}");
        place.create(&topic, 2);
    }
    let namesrv = place.namesrv();
    let ground = Ground { on: place.on(), version, namesrv: &namesrv, prefix: &prefix };
    let live = ground.lines();
    note!(place, "{}", live.join("; "));

    let pause = Duration::from_millis(500);
    let mut config = ClusterConfig::default().checks(pause, pause);
    config.version = live::ordinal_of(version).expect("a version that is known");
    config.topics.extend(TOPICS.map(|topic| TopicConfig::new(format!("{prefix}{topic}"), 2)));
    let embedded = EmbeddedCluster::start_with(config).expect("an embedded broker");
    let namesrv = embedded.namesrv();
    assert_eq!(Ground { namesrv: &namesrv, ..ground }.lines(), live);
    let seen = |number: usize| format!("read ours-{number:02} 8 ours-{number:02}");
    let expected: Vec<_> = (0..COUNT).map(|at| seen(2 * at)).collect();
    assert_eq!(live[..COUNT], expected);
    assert_eq!(live.len(), COUNT + COUNT / 2 + COUNT / 2 + 1, "{live:#?}");
}
