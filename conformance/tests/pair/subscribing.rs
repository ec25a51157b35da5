//! Subscriptions that change while a consumer runs.

use rocketry_conformance::broker::{ClusterConfig, Fault};
use rocketry_conformance::sim::{ClientId, Pace, World};
use rocketry_core::consumer::Filter;
use rocketry_core::error::{Refused, Stale};
use rocketry_core::frame::{RequestCode, ResponseCode};
use rocketry_core::id::SubscriptionId;
use rocketry_core::message::Message;
use rocketry_core::name::Topic;

use crate::setting::*;

const OTHER: &str = "topic_b";

/// A consumer that reads so many of the two topics, "eu" of each.
fn reading(count: usize) -> (World, ClientId, SubscriptionId) {
    let cluster = ClusterConfig::default().topic(TOPIC, 4).topic(OTHER, 4);
    let mut world = World::new(1, cluster);
    let client = world.client(config());
    let mut subscribe = from_first(GROUP);
    subscribe.options = subscribe.options.without_topics();
    let named = [TOPIC, OTHER].map(|name| (topic(name), eu()));
    subscribe.topics = named.into_iter().take(count).collect();
    let sub = world.subscribe(client, subscribe, Pace::AtOnce).unwrap();
    world.run_for(3 * SECOND);
    (world, client, sub)
}

fn eu() -> Filter {
    Filter::tags(["eu"]).unwrap()
}

fn store_tagged(world: &mut World, client: ClientId, to: &str, tag: &str, count: usize) {
    for i in 0..count {
        let message = Message::new(topic(to), format!("{to} {tag} {i}")).tag(tag);
        let op = world.try_send(client, message).unwrap();
        world.end_of(client, op).1.unwrap();
    }
}

fn came(world: &World, to: &str, tag: &str) -> usize {
    let begin = format!("{to} {tag} ");
    let bodies = world.delivered().iter().filter_map(|one| one.body.as_deref().ok());
    bodies.filter(|body| body.starts_with(&begin)).count()
}

#[test]
fn life_08_a_consumer_without_a_topic_is_refused_unless_it_is_meant() {
    let mut world = world(1, 4);
    let client = world.client(config());
    let mut subscribe = from_first(GROUP);
    subscribe.topics.clear();
    let refused = world.subscribe(client, subscribe.clone(), Pace::AtOnce).unwrap_err();
    assert_eq!(refused, Refused::NoTopic);
    assert!(refused.to_string().contains("without_topics"), "{refused}");
    subscribe.options = subscribe.options.without_topics();
    let sub = world.subscribe(client, subscribe, Pace::AtOnce).unwrap();
    world.run_for(30 * SECOND);
    assert_eq!(world.engine(client).subscriptions(sub), []);
    world.leave(client, sub).unwrap();
    world.run_until(SECOND, |world| world.left_at(client, sub).is_some()).unwrap();
}

#[test]
fn push_15_a_topic_subscribed_to_while_running_is_read_within_a_second() {
    for topics in 0..=1 {
        let (mut world, client, sub) = reading(topics);
        store_tagged(&mut world, client, OTHER, "eu", 8);
        world.run_for(2 * SECOND);
        assert_eq!(world.delivered().len(), 0);
        world.subscribe_to(client, sub, topic(OTHER), eu()).unwrap();
        let took = world.run_until(5 * SECOND, |world| came(world, OTHER, "eu") == 8);
        assert!(took.is_some_and(|took| took <= SECOND), "{took:?}");
        let read = world.engine(client).subscriptions(sub);
        assert_eq!(read.len(), topics + 1);
        assert_eq!(world.engine(client).queues(sub).len(), 4 * (topics + 1));
    }
}

#[test]
fn push_15_a_topic_unsubscribed_from_commits_and_is_given_up_within_a_second() {
    let (mut world, client, sub) = reading(2);
    store_tagged(&mut world, client, OTHER, "eu", 8);
    world.run_until(SECOND, |world| came(world, OTHER, "eu") == 8).unwrap();
    assert_eq!(world.unsubscribe_from(client, sub, &topic(OTHER)), Ok(true));
    assert_eq!(world.unsubscribe_from(client, sub, &topic(OTHER)), Ok(false));
    assert_eq!(world.engine(client).queues(sub).len(), 4);
    world.run_for(ms(100));
    let committed = |queue| world.cluster().committed(0, GROUP, OTHER, queue).unwrap_or(0);
    assert_eq!((0..4).map(committed).sum::<i64>(), 8, "what is settled is stored");
    let lost: usize = world.changes(client).iter().map(|change| change.lost.len()).sum();
    assert_eq!(lost, 4);
    store_tagged(&mut world, client, OTHER, "eu", 8);
    store_tagged(&mut world, client, TOPIC, "eu", 8);
    world.run_until(2 * SECOND, |world| came(world, TOPIC, "eu") == 8).unwrap();
    world.run_for(60 * SECOND);
    assert_eq!(came(&world, OTHER, "eu"), 8, "nothing more of it");
    // Again: what came meanwhile is read, from where it was left.
    world.subscribe_to(client, sub, topic(OTHER), eu()).unwrap();
    world.run_until(2 * SECOND, |world| came(world, OTHER, "eu") == 16).unwrap();
    world.run_for(SECOND);
    assert_eq!(came(&world, OTHER, "eu"), 16);
}

