//! A consumer joining: whom it reaches, how soon it begins, and what it leaves to the next member.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use rocketry_conformance::broker::{ClusterConfig, Fault, TopicConfig};
use rocketry_conformance::sim::{ClientId, Pace, Way, World};
use rocketry_core::config::Config;
use rocketry_core::consumer::Filter;
use rocketry_core::error::Refused;
use rocketry_core::frame::{RequestCode, ResponseCode};
use rocketry_core::message::Message;

use crate::setting::*;

const LIST: RequestCode = RequestCode::GET_CONSUMER_LIST_BY_GROUP;

fn with(cluster: ClusterConfig, change: impl FnOnce(&mut Config)) -> (World, ClientId) {
    let mut world = without_retries(World::new(1, cluster));
    let mut config = config();
    change(&mut config);
    let client = world.client(config);
    (world, client)
}

/// One broker that tells a newcomer nothing of its own joining.
fn quiet(queues: u32) -> ClusterConfig {
    let mut cluster = ClusterConfig::default().topic(TOPIC, queues);
    cluster.notify_newcomer = false;
    cluster
}

/// How long it takes until so many messages have been delivered.
fn until(world: &mut World, count: usize) -> Duration {
    let took = world.run_until(60 * SECOND, |world| world.distinct() == count);
    took.unwrap_or_else(|| panic!("{} of {count}", world.distinct()))
}

#[test]
fn a_consumer_begins_as_soon_as_a_broker_knows_it() {
    let (mut world, client) = with(quiet(4), |_| {});
    store_many(&mut world, client, 8);
    let other = world.client(config());
    consume(&mut world, other, Pace::AtOnce);
    let took = until(&mut world, 8);
    assert!(took < ms(50), "{took:?}");
}

#[test]
fn a_consumer_of_a_topic_whose_route_is_known_connects_to_brokers_that_were_let_go() {
    let (mut world, client) = with(quiet(4), |config| config.max_idle = Some(5 * SECOND));
    store_many(&mut world, client, 8);
    world.run_until(10 * SECOND, |world| world.open_links(BROKER) == 0).unwrap();
    consume(&mut world, client, Pace::AtOnce);
    let took = until(&mut world, 8);
    assert!(took < ms(50), "{took:?}");
}

#[test]
fn conn_10_a_consumer_that_has_found_no_broker_yet_tries_each_second() {
    let mut cluster = quiet(4);
    cluster.hide_down_brokers = false;
    let (mut world, client) = with(cluster, |_| {});
    world.take_down(0);
    consume(&mut world, client, Pace::AtOnce);
    world.run_for(300 * SECOND);
    let gaps = gaps(&connects(&world, BROKER));
    assert!(gaps.iter().all(|gap| *gap <= SECOND + ms(3)) && gaps.len() > 200, "{}", gaps.len());
    world.bring_up(0);
    store(&mut world, client, "x");
    let took = until(&mut world, 1);
    assert!(took < 1500 * ms(1), "{took:?}");
}

#[test]
fn a_member_that_is_missing_in_its_groups_list_asks_again_each_second_and_is_no_member() {
    let (mut world, client) = with(quiet(4), |_| {});
    store_many(&mut world, client, 8);
    let id = world.engine(client).client_id().to_string();
    let other = "x".repeat(id.len());
    world.tamper(move |endpoint, way, bytes| {
        if endpoint == BROKER && way == Way::Down {
            reword(bytes, &id, &other);
        }
    });
    consume(&mut world, client, Pace::AtOnce);
    world.run_for(5 * SECOND);
    let asked = world.cluster().requests(LIST);
    assert!((4..=7).contains(&asked), "{asked}");
    let snapshot = world.engine(client).snapshot(world.now());
    assert_eq!((snapshot.consumers[0].phase, snapshot.consumers[0].queues.len()), ("joining", 0));
    world.tamper_no_more();
    let took = until(&mut world, 8);
    assert!(took < 1500 * ms(1), "{took:?}");
    let snapshot = world.engine(client).snapshot(world.now());
    assert_eq!(snapshot.consumers[0].phase, "member");
}

#[test]
fn a_member_that_was_one_and_is_missing_in_the_list_for_once_keeps_its_queues() {
    let (mut world, client) = with(quiet(4), |config| config.rebalance_interval = 5 * SECOND);
    consume(&mut world, client, Pace::AtOnce);
    world.run_for(3 * SECOND);
    let id = world.engine(client).client_id().to_string();
    let other = "x".repeat(id.len());
    let lists = Rc::new(Cell::new(0));
    let seen = lists.clone();
    world.tamper(move |endpoint, way, bytes| {
        let answers = endpoint == BROKER && way == Way::Down;
        if answers && reword(bytes, &id, &other) {
            seen.set(seen.get() + 1);
        }
    });
    world.run_until(10 * SECOND, |_| lists.get() == 2).unwrap();
    world.tamper_no_more();
    world.run_for(ms(100));
    let held = |world: &World| world.engine(client).snapshot(world.now()).consumers[0].queues.len();
    assert_eq!(held(&world), 4);
    store_many(&mut world, client, 8);
    assert!(until(&mut world, 8) < ms(50));
}

