//! What a rebalance costs of 100,000 queues and 10,000 members, beside sorting all of them as
//! strings, which is what comes to mind first and what Java does.
//!
//! `cargo bench -p rocketry-core --bench share`. Quote ratios from one run, never absolutes. For
//! instructions: build it, and run `share-HASH --once WHAT` under `valgrind --tool=callgrind
//! --collect-atstart=no --toggle-collect='*measured_FUNCTION*'`, where WHAT is `naive`, `changed`,
//! `locked` (what is done under the lock when the members are others) or `unchanged`, and FUNCTION
//! is `naive`, `look`, or of the locked part `locked` and `applied`.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs)]

use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use criterion::{BatchSize, Criterion};
use rocketry_core::body::{BrokerData, ConsumerList, QueueData, RouteBody};
use rocketry_core::config::Config;
use rocketry_core::consumer::{Filter, Subscribe};
use rocketry_core::engine::{Command, Decoder, Engine, Event, InFrame, Input, Job};
use rocketry_core::frame::{
    Frame, Inbound, Limits, Opaque, OutFrame, Outbound, Payload, ReplyFields, Request, ResponseCode,
};
use rocketry_core::id::ConnectionId;
use rocketry_core::name::{Group, Topic};
use rocketry_core::time::{Instant, UnixMillis};

const BROKERS: u32 = 100;
const QUEUES: u32 = 500;
const TOPICS: [&str; 2] = ["orders", "refunds"];
const MEMBERS: usize = 10_000;

fn ids(count: usize) -> Vec<String> {
    // Not in their order, as a broker's map gives them.
    let id = |at: usize| format!("10.0.{}.{}@{}#7f3a9c", at % 199, at % 251, 10_000 + at * 7919);
    (0..count).map(id).collect()
}

fn name(broker: u32) -> String {
    format!("broker-{broker:04}")
}

fn route() -> RouteBody {
    let queue = |n| QueueData {
        broker_name: name(n).into(),
        perm: 6,
        read_queues: QUEUES,
        topic_sys_flag: 0,
        write_queues: QUEUES,
    };
    let broker = |n: u32| BrokerData {
        cluster: "DefaultCluster".into(),
        broker_name: name(n).into(),
        addresses: [(0, format!("10.1.{}.{}:10911", n / 250, n % 250))].into(),
    };
    RouteBody {
        queues: (0..BROKERS).map(queue).collect(),
        brokers: (0..BROKERS).map(broker).collect(),
        ..RouteBody::default()
    }
}

/// A consumer of two topics, and all its peers.
struct World {
    engine: Engine,
    now: Instant,
    decoder: Decoder,
    conns: Vec<ConnectionId>,
    jobs: Vec<Job>,
    list: Bytes,
    route: Bytes,
    /// Answers that name the members: reading them is part of what is measured.
    asked: Vec<(ConnectionId, Frame)>,
}

impl World {
    fn new() -> Self {
        let mut config = Config::new("ns:9876").unwrap();
        config.instance_name = Some("5000000#measured".to_owned());
        // Among the others, so that its share begins elsewhere when some of them go.
        config.identity.address = [10, 0, 99, 1];
        let config = std::sync::Arc::new(config);
        let (now, decoder) = (Instant::from_nanos(1), Decoder::of(&config));
        let engine = Engine::new(config, 1, now, UnixMillis(1_700_000_000_000));
        let (conns, jobs, asked) = (Vec::new(), Vec::new(), Vec::new());
        let list = Bytes::new();
        let route = route().to_json().into();
        let mut world = Self { engine, now, decoder, conns, jobs, list, route, asked };
        world.list = world.list_of(MEMBERS - 1);
        let topics = TOPICS.map(|topic| (Topic::new(topic).unwrap(), Filter::All)).into();
        let group = Group::new("billing").unwrap();
        let subscribe = Subscribe { group, topics, options: Default::default() };
        world.engine.subscribe(now, subscribe).unwrap();
        for _ in 0..3 {
            world.obey();
            world.look();
        }
        assert_eq!(world.queues(), 10, "five queues of each topic");
        world
    }

    /// Whether the consumer has its share.
    fn queues(&self) -> usize {
        let consumers = self.engine.snapshot(self.now).consumers;
        consumers.iter().map(|consumer| consumer.queues.len()).sum()
    }

    /// The list with so many others.
    fn list_of(&self, others: usize) -> Bytes {
        let mut client_ids = ids(others);
        client_ids.push(self.engine.client_id().to_string());
        ConsumerList { client_ids }.to_json().into()
    }

    /// Does what the engine wants until it wants nothing; jobs and lists are left.
    fn obey(&mut self) {
        while let Some(command) = self.engine.poll_command() {
            match command {
                Command::Connect { conn, .. } => {
                    self.conns.push(conn);
                    self.engine.handle(self.now, Input::Connected { conn });
                }
                Command::Compute { job } => self.jobs.push(job),
                Command::Transmit { conn } => self.answer(conn),
                Command::Close { .. } | Command::Fetch { .. } => {}
                Command::Load { .. } | Command::Save { .. } => {}
            }
            while self.engine.poll_event().is_some() {}
        }
    }

    fn answer(&mut self, conn: ConnectionId) {
        while let Some(OutFrame { opaque, payload }) = self.engine.poll_frame(conn) {
            let (fields, body) = match &payload {
                Payload::Request { request, .. } => match &**request {
                    Request::Route(_) => (ReplyFields::None, self.route.clone()),
                    Request::ConsumerList(_) => {
                        let list = self.list.clone();
                        self.asked.push((conn, Self::frame(opaque, ReplyFields::None, list)));
                        continue;
                    }
                    Request::QueryOffset(_) => {
                        let offset = [(Box::from("offset"), Box::from("7"))].into();
                        (ReplyFields::Pairs(offset), Bytes::new())
                    }
                    Request::Pull(_) => continue,
                    _ => (ReplyFields::None, Bytes::new()),
                },
                _ => (ReplyFields::None, Bytes::new()),
            };
            let mut frames = vec![self.decoder.read(Self::frame(opaque, fields, body))];
            self.engine.handle_frames(self.now, conn, &mut frames);
        }
    }

