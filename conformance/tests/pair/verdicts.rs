//! Verdicts on half messages where brokers deny, stall, or ask twice.

use std::iter::repeat_n;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rocketry_conformance::broker::{Account, Acl, ClusterConfig, Fault, Perm};
use rocketry_conformance::sim::{ClientId, World};
use rocketry_core::error::ErrorKind;
use rocketry_core::frame::{RequestCode, ResponseCode};
use rocketry_core::id::{CheckId, OpId};
use rocketry_core::message::properties::Properties;
use rocketry_core::message::{Message, MessageLimits, Publish, UniqueId};
use rocketry_core::name::Group;
use rocketry_core::time::UnixMillis;
use rocketry_core::transaction::{HalfOptions, Resolution, TransactionState};

use crate::setting::*;
use crate::transactions::{copies, end, half, is_unconfirmed, orphaned, setting};

use Resolution::{Commit, RollBack};

const SECRET: &str = "writer-secret";

/// Accounts of which one may write to the topic, and do nothing else.
fn writers(perm: Perm) -> Acl {
    Acl::admin("root", "root-secret").account(Account::new("writer", SECRET).topic(TOPIC, perm))
}

fn guarded(version: i32) -> (World, ClientId) {
    let mut cluster = ClusterConfig::default().acl(writers(Perm::PUB)).topic(TOPIC, 1);
    cluster.version = version;
    let mut world = World::new(22, cluster);
    let mut config = config();
    (config.access_key, config.secret_key) = (Some("writer".to_owned()), Some(SECRET.into()));
    let client = world.client(config);
    world.answer_for(client);
    (world, client)
}

/// The application says commit, as often as it is asked.
fn commits_all(world: &mut World, client: ClientId, time: Duration) {
    let until = world.now() + time;
    while world.now() < until {
        world.run_for(SECOND);
        for (_, check, _) in world.take_checks(client) {
            world.answer_check(client, check, Commit);
        }
    }
}

#[test]
fn a_key_that_may_write_and_not_read_commits_what_is_asked_about() {
    for version in [407, 479] {
        let (mut world, client) = guarded(version);
        let id = half(&mut world, client);
        world.leave_half(client, id);
        commits_all(&mut world, client, 100 * SECOND);
        assert_eq!((copies(&world, id), world.cluster().halves(0)), (1, 0), "version {version}");
        // So it does by its own end, however late.
        let id = half(&mut world, client);
        world.run_for(10 * SECOND);
        assert_eq!(end(&mut world, client, id, Commit), Ok(TransactionState::Committed));
        // An end that is denied says so.
        let id = half(&mut world, client);
        world.with_cluster(|cluster| cluster.set_acl(Some(writers(Perm::SUB))));
        let denied = end(&mut world, client, id, RollBack).unwrap_err();
        assert_eq!(denied.kind(), ErrorKind::Denied, "{denied}");
    }
}

#[test]
fn checks_that_come_together_are_answered_by_one_commit() {
    let (mut world, client) = setting(23);
    let id = half(&mut world, client);
    let lost = [Fault::Lose];
    world.with_cluster(|cluster| cluster.push_faults(RequestCode::END_TRANSACTION, lost));
    let ended = end(&mut world, client, id, Commit);
    assert!(is_unconfirmed(&ended, true), "{ended:?}");
    // Its process stands still while the broker asks, and asks again.
    world.freeze(client, 50 * SECOND);
    for _ in 0..2 {
        world.with_cluster(|cluster| cluster.check_halves(0));
        world.run_for(10 * SECOND);
    }
    world.run_for(200 * SECOND);
    assert_eq!((copies(&world, id), world.cluster().halves(0)), (1, 0));
}

#[test]
fn a_broker_that_does_not_say_what_is_in_a_topic_is_told_to_commit_in_time() {
    let (mut world, client) = setting(24);
    let id = half(&mut world, client);
    world.leave_half(client, id);
    let mute = repeat_n(Fault::Mute, 99);
    world.with_cluster(|cluster| cluster.push_faults(RequestCode::QUERY_MESSAGE, mute));
    commits_all(&mut world, client, 600 * SECOND);
    assert_eq!((copies(&world, id), world.cluster().halves(0)), (1, 0));
}

