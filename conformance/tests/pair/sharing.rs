//! Consumers of one group that share the queues of a topic.

use std::collections::BTreeSet;
use std::time::Duration;

use rocketry_conformance::sim::{ClientId, Pace, World};
use rocketry_core::consumer::{DeliveryId, Handout, Outcome};
use rocketry_core::error::Stale;
use rocketry_core::frame::request::NotifyIdsRequest;
use rocketry_core::frame::{Request, RequestCode};
use rocketry_core::id::SubscriptionId;

use crate::setting::*;

/// The queues of the consumer that the last notice of its share names.
fn share(world: &World, client: ClientId) -> usize {
    let notes = world.notes(client).filter_map(|note| match note {
        rocketry_core::engine::Note::Rebalanced { share, .. } => Some(*share),
        _ => None,
    });
    notes.last().unwrap_or(0)
}

fn two(seed: u64) -> (World, [(ClientId, SubscriptionId); 2]) {
    let mut world = world(seed, 8);
    let members = [(); 2].map(|()| {
        let client = world.client(config());
        let sub = consume(&mut world, client, Pace::Within(ms(30)));
        (client, sub)
    });
    let [(a, _), (b, _)] = members;
    let took = world.run_until(3 * SECOND, |world| share(world, a) == 4 && share(world, b) == 4);
    assert!(took.is_some_and(|took| took < 2 * SECOND), "{took:?}");
    (world, members)
}

/// Sends a message each 10 ms.
fn traffic(world: &mut World, client: ClientId, count: usize) {
    for i in 0..count {
        let after = ms(10 * i as u64);
        world.later(after, move |world| {
            send(world, client, &i.to_string());
        });
    }
}

fn assert_all_consumed(world: &mut World, count: usize) {
    let took = world.run_until(30 * SECOND, |world| world.distinct() == count);
    assert!(took.is_some(), "{} of {count}", world.distinct());
    assert_eq!(world.cluster().stored(TOPIC) as usize, count);
}

#[test]
fn two_consumers_take_four_queues_each() {
    for seed in 0..5 {
        two(seed);
    }
}

#[test]
fn consumers_that_come_one_after_the_other_share_soon() {
    let mut world = world(1, 8);
    let mut members: Vec<ClientId> = Vec::new();
    for count in 1..=4 {
        let client = world.client(config());
        consume(&mut world, client, Pace::AtOnce);
        members.push(client);
        let fair = 8 / count;
        let took = world.run_until(10 * SECOND, |world| {
            let shares: Vec<usize> = members.iter().map(|c| share(world, *c)).collect();
            shares.iter().sum::<usize>() == 8 && shares.iter().all(|s| *s >= fair)
        });
        assert!(took.is_some_and(|took| took < 2 * SECOND), "{count}: {took:?}");
        world.run_for(5 * SECOND);
    }
}

#[test]
fn when_one_leaves_the_other_has_all_queues_within_two_seconds_and_misses_nothing() {
    for seed in 0..5 {
        let (mut world, [(a, _), (b, sub)]) = two(seed);
        traffic(&mut world, a, 500);
        world.run_for(2 * SECOND);
        world.leave(b, sub).unwrap();
        let took = world.run_until(5 * SECOND, |world| share(world, a) == 8);
        assert!(took.is_some_and(|took| took < 2 * SECOND), "{took:?}");
        assert_all_consumed(&mut world, 500);
    }
}

#[test]
fn when_one_vanishes_without_goodbye_the_other_has_all_queues_within_25_seconds() {
    for seed in 0..5 {
        let (mut world, [(a, _), (b, _)]) = two(seed);
        traffic(&mut world, a, 500);
        world.run_for(2 * SECOND);
        world.vanish(b);
        let took = world.run_until(25 * SECOND, |world| share(world, a) == 8);
        assert!(took.is_some_and(|took| took < 2 * SECOND), "the broker notices: {took:?}");
        assert_all_consumed(&mut world, 500);
    }
}

#[test]
fn when_the_notice_is_lost_the_next_look_finds_the_change() {
    let (mut world, [(a, _), (b, _)]) = two(1);
    world.run_for(2 * SECOND);
    // Oneway requests of the broker carry no answer: dropping them is what a lost notice is.
    world.tamper(|_, _, bytes| {
        if String::from_utf8_lossy(bytes).contains("\"code\":40,") {
            bytes.clear();
        }
    });
    world.vanish(b);
    let took = world.run_until(30 * SECOND, |world| share(world, a) == 8).unwrap();
    assert!(took > SECOND && took < 25 * SECOND, "{took:?}");
}

#[test]
fn a_member_joining_under_load_costs_no_message_and_at_most_a_commits_worth_twice() {
    for seed in 0..5 {
        let mut world = world(seed, 8);
        let a = world.client(config());
        consume(&mut world, a, Pace::Within(ms(30)));
        world.run_for(SECOND);
        traffic(&mut world, a, 1000);
        world.run_for(3 * SECOND);
        let b = world.client(config());
        consume(&mut world, b, Pace::Within(ms(30)));
        assert_all_consumed(&mut world, 1000);
        let twice = world.delivered().len() - 1000;
        assert!(twice < 300, "{twice} were delivered twice");
        let by_b: BTreeSet<_> =
            world.delivered().iter().filter(|d| d.client == b).map(|d| d.queue.queue).collect();
        assert_eq!(by_b.len(), 4);
    }
}

