//! Messages that are sent back, come again, and become dead letters.

use std::time::Duration;

use rocketry_conformance::broker::{Fault, ListenerId, Requests};
use rocketry_conformance::sim::{ClientId, Pace, World};
use rocketry_core::config::Config;
use rocketry_core::consumer::{DeliveryId, Handout, Outcome, TopicConsumption};
use rocketry_core::engine::Note;
use rocketry_core::frame::{RequestCode, ResponseCode};
use rocketry_core::id::SubscriptionId;
use rocketry_core::message::RecordList;

use crate::setting::*;

const BACK: RequestCode = RequestCode::CONSUMER_SEND_MSG_BACK;
const RETRY: &str = "%RETRY%group_a";
const DEAD: &str = "%DLQ%group_a";
const AGAIN: Outcome = Outcome::Retry { after: None };

/// A world with so many messages in one queue, and one who consumes them by hand.
fn held_with(count: usize, set: impl FnOnce(&mut Config)) -> (World, ClientId, SubscriptionId) {
    held_in(with_retries(1, 1), count, set)
}

fn held(count: usize) -> (World, ClientId, SubscriptionId) {
    held_with(count, |_| {})
}

/// Takes what there is, each message by itself: it, and how often it was handed out before.
fn take(world: &mut World, client: ClientId, sub: SubscriptionId) -> Vec<(DeliveryId, Handout)> {
    let each = |handout: Handout| {
        (handout.next..handout.end)
            .map(move |index| (DeliveryId { batch: handout.batch.id(), index }, handout.clone()))
    };
    world.take(client, sub).into_iter().flat_map(each).collect()
}

