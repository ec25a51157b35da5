//! Where a group begins, what brokers keep of its offsets, and who moves them.

use std::thread;
use std::time::{Duration, Instant};

use rocketry::proto::frame::reply::ReplyFields;
use rocketry::proto::frame::request::{
    EarliestTimeRequest, QueryOffsetRequest, ResetOffsetRequest,
};
use rocketry::proto::frame::{Request, ResponseCode};
use rocketry::proto::rng::Rng;
use rocketry::proto::time::UnixMillis;
use rocketry::{Consumer, Message, QueueName, SendOptions, Start};

use crate::cases::common::await_stored;
use crate::cases::place::{Place, Setting, note};
use crate::cases::reading::{
    QUIET, SOON, acked, ask, await_committed, committed, consume, drain, drained, next, number,
    queues, send_to, take,
};
use crate::rig::{self, eventually};

/// Resets are told to the group's clients (220), as before 5.2.
pub(crate) const RESET_BY_CLIENTS: &[Setting] = &[("useServerSideResetOffset", "false")];

fn begin(rig: &rig::Rig, group: &str, topic: &str, start: Start) -> Consumer {
    let builder = rig.client.consumer(group).expect("a group").topic(topic, "*");
    builder.start_at(start).start().expect("a consumer")
}

/// Waits until a consumer has begun its queue.
fn begun(rig: &rig::Rig) {
    let begun = eventually(SOON, || {
        let consumers = rig.client.stats().consumers;
        consumers.iter().any(|one| one.queues.iter().any(|queue| queue.state == "pulling"))
    });
    assert!(begun, "{:?}", rig.client.stats().consumers);
}

pub(crate) fn a_group_at_the_end_gets_new_messages_and_all_of_its_retries(place: &Place) {
    let (rig, topic, group) = (place.rig(), place.topic(1), place.name());
    let queue = queues(&rig, &topic).swap_remove(0);
    let min = old_is_deleted(place, &rig, &queue);
    let mut first = begin(&rig, &group, &topic, Start::Last);
    begun(&rig);
    let next_offset = rig.client.stats().consumers[0].queues[0].next;
    assert!(next_offset > min, "it begins at {next_offset}, where {min} is the first one");
    send_to(&rig, &queue, 20..23);
    let mut held = take(&mut first, 3);
    assert_eq!(held.iter().map(|held| number(held)).collect::<Vec<_>>(), [20, 21, 22]);
    // One goes to the retry topic, and its consumer is gone before it comes again.
    let retried = held.pop().expect("three");
    assert!(retried.retry_after(Duration::from_secs(1)).is_taken(), "ours");
    held.into_iter().for_each(acked);
    let sent_back = || rig.client.stats().counters.sent_back == 1;
    assert!(eventually(SOON, sent_back), "{}", rig.client.stats());
    first.close().wait().expect("an end");
    thread::sleep(Duration::from_secs(3));
    let other = place.rig();
    let mut second = begin(&other, &group, &topic, Start::Last);
    let delivery = next(&mut second);
    assert_eq!((number(&delivery), delivery.attempts()), (22, 2));
    acked(delivery);
    assert_eq!(drain(&mut second, QUIET), [0; 0]);
}

pub(crate) fn a_group_begins_at_a_time(place: &Place) {
    let (rig, topic) = (place.rig(), place.topic(1));
    let queue = queues(&rig, &topic).swap_remove(0);
    send_to(&rig, &queue, 0..10);
    thread::sleep(Duration::from_secs(2));
    send_to(&rig, &queue, 10..20);
    await_stored(&rig, &topic, 20);
    let pulled = rig.client.admin().pull(&queue, 10, 1).wait().expect("pulled");
    let stored = pulled.records.record(0).expect("readable").store_timestamp();
    let between = UnixMillis(stored.0 - 1000);
    let mut consumer = begin(&rig, &place.name(), &topic, Start::Time(between));
    // 4.x says 0 for a young queue here as well, as Java's clients find.
    let first = if place.version().starts_with('4') { 0 } else { 10 };
    assert_eq!(drain(&mut consumer, QUIET * 2), (first..20).collect::<Vec<_>>());
}

pub(crate) fn offsets_are_committed_every_five_seconds_and_at_the_end(place: &Place) {
    let (rig, topic, group) = (place.rig(), place.topic(1), place.name());
    let broker = place.broker();
    send_to(&rig, &queues(&rig, &topic)[0], 0..20);
    let mut consumer = consume(&rig, &group, &topic, "*");
    take(&mut consumer, 10).into_iter().for_each(acked);
    let settled = Instant::now();
    await_committed(&rig, &broker, &group, &topic, 10);
    note!(place, "{:?}: committed after {:?}", place.on(), settled.elapsed());
    assert!(settled.elapsed() < Duration::from_secs(6), "{:?}", settled.elapsed());
    take(&mut consumer, 7).into_iter().for_each(acked);
    rig.client.shutdown().wait().expect("an end");
    let other = place.rig();
    assert_eq!(committed(&other.client, &broker, &group, &topic), Some(17));
}

