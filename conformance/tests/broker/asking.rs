//! Servers that are about to go, and servers that ask their clients something.

use bytes::Bytes;
use rocketry_conformance::broker::{ClusterConfig, Fault, ListenerId, Requests};
use rocketry_core::frame::{Content, Kind, OutFrame, Request, RequestCode, ResponseCode};

use crate::world::*;

#[test]
fn conn_09_the_next_request_may_be_told_to_go_away() {
    let mut world = World::one_topic(1);
    let mut client = world.connect(BROKER);
    let go_away = [Fault::Refuse(ResponseCode::GO_AWAY)];
    world.session.with(|cluster| cluster.push_faults_at(BROKER, Requests::Any, go_away));
    let (reply, _) = world.ask(&mut client, Kind::Send, Request::Send(message(TOPIC, 0)), "x");
    assert_eq!((reply.code, reply.remark.as_deref()), (ResponseCode(1500), Some("please go away")));
    assert_eq!(world.session.cluster().stored(TOPIC), 0);
    assert!(world.session.is_open(client.conn), "it is the client that goes");
    assert_eq!(world.publish(&mut client, message(TOPIC, 0), "x").0, ResponseCode::SUCCESS);
}

#[test]
fn a_server_that_leaves_says_so_to_every_request_until_it_leaves_no_more() {
    let mut world = World::new(ClusterConfig::default().brokers(2).topic(TOPIC, 1));
    let mut client = world.connect(BROKER);
    let mut other = world.connect(ListenerId::Broker(1));
    world.session.with(|cluster| cluster.set_leaving(BROKER, true));
    for _ in 0..2 {
        let pulled = world.pull(&mut client, waiting(pull_from(0)));
        assert_eq!(pulled.code, ResponseCode::GO_AWAY);
    }
    assert_eq!(world.publish(&mut other, message(TOPIC, 0), "x").0, ResponseCode::SUCCESS);
    world.session.with(|cluster| cluster.set_leaving(BROKER, false));
    assert_eq!(world.publish(&mut client, message(TOPIC, 0), "x").0, ResponseCode::SUCCESS);
}

#[test]
fn conn_12_a_client_may_be_asked_what_it_does_not_know_and_its_answer_is_kept() {
    let mut world = World::one_topic(1);
    let mut client = world.connect(BROKER);
    let mut other = world.connect(ListenerId::Nameserver);
    let asked = world.session.with(|cluster| cluster.ask_clients(0, RequestCode(9999)));
    let frames = world.received(&mut client);
    assert_eq!((asked.len(), frames.len(), frames[0].opaque), (1, 1, asked[0]));
    let Content::Request { code, oneway: false, .. } = &frames[0].content else {
        panic!("{:?} is no request to be answered", frames[0].content);
    };
    assert_eq!(*code, RequestCode(9999));
    assert!(world.received(&mut other).is_empty());

    let words = " request type 9999 not supported";
    let unknown = ResponseCode::REQUEST_CODE_NOT_SUPPORTED;
    world.send_frame(&client, &OutFrame::refusal(asked[0], unknown, words));
    let answers = world.session.with(|cluster| cluster.take_answers());
    assert_eq!((answers.len(), answers[0].opaque, answers[0].conn), (1, asked[0], client.conn));
    assert_eq!((answers[0].code, answers[0].remark.as_deref()), (unknown, Some(words)));
    assert!(world.session.with(|cluster| cluster.take_answers()).is_empty());
    assert_eq!(world.publish(&mut client, message(TOPIC, 0), "x").0, ResponseCode::SUCCESS);
}

#[test]
fn a_client_may_be_asked_oneway_with_a_body() {
    let mut world = World::one_topic(1);
    let mut client = world.connect(BROKER);
    let conn = client.conn;
    let request = Request::Unknown { code: RequestCode(7777), fields: Vec::new() };
    world.session.with(|c| c.ask_client(conn, request, Bytes::from_static(b"body"), true));
    let frames = world.received(&mut client);
    assert!(matches!(frames[0].content, Content::Request { oneway: true, .. }));
    assert_eq!(&frames[0].body[..], b"body");
}
