//! Routes: what nameservers tell, when they are asked, and when they are gone or disagree.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rocketry_conformance::broker::{ClusterConfig, ListenerId, RouteKeys, TopicConfig};
use rocketry_conformance::sim::{Answer, ClientId, Door, Host, Pace, Way, World};
use rocketry_core::config::Config;
use rocketry_core::engine::{Note, TopicStats};
use rocketry_core::error::{ErrorKind, Stored};
use rocketry_core::frame::{RequestCode, ResponseCode};
use rocketry_core::message::Message;
use rocketry_core::query::{Query, QueueName};

use crate::setting::*;

const NS2: &str = "ns2:9876";
const FRESH: &str = "fresh";

fn routes_asked(world: &World) -> u64 {
    world.cluster().requests(RequestCode::GET_ROUTEINFO_BY_TOPIC)
}

fn answer(world: &mut World, client: ClientId, query: Query) -> Answer {
    let op = world.query(client, query).unwrap();
    world.run_until(5 * SECOND, |world| world.answer(client, op).is_some()).unwrap();
    world.answer(client, op).unwrap().result.clone().unwrap()
}

fn writable(world: &mut World, client: ClientId, name: &str) -> Vec<QueueName> {
    match answer(world, client, Query::Writable(topic(name))) {
        Answer::Writable(queues) => queues.into_iter().map(|choice| choice.queue).collect(),
        other => panic!("{other:?}"),
    }
}

fn known(world: &World, client: ClientId) -> TopicStats {
    world.engine(client).snapshot(world.now()).topics[0].clone()
}

/// How often the client noted that a topic's queues are others.
fn changes(world: &World, client: ClientId) -> usize {
    world.notes(client).filter(|note| matches!(note, Note::RouteChanged { .. })).count()
}

fn without_creation() -> (World, ClientId) {
    let config = ClusterConfig { auto_create_topics: false, ..ClusterConfig::default() };
    let mut world = World::new(1, config.topic(TOPIC, 4));
    let client = world.client(crate::setting::config());
    (world, client)
}

#[test]
fn ns_01_a_known_topics_queues_and_brokers_are_those_of_the_cluster() {
    let config = ClusterConfig::default().brokers(3).topic(TOPIC, 4);
    let mut world = World::new(1, config);
    world.with_cluster(|cluster| {
        cluster.create_topic_on(1, &TopicConfig::new(TOPIC, 4).queues(5, 2));
    });
    let client = world.client(crate::setting::config());
    let read = match answer(&mut world, client, Query::Queues(topic(TOPIC))) {
        Answer::Queues(queues) => queues,
        other => panic!("{other:?}"),
    };
    let written = writable(&mut world, client, TOPIC);
    let snapshot = world.engine(client).snapshot(world.now());
    for (at, name) in ["broker-a", "broker-b", "broker-c"].into_iter().enumerate() {
        let (reads, writes) = world.cluster().queues(at, TOPIC).unwrap();
        let numbers = |queues: &[QueueName]| -> Vec<u32> {
            let own = queues.iter().filter(|queue| &*queue.broker == name);
            own.map(|queue| queue.queue).collect()
        };
        assert_eq!(numbers(&read), (0..reads).collect::<Vec<_>>(), "{name}");
        assert_eq!(numbers(&written), (0..writes).collect::<Vec<_>>(), "{name}");
        let master = snapshot.brokers[at].master.as_ref().map(|master| master.as_str());
        assert_eq!((&*snapshot.brokers[at].name, master), (name, world.cluster().endpoint(at)));
    }
    assert_eq!((read.len(), written.len()), (13, 10));
}

#[test]
fn ns_02_ns_04_a_topic_that_nobody_creates_is_a_typed_error_at_once_and_no_storm() {
    let (mut world, client) = without_creation();
    let op = world.try_send(client, Message::new(topic(FRESH), "lost")).unwrap();
    let (took, result) = world.end_of(client, op);
    let error = result.unwrap_err();
    assert_eq!((error.kind(), error.stored()), (ErrorKind::NoTopic, Stored::No));
    assert_eq!(error.code(), Some(ResponseCode::TOPIC_NOT_EXIST));
    assert_eq!(error.topic(), Some(&topic(FRESH)));
    assert_eq!(error.endpoint().map(|endpoint| endpoint.as_str()), Some(NS));
    assert!(error.opaque().is_some() && took < ms(50), "{took:?}");
    for part in [FRESH, "nameserver ns:9876", "autoCreateTopicEnable"] {
        assert!(error.to_string().contains(part), "{error}");
    }
    world.run_for(300 * SECOND);
    // The topic itself, and TBW102.
    assert_eq!(routes_asked(&world), 2);
}

