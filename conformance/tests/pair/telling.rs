//! What keeps a consumer from its messages is told of.

use rocketry_conformance::sim::{ClientId, Pace, World};
use rocketry_core::consumer::Start;
use rocketry_core::frame::{RequestCode, ResponseCode};

use crate::setting::*;

fn notes_about(world: &World, client: ClientId, part: &str) -> Vec<String> {
    let texts = world.notes(client).map(ToString::to_string);
    texts.filter(|text| text.contains(part)).collect()
}

#[test]
fn push_18_who_can_not_start_is_told_so_within_a_second_and_then_once_a_minute() {
    for (request, start) in [
        (RequestCode::QUERY_CONSUMER_OFFSET, Start::First),
        (RequestCode::GET_MIN_OFFSET, Start::First),
        (RequestCode::GET_MAX_OFFSET, Start::Last),
        (RequestCode::GET_CONSUMER_LIST_BY_GROUP, Start::Last),
    ] {
        let code = ResponseCode::NO_PERMISSION;
        let mut world = world(1, 8);
        let client = world.client(config());
        let mut subscribe = from_first(GROUP);
        subscribe.options.start = start;
        world.with_cluster(|cluster| cluster.push_error(request, [code; 10_000]));
        world.subscribe(client, subscribe, Pace::AtOnce).unwrap();
        world.run_for(SECOND);
        let told = |world: &World| notes_about(world, client, &request.to_string());
        assert_eq!(told(&world).len(), 1, "{request}: {:?}", told(&world));
        world.run_for(59 * SECOND);
        assert_eq!(told(&world).len(), 1, "{request}: {:?}", told(&world));
        world.run_for(235 * SECOND);
        let lines = told(&world);
        assert_eq!(lines.len(), 5, "{request}: {lines:?}");
        let both = lines[0].contains(GROUP) && lines[0].contains("NO_PERMISSION (16)");
        assert!(both && world.delivered().is_empty(), "{lines:?}");
        let told = world.notes(client).find(|note| note.to_string() == lines[0]).unwrap();
        assert!(told.is_trouble());
        // It is asked each second all the same, and goes on.
        world.with_cluster(rocketry_conformance::broker::Cluster::clear_faults);
        let producer = world.client(config());
        world.run_for(3 * SECOND);
        store(&mut world, producer, "x");
        world.run_until(2 * SECOND, |world| world.delivered().len() == 1).unwrap();
    }
}

#[test]
fn push_18_commits_that_are_refused_for_good_are_told_of_once_a_minute() {
    let (mut world, client) = pair(1, 4);
    let request = RequestCode::UPDATE_CONSUMER_OFFSET;
    let code = ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST;
    world.with_cluster(|cluster| cluster.push_error(request, [code; 10_000]));
    consume(&mut world, client, Pace::AtOnce);
    store_many(&mut world, client, 8);
    world.run_for(130 * SECOND);
    let told = notes_about(&world, client, &request.to_string());
    assert_eq!(told.len(), 3, "{told:?}");
}

#[test]
fn push_18_a_list_of_members_that_lacks_us_for_good_is_told_of_once_a_minute() {
    let (mut world, client) = pair(1, 4);
    world.with_cluster(|cluster| {
        cluster.edit_answers(|draft| {
            if draft.request == RequestCode::GET_CONSUMER_LIST_BY_GROUP {
                draft.body = r#"{"consumerIdList":["another"]}"#.into();
            }
        });
    });
    consume(&mut world, client, Pace::AtOnce);
    let told = |world: &World| notes_about(world, client, "lacks this one").len();
    world.run_for(2 * SECOND);
    assert_eq!(told(&world), 0, "it may be older than the heartbeat");
    world.run_for(3 * SECOND);
    assert_eq!(told(&world), 1);
    world.run_for(120 * SECOND);
    assert_eq!(told(&world), 3);
    world.with_cluster(rocketry_conformance::broker::Cluster::edit_no_more);
    world.run_for(3 * SECOND);
    store(&mut world, client, "x");
    world.run_until(2 * SECOND, |world| world.delivered().len() == 1).unwrap();
}

#[test]
fn push_18_pulls_that_are_refused_for_good_are_told_of_once_a_minute() {
    let (mut world, client) = pair(1, 4);
    let code = ResponseCode::NO_PERMISSION;
    world.with_cluster(|cluster| cluster.push_error(RequestCode::PULL_MESSAGE, [code; 10_000]));
    consume(&mut world, client, Pace::AtOnce);
    let told = |world: &World| notes_about(world, client, "NO_PERMISSION (16)").len();
    world.run_for(SECOND);
    assert_eq!(told(&world), 1);
    world.run_for(129 * SECOND);
    assert_eq!(told(&world), 3);
}

#[test]
fn push_18_pulls_without_an_answer_are_told_of() {
    let (mut world, client) = pair(1, 1);
    let lost = [rocketry_conformance::broker::Fault::Lose; 1000];
    world.with_cluster(|cluster| cluster.push_faults(RequestCode::PULL_MESSAGE, lost));
    consume(&mut world, client, Pace::AtOnce);
    world.run_for(32 * SECOND);
    let told = notes_about(&world, client, "PULL_MESSAGE (11) of group");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("no answer within 30s"), "{told:?}");
}
