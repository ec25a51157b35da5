//! What may become of a request on its way: lost before or after it was done, late, answered
//! twice, answered at the end of its connection.

use std::iter::repeat_n;
use std::time::Duration;

use bytes::Bytes;
use rocketry_conformance::broker::{ClusterConfig, Fault, ListenerId, Requests};
use rocketry_core::frame::request::PlainRequest;
use rocketry_core::frame::{Kind, Request, RequestCode, ResponseCode};

use crate::world::*;

fn world_with(faults: impl IntoIterator<Item = Fault>) -> World {
    let mut world = World::one_topic(1);
    world.session.with(|cluster| cluster.push_faults(Requests::Sends, faults));
    world
}

/// Sends one message; how many answers come at once.
fn send(world: &mut World, client: &mut Client) -> usize {
    let request = Request::Send(message(TOPIC, 0));
    world.send_as(client, Kind::Send, request, Bytes::from_static(b"x"), false);
    world.received(client).len()
}

fn stored(world: &World) -> u64 {
    world.session.cluster().stored(TOPIC)
}

#[test]
fn send_13_every_status_is_to_be_had_and_says_whether_the_message_is_stored() {
    let codes = [10, 11, 12, 2, 14, 1, 2016].map(ResponseCode);
    let mut world = world_with(codes.map(Fault::Refuse));
    let mut client = world.connect(BROKER);
    let told = codes.map(|_| world.publish(&mut client, message(TOPIC, 0), "x"));
    assert_eq!(told.each_ref().map(|(code, _)| *code), codes);
    let kept = told.map(|(_, sent)| sent.is_some());
    assert_eq!(kept, [true, true, true, false, false, false, false]);
    assert_eq!((stored(&world), world.session.cluster().faults_left()), (3, 0));
}

#[test]
fn send_14_a_busy_broker_says_so_in_javas_words_for_as_many_sends_as_wanted() {
    let mut world = world_with(repeat_n(Fault::Refuse(ResponseCode::SYSTEM_BUSY), 3));
    let mut client = world.connect(BROKER);
    for _ in 0..3 {
        let request = Request::Send(message(TOPIC, 0));
        let (reply, _) = world.ask(&mut client, Kind::Send, request, "x");
        assert_eq!(reply.code, ResponseCode::SYSTEM_BUSY);
        let words = "[REJECTREQUEST]system busy, start flow control for a while";
        assert_eq!(reply.remark.as_deref(), Some(words));
    }
    assert_eq!((send(&mut world, &mut client), stored(&world)), (1, 1));
}

#[test]
fn an_answer_may_be_missing_with_the_message_stored_or_not() {
    let mut world = world_with([Fault::Lose, Fault::Mute]);
    let mut client = world.connect(BROKER);
    assert_eq!((send(&mut world, &mut client), stored(&world)), (0, 0));
    assert_eq!((send(&mut world, &mut client), stored(&world)), (0, 1));
    world.pass(Duration::from_secs(60));
    assert!(world.received(&mut client).is_empty());
    assert!(world.session.is_open(client.conn));
    assert_eq!((send(&mut world, &mut client), stored(&world)), (1, 2));
}

#[test]
fn an_answer_may_be_late_and_overtaken() {
    let second = Duration::from_secs(1);
    let mut world = world_with([Fault::Late(second)]);
    let mut client = world.connect(BROKER);
    assert_eq!((send(&mut world, &mut client), stored(&world)), (0, 1));
    assert_eq!(send(&mut world, &mut client), 1, "the second one's");
    world.pass(second);
    assert_eq!(world.received(&mut client).len(), 1);
}

#[test]
fn an_answer_may_come_twice() {
    let apart = Duration::from_millis(5);
    let mut world = world_with([Fault::Twice(Duration::ZERO), Fault::Twice(apart)]);
    let mut client = world.connect(BROKER);
    let opaque = {
        let request = Request::Send(message(TOPIC, 0));
        world.send_as(&client, Kind::Send, request, Bytes::from_static(b"x"), false)
    };
    let both: Vec<_> = world.received(&mut client).iter().map(|frame| frame.opaque).collect();
    assert_eq!(both, [opaque, opaque]);
    assert_eq!(send(&mut world, &mut client), 1);
    world.pass(apart);
    assert_eq!(world.received(&mut client).len(), 1);
    assert_eq!(stored(&world), 2);
}

#[test]
fn a_connection_may_close_before_the_request_before_its_answer_or_after_it() {
    for (fault, kept, answers) in
        [(Fault::LoseAndClose, 0, 0), (Fault::Close, 1, 0), (Fault::AnswerAndClose, 1, 1)]
    {
        let mut world = world_with([fault]);
        let mut client = world.connect(BROKER);
        world.beat(&mut client, "leaves", "*", 1);
        world.received(&mut client);
        let got = send(&mut world, &mut client);
        assert_eq!((got, stored(&world)), (answers, kept), "{fault:?}");
        assert!(!world.session.is_open(client.conn), "{fault:?}");
        assert!(world.session.cluster().consumers(0, GROUP).is_empty(), "its client left");
        let mut again = world.connect(BROKER);
        assert_eq!(send(&mut world, &mut again), 1);
    }
}

#[test]
fn faults_are_for_whom_they_were_pushed() {
    let mut world = World::new(ClusterConfig::default().brokers(2).topic(TOPIC, 1));
    let other = ListenerId::Broker(1);
    world.session.with(|cluster| {
        cluster.push_faults_at(other, Requests::Any, [Fault::Lose]);
        cluster.push_faults_at(ListenerId::Nameserver, RequestCode(206), [Fault::Lose]);
    });
    let mut first = world.connect(BROKER);
    let mut second = world.connect(other);
    assert_eq!(send(&mut world, &mut first), 1);
    assert_eq!((send(&mut world, &mut second), send(&mut world, &mut second)), (0, 1));
    let sends = |at| world.session.cluster().requests_at(at, RequestCode::SEND_MESSAGE_V2);
    assert_eq!((sends(BROKER), sends(other)), (1, 2), "counted where they came in");
    assert_eq!(world.session.cluster().faults_left(), 1);
    world.session.with(|cluster| cluster.clear_faults());
    let mut names = world.connect(ListenerId::Nameserver);
    let list = Request::TopicList(PlainRequest::default());
    let (reply, _) = world.ask(&mut names, Kind::Plain, list, "");
    assert_eq!(reply.code, ResponseCode::SUCCESS);
}

#[test]
fn send_03_oneway_sends_are_stored_whatever_would_become_of_their_answer() {
    let mut world = world_with([Fault::Twice(Duration::ZERO), Fault::Close]);
    let mut client = world.connect(BROKER);
    for open in [true, false] {
        let request = Request::Send(message(TOPIC, 0));
        world.send_as(&client, Kind::Send, request, Bytes::from_static(b"x"), true);
        assert!(world.received(&mut client).is_empty());
        assert_eq!(world.session.is_open(client.conn), open);
    }
    assert_eq!(stored(&world), 2);
}
