//! What an operator can see: counters, snapshots, notes, and the facts that errors carry.

use std::time::Duration;

use rocketry_conformance::broker::{ClusterConfig, TopicConfig};
use rocketry_conformance::sim::{ClientId, Door, Host, Pace, Way, World, bytes_of};
use rocketry_core::config::Config;
use rocketry_core::consumer::Subscribe;
use rocketry_core::engine::{Cancelled, ClientPhase, ConnectionState, Counters, Note, Snapshot};
use rocketry_core::error::{ErrorKind, QueryError, Refused, SendError, Stored};
use rocketry_core::frame::{Kind, Opaque, OutFrame, RequestCode, ResponseCode};
use rocketry_core::name::Group;
use rocketry_core::producer::SendOptions;
use rocketry_core::query::{Query, QueueName};

use crate::setting::*;

pub(crate) fn snapshot(world: &World, client: ClientId) -> Snapshot {
    world.engine(client).snapshot(world.now())
}

/// Panics unless what the engine counted is what the application saw. Once every call has ended.
pub(crate) fn assert_balanced(world: &World, client: ClientId) -> Counters {
    let counters = snapshot(world, client).counters;
    let count = |wanted: &dyn Fn(&rocketry_conformance::sim::Sent) -> bool| {
        world.sends(client).filter(|sent| wanted(sent)).count() as u64
    };
    let ended = |good: bool| {
        count(&|sent| sent.ended.as_ref().is_some_and(|ended| ended.result.is_ok() == good))
    };
    assert_eq!(counters.sends_begun, count(&|_| true), "{counters:?}");
    assert_eq!(counters.sends_stored, ended(true), "{counters:?}");
    assert_eq!(counters.sends_failed, ended(false), "{counters:?}");
    assert_eq!(counters.sends_handed, count(&|sent| sent.handed.is_some()), "{counters:?}");
    let cancelled = count(&|sent| sent.cancelled.is_some_and(|how| how != Cancelled::Ended));
    assert_eq!(counters.sends_cancelled, cancelled, "{counters:?}");
    assert_eq!((counters.sends_in_flight(), counters.queries_in_flight()), (0, 0));
    assert!(counters.replies <= counters.requests_sent, "{counters:?}");
    counters
}

#[test]
fn obs_01_calls_begun_are_calls_stored_failed_cancelled_and_in_flight() {
    let (mut world, client) = pair(1, 4);
    store_many(&mut world, client, 20);
    let oneway = SendOptions::default().oneway();
    for _ in 0..5 {
        world.send_with(client, message("oneway"), oneway.clone()).unwrap();
    }
    world.run_for(SECOND);
    world.with_cluster(|cluster| {
        cluster.push_error(RequestCode::SEND_MESSAGE_V2, [ResponseCode::MESSAGE_ILLEGAL; 3]);
    });
    for _ in 0..3 {
        let op = send(&mut world, client, "refused");
        world.end_of(client, op).1.unwrap_err();
    }
    world.door(BROKER, Door::BlackHole);
    world.cut_all(BROKER);
    world.run_for(ms(10));
    let ops: Vec<_> = (0..7).map(|_| send(&mut world, client, "stuck")).collect();
    let max_offset = QueueName { topic: topic(TOPIC), broker: "broker-a".into(), queue: 0 };
    world.query(client, Query::MaxOffset(max_offset)).unwrap();
    world.query(client, Query::Queues(topic(TOPIC))).unwrap();
    let now = snapshot(&world, client);
    assert_eq!((now.counters.sends_in_flight(), now.counters.queries_in_flight()), (7, 1));
    assert!(now.pending_bytes > 0 && now.open.operations == 8);
    assert_eq!(world.cancel(client, ops[0]), Cancelled::Removed);
    world.run_for(10 * SECOND);
    let counters = assert_balanced(&world, client);
    let Counters { sends_stored, sends_handed, sends_failed, sends_cancelled, .. } = counters;
    assert_eq!((sends_stored, sends_handed, sends_failed, sends_cancelled), (20, 5, 9, 1));
    assert_eq!((counters.queries_answered, counters.queries_failed), (1, 1));
    world.shutdown(client);
    world.run_for(10 * SECOND);
    assert!(world.try_send(client, message("late")).is_err());
    let end = snapshot(&world, client);
    assert_eq!((end.phase, end.counters.calls_refused), (ClientPhase::Stopped, 1));
    assert_eq!(end.counters.connected, end.counters.disconnected);
}

