//! Offsets that an administrator moves, and what consumers tell when they are asked.

use rocketry_conformance::broker::ClientAnswer;
use rocketry_conformance::sim::{ClientId, Pace, World};
use rocketry_core::body::{
    ConsumeDirectlyResult, ConsumerStatusBody, DirectResult, MessageQueue, RunningInfo,
};
use rocketry_core::consumer::{DeliveryId, Outcome, Settled, Start};
use rocketry_core::engine::Note;
use rocketry_core::frame::{RequestCode, ResponseCode};
use rocketry_core::time::UnixMillis;

use crate::setting::*;

fn reset(world: &mut World, timestamp: i64) {
    let told =
        world.with_cluster(|cluster| cluster.reset_offset(0, (GROUP, TOPIC), timestamp, true));
    told.unwrap();
}

fn resets(world: &World, client: ClientId) -> usize {
    world.notes(client).filter(|note| matches!(note, Note::OffsetReset { .. })).count()
}

fn only_answer(world: &mut World) -> ClientAnswer {
    let mut answers = world.with_cluster(|cluster| cluster.take_answers());
    assert_eq!(answers.len(), 1, "{answers:?}");
    answers.remove(0)
}

#[test]
fn off_09_a_reset_wins_over_what_is_held_and_over_a_commit_on_its_way() {
    let (mut world, client) = pair(1, 1);
    let sub = consume(&mut world, client, Pace::Manual);
    store_many(&mut world, client, 40);
    world.run_for(2 * SECOND);
    // Half is settled; its commit is on its way, and late, when the reset comes.
    let held = world.take(client, sub);
    assert!(held.iter().map(|handout| handout.end - handout.next).sum::<u32>() >= 32);
    for index in 0..20 {
        let id = DeliveryId { batch: held[0].batch.id(), index };
        world.settle(client, id, Outcome::Done).unwrap();
    }
    world.with_cluster(|cluster| {
        cluster.set_delay(RequestCode::UPDATE_CONSUMER_OFFSET, 2 * SECOND);
    });
    world.run_until(10 * SECOND, |world| committed_of(world, 0) == Some(20));
    reset(&mut world, 0);
    world.run_for(ms(100));
    assert_eq!(resets(&world, client), 1);
    assert_eq!(held[0].batch.settle(20), Settled::Now, "what is held is of the queue's old life");
    world.run_for(ms(2500));
    assert_eq!(
        committed_of(&world, 0),
        Some(0),
        "the reset is stored once the old commit is answered"
    );
    let again = world.take(client, sub);
    let first = &again[0];
    assert_eq!(first.batch.offset(first.next), Some(0));
    again.iter().for_each(|handout| world.settle_all(client, handout));
    world.run_for(20 * SECOND);
    again.iter().for_each(drop);
    while let Some(handout) = world.take_one(client, sub) {
        world.settle_all(client, &handout);
    }
    world.run_for(10 * SECOND);
    assert_eq!(committed_of(&world, 0), Some(40));
    let stats = world.engine(client).snapshot(world.now()).consumers.remove(0);
    assert_eq!(stats.stale, 1);
}

#[test]
fn off_09_a_reset_to_the_end_passes_what_is_held_and_one_to_a_time_finds_it() {
    let (mut world, client) = pair(2, 2);
    let sub = consume(&mut world, client, Pace::Manual);
    store_many(&mut world, client, 2);
    world.run_for(SECOND);
    world.take(client, sub).iter().for_each(|handout| world.settle_all(client, handout));
    store_many(&mut world, client, 18);
    world.run_for(6 * SECOND);
    assert_eq!([committed_of(&world, 0), committed_of(&world, 1)], [Some(1), Some(1)]);
    assert!(!world.take(client, sub).is_empty());
    reset(&mut world, -1);
    world.run_for(2 * SECOND);
    assert_eq!([committed_of(&world, 0), committed_of(&world, 1)], [Some(10), Some(10)]);
    assert_eq!(world.take(client, sub).len(), 0);
    let between = world.unix();
    world.run_for(SECOND);
    store_many(&mut world, client, 4);
    world.run_for(SECOND);
    world.take(client, sub).iter().for_each(|handout| world.settle_all(client, handout));
    world.run_for(10 * SECOND);
    assert_eq!([committed_of(&world, 0), committed_of(&world, 1)], [Some(12), Some(12)]);
    reset(&mut world, between.0);
    world.run_for(2 * SECOND);
    let again = world.take(client, sub);
    let offsets: Vec<_> = again.iter().map(|one| one.batch.offset(one.next)).collect();
    assert_eq!(offsets, [Some(10), Some(10)]);
}

