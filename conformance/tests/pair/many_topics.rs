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