#[test]
fn bad_22_an_answer_that_nobody_waits_for_is_counted_and_dropped() {
    let (mut world, client) = pair(1, 4);
    store(&mut world, client, "x");
    let before = snapshot(&world, client).counters;
    for (i, kind) in Kind::ALL.iter().enumerate() {
        let opaque = Opaque::new(*kind, 9_000_000 + i as u32);
        let frame = OutFrame::refusal(opaque, ResponseCode::SYSTEM_ERROR, "nobody asked");
        world.inject(BROKER, &bytes_of(&frame));
    }
    world.run_for(SECOND);
    let after = snapshot(&world, client).counters;
    assert_eq!(after.replies_unknown - before.replies_unknown, Kind::ALL.len() as u64);
    assert_eq!((after.replies, after.disconnected), (before.replies, 0));
    store(&mut world, client, "y");
}

#[test]
fn bad_23_flags_that_make_no_sense_are_dropped() {
    let (mut world, client) = pair(1, 4);
    store(&mut world, client, "x");
    let before = snapshot(&world, client).counters;
    let opaque = Opaque::new(Kind::Send, 9_000_000);
    let frame = bytes_of(&OutFrame::refusal(opaque, ResponseCode(40), "a request's code"));
    // A request that says that it is a response; a response that says that it is oneway.
    let at = frame.windows(8).position(|window| window == b"\"flag\":1").unwrap();
    let mut changed = frame.clone();
    changed[at + 7] = b'3';
    for bytes in [&frame, &changed] {
        world.inject(BROKER, bytes);
    }
    world.run_for(SECOND);
    let after = snapshot(&world, client).counters;
    assert_eq!(after.replies_unknown - before.replies_unknown, 2);
    assert_eq!((after.disconnected, after.requests_received), (0, before.requests_received));
    store(&mut world, client, "y");
}

#[test]
fn a_snapshot_tells_of_brokers_connections_topics_and_consumers_and_reads_as_a_page() {
    let (mut world, client) = pair(1, 4);
    let fresh = snapshot(&world, client);
    assert_eq!((fresh.phase, fresh.topics.len()), (ClientPhase::Running, 0));
    assert_eq!(fresh.connections[0].state, ConnectionState::Idle);
    consume(&mut world, client, Pace::Manual);
    store_many(&mut world, client, 8);
    world.run_for(5 * SECOND);
    let now = snapshot(&world, client);
    let broker = &now.brokers[0];
    assert_eq!((&*broker.name, broker.answered, broker.failed), ("broker-a", 8, 0));
    let states = now.connections.iter().map(|one| (one.endpoint.as_str(), one.state));
    let states: Vec<_> = states.collect();
    assert_eq!(states, [(NS, ConnectionState::Connected), (BROKER, ConnectionState::Connected)]);
    // One long poll for each queue.
    assert_eq!((now.connections[1].in_flight, now.connections[1].queued), (4, 0));
    let consumer = &now.consumers[0];
    assert_eq!((consumer.group.as_str(), consumer.phase), (GROUP, "member"));
    assert_eq!(consumer.queues.len(), 4);
    let held: usize = consumer.queues.iter().map(|queue| queue.messages).sum();
    assert_eq!((held, now.counters.messages_pulled), (8, 8));
    assert!(consumer.queues.iter().all(|queue| queue.state == "pulling" && queue.next == 2));
    assert!(consumer.queues.iter().all(|queue| (queue.end, queue.lag) == (Some(2), Some(2))));
    let page = now.to_string();
    for line in [
        "running\n",
        "sends: 8 begun, 8 stored, 0 oneway, 0 failed, 0 cancelled, 0 in flight",
        "broker broker-a at 127.0.0.1:10911: 8 sends answered, 0 failed",
        "connection to nameserver ns:9876: connected, 0 in flight, 0 queued\n",
        "connection to broker 127.0.0.1:10911: connected, 4 in flight, 0 queued\n",
        "topic topic_a: 4 queues to write, 4 to read, as of ",
        "consumer group_a of topic_a: member, 4 queues\n",
        "  queue 3 of topic_a on broker-a: pulling, next 2, committed 0, end 2, lag 2, ",
        "  topic topic_a: 8 pulled, 0 done (0.0 a second), 0 sent back, 0 dead letters, ",
    ] {
        assert!(page.contains(line), "{line:?} is not in\n{page}");
    }
    world.take_down(0);
    world.run_for(5 * SECOND);
    let down = snapshot(&world, client).to_string();
    assert!(down.contains("10911: backoff, 0 in flight, 0 queued, failed "), "{down}");
}

