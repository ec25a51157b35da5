//! Routes of a real nameserver.

use bytes::Bytes;
use rocketry::proto::body::RouteBody;
use rocketry::proto::frame::request::RouteRequest;
use rocketry::proto::frame::{Request, ResponseCode};
use rocketry::proto::query::Target;
use rocketry::{ErrorKind, Message, Topic};
use rocketry_conformance::live::{self, Cluster, Options};

use crate::refusals::refused_at_once;
use crate::rig::{On, Rig};
use crate::{live_on_both, new_name, new_topic, shared, version};

live_on_both!(
    ns_01_the_queues_are_those_that_the_cluster_made,
    ns_03_an_unknown_topic_is_created_with_four_queues,
    ns_05_a_route_is_read_in_the_dialect_of_its_version,
);

fn topic(name: &str) -> Topic {
    Topic::new(name).expect("a topic")
}

fn ns_01_the_queues_are_those_that_the_cluster_made(on: On) {
    let name = new_topic(6);
    let rig = Rig::start(on, &shared().0);
    let queues = rig.client.queues(&topic(&name)).wait().expect("a route");
    let numbers: Vec<u32> = queues.iter().map(|queue| queue.queue).collect();
    assert_eq!(numbers, (0..6).collect::<Vec<_>>());
    let admin = live::route_queues(&shared().0, &name).expect("a route");
    assert_eq!(admin, Some(6));
    let snapshot = rig.client.stats();
    let broker = &snapshot.brokers[0];
    assert_eq!(*broker.name, *queues[0].broker);
    assert_eq!(broker.master.as_ref().map(|master| master.as_str()), Some(&*shared().1));
    rig.client.shutdown().wait().expect("an end");
}

#[test]
#[ignore = "needs a live broker"]
fn ns_02_ns_04_a_topic_that_nobody_creates_fails_at_once_and_says_who_does_not_know_it() {
    let mut options = Options::new(version());
    options.conf.push("autoCreateTopicEnable=false".to_owned());
    let cluster = Cluster::start_with(options).expect("a cluster");
    for on in [On::Tokio, On::Threads] {
        let name = new_name();
        let error = refused_at_once(on, &cluster.namesrv(), &name);
        assert_eq!(error.kind(), ErrorKind::NoTopic, "{error}");
        assert_eq!(error.code(), Some(ResponseCode::TOPIC_NOT_EXIST), "{error}");
        assert!(error.opaque().is_some());
        for part in [&*name, &cluster.namesrv(), "autoCreateTopicEnable"] {
            assert!(error.to_string().contains(part), "{error}");
        }
    }
}

fn ns_03_an_unknown_topic_is_created_with_four_queues(on: On) {
    let (namesrv, name) = (shared().0, new_name());
    let rig = Rig::start(on, &namesrv);
    let producer = rig.client.producer("routes").expect("a producer");
    for _ in 0..16 {
        let receipt = producer.send(Message::new(topic(&name), "x")).wait().expect("stored");
        assert!(receipt.queue < 4, "{receipt:?}");
    }
    let made = crate::rig::eventually(std::time::Duration::from_secs(10), || {
        live::route_queues(&namesrv, &name).expect("an answer") == Some(4)
    });
    assert!(made, "{:?}", live::route_queues(&namesrv, &name));
    rig.client.shutdown().wait().expect("an end");
}

/// Nameservers before 4.9.4 write the broker's id without quotes, as fastjson does.
fn ns_05_a_route_is_read_in_the_dialect_of_its_version(on: On) {
    let name = new_topic(3);
    let rig = Rig::start(on, &shared().0);
    let asked = topic(&name).as_str().into();
    let request = Request::Route(RouteRequest { topic: asked, ..RouteRequest::default() });
    let call = rig.client.admin().call(Target::NameServer, request, Bytes::new());
    let response = call.wait().expect("an answer").checked().expect("a route");
    let text = String::from_utf8_lossy(&response.body).into_owned();
    let bare = version().starts_with("4.8");
    assert_eq!(text.contains("{0:"), bare, "{text}");
    assert_eq!(text.contains("{\"0\":"), !bare, "{text}");
    let route = RouteBody::parse(&response.body).expect("a route that can be read");
    assert_eq!((route.queues[0].read_queues, route.queues[0].write_queues), (3, 3));
    assert_eq!(route.brokers[0].addresses.get(&0), Some(&shared().1));
    rig.client.shutdown().wait().expect("an end");
}
