//! Messages that are sent back, come again, and become dead letters.

use std::time::{Duration, Instant};

use rocketry::proto::body::GroupConfig;
use rocketry::proto::frame::request::PlainRequest;
use rocketry::proto::frame::{Request, ResponseCode};
use rocketry::{Consumer, Delivery, Message, Topic};

use crate::cases::common::await_stored;
use crate::cases::place::{Place, Setting, note};
use crate::cases::reading::{
    QUIET, SOON, acked, ask, await_committed, consume, drain, next, number, queues, send_to, take,
};
use crate::rig::{Rig, eventually, heard};

/// Levels 3, 4 and 5 are what a first, second and third attempt wait for.
pub(crate) const QUICK: &[Setting] = &[("messageDelayLevel", "1s 1s 1s 3s 5s 1s")];
pub(crate) const NO_GROUPS: &[Setting] = &[("autoCreateSubscriptionGroup", "false")];

const SECOND: Duration = Duration::from_secs(1);

/// A client and a consumer of a topic with one queue of so many messages.
fn held(place: &Place, count: usize) -> (Rig, Consumer, String, String) {
    held_with(place, count, |_| ())
}

fn held_with(
    place: &Place,
    count: usize,
    set: impl FnOnce(&mut rocketry::Config),
) -> (Rig, Consumer, String, String) {
    let (topic, group) = (place.topic(1), place.name());
    let mut config = place.config();
    set(&mut config);
    let rig = place.rig_with(config);
    send_to(&rig, &queues(&rig, &topic)[0], 0..count);
    let consumer = consume(&rig, &group, &topic, "*");
    (rig, consumer, topic, group)
}

/// Its dead letters, of which there have to be so many.
fn dead(place: &Place, rig: &Rig, group: &str, count: i64) -> Consumer {
    let topic = format!("%DLQ%{group}");
    let named = Topic::new(&*topic).expect("a topic");
    let there = eventually(SOON, || rig.client.queues(&named).wait().is_ok());
    assert!(there, "there is no {topic}");
    // Brokers make it to be written to only, until an operator sees to it.
    let (cluster, _) = crate::cases::common::cluster_of(rig, &topic);
    let readable = rocketry::proto::body::TopicConfig::new(&topic, 1);
    rig.client.admin().create_topic(&cluster, &readable).wait().expect("readable");
    await_stored(rig, &topic, count);
    consume(rig, &place.name(), &topic, "*")
}

pub(crate) fn a_message_comes_again_later_each_time(place: &Place) {
    let (rig, mut consumer, topic, group) = held(place, 1);
    let mut delivery = next(&mut consumer);
    let first = delivery.id().into_owned();
    for (attempt, delay) in [1, 3, 5].into_iter().enumerate() {
        let begun = Instant::now();
        assert!(delivery.retry().is_taken(), "ours");
        delivery = next(&mut consumer);
        let took = begun.elapsed();
        note!(place, "attempt {} after {took:?}, {delay} s were asked for", attempt + 2);
        let late = took.checked_sub(Duration::from_secs(delay)).expect("not too early");
        assert!(late < 2 * SECOND, "{took:?}, {delay}");
        assert_eq!(delivery.attempts() as usize, attempt + 2);
        came_again(&delivery, &topic, &group, &first);
    }
    acked(delivery);
    await_committed(&rig, &place.broker(), &group, &topic, 1);
    assert!(consumer.recv_timeout(QUIET).is_err(), "it comes once more");
}

/// What one that comes again shows.
fn came_again(delivery: &Delivery, topic: &str, group: &str, first: &str) {
    assert_eq!((delivery.topic(), delivery.message().property("p")), (topic, None));
    assert_eq!(delivery.queue().topic.as_str(), format!("%RETRY%{group}"));
    assert_eq!(delivery.id(), first, "its id stays");
    assert_eq!(delivery.message().reconsume_times() as u32 + 1, delivery.attempts());
    assert!(delivery.origin_id().is_some_and(|id| !id.is_empty()), "the original's id");
}

