//! Brokers that go down and come up while consumers and producers work.

use rocketry_conformance::broker::ClusterConfig;
use rocketry_conformance::sim::{ClientId, Door, Pace, Way, World};
use rocketry_core::frame::{RequestCode, ResponseCode};

use crate::setting::*;

fn busy(seed: u64) -> (World, ClientId) {
    let (mut world, client) = pair(seed, 4);
    consume(&mut world, client, Pace::Within(ms(20)));
    store_many(&mut world, client, 50);
    world.run_until(3 * SECOND, |world| world.distinct() == 50).unwrap();
    (world, client)
}

/// Sends until one is stored, then waits for it to be delivered; gives how long that took.
fn resumes(world: &mut World, client: ClientId) -> std::time::Duration {
    let start = world.now();
    let before = world.distinct();
    loop {
        let op = send(world, client, "again");
        if world.end_of(client, op).1.is_ok() {
            break;
        }
    }
    world.run_until(60 * SECOND, |world| world.distinct() > before).unwrap();
    world.now().since(start)
}

#[test]
fn fault_22_a_broker_that_was_down_is_consumed_from_again_within_three_seconds() {
    for seed in 0..20 {
        let (mut world, client) = busy(seed);
        world.take_down(0);
        world.run_for(ms(100 + 1500 * seed));
        world.bring_up(0);
        let took = resumes(&mut world, client);
        assert!(took < 3 * SECOND, "{took:?}");
        store_many(&mut world, client, 50);
        let all = world.cluster().stored(TOPIC) as usize;
        world.run_until(3 * SECOND, |world| world.distinct() == all).unwrap();
    }
}

#[test]
fn a_cut_connection_is_back_within_a_second() {
    for seed in 0..20 {
        let (mut world, client) = busy(seed);
        world.cut_all(BROKER);
        let took = resumes(&mut world, client);
        assert!(took < SECOND, "{took:?}");
    }
}

#[test]
fn fault_23_one_of_two_brokers_down_stops_nothing_on_the_other() {
    for hide in [true, false] {
        let mut config = ClusterConfig::default().brokers(2).topic(TOPIC, 4);
        config.hide_down_brokers = hide;
        let mut world = World::new(1, config);
        let client = world.client(crate::setting::config());
        consume(&mut world, client, Pace::AtOnce);
        store_many(&mut world, client, 80);
        world.take_down(1);
        let start = world.now();
        for i in 0..80 {
            store(&mut world, client, &i.to_string());
        }
        assert!(world.now().since(start) < 2 * SECOND, "{:?}", world.now().since(start));
        world.bring_up(1);
        let all = world.cluster().stored(TOPIC) as usize;
        let took = world.run_until(60 * SECOND, |world| world.distinct() >= 160).unwrap();
        assert!(all >= 160 && took < 45 * SECOND, "{took:?}");
        // The routes know it again at the latest with the next refresh.
        world.run_for(45 * SECOND);
        let before = world.cluster().max_offset(1, TOPIC, 0).unwrap();
        store_many(&mut world, client, 16);
        assert!(world.cluster().max_offset(1, TOPIC, 0).unwrap() > before);
    }
}

#[test]
fn fault_22_who_only_reads_hears_within_seconds_of_queues_that_are_back() {
    for (seed, away) in [(1, 10), (2, 40), (3, 200)] {
        let mut world = World::new(seed, ClusterConfig::default().brokers(2).topic(TOPIC, 4));
        let (reader, sender) = (world.client(config()), world.client(config()));
        let sub = consume(&mut world, reader, Pace::AtOnce);
        world.run_for(5 * SECOND);
        for broker in [0, 1] {
            world.take_down(broker);
            // A route of the other one alone comes meanwhile.
            world.run_for(40 * SECOND);
        }
        world.run_for(away * SECOND);
        for broker in [1, 0] {
            world.bring_up(broker);
            world.run_for(SECOND);
        }
        store_many(&mut world, sender, 16);
        let all = |world: &World| world.engine(reader).queues(sub).len() == 8;
        let took = world.run_until(60 * SECOND, |world| all(world) && world.distinct() == 16);
        assert!(took.unwrap() < 20 * SECOND, "{took:?}");
    }
}

#[test]
fn a_topic_that_has_lost_queues_for_good_is_looked_up_more_often_for_ten_minutes_alone() {
    let mut world = World::new(1, ClusterConfig::default().brokers(2).topic(TOPIC, 4));
    let reader = world.client(config());
    consume(&mut world, reader, Pace::AtOnce);
    world.run_for(5 * SECOND);
    world.take_down(1);
    let asked = |world: &World| world.cluster().requests(RequestCode::GET_ROUTEINFO_BY_TOPIC);
    world.run_for(60 * SECOND);
    let before = asked(&world);
    world.run_for(300 * SECOND);
    let soon = asked(&world) - before;
    world.run_for(360 * SECOND);
    let before = asked(&world);
    world.run_for(300 * SECOND);
    let later = asked(&world) - before;
    // Its retry topic, which the brokers make, is asked for as well.
    assert!(soon <= 2 * (300 / 5) + 2 * 11 && later <= 2 * 11, "{soon}, {later}");
    assert!(soon > later, "{soon}, {later}");
}

