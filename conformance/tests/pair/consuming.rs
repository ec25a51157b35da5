//! Messages consumed by one consumer: once each, in order, from where it should begin.

use rocketry_conformance::broker::ClusterConfig;
use rocketry_conformance::sim::{Pace, World};
use rocketry_core::consumer::{Filter, Start, Subscribe};
use rocketry_core::engine::Note;
use rocketry_core::frame::{RequestCode, ResponseCode};
use rocketry_core::name::Group;

use crate::setting::*;

#[test]
fn without_faults_every_message_is_delivered_once_and_in_the_order_of_its_queue() {
    let (mut world, client) = pair(1, 8);
    consume(&mut world, client, Pace::Within(ms(20)));
    store_many(&mut world, client, 500);
    world.run_until(5 * SECOND, |world| world.distinct() == 500).unwrap();
    world.run_for(60 * SECOND);
    assert_eq!(world.delivered().len(), 500);
    for queue in 0..8 {
        let of_queue = world.delivered().iter().filter(|one| one.queue.queue == queue);
        let offsets: Vec<i64> = of_queue.map(|one| one.offset.unwrap()).collect();
        assert_eq!(offsets, (0..offsets.len() as i64).collect::<Vec<_>>());
    }
}

#[test]
fn a_new_message_is_delivered_at_once_to_a_consumer_that_waits() {
    let (mut world, client) = pair(1, 4);
    consume(&mut world, client, Pace::AtOnce);
    world.run_for(10 * SECOND);
    for i in 0..20 {
        store(&mut world, client, &i.to_string());
        let took = world.run_until(SECOND, |world| world.delivered().len() == i + 1).unwrap();
        assert!(took < ms(10), "{took:?}");
        world.run_for(7 * SECOND);
    }
}

#[test]
fn only_messages_with_the_right_tag_are_delivered_even_if_tags_share_a_hash() {
    let (mut world, client) = pair(1, 1);
    let mut subscribe = from_first(GROUP);
    // "Aa" and "BB" have one Java hash code: the broker can't tell them apart.
    subscribe.topics[0].1 = Filter::parse("Aa || c").unwrap();
    world.subscribe(client, subscribe, Pace::AtOnce).unwrap();
    for tag in ["Aa", "BB", "c", "d", "Aa", "BB"] {
        let op = world.try_send(client, message(tag).tag(tag)).unwrap();
        world.end_of(client, op).1.unwrap();
    }
    world.run_for(5 * SECOND);
    assert_eq!(bodies(&world), ["Aa", "c", "Aa"]);
    world.run_for(10 * SECOND);
    assert_eq!(world.cluster().committed(0, GROUP, TOPIC, 0), Some(6));
}

fn begin(start: Start, expired: bool) -> World {
    let (mut world, client) = pair(1, 1);
    store_many(&mut world, client, 10);
    if expired {
        // A queue that has lost its first message is not young any more: 14 answers 22.
        world.with_cluster(|cluster| cluster.expire(0, TOPIC, 0, 4));
    }
    let mut subscribe = Subscribe::new(Group::new(GROUP).unwrap(), topic(TOPIC));
    subscribe.options.start = start;
    world.subscribe(client, subscribe, Pace::AtOnce).unwrap();
    world.run_for(3 * SECOND);
    store(&mut world, client, "new");
    world.run_for(3 * SECOND);
    world
}

#[test]
fn a_group_begins_at_the_first_message_or_after_the_last_as_it_asks() {
    assert_eq!(bodies(&begin(Start::First, true)), ["4", "5", "6", "7", "8", "9", "new"]);
    assert_eq!(bodies(&begin(Start::Last, true)), ["new"]);
    // The broker itself says 0 for a young queue.
    assert_eq!(bodies(&begin(Start::First, false)).len(), 11);
    assert_eq!(bodies(&begin(Start::Last, false)).len(), 11);
}

