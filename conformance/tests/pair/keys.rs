//! Access keys: what leaves signed, and what becomes of requests that brokers deny.

use rocketry_conformance::broker::{Account, Acl, ClusterConfig, Perm};
use rocketry_conformance::sim::{ClientId, Pace, World};
use rocketry_core::config::{Config, Credentials, RotatingCredentials};
use rocketry_core::consumer::{Start, Subscribe};
use rocketry_core::engine::Note;
use rocketry_core::error::{DeniedAsk, ErrorKind, SendError, Stored};
use rocketry_core::frame::{RequestCode, ResponseCode};
use rocketry_core::message::Message;
use rocketry_core::name::{Group, QueueName};
use rocketry_core::query::Query;
use rocketry_core::transaction::{HalfOptions, Resolution, TransactionState};

use crate::setting::*;

const KEY: &str = "billing-key";
const SECRET: &str = "billing-secret";
/// The versions of brokers that check keys as ACL 1.0 and 2.0 do.
const VERSIONS: [i32; 2] = [407, 479];

fn acl() -> Acl {
    let limited = Account::new("limited", SECRET)
        .topic("to_write", Perm::PUB)
        .topic("to_read", Perm::SUB)
        .topic(TOPIC, Perm::PUB_SUB)
        .group("readers", Perm::SUB);
    Acl::admin(KEY, SECRET).account(limited)
}

fn guarded(version: i32) -> World {
    let mut cluster = ClusterConfig::default().acl(acl()).topic(TOPIC, 4);
    for name in ["to_write", "to_read", "denied"] {
        cluster = cluster.topic(name, 2);
    }
    cluster.version = version;
    World::new(7, cluster)
}

fn with_key(key: &str, secret: &str) -> Config {
    let mut config = config();
    (config.access_key, config.secret_key) = (Some(key.to_owned()), Some(secret.into()));
    config
}

fn refused(world: &mut World, client: ClientId, name: &str) -> SendError {
    let op = world.try_send(client, Message::new(topic(name), "x"));
    world.end_of(client, op.unwrap()).1.unwrap_err()
}

fn asked(world: &World, code: RequestCode) -> u64 {
    world.cluster().requests(code)
}

/// Whether the text, or what shows of its data, tells a secret.
fn shows(error: &SendError) -> bool {
    let shown = format!("{error} {error:?}");
    shown.contains(SECRET) || shown.contains("Signature")
}

#[test]
fn acl_09_no_request_leaves_unsigned() {
    for version in VERSIONS {
        let mut world = guarded(version);
        let producer = world.client(with_key(KEY, SECRET));
        world.produce(producer);
        store_many(&mut world, producer, 20);
        // Some are given back and come again by way of the broker; queues are locked.
        let mut orderly = from_first("in_order");
        orderly.options = orderly.options.orderly();
        let first = world.client(with_key(KEY, SECRET));
        let second = world.client(with_key(KEY, SECRET));
        world.subscribe(first, from_first(GROUP), Pace::AtOnce).unwrap();
        world.subscribe(second, orderly, Pace::InOrder(ms(1))).unwrap();
        world.run_for(90 * SECOND);
        let queue = QueueName { topic: topic(TOPIC), broker: "broker-a".into(), queue: 0 };
        for query in [Query::MinOffset(queue.clone()), Query::MaxOffset(queue)] {
            let op = world.query(first, query).unwrap();
            world.run_for(SECOND);
            assert!(world.answer(first, op).is_some_and(|ended| ended.result.is_ok()));
        }
        for client in [producer, first, second] {
            world.shutdown(client);
        }
        world.run_for(10 * SECOND);
        assert_eq!(world.delivered().len(), 40, "both groups have read all");
        for code in [
            RequestCode::GET_ROUTEINFO_BY_TOPIC,
            RequestCode::HEART_BEAT,
            RequestCode::SEND_MESSAGE_V2,
            RequestCode::PULL_MESSAGE,
            RequestCode::GET_CONSUMER_LIST_BY_GROUP,
            RequestCode::QUERY_CONSUMER_OFFSET,
            RequestCode::UPDATE_CONSUMER_OFFSET,
            RequestCode::LOCK_BATCH_MQ,
            RequestCode::UNLOCK_BATCH_MQ,
            RequestCode::UNREGISTER_CLIENT,
        ] {
            assert!(asked(&world, code) > 0, "{code} was never sent");
        }
        assert_eq!(world.cluster().unsigned(), [], "version {version}");
    }
}

