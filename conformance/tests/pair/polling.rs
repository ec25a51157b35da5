//! Consumers that are polled: what a poll gives, what it settles, and queues that are assigned,
//! sought, held and committed by hand.

use std::collections::BTreeSet;
use std::time::Duration;

use rocketry_conformance::broker::{Fault, TopicConfig};
use rocketry_conformance::sim::{ClientId, Pace, World};
use rocketry_core::consumer::{Commit, Handout, Polling, Subscribe, Taking};
use rocketry_core::error::{CommitError, Failure};
use rocketry_core::frame::{Request, RequestCode, ResponseCode, version};
use rocketry_core::id::{OpId, SubscriptionId};
use rocketry_core::query::QueueName;

use crate::setting::*;

const LITE: RequestCode = RequestCode::LITE_PULL_MESSAGE;
const PLAIN: RequestCode = RequestCode::PULL_MESSAGE;

fn queue(number: u32) -> QueueName {
    QueueName { topic: topic(TOPIC), broker: "broker-a".into(), queue: number }
}

fn queues(numbers: impl IntoIterator<Item = u32>) -> BTreeSet<QueueName> {
    numbers.into_iter().map(queue).collect()
}

/// A consumer in `GROUP` that is polled: of those queues, or of all as the group shares them.
fn polled(auto_commit: bool, of: Option<BTreeSet<QueueName>>) -> Subscribe {
    let mut subscribe = from_first(GROUP);
    if of.is_some() {
        subscribe.topics.clear();
    }
    let polling = Polling { auto_commit, queues: of, watches: true };
    subscribe.options.taking = Taking::Polled(polling);
    subscribe
}

/// `count` messages in a world of one queue, which is assigned to a consumer.
fn assigned(count: usize, auto_commit: bool) -> (World, ClientId, SubscriptionId) {
    let (mut world, client) = pair(1, 1);
    store_many(&mut world, client, count);
    let subscribe = polled(auto_commit, Some(queues([0])));
    let sub = world.subscribe(client, subscribe, Pace::Manual).unwrap();
    world.run_for(2 * SECOND);
    (world, client, sub)
}

/// The offsets that one poll gives.
fn poll(world: &mut World, client: ClientId, sub: SubscriptionId) -> Vec<i64> {
    let given = world.poll(client, sub);
    let offsets = ids(&given).into_iter().zip(given.iter().flat_map(|run| {
        let batch = run.batch.clone();
        (run.next..run.end).map(move |index| batch.offset(index).unwrap())
    }));
    offsets.map(|(_, offset)| offset).collect()
}

fn commit(world: &mut World, client: ClientId, sub: SubscriptionId, what: Commit) -> OpId {
    world.commit(client, sub, what).unwrap()
}

fn ended(world: &World, client: ClientId, op: OpId) -> Option<Result<(), CommitError>> {
    world.committed(client, op).map(|ended| ended.result.clone())
}

fn requests(world: &World, code: RequestCode) -> u64 {
    world.cluster().requests(code)
}

#[test]
fn pull_11_a_poll_gives_exactly_what_follows_the_offset_that_was_sought() {
    let (mut world, client, sub) = assigned(40, true);
    assert_eq!(poll(&mut world, client, sub), (0..10).collect::<Vec<_>>());
    for to in [33, 7, 40, 0, 39] {
        world.seek(client, sub, (&queue(0), to)).unwrap();
        assert_eq!(world.engine(client).position(sub, &queue(0)), Some(to));
        // What was pulled before is not there any more.
        assert_eq!(poll(&mut world, client, sub), Vec::<i64>::new(), "{to}");
        world.run_for(SECOND);
        assert_eq!(world.poll_all(client, sub), (to..40).collect::<Vec<_>>());
        assert_eq!(world.engine(client).position(sub, &queue(0)), Some(40));
    }
    assert!(world.seek(client, sub, (&queue(1), 0)).is_err(), "it is none of its queues");
}

