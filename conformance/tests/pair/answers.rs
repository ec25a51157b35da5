//! Answers that come late, twice, or for nobody, and requests of the broker.

use rocketry_conformance::sim::{Pace, Way, bytes_of};
use rocketry_core::error::{SendError, Stored};
use rocketry_core::frame::reply::SendReply;
use rocketry_core::frame::{
    Kind, Opaque, OutFrame, Payload, ReplyFields, Request, RequestCode, ResponseCode,
};

use crate::setting::*;

#[test]
fn a_late_answer_is_ignored_and_the_connection_kept() {
    let (mut world, client) = pair(1, 4);
    store(&mut world, client, "warm");
    world.with_cluster(|cluster| cluster.set_delay(RequestCode::SEND_MESSAGE_V2, ms(3500)));
    let op = send(&mut world, client, "late");
    let (took, result) = world.end_of(client, op);
    assert_eq!(took, 3 * SECOND);
    let error = result.unwrap_err();
    assert!(matches!(error, SendError::TimedOut { stored: Stored::Unknown, .. }), "{error}");
    assert!(error.to_string().contains("broker 127.0.0.1:10911: no answer within 3s"), "{error}");
    world.with_cluster(|cluster| cluster.set_delay(RequestCode::SEND_MESSAGE_V2, ms(0)));
    store(&mut world, client, "next");
    world.run_for(SECOND);
    assert_eq!(world.engine(client).stats().operations, 0);
}

#[test]
fn fault_18_every_answer_may_come_twice() {
    let (mut world, client) = pair(1, 4);
    world.tamper(|_, way, bytes| {
        if way == Way::Down {
            bytes.extend_from_within(..);
        }
    });
    consume(&mut world, client, Pace::AtOnce);
    store_many(&mut world, client, 100);
    world.run_until(5 * SECOND, |world| world.distinct() == 100).unwrap();
    world.run_for(60 * SECOND);
    assert_eq!(world.delivered().len(), 100);
}

fn answer(opaque: Opaque) -> Vec<u8> {
    let fields = ReplyFields::Send(SendReply {
        msg_id: "7F00000100002A9F0000000000000000".into(),
        queue_id: 3,
        queue_offset: 99,
        ..SendReply::default()
    });
    let (code, fields, body) = (ResponseCode::SUCCESS, Box::new(fields), bytes::Bytes::new());
    let payload = Payload::Reply { code, remark: None, fields, body, version: 479 };
    bytes_of(&OutFrame { opaque, payload })
}

#[test]
fn an_answer_that_nobody_asked_for_is_ignored() {
    let (mut world, client) = pair(1, 4);
    store(&mut world, client, "warm");
    world.with_cluster(|cluster| cluster.set_delay(RequestCode::SEND_MESSAGE_V2, ms(500)));
    let op = send(&mut world, client, "x");
    for sequence in 0..200 {
        // Of the send there is only one that would be right: it is left out by its kind.
        for kind in [Kind::Plain, Kind::Pull, Kind::Route, Kind::Offset, Kind::Heartbeat] {
            world.inject(BROKER, &answer(Opaque::new(kind, sequence)));
        }
        world.inject(BROKER, &answer(Opaque::from_raw(-1 - sequence as i32)));
        world.inject(BROKER, &answer(Opaque::new(Kind::Send, 1 << 20 | sequence)));
        // Nor is the right answer of the wrong peer.
        world.inject(NS, &answer(Opaque::new(Kind::Send, sequence)));
    }
    let (took, result) = world.end_of(client, op);
    assert!(took >= ms(500), "{took:?}");
    assert_ne!(result.unwrap().offset, 99);
    assert_eq!(world.open_links(BROKER), 1);
}

#[test]
fn a_request_nobody_knows_is_answered_3_and_the_connection_kept() {
    let (mut world, client) = pair(1, 4);
    store(&mut world, client, "warm");
    let request = Request::Unknown { code: RequestCode(9999), fields: Vec::new() };
    for (opaque, oneway) in [(71, false), (72, true)] {
        let payload = Payload::Request {
            request: Box::new(request.clone()),
            body: bytes::Bytes::new(),
            oneway,
        };
        let frame = OutFrame { opaque: Opaque::from_raw(opaque), payload };
        world.inject(BROKER, &bytes_of(&frame));
    }
    world.run_for(SECOND);
    assert_eq!(world.trace().count("Up answer #71 REQUEST_CODE_NOT_SUPPORTED (3)"), 1);
    assert_eq!(world.trace().count("Up answer #72"), 0);
    assert_eq!(world.open_links(BROKER), 1);
    store(&mut world, client, "next");
}

#[test]
fn bytes_that_are_no_frame_close_the_connection_and_the_next_send_works() {
    for garbage in [
        &b"\xff\xff\xff\xff\xff\xff\xff\xff"[..],
        b"\0\0\0\x04\0\0\0\xff",
        b"\0\0\0\x08\0\0\0\x04{{{{",
    ] {
        let (mut world, client) = pair(1, 4);
        store(&mut world, client, "warm");
        world.inject(BROKER, garbage);
        world.run_until(SECOND, |world| world.open_links(BROKER) == 0).unwrap();
        store(&mut world, client, "next");
    }
}
