//! Reading at the slave that a broker suggests.

use rocketry::Client;
use rocketry::proto::body::ConsumerConnections;
use rocketry::proto::frame::request::ConsumerConnectionsRequest;
use rocketry::proto::frame::{Request, ResponseCode};

use crate::broker::ClusterConfig;
use crate::cases::common::topic_on_slave;
use crate::cases::off::end;
use crate::cases::place::{Place, Setting, note};
use crate::cases::reading::{SOON, acked, ask, consume, next, number, send_all};
use crate::live::Cluster;
use crate::rig::{Rig, eventually};
use crate::serve::Served;

/// Whatever is not the newest message is read at a slave.
pub(crate) const SUGGESTED: &[Setting] =
    &[("slaveReadEnable", "true"), ("accessMessageInMemoryMaxRatio", "0")];
const TOPIC: &str = "suggested";
const MESSAGES: usize = 2000;

/// A master with its slave, each with the topic.
pub(in crate::cases) enum Pair {
    Embedded(Served),
    Live(Box<Cluster>),
}

impl Pair {
    /// `embedded`: what the embedded brokers have besides.
    pub(in crate::cases) fn start(
        place: &Place,
        embedded: ClusterConfig,
        (topic, queues): (&str, u32),
    ) -> Self {
        if place.served().is_some() {
            let served = Served::start(embedded.slaves().topic(topic, queues));
            return Self::Embedded(served.expect("a served cluster"));
        }
        let cluster = place.cluster(|options| options.slaves = true);
        cluster.create_topic(topic, queues).expect("created");
        let pair = Self::Live(Box::new(cluster));
        topic_on_slave(&pair.namesrv(), &pair.slave(), topic, queues);
        pair
    }

    pub(in crate::cases) fn namesrv(&self) -> String {
        match self {
            Self::Embedded(served) => served.namesrv(),
            Self::Live(cluster) => cluster.namesrv(),
        }
    }

    pub(in crate::cases) fn slave(&self) -> String {
        match self {
            Self::Embedded(served) => served.broker(1).expect("a slave").to_string(),
            Self::Live(cluster) => {
                let mut members = cluster.members().iter();
                members.find(|one| one.name == "broker-a-slave").expect("a slave").address()
            }
        }
    }

    pub(in crate::cases) fn master(&self) -> String {
        match self {
            Self::Embedded(served) => served.broker(0).expect("a master").to_string(),
            Self::Live(cluster) => cluster.broker(),
        }
    }

    pub(in crate::cases) fn kill_master(&mut self) {
        match self {
            Self::Embedded(served) => served.stop_broker(0),
            Self::Live(cluster) => cluster.kill("broker-a").expect("killed"),
        }
    }

    pub(in crate::cases) fn restart_master(&mut self) {
        match self {
            Self::Embedded(served) => served.start_broker(0).expect("it starts again"),
            Self::Live(cluster) => cluster.restart("broker-a").expect("it starts again"),
        }
    }

    /// Both suggest the broker of that id; live ones go by what is behind.
    fn suggest(&self, broker: u64) {
        if let Self::Embedded(served) = self {
            served.with(|cluster| (0..2).for_each(|at| cluster.set_suggested(at, broker)));
        }
    }
}

/// Requests that a broker has not answered: pulls that it holds, mostly.
fn in_flight(client: &Client, broker: &str) -> usize {
    let connections = client.stats().connections;
    let there = connections.iter().filter(|one| one.endpoint.to_string() == broker);
    there.map(|one| one.in_flight).sum()
}

/// Whether a broker has heard of the group.
fn knows(rig: &Rig, broker: &str, group: &str) -> bool {
    let fields = ConsumerConnectionsRequest { consumer_group: group.into(), ..Default::default() };
    let answer = ask(rig, broker, Request::ConsumerConnections(fields), Vec::new());
    answer.code == ResponseCode::SUCCESS
        && ConsumerConnections::parse(&answer.body).is_ok_and(|all| !all.connections.is_empty())
}

pub(crate) fn a_suggested_slave_is_read_from_and_left_again(place: &Place) {
    let pair = Pair::start(place, ClusterConfig::default(), (TOPIC, 1));
    pair.suggest(1);
    let (slave, master) = (pair.slave(), pair.master());
    let watcher = Rig::watcher(&pair.namesrv());
    send_all(&watcher, TOPIC, 0..MESSAGES);
    let copied = || end(&watcher.client, &slave, TOPIC) == Some(MESSAGES as i64);
    assert!(eventually(SOON * 2, copied), "the slave copied nothing");
    for on in place.pair() {
        let mut config = rocketry::Config::new(pair.namesrv()).expect("settings");
        config.pull_batch = 4;
        let rig = Rig::with(on, config);
        let group = format!("suggested_{on:?}");
        let mut consumer = consume(&rig, &group, TOPIC, "*");
        let (mut at_slave, mut came) = (0, Vec::new());
        for at in 0..MESSAGES {
            let delivery = next(&mut consumer);
            came.push(number(&delivery));
            acked(delivery);
            at_slave += usize::from(in_flight(&rig.client, &slave) > 0);
            if at == MESSAGES / 2 {
                assert!(knows(&watcher, &slave, &group), "{on:?}: the slave knows no {group}");
            }
        }
        came.sort_unstable();
        assert_eq!(came, (0..MESSAGES).collect::<Vec<_>>(), "{on:?}");
        note!(place, "{on:?}: a pull was at the slave with {at_slave} of {MESSAGES} messages");
        assert!(at_slave > 0, "{on:?}: {}", rig.client.stats());
        // Nothing is behind any more: a live master sees that by itself.
        pair.suggest(0);
        let back = || in_flight(&rig.client, &master) > 0 && in_flight(&rig.client, &slave) == 0;
        assert!(eventually(SOON * 2, back), "{on:?}: {}", rig.client.stats());
    }
}
