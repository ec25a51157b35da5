//! Access keys: what brokers that check them serve, and what clients make of a denial.

use std::time::{Duration, Instant};

use bytes::Bytes;
use rocketry::proto::body::TopicConfig;
use rocketry::proto::error::{ErrorKind, PeerKind};
use rocketry::proto::frame::{Request, RequestCode, ResponseCode};
use rocketry::proto::name::Endpoint;
use rocketry::proto::query::Target;
use rocketry::{Config, Message, SendError, Start};

use crate::broker::{Account, Acl, Perm};
use crate::cases::common::named;
use crate::cases::off::end;
use crate::cases::place::{Place, Setting};
use crate::cases::reading::{QUIET, SOON, acked, consume, drain, next, send_all};
use crate::live::{KEYS, LIMITED};
use crate::rig::{Rig, eventually, heard};

/// Brokers of 4.x and of 5.3 and later check keys, each its own way.
pub(crate) const CHECKED: &[Setting] =
    &[("aclEnable", "true"), ("authenticationEnabled", "true"), ("authorizationEnabled", "true")];

/// Topics that the limited account may do different things with, and the group it may read in.
const TO_WRITE: &str = "key_write";
const TO_READ: &str = "key_read";
const DENIED: &str = "key_deny";
const READERS: &str = "key_readers";

/// What the embedded broker knows: the accounts that live ones are started with.
pub(crate) fn accounts() -> Acl {
    let limited = Account::new(LIMITED.0, LIMITED.1)
        .topic(TO_WRITE, Perm::PUB)
        .topic(TO_READ, Perm::SUB)
        .topic(DENIED, Perm::DENY)
        .group(READERS, Perm::SUB);
    Acl::admin(KEYS.0, KEYS.1).account(limited)
}

fn with_key(place: &Place, (key, secret): (&str, &str)) -> Config {
    let mut config = place.config();
    (config.access_key, config.secret_key) = (Some(key.to_owned()), Some(secret.into()));
    config
}

/// A client that may do everything, and topics of one queue for the others.
fn admin(place: &Place, topics: &[&str]) -> Rig {
    let rig = place.rig_with(with_key(place, KEYS));
    for topic in topics {
        let made = rig.client.admin().create_topic("DefaultCluster", &TopicConfig::new(topic, 1));
        made.wait().expect("the topic is created");
        let known = || rig.client.queues(&named(topic)).wait().is_ok();
        assert!(eventually(SOON, known), "{topic} never came into the route");
    }
    rig
}

fn send(rig: &Rig, topic: &str, body: usize) -> Result<(), SendError> {
    let producer = rig.client.producer("key_writers").expect("a producer");
    producer.send(Message::new(named(topic), body.to_string())).wait().map(drop)
}

/// A send that is denied ends at once, and says nothing that is secret.
fn denied(place: &Place, config: Config, topic: &str) -> SendError {
    let secret = config.secret_key.clone();
    let rig = place.rig_with(config);
    let begun = Instant::now();
    let error = send(&rig, topic, 0).expect_err("denied");
    let took = begun.elapsed();
    place.note(format!("{:?}, after {took:?}: {error}", place.on()));
    assert!(took < Duration::from_secs(2), "{took:?}: {error}");
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    assert!(!error.is_retriable(), "{error}");
    let shown = format!("{error} {error:?}");
    assert!(!secret.is_some_and(|secret| shown.contains(secret.reveal())), "{shown}");
    assert!(!shown.contains("Signature\""), "{shown}");
    error
}

/// A producer, consumers of both kinds, offsets, locks and administration are all served.
pub(crate) fn with_a_good_key_everything_is_served(place: &Place) {
    heard::listen(None);
    let rig = admin(place, &["key_served"]);
    send_all(&rig, "key_served", 0..20);
    let mut consumer = consume(&rig, "key_served_group", "key_served", "*");
    for _ in 0..19 {
        acked(next(&mut consumer));
    }
    // One comes again by way of the broker.
    let last = next(&mut consumer);
    let number = crate::cases::reading::number(&last);
    assert!(last.retry_after(Duration::from_secs(1)).is_taken());
    let again = next(&mut consumer);
    assert_eq!(crate::cases::reading::number(&again), number);
    acked(again);
    drop(consumer);
    let builder = rig.client.consumer("key_orderly_group").expect("a group");
    let builder = builder.topic("key_served", "*").start_at(Start::First).orderly();
    let mut orderly = builder.start().expect("a consumer");
    for _ in 0..20 {
        acked(next(&mut orderly));
    }
    drop(orderly);
    let id = rig.client.id();
    rig.client.shutdown().wait().expect("an end");
    for trouble in ["refused", "AclException", "NO_PERMISSION"] {
        assert_eq!(heard::lines(&id, trouble), []);
    }
}

