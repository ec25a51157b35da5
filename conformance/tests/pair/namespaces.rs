//! Namespaces: names wrapped on their way out, and unwrapped on their way in.

use rocketry_conformance::broker::{ClusterConfig, TopicConfig};
use rocketry_conformance::sim::{ClientId, Pace, World};
use rocketry_core::body::{
    ConsumeDirectlyResult, ConsumerStatusBody, DirectResult, MessageModel, OffsetFile, RunningInfo,
};
use rocketry_core::config::Config;
use rocketry_core::consumer::{Commit, DeliveryId, Filter, Outcome, Polling, Subscribe, Taking};
use rocketry_core::engine::Note;
use rocketry_core::error::{ErrorKind, Refused};
use rocketry_core::frame::{Request, RequestCode, ResponseCode};
use rocketry_core::message::Message;
use rocketry_core::name::{Group, QueueName};
use rocketry_core::offsets::OffsetOwner;
use rocketry_core::query::Query;
use rocketry_core::transaction::{HalfOptions, Resolution, TransactionState};

use crate::setting::*;

/// What brokers know the topic and the group by.
const WRAPPED: &str = "south%topic_a";
const WRAPPED_GROUP: &str = "south%group_a";

fn of(namespace: &str) -> Config {
    let mut config = config();
    config.namespace = Some(namespace.to_owned());
    config
}

/// A broker with the topic of one namespace, and a client in it.
fn south(seed: u64, queues: u32) -> (World, ClientId) {
    let mut cluster = ClusterConfig::default().topic(WRAPPED, queues);
    cluster.auto_create_topics = false;
    let mut world = World::new(seed, cluster);
    world.with_cluster(|cluster| cluster.keep_requests());
    let client = world.client(of("south"));
    (world, client)
}

/// The names of topics and groups in all that the broker was asked, but for those of the system.
fn asked(world: &mut World) -> String {
    let received = world.with_cluster(|cluster| cluster.take_requests());
    let text = |request: &Request| format!("{request:?}");
    received.iter().map(|one| text(&one.request)).collect::<Vec<_>>().join("\n")
}

/// No name stands in the trace of requests without its namespace, and none with two.
fn all_wrapped_once(world: &mut World) {
    let asked = asked(world);
    assert!(asked.contains(WRAPPED), "{asked}");
    for name in ["topic_a", "group_a", "producers"] {
        let bare = format!("\"{name}\"");
        assert!(!asked.contains(&bare), "{bare} in {asked}");
    }
    assert!(!asked.contains("south%south"), "{asked}");
}

#[test]
fn life_09_names_are_wrapped_on_their_way_out_and_unwrapped_on_their_way_in() {
    let (mut world, client) = south(1, 2);
    let op = send(&mut world, client, "first");
    let receipt = world.end_of(client, op).1.unwrap();
    assert_eq!((receipt.topic.as_str(), &**receipt.topic.wire()), (TOPIC, WRAPPED));
    store_many(&mut world, client, 9);
    assert_eq!(world.all_copies(WRAPPED).len(), 10);
    let sub = consume(&mut world, client, Pace::Manual);
    // One who names the topic in full is in the same namespace, and not in one within.
    let other = world.client(of("south"));
    let mut full = Subscribe::new(Group::new("south%full").unwrap(), topic(WRAPPED));
    full.options.start = rocketry_core::consumer::Start::First;
    world.subscribe(other, full, Pace::AtOnce).unwrap();
    world.run_for(10 * SECOND);
    assert_eq!(world.delivered().len(), 10);
    let batch = world.take_one(client, sub).unwrap();
    assert_eq!((batch.batch.topic(0), batch.batch.queue().topic.as_str()), (TOPIC, TOPIC));
    world.settle_all(client, &batch);
    while let Some(batch) = world.take_one(client, sub) {
        world.settle_all(client, &batch);
    }
    world.run_for(10 * SECOND);
    let committed = |group: &str| -> i64 {
        (0..2).filter_map(|queue| world.cluster().committed(0, group, WRAPPED, queue)).sum()
    };
    assert_eq!((committed(WRAPPED_GROUP), committed("south%full")), (10, 10));
    for query in [Query::Queues(topic(TOPIC)), Query::MaxOffset(queue(TOPIC))] {
        let op = world.query(client, query).unwrap();
        world.run_for(SECOND);
        assert!(world.answer(client, op).is_some_and(|ended| ended.result.is_ok()));
    }
    let page = world.engine(client).snapshot(world.now()).to_string();
    assert!(page.contains(GROUP) && !page.contains("south"), "{page}");
    for client in [client, other] {
        world.shutdown(client);
    }
    world.run_for(10 * SECOND);
    all_wrapped_once(&mut world);
}

