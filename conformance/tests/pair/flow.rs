//! Backpressure, and messages that are to come again.

use rocketry_conformance::sim::{ClientId, Pace, World};
use rocketry_core::consumer::{DeliveryId, Outcome};
use rocketry_core::frame::RequestCode;
use rocketry_core::id::SubscriptionId;

use crate::setting::*;

fn consumer_of(
    count: usize,
    set: impl FnOnce(&mut rocketry_core::config::Config),
) -> (World, ClientId, SubscriptionId) {
    let mut world = world(1, 1);
    let producer = world.client(config());
    store_many(&mut world, producer, count);
    let mut config = config();
    set(&mut config);
    let client = world.client(config);
    let sub = consume(&mut world, client, Pace::Manual);
    world.run_for(10 * SECOND);
    (world, client, sub)
}

#[test]
fn a_full_window_pauses_the_pulls_and_settling_resumes_them() {
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
fn a_window_full_of_bytes_pauses_the_pulls() {
    let (mut world, client, sub) = consumer_of(300, |config| config.queue_bytes = 10_000);
    let got: u32 = world.take(client, sub).iter().map(|h| h.end - h.next).sum();
    assert!(got < 300, "{got}");
    assert_eq!(world.cluster().held_pulls(0), 0);
}

fn first(world: &mut World, client: ClientId, sub: SubscriptionId) -> DeliveryId {
    let handouts = world.take(client, sub);
    let handout = handouts.first().unwrap();
    DeliveryId { batch: handout.batch.id(), index: handout.next }
}

#[test]
fn a_message_to_be_retried_comes_after_retry_delay_exactly() {
    let (mut world, client, sub) = consumer_of(3, |config| config.retry_delay = ms(2500));
    let id = first(&mut world, client, sub);
    for round in 1..=3 {
        world.settle(client, id, Outcome::Later).unwrap();
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
fn a_dropped_message_comes_at_once_and_before_others() {
    let (mut world, client, sub) = consumer_of(40, |_| {});
    let id = first(&mut world, client, sub);
    world.settle(client, id, Outcome::Again).unwrap();
    assert!(world.engine(client).has_batch(sub));
    assert_eq!(first(&mut world, client, sub), id);
    world.settle(client, id, Outcome::Done).unwrap();
    assert!(!world.engine(client).has_batch(sub));
    // A settled message can't be had again.
    world.settle(client, id, Outcome::Again).unwrap();
    world.settle(client, id, Outcome::Later).unwrap();
    world.run_for(5 * SECOND);
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
        world.settle(client, id, Outcome::Later).unwrap();
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
