//! Where polling, filters in SQL, slaves and commits meet.

use std::collections::BTreeSet;

use rocketry_conformance::broker::{ClusterConfig, Fault, ListenerId};
use rocketry_conformance::sim::{ClientId, Pace, World};
use rocketry_core::consumer::{Commit, Filter, Polling, Subscribe, Taking};
use rocketry_core::engine::Note;
use rocketry_core::error::CommitError;
use rocketry_core::frame::{RequestCode, ResponseCode, version};
use rocketry_core::id::{OpId, SubscriptionId};
use rocketry_core::message::Message;
use rocketry_core::query::QueueName;

use crate::setting::*;

const COMMIT: RequestCode = RequestCode::UPDATE_CONSUMER_OFFSET;
const OTHER: &str = "topic_b";
const MASTER: usize = 0;
const SLAVE: usize = 1;

fn queue_of(name: &str, number: u32) -> QueueName {
    QueueName { topic: topic(name), broker: "broker-a".into(), queue: number }
}

fn queue(number: u32) -> QueueName {
    queue_of(TOPIC, number)
}

fn polled(auto_commit: bool, of: Option<BTreeSet<QueueName>>) -> Subscribe {
    let mut subscribe = from_first(GROUP);
    if of.is_some() {
        subscribe.topics.clear();
    }
    let polling = Polling { auto_commit, queues: of, watches: false };
    subscribe.options.taking = Taking::Polled(polling);
    subscribe
}

fn commit(world: &mut World, client: ClientId, sub: SubscriptionId, at: i64) -> OpId {
    world.commit(client, sub, Commit::Offsets([(queue(0), at)].into())).unwrap()
}

fn ended(world: &World, client: ClientId, op: OpId) -> Option<Result<(), CommitError>> {
    world.committed(client, op).map(|ended| ended.result.clone())
}

/// A consumer that is assigned one queue, of forty messages.
fn assigned(auto_commit: bool) -> (World, ClientId, SubscriptionId) {
    let (mut world, client) = pair(1, 1);
    store_many(&mut world, client, 40);
    let subscribe = polled(auto_commit, Some([queue(0)].into()));
    let sub = world.subscribe(client, subscribe, Pace::Manual).unwrap();
    world.run_for(2 * SECOND);
    (world, client, sub)
}

#[test]
fn what_is_polled_by_a_filter_in_sql_comes_of_shared_queues_and_of_assigned_ones() {
    for version in [version::V4_9_7, version::V5_3_3] {
        for of in [None, Some([queue(0)].into())] {
            let config = ClusterConfig { property_filter: true, ..ClusterConfig::default() };
            let mut world = without_retries(World::new(1, config.topic(TOPIC, 1)));
            world.with_cluster(|cluster| cluster.set_version(0, version));
            let client = world.client(self::config());
            for value in ["4", "6", "x", "7"] {
                let message = Message::new(topic(TOPIC), value.to_string()).property("a", value);
                let op = world.try_send(client, message).unwrap();
                world.end_of(client, op).1.unwrap();
            }
            let mut subscribe = polled(true, of.clone());
            subscribe.topics = vec![(topic(TOPIC), Filter::sql("a > 5").unwrap())];
            let sub = world.subscribe(client, subscribe, Pace::Manual).unwrap();
            world.run_for(20 * SECOND);
            assert_eq!(world.poll_all(client, sub), [1, 3], "{of:?}");
            let told = world.notes(client).filter(|note| matches!(note, Note::PullRefused { .. }));
            assert_eq!(told.count(), 0, "{of:?}");
        }
    }
}

/// A master and a slave that it suggests and that is read at.
fn at_slave() -> (World, ClientId) {
    let cluster = ClusterConfig { hide_down_brokers: false, ..ClusterConfig::default() };
    let mut world = without_retries(World::new(1, cluster.slaves().topic(TOPIC, 1)));
    let client = world.client(config());
    consume(&mut world, client, Pace::AtOnce);
    world.with_cluster(|cluster| [MASTER, SLAVE].map(|at| cluster.set_suggested(at, 1)));
    store(&mut world, client, "a");
    let at_slave = |world: &World| world.cluster().held_pulls(SLAVE) == 1;
    world.run_until(60 * SECOND, at_slave).unwrap();
    (world, client)
}

#[test]
fn a_suggested_slave_that_refuses_or_is_silent_is_left_for_its_master() {
    for fault in [Fault::Refuse(ResponseCode::SYSTEM_BUSY), Fault::Lose] {
        let (mut world, client) = at_slave();
        // All that it is asked for from now on.
        let slave = ListenerId::Broker(SLAVE);
        world.with_cluster(|cluster| {
            let pulls = RequestCode::PULL_MESSAGE;
            cluster.push_faults_at(slave, pulls, vec![fault; 1000]);
            cluster.set_suggested(MASTER, 0);
        });
        store(&mut world, client, "b");
        world.run_for(SECOND);
        store(&mut world, client, "c");
        let took = world.run_until(300 * SECOND, |world| world.distinct() == 3);
        assert!(took.is_some_and(|took| took < 60 * SECOND), "{fault:?}: {took:?}");
    }
}