#[test]
fn a_consumer_finds_one_of_its_topics_soon_that_is_created_while_it_reads_the_other() {
    let (mut world, client) = with(quiet(4), |_| {});
    let mut subscribe = from_first(GROUP);
    subscribe.topics.push((topic("later"), Filter::All));
    world.subscribe(client, subscribe, Pace::AtOnce).unwrap();
    store(&mut world, client, "x");
    world.run_for(30 * SECOND);
    assert_eq!(world.distinct(), 1);
    world.with_cluster(|cluster| cluster.create_topic(&TopicConfig::new("later", 2)));
    let producer = world.client(config());
    let op = world.try_send(producer, Message::new(topic("later"), "y")).unwrap();
    world.end_of(producer, op).1.unwrap();
    let took = until(&mut world, 2);
    assert!(took < 2 * SECOND, "{took:?}");
}

#[test]
fn reb_a_queue_that_moves_is_committed_at_once_as_far_as_it_was_settled() {
    let (mut world, client) = with(quiet(8), |config| config.commit_interval = 300 * SECOND);
    consume(&mut world, client, Pace::AtOnce);
    world.run_for(3 * SECOND);
    store_many(&mut world, client, 80);
    world.run_until(SECOND, |world| world.distinct() == 80).unwrap();
    world.run_for(SECOND);
    assert_eq!(world.cluster().requests(RequestCode::UPDATE_CONSUMER_OFFSET), 0);
    // The heir asks where to begin once more, so that the commit is there before.
    let code = RequestCode::QUERY_CONSUMER_OFFSET;
    world.with_cluster(|cluster| cluster.push_error(code, [ResponseCode::SYSTEM_BUSY; 4]));
    let heir = world.client(config());
    consume(&mut world, heir, Pace::AtOnce);
    world.run_for(5 * SECOND);
    // Each twice, as they are the group's first ones.
    assert_eq!(world.cluster().requests(RequestCode::UPDATE_CONSUMER_OFFSET), 8);
    assert_eq!(world.delivered().len(), 80);
    store_many(&mut world, client, 8);
    world.run_until(SECOND, |world| world.distinct() == 88).unwrap();
    assert!(world.delivered().iter().any(|one| one.client == heir));
}

#[test]
fn off_a_negative_offset_is_no_place_to_begin() {
    let (mut world, client) = with(quiet(1), |_| {});
    let sub = consume(&mut world, client, Pace::AtOnce);
    store_many(&mut world, client, 37);
    world.run_for(6 * SECOND);
    world.leave(client, sub).unwrap();
    world.run_for(SECOND);
    store_many(&mut world, client, 3);
    let seen = Rc::new(Cell::new(0));
    let count = seen.clone();
    world.tamper(move |endpoint, way, bytes| {
        let answers = endpoint == BROKER && way == Way::Down;
        if answers && reword(bytes, "\"offset\":\"37\"", "\"offset\":\"-1\"") {
            count.set(count.get() + 1);
        }
    });
    consume(&mut world, client, Pace::AtOnce);
    world.run_for(5 * SECOND);
    assert!((4..=6).contains(&seen.get()), "{}", seen.get());
    assert_eq!(world.delivered().len(), 37);
    world.tamper_no_more();
    until(&mut world, 40);
    assert_eq!(world.delivered().len(), 40);
}

#[test]
fn a_topic_that_is_about_to_be_created_has_no_queue_to_read_yet() {
    let (mut world, client) = with(quiet(4), |config| config.rebalance_interval = ms(500));
    let mut subscribe = from_first(GROUP);
    subscribe.topics.push((topic("fresh"), Filter::All));
    world.subscribe(client, subscribe, Pace::AtOnce).unwrap();
    world.run_for(3 * SECOND);
    let send = RequestCode::SEND_MESSAGE_V2;
    let fault = Fault::LoseAndClose;
    world.with_cluster(|cluster| cluster.push_faults(send, [fault; 2]));
    let op = world.try_send(client, Message::new(topic("fresh"), "x")).unwrap();
    let lost = world.end_of(client, op).1;
    assert!(lost.is_err());
    world.run_for(5 * SECOND);
    let asked = |world: &World| world.cluster().queues(0, "fresh").is_some();
    assert!(!asked(&world));
    let snapshot = world.engine(client).snapshot(world.now());
    let fresh = snapshot.topics.iter().find(|stats| stats.topic == topic("fresh")).unwrap();
    assert_eq!((fresh.readable, snapshot.consumers[0].queues.len()), (0, 4));
}

#[test]
fn life_02_no_consumer_is_of_a_group_that_is_nobodys_to_name() {
    let (mut world, client) = pair(1, 1);
    for name in ["DEFAULT_CONSUMER", "%RETRY%group_a", "%DLQ%group_a"] {
        let refused = world.subscribe(client, from_first(name), Pace::AtOnce).unwrap_err();
        assert!(matches!(refused, Refused::Name(_)), "{refused}");
        assert!(refused.to_string().contains(name), "{refused}");
    }
    // As in Java, where it is no other's business.
    world.subscribe(client, from_first("DEFAULT_PRODUCER"), Pace::AtOnce).unwrap();
}