#[test]
fn ns_03_an_unknown_topic_gets_four_queues_of_tbw102_or_fewer_where_it_has_fewer() {
    for (theirs, ours) in [(8, 4), (4, 4), (2, 2), (1, 1)] {
        let config = ClusterConfig { default_queues: theirs, ..ClusterConfig::default() };
        let mut world = World::new(1, config);
        let client = world.client(crate::setting::config());
        let queues = writable(&mut world, client, FRESH);
        assert_eq!(queues.len(), ours, "of {theirs}");
        assert!(known(&world, client).fallback);
        let op = world.try_send(client, Message::new(topic(FRESH), "x")).unwrap();
        world.end_of(client, op).1.unwrap();
        world.run_for(SECOND);
        // Now it has a route of its own.
        let created = known(&world, client);
        let (read, write) = world.cluster().queues(0, FRESH).unwrap();
        assert_eq!((created.readable, created.writable), (read as usize, write as usize));
        assert!(!created.fallback && created.writable == ours);
    }
}

#[test]
fn ns_05_keys_without_quotes_are_read() {
    for keys in [RouteKeys::Bare, RouteKeys::Quoted] {
        let config = ClusterConfig { route_keys: keys, ..ClusterConfig::default() };
        let mut world = World::new(1, config.brokers(2).slaves().topic(TOPIC, 4));
        let client = world.client(crate::setting::config());
        assert_eq!(writable(&mut world, client, TOPIC).len(), 8, "{keys:?}");
        store(&mut world, client, "x");
    }
}

#[test]
fn ns_06_a_dead_first_nameserver_costs_no_more_than_connect_timeout() {
    for door in [Door::Refuse, Door::BlackHole] {
        let mut worst = Duration::ZERO;
        for seed in 0..12 {
            let mut world = world(seed, 4);
            world.host(NS2, Host::Cluster(ListenerId::Nameserver));
            world.door(NS2, door);
            let mut config = Config::new("ns2:9876;ns:9876").unwrap();
            config.connect_timeout = SECOND;
            let client = world.client(config);
            let op = send(&mut world, client, "x");
            let (took, result) = world.end_of(client, op);
            result.unwrap();
            worst = worst.max(took);
        }
        let dead = if door == Door::Refuse { Duration::ZERO } else { SECOND };
        assert!(worst > dead && worst < dead + ms(50), "{worst:?} with {door:?}");
    }
}

#[test]
fn ns_07_ten_minutes_without_any_nameserver_stop_nobody_who_has_a_route() {
    for door in [Door::Refuse, Door::BlackHole] {
        let (mut world, client) = pair(1, 4);
        store(&mut world, client, "first");
        world.door(NS, door);
        world.cut_all(NS);
        for i in 0..300 {
            let op = send(&mut world, client, &i.to_string());
            let (took, result) = world.end_of(client, op);
            assert!(result.is_ok() && took < ms(50), "{took:?} {result:?}");
            world.run_for(2 * SECOND);
        }
        assert_eq!(world.cluster().stored(TOPIC), 301);
        let failed: Vec<String> = world
            .notes(client)
            .filter(|note| matches!(note, Note::RouteFailed { known: true, .. }))
            .map(ToString::to_string)
            .collect();
        assert_eq!(failed.len(), 1, "{failed:?}");
        assert!(failed[0].contains(TOPIC) && failed[0].contains(NS), "{failed:?}");
    }
}

#[test]
fn ns_08_a_nameserver_that_is_back_is_asked_again_without_a_restart() {
    for seed in 0..8 {
        let (mut world, client) = pair(seed, 4);
        store(&mut world, client, "first");
        world.door(NS, Door::Refuse);
        world.cut_all(NS);
        world.with_cluster(|cluster| cluster.create_topic(&TopicConfig::new(TOPIC, 8)));
        world.run_for(200 * SECOND);
        assert_eq!(known(&world, client).writable, 4);
        world.door(NS, Door::Open);
        let back = world.run_until(60 * SECOND, |world| known(world, client).writable == 8);
        // A refresh that had just failed comes again after 30 s and at most a quarter.
        assert!(back.is_some_and(|took| took <= ms(37_600)), "{back:?}");
    }
}

