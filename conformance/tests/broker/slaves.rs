//! Slaves: in routes, as readers of what their masters store, and without their master.

use std::sync::Arc;

use bytes::Bytes;
use rocketry_conformance::broker::{BrokerConfig, ClusterConfig, ListenerId, TopicConfig};
use rocketry_core::body::RouteBody;
use rocketry_core::frame::reply::PullReply;
use rocketry_core::frame::request::UpdateOffsetRequest;
use rocketry_core::frame::{Kind, ReplyFields, Request, ResponseCode};

use crate::routes::route_of;
use crate::world::*;

const SLAVE: ListenerId = ListenerId::Broker(1);

fn pair() -> World {
    World::new(ClusterConfig::default().slaves().topic(TOPIC, 2))
}

fn route(world: &mut World, topic: &str) -> RouteBody {
    let mut names = world.connect(ListenerId::Nameserver);
    let (_, body) = route_of(world, &mut names, topic);
    RouteBody::parse(&body).unwrap()
}

/// Broker ids of the first broker in a topic's route, and its queues to write with their
/// permission.
fn ids(world: &mut World) -> (Vec<u64>, Vec<(u32, u32)>) {
    let route = route(world, TOPIC);
    let ids = route.brokers[0].addresses.keys().copied().collect();
    (ids, route.queues.iter().map(|queues| (queues.write_queues, queues.perm)).collect())
}

/// The code of a pull and the broker it is sent to next.
fn suggested(world: &mut World, client: &mut Client, offset: i64) -> (ResponseCode, i64) {
    let (reply, _) = world.ask(client, Kind::Pull, Request::Pull(pull_from(offset)), "");
    match reply.fields.unwrap() {
        ReplyFields::Pull(PullReply { suggest_broker_id, .. }) => {
            (reply.code, suggest_broker_id.unwrap())
        }
        _ => (reply.code, -1),
    }
}

#[test]
fn ns_14_a_broker_without_its_master_stays_in_the_route_with_its_queues() {
    let mut world = pair();
    assert_eq!(ids(&mut world), (vec![0, 1], vec![(2, 6)]));
    world.session.with(|cluster| cluster.take_down(0));
    assert_eq!(ids(&mut world), (vec![1], vec![(2, 6)]), "perm is not the nameserver's affair");
    world.session.with(|cluster| cluster.bring_up(0));
    assert_eq!(ids(&mut world), (vec![0, 1], vec![(2, 6)]));
    world.session.with(|cluster| {
        cluster.take_down(0);
        cluster.take_down(1);
    });
    let mut names = world.connect(ListenerId::Nameserver);
    assert_eq!(route_of(&mut world, &mut names, TOPIC).0, ResponseCode::TOPIC_NOT_EXIST);
}

#[test]
fn a_slave_that_never_had_a_master_tells_its_topics_from_5_0_on() {
    for (version, found) in [(479, ResponseCode::SUCCESS), (407, ResponseCode::TOPIC_NOT_EXIST)] {
        let alone = BrokerConfig::new("broker-a", "127.0.0.1:10911").slave(1);
        let config = ClusterConfig { brokers: vec![alone], version, ..ClusterConfig::default() };
        let mut world = World::new(config.topic(TOPIC, 1));
        let mut names = world.connect(ListenerId::Nameserver);
        assert_eq!(route_of(&mut world, &mut names, TOPIC).0, found, "{version}");
    }
}

#[test]
fn what_a_master_stores_can_be_read_from_its_slave() {
    let mut world = pair();
    let mut producer = world.connect(BROKER);
    let mut reader = world.connect(SLAVE);
    let (_, sent) = world.publish(&mut producer, tagged("A"), "one");
    world.publish(&mut producer, message("made", 0), "another topic");
    let found = world.pull(&mut reader, pull_from(0));
    assert_eq!((found.code, &found.bodies[..]), (ResponseCode::SUCCESS, &["one".to_owned()][..]));
    let copied = world.session.cluster().messages(1, TOPIC, 0);
    let kept = world.session.cluster().messages(0, TOPIC, 0);
    assert_eq!(copied.record(0).unwrap().raw(), kept.record(0).unwrap().raw());
    assert_eq!(copied.record(0).unwrap().unique_id(), sent.unwrap().transaction_id.as_deref());
    assert_eq!(world.session.cluster().queues(1, "made"), Some((4, 4)), "topics are copied too");
    assert_eq!(world.session.cluster().stored(TOPIC), 1, "stored once, copied once");
    assert_eq!(world.session.cluster().stored_on(1, TOPIC), 1);

    let commit = UpdateOffsetRequest {
        consumer_group: Arc::from(GROUP),
        topic: Arc::from(TOPIC),
        commit_offset: 1,
        ..Default::default()
    };
    world.beat(&mut producer, "c", "*", 1);
    world.ask(&mut producer, Kind::Plain, Request::UpdateOffset(commit), "");
    assert_eq!(world.session.cluster().committed(1, GROUP, TOPIC, 0), Some(1));
}

