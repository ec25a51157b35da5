//! Sends that are refused, in Java's words, and those that only look as if they should be.

use std::sync::Arc;

use bytes::Bytes;
use rocketry_conformance::broker::{ClusterConfig, ListenerId};
use rocketry_core::frame::request::{CreateTopicRequest, SendRequest};
use rocketry_core::frame::{Kind, ReplyFields, Request, RequestCode, ResponseCode};

use crate::world::*;

fn refusal(world: &mut World, client: &mut Client, request: SendRequest) -> (i32, String) {
    let (reply, _) = world.ask(client, Kind::Send, Request::Send(request), "x");
    (reply.code.0, reply.remark.unwrap_or_default().into())
}

#[test]
fn send_07_a_queue_that_is_not_there_is_refused_with_the_topics_configuration() {
    let mut world = World::one_topic(2);
    let mut client = world.connect(BROKER);
    for queue in [2, 3, i32::MAX] {
        let (code, words) = refusal(&mut world, &mut client, message(TOPIC, queue));
        assert_eq!(code, 29);
        assert_eq!(
            words,
            format!(
                "request queueId[{queue}] is illegal, TopicConfig [topicName=topic_a, \
                 readQueueNums=2, writeQueueNums=2, perm=RW-, topicFilterType=SINGLE_TAG, \
                 topicSysFlag=0, order=false, attributes={{}}] Producer: 127.0.0.1:0"
            )
        );
    }
}

#[test]
fn a_topic_that_is_not_there_and_not_to_be_made_is_refused_with_17() {
    let mut world =
        World::new(ClusterConfig { auto_create_topics: false, ..ClusterConfig::default() });
    let mut client = world.connect(BROKER);
    let (code, words) = refusal(&mut world, &mut client, message("unknown", 0));
    assert_eq!(code, 17);
    assert!(words.starts_with("topic[unknown] not exist, apply first please!\nSee http"));
    let mut world = World::one_topic(1);
    let mut client = world.connect(BROKER);
    let template = SendRequest { default_topic: Arc::from(TOPIC), ..message("unknown", 0) };
    let (code, _) = refusal(&mut world, &mut client, template);
    assert_eq!(code, 17, "only a topic with the permission to inherit is a template");
}

#[test]
fn the_brokers_own_topics_and_ordered_ones_that_it_may_not_write_are_refused_with_16() {
    let mut world = World::one_topic(1);
    let mut client = world.connect(BROKER);
    let (code, words) = refusal(&mut world, &mut client, message("SELF_TEST_TOPIC", 0));
    assert_eq!(code, 16);
    assert_eq!(words, "Sending message to topic[SELF_TEST_TOPIC] is forbidden.");
    let ordered = CreateTopicRequest {
        topic: Arc::from("ordered"),
        default_topic: Arc::from("TBW102"),
        read_queues: 1,
        write_queues: 1,
        perm: 6,
        filter_type: Arc::from("SINGLE_TAG"),
        order: true,
        ..Default::default()
    };
    world.ask(&mut client, Kind::Plain, Request::CreateTopic(ordered), "");
    world.session.with(|cluster| cluster.set_broker_perm(0, 4));
    let (code, words) = refusal(&mut world, &mut client, message("ordered", 0));
    assert_eq!((code, &*words), (16, "the broker[127.0.0.1] sending message is forbidden"));
    assert_eq!(refusal(&mut world, &mut client, message(TOPIC, 0)).0, 0);
}

#[test]
fn send_19_properties_over_their_limit_are_refused_with_13() {
    let mut world = World::one_topic(1);
    let mut client = world.connect(BROKER);
    let with = |size: usize| {
        let properties = format!("UNIQ_KEY\u{1}{:032}\u{2}K\u{1}{}\u{2}", 0, "x".repeat(size));
        SendRequest { properties: Some(Arc::from(properties)), ..message(TOPIC, 0) }
    };
    assert_eq!(refusal(&mut world, &mut client, with(32_000)).0, 0);
    let (code, words) = refusal(&mut world, &mut client, with(32_767));
    assert_eq!(code, 13);
    assert!(words.ends_with("body length limit 4194304B, msg properties length limit 32KB."));
}

#[test]
fn names_of_topics_are_refused_in_javas_words() {
    let mut world = World::one_topic(1);
    let mut client = world.connect(BROKER);
    for (name, words) in [
        (" ", "The specified topic is blank."),
        (
            "a b",
            "The specified topic contains illegal characters, allowing only ^[%|a-zA-Z0-9_-]+$",
        ),
        (&"n".repeat(128), "The specified topic is longer than topic max length."),
    ] {
        let refused = refusal(&mut world, &mut client, message(name, 0));
        assert_eq!(refused, (29, words.to_owned()));
    }
    let retry = format!("%RETRY%{}", "g".repeat(200));
    assert_eq!(refusal(&mut world, &mut client, message(&retry, 0)).0, 0);
}

#[test]
fn a_refusal_says_of_the_broker_what_an_acceptance_says() {
    let mut world = World::one_topic(1);
    let mut client = world.connect(BROKER);
    let request = Request::Send(message(TOPIC, 9));
    let (reply, _) = world.ask(&mut client, Kind::Fields, request, "x");
    let pairs = |pairs: &[(&str, &str)]| -> Vec<(Box<str>, Box<str>)> {
        pairs.iter().map(|&(name, value)| (Box::from(name), Box::from(value))).collect()
    };
    let told = pairs(&[("MSG_REGION", "DefaultRegion"), ("TRACE_ON", "true")]);
    assert_eq!(reply.fields, Ok(ReplyFields::Pairs(told)));
}

#[test]
fn before_5_0_brokers_refuse_with_1_take_empty_bodies_and_give_no_ids() {
    for (version, words) in [
        (407, "perm=RW-, topicFilterType=SINGLE_TAG, topicSysFlag=0, order=false] Producer: "),
        (473, "order=false, attributes={}] Producer: "),
    ] {
        let config = ClusterConfig { version, ..ClusterConfig::default() };
        let mut world = World::new(config.topic(TOPIC, 1));
        let mut client = world.connect(BROKER);
        let (code, told) = refusal(&mut world, &mut client, message(TOPIC, 1));
        assert_eq!(code, 1, "29 came with 5.3.2");
        assert!(told.contains(words), "{told}");
        let old = version < 413;
        let empty = world.publish(&mut client, message(TOPIC, 0), "").0;
        assert_eq!(empty == ResponseCode::SUCCESS, old);
        let (_, sent) = world.publish(&mut client, message(TOPIC, 0), "x");
        assert_eq!(sent.unwrap().transaction_id.is_none(), old);
        let kept = world.session.cluster().messages(0, TOPIC, 0);
        let record = kept.record(kept.len() - 1).unwrap();
        assert_eq!(record.unique_id().is_none(), old);
        assert_eq!(record.property("TRACE_ON").is_none(), old);
        let mut names = world.connect(ListenerId::Nameserver);
        let unknown = Request::Unknown { code: RequestCode(9999), fields: Vec::new() };
        world.send_as(&names, Kind::Plain, unknown, Bytes::new(), false);
        assert_eq!(world.received(&mut names).is_empty(), old, "an old nameserver keeps silent");
    }
}
