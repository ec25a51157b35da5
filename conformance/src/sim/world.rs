//! The clock, and what happens next.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rocketry_core::config::Config;
use rocketry_core::consumer::DeliveryId;
use rocketry_core::engine::{Engine, Session};
use rocketry_core::frame::Limits;
use rocketry_core::query::QueueName;
use rocketry_core::rng::Rng;
use rocketry_core::time::{Instant, UnixMillis};

use super::app::{App, ClientId, Delivered};
use super::disk::Disk;
use super::fates::Fates;
use super::happening::{Act, Happening};
use super::logs::Logs;
use super::network::{COMPUTE, Network};
use super::ordered::Firsts;
use super::rates::Rates;
use super::storm::{Damage, Gust};
use super::trace::Trace;
use crate::broker::{self, Cluster, ClusterConfig};

/// When every world begins.
const BIRTH: Instant = Instant::from_nanos(10_000_000_000);
const BIRTH_UNIX: UnixMillis = UnixMillis(1_700_000_000_000);

/// Where the numbers of the agenda begin, with room on both sides.
const MIDDLE: u64 = 1 << 40;

/// One engine and its application.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) session: Session,
    pub(super) app: App,
    /// Its process is gone: nothing is asked of it or told to it any more.
    pub(super) gone: bool,
    /// Its process stands still until then: nothing of it happens before.
    pub(super) frozen: Option<Instant>,
    /// By how many milliseconds its wall clock goes ahead.
    pub(super) ahead: i64,
}

/// Engines, a broker cluster, the network between them, and one clock.
#[derive(Debug)]
pub struct World {
    pub(super) now: Instant,
    pub(super) rng: Rng,
    pub(super) clients: Vec<Client>,
    pub(super) broker: broker::Session,
    pub(super) network: Network,
    pub(super) agenda: BTreeMap<(Instant, u64), Happening>,
    pub(super) sequence: u64,
    pub(super) trace: Trace,
    pub(super) delivered: Vec<Delivered>,
    pub(super) distinct: BTreeSet<String>,
    /// What any consumer was ever done with, by queue.
    pub(super) settled: BTreeMap<QueueName, BTreeSet<i64>>,
    /// The same by client, while its process was there.
    pub(super) settled_by: BTreeMap<(ClientId, QueueName), BTreeSet<i64>>,
    /// How often each kind of fault struck.
    pub(super) struck: BTreeMap<Gust, u64>,
    /// Damage that waits for answers to pulls.
    pub(super) damage: Damage,
    /// What became of the messages of groups that judge each.
    pub(super) fates: Fates,
    /// What groups that handle messages in order were given first, and how many messages.
    pub(super) firsts: Firsts,
    pub(super) handled_in_order: usize,
    /// What brokers have stored, as far as it was read.
    pub(super) logs: Logs,
    /// How often each of them had been handed out before, by delivery.
    pub(super) handed: BTreeMap<(ClientId, DeliveryId), u32>,
    /// One of two nameservers fails the clients.
    pub(super) ailing: bool,
    /// Addresses that brokers have moved to.
    pub(super) moves: u32,
    /// Messages that went with their topic, by unique id.
    pub(super) forgiven: BTreeSet<String>,
    /// A topic was made anew.
    pub(super) remade: bool,
    /// Requests by the second, once that is watched.
    pub(super) rates: Rates,
    /// Files of offsets that brokers do not keep.
    pub(super) disk: Disk,
    /// The fault that clients are given.
    #[cfg(feature = "planted")]
    plant: Option<rocketry_core::engine::Planted>,
    /// What engines want computed takes as long as this, if a test says so.
    pub(super) computes: Option<Duration>,
    /// Otherwise it takes at most this.
    pub(super) computes_within: Duration,
    /// Counts down: what is held goes before what is due.
    front: u64,
    steps: u64,
    most_at_once: usize,
    /// Calls into engines from one check to the next.
    check_each: u64,
    calls: u64,
}

/// Turns that an engine may take at one moment before it counts as one that spins.
const TURNS: usize = 1000;

impl World {
    /// A world with a cluster and no clients. The nameserver listens at `ns:9876`, the brokers
    /// where their configuration says.
    pub fn new(seed: u64, cluster: ClusterConfig) -> Self {
        let mut rng = Rng::new(seed);
        let network = Network::new(&cluster, rng.next_u64());
        let broker = broker::Session::new(cluster, rng.next_u64(), BIRTH, BIRTH_UNIX);
        Self {
            now: BIRTH,
            rng,
            clients: Vec::new(),
            broker,
            network,
            agenda: BTreeMap::new(),
            sequence: MIDDLE,
            front: MIDDLE,
            computes: None,
            computes_within: COMPUTE,
            trace: Trace::default(),
            delivered: Vec::new(),
            distinct: BTreeSet::new(),
            settled: BTreeMap::new(),
            settled_by: BTreeMap::new(),
            struck: BTreeMap::new(),
            damage: Damage::default(),
            fates: Fates::default(),
            firsts: Firsts::default(),
            handled_in_order: 0,
            logs: Logs::default(),
            handed: BTreeMap::new(),
            ailing: false,
            moves: 0,
            forgiven: BTreeSet::new(),
            remade: false,
            rates: Rates::default(),
            disk: Disk::default(),
            #[cfg(feature = "planted")]
            plant: None,
            steps: 0,
            most_at_once: 0,
            check_each: 1,
            calls: 0,
        }
    }