#[test]
fn acl_05_a_wrong_secret_ends_a_send_at_once_and_shows_nowhere() {
    for version in VERSIONS {
        let mut world = guarded(version);
        let client = world.client(with_key(KEY, &format!("not-{SECRET}")));
        let begun = world.now();
        let error = refused(&mut world, client, TOPIC);
        assert!(world.now().since(begun) < SECOND, "{error}");
        assert_eq!((error.kind(), error.stored()), (ErrorKind::Denied, Stored::No));
        assert!(!error.is_retriable() && !shows(&error), "{error:?}");
        let text = error.to_string().to_lowercase();
        assert!(text.contains("check signature failed") && text.contains("secret_key"), "{text}");
        assert_eq!(asked(&world, RequestCode::SEND_MESSAGE_V2), 1, "no other try helps");
    }
}

/// Also one that waits for its brokers to know the client, which they never will.
#[test]
fn acl_05_a_request_that_is_denied_ends_at_once() {
    for version in VERSIONS {
        let mut world = guarded(version);
        let client = world.client(with_key(KEY, "wrong-secret"));
        for _ in 0..2 {
            let begun = world.now();
            let op = world.request(client, message("x"), 3 * SECOND).unwrap();
            let error = world.end_of_request(client, op).1.unwrap_err();
            let took = world.now().since(begun);
            assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
            assert!(took < ms(200), "{took:?}");
        }
    }
}

#[test]
fn acl_05_another_broker_has_the_same_accounts_and_stays_in_good_health() {
    let mut world = World::new(7, ClusterConfig::default().brokers(2).acl(acl()).topic(TOPIC, 4));
    let client = world.client(with_key(KEY, "wrong-secret"));
    refused(&mut world, client, TOPIC);
    assert_eq!(asked(&world, RequestCode::SEND_MESSAGE_V2), 1);
    // Both are used as before once the key is good.
    world.with_cluster(|cluster| cluster.set_acl(Some(Acl::admin(KEY, "wrong-secret"))));
    store_many(&mut world, client, 8);
    let stored = |broker| -> usize {
        (0..4).map(|queue| world.cluster().messages(broker, TOPIC, queue).items().count()).sum()
    };
    assert_eq!((stored(0), stored(1)), (4, 4));
}

#[test]
fn acl_06_a_client_without_a_key_is_told_that_one_is_needed() {
    for (version, words) in VERSIONS.into_iter().zip(["No accessKey", "username cannot be null"]) {
        let mut world = guarded(version);
        let client = world.client(config());
        let error = refused(&mut world, client, TOPIC);
        assert_eq!(error.kind(), ErrorKind::Denied);
        let text = error.to_string();
        assert!(text.contains(words) && text.contains("access_key"), "{text}");
        let code = if version < 473 { 1 } else { 16 };
        assert_eq!(error.code(), Some(ResponseCode(code)));
    }
}

#[test]
fn acl_07_what_an_account_may_do_holds_for_each_operation() {
    for version in VERSIONS {
        let mut world = guarded(version);
        let admin = world.client(with_key(KEY, SECRET));
        let client = world.client(with_key("limited", SECRET));
        let write = |world: &mut World, client, name| {
            let message = Message::new(topic(name), "x");
            let op = world.try_send(client, message).unwrap();
            world.end_of(client, op).1
        };
        write(&mut world, client, "to_write").unwrap();
        for name in ["to_read", "denied"] {
            write(&mut world, admin, name).unwrap();
            let error = write(&mut world, client, name).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
            assert!(error.to_string().contains(name), "{error}");
        }
        let reads = |world: &mut World, name: &str| {
            let group = Group::new("readers").unwrap();
            let mut subscribe = Subscribe::new(group, topic(name));
            subscribe.options.start = Start::First;
            let (client, before) =
                (world.client(with_key("limited", SECRET)), world.delivered().len());
            let sub = world.subscribe(client, subscribe, Pace::AtOnce).unwrap();
            world.run_for(30 * SECOND);
            let count = world.delivered().len() - before;
            world.leave(client, sub).unwrap();
            world.run_for(5 * SECOND);
            count
        };
        assert_eq!(reads(&mut world, "to_read"), 1);
        for name in ["to_write", "denied"] {
            assert_eq!(reads(&mut world, name), 0, "{name}");
        }
    }
}

