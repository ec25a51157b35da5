//! Consumers that are suspended and resumed.

use rocketry_conformance::sim::{ClientId, Pace, World};
use rocketry_core::consumer::Outcome;
use rocketry_core::frame::RequestCode;
use rocketry_core::id::SubscriptionId;

use crate::setting::*;

fn consumer(queues: u32) -> (World, ClientId, SubscriptionId) {
    let (mut world, client) = pair(1, queues);
    let sub = consume(&mut world, client, Pace::Manual);
    world.run_for(5 * SECOND);
    (world, client, sub)
}

fn pulls(world: &World) -> u64 {
    world.cluster().requests(RequestCode::PULL_MESSAGE)
}

fn settled(world: &mut World, client: ClientId, sub: SubscriptionId) -> u32 {
    let handouts = world.take(client, sub);
    handouts.iter().for_each(|handout| world.settle_all(client, handout));
    handouts.iter().map(|handout| handout.end - handout.next).sum()
}

#[test]
fn push_11_nothing_is_handed_out_or_pulled_until_a_consumer_is_resumed() {
    let (mut world, client, sub) = consumer(4);
    world.suspend(client, sub).unwrap();
    assert!(world.engine(client).is_suspended(sub));
    assert_eq!(world.engine(client).snapshot(world.now()).consumers[0].phase, "suspended");
    // The long polls under way bring what they bring, which is kept.
    let before = pulls(&world);
    let producer = world.client(config());
    store_many(&mut world, producer, 400);
    world.run_for(60 * SECOND);
    assert!(world.take(client, sub).is_empty() && !world.engine(client).has_batch(sub));
    assert_eq!(pulls(&world), before, "a pull began");
    // It is a member still: nothing moved, and it goes on at once.
    world.resume(client, sub).unwrap();
    assert!(world.engine(client).has_batch(sub), "what the polls brought");
    let mut seen = 0;
    for _ in 0..30 {
        seen += settled(&mut world, client, sub);
        world.run_for(SECOND);
    }
    assert_eq!((seen, world.distinct()), (400, 400));
    assert_eq!(world.engine(client).snapshot(world.now()).consumers[0].phase, "member");
}

#[test]
fn push_11_what_is_out_is_settled_and_committed_while_a_consumer_is_suspended() {
    let (mut world, client, sub) = consumer(1);
    let producer = world.client(config());
    store_many(&mut world, producer, 10);
    world.run_for(SECOND);
    let handouts = world.take(client, sub);
    world.suspend(client, sub).unwrap();
    // A second time changes nothing.
    world.suspend(client, sub).unwrap();
    handouts.iter().for_each(|handout| world.settle_all(client, handout));
    world.run_for(10 * SECOND);
    assert_eq!(world.cluster().committed(0, GROUP, TOPIC, 0), Some(10));
}

#[test]
fn push_11_a_consumer_that_is_suspended_before_it_is_a_member_pulls_nothing_when_it_is_one() {
    let (mut world, client) = pair(1, 4);
    store_many(&mut world, client, 20);
    let sub = consume(&mut world, client, Pace::Manual);
    world.suspend(client, sub).unwrap();
    world.run_for(30 * SECOND);
    assert_eq!(pulls(&world), 0);
    world.resume(client, sub).unwrap();
    world.run_for(5 * SECOND);
    assert_eq!(settled(&mut world, client, sub), 20);
}

#[test]
fn a_message_that_comes_again_while_a_consumer_is_suspended_waits_for_its_resume() {
    let (mut world, client, sub) = consumer(1);
    store_many(&mut world, client, 1);
    world.run_for(SECOND);
    let handout = world.take_one(client, sub).unwrap();
    let id = rocketry_core::consumer::DeliveryId { batch: handout.batch.id(), index: handout.next };
    world.suspend(client, sub).unwrap();
    world.settle(client, id, Outcome::Again).unwrap();
    world.run_for(20 * SECOND);
    assert!(world.take(client, sub).is_empty());
    world.resume(client, sub).unwrap();
    assert_eq!(settled(&mut world, client, sub), 1);
}

#[test]
fn a_consumer_that_is_suspended_drains_and_leaves_as_any_other() {
    let (mut world, client, sub) = consumer(2);
    world.suspend(client, sub).unwrap();
    world.drain(client, sub, SECOND).unwrap();
    world.run_for(5 * SECOND);
    assert!(world.engine(client).snapshot(world.now()).consumers.is_empty());
    assert!(world.suspend(client, sub).is_err() && world.resume(client, sub).is_err());
}
