//! How often routes and the list of nameservers are asked for, and what an answer may change.

use std::sync::Arc;

use bytes::Bytes;
use rocketry_conformance::broker::{ClusterConfig, Fault, ListenerId};
use rocketry_conformance::sim::{Host, Pace, Page, World};
use rocketry_core::config::Config;
use rocketry_core::engine::{Command, Engine, Event, Input, Note};
use rocketry_core::fetch::FetchId;
use rocketry_core::frame::{RequestCode, ResponseCode};
use rocketry_core::message::java_string_hash;
use rocketry_core::producer::SendOptions;
use rocketry_core::query::Query;
use rocketry_core::time::{Instant, UnixMillis};

use crate::setting::*;

const NS2: &str = "ns2:9876";
const ROUTE: RequestCode = RequestCode::GET_ROUTEINFO_BY_TOPIC;
const PAGE: &str = "http://page:8080/rocketmq/nsaddr";

#[test]
fn each_nameserver_is_asked_once_a_round_and_a_pause_lies_between_rounds() {
    let servers = [ListenerId::Nameserver, ListenerId::SecondNameserver];
    for code in [ResponseCode::SYSTEM_ERROR, ResponseCode::TOPIC_NOT_EXIST] {
        let cluster = ClusterConfig { auto_create_topics: false, ..ClusterConfig::default() };
        let mut world = World::new(1, cluster.topic(TOPIC, 4));
        world.host(NS2, Host::Cluster(ListenerId::SecondNameserver));
        world.with_cluster(|cluster| cluster.push_error(ROUTE, vec![code; 1_000]));
        let mut config = Config::new("ns:9876;ns2:9876").unwrap();
        config.await_topic = true;
        let client = world.client(config);
        world.try_send(client, message("x")).unwrap();
        world.run_for(ms(150));
        // The topic, and TBW102 where the topic is denied.
        let each = if code == ResponseCode::TOPIC_NOT_EXIST { 2 } else { 1 };
        for at in servers {
            assert_eq!(world.cluster().requests_at(at, ROUTE), each, "{at:?} {code}");
        }
        world.run_for(ms(2_800));
        for at in servers {
            let rounds = world.cluster().requests_at(at, ROUTE) / each;
            assert!((4..=6).contains(&rounds), "{rounds} rounds at {at:?} with {code}");
        }
    }
}

#[test]
fn a_flapping_connection_costs_one_look_up_a_second() {
    let (mut world, client) = pair(2, 4);
    store(&mut world, client, "x");
    world.run_for(2 * SECOND);
    let asked = world.cluster().requests(ROUTE);
    for _ in 0..100 {
        world.cut_all(BROKER);
        send(&mut world, client, "y");
        world.run_for(ms(100));
    }
    let asked = world.cluster().requests(ROUTE) - asked;
    assert!((5..=11).contains(&asked), "{asked} look-ups in 10 s");
}

#[test]
fn a_hash_goes_past_a_broker_without_a_master() {
    let cluster = ClusterConfig::default().brokers(2).slaves().topic(TOPIC, 4);
    let mut world = World::new(3, cluster);
    world.take_down(0);
    let client = world.client(config());
    for key in ["order-1", "order-2", "order-3", "order-4", "order-5"] {
        let op = world.send_with(client, message("x"), SendOptions::hash(key)).unwrap();
        let (took, result) = world.end_of(client, op);
        let receipt = result.unwrap();
        let at = (i64::from(java_string_hash(key)) % 4).unsigned_abs() as i32;
        assert_eq!((&*receipt.broker, receipt.queue), ("broker-b", at), "{key}");
        assert!(took < ms(50), "{took:?}");
    }
}

fn fetches(world: &World) -> usize {
    world.trace().text().lines().filter(|line| line.contains(" Fetch {")).count()
}

#[test]
fn without_a_list_the_address_server_is_asked_at_the_pace_of_reconnects() {
    let mut world = world(4, 4);
    let client = world.client(Config::new(PAGE).unwrap());
    world.run_for(60 * SECOND);
    let asked = fetches(&world);
    assert!((50..=90).contains(&asked), "{asked} in a minute");
    world.page(PAGE, Page::Says("ns:9876".to_owned()));
    let op = send(&mut world, client, "x");
    let (took, result) = world.end_of(client, op);
    assert!(result.is_ok() && took < ms(1_500), "{took:?} {result:?}");
    // With a list it is a matter of minutes.
    let asked = fetches(&world);
    world.page(PAGE, Page::Fails(rocketry_core::fetch::FetchError::TimedOut(SECOND)));
    world.run_for(600 * SECOND);
    assert!(fetches(&world) - asked <= 25, "{}", fetches(&world) - asked);
}

