//! Brokers that are connected and say nothing, or not soon, beside others that do.

use rocketry_conformance::broker::{Fault, ListenerId, Requests};
use rocketry_conformance::sim::{ClientId, Way, World};
use rocketry_core::error::{Failure, SendError, Stored};
use rocketry_core::frame::{RequestCode, ResponseCode};

use crate::setting::*;

const FIRST: ListenerId = ListenerId::Broker(0);

fn two(seed: u64) -> (World, ClientId) {
    let mut world = brokers(seed, 2, 4);
    let client = world.client(config());
    world.produce(client);
    store_many(&mut world, client, 8);
    world.run_for(SECOND);
    (world, client)
}

#[test]
fn send_27_beside_a_frozen_broker_no_send_fails_and_none_is_slow_after_the_first() {
    for (seed, way) in [Way::Up, Way::Down].into_iter().cycle().enumerate().take(10) {
        let (mut world, client) = two(seed as u64);
        world.stall(BROKER, way);
        let mut slow = 0;
        // Later the connection is given up for dead.
        for n in 0..40 {
            let op = send(&mut world, client, &n.to_string());
            let (took, result) = world.end_of(client, op);
            assert_eq!(&*result.unwrap().broker, "broker-b");
            assert!(took <= ms(1010), "{took:?}");
            slow += usize::from(took > ms(20));
            world.run_for(ms(100));
        }
        assert!(slow <= 1, "{slow}");
        // It answers again, and is found without a send that tries.
        world.unstall_all();
        let stored = world.cluster().stored_on(0, TOPIC);
        world.run_for(10 * SECOND);
        store_many(&mut world, client, 8);
        assert!(world.cluster().stored_on(0, TOPIC) >= stored + 4);
    }
}

#[test]
fn send_27_without_groups_a_broker_that_was_slow_is_asked_until_it_answers() {
    let mut world = brokers(3, 2, 4);
    let client = world.client(config());
    store_many(&mut world, client, 8);
    world.stall(BROKER, Way::Up);
    for n in 0..10 {
        store(&mut world, client, &n.to_string());
    }
    world.unstall_all();
    let asked = world.cluster().requests_at(FIRST, RequestCode::GET_MAX_OFFSET);
    world.run_for(10 * SECOND);
    let stored = world.cluster().stored_on(0, TOPIC);
    store_many(&mut world, client, 8);
    assert!(world.cluster().stored_on(0, TOPIC) >= stored + 4);
    let more = world.cluster().requests_at(FIRST, RequestCode::GET_MAX_OFFSET) - asked;
    assert!(more < 6, "{more}");
    world.run_for(60 * SECOND);
    let later = world.cluster().requests_at(FIRST, RequestCode::GET_MAX_OFFSET) - asked;
    assert_eq!(later, more, "it is asked on and on");
}

#[test]
fn send_27_the_late_answer_of_a_try_that_ran_out_ends_the_send_as_stored() {
    let (mut world, client) = two(5);
    // The first try is answered after its second, the next one later than that.
    let late = |by| [Fault::Late(ms(by))];
    world.with_cluster(|cluster| {
        cluster.push_faults_at(FIRST, Requests::Sends, late(1500));
        cluster.push_faults_at(ListenerId::Broker(1), Requests::Sends, late(1500));
    });
    let before = world.cluster().requests(RequestCode::SEND_MESSAGE_V2);
    let op = send(&mut world, client, "x");
    let (took, result) = world.end_of(client, op);
    let receipt = result.unwrap();
    assert_eq!(world.cluster().requests(RequestCode::SEND_MESSAGE_V2), before + 2);
    assert!(took > ms(1490) && took < ms(1510), "{took:?}");
    let home = usize::from(&*receipt.broker == "broker-b");
    let records = world.cluster().messages(home, TOPIC, receipt.queue);
    let record = records.record(receipt.offset as usize).unwrap();
    assert_eq!(record.unique_id(), Some(receipt.message_id.as_str()));
    world.run_for(5 * SECOND);
    let stats = world.engine(client).stats();
    assert_eq!((stats.operations, stats.requests), (0, 0));
    store_many(&mut world, client, 8);
}

