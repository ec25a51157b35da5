//! Filters by tags.

use std::collections::BTreeMap;

use rocketry::proto::body::ConsumerConnections;
use rocketry::proto::frame::Request;
use rocketry::proto::frame::request::ConsumerConnectionsRequest;
use rocketry::{Message, Start};

use crate::cases::common::{await_stored, named};
use crate::cases::place::Place;
use crate::cases::reading::{
    QUIET, SOON, acked, ask, await_committed, committed_sum, consume, next,
};
use crate::rig::{Rig, eventually};

/// Sends one message with each of these tags, the tag as its body; without one where it is empty.
fn send_tags(rig: &Rig, topic: &str, tags: &[&str]) {
    let producer = rig.client.producer("tags").expect("a producer");
    for tag in tags {
        let message = Message::new(named(topic), format!("<{tag}>"));
        let message = if tag.is_empty() { message } else { message.tag(tag) };
        producer.send(message).wait().expect("stored");
    }
}

/// What a new group gets with this filter, in order of the tags.
fn got(rig: &Rig, group: &str, topic: &str, filter: &str, count: usize) -> Vec<String> {
    let mut consumer = consume(rig, group, topic, filter);
    let mut bodies = Vec::new();
    for _ in 0..count {
        let delivery = next(&mut consumer);
        bodies.push(String::from_utf8(delivery.body().to_vec()).expect("a text"));
        acked(delivery);
    }
    let more = consumer.recv_timeout(QUIET).map(|more| more.expect("readable").body().clone());
    assert!(more.is_err(), "{filter:?} brings {more:?} as well");
    consumer.close().wait().expect("an end");
    bodies.sort_unstable();
    bodies
}

/// Each filter brings these of the tags that were sent.
fn bring(place: &Place, sent: &[&str], wanted: &[(&str, &[&str])]) {
    let (rig, topic) = (place.rig(), place.topic(2));
    send_tags(&rig, &topic, sent);
    await_stored(&rig, &topic, sent.len() as i64);
    for (filter, tags) in wanted {
        let mut tags: Vec<String> = tags.iter().map(|tag| format!("<{tag}>")).collect();
        tags.sort_unstable();
        assert_eq!(got(&rig, &place.name(), &topic, filter, tags.len()), tags, "{filter:?}");
    }
}

pub(crate) fn a_star_and_nothing_bring_all(place: &Place) {
    let sent: &[&str] = &["a", "b", "", "a b"];
    bring(place, sent, &[("*", sent), ("", sent)]);
}

pub(crate) fn tags_joined_by_two_bars_bring_each_of_them(place: &Place) {
    let wanted: &[(&str, &[&str])] =
        &[("a", &["a", "a"]), ("a||b", &["a", "a", "b"]), (" a  ||  c ", &["a", "a", "c"])];
    bring(place, &["a", "b", "c", "", "d", "a"], wanted);
}

pub(crate) fn tags_that_differ_in_case_are_different(place: &Place) {
    bring(place, &["BB", "bb", "Bb"], &[("BB", &["BB"]), ("bb", &["bb"])]);
}

pub(crate) fn tags_of_one_hash_are_told_apart(place: &Place) {
    bring(place, &["Aa", "BB", "Aa"], &[("BB", &["BB"]), ("Aa", &["Aa", "Aa"])]);
}

pub(crate) fn a_message_without_a_tag_is_not_for_who_wants_one(place: &Place) {
    bring(place, &["", "A", ""], &[("A", &["A"])]);
}

pub(crate) fn a_long_tag_is_a_tag(place: &Place) {
    let long = "long".repeat(250);
    bring(place, &[&long, "other"], &[(&long, &[&long])]);
}

pub(crate) fn a_filter_that_nothing_matches_brings_none_and_moves_on(place: &Place) {
    let (rig, topic, group) = (place.rig(), place.topic(2), place.name());
    send_tags(&rig, &topic, &["b"; 50]);
    await_stored(&rig, &topic, 50);
    let mut consumer = consume(&rig, &group, &topic, "a");
    assert!(consumer.recv_timeout(QUIET).is_err(), "nothing matches");
    let broker = place.broker();
    let sum = || committed_sum(&rig, &broker, &group, &topic, 2);
    assert!(eventually(SOON, || sum() == 50), "{} is committed", sum());
    send_tags(&rig, &topic, &["a"]);
    assert_eq!(next(&mut consumer).body(), "<a>");
}

/// What a broker has of a group's subscriptions, by topic.
fn known(rig: &Rig, broker: &str, group: &str) -> BTreeMap<String, String> {
    let fields = ConsumerConnectionsRequest { consumer_group: group.into(), ..Default::default() };
    let answer = ask(rig, broker, Request::ConsumerConnections(fields), Vec::new());
    let all = ConsumerConnections::parse(&answer.body).unwrap_or_default().subscriptions;
    all.into_iter().map(|(topic, of)| (topic, of.expression)).collect()
}

pub(crate) fn a_changed_subscription_is_what_its_broker_goes_by(place: &Place) {
    let (rig, topic, group) = (place.rig(), place.topic(1), place.name());
    let broker = place.broker();
    let builder = rig.client.consumer(&*group).expect("a group").topic(&*topic, "a");
    let mut consumer = builder.start_at(Start::First).start().expect("a consumer");
    send_tags(&rig, &topic, &["a", "b"]);
    let first = next(&mut consumer);
    assert_eq!(first.body(), "<a>");
    acked(first);
    let is = |filter: &str| {
        let known = known(&rig, &broker, &group);
        known.get(&topic).is_some_and(|has| has == filter)
    };
    assert!(eventually(SOON, || is("a")), "{:?}", known(&rig, &broker, &group));
    for (filter, tag) in [("b", "b"), ("a || c", "c"), ("*", "d")] {
        consumer.subscribe(&*topic, filter).expect("subscribed");
        assert!(eventually(SOON, || is(filter)), "{:?}", known(&rig, &broker, &group));
        send_tags(&rig, &topic, &[tag]);
        let body = format!("<{tag}>");
        // A tag sent before may be among what the new filter finds.
        while {
            let delivery = next(&mut consumer);
            let found = delivery.body() == &body;
            acked(delivery);
            !found
        } {}
    }
    await_committed(&rig, &broker, &group, &topic, 5);
}