#[test]
fn what_may_be_stored_is_rolled_back_also_if_another_try_under_its_id_is_refused() {
    let (mut world, client) = setting(25);
    let code = RequestCode::SEND_MESSAGE_V2;
    world.with_cluster(|cluster| cluster.push_faults(code, [Fault::Mute]));
    let (op, id) = world.begin(client, message("x"), HalfOptions::default()).unwrap();
    world.end_of(client, op).1.unwrap_err();
    world.with_cluster(|cluster| cluster.push_error(code, [ResponseCode::NO_PERMISSION]));
    let again = world.begin(client, message("x").id(id), HalfOptions::default()).unwrap();
    assert_eq!(again.1, id);
    world.end_of(client, again.0).1.unwrap_err();
    commits_all(&mut world, client, 100 * SECOND);
    assert_eq!((copies(&world, id), world.cluster().halves(0)), (0, 0));
}

#[test]
fn a_reply_is_no_half_message_and_goes_in_no_batch() {
    let asked = "CORRELATION_ID\x01c\x02REPLY_TO_CLIENT\x01me\x02CLUSTER\x01east\x02";
    let (group, limits) = (Group::new("g").unwrap(), MessageLimits::default());
    let id = UniqueId::parse(&"0".repeat(32)).unwrap();
    let broker = Arc::from("broker-a");
    let asked = Properties::new(asked.as_bytes());
    let reply = Message::replying(asked, &broker, Bytes::from("4.20 EUR")).unwrap();
    assert!(Publish::half(reply.clone(), &group, id, UnixMillis(0), &limits).is_err());
    assert!(Publish::batch(&[reply], &group, || id, UnixMillis(0), &limits).is_err());
}

#[test]
fn a_check_after_any_time_is_one_that_brokers_can_count() {
    for (after, seconds) in [
        (Duration::ZERO, "1"),
        (ms(1500), "2"),
        (100 * SECOND, "100"),
        (Duration::MAX, "9460800000"),
    ] {
        let message = message("x").check_after(after);
        let said = message.properties().get("CHECK_IMMUNITY_TIME_IN_SECONDS");
        assert_eq!(said, Some(seconds), "{after:?}");
    }
}

#[test]
fn an_answer_about_one_half_message_decides_no_other_of_the_same_id() {
    let (mut world, second, id, check) = orphaned(26);
    let (op, _) = world.begin(second, message("x").id(id), HalfOptions::default()).unwrap();
    world.end_of(second, op).1.unwrap();
    world.answer_check(second, check, RollBack);
    assert_eq!(end(&mut world, second, id, Commit), Ok(TransactionState::Committed));
    world.run_for(200 * SECOND);
    assert_eq!((copies(&world, id), world.cluster().halves(0)), (1, 0));
    assert_eq!(world.take_checks(second).len(), 0);
}

#[test]
fn checks_that_wait_for_the_application_keep_so_many_bytes_at_most() {
    let mut world = World::new(27, ClusterConfig::default().topic(TOPIC, 1));
    let mut config = config();
    config.compress_over = usize::MAX;
    let client = world.client(config);
    world.answer_for(client);
    for _ in 0..20 {
        let id = {
            let (op, id) = begin_large(&mut world, client);
            world.end_of(client, op).1.unwrap();
            id
        };
        world.leave_half(client, id);
    }
    world.run_for(60 * SECOND);
    assert_eq!(world.take_checks(client).len(), 15, "64 MiB of messages of 4 MiB and some bytes");
}

fn begin_large(world: &mut World, client: ClientId) -> (OpId, UniqueId) {
    world.begin(client, message(vec![b'x'; 4 << 20]), HalfOptions::default()).unwrap()
}

fn asking(world: &World, client: ClientId) -> usize {
    world.engine(client).snapshot(Default::default()).transactions.asking
}

/// Two clients of a group that were asked about one half message of a dead one, the second half a
/// minute after the first: the first has not said anything yet.
fn two_asked(seed: u64) -> (World, [(ClientId, CheckId); 2], UniqueId) {
    let (mut world, dead) = setting(seed);
    let id = half(&mut world, dead);
    let clients = [(); 2].map(|()| {
        let client = world.client(config());
        world.answer_for(client);
        world.attend(client, &topic(TOPIC));
        client
    });
    world.run_for(SECOND);
    world.vanish(dead);
    let all = |world: &World| clients.iter().all(|client| asking(world, *client) == 1);
    world.run_until(200 * SECOND, all).expect("each is asked");
    let mut checks = clients.map(|client| {
        let taken = world.take_checks(client);
        let [(_, check, half)] = &taken[..] else { panic!("{taken:?}") };
        (half.checks(), (client, *check))
    });
    checks.sort_by_key(|(times, _)| *times);
    (world, checks.map(|(_, asked)| asked), id)
}