/// Two nameservers of one cluster; the second tells of half the queues.
fn disagreeing(seed: u64) -> (World, ClientId) {
    let mut world = world(seed, 4);
    world.host(NS2, Host::Cluster(ListenerId::Nameserver));
    world.tamper(|endpoint, way, bytes| {
        if endpoint == NS2 && way == Way::Down {
            let (told, instead) = (b"\"writeQueueNums\":4", b"\"writeQueueNums\":2");
            let at = bytes.windows(told.len()).position(|window| window == told);
            if let Some(at) = at {
                bytes[at..at + told.len()].copy_from_slice(instead);
            }
        }
    });
    let client = world.client(Config::new("ns:9876;ns2:9876").unwrap());
    (world, client)
}

#[test]
fn ns_09_nameservers_that_disagree_do_not_make_routes_flap() {
    let mut begun_at = BTreeSet::new();
    for seed in 0..12 {
        let (mut world, client) = disagreeing(seed);
        store(&mut world, client, "x");
        let first = known(&world, client).writable;
        begun_at.insert(first);
        let (used, other) = if first == 4 { (NS, NS2) } else { (NS2, NS) };
        world.run_for(300 * SECOND);
        assert_eq!((known(&world, client).writable, changes(&world, client)), (first, 1));
        assert_eq!(world.open_links(other), 0, "nobody asks the other one");
        world.door(used, Door::Refuse);
        world.cut_all(used);
        world.run_for(60 * SECOND);
        assert_eq!(known(&world, client).writable, 6 - first, "the other one is asked");
        // The first is back: no reason to return.
        world.door(used, Door::Open);
        world.run_for(300 * SECOND);
        assert_eq!((known(&world, client).writable, changes(&world, client)), (6 - first, 2));
    }
    assert_eq!(begun_at.len(), 2, "clients begin at either");
}

/// A line of the trace that tells of a route request, or of an answer.
struct Line {
    at: Duration,
    client: String,
    opaque: String,
    /// Of a request.
    topic: Option<String>,
}

fn lines(world: &World) -> Vec<Line> {
    let read = |line: &str| {
        let (time, rest) = line.trim_start().split_once(' ')?;
        let client = rest.split(' ').next()?.to_owned();
        let (up, down) = (" Up GET_ROUTEINFO_BY_TOPIC (105) #", " Down answer #");
        let (_, after) = rest.split_once(up).or_else(|| rest.split_once(down))?;
        let opaque = after.split(' ').next()?.to_owned();
        let asked = rest.contains(up);
        let topic = after.split("topic: \"").nth(1).and_then(|topic| topic.split('"').next());
        let at = Duration::from_secs_f64(time.parse().ok()?);
        Some(Line { at, client, opaque, topic: topic.filter(|_| asked).map(str::to_owned) })
    };
    world.trace().text().lines().filter_map(read).collect()
}

/// When each client asked for each topic; never for one while it still waited for that one.
fn asked_at(world: &World) -> BTreeMap<(String, String), Vec<Duration>> {
    let mut open: BTreeMap<(String, String), String> = BTreeMap::new();
    let mut asked: BTreeMap<(String, String), Vec<Duration>> = BTreeMap::new();
    for Line { at, client, opaque, topic } in lines(world) {
        match topic {
            Some(topic) => {
                let twin = open.values().any(|own| *own == format!("{client} {topic}"));
                assert!(!twin, "{client} asks for {topic} twice at {at:?}");
                open.insert((client.clone(), opaque), format!("{client} {topic}"));
                asked.entry((client, topic)).or_default().push(at);
            }
            None => {
                open.remove(&(client, opaque));
            }
        }
    }
    asked
}