#[test]
fn a_group_that_begins_at_the_end_keeps_that_place_through_an_early_restart() {
    let (mut world, client) = pair(1, 1);
    store_many(&mut world, client, 10);
    world.with_cluster(|cluster| cluster.expire(0, TOPIC, 0, 4));
    let subscribe = Subscribe::new(Group::new(GROUP).unwrap(), topic(TOPIC));
    let first = world.subscribe(client, subscribe.clone(), Pace::AtOnce).unwrap();
    world.run_for(3 * SECOND);
    world.leave(client, first).unwrap();
    world.run_until(SECOND, |world| world.left_at(client, first).is_some()).unwrap();
    store(&mut world, client, "between");
    world.subscribe(client, subscribe, Pace::AtOnce).unwrap();
    world.run_for(3 * SECOND);
    assert_eq!(bodies(&world), ["between"]);
}

#[test]
fn while_the_first_offset_is_unknown_nothing_is_consumed_and_none_is_guessed() {
    let requests = [
        RequestCode::QUERY_CONSUMER_OFFSET,
        RequestCode::GET_MIN_OFFSET,
        RequestCode::GET_MAX_OFFSET,
    ];
    for (at, request) in requests.into_iter().enumerate() {
        for code in [
            ResponseCode::SYSTEM_ERROR,
            ResponseCode::SYSTEM_BUSY,
            ResponseCode::TOPIC_NOT_EXIST,
            ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST,
        ] {
            let (mut world, client) = pair(1, 1);
            store_many(&mut world, client, 10);
            world.with_cluster(|cluster| cluster.expire(0, TOPIC, 0, 4));
            world.with_cluster(|cluster| cluster.push_error(request, [code; 5]));
            let mut subscribe = from_first(GROUP);
            subscribe.options.start = if at == 2 { Start::Last } else { Start::First };
            world.subscribe(client, subscribe, Pace::AtOnce).unwrap();
            world.run_for(4 * SECOND);
            assert_eq!(world.cluster().requests(RequestCode::PULL_MESSAGE), 0, "{request} {code}");
            world.run_for(3 * SECOND);
            store(&mut world, client, "new");
            world.run_for(3 * SECOND);
            let expected = if at == 2 { 1 } else { 7 };
            assert_eq!(world.delivered().len(), expected, "{request} {code}");
        }
    }
}

#[test]
fn messages_that_expired_are_skipped_aloud_and_the_rest_is_delivered() {
    let (mut world, client) = pair(1, 1);
    let sub = consume(&mut world, client, Pace::AtOnce);
    store_many(&mut world, client, 10);
    world.run_for(6 * SECOND);
    world.leave(client, sub).unwrap();
    world.run_for(SECOND);
    store_many(&mut world, client, 20);
    world.with_cluster(|cluster| cluster.expire(0, TOPIC, 0, 15));
    consume(&mut world, client, Pace::AtOnce);
    world.run_for(5 * SECOND);
    let offsets: Vec<i64> = world.delivered().iter().skip(10).map(|d| d.offset.unwrap()).collect();
    assert_eq!(offsets, (15..30).collect::<Vec<_>>());
    let moved =
        world.notes(client).filter(|note| note.to_string().contains("no offset 10: on at 15"));
    assert_eq!(moved.count(), 1);
    world.run_for(6 * SECOND);
    assert_eq!(world.cluster().committed(0, GROUP, TOPIC, 0), Some(30));
}

#[test]
fn several_groups_and_topics_in_one_client_do_not_mix() {
    let config = ClusterConfig::default().topic(TOPIC, 2).topic("topic_b", 3);
    let mut world = World::new(1, config);
    let client = world.client(crate::setting::config());
    let both = consume(&mut world, client, Pace::AtOnce);
    let mut subscribe = from_first("group_b");
    subscribe.topics.push((topic("topic_b"), Filter::All));
    let other = world.subscribe(client, subscribe, Pace::AtOnce).unwrap();
    for i in 0..30 {
        let name = if i % 3 == 0 { "topic_b" } else { TOPIC };
        let message = rocketry_core::message::Message::new(topic(name), i.to_string());
        let op = world.try_send(client, message).unwrap();
        world.end_of(client, op).1.unwrap();
    }
    world.run_for(3 * SECOND);
    let count = |sub| world.delivered().iter().filter(|one| one.sub == sub).count();
    assert_eq!((count(both), count(other)), (20, 30));
}