fn notes_about(world: &World, client: ClientId, part: &str) -> Vec<String> {
    let texts = world.notes(client).map(ToString::to_string);
    texts.filter(|text| text.contains(part)).collect()
}

#[test]
fn a_connection_that_flaps_gets_five_lines_a_minute_and_the_last_one_is_true() {
    let (mut world, client) = pair(1, 4);
    consume(&mut world, client, Pace::AtOnce);
    world.run_for(SECOND);
    let minutes = 5;
    for _ in 0..60 * minutes {
        world.cut_all(BROKER);
        world.run_for(SECOND);
    }
    world.run_for(70 * SECOND);
    let told = notes_about(&world, client, &format!("broker {BROKER}"));
    assert!(told.len() > minutes && told.len() <= 5 * (minutes + 1), "{told:#?}");
    // Its last word is what is the case, with the number of those left out.
    let last = told.last().unwrap();
    assert!(last.contains("connected to broker") && last.contains("lines about it left out"));
    let suppressed = snapshot(&world, client).counters.notes_suppressed;
    let noted: u64 = world
        .notes(client)
        .map(|note| match note {
            Note::Repeated { suppressed, .. } => *suppressed,
            _ => 0,
        })
        .sum();
    assert!(suppressed == noted && noted > 400, "{suppressed} {noted}");
    // A lost connection once in a while is told in full.
    let before = world.notes(client).count();
    for _ in 0..5 {
        world.cut_all(BROKER);
        world.run_for(90 * SECOND);
    }
    let told = notes_about(&world, client, &format!("broker {BROKER}"));
    assert_eq!(world.notes(client).count() - before, 10, "{told:#?}");
    assert!(told.last().unwrap().ends_with("again"), "{told:#?}");
}

#[test]
fn a_consumer_of_a_topic_that_is_not_there_is_told_of_once_and_once_when_it_is() {
    let (mut world, client) = pair(1, 4);
    world.with_cluster(|cluster| cluster.delete_topic(TOPIC));
    consume(&mut world, client, Pace::AtOnce);
    world.run_for(60 * SECOND);
    let told = notes_about(&world, client, TOPIC);
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].contains("ns:9876") && told[0].contains("create the topic"), "{told:#?}");
    assert!(told[0].contains("or send to it first"), "{told:#?}");
    world.with_cluster(|cluster| cluster.create_topic(&TopicConfig::new(TOPIC, 4)));
    world.run_for(5 * SECOND);
    let told = notes_about(&world, client, TOPIC);
    assert!(told[1].contains("has 4 queues to write and 4 to read"), "{told:#?}");
}

