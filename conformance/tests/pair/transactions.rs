//! Transactions: half messages, their ends, and what brokers ask.

use std::time::Duration;

use rocketry_conformance::broker::{ClusterConfig, Fault};
use rocketry_conformance::sim::{ClientId, Pace, World};
use rocketry_core::engine::Note;
use rocketry_core::error::{Refused, TransactionError};
use rocketry_core::frame::request::EndTransactionRequest;
use rocketry_core::frame::{Request, RequestCode, ResponseCode};
use rocketry_core::id::{CheckId, OpId};
use rocketry_core::message::{Message, UniqueId};
use rocketry_core::name::Group;
use rocketry_core::producer::SendStatus;
use rocketry_core::transaction::{HalfOptions, Resolution, TransactionState};

use crate::setting::*;

const END: RequestCode = RequestCode::END_TRANSACTION;
use Resolution::{Commit, RollBack, Unknown};

/// One broker, one client that answers for its transactions.
pub(crate) fn setting(seed: u64) -> (World, ClientId) {
    let (mut world, client) = pair(seed, 2);
    world.with_cluster(|cluster| cluster.keep_requests());
    world.answer_for(client);
    (world, client)
}

pub(crate) fn half(world: &mut World, client: ClientId) -> UniqueId {
    half_of(world, client, message("paid"), HalfOptions::default())
}

fn half_of(
    world: &mut World,
    client: ClientId,
    message: Message,
    options: HalfOptions,
) -> UniqueId {
    let (op, id) = world.begin(client, message, options).unwrap();
    world.end_of(client, op).1.unwrap();
    id
}

/// What an end comes to.
fn state(
    world: &mut World,
    client: ClientId,
    op: OpId,
) -> Result<TransactionState, TransactionError> {
    world.run_until(10 * SECOND, |world| world.transaction_end(client, op).is_some());
    let ended = world.transaction_end(client, op).expect("it ends in time");
    ended.result.clone().map(|receipt| receipt.state)
}

pub(crate) fn end(
    world: &mut World,
    client: ClientId,
    id: UniqueId,
    resolution: Resolution,
) -> Result<TransactionState, TransactionError> {
    let op = world.resolve(client, id, resolution)?;
    state(world, client, op)
}

/// How often the message is in its topic.
pub(crate) fn copies(world: &World, id: UniqueId) -> usize {
    world.copies(TOPIC, id.as_str())
}

/// The ends that the broker was told since the last call.
fn ends(world: &mut World) -> Vec<EndTransactionRequest> {
    let requests = world.with_cluster(|cluster| cluster.take_requests());
    let end = |request| match request {
        Request::EndTransaction(end) => Some(end),
        _ => None,
    };
    requests.into_iter().filter_map(|received| end(received.request)).collect()
}

pub(crate) fn is_unconfirmed(
    state: &Result<TransactionState, TransactionError>,
    sent: bool,
) -> bool {
    matches!(state, Ok(TransactionState::Unconfirmed { told, .. }) if *told == sent)
}

/// A half message whose client is dead, and another one of its group that was asked about it.
pub(crate) fn orphaned(seed: u64) -> (World, ClientId, UniqueId, CheckId) {
    let (mut world, first) = setting(seed);
    let id = half(&mut world, first);
    let second = world.client(config());
    world.answer_for(second);
    // It has never sent anything, and has to be there for the broker all the same.
    world.attend(second, &topic(TOPIC));
    world.vanish(first);
    world.run_for(40 * SECOND);
    let checks = world.take_checks(second);
    let [(_, check, half)] = &checks[..] else { panic!("{checks:?}") };
    assert_eq!(half.message().unique_id(), Some(id.as_str()));
    let check = *check;
    (world, second, id, check)
}

