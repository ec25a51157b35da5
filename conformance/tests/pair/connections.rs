//! Connections as the list of cases has them: lazy, shared, given up in time, heard of everywhere.

use std::time::Duration;

use rocketry_conformance::broker::{BrokerConfig, ClusterConfig, ListenerId};
use rocketry_conformance::sim::{ClientId, Door, Host, Pace, Way, World};
use rocketry_core::config::{Config, PRESETS};
use rocketry_core::engine::Note;
use rocketry_core::error::{ConnectError, Failure, SendError, Stored};
use rocketry_core::frame::{RequestCode, ResponseCode};

use crate::setting::*;

const SECOND_BROKER: &str = "127.0.0.1:10921";

#[test]
fn conn_01_a_hundred_first_calls_make_one_connection_to_each_address_and_none_before() {
    let (mut world, client) = pair(1, 8);
    world.produce(client);
    world.run_for(5 * SECOND);
    assert_eq!(world.engine(client).stats().sockets, 0);
    let ops: Vec<_> = (0..100).map(|n| send(&mut world, client, &n.to_string())).collect();
    for op in ops {
        world.end_of(client, op).1.unwrap();
    }
    assert_eq!((connects(&world, NS).len(), connects(&world, BROKER).len()), (1, 1));
    assert_eq!(world.engine(client).stats().sockets, 2);
}

#[test]
fn conn_02_with_every_preset_a_broker_that_swallows_connects_stops_no_send_beside_a_good_one() {
    let plain = |servers: &str| Config::new(servers);
    let presets = PRESETS.iter().map(|preset| (preset.name, preset.make));
    for (name, make) in presets.chain([("plain", plain as fn(&str) -> _)]) {
        let mut world = brokers(1, 2, 4);
        world.host("ns2:9876", Host::Cluster(ListenerId::Nameserver));
        world.door("ns2:9876", Door::BlackHole);
        world.door(BROKER, Door::BlackHole);
        // Whichever nameserver comes first, and whichever broker.
        for client in
            (0..8).map(|_| world.client(make("ns2:9876;ns:9876").unwrap())).collect::<Vec<_>>()
        {
            for n in 0..4 {
                let op = send(&mut world, client, &n.to_string());
                let (took, result) = world.end_of(client, op);
                assert!(result.is_ok(), "{name}: {took:?} {result:?}");
            }
        }
    }
}

#[test]
fn conn_02_beside_a_good_broker_one_that_swallows_connects_holds_up_a_single_send() {
    let mut world = brokers(1, 2, 4);
    let client = world.client(config());
    world.door(BROKER, Door::BlackHole);
    let mut slow = 0;
    for n in 0..100 {
        let op = send(&mut world, client, &n.to_string());
        let (took, result) = world.end_of(client, op);
        assert_eq!(&*result.unwrap().broker, "broker-b");
        slow += usize::from(took > ms(20));
        world.run_for(ms(100));
    }
    assert_eq!(slow, 1);
    // It is looked for all the while, and found.
    world.door(BROKER, Door::Open);
    let opened = world.now();
    let used = |world: &World| world.cluster().stored_on(0, TOPIC) > 0;
    while !used(&world) && world.now().since(opened) < 10 * SECOND {
        store(&mut world, client, "x");
        world.run_for(ms(20));
    }
    assert!(world.now().since(opened) < ms(1500), "{:?}", world.now().since(opened));
}

#[test]
fn conn_02_without_another_broker_the_error_says_at_the_deadline_what_to_look_at() {
    let (mut world, client) = pair(1, 4);
    world.door(BROKER, Door::BlackHole);
    let op = send(&mut world, client, "x");
    let (took, result) = world.end_of(client, op);
    let error = result.unwrap_err();
    assert!(matches!(error, SendError::TimedOut { stored: Stored::No, .. }) && took == 3 * SECOND);
    let text = error.to_string();
    assert!(text.contains("brokerIP1") && text.contains("rewrite_addresses"), "{text}");
    let of_connections = |note: &&Note| matches!(note, Note::ConnectFailed { .. });
    let notes = world.notes(client).filter(of_connections).map(Note::to_string);
    let notes: Vec<String> = notes.collect();
    let [note] = &notes[..] else { panic!("{notes:?}") };
    assert!(
        note.contains("broker 127.0.0.1:10911") && note.contains("rewrite_addresses"),
        "{note}"
    );
}