#[test]
fn pull_11_an_answer_from_before_a_seek_is_dropped() {
    for to in [3, 25] {
        let (mut world, client, sub) = assigned(40, true);
        world.seek(client, sub, (&queue(0), 15)).unwrap();
        // The answer to this pull is on its way for a second.
        let late = vec![Fault::Late(SECOND)];
        world.with_cluster(|cluster| cluster.push_faults(LITE, late));
        world.seek(client, sub, (&queue(0), 15)).unwrap();
        world.run_for(ms(500));
        world.seek(client, sub, (&queue(0), to)).unwrap();
        world.run_for(5 * SECOND);
        assert_eq!(world.poll_all(client, sub), (to..40).collect::<Vec<_>>());
    }
}

#[test]
fn pull_11_what_was_polled_before_a_seek_is_not_committed() {
    let (mut world, client, sub) = assigned(40, true);
    assert_eq!(poll(&mut world, client, sub).len(), 10);
    assert_eq!(poll(&mut world, client, sub).len(), 10);
    world.seek(client, sub, (&queue(0), 5)).unwrap();
    world.run_for(6 * SECOND);
    // The sought offset is the group's, though 10 were settled and 20 in hand.
    assert_eq!(committed(&world), Some(5));
    assert_eq!(poll(&mut world, client, sub), (5..15).collect::<Vec<_>>());
    world.run_for(6 * SECOND);
    assert_eq!(committed(&world), Some(5));
    assert_eq!(world.engine(client).snapshot(world.now()).consumers[0].stale, 0);
}

#[test]
fn pull_15_a_message_is_settled_by_the_next_poll_and_not_before() {
    let (mut world, client, sub) = assigned(40, true);
    assert_eq!(poll(&mut world, client, sub), (0..10).collect::<Vec<_>>());
    world.run_for(20 * SECOND);
    assert!(committed(&world).is_none_or(|at| at == 0), "{:?}", committed(&world));
    assert_eq!(poll(&mut world, client, sub), (10..20).collect::<Vec<_>>());
    world.run_for(6 * SECOND);
    assert_eq!(committed(&world), Some(10));
    // Dropped, it leaves with what is in hand unsettled.
    world.leave(client, sub).unwrap();
    world.run_for(SECOND);
    assert_eq!(committed(&world), Some(10));
    let again = polled(true, Some(queues([0])));
    let sub = world.subscribe(client, again, Pace::Manual).unwrap();
    world.run_for(2 * SECOND);
    assert_eq!(poll(&mut world, client, sub), (10..20).collect::<Vec<_>>());
    // Closed, it has settled that before.
    world.settle_polled(client, sub);
    world.leave(client, sub).unwrap();
    world.run_for(SECOND);
    assert_eq!(committed(&world), Some(20));
}

#[test]
fn pull_15_nothing_is_committed_that_was_not_asked_for() {
    let (mut world, client, sub) = assigned(40, false);
    assert_eq!(world.poll_all(client, sub).len(), 40);
    world.run_for(20 * SECOND);
    world.seek(client, sub, (&queue(0), 30)).unwrap();
    world.run_for(20 * SECOND);
    assert_eq!(requests(&world, RequestCode::UPDATE_CONSUMER_OFFSET), 0);
    world.settle_polled(client, sub);
    world.leave(client, sub).unwrap();
    world.run_for(2 * SECOND);
    assert_eq!(requests(&world, RequestCode::UPDATE_CONSUMER_OFFSET), 0);
    let sub = world.subscribe(client, polled(false, Some(queues([0]))), Pace::Manual).unwrap();
    world.run_for(2 * SECOND);
    assert_eq!(world.poll_all(client, sub), (0..40).collect::<Vec<_>>());
}