#[test]
fn a_broker_without_lite_pulls_has_no_queue_wait_and_nothing_is_told() {
    let (mut world, client) = pair(1, 8);
    world.with_cluster(|cluster| cluster.set_version(0, version::V4_9_7));
    store_many(&mut world, client, 40);
    let queues = (0..8).map(queue).collect();
    let sub = world.subscribe(client, polled(true, Some(queues)), Pace::Manual).unwrap();
    world.run_for(SECOND);
    assert_eq!(world.poll_all(client, sub).len(), 40);
    let told = world.notes(client).filter(|note| matches!(note, Note::PullRefused { .. }));
    assert_eq!(told.count(), 0);
}

#[test]
fn a_commit_that_nobody_waits_for_any_more_goes_on() {
    let (mut world, client, sub) = assigned(false);
    world.with_cluster(|cluster| cluster.push_faults(COMMIT, [Fault::Late(SECOND)]));
    let first = commit(&mut world, client, sub, 10);
    let second = commit(&mut world, client, sub, 20);
    for op in [first, second] {
        world.cancel(client, op);
    }
    world.run_for(5 * SECOND);
    assert_eq!(committed(&world), Some(20));
    assert_eq!(world.engine(client).stats().operations, 0);
}

#[test]
fn a_commit_that_waits_behind_another_one_ends_when_its_queue_is_sought_elsewhere() {
    let (mut world, client, sub) = assigned(true);
    world.with_cluster(|cluster| cluster.push_faults(COMMIT, [Fault::Late(2 * SECOND)]));
    world.poll(client, sub);
    world.poll(client, sub);
    // The one by itself is on its way.
    let before = world.cluster().requests(COMMIT);
    world.run_until(6 * SECOND, |world| world.cluster().requests(COMMIT) > before).unwrap();
    let op = commit(&mut world, client, sub, 30);
    assert_eq!(ended(&world, client, op), None);
    world.seek(client, sub, (&queue(0), 5)).unwrap();
    world.run_for(8 * SECOND);
    assert!(matches!(ended(&world, client, op), Some(Err(_))), "{:?}", ended(&world, client, op));
    assert_eq!(committed(&world), Some(5));
}

#[test]
fn a_commit_that_has_not_left_when_its_consumer_leaves_says_that_it_has() {
    let (mut world, client, sub) = assigned(false);
    world.with_cluster(|cluster| cluster.push_faults(COMMIT, [Fault::Late(SECOND)]));
    let first = commit(&mut world, client, sub, 10);
    let second = commit(&mut world, client, sub, 20);
    world.leave(client, sub).unwrap();
    world.run_for(3 * SECOND);
    assert_eq!(ended(&world, client, first), Some(Ok(())));
    assert_eq!(ended(&world, client, second), Some(Err(CommitError::Stopped)));
}

#[test]
fn a_topic_that_is_assigned_no_more_waits_for_no_word_on_its_filter() {
    let config = ClusterConfig { property_filter: true, ..ClusterConfig::default() };
    let mut world = without_retries(World::new(1, config.topic(TOPIC, 1).topic(OTHER, 1)));
    let client = world.client(self::config());
    let mut subscribe = polled(true, Some([queue(0), queue_of(OTHER, 0)].into()));
    subscribe.topics = vec![(topic(OTHER), Filter::sql("a >").unwrap())];
    let sub = world.subscribe(client, subscribe, Pace::Manual).unwrap();
    assert_eq!(world.assign(client, sub, [queue(0)].into()), Ok(true));
    store(&mut world, client, "x");
    world.run_for(10 * SECOND);
    assert_eq!(world.left_at(client, sub), None, "nothing that it reads was refused");
    assert_eq!(world.poll_all(client, sub), [0]);
}

#[test]
fn what_was_committed_by_hand_to_a_slave_is_committed_to_its_master_when_it_is_back() {
    let cluster = ClusterConfig { hide_down_brokers: false, ..ClusterConfig::default() };
    let mut world = without_retries(World::new(1, cluster.slaves().topic(TOPIC, 1)));
    let client = world.client(config());
    store_many(&mut world, client, 40);
    let subscribe = polled(false, Some([queue(0)].into()));
    let sub = world.subscribe(client, subscribe, Pace::Manual).unwrap();
    world.with_cluster(|cluster| [MASTER, SLAVE].map(|at| cluster.set_suggested(at, 1)));
    world.run_for(2 * SECOND);
    store(&mut world, client, "a");
    let at_slave = |world: &World| world.cluster().held_pulls(SLAVE) == 1;
    world.run_until(60 * SECOND, at_slave).unwrap();
    world.take_down(MASTER);
    world.run_for(SECOND);
    let op = commit(&mut world, client, sub, 10);
    world.run_for(SECOND);
    assert_eq!(ended(&world, client, op), Some(Ok(())));
    world.bring_up(MASTER);
    world.run_for(60 * SECOND);
    assert_eq!(committed(&world), Some(10));
}

