//! One storm upon a group that broadcasts, from its seed to what it came to: its members are
//! killed, leave and come back under their names, their files are torn and lost, the disk is full,
//! slow and unreadable for a while, and faults come; then calm, and what must hold of it all: each
//! member has handled every message, and its file says so.

use std::collections::BTreeSet;
use std::time::Duration;

use rocketry_core::body::{MessageModel, OffsetFile};
use rocketry_core::config::Config;
use rocketry_core::consumer::{Start, Subscribe};
use rocketry_core::id::SubscriptionId;
use rocketry_core::message::Message;
use rocketry_core::name::{Group, Topic};
use rocketry_core::offsets::{OffsetOwner, Offsets};
use rocketry_core::rng::Rng;
use rocketry_core::time::Instant;

use super::app::{ClientId, Pace};
use super::disk::DiskFaults;
use super::storm::{Gust, Weather};
use super::world::World;
use crate::broker::ClusterConfig;

const STORM: Duration = Duration::from_secs(20);
/// After a storm all is handled and stored within this: the longest pause after failed loads and
/// saves, and a round of saves, are among it.
const CALM: Duration = Duration::from_secs(120);
const TOPIC: &str = "topic_a";
const GROUP: &str = "group_a";
const QUEUES: u32 = 3;
const NAMES: [&str; 3] = ["one", "two", "three"];

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// What a storm blows upon, where a group broadcasts.
#[derive(Clone, Debug)]
pub struct BroadcastScene {
    /// Kinds of faults.
    pub gusts: Vec<Gust>,
    /// Masters.
    pub brokers: usize,
    /// Mean time between two faults.
    pub mean: Duration,
    /// How long members take for what a pull brings, at most.
    pub pace: Duration,
    /// The fault that clients are given.
    #[cfg(feature = "planted")]
    pub plant: Option<rocketry_core::engine::Planted>,
}

impl BroadcastScene {
    /// All faults that befall groups, with settings that follow from the seed.
    pub fn new(seed: u64) -> Self {
        Self {
            gusts: Gust::GROUPS.to_vec(),
            brokers: 1 + (seed % 2) as usize,
            mean: ms(150 + 75 * (seed % 10)),
            pace: ms(1 + 300 * (seed % 9)),
            #[cfg(feature = "planted")]
            plant: None,
        }
    }
}

/// What one storm came to.
#[derive(Debug)]
pub struct BroadcastCourse {
    /// The world after it.
    pub world: World,
    /// From the calm until all was handled and stored.
    pub took: Duration,
    /// How often a member began.
    pub lives: usize,
    /// Files that were torn or lost.
    pub torn: usize,
}

/// One member, under its name.
#[derive(Debug, Default)]
struct Member {
    /// Its lives, the last one first.
    lives: Vec<ClientId>,
    sub: Option<SubscriptionId>,
    /// When it comes back.
    back: Option<Instant>,
}

struct Run {
    world: World,
    rng: Rng,
    scene: BroadcastScene,
    members: [Member; 3],
    disk_well: Option<Instant>,
    torn: usize,
}

/// Runs one storm upon a group that broadcasts.
///
/// # Panics
/// When anything that must hold does not.
pub fn broadcast(seed: u64, scene: &BroadcastScene) -> BroadcastCourse {
    let cluster = ClusterConfig::default().brokers(scene.brokers).topic(TOPIC, QUEUES);
    #[cfg_attr(not(feature = "planted"), expect(unused_mut, reason = "only a fault changes it"))]
    let mut world = World::new(seed, cluster);
    #[cfg(feature = "planted")]
    if let Some(fault) = scene.plant {
        world.plant(fault);
    }
    let members = NAMES.map(|_| Member::default());
    let rng = Rng::new(seed ^ 0x6272_6f61_6463);
    let mut run = Run { world, rng, scene: scene.clone(), members, disk_well: None, torn: 0 };
    run.blow();
    let took = run.assert_all_handled();
    let lives = run.members.iter().map(|member| member.lives.len()).sum();
    BroadcastCourse { world: run.world, took, lives, torn: run.torn }
}

impl Run {
    fn blow(&mut self) {
        (0..NAMES.len()).for_each(|at| self.begin(at));
        self.traffic();
        let calm = self.world.now() + STORM;
        self.world.storm_of(Weather {
            length: STORM,
            mean: self.scene.mean,
            gusts: self.scene.gusts.clone(),
            topic: TOPIC.to_owned(),
        });
        while self.world.now() < calm {
            let pause = ms(100 + self.rng.below(500));
            let left = calm.since(self.world.now());
            self.world.run_for(pause.min(left));
            self.come_back();
            self.act();
        }
        self.world.set_disk(DiskFaults::default());
        self.members.iter_mut().for_each(|member| {
            member.back = member.back.map(|_| Instant::ZERO);
        });
        self.come_back();
    }

    /// A message each 60 ms or so.
    fn traffic(&mut self) {
        let producer = self.world.client(config());
        for number in 0..STORM.as_millis() as u64 / 60 {
            let at = ms(60 * number + self.rng.below(40));
            let topic = Topic::new(TOPIC).unwrap_or_else(|error| panic!("{error}"));
            let message = Message::new(topic, number.to_string());
            self.world.later(at, move |world| {
                let op = world.try_send(producer, message);
                assert!(op.is_ok(), "{op:?}");
            });
        }
    }

