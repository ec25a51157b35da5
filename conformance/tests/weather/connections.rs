//! Connections on real sockets: how many there are, how long they are waited for, and how they end.

use std::io::ErrorKind;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rocketry::proto::error::{ConnectError, Failure};
use rocketry::proto::frame::{RequestCode, ResponseCode};
use rocketry::{Config, Message, Producer, SendError, SendOptions, SendReceipt, Stored, Topic};
use rocketry_conformance::broker::{ClusterConfig, ListenerId};
use rocketry_conformance::proxy::{Direction, Proxy};
use rocketry_conformance::serve::Served;

use crate::rig::{On, Rig, eventually};
use crate::{Closed, Deaf, TOPIC, black_hole, on_all, served};

on_all!(
    conn_01_a_hundred_first_calls_share_one_connection,
    conn_02_a_broker_that_swallows_connects_stops_no_send_beside_a_good_one,
    conn_03_a_refused_connect_sends_to_the_other_broker_and_is_typed_without_one,
    conn_05_a_broker_that_stalls_delays_no_heartbeat_of_the_other,
    conn_07_a_call_after_the_broker_closed_an_idle_connection_succeeds,
    conn_08_a_shutdown_takes_the_client_from_the_broker_at_once,
    conn_10_a_send_that_waits_leaves_soon_after_the_port_is_back,
    conn_12_a_request_of_an_unknown_code_is_answered_3_and_the_connection_kept,
    a_connection_that_nobody_uses_is_closed_and_made_again,
    sends_spread_over_several_connections_that_may_all_be_lost,
    a_broker_that_stops_reading_is_given_up_and_few_frames_are_kept_for_it_meanwhile,
);

fn config(served: &Served) -> Config {
    Config::new(served.namesrv()).expect("settings that work")
}

fn message() -> Message {
    Message::new(Topic::new(TOPIC).expect("a topic"), "x")
}

fn producer(rig: &Rig) -> Producer {
    rig.client.producer("connections").expect("a producer")
}

fn send(producer: &Producer) -> Result<SendReceipt, SendError> {
    producer.send(message()).wait()
}

fn send_many(producer: &Producer, count: usize) {
    let pending: Vec<_> = (0..count).map(|_| producer.send(message())).collect();
    for pending in pending {
        pending.wait().expect("sent");
    }
}

/// A cluster of two brokers, the first of which is told to be at another address.
fn two_brokers(first: &str) -> Served {
    let config = ClusterConfig::default().brokers(2).topic(TOPIC, 4);
    let served = Served::start(config).expect("a served cluster");
    served.with(|cluster| cluster.set_endpoint(0, first));
    served
}

/// A broker that is reached by the proxy.
fn behind_proxy() -> (Served, Proxy) {
    let served = served();
    let proxy = Proxy::start(served.broker(0).expect("a broker")).expect("a proxy");
    served.with(|cluster| cluster.set_endpoint(0, &proxy.address().to_string()));
    (served, proxy)
}

fn conn_01_a_hundred_first_calls_share_one_connection(on: On) {
    let (served, proxy) = behind_proxy();
    let rig = Rig::start(on, &served.namesrv());
    let producer = producer(&rig);
    sleep(Duration::from_millis(100));
    assert_eq!(proxy.taken(), 0);
    send_many(&producer, 100);
    assert_eq!(proxy.taken(), 1);
}

fn conn_02_a_broker_that_swallows_connects_stops_no_send_beside_a_good_one(on: On) {
    let hole = black_hole();
    let served = two_brokers(&hole.0.to_string());
    let rig = Rig::start(on, &served.namesrv());
    let producer = producer(&rig);
    for _ in 0..4 {
        let receipt = send(&producer).expect("the other one takes it");
        assert_eq!(&*receipt.broker, "broker-b");
    }
    // Alone, it ends the send by its deadline, and the error says what to look at.
    served.with(|cluster| cluster.set_endpoint(1, &hole.0.to_string()));
    let rig = Rig::start(on, &served.namesrv());
    let begun = Instant::now();
    let error = send(&self::producer(&rig)).expect_err("nobody is there");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let text = error.to_string();
    assert!(text.contains("brokerIP1") && text.contains("rewrite_addresses"), "{text}");
    assert_eq!(error.stored(), Stored::No);
}

