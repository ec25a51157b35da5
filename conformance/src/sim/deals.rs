//! One storm upon transactions: faults for thirty seconds, early checks, ends that are lost,
//! brokers that are killed, a client that dies, then calm, and what must hold of it all: what an
//! application committed is in its topic once, nothing else is, and nothing is left undecided.

use std::collections::BTreeMap;
use std::time::Duration;

use rocketry_core::config::Config;
use rocketry_core::frame::RequestCode;
use rocketry_core::id::OpId;
use rocketry_core::message::{Message, UniqueId};
use rocketry_core::name::{Group, Topic};
use rocketry_core::producer::SendStatus;
use rocketry_core::rng::Rng;
use rocketry_core::time::Instant;
use rocketry_core::transaction::{HalfOptions, Resolution};

use super::app::ClientId;
use super::storm::{Gust, Weather};
use super::world::World;
use crate::broker::{ClusterConfig, Fault};

/// How long faults come.
const STORM: Duration = Duration::from_secs(30);
/// After it all is decided within this.
const CALM: Duration = Duration::from_secs(240);
/// Between two looks of the application.
const TICK: Duration = Duration::from_millis(50);
const SECOND: Duration = Duration::from_secs(1);
/// Work that has not written anything for so long is given up by who checks it.
const GIVEN_UP: Duration = Duration::from_secs(20);
const TOPIC: &str = "topic_a";

/// What a storm blows upon.
#[derive(Clone, Debug, Default)]
pub struct DealScene {
    /// The fault that clients are given.
    #[cfg(feature = "planted")]
    pub plant: Option<rocketry_core::engine::Planted>,
}

/// What one storm came to.
#[derive(Debug)]
pub struct DealCourse {
    /// The world after it.
    pub world: World,
    /// Transactions that were begun.
    pub begun: usize,
    /// Those that were committed.
    pub committed: usize,
    /// Those that were delivered twice, since two clients of a group committed them.
    pub doubled: usize,
    /// Checks that came.
    pub checked: u64,
    /// Copies that were rolled back, since the message was there.
    pub copies: u64,
}

/// What an application means to do with a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plan {
    /// What it says counts, and is written down.
    Say(Resolution),
    /// It writes that down, and says nothing.
    Leave(Resolution),
    /// It says roll back, and writes down commit.
    Fickle,
}

#[derive(Debug)]
enum Stage {
    Sent(OpId),
    Works(Instant),
    Done,
}

/// One transaction.
#[derive(Debug)]
struct Deal {
    client: ClientId,
    plan: Plan,
    stage: Stage,
    /// The verdict that counts, once there is one.
    verdict: Option<Resolution>,
}

/// Runs one storm.
///
/// # Panics
/// When anything that must hold does not.
pub fn deals(seed: u64, scene: &DealScene) -> DealCourse {
    let brokers = 1 + (seed % 2) as usize;
    let mut cluster = ClusterConfig::default().brokers(brokers).topic(TOPIC, 2);
    // Checks that are not answered must not have it laid aside.
    cluster.transactions.checks = 1000;
    let cluster = cluster.checks(6 * SECOND, 10 * SECOND);
    let mut world = World::new(seed, cluster);
    #[cfg(feature = "planted")]
    if let Some(fault) = scene.plant {
        world.plant(fault);
    }
    let DealScene { .. } = scene;
    let config = || Config::new("ns:9876").unwrap_or_else(|error| panic!("{error}"));
    let clients: Vec<ClientId> = (0..3).map(|_| world.client(config())).collect();
    for (client, group) in clients.iter().zip(["alone", "two", "two"]) {
        let group = Group::new(group).unwrap_or_else(|error| panic!("{error}"));
        world.set_group(*client, &group);
        world.answer_for(*client);
        world.attend(*client, &topic());
    }
    let rng = Rng::new(seed ^ 0x6465_616c_7321);
    let (deals, written, died) = (BTreeMap::new(), BTreeMap::new(), false);
    let mut run = Run { world, rng, brokers, clients, deals, written, died };
    run.blow();
    run.end()
}

