//! Frames that a broker closes its connection over, and oneway messages and idle connections at
//! their limits.

use rocketry_conformance::broker::{Fault, Requests};
use rocketry_conformance::sim::{ClientId, Pace, Way, World};
use rocketry_core::config::Config;
use rocketry_core::engine::Note;
use rocketry_core::error::{ErrorKind, Failure, SendError, Stored};
use rocketry_core::producer::SendOptions;

use crate::setting::*;

fn large(change: impl FnOnce(&mut Config)) -> (World, ClientId) {
    let mut world = world(1, 4);
    let mut config = config();
    config.max_body = 30 << 20;
    config.send_timeout = 10 * SECOND;
    change(&mut config);
    let client = world.client(config);
    store(&mut world, client, "warm");
    (world, client)
}

#[test]
fn send_29_a_body_over_the_brokers_frame_limit_is_one_error_that_names_it_and_harms_no_neighbour() {
    let (mut world, client) = large(|_| {});
    let slow = (0..20).map(|_| Fault::Late(2 * SECOND));
    world.with_cluster(|cluster| cluster.push_faults(Requests::Sends, slow));
    let before: Vec<_> = (0..20).map(|n| send(&mut world, client, &n.to_string())).collect();
    world.run_for(ms(10));
    let op = world.try_send(client, message(vec![7; 17 << 20])).unwrap();
    let after: Vec<_> = (0..20).map(|n| send(&mut world, client, &n.to_string())).collect();
    let error = world.end_of(client, op).1.unwrap_err();
    assert!(matches!(error, SendError::OverFrame { stored: Stored::No, .. }), "{error}");
    assert_eq!((error.kind(), error.is_retriable()), (ErrorKind::Invalid, false));
    assert!(error.to_string().contains("16 MiB") && !error.to_string().contains("not connected"));
    for op in before.into_iter().chain(after) {
        let receipt = world.end_of(client, op).1.unwrap();
        assert_eq!(world.copies(TOPIC, receipt.message_id.as_str()), 1);
    }
    // Two tries, each on a connection that nothing else is on.
    let closed = world.notes(client).filter(|note| matches!(note, Note::Closed { .. })).count();
    assert_eq!((closed, connects(&world, BROKER).len()), (2, 3));
    world.run_for(10 * SECOND);
    assert_eq!(connects(&world, BROKER).len(), 3);
    store(&mut world, client, "next");
}

#[test]
fn send_29_a_cut_in_the_middle_of_a_message_is_a_try_and_the_next_one_stores_it() {
    let (mut world, client) = large(|_| {});
    world.stall(BROKER, Way::Up);
    let op = world.try_send(client, message(vec![7; 2 << 20])).unwrap();
    world.run_for(ms(100));
    world.cut_all(BROKER);
    let receipt = world.end_of(client, op).1.unwrap();
    assert_eq!(world.copies(TOPIC, receipt.message_id.as_str()), 1);
    // A second one ends it, and it is known not to be there.
    let (mut world, client) = large(|config| config.send_attempts = 1);
    world.stall(BROKER, Way::Up);
    let op = world.try_send(client, message(vec![7; 2 << 20])).unwrap();
    world.run_for(ms(100));
    world.cut_all(BROKER);
    let error = world.end_of(client, op).1.unwrap_err();
    assert!(matches!(error, SendError::Lost { stored: Stored::No, .. }), "{error}");
    let cut = |failure: &Failure| matches!(failure, Failure::Cut(_));
    assert!(error.attempts().unwrap().iter().any(|one| cut(&one.failure)), "{error}");
    assert!(error.is_retriable());
}

/// How many oneway messages of this size a stalled connection takes at once.
fn taken(world: &mut World, client: ClientId, count: usize, size: usize) -> usize {
    let options = || SendOptions::default().oneway().timeout(100 * SECOND);
    let mut send = || world.send_with(client, message(vec![7; size]), options()).unwrap();
    let ops: Vec<_> = (0..count).map(|_| send()).collect();
    ops.iter().filter(|op| world.sent(client, **op).handed.is_some()).count()
}

#[test]
fn the_room_of_oneway_messages_is_there_again_after_a_lost_connection() {
    let (mut world, client) = large(|_| {});
    world.stall(BROKER, Way::Up);
    let first = taken(&mut world, client, 40, 30 << 10);
    assert!((10..40).contains(&first), "{first}");
    world.cut_all(BROKER);
    world.unstall_all();
    world.run_for(3 * SECOND);
    store(&mut world, client, "again");
    world.stall(BROKER, Way::Up);
    assert_eq!(taken(&mut world, client, 40, 30 << 10), first);
}

#[test]
fn a_oneway_message_over_256_kib_is_taken_where_none_waits() {
    let (mut world, client) = large(|_| {});
    world.stall(BROKER, Way::Up);
    // The socket takes nothing more.
    for _ in 0..10 {
        world.try_send(client, message(vec![7; 100 << 10])).unwrap();
    }
    assert_eq!(taken(&mut world, client, 3, 300 << 10), 1);
}

#[test]
fn a_wanted_connection_stays_although_nothing_goes_over_it_for_longer_than_max_idle() {
    let (mut world, client) = large(|config| {
        config.max_idle = Some(10 * SECOND);
        config.heartbeat_interval = 600 * SECOND;
        config.rebalance_interval = 600 * SECOND;
        config.queue_messages = 1;
    });
    consume(&mut world, client, Pace::Manual);
    store_many(&mut world, client, 40);
    // Each queue holds as much as it may: nothing is pulled.
    world.run_for(60 * SECOND);
    let before = world.trace().count("Up ");
    world.run_for(60 * SECOND);
    let silent = world.trace().text();
    assert!(world.trace().count("Up ") - before < 10, "{silent}");
    assert_eq!((connects(&world, BROKER).len(), world.open_links(BROKER)), (1, 1));
}