fn conn_03_a_refused_connect_sends_to_the_other_broker_and_is_typed_without_one(on: On) {
    let port = Closed::port();
    let closed = port.address().to_string();
    let served = two_brokers(&closed);
    let rig = Rig::start(on, &served.namesrv());
    let producer = producer(&rig);
    for _ in 0..8 {
        assert_eq!(&*send(&producer).expect("the other one takes it").broker, "broker-b");
    }
    served.with(|cluster| cluster.set_endpoint(1, &closed));
    let mut config = config(&served);
    config.send_timeout = Duration::from_millis(500);
    let rig = Rig::with(on, config);
    let error = send(&self::producer(&rig)).expect_err("nobody is there");
    let SendError::TimedOut { stored: Stored::No, attempts, .. } = &error else {
        panic!("{error:?}")
    };
    let refused = |failure: &Failure| {
        let Failure::Connect(ConnectError::Io { kind, .. }) = failure else { return false };
        *kind == ErrorKind::ConnectionRefused
    };
    assert!(attempts.iter().any(|attempt| refused(&attempt.failure)), "{error}");
}

fn conn_05_a_broker_that_stalls_delays_no_heartbeat_of_the_other(on: On) {
    let served = two_brokers("127.0.0.1:1");
    let proxy = Proxy::start(served.broker(0).expect("a broker")).expect("a proxy");
    served.with(|cluster| cluster.set_endpoint(0, &proxy.address().to_string()));
    let mut config = config(&served);
    config.heartbeat_interval = Duration::from_millis(100);
    let rig = Rig::with(on, config);
    send_many(&producer(&rig), 16);
    let beats = |broker| {
        let at = ListenerId::Broker(broker);
        served.with(|cluster| cluster.requests_at(at, RequestCode::HEART_BEAT))
    };
    assert!(eventually(Duration::from_secs(5), || beats(0) > 1 && beats(1) > 1));
    proxy.stall(Direction::Up);
    sleep(Duration::from_millis(50));
    let (stalled, good) = (beats(0), beats(1));
    // Within the time that a request to the stalled one may take.
    assert!(eventually(Duration::from_millis(2900), || beats(1) >= good + 5));
    assert_eq!(beats(0), stalled);
}

fn conn_07_a_call_after_the_broker_closed_an_idle_connection_succeeds(on: On) {
    let (served, proxy) = behind_proxy();
    let rig = Rig::start(on, &served.namesrv());
    let producer = producer(&rig);
    send(&producer).expect("sent");
    sleep(Duration::from_millis(300));
    served.with(|cluster| cluster.disconnect(0));
    sleep(Duration::from_millis(300));
    send(&producer).expect("sent on a new connection");
    assert_eq!(proxy.taken(), 2);
    assert_eq!(served.with(|cluster| cluster.stored(TOPIC)), 2);
}

fn conn_08_a_shutdown_takes_the_client_from_the_broker_at_once(on: On) {
    let served = served();
    let rig = Rig::start(on, &served.namesrv());
    send(&producer(&rig)).expect("sent");
    let known = || served.with(|cluster| cluster.producers(0, "connections").len());
    assert!(eventually(Duration::from_secs(5), || known() == 1));
    rig.client.shutdown().wait().expect("an end");
    let told = served.with(|cluster| cluster.requests(RequestCode::UNREGISTER_CLIENT));
    assert_eq!((known(), told), (0, 1));
}