pub(crate) fn a_retry_shows_its_topic_its_ids_and_its_count(place: &Place) {
    let (rig, mut consumer, topic, group) = held(place, 1);
    let delivery = next(&mut consumer);
    let (first, body) = (delivery.id().into_owned(), delivery.body().clone());
    assert_eq!((delivery.attempts(), delivery.topic()), (1, &*topic));
    assert!(delivery.retry_after(SECOND).is_taken(), "ours");
    let again = next(&mut consumer);
    assert_eq!((again.attempts(), again.body()), (2, &body));
    came_again(&again, &topic, &group, &first);
    acked(again);
    await_committed(&rig, &place.broker(), &group, &topic, 1);
}

pub(crate) fn a_pause_is_asked_for_and_a_rejected_message_is_dead_at_once(place: &Place) {
    let (rig, mut consumer, topic, group) = held(place, 3);
    let mut messages = take(&mut consumer, 3);
    let begun = Instant::now();
    assert!(messages.remove(2).retry_after(5 * SECOND).is_taken(), "ours");
    assert!(messages.remove(1).retry_after(SECOND).is_taken(), "ours");
    assert!(messages.remove(0).reject().is_taken(), "ours");
    let mut letters = dead(place, &rig, &group, 1);
    let letter = next(&mut letters);
    assert_eq!(number(&letter), 0);
    note!(place, "a dead letter after {:?}", begun.elapsed());
    acked(letter);
    for (body, delay) in [(1, SECOND), (2, 5 * SECOND)] {
        let delivery = next(&mut consumer);
        let took = begun.elapsed();
        note!(place, "{delay:?} were asked for, {took:?} it took");
        assert_eq!(number(&delivery), body);
        assert!(took >= delay && took < delay + 3 * SECOND, "{took:?}");
        acked(delivery);
    }
    await_committed(&rig, &place.broker(), &group, &topic, 3);
}

pub(crate) fn a_message_that_came_too_often_is_a_dead_letter(place: &Place) {
    for most in [0_u32, 2] {
        let set = |config: &mut rocketry::Config| config.max_reconsume_times = most;
        let (rig, mut consumer, topic, group) = held_with(place, 1, set);
        for attempt in 0..=most {
            let delivery = next(&mut consumer);
            assert_eq!(delivery.attempts(), attempt + 1);
            assert!(delivery.retry_after(SECOND).is_taken(), "ours");
        }
        let mut letters = dead(place, &rig, &group, 1);
        let letter = next(&mut letters);
        assert_eq!(number(&letter), 0, "{most}");
        acked(letter);
        assert!(consumer.recv_timeout(2 * SECOND).is_err(), "{most}: it comes again all the same");
        await_committed(&rig, &place.broker(), &group, &topic, 1);
    }
}

pub(crate) fn dead_letters_are_consumed_by_their_topics_name(place: &Place) {
    let (topic, group) = (place.topic(1), place.name());
    let rig = place.rig();
    let producer = rig.client.producer("letters").expect("a producer");
    let body = "a body that shrinks ".repeat(400);
    let named = Topic::new(&*topic).expect("a topic");
    let message = Message::new(named, body.clone()).tag("t").key("k1").property("p", "v");
    producer.send(message).wait().expect("stored");
    let mut consumer = consume(&rig, &group, &topic, "*");
    let delivery = next(&mut consumer);
    let first = delivery.id().into_owned();
    assert!(delivery.reject().is_taken(), "ours");
    let mut letters = dead(place, &rig, &group, 1);
    let letter = next(&mut letters);
    assert_eq!((letter.body().as_ref(), letter.id().as_ref()), (body.as_bytes(), &*first));
    let record = letter.message();
    assert_eq!((record.tags(), record.property("p")), (Some("t"), Some("v")));
    assert_eq!(record.keys().collect::<Vec<_>>(), ["k1"]);
    note!(
        place,
        "a dead letter's properties: {:?}",
        record.properties().iter().collect::<Vec<_>>()
    );
    acked(letter);
}

