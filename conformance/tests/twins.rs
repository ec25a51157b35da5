//! Old faults put back on purpose: a storm finds each of them within two hundred seeds, and the
//! same storm finds nothing without.

#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use rocketry_conformance::broker::ClusterConfig;
use rocketry_conformance::sim::{
    BroadcastScene, DealScene, GroupScene, Pace, PollScene, Scene, World, broadcast, course, deals,
    groups, polls,
};
use rocketry_core::config::Config;
use rocketry_core::consumer::{Start, Subscribe};
use rocketry_core::engine::Planted;
use rocketry_core::message::Message;
use rocketry_core::name::{Group, Topic};

/// Storms until one fails.
const SEEDS: u64 = 200;

fn assert_found_by(fault: Planted, storm: impl Fn(u64, Option<Planted>)) {
    for seed in 1..=SEEDS {
        let failed = catch_unwind(AssertUnwindSafe(|| storm(seed, Some(fault))));
        let Err(why) = failed else { continue };
        let text = why.downcast_ref::<String>().map(String::as_str);
        let text = text.or(why.downcast_ref::<&str>().copied()).unwrap_or_default();
        println!("{fault:?}: found by seed {seed}: {text}");
        storm(seed, None);
        return;
    }
    panic!("{fault:?} was not found by {SEEDS} storms");
}

fn assert_found(fault: Planted) {
    assert_found_by(fault, |seed, plant| {
        course(seed, &Scene { plant, ..Scene::all(seed) });
    });
}

/// The same by storms upon groups of consumers.
fn assert_found_in_groups(fault: Planted) {
    assert_found_by(fault, |seed, plant| {
        groups(seed, &GroupScene { plant, ..GroupScene::new(seed) });
    });
}

/// The same by storms upon a group that broadcasts.
#[test]
fn bcast_03_what_is_saved_past_an_open_message_is_found() {
    assert_found_by(Planted::SavesPulled, |seed, plant| {
        broadcast(seed, &BroadcastScene { plant, ..BroadcastScene::new(seed) });
    });
}

#[test]
fn pull_19_older_messages_that_move_a_queue_on_are_found() {
    assert_found(Planted::PassesOlder);
}

#[test]
fn pull_20_an_offset_beyond_the_end_is_found() {
    assert_found(Planted::PullsBeyond);
}

#[test]
fn pull_08_a_suggestion_that_no_route_names_and_that_is_followed_is_found() {
    assert_found(Planted::FollowsUnlisted);
}

#[test]
fn off_18_what_is_committed_past_an_open_message_is_found() {
    assert_found(Planted::CommitsFirstPull);
}

#[test]
fn conn_15_an_address_that_nobody_connects_to_is_found() {
    assert_found(Planted::StaysAtAddress);
}

#[test]
fn ns_17_one_nameserver_that_is_believed_is_found() {
    assert_found(Planted::BelievesOne);
}

#[test]
fn reb_12_a_queue_that_is_read_before_its_last_owner_could_commit_is_found() {
    assert_found_in_groups(Planted::TakesAtOnce);
}

#[test]
fn reb_14_a_share_of_another_route_is_found() {
    assert_found_in_groups(Planted::AppliesStale);
}

#[test]
fn retry_07_a_message_that_was_not_taken_back_and_counts_as_settled_is_found() {
    assert_found_in_groups(Planted::LosesRefused);
}

#[test]
fn retry_07_a_message_that_is_settled_before_it_was_taken_back_is_found() {
    assert_found_in_groups(Planted::RetrySettles);
}

#[test]
fn off_09_an_old_commit_that_lands_after_a_reset_is_found() {
    assert_found_in_groups(Planted::CommitsAfterReset);
}

#[test]
fn a_consumer_that_finishes_before_its_messages_were_taken_back_is_found() {
    assert_found_in_groups(Planted::DrainsEarly);
}

#[test]
fn an_offset_that_a_broker_lost_and_nobody_gives_again_is_found() {
    assert_found_in_groups(Planted::TrustsCommits);
}

/// The same by storms upon transactions.
fn assert_found_in_deals(fault: Planted) {
    assert_found_by(fault, |seed, plant| {
        deals(seed, &DealScene { plant });
    });
}

#[test]
fn txn_06_a_client_that_says_roll_back_and_then_commit_is_found() {
    assert_found_in_deals(Planted::ForgetsVerdicts);
}

#[test]
fn txn_06_a_copy_that_is_committed_beside_its_message_is_found() {
    assert_found_in_deals(Planted::CommitsCopies);
}

#[test]
fn txn_06_an_end_that_is_sent_twice_is_found() {
    assert_found_in_deals(Planted::RepeatsEnds);
}

#[test]
fn pull_11_an_answer_from_before_a_seek_that_is_taken_is_found() {
    assert_found_by(Planted::TakesBeforeSeek, |seed, plant| {
        polls(seed, &PollScene { plant, ..PollScene::default() });
    });
}

/// The same by storms upon groups of which one handles messages in their order.
fn assert_found_in_order(fault: Planted) {
    assert_found_by(fault, |seed, plant| {
        groups(seed, &GroupScene { plant, ..GroupScene::orderly(seed) });
    });
}

/// One stands still for longer than its locks last, with messages in its hands, while its queue is
/// locked by another client.
fn one_sleeps(seed: u64, plant: Option<Planted>) {
    const TOPIC: &str = "topic_a";
    let (group, topic) = (Group::new("group_a").unwrap(), Topic::new(TOPIC).unwrap());
    let mut world = World::new(seed, ClusterConfig::default().topic(TOPIC, 1));
    if let Some(fault) = plant {
        world.plant(fault);
    }
    let client = world.client(Config::new("ns:9876").unwrap());
    let mut subscribe = Subscribe::new(group, topic.clone());
    subscribe.options = subscribe.options.orderly().start_at(Start::First);
    world.subscribe(client, subscribe, Pace::InOrder(Duration::from_millis(300))).unwrap();
    for number in 0..300 {
        world.try_send(client, Message::new(topic.clone(), number.to_string())).unwrap();
    }
    world.run_for(Duration::from_secs(5));
    world.freeze(client, Duration::from_secs(70));
    world.run_for(Duration::from_secs(65));
    world.with_cluster(|cluster| cluster.set_lock(0, ("group_a", TOPIC), 0, Some("another")));
    world.run_for(Duration::from_secs(20));
}

#[test]
fn ord_04_a_lock_that_is_believed_in_after_it_ran_out_is_found() {
    assert_found_by(Planted::OutlivesLock, one_sleeps);
}

#[test]
fn ord_05_a_second_holder_after_a_broker_forgot_its_locks_is_found() {
    assert_found_in_order(Planted::TrustsLocks);
}

#[test]
fn ord_07_what_is_handed_out_before_what_was_given_back_is_found() {
    assert_found_in_order(Planted::RetryPasses);
}