fn queue(name: &str) -> QueueName {
    QueueName { topic: topic(name), broker: "broker-a".into(), queue: 0 }
}

#[test]
fn life_09_a_topic_of_one_namespace_is_not_there_in_another() {
    let (mut world, client) = south(2, 1);
    store(&mut world, client, "x");
    let elsewhere = world.client(of("north"));
    let op = send(&mut world, elsewhere, "y");
    let error = world.end_of(elsewhere, op).1.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoTopic, "{error}");
    assert!(error.to_string().starts_with("topic topic_a does not exist"), "{error}");
    // Who has no namespace names it in full.
    let plain = world.client(config());
    let mut full = Subscribe::new(Group::new(WRAPPED_GROUP).unwrap(), topic(WRAPPED));
    full.options.start = rocketry_core::consumer::Start::First;
    world.subscribe(plain, full, Pace::AtOnce).unwrap();
    world.run_for(5 * SECOND);
    assert_eq!(bodies(&world), ["x"]);
    let op = world.try_send(plain, Message::new(topic(WRAPPED), "z")).unwrap();
    let receipt = world.end_of(plain, op).1.unwrap();
    assert_eq!(receipt.topic.as_str(), WRAPPED, "its name is as it was given");
}

#[test]
fn life_09_a_name_that_is_too_long_when_it_is_wrapped_is_refused_at_once() {
    let (mut world, client) = south(3, 1);
    let long = |length: usize| "t".repeat(length);
    assert!(world.query(client, Query::Queues(topic(&long(121)))).is_ok());
    let refused = world.query(client, Query::Queues(topic(&long(122)))).unwrap_err();
    assert!(matches!(refused, Refused::Name(_)), "{refused}");
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    assert!(refused.to_string().contains("has 128"), "{refused}");
    let group = Subscribe::new(Group::new(long(115)).unwrap(), topic(TOPIC));
    let refused = world.subscribe(client, group, Pace::AtOnce).unwrap_err();
    assert!(matches!(refused, Refused::Name(_)), "{refused}");
}

#[test]
fn retry_09_names_of_retry_topics_are_wrapped_once() {
    let (mut world, client) = south(4, 1);
    store(&mut world, client, "x");
    let sub = consume(&mut world, client, Pace::Manual);
    for attempt in 0..3 {
        world.run_until(200 * SECOND, |world| world.engine(client).has_batch(sub)).unwrap();
        let handout = world.take_one(client, sub).unwrap();
        let from = if attempt == 0 { TOPIC } else { "%RETRY%group_a" };
        assert_eq!(handout.batch.topic(0), TOPIC);
        assert_eq!(handout.batch.queue().topic.as_str(), from);
        let id = DeliveryId { batch: handout.batch.id(), index: handout.next };
        // The second time its broker does not take it back, and the client sends it by itself.
        if attempt == 1 {
            let (code, busy) = (RequestCode::CONSUMER_SEND_MSG_BACK, ResponseCode::SYSTEM_ERROR);
            world.with_cluster(|cluster| cluster.push_error(code, [busy]));
        }
        let outcome = if attempt == 2 { Outcome::Reject } else { Outcome::Retry { after: None } };
        world.settle(client, id, outcome).unwrap();
    }
    world.run_for(20 * SECOND);
    let there = |topic: &str| world.cluster().messages(0, topic, 0).len();
    assert_eq!((there("%RETRY%south%group_a"), there("%DLQ%south%group_a")), (2, 1));
    all_wrapped_once(&mut world);
    // Dead letters are read under their group's own name.
    let letters = Subscribe::new(Group::new("undertaker").unwrap(), topic("%DLQ%group_a"));
    let reader = world.client(of("south"));
    let mut letters = letters;
    letters.options.start = rocketry_core::consumer::Start::First;
    world.with_cluster(|cluster| {
        let config = TopicConfig::new("%DLQ%south%group_a", 1);
        cluster.create_topic(&config);
    });
    world.subscribe(reader, letters, Pace::AtOnce).unwrap();
    let before = world.delivered().len();
    world.run_for(20 * SECOND);
    assert_eq!(world.delivered().len(), before + 1);
}

