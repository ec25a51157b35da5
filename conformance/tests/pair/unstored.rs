//! Queues whose lock is lost, and of which no offset is stored: what a group has not handled stays
//! to be read, also where groups begin behind what is there.

use rocketry_conformance::broker::ClusterConfig;
use rocketry_conformance::sim::{ClientId, Pace, World};
use rocketry_core::consumer::Start;

use crate::setting::*;

/// Where the queue of `TOPIC` has its first message: brokers answer 0 for younger ones.
const FIRST: i64 = 4;

/// An orderly consumer that has begun behind what is there, takes a second for each message, and
/// has so many before it. Its broker writes no offset to its disk.
fn begin(seed: u64, count: usize) -> (World, ClientId) {
    let mut cluster = ClusterConfig::default().brokers(1).topic(TOPIC, 1);
    cluster.brokers[0].offset_flush = 3600 * SECOND;
    let mut world = without_retries(World::new(seed, cluster));
    let producer = world.client(config());
    store_many(&mut world, producer, FIRST as usize);
    world.with_cluster(|cluster| cluster.expire(0, TOPIC, 0, FIRST as u64));
    let client = world.client(config());
    let mut wanted = from_first(GROUP);
    wanted.options = wanted.options.orderly().start_at(Start::Last);
    world.subscribe(client, wanted, Pace::InOrder(SECOND)).unwrap();
    world.run_for(SECOND);
    store_many(&mut world, producer, count);
    (world, client)
}

#[test]
fn a_lock_that_is_lost_before_the_first_commit_and_comes_back_loses_no_message() {
    let (mut world, _) = begin(1, 8);
    world.run_for(ms(2_500));
    let before = world.distinct();
    assert!((1..8).contains(&before) && committed(&world).is_none(), "{before}");
    // It is another member's for a moment, which stores nothing.
    world.with_cluster(|cluster| cluster.set_lock(0, (GROUP, TOPIC), 0, Some("another")));
    world.cut_all(BROKER);
    world.run_for(2 * SECOND);
    assert!(committed(&world).is_none());
    world.with_cluster(|cluster| cluster.set_lock(0, (GROUP, TOPIC), 0, None));
    world.run_for(30 * SECOND);
    assert_eq!((world.distinct(), committed(&world)), (8, Some(FIRST + 8)));
}

#[test]
fn a_broker_that_is_away_until_locks_have_run_out_and_has_forgotten_offsets_loses_no_message() {
    let (mut world, _) = begin(2, 40);
    world.run_for(12 * SECOND);
    let stored = committed(&world).unwrap();
    assert!(stored > FIRST, "{stored}");
    world.crash(0);
    world.run_for(40 * SECOND);
    world.bring_up(0);
    assert_eq!(committed(&world), None);
    world.run_for(80 * SECOND);
    assert_eq!((world.distinct(), committed(&world)), (40, Some(FIRST + 40)));
}
