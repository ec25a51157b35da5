//! Namespaces: names wrapped once on their way out, and unwrapped on their way in.

use std::time::Duration;

use rocketry::{Config, Message, QueueName, Resolution, Start, TransactionState};

use crate::cases::common::named;
use crate::cases::peers::Peer;
use crate::cases::place::{Place, note};
use crate::cases::reading::{
    QUIET, SOON, acked, await_committed, consume, drained, next, number, queues, send_to,
};
use crate::rig::{Rig, eventually};

const SPACE: &str = "south";
/// Java's members look at their share each 20 s.
const REBALANCED: Duration = Duration::from_secs(60);

/// The name that brokers know.
fn wrapped(name: &str) -> String {
    format!("{SPACE}%{name}")
}

fn within(place: &Place) -> Config {
    let mut config = place.config();
    config.namespace = Some(SPACE.to_owned());
    config
}

/// A topic of the namespace with so many queues, by its own name.
fn topic(place: &Place, queues: u32) -> String {
    let name = place.name();
    place.create(&wrapped(&name), queues);
    name
}

/// Sends, consumers of both kinds, offsets, locks, questions and transactions have names without
/// their namespace, and a client without one finds all of it under the whole names.
pub(crate) fn names_are_wrapped_on_their_way_out_and_unwrapped_on_their_way_in(place: &Place) {
    let (topic, group) = (topic(place, 1), place.name());
    let (rig, plain) = (place.rig_with(within(place)), place.rig());
    let queue: QueueName = queues(&rig, &topic)[0].clone();
    assert_eq!((queue.topic.as_str(), &**queue.topic.wire()), (&*topic, &*wrapped(&topic)));
    send_to(&rig, &queue, 0..9);
    let orders = rig.client.transaction_producer(place.name(), |_| Resolution::Unknown);
    let half = orders.expect("a producer").begin(Message::new(named(&topic), "9")).wait();
    let ended = half.expect("a half message").commit().wait().expect("an end");
    assert_eq!(ended.state, TransactionState::Committed);
    let mut consumer = consume(&rig, &group, &topic, "*");
    for _ in 0..10 {
        let delivery = next(&mut consumer);
        assert_eq!((delivery.topic(), delivery.queue().topic.as_str()), (&*topic, &*topic));
        acked(delivery);
    }
    await_committed(&plain, &place.broker(), &wrapped(&group), &wrapped(&topic), 10);
    assert_eq!(rig.client.max_offset(&queue).wait(), Ok(10));
    let page = rig.client.stats().to_string();
    assert!(page.contains(&group) && !page.contains(SPACE), "{page}");
    drop(consumer);
    let builder = rig.client.consumer(place.name()).expect("a group").topic(&*topic, "*");
    let mut orderly = builder.start_at(Start::First).orderly().start().expect("a consumer");
    (0..10).for_each(|at| {
        let delivery = next(&mut orderly);
        assert_eq!(number(&delivery), at);
        acked(delivery);
    });
    drop(orderly);
    let mut whole = consume(&plain, &wrapped(&place.name()), &wrapped(&topic), "*");
    assert_eq!(drained(&mut whole, QUIET * 3), (0..10).collect::<Vec<_>>());
    if place.is_long() && place.served().is_none() {
        java_is_in_the_same_namespace(place, &rig);
    }
}

/// A Java producer's messages come to us, and ours to a Java consumer, each with the namespace as
/// its setting.
fn java_is_in_the_same_namespace(place: &Place, rig: &Rig) {
    let (theirs, ours) = (topic(place, 1), topic(place, 1));
    let (namesrv, group) = (place.namesrv(), place.name());
    let words = ["within", SPACE, "send", &namesrv, &theirs, "NONE", "4", "30"];
    let sender = Peer::java(place.version(), &words);
    let words = ["within", SPACE, "member", &namesrv, &group, &ours];
    let reader = Peer::java(place.version(), &words);
    sender.await_ready();
    let mut consumer = consume(rig, &place.name(), &theirs, "*");
    for _ in 0..4 {
        let delivery = next(&mut consumer);
        assert_eq!(delivery.topic(), theirs);
        acked(delivery);
    }
    reader.await_ready();
    send_to(rig, &queues(rig, &ours)[0], 0..4);
    let seen = || reader.told("seen").len() >= 4;
    assert!(eventually(REBALANCED, seen), "{:?}", reader.said());
    note!(place, "Java {} sent 4 and read 4 in the namespace", place.version());
}

/// A message that comes again, and a dead letter, lie in topics whose names are wrapped once.
pub(crate) fn retry_topics_are_wrapped_once(place: &Place) {
    let (topic, group) = (topic(place, 1), place.name());
    let (rig, plain) = (place.rig_with(within(place)), place.rig());
    send_to(&rig, &queues(&rig, &topic)[0], 0..1);
    let mut consumer = consume(&rig, &group, &topic, "*");
    assert!(next(&mut consumer).retry_after(Duration::from_secs(1)).is_taken());
    let again = next(&mut consumer);
    assert_eq!((again.topic(), again.attempts()), (&*topic, 2));
    assert_eq!(again.queue().topic.as_str(), format!("%RETRY%{group}"));
    assert!(again.reject().is_taken());
    let there = |name: String| plain.client.queues(&named(&name)).wait().is_ok();
    let (retry, dead) = (format!("%RETRY%{SPACE}%{group}"), format!("%DLQ%{SPACE}%{group}"));
    assert!(eventually(SOON, || there(retry.clone()) && there(dead.clone())));
    assert!(!there(format!("%RETRY%{SPACE}%{SPACE}%{group}")) && !there(format!("%RETRY%{group}")));
    let letters = format!("%DLQ%{group}");
    let found = rig.client.queues(&named(&letters)).wait().expect("its dead letters");
    assert_eq!((found[0].topic.as_str(), &**found[0].topic.wire()), (&*letters, &*dead));
}