#[test]
fn a_broker_asks_by_the_names_that_it_knows() {
    let (mut world, client) = south(5, 1);
    store_many(&mut world, client, 10);
    let sub = consume(&mut world, client, Pace::Manual);
    world.run_for(5 * SECOND);
    world.take(client, sub).iter().for_each(|handout| world.settle_all(client, handout));
    world.run_for(10 * SECOND);
    let id = world.engine(client).client_id().to_string();
    world.with_cluster(|cluster| {
        assert_eq!(cluster.ask_status(0, WRAPPED_GROUP, WRAPPED).len(), 1);
        cluster.ask_running_info(0, WRAPPED_GROUP, &id).unwrap();
    });
    world.run_for(SECOND);
    let answers = world.with_cluster(|cluster| cluster.take_answers());
    let status = ConsumerStatusBody::parse(&answers[0].body).unwrap();
    let told: Vec<_> = status.offsets.iter().map(|(of, at)| (&*of.topic, *at)).collect();
    assert_eq!(told, [(WRAPPED, 10)]);
    let info = RunningInfo::parse(&answers[1].body).unwrap();
    assert!(info.subscription_set.iter().any(|one| one.topic == WRAPPED), "{info:?}");
    assert!(info.status_table.contains_key(WRAPPED), "{info:?}");
    assert_eq!(info.properties["consumerGroup"], WRAPPED_GROUP);
    // An administrator has the group read all again, and one message at once.
    let reset =
        world.with_cluster(|cluster| cluster.reset_offset(0, (WRAPPED_GROUP, WRAPPED), 0, true));
    reset.unwrap();
    world.run_for(SECOND);
    let resets = world.notes(client).filter(|note| matches!(note, Note::OffsetReset { .. }));
    assert_eq!(resets.count(), 1);
    let again: u32 = world.take(client, sub).iter().map(|one| one.end - one.next).sum();
    assert_eq!(again, 10);
    let asked = world
        .with_cluster(|cluster| cluster.consume_directly(0, (WRAPPED_GROUP, &id), (WRAPPED, 0, 3)));
    asked.unwrap();
    world.run_for(ms(100));
    let direct = world.take_one(client, sub).unwrap();
    assert_eq!((direct.batch.topic(0), direct.batch.queue()), (TOPIC, &queue(TOPIC)));
    world.settle_all(client, &direct);
    world.run_for(ms(100));
    let answers = world.with_cluster(|cluster| cluster.take_answers());
    let result = ConsumeDirectlyResult::parse(&answers.last().unwrap().body).unwrap();
    assert_eq!(result.result, DirectResult::CrSuccess);
}

#[test]
fn a_name_of_another_namespace_is_nobodys_here() {
    let (mut world, client) = south(6, 1);
    store_many(&mut world, client, 4);
    consume(&mut world, client, Pace::AtOnce);
    world.run_for(5 * SECOND);
    let before = world.notes(client).count();
    // As a broker would that has our group's name elsewhere.
    let plain = world.client(config());
    let other = Subscribe::new(Group::new(GROUP).unwrap(), topic(WRAPPED));
    world.subscribe(plain, other, Pace::AtOnce).unwrap();
    world.run_for(20 * SECOND);
    world.with_cluster(|cluster| cluster.reset_offset(0, (GROUP, WRAPPED), 0, true)).unwrap();
    world.run_for(5 * SECOND);
    assert_eq!(world.notes(client).count(), before, "it is told nothing");
    assert_eq!(world.cluster().committed(0, WRAPPED_GROUP, WRAPPED, 0), Some(4));
}

