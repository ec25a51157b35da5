//! Whom a client suspects, and for how long; and whom not.

use rocketry_conformance::broker::{ClusterConfig, Fault, ListenerId, Requests};
use rocketry_conformance::sim::{ClientId, Door, Pace, Way, World, bytes_of};
use rocketry_core::config::Config;
use rocketry_core::engine::{Cancelled, Note};
use rocketry_core::error::{CloseReason, SendError};
use rocketry_core::frame::{Opaque, OutFrame, Request, RequestCode, ResponseCode};
use rocketry_core::producer::SendOptions;
use rocketry_core::query::{Call, Query, QueueName, Target};

use crate::setting::*;

fn reasons(world: &World, client: ClientId) -> Vec<CloseReason> {
    let closed = world.notes(client).filter_map(|note| match note {
        Note::Closed { reason, .. } => Some(reason.clone()),
        _ => None,
    });
    closed.collect()
}

fn to(broker: &str) -> SendOptions {
    SendOptions::to(&QueueName { topic: topic(TOPIC), broker: broker.into(), queue: 0 })
}

#[test]
fn send_15_a_broker_that_let_a_send_run_out_of_time_is_left_alone_for_ten_seconds() {
    let mut world = brokers(1, 2, 4);
    let mut config = config();
    config.fault_isolation = true;
    let client = world.client(config);
    store_many(&mut world, client, 4);
    let first = ListenerId::Broker(0);
    world.with_cluster(|cluster| cluster.push_faults_at(first, Requests::Sends, [Fault::Mute]));
    let op = world.send_with(client, message("x"), to("broker-a").timeout(SECOND)).unwrap();
    let error = world.end_of(client, op).1.unwrap_err();
    assert!(matches!(error, SendError::TimedOut { .. }), "{error}");
    let late = world.now();
    let stats = world.engine(client).brokers();
    assert_eq!((&*stats[0].name, stats[0].failed, stats[1].failed), ("broker-a", 1, 0));
    assert_eq!(stats[0].isolated_until, Some(late + 10 * SECOND));
    let at = |world: &mut World| {
        let op = send(world, client, "y");
        world.end_of(client, op).1.unwrap().broker
    };
    while world.now().since(late) < ms(9900) {
        assert_eq!(&*at(&mut world), "broker-b", "after {:?}", world.now().since(late));
        world.run_for(ms(300));
    }
    world.run_for(ms(500));
    assert!((0..8).any(|_| &*at(&mut world) == "broker-a"));
}

#[test]
fn send_15_a_send_cancelled_before_it_left_is_no_word_against_its_broker() {
    let (mut world, client) = pair(1, 4);
    store(&mut world, client, "warm");
    world.cut_all(BROKER);
    world.door(BROKER, Door::BlackHole);
    world.run_for(ms(200));
    let before = world.engine(client).brokers()[0].failed;
    let op = send(&mut world, client, "x");
    world.run_for(ms(100));
    assert_eq!(world.cancel(client, op), Cancelled::Removed);
    assert_eq!(world.engine(client).brokers()[0].failed, before);
}

#[test]
fn the_connection_of_a_peer_that_goes_away_closes_when_its_last_call_runs_out_of_time() {
    let (mut world, client) = pair(1, 4);
    store(&mut world, client, "warm");
    let faults = [Fault::Lose, Fault::Refuse(ResponseCode::GO_AWAY)];
    world.with_cluster(|cluster| cluster.push_faults(Requests::Sends, faults));
    let lost = world.send_within(client, message("lost"), ms(500)).unwrap();
    let op = send(&mut world, client, "x");
    let closed = |world: &World| !reasons(world, client).is_empty();
    let took = world.run_until(5 * SECOND, closed).unwrap();
    assert!((ms(490)..ms(520)).contains(&took), "{took:?}");
    assert_eq!(reasons(&world, client), [CloseReason::GoAway]);
    world.end_of(client, lost).1.unwrap_err();
    world.end_of(client, op).1.unwrap();
    assert_eq!(connects(&world, BROKER).len(), 2);
}

#[test]
fn a_long_poll_beside_a_short_deadline_is_no_silence() {
    let mut world = world(1, 1);
    let mut config = config();
    // Nothing but the poll and the send are on the connection.
    config.pull_suspend = 20 * SECOND;
    config.heartbeat_interval = 300 * SECOND;
    (config.rebalance_interval, config.commit_interval) = (300 * SECOND, 300 * SECOND);
    let client = world.client(config);
    consume(&mut world, client, Pace::AtOnce);
    world.run_for(2 * SECOND);
    store(&mut world, client, "first");
    world.run_for(12 * SECOND);
    assert_eq!(world.cluster().held_pulls(0), 1);
    let op = world.send_within(client, message("late"), ms(1)).unwrap();
    let error = world.end_of(client, op).1.unwrap_err();
    assert!(matches!(error, SendError::TimedOut { .. }), "{error}");
    world.run_for(10 * SECOND);
    assert_eq!((reasons(&world, client), connects(&world, BROKER).len()), (vec![], 1));
    assert_eq!(world.distinct(), 2);
}

#[test]
fn a_question_to_a_dead_nameserver_goes_to_the_next_one() {
    for (door, limit) in [(Door::Refuse, ms(20)), (Door::BlackHole, ms(1300))] {
        let mut world = World::new(1, ClusterConfig::default().topic(TOPIC, 4));
        world.door("dead:9876", door);
        let mut slow = 0;
        for _ in 0..8 {
            let client = world.client(Config::new("dead:9876;ns:9876").unwrap());
            let request = rocketry_core::frame::Request::ClusterInfo(Default::default());
            let call = Call { target: Target::NameServer, request, body: Default::default() };
            let op = world.query(client, Query::Call(Box::new(call))).unwrap();
            let answered = |world: &World| world.answer(client, op).is_some();
            let took = world.run_until(5 * SECOND, answered).unwrap();
            let answer = world.answer(client, op).unwrap().result.clone();
            assert!(answer.is_ok() && took < limit, "{door:?}: {took:?} {answer:?}");
            slow += connects(&world, "dead:9876").len().min(1);
        }
        assert!(slow > 0, "no client begins with the dead one");
    }
}