fn topic() -> Topic {
    Topic::new(TOPIC).unwrap_or_else(|error| panic!("{error}"))
}

/// One storm while it runs.
struct Run {
    world: World,
    rng: Rng,
    brokers: usize,
    clients: Vec<ClientId>,
    deals: BTreeMap<UniqueId, Deal>,
    /// What the applications' database says.
    written: BTreeMap<UniqueId, Resolution>,
    /// The second client has.
    died: bool,
}

impl Run {
    fn blow(&mut self) {
        let mut weather = Weather::new(STORM, Duration::from_millis(600));
        weather.gusts.extend([Gust::Forgetful, Gust::GoAway]);
        weather.topic = TOPIC.to_owned();
        self.world.storm_of(weather);
        let end = self.world.now() + STORM;
        let dies = self.world.now() + STORM / 2;
        while self.world.now() < end {
            if !self.died && self.world.now() >= dies {
                self.world.vanish(self.clients[1]);
                self.died = true;
            }
            self.begin();
            self.hurt();
            self.world.run_for(TICK);
            self.look();
        }
    }

    fn begin(&mut self) {
        let at = self.rng.below(3) as usize;
        let client = self.clients[if at == 1 && self.died { 2 } else { at }];
        let either = [Resolution::Commit, Resolution::RollBack][self.rng.below(2) as usize];
        let plan = match self.rng.below(10) {
            0 | 1 => Plan::Leave(either),
            // Another client of its group would be right to say otherwise.
            2 if client == self.clients[0] => Plan::Fickle,
            _ => Plan::Say(either),
        };
        let begun = self.world.begin(client, Message::new(topic(), "x"), HalfOptions::default());
        if let Ok((op, id)) = begun {
            let deal = Deal { client, plan, stage: Stage::Sent(op), verdict: None };
            self.deals.insert(id, deal);
        }
    }

    /// Early checks, and ends that are lost on their way to a broker, or back.
    fn hurt(&mut self) {
        let broker = self.rng.below(self.brokers as u64) as usize;
        if self.rng.below(40) == 0 {
            self.world.with_cluster(|cluster| cluster.check_halves(broker));
        }
        if self.rng.below(4) == 0 {
            let late = Fault::Late(Duration::from_millis(self.rng.below(5_000)));
            let faults = [Fault::Lose, Fault::Mute, Fault::Close, Fault::LoseAndClose, late];
            let fault = faults[self.rng.below(faults.len() as u64) as usize];
            self.world
                .with_cluster(|cluster| cluster.push_faults(RequestCode::END_TRANSACTION, [fault]));
        }
    }

    /// The applications go on.
    fn look(&mut self) {
        let now = self.world.now();
        for id in self.deals.keys().copied().collect::<Vec<_>>() {
            self.go_on(now, id);
        }
        for client in self.clients.clone() {
            if self.world.is_gone(client) {
                continue;
            }
            for (at, check, half) in self.world.take_checks(client) {
                let id = half.message().unique_id().and_then(|id| UniqueId::parse(id).ok());
                let Some(id) = id else { panic!("a half message has no id") };
                let born = half.message().born_timestamp();
                let age = (self.world.unix().0 - born.0) as u128;
                let said = self.written.get(&id).copied();
                let said = said.unwrap_or(match age > GIVEN_UP.as_millis() {
                    true => Resolution::RollBack,
                    false => Resolution::Unknown,
                });
                assert!(at <= now, "{id} was asked about later");
                if said != Resolution::Unknown {
                    // Whoever is late with the work finds that, and gives it up.
                    self.written.insert(id, said);
                    if let Some(deal) = self.deals.get_mut(&id) {
                        deal.verdict.get_or_insert(said);
                    }
                }
                self.world.answer_check(client, check, said);
            }
        }
    }

