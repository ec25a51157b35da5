//! One storm from its seed to what it came to: producers and consumers on clients of their own,
//! faults for thirty seconds, then calm, and what must hold of it all.

use std::collections::BTreeMap;
use std::time::Duration;

use rocketry_core::config::Config;
use rocketry_core::consumer::{Start, Subscribe};
use rocketry_core::engine::{Cancelled, Stats};
use rocketry_core::error::Stored;
use rocketry_core::frame::RequestCode;
use rocketry_core::id::SubscriptionId;
use rocketry_core::message::Message;
use rocketry_core::name::{Group, Topic};
use rocketry_core::producer::SendOptions;
use rocketry_core::query::QueueName;
use rocketry_core::time::Instant;

use super::app::{ClientId, Pace};
use super::link::Host;
use super::rates::Rate;
use super::storm::{Gust, Weather};
use super::world::World;
use crate::broker::{ClusterConfig, ListenerId};

/// How long faults come.
pub const STORM: Duration = Duration::from_secs(30);
/// After a storm everything stored is delivered within this, and offsets follow.
const CALM: Duration = Duration::from_secs(60);
/// So long after the calm every route has been looked up again (`route_refresh_interval`, a quarter
/// late).
const ROUTES: Duration = Duration::from_secs(40);
/// Then a message is delivered within this.
const PROMPT: Duration = Duration::from_secs(2);

/// Where there is always a way on, a message that is stored is delivered within this.
const STILL: Duration = Duration::from_secs(5);

const TOPIC: &str = "topic_a";
const GROUP: &str = "group_a";
const QUEUES: u32 = 4;
/// Clients that come while the storm lasts, to send one message.
const NEWCOMERS: usize = 5;
const NAMESERVERS: [&str; 2] = ["ns:9876", "ns2:9876"];
const SECOND: Duration = Duration::from_secs(1);

/// What a storm blows upon.
#[derive(Clone, Debug)]
pub struct Scene {
    /// Kinds of faults.
    pub gusts: Vec<Gust>,
    /// Masters.
    pub brokers: usize,
    /// Each has a slave, which answers pulls.
    pub slaves: bool,
    /// Nameservers, one or two.
    pub nameservers: usize,
    /// Brokers that are down are not in routes.
    pub hides_down: bool,
    /// Brokers make topics that are not there.
    pub makes_topics: bool,
    /// Mean time between two faults.
    pub mean: Duration,
    /// How long consumers take for a batch, at most.
    pub pace: Duration,
    /// The fault that clients are given.
    #[cfg(feature = "planted")]
    pub plant: Option<rocketry_core::engine::Planted>,
}

impl Scene {
    /// The network's faults, with settings that follow from the seed.
    pub fn network(seed: u64) -> Self {
        Self {
            gusts: Gust::NETWORK.to_vec(),
            brokers: 1 + (seed % 2) as usize,
            slaves: false,
            nameservers: 1,
            hides_down: seed % 4 < 2,
            makes_topics: true,
            mean: ms(100 + 50 * (seed % 10)),
            pace: ms(1 + 60 * (seed % 9)),
            #[cfg(feature = "planted")]
            plant: None,
        }
    }

    /// All faults that there are, with settings that follow from the seed. A topic that is made
    /// anew says little of what came before: only one seed in eight has that. Another one in eight
    /// is gentle.
    pub fn all(seed: u64) -> Self {
        if seed % 8 == 5 {
            return Self::gentle(seed);
        }
        let anew = seed.is_multiple_of(8);
        let gusts =
            Gust::ALL.iter().copied().filter(|gust| anew || *gust != Gust::TopicAnew).collect();
        let scene = Self::of(seed, gusts);
        // Who still holds messages of the old topic when the new one's come?
        Self { pace: if anew { 8 * SECOND } else { scene.pace }, ..scene }
    }

    /// Faults beside which there is always a way on: no send may fail, and nothing stands still.
    pub fn gentle(seed: u64) -> Self {
        let scene = Self::of(seed, Gust::GENTLE.to_vec());
        Self { nameservers: 2, makes_topics: false, ..scene }
    }

