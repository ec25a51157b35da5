//! Who is in a group, how far it is, who reads what, and what of its offsets is kept.

use std::sync::Arc;
use std::time::Duration;

use rocketry_conformance::broker::{BrokerConfig, ClusterConfig};
use rocketry_core::body::{
    AssignmentQuery, Assignments, ConsumeStats, ConsumeType, ConsumerConnections, MessageModel,
};
use rocketry_core::frame::request::{
    ConsumeStatsRequest, ConsumerConnectionsRequest, PlainRequest, UpdateOffsetRequest,
};
use rocketry_core::frame::{Kind, Request, ResponseCode};

use crate::delays::millis;
use crate::world::*;

/// Stores an offset of a queue; returns what is said of it.
pub(crate) fn commit(
    world: &mut World,
    client: &mut Client,
    queue_id: i32,
    commit_offset: i64,
) -> String {
    let request = Request::UpdateOffset(UpdateOffsetRequest {
        consumer_group: Arc::from(GROUP),
        topic: Arc::from(TOPIC),
        queue_id,
        commit_offset,
        ..Default::default()
    });
    let (reply, _) = world.ask(client, Kind::Plain, request, "");
    assert_eq!(reply.code, ResponseCode::SUCCESS);
    reply.remark.unwrap_or_default().into()
}

#[test]
fn who_is_connected_is_told_with_what_they_said_in_their_heartbeats() {
    let mut world = World::one_topic(1);
    let mut client = world.connect(BROKER);
    let ask = Request::ConsumerConnections(ConsumerConnectionsRequest {
        consumer_group: Arc::from(GROUP),
        ..Default::default()
    });
    let (reply, _) = world.ask(&mut client, Kind::Plain, ask.clone(), "");
    assert_eq!(reply.code, ResponseCode::CONSUMER_NOT_ONLINE);
    world.beat(&mut client, "c1", "A || B", 7);
    let (_, body) = world.ask(&mut client, Kind::Plain, ask, "");
    let told = ConsumerConnections::parse(&body).unwrap();
    assert_eq!((told.connections.len(), &*told.connections[0].client_id), (1, "c1"));
    assert!(told.connections[0].address.starts_with("127.0.0.1:"));
    assert_eq!(told.model, MessageModel::Clustering);
    assert_eq!(told.consume_type, ConsumeType::Passively);
    let subscription = &told.subscriptions[TOPIC];
    assert_eq!((&*subscription.expression, subscription.version), ("A || B", 7));
}

fn stats(world: &mut World, client: &mut Client, request: ConsumeStatsRequest) -> ConsumeStats {
    let group = ConsumeStatsRequest { consumer_group: Arc::from(GROUP), ..request };
    let (reply, body) = world.ask(client, Kind::Plain, Request::ConsumeStats(group), "");
    assert_eq!(reply.code, ResponseCode::SUCCESS);
    ConsumeStats::parse(&body).unwrap()
}

#[test]
fn how_far_a_group_is_is_told_by_queue() {
    let mut world = World::new(ClusterConfig::default().topic(TOPIC, 2).topic("other", 1));
    let mut client = world.connect(BROKER);
    world.pull(&mut client, pull_from(0));
    for _ in 0..3 {
        world.publish(&mut client, message(TOPIC, 0), "x");
        world.pass(millis(100));
    }
    let any = ConsumeStatsRequest::default();
    assert!(stats(&mut world, &mut client, any.clone()).offsets.0.is_empty(), "nothing stored yet");
    commit(&mut world, &mut client, 0, 2);
    let told = stats(&mut world, &mut client, any.clone());
    let queues: Vec<_> = told.offsets.iter().map(|(queue, o)| (queue.queue_id, *o)).collect();
    let [(0, first), (1, second)] = queues[..] else { panic!("{queues:?}") };
    assert_eq!((first.broker_offset, first.consumer_offset), (3, 2));
    assert_eq!(first.last_timestamp, 1_700_000_000_100, "of the last message handled");
    assert_eq!((second.broker_offset, second.last_timestamp), (0, 0));
    assert_eq!(told.lag(), 1);

    world.beat(&mut client, "c1", "*", 1);
    let other = ConsumeStatsRequest { topic: Some(Arc::from("other")), ..any.clone() };
    assert!(stats(&mut world, &mut client, other).offsets.0.is_empty(), "not subscribed to");
    let listed = ConsumeStatsRequest { topics: Some(Arc::from("other;none;")), ..any };
    assert_eq!(stats(&mut world, &mut client, listed).offsets.0.len(), 1, "asked for by name");
}

/// The queues of a client, by broker and number; `None` where the broker has nothing to say.
fn assigned(
    world: &mut World,
    client: &mut Client,
    query: &AssignmentQuery,
) -> Option<Vec<String>> {
    let body = String::from_utf8(query.to_json()).unwrap();
    let request = Request::QueryAssignment(PlainRequest::default());
    let (reply, body) = world.ask(client, Kind::Plain, request, &body);
    assert_eq!(reply.code, ResponseCode::SUCCESS);
    let queues = Assignments::parse(&body).unwrap().queues;
    let name = |q: &rocketry_core::body::MessageQueue| format!("{} {}", q.broker_name, q.queue_id);
    (&body[..] != b"{}").then(|| queues.iter().map(|found| name(&found.queue)).collect())
}

