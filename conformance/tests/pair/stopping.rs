//! The end of a client.

use rocketry_conformance::sim::{ClientId, Door, Pace, Page, Way, World};
use rocketry_core::config::Config;
use rocketry_core::engine::{Note, Stats};
use rocketry_core::error::{QueryError, Refused, SendError, Stored};
use rocketry_core::fetch::FetchError;
use rocketry_core::query::Query;

use crate::setting::*;

fn assert_stopped(world: &mut World, client: ClientId, within: std::time::Duration) {
    let start = world.now();
    world.run_until(60 * SECOND, |world| world.stopped_at(client).is_some());
    let took = world.stopped_at(client).map(|at| at.since(start));
    assert!(took.is_some_and(|took| took <= within), "{took:?} > {within:?}");
    world.run_for(60 * SECOND);
    assert_eq!(world.engine(client).stats(), Stats::default());
    assert!(world.engine(client).is_stopped());
    // A loop of one's own ends by this; `Engine::check` sees that it never does before.
    assert_eq!(world.engine(client).next_timeout(), None);
}

#[test]
fn a_client_that_did_nothing_stops_at_once() {
    let (mut world, client) = pair(1, 4);
    world.shutdown(client);
    assert_stopped(&mut world, client, ms(0));
}

#[test]
fn a_client_that_stops_does_not_warn_of_routes_that_it_needs_no_more() {
    let (mut world, client) = pair(1, 4);
    world.attend(client, &topic(TOPIC));
    // The question is on its way, or its connection is.
    for pause in [ms(0), ms(1), ms(2)] {
        world.run_for(pause);
        let other = world.client(config());
        world.attend(other, &topic(TOPIC));
        world.run_for(pause);
        world.shutdown(other);
        world.run_for(SECOND);
        let warns = |note: &Note| matches!(note, Note::RouteFailed { .. });
        assert!(!world.notes(other).any(warns), "after {pause:?}");
    }
}

#[test]
fn life_03_sends_under_way_finish_and_new_calls_are_refused() {
    let (mut world, client) = pair(1, 4);
    consume(&mut world, client, Pace::AtOnce);
    world.produce(client);
    world.run_for(3 * SECOND);
    let ops: Vec<_> = (0..100).map(|i| send(&mut world, client, &i.to_string())).collect();
    world.shutdown(client);
    assert_eq!(world.try_send(client, message("late")).unwrap_err(), Refused::Stopped);
    let query = Query::Queues(topic(TOPIC));
    assert_eq!(world.query(client, query).unwrap_err(), Refused::Stopped);
    let joined = world.subscribe(client, from_first("group_b"), Pace::AtOnce);
    assert_eq!(joined.unwrap_err(), Refused::Stopped);
    world.shutdown(client);
    assert_stopped(&mut world, client, ms(50));
    for op in ops {
        assert!(world.sent(client, op).ended.as_ref().unwrap().result.is_ok());
    }
    assert_eq!(world.cluster().stored(TOPIC), 100);
    assert!(world.cluster().consumers(0, GROUP).is_empty());
    assert!(world.cluster().producers(0, "producers").is_empty());
}

#[test]
fn sends_that_have_not_even_a_route_finish_too() {
    let (mut world, client) = pair(1, 4);
    let op = send(&mut world, client, "x");
    world.shutdown(client);
    assert!(world.end_of(client, op).1.is_ok());
    assert_stopped(&mut world, client, ms(50));
}

#[test]
fn life_04_a_dead_broker_delays_the_end_by_shutdown_timeout_at_most() {
    for way in [Way::Up, Way::Down] {
        let mut world = world(1, 4);
        let mut config = config();
        config.shutdown_timeout = ms(2500);
        let client = world.client(config);
        consume(&mut world, client, Pace::AtOnce);
        world.run_for(3 * SECOND);
        world.stall(BROKER, way);
        let op = send(&mut world, client, "x");
        let query = world.query(client, Query::Queues(topic(TOPIC))).unwrap();
        world.shutdown(client);
        assert_stopped(&mut world, client, ms(2500));
        let ended = world.sent(client, op).ended.clone().unwrap();
        let error = ended.result.unwrap_err();
        assert!(matches!(error, SendError::Stopped { stored: Stored::Unknown, .. }), "{error}");
        assert_eq!(error.message_ids().unwrap().first(), world.sent(client, op).id);
        assert!(world.answer(client, query).is_some());
    }
}

#[test]
fn peers_that_swallow_connects_delay_the_end_by_shutdown_timeout_at_most() {
    for host in [NS, BROKER] {
        for door in [Door::BlackHole, Door::Refuse] {
            let (mut world, client) = pair(1, 4);
            world.door(host, door);
            consume(&mut world, client, Pace::AtOnce);
            let op = world.send_within(client, message("x"), 60 * SECOND).unwrap();
            world.run_for(10 * SECOND);
            world.shutdown(client);
            assert_stopped(&mut world, client, 3 * SECOND);
            let ended = world.sent(client, op).ended.clone().unwrap();
            let stopped =
                matches!(ended.result, Err(SendError::Stopped { stored: Stored::No, .. }));
            assert!(stopped, "{host} {door:?}");
        }
    }
}

