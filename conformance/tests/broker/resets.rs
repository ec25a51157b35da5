//! Offsets that an administrator moves: at the group's clients, or in the broker.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rocketry_conformance::broker::ClusterConfig;
use rocketry_core::body::ResetOffsetBody;
use rocketry_core::frame::request::ResetOffsetRequest;
use rocketry_core::frame::{Kind, Request, ResponseCode};

use crate::progress::commit;
use crate::relays::{asked, filled, offsets};
use crate::world::*;

fn reset(timestamp: i64, force: bool) -> ResetOffsetRequest {
    ResetOffsetRequest {
        topic: Arc::from(TOPIC),
        group: Arc::from(GROUP),
        queue_id: -1,
        timestamp,
        force,
        ..Default::default()
    }
}

fn at_clients() -> ClusterConfig {
    ClusterConfig { server_side_reset: Some(false), ..ClusterConfig::default() }
}

#[test]
fn a_reset_is_told_to_the_groups_clients_and_stored_by_them() {
    let later = 1_700_000_000_500;
    for (timestamp, force, expected) in
        [(later, true, [5, 0]), (later, false, [4, 0]), (-1, true, [10, 5]), (-2, true, [0, 0])]
    {
        let (mut world, mut member, mut admin) = filled(at_clients());
        let request = Request::InvokeReset(reset(timestamp, force));
        let (reply, body) = world.ask(&mut admin, Kind::Plain, request, "");
        assert_eq!(reply.code, ResponseCode::SUCCESS);
        let text = String::from_utf8(body.to_vec()).unwrap();
        let key = r#"{"offsetTable":{{"brokerName":"broker-a","queueId":0,"topic":"topic_a"}:"#;
        assert!(text.starts_with(key), "{text}: queues are keys, as fastjson has it");
        let told = ResetOffsetBody::parse(&body).unwrap().offsets;
        assert_eq!(offsets(&told), expected.map(Some), "{timestamp}, {force}");
        let frames = world.received(&mut member);
        let (Request::ResetOffset(order), false) = asked(&frames[0]) else { panic!("{frames:?}") };
        assert_eq!((&*order.group, &*order.topic, order.timestamp), (GROUP, TOPIC, timestamp));
        assert_eq!(ResetOffsetBody::parse(&frames[0].body).unwrap().offsets, told);
        assert_eq!(world.session.cluster().committed(0, GROUP, TOPIC, 0), Some(4), "not here");
    }
}

#[test]
fn a_reset_needs_a_topic_offsets_and_somebody_to_tell() {
    let (mut world, member, mut admin) = filled(at_clients());
    let code = |world: &mut World, admin: &mut Client, request: ResetOffsetRequest| {
        world.ask(admin, Kind::Plain, Request::InvokeReset(request), "").0.code
    };
    let elsewhere = ResetOffsetRequest { topic: Arc::from("none"), ..reset(-1, true) };
    assert_eq!(code(&mut world, &mut admin, elsewhere), ResponseCode::TOPIC_NOT_EXIST);
    let others = ResetOffsetRequest { group: Arc::from("other"), ..reset(-1, true) };
    assert_eq!(code(&mut world, &mut admin, others), ResponseCode::SYSTEM_ERROR);
    world.session.close(world.now, member.conn);
    let gone = code(&mut world, &mut admin, reset(-1, true));
    assert_eq!(gone, ResponseCode::CONSUMER_NOT_ONLINE);
}

#[test]
fn from_5_2_on_a_reset_is_kept_and_told_to_the_next_pull() {
    let (mut world, mut member, mut admin) = filled(ClusterConfig::default());
    let held = waiting(pull_from(10));
    world.send_as(&member, Kind::Pull, Request::Pull(held), Bytes::new(), false);
    let request = Request::InvokeReset(reset(1_700_000_000_500, false));
    let (reply, body) = world.ask(&mut admin, Kind::Plain, request, "");
    assert_eq!(reply.code, ResponseCode::SUCCESS);
    assert_eq!(offsets(&ResetOffsetBody::parse(&body).unwrap().offsets), [Some(5), Some(0)]);
    assert!(world.received(&mut member).is_empty(), "clients are told nothing");
    assert_eq!(world.session.cluster().committed(0, GROUP, TOPIC, 0), Some(5), "forwards as well");
    assert_eq!(commit(&mut world, &mut member, 0, 9), "Offset has been previously reset");
    assert_eq!(world.session.cluster().committed(0, GROUP, TOPIC, 0), Some(5));

    world.pass(Duration::from_secs(15));
    let (reply, body) = reply_of(world.received(&mut member).remove(0));
    let told = pulled(reply, body);
    assert_eq!((told.code, told.next), (ResponseCode::PULL_OFFSET_MOVED, 5), "held as it was");
    let after = world.pull(&mut member, pull_from(5));
    assert_eq!((after.code, after.bodies.len()), (ResponseCode::SUCCESS, 5), "told once");
    assert_eq!(commit(&mut world, &mut member, 0, 9), "");
    assert_eq!(world.session.cluster().committed(0, GROUP, TOPIC, 0), Some(9));
}

#[test]
fn a_kept_reset_goes_to_the_end_of_before_1970_and_to_an_offset_of_one_queue() {
    let (mut world, member, mut admin) = filled(ClusterConfig::default());
    world.session.close(world.now, member.conn);
    let one = |offset| ResetOffsetRequest { queue_id: 1, offset: Some(offset), ..reset(0, true) };
    for (request, expected) in [(reset(-2, false), [10, 5]), (one(2), [10, 2]), (one(6), [10, 6])] {
        let (reply, _) = world.ask(&mut admin, Kind::Plain, Request::InvokeReset(request), "");
        assert_eq!(reply.code, ResponseCode::SUCCESS);
        let stored =
            [0, 1].map(|number| world.session.cluster().committed(0, GROUP, TOPIC, number));
        assert_eq!(stored, expected.map(Some));
    }
    let (reply, _) = world.ask(&mut admin, Kind::Plain, Request::InvokeReset(one(7)), "");
    let words = "Target offset 7 not in consume queue range [0-5]";
    assert_eq!((reply.code, reply.remark.as_deref()), (ResponseCode::SYSTEM_ERROR, Some(words)));
    let others = ResetOffsetRequest { group: Arc::from("other"), ..reset(0, true) };
    let (reply, _) = world.ask(&mut admin, Kind::Plain, Request::InvokeReset(others), "");
    assert_eq!(reply.code, ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST);
}