    /// These faults, likewise.
    pub fn of(seed: u64, gusts: Vec<Gust>) -> Self {
        let network = Self::network(seed);
        Self {
            slaves: seed % 3 == 1 && gusts.contains(&Gust::MasterAway),
            gusts,
            nameservers: 1 + (seed / 2 % 2) as usize,
            mean: ms(150 + 75 * (seed % 10)),
            ..network
        }
    }
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// What one storm came to.
#[derive(Debug)]
pub struct Course {
    /// The world after it: every client has stopped.
    pub world: World,
    /// The clients that sent.
    pub producers: Vec<ClientId>,
    /// From the calm until the last message was delivered that had been stored.
    pub took: Duration,
}

/// Runs one storm.
///
/// # Panics
/// When anything that must hold does not.
pub fn course(seed: u64, scene: &Scene) -> Course {
    let mut cluster = ClusterConfig::default().brokers(scene.brokers).topic(TOPIC, QUEUES);
    if scene.slaves {
        cluster = cluster.slaves();
    }
    cluster.hide_down_brokers = scene.hides_down;
    cluster.auto_create_topics = scene.makes_topics;
    let mut run = Run::new(World::new(seed, cluster), seed, scene);
    run.blow();
    run.end()
}

/// One storm while it runs.
struct Run {
    world: World,
    seed: u64,
    scene: Scene,
    producers: Vec<ClientId>,
    members: Vec<ClientId>,
    calm: Instant,
}

impl Run {
    fn new(mut world: World, seed: u64, scene: &Scene) -> Self {
        let second = scene.nameservers > 1;
        if second {
            world.host(NAMESERVERS[1], Host::Cluster(ListenerId::SecondNameserver));
        }
        #[cfg(feature = "planted")]
        if let Some(fault) = scene.plant {
            world.plant(fault);
        }
        let config = || {
            let list = NAMESERVERS[..1 + usize::from(second)].join(";");
            Config::new(&list).unwrap_or_else(|error| panic!("{error}"))
        };
        let producers = (0..2 + NEWCOMERS).map(|_| world.client(config())).collect();
        let members = (0..4).map(|_| world.client(config())).collect();
        let calm = world.now() + STORM;
        Self { world, seed, scene: scene.clone(), producers, members, calm }
    }

    fn blow(&mut self) {
        self.crowd();
        self.traffic();
        self.newcomers();
        self.world.watch_rates(STORM + CALM);
        self.world.storm_of(Weather {
            length: STORM,
            mean: self.scene.mean,
            gusts: self.scene.gusts.clone(),
            topic: TOPIC.to_owned(),
            group: GROUP.to_owned(),
        });
        for tick in 1..STORM.as_secs() * 4 {
            self.world.later(ms(250 * tick), |world| world.assert_none_passed(GROUP, TOPIC));
        }
        self.world.run_for(STORM + 4 * SECOND);
        if self.world.is_remade() {
            self.world.run_for(20 * SECOND);
            self.world.forgive(TOPIC);
        }
    }

    /// Consumers that come and go during the storm; the first one stays.
    fn crowd(&mut self) {
        let (world, members) = (&mut self.world, &self.members);
        let pace = Pace::Within(self.scene.pace);
        consume(world, members[0], pace);
        let second = consume(world, members[1], pace);
        if self.scene.gusts == Gust::GENTLE {
            // A member that a broker refuses to hear of holds its share up.
            return;
        }
        let (leaver, doomed, late) = (members[1], members[2], members[3]);
        let seed = self.seed % 60;
        world.later(ms(8000 + 37 * seed), move |world| {
            consume(world, doomed, pace);
        });
        world.later(ms(15_000 + 101 * seed), move |world| {
            let left = world.leave(leaver, second);
            assert!(left.is_ok(), "{leaver:?} could not leave");
        });
        world.later(ms(18_000 + 89 * seed), move |world| world.vanish(doomed));
        world.later(ms(20_000 + 53 * seed), move |world| {
            consume(world, late, pace);
        });
    }