fn conn_10_a_send_that_waits_leaves_soon_after_the_port_is_back(on: On) {
    let (served, proxy) = behind_proxy();
    let mut config = config(&served);
    config.send_timeout = Duration::from_secs(30);
    let rig = Rig::with(on, config);
    let producer = producer(&rig);
    send(&producer).expect("sent");
    proxy.refuse();
    proxy.reset();
    let waits = producer.send(message());
    // Long enough for pauses to reach their most.
    sleep(Duration::from_secs(3));
    let back = Instant::now();
    proxy.admit().expect("the port is free");
    waits.wait().expect("sent");
    println!("{on:?}: {:?} after the port was back", back.elapsed());
    assert!(back.elapsed() < Duration::from_millis(2500), "{:?}", back.elapsed());
}

fn conn_12_a_request_of_an_unknown_code_is_answered_3_and_the_connection_kept(on: On) {
    let (served, proxy) = behind_proxy();
    let rig = Rig::start(on, &served.namesrv());
    let producer = producer(&rig);
    send(&producer).expect("sent");
    let asked = served.with(|cluster| cluster.ask_clients(0, RequestCode(9999)));
    let mut answers = Vec::new();
    let answered = eventually(Duration::from_secs(5), || {
        answers.extend(served.with(|cluster| cluster.take_answers()));
        !answers.is_empty()
    });
    assert!(answered && answers.len() == 1 && asked.len() == 1, "{answers:?} {asked:?}");
    let (opaque, code) = (answers[0].opaque, answers[0].code);
    assert_eq!((opaque, code), (asked[0], ResponseCode::REQUEST_CODE_NOT_SUPPORTED));
    send(&producer).expect("sent");
    assert_eq!(proxy.taken(), 1);
}

fn a_connection_that_nobody_uses_is_closed_and_made_again(on: On) {
    let (served, proxy) = behind_proxy();
    let mut config = config(&served);
    config.max_idle = Some(Duration::from_secs(1));
    let rig = Rig::with(on, config);
    let producer = producer(&rig);
    send(&producer).expect("sent");
    let known = || served.with(|cluster| cluster.producers(0, "connections").len());
    assert!(eventually(Duration::from_secs(5), || known() == 1));
    assert!(eventually(Duration::from_secs(10), || known() == 0), "the connection stays");
    assert_eq!(proxy.taken(), 1);
    send(&producer).expect("sent on a new connection");
    assert_eq!(proxy.taken(), 2);
}

fn sends_spread_over_several_connections_that_may_all_be_lost(on: On) {
    let (served, proxy) = behind_proxy();
    let mut config = config(&served);
    config.connections_per_broker = 4;
    let rig = Rig::with(on, config);
    let producer = producer(&rig);
    send_many(&producer, 100);
    assert!(eventually(Duration::from_secs(5), || proxy.taken() == 4), "{}", proxy.taken());
    proxy.reset();
    send_many(&producer, 100);
    assert!(eventually(Duration::from_secs(5), || proxy.taken() >= 8), "{}", proxy.taken());
    assert!(served.with(|cluster| cluster.stored(TOPIC)) >= 200);
    rig.client.shutdown().wait().expect("an end");
}

fn a_broker_that_stops_reading_is_given_up_and_few_frames_are_kept_for_it_meanwhile(on: On) {
    let (served, deaf) = (served(), Deaf::start());
    let mut config = crate::broker_at(deaf.address, &served);
    config.request_timeout = Duration::from_millis(500);
    let rig = Rig::with(on, config);
    let producer = producer(&rig);
    let within = SendOptions::default().timeout(Duration::from_millis(300));
    let big = || Message::new(Topic::new(TOPIC).expect("a topic"), vec![7; 100 << 10]);
    let begun = Instant::now();
    while rig.client.stats().counters.disconnected == 0 {
        assert!(begun.elapsed() < Duration::from_secs(15), "{}", rig.client.stats());
        let sends: Vec<_> = (0..100).map(|_| producer.send_with(big(), within.clone())).collect();
        for pending in sends {
            pending.wait().expect_err("nobody reads it");
        }
        let queued = rig.client.stats().connections.iter().map(|one| one.queued).sum::<usize>();
        assert!(queued <= 200, "{queued} frames are kept");
    }
}
