//! For how long a client answers for half messages: what it keeps of them, and which brokers it
//! stays at.

use rocketry_conformance::broker::Fault;
use rocketry_core::engine::Note;
use rocketry_core::frame::{RequestCode, ResponseCode};
use rocketry_core::transaction::{HalfOptions, Resolution, TransactionState};

use crate::setting::*;
use crate::transactions::{copies, end, half, is_unconfirmed, orphaned, setting};

use Resolution::{Commit, RollBack};

const END: RequestCode = RequestCode::END_TRANSACTION;

#[test]
fn a_topic_of_half_messages_is_let_go_of_when_brokers_ask_no_more() {
    for attends in [false, true] {
        let (mut world, client) = setting(40);
        let id = half(&mut world, client);
        assert_eq!(end(&mut world, client, id, Commit), Ok(TransactionState::Committed));
        if attends {
            world.attend(client, &topic(TOPIC));
        }
        let back = |world: &mut rocketry_conformance::sim::World| {
            world.cut_all(BROKER);
            world.run_for(60 * SECOND);
            world.open_links(BROKER)
        };
        world.run_for(300 * SECOND);
        assert_eq!(back(&mut world), 1, "a check may come");
        world.run_for(3600 * SECOND);
        assert_eq!(back(&mut world), usize::from(attends));
        // With another half message it is there again, and stays while that is undecided.
        let late = half(&mut world, client);
        world.run_for(3600 * SECOND);
        assert_eq!(back(&mut world), 1);
        assert_eq!(end(&mut world, client, late, RollBack), Ok(TransactionState::RolledBack));
    }
}

#[test]
fn a_verdict_is_kept_until_the_broker_has_asked_however_late_it_may() {
    let (mut world, client) = setting(41);
    let hour = 3600 * SECOND;
    let late = message("x").check_after(hour);
    let (op, id) = world.begin(client, late, HalfOptions::default()).unwrap();
    world.end_of(client, op).1.unwrap();
    world.with_cluster(|cluster| cluster.push_faults(END, [Fault::Lose]));
    let ended = end(&mut world, client, id, Commit);
    assert!(is_unconfirmed(&ended, true), "{ended:?}");
    world.run_for(hour / 2);
    // Verdicts that are older than they are kept go when another comes.
    let other = half(&mut world, client);
    end(&mut world, client, other, RollBack).unwrap();
    world.run_for(hour);
    assert_eq!((copies(&world, id), world.cluster().halves(0)), (1, 0));
    assert_eq!(world.take_checks(client).len(), 0, "the application has said it already");
}

#[test]
fn a_broker_that_refuses_the_answer_to_its_check_is_told_of() {
    let (mut world, client, id, check) = orphaned(42);
    let refuse = std::iter::repeat_n(ResponseCode::SYSTEM_ERROR, 9);
    world.with_cluster(|cluster| cluster.push_error(END, refuse));
    world.answer_check(client, check, RollBack);
    world.run_for(300 * SECOND);
    let told = |note: &&Note| matches!(note, Note::EndRefused { .. });
    let notes: Vec<String> = world.notes(client).filter(told).map(ToString::to_string).collect();
    assert!(notes.len() >= 5, "{notes:?}");
    let begins = format!("broker {BROKER} refused the end of a transaction: ");
    assert!(notes[0].starts_with(&begins), "{notes:?}");
    world.run_for(300 * SECOND);
    assert_eq!((copies(&world, id), world.cluster().halves(0)), (0, 0));
}

#[test]
fn what_is_not_in_the_index_yet_is_not_committed_again() {
    let (mut world, client) = setting(43);
    let id = half(&mut world, client);
    world.run_for(3 * SECOND);
    assert_eq!(end(&mut world, client, id, Commit), Ok(TransactionState::Committed));
    // The broker is killed before it has written down that it ended, and asks about it. What it
    // has committed it does not find at once.
    world.crash(0);
    world.run_for(SECOND);
    world.bring_up(0);
    world.run_for(SECOND);
    let code = RequestCode::QUERY_MESSAGE;
    world.with_cluster(|cluster| cluster.push_error(code, [ResponseCode::QUERY_NOT_FOUND]));
    world.with_cluster(|cluster| cluster.check_halves(0));
    world.run_for(SECOND);
    assert_eq!((copies(&world, id), world.cluster().halves(0)), (1, 1));
    world.run_for(100 * SECOND);
    assert_eq!((copies(&world, id), world.cluster().halves(0)), (1, 0));
    // What a power failure took from it is committed once more.
    let lost = half(&mut world, client);
    world.with_cluster(|cluster| cluster.push_faults(END, [Fault::Lose]));
    let ended = end(&mut world, client, lost, Commit);
    assert!(is_unconfirmed(&ended, true), "{ended:?}");
    world.run_for(100 * SECOND);
    assert_eq!((copies(&world, lost), world.cluster().halves(0)), (1, 0));
}
