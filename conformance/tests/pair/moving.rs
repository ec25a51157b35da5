//! Brokers that come back at another address, and brokers that do not take heartbeats.

use rocketry_conformance::broker::{ClusterConfig, Fault, ListenerId};
use rocketry_conformance::sim::{ClientId, Door, Host, Pace, World};
use rocketry_core::consumer::Subscribe;
use rocketry_core::frame::{RequestCode, ResponseCode};
use rocketry_core::message::Message;
use rocketry_core::name::Group;

use crate::setting::*;

const MOVED: &str = "127.0.0.1:20911";

/// The broker of that number goes down, and comes back at another address `after`.
fn move_broker(world: &mut World, broker: usize, from: &str, to: &str, after: u64) {
    world.take_down(broker);
    world.run_for(ms(after));
    world.with_cluster(|cluster| cluster.set_endpoint(broker, to));
    world.host(to, Host::Cluster(ListenerId::Broker(broker)));
    world.bring_up(broker);
    world.door(from, Door::Refuse);
}

/// A consumer alone, with everything delivered that was there.
fn consumer_alone(seed: u64) -> (World, ClientId, ClientId) {
    let (mut world, producer) = pair(seed, 4);
    let consumer = world.client(config());
    store_many(&mut world, producer, 8);
    consume(&mut world, consumer, Pace::AtOnce);
    world.run_until(10 * SECOND, |world| world.delivered().len() == 8).unwrap();
    (world, producer, consumer)
}

#[test]
fn conn_15_a_consumer_alone_follows_its_broker_to_another_address() {
    for (seed, away) in [(1, 10), (2, 500), (3, 5_000), (4, 60_000)] {
        let (mut world, producer, _) = consumer_alone(seed);
        world.vanish(producer);
        move_broker(&mut world, 0, BROKER, MOVED, away);
        let other = world.client(config());
        let op = world.try_send(other, message("moved")).unwrap();
        let took = world.run_until(3 * SECOND, |world| world.delivered().len() > 8);
        assert!(took.is_some(), "away for {away} ms");
        assert!(world.sent(other, op).ended.as_ref().unwrap().result.is_ok());
        // The old address is nobody's any more.
        let before = connects(&world, BROKER).len();
        world.run_for(600 * SECOND);
        assert_eq!(connects(&world, BROKER).len(), before, "away for {away} ms");
        assert!(world.open_links(MOVED) >= 1);
    }
}

#[test]
fn conn_15_an_address_told_for_one_topic_moves_the_consumers_of_all_others() {
    let cluster = ClusterConfig::default().topic(TOPIC, 4).topic("other", 4);
    let mut world = World::new(7, cluster);
    let client = world.client(config());
    for name in [TOPIC, "other"] {
        let mut subscribe = Subscribe::new(Group::new(format!("of_{name}")).unwrap(), topic(name));
        subscribe.options.start = rocketry_core::consumer::Start::First;
        world.subscribe(client, subscribe, Pace::AtOnce).unwrap();
    }
    world.run_for(10 * SECOND);
    move_broker(&mut world, 0, BROKER, MOVED, 3_000);
    let sender = world.client(config());
    for name in [TOPIC, "other"] {
        world.try_send(sender, Message::new(topic(name), "x")).unwrap();
    }
    let took = world.run_until(3 * SECOND, |world| world.delivered().len() == 2);
    assert!(took.is_some(), "{} delivered", world.delivered().len());
}

#[test]
fn conn_15_two_brokers_that_change_places_are_found_although_both_are_known() {
    let mut world = brokers(8, 2, 2);
    let consumer = world.client(config());
    consume(&mut world, consumer, Pace::AtOnce);
    world.run_for(10 * SECOND);
    let (a, b) = (BROKER.to_owned(), world.cluster().endpoint(1).unwrap().to_owned());
    for (broker, to) in [(0, &b), (1, &a)] {
        world.with_cluster(|cluster| cluster.set_endpoint(broker, to));
        world.host(to, Host::Cluster(ListenerId::Broker(broker)));
    }
    world.cut_all(&a);
    world.cut_all(&b);
    let sender = world.client(config());
    store_many(&mut world, sender, 8);
    let took = world.run_until(5 * SECOND, |world| world.delivered().len() == 8);
    assert!(took.is_some(), "{} delivered", world.delivered().len());
}

