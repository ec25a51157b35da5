//! Members that read nothing, messages that expired behind others, and options that can't work.

use rocketry_conformance::sim::{ClientId, Pace, World};
use rocketry_core::allocation::Strategy;
use rocketry_core::consumer::{ConsumerOptions, DeliveryId, Outcome};
use rocketry_core::id::SubscriptionId;

use crate::setting::*;

fn standby(world: &mut World) -> (ClientId, SubscriptionId) {
    let client = world.client(config());
    let mut subscribe = from_first(GROUP);
    subscribe.topics.clear();
    subscribe.options = subscribe.options.without_topics();
    let sub = world.subscribe(client, subscribe, Pace::AtOnce).unwrap();
    // It sends, too: the broker hears of its groups.
    store(world, client, "x");
    world.run_for(2 * SECOND);
    (client, sub)
}

#[test]
fn a_member_without_a_topic_hides_no_message_that_was_sent_back() {
    for standby_first in [true, false] {
        let mut world = with_retries(1, 8);
        if standby_first {
            standby(&mut world);
        }
        let client = world.client(config());
        let sub = consume(&mut world, client, Pace::Manual);
        if !standby_first {
            standby(&mut world);
        }
        world.run_for(5 * SECOND);
        store_many(&mut world, client, 8);
        world.run_for(5 * SECOND);
        let ids = ids(&world.take(client, sub));
        assert!(!ids.is_empty());
        world.settle(client, ids[0], Outcome::Retry { after: None }).unwrap();
        for id in &ids[1..] {
            world.settle(client, *id, Outcome::Done).unwrap();
        }
        let came = world.run_until(300 * SECOND, |world| world.engine(client).has_batch(sub));
        assert!(came.is_some(), "standby first: {standby_first}: what was sent back never came");
    }
}

#[test]
fn a_member_without_a_topic_keeps_no_queue_from_those_that_read_it() {
    let mut world = world(1, 8);
    standby(&mut world);
    let client = world.client(config());
    let sub = consume(&mut world, client, Pace::AtOnce);
    world.run_for(60 * SECOND);
    assert_eq!(world.engine(client).queues(sub).len(), 8, "queues are nobody's");
}

#[test]
fn queues_of_a_topic_that_one_member_gives_up_go_to_those_that_read_it() {
    let mut world = world(1, 8);
    let members = [(); 2].map(|()| {
        let client = world.client(config());
        (client, consume(&mut world, client, Pace::AtOnce))
    });
    world.run_for(5 * SECOND);
    let [(a, sub_a), (b, sub_b)] = members;
    assert_eq!(world.engine(b).queues(sub_b).len(), 4);
    world.unsubscribe_from(a, sub_a, &topic(TOPIC)).unwrap();
    world.run_for(120 * SECOND);
    assert_eq!(world.engine(a).queues(sub_a).len(), 0);
    assert_eq!(world.engine(b).queues(sub_b).len(), 8, "queues are nobody's");
}

#[test]
fn a_place_behind_the_last_message_of_a_batch_settles_nothing() {
    let (mut world, client) = pair(1, 1);
    store_many(&mut world, client, 3);
    let sub = consume(&mut world, client, Pace::Manual);
    world.run_for(5 * SECOND);
    let ids = ids(&world.take(client, sub));
    assert_eq!(ids.len(), 3);
    let beyond = DeliveryId { index: 40, ..ids[0] };
    let _ = world.settle(client, beyond, Outcome::Done);
    world.settle(client, ids[0], Outcome::Done).unwrap();
    world.settle(client, ids[1], Outcome::Done).unwrap();
    world.run_for(10 * SECOND);
    assert_eq!(world.cluster().committed(0, GROUP, TOPIC, 0), Some(2), "the third is held");
}

#[test]
fn a_rule_whose_numbers_can_not_work_is_refused_by_name() {
    let none = ConsumerOptions::default().strategy(Strategy::ConsistentHash { virtual_nodes: 0 });
    assert!(none.check(&config()).is_err(), "it would give every queue to nobody");
    let nodes = Strategy::ConsistentHash { virtual_nodes: u32::MAX };
    let all = ConsumerOptions::default().strategy(nodes);
    assert!(all.check(&config()).is_err(), "it would take 64 GiB for each member");
}

#[test]
fn messages_that_are_held_are_handed_out_where_those_behind_them_have_expired() {
    let (mut world, client) = pair(1, 1);
    store_many(&mut world, client, 100);
    let mut subscribe = from_first(GROUP);
    subscribe.options = subscribe.options.queue_messages(64);
    let sub = world.subscribe(client, subscribe, Pace::Manual).unwrap();
    world.run_for(5 * SECOND);
    // Two pulls are held, and the window is full: the broker lets go of all before 90 meanwhile.
    let first = world.take_one(client, sub).unwrap();
    world.with_cluster(|cluster| cluster.expire(0, TOPIC, 0, 90));
    world.settle_all(client, &first);
    world.run_for(30 * SECOND);
    let ids = ids(&world.take(client, sub)).len();
    let committed = world.cluster().committed(0, GROUP, TOPIC, 0);
    assert_eq!(
        ids,
        32 + 10,
        "{committed:?} is committed: what was pulled and not handed out is lost"
    );
}