#[test]
fn acl_07_who_may_write_a_topic_and_not_read_it_ends_transactions_by_checks_too() {
    for version in VERSIONS {
        let mut world = guarded(version);
        let client = world.client(with_key("limited", SECRET));
        world.answer_for(client);
        let message = Message::new(topic("to_write"), "x");
        let (op, id) = world.begin(client, message, HalfOptions::default()).unwrap();
        world.end_of(client, op).1.unwrap();
        // The process that began it says nothing more.
        assert!(world.leave_half(client, id));
        for _ in 0..6 {
            world.run_for(30 * SECOND);
            for (_, check, _) in world.take_checks(client) {
                world.answer_check(client, check, Resolution::Commit);
            }
        }
        let (copies, halves) = (world.copies("to_write", id.as_str()), world.cluster().halves(0));
        // Answers that come as late as this may be of several copies of it.
        assert!(copies > 0 && halves == 0, "version {version}: {copies}, {halves}");
    }
}

#[test]
fn acl_05_an_end_that_is_denied_says_so_and_is_told_again_by_checks() {
    for version in VERSIONS {
        let mut world = guarded(version);
        let client = world.client(with_key(KEY, SECRET));
        world.answer_for(client);
        let (op, id) = world.begin(client, message("x"), HalfOptions::default()).unwrap();
        world.end_of(client, op).1.unwrap();
        // The account is gone for a while.
        world.with_cluster(|cluster| cluster.set_acl(Some(Acl::admin("another", SECRET))));
        let op = world.resolve(client, id, Resolution::Commit).unwrap();
        world.run_for(SECOND);
        let ended = world.transaction_end(client, op).unwrap().result.clone();
        let error = ended.map(|receipt| receipt.state).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
        assert_ne!(error, rocketry_core::error::TransactionError::Decided);
        world.with_cluster(|cluster| cluster.set_acl(Some(acl())));
        world.run_for(100 * SECOND);
        assert_eq!((world.copies(TOPIC, id.as_str()), world.cluster().halves(0)), (1, 0));
        let (op, id) = world.begin(client, message("y"), HalfOptions::default()).unwrap();
        world.end_of(client, op).1.unwrap();
        let op = world.resolve(client, id, Resolution::Commit).unwrap();
        world.run_for(SECOND);
        let ended = world.transaction_end(client, op).unwrap().result.clone();
        assert_eq!(ended.unwrap().state, TransactionState::Committed);
    }
}

#[test]
fn acl_05_a_denied_topic_whose_name_says_forbidden_is_denied_once() {
    let cluster = ClusterConfig::default().brokers(2).acl(acl()).topic("forbidden_fruit", 2);
    let mut world = World::new(7, cluster);
    let client = world.client(with_key("limited", SECRET));
    let error = refused(&mut world, client, "forbidden_fruit");
    assert_eq!((error.kind(), error.is_retriable()), (ErrorKind::Denied, false), "{error}");
    assert_eq!(asked(&world, RequestCode::SEND_MESSAGE_V2), 1, "no other broker helps");
}

#[test]
fn acl_10_a_token_of_any_length_goes_with_each_request() {
    let mut world = World::new(7, ClusterConfig::default().topic(TOPIC, 2));
    let mut settings = with_key(KEY, SECRET);
    settings.security_token = Some("t".repeat(100_000).into());
    let client = world.client(settings);
    store(&mut world, client, "x");
}

