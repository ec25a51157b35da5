//! What leaves signed: every request as it stands on the wire, in both forms, anew each time.
#![cfg(feature = "acl")]
#![expect(clippy::unwrap_used, reason = "a test that fails says where")]

use std::sync::Arc;

use bytes::Bytes;
use rocketry_core::auth::{
    Credentials, CredentialsProvider, RotatingCredentials, SECURITY_TOKEN, SIGNATURE,
    UNIQUE_KEY_QUERY, is_signed,
};
use rocketry_core::config::Config;
use rocketry_core::frame::request::{PlainRequest, PullRequest, QueryMessageRequest};
use rocketry_core::frame::{
    HeaderForm, Inbound, Kind, Limits, Opaque, OutFrame, Outbound, Pairs, ReplyFields, Request,
    RequestCode, ResponseCode,
};
use rocketry_core::message::{Message, MessageLimits, Publish, UniqueIds};
use rocketry_core::name::{Group, Topic};
use rocketry_core::time::UnixMillis;

fn credentials() -> Credentials {
    Credentials::new("AK \u{5173}", "12345678")
}

fn config(credentials: Credentials) -> Config {
    let mut config = Config::default();
    config.credentials = Some(CredentialsProvider::fixed(credentials));
    config
}

/// What a server gets: the version, the fields in the order of the wire, the body.
fn sent(outbound: &mut Outbound, frame: &OutFrame) -> (i32, Pairs, Bytes) {
    outbound.push(frame).unwrap();
    let mut inbound = Inbound::new(Limits::default());
    while !outbound.is_empty() {
        let mut slices = [std::io::IoSlice::new(&[]); 4];
        let count = outbound.slices(&mut slices);
        let bytes: Vec<u8> = slices[..count].iter().flat_map(|slice| slice.to_vec()).collect();
        let space = inbound.space();
        let taken = bytes.len().min(space.len());
        space[..taken].copy_from_slice(&bytes[..taken]);
        inbound.filled(taken);
        outbound.advance(taken);
    }
    let whole = inbound.next(|head| (head.version, head.fields.to_pairs().unwrap()));
    let whole = whole.unwrap().unwrap();
    (whole.content.0, whole.content.1, whole.body)
}

fn field<'a>(fields: &'a Pairs, name: &str) -> Option<&'a str> {
    fields.iter().rev().find(|(known, _)| **known == *name).map(|(_, value)| &**value)
}

/// Whether the server computes the same signature, by what it reads.
fn is_good(credentials: &Credentials, code: RequestCode, sent: &(i32, Pairs, Bytes)) -> bool {
    let (version, fields, body) = sent;
    let counts = |name: &str| is_signed(code, name, *version, 479);
    let signed = fields.iter().filter(|(name, _)| counts(name));
    let signed = signed.map(|(name, value)| (&**name, &**value));
    field(fields, SIGNATURE) == Some(&*credentials.sign(signed, body))
}

fn publish(body: Vec<u8>) -> OutFrame {
    let topic = Topic::new("orders").unwrap();
    let group = Group::new("signers").unwrap();
    let message = Message::new(topic, body)
        .tag("a\"b\\c")
        .key("\u{5173}\u{FF5E}\u{1F600}")
        .property("path", "C:\\new\ttab\r\n");
    let ids = UniqueIds::new([10, 0, 0, 1], 7, 0x1234);
    let born = UnixMillis(1_700_000_000_000);
    let mut limits = MessageLimits::default();
    limits.compression = None;
    let publish = Publish::new(message, &group, ids.next(born), born, &limits).unwrap();
    OutFrame::publish(Opaque::new(Kind::Send, 1), Arc::new(publish), 3, Arc::from("broker-\"a"))
}

fn frames() -> Vec<(RequestCode, OutFrame)> {
    let opaque = Opaque::new(Kind::Plain, 2);
    let pair = |name: &str, value: &str| (Box::from(name), Box::from(value));
    // An emoji stands before U+FF5E in UTF-16, and behind it in UTF-8.
    let odd = vec![
        pair("\u{FF5E}", "4"),
        pair("\u{1F600}", "3"),
        pair("a\"\\", "\u{1}\u{2}\u{1f}"),
        pair("Z", "\u{5173}"),
        pair("empty", ""),
        pair(SIGNATURE, "old"),
        pair("AccessKey", "another"),
    ];
    let code = RequestCode(4711);
    let unknown = Request::Unknown { code, fields: odd };
    let pull = PullRequest {
        consumer_group: "signers".into(),
        topic: "orders".into(),
        subscription: Some("a || b".into()),
        ..PullRequest::default()
    };
    let lock = Request::Lock(PlainRequest::default());
    let body = Bytes::from_static(b"{\"clientId\":\"me\"}");
    let search = QueryMessageRequest {
        topic: "orders".into(),
        key: "0A000001".into(),
        unique: Some(true),
        ..QueryMessageRequest::default()
    };
    vec![
        (RequestCode::SEND_MESSAGE_V2, publish(b"hello".to_vec())),
        (RequestCode::SEND_MESSAGE_V2, publish(vec![7; 10_000])),
        (code, OutFrame::request(opaque, unknown)),
        (RequestCode::PULL_MESSAGE, OutFrame::request(opaque, Request::Pull(pull))),
        (RequestCode::LOCK_BATCH_MQ, OutFrame::request_with_body(opaque, lock.clone(), body)),
        (
            RequestCode::UNLOCK_BATCH_MQ,
            OutFrame::oneway(opaque, Request::Unlock(PlainRequest::default())),
        ),
        (RequestCode::QUERY_MESSAGE, OutFrame::request(opaque, Request::QueryMessage(search))),
    ]
}

