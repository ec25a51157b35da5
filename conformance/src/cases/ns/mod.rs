//! Routes, and what a nameserver or a broker says to what it does not know.

pub(super) mod perms;
pub(super) mod several;

use bytes::Bytes;
use rocketry::proto::body::RouteBody;
use rocketry::proto::error::QueryError;
use rocketry::proto::frame::request::RouteRequest;
use rocketry::proto::frame::{Request, ResponseCode};
use rocketry::proto::query::Target;
use rocketry::{ErrorKind, Message, SendError, Topic};

use crate::cases::common::refused_at_once;
use crate::cases::place::Place;
use crate::rig::eventually;

fn topic(name: &str) -> Topic {
    Topic::new(name).expect("a topic")
}

pub(crate) fn the_queues_are_those_that_the_cluster_made(place: &Place) {
    let name = place.topic(6);
    let rig = place.rig();
    let queues = rig.client.queues(&topic(&name)).wait().expect("a route");
    let numbers: Vec<u32> = queues.iter().map(|queue| queue.queue).collect();
    assert_eq!(numbers, (0..6).collect::<Vec<_>>());
    assert_eq!(place.queues_of(&name), Some(6));
    let snapshot = rig.client.stats();
    let broker = &snapshot.brokers[0];
    assert_eq!(*broker.name, *queues[0].broker);
    assert_eq!(broker.master.as_ref().map(|master| master.as_str()), Some(&*place.broker()));
    rig.client.shutdown().wait().expect("an end");
}

pub(crate) fn a_topic_that_nobody_creates_fails_at_once_and_says_who_does_not_know_it(
    place: &Place,
) {
    let name = place.name();
    let error = refused_at_once(place, &place.namesrv(), &name);
    assert!(matches!(&error, SendError::NoTopic { topic, .. } if topic.as_str() == name));
    assert_eq!(error.kind(), ErrorKind::NoTopic, "{error}");
    assert_eq!(error.code(), Some(ResponseCode::TOPIC_NOT_EXIST), "{error}");
    assert!(error.opaque().is_some() && !error.is_retriable(), "{error}");
    for part in [&*name, &place.namesrv(), "autoCreateTopicEnable"] {
        assert!(error.to_string().contains(part), "{error}");
    }
    let asked = place.rig().client.queues(&topic(&name)).wait();
    assert!(matches!(asked, Err(QueryError::NoRoute { .. })), "{asked:?}");
}

pub(crate) fn a_brokers_port_as_nameserver_fails_at_once_with_a_hint(place: &Place) {
    let error = refused_at_once(place, &place.broker(), &place.name());
    let text = error.to_string();
    assert!(matches!(error, SendError::NoRoute { .. }), "{error:?}");
    assert!(text.contains("looks like a broker's port") && text.contains("9876"), "{text}");
}

pub(crate) fn an_unknown_topic_is_created_with_four_queues(place: &Place) {
    let name = place.name();
    let rig = place.rig();
    let producer = rig.client.producer("routes").expect("a producer");
    for _ in 0..16 {
        let receipt = producer.send(Message::new(topic(&name), "x")).wait().expect("stored");
        assert!(receipt.queue < 4, "{receipt:?}");
    }
    let made = eventually(std::time::Duration::from_secs(10), || place.queues_of(&name) == Some(4));
    assert!(made, "{:?}", place.queues_of(&name));
    rig.client.shutdown().wait().expect("an end");
}

/// Nameservers before 4.9.4 write the broker's id without quotes, as fastjson does.
pub(crate) fn a_route_is_read_in_the_dialect_of_its_version(place: &Place) {
    let name = place.topic(3);
    let rig = place.rig();
    let asked = topic(&name).as_str().into();
    let request = Request::Route(RouteRequest { topic: asked, ..RouteRequest::default() });
    let call = rig.client.admin().call(Target::NameServer, request, Bytes::new());
    let response = call.wait().expect("an answer").checked().expect("a route");
    let text = String::from_utf8_lossy(&response.body).into_owned();
    let bare = place.version() < "4.9.4";
    assert_eq!(text.contains("{0:"), bare, "{text}");
    assert_eq!(text.contains("{\"0\":"), !bare, "{text}");
    let route = RouteBody::parse(&response.body).expect("a route that can be read");
    assert_eq!((route.queues[0].read_queues, route.queues[0].write_queues), (3, 3));
    assert_eq!(route.brokers[0].addresses.get(&0), Some(&place.broker()));
    rig.client.shutdown().wait().expect("an end");
}
