//! Filters in SQL: what they bring, and what refuses them.

use std::time::Duration;

use rocketry::proto::error::FilterRefused;
use rocketry::proto::frame::ResponseCode;
use rocketry::{
    Client, Consumer, Filter, Message, RecvError, RecvTimeoutError, SendOptions, Start,
};

use crate::cases::common::{await_stored, named};
use crate::cases::place::{Place, Setting, note};
use crate::cases::reading::{QUIET, SOON, acked, next, number};
use crate::rig::Rig;

/// Brokers filter by properties, or do not.
pub(crate) const FILTERS: &[Setting] = &[("enablePropertyFilter", "true")];
pub(crate) const FILTERS_NOT: &[Setting] = &[("enablePropertyFilter", "false")];

/// A message's body and its properties.
type Sent = (&'static str, &'static [(&'static str, &'static str)]);

const ALL: &[Sent] = &[
    ("none", &[]),
    ("a4", &[("a", "4")]),
    ("a5", &[("a", "5"), ("name", "O'Neil")]),
    ("a6", &[("a", "6"), ("name", "x"), ("yes", "TRUE")]),
    ("a7", &[("a", "7"), ("b", "2.5"), ("name", "a||b")]),
    ("odd", &[("a", "six"), ("b", "1e3")]),
];

fn send_all(rig: &Rig, topic: &str, all: &[Sent]) {
    let producer = rig.client.producer("properties").expect("a producer");
    for (body, properties) in all {
        let message = Message::new(named(topic), *body);
        let with = |message: Message, (name, value): &(&str, &str)| message.property(name, value);
        producer.send(properties.iter().fold(message, with)).wait().expect("stored");
    }
    await_stored(rig, topic, all.len() as i64);
}

fn begin(client: &Client, group: &str, topic: &str, sql: &str) -> Consumer {
    let builder = client.consumer(group).expect("a group").topic(topic, Filter::sql(sql));
    builder.start_at(Start::First).start().expect("a consumer")
}

/// Each expression brings these of the messages, and nothing else.
fn bring(place: &Place, all: &[Sent], wanted: &[(&str, &[&str])]) {
    let (rig, topic) = (place.rig(), place.topic(2));
    send_all(&rig, &topic, all);
    for (sql, bodies) in wanted {
        let mut consumer = begin(&rig.client, &place.name(), &topic, sql);
        let mut came = Vec::new();
        for _ in 0..bodies.len() {
            let delivery = next(&mut consumer);
            came.push(String::from_utf8(delivery.body().to_vec()).expect("a text"));
            acked(delivery);
        }
        let more = consumer.recv_timeout(QUIET).map(|more| more.expect("readable").body().clone());
        assert!(more.is_err(), "{sql:?} brings {more:?} as well");
        consumer.close().wait().expect("an end");
        came.sort_unstable();
        assert_eq!(came, *bodies, "{sql:?}");
    }
}

pub(crate) fn a_comparison_brings_what_matches(place: &Place) {
    bring(place, ALL, &[("a > 5", &["a6", "a7"]), ("name = 'x'", &["a6"])]);
}

pub(crate) fn each_word_of_the_language_means_what_it_does(place: &Place) {
    bring(
        place,
        ALL,
        &[
            ("a BETWEEN 5 AND 6", &["a5", "a6"]),
            ("a NOT BETWEEN 5 AND 6 AND a < 100", &["a4", "a7"]),
            ("name IN ('x', 'a||b')", &["a6", "a7"]),
            ("name NOT IN ('x', 'a||b')", &["a5"]),
            ("a IS NULL", &["none"]),
            ("b IS NOT NULL", &["a7", "odd"]),
            ("a = 4 OR NOT (name <> 'x')", &["a4", "a6"]),
        ],
    );
}

pub(crate) fn a_property_that_nothing_has_brings_nothing(place: &Place) {
    bring(place, ALL, &[("gone > 5", &[]), ("gone <> 'x'", &[]), ("NOT (gone = 1)", &[])]);
}

pub(crate) fn texts_and_numbers_mean_what_they_do_in_java(place: &Place) {
    bring(
        place,
        ALL,
        &[
            ("name = 'O''Neil'", &["a5"]),
            ("b >= 25e-1", &["a7", "odd"]),
            ("b > 1.E2", &["odd"]),
            ("yes = TRUE", &["a6"]),
            // What is no whole number can't be compared with one.
            ("b > 2", &[]),
            ("a > 5.5", &["a6", "a7"]),
            ("name = 'a||b'", &["a7"]),
            ("a = 6 -- the rest\n AND /* of it */ a <> 7", &["a6"]),
        ],
    );
}

