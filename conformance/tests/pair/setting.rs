//! The worlds that tests begin with.

use std::time::Duration;

use bytes::Bytes;
use rocketry_conformance::broker::ClusterConfig;
use rocketry_conformance::sim::{ClientId, Pace, World};
use rocketry_core::body::GroupConfig;
use rocketry_core::config::Config;
use rocketry_core::consumer::{DeliveryId, Handout, Start, Subscribe};
use rocketry_core::error::Stored;
use rocketry_core::id::{OpId, SubscriptionId};
use rocketry_core::message::Message;
use rocketry_core::name::{Group, Topic};

pub(crate) const TOPIC: &str = "topic_a";
pub(crate) const GROUP: &str = "group_a";
pub(crate) const NS: &str = "ns:9876";
pub(crate) const BROKER: &str = "127.0.0.1:10911";
pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// What a broker queues by default.
pub(crate) const CAPACITY: usize = 10_000;

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) fn config() -> Config {
    Config::new(NS).unwrap()
}

/// With so many sends that a broker may leave unanswered.
pub(crate) fn narrow(window: usize) -> Config {
    let mut config = config();
    config.max_unanswered = window;
    config
}

/// One broker with `TOPIC` of so many queues. Its groups have no retry topic: what is counted of
/// requests and queues is of `TOPIC` alone.
pub(crate) fn world(seed: u64, queues: u32) -> World {
    without_retries(World::new(seed, ClusterConfig::default().topic(TOPIC, queues)))
}

/// The same with retry topics, as brokers make them by themselves.
pub(crate) fn with_retries(seed: u64, queues: u32) -> World {
    World::new(seed, ClusterConfig::default().topic(TOPIC, queues))
}

/// The groups that tests use have no retry topic there.
pub(crate) fn without_retries(mut world: World) -> World {
    for group in [GROUP, "g", "group_b", "other"] {
        let (group_name, retry_queue_nums) = (group.to_owned(), 0);
        let config = GroupConfig { group_name, retry_queue_nums, ..GroupConfig::default() };
        world.with_cluster(|cluster| cluster.set_group(&config));
    }
    world
}

/// The same with one client.
pub(crate) fn pair(seed: u64, queues: u32) -> (World, ClientId) {
    let mut world = world(seed, queues);
    let client = world.client(config());
    (world, client)
}

pub(crate) fn topic(name: &str) -> Topic {
    Topic::new(name).unwrap()
}

pub(crate) fn message(body: impl Into<Bytes>) -> Message {
    Message::new(topic(TOPIC), body)
}

pub(crate) fn send(world: &mut World, client: ClientId, body: &str) -> OpId {
    world.try_send(client, message(body.to_owned())).unwrap()
}

pub(crate) fn burst(world: &mut World, client: ClientId, count: usize) -> Vec<OpId> {
    (0..count).map(|_| send(world, client, "x")).collect()
}

/// How many were stored, are not there, and may be there.
pub(crate) fn ends(world: &World, client: ClientId, ops: &[OpId]) -> (usize, usize, usize) {
    let mut counts = (0, 0, 0);
    for op in ops {
        match &world.sent(client, *op).ended.as_ref().unwrap().result {
            Ok(_) => counts.0 += 1,
            Err(error) if error.stored() == Stored::No => counts.1 += 1,
            Err(_) => counts.2 += 1,
        }
    }
    counts
}

/// Sends and waits for the answer, which must be a good one.
pub(crate) fn store(world: &mut World, client: ClientId, body: &str) {
    let op = send(world, client, body);
    let (_, result) = world.end_of(client, op);
    result.unwrap();
}

/// Sends `count` messages, "0" and up, and waits until all are stored.
pub(crate) fn store_many(world: &mut World, client: ClientId, count: usize) {
    let ops: Vec<OpId> = (0..count).map(|i| send(world, client, &i.to_string())).collect();
    for op in ops {
        world.end_of(client, op).1.unwrap();
    }
}

pub(crate) fn from_first(group: &str) -> Subscribe {
    let mut subscribe = Subscribe::new(Group::new(group).unwrap(), topic(TOPIC));
    subscribe.options.start = Start::First;
    subscribe
}

/// A consumer of `TOPIC` in `GROUP` from the first message on.
pub(crate) fn consume(world: &mut World, client: ClientId, pace: Pace) -> SubscriptionId {
    world.subscribe(client, from_first(GROUP), pace).unwrap()
}

/// So many messages in a world of one queue, and one who consumes them by hand.
pub(crate) fn held_in(
    mut world: World,
    count: usize,
    set: impl FnOnce(&mut Config),
) -> (World, ClientId, SubscriptionId) {
    let producer = world.client(config());
    store_many(&mut world, producer, count);
    let mut config = config();
    set(&mut config);
    let client = world.client(config);
    let sub = consume(&mut world, client, Pace::Manual);
    world.run_for(5 * SECOND);
    (world, client, sub)
}

/// The messages of these runs, one by one.
pub(crate) fn ids<'a>(handouts: impl IntoIterator<Item = &'a Handout>) -> Vec<DeliveryId> {
    let each = |one: &Handout| {
        let batch = one.batch.id();
        (one.next..one.end).map(move |index| DeliveryId { batch, index })
    };
    handouts.into_iter().flat_map(each).collect()
}

/// What the group has stored of the first queue.
pub(crate) fn committed(world: &World) -> Option<i64> {
    committed_of(world, 0)
}

/// The same of any queue.
pub(crate) fn committed_of(world: &World, queue: i32) -> Option<i64> {
    world.cluster().committed(0, GROUP, TOPIC, queue)
}

/// The bodies delivered, in order.
pub(crate) fn bodies(world: &World) -> Vec<&str> {
    world.delivered().iter().map(|one| one.body.as_deref().unwrap()).collect()
}

/// So many brokers with `TOPIC` of so many queues on each.
pub(crate) fn brokers(seed: u64, count: usize, queues: u32) -> World {
    let cluster = ClusterConfig::default().brokers(count).topic(TOPIC, queues);
    without_retries(World::new(seed, cluster))
}

/// When clients began to connect to an address, since the world began.
pub(crate) fn connects(world: &World, endpoint: &str) -> Vec<Duration> {
    let begins = |line: &&str| line.contains(" Connect {") && line.contains(endpoint);
    let lines = world.trace().text().lines().filter(begins);
    let when = |line: &str| {
        let (seconds, rest) = line.trim_start().split_once('.').unwrap();
        let micros = rest.split_once(' ').unwrap().0;
        let micros: u64 = micros.parse().unwrap();
        // The trace shows the clock, which begins at ten seconds.
        Duration::from_secs(seconds.parse().unwrap()) + Duration::from_micros(micros) - 10 * SECOND
    };
    lines.map(when).collect()
}

/// The times between those moments.
pub(crate) fn gaps(moments: &[Duration]) -> Vec<Duration> {
    moments.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

/// Writes `to` wherever `from` stands, which is as long. Whether it stood anywhere.
pub(crate) fn reword(bytes: &mut [u8], from: &str, to: &str) -> bool {
    assert_eq!(from.len(), to.len());
    let places = 0..(bytes.len() + 1).saturating_sub(from.len());
    let found: Vec<usize> = places.filter(|at| bytes[*at..].starts_with(from.as_bytes())).collect();
    for at in &found {
        bytes[*at..*at + to.len()].copy_from_slice(to.as_bytes());
    }
    !found.is_empty()
}
