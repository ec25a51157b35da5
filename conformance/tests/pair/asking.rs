//! Questions of the application: whom they reach, what they learn, and what they say at their end.

use rocketry_conformance::broker::{ClusterConfig, Fault, ListenerId, Requests};
use rocketry_conformance::sim::{ClientId, Door, Pace, World};
use rocketry_core::engine::Note;
use rocketry_core::error::{CloseReason, QueryError};
use rocketry_core::frame::request::MaxOffsetRequest;
use rocketry_core::frame::{Request, RequestCode, ResponseCode};
use rocketry_core::query::{Answer, Call, Query, QueueChoice, QueueName, Target};

use crate::setting::*;

/// Two brokers that stay in the routes while they are down.
fn two() -> (World, ClientId) {
    let mut cluster = ClusterConfig::default().brokers(2).topic(TOPIC, 2);
    cluster.hide_down_brokers = false;
    let mut world = World::new(1, cluster);
    let mut config = config();
    config.send_attempts = 1;
    let client = world.client(config);
    (world, client)
}

fn name(broker: &str) -> QueueName {
    QueueName { topic: topic(TOPIC), broker: broker.into(), queue: 0 }
}

fn ask(world: &mut World, client: ClientId, query: Query) -> Result<Answer, QueryError> {
    let op = world.query(client, query).unwrap();
    world.run_until(5 * SECOND, |world| world.answer(client, op).is_some()).unwrap();
    world.answer(client, op).unwrap().result.clone()
}

fn choices(world: &mut World, client: ClientId) -> Vec<QueueChoice> {
    match ask(world, client, Query::Writable(topic(TOPIC))) {
        Ok(Answer::Writable(choices)) => choices,
        other => panic!("{other:?}"),
    }
}

/// Whether the first broker's queues, and the second's, are marked as to be avoided.
fn avoided(world: &mut World, client: ClientId) -> [bool; 2] {
    let choices = choices(world, client);
    let all = ["broker-a", "broker-b"].map(|broker| {
        let of = choices.iter().filter(|choice| &*choice.queue.broker == broker);
        of.map(|choice| choice.avoided).collect::<Vec<_>>()
    });
    all.map(|of| {
        assert!(of.len() == 2 && of[0] == of[1], "{of:?}");
        of[0]
    })
}

#[test]
fn a_selector_that_is_told_to_avoid_a_broker_hears_of_its_return_without_any_send() {
    let (mut world, client) = two();
    store_many(&mut world, client, 8);
    world.take_down(1);
    world.run_for(SECOND);
    assert_eq!(avoided(&mut world, client), [false, true]);
    world.run_for(20 * SECOND);
    world.bring_up(1);
    let start = world.now();
    while avoided(&mut world, client)[1] {
        assert!(world.now().since(start) < 3 * SECOND, "nobody looks for the broker");
        world.run_for(ms(200));
    }
}

#[test]
fn a_selector_is_told_of_a_broker_that_failed_and_of_each_ones_latency() {
    let (mut world, client) = two();
    let none = choices(&mut world, client);
    assert!(none.iter().all(|choice| choice.latency.is_zero() && !choice.avoided));
    let first = ListenerId::Broker(0);
    world.with_cluster(|cluster| {
        cluster.push_faults_at(first, Requests::Sends, [Fault::Late(ms(100))]);
    });
    store_many(&mut world, client, 4);
    let latency = |choices: &[QueueChoice], broker: &str| {
        choices.iter().find(|choice| &*choice.queue.broker == broker).unwrap().latency
    };
    let both = choices(&mut world, client);
    assert!(latency(&both, "broker-a") > ms(10) && latency(&both, "broker-b") < ms(10));
    assert!(!latency(&both, "broker-b").is_zero());
    let fault = Fault::Refuse(ResponseCode::SYSTEM_ERROR);
    world.with_cluster(|cluster| cluster.push_faults_at(first, Requests::Sends, [fault]));
    let options = rocketry_core::producer::SendOptions::to(&name("broker-a"));
    let op = world.send_with(client, message("x"), options).unwrap();
    world.end_of(client, op).1.unwrap_err();
    assert_eq!(avoided(&mut world, client), [true, false]);
    world.run_for(11 * SECOND);
    assert_eq!(avoided(&mut world, client), [false, false]);
}

#[test]
fn a_question_that_runs_out_of_time_says_what_its_tries_came_to() {
    let (mut world, client) = pair(1, 4);
    world.door(BROKER, Door::Refuse);
    let error = ask(&mut world, client, Query::MaxOffset(name("broker-a"))).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, QueryError::TimedOut { .. }), "{text}");
    assert!(text.contains("connection refused") && text.contains(BROKER), "{text}");
    assert_eq!(error.endpoint().map(|endpoint| endpoint.as_str()), Some(BROKER));
}

#[test]
fn conn_09_a_question_to_a_broker_that_goes_away_is_asked_again_on_the_next_connection() {
    let code = RequestCode::GET_MAX_OFFSET;
    let request = || {
        Request::MaxOffset(MaxOffsetRequest { topic: topic(TOPIC).shared(), ..Default::default() })
    };
    let call = |target| {
        Query::Call(Box::new(Call { target, request: request(), body: Default::default() }))
    };
    let plain = Query::MaxOffset(name("broker-a"));
    for query in [plain, call(Target::Queue(name("broker-a")))] {
        let (mut world, client) = pair(1, 4);
        store(&mut world, client, "warm");
        world.with_cluster(|cluster| cluster.push_error(code, [ResponseCode::GO_AWAY]));
        match ask(&mut world, client, query).unwrap() {
            Answer::Offset(_) => {}
            Answer::Response(response) => assert_eq!(response.code, ResponseCode::SUCCESS),
            other => panic!("{other:?}"),
        }
        assert_eq!(world.cluster().requests(code), 2);
        assert_eq!(connects(&world, BROKER).len(), 2);
    }
}

#[test]
fn conn_09_the_connection_of_a_broker_that_goes_away_does_not_wait_for_long_polls() {
    let mut world = World::new(1, ClusterConfig::default().topic(TOPIC, 2));
    let client = world.client(config());
    consume(&mut world, client, Pace::AtOnce);
    world.run_for(3 * SECOND);
    let held = world.cluster().held_pulls(0);
    assert_eq!(held, 2);
    world.with_cluster(|cluster| {
        cluster.push_faults(Requests::Sends, [Fault::Refuse(ResponseCode::GO_AWAY)]);
    });
    let op = send(&mut world, client, "x");
    let (took, result) = world.end_of(client, op);
    assert!(result.is_ok() && took < SECOND, "{took:?} {result:?}");
    let reasons = world.notes(client).filter_map(|note| match note {
        Note::Closed { reason, .. } => Some(reason.clone()),
        _ => None,
    });
    assert_eq!(reasons.collect::<Vec<_>>(), [CloseReason::GoAway]);
    world.run_until(2 * SECOND, |world| world.distinct() == 1).unwrap();
}