#[test]
fn life_03_cancelling_the_last_call_lets_a_shutdown_finish() {
    for asks in [false, true] {
        let (mut world, client) = pair(1, 4);
        store(&mut world, client, "warm");
        world.stall(BROKER, Way::Down);
        let queue = QueueName { topic: topic(TOPIC), broker: "broker-a".into(), queue: 0 };
        let op = match asks {
            true => world.query(client, Query::MaxOffset(queue)).unwrap(),
            false => send(&mut world, client, "x"),
        };
        world.shutdown(client);
        world.run_for(ms(200));
        assert_eq!(world.stopped_at(client), None);
        assert_ne!(world.cancel(client, op), Cancelled::Ended);
        let stopped = |world: &World| world.stopped_at(client).is_some();
        let took = world.run_until(5 * SECOND, stopped);
        assert!(took.is_some_and(|took| took < ms(20)), "{took:?}");
    }
}

#[test]
fn a_request_that_goes_unanswered_in_time_does_not_cut_a_connection_on_which_others_are_answered() {
    let (mut world, client) = pair(1, 4);
    store(&mut world, client, "warm");
    // Each second one answer never comes, and another one does.
    for _ in 0..20 {
        world.with_cluster(|cluster| {
            cluster.push_faults(RequestCode::GET_MAX_OFFSET, [Fault::Lose]);
        });
        let queue = QueueName { topic: topic(TOPIC), broker: "broker-a".into(), queue: 0 };
        let lost = world.query(client, Query::MaxOffset(queue)).unwrap();
        world.run_for(SECOND);
        store(&mut world, client, "x");
        assert!(world.answer(client, lost).is_none_or(|ended| ended.result.is_err()));
    }
    world.run_for(10 * SECOND);
    assert_eq!((reasons(&world, client), connects(&world, BROKER).len()), (vec![], 1));
}

#[test]
fn an_answer_ends_a_suspicion_so_that_a_later_slow_request_has_its_time() {
    let (mut world, client) = pair(1, 4);
    store(&mut world, client, "warm");
    world.with_cluster(|cluster| {
        cluster.push_faults(Requests::Sends, [Fault::Lose, Fault::Pass, Fault::Late(10 * SECOND)]);
    });
    let lost = world.send_within(client, message("lost"), ms(50)).unwrap();
    world.end_of(client, lost).1.unwrap_err();
    world.run_for(SECOND);
    store(&mut world, client, "answered");
    let slow = world.send_within(client, message("slow"), 30 * SECOND).unwrap();
    let (took, result) = world.end_of(client, slow);
    assert!(result.is_ok() && took > 10 * SECOND, "{took:?} {result:?}");
    assert_eq!((reasons(&world, client), connects(&world, BROKER).len()), (vec![], 1));
    assert_eq!(world.copies(TOPIC, world.sent(client, slow).id.as_str()), 1);
}

#[test]
fn a_connection_that_carries_oneway_messages_alone_is_not_idle() {
    let mut world = world(1, 4);
    let mut config = config();
    config.max_idle = Some(5 * SECOND);
    let client = world.client(config);
    for n in 0..20_u8 {
        let options = SendOptions::default().oneway();
        world.send_with(client, message(vec![n; 8]), options).unwrap();
        world.run_for(2 * SECOND);
    }
    assert_eq!((connects(&world, BROKER).len(), world.cluster().stored(TOPIC)), (1, 20));
    world.run_until(6 * SECOND, |world| world.open_links(BROKER) == 0).unwrap();
}

#[test]
fn sends_pass_by_a_connection_on_which_others_still_wait() {
    let mut world = world(1, 4);
    let mut config = config();
    config.connections_per_broker = 2;
    let client = world.client(config);
    store_many(&mut world, client, 8);
    assert_eq!(world.open_links(BROKER), 2);
    world.stall_one(BROKER, 0, Way::Down);
    let mut ops = Vec::new();
    for _ in 0..20 {
        ops.push(send(&mut world, client, "x"));
        world.run_for(ms(10));
    }
    let waiting = ops.iter().filter(|op| world.sent(client, **op).ended.is_none());
    assert_eq!(waiting.count(), 1);
}

#[test]
fn a_peer_that_asks_much_at_once_and_reads_it_all_keeps_its_connection() {
    let (mut world, client) = pair(1, 4);
    store(&mut world, client, "warm");
    world.with_cluster(|c| c.push_faults(Requests::Sends, [Fault::Late(20 * SECOND)]));
    let op = world.send_within(client, message("x"), 60 * SECOND).unwrap();
    world.run_for(SECOND);
    let frame = |n| {
        let request = Request::Unknown { code: RequestCode(4711), fields: Vec::new() };
        bytes_of(&OutFrame::request(Opaque::from_raw(n), request))
    };
    let bytes: Vec<u8> = (0..5000).flat_map(frame).collect();
    world.inject(BROKER, &bytes);
    world.run_for(30 * SECOND);
    let dropped = world.engine(client).snapshot(world.now()).counters.requests_dropped;
    assert!(dropped > 0 && world.sent(client, op).ended.is_some(), "{dropped} dropped");
    assert_eq!((reasons(&world, client), world.cluster().stored(TOPIC)), (vec![], 2));
}