pub(crate) fn where_a_group_has_no_offset_a_young_queue_says_0(place: &Place) {
    let (rig, topic, broker) = (place.rig(), place.topic(1), place.broker());
    send_to(&rig, &queues(&rig, &topic)[0], 0..3);
    await_stored(&rig, &topic, 3);
    let told = |queue: i32, zero: Option<bool>| {
        let request = Request::QueryOffset(QueryOffsetRequest {
            consumer_group: place.name().into(),
            topic: topic.as_str().into(),
            queue_id: queue,
            zero_if_absent: zero,
            ..Default::default()
        });
        let answer = ask(&rig, &broker, request, Vec::new());
        match &answer.fields {
            Ok(ReplyFields::Offset(fields)) => (answer.code, Some(fields.offset)),
            _ => (answer.code, None),
        }
    };
    assert_eq!(told(0, None), (ResponseCode::SUCCESS, Some(0)));
    // Only brokers of 5.x can be told not to.
    let strict = if place.version().starts_with('4') {
        (ResponseCode::SUCCESS, Some(0))
    } else {
        (ResponseCode::QUERY_NOT_FOUND, None)
    };
    assert_eq!(told(0, Some(false)), strict);
}

/// Sends much until a queue has lost its first messages, and gives its first offset.
fn old_is_deleted(place: &Place, rig: &rig::Rig, queue: &QueueName) -> i64 {
    let producer = rig.client.producer("old").expect("a producer");
    let mut rng = Rng::new(12);
    let noise: Vec<u8> = (0..8000).flat_map(|_| rng.next_u64().to_le_bytes()).collect();
    for _ in 0..64 {
        let message = Message::new(queue.topic.clone(), noise.clone());
        producer.send_with(message, SendOptions::to(queue)).wait().expect("stored");
    }
    await_stored(rig, queue.topic.as_str(), 64);
    if let Some(served) = place.served() {
        served.with(|cluster| cluster.expire(0, queue.topic.as_str(), 0, 20));
    }
    let min = || rig.client.min_offset(queue).wait().expect("an offset");
    // A real broker looks for what is old from a minute after its start on.
    assert!(eventually(SOON * 5, || min() > 0), "it keeps all");
    // What is deleted comes in parts.
    let mut last = 0;
    eventually(SOON, || {
        thread::sleep(QUIET);
        std::mem::replace(&mut last, min()) == last
    });
    last
}

pub(crate) fn where_a_group_has_no_offset_an_old_queue_says_so(place: &Place) {
    let (rig, topic, broker) = (place.rig(), place.topic(1), place.broker());
    old_is_deleted(place, &rig, &queues(&rig, &topic)[0]);
    let request = Request::QueryOffset(QueryOffsetRequest {
        consumer_group: place.name().into(),
        topic: topic.as_str().into(),
        ..Default::default()
    });
    assert_eq!(ask(&rig, &broker, request, Vec::new()).code, ResponseCode::QUERY_NOT_FOUND);
}

pub(crate) fn ends_and_times_are_right_after_messages_were_deleted(place: &Place) {
    let (rig, topic, broker) = (place.rig(), place.topic(1), place.broker());
    let queue = queues(&rig, &topic).swap_remove(0);
    let min = old_is_deleted(place, &rig, &queue);
    let max = rig.client.max_offset(&queue).wait().expect("an offset");
    assert_eq!(max, 64);
    note!(place, "{}: the queue begins at {min} and ends at {max}", place.version());
    let pulled = rig.client.admin().pull(&queue, min, 1).wait().expect("pulled");
    assert_eq!((pulled.min_offset, pulled.max_offset), (min, 64));
    let first = pulled.records.record(0).expect("readable");
    assert_eq!(first.queue_offset(), min);
    let request = Request::EarliestTime(EarliestTimeRequest {
        topic: topic.as_str().into(),
        ..Default::default()
    });
    let answer = ask(&rig, &broker, request, Vec::new());
    match &answer.fields {
        Ok(ReplyFields::Timestamp(told)) => {
            assert_eq!(told.timestamp, first.store_timestamp().0);
        }
        other => panic!("{:?}: {other:?}", answer.code),
    }
    // What is gone is answered with where to go on.
    let gone = rig.client.admin().pull(&queue, 0, 1).wait().expect("answered");
    assert_eq!((gone.code, gone.next_offset), (ResponseCode::PULL_OFFSET_MOVED, min));
}