#[test]
fn conn_03_a_refused_connect_sends_to_the_other_broker_at_once_and_is_typed_without_one() {
    let mut world = brokers(1, 2, 4);
    let client = world.client(config());
    world.door(BROKER, Door::Refuse);
    for n in 0..8 {
        let op = send(&mut world, client, &n.to_string());
        let (took, result) = world.end_of(client, op);
        assert_eq!((&*result.unwrap().broker, took < ms(20)), ("broker-b", true), "{took:?}");
    }
    world.door(SECOND_BROKER, Door::Refuse);
    world.cut_all(SECOND_BROKER);
    world.run_for(ms(10));
    let op = send(&mut world, client, "x");
    let (took, result) = world.end_of(client, op);
    let Err(SendError::TimedOut { stored: Stored::No, attempts, .. }) = result else {
        panic!("{result:?}")
    };
    let refused = attempts.iter().filter(|attempt| {
        let kind = std::io::ErrorKind::ConnectionRefused;
        matches!(&attempt.failure, Failure::Connect(ConnectError::Io { kind: k, .. }) if *k == kind)
    });
    assert!(refused.count() > 0 && took == 3 * SECOND, "{attempts} {took:?}");
}

/// 177 brokers with a queue each, and a client that consumes from all of them.
fn many() -> (World, ClientId) {
    let mut config = ClusterConfig::default().topic(TOPIC, 1);
    let broker = |n: usize| BrokerConfig::new(format!("b{n:03}"), format!("10.0.0.{n}:10911"));
    config.brokers = (0..177).map(broker).collect();
    let mut world = World::new(1, config);
    let client = world.client(crate::setting::config());
    (world, client)
}

/// The brokers that have not had so many heartbeats.
fn unbeaten(world: &World, beats: u64) -> Vec<usize> {
    let at =
        |broker| world.cluster().requests_at(ListenerId::Broker(broker), RequestCode::HEART_BEAT);
    (0..177).filter(|broker| at(*broker) < beats).collect()
}

#[test]
fn conn_05_of_177_brokers_one_that_stalls_delays_neither_heartbeats_nor_sends_of_the_others() {
    let (mut world, client) = many();
    world.door("10.0.0.70:10911", Door::BlackHole);
    consume(&mut world, client, Pace::AtOnce);
    store(&mut world, client, "first");
    let beaten = |beats| move |world: &World| unbeaten(world, beats).len() <= 1;
    let took = world.run_until(SECOND, beaten(1)).unwrap();
    assert!(took < ms(20) && unbeaten(&world, 1) == [70], "{took:?}");
    // Another one goes silent on a connection that is there.
    world.door("10.0.0.70:10911", Door::Open);
    world.run_until(5 * SECOND, |world| unbeaten(world, 1).is_empty()).unwrap();
    world.stall("10.0.0.80:10911", Way::Up);
    world.door("10.0.0.80:10911", Door::BlackHole);
    let first = |world: &World| unbeaten(world, 2).len() < 177;
    world.run_until(40 * SECOND, first).unwrap();
    let took = world.run_until(SECOND, beaten(2)).unwrap();
    assert!(took < ms(20) && unbeaten(&world, 2) == [80], "{took:?}");
}

#[test]
fn conn_07_a_call_just_when_the_broker_closes_an_idle_connection_succeeds_and_is_stored_once() {
    let idle = |seed| {
        let mut cluster = ClusterConfig::default().topic(TOPIC, 4);
        cluster.idle_limit = 10 * SECOND;
        let mut world = World::new(seed, cluster);
        let mut config = config();
        config.max_idle = None;
        let client = world.client(config);
        store(&mut world, client, "first");
        (world, client)
    };
    for seed in 0..4 {
        let (mut world, client) = idle(seed);
        // Brokers look for idle connections from time to time.
        let closed = world.run_until(30 * SECOND, |world| world.open_links(BROKER) == 0).unwrap();
        world.run_for(SECOND);
        store(&mut world, client, "second");
        assert_eq!(connects(&world, BROKER).len(), 2);
        for step in 0..30 {
            let (mut world, client) = idle(seed);
            world.run_for(closed - ms(3) + step * Duration::from_micros(200));
            let op = send(&mut world, client, "second");
            let (took, result) = world.end_of(client, op);
            let receipt = result.unwrap();
            assert!(took < ms(200), "{step}: {took:?}");
            assert_eq!(world.copies(TOPIC, receipt.message_id.as_str()), 1, "{step}");
        }
    }
}

