//! Filters in SQL: asked about before they are read by, and what refuses them.

use rocketry_conformance::broker::{ClusterConfig, Fault, Received};
use rocketry_conformance::sim::{ClientId, Pace, World};
use rocketry_core::body::{Heartbeat, SubscriptionData};
use rocketry_core::consumer::{ConsumeOrder, Filter};
use rocketry_core::engine::Note;
use rocketry_core::frame::{Request, RequestCode, ResponseCode};
use rocketry_core::id::SubscriptionId;
use rocketry_core::message::Message;

use crate::setting::*;

const OTHER: &str = "topic_b";
const CHECK: RequestCode = RequestCode::CHECK_CLIENT_CONFIG;

fn cluster(filters: bool) -> ClusterConfig {
    let config = ClusterConfig { property_filter: filters, ..ClusterConfig::default() };
    config.topic(TOPIC, 2).topic(OTHER, 2)
}

/// A world with one client, where every request is kept.
fn begin(filters: bool) -> (World, ClientId) {
    let mut world = without_retries(World::new(1, cluster(filters)));
    let client = world.client(config());
    world.with_cluster(|cluster| cluster.keep_requests());
    (world, client)
}

fn sql(expression: &str) -> Filter {
    Filter::sql(expression).unwrap()
}

fn read(world: &mut World, client: ClientId, filters: &[(&str, Filter)]) -> SubscriptionId {
    let mut subscribe = from_first(GROUP);
    subscribe.topics = filters.iter().map(|(name, of)| (topic(name), of.clone())).collect();
    world.subscribe(client, subscribe, Pace::AtOnce).unwrap()
}

/// Stores messages of `TOPIC` with these values of the property `a`, which are their bodies.
fn store_with(world: &mut World, client: ClientId, values: &[&str]) {
    for value in values {
        let message = Message::new(topic(TOPIC), value.to_string()).property("a", value);
        let op = world.try_send(client, message).unwrap();
        world.end_of(client, op).1.unwrap();
    }
}

/// The subscriptions of each heartbeat that names a consumer.
fn heard(requests: &[Received]) -> Vec<Vec<SubscriptionData>> {
    let beats = requests.iter().filter(|one| matches!(one.request, Request::Heartbeat(_)));
    let beats = beats.map(|one| Heartbeat::parse(&one.body).unwrap());
    let consumers = beats.flat_map(|beat| beat.consumers);
    consumers.map(|consumer| consumer.subscriptions.into_iter().collect()).collect()
}

fn refusals(world: &World, client: ClientId) -> Vec<String> {
    let refused = world.notes(client).filter(|note| matches!(note, Note::FilterRefused { .. }));
    refused.map(Note::to_string).collect()
}

#[test]
fn filt_09_a_filter_in_sql_is_asked_about_and_then_joined_and_pulled_with() {
    let (mut world, client) = begin(true);
    store_with(&mut world, client, &["4", "6", "x", "7"]);
    read(&mut world, client, &[(TOPIC, sql("a > 5"))]);
    world.run_until(5 * SECOND, |world| world.distinct() == 2).unwrap();
    store_with(&mut world, client, &["5", "8"]);
    let took = world.run_until(5 * SECOND, |world| world.distinct() == 3).unwrap();
    assert!(took < SECOND, "{took:?}: a held pull is answered by what matches");
    world.run_for(20 * SECOND);
    let mut came = bodies(&world);
    came.sort_unstable();
    assert_eq!(came, ["6", "7", "8"]);
    assert_eq!((0..2).filter_map(|queue| committed_of(&world, queue)).sum::<i64>(), 6);

    let requests = world.with_cluster(|cluster| cluster.take_requests());
    let place = |is: &dyn Fn(&Received) -> bool| requests.iter().position(is).unwrap();
    let check = place(&|one| matches!(one.request, Request::CheckClient(_)));
    let beat = place(&|one| {
        matches!(one.request, Request::Heartbeat(_))
            && !Heartbeat::parse(&one.body).unwrap().consumers.is_empty()
    });
    assert!(check < beat, "asked before it joined");
    let said = heard(&requests).into_iter().flatten().find(|of| of.topic == TOPIC).unwrap();
    assert_eq!((&*said.expression_type, &*said.expression), ("SQL92", "a > 5"));
    assert!(said.codes.is_empty() && said.tags.is_empty());
    let pulls = requests.iter().filter_map(|one| match &one.request {
        Request::Pull(pull) => Some(pull),
        _ => None,
    });
    let mut pulls = pulls.peekable();
    assert!(pulls.peek().is_some());
    assert!(pulls.all(|pull| pull.expression_type.as_deref() == Some("SQL92")));
}