fn only(world: &mut World, client: ClientId, sub: SubscriptionId) -> (DeliveryId, Handout) {
    let mut all = take(world, client, sub);
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

fn stored(world: &World, topic: &str) -> RecordList {
    world.cluster().messages(0, topic, 0)
}

fn backs(world: &World) -> u64 {
    world.cluster().requests(BACK)
}

fn fail_backs(world: &mut World, fault: Fault, times: usize) {
    world.with_cluster(|cluster| cluster.push_faults(BACK, vec![fault; times]));
}

/// How long until there is something to take.
fn comes(world: &mut World, client: ClientId, sub: SubscriptionId) -> Duration {
    let took = world.run_until(3 * 3600 * SECOND, |world| world.engine(client).has_batch(sub));
    took.expect("it comes again")
}

fn about(took: Duration, expected: u64) {
    let expected = Duration::from_secs(expected);
    assert!(expected <= took + ms(50) && took < expected + 2 * SECOND, "{took:?}, {expected:?}");
}

#[test]
fn retry_01_a_message_comes_again_after_ten_seconds_and_longer_each_time() {
    let (mut world, client, sub) = held(1);
    let mut id = only(&mut world, client, sub).0;
    for (attempt, delay) in [10, 30, 60, 120].into_iter().enumerate() {
        world.settle(client, id, AGAIN).unwrap();
        about(comes(&mut world, client, sub), delay);
        let (next, handout) = only(&mut world, client, sub);
        let record = handout.batch.records().record(0).unwrap();
        // RETRY-05 and RETRY-06.
        assert_eq!(handout.batch.topic(0), TOPIC);
        assert_eq!(handout.batch.queue().topic.as_str(), RETRY);
        assert_eq!(record.reconsume_times(), attempt as i32 + 1);
        assert_eq!(record.property("ORIGIN_MESSAGE_ID").map(str::len), Some(32));
        assert_eq!(Some(&*record.id()), world.delivered()[0].id.as_deref());
        id = next;
    }
    world.settle(client, id, Outcome::Done).unwrap();
    world.run_for(60 * SECOND);
    assert_eq!((committed(&world), stored(&world, DEAD).len()), (Some(1), 0));
    assert_eq!(world.cluster().committed(0, GROUP, RETRY, 0), Some(4));
}

#[test]
fn retry_02_a_pause_is_asked_for_by_its_level_and_a_rejected_message_is_a_dead_letter_at_once() {
    let (mut world, client, sub) = held(2);
    let messages = take(&mut world, client, sub);
    let after = Some(Duration::from_secs(100));
    world.settle(client, messages[0].0, Outcome::Retry { after }).unwrap();
    world.settle(client, messages[1].0, Outcome::Reject).unwrap();
    world.run_for(SECOND);
    assert_eq!(stored(&world, DEAD).len(), 1);
    assert_eq!(stored(&world, DEAD).record(0).unwrap().raw_body(), "1");
    about(comes(&mut world, client, sub) + SECOND, 120);
    assert_eq!(committed(&world), Some(2));
    let counters = world.engine(client).snapshot(rocketry_core::time::Instant::ZERO).counters;
    assert_eq!((counters.sent_back, counters.sent_back_failed), (2, 0));
}

#[test]
fn retry_03_a_message_that_came_as_often_as_it_may_is_a_dead_letter() {
    for most in [0, 2] {
        let (mut world, client, sub) = held_with(1, |config| config.max_reconsume_times = most);
        for _ in 0..most {
            let id = only(&mut world, client, sub).0;
            world.settle(client, id, AGAIN).unwrap();
            comes(&mut world, client, sub);
        }
        assert_eq!(stored(&world, DEAD).len(), 0);
        let id = only(&mut world, client, sub).0;
        world.settle(client, id, AGAIN).unwrap();
        world.run_for(60 * SECOND);
        assert!(!world.engine(client).has_batch(sub), "{most}");
        assert_eq!(stored(&world, DEAD).len(), 1, "{most}");
        let attempts = |note: &Note| match note {
            Note::DeadLetter { attempts, .. } => Some(*attempts),
            _ => None,
        };
        let told: Vec<u32> = world.notes(client).filter_map(attempts).collect();
        assert_eq!(told, [most + 1]);
        let consumer = world.engine(client).snapshot(world.now()).consumers.remove(0);
        let sum =
            |of: fn(&TopicConsumption) -> u64| consumer.consumption.iter().map(of).sum::<u64>();
        assert_eq!((sum(|one| one.sent_back), sum(|one| one.dead_lettered)), (u64::from(most), 1));
    }
}

#[test]
fn a_dead_letter_shows_the_topic_it_was_sent_to_first() {
    let (mut world, client, sub) = held(1);
    let id = only(&mut world, client, sub).0;
    world.settle(client, id, Outcome::Reject).unwrap();
    world.run_for(SECOND);
    let reader = world.client(config());
    let mut letters = from_first("letters");
    letters.topics[0].0 = topic(DEAD);
    let sub = world.subscribe(reader, letters, Pace::Manual).unwrap();
    comes(&mut world, reader, sub);
    let (_, handout) = only(&mut world, reader, sub);
    assert_eq!((handout.batch.queue().topic.as_str(), handout.batch.topic(0)), (DEAD, TOPIC));
}

#[test]
fn retry_04_the_retry_topic_is_read_from_its_first_message_on_and_is_no_topic_of_the_users() {
    let mut world = with_retries(1, 1);
    let client = world.client(config());
    store(&mut world, client, "old");
    // Something waits there from before, of a group that begins at the end.
    let first = consume(&mut world, client, Pace::Manual);
    world.run_for(5 * SECOND);
    let id = only(&mut world, client, first).0;
    world.settle(client, id, AGAIN).unwrap();
    world.run_for(SECOND);
    world.leave(client, first).unwrap();
    world.run_for(60 * SECOND);
    let mut subscribe = from_first(GROUP);
    subscribe.options.start = rocketry_core::consumer::Start::Last;
    let second = world.subscribe(client, subscribe, Pace::Manual).unwrap();
    world.run_for(5 * SECOND);
    assert_eq!(only(&mut world, client, second).1.batch.topic(0), TOPIC);
    let snapshot = world.engine(client).snapshot(rocketry_core::time::Instant::ZERO);
    assert_eq!(snapshot.consumers[0].topics, [topic(TOPIC)]);
}

#[test]
fn retry_04_a_retry_topic_that_is_not_there_is_no_trouble_and_is_not_asked_for_all_the_time() {
    let mut world = world(1, 4);
    let client = world.client(config());
    consume(&mut world, client, Pace::AtOnce);
    store(&mut world, client, "x");
    world.run_for(5 * SECOND);
    assert_eq!(bodies(&world), ["x"]);
    let before = world.cluster().requests(RequestCode::GET_ROUTEINFO_BY_TOPIC);
    world.run_for(600 * SECOND);
    let asked = world.cluster().requests(RequestCode::GET_ROUTEINFO_BY_TOPIC) - before;
    assert!(asked <= 2 * 21, "{asked} look-ups of two topics in ten minutes");
    let trouble: Vec<&Note> = world.notes(client).filter(|note| note.is_trouble()).collect();
    assert!(trouble.is_empty(), "{trouble:?}");
}

#[test]
fn retry_07_nothing_is_committed_past_a_message_before_its_broker_has_taken_it_back() {
    let (mut world, client, sub) = held(3);
    let late = Fault::Late(4 * SECOND);
    fail_backs(&mut world, late, 1);
    let messages = take(&mut world, client, sub);
    world.settle(client, messages[0].0, AGAIN).unwrap();
    for (id, _) in &messages[1..] {
        world.settle(client, *id, Outcome::Done).unwrap();
    }
    // Whatever is said of it meanwhile, it is asked for once.
    world.settle(client, messages[0].0, AGAIN).unwrap();
    world.settle(client, messages[0].0, Outcome::Again).unwrap();
    world.run_for(3900 * ms(1));
    assert_eq!(committed(&world).unwrap_or(0), 0);
    world.run_for(6 * SECOND);
    assert_eq!((committed(&world), backs(&world)), (Some(3), 1));
}

#[test]
fn retry_07_a_message_that_is_not_taken_back_is_sent_to_the_retry_topic() {
    for fault in [Fault::Refuse(ResponseCode::SYSTEM_ERROR), Fault::Lose, Fault::LoseAndClose] {
        let (mut world, client, sub) = held(1);
        fail_backs(&mut world, fault, 1);
        let id = only(&mut world, client, sub).0;
        world.settle(client, id, AGAIN).unwrap();
        let took = comes(&mut world, client, sub);
        assert!(took >= 10 * SECOND && took < 19 * SECOND, "{fault:?}: {took:?}");
        let (_, handout) = only(&mut world, client, sub);
        let record = handout.batch.records().record(0).unwrap();
        assert_eq!((handout.batch.topic(0), record.reconsume_times()), (TOPIC, 1), "{fault:?}");
        assert_eq!(record.body().unwrap(), "0");
        assert_eq!(Some(&*record.id()), world.delivered()[0].id.as_deref());
        assert_eq!(record.property("ORIGIN_MESSAGE_ID"), Some(&*record.id()));
        assert_eq!((committed(&world), backs(&world)), (Some(1), 1), "{fault:?}");
        assert!(world.notes(client).all(|note| !matches!(note, Note::SendBackFailed { .. })));
    }
}

#[test]
fn retry_07_a_rejected_message_that_is_not_taken_back_is_a_dead_letter_all_the_same() {
    let (mut world, client, sub) = held(1);
    fail_backs(&mut world, Fault::Refuse(ResponseCode::SYSTEM_ERROR), 1);
    let id = only(&mut world, client, sub).0;
    world.settle(client, id, Outcome::Reject).unwrap();
    world.run_for(10 * SECOND);
    assert_eq!((stored(&world, DEAD).len(), committed(&world)), (1, Some(1)));
    assert_eq!(stored(&world, DEAD).record(0).unwrap().raw_body(), "0");
}

#[test]
fn retry_07_a_message_that_nobody_takes_comes_again_here_after_the_delay_and_is_told_of() {
    for outcome in [AGAIN, Outcome::Reject] {
        let (mut world, client, sub) = held(1);
        let refused = Fault::Refuse(ResponseCode::NO_PERMISSION);
        fail_backs(&mut world, refused, 2);
        let mut id = only(&mut world, client, sub).0;
        for round in 1..=2 {
            world.with_cluster(|cluster| cluster.push_faults(Requests::Sends, [refused; 2]));
            world.settle(client, id, outcome).unwrap();
            about(comes(&mut world, client, sub), 5);
            let (again, handout) = only(&mut world, client, sub);
            assert_eq!((again, handout.again), (id, round), "the same message, once more");
            assert_eq!(committed(&world).unwrap_or(0), 0);
            world.with_cluster(|cluster| cluster.clear_faults());
            fail_backs(&mut world, refused, 1);
            id = again;
        }
        let told = |note: &&Note| matches!(note, Note::SendBackFailed { error: Some(_), .. });
        assert_eq!(world.notes(client).filter(told).count(), 1, "once a minute");
        world.settle(client, id, Outcome::Done).unwrap();
        world.run_for(6 * SECOND);
        assert_eq!(committed(&world), Some(1));
    }
}

#[test]
fn retry_07_a_broker_that_takes_a_message_back_and_does_not_say_so_may_have_it_come_twice() {
    for fault in [Fault::Mute, Fault::Close, Fault::Late(7 * SECOND)] {
        let (mut world, client, sub) = held(1);
        fail_backs(&mut world, fault, 1);
        let id = only(&mut world, client, sub).0;
        world.settle(client, id, AGAIN).unwrap();
        let mut came = 0;
        for _ in 0..40 {
            world.run_for(SECOND);
            for (id, _) in take(&mut world, client, sub) {
                came += 1;
                world.settle(client, id, Outcome::Done).unwrap();
            }
        }
        assert_eq!((came, committed(&world)), (2, Some(1)), "{fault:?}");
    }
}

#[test]
fn retry_10_a_message_whose_queue_moved_while_it_was_leaving_is_the_next_owners_alone() {
    let mut world = with_retries(1, 2);
    let a = world.client(config());
    store_many(&mut world, a, 8);
    let sub = consume(&mut world, a, Pace::Manual);
    world.run_for(5 * SECOND);
    fail_backs(&mut world, Fault::Late(4500 * ms(1)), 8);
    let messages = take(&mut world, a, sub);
    assert_eq!(messages.len(), 8);
    for (id, _) in &messages {
        world.settle(a, *id, AGAIN).unwrap();
    }
    world.run_for(ms(100));
    let b = world.client(config());
    let other = consume(&mut world, b, Pace::Manual);
    world.run_for(3 * SECOND);
    let moved: Vec<_> =
        take(&mut world, b, other).iter().map(|(_, h)| h.batch.queue().clone()).collect();
    assert_eq!(moved.len(), 4, "what was not answered by then is unsettled");
    let given_up = |handout: &Handout| moved.contains(handout.batch.queue());
    let lost = messages.iter().filter(|(_, handout)| given_up(handout));
    for (id, _) in lost {
        // RETRY-10: once its queue has moved, nothing is sent for it.
        assert!(world.settle(a, *id, AGAIN).is_err());
    }
    world.run_for(10 * SECOND);
    assert_eq!(backs(&world), 8);
    let kept = 1 - moved[0].queue;
    assert_eq!(world.cluster().committed(0, GROUP, TOPIC, kept as i32), Some(4));
    let passed = world.cluster().committed(0, GROUP, TOPIC, moved[0].queue as i32);
    assert_eq!(passed.unwrap_or(0), 0);
}

#[test]
fn retry_11_messages_that_always_fail_keep_no_other_one_waiting() {
    let (mut world, client, sub) = held(300);
    let mut done = 0;
    for _ in 0..20 {
        for (id, handout) in take(&mut world, client, sub) {
            let poison = id.index % 2 == 0;
            assert!(handout.batch.offset(id.index).is_some());
            world.settle(client, id, if poison { AGAIN } else { Outcome::Done }).unwrap();
            done += usize::from(!poison && handout.batch.queue().topic.as_str() == TOPIC);
        }
        world.run_for(SECOND);
    }
    assert_eq!((done, committed(&world)), (150, Some(300)));
}

#[test]
fn as_many_are_sent_back_at_a_time_as_a_broker_may_be_asked_and_the_others_follow() {
    let (mut world, client, sub) = held(200);
    world.with_cluster(|cluster| cluster.set_delay(BACK, SECOND));
    let messages = take(&mut world, client, sub);
    for (id, _) in &messages {
        world.settle(client, *id, AGAIN).unwrap();
    }
    world.run_for(ms(500));
    assert_eq!((messages.len(), backs(&world)), (200, 64));
    world.run_for(SECOND);
    assert_eq!(backs(&world), 128);
    world.run_for(5 * SECOND);
    assert_eq!((backs(&world), committed(&world)), (200, Some(200)));
}

#[test]
fn a_consumer_that_finishes_waits_for_what_is_on_its_way_back() {
    let (mut world, client, sub) = held(2);
    fail_backs(&mut world, Fault::Late(2 * SECOND), 1);
    let messages = take(&mut world, client, sub);
    world.settle(client, messages[0].0, AGAIN).unwrap();
    world.drain(client, sub, 10 * SECOND).unwrap();
    world.settle(client, messages[1].0, AGAIN).unwrap();
    world.run_for(SECOND);
    assert_eq!(world.left_unsettled(client, sub), None);
    world.run_for(2 * SECOND);
    assert_eq!((world.left_unsettled(client, sub), committed(&world)), (Some(0), Some(2)));
}

#[test]
fn a_consumer_that_finishes_leaves_what_nobody_took_to_others() {
    let (mut world, client, sub) = held(1);
    let refused = Fault::Refuse(ResponseCode::NO_PERMISSION);
    fail_backs(&mut world, refused, 1);
    world.with_cluster(|cluster| cluster.push_faults(Requests::Sends, [refused; 2]));
    let id = only(&mut world, client, sub).0;
    world.drain(client, sub, 10 * SECOND).unwrap();
    world.settle(client, id, AGAIN).unwrap();
    world.run_for(5 * SECOND);
    assert_eq!(world.left_unsettled(client, sub), Some(1));
    assert_eq!(committed(&world).unwrap_or(0), 0);
}

#[test]
fn a_consumer_that_leaves_passes_nothing_that_is_on_its_way() {
    let (mut world, client, sub) = held(2);
    fail_backs(&mut world, Fault::Late(2 * SECOND), 1);
    let messages = take(&mut world, client, sub);
    world.settle(client, messages[0].0, AGAIN).unwrap();
    world.settle(client, messages[1].0, Outcome::Done).unwrap();
    world.leave(client, sub).unwrap();
    world.run_for(10 * SECOND);
    assert!(world.left_at(client, sub).is_some());
    assert_eq!(committed(&world).unwrap_or(0), 0);
}

#[test]
fn a_broker_that_dies_with_messages_on_their_way_back_loses_none() {
    let (mut world, client, sub) = held(20);
    world.with_cluster(|cluster| cluster.set_delay(BACK, SECOND));
    let messages = take(&mut world, client, sub);
    for (id, _) in &messages {
        world.settle(client, *id, AGAIN).unwrap();
    }
    world.run_for(ms(500));
    world.take_down(0);
    world.run_for(8 * SECOND);
    assert_eq!(committed(&world).unwrap_or(0), 0);
    world.with_cluster(|cluster| cluster.set_delay(BACK, Duration::ZERO));
    world.bring_up(0);
    let mut came = std::collections::BTreeSet::new();
    for _ in 0..120 {
        world.run_for(SECOND);
        for (id, handout) in take(&mut world, client, sub) {
            let record = handout.batch.records().record(id.index as usize).unwrap();
            came.insert(record.id().into_owned());
            let _ = world.settle(client, id, Outcome::Done);
        }
    }
    assert_eq!((came.len(), committed(&world)), (20, Some(20)));
}

#[test]
fn a_message_that_is_held_for_too_long_is_sent_back_and_settled_by_its_broker() {
    let timeout = Some(40 * SECOND);
    let (mut world, client, sub) = held_with(2, |config| {
        (config.consume_timeout, config.slow_after) = (timeout, Some(16 * SECOND));
    });
    let messages = take(&mut world, client, sub);
    let batch = messages[0].1.batch.clone();
    world.settle(client, messages[1].0, Outcome::Done).unwrap();
    world.run_for(39 * SECOND);
    let slow: Vec<&Note> =
        world.notes(client).filter(|note| matches!(note, Note::SlowConsumer { .. })).collect();
    assert_eq!(slow.len(), 1, "{slow:?}");
    assert!(
        matches!(slow[0], Note::SlowConsumer { offset: Some(0), held, .. } if *held >= 16 * SECOND)
    );
    assert!(!batch.is_taken_away(0) && backs(&world) == 0);
    world.run_for(6 * SECOND);
    assert!(batch.is_taken_away(0) && !batch.is_taken_away(1));
    assert_eq!(backs(&world), 1);
    let told = |note: &&Note| matches!(note, Note::HeldTooLong { count: 1, .. });
    assert_eq!(world.notes(client).filter(told).count(), 1);
    let took = comes(&mut world, client, sub);
    assert!(took > 4 * SECOND && took < 10 * SECOND, "ten seconds after it was taken: {took:?}");
    assert_eq!(committed(&world), Some(2));
    // The one that came again may be held as long, and no longer.
    let again = only(&mut world, client, sub);
    assert_eq!(again.1.batch.topic(0), TOPIC);
    world.run_for(60 * SECOND);
    assert!(again.1.batch.is_taken_away(0));
}

#[test]
fn a_message_held_for_too_long_that_nobody_takes_is_handed_out_again_and_counts_then() {
    let (mut world, client, sub) =
        held_with(1, |config| config.consume_timeout = Some(10 * SECOND));
    let refused = Fault::Refuse(ResponseCode::NO_PERMISSION);
    fail_backs(&mut world, refused, 1);
    world.with_cluster(|cluster| cluster.push_faults(Requests::Sends, [refused; 2]));
    let (id, handout) = only(&mut world, client, sub);
    world.run_for(14 * SECOND);
    assert!(handout.batch.is_taken_away(0));
    comes(&mut world, client, sub);
    let (again, _) = only(&mut world, client, sub);
    assert!(id == again && !handout.batch.is_taken_away(0));
    world.settle(client, again, Outcome::Done).unwrap();
    world.run_for(6 * SECOND);
    assert_eq!(committed(&world), Some(1));
}

#[test]
fn without_limits_a_message_may_be_held_for_ever_and_nothing_is_looked_for() {
    let (mut world, client, sub) =
        held_with(1, |config| (config.consume_timeout, config.slow_after) = (None, None));
    let id = only(&mut world, client, sub).0;
    world.run_for(3600 * SECOND);
    assert!(world.notes(client).all(|note| !matches!(note, Note::SlowConsumer { .. })));
    world.settle(client, id, Outcome::Done).unwrap();
    world.run_for(6 * SECOND);
    assert_eq!((committed(&world), backs(&world)), (Some(1), 0));
}

#[test]
fn a_message_whose_body_is_damaged_is_rejected_by_its_place_and_comes_out_whole() {
    let mut world = with_retries(1, 1);
    let client = world.client(config());
    store_many(&mut world, client, 3);
    world.tamper(|_, way, bytes| {
        // Lengths that lie, of the record at offset 1: its broker has it as it was.
        let magic = [0xDA, 0xA3, 0x20, 0xA7];
        let places: Vec<usize> = (4..bytes.len().saturating_sub(84))
            .filter(|at| bytes[*at..].starts_with(&magic))
            .collect();
        if way == rocketry_conformance::sim::Way::Down && places.len() == 3 {
            bytes[places[1] + 80..places[1] + 84].copy_from_slice(&[0xff; 4]);
        }
    });
    let sub = consume(&mut world, client, Pace::Manual);
    world.run_for(5 * SECOND);
    world.tamper_no_more();
    for (id, handout) in take(&mut world, client, sub) {
        let readable = handout.batch.records().record(id.index as usize).is_some();
        let outcome = if readable { Outcome::Done } else { Outcome::Reject };
        world.settle(client, id, outcome).unwrap();
    }
    world.run_for(6 * SECOND);
    assert_eq!((committed(&world), stored(&world, DEAD).len()), (Some(3), 1));
    assert_eq!(stored(&world, DEAD).record(0).unwrap().body().unwrap(), "1");
    assert_eq!(world.cluster().requests_at(ListenerId::Broker(0), BACK), 1);
}
