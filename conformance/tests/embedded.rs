//! The embedded broker as tests of other people's services use it.
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

use std::time::{Duration, Instant};

use rocketry::{Client, Compression, Config, Message, Start, Topic};
use rocketry_conformance::embedded::{
    ClusterConfig, EmbeddedCluster, Fault, RequestCode, Requests, ResponseCode,
};

const TOPIC: &str = "orders";

fn topic() -> Topic {
    Topic::new(TOPIC).unwrap()
}

fn pair() -> (EmbeddedCluster, Client) {
    let config = ClusterConfig::default().brokers(2).topic(TOPIC, 2);
    let cluster = EmbeddedCluster::start_with(config).unwrap();
    let client = rocketry::blocking::connect(cluster.namesrv()).unwrap();
    (cluster, client)
}

/// How many brokers the route names.
fn routed(client: &Client) -> usize {
    client.admin().route(&topic()).wait().unwrap().brokers.len()
}

#[test]
fn a_broker_that_stops_leaves_the_routes_and_one_that_is_killed_stays_in_them() {
    let (cluster, client) = pair();
    assert_eq!(routed(&client), 2);
    cluster.broker(0).stop();
    cluster.broker(0).stop();
    assert_eq!(routed(&client), 1);
    cluster.broker(0).restart().unwrap();
    assert_eq!(routed(&client), 2);
    cluster.broker(0).kill();
    assert_eq!(routed(&client), 2);
    // Either way the messages go to the other one, and none is lost.
    let producer = client.producer("shop").unwrap();
    for order in 0..20 {
        let receipt = producer.send(Message::new(topic(), order.to_string())).wait().unwrap();
        assert_eq!(&*receipt.broker, "broker-b");
    }
    assert!(cluster.stored(TOPIC).iter().all(|message| message.broker == 1));
    assert_eq!(cluster.stored(TOPIC).len(), 20);
    cluster.broker(0).restart().unwrap();
    assert!(cluster.broker(2).restart().is_err(), "there are two");
    client.shutdown().wait().expect("an end");
}

#[test]
fn answers_are_slow_until_it_is_healed() {
    let (cluster, client) = pair();
    let producer = client.producer("shop").unwrap();
    let took = || {
        let began = Instant::now();
        producer.send(Message::new(topic(), "1")).wait().unwrap();
        began.elapsed()
    };
    took();
    let by = Duration::from_millis(300);
    cluster.slow_down(Requests::Sends, by);
    assert!(took() >= by);
    cluster.slow_down(RequestCode::PULL_MESSAGE, by * 3);
    assert!(took() >= by && took() < by * 3, "pulls are no sends");
    cluster.slow_down(Requests::Any, by * 2);
    assert!(took() >= by * 2, "the longest counts");
    cluster.slow_down(Requests::Any, Duration::ZERO);
    assert!(took() >= by);
    cluster.heal();
    assert!(took() < by);
    client.shutdown().wait().expect("an end");
}

#[test]
fn requests_are_refused_and_lost_wherever_they_go_or_at_one_broker() {
    let (cluster, client) = pair();
    let producer = client.producer("shop").unwrap();
    let send = || producer.send(Message::new(topic(), "1")).wait();
    cluster.refuse(Requests::Sends, ResponseCode::MESSAGE_ILLEGAL, 1);
    let refused = send().unwrap_err();
    assert_eq!(refused.code(), Some(ResponseCode::MESSAGE_ILLEGAL), "{refused}");
    assert!(cluster.stored(TOPIC).is_empty());
    // One broker refuses all that comes: everything is at the other.
    cluster.broker(0).refuse(Requests::Sends, ResponseCode::SYSTEM_BUSY, 1000);
    for _ in 0..10 {
        send().unwrap();
    }
    assert!(cluster.stored(TOPIC).iter().all(|message| message.broker == 1));
    cluster.heal();
    // It is done, and the connection ends before the answer: the other try is a duplicate.
    let before = cluster.stored(TOPIC).len();
    cluster.befall(Requests::Sends, [Fault::Close]);
    send().unwrap();
    assert_eq!(cluster.stored(TOPIC).len(), before + 2);
    cluster.broker(1).disconnect();
    send().unwrap();
    assert!(cluster.requests(RequestCode::SEND_MESSAGE_V2) > 14);
    client.shutdown().wait().expect("an end");
}

#[test]
fn comp_03_comp_04_what_each_codec_sends_is_stored_and_consumed_as_it_was_given() {
    let (cluster, client) = pair();
    client.shutdown().wait().expect("an end");
    let body = "three apples and four pears; ".repeat(1000);
    for (codec, name) in [
        (Some(Compression::Zlib), "zlib"),
        (Some(Compression::Lz4), "lz4"),
        (Some(Compression::Zstd), "zstd"),
        (None, "off"),
    ] {
        let mut config = Config::new(cluster.namesrv()).unwrap();
        config.compression = codec;
        let client = rocketry::blocking::connect(config).unwrap();
        let topic = Topic::new(name).unwrap();
        let order = Message::new(topic.clone(), body.clone()).tag("eu").key("7").key("8");
        client.producer("shop").unwrap().send(order).wait().unwrap();

        let [stored] = &cluster.stored(name)[..] else { panic!("one message") };
        assert_eq!((&stored.body[..], stored.compressed), (body.as_bytes(), None));
        assert_eq!((stored.offset, stored.tag.as_deref()), (0, Some("eu")));
        assert_eq!(stored.keys, ["7", "8"]);
        assert_eq!(stored.property("TAGS"), Some("eu"));
        let (at, queue) = (stored.broker, stored.queue as i32);
        let kept = cluster.with(|cluster| cluster.messages(at, name, queue));
        let kept = kept.record(0).unwrap();
        assert_eq!(kept.compression(), codec, "as it was sent");
        assert_eq!(kept.raw_body().len() < body.len(), codec.is_some());

        assert_eq!(cluster.unsettled("billing", name), 1);
        let consumer = client.consumer("billing").unwrap().topic(&topic, "*");
        let mut consumer = consumer.start_at(Start::First).start().unwrap();
        let message = consumer.recv().unwrap().unwrap();
        assert_eq!(&message.body()[..], body.as_bytes());
        message.ack();
        client.shutdown().wait().expect("an end");
        assert_eq!(cluster.unsettled("billing", name), 0);
    }
    cluster.delete_topic("zlib");
    assert!(cluster.stored("zlib").is_empty());
}
