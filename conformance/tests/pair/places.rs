//! Places in the window of a broker that sends hold which were given up: when they are free, and
//! who hears of it.

use rocketry_conformance::broker::{Fault, ListenerId, Requests};
use rocketry_conformance::sim::{ClientId, World};
use rocketry_core::frame::{RequestCode, ResponseCode};
use rocketry_core::id::OpId;
use rocketry_core::query::{Query, QueueName};

use crate::setting::*;

const SEND: RequestCode = RequestCode::SEND_MESSAGE_V2;

fn ask(world: &mut World, client: ClientId) -> OpId {
    let name = QueueName { topic: topic(TOPIC), broker: "broker-a".into(), queue: 0 };
    world.query(client, Query::MaxOffset(name)).unwrap()
}

/// Has something answered each second: the broker's connection is a good one.
fn ask_on(world: &mut World, client: ClientId) {
    ask(world, client);
    world.later(SECOND, move |world| ask_on(world, client));
}

/// A client whose window takes one send. The first one, to which that happens, is given up after a
/// second, and the second one has a minute.
fn one_lost(faults: impl IntoIterator<Item = Fault>) -> (World, ClientId, OpId) {
    let mut world = world(1, 1);
    let client = world.client(narrow(1));
    world.with_cluster(|cluster| cluster.push_faults(Requests::Sends, faults));
    store(&mut world, client, "warm");
    let _ = world.send_within(client, message("lost"), SECOND).unwrap();
    let waits = world.send_within(client, message("waits"), 60 * SECOND).unwrap();
    (world, client, waits)
}

#[test]
fn who_waits_already_hears_of_a_place_that_is_held_from_then_on_for_long_enough() {
    let (mut world, client, waits) = one_lost([Fault::Pass, Fault::Lose]);
    ask_on(&mut world, client);
    world.run_for(61 * SECOND);
    let sent = world.sent(client, waits);
    let ended = sent.ended.as_ref().unwrap();
    let took = ended.at.since(sent.asked);
    assert!(took < 15 * SECOND, "{took:?}: {:?}", ended.result);
}

#[test]
fn a_broker_that_lost_as_many_answers_as_its_window_is_sent_to_again() {
    let mut world = brokers(1, 2, 4);
    let mut config = narrow(8);
    config.send_attempts = 1;
    let client = world.client(config);
    store_many(&mut world, client, 8);
    let lost = std::iter::repeat_n(Fault::Lose, 8);
    world.with_cluster(|c| c.push_faults_at(ListenerId::Broker(0), Requests::Sends, lost));
    for _ in 0..20 {
        send(&mut world, client, "x");
        world.run_for(ms(50));
    }
    ask_on(&mut world, client);
    world.run_for(60 * SECOND);
    let asked = |world: &World| world.cluster().requests_at(ListenerId::Broker(0), SEND);
    let before = asked(&world);
    for _ in 0..100 {
        store(&mut world, client, "x");
    }
    let got = asked(&world) - before;
    assert!(got > 30, "{got} of 100");
}

#[test]
fn an_answer_frees_no_place_but_its_own() {
    // The second answer to the first message comes while the lost one holds its place.
    let (mut world, client, waits) = one_lost([Fault::Twice(3 * SECOND), Fault::Lose]);
    ask_on(&mut world, client);
    world.run_for(5 * SECOND);
    assert_eq!(world.engine(client).snapshot(world.now()).counters.replies_unknown, 1);
    assert_eq!(world.cluster().requests(SEND), 2);
    let (took, result) = world.end_of(client, waits);
    assert!(result.is_ok() && took > 10 * SECOND, "{took:?}: {result:?}");
}

#[test]
fn what_was_given_up_holds_its_place_until_the_connection_it_left_on_is_gone() {
    let (mut world, client, waits) = one_lost([Fault::Pass, Fault::Lose]);
    world.run_for(ms(1500));
    let faults = [Fault::Late(5 * SECOND), Fault::Refuse(ResponseCode::GO_AWAY)];
    let offsets = Requests::Of(RequestCode::GET_MAX_OFFSET);
    world.with_cluster(|cluster| cluster.push_faults(offsets, faults));
    // The first one is answered on the connection that the second one is told to leave.
    ask(&mut world, client);
    ask(&mut world, client);
    world.run_for(2 * SECOND);
    assert_eq!(world.cluster().requests(SEND), 2);
    let (took, result) = world.end_of(client, waits);
    assert!(result.is_ok() && took < 8 * SECOND, "{took:?}: {result:?}");
}