/// A consumer with messages that come every 100 ms.
fn flowing(seed: u64) -> (World, ClientId) {
    let (mut world, _, consumer) = consumer_alone(seed);
    let producer = world.client(config());
    store(&mut world, producer, "warm");
    for i in 0..3_000 {
        world.later(ms(100 * i), move |world| {
            send(world, producer, "x");
        });
    }
    (world, consumer)
}

/// The longest time without a delivery in the next `seconds`.
fn longest_pause(world: &mut World, seconds: u32) -> std::time::Duration {
    let (mut last, mut longest) = (world.now(), ms(0));
    let (begun, mut seen) = (world.now(), world.delivered().len());
    while world.now().since(begun) < seconds * SECOND {
        world.run_for(ms(20));
        if world.delivered().len() > seen {
            seen = world.delivered().len();
            last = world.now();
        }
        longest = longest.max(world.now().since(last));
    }
    longest
}

#[test]
fn conn_17_heartbeats_refused_on_a_connection_that_stands_stop_no_pull() {
    for fault in [Fault::Refuse(ResponseCode::SYSTEM_BUSY), Fault::Lose, Fault::Mute] {
        let (mut world, _) = flowing(1);
        world.run_for(5 * SECOND);
        world.with_cluster(|cluster| cluster.push_faults(RequestCode::HEART_BEAT, vec![fault; 60]));
        let longest = longest_pause(&mut world, 100);
        assert!(longest < ms(300), "{longest:?} with {fault:?}");
    }
}

#[test]
fn conn_17_a_new_producer_group_or_consumer_pauses_nobody() {
    let (mut world, consumer) = flowing(2);
    world.run_for(5 * SECOND);
    world.with_cluster(|cluster| cluster.set_delay(RequestCode::HEART_BEAT, ms(2_000)));
    world.produce(consumer);
    let longest = longest_pause(&mut world, 10);
    assert!(longest < ms(300), "{longest:?} after a producer group");
    world.subscribe(consumer, from_first("group_b"), Pace::AtOnce).unwrap();
    let longest = longest_pause(&mut world, 10);
    assert!(longest < ms(300), "{longest:?} after a consumer");
}

#[test]
fn conn_17_two_heartbeats_under_way_do_not_confirm_each_other() {
    // The first heartbeat, of one group, is answered late; the second, of both, not at all.
    let (mut world, _, consumer) = consumer_alone(3);
    world.with_cluster(|cluster| {
        let faults = [Fault::Late(ms(800)), Fault::Lose];
        cluster.push_faults(RequestCode::HEART_BEAT, faults);
        cluster.keep_requests();
    });
    world.produce(consumer);
    world.run_for(ms(100));
    world.subscribe(consumer, from_first("group_b"), Pace::AtOnce).unwrap();
    world.run_for(ms(1_500));
    let requests = world.with_cluster(|cluster| cluster.take_requests());
    let early = requests.iter().any(|received| match &received.request {
        rocketry_core::frame::Request::ConsumerList(list) => &*list.consumer_group == "group_b",
        _ => false,
    });
    assert!(!early, "the broker has not heard of group_b");
    world.run_for(10 * SECOND);
    assert_eq!(world.delivered().len(), 16, "and then it has");
}

#[test]
fn conn_17_a_broker_that_says_it_does_not_know_us_hears_of_us_before_the_next_pull() {
    for code in [
        ResponseCode::SUBSCRIPTION_NOT_EXIST,
        ResponseCode::SUBSCRIPTION_NOT_LATEST,
        ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST,
    ] {
        let (mut world, _, _) = consumer_alone(4);
        world.with_cluster(|cluster| {
            cluster.push_error(RequestCode::PULL_MESSAGE, [code]);
            cluster.set_delay(RequestCode::HEART_BEAT, ms(400));
        });
        // The held pulls end within 15 s; the next one is refused.
        let beats = world.cluster().requests(RequestCode::HEART_BEAT);
        let heard = world.run_until(20 * SECOND, |world| {
            world.cluster().requests(RequestCode::HEART_BEAT) > beats
        });
        assert!(heard.is_some());
        let pulls = world.cluster().requests(RequestCode::PULL_MESSAGE);
        world.run_for(ms(350));
        assert_eq!(world.cluster().requests(RequestCode::PULL_MESSAGE), pulls, "{code}");
        world.run_for(3 * SECOND);
        assert!(world.cluster().requests(RequestCode::PULL_MESSAGE) > pulls, "{code}");
    }
}
