//! Plain pulls: what a broker answers, and when.

use std::time::{Duration, Instant};

use rocketry::proto::frame::reply::{PullReply, ReplyFields};
use rocketry::proto::frame::request::PullRequest;
use rocketry::proto::frame::{Request, ResponseCode};
use rocketry::proto::query::{Response, Target};
use rocketry::proto::rng::Rng;
use rocketry::{Message, QueueName, SendOptions};

use crate::cases::common::{await_stored, named};
use crate::cases::place::{Place, note};
use crate::cases::reading::{
    SOON, acked, await_committed, committed, consume, next, number, queues, send_to,
};
use crate::rig::{Rig, eventually};

/// Bits of a pull's system flag (`PullSysFlag`).
const COMMIT: i32 = 1;
const SUSPEND: i32 = 2;
const SUBSCRIPTION: i32 = 4;

/// A pull of up to 32 messages with all tags, which is not held, and what `set` changes of it.
fn pull(
    rig: &Rig,
    queue: &QueueName,
    offset: i64,
    set: impl FnOnce(&mut PullRequest),
) -> (Response, PullReply) {
    let mut request = PullRequest {
        consumer_group: "plain_pulls".into(),
        topic: queue.topic.wire().clone(),
        queue_id: queue.queue as i32,
        queue_offset: offset,
        max_messages: 32,
        sys_flag: SUBSCRIPTION,
        subscription: Some("*".into()),
        expression_type: Some("TAG".into()),
        broker: Some(queue.broker.clone()),
        ..Default::default()
    };
    set(&mut request);
    let target = Target::Queue(queue.clone());
    let asked = rig.client.admin().call(target, Request::Pull(request), bytes::Bytes::new());
    let answer = asked.wait().expect("an answer");
    let fields = match &answer.fields {
        Ok(ReplyFields::Pull(fields)) => fields.clone(),
        other => panic!("{:?}: {other:?}", answer.code),
    };
    (answer, fields)
}

fn one_queue(place: &Place) -> (Rig, QueueName) {
    let topic = place.topic(1);
    let mut config = place.config();
    config.request_timeout = Duration::from_secs(20);
    let rig = place.rig_with(config);
    let queue = queues(&rig, &topic).swap_remove(0);
    (rig, queue)
}

pub(crate) fn an_empty_queue_is_answered_at_once(place: &Place) {
    let (rig, queue) = one_queue(place);
    let begun = Instant::now();
    let (answer, fields) = pull(&rig, &queue, 0, |_| ());
    assert_eq!((answer.code, fields.next_begin_offset), (ResponseCode::PULL_NOT_FOUND, 0));
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert!(answer.records.is_empty());
}

pub(crate) fn a_message_is_there_within_a_tenth_of_a_second_of_its_send(place: &Place) {
    let (topic, group) = (place.topic(4), place.name());
    let (rig, sender) = (place.rig(), place.rig());
    let mut consumer = consume(&rig, &group, &topic, "*");
    let producer = sender.client.producer("soon").expect("a producer");
    let mut late = Vec::new();
    for round in 0..24 {
        let message = Message::new(named(&topic), round.to_string());
        producer.send(message).wait().expect("stored");
        let sent = Instant::now();
        acked(next(&mut consumer));
        // The first ones come before the consumer is a member.
        if round >= 4 {
            late.push(sent.elapsed());
        }
        // By then the pull of its queue is held again.
        std::thread::sleep(Duration::from_millis(20));
    }
    late.sort_unstable();
    let (half, last) = (late[late.len() / 2], late[late.len() - 1]);
    note!(place, "{:?}: half came within {half:?} of their sends, all within {last:?}", place.on());
    assert!(half < Duration::from_millis(100), "{late:?}");
}

pub(crate) fn a_pull_that_finds_nothing_is_answered_after_its_time(place: &Place) {
    let (rig, queue) = one_queue(place);
    send_to(&rig, &queue, 0..3);
    await_stored(&rig, queue.topic.as_str(), 3);
    let begun = Instant::now();
    let (answer, fields) = pull(&rig, &queue, 3, |request| {
        request.sys_flag |= SUSPEND;
        request.suspend_timeout_millis = 2000;
    });
    let took = begun.elapsed();
    note!(place, "held for 2 s, answered after {took:?}");
    assert_eq!((answer.code, fields.next_begin_offset), (ResponseCode::PULL_NOT_FOUND, 3));
    // Java looks at what it holds every 5 s.
    assert!(took >= Duration::from_millis(1900) && took < Duration::from_secs(9), "{took:?}");
}

