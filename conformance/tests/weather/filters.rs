//! A filter of the application's, after the one by tags.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rocketry::client::ConsumerBuilder;
use rocketry::{Config, Message, MessageView, RunOptions, Start, Topic};
use rocketry_conformance::broker::ClusterConfig;
use rocketry_conformance::serve::Served;

use crate::rig::{On, Rig, eventually};
use crate::{TOPIC, on_all};

on_all!(
    filt_18_what_the_filter_refuses_is_settled_and_not_handed_out,
    filt_18_handlers_are_given_what_the_filter_takes,
    filt_18_a_message_at_which_the_filter_panics_is_handed_out,
);

const GROUP: &str = "filters";
const COUNT: usize = 40;
const PATIENCE: Duration = Duration::from_secs(20);

/// Messages of which every fourth has a tag that is not asked for, which brokers take for the other
/// one: the hashes of both are the same.
fn start(on: On) -> (Served, Rig) {
    let config = ClusterConfig::default().topic(TOPIC, 1);
    let served = Served::start(config).expect("a served cluster");
    let mut config = Config::new(served.namesrv()).expect("settings");
    config.commit_interval = Duration::from_millis(50);
    let rig = Rig::with(on, config);
    let producer = rig.client.producer(GROUP).expect("a producer");
    for body in 0..COUNT {
        let topic = Topic::new(TOPIC).expect("a topic");
        let tag = if body % 4 == 3 { "BB" } else { "Aa" };
        producer.send(Message::new(topic, body.to_string()).tag(tag)).wait().expect("sent");
    }
    (served, rig)
}

fn builder(rig: &Rig) -> ConsumerBuilder {
    let builder = rig.client.consumer(GROUP).expect("a group").topic(TOPIC, "Aa");
    builder.start_at(Start::First)
}

fn number(message: &MessageView) -> usize {
    std::str::from_utf8(message.body()).expect("a text").parse().expect("a number")
}

fn is_committed(served: &Served) -> bool {
    let committed = || served.with(|cluster| cluster.committed(0, GROUP, TOPIC, 0));
    eventually(PATIENCE, || committed() == Some(COUNT as i64))
}

/// Those with the tag, which are even.
fn wanted() -> Vec<usize> {
    (0..COUNT).filter(|body| body % 4 != 3 && body % 2 == 0).collect()
}

fn filt_18_what_the_filter_refuses_is_settled_and_not_handed_out(on: On) {
    for orderly in [false, true] {
        let (served, rig) = start(on);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let shown = seen.clone();
        let builder = builder(&rig).filter_with(move |message| {
            shown.lock().expect("no panic").push(number(message));
            number(message).is_multiple_of(2)
        });
        let builder = if orderly { builder.orderly() } else { builder };
        let mut consumer = builder.start().expect("a consumer");
        for body in wanted() {
            let next = consumer.recv_timeout(PATIENCE).expect("a message in time");
            let message = next.expect("a readable message");
            assert_eq!(number(&message), body, "orderly: {orderly}");
            assert!(message.ack().is_taken(), "ours still");
        }
        // What is left of the last pull is refused while the next message is looked for.
        assert!(consumer.recv_timeout(Duration::from_millis(200)).is_err(), "no other comes");
        assert!(is_committed(&served), "orderly: {orderly}");
        let tagged: Vec<usize> = (0..COUNT).filter(|body| body % 4 != 3).collect();
        assert_eq!(*seen.lock().expect("no panic"), tagged, "each once, after the tags");
    }
}

fn filt_18_handlers_are_given_what_the_filter_takes(on: On) {
    let (served, rig) = start(on);
    let consumer = builder(&rig).filter_with(|message| number(message).is_multiple_of(2));
    let handled = Arc::new(Mutex::new(Vec::new()));
    let kept = handled.clone();
    let handler = move |message: &MessageView| kept.lock().expect("one").push(number(message));
    let consumer = consumer.start().expect("a consumer");
    let run = consumer.run(RunOptions::default().concurrency(4), handler).expect("handlers");
    assert!(is_committed(&served));
    let mut handled = handled.lock().expect("no panic").clone();
    handled.sort_unstable();
    assert_eq!(handled, wanted());
    assert_eq!(run.stats().handled, wanted().len() as u64);
}

fn filt_18_a_message_at_which_the_filter_panics_is_handed_out(on: On) {
    let (served, rig) = start(on);
    let builder = builder(&rig).filter_with(|message| {
        assert!(number(message) != 6, "a bad filter");
        false
    });
    let mut consumer = builder.start().expect("a consumer");
    let next = consumer.recv_timeout(PATIENCE).expect("a message in time");
    let message = next.expect("a readable message");
    assert_eq!(number(&message), 6);
    assert!(message.ack().is_taken(), "ours still");
    assert!(consumer.recv_timeout(Duration::from_millis(200)).is_err(), "no other comes");
    assert!(is_committed(&served));
}