#[test]
fn txn_01_02_05_a_half_message_is_seen_once_it_is_committed_and_never_when_rolled_back() {
    let (mut world, client) = setting(1);
    let consumer = world.client(config());
    consume(&mut world, consumer, Pace::AtOnce);
    let [kept, dropped] = [(); 2].map(|()| half(&mut world, client));
    world.run_for(5 * SECOND);
    assert_eq!(world.delivered().len(), 0, "TXN-05");
    assert_eq!(world.cluster().halves(0), 2);
    assert_eq!(end(&mut world, client, kept, Commit), Ok(TransactionState::Committed));
    assert_eq!(end(&mut world, client, dropped, RollBack), Ok(TransactionState::RolledBack));
    world.run_for(120 * SECOND);
    assert_eq!((copies(&world, kept), copies(&world, dropped)), (1, 0));
    assert!(world.has_delivered(kept.as_str()) && world.delivered().len() == 1);
    assert_eq!((world.cluster().halves(0), world.take_checks(client).len()), (0, 0));
    let told = ends(&mut world);
    let outcomes: Vec<_> = told.iter().map(|end| (end.outcome, end.from_check)).collect();
    assert_eq!(outcomes, [(8, false), (12, false)]);
    let stats = world.engine(client).snapshot(Default::default()).transactions;
    assert_eq!((stats.begun, stats.committed, stats.rolled_back), (2, 1, 1));
    assert_eq!((stats.undecided, stats.kept, stats.unconfirmed), (0, 2, 0));
}

#[test]
fn txn_03_04_what_is_unknown_is_asked_about_and_ends_as_the_application_says() {
    for (said, seen) in [(Commit, 1), (RollBack, 0)] {
        let (mut world, client) = setting(2);
        let id = half_of(
            &mut world,
            client,
            message("x").transaction_id("order-7"),
            HalfOptions { transaction_id: Some("order-7".into()), ..HalfOptions::default() },
        );
        assert_eq!(end(&mut world, client, id, Unknown), Ok(TransactionState::Unknown));
        world.run_for(40 * SECOND);
        let checks = world.take_checks(client);
        let [(_, check, half)] = &checks[..] else { panic!("{checks:?}") };
        assert_eq!((half.transaction_id(), half.checks()), ("order-7", 1));
        assert_eq!(half.message().topic(), TOPIC);
        assert_eq!(half.message().unique_id(), Some(id.as_str()));
        assert_eq!(half.body().unwrap(), "x");
        // It does not know yet, and then it does.
        world.answer_check(client, *check, Unknown);
        world.run_for(30 * SECOND);
        let checks = world.take_checks(client);
        let [(_, check, half)] = &checks[..] else { panic!("{checks:?}") };
        assert_eq!((half.checks(), copies(&world, id)), (2, 0));
        world.answer_check(client, *check, said);
        world.run_for(100 * SECOND);
        assert_eq!((copies(&world, id), world.cluster().halves(0)), (seen, 0));
        assert_eq!(world.take_checks(client).len(), 0);
        let told = ends(&mut world);
        let told: Vec<_> = told.iter().map(|end| (end.outcome, end.from_check)).collect();
        let last = if said == Commit { 8 } else { 12 };
        assert_eq!(told, [(0, false), (0, true), (last, true)]);
    }
}

#[test]
fn txn_06_an_end_that_is_lost_is_not_repeated_and_the_check_is_told_the_same() {
    for (said, seen) in [(Commit, 1), (RollBack, 0)] {
        let (mut world, client) = setting(3);
        let id = half(&mut world, client);
        world.with_cluster(|cluster| cluster.push_faults(END, [Fault::Lose]));
        let ended = end(&mut world, client, id, said);
        assert!(is_unconfirmed(&ended, true), "{ended:?}");
        assert_eq!(world.resolve(client, id, Commit), Err(TransactionError::Decided));
        assert_eq!((copies(&world, id), ends(&mut world).len()), (0, 1));
        world.run_for(100 * SECOND);
        assert_eq!((copies(&world, id), world.cluster().halves(0)), (seen, 0));
        // Nobody else was asked.
        assert_eq!(world.take_checks(client).len(), 0);
        assert_eq!(ends(&mut world).len(), 1);
    }
}