#[test]
fn filt_17_a_changed_filter_counts_at_once_for_what_is_pulled_from_then_on() {
    let (mut world, client, sub) = reading(2);
    store_tagged(&mut world, client, TOPIC, "eu", 4);
    world.run_for(2 * SECOND);
    assert_eq!((came(&world, TOPIC, "eu"), came(&world, TOPIC, "us")), (4, 0));
    // Long polls with the old filter are held just now.
    world.subscribe_to(client, sub, topic(TOPIC), Filter::tags(["us"]).unwrap()).unwrap();
    world.run_for(ms(100));
    store_tagged(&mut world, client, TOPIC, "us", 4);
    store_tagged(&mut world, client, TOPIC, "eu", 4);
    let took = world.run_until(5 * SECOND, |world| came(world, TOPIC, "us") == 4);
    assert!(took.is_some_and(|took| took <= SECOND), "{took:?}");
    world.run_for(20 * SECOND);
    assert_eq!((came(&world, TOPIC, "eu"), came(&world, TOPIC, "us")), (4, 4));
    // The other topic goes on, and both sides know the same.
    store_tagged(&mut world, client, OTHER, "eu", 4);
    world.run_until(2 * SECOND, |world| came(world, OTHER, "eu") == 4).unwrap();
    let read = world.engine(client).subscriptions(sub);
    let of = |name: &Topic| read.iter().find(|of| of.topic == *name).unwrap().filter.text();
    assert_eq!((of(&topic(TOPIC)), of(&topic(OTHER))), ("us".to_owned(), "eu".to_owned()));
}

#[test]
fn filters_that_change_all_the_time_lose_and_double_nothing() {
    let (mut world, client, sub) = reading(1);
    for round in 0..200 {
        world.later(ms(50 * round), move |world| {
            let filter = if round % 2 == 0 { Filter::All } else { eu() };
            world.subscribe_to(client, sub, topic(TOPIC), filter).unwrap();
            send_tagged(world, client, round);
        });
    }
    world.run_for(20 * SECOND);
    assert_eq!((world.distinct(), world.delivered().len()), (200, 200));
    let heartbeats = world.cluster().requests(RequestCode::HEART_BEAT);
    assert!((200..220).contains(&heartbeats), "{heartbeats}: each change is told");
}

fn send_tagged(world: &mut World, client: ClientId, round: u64) {
    let message = Message::new(topic(TOPIC), format!("{round}")).tag("eu");
    world.try_send(client, message).unwrap();
}

#[test]
fn a_consumer_that_has_left_subscribes_to_nothing() {
    let (mut world, client, sub) = reading(1);
    world.leave(client, sub).unwrap();
    assert_eq!(world.subscribe_to(client, sub, topic(OTHER), Filter::All), Err(Stale));
    assert_eq!(world.unsubscribe_from(client, sub, &topic(TOPIC)), Err(Stale));
    world.run_for(5 * SECOND);
    assert_eq!(world.engine(client).subscriptions(sub), []);
}

/// A broker forgets us while its answer to an older heartbeat is still on its way: that answer says
/// too little of us, and no other is.
#[test]
fn a_late_answer_to_an_older_heartbeat_keeps_no_new_topic_waiting() {
    let (mut world, client, sub) = reading(1);
    store_tagged(&mut world, client, OTHER, "eu", 8);
    let late = Fault::Late(2 * SECOND);
    world.with_cluster(|cluster| cluster.push_faults(RequestCode::HEART_BEAT, [late]));
    world.cut_all(BROKER);
    world.run_for(ms(500));
    let forgotten = [ResponseCode::SUBSCRIPTION_NOT_EXIST; 4];
    world.with_cluster(|cluster| cluster.push_error(RequestCode::PULL_MESSAGE, forgotten));
    world.subscribe_to(client, sub, topic(OTHER), eu()).unwrap();
    let took = world.run_until(30 * SECOND, |world| came(world, OTHER, "eu") == 8);
    assert!(took.is_some_and(|took| took < 4 * SECOND), "{took:?}");
}
