//! Topics and clusters as admin tools ask for them: on brokers, and at the nameserver.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rocketry_conformance::broker::{ClusterConfig, ListenerId, RouteKeys};
use rocketry_core::body::{
    ClusterInfo, RouteBody, TopicConfig, TopicConfigList, TopicConfigTable, TopicList,
};
use rocketry_core::frame::request::{
    CreateTopicRequest, DeleteTopicInNameServerRequest, DeleteTopicRequest, PlainRequest,
};
use rocketry_core::frame::{Kind, Request, RequestCode, ResponseCode};

use crate::routes::route_of;
use crate::world::*;

fn create(topic: &str, read: i32, write: i32, perm: i32) -> CreateTopicRequest {
    CreateTopicRequest {
        topic: Arc::from(topic),
        default_topic: Arc::from("TBW102"),
        read_queues: read,
        write_queues: write,
        perm,
        filter_type: Arc::from("SINGLE_TAG"),
        ..Default::default()
    }
}

fn with(attributes: &str, request: CreateTopicRequest) -> CreateTopicRequest {
    CreateTopicRequest { attributes: Some(Arc::from(attributes)), ..request }
}

fn told(world: &mut World, client: &mut Client, request: Request) -> (ResponseCode, String) {
    let (reply, _) = world.ask(client, Kind::Plain, request, "");
    (reply.code, reply.remark.unwrap_or_default().into())
}

fn config_of(world: &mut World, client: &mut Client, topic: &str) -> Option<TopicConfig> {
    let fields = vec![(Box::from("topic"), Box::from(topic))];
    let ask = Request::Unknown { code: RequestCode(351), fields };
    let (reply, body) = world.ask(client, Kind::Plain, ask, "");
    match reply.code {
        ResponseCode::SUCCESS => Some(TopicConfig::parse(&body).unwrap()),
        code => {
            assert_eq!(code, ResponseCode::TOPIC_NOT_EXIST);
            None
        }
    }
}

fn topics_of(world: &mut World, names: &mut Client) -> Vec<String> {
    let (_, body) = world.ask(names, Kind::Plain, Request::TopicList(PlainRequest::default()), "");
    TopicList::parse(&body).unwrap().topics.into_iter().collect()
}

#[test]
fn a_topic_that_is_made_or_changed_is_in_the_routes_at_once() {
    let mut world = World::new(ClusterConfig::default().brokers(2));
    let mut names = world.connect(ListenerId::Nameserver);
    let mut admin = world.connect(BROKER);
    assert_eq!(route_of(&mut world, &mut names, "made").0, ResponseCode::TOPIC_NOT_EXIST);
    let made = create("made", 4, 3, 6);
    let done = told(&mut world, &mut admin, Request::CreateTopic(made));
    let words = "not set any response code".to_owned();
    assert_eq!(done, (ResponseCode::SUCCESS, words), "as Java says it: success has a remark");
    let changed = with("+message.type=FIFO", create("made", 4, 2, 4));
    let changed = CreateTopicRequest { topic_sys_flag: Some(1), order: true, ..changed };
    for (request, queues, perm) in [(create("made", 4, 3, 6), (4, 3), 6), (changed, (4, 2), 4)] {
        let done = told(&mut world, &mut admin, Request::CreateTopic(request));
        assert_eq!(done.0, ResponseCode::SUCCESS);
        let (_, body) = route_of(&mut world, &mut names, "made");
        let route = RouteBody::parse(&body).unwrap();
        assert_eq!(route.queues.len(), 1, "the other broker was not asked");
        let found = &route.queues[0];
        assert_eq!(&*found.broker_name, "broker-a");
        assert_eq!(((found.read_queues, found.write_queues), found.perm), (queues, perm));
    }
    let config = config_of(&mut world, &mut admin, "made").unwrap();
    assert_eq!((config.order, config.topic_sys_flag), (true, 1));
    assert_eq!(config.attributes["message.type"], "FIFO");
    assert_eq!(config_of(&mut world, &mut admin, "unknown"), None);
}

