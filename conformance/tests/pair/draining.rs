//! Consumers that finish: what was handed out may be settled, and nothing else is handed out.

use std::time::Duration;

use rocketry_conformance::sim::{ClientId, Pace, World};
use rocketry_core::consumer::{DeliveryId, Handout, Outcome};
use rocketry_core::error::Stale;
use rocketry_core::frame::RequestCode;
use rocketry_core::id::SubscriptionId;

use crate::setting::*;

const PULL: RequestCode = RequestCode::PULL_MESSAGE;

/// A consumer of one queue whose application holds ten messages, settled at the test's word.
fn holding(seed: u64) -> (World, ClientId, SubscriptionId, Vec<Handout>) {
    let (mut world, client) = pair(seed, 1);
    store_many(&mut world, client, 10);
    let sub = consume(&mut world, client, Pace::Manual);
    world.run_for(3 * SECOND);
    let handouts = world.take(client, sub);
    assert_eq!(held(&handouts).len(), 10);
    (world, client, sub, handouts)
}

fn held(handouts: &[Handout]) -> Vec<DeliveryId> {
    let ids = |handout: &Handout| {
        let batch = handout.batch.id();
        (handout.next..handout.end).map(move |index| DeliveryId { batch, index })
    };
    handouts.iter().flat_map(ids).collect()
}

fn settle(world: &mut World, client: ClientId, ids: &[DeliveryId]) -> Result<(), Stale> {
    ids.iter().try_for_each(|id| world.settle(client, *id, Outcome::Done))
}

#[test]
fn life_03_a_shutdown_waits_for_what_is_being_handled_and_commits_it() {
    let (mut world, client, sub, handouts) = holding(1);
    world.shutdown(client);
    let ids = held(&handouts);
    for id in &ids[..9] {
        world.run_for(ms(200));
        assert_eq!(settle(&mut world, client, &[*id]), Ok(()));
    }
    assert_eq!((world.left_at(client, sub), world.stopped_at(client)), (None, None));
    // The last one by its bit alone, as the handles do: the engine hears of it all the same.
    let last = &handouts[handouts.len() - 1];
    world.settle_all(client, &Handout { next: last.end - 1, ..last.clone() });
    world.run_until(ms(100), |world| world.stopped_at(client).is_some()).unwrap();
    assert_eq!(committed(&world), Some(10));
    assert_eq!(world.left_unsettled(client, sub), Some(0));
}

#[test]
fn life_03_a_handler_that_never_ends_delays_a_shutdown_to_its_deadline_and_what_is_settled_counts()
{
    let (mut world, client, sub, handouts) = holding(2);
    let within = world.engine(client).config().shutdown_timeout;
    world.shutdown(client);
    assert_eq!(settle(&mut world, client, &held(&handouts)[..4]), Ok(()));
    let took = world.run_until(within, |world| world.stopped_at(client).is_some()).unwrap();
    assert!(took > within / 2, "{took:?}");
    assert_eq!((committed(&world), world.left_unsettled(client, sub)), (Some(4), Some(6)));
    assert_eq!(settle(&mut world, client, &held(&handouts)[4..]), Err(Stale));
}

#[test]
fn a_consumer_that_drains_pulls_and_hands_out_nothing_and_commits_as_it_goes() {
    let (mut world, client, sub, handouts) = holding(3);
    world.drain(client, sub, 60 * SECOND).unwrap();
    // Dropping it now does not cut it short.
    world.leave(client, sub).unwrap();
    let pulls = world.cluster().requests(PULL);
    store_many(&mut world, client, 5);
    world.run_for(20 * SECOND);
    assert_eq!(world.cluster().requests(PULL), pulls);
    assert!(world.take(client, sub).is_empty());
    let ids = held(&handouts);
    settle(&mut world, client, &ids[..7]).unwrap();
    world.run_for(6 * SECOND);
    assert_eq!(committed(&world), Some(7));
    assert!(!world.cluster().consumers(0, GROUP).is_empty(), "it is a member still");
    settle(&mut world, client, &ids[7..]).unwrap();
    world.run_until(ms(100), |world| world.left_at(client, sub).is_some()).unwrap();
    assert_eq!((committed(&world), world.left_unsettled(client, sub)), (Some(10), Some(0)));
    assert!(world.cluster().consumers(0, GROUP).is_empty());
}

#[test]
fn what_was_pulled_and_not_handed_out_is_not_waited_for() {
    let (mut world, client) = pair(4, 1);
    store_many(&mut world, client, 10);
    let sub = consume(&mut world, client, Pace::Manual);
    world.run_for(3 * SECOND);
    world.drain(client, sub, 60 * SECOND).unwrap();
    world.run_until(ms(100), |world| world.left_at(client, sub).is_some()).unwrap();
    assert_eq!((committed(&world).unwrap_or(0), world.left_unsettled(client, sub)), (0, Some(0)));
}