    fn go_on(&mut self, now: Instant, id: UniqueId) {
        let Some(Deal { client, plan, stage, .. }) = self.deals.get(&id) else { return };
        let (client, plan) = (*client, *plan);
        if self.world.is_gone(client) {
            return;
        }
        let next = match stage {
            Stage::Sent(op) => match &self.world.sent(client, *op).ended {
                None => return,
                Some(ended) => match &ended.result {
                    Ok(receipt) if receipt.status == SendStatus::Ok => {
                        let work = Duration::from_millis(self.rng.below(9_000));
                        Stage::Works(now + work / (1 + 3 * self.rng.below(2) as u32))
                    }
                    Ok(_) | Err(_) => Stage::Done,
                },
            },
            Stage::Works(until) if *until > now => return,
            Stage::Works(_) => {
                self.decide(client, id, plan);
                Stage::Done
            }
            Stage::Done => return,
        };
        if let Some(deal) = self.deals.get_mut(&id) {
            deal.stage = next;
        }
    }

    /// The local work is done.
    fn decide(&mut self, client: ClientId, id: UniqueId, plan: Plan) {
        let given_up = self.written.contains_key(&id);
        let (write, say) = match plan {
            _ if given_up => (None, Some(Resolution::RollBack)),
            Plan::Say(verdict) => (Some(verdict), Some(verdict)),
            Plan::Leave(verdict) => (Some(verdict), None),
            Plan::Fickle => (Some(Resolution::Commit), Some(Resolution::RollBack)),
        };
        self.written.extend(write.map(|verdict| (id, verdict)));
        let counts = match say {
            Some(verdict) => self.world.resolve(client, id, verdict).map(|_| verdict).ok(),
            None => {
                self.world.leave_half(client, id);
                None
            }
        };
        if let (Some(deal), Some(verdict)) = (self.deals.get_mut(&id), counts) {
            deal.verdict.get_or_insert(verdict);
        }
    }

    fn undecided(&self) -> usize {
        (0..self.brokers).map(|broker| self.world.cluster().halves(broker)).sum()
    }

    fn end(mut self) -> DealCourse {
        let limit = self.world.now() + CALM;
        // Half messages that are still on their way when the storm ends are stored after it.
        let stored = self.world.now() + Duration::from_secs(10);
        while self.world.now() < stored || self.undecided() > 0 {
            assert!(self.world.now() < limit, "{} are undecided", self.undecided());
            self.world.run_for(SECOND);
            self.look();
        }
        // What the last ones told is done, and nothing is asked about any more.
        self.world.run_for(25 * SECOND);
        assert_eq!(self.undecided(), 0, "some came back");
        let copies = self.world.all_copies(TOPIC);
        let (mut committed, mut doubled) = (0, 0);
        for (id, deal) in &self.deals {
            let found = copies.get(id.as_str()).copied().unwrap_or_default();
            let expected = usize::from(deal.verdict == Some(Resolution::Commit));
            committed += found;
            // Two clients may commit in the same moment, each by another copy.
            let shared = deal.client != self.clients[0] && expected == 1;
            let good = found == expected || (shared && found == 2);
            doubled += usize::from(found == 2);
            let written = self.written.get(id);
            assert!(good, "{found} instead of {expected} of {id}: {deal:?}, written {written:?}");
        }
        let living = self.clients.iter().filter(|client| !self.world.is_gone(**client));
        let at = self.world.now();
        let stats: Vec<_> =
            living.map(|client| self.world.engine(*client).snapshot(at).transactions).collect();
        for (place, stats) in stats.iter().enumerate() {
            assert_eq!((stats.undecided, stats.asking), (0, 0), "client {place}: {stats}");
        }
        DealCourse {
            begun: self.deals.len(),
            committed,
            doubled,
            checked: stats.iter().map(|stats| stats.checks).sum(),
            copies: stats.iter().map(|stats| stats.copies).sum(),
            world: self.world,
        }
    }
}