#[test]
fn off_a_commit_by_hand_is_answered_and_has_what_is_in_hand() {
    let (mut world, client, sub) = assigned(40, false);
    assert_eq!(poll(&mut world, client, sub).len(), 10);
    let op = commit(&mut world, client, sub, Commit::Polled);
    assert_eq!(ended(&world, client, op), None);
    world.run_for(SECOND);
    assert_eq!((ended(&world, client, op), committed(&world)), (Some(Ok(())), Some(10)));
    // Nothing is new: it ends at once, with no request.
    let op = commit(&mut world, client, sub, Commit::Queue(queue(0)));
    assert_eq!(ended(&world, client, op), Some(Ok(())));
    assert_eq!(requests(&world, RequestCode::UPDATE_CONSUMER_OFFSET), 1);
    // Chosen offsets, forth and back, each behind the one before.
    let chosen = |at| Commit::Offsets([(queue(0), at)].into());
    let ops = [30, 3, 35, 4].map(|at| commit(&mut world, client, sub, chosen(at)));
    world.run_for(SECOND);
    assert!(ops.iter().all(|op| ended(&world, client, *op) == Some(Ok(()))));
    assert_eq!(committed(&world), Some(4));
    assert_eq!(requests(&world, RequestCode::UPDATE_CONSUMER_OFFSET), 5);
    let wrong = world.commit(client, sub, Commit::Queue(queue(1)));
    assert_eq!(wrong, Err(CommitError::NotAssigned { queue: queue(1) }));
    let wrong = world.commit(client, sub, chosen(-1));
    assert_eq!(wrong, Err(CommitError::Negative { queue: queue(0), offset: -1 }));
}

#[test]
fn off_a_commit_that_fails_says_why() {
    let (mut world, client, sub) = assigned(40, false);
    poll(&mut world, client, sub);
    let busy = ResponseCode::SYSTEM_BUSY;
    let faults = vec![Fault::Refuse(busy)];
    world.with_cluster(|cluster| {
        cluster.push_faults(RequestCode::UPDATE_CONSUMER_OFFSET, faults);
    });
    let op = commit(&mut world, client, sub, Commit::Polled);
    // Another one waits for the end of the first, and is sent then.
    let next = commit(&mut world, client, sub, Commit::Polled);
    world.run_for(SECOND);
    let refused = |end: Option<Result<(), CommitError>>| match end {
        Some(Err(CommitError::Failed { failure: Failure::Refused { code, .. }, .. })) => Some(code),
        _ => None,
    };
    assert_eq!(refused(ended(&world, client, op)), Some(busy));
    assert_eq!((ended(&world, client, next), committed(&world)), (Some(Ok(())), Some(10)));
    // Its broker is away.
    poll(&mut world, client, sub);
    world.take_down(0);
    world.run_for(SECOND);
    let op = commit(&mut world, client, sub, Commit::Polled);
    let away = CommitError::NotConnected { queue: queue(0) };
    assert!(away.is_retriable());
    assert_eq!(ended(&world, client, op), Some(Err(away)));
    world.bring_up(0);
    world.run_for(40 * SECOND);
    let op = commit(&mut world, client, sub, Commit::Polled);
    world.run_for(SECOND);
    assert_eq!((ended(&world, client, op), committed(&world)), (Some(Ok(())), Some(20)));
}

#[test]
fn off_a_commit_ends_with_its_consumer_and_its_client() {
    let (mut world, client, sub) = assigned(40, false);
    poll(&mut world, client, sub);
    let mute = vec![Fault::Mute; 8];
    world.with_cluster(|cluster| cluster.push_faults(RequestCode::UPDATE_CONSUMER_OFFSET, mute));
    let ops =
        [3, 4].map(|at| commit(&mut world, client, sub, Commit::Offsets([(queue(0), at)].into())));
    world.shutdown(client);
    world.run_for(10 * SECOND);
    for op in ops {
        assert!(matches!(ended(&world, client, op), Some(Err(_))), "{op:?}");
    }
    assert!(world.stopped_at(client).is_some());
    assert_eq!(world.engine(client).stats().operations, 0);
}