/// Refused for that reason, once, by a consumer that never joined and asked for nothing more.
fn assert_refused(world: &mut World, client: ClientId, sub: SubscriptionId, says: &str) {
    world.run_until(3 * SECOND, |world| world.left_at(client, sub).is_some()).unwrap();
    world.run_for(60 * SECOND);
    let told = refusals(world, client);
    assert!(matches!(&told[..], [one] if one.contains(says)), "{told:?}");
    let requests = world.with_cluster(|cluster| cluster.take_requests());
    let count = |code| requests.iter().filter(|one| one.request.code() == code).count();
    assert_eq!((count(CHECK), count(RequestCode::PULL_MESSAGE)), (1, 0));
    assert_eq!(heard(&requests), Vec::<Vec<SubscriptionData>>::new());
}

#[test]
fn filt_12_an_expression_that_cannot_be_read_ends_the_consumer_before_it_joins() {
    for expression in ["a >", "NOT a > 5", "a = 0.0"] {
        let (mut world, client) = begin(true);
        let sub = read(&mut world, client, &[(TOPIC, sql(expression)), (OTHER, Filter::All)]);
        assert_refused(&mut world, client, sub, "the broker can't read the expression");
    }
}

#[test]
fn filt_14_an_orderly_consumer_is_refused_alike() {
    let (mut world, client) = begin(true);
    let mut subscribe = from_first(GROUP);
    subscribe.topics = vec![(topic(TOPIC), sql("NOT a > 5"))];
    subscribe.options.order = ConsumeOrder::Orderly;
    let sub = world.subscribe(client, subscribe, Pace::AtOnce).unwrap();
    assert_refused(&mut world, client, sub, "the broker can't read the expression");
}

#[test]
fn filt_13_where_brokers_filter_by_no_properties_the_consumer_ends_and_says_so() {
    let (mut world, client) = begin(false);
    let sub = read(&mut world, client, &[(TOPIC, sql("a > 5"))]);
    assert_refused(&mut world, client, sub, "enablePropertyFilter=true");
}

#[test]
fn filt_15_parentheses_without_end_are_refused() {
    let (mut world, client) = begin(true);
    let sub = read(&mut world, client, &[(TOPIC, sql(&"(".repeat(10_000)))]);
    assert_refused(&mut world, client, sub, "the broker can't read the expression");
}

#[test]
fn a_consumer_joins_with_all_its_topics_or_not_at_all() {
    let (mut world, client) = begin(true);
    let topics = [(TOPIC, sql("a > 5")), (OTHER, Filter::All)];
    let sub = read(&mut world, client, &topics);
    assert_eq!(world.engine(client).subscriptions(sub).len(), 2);
    world.run_for(30 * SECOND);
    assert_eq!(world.engine(client).queues(sub).len(), 4);
    let requests = world.with_cluster(|cluster| cluster.take_requests());
    let heard = heard(&requests);
    assert!(!heard.is_empty());
    for said in heard {
        let topics: Vec<&str> = said.iter().map(|of| &*of.topic).collect();
        assert!(topics.contains(&TOPIC) && topics.contains(&OTHER), "{topics:?}");
    }
}

#[test]
fn what_is_no_verdict_has_the_question_asked_again_after_a_second() {
    let answers: [Fault; 6] = [
        Fault::Refuse(ResponseCode::SYSTEM_BUSY),
        Fault::Refuse(ResponseCode::SYSTEM_ERROR),
        Fault::LoseAndClose,
        Fault::Close,
        Fault::Lose,
        Fault::Mute,
    ];
    for fault in answers {
        let (mut world, client) = begin(true);
        store_with(&mut world, client, &["6"]);
        world.with_cluster(|cluster| cluster.push_faults(CHECK, [fault, fault]));
        read(&mut world, client, &[(TOPIC, sql("a > 5"))]);
        let took = world.run_until(60 * SECOND, |world| world.distinct() == 1).unwrap();
        assert!(took < 15 * SECOND, "{fault:?}: {took:?}");
        let asked = world.with_cluster(|cluster| cluster.take_requests());
        let asked = asked.iter().filter(|one| one.request.code() == CHECK).count();
        assert!((2..=5).contains(&asked), "{fault:?}: {asked} questions");
        assert_eq!(refusals(&world, client), Vec::<String>::new());
    }
}