/// The page that an engine asks for next, and when.
fn next_fetch(engine: &mut Engine, now: &mut Instant) -> FetchId {
    loop {
        while let Some(command) = engine.poll_command() {
            if let Command::Fetch { fetch, .. } = command {
                return fetch;
            }
        }
        *now = engine.next_timeout().unwrap();
        engine.handle(*now, Input::Timeout);
        engine.check();
    }
}

fn servers_told(engine: &mut Engine) -> usize {
    let mut told = 0;
    while let Some(event) = engine.poll_event() {
        told += usize::from(matches!(event, Event::Note(Note::NameServers { .. })));
    }
    told
}

#[test]
fn an_answer_to_an_old_fetch_is_ignored() {
    let mut now = Instant::from_nanos(1_000_000_000);
    let mut config = Config::new(PAGE).unwrap();
    config.identity.address = [127, 0, 0, 1];
    let mut engine = Engine::new(Arc::new(config), 7, now, UnixMillis(1_700_000_000_000));
    let first = next_fetch(&mut engine, &mut now);
    // It is given up after three seconds, and another one made.
    let second = next_fetch(&mut engine, &mut now);
    assert_ne!(first, second);
    let says = |text: &'static str| Ok(Bytes::from_static(text.as_bytes()));
    engine.handle(now, Input::Fetched { fetch: first, result: says("old:9876") });
    assert_eq!(servers_told(&mut engine), 0);
    assert!(engine.is_fetching(second));
    engine.handle(now, Input::Fetched { fetch: second, result: says("new:9876") });
    assert_eq!(servers_told(&mut engine), 1);
    engine.handle(now, Input::Fetched { fetch: second, result: says("again:9876") });
    assert_eq!(servers_told(&mut engine), 0);
    engine.check();
}

#[test]
fn an_address_told_for_another_topic_in_between_has_a_route_compiled_again() {
    let route = |topic: &str, address: &str| {
        format!(
            r#"{{"queueDatas":[{{"brokerName":"broker-a","perm":6,"readQueueNums":1,
            "writeQueueNums":1,"topicSysFlag":0}}],"brokerDatas":[{{"brokerName":"broker-a",
            "cluster":"{topic}","brokerAddrs":{{"0":"{address}"}}}}]}}"#
        )
    };
    let mut world = world(5, 1);
    world.with_cluster(|cluster| {
        cluster.set_route(TOPIC, Some(route(TOPIC, BROKER).as_bytes()));
        cluster.set_route("other", Some(route("other", "elsewhere:1").as_bytes()));
    });
    let client = world.client(config());
    store(&mut world, client, "x");
    let master = |world: &World| {
        let brokers = world.engine(client).snapshot(world.now()).brokers;
        brokers[0].master.as_ref().unwrap().as_str().to_owned()
    };
    assert_eq!(master(&world), BROKER);
    world.run_for(15 * SECOND);
    world.query(client, Query::Queues(topic("other"))).unwrap();
    world.run_for(ms(50));
    assert_eq!(master(&world), "elsewhere:1", "the last word counts");
    // The next word on the first topic is the same as before, and counts all the same.
    world.run_until(30 * SECOND, |world| master(world) == BROKER).unwrap();
}

#[test]
fn a_slow_heartbeat_delays_no_message() {
    let mut world = brokers(6, 2, 4);
    world.with_cluster(|cluster| {
        cluster.set_delay(RequestCode::HEART_BEAT, ms(2_500));
        let late = vec![Fault::Lose; 100];
        cluster.push_faults_at(ListenerId::Broker(0), RequestCode::HEART_BEAT, late);
    });
    let client = world.client(config());
    world.produce(client);
    for i in 0..20 {
        let op = send(&mut world, client, &i.to_string());
        let (took, result) = world.end_of(client, op);
        assert!(result.is_ok() && took < ms(50), "{took:?} {result:?}");
    }
    // A consumer begins with the broker that answers, however long the other one takes.
    let consumer = world.client(config());
    consume(&mut world, consumer, Pace::AtOnce);
    let took = world.run_until(5 * SECOND, |world| world.delivered().len() >= 8);
    assert!(took.is_some(), "{} delivered", world.delivered().len());
}