#[test]
fn acl_02_every_request_is_signed_as_the_server_reads_it_in_both_forms() {
    let credentials = credentials();
    for form in [HeaderForm::Json, HeaderForm::Binary] {
        let mut outbound = Outbound::of(&config(credentials.clone())).in_form(form);
        for (code, frame) in frames() {
            let first = sent(&mut outbound, &frame);
            assert!(is_good(&credentials, code, &first), "{form:?} {code}: {first:?}");
            assert_eq!(field(&first.1, "AccessKey"), Some("AK \u{5173}"));
            let again = sent(&mut outbound, &frame);
            assert_eq!(first, again, "a request that is sent again is signed anew");
        }
    }
}

#[test]
fn acl_02_a_search_by_unique_id_shows_a_version_at_which_no_broker_signs_its_mark() {
    let (code, frame) = frames().pop().unwrap();
    let mut outbound = Outbound::of(&config(credentials()));
    let signed = sent(&mut outbound, &frame);
    assert_eq!((signed.0, field(&signed.1, UNIQUE_KEY_QUERY)), (399, Some("true")));
    let others = signed.1.iter().filter(|(name, _)| is_signed(code, name, 399, 407));
    let content: Vec<_> = others.map(|(name, value)| (&**name, &**value)).collect();
    assert!(content.iter().all(|(name, _)| *name != UNIQUE_KEY_QUERY));
    let own = credentials().sign(content, &signed.2);
    assert_eq!(field(&signed.1, SIGNATURE), Some(&*own), "as 4.9.7 computes it");
    let plain = sent(&mut Outbound::of(&Config::default()), &frame);
    assert_eq!((plain.0, field(&plain.1, SIGNATURE)), (479, None), "unsigned, nothing changes");
}

#[test]
fn acl_10_a_token_is_sent_and_signed() {
    let credentials = credentials().security_token("sts-token");
    let mut outbound = Outbound::of(&config(credentials.clone()));
    for (code, frame) in frames() {
        let sent = sent(&mut outbound, &frame);
        assert_eq!(field(&sent.1, SECURITY_TOKEN), Some("sts-token"));
        assert!(is_good(&credentials, code, &sent), "{code}: {sent:?}");
        let without = Credentials::new("AK \u{5173}", "12345678");
        let body = &sent.2;
        let fields = sent.1.iter().filter(|(name, _)| **name != *SECURITY_TOKEN);
        let fields = fields.map(|(name, value)| (&**name, &**value));
        let fields = fields.filter(|(name, _)| is_signed(code, name, sent.0, 479));
        assert_ne!(field(&sent.1, SIGNATURE), Some(&*without.sign(fields, body)));
    }
}

#[test]
fn acl_11_the_next_request_is_signed_by_the_credentials_of_then() {
    let (old, new) = (credentials(), Credentials::new("next", "87654321"));
    let rotating = RotatingCredentials::new(old.clone());
    let mut settings = Config::default();
    settings.credentials = Some(rotating.provider());
    let mut outbound = Outbound::of(&settings);
    let (code, frame) = frames().remove(0);
    assert!(is_good(&old, code, &sent(&mut outbound, &frame)));
    rotating.replace(new.clone());
    let after = sent(&mut outbound, &frame);
    assert!(is_good(&new, code, &after) && !is_good(&old, code, &after));
    assert_eq!(field(&after.1, "AccessKey"), Some("next"));
}

#[test]
fn a_provider_that_panics_leaves_the_last_credentials_in_use() {
    let (old, mut settings) = (Arc::new(credentials()), Config::default());
    let asked = std::sync::atomic::AtomicU32::new(0);
    let given = old.clone();
    settings.credentials = Some(CredentialsProvider::new(move || {
        let nth = asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        assert!(nth == 1, "as it should");
        given.clone()
    }));
    let mut outbound = Outbound::of(&settings);
    let (code, frame) = frames().remove(0);
    assert_eq!(field(&sent(&mut outbound, &frame).1, SIGNATURE), None, "there is no key yet");
    for _ in 0..2 {
        assert!(is_good(&old, code, &sent(&mut outbound, &frame)));
    }
}

#[test]
fn a_namespace_is_signed_too_and_answers_are_neither() {
    let mut settings = config(credentials());
    settings.namespace_v2 = Some("south".to_owned());
    let mut outbound = Outbound::of(&settings);
    for (code, frame) in frames() {
        let sent = sent(&mut outbound, &frame);
        assert_eq!((field(&sent.1, "ns"), field(&sent.1, "nsd")), (Some("south"), Some("true")));
        assert!(is_good(&credentials(), code, &sent), "{code}: {sent:?}");
    }
    let opaque = Opaque::new(Kind::Plain, 2);
    let reply = OutFrame::reply(opaque, ResponseCode::SUCCESS, ReplyFields::None, Bytes::new());
    assert_eq!(sent(&mut outbound, &reply).1, Pairs::new());
    settings.credentials = None;
    let alone = sent(&mut Outbound::of(&settings), &frames().remove(0).1);
    assert_eq!((field(&alone.1, "ns"), field(&alone.1, SIGNATURE)), (Some("south"), None));
}
