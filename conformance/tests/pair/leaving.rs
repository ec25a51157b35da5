//! Peers that say that they go, once or for as long as they stand.

use std::time::Duration;

use rocketry_conformance::broker::{Fault, ListenerId, Requests};
use rocketry_conformance::sim::{ClientId, Pace, World};
use rocketry_core::engine::{ConnectionState, Note};
use rocketry_core::frame::{RequestCode, ResponseCode};
use rocketry_core::id::OpId;
use rocketry_core::query::{Query, QueueName};

use crate::setting::*;

const SECOND_BROKER: &str = "127.0.0.1:10921";
const FIRST: ListenerId = ListenerId::Broker(0);

fn leaving(world: &mut World, at: ListenerId, leaves: bool) {
    world.with_cluster(|cluster| cluster.set_leaving(at, leaves));
}

fn connects_since(world: &World, endpoint: &str, start: Duration) -> usize {
    connects(world, endpoint).into_iter().filter(|at| *at >= start).count()
}

fn offset_of(world: &mut World, client: ClientId) -> OpId {
    let queue = QueueName { topic: topic(TOPIC), broker: "broker-a".into(), queue: 0 };
    world.query(client, Query::MaxOffset(queue)).unwrap()
}

#[test]
fn conn_16_a_broker_that_only_says_go_away_for_30_s_is_connected_to_fewer_than_20_times() {
    for seed in 0..10 {
        let (mut world, client) = pair(seed, 4);
        world.produce(client);
        consume(&mut world, client, Pace::AtOnce);
        store(&mut world, client, "warm");
        world.run_for(40 * SECOND);
        leaving(&mut world, FIRST, true);
        let start = world.elapsed();
        for n in 0..300 {
            send(&mut world, client, &n.to_string());
            offset_of(&mut world, client);
            world.run_for(ms(100));
        }
        let made = connects_since(&world, BROKER, start);
        assert!((5..20).contains(&made), "{made}");
        leaving(&mut world, FIRST, false);
        // Work of the last three seconds may still be waiting: it is done now.
        world.run_for(5 * SECOND);
        store(&mut world, client, "after");
        assert_eq!(world.engine(client).stats().operations, 0);
        world.run_for(40 * SECOND);
        let calm = connects(&world, BROKER).len();
        world.run_for(60 * SECOND);
        assert_eq!(connects(&world, BROKER).len(), calm);
    }
}

#[test]
fn conn_16_one_question_to_a_broker_that_goes_asks_a_few_times_and_ends_by_its_deadline() {
    let (mut world, client) = pair(1, 4);
    store(&mut world, client, "warm");
    leaving(&mut world, FIRST, true);
    let before = world.cluster().requests(RequestCode::GET_MAX_OFFSET);
    let op = offset_of(&mut world, client);
    world.run_until(4 * SECOND, |world| world.answer(client, op).is_some()).unwrap();
    let error = world.answer(client, op).unwrap().result.clone().unwrap_err();
    assert!(error.is_retriable() && error.to_string().contains("GO_AWAY"), "{error}");
    let asked = world.cluster().requests(RequestCode::GET_MAX_OFFSET) - before;
    assert!((2..8).contains(&asked), "{asked}");
}

#[test]
fn conn_16_sends_leave_a_broker_that_goes_for_the_other_one_and_come_back_to_it() {
    for seed in 0..10 {
        let mut world = brokers(seed, 2, 4);
        let client = world.client(config());
        world.produce(client);
        store_many(&mut world, client, 8);
        leaving(&mut world, FIRST, true);
        let start = world.elapsed();
        for n in 0..300 {
            let op = send(&mut world, client, &n.to_string());
            let (took, result) = world.end_of(client, op);
            assert_eq!(&*result.unwrap().broker, "broker-b");
            assert!(took < ms(20), "{took:?}");
            world.run_for(ms(100));
        }
        let made = connects_since(&world, BROKER, start);
        assert!((5..20).contains(&made), "{made}");
        leaving(&mut world, FIRST, false);
        let stored = world.cluster().stored_on(0, TOPIC);
        world.run_for(5 * SECOND);
        store_many(&mut world, client, 8);
        world.run_for(SECOND);
        store_many(&mut world, client, 8);
        assert!(world.cluster().stored_on(0, TOPIC) > stored);
    }
}

#[test]
fn conn_16_a_nameserver_that_goes_is_asked_a_few_times_and_stops_no_send() {
    let (mut world, client) = pair(1, 4);
    store(&mut world, client, "warm");
    leaving(&mut world, ListenerId::Nameserver, true);
    let start = world.elapsed();
    for n in 0..300 {
        store(&mut world, client, &n.to_string());
        let op = world.query(client, Query::Queues(topic(&format!("other_{n}")))).unwrap();
        world.run_for(ms(100));
        let _ = world.answer(client, op);
    }
    let made = connects_since(&world, NS, start);
    assert!(made < 20, "{made}");
}

