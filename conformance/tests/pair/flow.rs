//! Backpressure, and messages that are to come again.

use std::time::Duration;

use rocketry_conformance::sim::{ClientId, Pace, World};
use rocketry_core::config::Config;
use rocketry_core::consumer::{DeliveryId, Handout, Outcome};
use rocketry_core::frame::RequestCode;
use rocketry_core::id::SubscriptionId;

use crate::setting::*;

fn consumer_of(count: usize, set: impl FnOnce(&mut Config)) -> (World, ClientId, SubscriptionId) {
    let (mut world, client, sub) = held_in(world(1, 1), count, set);
    world.run_for(5 * SECOND);
    (world, client, sub)
}

#[test]
fn push_03_a_full_window_pauses_the_pulls_and_settling_resumes_them() {
    let (mut world, client, sub) = consumer_of(300, |config| config.queue_messages = 64);
    let pulls = world.cluster().requests(RequestCode::PULL_MESSAGE);
    assert_eq!(pulls, 2);
    world.run_for(60 * SECOND);
    assert_eq!(world.cluster().requests(RequestCode::PULL_MESSAGE), pulls);
    let mut taken = 0;
    while taken < 300 {
        let handouts = world.take(client, sub);
        let got: u32 = handouts.iter().map(|h| h.end - h.next).sum();
        assert!(got > 0 && got <= 64, "{got} after {taken}");
        taken += got;
        for handout in handouts {
            world.settle_all(client, &handout);
        }
        world.run_for(SECOND);
    }
    assert_eq!(world.distinct(), 300);
}

#[test]
fn push_04_a_window_full_of_bytes_pauses_the_pulls() {
    let (mut world, client, sub) = consumer_of(300, |config| config.queue_bytes = 10_000);
    let got: u32 = world.take(client, sub).iter().map(|h| h.end - h.next).sum();
    assert!(got < 300, "{got}");
    assert_eq!(world.cluster().held_pulls(0), 0);
}

#[test]
fn a_consumer_may_hold_and_ask_for_less_than_its_client_says() {
    let mut world = world(1, 1);
    let client = world.client(config());
    store_many(&mut world, client, 300);
    let mut subscribe = from_first("g");
    subscribe.options = subscribe.options.queue_messages(48).pull_batch(16);
    let sub = world.subscribe(client, subscribe, Pace::Manual).unwrap();
    world.run_for(10 * SECOND);
    assert_eq!(world.cluster().requests(RequestCode::PULL_MESSAGE), 3);
    let got: u32 = world.take(client, sub).iter().map(|h| h.end - h.next).sum();
    assert_eq!(got, 48);
}

#[test]
fn a_consumer_may_have_a_retry_delay_of_its_own() {
    let mut world = world(1, 1);
    let client = world.client(config());
    store_many(&mut world, client, 1);
    let mut subscribe = from_first("g");
    subscribe.options = subscribe.options.retry_delay(ms(300));
    let sub = world.subscribe(client, subscribe, Pace::Manual).unwrap();
    world.run_for(10 * SECOND);
    let id = first(&mut world, client, sub);
    world.settle(client, id, Outcome::Again).unwrap();
    let took = world.run_until(SECOND, |world| world.engine(client).has_batch(sub));
    assert_eq!(took, Some(ms(30)), "a tenth of it, for one that is dropped");
    assert_eq!(first(&mut world, client, sub), id);
}

fn first(world: &mut World, client: ClientId, sub: SubscriptionId) -> DeliveryId {
    let handouts = world.take(client, sub);
    let handout = handouts.first().unwrap();
    DeliveryId { batch: handout.batch.id(), index: handout.next }
}

#[test]
fn a_message_that_is_to_come_again_here_comes_after_its_pause_exactly() {
    let (mut world, client, sub) = consumer_of(3, |_| {});
    let id = first(&mut world, client, sub);
    for round in 1..=3 {
        world.settle(client, id, Outcome::Here(ms(2500))).unwrap();
        let took = world.run_until(10 * SECOND, |world| world.engine(client).has_batch(sub));
        assert_eq!(took, Some(ms(2500)));
        assert_eq!(first(&mut world, client, sub), id);
        assert_eq!(world.delivered().len(), 3 + round);
    }
    world.settle(client, id, Outcome::Done).unwrap();
    world.run_for(10 * SECOND);
    assert!(!world.engine(client).has_batch(sub));
}

#[test]
fn push_17_a_dropped_message_comes_again_after_a_pause_that_grows_and_behind_its_neighbours() {
    let (mut world, client, sub) = consumer_of(80, |_| {});
    let handout = one(&mut world, client, sub).unwrap();
    let id = DeliveryId { batch: handout.batch.id(), index: handout.next };
    world.settle(client, id, Outcome::Again).unwrap();
    world.run_for(ms(150));
    // Two batches of later messages come first.
    let order: Vec<u32> =
        std::iter::from_fn(|| one(&mut world, client, sub)).map(|h| h.end - h.next).collect();
    assert_eq!(order, [32, 16, 1]);
    for pause in [200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000] {
        world.settle(client, id, Outcome::Again).unwrap();
        let took = world.run_until(60 * SECOND, |world| world.engine(client).has_batch(sub));
        assert_eq!(took, Some(ms(pause)));
        assert_eq!(first(&mut world, client, sub), id);
    }
    world.settle(client, id, Outcome::Done).unwrap();
    assert!(!world.engine(client).has_batch(sub));
    // A settled message can't be had again.
    world.settle(client, id, Outcome::Again).unwrap();
    world.settle(client, id, Outcome::Here(SECOND)).unwrap();
    world.run_for(60 * SECOND);
    assert!(!world.engine(client).has_batch(sub));
}