    /// Sends a message every 40 ms or so.
    fn traffic(&mut self) {
        for i in 0..(STORM.as_millis() as u64 / 40) {
            let client = self.producers[i as usize % 2];
            self.world.later(ms(40 * i + (i * self.seed) % 37), move |world| {
                // Some with a deadline of their own.
                let within = if i % 5 == 0 { ms(200 + 131 * (i % 40)) } else { 3 * SECOND };
                let op = world.send_within(client, message(format!("{i}")), within);
                let op = op.unwrap_or_else(|error| panic!("{error}"));
                if i % 17 == 0 {
                    world.later(ms(i % 90), move |world| {
                        if world.sent(client, op).ended.is_none() {
                            world.cancel(client, op);
                        }
                    });
                }
            });
        }
    }

    /// Further clients that know nothing so far send a message each.
    fn newcomers(&mut self) {
        for (place, client) in self.producers.iter().copied().enumerate().skip(2) {
            let at = ms(4000 * place as u64 + 61 * (self.seed % 60));
            self.world.later(at, move |world| {
                let op = world.send_within(client, message("new".to_owned()), 3 * SECOND);
                assert!(op.is_ok(), "{op:?}");
            });
        }
    }

    fn end(mut self) -> Course {
        let took = self.assert_whole();
        if self.scene.gusts == Gust::GENTLE {
            self.assert_gentle();
        }
        self.world.assert_none_passed(GROUP, TOPIC);
        // With its topic a broker forgets offsets; who reads at the end of the new one by chance
        // can't know.
        if !self.world.struck().contains_key(&Gust::TopicAnew) {
            self.assert_committed();
        }
        self.assert_prompt();
        self.assert_committed();
        self.assert_bounded();
        let Self { mut world, producers, members, .. } = self;
        for client in producers.iter().chain(&members) {
            world.shutdown(*client);
        }
        world.run_for(4 * SECOND);
        for client in producers.iter().chain(&members).filter(|client| **client != members[2]) {
            assert!(world.stopped_at(*client).is_some(), "{client:?} did not stop");
            assert_eq!(world.engine(*client).stats(), Stats::default());
        }
        Course { world, producers, took }
    }

    /// With a way on, no send fails, and everything is delivered at once, also in the storm.
    fn assert_gentle(&self) {
        let mut first = BTreeMap::new();
        for one in self.world.delivered() {
            first.entry(one.id.clone().unwrap_or_default()).or_insert(one.at);
        }
        for sent in self.producers.iter().flat_map(|client| self.world.sends(*client)) {
            let Some(ended) = &sent.ended else { continue };
            let id = sent.id.to_string();
            assert!(
                ended.result.is_ok(),
                "{id}, asked for at {:?}: {:?}",
                sent.asked,
                ended.result
            );
            let stood = first.get(&id).map_or(Duration::MAX, |at| at.since(ended.at));
            assert!(stood <= STILL, "{id} stood still for {stood:?}");
        }
    }

    /// The unique ids of what is known to be stored; what is known not to be is not there.
    fn stored(&self) -> Vec<String> {
        let copies = self.world.all_copies(TOPIC);
        let stored = |id: &str| copies.contains_key(id) || self.world.is_forgiven(id);
        let mut good = Vec::new();
        for sent in self.producers.iter().flat_map(|client| self.world.sends(*client)) {
            let id = sent.id.to_string();
            match sent.ended.as_ref().map(|ended| &ended.result) {
                Some(Ok(_)) => good.push(id),
                Some(Err(error)) => match error.stored() {
                    Stored::No => assert!(!stored(&id), "{id}: {error}"),
                    Stored::Yes => good.push(id),
                    Stored::Unknown => {}
                },
                None => {
                    let removed = sent.cancelled == Some(Cancelled::Removed);
                    assert!(!removed || !stored(&id), "{id} was cancelled");
                }
            }
        }
        for id in &good {
            assert!(stored(id), "{id} was answered and is not there");
        }
        good
    }