#[test]
fn acl_05_a_route_that_is_denied_ends_calls_at_once() {
    let mut world = guarded(479);
    // As an authenticating proxy does in the place of a nameserver.
    let denials = [ResponseCode::NO_PERMISSION; 2];
    world.with_cluster(|cluster| {
        cluster.push_error(RequestCode::GET_ROUTEINFO_BY_TOPIC, denials);
    });
    // In other words than those of a topic that nobody may read.
    world.tamper(|_, _, bytes| _ = reword(bytes, "it is forbidden", "no rights there"));
    let client = world.client(with_key(KEY, SECRET));
    let begun = world.now();
    let error = refused(&mut world, client, TOPIC);
    assert!(world.now().since(begun) < SECOND, "{error}");
    assert_eq!((error.kind(), error.is_retriable()), (ErrorKind::Denied, false), "{error}");
    assert!(error.to_string().contains("access_key"), "{error}");
    let op = world.query(client, Query::Queues(topic(TOPIC))).unwrap();
    world.run_for(SECOND);
    let answer = world.answer(client, op).expect("an end at once");
    let error = answer.result.as_ref().unwrap_err();
    assert_eq!((error.kind(), error.is_retriable()), (ErrorKind::Denied, false), "{error}");
    // The account gets the right.
    store(&mut world, client, "x");
}

#[test]
fn acl_08_a_consumer_whose_group_is_denied_says_so_at_once_and_again_once_a_minute() {
    for version in VERSIONS {
        let mut world = guarded(version);
        let client = world.client(with_key("limited", SECRET));
        let sub = world.subscribe(client, from_first("intruders"), Pace::AtOnce).unwrap();
        let shown = |world: &World| world.engine(client).denied(sub);
        let told = |world: &World| -> Vec<String> {
            let denied = |note: &&Note| matches!(note, Note::HeartbeatRefused { .. });
            world.notes(client).filter(denied).map(ToString::to_string).collect()
        };
        world.run_for(SECOND);
        let first = told(&world);
        assert_eq!(first.len(), 1, "{first:?}");
        assert!(first[0].contains("it serves no consumer of intruders: "), "{first:?}");
        assert!(first[0].contains("look at access_key and secret_key here"), "{first:?}");
        let denied = shown(&world).expect("the heartbeat is denied");
        assert!(denied.to_string().contains("access_key"), "{denied}");
        world.run_for(129 * SECOND);
        assert_eq!(told(&world).len(), 3, "{:?}", told(&world));
        let beats = asked(&world, RequestCode::HEART_BEAT);
        assert!(beats <= 140, "{beats} heartbeats in 130 s");
        // The account gets the right, and the consumer goes on by itself.
        let account = Account::new("limited", SECRET)
            .topic(TOPIC, Perm::PUB_SUB)
            .group("intruders", Perm::SUB);
        world.with_cluster(|cluster| {
            cluster.set_acl(Some(Acl::default().account(account)));
        });
        world.run_for(5 * SECOND);
        assert_eq!(shown(&world), None);
        store(&mut world, client, "x");
        world.run_until(5 * SECOND, |world| world.delivered().len() == 1).unwrap();
    }
}

#[test]
fn acl_08_a_consumer_is_named_also_where_its_producer_was_denied_before() {
    let mut world = guarded(VERSIONS[0]);
    let client = world.client(with_key("limited", "wrong"));
    world.attend(client, &topic(TOPIC));
    world.produce(client);
    world.run_for(3 * SECOND);
    let named = |world: &World| {
        let names = |note: &Note| note.to_string().contains("it serves no consumer of readers");
        world.notes(client).filter(|note| names(note)).count()
    };
    world.subscribe(client, from_first("readers"), Pace::AtOnce).unwrap();
    world.run_for(5 * SECOND);
    assert_eq!(named(&world), 1);
    world.run_for(50 * SECOND);
    assert_eq!(named(&world), 1, "once a minute");
}

/// A denial shows for as long as it lasts, of whichever of the consumer's requests it is.
#[test]
fn acl_08_what_is_denied_to_a_consumer_shows_until_it_is_served() {
    for version in VERSIONS {
        let mut world = guarded(version);
        let client = world.client(with_key("limited", SECRET));
        let sub = world.subscribe(client, from_first("readers"), Pace::AtOnce).unwrap();
        world.run_for(5 * SECOND);
        assert_eq!(world.engine(client).denied(sub), None);
        // The broker knows the client: heartbeats are 30 s apart, and pulls are denied at once.
        let may = |perm| Account::new("limited", SECRET).topic(TOPIC, perm).group("readers", perm);
        let set = |world: &mut World, perm| {
            let acl = Acl::default().account(may(perm));
            world.with_cluster(|cluster| cluster.set_acl(Some(acl)));
        };
        set(&mut world, Perm::PUB);
        world.run_for(20 * SECOND);
        let denied = world.engine(client).denied(sub).expect("pulls are denied");
        assert!(denied.to_string().contains("broker"), "{denied}");
        let stats = &world.engine(client).snapshot(world.now()).consumers[0];
        assert_eq!(stats.denied.first(), Some(&denied));
        assert!(stats.denied.iter().any(|one| one.what == DeniedAsk::Queue), "{stats}");
        assert!(stats.to_string().contains("denied by broker "), "{stats}");
        world.run_for(100 * SECOND);
        assert!(world.engine(client).denied(sub).is_some());
        set(&mut world, Perm::PUB_SUB);
        world.run_for(40 * SECOND);
        assert_eq!(world.engine(client).denied(sub), None);
        store(&mut world, client, "x");
        world.run_until(5 * SECOND, |world| world.delivered().len() == 1).unwrap();
    }
}