#[test]
fn dead_letters_that_there_are_none_of_are_no_trouble() {
    let (mut world, client) = pair(1, 4);
    let letters = topic("%DLQ%group_a");
    let subscribe = Subscribe::new(Group::new(GROUP).unwrap(), letters);
    world.subscribe(client, subscribe, Pace::AtOnce).unwrap();
    world.run_for(60 * SECOND);
    let failed = |note: &&Note| matches!(note, Note::RouteFailed { .. });
    let told: Vec<&Note> = world.notes(client).filter(failed).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(!told[0].is_trouble());
    let said = "topic %DLQ%group_a is not there yet: its group has no dead letter";
    assert_eq!(told[0].to_string(), said);
}

/// The names and values that a log record of the note would have.
fn facts(note: &Note) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    note.facts(&mut |name, fact| facts.push((name, fact.to_string())));
    facts
}

#[test]
fn notes_carry_their_facts_by_name() {
    let (mut world, client) = pair(1, 1);
    world.with_cluster(|cluster| {
        cluster.push_error(RequestCode::PULL_MESSAGE, [ResponseCode::SYSTEM_ERROR]);
        cluster.push_error(RequestCode::HEART_BEAT, [ResponseCode::SYSTEM_BUSY]);
    });
    consume(&mut world, client, Pace::AtOnce);
    world.run_for(5 * SECOND);
    world.cut_all(BROKER);
    world.run_for(5 * SECOND);
    let all: Vec<_> = world.notes(client).map(facts).collect();
    let of = |first: (&'static str, &str), then: &str| {
        let first = (first.0, first.1.to_owned());
        let found = all
            .iter()
            .find(|facts| facts.contains(&first) && facts.iter().any(|(name, _)| *name == then));
        found.unwrap_or_else(|| panic!("{first:?} {then} in {all:#?}")).clone()
    };
    let refused = of(("group", GROUP), "code");
    let names: Vec<_> = refused.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["group", "topic", "broker", "queue", "code", "reason"]);
    assert_eq!(refused[4].1, "1");
    assert_eq!(of(("endpoint", BROKER), "code")[1].1, "2");
    assert_eq!(
        of(("topic", TOPIC), "writable")[1..],
        [("writable", "1".into()), ("readable", "1".into())]
    );
    assert_eq!(
        of(("group", GROUP), "share")[2..],
        [("share", "1".into()), ("members", "1".into())]
    );
    assert_eq!(of(("peer", "broker"), "reason")[1].1, BROKER);
}

fn failed(world: &mut World, client: ClientId) -> (Duration, SendError) {
    let op = send(world, client, "x");
    let (took, result) = world.end_of(client, op);
    (took, result.unwrap_err())
}

#[test]
fn obs_04_errors_of_sends_carry_kind_code_peer_topic_opaque_and_what_to_do() {
    // Refused by the broker.
    let (mut world, client) = pair(1, 1);
    let codes = [ResponseCode::NO_PERMISSION; 2];
    world.with_cluster(|cluster| cluster.push_error(RequestCode::SEND_MESSAGE_V2, codes));
    let (_, error) = failed(&mut world, client);
    assert_eq!((error.kind(), error.code()), (ErrorKind::Rejected, Some(codes[0])));
    assert_eq!(error.endpoint().unwrap().as_str(), BROKER);
    assert_eq!((error.topic(), error.stored()), (Some(&topic(TOPIC)), Stored::No));
    let opaque = error.opaque().unwrap().raw();
    assert_eq!(world.trace().count(&format!("Up SEND_MESSAGE_V2 (310) #{opaque} ")), 1);
    assert!(error.to_string().contains("brokerPermission"), "{error}");
    // No answer.
    world.stall(BROKER, Way::Down);
    let (took, error) = failed(&mut world, client);
    assert_eq!(
        (error.kind(), error.stored(), took),
        (ErrorKind::TimedOut, Stored::Unknown, 3 * SECOND)
    );
    assert!(error.is_retriable() && error.code().is_none() && error.opaque().is_some());
    assert_eq!(error.endpoint().unwrap().as_str(), BROKER);
    // No connection.
    let (mut world, client) = pair(1, 1);
    world.door(BROKER, Door::Refuse);
    let (_, error) = failed(&mut world, client);
    assert_eq!((error.kind(), error.stored()), (ErrorKind::TimedOut, Stored::No));
    for part in ["nothing listens there", "brokerIP1", "rewrite_addresses", BROKER] {
        assert!(error.to_string().contains(part), "{error}");
    }
    world.door(BROKER, Door::BlackHole);
    let (_, error) = failed(&mut world, client);
    assert!(error.to_string().contains("as a container's own, set brokerIP1"), "{error}");
    // No room, and no client.
    let mut world = world_of_one_call();
    let client = world.client({
        let mut config = config();
        (config.max_pending, config.wait_for_room) = (1, false);
        config
    });
    send(&mut world, client, "x");
    let full = SendError::from(world.try_send(client, message("y")).unwrap_err());
    assert_eq!((full.kind(), full.is_retriable()), (ErrorKind::Full, true));
    assert_eq!(SendError::from(Refused::Stopped).kind(), ErrorKind::Stopped);
}