    /// A member begins, or begins again, with what is in its file.
    fn begin(&mut self, at: usize) {
        let mut config = config();
        config.instance_name = Some(NAMES[at].to_owned());
        let client = self.world.client(config);
        let mut subscribe = Subscribe::new(group(), topic());
        subscribe.options = subscribe.options.start_at(Start::First);
        subscribe.options = subscribe.options.model(MessageModel::Broadcasting);
        let pace = Pace::Within(self.scene.pace);
        let sub = self.world.subscribe(client, subscribe, pace);
        let member = &mut self.members[at];
        member.lives.insert(0, client);
        member.sub = Some(sub.unwrap_or_else(|error| panic!("{error}")));
        member.back = None;
    }

    fn come_back(&mut self) {
        let now = self.world.now();
        if self.disk_well.take_if(|at| *at <= now).is_some() {
            self.world.set_disk(DiskFaults::default());
        }
        for at in 0..NAMES.len() {
            if self.members[at].back.is_some_and(|back| back <= now) {
                self.begin(at);
            }
        }
    }

    /// Somebody does something.
    fn act(&mut self) {
        let at = self.rng.below(3) as usize;
        let now = self.world.now();
        let soon = now + ms(200 + self.rng.below(4000));
        let member = &mut self.members[at];
        let (Some(sub), None) = (member.sub, member.back) else { return };
        let client = member.lives[0];
        match self.rng.below(10) {
            0..=2 => {
                member.back = Some(soon);
                self.world.vanish(client);
                self.tear(at);
            }
            3 => {
                // It may still be there when its next life begins, which then waits for the lock.
                let left = self.world.leave(client, sub);
                assert!(left.is_ok(), "{} could not leave", NAMES[at]);
                member.back = Some(soon);
            }
            4 => {
                self.disk_well = Some(soon);
                let takes = (self.rng.below(2) == 0).then(|| ms(self.rng.below(3000)));
                let (unreadable, full) = (self.rng.below(3) == 0, self.rng.below(2) == 0);
                self.world.set_disk(DiskFaults { unreadable, full, takes });
            }
            _ => {}
        }
    }

    /// What a machine that loses its power may leave behind.
    fn tear(&mut self, at: usize) {
        let of = owner(NAMES[at]);
        let mut files = self.world.offset_files(&of);
        let cut = |rng: &mut Rng, file: &mut Option<Vec<u8>>| {
            if let Some(bytes) = file {
                bytes.truncate(rng.below(bytes.len() as u64 + 1) as usize);
            }
        };
        match self.rng.below(6) {
            0 => cut(&mut self.rng, &mut files.file),
            1 => files.file = None,
            2 => {
                cut(&mut self.rng, &mut files.file);
                cut(&mut self.rng, &mut files.backup);
            }
            _ => return,
        }
        self.torn += 1;
        self.world.set_offset_files(&of, files);
    }

    /// Each member has handled every message, in one life or another, and its file says so.
    fn assert_all_handled(&mut self) -> Duration {
        let calm = self.world.now();
        let took = self.world.run_until(CALM, |world| {
            let ends = ends(world);
            !ends.is_empty() && NAMES.iter().all(|name| stored(world, name) == ends)
        });
        let files: Vec<Offsets> = NAMES.map(|name| stored(&self.world, name)).into();
        let took = took.unwrap_or_else(|| {
            panic!("{files:?} is stored {CALM:?} after {calm:?}, not {:?}", ends(&self.world))
        });
        for (member, name) in self.members.iter().zip(NAMES) {
            for (queue, end) in ends(&self.world) {
                let settled = |client: &ClientId| self.world.settled_by(*client, &queue);
                let handled: BTreeSet<i64> = member.lives.iter().flat_map(settled).collect();
                let missed = (0..end).find(|offset| !handled.contains(offset));
                assert_eq!(missed, None, "{name} never handled it in {queue}");
            }
        }
        took
    }
}

/// The ends of the queues that have messages.
fn ends(world: &World) -> Offsets {
    let mut ends = Offsets::new();
    for (at, broker) in world.masters() {
        for queue in 0..QUEUES {
            let end = world.cluster().max_offset(at, TOPIC, queue as i32).unwrap_or_default();
            let name = rocketry_core::query::QueueName {
                topic: topic(),
                broker: (&*broker).into(),
                queue,
            };
            ends.insert(name, end as i64);
        }
    }
    ends
}

fn stored(world: &World, name: &str) -> Offsets {
    let json = world.offset_files(&owner(name)).file.unwrap_or_default();
    OffsetFile::parse(&json).map_or_else(|_| Offsets::new(), |file| file.offsets)
}

fn owner(name: &str) -> OffsetOwner {
    OffsetOwner::new(format!("127.0.0.1@{name}"), group())
}

fn group() -> Group {
    Group::new(GROUP).unwrap_or_else(|error| panic!("{error}"))
}

fn topic() -> Topic {
    Topic::new(TOPIC).unwrap_or_else(|error| panic!("{error}"))
}

fn config() -> Config {
    Config::new("ns:9876").unwrap_or_else(|error| panic!("{error}"))
}