#[test]
fn a_notice_leads_to_one_look_at_the_members_within_a_moment() {
    let (mut world, [(a, _), _]) = two(1);
    world.run_for(30 * SECOND);
    let lists = |world: &World| world.trace().count("Up GET_CONSUMER_LIST_BY_GROUP");
    let before = lists(&world);
    let third = world.client(config());
    consume(&mut world, third, Pace::AtOnce);
    let took = world.run_until(5 * SECOND, |world| share(world, a) == 3).unwrap();
    assert!(took < Duration::from_millis(500), "{took:?}");
    world.run_for(SECOND);
    assert!(lists(&world) - before <= 9, "{} lists for one change", lists(&world) - before);
}

#[test]
fn a_notice_that_overtakes_an_older_list_of_members_is_not_forgotten() {
    let (mut world, [(a, _), (b, sub)]) = two(1);
    world.run_for(15 * SECOND);
    // Java's brokers answer from a pool of threads: a notice may leave before an older answer.
    let list = RequestCode::GET_CONSUMER_LIST_BY_GROUP;
    let before = world.cluster().requests(list);
    world.with_cluster(|cluster| cluster.set_delay(list, ms(700)));
    world.run_until(10 * SECOND, |world| world.cluster().requests(list) == before + 2).unwrap();
    world.leave(b, sub).unwrap();
    let took = world.run_until(30 * SECOND, |world| share(world, a) == 8).unwrap();
    assert!(took < 3 * SECOND, "{took:?}");
}

#[test]
fn pull_21_notices_that_change_nothing_lead_to_a_look_a_second() {
    let (mut world, [(a, _), (b, sub)]) = two(1);
    world.run_for(10 * SECOND);
    let list = RequestCode::GET_CONSUMER_LIST_BY_GROUP;
    let before = world.cluster().requests(list);
    for i in 0..3000 {
        world.later(ms(10 * i), move |world| {
            let broker = rocketry_conformance::broker::ListenerId::Broker(0);
            let conns: Vec<_> = world.cluster().connections_to(broker).collect();
            for conn in conns {
                let notice = NotifyIdsRequest { consumer_group: GROUP.into() };
                let request = Request::NotifyIds(notice);
                world.with_cluster(|cluster| cluster.ask_client(conn, request, Vec::new(), true));
            }
        });
    }
    world.run_for(29 * SECOND);
    // For each of the two: those of the first second, and one a second.
    let looks = world.cluster().requests(list) - before;
    assert!(looks < 2 * 38, "{looks}");
    world.leave(b, sub).unwrap();
    let took = world.run_until(5 * SECOND, |world| share(world, a) == 8).unwrap();
    assert!(took < 2 * SECOND, "{took:?}");
}

#[test]
fn conn_13_two_clients_of_one_id_leave_no_queue_unread() {
    let mut world = world(1, 8);
    let sender = world.client(config());
    store_many(&mut world, sender, 80);
    let mut twin = config();
    twin.instance_name = Some("twin".to_owned());
    for _ in 0..2 {
        let client = world.client(twin.clone());
        consume(&mut world, client, Pace::AtOnce);
    }
    world.run_for(30 * SECOND);
    assert_eq!(world.distinct(), 80);
    store_many(&mut world, sender, 80);
    world.run_for(30 * SECOND);
    assert_eq!(world.distinct(), 160);
    // To a third one the two are one as well.
    let third = world.client(config());
    consume(&mut world, third, Pace::AtOnce);
    world.run_for(30 * SECOND);
    store_many(&mut world, sender, 80);
    world.run_for(30 * SECOND);
    assert_eq!(world.distinct(), 240);
}

#[test]
fn messages_that_are_to_come_again_go_with_a_queue_that_moves() {
    let (mut world, first) = pair(2, 8);
    store_many(&mut world, first, 80);
    let sub = consume(&mut world, first, Pace::Manual);
    world.run_for(3 * SECOND);
    let handouts = world.take(first, sub);
    // All of them are to come again: half at once, half later.
    for handout in &handouts {
        for index in handout.next..handout.end {
            let id = DeliveryId { batch: handout.batch.id(), index };
            let outcome = if index % 2 == 0 { Outcome::Again } else { Outcome::Here(SECOND) };
            world.settle(first, id, outcome).unwrap();
        }
    }
    let second = world.client(config());
    consume(&mut world, second, Pace::AtOnce);
    world.run_for(3 * SECOND);
    let moved: Vec<_> = handouts.iter().filter(|handout| handout.batch.is_revoked()).collect();
    assert!(!moved.is_empty() && moved.len() < handouts.len());
    let again = world.take(first, sub);
    let messages = |handouts: &[Handout]| -> usize {
        handouts.iter().map(|handout| (handout.end - handout.next) as usize).sum()
    };
    let kept = handouts.iter().filter(|handout| !handout.batch.is_revoked()).cloned();
    let kept: Vec<_> = kept.collect();
    assert!(again.iter().all(|handout| !handout.batch.is_revoked()));
    assert_eq!(messages(&again), messages(&kept));
    // The other one has what moved, from the first message on.
    let delivered = world.delivered().iter().filter(|one| one.client == second).count();
    assert_eq!(delivered, 80 - messages(&kept));
    // What was handed out before the queue moved can't be settled, or given back, any more.
    let id = DeliveryId { batch: moved[0].batch.id(), index: 0 };
    for outcome in [Outcome::Done, Outcome::Again, Outcome::Here(SECOND)] {
        assert_eq!(world.settle(first, id, outcome), Err(Stale));
    }
}
