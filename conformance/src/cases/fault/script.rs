//! Faults of networks and brokers over real sockets, drawn from a seed: what is done to a cluster,
//! when, and for how long.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rocketry::proto::frame::{RequestCode, ResponseCode};
use rocketry_core::rng::Rng;

use crate::broker::{BrokerConfig, ClusterConfig, Fault, ListenerId, Requests};
use crate::proxy::{Direction, Proxy};
use crate::rig::diary::clock;
use crate::serve::Served;

/// Two masters, which are the first brokers, and a slave of the first one.
pub(super) const MASTERS: usize = 2;
const BROKERS: usize = 3;
/// The proxy of the nameserver stands behind those of the brokers.
const NAMESERVER: usize = BROKERS;
/// Pause between the beginnings of two faults.
const APART: Duration = Duration::from_millis(100);
/// Codes that make a client try again, or elsewhere, or wait.
const REFUSALS: [ResponseCode; 4] = [
    ResponseCode::SYSTEM_ERROR,
    ResponseCode::SYSTEM_BUSY,
    ResponseCode::SERVICE_NOT_AVAILABLE,
    ResponseCode::NO_PERMISSION,
];

/// A fault of a server, which lasts until it is mended.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    /// It is killed: what it had not flushed of offsets is gone, and routes go on naming it.
    Killed(usize),
    /// It ends, and leaves the routes.
    Stopped(usize),
    /// It ends, and comes back at another port.
    Moved(usize),
    /// These befall so many of its requests.
    Requests(ListenerId, Requests, Fault, usize),
    /// All answers to these are late.
    Late(Requests, Duration),
    /// It answers everything with `GO_AWAY`.
    Leaving(usize),
    /// Its connections close.
    Disconnected(usize),
    /// A slave takes nothing over.
    Lagging(usize),
    /// It suggests its slave to who pulls.
    Suggesting(usize),
    /// A connection ends after so many bytes.
    Cut(usize, Direction, u64),
    /// Connections end in a reset.
    Reset(usize),
    /// Nobody gets in, and who is in is reset.
    Refused(usize),
    /// Nothing comes through, and nothing says so.
    BlackHole(usize),
    /// Nothing comes through in one direction.
    Stalled(usize, Direction),
    /// So many bytes a second come through.
    Slow(usize, Direction, u32),
}

fn drawn<T: Copy>(rng: &mut Rng, from: &[T]) -> T {
    from[rng.below(from.len() as u64) as usize]
}

impl Trouble {
    fn draw(rng: &mut Rng) -> Self {
        let master = rng.below(MASTERS as u64) as usize;
        // The slave has less to lose.
        let broker = drawn(rng, &[0, 0, 1, 1, MASTERS]);
        let door = drawn(rng, &[0, 0, 1, 1, MASTERS, NAMESERVER]);
        let way = drawn(rng, &[Direction::Up, Direction::Down]);
        match rng.below(18) {
            0 | 1 => Self::Killed(master),
            2 => Self::Stopped(broker),
            3 => Self::Moved(master),
            4..=7 => Self::draw_requests(rng),
            8 => Self::Late(Requests::Any, Duration::from_millis(100 + rng.below(900))),
            9 => Self::Leaving(broker),
            10 => Self::Disconnected(broker),
            11 if rng.below(2) == 0 => Self::Lagging(MASTERS),
            11 => Self::Suggesting(0),
            12 => Self::Cut(door, way, rng.below(3000)),
            13 => Self::Reset(door),
            14 => Self::Refused(door),
            15 => Self::BlackHole(door),
            16 => Self::Stalled(door, way),
            _ => Self::Slow(door, way, 512 << rng.below(6)),
        }
    }

