//! One storm from its seed to what it came to: producers and consumers on clients of their own,
//! faults for thirty seconds, then calm, and what must hold of it all.

mod holds;
mod scene;

use std::time::Duration;

use rocketry_core::config::Config;
use rocketry_core::consumer::{Start, Subscribe};
use rocketry_core::engine::Stats;
use rocketry_core::id::SubscriptionId;
use rocketry_core::message::Message;
use rocketry_core::name::{Group, Topic};
use rocketry_core::time::Instant;

pub use scene::Scene;

use crate::broker::{ClusterConfig, ListenerId};
use crate::sim::app::{ClientId, Pace};
use crate::sim::link::Host;
use crate::sim::storm::{Gust, Weather};
use crate::sim::world::World;

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