#[test]
fn an_end_whose_connection_is_lost_is_sent_again_only_if_it_never_left() {
    let (mut world, client) = setting(4);
    let id = half(&mut world, client);
    // It was done, and the answer is lost.
    world.with_cluster(|cluster| cluster.push_faults(END, [Fault::Close]));
    let ended = end(&mut world, client, id, Commit);
    assert!(is_unconfirmed(&ended, true), "{ended:?}");
    assert_eq!((copies(&world, id), ends(&mut world).len()), (1, 1));
    // The broker is away, and back in time.
    let id = half(&mut world, client);
    world.take_down(0);
    world.run_for(SECOND);
    let op = world.resolve(client, id, Commit).unwrap();
    world.run_for(SECOND / 2);
    world.bring_up(0);
    assert_eq!(state(&mut world, client, op), Ok(TransactionState::Committed));
    assert_eq!(copies(&world, id), 1);
    // It is away for too long.
    let id = half(&mut world, client);
    world.take_down(0);
    world.run_for(SECOND);
    let ended = end(&mut world, client, id, Commit);
    assert!(is_unconfirmed(&ended, false), "{ended:?}");
    world.bring_up(0);
    world.run_for(100 * SECOND);
    assert_eq!((copies(&world, id), world.cluster().halves(0)), (1, 0));
}

#[test]
fn a_copy_of_what_is_committed_already_is_rolled_back() {
    // The end and the check pass each other.
    let (mut world, client) = setting(20);
    let id = half(&mut world, client);
    world.with_cluster(|cluster| cluster.check_halves(0));
    assert_eq!(end(&mut world, client, id, Commit), Ok(TransactionState::Committed));
    world.run_for(100 * SECOND);
    assert_eq!((copies(&world, id), world.cluster().halves(0)), (1, 0));
    // The broker is killed before it has written the end down.
    let id = half(&mut world, client);
    assert_eq!(end(&mut world, client, id, Commit), Ok(TransactionState::Committed));
    world.crash(0);
    world.run_for(SECOND);
    world.bring_up(0);
    assert_eq!(world.cluster().halves(0), 1);
    world.run_for(100 * SECOND);
    assert_eq!((copies(&world, id), world.cluster().halves(0)), (1, 0));
    // The end was done and not answered.
    let id = half(&mut world, client);
    world.with_cluster(|cluster| cluster.check_halves(0));
    world.with_cluster(|cluster| cluster.push_faults(END, [Fault::Mute]));
    let ended = end(&mut world, client, id, Commit);
    assert!(is_unconfirmed(&ended, true), "{ended:?}");
    world.run_for(100 * SECOND);
    assert_eq!((copies(&world, id), world.cluster().halves(0)), (1, 0));
    let stats = world.engine(client).snapshot(Default::default()).transactions;
    assert!(stats.copies >= 2, "{stats:?}");
}

#[test]
fn what_another_client_of_the_group_has_committed_is_not_committed_again() {
    let (mut world, client) = setting(21);
    // Another client was asked, and said so.
    let other = world.client(config());
    world.answer_for(other);
    world.attend(other, &topic(TOPIC));
    world.run_for(SECOND);
    let id = half(&mut world, client);
    for _ in 0..2 {
        world.with_cluster(|cluster| cluster.check_halves(0));
        world.run_for(ms(10));
    }
    let checks = world.take_checks(other);
    let [(_, check, _)] = &checks[..] else { panic!("{checks:?}") };
    world.answer_check(other, *check, Unknown);
    world.resolve(client, id, Commit).unwrap();
    for _ in 0..10 {
        world.run_for(20 * SECOND);
        for (_, check, _) in world.take_checks(other) {
            world.answer_check(other, check, Commit);
        }
    }
    assert_eq!((copies(&world, id), world.cluster().halves(0)), (1, 0));
    // The other way round: the other one has committed it when the local work comes to its end.
    let id = half(&mut world, client);
    let mut checks = Vec::new();
    while checks.is_empty() {
        world.with_cluster(|cluster| cluster.check_halves(0));
        world.run_for(6 * SECOND);
        checks = world.take_checks(other);
    }
    world.answer_check(other, checks[0].1, Commit);
    world.run_for(SECOND);
    assert_eq!(end(&mut world, client, id, Commit), Ok(TransactionState::Committed));
    world.run_for(100 * SECOND);
    assert_eq!((copies(&world, id), world.cluster().halves(0)), (1, 0));
    // A broker that can't say is asked again.
    world.vanish(other);
    world.run_for(SECOND);
    let id = half(&mut world, client);
    world.leave_half(client, id);
    let busy = [ResponseCode::SYSTEM_BUSY];
    world.with_cluster(|cluster| cluster.push_error(RequestCode::QUERY_MESSAGE, busy));
    world.with_cluster(|cluster| cluster.check_halves(0));
    world.run_for(SECOND);
    let checks = world.take_checks(client);
    world.answer_check(client, checks[0].1, Commit);
    world.run_for(SECOND);
    assert_eq!(copies(&world, id), 0);
    world.run_for(100 * SECOND);
    assert_eq!((copies(&world, id), world.take_checks(client).len()), (1, 0));
}