/// The consumer's `recv` says that its filter was refused.
fn refused(consumer: &mut Consumer) -> FilterRefused {
    match consumer.recv_timeout(SOON) {
        Err(RecvTimeoutError::Filter(refused)) => (*refused).clone(),
        other => panic!("no refusal: {:?}", other.map(|received| received.is_ok())),
    }
}

pub(crate) fn an_expression_that_cannot_be_read_is_an_error(place: &Place) {
    let (rig, topic) = (place.rig(), place.topic(1));
    for sql in ["a >", "a > 'x'", "NOT a > 5", "(a > 5"] {
        let mut consumer = begin(&rig.client, &place.name(), &topic, sql);
        let refused = refused(&mut consumer);
        note!(place, "{:?}: {refused}", place.on());
        assert!(refused.is_unreadable(), "{refused}");
        assert_eq!((refused.topic.as_str(), &*refused.filter), (&*topic, sql));
        // From then on as well, and to those who wait for its end.
        assert!(matches!(consumer.recv(), Err(RecvError::Filter(_))));
        assert!(consumer.close().wait().is_err());
    }
    // One that is changed to such an expression ends too.
    let group = place.name();
    let mut consumer = begin(&rig.client, &group, &topic, "a > 5");
    assert!(consumer.recv_timeout(QUIET).is_err_and(|none| none == RecvTimeoutError::Timeout));
    consumer.subscribe(&*topic, Filter::sql("a > ")).expect("subscribed");
    assert!(refused(&mut consumer).is_unreadable());
}

pub(crate) fn brokers_that_filter_by_no_properties_are_told_of(place: &Place) {
    let (rig, topic) = (place.rig(), place.topic(1));
    let mut consumer = begin(&rig.client, &place.name(), &topic, "a > 5");
    let refused = refused(&mut consumer);
    note!(place, "{:?}: {refused}", place.on());
    assert!(!refused.is_unreadable(), "{refused}");
    assert_eq!(refused.code, ResponseCode::SYSTEM_ERROR);
    assert!(refused.to_string().contains("enablePropertyFilter=true"), "{refused}");
}

pub(crate) fn parentheses_without_end_are_an_error(place: &Place) {
    let (rig, topic) = (place.rig(), place.topic(1));
    let mut consumer = begin(&rig.client, &place.name(), &topic, &"(".repeat(10_000));
    assert!(refused(&mut consumer).is_unreadable());
    // The broker is well.
    let queue = rig.client.queues(&named(&topic)).wait().expect("queues").swap_remove(0);
    let producer = rig.client.producer("after").expect("a producer");
    let options = SendOptions::to(&queue).timeout(Duration::from_secs(5));
    producer.send_with(Message::new(named(&topic), "x"), options).wait().expect("stored");
}

/// What matches comes in its order, and what is to come again holds up what follows.
pub(crate) fn an_orderly_consumer_gets_what_matches_in_its_order(place: &Place) {
    let (rig, topic) = (place.rig(), place.topic(1));
    let producer = rig.client.producer("properties").expect("a producer");
    for number in 0..40 {
        let message = Message::new(named(&topic), number.to_string());
        producer.send(message.property("a", &number.to_string())).wait().expect("stored");
    }
    let filter = Filter::sql("a BETWEEN 10 AND 29 AND a <> 20");
    let builder = rig.client.consumer(place.name()).expect("a group").topic(&*topic, filter);
    let mut consumer = builder.orderly().start_at(Start::First).start().expect("a consumer");
    let mut came: Vec<usize> = Vec::new();
    while came.len() < 20 {
        let delivery = next(&mut consumer);
        let body = number(&delivery);
        if body == 15 && !came.contains(&15) {
            delivery.retry();
        } else {
            acked(delivery);
        }
        came.push(body);
    }
    let mut wanted: Vec<usize> = (10..30).filter(|number| *number != 20).collect();
    wanted.insert(5, 15);
    assert_eq!(came, wanted);
    assert!(consumer.recv_timeout(QUIET).is_err(), "nothing else matches");
}