pub(crate) fn messages_that_always_fail_keep_no_other_waiting(place: &Place) {
    let (rig, mut consumer, topic, group) = held(place, 100);
    let (mut poisoned, mut good) = (0, 0);
    let begun = Instant::now();
    while good < 95 || poisoned < 15 {
        let delivery = next(&mut consumer);
        if number(&delivery).is_multiple_of(20) {
            poisoned += 1;
            assert!(delivery.retry_after(SECOND).is_taken(), "ours");
        } else {
            good += 1;
            acked(delivery);
            assert!(begun.elapsed() < SOON, "{good} after {:?}", begun.elapsed());
        }
    }
    await_committed(&rig, &place.broker(), &group, &topic, 100);
    note!(place, "95 others by {:?}, {poisoned} attempts of 5 poisoned ones", begun.elapsed());
}

pub(crate) fn a_group_that_is_missing_is_told_of_in_clear_words(place: &Place) {
    heard::listen(None);
    let (topic, group) = (place.topic(1), place.name());
    let mut config = place.config();
    config.heartbeat_interval = 2 * SECOND;
    let rig = place.rig_with(config);
    send_to(&rig, &queues(&rig, &topic)[0], 0..1);
    let mut consumer = consume(&rig, &group, &topic, "*");
    assert!(consumer.recv_timeout(5 * SECOND).is_err(), "it may not consume");
    let lines = heard::lines(&rig.client.id(), &group);
    note!(place, "{:?}", lines.iter().map(|(_, text)| text).collect::<Vec<_>>());
    // 5.x says so to pulls alone, and is not pulled from: it has no members of such a group.
    let clear = |text: &str| text.contains("does the group exist?") || text.contains("(26)");
    assert!(lines.iter().any(|(_, text)| clear(text)), "{lines:?}");
    // Once an operator has made it, the next heartbeat makes it a member.
    create(place, &rig, &group, 1);
    assert_eq!(drain(&mut consumer, 10 * SECOND), [0]);
}

fn create(place: &Place, rig: &Rig, group: &str, retry_queues: i32) {
    let config = GroupConfig {
        group_name: group.to_owned(),
        retry_queue_nums: retry_queues,
        ..Default::default()
    };
    if let Some(served) = place.served() {
        return served.with(|cluster| cluster.set_group(&config));
    }
    let request = Request::CreateGroup(PlainRequest::default());
    let answer = ask(rig, &place.broker(), request, config.to_json());
    assert_eq!(answer.code, ResponseCode::SUCCESS, "{:?}", answer.remark);
}

pub(crate) fn a_retry_topic_has_as_many_queues_as_its_group_says(place: &Place) {
    let (topic, group) = (place.topic(1), place.name());
    let rig = place.rig();
    create(place, &rig, &group, 3);
    send_to(&rig, &queues(&rig, &topic)[0], 0..12);
    let mut consumer = consume(&rig, &group, &topic, "*");
    for delivery in take(&mut consumer, 12) {
        assert!(delivery.retry_after(SECOND).is_taken(), "ours");
    }
    let retry = Topic::new(&*format!("%RETRY%{group}")).expect("a topic");
    let count = || rig.client.queues(&retry).wait().map_or(0, |queues| queues.len());
    assert!(eventually(SOON, || count() == 3), "{} queues", count());
    let mut again: Vec<usize> = Vec::new();
    for delivery in take(&mut consumer, 12) {
        assert_eq!(delivery.attempts(), 2);
        again.push(number(&delivery));
        acked(delivery);
    }
    again.sort_unstable();
    assert_eq!(again, (0..12).collect::<Vec<_>>());
}
