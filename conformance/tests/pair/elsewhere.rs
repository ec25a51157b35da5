//! Sends that wait for a broker, and go on where it is now, or to another one.

use rocketry_conformance::broker::ListenerId;
use rocketry_conformance::sim::{ClientId, Door, Host, Way, World};
use rocketry_core::id::OpId;
use rocketry_core::producer::SendOptions;

use crate::setting::*;

#[test]
fn what_waits_for_its_turn_follows_its_broker_to_another_address() {
    let mut world = world(1, 4);
    let mut config = narrow(10);
    config.route_refresh_interval = SECOND;
    let client = world.client(config);
    store(&mut world, client, "warm");
    world.stall(BROKER, Way::Up);
    let one = |world: &mut World| world.send_within(client, message("x"), 5 * SECOND).unwrap();
    let ops: Vec<OpId> = (0..100).map(|_| one(&mut world)).collect();
    world.run_for(ms(100));
    let to = "127.0.0.1:20911";
    world.with_cluster(|cluster| cluster.set_endpoint(0, to));
    world.host(to, Host::Cluster(ListenerId::Broker(0)));
    world.door(BROKER, Door::BlackHole);
    world.run_for(2 * SECOND);
    // A newcomer finds it.
    store(&mut world, client, "new");
    world.run_for(6 * SECOND);
    assert_eq!(ends(&world, client, &ops), (90, 0, 10));
}

/// Two brokers, of which one stores a message in a millisecond and the other 20.
fn uneven(window: usize) -> (World, ClientId) {
    let mut world = brokers(1, 2, 4);
    world.check_each(1024);
    let client = world.client(narrow(window));
    store_many(&mut world, client, 8);
    world.with_cluster(|cluster| {
        cluster.set_send_queue(0, CAPACITY, 1);
        cluster.set_send_queue(1, CAPACITY, 20);
    });
    (world, client)
}

#[test]
fn what_waits_for_the_slower_of_two_brokers_goes_to_the_one_that_has_room() {
    let (mut world, client) = uneven(64);
    let ops = burst(&mut world, client, 20_000);
    world.run_for(4 * SECOND);
    assert_eq!(ends(&world, client, &ops), (20_000, 0, 0));
}

#[test]
fn what_may_go_to_one_queue_alone_waits_for_its_broker_while_others_pass_it() {
    let (mut world, client) = uneven(64);
    // Every other one may go anywhere.
    let fixed = |n: usize| SendOptions::hash(&n.to_string());
    let one = |world: &mut World, n: usize| match n % 2 {
        0 => world.send_with(client, message("x"), fixed(n)).unwrap(),
        _ => send(world, client, "x"),
    };
    let ops: Vec<OpId> = (0..4_000).map(|n| one(&mut world, n)).collect();
    world.run_for(4 * SECOND);
    assert_eq!(ends(&world, client, &ops), (4_000, 0, 0));
}