#[test]
fn pull_13_a_queue_that_is_held_gives_nothing_and_loses_nothing() {
    let (mut world, client) = pair(1, 2);
    let subscribe = polled(true, Some(queues(0..2)));
    let sub = world.subscribe(client, subscribe, Pace::Manual).unwrap();
    store_many(&mut world, client, 200);
    world.run_for(2 * SECOND);
    let only = [queue(0)];
    assert!(world.hold(client, sub, (&only, true)).is_empty());
    assert_eq!(world.engine(client).held(sub), only);
    // Twice changes nothing.
    assert!(world.hold(client, sub, (&only, true)).is_empty());
    let before = requests(&world, LITE);
    let all: Vec<_> = std::iter::from_fn(|| Some(world.poll(client, sub)))
        .take_while(|given| !given.is_empty())
        .flatten()
        .collect();
    assert!(all.iter().all(|run| run.batch.queue().queue == 1));
    assert_eq!(ids(&all).len(), 100);
    world.run_for(60 * SECOND);
    assert!(world.poll(client, sub).is_empty() && !world.engine(client).has_batch(sub));
    // Only the other queue goes on: a long poll of 15 s after the other.
    assert!(requests(&world, LITE) - before <= 6, "{}", requests(&world, LITE) - before);
    // A seek counts, and does not release it.
    world.seek(client, sub, (&queue(0), 50)).unwrap();
    world.run_for(20 * SECOND);
    assert!(world.poll(client, sub).is_empty());
    assert!(world.hold(client, sub, (&only, false)).is_empty());
    world.run_for(SECOND);
    assert_eq!(world.poll_all(client, sub), (50..100).collect::<Vec<_>>());
    assert_eq!(world.hold(client, sub, (&[queue(7)], true)), [queue(7)]);
}

#[test]
fn pull_13_what_was_pulled_before_a_queue_was_held_is_given_once_it_is_released() {
    let (mut world, client, sub) = assigned(40, true);
    assert_eq!(poll(&mut world, client, sub).len(), 10);
    for _ in 0..100 {
        world.hold(client, sub, (&[queue(0)], true));
        assert!(world.poll(client, sub).is_empty());
        world.hold(client, sub, (&[queue(0)], false));
    }
    assert_eq!(world.poll_all(client, sub), (10..40).collect::<Vec<_>>());
}

#[test]
fn pull_16_a_batch_in_hand_of_a_queue_that_goes_to_another_member_is_not_committed() {
    let (mut world, first) = pair(3, 2);
    store_many(&mut world, first, 80);
    let sub = world.subscribe(first, polled(true, None), Pace::Manual).unwrap();
    world.run_for(3 * SECOND);
    let polls: Vec<Vec<Handout>> = (0..6).map(|_| world.poll(first, sub)).collect();
    let of = |polls: &[Vec<Handout>], queue: u32| {
        let runs = polls.iter().flatten().filter(|run| run.batch.queue().queue == queue);
        runs.map(|run| i64::from(run.end - run.next)).sum::<i64>()
    };
    let second = world.client(config());
    let other = world.subscribe(second, polled(true, None), Pace::Manual).unwrap();
    world.run_for(3 * SECOND);
    let lost = world.changes(first).iter().flat_map(|change| change.lost.clone()).next().unwrap();
    // What the last poll gave of it is in hand.
    let settled = of(&polls[..5], lost.queue);
    assert!(of(&polls[5..], lost.queue) > 0 && settled > 0, "{polls:?}");
    assert_eq!(committed_of(&world, lost.queue as i32), Some(settled));
    // The other one begins there: what is in hand here comes there.
    assert_eq!(world.engine(second).queues(other), std::slice::from_ref(&lost));
    assert_eq!(world.poll_all(second, other), (settled..40).collect::<Vec<_>>());
    // The poll after the loss settles nothing of it.
    poll(&mut world, first, sub);
    world.run_for(12 * SECOND);
    assert_eq!(committed_of(&world, lost.queue as i32), Some(40));
}

#[test]
fn pull_12_two_that_subscribe_share_the_queues_and_say_that_they_pull() {
    let (mut world, first) = pair(2, 4);
    world.with_cluster(|cluster| cluster.keep_requests());
    let one = world.subscribe(first, polled(true, None), Pace::Manual).unwrap();
    let second = world.client(config());
    let other = world.subscribe(second, polled(true, None), Pace::Manual).unwrap();
    world.run_for(3 * SECOND);
    let (mine, theirs) = (world.engine(first).queues(one), world.engine(second).queues(other));
    assert_eq!((mine.len(), theirs.len()), (2, 2));
    assert!(mine.iter().all(|queue| !theirs.contains(queue)));
    let requests = world.with_cluster(|cluster| cluster.take_requests());
    let beats = requests.iter().filter(|one| matches!(one.request, Request::Heartbeat(_)));
    let beats: Vec<String> =
        beats.map(|beat| String::from_utf8_lossy(&beat.body).into_owned()).collect();
    let told = beats.iter().filter(|beat| beat.contains(GROUP));
    assert!(told.clone().count() >= 2);
    assert!(told.clone().all(|beat| beat.contains("CONSUME_ACTIVELY")), "{beats:?}");
    assert!(told.clone().all(|beat| !beat.contains("%RETRY%")), "{beats:?}");
}

