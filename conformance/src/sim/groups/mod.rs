//! One storm upon groups of consumers, from its seed to what it came to: members of every kind come
//! and go, fast and slow, with every verdict that there is, while faults come; then calm, and what
//! must hold of it all.
//!
//! Those of `group_b` leave the other topic and come back to it.
//!
//! | group | what it reads | its members |
//! |---|---|---|
//! | `group_a` | all of one topic | up to four, in order in some scenes; one shares a client |
//! | `group_b` | a tag of it, all of another | up to three, by a rule of their own |
//! | `group_c` | all of the first topic | one, slow, with a client of its own |

mod after;
mod crowd;
mod holds;
mod rule;
mod scene;

use std::time::Duration;

use rocketry_core::allocation::Strategy;
use rocketry_core::config::Config;
use rocketry_core::engine::Stats;
use rocketry_core::message::Message;
use rocketry_core::name::Topic;
use rocketry_core::rng::Rng;
use rocketry_core::time::Instant;

use crowd::{Deed, Member};
pub use scene::GroupScene;

use super::app::ClientId;
use super::fates::{Kind, Reads};
use super::link::{Host, Way};
use super::network::COMPUTE;
use super::storm::Weather;
use super::world::World;
use crate::broker::{ClusterConfig, ListenerId};

/// How long faults come.
const STORM: Duration = Duration::from_secs(20);
/// After a storm everything is settled, and offsets are stored, within this.
const CALM: Duration = Duration::from_secs(90);
const SECOND: Duration = Duration::from_secs(1);

const TOPIC: &str = "topic_a";
const OTHER: &str = "topic_b";
const TAG: &str = "eu";
const QUEUES: u32 = 4;
const NAMESERVERS: [&str; 2] = ["ns:9876", "ns2:9876"];
/// How often a message may come again: as often as the applications send one back, and once more.
const TIMES: u32 = 3;

const GROUPS: [&str; 3] = ["group_a", "group_b", "group_c"];
/// What they read.
const READS: [Reads<'static>; 4] = [
    Reads { group: "group_a", topic: TOPIC, tag: None },
    Reads { group: "group_b", topic: TOPIC, tag: Some(TAG) },
    Reads { group: "group_b", topic: OTHER, tag: None },
    Reads { group: "group_c", topic: TOPIC, tag: None },
];
/// Their retry topics.
const RETRIES: [Reads<'static>; 3] = [
    Reads { group: "group_a", topic: "%RETRY%group_a", tag: None },
    Reads { group: "group_b", topic: "%RETRY%group_b", tag: None },
    Reads { group: "group_c", topic: "%RETRY%group_c", tag: None },
];

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// What one storm upon groups came to.
#[derive(Debug)]
pub struct GroupCourse {
    /// The world after it: every client has stopped.
    pub world: World,
    /// From the calm until all was settled and stored.
    pub took: Duration,
    /// Messages that were handed out again from the same place after they had been judged, until
    /// then.
    pub repeated: usize,
    /// Dead letters.
    pub dead: usize,
    /// What members and administrators did.
    pub deeds: usize,
}

/// Runs one storm upon groups.
///
/// # Panics
/// When anything that must hold does not.
pub fn groups(seed: u64, scene: &GroupScene) -> GroupCourse {
    let levels = (0..18).map(|level| ms(100 + 100 * (level % 4)));
    let mut cluster = ClusterConfig::default().brokers(scene.brokers).delay_levels(levels);
    cluster = cluster.topic(TOPIC, QUEUES).topic(OTHER, 2);
    if scene.slaves {
        cluster = cluster.slaves();
    }
    cluster.hide_down_brokers = scene.hides_down;
    let mut run = Run::new(World::new(seed, cluster), seed, scene);
    run.blow();
    run.end()
}

/// One storm upon groups while it runs.
struct Run {
    world: World,
    rng: Rng,
    scene: GroupScene,
    producers: Vec<ClientId>,
    members: Vec<Member>,
    /// The rule of the second group: one for all its members.
    own: Strategy,
    /// What is to be done later.
    deeds: Vec<(Instant, Deed)>,
    calm: Instant,
    done: usize,
    /// Commits that brokers had got when the offsets were last looked at.
    commits: u64,
}

impl Run {
    fn new(mut world: World, seed: u64, scene: &GroupScene) -> Self {
        if scene.nameservers > 1 {
            world.host(NAMESERVERS[1], Host::Cluster(ListenerId::SecondNameserver));
        }
        #[cfg(feature = "planted")]
        if let Some(fault) = scene.plant {
            world.plant(fault);
        }
        world.compute_within(scene.computes);
        world.tamper(|_, way, bytes| {
            if way == Way::Down {
                damage(bytes);
            }
        });
        let producers = (0..2).map(|_| world.client(config(scene))).collect();
        let calm = world.now() + scene.length;
        let rng = Rng::new(seed ^ 0x6772_6f75_7073);
        let (members, deeds) = (Vec::new(), Vec::new());
        let (scene, own) = (scene.clone(), rule::own());
        Self { world, rng, scene, producers, members, own, deeds, calm, done: 0, commits: 0 }
    }