    fn draw_requests(rng: &mut Rng) -> Self {
        let at = match drawn(rng, &[0, 0, 1, 1, MASTERS, NAMESERVER]) {
            NAMESERVER => ListenerId::Nameserver,
            broker => ListenerId::Broker(broker),
        };
        let of = Requests::Of;
        let requests = [
            Requests::Any,
            Requests::Sends,
            Requests::Sends,
            of(RequestCode::PULL_MESSAGE),
            of(RequestCode::LOCK_BATCH_MQ),
            of(RequestCode::QUERY_CONSUMER_OFFSET),
            of(RequestCode::UPDATE_CONSUMER_OFFSET),
            of(RequestCode::GET_CONSUMER_LIST_BY_GROUP),
            of(RequestCode::HEART_BEAT),
        ];
        let later = Duration::from_millis(50 + rng.below(1500));
        let faults = [
            Fault::Refuse(drawn(rng, &REFUSALS)),
            Fault::Lose,
            Fault::Mute,
            Fault::Late(later),
            Fault::Twice(later),
            Fault::AnswerAndClose,
            Fault::Close,
            Fault::LoseAndClose,
        ];
        Self::Requests(at, drawn(rng, &requests), drawn(rng, &faults), 1 + rng.below(12) as usize)
    }
}

/// The cluster, behind proxies.
pub(super) struct Scene {
    pub(super) served: Served,
    doors: Mutex<Vec<Proxy>>,
    /// When each master forgot its locks.
    pub(super) ends: Mutex<[Vec<u64>; MASTERS]>,
}

impl Scene {
    /// With a topic of so many queues on each master.
    pub(super) fn start(topic: &str, queues: u32) -> Self {
        let mut config = ClusterConfig::default().brokers(MASTERS).topic(topic, queues);
        config.brokers.push(BrokerConfig::new("broker-a", "").slave(1));
        config.slave_reads = true;
        let served = Served::start(config).expect("a served cluster");
        let proxy = |at: SocketAddr| Proxy::start(at).expect("a proxy");
        let brokers = (0..BROKERS).map(|broker| served.broker(broker).expect("a broker"));
        let mut doors: Vec<Proxy> = brokers.map(proxy).collect();
        doors.push(proxy(served.namesrv().parse().expect("an address")));
        for (broker, door) in doors[..BROKERS].iter().enumerate() {
            let at = door.address().to_string();
            served.with(|cluster| cluster.set_endpoint(broker, &at));
        }
        Self { served, doors: doors.into(), ends: Mutex::default() }
    }

    /// Where clients ask.
    pub(super) fn namesrv(&self) -> String {
        self.door(NAMESERVER, |proxy| proxy.address().to_string())
    }

    fn door<T>(&self, at: usize, act: impl FnOnce(&Proxy) -> T) -> T {
        act(&self.doors.lock().unwrap_or_else(PoisonError::into_inner)[at])
    }

    /// A master's locks are gone from now on.
    fn forgets(&self, broker: usize) {
        if let Some(ends) = self.ends.lock().unwrap_or_else(PoisonError::into_inner).get_mut(broker)
        {
            ends.push(clock());
        }
    }

    fn begin(&self, trouble: Trouble) {
        let served = &self.served;
        match trouble {
            Trouble::Killed(broker) => {
                self.forgets(broker);
                served.kill_broker(broker);
            }
            Trouble::Stopped(broker) | Trouble::Moved(broker) => {
                self.forgets(broker);
                served.stop_broker(broker);
            }
            Trouble::Requests(at, requests, fault, times) => {
                served.with(|cluster| cluster.push_faults_at(at, requests, vec![fault; times]));
            }
            Trouble::Late(requests, by) => served.with(|cluster| cluster.set_delay(requests, by)),
            Trouble::Leaving(broker) => {
                served.with(|cluster| cluster.set_leaving(ListenerId::Broker(broker), true));
            }
            Trouble::Disconnected(broker) => served.with(|cluster| cluster.disconnect(broker)),
            Trouble::Lagging(slave) => served.with(|cluster| cluster.set_lagging(slave, true)),
            Trouble::Suggesting(broker) => served.with(|cluster| cluster.set_suggested(broker, 1)),
            Trouble::Cut(door, way, bytes) => self.door(door, |proxy| proxy.cut_after(way, bytes)),
            Trouble::Reset(door) => self.door(door, Proxy::reset),
            Trouble::Refused(door) => self.door(door, |proxy| {
                proxy.refuse();
                proxy.reset();
            }),
            Trouble::BlackHole(door) => self.door(door, |proxy| {
                [Direction::Up, Direction::Down].into_iter().for_each(|way| proxy.stall(way));
            }),
            Trouble::Stalled(door, way) => self.door(door, |proxy| proxy.stall(way)),
            Trouble::Slow(door, way, rate) => self.door(door, |proxy| proxy.slow(way, Some(rate))),
        }
    }

