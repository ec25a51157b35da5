//! Batches: every element a message of its own.

use std::sync::Arc;

use bytes::Bytes;
use rocketry_conformance::broker::{ClusterConfig, Fault, Requests};
use rocketry_core::frame::reply::SendReply;
use rocketry_core::frame::request::SendRequest;
use rocketry_core::frame::{Kind, ReplyFields, Request, ResponseCode};
use rocketry_core::message::{Batched, OffsetMessageId, Properties};

use crate::world::*;

fn batch_of(elements: &[(&str, &str)]) -> Vec<u8> {
    let mut body = Vec::new();
    for (index, (text, properties)) in elements.iter().enumerate() {
        let element = Batched {
            flag: index as i32,
            body: text.as_bytes(),
            properties: Properties::new(properties.as_bytes()),
        };
        element.encode_into(&mut body).unwrap();
    }
    body
}

fn batch(topic: &str, queue: i32) -> SendRequest {
    let properties = Some(Arc::from("WAIT\u{1}true\u{2}"));
    SendRequest { batch: Some(true), properties, ..message(topic, queue) }
}

fn send(
    world: &mut World,
    client: &mut Client,
    request: SendRequest,
    body: Vec<u8>,
) -> (ResponseCode, Option<SendReply>, String) {
    let opaque = world.send_as(client, Kind::Send, Request::SendBatch(request), body.into(), false);
    let mut frames = world.received(client);
    let at = frames.iter().position(|frame| frame.opaque == opaque).expect("a reply at once");
    let (reply, _) = reply_of(frames.swap_remove(at));
    let words = reply.remark.unwrap_or_default().into();
    match reply.fields.unwrap() {
        ReplyFields::Send(sent) => (reply.code, Some(sent), words),
        _ => (reply.code, None, words),
    }
}

#[test]
fn batch_02_the_elements_of_a_batch_have_offsets_and_ids_one_after_the_other() {
    let mut world = World::one_topic(2);
    let mut client = world.connect(BROKER);
    world.publish(&mut client, message(TOPIC, 1), "before");
    let body = batch_of(&[
        ("one", "UNIQ_KEY\u{1}U1\u{2}TAGS\u{1}A\u{2}"),
        ("two", "UNIQ_KEY\u{1}U2\u{2}KEYS\u{1}k"),
        ("three", ""),
    ]);
    let (code, sent, _) = send(&mut world, &mut client, batch(TOPIC, 1), body);
    let sent = sent.unwrap();
    assert_eq!((code, sent.queue_id, sent.queue_offset), (ResponseCode::SUCCESS, 1, 1));
    assert_eq!((sent.transaction_id, sent.batch_unique_id), (None, None));
    let ids: Vec<OffsetMessageId> =
        sent.msg_id.split(',').map(|id| OffsetMessageId::parse(id).unwrap()).collect();
    assert_eq!(ids.len(), 3);

    let kept = world.session.cluster().messages(0, TOPIC, 1);
    let texts: Vec<_> = (0..4).map(|i| kept.record(i).unwrap().body().unwrap()).collect();
    assert_eq!(texts, ["before", "one", "two", "three"]);
    for (index, id) in ids.iter().enumerate() {
        let record = kept.record(index + 1).unwrap();
        assert_eq!(record.commit_log_offset(), id.offset as i64);
        assert_eq!((record.queue_offset(), record.flag()), (index as i64 + 1, index as i32));
    }
    let (one, two) = (kept.record(1).unwrap(), kept.record(2).unwrap());
    assert_eq!((one.tags(), one.unique_id()), (Some("A"), Some("U1")));
    assert_eq!((two.property("KEYS"), two.unique_id()), (Some("k"), Some("U2")));
    assert_eq!(world.session.cluster().stored(TOPIC), 4);
}