#[test]
fn a_broker_that_is_leaving_is_told_by_the_next_connection() {
    let (mut world, client) = setting(5);
    let id = half(&mut world, client);
    world.with_cluster(|cluster| cluster.push_error(END, [ResponseCode::GO_AWAY]));
    assert_eq!(end(&mut world, client, id, Commit), Ok(TransactionState::Committed));
    assert_eq!(copies(&world, id), 1);
}

#[test]
fn txn_07_a_producer_of_the_group_is_asked_about_what_a_dead_one_began() {
    let (mut world, second, id, check) = orphaned(6);
    world.answer_check(second, check, Commit);
    world.run_for(SECOND);
    assert_eq!((copies(&world, id), world.cluster().halves(0)), (1, 0));
}

#[test]
fn whoever_attends_a_topic_is_back_at_its_brokers_after_a_loss() {
    let (mut world, client) = setting(7);
    world.attend(client, &topic(TOPIC));
    world.run_for(SECOND);
    for _ in 0..3 {
        world.cut_all(BROKER);
        world.run_for(5 * SECOND);
        assert_eq!(world.open_links(BROKER), 1);
    }
    world.run_for(600 * SECOND);
    assert_eq!(world.open_links(BROKER), 1, "the route stays in use");
}

#[test]
fn txn_09_a_check_waits_for_the_local_work_and_is_answered_once_by_its_end() {
    let (mut world, client) = setting(8);
    let id = half(&mut world, client);
    world.run_for(20 * SECOND);
    world.with_cluster(|cluster| cluster.check_halves(0));
    world.run_for(4 * SECOND);
    assert_eq!(ends(&mut world).len(), 0);
    assert_eq!(end(&mut world, client, id, Commit), Ok(TransactionState::Committed));
    let told = ends(&mut world);
    assert_eq!(
        told.iter().map(|end| (end.outcome, end.from_check)).collect::<Vec<_>>(),
        [(8, true)]
    );
    world.run_for(100 * SECOND);
    assert_eq!((copies(&world, id), world.cluster().halves(0)), (1, 0));
    // Another one takes longer than a check waits: that one is answered as unknown, and the end
    // goes to the copy that the broker asks about.
    let id = half(&mut world, client);
    world.with_cluster(|cluster| cluster.check_halves(0));
    world.run_for(ms(5_100));
    let told = ends(&mut world);
    assert_eq!(
        told.iter().map(|end| (end.outcome, end.from_check)).collect::<Vec<_>>(),
        [(0, true)]
    );
    assert_eq!(end(&mut world, client, id, Commit), Ok(TransactionState::Committed));
    world.run_for(100 * SECOND);
    assert_eq!((copies(&world, id), world.cluster().halves(0)), (1, 0));
    assert_eq!(world.take_checks(client).len(), 0);
}

