//! The nameserver, and requests that reached the wrong peer.

use std::sync::Arc;

use bytes::Bytes;
use rocketry_conformance::broker::{ClusterConfig, ListenerId, RouteKeys};
use rocketry_core::body::RouteBody;
use rocketry_core::frame::request::RouteRequest;
use rocketry_core::frame::{Kind, Request, RequestCode, ResponseCode};

use crate::world::*;

pub(crate) fn route_of(
    world: &mut World,
    client: &mut Client,
    topic: &str,
) -> (ResponseCode, Bytes) {
    let request = Request::Route(RouteRequest { topic: Arc::from(topic), ..Default::default() });
    let (reply, body) = world.ask(client, Kind::Route, request, "");
    (reply.code, body)
}

#[test]
fn routes_come_with_both_styles_of_keys() {
    for (keys, expected) in [
        (RouteKeys::Quoted, r#""brokerAddrs":{"0":"127.0.0.1:10911"}"#),
        (RouteKeys::Bare, r#""brokerAddrs":{0:"127.0.0.1:10911"}"#),
        (RouteKeys::ByVersion, r#""brokerAddrs":{"0":"127.0.0.1:10911"}"#),
    ] {
        let config = ClusterConfig { route_keys: keys, ..ClusterConfig::default().brokers(2) };
        let mut world = World::new(config.topic(TOPIC, 3));
        let mut client = world.connect(ListenerId::Nameserver);
        let (code, body) = route_of(&mut world, &mut client, TOPIC);
        assert_eq!(code, ResponseCode::SUCCESS);
        let text = String::from_utf8(body.to_vec()).unwrap();
        assert!(text.contains(expected), "{text}");
        let route = RouteBody::parse(&body).unwrap();
        let queues: Vec<_> =
            route.queues.iter().map(|q| (&*q.broker_name, q.read_queues)).collect();
        assert_eq!(queues, [("broker-a", 3), ("broker-b", 3)]);
        assert_eq!(route.brokers[1].addresses[&0], "127.0.0.1:10921");
    }
}

#[test]
fn a_nameserver_before_4_9_4_knows_no_standard_json() {
    for (version, bare) in [(373, true), (401, false)] {
        let config = ClusterConfig { version, ..ClusterConfig::default() };
        let mut world = World::new(config.topic(TOPIC, 1));
        let mut client = world.connect(ListenerId::Nameserver);
        let topic = Arc::from(TOPIC);
        let accept_standard_json = Some(true);
        let ask = RouteRequest { topic, accept_standard_json, ..Default::default() };
        let (_, body) = world.ask(&mut client, Kind::Route, Request::Route(ask), "");
        let found = body.windows(15).any(|bytes| bytes == br#""brokerAddrs":{"#);
        assert!(found, "{body:?}");
        assert_eq!(body.windows(4).any(|bytes| bytes == br#"{0:""#), bare, "{version}");
    }
}

#[test]
fn unknown_topics_have_no_route_and_the_template_has_one_when_topics_are_made() {
    for auto_create_topics in [true, false] {
        let mut world =
            World::new(ClusterConfig { auto_create_topics, ..ClusterConfig::default() });
        let mut client = world.connect(ListenerId::Nameserver);
        assert_eq!(route_of(&mut world, &mut client, "x").0, ResponseCode::TOPIC_NOT_EXIST);
        let (code, body) = route_of(&mut world, &mut client, "TBW102");
        if auto_create_topics {
            assert_eq!(RouteBody::parse(&body).unwrap().queues[0].write_queues, 8);
        } else {
            assert_eq!(code, ResponseCode::TOPIC_NOT_EXIST);
        }
    }
}

#[test]
fn requests_nobody_knows_are_refused_by_number() {
    let mut world = World::one_topic(1);
    for (listener, request) in [
        (BROKER, Request::Route(RouteRequest { topic: Arc::from(TOPIC), ..Default::default() })),
        (BROKER, Request::Unknown { code: RequestCode(9999), fields: Vec::new() }),
        (ListenerId::Nameserver, query_offset(0)),
    ] {
        let code = request.code();
        let mut client = world.connect(listener);
        let (reply, _) = world.ask(&mut client, Kind::Plain, request, "");
        assert_eq!(reply.code, ResponseCode::REQUEST_CODE_NOT_SUPPORTED);
        let remark = format!(" request type {} not supported", code.0);
        assert_eq!(reply.remark.as_deref(), Some(&*remark));
    }
}
