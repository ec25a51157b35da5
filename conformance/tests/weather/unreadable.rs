//! Messages that can't be read are held and settled as all others, by whom the application says.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use log::{Level, Log, Metadata, Record};
use rocketry::client::RecvError;
use rocketry::proto::frame::Request;
use rocketry::proto::frame::request::SendRequest;
use rocketry::proto::message::sys_flag;
use rocketry::proto::query::Target;
use rocketry::{
    Config, Consumer, Delivery, OnUnreadable, QueueName, RunOptions, Start, Topic, Unreadable,
    Verdict,
};
use rocketry_conformance::serve::Served;

use crate::appender::{Line, in_a_process};
use crate::rig::{On, Rig, eventually};
use crate::{TOPIC, on_all, served};

on_all!(
    an_unreadable_message_is_settled_by_the_application_alone,
    a_consumer_that_is_told_so_settles_unreadable_messages_by_itself,
    a_consumer_may_make_dead_letters_of_unreadable_messages,
    a_rejected_unreadable_message_becomes_a_dead_letter,
    a_consumer_that_is_told_so_stops_at_the_first_unreadable_message,
    a_run_tells_of_an_unreadable_message_by_its_place,
    a_rejected_unreadable_message_counts_as_failed_among_what_handlers_did,
);

const GROUP: &str = "readers";

pub(crate) fn queue() -> QueueName {
    let topic = Topic::new(TOPIC).expect("a topic");
    QueueName { topic, broker: "broker-a".into(), queue: 0 }
}

/// A client, and three messages in one queue: the one in the middle says that it is compressed.
pub(crate) fn with_damage(on: On, served: &Served) -> Rig {
    let mut config = Config::new(served.namesrv()).expect("settings");
    config.commit_interval = Duration::from_millis(50);
    config.retry_delay = Duration::from_millis(300);
    let rig = Rig::with(on, config);
    for (body, sys_flag) in [("one", 0), ("two", sys_flag::COMPRESSED), ("three", 0)] {
        store(&rig, body, sys_flag, None);
    }
    rig
}

/// Stores a message that says of itself what no producer would.
pub(crate) fn store(rig: &Rig, body: &str, sys_flag: i32, properties: Option<&str>) {
    let request = Request::Send(SendRequest {
        producer_group: "writers".into(),
        topic: TOPIC.into(),
        default_topic: "TBW102".into(),
        default_topic_queues: 4,
        queue_id: 0,
        sys_flag,
        properties: properties.map(Into::into),
        ..Default::default()
    });
    let body = body.to_owned().into();
    let stored = rig.client.admin().call(Target::Queue(queue()), request, body).wait();
    stored.expect("an answer").checked().expect("stored");
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
    let place = format!("message at offset 1 of queue 0 of {TOPIC} on broker-a can't be read: ");
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

/// Keeps what is logged of the message that can't be read.
#[derive(Default)]
struct Keeper(Mutex<Vec<Line>>);

impl Log for Keeper {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "rocketry"
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            self.0.lock().expect("no panic").push(Line::of(record));
        }
    }

    fn flush(&self) {}
}

fn a_run_tells_of_an_unreadable_message_by_its_place(on: On) {
    in_a_process(on, "unread");
}

pub(crate) fn unread(on: On) {
    let keeper = crate::install(Keeper::default());
    let served = served();
    let rig = with_damage(on, &served);
    let handlers = consumer(&rig, OnUnreadable::Hold).run(RunOptions::default(), |_| ());
    let handlers = handlers.expect("it runs");
    assert!(eventually(Duration::from_secs(10), || handlers.stats().unreadable > 0));
    // It is counted first, and told of then.
    let of_message = |line: &&Line| line.text.contains("can't be read");
    let is_told = || keeper.0.lock().expect("no panic").iter().any(|line| of_message(&line));
    assert!(eventually(Duration::from_secs(10), is_told), "a line of it");
    drop(handlers);
    let lines = keeper.0.lock().expect("no panic");
    let line = lines.iter().find(of_message).expect("a line of it");
    assert_eq!((line.level, line.fact("group")), (Level::Warn, Some(GROUP)));
    assert_eq!((line.fact("topic"), line.fact("broker")), (Some(TOPIC), Some("broker-a")));
    assert_eq!((line.fact("queue"), line.fact("offset")), (Some("0"), Some("1")));
}

fn a_rejected_unreadable_message_counts_as_failed_among_what_handlers_did(on: On) {
    let served = served();
    let rig = with_damage(on, &served);
    let options = RunOptions::default().on_unreadable(|_| Verdict::Reject);
    let handlers = consumer(&rig, OnUnreadable::Hold).run(options, |_| ()).expect("it runs");
    assert!(eventually(Duration::from_secs(10), || handlers.stats().handled == 2));
    assert!(eventually(Duration::from_secs(10), || committed(&served) == Some(3)));
    let stats = handlers.stats();
    assert_eq!((stats.handled, stats.failed, stats.unreadable), (2, 1, 1));
}