#[test]
fn pull_11_what_is_assigned_may_change_and_nobody_is_asked_for_members() {
    let (mut world, client) = pair(1, 4);
    store_many(&mut world, client, 160);
    let subscribe = polled(true, Some(queues(0..2)));
    let sub = world.subscribe(client, subscribe, Pace::Manual).unwrap();
    world.run_for(2 * SECOND);
    assert_eq!(world.engine(client).queues(sub), queues(0..2).into_iter().collect::<Vec<_>>());
    assert_eq!(world.poll_all(client, sub).len(), 80);
    assert_eq!(world.assign(client, sub, queues(1..3)), Ok(true));
    world.run_for(2 * SECOND);
    // The queue that is given up was committed; the one that is kept goes on where it was.
    assert_eq!((committed_of(&world, 0), world.poll_all(client, sub).len()), (Some(40), 40));
    let mut now = world.engine(client).queues(sub);
    now.sort();
    assert_eq!(now, queues(1..3).into_iter().collect::<Vec<_>>());
    // Queues that are not there are looked for on and on, and none may be assigned at all.
    assert_eq!(world.assign(client, sub, queues([3, 9])), Ok(true));
    world.run_for(2 * SECOND);
    assert_eq!(world.engine(client).queues(sub), [queue(3)]);
    assert_eq!(world.assign(client, sub, BTreeSet::new()), Ok(true));
    world.run_for(2 * SECOND);
    assert!(world.engine(client).queues(sub).is_empty());
    assert_eq!(world.assign(client, sub, queues([0])), Ok(true));
    world.run_for(2 * SECOND);
    assert_eq!(world.engine(client).queues(sub), [queue(0)]);
    assert_eq!(requests(&world, RequestCode::GET_CONSUMER_LIST_BY_GROUP), 0);
}

#[test]
fn pull_12_one_that_subscribes_is_not_assigned_queues() {
    let (mut world, client) = pair(1, 4);
    let sub = world.subscribe(client, polled(true, None), Pace::Manual).unwrap();
    world.run_for(2 * SECOND);
    assert_eq!(world.assign(client, sub, queues([0])), Ok(false));
    world.run_for(2 * SECOND);
    assert_eq!(world.engine(client).queues(sub).len(), 4);
}

#[test]
fn wire_a_broker_that_does_not_know_lite_pulls_gets_plain_ones_until_it_is_another() {
    let (mut world, client) = pair(1, 2);
    world.with_cluster(|cluster| {
        cluster.set_version(0, version::V4_9_7);
        cluster.keep_requests();
    });
    store_many(&mut world, client, 40);
    let subscribe = polled(true, Some(queues(0..2)));
    let sub = world.subscribe(client, subscribe, Pace::Manual).unwrap();
    world.run_for(40 * SECOND);
    assert_eq!(world.poll_all(client, sub).len(), 40);
    // One for each queue that was asked for before the first answer.
    assert!(requests(&world, LITE) <= 2, "{}", requests(&world, LITE));
    let kept = world.with_cluster(|cluster| cluster.take_requests());
    let flags: BTreeSet<(bool, i32)> = kept
        .into_iter()
        .filter_map(|one| match one.request {
            Request::Pull(pull) => Some((false, pull.sys_flag)),
            Request::LitePull(pull) => Some((true, pull.sys_flag)),
            _ => None,
        })
        .collect();
    assert_eq!(flags, BTreeSet::from([(false, 2 | 4), (true, 2 | 4 | 16)]));
    // The broker is upgraded.
    world.take_down(0);
    world.with_cluster(|cluster| cluster.set_version(0, version::V5_3_3));
    world.bring_up(0);
    world.run_for(40 * SECOND);
    let plain = requests(&world, PLAIN);
    store_many(&mut world, client, 40);
    world.run_for(20 * SECOND);
    assert_eq!(world.poll_all(client, sub).len(), 40);
    assert!(requests(&world, LITE) > 2);
    assert_eq!(requests(&world, PLAIN), plain);
}