#[test]
fn a_half_message_that_is_dropped_is_the_checkers_and_so_is_one_whose_time_is_over() {
    let (mut world, client) = setting(9);
    let id = half(&mut world, client);
    world.with_cluster(|cluster| cluster.check_halves(0));
    world.run_for(SECOND);
    assert_eq!(world.take_checks(client).len(), 0);
    assert!(world.leave_half(client, id) && !world.leave_half(client, id));
    // The check that waited for it goes on to the application.
    let checks = world.take_checks(client);
    let [(_, check, _)] = &checks[..] else { panic!("{checks:?}") };
    assert_eq!(world.resolve(client, id, Commit), Err(TransactionError::Decided));
    world.answer_check(client, *check, RollBack);
    // A question is answered once.
    world.answer_check(client, *check, Commit);
    world.run_for(SECOND);
    assert_eq!((copies(&world, id), world.cluster().halves(0)), (0, 0));
    let limit = HalfOptions { work_limit: Some(10 * SECOND), ..HalfOptions::default() };
    let late = half_of(&mut world, client, message("x"), limit.clone());
    let asked = half_of(&mut world, client, message("x"), limit);
    world.run_for(11 * SECOND);
    assert_eq!(world.resolve(client, late, Commit), Err(TransactionError::Overdue));
    world.with_cluster(|cluster| cluster.check_halves(0));
    world.run_for(SECOND);
    assert_eq!(world.take_checks(client).len(), 2);
    assert_eq!(world.resolve(client, asked, Commit), Err(TransactionError::Decided));
    assert_eq!(world.engine(client).snapshot(Default::default()).transactions.undecided, 0);
}

#[test]
fn no_local_work_is_for_a_half_message_that_may_be_stored_and_it_is_rolled_back() {
    // Stored, and not as safely as asked for.
    let (mut world, client) = setting(10);
    let slow = [ResponseCode::FLUSH_DISK_TIMEOUT];
    world.with_cluster(|cluster| cluster.push_error(RequestCode::SEND_MESSAGE_V2, slow));
    let (op, id) = world.begin(client, message("x"), HalfOptions::default()).unwrap();
    assert_eq!(world.end_of(client, op).1.unwrap().status, SendStatus::FlushDiskTimeout);
    assert_eq!(world.resolve(client, id, Commit), Err(TransactionError::Decided));
    world.run_for(SECOND);
    assert_eq!(world.cluster().halves(0), 0);
    // Stored, and the answer is lost: it is not given to the broker again.
    let lost = [Fault::Mute];
    world.with_cluster(|cluster| cluster.push_faults(RequestCode::SEND_MESSAGE_V2, lost));
    let (op, id) = world.begin(client, message("x"), HalfOptions::default()).unwrap();
    world.end_of(client, op).1.unwrap_err();
    assert_eq!(world.resolve(client, id, Commit), Err(TransactionError::Decided));
    assert_eq!(world.cluster().halves(0), 1);
    world.run_for(100 * SECOND);
    assert_eq!((world.cluster().halves(0), copies(&world, id)), (0, 0));
    assert_eq!(world.take_checks(client).len(), 0, "it is known to have been nothing");
    let told = ends(&mut world);
    assert_eq!(
        told.iter().map(|end| (end.outcome, end.from_check)).collect::<Vec<_>>(),
        [(12, false), (12, true)]
    );
}

#[test]
fn txn_10_what_nobody_knows_is_laid_aside_after_as_many_checks_as_the_broker_has() {
    let (mut world, client) = setting(11);
    let id = half(&mut world, client);
    world.leave_half(client, id);
    let mut checks = 0;
    for _ in 0..40 {
        world.run_for(20 * SECOND);
        for (_, check, half) in world.take_checks(client) {
            checks += 1;
            assert_eq!(half.checks(), checks);
            world.answer_check(client, check, Unknown);
        }
    }
    assert_eq!((checks, world.cluster().halves(0)), (15, 0));
    assert_eq!(world.copies("TRANS_CHECK_MAX_TIME_TOPIC", id.as_str()), 1);
}

