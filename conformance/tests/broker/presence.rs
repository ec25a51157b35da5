//! Brokers that leave, come back elsewhere, and permit less than their topics.

use rocketry_conformance::broker::{BrokerConfig, ClusterConfig, ListenerId, TopicConfig};
use rocketry_core::body::RouteBody;
use rocketry_core::frame::ResponseCode;
use rocketry_core::message::OffsetMessageId;

use crate::routes::route_of;
use crate::world::*;

/// The broker names, permissions and masters' addresses in a topic's route.
fn shape(world: &mut World, topic: &str) -> Vec<(String, u32, String)> {
    let mut names = world.connect(ListenerId::Nameserver);
    let (code, body) = route_of(world, &mut names, topic);
    if code != ResponseCode::SUCCESS {
        return Vec::new();
    }
    let route = RouteBody::parse(&body).unwrap();
    let of = |name: &str| route.brokers.iter().find(|b| &*b.broker_name == name).unwrap();
    let queues = route.queues.iter().map(|queues| {
        let name = &*queues.broker_name;
        (name.to_owned(), queues.perm, of(name).addresses[&0].clone())
    });
    queues.collect()
}

fn perms(world: &mut World) -> Vec<u32> {
    shape(world, TOPIC).into_iter().map(|(_, perm, _)| perm).collect()
}

#[test]
fn ns_12_permissions_are_those_of_the_topic_on_each_broker_and_of_the_broker() {
    let mut world = World::new(ClusterConfig::default().brokers(3).topic(TOPIC, 2));
    world.session.with(|cluster| {
        cluster.create_topic_on(0, &TopicConfig::new(TOPIC, 2).perm(4));
        cluster.create_topic_on(1, &TopicConfig::new(TOPIC, 2).perm(2));
    });
    assert_eq!(perms(&mut world), [4, 2, 6]);
    world.session.with(|cluster| cluster.set_broker_perm(2, 4));
    assert_eq!(perms(&mut world), [4, 2, 4]);
    world.session.with(|cluster| cluster.set_broker_perm(1, 4));
    assert_eq!(perms(&mut world), [4, 0, 4]);
    world.session.with(|cluster| {
        cluster.set_broker_perm(1, 6);
        cluster.set_broker_perm(2, 6);
    });
    assert_eq!(perms(&mut world), [4, 2, 6]);
}

#[test]
fn a_broker_that_may_not_be_read_refuses_pulls_and_one_that_may_not_be_written_takes_sends() {
    let silent = BrokerConfig { perm: 2, ..BrokerConfig::new("a", "127.0.0.1:10911") };
    let full = BrokerConfig { perm: 4, ..BrokerConfig::new("b", "127.0.0.1:10921") };
    let config = ClusterConfig { brokers: vec![silent, full], ..ClusterConfig::default() };
    let mut world = World::new(config.topic(TOPIC, 1));
    assert_eq!(perms(&mut world), [2, 4]);
    let mut client = world.connect(BROKER);
    let refused = world.pull(&mut client, pull_from(0));
    assert_eq!(refused.code, ResponseCode::NO_PERMISSION);
    let mut client = world.connect(ListenerId::Broker(1));
    let (code, _) = world.publish(&mut client, message(TOPIC, 0), "x");
    assert_eq!(code, ResponseCode::SUCCESS, "as Java: only topics of global order are refused");
}

#[test]
fn a_broker_that_comes_back_elsewhere_is_found_there_with_its_messages() {
    let mut world = World::new(ClusterConfig::default().brokers(2).topic(TOPIC, 1));
    let mut client = world.connect(BROKER);
    world.publish(&mut client, message(TOPIC, 0), "before");
    world.session.with(|cluster| cluster.take_down(0));
    let left = shape(&mut world, TOPIC);
    assert_eq!(left, [("broker-b".to_owned(), 6, "127.0.0.1:10921".to_owned())]);
    world.session.with(|cluster| {
        cluster.set_endpoint(0, "127.0.0.2:20911");
        cluster.bring_up(0);
    });
    let back = shape(&mut world, TOPIC);
    assert_eq!((&*back[0].0, &*back[0].2), ("broker-a", "127.0.0.2:20911"));
    let mut client = world.connect(BROKER);
    assert_eq!(world.pull(&mut client, pull_from(0)).bodies, ["before"]);
    let (_, sent) = world.publish(&mut client, message(TOPIC, 0), "after");
    let id = OffsetMessageId::parse(&sent.unwrap().msg_id).unwrap();
    assert_eq!(id.addr, "127.0.0.2:20911".parse().unwrap());
}

#[test]
fn a_nameserver_that_has_not_noticed_keeps_a_broker_that_is_down() {
    let config = ClusterConfig { hide_down_brokers: false, ..ClusterConfig::default() };
    let mut world = World::new(config.brokers(2).topic(TOPIC, 1));
    world.session.with(|cluster| cluster.take_down(0));
    assert_eq!(shape(&mut world, TOPIC).len(), 2);
    let refused = world.connect(BROKER);
    assert!(!world.session.is_open(refused.conn));
}

#[test]
fn each_broker_may_have_its_own_queues_of_a_topic() {
    let mut world = World::new(ClusterConfig::default().brokers(2).topic(TOPIC, 4));
    world.session.with(|cluster| {
        cluster.create_topic_on(1, &TopicConfig::new(TOPIC, 0).queues(8, 2));
        cluster.create_topic_on(0, &TopicConfig::new("only_a", 1));
    });
    let mut names = world.connect(ListenerId::Nameserver);
    let (_, body) = route_of(&mut world, &mut names, TOPIC);
    let queues = RouteBody::parse(&body).unwrap().queues;
    let counts: Vec<_> = queues.iter().map(|q| (q.read_queues, q.write_queues)).collect();
    assert_eq!(counts, [(4, 4), (8, 2)]);
    assert_eq!(shape(&mut world, "only_a").len(), 1);
    world.session.with(|cluster| cluster.delete_topic_on(0, TOPIC));
    assert_eq!(shape(&mut world, TOPIC).len(), 1);
}