#[test]
fn send_27_a_late_refusal_says_that_the_first_try_stored_nothing() {
    for (first, stored) in [
        (Fault::Late(ms(1500)), Stored::Yes),
        (Fault::Mute, Stored::Unknown),
        (Fault::Refuse(ResponseCode::MESSAGE_ILLEGAL), Stored::No),
    ] {
        let mut world = brokers(7, 2, 4);
        let mut config = config();
        config.send_timeout = 6 * SECOND;
        config.try_timeout = Some(SECOND);
        let client = world.client(config);
        store_many(&mut world, client, 8);
        if let Fault::Refuse(_) = first {
            world.with_cluster(|cluster| cluster.set_delay(RequestCode::SEND_MESSAGE_V2, ms(1500)));
        }
        world.with_cluster(|cluster| {
            for broker in 0..2 {
                let at = ListenerId::Broker(broker);
                cluster.push_faults_at(at, Requests::Sends, [first]);
            }
        });
        if first == Fault::Mute {
            // The second try is refused: what the first one did stays unknown.
            world.with_cluster(|cluster| {
                cluster.clear_faults();
                let code = RequestCode::SEND_MESSAGE_V2;
                let refused = Fault::Refuse(ResponseCode::MESSAGE_ILLEGAL);
                cluster.push_faults(code, [Fault::Mute, refused]);
            });
        }
        let op = send(&mut world, client, "x");
        let (_, result) = world.end_of(client, op);
        match (stored, result) {
            (Stored::Yes, Ok(_)) => {}
            (expected, Err(error)) => {
                assert_eq!(error.stored(), expected, "{error}");
                let ran_out = |failure: &Failure| matches!(failure, Failure::TimedOut(_));
                assert!(error.attempts().unwrap().iter().any(|one| ran_out(&one.failure)));
            }
            (expected, result) => panic!("{expected:?}: {result:?}"),
        }
        world.run_for(10 * SECOND);
        assert_eq!(world.engine(client).stats().operations, 0);
    }
}

#[test]
fn send_27_a_try_does_not_run_out_where_no_other_broker_could_take_the_message() {
    let (mut world, client) = pair(1, 4);
    store(&mut world, client, "warm");
    world.with_cluster(|cluster| cluster.push_faults(Requests::Sends, [Fault::Late(2 * SECOND)]));
    let op = send(&mut world, client, "x");
    let (took, result) = world.end_of(client, op);
    assert!(result.is_ok() && took >= 2 * SECOND, "{took:?}");
    assert_eq!(world.copies(TOPIC, world.sent(client, op).id.as_str()), 1);
}

#[test]
fn send_27_a_broker_that_is_slow_now_and_then_is_asked_no_more_often_for_it() {
    let (mut world, client) = two(9);
    // Each answer comes after the limit of a try, and is a sign of life.
    let late = (0..400).map(|_| Fault::Late(ms(1_050)));
    world.with_cluster(|cluster| cluster.push_faults_at(FIRST, Requests::Sends, late));
    for n in 0..400 {
        send(&mut world, client, &n.to_string());
        world.run_for(ms(25));
    }
    world.stall(BROKER, Way::Up);
    for n in 0..20 {
        send(&mut world, client, &n.to_string());
        world.run_for(ms(200));
    }
    let asked = |world: &World| world.engine(client).snapshot(world.now()).counters.requests_sent;
    let before = asked(&world);
    world.run_for(30 * SECOND);
    let more = asked(&world) - before;
    assert!(more < 40, "{more} requests in 30 s");
}

#[test]
fn send_27_a_broker_that_may_yet_answer_gets_no_second_copy_while_another_one_loses_its_own() {
    for seed in 0..10 {
        let mut world = brokers(seed, 2, 4);
        let mut config = config();
        (config.send_attempts, config.send_timeout) = (6, 6 * SECOND);
        config.try_timeout = Some(ms(500));
        let client = world.client(config);
        store_many(&mut world, client, 8);
        world.with_cluster(|cluster| {
            cluster.push_faults_at(FIRST, Requests::Sends, vec![Fault::Mute; 6]);
            let lost = vec![Fault::LoseAndClose; 3];
            cluster.push_faults_at(ListenerId::Broker(1), Requests::Sends, lost);
        });
        let before = world.cluster().stored_on(0, TOPIC);
        let op = send(&mut world, client, "x");
        let (_, result) = world.end_of(client, op);
        assert_eq!(&*result.unwrap().broker, "broker-b");
        assert!(world.cluster().stored_on(0, TOPIC) <= before + 1);
    }
}

#[test]
fn send_27_a_second_try_that_fails_does_not_end_a_send_whose_first_one_may_be_answered() {
    let (mut world, client) = two(11);
    // The first try is answered after its limit, and the second one refused at once.
    let refused = Fault::Refuse(ResponseCode::NO_PERMISSION);
    world.with_cluster(|cluster| {
        cluster.push_faults(Requests::Sends, [Fault::Late(ms(1_500)), refused]);
    });
    let op = send(&mut world, client, "x");
    let (took, result) = world.end_of(client, op);
    result.unwrap();
    assert!(took > ms(1_490) && took < ms(1_510), "{took:?}");
    // Where no answer comes, the deadline ends it with what the last try said.
    world.with_cluster(|cluster| cluster.push_faults(Requests::Sends, [Fault::Mute, refused]));
    let op = send(&mut world, client, "y");
    let (took, result) = world.end_of(client, op);
    let error = result.unwrap_err();
    assert!(matches!(error, SendError::Rejected { .. }), "{error}");
    assert_eq!((error.stored(), took), (Stored::Unknown, 3 * SECOND));
    assert_eq!(world.engine(client).stats().operations, 0);
}