#[test]
fn ns_15_a_topic_is_asked_for_at_most_once_in_thirty_seconds_and_clients_drift_apart() {
    let names: Vec<String> = (0..5).map(|i| format!("topic_{i}")).collect();
    let mut cluster = names.iter().fold(ClusterConfig::default(), |all, name| all.topic(name, 4));
    // A lost connection is a reason of its own to ask.
    cluster.idle_limit = Duration::from_secs(3600);
    let mut world = World::new(1, cluster);
    let clients: Vec<ClientId> = (0..4).map(|_| world.client(config())).collect();
    for (i, name) in names.iter().enumerate() {
        for client in &clients {
            world.try_send(*client, Message::new(topic(name), "x")).unwrap();
        }
        world.run_for(ms(4321 * i as u64));
    }
    world.run_for(600 * SECOND);
    let asked = asked_at(&world);
    assert_eq!(asked.len(), 20);
    for (who, times) in &asked {
        let gaps: Vec<Duration> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        // Times of the trace are in microseconds.
        assert!(
            gaps.iter().all(|gap| *gap + Duration::from_micros(2) >= 30 * SECOND),
            "{who:?} {gaps:?}"
        );
        assert!(gaps.iter().all(|gap| *gap <= ms(38_000)) && gaps.len() >= 15, "{who:?} {gaps:?}");
    }
    let tenth: BTreeSet<Duration> = asked
        .iter()
        .filter(|((_, topic), _)| topic == "topic_0")
        .map(|(_, times)| times[10])
        .collect();
    assert_eq!(tenth.len(), 4, "{tenth:?}");
}

#[test]
fn ns_15_whoever_wants_a_route_shares_the_one_request_in_flight() {
    let (mut world, client) = pair(1, 4);
    world.with_cluster(|cluster| {
        cluster.set_delay(RequestCode::GET_ROUTEINFO_BY_TOPIC, ms(2500));
    });
    consume(&mut world, client, Pace::AtOnce);
    for i in 0..200 {
        send(&mut world, client, "x");
        if i % 3 == 0 {
            world.query(client, Query::Queues(topic(TOPIC))).unwrap();
        }
        world.run_for(ms(10));
    }
    world.run_for(120 * SECOND);
    let asked = asked_at(&world);
    // That of the consumer's retry topic as well.
    assert!(asked.len() == 2 && asked.values().all(|times| times.len() <= 5), "{asked:?}");
    assert_eq!(world.cluster().stored(TOPIC), 200);
}

#[test]
fn a_route_that_comes_unchanged_is_neither_parsed_nor_compiled_again() {
    let (mut world, client) = pair(1, 4);
    store(&mut world, client, "x");
    world.run_for(600 * SECOND);
    let counters = world.engine(client).snapshot(world.now()).counters;
    // The decoder gives the same pointer only for bytes that it did not parse again.
    assert_eq!(counters.routes_compiled, 1);
    let asked = counters.routes_asked;
    assert!(asked >= 16 && counters.routes_unchanged == asked - 1, "{counters:?}");
    assert!(known(&world, client).age.is_some_and(|age| age < 38 * SECOND));
    world.with_cluster(|cluster| cluster.create_topic(&TopicConfig::new(TOPIC, 8)));
    world.run_for(300 * SECOND);
    let counters = world.engine(client).snapshot(world.now()).counters;
    assert_eq!((counters.routes_compiled, known(&world, client).writable), (2, 8));
}

#[test]
fn a_broker_at_another_address_is_found_there_although_other_topics_tell_of_it_too() {
    let config = ClusterConfig::default().topic(TOPIC, 4).topic("other", 4);
    let mut world = World::new(1, config);
    let client = world.client(crate::setting::config());
    store(&mut world, client, "x");
    let op = world.try_send(client, Message::new(topic("other"), "x")).unwrap();
    world.end_of(client, op).1.unwrap();
    world.run_for(100 * SECOND);
    let before = world.engine(client).snapshot(world.now()).counters;
    assert_eq!(before.routes_compiled, 2);
    world.with_cluster(|cluster| cluster.set_endpoint(0, "127.0.0.1:20911"));
    world.host("127.0.0.1:20911", Host::Cluster(ListenerId::Broker(0)));
    world.run_for(40 * SECOND);
    let snapshot = world.engine(client).snapshot(world.now());
    let master = snapshot.brokers[0].master.as_ref().unwrap();
    assert_eq!(master.as_str(), "127.0.0.1:20911");
    assert_eq!(snapshot.counters.routes_compiled, 4);
    store(&mut world, client, "y");
}