#[test]
fn a_question_that_waits_ends_with_the_client() {
    let (mut world, client) = pair(1, 4);
    world.door(NS, Door::BlackHole);
    let mut config = config();
    config.shutdown_timeout = SECOND;
    let client_b = world.client(config);
    let op = world.query(client_b, Query::Queues(topic(TOPIC))).unwrap();
    world.shutdown(client_b);
    assert_stopped(&mut world, client_b, SECOND);
    assert_eq!(world.answer(client_b, op).unwrap().result, Err(QueryError::Stopped));
    let _ = client;
}

#[test]
fn a_shutdown_while_nothing_answers_and_nothing_waits_leaves_nothing_behind() {
    for seed in 0..10 {
        let (mut world, client) = pair(seed, 4);
        consume(&mut world, client, Pace::AtOnce);
        store_many(&mut world, client, 10);
        world.run_for(3 * SECOND);
        world.take_down(0);
        world.door(NS, Door::Refuse);
        world.cut_all(NS);
        world.run_for(ms(100 * seed));
        world.shutdown(client);
        assert_stopped(&mut world, client, 3 * SECOND);
    }
}

#[test]
fn at_whatever_moment_of_a_storm_a_client_stops_it_stops_in_time_and_leaves_nothing_behind() {
    for seed in 0..60 {
        let (mut world, client) = pair(seed, 8);
        consume(&mut world, client, Pace::Within(ms(100)));
        world.produce(client);
        for i in 0..200 {
            world.later(ms(25 * i), move |world| {
                if world.stopped_at(client).is_none() {
                    let _ = world.try_send(client, message("x"));
                }
            });
        }
        world.storm(20 * SECOND, ms(200));
        world.run_for(ms(50 + seed * 83));
        world.shutdown(client);
        assert_stopped(&mut world, client, 3 * SECOND);
        world.assert_all_ended();
    }
}

#[test]
fn a_consumer_leaves_a_broker_that_does_not_answer_by_shutdown_timeout_exactly() {
    let (mut world, client) = pair(1, 4);
    let sub = consume(&mut world, client, Pace::AtOnce);
    store_many(&mut world, client, 10);
    world.run_for(ms(100));
    world.stall(BROKER, Way::Up);
    let start = world.now();
    world.leave(client, sub).unwrap();
    world.run_until(10 * SECOND, |world| world.left_at(client, sub).is_some()).unwrap();
    assert_eq!(world.left_at(client, sub).unwrap().since(start), 3 * SECOND);
    world.unstall_all();
    consume(&mut world, client, Pace::AtOnce);
    world.run_until(10 * SECOND, |world| world.distinct() == 10).unwrap();
}

/// A client that knows nothing but an address server, which answers as `page` says.
fn listed(page: Page) -> (World, ClientId) {
    let mut world = world(1, 4);
    world.page(URL, page);
    let client = world.client(Config::new(URL).unwrap());
    (world, client)
}

const URL: &str = "http://pages:8080/nsaddr";

#[test]
fn a_page_that_comes_after_the_end_changes_nothing() {
    // Before and after `request_timeout`, and the end itself may wait for calls.
    for late in [ms(10), SECOND, 5 * SECOND] {
        for good in [false, true] {
            let text = if good { "ns:9876" } else { "<html>" };
            let (mut world, client) = listed(Page::Late(text.into(), late));
            world.run_for(ms(5));
            world.shutdown(client);
            assert_stopped(&mut world, client, ms(0));
            assert_eq!(world.engine(client).next_timeout(), None);
            assert_eq!(world.trace().count(" Fetch {"), 1, "{late:?}, {good}");
        }
    }
}

#[test]
fn a_page_that_fails_is_not_asked_for_after_the_end() {
    for page in [Page::Silent, Page::Fails(FetchError::Short)] {
        let (mut world, client) = listed(page);
        send(&mut world, client, "x");
        world.run_for(ms(700));
        world.shutdown(client);
        assert_stopped(&mut world, client, 3 * SECOND);
        let fetches = world.trace().count(" Fetch {");
        world.run_for(600 * SECOND);
        assert_eq!(world.trace().count(" Fetch {"), fetches);
        assert_eq!(world.engine(client).next_timeout(), None);
    }
}

#[test]
fn what_comes_after_the_end_changes_nothing() {
    let mut world = world(1, 4);
    let client = world.client(config());
    consume(&mut world, client, Pace::AtOnce);
    world.produce(client);
    world.run_for(3 * SECOND);
    world.shutdown(client);
    assert_stopped(&mut world, client, ms(50));
    let counters = world.engine(client).snapshot(world.now()).counters;
    world.produce(client);
    world.unstall_all();
    world.run_for(100 * SECOND);
    assert_eq!(world.engine(client).next_timeout(), None);
    assert_eq!(world.engine(client).snapshot(world.now()).counters, counters);
}
