//! One storm upon consumers that are polled, from its seed to what it came to: they poll, seek,
//! pause and commit, queues are assigned and move between members, while faults come; then calm,
//! and what must hold of it all.
//!
//! | group | its members |
//! |---|---|
//! | `group_a` | one that is assigned queues, and seeks anywhere; it commits by itself or not |
//! | `group_b` | up to two that share the queues and seek back only: together they miss nothing |

mod poller;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use poller::Poller;
use rocketry_core::config::Config;
use rocketry_core::consumer::Commit;
use rocketry_core::engine::Stats;
use rocketry_core::frame::{RequestCode, ResponseCode};
use rocketry_core::message::Message;
use rocketry_core::name::Topic;
use rocketry_core::query::QueueName;
use rocketry_core::rng::Rng;

use super::app::ClientId;
use super::storm::{Gust, Weather};
use super::world::World;
use crate::broker::{ClusterConfig, Fault};

const STORM: Duration = Duration::from_secs(20);
/// After so many seconds all have the same route: each looks once in 30.
const ROUTES: u32 = 40;
/// After a storm everything is polled, and offsets are stored, within this.
const CALM: Duration = Duration::from_secs(90);
const SECOND: Duration = Duration::from_secs(1);
const TOPIC: &str = "topic_a";
const QUEUES: u32 = 3;
const GROUPS: [&str; 2] = ["group_a", "group_b"];
const BROKERS: [&str; 2] = ["broker-a", "broker-b"];

/// How one storm upon pollers goes.
#[derive(Clone, Debug)]
pub struct PollScene {
    /// Kinds of faults.
    pub gusts: Vec<Gust>,
    /// The fault that clients are given.
    #[cfg(feature = "planted")]
    pub plant: Option<rocketry_core::engine::Planted>,
}

impl Default for PollScene {
    fn default() -> Self {
        Self {
            gusts: Gust::NETWORK.to_vec(),
            #[cfg(feature = "planted")]
            plant: None,
        }
    }
}

/// What one storm upon pollers came to.
#[derive(Debug)]
pub struct PollCourse {
    /// The world after it: every client has stopped.
    pub world: World,
    /// From the calm until all was polled and stored.
    pub took: Duration,
    /// Messages that polls gave.
    pub polled: usize,
    /// Seeks.
    pub seeks: usize,
}

/// Runs one storm upon pollers.
///
/// # Panics
/// When anything that must hold does not.
pub fn polls(seed: u64, scene: &PollScene) -> PollCourse {
    let brokers = 1 + (seed % 2) as usize;
    let cluster = ClusterConfig::default().brokers(brokers).topic(TOPIC, QUEUES);
    let mut world = World::new(seed, cluster);
    #[cfg(feature = "planted")]
    if let Some(fault) = scene.plant {
        world.plant(fault);
    }
    let mut queues = Vec::new();
    for broker in &BROKERS[..brokers] {
        let named = |queue| QueueName { topic: topic(), broker: (*broker).into(), queue };
        queues.extend((0..QUEUES).map(named));
    }
    let producer = world.client(config());
    let rng = Rng::new(seed ^ 0x706f_6c6c_7365);
    let auto = !seed.is_multiple_of(3);
    let (pollers, ledger) = (Vec::new(), Ledger::default());
    let mut run = Run { world, rng, producer, queues, auto, pollers, ledger, polled: 0, seeks: 0 };
    run.blow(scene);
    run.end()
}

fn topic() -> Topic {
    Topic::new(TOPIC).unwrap_or_else(|error| panic!("{error}"))
}

fn config() -> Config {
    Config::new("ns:9876").unwrap_or_else(|error| panic!("{error}"))
}

/// The number of a queue's broker.
fn broker(queue: &QueueName) -> usize {
    usize::from(&*queue.broker == BROKERS[1])
}

