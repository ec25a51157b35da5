//! What a user is told when a real broker will not serve a consumer, or serves it messages that it
//! did not ask for.

use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rocketry::proto::body::{GroupConfig, TopicConfig};
use rocketry::proto::error::PeerKind;
use rocketry::proto::frame::Request;
use rocketry::proto::frame::request::PlainRequest;
use rocketry::proto::name::Endpoint;
use rocketry::proto::query::Target;
use rocketry::{Consumer, Message, Start, Topic};

use crate::cases::common::cluster_of;
use crate::cases::place::{Place, note};
use crate::rig::{Rig, eventually, heard};

/// What a client tells that has a text in it, and when.
fn lines(rig: &Rig, part: &str) -> Vec<(Instant, String)> {
    heard::lines(&rig.client.id(), part)
}

fn topic(name: &str) -> Topic {
    Topic::new(name).expect("a topic")
}

fn consume(rig: &Rig, group: &str, topic: &str, tags: &str) -> Consumer {
    let builder = rig.client.consumer(group).expect("a group").topic(topic, tags);
    builder.start_at(Start::First).start().expect("a consumer")
}

fn send(rig: &Rig, name: &str, tag: &str, count: usize) {
    let producer = rig.client.producer("told").expect("a producer");
    for _ in 0..count {
        producer.send(Message::new(topic(name), tag.to_owned()).tag(tag)).wait().expect("stored");
    }
}

/// It is told soon that `part`, and then at most `most` times in five seconds; nothing comes.
fn told(place: &Place, rig: &Rig, consumer: &mut Consumer, part: &str, most: usize) {
    let (on, begun) = (place.on(), Instant::now());
    let heard = eventually(Duration::from_secs(10), || !lines(rig, part).is_empty());
    assert!(heard, "{on:?}: nobody says: {part}");
    let (first, text) = lines(rig, part).swap_remove(0);
    note!(place, "{on:?}: after {:?}: {text}", first.saturating_duration_since(begun));
    assert!(first.saturating_duration_since(begun) < Duration::from_secs(3), "{on:?}: {text}");
    assert!(consumer.recv_timeout(Duration::from_secs(5)).is_err(), "{on:?}: something came");
    let all = lines(rig, part);
    assert!(all.len() <= most, "{on:?}: {} lines in 5 s: {all:?}", all.len());
}

pub(crate) fn a_group_that_may_not_consume_is_told_of_at_once_and_not_often(place: &Place) {
    heard::listen(None);
    let (broker, name, group) = (place.broker(), place.topic(2), place.name());
    let rig = place.rig();
    send(&rig, &name, "a", 4);
    let config =
        GroupConfig { group_name: group.clone(), consume_enable: false, ..Default::default() };
    let target = Target::Peer(PeerKind::Broker, Endpoint::parse(&broker).expect("an address"));
    let request = Request::CreateGroup(PlainRequest::default());
    let body = Bytes::from(config.to_json());
    rig.client.admin().call(target, request, body).wait().expect("set").checked().expect("set");
    let mut consumer = consume(&rig, &group, &name, "*");
    told(place, &rig, &mut consumer, "subscription group no permission", 1);
    rig.client.shutdown().wait().expect("an end");
}

pub(crate) fn a_topic_that_may_not_be_read_is_told_of_at_once_and_not_often(place: &Place) {
    heard::listen(None);
    let group = place.name();
    let rig = place.rig();
    let name = place.topic(2);
    send(&rig, &name, "a", 4);
    let spec = TopicConfig { perm: 2, ..TopicConfig::new(&name, 2) };
    rig.client.admin().create_topic(&cluster_of(&rig, &name).0, &spec).wait().expect("changed");
    let perm = || rig.client.admin().route(&topic(&name)).wait().map(|route| route.queues[0].perm);
    assert!(eventually(Duration::from_secs(10), || perm().is_ok_and(|perm| perm == 2)));
    let mut consumer = consume(&rig, &group, &name, "*");
    told(place, &rig, &mut consumer, "and 0 to read", 1);
    rig.client.shutdown().wait().expect("an end");
}

pub(crate) fn members_with_other_tags_are_told_of_and_lose_nothing_of_their_own(place: &Place) {
    let on = place.on();
    heard::listen(None);
    let (name, group) = (place.topic(8), place.name());
    let rigs = [(); 2].map(|()| place.rig());
    let mut consumers = ["a", "b"].map(|tag| {
        let rig = if tag == "a" { &rigs[0] } else { &rigs[1] };
        let consumer = consume(rig, &group, &name, tag);
        thread::sleep(Duration::from_millis(500));
        consumer
    });
    let sender = place.rig();
    let mut seen = [0, 0];
    let heard = eventually(Duration::from_secs(15), || {
        send(&sender, &name, "a", 16);
        send(&sender, &name, "b", 16);
        for ((consumer, tag), seen) in consumers.iter_mut().zip(["a", "b"]).zip(&mut seen) {
            while let Ok(next) = consumer.recv_timeout(Duration::from_millis(50)) {
                let delivery = next.expect("a readable message");
                assert_eq!(delivery.body(), tag, "{on:?}: not what was asked for");
                *seen += 1;
                assert!(delivery.ack().is_taken(), "ours");
            }
        }
        rigs.iter().any(|rig| !lines(rig, "not ask for").is_empty())
    });
    let all: Vec<_> = rigs.iter().flat_map(|rig| lines(rig, "not ask for")).collect();
    note!(place, "{on:?}: {seen:?} came; {:?}", all.first());
    assert!(heard, "{on:?}: nobody is told; {seen:?} came");
    // One a minute from each of the two.
    assert!(all.len() <= 2 && all.iter().all(|(_, text)| text.contains(&group)), "{all:?}");
    for rig in &rigs {
        rig.client.shutdown().wait().expect("an end");
    }
}