    /// Nothing acknowledged is lost, and all of it is delivered soon after the calm.
    fn assert_whole(&mut self) -> Duration {
        self.world.assert_all_ended();
        let good = self.stored();
        // Where masters are away and brokers move, sends have little time.
        let least = if self.scene.gusts == Gust::NETWORK { 201 } else { 0 };
        assert!(good.len() >= least, "only {} were stored", good.len());
        let world = &mut self.world;
        let missing = |world: &World| {
            good.iter().filter(|id| !world.has_delivered(id) && !world.is_forgiven(id)).count()
        };
        if world.run_until(CALM, |world| missing(world) == 0).is_none() {
            panic!("{} of {} were not delivered", missing(world), good.len());
        }
        let mut first = BTreeMap::new();
        for one in world.delivered() {
            first.entry(one.id.clone().unwrap_or_default()).or_insert(one.at);
        }
        first.into_values().max().map_or(Duration::ZERO, |at| at.since(self.calm))
    }

    fn masters(&self) -> Vec<(usize, String)> {
        let brokers = self.world.cluster().config().brokers.iter().enumerate();
        brokers.filter(|(_, b)| b.id == 0).map(|(index, b)| (index, b.name.clone())).collect()
    }

    /// Offsets come to the ends of their queues, also where a broker lost some.
    fn assert_committed(&mut self) {
        let masters = self.masters();
        let behind = |world: &World| {
            let cluster = world.cluster();
            masters
                .iter()
                .flat_map(|(broker, _)| (0..QUEUES as i32).map(|queue| (*broker, queue)))
                .filter(|(broker, queue)| {
                    let end = cluster.max_offset(*broker, TOPIC, *queue).unwrap_or_default() as i64;
                    cluster.committed(*broker, GROUP, TOPIC, *queue).unwrap_or_default() != end
                })
                .collect::<Vec<_>>()
        };
        if self.world.run_until(CALM, |world| behind(world).is_empty()).is_none() {
            panic!("(broker, queue) {:?} are not committed to their ends", behind(&self.world));
        }
    }

    /// In the calm a message to any queue is stored and delivered at once.
    fn assert_prompt(&mut self) {
        let known = self.calm + ROUTES;
        self.world.run_for(known.since(self.world.now()));
        for (broker, name) in self.masters() {
            for queue in 0..QUEUES {
                let to = QueueName { topic: topic(), broker: name.as_str().into(), queue };
                let client = self.producers[(broker + queue as usize) % 2];
                let options = SendOptions::to(&to).timeout(PROMPT);
                let op = self.world.send_with(client, message("calm".to_owned()), options);
                let op = op.unwrap_or_else(|error| panic!("{error}"));
                let id = self.world.sent(client, op).id.to_string();
                let took = self.world.run_until(PROMPT, |world| world.has_delivered(&id));
                let sent = self.world.sent(client, op);
                assert!(took.is_some(), "{to:?} stands still: {:?}", sent.ended);
            }
        }
    }

    /// No loop with a peer goes without a floor.
    fn assert_bounded(&self) {
        let clients = (self.producers.len() + self.members.len()) as u64;
        for (rate, count) in self.world.rates() {
            let most = clients * limit(*rate);
            assert!(*count <= most, "{rate:?} came {count} times within a second");
        }
    }
}

/// The most that one client may do of a kind within a second, with four queues a broker and 25
/// messages a second between all of them.
const fn limit(rate: Rate) -> u64 {
    match rate {
        Rate::Connects => 20,
        Rate::Requests(_, code) => match RequestCode(code) {
            RequestCode::SEND_MESSAGE_V2 => 100,
            RequestCode::PULL_MESSAGE => 60,
            RequestCode::QUERY_CONSUMER_OFFSET
            | RequestCode::GET_MIN_OFFSET
            | RequestCode::GET_MAX_OFFSET
            | RequestCode::UPDATE_CONSUMER_OFFSET => 4 * QUEUES as u64,
            _ => 10,
        },
    }
}

fn topic() -> Topic {
    Topic::new(TOPIC).unwrap_or_else(|error| panic!("{error}"))
}

fn message(body: String) -> Message {
    Message::new(topic(), body)
}

fn consume(world: &mut World, client: ClientId, pace: Pace) -> SubscriptionId {
    let group = Group::new(GROUP).unwrap_or_else(|error| panic!("{error}"));
    let mut subscribe = Subscribe::new(group, topic());
    subscribe.options.start = Start::First;
    world.subscribe(client, subscribe, pace).unwrap_or_else(|error| panic!("{error}"))
}