pub(crate) fn a_wrong_secret_ends_a_send_at_once(place: &Place) {
    let _admin = admin(place, &[DENIED]);
    let error = denied(place, with_key(place, (KEYS.0, "a-wrong-secret")), DENIED);
    let text = error.to_string().to_lowercase();
    assert!(text.contains("check signature failed"), "{text}");
    let error = denied(place, with_key(place, ("nobody-of-that-name", "a-wrong-secret")), DENIED);
    assert!(error.to_string().contains("nobody-of-that-name"), "{error}");
}

pub(crate) fn a_client_without_a_key_is_told_that_one_is_needed(place: &Place) {
    let _admin = admin(place, &[DENIED]);
    let error = denied(place, place.config(), DENIED);
    let of_2 = error.code() == Some(ResponseCode::NO_PERMISSION);
    assert!(of_2 || error.to_string().contains("AclException"), "{error}");
    assert!(error.to_string().contains("access_key"), "it says what is missing: {error}");
}

/// Brokers with ACL 2.0 are told of accounts while they run; others have theirs in a file.
fn tell_accounts(place: &Place, rig: &Rig) {
    if place.served().is_some() || place.version().starts_with("4.") {
        return;
    }
    let broker = Endpoint::parse(&place.broker()).expect("an address");
    let tell = |code: i32, field: (&str, &str), body: String| {
        let fields = vec![(Box::from(field.0), Box::from(field.1))];
        let request = Request::Unknown { code: RequestCode(code), fields };
        let target = Target::Peer(PeerKind::Broker, broker.clone());
        let answer = rig.client.admin().call(target, request, Bytes::from(body)).wait();
        let answer = answer.expect("an answer");
        assert_eq!(answer.code, ResponseCode::SUCCESS, "{code}: {:?}", answer.remark);
    };
    let (name, password) = LIMITED;
    let kind = r#""userType":"Normal","userStatus":"enable""#;
    let user = format!(r#"{{"username":"{name}","password":"{password}",{kind}}}"#);
    tell(3001, ("username", name), user);
    let entry = |resource: &str, actions: &str, decision: &str| {
        format!(r#"{{"resource":"{resource}","actions":[{actions}],"decision":"{decision}"}}"#)
    };
    let entries = [
        entry(&format!("Topic:{TO_WRITE}"), "\"Pub\"", "Allow"),
        entry(&format!("Topic:{TO_READ}"), "\"Sub\"", "Allow"),
        entry(&format!("Topic:{DENIED}"), "\"Pub\",\"Sub\"", "Deny"),
        entry(&format!("Group:{READERS}"), "\"Sub\"", "Allow"),
    ];
    let subject = format!("User:{name}");
    let policies = format!(r#"[{{"policyType":"Custom","entries":[{}]}}]"#, entries.join(","));
    let acl = format!(r#"{{"subject":"{subject}","policies":{policies}}}"#);
    tell(3006, ("subject", &subject), acl);
}

pub(crate) fn what_an_account_may_do_holds_for_each_operation(place: &Place) {
    let admin = admin(place, &[TO_WRITE, TO_READ, DENIED]);
    tell_accounts(place, &admin);
    let limited = place.rig_with(with_key(place, LIMITED));
    let at = || end(&admin.client, &place.broker(), TO_WRITE).unwrap_or(0);
    let before = at();
    send(&limited, TO_WRITE, 1).expect("it may write");
    for topic in [TO_READ, DENIED] {
        let error = denied(place, with_key(place, LIMITED), topic);
        assert!(error.to_string().contains(topic), "{error}");
        send(&admin, topic, 1).expect("an administrator may");
    }
    let reads = |topic: &str| {
        let rig = place.rig_with(with_key(place, LIMITED));
        let mut consumer = consume(&rig, READERS, topic, "*");
        let read = drain(&mut consumer, QUIET * 8);
        drop(consumer);
        rig.client.shutdown().wait().expect("an end");
        read
    };
    assert_eq!(reads(TO_READ), [1]);
    for topic in [TO_WRITE, DENIED] {
        assert_eq!(reads(topic), [0; 0], "{topic}");
    }
    // Others write there at the same time.
    assert!(eventually(SOON, || at() > before), "what was written is there");
}

pub(crate) fn a_consumer_whose_group_is_denied_reports_it(place: &Place) {
    heard::listen(None);
    let admin = admin(place, &[TO_READ]);
    tell_accounts(place, &admin);
    let rig = place.rig_with(with_key(place, LIMITED));
    let _consumer = consume(&rig, "key_intruders", TO_READ, "*");
    let told = || -> Vec<String> {
        let lines = heard::lines(&rig.client.id(), "key_intruders");
        lines.into_iter().map(|(_, line)| line).filter(|line| line.contains("heartbeat")).collect()
    };
    assert!(eventually(QUIET * 5, || !told().is_empty()), "{:?}", told());
    std::thread::sleep(QUIET * 10);
    let lines = told();
    place.note(format!("{:?}: {lines:?}", place.on()));
    assert_eq!(lines.len(), 1, "once a minute: {lines:?}");
}