#[test]
fn what_is_given_back_while_a_consumer_drains_goes_to_others() {
    for outcome in [Outcome::Again, Outcome::Here(SECOND)] {
        let (mut world, client, sub, handouts) = holding(5);
        let ids = held(&handouts);
        // One was given back before, and waits: it is not waited for either.
        world.settle(client, ids[9], Outcome::Here(SECOND)).unwrap();
        world.drain(client, sub, 60 * SECOND).unwrap();
        world.settle(client, ids[3], outcome).unwrap();
        settle(&mut world, client, &[&ids[..3], &ids[4..9]].concat()).unwrap();
        world.run_until(ms(100), |world| world.left_at(client, sub).is_some()).unwrap();
        // The one that waited before was not held any more.
        assert_eq!((committed(&world), world.left_unsettled(client, sub)), (Some(3), Some(1)));
        let before = world.delivered().len();
        consume(&mut world, client, Pace::AtOnce);
        world.run_for(3 * SECOND);
        assert_eq!(world.delivered().len(), before + 7, "from the first one given back on");
    }
}

#[test]
fn a_second_drain_may_only_shorten_the_time() {
    let leaves = |first, second| {
        let (mut world, client, sub, _handouts) = holding(6);
        let start = world.now();
        for within in [first, second] {
            world.drain(client, sub, within).unwrap();
        }
        world.run_for(20 * SECOND);
        assert_eq!(world.left_unsettled(client, sub), Some(10));
        world.left_at(client, sub).unwrap().since(start)
    };
    for (first, second) in [(9 * SECOND, 2 * SECOND), (2 * SECOND, 9 * SECOND)] {
        let took = leaves(first, second);
        assert!(took >= 2 * SECOND && took < 2 * SECOND + ms(100), "{took:?}");
    }
    let took = leaves(Duration::ZERO, Duration::ZERO);
    assert!(took < ms(100), "{took:?}");
}

/// Two members, the first of which holds what it has of eight queues.
fn members(seed: u64) -> (World, [ClientId; 2], [SubscriptionId; 2], Vec<Handout>) {
    let (mut world, first) = pair(seed, 8);
    let second = world.client(config());
    store_many(&mut world, first, 80);
    let subs =
        [consume(&mut world, first, Pace::Manual), consume(&mut world, second, Pace::AtOnce)];
    world.run_for(5 * SECOND);
    let handouts = world.take(first, subs[0]);
    (world, [first, second], subs, handouts)
}

#[test]
fn a_consumer_that_drains_gains_no_queue_of_a_member_that_leaves() {
    let (mut world, [first, second], subs, handouts) = members(7);
    world.drain(first, subs[0], 60 * SECOND).unwrap();
    world.leave(second, subs[1]).unwrap();
    world.run_for(5 * SECOND);
    let queues =
        |world: &World| world.engine(first).snapshot(world.now()).consumers[0].queues.len();
    assert_eq!(queues(&world), 4);
    settle(&mut world, first, &held(&handouts)).unwrap();
    world.run_until(ms(100), |world| world.left_at(first, subs[0]).is_some()).unwrap();
    assert_eq!(world.left_unsettled(first, subs[0]), Some(0));
}

#[test]
fn a_queue_that_goes_to_another_member_is_not_waited_for() {
    let (mut world, [first, _], subs, handouts) = members(8);
    world.drain(first, subs[0], 60 * SECOND).unwrap();
    let third = world.client(config());
    consume(&mut world, third, Pace::AtOnce);
    world.run_for(5 * SECOND);
    let settled =
        held(&handouts).into_iter().filter(|id| settle(&mut world, first, &[*id]).is_ok());
    let settled = settled.count();
    assert!(settled < held(&handouts).len(), "the third has some of its queues");
    world.run_until(ms(100), |world| world.left_at(first, subs[0]).is_some()).unwrap();
    let gone = held(&handouts).len() - settled;
    assert_eq!(world.left_unsettled(first, subs[0]), Some(gone));
}

#[test]
fn brokers_hear_heartbeats_of_a_client_that_ends_while_its_handlers_are_busy() {
    let mut world = world(14, 1);
    let mut config = config();
    config.shutdown_timeout = 240 * SECOND;
    let client = world.client(config);
    store_many(&mut world, client, 10);
    let sub = consume(&mut world, client, Pace::Manual);
    world.run_for(3 * SECOND);
    let handouts = world.take(client, sub);
    let beats = |world: &World| world.cluster().requests(RequestCode::HEART_BEAT);
    world.shutdown(client);
    let before = beats(&world);
    world.run_for(150 * SECOND);
    assert!(beats(&world) >= before + 3, "it is a member meanwhile");
    assert_eq!(world.cluster().consumers(0, GROUP).len(), 1);
    assert_eq!(settle(&mut world, client, &held(&handouts)), Ok(()));
    world.run_until(SECOND, |world| world.stopped_at(client).is_some()).unwrap();
    assert_eq!(committed(&world), Some(10));
    assert!(world.cluster().consumers(0, GROUP).is_empty());
}
