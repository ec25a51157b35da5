//! Topics that do not exist yet, or never will.

use rocketry_conformance::broker::{ClusterConfig, TopicConfig};
use rocketry_conformance::sim::{ClientId, Pace, World};
use rocketry_core::consumer::Subscribe;
use rocketry_core::error::{QueryError, SendError};
use rocketry_core::frame::RequestCode;
use rocketry_core::message::Message;
use rocketry_core::name::Group;
use rocketry_core::query::{Query, QueueName};

use crate::setting::*;

const FRESH: &str = "fresh";

fn routes_asked(world: &World) -> u64 {
    world.cluster().requests(RequestCode::GET_ROUTEINFO_BY_TOPIC)
}

fn without_creation() -> (World, ClientId) {
    let config = ClusterConfig { auto_create_topics: false, ..ClusterConfig::default() };
    let mut world = World::new(1, config.topic(TOPIC, 4));
    let client = world.client(crate::setting::config());
    (world, client)
}

fn fresh(body: &'static str) -> Message {
    Message::new(topic(FRESH), body)
}

#[test]
fn an_unknown_topic_is_created_by_its_first_message_and_then_has_a_route_of_its_own() {
    let (mut world, client) = pair(1, 1);
    let op = world.try_send(client, fresh("first")).unwrap();
    let (took, receipt) = world.end_of(client, op);
    assert!(receipt.is_ok() && took < ms(50), "{took:?} {receipt:?}");
    // The topic, TBW102, and the topic again once the broker has created it.
    world.run_for(SECOND);
    assert_eq!(routes_asked(&world), 3);
    for _ in 0..8 {
        let op = world.try_send(client, fresh("more")).unwrap();
        world.end_of(client, op).1.unwrap();
    }
    assert_eq!(routes_asked(&world), 3);
    let stored = (0..4).map(|queue| world.cluster().max_offset(0, FRESH, queue).unwrap());
    let stored: Vec<u64> = stored.collect();
    assert!(stored.iter().all(|count| *count >= 2) && stored.iter().sum::<u64>() == 9);
}

#[test]
fn many_sends_to_an_unknown_topic_share_one_lookup() {
    let (mut world, client) = without_creation();
    let ops: Vec<_> = (0..100).map(|_| world.try_send(client, fresh("x")).unwrap()).collect();
    for op in ops {
        let (took, result) = world.end_of(client, op);
        assert!(matches!(result, Err(SendError::NoTopic { .. })) && took < ms(50));
    }
    assert_eq!(routes_asked(&world), 2);
}

#[test]
fn a_question_about_an_unknown_topic_fails_at_once_whether_or_not_topics_are_created() {
    for (mut world, client) in [pair(1, 1), without_creation()] {
        let queue = QueueName { topic: topic(FRESH), broker: "broker-a".into(), queue: 0 };
        for query in [Query::Queues(topic(FRESH)), Query::MaxOffset(queue)] {
            let op = world.query(client, query).unwrap();
            world.run_until(5 * SECOND, |world| world.answer(client, op).is_some()).unwrap();
            let answer = world.answer(client, op).unwrap().result.clone();
            assert!(matches!(answer, Err(QueryError::NoRoute { .. })), "{answer:?}");
        }
        assert!(world.elapsed() < ms(50), "{:?}", world.elapsed());
        assert!(routes_asked(&world) <= 4, "{}", routes_asked(&world));
    }
}

#[test]
fn a_topic_that_nobody_may_write_fails_at_once() {
    let (mut world, client) = pair(1, 1);
    world.with_cluster(|cluster| cluster.create_topic(&TopicConfig::new("read_only", 4).perm(4)));
    let op = world.try_send(client, Message::new(topic("read_only"), "x")).unwrap();
    let (took, result) = world.end_of(client, op);
    assert!(matches!(result, Err(SendError::NotWritable { .. })), "{result:?}");
    assert!(took < ms(50), "{took:?}");
}

#[test]
fn a_consumer_may_be_there_before_its_topic() {
    let (mut world, client) = pair(1, 1);
    let mut subscribe = Subscribe::new(Group::new(GROUP).unwrap(), topic(FRESH));
    subscribe.options.start = rocketry_core::consumer::Start::First;
    world.subscribe(client, subscribe, Pace::AtOnce).unwrap();
    world.run_for(10 * SECOND);
    // One question each second, not a storm of them.
    assert!(routes_asked(&world) <= 12, "{}", routes_asked(&world));
    let producer = world.client(config());
    let op = world.try_send(producer, fresh("early")).unwrap();
    world.end_of(producer, op).1.unwrap();
    let took = world.run_until(5 * SECOND, |world| world.delivered().len() == 1);
    assert!(took.is_some());
}

#[test]
fn topics_that_do_not_exist_are_not_asked_for_again() {
    let (mut world, client) = without_creation();
    for i in 0..50 {
        let message = Message::new(topic(&format!("typo_{i}")), "x");
        let op = world.try_send(client, message).unwrap();
        assert!(world.end_of(client, op).1.is_err());
    }
    assert_eq!(routes_asked(&world), 100);
    world.run_for(300 * SECOND);
    assert_eq!(routes_asked(&world), 100);
}

#[test]
fn a_consumer_finds_its_topic_soon_although_a_send_was_about_to_create_it() {
    let (mut world, client) = pair(1, 1);
    let mut subscribe = Subscribe::new(Group::new(GROUP).unwrap(), topic(FRESH));
    subscribe.options.start = rocketry_core::consumer::Start::First;
    world.subscribe(client, subscribe, Pace::AtOnce).unwrap();
    // TBW102's route stands for the topic now, but the broker does not take the message.
    let illegal = [rocketry_core::frame::ResponseCode::MESSAGE_ILLEGAL];
    world.with_cluster(|cluster| cluster.push_error(RequestCode::SEND_MESSAGE_V2, illegal));
    let op = world.try_send(client, fresh("refused")).unwrap();
    assert!(world.end_of(client, op).1.is_err());
    let producer = world.client(config());
    let op = world.try_send(producer, fresh("early")).unwrap();
    world.end_of(producer, op).1.unwrap();
    let took = world.run_until(60 * SECOND, |world| world.delivered().len() == 1).unwrap();
    assert!(took < 5 * SECOND, "{took:?}");
}
