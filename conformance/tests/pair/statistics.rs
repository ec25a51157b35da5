//! What became of messages and offsets, counted.

use rocketry_conformance::sim::{ClientId, Pace, World};
use rocketry_core::consumer::{ConsumerStats, Outcome, TopicConsumption};
use rocketry_core::frame::{RequestCode, ResponseCode};
use rocketry_core::time::Instant;

use crate::setting::*;

fn stats(world: &World, client: ClientId) -> ConsumerStats {
    world.engine(client).snapshot(world.now()).consumers.remove(0)
}

fn of_topic(world: &World, client: ClientId) -> TopicConsumption {
    let topics = stats(world, client).consumption;
    topics.into_iter().find(|one| one.topic == topic(TOPIC)).unwrap()
}

fn lag(world: &World, client: ClientId) -> u64 {
    stats(world, client).queues.iter().filter_map(|queue| queue.lag).sum()
}

#[test]
fn each_message_counts_by_what_became_of_it() {
    let mut world = with_retries(1, 1);
    let client = world.client(config());
    store_many(&mut world, client, 10);
    let sub = consume(&mut world, client, Pace::Manual);
    world.run_for(5 * SECOND);
    assert_eq!(lag(&world, client), 10);
    let all = ids(&world.take(client, sub));
    let outcomes = [
        (Outcome::Done, 5),
        (Outcome::Retry { after: None }, 2),
        (Outcome::Reject, 1),
        (Outcome::Again, 2),
    ];
    let each = outcomes.into_iter().flat_map(|(outcome, times)| vec![outcome; times]);
    for (id, outcome) in all.into_iter().zip(each) {
        world.settle(client, id, outcome).unwrap();
    }
    world.run_for(SECOND);
    let now = of_topic(&world, client);
    assert_eq!((now.pulled, now.done, now.sent_back, now.dead_lettered), (10, 5, 2, 1));
    assert_eq!(now.redelivered, 2);
    // Those that were dropped are the last two: all before them is settled.
    assert_eq!(lag(&world, client), 2);
    let again = ids(&world.take(client, sub));
    assert_eq!(again.len(), 2);
    for id in again {
        world.settle(client, id, Outcome::Done).unwrap();
    }
    let now = of_topic(&world, client);
    assert_eq!((now.done, now.held.count(), lag(&world, client)), (7, 10, 0));
    assert!(now.held.quantile(1.0) >= SECOND, "{}", now.held);
}

#[test]
fn rates_are_those_of_the_last_minute() {
    let mut world = with_retries(2, 4);
    let client = world.client(config());
    consume(&mut world, client, Pace::AtOnce);
    world.run_for(5 * SECOND);
    burst(&mut world, client, 20);
    world.run_for(2 * SECOND);
    // Already after the first pull, and not only after two rounds of commits.
    let early = of_topic(&world, client).done_rate;
    assert!((5.0..12.0).contains(&early), "{early}");
    world.run_for(70 * SECOND);
    for _ in 0..90 {
        burst(&mut world, client, 10);
        world.run_for(SECOND);
    }
    let now = of_topic(&world, client);
    assert!((9.5..10.5).contains(&now.done_rate), "{}", now.done_rate);
    assert!((9.5..10.5).contains(&now.pulled_rate), "{}", now.pulled_rate);
    assert_eq!((now.failed_rate, now.done), (0.0, 920));
    world.run_for(70 * SECOND);
    assert!(of_topic(&world, client).done_rate < 0.1);
}

#[test]
fn the_lag_is_told_without_a_request_of_its_own() {
    let mut world = with_retries(3, 1);
    let client = world.client(config());
    let sub = consume(&mut world, client, Pace::Manual);
    world.run_for(5 * SECOND);
    store_many(&mut world, client, 100);
    world.run_for(SECOND);
    let asked = world.cluster().requests(RequestCode::GET_MAX_OFFSET);
    assert_eq!(lag(&world, client), 100);
    for handout in world.take(client, sub) {
        world.settle_all(client, &handout);
    }
    assert_eq!(lag(&world, client), 0);
    assert_eq!(world.cluster().requests(RequestCode::GET_MAX_OFFSET), asked);
    let queue = &stats(&world, client).queues[0];
    assert_eq!((queue.end, queue.next), (Some(100), 100));
}

#[test]
fn offsets_count_as_stored_unchanged_or_failed() {
    let mut world = with_retries(4, 1);
    let client = world.client(config());
    consume(&mut world, client, Pace::AtOnce);
    store_many(&mut world, client, 3);
    world.run_for(6 * SECOND);
    let before = stats(&world, client).offsets;
    assert!(before.stored >= 1 && before.failed == 0, "{before:?}");
    assert!(before.stored_at.is_some_and(|at| at > Instant::ZERO));
    world.run_for(30 * SECOND);
    let idle = stats(&world, client).offsets;
    // Two queues, the retry topic's too, in six rounds.
    assert_eq!((idle.stored, idle.skipped), (before.stored, before.skipped + 12));
    world.with_cluster(|cluster| {
        let error = ResponseCode::SYSTEM_ERROR;
        cluster.push_error(RequestCode::UPDATE_CONSUMER_OFFSET, [error]);
    });
    store(&mut world, client, "new");
    world.run_for(6 * SECOND);
    let failed = stats(&world, client).offsets;
    assert_eq!((failed.failed, failed.stored), (1, idle.stored));
    world.run_for(6 * SECOND);
    assert_eq!(stats(&world, client).offsets.stored, idle.stored + 1);
}