#[test]
fn a_broker_that_does_not_answer_is_asked_once_a_second_and_told_of_once_a_minute() {
    let (mut world, client) = begin(true);
    let busy = vec![Fault::Refuse(ResponseCode::SYSTEM_BUSY); 1000];
    world.with_cluster(|cluster| cluster.push_faults(CHECK, busy));
    let sub = read(&mut world, client, &[(TOPIC, sql("a > 5"))]);
    world.run_for(120 * SECOND);
    let asked = world.with_cluster(|cluster| cluster.take_requests());
    let asked = asked.iter().filter(|one| one.request.code() == CHECK).count();
    assert!((100..=130).contains(&asked), "{asked} questions");
    let told = world.notes(client).filter(|note| note.to_string().contains("CHECK_CLIENT"));
    assert!((1..=3).contains(&told.count()));
    // It can still be left, and what it waits for be taken back.
    assert_eq!(world.unsubscribe_from(client, sub, &topic(TOPIC)), Ok(true));
    world.leave(client, sub).unwrap();
    world.run_until(SECOND, |world| world.left_at(client, sub).is_some()).unwrap();
}

#[test]
fn a_filter_in_sql_that_is_changed_to_counts_once_a_broker_has_taken_it() {
    let (mut world, client) = begin(true);
    let sub = read(&mut world, client, &[(TOPIC, Filter::tags(["eu"]).unwrap())]);
    world.run_for(3 * SECOND);
    world.subscribe_to(client, sub, topic(TOPIC), sql("a > 5")).unwrap();
    assert_eq!(world.engine(client).subscriptions(sub)[0].filter, sql("a > 5"));
    world.run_for(ms(100));
    store_with(&mut world, client, &["x", "6"]);
    let took = world.run_until(5 * SECOND, |world| world.distinct() == 1).unwrap();
    assert!(took <= SECOND, "{took:?}");
    world.subscribe_to(client, sub, topic(TOPIC), sql("a < 5")).unwrap();
    world.run_for(ms(100));
    store_with(&mut world, client, &["3", "9"]);
    world.run_for(20 * SECOND);
    assert_eq!(bodies(&world), ["6", "3"], "from then on");
    // One that can't be read ends it.
    world.subscribe_to(client, sub, topic(TOPIC), sql("a <")).unwrap();
    world.run_until(3 * SECOND, |world| world.left_at(client, sub).is_some()).unwrap();
    assert_eq!(refusals(&world, client).len(), 1);
    let stored: i64 = (0..2).filter_map(|queue| committed_of(&world, queue)).sum();
    assert_eq!(stored, 4, "what was done with is committed");
}

#[test]
fn a_topic_that_comes_later_is_joined_for_when_it_comes() {
    let cluster = ClusterConfig { property_filter: true, ..ClusterConfig::default() };
    let mut world = without_retries(World::new(1, cluster.topic(OTHER, 1)));
    let client = world.client(config());
    let sub = read(&mut world, client, &[(TOPIC, sql("a > 5"))]);
    world.run_for(10 * SECOND);
    assert_eq!(world.left_at(client, sub), None);
    store_with(&mut world, client, &["6"]);
    let took = world.run_until(60 * SECOND, |world| world.distinct() == 1);
    assert!(took.is_some_and(|took| took < 5 * SECOND), "{took:?}");
}

#[test]
fn a_broker_that_has_lost_its_filters_hears_of_them_again() {
    let (mut world, client) = begin(true);
    read(&mut world, client, &[(TOPIC, sql("a > 5"))]);
    world.run_for(3 * SECOND);
    let lost = [ResponseCode::FILTER_DATA_NOT_EXIST, ResponseCode::FILTER_DATA_NOT_LATEST];
    world.with_cluster(|cluster| {
        cluster.push_error(RequestCode::PULL_MESSAGE, lost);
        cluster.take_requests();
    });
    store_with(&mut world, client, &["6", "7"]);
    world.run_for(ms(100));
    store_with(&mut world, client, &["8", "9"]);
    let took = world.run_until(60 * SECOND, |world| world.distinct() == 4).unwrap();
    assert!(took < 10 * SECOND, "{took:?}");
    let requests = world.with_cluster(|cluster| cluster.take_requests());
    assert!(!heard(&requests).is_empty());
}