    /// A reply as its connection's reader finds it.
    fn frame(opaque: Opaque, fields: ReplyFields, body: Bytes) -> Frame {
        let mut out = Outbound::new();
        out.push(&OutFrame::reply(opaque, ResponseCode::SUCCESS, fields, body)).unwrap();
        let mut slices = [std::io::IoSlice::new(&[]); 8];
        let count = out.slices(&mut slices);
        let bytes: Vec<u8> = slices[..count].iter().flat_map(|slice| slice.to_vec()).collect();
        let mut inbound = Inbound::new(Limits::default());
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let space = inbound.space();
            let taken = space.len().min(rest.len());
            space[..taken].copy_from_slice(&rest[..taken]);
            inbound.filled(taken);
            rest = &rest[taken..];
        }
        inbound.next_frame().unwrap().unwrap()
    }

    /// A list has come, and is decoded.
    fn decoded(&mut self) -> (ConnectionId, Vec<InFrame>) {
        let (conn, frame) = self.asked.pop().unwrap();
        (conn, vec![self.decoder.read(frame)])
    }

    /// The whole of a look: the list, what is computed of it, and what changes hands.
    fn look(&mut self) {
        while !self.asked.is_empty() {
            let (conn, mut frames) = self.decoded();
            self.engine.handle_frames(self.now, conn, &mut frames);
            self.obey();
            for job in std::mem::take(&mut self.jobs) {
                let done = job.run();
                self.engine.handle(self.now, Input::Computed { done });
                self.obey();
            }
        }
    }

    /// Lets time pass until the members are asked for, by the clock alone.
    fn ask(mut self, list: &Bytes) -> Self {
        self.list = list.clone();
        while self.asked.is_empty() {
            self.now = self.engine.next_timeout().unwrap().max(self.now + Duration::from_millis(1));
            self.engine.handle(self.now, Input::Timeout);
            self.obey();
        }
        self
    }
}

/// Reads the list, sorts both as strings, and takes a run.
#[inline(never)]
fn measured_naive(me: &str, queues: &[(String, String, u32)], list: &[u8]) -> usize {
    let mut share = 0;
    for _ in TOPICS {
        let list: ConsumerList = ConsumerList::parse(list).unwrap();
        let (mut queues, mut ids) = (queues.to_vec(), list.client_ids);
        queues.sort();
        ids.sort();
        let place = ids.iter().position(|id| id == me).unwrap();
        let each = queues.len() / ids.len();
        share += queues[place * each..(place + 1) * each].len();
    }
    share
}

#[inline(never)]
fn measured_look(world: &mut World) {
    world.look();
}

/// What is done under the lock when the members are others.
#[inline(never)]
fn measured_locked(world: &mut World, conn: ConnectionId, frames: &mut Vec<InFrame>) {
    world.engine.handle_frames(world.now, conn, frames);
}

#[inline(never)]
fn measured_applied(world: &mut World, done: Vec<Input>) {
    for done in done {
        world.engine.handle(world.now, done);
    }
}

fn all_queues() -> Vec<(String, String, u32)> {
    // In a map's order.
    let of = |n: u32| {
        let broker = n * 37 % BROKERS;
        (0..QUEUES).map(move |queue| ("orders".to_owned(), name(broker), queue))
    };
    (0..BROKERS).flat_map(of).collect()
}

fn once(what: &str) {
    let queues = all_queues();
    let world = World::new();
    let (same, other) = (world.list.clone(), world.list_of(MEMBERS - 2001));
    match what {
        "naive" => {
            let me = world.engine.client_id().to_string();
            println!("{}", measured_naive(&me, &queues, &same));
        }
        "unchanged" => measured_look(&mut world.ask(&same)),
        "changed" => measured_look(&mut world.ask(&other)),
        "locked" => {
            let mut world = world.ask(&other);
            let (conn, mut frames) = world.decoded();
            measured_locked(&mut world, conn, &mut frames);
            world.obey();
            let jobs = std::mem::take(&mut world.jobs);
            let done = jobs.into_iter().map(|job| Input::Computed { done: job.run() }).collect();
            measured_applied(&mut world, done);
            let moved = std::iter::from_fn(|| world.engine.poll_event());
            let moved = moved.filter(|event| matches!(event, Event::QueuesChanged { .. })).count();
            println!("{moved} changes");
        }
        _ => panic!("naive, changed, locked or unchanged"),
    }
}

fn share(c: &mut Criterion) {
    let queues = all_queues();
    let world = World::new();
    let (me, same) = (world.engine.client_id().to_string(), world.list.clone());
    let other = world.list_of(MEMBERS - 2001);
    let mut group = c.benchmark_group("rebalance of 100,000 queues and 10,000 members");
    group.sample_size(10);
    group.bench_function("naive", |b| b.iter(|| black_box(measured_naive(&me, &queues, &same))));
    for (name, list) in [("changed", &other), ("unchanged", &same)] {
        let begin = || World::new().ask(list);
        let look = |mut world: World| {
            measured_look(&mut world);
            world
        };
        group.bench_function(name, |b| b.iter_batched(begin, look, BatchSize::PerIteration));
    }
    group.finish();
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some("--once") {
        return once(&arguments.next().unwrap_or_default());
    }
    let mut criterion = Criterion::default().configure_from_args();
    share(&mut criterion);
    criterion.final_summary();
}