#[test]
fn the_batchs_own_properties_go_to_its_elements_before_5_4() {
    for (version, cluster) in
        [(407, Some("DefaultCluster")), (479, Some("DefaultCluster")), (493, None)]
    {
        let config = ClusterConfig { version, ..ClusterConfig::default() };
        let mut world = World::new(config.topic(TOPIC, 1));
        let mut client = world.connect(BROKER);
        let body = batch_of(&[("one", "KEYS\u{1}k"), ("two", "")]);
        send(&mut world, &mut client, batch(TOPIC, 0), body);
        let kept = world.session.cluster().messages(0, TOPIC, 0);
        let one = kept.record(0).unwrap();
        assert_eq!((one.property("KEYS"), one.property("CLUSTER")), (Some("k"), cluster));
        assert_eq!(one.property("WAIT"), cluster.map(|_| "true"), "{version}");
        assert_eq!(kept.record(1).unwrap().property("CLUSTER"), cluster);
        assert_eq!(one.property("MSG_REGION").is_some(), version == 479);
    }
}

#[test]
fn batches_are_refused_whole_as_java_refuses_them() {
    let mut world = World::new(ClusterConfig { body_limit: 60, ..ClusterConfig::default() });
    let mut client = world.connect(BROKER);
    let mut refused = |request: SendRequest, body: Vec<u8>| {
        let (code, sent, words) = send(&mut world, &mut client, request, body);
        assert_eq!(sent, None);
        (code, words)
    };
    let two = || batch_of(&[("one", ""), ("two", "")]);
    let illegal = ResponseCode::MESSAGE_ILLEGAL;
    let (code, words) = refused(batch("%RETRY%group_a", 0), two());
    assert_eq!(code, illegal);
    assert_eq!(words, "batch request does not support retry group %RETRY%group_a");
    let delayed = Some(Arc::from("DELAY\u{1}3\u{2}"));
    let delayed = SendRequest { properties: delayed, ..batch("made", 0) };
    assert_eq!(refused(delayed, two()).0, illegal);
    assert_eq!(refused(SendRequest { sys_flag: 4, ..batch("made", 0) }, two()).0, illegal);
    let large = batch_of(&[("one", ""), ("a body that is too long", "")]);
    let (code, words) = refused(batch("made", 0), large);
    assert_eq!(code, ResponseCode::SYSTEM_ERROR);
    assert_eq!(words, "java.lang.RuntimeException: message body size exceeded");
    let mut broken = two();
    broken[28] = 9;
    assert_eq!(refused(batch("made", 0), broken).0, ResponseCode::SYSTEM_ERROR);
    assert_eq!(refused(batch("made", 9), two()).0, ResponseCode::INVALID_PARAMETER);
    assert_eq!(world.session.cluster().stored("made"), 0, "none of them in part");
}

#[test]
fn a_batch_is_one_by_its_field_and_not_by_its_code() {
    let mut world = World::one_topic(1);
    let mut client = world.connect(BROKER);
    let body = batch_of(&[("one", ""), ("two", "")]);
    send(&mut world, &mut client, message(TOPIC, 0), body.clone());
    assert_eq!(world.session.cluster().stored(TOPIC), 1, "one message, of both elements' bytes");
    let request = Request::Send(batch(TOPIC, 0));
    world.send_as(&client, Kind::Send, request, Bytes::from(body), false);
    assert_eq!(world.session.cluster().stored(TOPIC), 3);
}

#[test]
fn a_batch_wakes_each_pull_once_and_is_stored_with_the_status_that_a_test_wants() {
    let mut world = World::one_topic(1);
    let mut reader = world.connect(BROKER);
    let held = Request::Pull(waiting(pull_from(0)));
    let opaque = world.send_as(&reader, Kind::Pull, held, Bytes::new(), false);
    let mut client = world.connect(BROKER);
    let faults = [Fault::Refuse(ResponseCode::FLUSH_SLAVE_TIMEOUT)];
    world.session.with(|cluster| cluster.push_faults(Requests::Sends, faults));
    let body = batch_of(&[("one", "TAGS\u{1}A\u{2}"), ("two", "TAGS\u{1}B\u{2}")]);
    let (code, sent, _) = send(&mut world, &mut client, batch(TOPIC, 0), body);
    assert_eq!((code, sent.is_some()), (ResponseCode::FLUSH_SLAVE_TIMEOUT, true));
    let mut frames = world.received(&mut reader);
    assert_eq!((frames.len(), frames[0].opaque), (1, opaque));
    let (reply, body) = reply_of(frames.remove(0));
    assert_eq!(pulled(reply, body).bodies, ["one", "two"]);
}
