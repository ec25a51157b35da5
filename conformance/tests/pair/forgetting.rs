//! What nothing names any more is forgotten: addresses, brokers, topics.

use rocketry_conformance::broker::ClusterConfig;
use rocketry_conformance::sim::World;
use rocketry_core::frame::RequestCode;
use rocketry_core::message::Message;
use rocketry_core::query::{Query, QueueName};

use crate::setting::*;

/// A route of `TOPIC` on a broker of that name at that address.
fn route(broker: &str, address: &str) -> String {
    format!(
        r#"{{"queueDatas":[{{"brokerName":"{broker}","perm":6,"readQueueNums":4,
        "writeQueueNums":4,"topicSysFlag":0}}],"brokerDatas":[{{"brokerName":"{broker}",
        "cluster":"c","brokerAddrs":{{"0":"{address}","1":"{address}1"}}}}]}}"#
    )
}

#[test]
fn a_nameserver_that_names_another_address_or_broker_each_time_leaves_no_more_than_a_few() {
    for lanes in [1, 3] {
        let mut world = world(1, 4);
        let mut config = config();
        config.route_refresh_interval = SECOND;
        config.connections_per_broker = lanes;
        config.max_idle = Some(SECOND);
        let client = world.client(config);
        store(&mut world, client, "x");
        for i in 0..600_u32 {
            let (broker, port) = (format!("broker-{}", i / 2), 1_000 + i);
            let told = route(&broker, &format!("10.0.0.1:{port}"));
            world.with_cluster(|cluster| cluster.set_route(TOPIC, Some(told.as_bytes())));
            if i % 5 == 0 {
                let _ = world.send_within(client, message("y"), SECOND).unwrap();
            }
            world.run_for(ms(1_300));
        }
        let snapshot = world.engine(client).snapshot(world.now());
        let lanes = lanes as usize;
        assert!(snapshot.brokers.len() <= 8, "{} brokers", snapshot.brokers.len());
        let peers = snapshot.connections.len();
        assert!(peers <= 16 + 16 * lanes, "{peers} peers");
        // Whoever comes back is served as ever, in a place that others had.
        world.with_cluster(|cluster| cluster.set_route(TOPIC, None));
        world.run_for(3 * SECOND);
        store(&mut world, client, "z");
    }
}

#[test]
fn a_topic_that_was_used_once_is_not_asked_for_for_ever() {
    let (mut world, client) = pair(2, 4);
    let other = world.client(config());
    consume(&mut world, other, rocketry_conformance::sim::Pace::AtOnce);
    store(&mut world, client, "x");
    world.run_for(3_600 * SECOND);
    assert!(world.engine(client).snapshot(world.now()).topics.is_empty());
    let of_consumer = world.engine(other).snapshot(world.now()).topics;
    let names: Vec<&str> = of_consumer.iter().map(|of| of.topic.as_str()).collect();
    assert_eq!(names, ["%RETRY%group_a", TOPIC], "a consumer's topics are in use");
    // It is looked up again when it is used again.
    let op = send(&mut world, client, "y");
    let (took, result) = world.end_of(client, op);
    assert!(result.is_ok() && took < ms(50), "{took:?} {result:?}");
    let took = world.run_until(5 * SECOND, |world| world.delivered().len() == 2);
    assert!(took.is_some());
}

#[test]
fn a_topic_that_is_used_now_and_then_is_kept() {
    let (mut world, client) = pair(3, 4);
    let queue = QueueName { topic: topic(TOPIC), broker: "broker-a".into(), queue: 0 };
    store(&mut world, client, "x");
    for i in 0..12 {
        world.run_for(600 * SECOND);
        match i % 3 {
            0 => store(&mut world, client, "y"),
            1 => {
                let options = rocketry_core::producer::SendOptions::to(&queue);
                let op = world.send_with(client, message("z"), options).unwrap();
                world.end_of(client, op).1.unwrap();
            }
            _ => {
                let op = world.query(client, Query::MaxOffset(queue.clone())).unwrap();
                world.run_until(SECOND, |world| world.answer(client, op).is_some()).unwrap();
            }
        }
        let topics = world.engine(client).snapshot(world.now()).topics;
        assert!(topics[0].age.is_some_and(|age| age > SECOND), "looked up only to refresh it");
    }
}

