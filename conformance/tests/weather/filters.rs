//! A filter of the application's, after the one by tags.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rocketry::client::{BatchContext, ConsumerBuilder, RecvTimeoutError};
use rocketry::{Config, Message, MessageView, RunOptions, Start, Topic};
use rocketry_conformance::broker::ClusterConfig;
use rocketry_conformance::serve::Served;

use crate::rig::{On, Rig, eventually};
use crate::{TOPIC, on_all};

on_all!(
    filt_18_what_the_filter_refuses_is_settled_and_not_handed_out,
    filt_18_handlers_are_given_what_the_filter_takes,
    filt_18_a_message_at_which_the_filter_panics_is_handed_out,
    filt_18_a_backlog_that_the_filter_refuses_outlasts_no_time_that_was_given,
    filt_18_a_batch_waits_no_longer_for_what_the_filter_refuses,
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
        let stats = rig.client.stats();
        let counted = &stats.consumers[0].consumption[0];
        let refused = (tagged.len() - wanted().len()) as u64;
        assert_eq!((counted.filtered, counted.done), (refused, COUNT as u64), "{counted}");
        assert!(stats.to_string().contains(&format!("{refused} filtered")), "{stats}");
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

/// Messages that are there beside those of the other tests.
const BACKLOG: usize = 600;
/// So many of them may be looked at before whoever waits hears that the time is over.
const LOOKS: usize = 250;

/// A backlog, of which a filter refuses all but one message in its own time; and how many it has
/// looked at.
fn backlog(on: On, wanted: usize) -> (Served, Rig, ConsumerBuilder, Arc<AtomicUsize>) {
    let (served, rig) = start(on);
    let producer = rig.client.producer(GROUP).expect("a producer");
    let topic = || Topic::new(TOPIC).expect("a topic");
    let message = |body: usize| Message::new(topic(), body.to_string()).tag("Aa");
    let sends: Vec<_> = (COUNT..COUNT + BACKLOG).map(|body| producer.send(message(body))).collect();
    sends.into_iter().for_each(|send| drop(send.wait().expect("sent")));
    let looks = Arc::new(AtomicUsize::new(0));
    let counted = looks.clone();
    let slow = builder(&rig).filter_with(move |message| {
        std::thread::sleep(Duration::from_millis(4));
        counted.fetch_add(1, Ordering::SeqCst);
        number(message) == wanted
    });
    (served, rig, slow, looks)
}

fn filt_18_a_backlog_that_the_filter_refuses_outlasts_no_time_that_was_given(on: On) {
    const WITHIN: Duration = Duration::from_millis(300);
    let (_served, _rig, slow, looks) = backlog(on, usize::MAX);
    let mut consumer = slow.start().expect("a consumer");
    let received = consumer.recv_timeout(WITHIN);
    assert!(matches!(received, Err(RecvTimeoutError::Timeout)), "{received:?}");
    let first = looks.load(Ordering::SeqCst);
    assert!(first < LOOKS, "{first} messages were looked at");
    let received = consumer.recv_batch(10, WITHIN).expect("nothing, in time");
    let more = looks.load(Ordering::SeqCst) - first;
    assert!(received.is_empty() && (1..LOOKS).contains(&more), "{more}: {received:?}");
}

fn filt_18_a_batch_waits_no_longer_for_what_the_filter_refuses(on: On) {
    let (_served, _rig, slow, looks) = backlog(on, 1);
    let (give, given) = std::sync::mpsc::channel();
    let handler = move |messages: &[MessageView], _: &mut BatchContext| {
        give.send((messages.len(), looks.load(Ordering::SeqCst))).expect("somebody listens");
    };
    let options = RunOptions::default().concurrency(1).batch(100, Duration::from_millis(100));
    let run = slow.start().expect("a consumer").run_batches(options, handler).expect("handlers");
    let (count, looks) = given.recv_timeout(PATIENCE).expect("a batch");
    assert!(count == 1 && looks < LOOKS, "{count} messages of {looks}");
    drop(run);
}