#[test]
fn a_slave_stores_nothing() {
    let mut world = pair();
    let mut producer = world.connect(SLAVE);
    let (reply, _) = world.ask(&mut producer, Kind::Send, Request::Send(message(TOPIC, 0)), "x");
    assert_eq!(reply.code, ResponseCode::SYSTEM_BUSY);
    let words = "[REJECTREQUEST]system busy, start flow control for a while";
    assert_eq!(reply.remark.as_deref(), Some(words));
    assert_eq!(world.session.cluster().stored_on(1, TOPIC), 0);
}

#[test]
fn a_slave_sends_those_back_that_it_has_nothing_for_unless_they_are_to_stay() {
    let mut world = pair();
    let mut producer = world.connect(BROKER);
    let mut reader = world.connect(SLAVE);
    world.publish(&mut producer, message(TOPIC, 0), "one");
    assert_eq!(suggested(&mut world, &mut producer, 0), (ResponseCode::SUCCESS, 0));
    assert_eq!(suggested(&mut world, &mut reader, 0), (ResponseCode::SUCCESS, 0));
    assert_eq!(suggested(&mut world, &mut reader, 1), (ResponseCode::PULL_RETRY_IMMEDIATELY, 0));
    world.session.with(|cluster| (0..2).for_each(|broker| cluster.set_suggested(broker, 1)));
    assert_eq!(suggested(&mut world, &mut producer, 0), (ResponseCode::SUCCESS, 1));
    assert_eq!(suggested(&mut world, &mut reader, 1), (ResponseCode::PULL_NOT_FOUND, 1));

    let held = Request::Pull(waiting(pull_from(1)));
    let opaque = world.send_as(&reader, Kind::Pull, held, Bytes::new(), false);
    assert!(world.received(&mut reader).is_empty());
    world.publish(&mut producer, message(TOPIC, 0), "two");
    let frames = world.received(&mut reader);
    assert_eq!((frames.len(), frames[0].opaque), (1, opaque), "a copy wakes who waits for it");
}

#[test]
fn a_slave_that_is_not_to_be_read_from_says_so_as_its_version_does() {
    for (version, code) in
        [(479, ResponseCode::SYSTEM_BUSY), (407, ResponseCode::PULL_RETRY_IMMEDIATELY)]
    {
        let config = ClusterConfig { version, ..ClusterConfig::default().slaves() };
        let config = ClusterConfig { slave_reads: false, ..config };
        let mut world = World::new(config.topic(TOPIC, 1));
        let mut producer = world.connect(BROKER);
        let mut reader = world.connect(SLAVE);
        world.publish(&mut producer, message(TOPIC, 0), "one");
        let refused = world.pull(&mut reader, pull_from(0));
        assert_eq!((refused.code, refused.bodies.len()), (code, 0));
    }
}

#[test]
fn a_slave_takes_over_what_it_missed_once_it_is_back_or_lags_no_more() {
    let mut world = pair();
    let mut producer = world.connect(BROKER);
    world.session.with(|cluster| cluster.set_lagging(1, true));
    world.publish(&mut producer, message(TOPIC, 0), "one");
    assert_eq!(world.session.cluster().stored_on(1, TOPIC), 0);
    world.session.with(|cluster| cluster.set_lagging(1, false));
    assert_eq!(world.session.cluster().stored_on(1, TOPIC), 1);

    world.session.with(|cluster| cluster.take_down(1));
    world.publish(&mut producer, message(TOPIC, 1), "two");
    world.session.with(|cluster| {
        cluster.create_topic_on(0, &TopicConfig::new("young", 3));
        cluster.expire(0, TOPIC, 0, 1);
    });
    assert_eq!(world.session.cluster().queues(1, "young"), None);
    world.session.with(|cluster| cluster.bring_up(1));
    assert_eq!(world.session.cluster().stored_on(1, TOPIC), 2);
    assert_eq!(world.session.cluster().min_offset(1, TOPIC, 0), Some(1));
    assert_eq!(world.session.cluster().queues(1, "young"), Some((3, 3)));
    world.session.with(|cluster| cluster.delete_topic_on(0, "young"));
    assert_eq!(world.session.cluster().queues(1, "young"), None);
}
