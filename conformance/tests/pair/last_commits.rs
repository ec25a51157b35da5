//! The last commits of a consumer that leaves, which brokers refuse, lose, or answer late.

use rocketry_conformance::broker::Fault;
use rocketry_conformance::sim::{ClientId, Pace, World};
use rocketry_core::consumer::Subscribe;
use rocketry_core::engine::Note;
use rocketry_core::frame::{Request, RequestCode, ResponseCode};
use rocketry_core::id::SubscriptionId;
use rocketry_core::name::Group;

use crate::setting::*;

const COMMIT: RequestCode = RequestCode::UPDATE_CONSUMER_OFFSET;

/// A consumer that has settled ten messages of one queue, before a commit of them was due.
fn settled(seed: u64) -> (World, ClientId, SubscriptionId) {
    let (mut world, client) = pair(seed, 1);
    let sub = consume(&mut world, client, Pace::AtOnce);
    world.run_for(6 * SECOND);
    store_many(&mut world, client, 10);
    world.run_until(ms(500), |world| world.delivered().len() == 10).unwrap();
    (world, client, sub)
}

/// Leaves, while its commits meet these faults. Gives of how many queues it had no word, and how
/// many commits it sent.
fn leave(world: &mut World, (client, sub): (ClientId, SubscriptionId), faults: &[Fault]) -> usize {
    let before = world.cluster().requests(COMMIT);
    world.with_cluster(|cluster| cluster.push_faults(COMMIT, faults.iter().copied()));
    let within = world.engine(client).config().shutdown_timeout;
    world.leave(client, sub).unwrap();
    world.run_until(within, |world| world.left_at(client, sub).is_some()).unwrap();
    (world.cluster().requests(COMMIT) - before) as usize
}

const BUSY: Fault = Fault::Refuse(ResponseCode::SYSTEM_BUSY);

#[test]
fn a_last_commit_that_fails_is_given_again() {
    for faults in [&[BUSY, BUSY][..], &[Fault::Lose, BUSY], &[Fault::Mute], &[Fault::LoseAndClose]]
    {
        let (mut world, client, sub) = settled(1);
        let sent = leave(&mut world, (client, sub), faults);
        assert_eq!((committed(&world), sent), (Some(10), faults.len() + 1), "{faults:?}");
        assert_eq!(world.left_uncommitted(client, sub), Some(0), "{faults:?}");
    }
}

#[test]
fn one_that_no_broker_takes_is_told_and_counted() {
    let (mut world, client, sub) = settled(2);
    let before = committed(&world);
    assert_eq!(leave(&mut world, (client, sub), &[BUSY; 9]), 3, "with a floor and an end");
    assert_eq!((committed(&world), world.left_uncommitted(client, sub)), (before, Some(1)));
    let told = world.notes(client).filter(
        |note| matches!(note, Note::AskFailed { ask, queue: Some(_), .. } if *ask == COMMIT),
    );
    assert_eq!(told.count(), 1, "once a minute");
    assert!(world.cluster().consumers(0, GROUP).is_empty(), "the broker was told all the same");
}

#[test]
fn a_broker_that_is_away_is_not_waited_for_and_what_it_lacks_is_counted() {
    let (mut world, client, sub) = settled(3);
    world.with_cluster(|cluster| cluster.push_faults(COMMIT, [Fault::LoseAndClose; 9]));
    let start = world.now();
    world.leave(client, sub).unwrap();
    world.run_until(2 * SECOND, |world| world.left_at(client, sub).is_some()).unwrap();
    assert!(world.now().since(start) < 2 * SECOND);
    assert_eq!(world.left_uncommitted(client, sub), Some(1));
}

#[test]
fn brokers_hear_of_a_leave_whose_commits_are_not_answered() {
    let (mut world, client, sub) = settled(4);
    // The client lives on, and so does its connection: nothing else would end the membership.
    let other = Group::new("others").unwrap();
    world.subscribe(client, Subscribe::new(other, topic(TOPIC)), Pace::AtOnce).unwrap();
    world.run_for(2 * SECOND);
    store_many(&mut world, client, 10);
    world.run_until(ms(500), |world| world.delivered().len() >= 20).unwrap();
    world.with_cluster(|cluster| cluster.push_faults(COMMIT, vec![Fault::Lose; 100]));
    world.leave(client, sub).unwrap();
    let within = world.engine(client).config().shutdown_timeout;
    world.run_until(within, |world| world.left_at(client, sub).is_some()).unwrap();
    assert_eq!(world.left_uncommitted(client, sub), Some(1));
    assert!(world.cluster().consumers(0, GROUP).is_empty(), "a member that nobody is");
}