#[test]
fn a_client_is_told_its_share_of_the_queues_of_all_brokers() {
    let mut world = World::new(ClusterConfig::default().brokers(2).topic(TOPIC, 2));
    let mut clients = ["c1", "c2"].map(|id| {
        let mut client = world.connect(BROKER);
        world.beat(&mut client, id, "*", 1);
        client
    });
    let query = |strategy: &str| AssignmentQuery {
        client_id: "c2".into(),
        consumer_group: GROUP.into(),
        message_model: MessageModel::Clustering,
        strategy_name: strategy.into(),
        topic: TOPIC.into(),
    };
    let asker = &mut clients[0];
    let expected = |queues: [&str; 2]| Some(queues.map(str::to_owned).to_vec());
    let average = assigned(&mut world, asker, &query("AVG"));
    assert_eq!(average, expected(["broker-b 0", "broker-b 1"]));
    let circle = assigned(&mut world, asker, &query("AVG_BY_CIRCLE"));
    assert_eq!(circle, expected(["broker-a 1", "broker-b 1"]));
    let stranger = AssignmentQuery { client_id: "c3".into(), ..query("AVG") };
    assert_eq!(assigned(&mut world, asker, &stranger), Some(Vec::new()));
    let broadcast =
        AssignmentQuery { message_model: MessageModel::Broadcasting, ..query("whatever") };
    assert_eq!(assigned(&mut world, asker, &broadcast).map(|all| all.len()), Some(4));
    for nothing in [
        query("CONSISTENT_HASH"),
        AssignmentQuery { topic: "none".into(), ..query("AVG") },
        AssignmentQuery { consumer_group: "none".into(), ..query("AVG") },
    ] {
        assert_eq!(assigned(&mut world, asker, &nothing), None, "{nothing:?}");
    }
}

#[test]
fn before_5_0_nothing_is_assigned() {
    let config = ClusterConfig { version: 407, ..ClusterConfig::default() };
    let mut world = World::new(config.topic(TOPIC, 1));
    let mut client = world.connect(BROKER);
    let request = Request::QueryAssignment(PlainRequest::default());
    let (reply, _) = world.ask(&mut client, Kind::Plain, request, "{}");
    assert_eq!(reply.code, ResponseCode::REQUEST_CODE_NOT_SUPPORTED);
}

#[test]
fn a_broker_that_is_killed_has_the_offsets_of_its_last_writing() {
    for (offset_flush, kept) in [(Duration::from_secs(5), Some(2)), (Duration::ZERO, Some(3))] {
        let broker = BrokerConfig { offset_flush, ..BrokerConfig::new("a", "127.0.0.1:10911") };
        let config = ClusterConfig { brokers: vec![broker], ..ClusterConfig::default() };
        let mut world = World::new(config.topic(TOPIC, 1));
        let mut client = world.connect(BROKER);
        world.pull(&mut client, pull_from(0));
        commit(&mut world, &mut client, 0, 1);
        world.pass(millis(4_999));
        commit(&mut world, &mut client, 0, 2);
        world.pass(millis(1));
        commit(&mut world, &mut client, 0, 3);
        world.session.with(|cluster| cluster.crash(0));
        world.session.with(|cluster| cluster.bring_up(0));
        assert_eq!(world.session.cluster().committed(0, GROUP, TOPIC, 0), kept);
    }
}

#[test]
fn one_that_goes_in_good_order_or_has_had_its_time_loses_none() {
    let mut world = World::one_topic(1);
    let mut client = world.connect(BROKER);
    world.pull(&mut client, pull_from(0));
    commit(&mut world, &mut client, 0, 1);
    world.session.with(|cluster| cluster.take_down(0));
    world.session.with(|cluster| cluster.lose_offsets(0));
    world.session.with(|cluster| cluster.bring_up(0));
    assert_eq!(world.session.cluster().committed(0, GROUP, TOPIC, 0), Some(1));

    let mut client = world.connect(BROKER);
    commit(&mut world, &mut client, 0, 2);
    world.pass(Duration::from_secs(5));
    world.session.timeout(world.now);
    world.session.with(|cluster| cluster.lose_offsets(0));
    assert_eq!(world.session.cluster().committed(0, GROUP, TOPIC, 0), Some(2));
    world.session.with(|cluster| cluster.set_committed(0, GROUP, TOPIC, 0, 7));
    commit(&mut world, &mut client, 0, 8);
    world.session.with(|cluster| cluster.lose_offsets(0));
    assert_eq!(world.session.cluster().committed(0, GROUP, TOPIC, 0), Some(7), "written at once");
}