#[test]
fn topics_are_refused_by_name_and_by_attribute_as_java_refuses_them() {
    let mut world = World::one_topic(1);
    let mut admin = world.connect(BROKER);
    let invalid = ResponseCode::INVALID_PARAMETER;
    let failed = ResponseCode::SYSTEM_ERROR;
    let long = "x".repeat(128);
    for (request, code, remark) in [
        (create("", 1, 1, 6), invalid, "The specified topic is blank."),
        (create("a.b", 1, 1, 6), invalid, "contains illegal characters, allowing only ^[%|a-zA-"),
        (create(&long, 1, 1, 6), invalid, "The specified topic is longer than topic max length."),
        (create("TBW102", 1, 1, 6), invalid, "The topic[TBW102] is conflict with system topic."),
        (create("rmq_sys_x", 1, 1, 6), invalid, "is conflict with system topic."),
        (
            with("+message.type=MIXED", create("x", 1, 1, 6)),
            invalid,
            "MIXED message type is not supported.",
        ),
        (with("message.type=FIFO", create("x", 1, 1, 6)), failed, "attribute format is wrong"),
        (with("+colour=red", create("x", 1, 1, 6)), failed, "unsupported key: colour"),
        (with("+queue.type=No", create("x", 1, 1, 6)), failed, "value is not in set"),
        (with("-message.type", create("x", 1, 1, 6)), failed, "only add attribute is supported"),
        (
            with("+queue.type=BatchCQ", create(TOPIC, 1, 1, 6)),
            failed,
            "attempt to update an unchangeable attribute. key: queue.type",
        ),
    ] {
        let (found, words) = told(&mut world, &mut admin, Request::CreateTopic(request));
        assert_eq!(found, code, "{words}");
        assert!(words.contains(remark), "{words}");
    }
    assert_eq!(config_of(&mut world, &mut admin, "x"), None);
}

#[test]
fn several_topics_are_made_at_once_and_all_are_listed() {
    let mut world = World::one_topic(1);
    let mut admin = world.connect(BROKER);
    let mut make = |world: &mut World, topics: Vec<TopicConfig>| {
        let body = TopicConfigList { topics }.to_json();
        let request = Request::CreateTopics(PlainRequest::default());
        let body = String::from_utf8(body).unwrap();
        world.ask(&mut admin, Kind::Plain, request, &body).0.code
    };
    let bad = vec![TopicConfig::new("one", 1), TopicConfig::new("t/o", 1)];
    assert_eq!(make(&mut world, bad), ResponseCode::INVALID_PARAMETER);
    let both = vec![TopicConfig::new("one", 1), TopicConfig::new("two", 2)];
    assert_eq!(make(&mut world, both), ResponseCode::SUCCESS);
    let mut admin = world.connect(BROKER);
    let all = Request::AllTopics(PlainRequest::default());
    let (_, body) = world.ask(&mut admin, Kind::Plain, all, "");
    let table = TopicConfigTable::parse(&body).unwrap().topics;
    let names = ["DefaultCluster_REPLY_TOPIC", "TBW102", "one", "topic_a", "two"];
    assert_eq!(table.keys().collect::<Vec<_>>(), names);
    assert_eq!((table["two"].write_queues, table["TBW102"].perm), (2, 7));
    let mut nameserver = world.connect(ListenerId::Nameserver);
    assert_eq!(topics_of(&mut world, &mut nameserver), names);
}

