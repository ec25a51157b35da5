//! First offsets of a group, of which brokers lose all but one that come at one time: those that
//! somebody waited for, and those that are given again while another broker is silent.

use rocketry_conformance::broker::{Fault, ListenerId};
use rocketry_conformance::sim::{Pace, World};
use rocketry_core::allocation::Strategy;
use rocketry_core::config::Config;
use rocketry_core::consumer::{Commit, Polling, Start, Taking};
use rocketry_core::frame::RequestCode;
use rocketry_core::query::QueueName;

use crate::setting::*;

const COMMIT: RequestCode = RequestCode::UPDATE_CONSUMER_OFFSET;

fn stored(world: &World) -> Vec<Option<i64>> {
    (0..4).map(|queue| committed_of(world, queue)).collect()
}

/// Where a queue is not young any more, a group without an offset begins behind what is there: what
/// comes before its next member does is lost with the offset.
#[test]
fn first_offsets_that_were_told_to_be_stored_are_still_when_the_consumer_leaves_at_once() {
    let named = |queue| QueueName { topic: topic(TOPIC), broker: "broker-a".into(), queue };
    for (seed, assigned) in [(1, false), (2, true)] {
        let (mut world, client) = pair(seed, 4);
        store_many(&mut world, client, 16);
        world.with_cluster(|cluster| {
            cluster.lose_first_offsets(0);
            (0..4).for_each(|queue| cluster.expire(0, TOPIC, queue, 4));
        });
        let mut wanted = from_first(GROUP);
        wanted.options.start = Start::Last;
        let queues = assigned.then(|| (0..4).map(named).collect());
        if assigned {
            wanted.topics.clear();
        }
        let polling = Polling { auto_commit: false, queues, watches: false };
        wanted.options.taking = Taking::Polled(polling);
        let sub = world.subscribe(client, wanted.clone(), Pace::Manual).unwrap();
        world.run_for(3 * SECOND);
        store_many(&mut world, client, 16);
        world.run_for(SECOND);
        assert_eq!(world.poll_all(client, sub).len(), 16);
        let op = world.commit(client, sub, Commit::Polled).unwrap();
        world.run_until(SECOND, |world| world.committed(client, op).is_some()).unwrap();
        assert_eq!(world.committed(client, op).unwrap().result, Ok(()));
        world.leave(client, sub).unwrap();
        world.run_until(3 * SECOND, |world| world.left_at(client, sub).is_some()).unwrap();
        assert_eq!(world.left_uncommitted(client, sub), Some(0));
        store_many(&mut world, client, 16);
        let next = world.client(config());
        let sub = world.subscribe(next, wanted, Pace::Manual).unwrap();
        world.run_for(3 * SECOND);
        let read = world.poll_all(next, sub).len();
        assert_eq!((read, stored(&world)), (16, vec![Some(8); 4]), "assigned: {assigned}");
    }
}

/// Queues of two brokers go to a new member, and one of these answers no commit.
#[test]
fn queues_of_a_broker_that_answers_are_handed_over_while_another_one_takes_no_commits() {
    for (seed, within, ordered) in [(3, 3, true), (4, 12, true), (5, 12, false)] {
        let mut world = brokers(seed, 2, 4);
        world.with_cluster(|cluster| cluster.lose_first_offsets(0));
        let with = |world: &mut World| {
            let mut config: Config = config();
            config.request_timeout = within * SECOND;
            world.client(config)
        };
        let first = with(&mut world);
        store_many(&mut world, first, 64);
        let mut wanted = from_first(GROUP);
        wanted.options.strategy = Some(Strategy::Circle);
        if ordered {
            wanted.options = wanted.options.orderly();
        }
        world.subscribe(first, wanted.clone(), Pace::AtOnce).unwrap();
        world.run_until(4 * SECOND, |world| world.delivered().len() == 64).unwrap();
        world.with_cluster(|cluster| {
            cluster.push_faults_at(ListenerId::Broker(1), COMMIT, vec![Fault::Lose; 1_000]);
        });
        let second = with(&mut world);
        world.subscribe(second, wanted, Pace::AtOnce).unwrap();
        world.run_for(4 * SECOND);
        assert_eq!(world.changes(second).iter().map(|one| one.gained.len()).sum::<usize>(), 4);
        let at_first = |world: &World| {
            let delivered = world.delivered().iter().skip(64);
            delivered.filter(|one| &*one.queue.broker == "broker-a").count()
        };
        // The other broker's come again: nothing of them is stored.
        assert_eq!(at_first(&world), 0, "{ordered} {within}: {:?}", stored(&world));
        store_many(&mut world, first, 64);
        world.run_until(4 * SECOND, |world| at_first(world) >= 32).unwrap_or_else(|| {
            panic!("{ordered} {within}: {} of 32 came", at_first(&world));
        });
        assert_eq!(at_first(&world), 32, "{ordered} {within}");
    }
}