    fn blow(&mut self) {
        self.begin();
        self.traffic();
        self.world.storm_of(Weather {
            length: self.scene.length,
            mean: self.scene.mean,
            gusts: self.scene.gusts.clone(),
            topic: TOPIC.to_owned(),
        });
        while self.world.now() < self.calm {
            let pause = ms(150 + self.rng.below(700));
            self.live(self.calm.min(self.world.now() + pause));
            self.act();
        }
        self.settle_down();
    }

    /// Lets time pass, and looks at the offsets after every step that may have changed them.
    fn live(&mut self, until: Instant) {
        loop {
            let next = self.deeds.iter().map(|(at, _)| *at).min();
            let stop = next.map_or(until, |at| at.min(until));
            while self.world.step(stop) {
                self.look();
            }
            if next.is_none_or(|at| at > until) {
                return;
            }
            let now = self.world.now();
            let due = |(at, _): &mut (Instant, Deed)| *at <= now;
            let deeds: Vec<Deed> = self.deeds.extract_if(.., due).map(|(_, deed)| deed).collect();
            deeds.into_iter().for_each(|deed| self.carry_out(deed));
        }
    }

    fn live_for(&mut self, time: Duration) {
        self.live(self.world.now() + time);
    }

    /// Lets time pass until something holds. `None` if it does not.
    fn live_until(
        &mut self,
        limit: Duration,
        mut holds: impl FnMut(&World) -> bool,
    ) -> Option<Duration> {
        let start = self.world.now();
        while !holds(&self.world) {
            if self.world.now().since(start) >= limit {
                return None;
            }
            self.live_for(ms(100));
        }
        Some(self.world.now().since(start))
    }

    /// Sends a message each 80 ms or so.
    fn traffic(&mut self) {
        for i in 0..self.scene.length.as_millis() as u64 / 80 {
            let at = ms(80 * i + self.rng.below(60));
            let kind = match self.rng.below(12) {
                0..=6 => Kind::Good,
                7..=8 => Kind::Flaky,
                9 => Kind::Dead,
                10 => Kind::Hopeless,
                _ => Kind::Unreadable,
            };
            let topic = if i % 3 == 2 { OTHER } else { TOPIC };
            self.send_later(at, kind, topic, i);
        }
    }

    fn send_later(&mut self, after: Duration, kind: Kind, topic: &str, number: u64) {
        let client = self.producers[number as usize % 2];
        let mut message = Message::new(name(topic), format!("{} {number}", kind.word()));
        if number % 4 < 2 {
            message = message.tag(if number.is_multiple_of(2) { TAG } else { "us" });
        }
        self.world.later(after, move |world| {
            let op = world.try_send(client, message);
            assert!(op.is_ok(), "{op:?}");
        });
    }

    fn end(mut self) -> GroupCourse {
        self.world.compute_within(COMPUTE);
        let took = self.assert_settled();
        let repeated = GROUPS.iter().map(|group| self.world.repeated(group).judged).sum();
        self.assert_owned();
        let dead = self.assert_dead_letters();
        self.after_calm();
        let dead = dead.max(self.assert_dead_letters());
        let Self { mut world, producers, members, done, .. } = self;
        let mut clients: Vec<ClientId> = members.iter().map(|member| member.client).collect();
        clients.extend(&producers);
        clients.sort_unstable();
        clients.dedup();
        clients.iter().for_each(|client| world.shutdown(*client));
        world.run_for(6 * SECOND);
        for client in clients.into_iter().filter(|client| !world.is_gone(*client)) {
            assert!(world.stopped_at(client).is_some(), "{client:?} did not stop");
            assert_eq!(world.engine(client).stats(), Stats::default());
        }
        GroupCourse { world, took, repeated, dead, deeds: done }
    }
}

fn config(scene: &GroupScene) -> Config {
    let list = NAMESERVERS[..scene.nameservers].join(";");
    let mut config = Config::new(&list).unwrap_or_else(|error| panic!("{error}"));
    config.max_reconsume_times = TIMES;
    config
}

fn name(topic: &str) -> Topic {
    Topic::new(topic).unwrap_or_else(|error| panic!("{error}"))
}

/// Spoils the bodies that say so.
fn damage(bytes: &mut [u8]) {
    let word = Kind::Unreadable.word().as_bytes();
    let mut at = 0;
    while let Some(found) = bytes[at..].windows(word.len()).position(|part| part == word) {
        bytes[at + found] = b'U';
        at += found + word.len();
    }
}