#[test]
fn flow_what_is_pulled_ahead_stays_within_the_window_whether_or_not_it_is_polled() {
    let (mut world, client) = pair(1, 1);
    store_many(&mut world, client, 1000);
    let mut subscribe = polled(true, Some(queues([0])));
    subscribe.options = subscribe.options.queue_messages(100).poll_batch(7);
    let sub = world.subscribe(client, subscribe, Pace::Manual).unwrap();
    world.run_for(60 * SECOND);
    let held = |world: &World| {
        let stats = world.engine(client).snapshot(world.now());
        stats.consumers[0].queues[0].messages
    };
    assert!((100..=132).contains(&held(&world)), "{}", held(&world));
    let mut seen = Vec::new();
    while seen.len() < 1000 {
        let given = poll(&mut world, client, sub);
        assert!(given.len() <= 7 && held(&world) <= 132);
        seen.extend(given);
        world.run_for(ms(20));
    }
    assert_eq!(seen, (0..1000).collect::<Vec<_>>());
}

#[test]
fn pull_17_a_poll_of_what_is_not_there_gives_nothing_and_what_comes_is_told() {
    let (mut world, client, sub) = assigned(0, true);
    assert!(world.poll(client, sub).is_empty());
    store(&mut world, client, "x");
    world.run_for(ms(100));
    assert!(world.engine(client).has_batch(sub));
    assert_eq!(poll(&mut world, client, sub), [0]);
    world.run_for(Duration::from_secs(3600));
    // However long it is held, it is not sent back.
    assert_eq!(requests(&world, RequestCode::CONSUMER_SEND_MSG_BACK), 0);
    assert!(world.poll(client, sub).is_empty());
}

#[test]
fn pull_11_queues_that_were_assigned_are_sought_and_held_before_they_are_there() {
    let (mut world, client) = pair(1, 2);
    store_many(&mut world, client, 80);
    let late = world.client(config());
    let subscribe = polled(true, Some(queues(0..2)));
    let sub = world.subscribe(late, subscribe, Pace::Manual).unwrap();
    assert!(world.engine(late).queues(sub).is_empty(), "no route is known yet");
    world.seek(late, sub, (&queue(0), 31)).unwrap();
    assert_eq!(world.engine(late).position(sub, &queue(0)), Some(31));
    assert!(world.hold(late, sub, (&[queue(1)], true)).is_empty());
    assert!(world.seek(late, sub, (&queue(2), 0)).is_err());
    world.run_for(2 * SECOND);
    assert_eq!(world.poll_all(late, sub), (31..40).collect::<Vec<_>>());
    assert_eq!(world.engine(late).held(sub), [queue(1)]);
    world.hold(late, sub, (&[queue(1)], false));
    world.run_for(SECOND);
    assert_eq!(world.poll_all(late, sub), (0..40).collect::<Vec<_>>());
}

#[test]
fn reb_who_is_assigned_queues_is_told_when_the_topic_has_others() {
    let (mut world, client, sub) = assigned(10, true);
    let told = |world: &World| {
        let told: Vec<usize> =
            world.topic_queues(client).iter().map(|(_, queues)| queues.len()).collect();
        told
    };
    assert_eq!(told(&world), [1]);
    let grown = TopicConfig::new(TOPIC, 3);
    world.with_cluster(|cluster| cluster.create_topic(&grown));
    world.run_for(60 * SECOND);
    assert_eq!(told(&world), [1, 3]);
    // It reads what it was assigned, until it is assigned all.
    assert_eq!(world.engine(client).queues(sub), [queue(0)]);
    let all = world.topic_queues(client)[1].1.iter().cloned().collect();
    assert_eq!(world.assign(client, sub, all), Ok(true));
    world.run_for(2 * SECOND);
    assert_eq!(world.engine(client).queues(sub).len(), 3);
}