#[test]
fn txn_11_the_immunity_time_delays_the_first_check_and_a_later_end_is_too_late() {
    let (mut world, client) = setting(12);
    let immune = message("x").check_after(100 * SECOND);
    let id = half_of(&mut world, client, immune.clone(), HalfOptions::default());
    world.leave_half(client, id);
    let asked = world.run_until(600 * SECOND, |world| {
        world.engine(client).snapshot(Default::default()).transactions.checks > 0
    });
    assert!(asked.is_some_and(|asked| (100..135).contains(&asked.as_secs())), "{asked:?}");
    // The broker's clock says that it is too late; its check is told the same.
    let id = half_of(&mut world, client, message("y").check_after(SECOND), HalfOptions::default());
    world.run_for(3 * SECOND);
    let late = end(&mut world, client, id, Commit);
    assert!(matches!(late, Err(TransactionError::TooLate { .. })), "{late:?}");
    assert_eq!(copies(&world, id), 0);
    world.run_for(60 * SECOND);
    assert_eq!(copies(&world, id), 1);
}

#[test]
fn txn_12_a_delay_level_is_left_out_and_told_of() {
    let (mut world, client) = setting(13);
    let delayed = message("x").delay_level(5);
    let options = HalfOptions { delayed: delayed.delays(), ..HalfOptions::default() };
    let id = half_of(&mut world, client, delayed, options);
    let notes: Vec<_> = world.notes(client).collect();
    assert!(notes.iter().any(|note| matches!(note, Note::DelayDropped { .. })), "{notes:?}");
    assert_eq!(end(&mut world, client, id, Commit), Ok(TransactionState::Committed));
    assert_eq!(copies(&world, id), 1, "it waits for nothing");
}

#[test]
fn txn_14_a_check_of_a_group_without_a_transaction_producer_is_told_of_and_not_answered() {
    let (mut world, first) = setting(14);
    half(&mut world, first);
    world.vanish(first);
    let plain = world.client(config());
    world.produce(plain);
    store(&mut world, plain, "x");
    world.run_for(100 * SECOND);
    let told = |note: &&Note| matches!(note, Note::CheckIgnored { .. });
    assert!(world.notes(plain).filter(told).count() >= 2);
    assert_eq!((ends(&mut world).len(), world.take_checks(plain).len()), (0, 0));
    let stats = world.engine(plain).snapshot(Default::default()).transactions;
    assert_eq!(stats.checks, stats.checks_unanswered);
    assert_eq!(world.cluster().halves(0), 1);
}

#[test]
fn brokers_hear_at_once_that_a_group_answers_no_more() {
    let (mut world, client) = setting(15);
    half(&mut world, client);
    let group = Group::new("producers").unwrap();
    assert_eq!(world.cluster().producers(0, group.as_str()).len(), 1);
    world.answer_no_more(client);
    world.run_for(SECOND);
    assert_eq!(world.cluster().producers(0, group.as_str()).len(), 0);
}

#[test]
fn txn_16_a_broker_that_takes_none_refuses_them() {
    let mut cluster = ClusterConfig::default().topic(TOPIC, 1);
    cluster.transactions.rejects = true;
    let mut world = World::new(16, cluster);
    let client = world.client(config());
    world.answer_for(client);
    let (op, id) = world.begin(client, message("x"), HalfOptions::default()).unwrap();
    let error = world.end_of(client, op).1.unwrap_err();
    assert_eq!(error.code(), Some(ResponseCode::NO_PERMISSION), "{error}");
    assert_eq!(world.resolve(client, id, Commit), Err(TransactionError::Decided));
    // Others are stored.
    store(&mut world, client, "x");
}

