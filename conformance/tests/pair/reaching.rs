//! Peers that are gone, elsewhere, or not what they should be, beside others that are well.

use rocketry_conformance::broker::{ClusterConfig, ListenerId};
use rocketry_conformance::sim::{Door, Host, Pace, World};
use rocketry_core::config::Config;
use rocketry_core::engine::Note;
use rocketry_core::frame::RequestCode;
use rocketry_core::query::Query;

use crate::setting::*;

const SECOND_BROKER: &str = "127.0.0.1:10921";
const HTTP: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";

#[test]
fn ns_06_a_bad_nameserver_beside_a_good_one_ends_no_call_and_alarms_nobody_about_topics() {
    for http in [false, true] {
        let mut world = world(1, 4);
        world.host("bad:9876", Host::Parrot(HTTP.to_vec()));
        if !http {
            world.door("bad:9876", Door::Refuse);
        }
        for _ in 0..8 {
            let client = world.client(Config::new("bad:9876;ns:9876").unwrap());
            let op = send(&mut world, client, "x");
            let (took, result) = world.end_of(client, op);
            assert!(result.is_ok() && took < ms(50), "{took:?} {result:?}");
            let failed = |note: &Note| matches!(note, Note::RouteFailed { .. });
            assert!(!world.notes(client).any(failed));
        }
        assert!(!connects(&world, "bad:9876").is_empty());
    }
}

#[test]
fn ns_03_a_question_about_an_unknown_topic_does_not_ask_for_the_one_that_creates() {
    let (mut world, client) = pair(1, 4);
    let op = world.query(client, Query::Queues(topic("missing"))).unwrap();
    world.run_until(5 * SECOND, |world| world.answer(client, op).is_some()).unwrap();
    assert!(world.answer(client, op).unwrap().result.is_err());
    assert_eq!(world.trace().count("topic: \"TBW102\""), 0);
    assert!(world.trace().count("topic: \"missing\"") > 0);
}

#[test]
fn a_broker_that_no_route_names_any_more_is_left_alone() {
    let mut world = brokers(1, 2, 4);
    let client = world.client(config());
    consume(&mut world, client, Pace::AtOnce);
    store_many(&mut world, client, 8);
    world.run_for(5 * SECOND);
    // Taken down, it leaves the routes.
    world.take_down(1);
    world.run_for(60 * SECOND);
    let before = connects(&world, SECOND_BROKER).len();
    world.run_for(600 * SECOND);
    assert_eq!(connects(&world, SECOND_BROKER).len(), before);
    world.bring_up(1);
    let at = |world: &World| world.open_links(SECOND_BROKER) > 0;
    world.run_until(60 * SECOND, at).unwrap();
}

#[test]
fn conn_06_each_broker_hears_a_heartbeat_about_each_thirty_seconds() {
    let mut world = brokers(1, 2, 4);
    let client = world.client(config());
    world.produce(client);
    store_many(&mut world, client, 8);
    let count = |world: &World, broker| {
        world.cluster().requests_at(ListenerId::Broker(broker), RequestCode::HEART_BEAT)
    };
    let before = [count(&world, 0), count(&world, 1)];
    world.run_for(900 * SECOND);
    for (broker, before) in before.into_iter().enumerate() {
        let beats = count(&world, broker) - before;
        assert!((24..=40).contains(&beats), "{beats}");
    }
    assert_eq!((connects(&world, BROKER).len(), connects(&world, SECOND_BROKER).len()), (1, 1));
}

#[test]
fn a_lost_connection_has_the_route_looked_up_so_that_a_moved_broker_is_found_at_once() {
    const MOVED: &str = "10.0.0.9:10911";
    let (mut world, client) = pair(1, 4);
    store(&mut world, client, "x");
    world.run_for(5 * SECOND);
    world.host(MOVED, Host::Cluster(ListenerId::Broker(0)));
    world.door(BROKER, Door::Refuse);
    world.with_cluster(|cluster| cluster.set_endpoint(0, MOVED));
    world.cut_all(BROKER);
    world.run_for(SECOND);
    let op = send(&mut world, client, "y");
    let (took, result) = world.end_of(client, op);
    assert!(result.is_ok() && took < ms(50), "{took:?} {result:?}");
    assert_eq!(world.open_links(MOVED), 1);
}

#[test]
fn conn_10_a_consumer_whose_broker_swallows_connects_begins_anew_at_once_after_each_timeout() {
    let (mut world, client) = pair(1, 4);
    consume(&mut world, client, Pace::AtOnce);
    world.run_for(3 * SECOND);
    world.door(BROKER, Door::BlackHole);
    let before = connects(&world, BROKER).len();
    world.cut_all(BROKER);
    world.run_for(120 * SECOND);
    let tries = connects(&world, BROKER).len() - before;
    assert!((80..=110).contains(&tries), "{tries}");
    world.door(BROKER, Door::Open);
    world.run_for(ms(1500));
    store(&mut world, client, "x");
    world.run_until(ms(100), |world| world.distinct() == 1).unwrap();
}

#[test]
fn a_client_that_shuts_down_has_nothing_to_say_about_connections_it_closes() {
    let (mut world, client) = pair(1, 4);
    world.produce(client);
    consume(&mut world, client, Pace::AtOnce);
    store_many(&mut world, client, 8);
    world.run_for(2 * SECOND);
    let before = world.notes(client).count();
    world.shutdown(client);
    world.run_until(3 * SECOND, |world| world.stopped_at(client).is_some()).unwrap();
    world.run_for(60 * SECOND);
    let said: Vec<_> = world.notes(client).skip(before).map(Note::to_string).collect();
    assert_eq!(said, [""; 0]);
}

#[test]
fn an_unreachable_broker_of_one_topic_disturbs_no_other() {
    let cluster = ClusterConfig::default().brokers(2).topic(TOPIC, 4);
    let mut world = World::new(1, cluster);
    world.with_cluster(|cluster| {
        let config = rocketry_conformance::broker::TopicConfig::new("only_b", 2);
        cluster.create_topic_on(1, &config);
    });
    let client = world.client(config());
    world.door(SECOND_BROKER, Door::BlackHole);
    let only = rocketry_core::message::Message::new(topic("only_b"), "x");
    let op = world.try_send(client, only).unwrap();
    let ops: Vec<_> = (0..8).map(|n| send(&mut world, client, &n.to_string())).collect();
    for op in ops {
        world.end_of(client, op).1.unwrap();
    }
    let (took, result) = world.end_of(client, op);
    assert!(result.is_err() && took <= 3 * SECOND);
}
