//! What a user is told when a real broker will not serve a consumer, or serves it messages that it
//! did not ask for.

use std::sync::{Mutex, Once, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use log::kv::{self, Key, Value, VisitSource};
use log::{Level, LevelFilter, Log, Metadata, Record};
use rocketry::proto::body::{GroupConfig, TopicConfig};
use rocketry::proto::error::PeerKind;
use rocketry::proto::frame::Request;
use rocketry::proto::frame::request::PlainRequest;
use rocketry::proto::name::Endpoint;
use rocketry::proto::query::Target;
use rocketry::{Consumer, Message, Start, Topic};

use crate::rig::{On, Rig, eventually};
use crate::{live_on_both, new_name, new_topic, shared};

live_on_both!(
    push_18_a_group_that_may_not_consume_is_told_of_at_once_and_not_often,
    push_18_a_topic_that_may_not_be_read_is_told_of_at_once_and_not_often,
    members_with_other_tags_are_told_of_and_lose_nothing_of_their_own,
);

/// A record, of a warning or a fact, and whose it is.
struct Line {
    client: String,
    text: String,
    at: Instant,
}

/// Keeps what every client of this process tells.
struct Lines(Mutex<Vec<Line>>);

static LINES: Lines = Lines(Mutex::new(Vec::new()));

struct Whose(String);

impl<'kvs> VisitSource<'kvs> for Whose {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        if key.as_str() == "client" {
            self.0 = value.to_string();
        }
        Ok(())
    }
}

impl Log for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "rocketry" && metadata.level() <= Level::Info
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let mut whose = Whose(String::new());
        record.key_values().visit(&mut whose).expect("facts that can be read");
        let (text, at) = (record.args().to_string(), Instant::now());
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push(Line { client: whose.0, text, at });
    }

    fn flush(&self) {}
}

fn listen() {
    static LISTENS: Once = Once::new();
    LISTENS.call_once(|| {
        log::set_logger(&LINES).expect("the first logger");
        log::set_max_level(LevelFilter::Info);
    });
}

/// What a client tells that has a text in it, and when.
fn lines(rig: &Rig, part: &str) -> Vec<(Instant, String)> {
    let kept = LINES.0.lock().unwrap_or_else(PoisonError::into_inner);
    let id = rig.client.id();
    let of_client = kept.iter().filter(|one| *one.client == *id && one.text.contains(part));
    of_client.map(|one| (one.at, one.text.clone())).collect()
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
fn told(on: On, rig: &Rig, consumer: &mut Consumer, part: &str, most: usize) {
    let begun = Instant::now();
    let heard = eventually(Duration::from_secs(10), || !lines(rig, part).is_empty());
    assert!(heard, "{on:?}: nobody says: {part}");
    let (first, text) = lines(rig, part).swap_remove(0);
    println!("{on:?}: after {:?}: {text}", first.saturating_duration_since(begun));
    assert!(first.saturating_duration_since(begun) < Duration::from_secs(3), "{on:?}: {text}");
    assert!(consumer.recv_timeout(Duration::from_secs(5)).is_err(), "{on:?}: something came");
    let all = lines(rig, part);
    assert!(all.len() <= most, "{on:?}: {} lines in 5 s: {all:?}", all.len());
}

fn push_18_a_group_that_may_not_consume_is_told_of_at_once_and_not_often(on: On) {
    listen();
    let ((namesrv, broker), name, group) = (shared(), new_topic(2), new_name());
    let rig = Rig::start(on, &namesrv);
    send(&rig, &name, "a", 4);
    let config =
        GroupConfig { group_name: group.clone(), consume_enable: false, ..Default::default() };
    let target = Target::Peer(PeerKind::Broker, Endpoint::parse(&broker).expect("an address"));
    let request = Request::CreateGroup(PlainRequest::default());
    let body = Bytes::from(config.to_json());
    rig.client.admin().call(target, request, body).wait().expect("set").checked().expect("set");
    let mut consumer = consume(&rig, &group, &name, "*");
    told(on, &rig, &mut consumer, "subscription group no permission", 1);
    rig.client.shutdown().wait().expect("an end");
}

fn push_18_a_topic_that_may_not_be_read_is_told_of_at_once_and_not_often(on: On) {
    listen();
    let (namesrv, group) = (shared().0, new_name());
    let rig = Rig::start(on, &namesrv);
    let name = new_topic(2);
    send(&rig, &name, "a", 4);
    let spec = TopicConfig { perm: 2, ..TopicConfig::new(&name, 2) };
    rig.client.admin().create_topic("DefaultCluster", &spec).wait().expect("changed");
    let perm = || rig.client.admin().route(&topic(&name)).wait().map(|route| route.queues[0].perm);
    assert!(eventually(Duration::from_secs(10), || perm().is_ok_and(|perm| perm == 2)));
    let mut consumer = consume(&rig, &group, &name, "*");
    told(on, &rig, &mut consumer, "and 0 to read", 1);
    rig.client.shutdown().wait().expect("an end");
}

fn members_with_other_tags_are_told_of_and_lose_nothing_of_their_own(on: On) {
    listen();
    let ((namesrv, _), name, group) = (shared(), new_topic(8), new_name());
    let rigs = [(); 2].map(|()| Rig::start(on, &namesrv));
    let mut consumers = ["a", "b"].map(|tag| {
        let rig = if tag == "a" { &rigs[0] } else { &rigs[1] };
        let consumer = consume(rig, &group, &name, tag);
        thread::sleep(Duration::from_millis(500));
        consumer
    });
    let sender = Rig::start(on, &namesrv);
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
    println!("{on:?}: {seen:?} came; {:?}", all.first());
    assert!(heard, "{on:?}: nobody is told; {seen:?} came");
    // One a minute from each of the two.
    assert!(all.len() <= 2 && all.iter().all(|(_, text)| text.contains(&group)), "{all:?}");
    for rig in &rigs {
        rig.client.shutdown().wait().expect("an end");
    }
}