#[test]
fn three_hundred_topics_each_used_once_are_forgotten_with_their_brokers() {
    let mut cluster = ClusterConfig::default().brokers(2);
    for i in 0..300 {
        cluster = cluster.topic(format!("topic_{i}"), 1);
    }
    let mut world = World::new(4, cluster);
    let mut config = config();
    config.route_refresh_interval = SECOND;
    let client = world.client(config);
    for i in 0..300 {
        let op = world.try_send(client, Message::new(topic(&format!("topic_{i}")), "x")).unwrap();
        world.end_of(client, op).1.unwrap();
    }
    world.run_for(60 * SECOND);
    let snapshot = world.engine(client).snapshot(world.now());
    assert!(snapshot.topics.is_empty() && snapshot.brokers.is_empty(), "{snapshot}");
    world.run_for(300 * SECOND);
    assert!(world.engine(client).snapshot(world.now()).connections.len() <= 1);
}

#[test]
fn a_producer_group_is_gone_from_brokers_with_its_last_producer() {
    let (mut world, client) = pair(5, 4);
    world.produce(client);
    world.produce(client);
    store(&mut world, client, "x");
    world.run_for(SECOND);
    assert_eq!(world.cluster().producers(0, "producers").len(), 1);
    world.withdraw(client);
    world.run_for(40 * SECOND);
    assert_eq!(world.cluster().producers(0, "producers").len(), 1, "one is left");
    world.withdraw(client);
    world.run_for(59 * SECOND);
    assert_eq!(world.cluster().producers(0, "producers").len(), 1, "it may come again");
    world.run_for(61 * SECOND);
    assert_eq!(world.cluster().producers(0, "producers").len(), 0);
    // One too many is none.
    world.withdraw(client);
    world.run_for(120 * SECOND);
    assert_eq!(world.cluster().producers(0, "producers").len(), 0);
    store(&mut world, client, "y");
    world.produce(client);
    world.run_for(SECOND);
    assert_eq!(world.cluster().producers(0, "producers").len(), 1);
}

#[test]
fn a_producer_for_each_message_costs_no_heartbeat_for_each() {
    let (mut world, client) = pair(5, 4);
    for i in 0..200 {
        world.produce(client);
        store(&mut world, client, &format!("{i}"));
        world.withdraw(client);
    }
    let told = |code| world.cluster().requests(code);
    assert!(told(RequestCode::HEART_BEAT) < 5, "{}", told(RequestCode::HEART_BEAT));
    assert_eq!(told(RequestCode::UNREGISTER_CLIENT), 0);
}

#[test]
fn a_broker_that_has_another_name_now_is_known_on_when_the_old_name_is_forgotten() {
    let mut world = world(3, 4);
    let mut config = config();
    config.route_refresh_interval = SECOND;
    let client = world.client(config);
    consume(&mut world, client, rocketry_conformance::sim::Pace::AtOnce);
    store(&mut world, client, "x");
    world.run_for(2 * SECOND);
    let told = route("broker-renamed", BROKER);
    world.with_cluster(|cluster| cluster.set_route(TOPIC, Some(told.as_bytes())));
    // The old name is forgotten some looks later; `Engine::check` sees whoever waits for nobody.
    let mut beats = 0;
    for _ in 0..20 {
        world.run_for(SECOND);
        beats = world.cluster().requests(RequestCode::HEART_BEAT);
        let ready = world.engine(client).snapshot(world.now());
        assert!(ready.consumers.iter().all(|consumer| consumer.queues.len() == 4));
    }
    let pulls = world.cluster().requests(RequestCode::PULL_MESSAGE);
    world.run_for(20 * SECOND);
    assert!(world.cluster().requests(RequestCode::PULL_MESSAGE) > pulls, "nothing is pulled");
    assert!(world.cluster().requests(RequestCode::HEART_BEAT) <= beats + 3);
}