/// A send that is answered after two seconds, by a broker that says to the next one that it goes,
/// and how long that next one took.
fn beside_a_slow_answer() -> (World, ClientId, OpId, Duration) {
    let (mut world, client) = pair(1, 4);
    store(&mut world, client, "warm");
    let faults = [Fault::Late(2 * SECOND), Fault::Refuse(ResponseCode::GO_AWAY)];
    world.with_cluster(|cluster| cluster.push_faults(Requests::Sends, faults));
    let slow = send(&mut world, client, "slow");
    world.run_for(ms(5));
    let refused = send(&mut world, client, "refused");
    let (took, result) = world.end_of(client, refused);
    result.unwrap();
    (world, client, slow, took)
}

#[test]
fn conn_16_sends_do_not_wait_behind_the_slow_answer_of_a_connection_that_goes() {
    let (mut world, client, slow, took) = beside_a_slow_answer();
    assert!(took < ms(30), "{took:?}");
    for n in 0..10 {
        let op = send(&mut world, client, &n.to_string());
        let (took, result) = world.end_of(client, op);
        result.unwrap();
        assert!(took < ms(10), "{took:?}");
    }
    // The next connection stands beside the one that goes, which still gives its answer.
    assert_eq!(world.open_links(BROKER), 2);
    let (took, result) = world.end_of(client, slow);
    result.unwrap();
    assert!(took >= 2 * SECOND, "{took:?}");
    assert_eq!(world.copies(TOPIC, world.sent(client, slow).id.as_str()), 1);
    world.run_for(ms(10));
    assert_eq!(world.open_links(BROKER), 1);
}

#[test]
fn conn_16_a_connection_that_goes_closes_when_its_last_call_is_cancelled() {
    let (mut world, client, slow, _) = beside_a_slow_answer();
    assert_eq!(world.open_links(BROKER), 2);
    world.cancel(client, slow);
    world.run_for(ms(10));
    assert_eq!(world.open_links(BROKER), 1);
}

#[test]
fn conn_16_what_waited_on_a_connection_that_goes_is_taken_by_the_other_broker() {
    let mut world = brokers(3, 2, 1);
    let client = world.client(config());
    store_many(&mut world, client, 2);
    // The first broker is slow with one answer and says to the next request that it goes: from then
    // on the other one takes all.
    let faults = [Fault::Late(2 * SECOND), Fault::Refuse(ResponseCode::GO_AWAY)];
    world.with_cluster(|cluster| cluster.push_faults_at(FIRST, Requests::Sends, faults));
    leaving(&mut world, FIRST, false);
    let ops: Vec<_> = (0..4).map(|n| send(&mut world, client, &n.to_string())).collect();
    world.run_for(ms(10));
    leaving(&mut world, FIRST, true);
    let more: Vec<_> = (0..20).map(|n| send(&mut world, client, &n.to_string())).collect();
    for op in more {
        let (took, result) = world.end_of(client, op);
        assert!(result.is_ok() && took < ms(50), "{took:?} {result:?}");
    }
    ops.into_iter().for_each(|op| drop(world.end_of(client, op).1.unwrap()));
    assert!(connects(&world, SECOND_BROKER).len() == 1);
}

#[test]
fn a_connection_that_goes_once_counts_as_no_failure_and_its_successor_needs_no_note() {
    let (mut world, client) = pair(1, 4);
    world.produce(client);
    store(&mut world, client, "warm");
    world.run_for(SECOND);
    let code = RequestCode::SEND_MESSAGE_V2;
    world.with_cluster(|cluster| cluster.push_error(code, [ResponseCode::GO_AWAY]));
    let op = send(&mut world, client, "x");
    let (took, result) = world.end_of(client, op);
    result.unwrap();
    assert!(took < ms(20), "{took:?}");
    let stats = world.engine(client).snapshot(world.now()).connections;
    let broker = stats.iter().find(|one| one.endpoint.as_str() == BROKER).unwrap();
    assert_eq!((broker.failures, broker.state), (0, ConnectionState::Connected));
    let back = world.notes(client).any(|note| matches!(note, Note::Reconnected { .. }));
    assert!(!back && connects(&world, BROKER).len() == 2);
}

#[test]
fn a_pull_that_dies_with_a_left_connection_goes_on_over_the_next_one_at_once() {
    let (mut world, client) = pair(4, 4);
    consume(&mut world, client, Pace::AtOnce);
    store(&mut world, client, "warm");
    world.run_for(3 * SECOND);
    // One slow answer keeps the old connection while the next one is there and known already.
    let faults = [Fault::Late(ms(800)), Fault::Refuse(ResponseCode::GO_AWAY)];
    world.with_cluster(|cluster| cluster.push_faults_at(FIRST, Requests::Sends, faults));
    for body in ["slow", "told to go"] {
        send(&mut world, client, body);
    }
    // `Engine::check` sees a queue that waits for nothing.
    world.run_for(3 * SECOND);
    assert!(connects(&world, BROKER).len() >= 2);
    store(&mut world, client, "after");
    let came = world.run_until(SECOND, |world| world.distinct() == 4);
    assert!(came.is_some(), "{}", world.distinct());
}