#[test]
fn of_two_clients_that_commit_at_once_the_slow_one_waits_to_be_asked_again() {
    for seed in 30..40 {
        let (mut world, [slow, quick], id) = two_asked(seed);
        world.run_for(10 * SECOND);
        for (client, check) in [slow, quick] {
            world.answer_check(client, check, Commit);
        }
        world.run_for(200 * SECOND);
        assert_eq!((copies(&world, id), world.cluster().halves(0)), (1, 0), "seed {seed}");
    }
    // What it said is kept: where nobody else has committed, it is told to the next check.
    let (mut world, [slow, quick], id) = two_asked(40);
    world.run_for(10 * SECOND);
    world.answer_check(slow.0, slow.1, Commit);
    world.answer_check(quick.0, quick.1, Resolution::Unknown);
    world.run_for(SECOND);
    assert_eq!(copies(&world, id), 0);
    world.run_for(90 * SECOND);
    let told = (copies(&world, id), world.cluster().halves(0), world.take_checks(slow.0).len());
    assert_eq!(told, (1, 0, 0));
}

#[test]
fn a_late_commit_is_told_all_the_same_once_a_broker_has_asked_often() {
    let (mut world, client) = setting(41);
    let id = half(&mut world, client);
    world.leave_half(client, id);
    for times in 1..=3 {
        world.run_until(100 * SECOND, |world| asking(world, client) == 1).expect("it is asked");
        let (_, check, half) = world.take_checks(client).remove(0);
        assert_eq!((half.checks(), copies(&world, id)), (times, 0));
        world.run_for(20 * SECOND);
        world.answer_check(client, check, if times < 3 { Resolution::Unknown } else { Commit });
    }
    world.run_for(SECOND);
    assert_eq!((copies(&world, id), world.cluster().halves(0)), (1, 0));
}

#[test]
fn a_commit_that_answers_a_check_has_seconds_to_leave_however_long_requests_may_take() {
    let mut world = World::new(42, ClusterConfig::default().topic(TOPIC, 1));
    let mut config = config();
    config.request_timeout = 100 * SECOND;
    let client = world.client(config);
    world.answer_for(client);
    let id = half(&mut world, client);
    world.leave_half(client, id);
    world.run_until(100 * SECOND, |world| asking(world, client) == 1).expect("it is asked");
    let (_, check, _) = world.take_checks(client).remove(0);
    world.with_cluster(|cluster| cluster.push_faults(RequestCode::END_TRANSACTION, [Fault::Lose]));
    world.answer_check(client, check, Commit);
    world.run_for(6 * SECOND);
    let stats = world.engine(client).snapshot(Default::default()).transactions;
    assert_eq!((stats.unconfirmed, copies(&world, id)), (1, 0));
    world.run_for(100 * SECOND);
    assert_eq!((copies(&world, id), world.cluster().halves(0)), (1, 0));
}

/// What a caller waits for as for a send is written with others, and may be read for by threads.
#[test]
fn ends_count_as_sends_on_their_connection() {
    let (mut world, client) = setting(31);
    let ids = [half(&mut world, client), half(&mut world, client)];
    let ends = ids.map(|id| world.resolve(client, id, Commit).unwrap());
    for end in ends {
        assert!(world.engine(client).awaits_on(end).is_some(), "nothing but sends is under way");
    }
    for end in ends {
        world.run_until(SECOND, |world| world.transaction_end(client, end).is_some()).unwrap();
    }
    // One that is given up at its deadline is under way no more.
    let id = half(&mut world, client);
    let mute = [Fault::Mute];
    world.with_cluster(|cluster| cluster.push_faults(RequestCode::END_TRANSACTION, mute));
    let end = world.resolve(client, id, RollBack).unwrap();
    world.run_until(10 * SECOND, |world| world.transaction_end(client, end).is_some()).unwrap();
}