pub(crate) fn a_time_finds_its_offset(place: &Place) {
    let (rig, topic) = (place.rig(), place.topic(1));
    let queue = queues(&rig, &topic).swap_remove(0);
    for body in 0..3 {
        send_to(&rig, &queue, [body]);
        thread::sleep(Duration::from_millis(1500));
    }
    await_stored(&rig, &topic, 3);
    let pulled = rig.client.admin().pull(&queue, 0, 3).wait().expect("pulled");
    let stored = |at: usize| pulled.records.record(at).expect("readable").store_timestamp().0;
    let search = |time| rig.client.admin().search_offset(&queue, time).wait().expect("an offset");
    assert_eq!(search(stored(0) - 10_000), 0, "before all");
    assert_eq!([0, 1, 2].map(|at| search(stored(at))), [0, 1, 2], "at each");
    let (between, after) = (search(stored(0) + 1000), search(stored(2) + 1000));
    note!(place, "{}: between 0 and 1: {between}, after the last: {after}", place.version());
    // 4.x goes to the nearest, which after all is the last one.
    let later = if place.version().starts_with('4') { 2 } else { 3 };
    assert_eq!((between, after), (1, later));
}

/// Has an operator move a group's offsets in a topic.
fn reset(rig: &rig::Rig, broker: &str, group: &str, topic: &str, timestamp: i64) {
    let request = Request::InvokeReset(ResetOffsetRequest {
        topic: topic.into(),
        group: group.into(),
        queue_id: -1,
        timestamp,
        force: true,
        ..Default::default()
    });
    let answer = ask(rig, broker, request, Vec::new());
    assert_eq!(answer.code, ResponseCode::SUCCESS, "{:?}", answer.remark);
}

/// A consumer of a topic with 40 messages: 20 settled and committed, and some held.
fn half_done(place: &Place, rig: &rig::Rig, group: &str, topic: &str) -> Consumer {
    let queue = queues(rig, topic).swap_remove(0);
    send_to(rig, &queue, 0..40);
    let mut consumer = consume(rig, group, topic, "*");
    take(&mut consumer, 20).into_iter().for_each(acked);
    await_committed(rig, &place.broker(), group, topic, 20);
    consumer
}

pub(crate) fn a_reset_wins_over_what_is_under_way(place: &Place) {
    let (topic, group, broker) = (place.topic(1), place.name(), place.broker());
    let mut config = place.config();
    config.commit_interval = Duration::from_millis(50);
    config.pull_suspend = Duration::from_secs(1);
    let rig = place.rig_with(config);
    let mut consumer = half_done(place, &rig, &group, &topic);
    let held = take(&mut consumer, 10);
    let begun = Instant::now();
    reset(&rig, &broker, &group, &topic, 0);
    // What is settled of the old life meanwhile, and its commits, move nothing.
    held.into_iter().for_each(|delivery| {
        delivery.ack();
        thread::sleep(Duration::from_millis(20));
    });
    let mut seen = Vec::new();
    let again = eventually(SOON, || {
        while let Ok(next) = consumer.recv_timeout(Duration::from_millis(100)) {
            let delivery = next.expect("a readable message");
            seen.push(number(&delivery));
            delivery.ack();
        }
        (0..40).all(|body| seen.contains(&body))
    });
    note!(place, "{:?}: all came again after {:?}", place.on(), begun.elapsed());
    assert!(again, "{seen:?} came; {:?}", rig.client.stats().consumers);
    await_committed(&rig, &broker, &group, &topic, 40);
}

pub(crate) fn two_resets_leave_one_loop_of_pulls(place: &Place) {
    let (topic, group, broker) = (place.topic(1), place.name(), place.broker());
    let mut config = place.config();
    config.pull_suspend = Duration::from_secs(3);
    let rig = place.rig_with(config);
    let mut consumer = half_done(place, &rig, &group, &topic);
    for _ in 0..2 {
        reset(&rig, &broker, &group, &topic, 0);
        thread::sleep(Duration::from_secs(2));
        drain(&mut consumer, Duration::from_millis(200));
    }
    assert!(eventually(SOON, || {
        drain(&mut consumer, Duration::from_millis(200));
        committed(&rig.client, &broker, &group, &topic) == Some(40)
    }));
    // What the broker held for the queue's former lives is answered by then; the retry topic has a
    // queue as well.
    thread::sleep(Duration::from_secs(9));
    let connections = rig.client.stats().connections;
    let pulls: usize = connections.iter().map(|one| one.in_flight).sum();
    assert!(pulls <= 2, "{}", rig.client.stats());
    send_to(&rig, &queues(&rig, &topic)[0], 40..50);
    assert_eq!(drained(&mut consumer, QUIET), (40..50).collect::<Vec<_>>());
    await_committed(&rig, &broker, &group, &topic, 50);
}