    fn mend(&self, trouble: Trouble) {
        let served = &self.served;
        match trouble {
            Trouble::Killed(broker) | Trouble::Stopped(broker) => {
                served.start_broker(broker).expect("the same port");
            }
            Trouble::Moved(broker) => self.bring_elsewhere(broker),
            Trouble::Late(requests, _) => {
                served.with(|cluster| cluster.set_delay(requests, Duration::ZERO));
            }
            Trouble::Leaving(broker) => {
                served.with(|cluster| cluster.set_leaving(ListenerId::Broker(broker), false));
            }
            Trouble::Lagging(slave) => served.with(|cluster| cluster.set_lagging(slave, false)),
            Trouble::Suggesting(broker) => served.with(|cluster| cluster.set_suggested(broker, 0)),
            Trouble::Refused(door) => {
                self.door(door, |proxy| proxy.admit().expect("the same port"));
            }
            Trouble::BlackHole(door) => self.door(door, |proxy| {
                [Direction::Up, Direction::Down].into_iter().for_each(|way| proxy.go_on(way));
            }),
            Trouble::Stalled(door, way) => self.door(door, |proxy| proxy.go_on(way)),
            Trouble::Slow(door, way, _) => self.door(door, |proxy| proxy.slow(way, None)),
            // What they have not befallen by the end is taken back then.
            Trouble::Requests(..)
            | Trouble::Disconnected(_)
            | Trouble::Cut(..)
            | Trouble::Reset(_) => {}
        }
    }

    fn bring_elsewhere(&self, broker: usize) {
        let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let at = self.served.start_broker_at(broker, free).expect("a free port");
        let door = Proxy::start(at).expect("a proxy");
        let endpoint = door.address().to_string();
        self.served.with(|cluster| cluster.set_endpoint(broker, &endpoint));
        let mut doors = self.doors.lock().unwrap_or_else(PoisonError::into_inner);
        let old = std::mem::replace(&mut doors[broker], door);
        drop(doors);
        drop(old);
    }

    /// Does what a seed says for that long, and mends all of it. Gives what was done.
    pub(super) fn suffer(&self, seed: u64, time: Duration) -> Vec<String> {
        let (mut rng, begun) = (Rng::new(seed), Instant::now());
        let (mut open, mut told) = (Vec::<(Duration, Trouble)>::new(), Vec::new());
        let mut next = Duration::ZERO;
        while begun.elapsed() < time {
            let now = begun.elapsed();
            let (over, left) = open.into_iter().partition(|(until, _)| *until <= now);
            open = left;
            let over: Vec<(Duration, Trouble)> = over;
            over.into_iter().for_each(|(_, trouble)| self.mend(trouble));
            if next <= now {
                let trouble = Trouble::draw(&mut rng);
                let lasts = Duration::from_millis(200 + rng.below(1800));
                next += APART + rng.jitter(APART);
                told.push(format!("{now:.1?} {trouble:?} for {lasts:.1?}"));
                self.begin(trouble);
                open.push((now + lasts, trouble));
            }
            thread::sleep(Duration::from_millis(5));
        }
        open.into_iter().for_each(|(_, trouble)| self.mend(trouble));
        self.served.with(|cluster| cluster.clear_faults());
        // A cut that waits still would come in the calm.
        (0..=NAMESERVER).for_each(|door| self.door(door, Proxy::no_cut));
        told
    }
}