#[test]
fn off_10_resets_one_after_the_other_leave_one_pull_for_each_queue() {
    let (mut world, client) = pair(3, 4);
    consume(&mut world, client, Pace::AtOnce);
    store_many(&mut world, client, 40);
    world.run_for(6 * SECOND);
    for _ in 0..10 {
        reset(&mut world, 0);
        world.run_for(ms(37));
    }
    world.run_for(10 * SECOND);
    assert_eq!((0..4).map(|queue| committed_of(&world, queue)).collect::<Vec<_>>(), [Some(10); 4]);
    // The broker has answered by then what it held for the queues' former lives.
    world.run_for(20 * SECOND);
    let now = world.engine(client).snapshot(world.now());
    let pulls = now.connections.iter().map(|one| one.in_flight).sum::<usize>();
    assert_eq!(pulls, 4, "{now}");
    world.assert_none_passed(GROUP, TOPIC);
}

#[test]
fn a_reset_of_another_group_or_of_queues_of_others_changes_nothing() {
    let (mut world, client) = pair(4, 2);
    consume(&mut world, client, Pace::AtOnce);
    store_many(&mut world, client, 10);
    world.run_for(8 * SECOND);
    let refused = world.with_cluster(|cluster| cluster.reset_offset(0, ("none", TOPIC), 0, true));
    assert!(refused.is_err());
    let other = world.client(config());
    consume(&mut world, other, Pace::AtOnce);
    world.run_for(8 * SECOND);
    reset(&mut world, 0);
    world.run_for(8 * SECOND);
    // Each is told of both queues, and moves its own.
    assert_eq!([resets(&world, client), resets(&world, other)], [1, 1]);
    assert_eq!([committed_of(&world, 0), committed_of(&world, 1)], [Some(5), Some(5)]);
}

#[test]
fn off_16_a_consumer_tells_how_far_it_has_come() {
    let (mut world, client) = pair(5, 2);
    consume(&mut world, client, Pace::AtOnce);
    store_many(&mut world, client, 10);
    world.run_for(8 * SECOND);
    world.with_cluster(|cluster| {
        assert_eq!(cluster.ask_status(0, GROUP, TOPIC).len(), 1);
    });
    world.run_for(SECOND);
    let answer = only_answer(&mut world);
    assert_eq!(answer.code, ResponseCode::SUCCESS);
    let status = ConsumerStatusBody::parse(&answer.body).unwrap();
    for queue_id in 0..2 {
        let queue = MessageQueue { broker_name: "broker-a".into(), queue_id, topic: TOPIC.into() };
        assert_eq!(status.offsets.get(&queue), Some(&5));
    }
}

#[test]
fn push_16_a_consumer_tells_what_it_does() {
    let (mut world, client) = pair(6, 2);
    consume(&mut world, client, Pace::AtOnce);
    store_many(&mut world, client, 10);
    world.run_for(12 * SECOND);
    let id = world.engine(client).client_id().to_string();
    world.with_cluster(|cluster| cluster.ask_running_info(0, GROUP, &id).unwrap());
    world.run_for(SECOND);
    let info = RunningInfo::parse(&only_answer(&mut world).body).unwrap();
    let property = |name: &str| info.properties[name].as_str();
    assert_eq!(property("PROP_CONSUME_TYPE"), "CONSUME_PASSIVELY");
    assert_eq!(property("PROP_CONSUMEORDERLY"), "false");
    assert_eq!(property("PROP_CLIENT_VERSION"), "V5_3_3");
    let topics: Vec<&str> = info.subscription_set.iter().map(|one| one.topic.as_str()).collect();
    assert!(topics.contains(&TOPIC), "{topics:?}");
    let queue = MessageQueue { broker_name: "broker-a".into(), queue_id: 1, topic: TOPIC.into() };
    let pulled = info.mq_table.get(&queue).unwrap();
    assert_eq!((pulled.commit_offset, pulled.cached_msg_count, pulled.dropped), (5, 0, false));
    assert!((world.unix().0 - pulled.last_pull_timestamp) < 20_000, "{pulled:?}");
    assert!(info.status_table.contains_key(TOPIC));
}