/// What is known of groups.
#[derive(Debug, Default)]
struct Ledger {
    /// Up to where a group has settled, chosen or sought a queue, at the furthest: more is not to
    /// be committed.
    allowed: BTreeMap<(&'static str, QueueName), i64>,
    /// What members of a group were given.
    seen: BTreeMap<(&'static str, QueueName), BTreeSet<i64>>,
}

impl Ledger {
    fn allow(&mut self, group: &'static str, queue: &QueueName, offset: i64) {
        let allowed = self.allowed.entry((group, queue.clone())).or_default();
        *allowed = offset.max(*allowed);
    }
}

/// One storm upon pollers while it runs.
struct Run {
    world: World,
    rng: Rng,
    producer: ClientId,
    queues: Vec<QueueName>,
    /// Whether the first group commits by itself.
    auto: bool,
    pollers: Vec<Poller>,
    ledger: Ledger,
    polled: usize,
    seeks: usize,
}

impl Run {
    fn blow(&mut self, scene: &PollScene) {
        self.traffic();
        let some = self.queues.iter().skip(1).cloned().collect();
        self.pollers.push(Poller::start(&mut self.world, GROUPS[0], (self.auto, Some(some))));
        self.pollers.push(Poller::start(&mut self.world, GROUPS[1], (true, None)));
        let mut weather = Weather::new(STORM, Duration::from_millis(400));
        weather.gusts.clone_from(&scene.gusts);
        self.world.storm_of(weather);
        let calm = self.world.now() + STORM;
        while self.world.now() < calm {
            let pause = Duration::from_millis(10 + self.rng.below(120));
            self.world.run_for(pause);
            self.act();
            self.assert_committed();
        }
    }

    fn traffic(&mut self) {
        for number in 0..600_u64 {
            let client = self.producer;
            let after = Duration::from_millis(30 * number + self.rng.below(30));
            self.world.later(after, move |world| {
                let sent = world.try_send(client, Message::new(topic(), number.to_string()));
                assert!(sent.is_ok(), "{sent:?}");
            });
        }
    }

    /// What somebody does next.
    fn act(&mut self) {
        let at = self.rng.below(self.pollers.len() as u64) as usize;
        match self.rng.below(100) {
            0..=71 => self.poll(at),
            72..=83 => self.seek(at),
            84..=89 => self.hold(at),
            90..=92 => self.commit(at),
            93..=94 => self.assign(),
            95..=96 => self.change_members(),
            _ => self.hurt_pulls(),
        }
    }

    fn poll(&mut self, at: usize) {
        let Self { world, pollers, ledger, polled, .. } = self;
        *polled += pollers[at].poll(world, ledger);
    }

    fn seek(&mut self, at: usize) {
        let drawn = self.rng.below(self.queues.len() as u64) as usize;
        let queue = self.queues[drawn].clone();
        let end = self.end_of(&queue);
        let Self { world, rng, pollers, ledger, seeks, .. } = self;
        let poller = &mut pollers[at];
        // Members that share look at all there is: nobody passes over anything.
        let most = if poller.is_assigned() { Some(end) } else { poller.next(&queue) };
        let Some(most) = most else { return };
        let to = rng.below(most as u64 + 1) as i64;
        *seeks += usize::from(poller.seek(world, ledger, &queue, to));
    }

    fn hold(&mut self, at: usize) {
        let drawn = self.rng.below(self.queues.len() as u64) as usize;
        let (queue, held) = (self.queues[drawn].clone(), self.rng.below(2) == 0);
        self.pollers[at].hold(&mut self.world, &queue, held);
    }

    fn commit(&mut self, at: usize) {
        let Self { world, pollers, ledger, .. } = self;
        pollers[at].commit(world, ledger);
    }

    fn assign(&mut self) {
        let Self { world, rng, pollers, queues, .. } = self;
        let some = queues.iter().filter(|_| rng.below(3) > 0).cloned().collect();
        pollers[0].assign(world, some);
    }

    /// The second of those that share comes or goes, closed or dropped.
    fn change_members(&mut self) {
        let Self { world, rng, pollers, ledger, .. } = self;
        match pollers.pop_if(|_| true) {
            Some(last) if pollers.len() == 2 => last.leave(world, ledger, rng.below(2) == 0),
            Some(last) => {
                pollers.push(last);
                pollers.push(Poller::start(world, GROUPS[1], (true, None)));
            }
            None => {}
        }
    }

    /// A pull is answered late, with an error, or not at all.
    fn hurt_pulls(&mut self) {
        let late = Fault::Late(Duration::from_millis(self.rng.below(3000)));
        let busy = Fault::Refuse(ResponseCode::FLOW_CONTROL);
        let fault = [late, late, busy, Fault::Mute][self.rng.below(4) as usize];
        self.world.with_cluster(|cluster| {
            cluster.push_faults(RequestCode::LITE_PULL_MESSAGE, [fault]);
        });
    }

    fn end_of(&self, queue: &QueueName) -> i64 {
        let end = self.world.cluster().max_offset(broker(queue), TOPIC, queue.queue as i32);
        end.unwrap_or(0) as i64
    }

    fn committed(&self, group: &str, queue: &QueueName) -> Option<i64> {
        self.world.cluster().committed(broker(queue), group, TOPIC, queue.queue as i32)
    }

    /// Nothing is committed that was only handed out.
    fn assert_committed(&self) {
        for group in GROUPS {
            for queue in &self.queues {
                let allowed = self.ledger.allowed.get(&(group, queue.clone())).copied();
                let committed = self.committed(group, queue).unwrap_or(0);
                let allowed = allowed.unwrap_or(0);
                assert!(committed <= allowed, "{group}: {queue} is at {committed}, not {allowed}");
            }
        }
    }

    fn end(mut self) -> PollCourse {
        let calm = self.world.now();
        let all: BTreeSet<QueueName> = self.queues.iter().cloned().collect();
        let Self { world, pollers, .. } = &mut self;
        pollers[0].assign(world, all.clone());
        for poller in pollers.iter_mut() {
            all.iter().for_each(|queue| poller.hold(world, queue, false));
        }
        while !self.is_polled() {
            let waited = self.world.now().since(calm);
            assert!(waited < CALM, "not all was polled: {:?}", self.pollers);
            (0..self.pollers.len()).for_each(|at| self.poll(at));
            self.world.run_for(Duration::from_millis(100));
            self.assert_committed();
        }
        let took = self.world.now().since(calm);
        self.assert_all_seen();
        self.assert_stored();
        let Self { mut world, producer, pollers, polled, seeks, .. } = self;
        let clients: Vec<ClientId> = pollers.iter().map(Poller::client).collect();
        clients.iter().for_each(|client| world.shutdown(*client));
        world.shutdown(producer);
        world.run_for(6 * SECOND);
        for client in clients {
            assert!(world.stopped_at(client).is_some(), "{client:?} did not stop");
            assert_eq!(world.engine(client).stats(), Stats::default());
        }
        PollCourse { world, took, polled, seeks }
    }

    /// Whether each group has come to the end of every queue: whoever takes one for its own has.
    /// Two may, until both have the same route.
    fn is_polled(&self) -> bool {
        GROUPS.iter().all(|group| {
            let members = || self.pollers.iter().filter(|poller| poller.group == *group);
            self.queues.iter().all(|queue| {
                let end = self.end_of(queue);
                let mut reached =
                    members().filter_map(|one| one.reached(&self.world, queue)).peekable();
                reached.peek().is_some() && reached.all(|at| at == end)
            })
        })
    }

    /// Those that share have seen each message.
    fn assert_all_seen(&self) {
        for queue in &self.queues {
            let seen = self.ledger.seen.get(&(GROUPS[1], queue.clone()));
            let all: BTreeSet<i64> = (0..self.end_of(queue)).collect();
            let missing: Vec<&i64> =
                all.iter().filter(|at| seen.is_none_or(|seen| !seen.contains(at))).collect();
            assert!(missing.is_empty(), "{queue}: {missing:?} were given to nobody");
        }
    }

    /// More polls, and a commit where it is theirs, and all of it is stored. Queues may change
    /// hands for as long as members have different routes: what one had polled last comes to
    /// another then.
    fn assert_stored(&mut self) {
        for _ in 0..ROUTES {
            (0..self.pollers.len()).for_each(|at| self.poll(at));
            self.world.run_for(SECOND);
        }
        if !self.auto {
            let Self { world, pollers, ledger, .. } = self;
            let first = &mut pollers[0];
            first.commit(world, ledger);
            let ended = |world: &World| first.last_commit(world).is_some();
            assert!(world.run_until(10 * SECOND, ended).is_some());
            assert_eq!(first.last_commit(world), Some(Ok(())), "{:?}", Commit::Polled);
        }
        self.world.run_for(25 * SECOND);
        for group in GROUPS {
            for queue in &self.queues {
                let (end, stored) = (self.end_of(queue), self.committed(group, queue));
                assert!(stored == Some(end) || end == 0, "{group}: {queue} is at {stored:?}");
            }
        }
    }
}