/// A route of `TOPIC` that names the second of two brokers alone.
const SECOND_ALONE: &str = r#"{"queueDatas":[{"brokerName":"broker-b","perm":6,"readQueueNums":1,
    "writeQueueNums":1,"topicSysFlag":0}],"brokerDatas":[{"brokerName":"broker-b","cluster":"c",
    "brokerAddrs":{"0":"127.0.0.1:10912"}}]}"#;

#[test]
fn an_assigned_queue_that_goes_from_the_route_goes_on_where_it_was_when_it_is_back() {
    let mut world = brokers(1, 2, 1);
    let client = world.client(config());
    store_many(&mut world, client, 40);
    let other = QueueName { broker: "broker-b".into(), ..queue(0) };
    // It keeps its offsets by itself: the group has none.
    let subscribe = polled(false, Some([queue(0), other].into()));
    let sub = world.subscribe(client, subscribe, Pace::Manual).unwrap();
    world.run_for(2 * SECOND);
    world.poll(client, sub);
    world.seek(client, sub, (&queue(0), 13)).unwrap();
    world.hold(client, sub, (&[queue(0)], true));
    world.with_cluster(|cluster| cluster.set_route(TOPIC, Some(SECOND_ALONE.as_bytes())));
    world.run_until(90 * SECOND, |world| world.engine(client).queues(sub).len() == 1).unwrap();
    assert_eq!(world.engine(client).position(sub, &queue(0)), Some(13));
    world.with_cluster(|cluster| cluster.set_route(TOPIC, None));
    world.run_until(90 * SECOND, |world| world.engine(client).queues(sub).len() == 2).unwrap();
    assert_eq!(world.engine(client).held(sub), [queue(0)]);
    world.hold(client, sub, (&[queue(0)], false));
    world.run_for(5 * SECOND);
    let mut of_first = Vec::new();
    loop {
        let given = world.poll(client, sub);
        if given.is_empty() {
            break;
        }
        for run in given.iter().filter(|run| *run.batch.queue() == queue(0)) {
            of_first.extend((run.next..run.end).filter_map(|index| run.batch.offset(index)));
        }
    }
    let end = of_first.len() as i64 + 13;
    assert_eq!(of_first, (13..end).collect::<Vec<_>>());
    assert!(end > 13);
}

#[test]
fn pulls_of_before_a_seek_are_waited_for_no_more() {
    let (mut world, client, sub) = assigned(true);
    world.poll_all(client, sub);
    world.run_for(SECOND);
    let before = world.engine(client).stats();
    for _ in 0..50 {
        world.seek(client, sub, (&queue(0), 40)).unwrap();
        world.run_for(ms(20));
    }
    let after = world.engine(client).stats();
    assert!(after.requests <= before.requests + 1, "{before:?} {after:?}");
    assert!(after.timers <= before.timers + 2, "{before:?} {after:?}");
}

#[test]
fn a_reset_behind_a_commit_on_its_way_is_stored_though_nothing_is_committed_by_itself() {
    for faults in [&[Fault::Late(2 * SECOND)][..], &[Fault::Pass, Fault::Lose]] {
        let (mut world, client, sub) = assigned(false);
        commit(&mut world, client, sub, 5);
        world.run_for(SECOND);
        world.with_cluster(|cluster| cluster.push_faults(COMMIT, faults.iter().copied()));
        commit(&mut world, client, sub, 10);
        if faults.len() > 1 {
            world.run_for(SECOND);
        }
        let told = world.with_cluster(|cluster| cluster.reset_offset(0, (GROUP, TOPIC), 0, true));
        told.unwrap();
        world.run_for(20 * SECOND);
        assert_eq!(committed(&world), Some(0), "{faults:?}");
        // What is polled from there on is not stored all the same.
        assert_eq!(world.poll_all(client, sub).len(), 40);
        world.run_for(20 * SECOND);
        assert_eq!(committed(&world), Some(0), "{faults:?}");
    }
}

#[test]
fn a_queue_that_is_held_before_it_is_there_is_named_with_those_that_are() {
    let (mut world, client) = pair(1, 1);
    let both = [queue(0), queue(1)];
    let subscribe = polled(true, Some(both.clone().into()));
    let sub = world.subscribe(client, subscribe, Pace::Manual).unwrap();
    world.run_for(2 * SECOND);
    assert!(world.hold(client, sub, (&both, true)).is_empty());
    assert_eq!(world.engine(client).held(sub), both);
    assert!(world.hold(client, sub, (&both, false)).is_empty());
    assert!(world.engine(client).held(sub).is_empty());
}