#[test]
fn acl_11_a_key_that_is_replaced_is_used_by_the_next_request() {
    let mut world = guarded(479);
    let keys = RotatingCredentials::new(Credentials::new(KEY, SECRET));
    let mut settings = config();
    settings.credentials = Some(keys.provider());
    let client = world.client(settings);
    consume(&mut world, client, Pace::AtOnce);
    store(&mut world, client, "before");
    world.run_until(5 * SECOND, |world| world.delivered().len() == 1).unwrap();
    // What is on its way comes first: requests that are encoded keep their signature.
    world.run_for(SECOND);
    keys.replace(Credentials::new("next-key", "next-secret"));
    world.with_cluster(|cluster| cluster.set_acl(Some(Acl::admin("next-key", "next-secret"))));
    store(&mut world, client, "after");
    world.run_for(60 * SECOND);
    assert_eq!(world.delivered().len(), 2, "the same connections go on");
    assert_eq!(world.cluster().unsigned(), []);
}

#[test]
fn acl_12_nothing_that_a_client_says_shows_a_secret() {
    let mut world = guarded(479);
    let client = world.client(with_key(KEY, "wrong-secret"));
    consume(&mut world, client, Pace::AtOnce);
    let error = refused(&mut world, client, TOPIC);
    world.run_for(130 * SECOND);
    let notes: Vec<String> = world.notes(client).map(|note| format!("{note} {note:?}")).collect();
    assert!(!notes.is_empty());
    let engine = format!("{:?}", world.engine(client).config());
    for text in notes.iter().chain([&engine, &error.to_string()]) {
        assert!(!text.contains("wrong-secret") && !text.contains("Signature"), "{text}");
    }
}

/// Whatever of a consumer's questions is denied, it shows, and until it is granted.
#[test]
fn acl_08_denied_locks_members_and_routes_show_as_well() {
    let orderly = |mut subscribe: Subscribe| {
        subscribe.options = subscribe.options.orderly();
        subscribe
    };
    for (code, what) in [
        (RequestCode::LOCK_BATCH_MQ, DeniedAsk::Locks),
        (RequestCode::GET_CONSUMER_LIST_BY_GROUP, DeniedAsk::Members),
        (RequestCode::GET_ROUTEINFO_BY_TOPIC, DeniedAsk::Route),
    ] {
        let mut world = World::new(7, ClusterConfig::default().topic(TOPIC, 2));
        world.with_cluster(|cluster| {
            cluster.push_error(code, [ResponseCode::NO_PERMISSION; 10_000]);
        });
        // In other words than those of a topic that nobody may read.
        world.tamper(|_, _, bytes| _ = reword(bytes, "it is forbidden", "no rights there"));
        let client = world.client(with_key(KEY, SECRET));
        let sub = world.subscribe(client, orderly(from_first("readers")), Pace::AtOnce).unwrap();
        world.run_for(5 * SECOND);
        let denied = world.engine(client).denied(sub);
        let denied = denied.unwrap_or_else(|| panic!("{code:?} is denied"));
        assert!(denied.to_string().contains("access_key"), "{denied}");
        assert_eq!(denied.what, what);
        let stats = world.engine(client).snapshot(world.now()).consumers[0].to_string();
        assert!(stats.contains(&format!("denied by {denied}")), "{stats}");
        world.with_cluster(|cluster| cluster.clear_faults());
        world.run_for(10 * SECOND);
        assert_eq!(world.engine(client).denied(sub), None, "{code:?}");
    }
}