#[test]
fn queues_are_locked_and_transactions_end_and_are_checked_within_a_namespace() {
    let (mut world, client) = south(7, 2);
    world.answer_for(client);
    let ops = ["kept", "asked"]
        .map(|body| world.begin(client, message(body), HalfOptions::default()).unwrap());
    for (op, _) in ops {
        world.end_of(client, op).1.unwrap();
    }
    let op = world.resolve(client, ops[0].1, Resolution::Commit).unwrap();
    world.leave_half(client, ops[1].1);
    world.run_for(40 * SECOND);
    let ended = world.transaction_end(client, op).unwrap().result.clone();
    assert_eq!(ended.unwrap().state, TransactionState::Committed);
    let checks = world.take_checks(client);
    let [(_, check, half)] = &checks[..] else { panic!("{checks:?}") };
    assert_eq!(half.topic(), TOPIC);
    world.answer_check(client, *check, Resolution::Commit);
    let mut orderly = from_first(GROUP);
    orderly.options = orderly.options.orderly();
    let reader = world.client(of("south"));
    world.subscribe(reader, orderly, Pace::InOrder(ms(1))).unwrap();
    world.run_for(20 * SECOND);
    let mut read = bodies(&world);
    read.sort_unstable();
    assert_eq!(read, ["asked", "kept"]);
    world.shutdown(client);
    world.run_for(10 * SECOND);
    all_wrapped_once(&mut world);
}

#[test]
fn what_is_kept_on_disk_is_by_the_names_that_brokers_know() {
    let (mut world, client) = south(8, 1);
    store_many(&mut world, client, 5);
    let listen = |world: &mut World| {
        let mut config = of("south");
        config.instance_name = Some("one".to_owned());
        let client = world.client(config);
        let mut subscribe = from_first(GROUP);
        subscribe.options.model = MessageModel::Broadcasting;
        world.subscribe(client, subscribe, Pace::AtOnce).unwrap();
        world.run_for(8 * SECOND);
        world.shutdown(client);
        world.run_for(8 * SECOND);
    };
    listen(&mut world);
    assert_eq!(world.delivered().len(), 5);
    let owner = OffsetOwner::new("127.0.0.1@one", Group::new(WRAPPED_GROUP).unwrap());
    let json = world.offset_files(&owner).file.unwrap();
    let kept = OffsetFile::parse(&json).unwrap().offsets;
    assert_eq!(kept, [(queue(WRAPPED), 5)].into(), "as Java's client has it");
    store_many(&mut world, client, 2);
    listen(&mut world);
    assert_eq!(world.delivered().len(), 7, "it goes on where it was");
}

#[test]
fn topics_are_read_and_left_and_offsets_committed_by_names_without_the_namespace() {
    let (mut world, client) = south(9, 1);
    store_many(&mut world, client, 3);
    let mut none = from_first(GROUP);
    (none.topics, none.options.without_topics) = (Vec::new(), true);
    let sub = world.subscribe(client, none, Pace::AtOnce).unwrap();
    world.subscribe_to(client, sub, topic(TOPIC), Filter::All).unwrap();
    world.run_for(10 * SECOND);
    assert_eq!(world.delivered().len(), 3);
    let read = world.engine(client).subscriptions(sub);
    assert_eq!(read.iter().map(|one| one.topic.as_str()).collect::<Vec<_>>(), [TOPIC]);
    assert_eq!(world.unsubscribe_from(client, sub, &topic(WRAPPED)), Ok(true));
    world.run_for(10 * SECOND);
    all_wrapped_once(&mut world);
}

/// As a topic is named that an application without a namespace made within it.
#[test]
fn a_queue_whose_topic_has_the_name_of_the_namespace_twice_is_found_by_what_was_told_of_it() {
    const TWICE: &str = "south%south%topic_a";
    let mut world = World::new(10, ClusterConfig::default().topic(TWICE, 1));
    let client = world.client(of("south"));
    let mut wanted = Subscribe::new(Group::new(GROUP).unwrap(), topic(TWICE));
    let polling = Polling { auto_commit: true, queues: None, watches: true };
    wanted.options.taking = Taking::Polled(polling);
    let sub = world.subscribe(client, wanted, Pace::Manual).unwrap();
    world.run_for(5 * SECOND);
    let told = world.changes(client)[0].gained[0].clone();
    assert_eq!(&**told.topic.wire(), TWICE);
    assert_eq!(world.seek(client, sub, (&told, 0)), Ok(()));
    assert_eq!(world.engine(client).position(sub, &told), Some(0));
    let op = world.commit(client, sub, Commit::Queue(told)).unwrap();
    world.run_for(SECOND);
    assert_eq!(world.committed(client, op).unwrap().result, Ok(()));
}