#[test]
fn a_topic_made_anew_is_consumed_from_where_the_broker_says_and_the_jump_is_told() {
    let (mut world, client) = pair(1, 1);
    consume(&mut world, client, Pace::AtOnce);
    store_many(&mut world, client, 10);
    world.run_for(6 * SECOND);
    world.with_cluster(|cluster| cluster.delete_topic(TOPIC));
    let anew = rocketry_conformance::broker::TopicConfig::new(TOPIC, 1);
    world.with_cluster(|cluster| cluster.create_topic(&anew));
    store_many(&mut world, client, 3);
    world.run_for(20 * SECOND);
    // Offset 10 is past the end: a 5.x broker says to go on at the end, which is 3.
    let told = world.notes(client).any(|note| note.to_string().contains("no offset 10: on at 3"));
    assert!(told && world.distinct() == 10);
    store(&mut world, client, "new");
    world.run_until(SECOND, |world| world.distinct() == 11).unwrap();
    world.run_for(6 * SECOND);
    assert_eq!(world.cluster().committed(0, GROUP, TOPIC, 0), Some(4));
}

fn with_tags(world: &mut World, tags: &str) -> rocketry_conformance::sim::ClientId {
    let client = world.client(config());
    let mut subscribe = from_first(GROUP);
    subscribe.topics[0].1 = Filter::parse(tags).unwrap();
    world.subscribe(client, subscribe, Pace::AtOnce).unwrap();
    // The newest subscription of a group counts, by the millisecond.
    world.run_for(3 * SECOND);
    client
}

fn told_of_tags(world: &World, client: rocketry_conformance::sim::ClientId) -> usize {
    world.notes(client).filter(|note| matches!(note, Note::ForeignTags { .. })).count()
}

#[test]
fn members_of_a_group_with_different_tags_are_told_so_once_a_minute() {
    let (mut world, producer) = pair(1, 4);
    let (first, second) = (with_tags(&mut world, "a"), with_tags(&mut world, "b"));
    for round in 1..=3 {
        for tag in ["a", "b"].repeat(20) {
            let op = world.try_send(producer, message(tag).tag(tag)).unwrap();
            world.end_of(producer, op).1.unwrap();
            world.run_for(ms(1500));
        }
        // The broker filters by what the second one asks for.
        assert_eq!((told_of_tags(&world, first), told_of_tags(&world, second)), (round, 0));
    }
    let note = world.notes(first).find(|note| matches!(note, Note::ForeignTags { .. })).unwrap();
    assert!(note.is_trouble() && note.to_string().contains(GROUP), "{note}");
}

#[test]
fn a_tag_that_shares_a_hash_with_one_of_ours_is_no_sign_of_another_subscription() {
    let (mut world, producer) = pair(1, 1);
    let client = with_tags(&mut world, "Aa || c");
    for tag in ["BB", "c", "BB"] {
        let op = world.try_send(producer, message(tag).tag(tag)).unwrap();
        world.end_of(producer, op).1.unwrap();
    }
    world.run_for(20 * SECOND);
    assert_eq!((bodies(&world), told_of_tags(&world, client)), (vec!["c"], 0));
}

#[test]
fn a_consumer_that_names_a_topic_twice_is_refused() {
    let (mut world, client) = pair(1, 1);
    let mut subscribe = from_first(GROUP);
    subscribe.topics.push((topic("topic_b"), Filter::All));
    subscribe.topics.push((topic(TOPIC), Filter::parse("a").unwrap()));
    let refused = world.subscribe(client, subscribe, Pace::AtOnce).unwrap_err();
    assert_eq!(refused, rocketry_core::error::Refused::DuplicateTopic(topic(TOPIC)));
    let said = format!("the consumer names topic {TOPIC} twice: join its tags with ||");
    assert_eq!(refused.to_string(), said);
    world.run_for(SECOND);
    assert_eq!(world.cluster().requests(RequestCode::HEART_BEAT), 0);
}