#[test]
fn conn_08_a_shutdown_takes_the_client_from_every_broker_at_once() {
    let mut world = brokers(1, 2, 4);
    let client = world.client(config());
    world.produce(client);
    consume(&mut world, client, Pace::AtOnce);
    store_many(&mut world, client, 16);
    world.run_for(3 * SECOND);
    for broker in 0..2 {
        assert_eq!(world.cluster().consumers(broker, GROUP).len(), 1);
        assert_eq!(world.cluster().producers(broker, "producers").len(), 1);
    }
    world.shutdown(client);
    let gone = |world: &World| {
        let groups =
            |b| (world.cluster().consumers(b, GROUP), world.cluster().producers(b, "producers"));
        (0..2)
            .map(groups)
            .all(|(consumers, producers)| consumers.is_empty() && producers.is_empty())
    };
    let told = |world: &World| world.cluster().requests(RequestCode::UNREGISTER_CLIENT);
    // By word, not only because the connections end.
    let took = world.run_until(SECOND, |world| gone(world) && told(world) == 4).unwrap();
    assert!(took < ms(30), "{took:?}");
}

#[test]
fn conn_12_a_request_of_an_unknown_code_is_answered_3_and_the_connection_kept() {
    let (mut world, client) = pair(1, 4);
    store(&mut world, client, "first");
    for code in [0, 9999] {
        let asked = world.with_cluster(|cluster| cluster.ask_clients(0, RequestCode(code)));
        assert_eq!(asked.len(), 1);
        world.run_for(ms(10));
        let answers = world.with_cluster(|cluster| cluster.take_answers());
        let [answer] = &answers[..] else { panic!("{answers:?}") };
        assert_eq!(answer.opaque, asked[0]);
        assert_eq!(answer.code, ResponseCode::REQUEST_CODE_NOT_SUPPORTED);
    }
    store(&mut world, client, "second");
    assert_eq!((connects(&world, BROKER).len(), world.open_links(BROKER)), (1, 1));
}

#[test]
fn conn_13_two_clients_of_one_id_are_told_so_once_each() {
    let mut world = world(1, 8);
    let mut config = config();
    config.instance_name = Some("same".to_owned());
    let clients: Vec<_> = (0..2).map(|_| world.client(config.clone())).collect();
    for client in &clients {
        consume(&mut world, *client, Pace::AtOnce);
    }
    world.run_for(120 * SECOND);
    for client in &clients {
        let shared = world.notes(*client).filter(|note| matches!(note, Note::SharedId { .. }));
        let texts: Vec<String> = shared.map(Note::to_string).collect();
        let [text] = &texts[..] else { panic!("{texts:?}") };
        assert!(text.contains("@same") && text.contains("instance_name"), "{text}");
    }
    // Two with names of their own are told nothing.
    let (mut world, first) = pair(1, 8);
    let second = world.client(crate::setting::config());
    for client in [first, second] {
        consume(&mut world, client, Pace::AtOnce);
    }
    world.run_for(120 * SECOND);
    let shared = |client| world.notes(client).any(|note| matches!(note, Note::SharedId { .. }));
    assert!(!shared(first) && !shared(second));
}

#[test]
fn conn_14_sends_alone_go_to_the_port_two_below_and_only_when_asked_to() {
    const VIP: &str = "127.0.0.1:10909";
    for vip in [false, true] {
        let mut world = world(1, 4);
        world.host(VIP, Host::Cluster(ListenerId::Broker(0)));
        let mut config = config();
        config.vip_channel = vip;
        let client = world.client(config);
        world.produce(client);
        consume(&mut world, client, Pace::AtOnce);
        store_many(&mut world, client, 20);
        world.run_until(5 * SECOND, |world| world.distinct() == 20).unwrap();
        assert_eq!((world.open_links(VIP), world.open_links(BROKER)), (usize::from(vip), 1));
        world.run_for(60 * SECOND);
        // Heartbeats go to the main port alone: the broker knows each group by one connection.
        assert_eq!(world.cluster().producers(0, "producers").len(), 1);
        world.cut_all(BROKER);
        if vip {
            world.door(BROKER, Door::Refuse);
        }
        store(&mut world, client, "more");
        assert!(world.notes(client).all(|note| !note.to_string().contains(VIP)));
    }
}