pub(crate) fn outside_its_queue_a_pull_is_told_where_to_go_on(place: &Place) {
    let (rig, queue) = one_queue(place);
    let (topic, group) = (queue.topic.as_str(), place.name());
    send_to(&rig, &queue, 0..10);
    await_stored(&rig, topic, 10);
    for offset in [-1, 11, 1000] {
        let (answer, fields) = pull(&rig, &queue, offset, |_| ());
        assert_eq!(answer.code, ResponseCode::PULL_OFFSET_MOVED, "{offset}");
        assert_eq!((fields.min_offset, fields.max_offset), (0, 10), "{offset}");
        assert!((0..=10).contains(&fields.next_begin_offset), "{offset}: {fields:?}");
    }
    // At the end there is nothing to move.
    let (answer, fields) = pull(&rig, &queue, 10, |_| ());
    assert_eq!((answer.code, fields.next_begin_offset), (ResponseCode::PULL_NOT_FOUND, 10));
    // A group that stands beyond the end comes back to it.
    let broker = place.broker();
    pull(&rig, &queue, 0, |request| {
        request.consumer_group = group.as_str().into();
        (request.sys_flag, request.commit_offset) = (SUBSCRIPTION | COMMIT, 1000);
    });
    await_committed(&rig, &broker, &group, topic, 1000);
    let mut consumer = consume(&rig, &group, topic, "*");
    let back = eventually(SOON, || {
        let consumers = rig.client.stats().consumers;
        let mut queues = consumers[0].queues.iter();
        queues.any(|queue| queue.state == "pulling" && (1..=10).contains(&queue.next))
    });
    assert!(back, "{:?}", rig.client.stats().consumers);
    send_to(&rig, &queue, [10]);
    while {
        let delivery = next(&mut consumer);
        let body = number(&delivery);
        acked(delivery);
        body != 10
    } {}
    await_committed(&rig, &broker, &group, topic, 11);
}

pub(crate) fn where_nothing_matches_a_pull_is_led_on(place: &Place) {
    let (rig, queue) = one_queue(place);
    let producer = rig.client.producer("tags").expect("a producer");
    for _ in 0..40 {
        let message = Message::new(queue.topic.clone(), "x").tag("b");
        producer.send_with(message, SendOptions::to(&queue)).wait().expect("stored");
    }
    await_stored(&rig, queue.topic.as_str(), 40);
    let mut offset = 0;
    while offset < 40 {
        let (answer, fields) =
            pull(&rig, &queue, offset, |request| request.subscription = Some("a".into()));
        assert_eq!(answer.code, ResponseCode::PULL_RETRY_IMMEDIATELY, "{offset}");
        assert!(fields.next_begin_offset > offset, "{offset}: {fields:?}");
        assert!(answer.records.is_empty());
        offset = fields.next_begin_offset;
    }
}

pub(crate) fn a_pull_from_memory_brings_32_messages_and_256_kibibytes_at_most(place: &Place) {
    let (rig, queue) = one_queue(place);
    send_to(&rig, &queue, 0..64);
    let producer = rig.client.producer("large").expect("a producer");
    let mut rng = Rng::new(7);
    for _ in 0..16 {
        // Not to be compressed.
        let body: Vec<u8> = (0..7500).flat_map(|_| rng.next_u64().to_le_bytes()).collect();
        let message = Message::new(queue.topic.clone(), body);
        producer.send_with(message, SendOptions::to(&queue)).wait().expect("stored");
    }
    await_stored(&rig, queue.topic.as_str(), 80);
    let (answer, _) = pull(&rig, &queue, 0, |request| request.max_messages = 64);
    assert_eq!(answer.records.len(), 32);
    let (answer, _) = pull(&rig, &queue, 64, |_| ());
    let (count, bytes) = (answer.records.len(), answer.records.byte_len());
    note!(place, "{count} of 16 large ones came at once, {bytes} bytes");
    assert!(count >= 1 && bytes <= (256 << 10) + 70_000, "{count} messages, {bytes} bytes");
}

pub(crate) fn a_pull_may_bring_an_offset_to_commit(place: &Place) {
    let (rig, queue) = one_queue(place);
    let (broker, group) = (place.broker(), place.name());
    send_to(&rig, &queue, 0..10);
    await_stored(&rig, queue.topic.as_str(), 10);
    let stored = || committed(&rig.client, &broker, &group, queue.topic.as_str());
    let asked = |flag: i32, offset: i64| {
        pull(&rig, &queue, 0, |request| {
            request.consumer_group = group.as_str().into();
            (request.sys_flag, request.commit_offset) = (SUBSCRIPTION | flag, offset);
        })
    };
    asked(0, 5);
    assert!(stored().is_none_or(|offset| offset == 0), "{:?} without the flag", stored());
    asked(COMMIT, 7);
    await_committed(&rig, &broker, &group, queue.topic.as_str(), 7);
}