#[test]
fn an_inherited_offset_outlives_the_late_last_commit_of_a_former_owner() {
    let (mut world, first, sub) = settled(5);
    world.leave(first, sub).unwrap();
    world.run_until(3 * SECOND, |world| world.left_at(first, sub).is_some()).unwrap();
    let heir = world.client(config());
    consume(&mut world, heir, Pace::AtOnce);
    world.run_for(5 * SECOND);
    assert_eq!(committed(&world), Some(10));
    // It was under way for all the time; nothing new comes after it.
    world.with_cluster(|cluster| cluster.set_committed(0, GROUP, TOPIC, 0, 4));
    world.run_until(60 * SECOND, |world| committed(world) == Some(10)).unwrap();
}

/// A member that has handled 20 messages, one of whose two queues has just gone to another member,
/// and which. Its last commit, before another one is due, meets `fault`.
fn handing_over(fault: Fault) -> (World, (ClientId, SubscriptionId), i32) {
    let (mut world, first) = pair(6, 2);
    let sub = consume(&mut world, first, Pace::AtOnce);
    world.run_for(6 * SECOND);
    store_many(&mut world, first, 20);
    world.run_until(ms(500), |world| world.delivered().len() == 20).unwrap();
    let second = world.client(config());
    // It settles nothing, and so commits nothing.
    consume(&mut world, second, Pace::Manual);
    world.with_cluster(|cluster| {
        cluster.push_faults(COMMIT, [fault]);
        cluster.keep_requests();
    });
    world.run_until(3 * SECOND, |world| world.changes(first).len() == 2).unwrap();
    let lost = world.changes(first)[1].lost[0].queue as i32;
    (world, (first, sub), lost)
}

#[test]
fn the_last_commit_of_a_queue_that_went_to_another_member_is_not_given_again_by_one_that_leaves() {
    // Its answer does not come.
    let (mut world, (first, sub), lost) = handing_over(Fault::Lose);
    world.run_for(2 * SECOND);
    world.leave(first, sub).unwrap();
    world.run_until(4 * SECOND, |world| world.left_at(first, sub).is_some()).unwrap();
    let requests = world.with_cluster(|cluster| cluster.take_requests());
    let commits = requests.iter().filter_map(|one| match &one.request {
        Request::UpdateOffset(commit) => Some(commit.queue_id),
        _ => None,
    });
    assert_eq!(commits.filter(|queue| *queue == lost).count(), 1, "it is another member's by now");
}

#[test]
fn first_offsets_are_given_twice_since_brokers_lose_some_that_come_together() {
    let (mut world, client) = pair(6, 4);
    let sub = consume(&mut world, client, Pace::AtOnce);
    world.run_for(3 * SECOND);
    store_many(&mut world, client, 16);
    world.run_until(ms(500), |world| world.delivered().len() == 16).unwrap();
    // As they were the first ones of the group, an answer says nothing yet of what stays.
    let before = world.cluster().requests(COMMIT);
    world.leave(client, sub).unwrap();
    world.run_until(2 * SECOND, |world| world.left_at(client, sub).is_some()).unwrap();
    assert_eq!(world.cluster().requests(COMMIT) - before, 8);
    assert_eq!(world.left_uncommitted(client, sub), Some(0));
}

/// As brokers do whose first offsets of a topic and group come at one time.
#[test]
fn first_offsets_that_come_with_a_leave_are_given_once_more_whatever_is_lost_of_them() {
    let orderly = |mut wanted: Subscribe| {
        wanted.options = wanted.options.orderly();
        wanted
    };
    // Those of a round are under way still, or there was none before.
    for (seed, round, ordered) in
        [(8, false, false), (9, false, true), (10, true, false), (11, true, true)]
    {
        let (mut world, client) = pair(seed, 4);
        world.with_cluster(|cluster| cluster.lose_first_offsets(0));
        store_many(&mut world, client, 16);
        let wanted = from_first(GROUP);
        let wanted = if ordered { orderly(wanted) } else { wanted };
        let sub = world.subscribe(client, wanted, Pace::AtOnce).unwrap();
        world.run_until(4 * SECOND, |world| world.delivered().len() == 16).unwrap();
        let before = world.cluster().requests(COMMIT);
        if round {
            world.run_until(6 * SECOND, |world| world.cluster().requests(COMMIT) > before).unwrap();
        }
        world.leave(client, sub).unwrap();
        world.run_until(3 * SECOND, |world| world.left_at(client, sub).is_some()).unwrap();
        let stored: Vec<_> = (0..4).map(|queue| committed_of(&world, queue)).collect();
        assert_eq!(stored, [Some(4); 4], "round {round}, in order {ordered}");
        assert_eq!(world.left_uncommitted(client, sub), Some(0));
    }
}