#[test]
fn a_refused_heartbeat_keeps_a_consumer_waiting_for_a_moment_only() {
    for code in [ResponseCode::SYSTEM_ERROR, ResponseCode::SYSTEM_BUSY] {
        let (mut world, client) = pair(1, 4);
        world.with_cluster(|cluster| cluster.push_error(RequestCode::HEART_BEAT, [code]));
        consume(&mut world, client, Pace::AtOnce);
        store(&mut world, client, "x");
        let took = world.run_until(60 * SECOND, |world| world.distinct() == 1).unwrap();
        assert!(took < 3 * SECOND, "{took:?}");
    }
}

#[test]
fn a_heartbeat_without_an_answer_keeps_a_consumer_waiting_for_a_moment_only() {
    let (mut world, client) = busy(1);
    let mut left = 1;
    world.tamper(move |_, way, bytes| {
        let is_heartbeat = String::from_utf8_lossy(bytes).contains("\"code\":34,");
        if way == Way::Up && is_heartbeat && left > 0 {
            bytes.clear();
            left -= 1;
        }
    });
    world.cut_all(BROKER);
    world.run_for(ms(200));
    let took = resumes(&mut world, client);
    assert!(took < 6 * SECOND, "{took:?}");
}

#[test]
fn a_broker_that_forgot_the_group_hears_of_it_again() {
    for code in [
        ResponseCode::SUBSCRIPTION_NOT_EXIST,
        ResponseCode::SUBSCRIPTION_NOT_LATEST,
        ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST,
    ] {
        let (mut world, client) = pair(1, 1);
        world.with_cluster(|cluster| cluster.push_error(RequestCode::PULL_MESSAGE, [code]));
        consume(&mut world, client, Pace::AtOnce);
        store(&mut world, client, "x");
        let took = world.run_until(60 * SECOND, |world| world.distinct() == 1).unwrap();
        assert!(took < 3 * SECOND, "{code}: {took:?}");
        assert!(world.cluster().requests(RequestCode::HEART_BEAT) >= 2, "{code}");
    }
}

#[test]
fn a_pull_that_is_refused_is_tried_again_soon() {
    let codes = [ResponseCode::SYSTEM_ERROR, ResponseCode::SYSTEM_BUSY, ResponseCode::FLOW_CONTROL];
    for code in codes {
        let (mut world, client) = pair(1, 1);
        store_many(&mut world, client, 10);
        world.with_cluster(|cluster| cluster.push_error(RequestCode::PULL_MESSAGE, [code; 3]));
        consume(&mut world, client, Pace::AtOnce);
        let took = world.run_until(60 * SECOND, |world| world.distinct() == 10).unwrap();
        assert!(took < 5 * SECOND, "{code}: {took:?}");
    }
}

#[test]
fn a_consumer_on_a_connection_that_stays_dead_without_a_word_goes_on_within_a_minute() {
    for way in [Way::Up, Way::Down] {
        let (mut world, client) = busy(1);
        world.stall(BROKER, way);
        let other = world.client(config());
        store(&mut world, other, "news");
        let took = world.run_until(120 * SECOND, |world| world.distinct() == 51);
        assert!(took.is_some_and(|took| took < 45 * SECOND), "{way:?}: {took:?}");
        let _ = client;
    }
}

#[test]
fn a_queue_whose_slave_is_lost_goes_on_at_the_master_that_is_back() {
    let cluster = ClusterConfig::default().slaves().topic(TOPIC, 1);
    let mut world = without_retries(World::new(1, cluster));
    let producer = world.client(config());
    let client = world.client(config());
    consume(&mut world, client, Pace::AtOnce);
    store_many(&mut world, producer, 3);
    world.run_for(SECOND);
    let slave = world.cluster().endpoint(1).unwrap().to_owned();
    // It keeps those that wait, and does not send them back to the master.
    world.with_cluster(|cluster| cluster.set_suggested(1, 1));
    world.take_down(0);
    world.run_until(40 * SECOND, |world| world.cluster().held_pulls(1) == 1).unwrap();
    world.bring_up(0);
    // The master is read from again, and the slave holds the pull from before.
    let master = |world: &World| world.open_links(BROKER) > 0;
    world.run_until(40 * SECOND, |world| master(world) && world.cluster().held_pulls(1) == 1);
    world.run_for(ms(50));
    assert_eq!((world.cluster().held_pulls(0), world.cluster().held_pulls(1)), (0, 1));
    world.door(&slave, Door::Refuse);
    world.cut_all(&slave);
    world.run_for(ms(50));
    assert_eq!(world.cluster().held_pulls(0), 1);
}