/// Has a client handle the first message of a queue, and gives the answer.
fn directly(world: &mut World, client: ClientId) {
    let id = world.engine(client).client_id().to_string();
    let asked =
        world.with_cluster(|cluster| cluster.consume_directly(0, (GROUP, &id), (TOPIC, 0, 0)));
    asked.unwrap();
    world.run_for(ms(100));
}

#[test]
fn push_16_a_message_that_is_to_be_consumed_directly_is_handed_out_and_its_outcome_told() {
    let (mut world, client) = pair(7, 1);
    let sub = consume(&mut world, client, Pace::Manual);
    store_many(&mut world, client, 1);
    world.run_for(2 * SECOND);
    world.take(client, sub).iter().for_each(|handout| world.settle_all(client, handout));
    world.run_for(6 * SECOND);
    assert_eq!(committed_of(&world, 0), Some(1));
    for (outcome, result) in
        [(Outcome::Done, DirectResult::CrSuccess), (Outcome::Again, DirectResult::CrLater)]
    {
        directly(&mut world, client);
        let handout = world.take_one(client, sub).unwrap();
        assert_eq!((handout.next, handout.end, handout.batch.offset(0)), (0, 1, Some(0)));
        let id = DeliveryId { batch: handout.batch.id(), index: 0 };
        world.settle(client, id, outcome).unwrap();
        world.run_for(ms(100));
        let answer = ConsumeDirectlyResult::parse(&only_answer(&mut world).body).unwrap();
        assert_eq!(answer.result, result);
        assert!((50..300).contains(&answer.spent_millis), "{answer:?}");
    }
    world.run_for(20 * SECOND);
    assert_eq!((committed_of(&world, 0), world.take(client, sub).len()), (Some(1), 0));
}

#[test]
fn what_nobody_takes_is_answered_in_time_and_forgotten() {
    let (mut world, client) = pair(8, 1);
    let sub = consume(&mut world, client, Pace::Manual);
    store_many(&mut world, client, 1);
    world.run_for(2 * SECOND);
    for _ in 0..100 {
        directly(&mut world, client);
    }
    world.run_for(11 * SECOND);
    let answers = world.with_cluster(|cluster| cluster.take_answers());
    assert_eq!(answers.len(), 100);
    assert!(answers.iter().all(|answer| answer.code == ResponseCode::SYSTEM_ERROR));
    // The next one finds their places free.
    directly(&mut world, client);
    let direct = |handout: &rocketry_core::consumer::Handout| handout.end - handout.next == 1;
    assert_eq!(world.take(client, sub).iter().filter(|one| direct(one)).count(), 2);
}

#[test]
fn a_message_directly_for_a_group_that_is_not_here_or_leaves_is_refused() {
    let (mut world, client) = pair(9, 1);
    let sub = consume(&mut world, client, Pace::Manual);
    store_many(&mut world, client, 1);
    world.run_for(2 * SECOND);
    directly(&mut world, client);
    world.leave(client, sub).unwrap();
    world.run_for(SECOND);
    let answer = only_answer(&mut world);
    assert_eq!(answer.code, ResponseCode::SYSTEM_ERROR);
    assert!(answer.remark.unwrap().contains("no consumer of the group"));
}

#[test]
fn off_03_a_group_begins_at_a_time() {
    let (mut world, client) = pair(10, 1);
    store_many(&mut world, client, 5);
    world.run_for(SECOND);
    let time = world.unix();
    world.run_for(SECOND);
    store_many(&mut world, client, 3);
    let mut subscribe = from_first(GROUP);
    subscribe.options.start = Start::Time(time);
    world.subscribe(client, subscribe, Pace::AtOnce).unwrap();
    world.run_for(8 * SECOND);
    assert_eq!(bodies(&world), ["0", "1", "2"]);
    assert_eq!(world.delivered()[0].offset, Some(5));
    // Where the group has an offset, that counts.
    let other = world.client(config());
    let mut subscribe = from_first(GROUP);
    subscribe.options.start = Start::Time(UnixMillis(0));
    world.subscribe(other, subscribe, Pace::AtOnce).unwrap();
    world.run_for(30 * SECOND);
    assert_eq!(world.delivered().len(), 3);
}