/// Queues that go to a new member before anything was committed: what was handled does not come to
/// it again.
#[test]
fn first_offsets_that_come_with_a_rebalance_are_given_once_more_whatever_is_lost_of_them() {
    for (seed, ordered) in (20..30).flat_map(|seed| [(seed, false), (seed, true)]) {
        let (mut world, first) = pair(seed, 8);
        world.with_cluster(|cluster| cluster.lose_first_offsets(0));
        store_many(&mut world, first, 32);
        let mut wanted = from_first(GROUP);
        if ordered {
            wanted.options = wanted.options.orderly();
        }
        world.subscribe(first, wanted.clone(), Pace::AtOnce).unwrap();
        world.run_until(4 * SECOND, |world| world.delivered().len() == 32).unwrap();
        let second = world.client(config());
        world.subscribe(second, wanted, Pace::AtOnce).unwrap();
        world.run_for(4 * SECOND);
        let gained = world.changes(second).iter().map(|change| change.gained.len());
        assert_eq!(gained.sum::<usize>(), 4);
        assert_eq!(world.delivered().len(), 32, "seed {seed}, in order {ordered}");
        let stored: Vec<_> = (0..8).map(|queue| committed_of(&world, queue)).collect();
        world.run_for(8 * SECOND);
        assert_eq!(world.delivered().len(), 32, "seed {seed}, in order {ordered}: {stored:?}");
    }
}

/// A broker is busy for a moment when a queue goes to another member: what was handled of it does
/// not come again there.
#[test]
fn a_last_commit_that_is_refused_is_given_again_while_nobody_else_commits_in_its_queue() {
    for (seed, ordered) in [(40, false), (41, true)] {
        let (mut world, first) = pair(seed, 2);
        let mut wanted = from_first(GROUP);
        if ordered {
            wanted.options = wanted.options.orderly();
        }
        world.subscribe(first, wanted.clone(), Pace::AtOnce).unwrap();
        world.run_for(6 * SECOND);
        store_many(&mut world, first, 20);
        world.run_until(ms(500), |world| world.delivered().len() == 20).unwrap();
        let second = world.client(config());
        world.subscribe(second, wanted, Pace::AtOnce).unwrap();
        world.with_cluster(|cluster| cluster.push_faults(COMMIT, [BUSY]));
        world.run_for(3 * SECOND);
        assert_eq!(world.changes(second).iter().map(|one| one.gained.len()).sum::<usize>(), 1);
        assert_eq!(world.delivered().len(), 20, "in order {ordered}");
    }
}

#[test]
fn off_09_a_last_commit_does_not_take_back_where_an_administrator_moved_the_group_since() {
    // It is refused, and would be given again.
    let (mut world, _, lost) = handing_over(BUSY);
    let refused = world.cluster().requests(COMMIT);
    world.run_until(ms(100), move |world| world.cluster().requests(COMMIT) > refused);
    // As brokers do that leave a reset to the group's members.
    world.with_cluster(|cluster| {
        cluster.reset_offset(0, (GROUP, TOPIC), 0, true).unwrap();
    });
    world.run_for(3 * SECOND);
    let requests = world.with_cluster(|cluster| cluster.take_requests());
    let commits: Vec<i64> = requests
        .iter()
        .filter_map(|one| match &one.request {
            Request::UpdateOffset(commit) => {
                (commit.queue_id == lost).then_some(commit.commit_offset)
            }
            _ => None,
        })
        .collect();
    assert_eq!(commits.iter().filter(|offset| **offset > 0).count(), 1, "{commits:?}");
    assert_eq!(committed_of(&world, lost), Some(0));
}