/// One run of messages, if there is any.
fn one(world: &mut World, client: ClientId, sub: SubscriptionId) -> Option<Handout> {
    world.take_one(client, sub)
}

#[test]
fn push_17_a_handler_that_fails_on_one_message_for_ever_does_not_keep_others_waiting() {
    let (mut world, client, sub) = consumer_of(500, |_| {});
    let (mut failed, mut done) = (0, 0);
    for _ in 0..600 {
        for handout in world.take(client, sub) {
            for index in handout.next..handout.end {
                let id = DeliveryId { batch: handout.batch.id(), index };
                let outcome = if handout.batch.offset(index) == Some(0) {
                    failed += 1;
                    Outcome::Again
                } else {
                    done += 1;
                    Outcome::Done
                };
                world.settle(client, id, outcome).unwrap();
            }
        }
        world.run_for(ms(100));
    }
    assert_eq!(done, 499);
    // 0.1, 0.3, 0.7 s and so on: nine times and the first one within a minute.
    assert!((8..=11).contains(&failed), "{failed}");
    assert_eq!(world.cluster().committed(0, GROUP, TOPIC, 0).unwrap_or(0), 0);
}

#[test]
fn push_17_without_a_delay_a_message_given_back_still_leaves_time_to_others() {
    let (mut world, client, sub) = consumer_of(2, |config| config.retry_delay = ms(0));
    let id = first(&mut world, client, sub);
    let here = Outcome::Here(Duration::ZERO);
    for outcome in [here, Outcome::Again, here] {
        world.settle(client, id, outcome).unwrap();
        let took = world.run_until(SECOND, |world| world.engine(client).has_batch(sub));
        assert_eq!(took, Some(ms(1)), "{outcome:?}");
        assert_eq!(first(&mut world, client, sub), id);
    }
}

#[test]
fn push_17_messages_given_back_in_any_order_come_each_at_its_own_time() {
    let (mut world, client, sub) = consumer_of(10, |_| {});
    let id = first(&mut world, client, sub);
    let at = |index| DeliveryId { index, ..id };
    // The pause that was asked for is longer than that of the drop after it.
    world.settle(client, at(0), Outcome::Here(ms(1500))).unwrap();
    world.settle(client, at(1), Outcome::Again).unwrap();
    world.run_for(ms(50));
    world.settle(client, at(2), Outcome::Again).unwrap();
    let mut order = Vec::new();
    for _ in 0..40 {
        world.run_for(ms(50));
        while let Some(handout) = one(&mut world, client, sub) {
            order.push((handout.next, handout.end));
        }
    }
    assert_eq!(order, [(1, 2), (2, 3), (0, 1)]);
}

#[test]
fn push_17_a_thousand_messages_given_back_keep_one_timer_and_go_with_their_queue() {
    let (mut world, client, sub) = consumer_of(900, |_| {});
    let before = world.engine(client).stats().timers;
    for handout in world.take(client, sub) {
        for index in handout.next..handout.end {
            let id = DeliveryId { batch: handout.batch.id(), index };
            let outcome = if index % 2 == 0 { Outcome::Again } else { Outcome::Here(SECOND) };
            world.settle(client, id, outcome).unwrap();
        }
    }
    // One for them, and one to see how long messages are held.
    assert!(world.engine(client).stats().timers <= before + 2);
    world.leave(client, sub).unwrap();
    world.run_for(60 * SECOND);
    assert!(!world.engine(client).has_batch(sub));
}

#[test]
fn nothing_is_committed_past_a_message_that_is_to_come_again() {
    let (mut world, client, sub) = consumer_of(10, |_| {});
    let id = first(&mut world, client, sub);
    for index in 1..10 {
        world.settle(client, DeliveryId { index, ..id }, Outcome::Done).unwrap();
    }
    for _ in 0..5 {
        world.settle(client, id, Outcome::Here(SECOND)).unwrap();
        world.run_for(6 * SECOND);
        assert_eq!(world.cluster().committed(0, GROUP, TOPIC, 0).unwrap_or(0), 0);
        assert_eq!(first(&mut world, client, sub), id);
    }
    world.settle(client, id, Outcome::Done).unwrap();
    world.run_for(6 * SECOND);
    assert_eq!(world.cluster().committed(0, GROUP, TOPIC, 0), Some(10));
}

#[test]
fn a_queue_that_moved_away_takes_its_messages_along() {
    let mut world = world(1, 8);
    let a = world.client(config());
    let sub = consume(&mut world, a, Pace::Manual);
    store_many(&mut world, a, 80);
    world.run_for(3 * SECOND);
    let b = world.client(config());
    let other = consume(&mut world, b, Pace::Manual);
    world.run_for(3 * SECOND);
    let queues =
        |handouts: Vec<rocketry_core::consumer::Handout>| -> std::collections::BTreeSet<u32> {
            handouts.iter().map(|handout| handout.batch.queue().queue).collect()
        };
    let (mine, theirs) = (queues(world.take(a, sub)), queues(world.take(b, other)));
    assert_eq!((mine.len(), theirs.len()), (4, 4));
    assert!(mine.is_disjoint(&theirs), "{mine:?} {theirs:?}");
}
