//! Messages that can't be read are held and settled as all others, by whom the application says.

use std::time::{Duration, Instant};

use rocketry::client::RecvError;
use rocketry::proto::frame::Request;
use rocketry::proto::frame::request::SendRequest;
use rocketry::proto::message::sys_flag;
use rocketry::proto::query::Target;
use rocketry::{Config, Consumer, Delivery, OnUnreadable, QueueName, Start, Topic, Unreadable};
use rocketry_conformance::serve::Served;

use crate::rig::{On, Rig, eventually};
use crate::{TOPIC, on_all, served};

on_all!(
    an_unreadable_message_is_settled_by_the_application_alone,
    a_consumer_that_is_told_so_settles_unreadable_messages_by_itself,
    a_consumer_may_make_dead_letters_of_unreadable_messages,
    a_rejected_unreadable_message_becomes_a_dead_letter,
    a_consumer_that_is_told_so_stops_at_the_first_unreadable_message,
);

const GROUP: &str = "readers";

fn queue() -> QueueName {
    let topic = Topic::new(TOPIC).expect("a topic");
    QueueName { topic, broker: "broker-a".into(), queue: 0 }
}

/// A client, and three messages in one queue: the one in the middle says that it is compressed.
fn with_damage(on: On, served: &Served) -> Rig {
    let mut config = Config::new(&served.namesrv()).expect("settings");
    config.commit_interval = Duration::from_millis(50);
    config.retry_delay = Duration::from_millis(300);
    let rig = Rig::with(on, config);
    for (body, sys_flag) in [("one", 0), ("two", sys_flag::COMPRESSED), ("three", 0)] {
        let request = Request::Send(SendRequest {
            producer_group: "writers".into(),
            topic: TOPIC.into(),
            default_topic: "TBW102".into(),
            default_topic_queues: 4,
            queue_id: 0,
            sys_flag,
            ..Default::default()
        });
        let stored = rig.client.admin().call(Target::Queue(queue()), request, body.into()).wait();
        stored.expect("an answer").checked().expect("stored");
    }
    rig
}

fn consumer(rig: &Rig, unreadable: OnUnreadable) -> Consumer {
    let builder = rig.client.consumer(GROUP).expect("a group").topic(TOPIC, "*");
    let builder = builder.start_at(Start::First).on_unreadable(unreadable);
    builder.start().expect("a consumer")
}

fn next(consumer: &mut Consumer) -> Result<Delivery, Unreadable> {
    consumer.recv_timeout(Duration::from_secs(10)).expect("a message in time")
}

/// Takes and settles the two that can be read; gives the other one.
fn neighbours(consumer: &mut Consumer) -> Unreadable {
    assert!(next(consumer).expect("the first is readable").ack().is_taken(), "ours still");
    let unreadable = next(consumer).expect_err("the second is not");
    assert!(next(consumer).expect("the third is readable").ack().is_taken(), "ours still");
    unreadable
}

fn committed(served: &Served) -> Option<i64> {
    served.with(|cluster| cluster.committed(0, GROUP, TOPIC, 0))
}

fn an_unreadable_message_is_settled_by_the_application_alone(on: On) {
    let served = served();
    let rig = with_damage(on, &served);
    let mut consumer = consumer(&rig, OnUnreadable::default());
    let unreadable = neighbours(&mut consumer);
    let shown = unreadable.to_string();
    let place = format!("message at offset 1 of queue 0 of {TOPIC} at broker-a can't be read: ");
    assert!(shown.starts_with(&place) && shown.contains("Zlib"), "{shown}");
    assert_eq!((unreadable.offset, &unreadable.queue), (Some(1), &queue()));
    // What the application does not settle comes again, after a pause, and nothing is passed.
    let dropped = Instant::now();
    drop(unreadable);
    let again = next(&mut consumer).expect_err("the same message");
    assert!(dropped.elapsed() >= Duration::from_millis(30), "{:?}", dropped.elapsed());
    assert_eq!(again.offset, Some(1));
    assert!(again.retry_here(Duration::from_millis(100)).is_taken(), "ours still");
    let again = next(&mut consumer).expect_err("the same message");
    assert_eq!(committed(&served), Some(1));
    assert!(again.ack().is_taken(), "ours still");
    assert!(eventually(Duration::from_secs(5), || committed(&served) == Some(3)));
    assert!(consumer.recv_timeout(Duration::from_millis(500)).is_err(), "it is settled");
}

fn a_consumer_that_is_told_so_settles_unreadable_messages_by_itself(on: On) {
    let served = served();
    let rig = with_damage(on, &served);
    let mut consumer = consumer(&rig, OnUnreadable::Settle);
    let unreadable = neighbours(&mut consumer);
    assert!(eventually(Duration::from_secs(5), || committed(&served) == Some(3)));
    // It was handed out settled: nothing of it is left to do.
    assert!(unreadable.reject().is_taken(), "nothing to do");
    assert!(consumer.recv_timeout(Duration::from_millis(500)).is_err(), "it came once");
}

fn a_consumer_may_make_dead_letters_of_unreadable_messages(on: On) {
    let served = served();
    let rig = with_damage(on, &served);
    let mut consumer = consumer(&rig, OnUnreadable::DeadLetters);
    let unreadable = neighbours(&mut consumer);
    assert!(eventually(Duration::from_secs(5), || committed(&served) == Some(3)));
    assert!(unreadable.ack().is_taken(), "nothing to do");
    let dead = served.with(|cluster| cluster.messages(0, &format!("%DLQ%{GROUP}"), 0));
    assert_eq!(dead.len(), 1);
    assert_eq!(dead.record(0).expect("a record").raw_body(), "two");
}

fn a_rejected_unreadable_message_becomes_a_dead_letter(on: On) {
    let served = served();
    let rig = with_damage(on, &served);
    let mut consumer = consumer(&rig, OnUnreadable::Hold);
    assert!(neighbours(&mut consumer).reject().is_taken(), "ours still");
    assert!(eventually(Duration::from_secs(5), || committed(&served) == Some(3)));
    assert_eq!(served.with(|cluster| cluster.stored(&format!("%DLQ%{GROUP}"))), 1);
}

fn a_consumer_that_is_told_so_stops_at_the_first_unreadable_message(on: On) {
    let served = served();
    let rig = with_damage(on, &served);
    let mut consumer = consumer(&rig, OnUnreadable::Stop);
    let first = next(&mut consumer).expect("the first is readable");
    let unreadable = next(&mut consumer).expect_err("the second is not");
    assert_eq!(consumer.recv().expect_err("nothing more"), RecvError::Unreadable);
    // What was handed out before counts.
    assert!(first.ack().is_taken(), "ours still");
    drop(unreadable);
    let left = || served.with(|cluster| cluster.consumers(0, GROUP).is_empty());
    assert!(eventually(Duration::from_secs(5), left), "it leaves the group");
    assert_eq!(committed(&served), Some(1), "nothing is passed");
    assert_eq!(consumer.recv().expect_err("still nothing"), RecvError::Unreadable);
}