#[test]
fn txn_13_only_a_half_message_begins_a_transaction_and_one_id_is_undecided_once() {
    use rocketry_core::message::{MessageLimits, Publish};
    use rocketry_core::producer::SendOptions;
    use rocketry_core::time::{Instant, UnixMillis};
    let config = std::sync::Arc::new(config());
    let mut engine = rocketry_core::engine::Engine::new(config, 1, Instant::ZERO, UnixMillis(0));
    let (group, limits) = (Group::new("g").unwrap(), MessageLimits::default());
    let id = |number: u32| UniqueId::parse(&format!("{number:032}")).unwrap();
    let mut numbers = 0..;
    let batch = Publish::batch(
        &[message("a"), message("b")],
        &group,
        || id(numbers.next().unwrap()),
        UnixMillis(0),
        &limits,
    );
    let plain = Publish::new(message("a"), &group, id(7), UnixMillis(0), &limits);
    let half = Publish::half(message("a"), &group, id(8), UnixMillis(0), &limits);
    let mut begin = |publish: Publish| {
        let (options, half) = (SendOptions::default(), HalfOptions::default());
        engine.begin_half(Instant::ZERO, std::sync::Arc::new(publish), options, half)
    };
    assert_eq!(begin(batch.unwrap()), Err(Refused::NotHalf));
    assert_eq!(begin(plain.unwrap()), Err(Refused::NotHalf));
    let half = half.unwrap();
    assert!(begin(half.clone()).is_ok());
    assert_eq!(begin(half), Err(Refused::Undecided(id(8))));
    assert!(engine.poll_command().is_some(), "only the half message has a route looked up");
}

#[test]
fn a_client_that_stops_ends_what_it_has_told_and_refuses_more() {
    let (mut world, client) = setting(17);
    let [told, late] = [(); 2].map(|()| half(&mut world, client));
    let op = world.resolve(client, told, Commit).unwrap();
    world.shutdown(client);
    assert_eq!(world.resolve(client, late, Commit), Err(Refused::Stopped.into()));
    assert_eq!(state(&mut world, client, op), Ok(TransactionState::Committed));
    assert!(world.run_until(10 * SECOND, |world| world.stopped_at(client).is_some()).is_some());
    assert_eq!((copies(&world, told), copies(&world, late)), (1, 0));
}

#[test]
fn a_check_is_answered_on_the_connection_by_which_it_came_or_not_at_all() {
    let (mut world, client) = setting(18);
    let id = half(&mut world, client);
    world.leave_half(client, id);
    world.run_for(40 * SECOND);
    let checks = world.take_checks(client);
    world.cut_all(BROKER);
    world.run_for(5 * SECOND);
    world.answer_check(client, checks[0].1, Commit);
    world.run_for(SECOND);
    assert_eq!((copies(&world, id), ends(&mut world).len()), (0, 0));
    // What was said counts all the same: the next check is answered without another word.
    world.run_for(60 * SECOND);
    assert_eq!((copies(&world, id), world.take_checks(client).len()), (1, 0));
}

#[test]
fn txn_15_of_many_at_once_each_ends_as_it_should() {
    let mut world = World::new(19, ClusterConfig::default().brokers(2).topic(TOPIC, 4));
    let client = world.client(config());
    world.answer_for(client);
    let ids: Vec<UniqueId> = (0..1000)
        .map(|_| world.begin(client, message("x"), HalfOptions::default()).unwrap().1)
        .collect();
    world.run_for(Duration::from_secs(2));
    for (place, id) in ids.iter().enumerate() {
        world.resolve(client, *id, [Commit, RollBack, Unknown][place % 3]).unwrap();
    }
    for _ in 0..4 {
        world.run_for(20 * SECOND);
        for (_, check, half) in world.take_checks(client) {
            let id = UniqueId::parse(half.message().unique_id().unwrap()).unwrap();
            let place = ids.iter().position(|own| *own == id).unwrap();
            world.answer_check(client, check, [Commit, RollBack][place % 2]);
        }
    }
    world.run_for(20 * SECOND);
    assert_eq!((world.cluster().halves(0), world.cluster().halves(1)), (0, 0));
    let seen = world.all_copies(TOPIC);
    for (place, id) in ids.iter().enumerate() {
        let expected = match place % 3 {
            0 => 1,
            1 => 0,
            _ => 1 - place % 2,
        };
        assert_eq!(seen.get(id.as_str()).copied().unwrap_or(0), expected, "{place}");
    }
}