#[test]
fn a_topic_deleted_on_its_broker_stays_in_the_route_until_the_nameserver_is_told() {
    let mut world = World::one_topic(1);
    let mut names = world.connect(ListenerId::Nameserver);
    let mut admin = world.connect(BROKER);
    world.publish(&mut admin, message(TOPIC, 0), "gone");
    world.beat(&mut admin, "c", "*", 1);
    world.pull(
        &mut admin,
        rocketry_core::frame::request::PullRequest {
            sys_flag: 5,
            commit_offset: 1,
            ..pull_from(0)
        },
    );
    let delete = |topic: &str| {
        Request::DeleteTopic(DeleteTopicRequest { topic: Arc::from(topic), ..Default::default() })
    };
    let (code, _) = told(&mut world, &mut admin, delete("TBW102"));
    assert_eq!(code, ResponseCode::INVALID_PARAMETER);
    for topic in [TOPIC, "never"] {
        assert_eq!(told(&mut world, &mut admin, delete(topic)).0, ResponseCode::SUCCESS);
    }
    assert_eq!(world.session.cluster().committed(0, GROUP, TOPIC, 0), None);
    let gone = world.pull(&mut admin, pull_from(0));
    assert_eq!(gone.code, ResponseCode::TOPIC_NOT_EXIST);
    assert_eq!(route_of(&mut world, &mut names, TOPIC).0, ResponseCode::SUCCESS);

    let mut forget = |world: &mut World, cluster: Option<&str>| {
        let topic = Arc::from(TOPIC);
        let cluster = cluster.map(Arc::from);
        let request = DeleteTopicInNameServerRequest { topic, cluster, ..Default::default() };
        let request = Request::DeleteTopicInNameServer(request);
        assert_eq!(told(world, &mut names, request).0, ResponseCode::SUCCESS);
        route_of(world, &mut names, TOPIC).0
    };
    assert_eq!(forget(&mut world, Some("another")), ResponseCode::SUCCESS);
    assert_eq!(forget(&mut world, Some("DefaultCluster")), ResponseCode::TOPIC_NOT_EXIST);
    world.pass(Duration::from_secs(31));
    assert_eq!(forget(&mut world, None), ResponseCode::TOPIC_NOT_EXIST, "no broker has it");
}

#[test]
fn a_topic_deleted_at_the_nameserver_alone_comes_back_with_the_next_registration() {
    let mut world = World::one_topic(1);
    let mut names = world.connect(ListenerId::Nameserver);
    let topic = Arc::from(TOPIC);
    let request = DeleteTopicInNameServerRequest { topic, ..Default::default() };
    told(&mut world, &mut names, Request::DeleteTopicInNameServer(request));
    world.pass(Duration::from_millis(29_999));
    assert_eq!(route_of(&mut world, &mut names, TOPIC).0, ResponseCode::TOPIC_NOT_EXIST);
    world.pass(Duration::from_millis(1));
    assert_eq!(route_of(&mut world, &mut names, TOPIC).0, ResponseCode::SUCCESS);
}

#[test]
fn the_cluster_is_told_with_bare_broker_ids_whatever_the_clients_version() {
    for (keys, bare) in
        [(RouteKeys::ByVersion, true), (RouteKeys::Bare, true), (RouteKeys::Quoted, false)]
    {
        let config = ClusterConfig { route_keys: keys, ..ClusterConfig::default().brokers(2) };
        let mut world = World::new(config.slaves());
        let mut names = world.connect(ListenerId::Nameserver);
        let ask = Request::ClusterInfo(PlainRequest::default());
        let (_, body): (_, Bytes) = world.ask(&mut names, Kind::Cluster, ask, "");
        let text = String::from_utf8(body.to_vec()).unwrap();
        let start = if bare { r#"{0:"127.0.0.1:10911",1:"# } else { r#"{"0":"127.0.0.1:10911""# };
        assert!(text.contains(start), "{text}");
        let info = ClusterInfo::parse(&body).unwrap();
        let names: Vec<_> = info.clusters["DefaultCluster"].iter().collect();
        assert_eq!(names, ["broker-a", "broker-b"]);
        assert_eq!(info.brokers["broker-b"].addresses[&1], "127.0.0.1:10926");
    }
}

#[test]
fn ns_13_a_route_tells_the_order_that_the_nameserver_was_given() {
    let mut world = World::one_topic(4);
    let mut names = world.connect(ListenerId::Nameserver);
    let mut order = |world: &mut World| {
        let (_, body) = route_of(world, &mut names, TOPIC);
        RouteBody::parse(&body).unwrap().order_conf
    };
    assert_eq!(order(&mut world), None);
    world.session.with(|cluster| cluster.set_order(TOPIC, Some("broker-a:4")));
    assert_eq!(order(&mut world).as_deref(), Some("broker-a:4"));
    world.session.with(|cluster| cluster.set_order(TOPIC, None));
    assert_eq!(order(&mut world), None);
}