    /// A new client. Its salt is its number, so that ids differ.
    pub fn client(&mut self, mut config: Config) -> ClientId {
        let id = ClientId(self.clients.len());
        config.identity.salt = id.0 as u64;
        let app = App::new(&config);
        let limits = Limits::of(&config);
        #[cfg_attr(
            not(feature = "planted"),
            expect(unused_mut, reason = "only a fault changes it")
        )]
        let mut engine = Engine::new(config.into(), self.rng.next_u64(), self.now, self.unix());
        #[cfg(feature = "planted")]
        if let Some(fault) = self.plant {
            engine.plant(fault);
        }
        let session = Session::new(engine, limits).expect("settings without TLS");
        self.clients.push(Client { session, app, gone: false, frozen: None, ahead: 0 });
        id
    }

    /// Looks at what must always hold after each so many calls into engines, from one on: each look
    /// takes as long as there are sends under way.
    pub fn check_each(&mut self, calls: u64) {
        self.check_each = calls.max(1);
    }

    /// Has what engines want computed take so long.
    pub const fn compute_takes(&mut self, time: Duration) {
        self.computes = Some(time);
    }

    /// Has it take up to so long, drawn anew each time.
    pub const fn compute_within(&mut self, most: Duration) {
        self.computes_within = most;
    }

    /// Gives every further client this fault.
    #[cfg(feature = "planted")]
    pub const fn plant(&mut self, fault: rocketry_core::engine::Planted) {
        self.plant = Some(fault);
    }

    /// The clock.
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// Time since the world began.
    pub const fn elapsed(&self) -> Duration {
        self.now.since(BIRTH)
    }

    /// The wall time that belongs to the present moment.
    pub fn unix(&self) -> UnixMillis {
        BIRTH_UNIX + self.elapsed()
    }

    /// Moments at which something happened.
    pub const fn steps(&self) -> u64 {
        self.steps
    }

    /// The most requests that one call into an engine made: what is done in one hold of the lock.
    pub const fn most_at_once(&self) -> usize {
        self.most_at_once
    }

    /// All that happened, as text.
    pub const fn trace(&self) -> &Trace {
        &self.trace
    }

    /// The cluster, to look at.
    pub const fn cluster(&self) -> &Cluster {
        self.broker.cluster()
    }

    /// Does something to the cluster.
    pub fn with_cluster<T>(&mut self, act: impl FnOnce(&mut Cluster) -> T) -> T {
        let done = self.broker.with(act);
        self.pump();
        done
    }

    /// A client's engine, for getters.
    pub fn engine(&self, client: ClientId) -> &Engine {
        self.clients[client.0].session.engine()
    }

    /// Has something done after `after`.
    pub fn later(&mut self, after: Duration, act: impl FnOnce(&mut Self) + 'static) {
        self.schedule(self.now + after, Happening::Act(Act(Box::new(act))));
    }

    pub(super) fn schedule(&mut self, at: Instant, what: Happening) {
        self.sequence += 1;
        self.agenda.insert((at, self.sequence), what);
    }

    /// Has something done now, before anything else that is due.
    pub(super) fn schedule_first(&mut self, what: Happening) {
        self.front -= 1;
        self.agenda.insert((self.now, self.front), what);
    }

    /// Calls into an engine and checks what must always hold.
    pub(super) fn tell<T>(
        &mut self,
        client: ClientId,
        call: impl FnOnce(&mut Session, Instant) -> T,
    ) -> T {
        let session = &mut self.clients[client.0].session;
        let before = session.engine().stats().requests;
        let done = call(session, self.now);
        self.calls += 1;
        if self.calls.is_multiple_of(self.check_each) {
            session.engine().check();
        }
        let asked = session.engine().stats().requests.saturating_sub(before);
        self.most_at_once = self.most_at_once.max(asked);
        done
    }

    fn living(&self) -> Vec<ClientId> {
        let lives = |at: &usize| !self.clients[*at].gone && self.clients[*at].frozen.is_none();
        (0..self.clients.len()).filter(lives).map(ClientId).collect()
    }

    /// When something happens next.
    fn next(&self) -> Option<Instant> {
        let agenda = self.agenda.first_key_value().map(|(&(at, _), _)| at);
        agenda.into_iter().chain(self.next_timer()).min()
    }

    /// Goes to the next moment at which something happens, but not past `limit`. False if nothing
    /// happens until then.
    pub fn step(&mut self, limit: Instant) -> bool {
        let Some(at) = self.next().filter(|at| *at <= limit) else {
            self.now = self.now.max(limit);
            return false;
        };
        self.now = self.now.max(at);
        self.steps += 1;
        while let Some(entry) = self.agenda.first_entry().filter(|e| e.key().0 <= self.now) {
            let happening = entry.remove();
            self.happen(happening);
            // The contract allows any number of calls before a drain.
            if self.rng.below(2) == 0 {
                self.pump();
            }
        }
        self.after();
        true
    }

    /// When a timer runs out next.
    pub(super) fn next_timer(&self) -> Option<Instant> {
        let living = self.clients.iter().filter(|one| !one.gone && one.frozen.is_none());
        let engines = living.filter_map(|c| c.session.engine().next_timeout());
        engines.chain(self.broker.poll_timeout()).min()
    }

    /// Whatever is due by now is done.
    pub(super) fn after(&mut self) {
        self.time_out();
        if self.broker.poll_timeout().is_some_and(|at| at <= self.now) {
            self.broker.timeout(self.now);
        }
        self.pump();
        // What was too much for one turn, or became due meanwhile, is done now as well.
        for _ in 0..TURNS {
            if !self.time_out() {
                break;
            }
            self.pump();
        }
        self.assert_no_spin();
    }

    /// Tells the engines for which something is due that time has passed. True if there was one.
    fn time_out(&mut self) -> bool {
        let mut any = false;
        for client in self.living() {
            if self.engine(client).next_timeout().is_some_and(|at| at <= self.now) {
                self.tell(client, |session, now| session.timeout(now));
                any = true;
            }
        }
        any
    }

    /// Lets time pass until `condition` holds. `None` if it does not within `limit`; else how long
    /// it took.
    pub fn run_until(
        &mut self,
        limit: Duration,
        mut condition: impl FnMut(&Self) -> bool,
    ) -> Option<Duration> {
        let (start, end) = (self.now, self.now + limit);
        while !condition(self) {
            if !self.step(end) && !condition(self) {
                return None;
            }
        }
        Some(self.now.since(start))
    }

    /// Lets time pass.
    pub fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while self.step(end) {}
    }

    pub(super) fn happen(&mut self, happening: Happening) {
        if let Some(until) = self.frozen_until(&happening) {
            return self.schedule(until, happening);
        }
        match happening {
            Happening::Connected(link) => self.connected(link),
            Happening::Refused(link) => self.refused(link),
            Happening::Closed(link) => self.closed_here(link),
            Happening::Arrived { link, way, bytes } => self.arrived(link, way, bytes),
            Happening::Ended { link, way, reason } => self.ended(link, way, reason),
            Happening::Fetched { client, fetch, result } => {
                self.tell(client, |session, now| session.fetched(now, fetch, result));
            }
            Happening::Computed { client, done, routes } => {
                if !self.clients[client.0].gone {
                    self.computed(client, done, &routes);
                }
            }
            Happening::Disk { client, job } => self.disk_turns(client, job),
            Happening::Settle { client, handout } => self.be_done(client, &handout),
            Happening::Judge { client, handout } => self.judge(client, &handout),
            Happening::InOrder { client, one, rest } => self.judge_in_order(client, &one, *rest),
            Happening::Act(act) => (act.0)(self),
        }
    }

    /// Does all that the engines and the broker ask for at this moment.
    pub(super) fn pump(&mut self) {
        loop {
            let mut busy = false;
            for client in self.living() {
                busy |= self.obey(client);
                busy |= self.listen(client);
            }
            busy |= self.carry_all();
            if !busy {
                break;
            }
        }
    }

    /// After a drain the next timeout of every engine lies in the future: nothing spins.
    fn assert_no_spin(&self) {
        for client in self.clients.iter().filter(|one| !one.gone && one.frozen.is_none()) {
            let next = client.session.engine().poll_timeout();
            let spins = next.as_ref().is_some_and(|(at, _)| *at <= self.now);
            assert!(!spins, "{next:?} is due at {:?}", self.now);
        }
    }
}

impl Drop for World {
    /// A failed test shows how it came to that.
    fn drop(&mut self) {
        self.trace.keep();
        if std::thread::panicking() {
            let wanted = std::env::var("STORM_LINES").ok().and_then(|text| text.parse().ok());
            let shown = self.trace.tail(wanted.unwrap_or(60));
            eprintln!("the last of {} lines:\n{shown}", self.trace.lines());
        }
    }
}