fn world_of_one_call() -> World {
    World::new(1, ClusterConfig::default().topic(TOPIC, 1))
}

#[test]
fn obs_04_a_nameserver_at_a_wrong_port_is_named_with_the_right_one() {
    let http2 =
        [0, 0, 18, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 100, 0, 4, 0, 16, 0, 0, 0, 6, 0, 0, 32, 0];
    for (endpoint, bytes, part) in [
        ("proxy:8081", http2.to_vec(), "proxy's gRPC port"),
        ("proxy:9000", http2.to_vec(), "proxy's gRPC port"),
        ("proxy:8081", Vec::new(), "proxy's gRPC port"),
        ("b:10911", Vec::new(), "broker's port by default"),
        ("b:10912", Vec::new(), "for its slaves"),
        ("web:80", b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), "nameserver's remoting port"),
    ] {
        let mut world = world_of_one_call();
        world.host(endpoint, Host::Parrot(bytes));
        let client = world.client(Config::new(endpoint).unwrap());
        let (_, error) = failed(&mut world, client);
        assert_eq!(error.kind(), ErrorKind::NoRoute, "{endpoint}");
        assert!(error.to_string().contains(part), "{endpoint}: {error}");
        assert!(error.to_string().contains("9876") || endpoint == "b:10912", "{error}");
    }
}

fn asked(world: &mut World, client: ClientId, query: Query) -> QueryError {
    let op = world.query(client, query).unwrap();
    world.run_until(5 * SECOND, |world| world.answer(client, op).is_some()).unwrap();
    world.answer(client, op).unwrap().result.clone().unwrap_err()
}

#[test]
fn obs_04_errors_of_questions_carry_the_same() {
    let (mut world, client) = pair(1, 1);
    let missing = asked(&mut world, client, Query::Queues(topic("missing")));
    assert_eq!((missing.kind(), missing.is_retriable()), (ErrorKind::NoTopic, false));
    assert_eq!(
        (missing.topic(), missing.endpoint().unwrap().as_str()),
        (Some(&topic("missing")), NS)
    );
    let queue = QueueName { topic: topic(TOPIC), broker: "broker-a".into(), queue: 0 };
    for (code, again) in [(ResponseCode::SYSTEM_BUSY, true), (ResponseCode::NO_PERMISSION, false)] {
        world.with_cluster(|cluster| cluster.push_error(RequestCode::GET_MAX_OFFSET, [code]));
        let error = asked(&mut world, client, Query::MaxOffset(queue.clone()));
        assert_eq!((error.kind(), error.code()), (ErrorKind::Rejected, Some(code)));
        assert_eq!((error.is_retriable(), error.endpoint().unwrap().as_str()), (again, BROKER));
        assert!(error.opaque().is_some());
    }
    world.stall(BROKER, Way::Down);
    let late = asked(&mut world, client, Query::MaxOffset(queue));
    assert_eq!((late.kind(), late.is_retriable()), (ErrorKind::TimedOut, true));
    assert!(late.opaque().is_some() && late.code().is_none());
}
