//! A consumer of very many topics.

use rocketry_conformance::broker::{ClusterConfig, TopicConfig};
use rocketry_conformance::sim::{Pace, World};
use rocketry_core::consumer::Filter;
use rocketry_core::frame::RequestCode;

use crate::setting::*;

const TOPICS: usize = 2_000;

#[test]
fn limit_05_each_of_two_thousand_topics_is_asked_for_once_and_looks_are_at_many_of_them() {
    let name = |number: usize| format!("one_of_many_{number}");
    let topics = (0..TOPICS).map(|number| TopicConfig::new(name(number), 1)).collect();
    let cluster = ClusterConfig { topics, ..ClusterConfig::default() };
    let mut world = without_retries(World::new(1, cluster));
    world.check_each(512);
    let client = world.client(config());
    let mut subscribe = from_first(GROUP);
    subscribe.topics = (0..TOPICS).map(|number| (topic(&name(number)), Filter::All)).collect();
    world.subscribe(client, subscribe, Pace::AtOnce).unwrap();
    let held = move |world: &World| world.cluster().held_pulls(0) == TOPICS;
    let took = world.run_until(10 * SECOND, held).expect("all of them are read");
    let asked = |code| world.cluster().requests(code);
    let counters = world.engine(client).snapshot(world.now()).counters;
    println!("{took:?}, {} looks, {:?}", counters.looks, asked(RequestCode::HEART_BEAT));
    // The group's retry topic, which does not exist, is asked for as well.
    let routes = asked(RequestCode::GET_ROUTEINFO_BY_TOPIC) as usize;
    assert!((TOPICS..TOPICS + 4).contains(&routes), "{routes} routes were asked for");
    assert_eq!(asked(RequestCode::QUERY_CONSUMER_OFFSET) as usize, TOPICS);
    let lists = asked(RequestCode::GET_CONSUMER_LIST_BY_GROUP);
    assert!(lists <= 10, "{lists} lists of members");
    // Each is at all topics: one for each route would take the square of their number.
    assert!(counters.looks <= 20, "{} looks", counters.looks);
}

#[test]
fn topics_that_are_read_one_by_one_are_told_together() {
    const COUNT: usize = 300;
    let name = |number: usize| format!("one_of_many_{number}");
    let topics = (0..COUNT).map(|number| TopicConfig::new(name(number), 1)).collect();
    let cluster = ClusterConfig { topics, ..ClusterConfig::default() };
    let mut world = without_retries(World::new(3, cluster));
    world.check_each(512);
    let client = world.client(config());
    let mut subscribe = from_first(GROUP);
    subscribe.topics = vec![(topic(&name(0)), Filter::All)];
    let sub = world.subscribe(client, subscribe, Pace::AtOnce).unwrap();
    world.run_for(5 * SECOND);
    let before = world.cluster().requests(RequestCode::HEART_BEAT);
    for number in 1..COUNT {
        world.subscribe_to(client, sub, topic(&name(number)), Filter::All).unwrap();
    }
    let held = move |world: &World| world.cluster().held_pulls(0) == COUNT;
    let took = world.run_until(10 * SECOND, held).expect("all of them are read");
    let told = world.cluster().requests(RequestCode::HEART_BEAT) - before;
    assert!(told < 10, "{told} heartbeats of all topics, {took:?}");
}

#[test]
fn topics_by_sql_are_told_together_once_brokers_have_taken_their_filters() {
    const COUNT: usize = 300;
    let name = |number: usize| format!("one_of_many_{number}");
    let topics = (0..COUNT).map(|number| TopicConfig::new(name(number), 1)).collect();
    let cluster = ClusterConfig { topics, property_filter: true, ..ClusterConfig::default() };
    let mut world = without_retries(World::new(4, cluster));
    world.check_each(512);
    let client = world.client(config());
    let mut subscribe = from_first(GROUP);
    let filter = Filter::sql("a = 1").unwrap();
    subscribe.topics = (0..COUNT).map(|number| (topic(&name(number)), filter.clone())).collect();
    world.subscribe(client, subscribe, Pace::AtOnce).unwrap();
    let held = move |world: &World| world.cluster().held_pulls(0) == COUNT;
    let took = world.run_until(10 * SECOND, held).expect("all of them are read");
    let told = world.cluster().requests(RequestCode::HEART_BEAT);
    assert!(told < 10, "{told} heartbeats, {took:?}");
    assert_eq!(world.cluster().requests(RequestCode::CHECK_CLIENT_CONFIG) as usize, COUNT);
}
