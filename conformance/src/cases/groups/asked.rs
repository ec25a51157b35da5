//! What a broker asks a consumer for, on somebody's behalf; and what it shows of one.

use std::time::Duration;

use rocketry::proto::body::{
    ConsumeDirectlyResult, ConsumerConnections, ConsumerStatusBody, DirectResult, MessageQueue,
    RunningInfo,
};
use rocketry::proto::frame::request::{
    ConsumeDirectlyRequest, ConsumerConnectionsRequest, ConsumerStatusRequest, RunningInfoRequest,
};
use rocketry::proto::frame::{Request, RequestCode, ResponseCode};
use rocketry::{Consumer, Start};

use crate::cases::place::{Place, note};
use crate::cases::reading::{
    QUIET, SOON, acked, ask, await_committed, committed, consume, drained, next, peer, queues,
    send_to, take,
};
use crate::rig::{Rig, eventually};

const CLONE_GROUP_OFFSET: RequestCode = RequestCode(314);

/// Asks a consumer, through its broker, what it does.
pub(crate) fn running_info(
    rig: &Rig,
    broker: &str,
    group: &str,
    client: &str,
) -> Option<RunningInfo> {
    let fields = RunningInfoRequest {
        consumer_group: group.into(),
        client_id: client.into(),
        ..Default::default()
    };
    let answer = ask(rig, broker, Request::RunningInfo(fields), Vec::new());
    let told = answer.code == ResponseCode::SUCCESS;
    told.then(|| RunningInfo::parse(&answer.body).ok()).flatten()
}

/// A group whose consumer has settled 5 messages of one queue.
fn settled_five(place: &Place) -> (Rig, Consumer, String, String) {
    let (rig, topic, group) = (place.rig(), place.topic(1), place.name());
    send_to(&rig, &queues(&rig, &topic)[0], 0..5);
    let mut consumer = consume(&rig, &group, &topic, "*");
    take(&mut consumer, 5).into_iter().for_each(acked);
    await_committed(&rig, &place.broker(), &group, &topic, 5);
    (rig, consumer, topic, group)
}

fn queue_of(rig: &Rig, topic: &str) -> MessageQueue {
    let queue = queues(rig, topic).swap_remove(0);
    let broker_name = queue.broker.to_string();
    MessageQueue { broker_name, queue_id: 0, topic: topic.to_owned() }
}

pub(crate) fn a_consumer_tells_what_it_does_and_handles_a_message_directly(place: &Place) {
    let (rig, mut consumer, topic, group) = settled_five(place);
    let (broker, me) = (place.broker(), rig.client.id());
    let info = running_info(&rig, &broker, &group, &me).expect("told");
    assert_eq!(info.properties["PROP_CONSUME_TYPE"], "CONSUME_PASSIVELY");
    assert!(info.subscription_set.iter().any(|of| of.topic == topic), "{info:?}");
    let queue = queue_of(&rig, &topic);
    assert_eq!(info.mq_table.get(&queue).map(|of| of.commit_offset), Some(5), "{info:?}");

    let pulled = rig.client.admin().pull(&queues(&rig, &topic)[0], 2, 1).wait().expect("pulled");
    let place_in_log = pulled.records.record(0).expect("readable").offset_message_id();
    for (verdict, expected) in [("ack", DirectResult::CrSuccess), ("later", DirectResult::CrLater)]
    {
        let fields = ConsumeDirectlyRequest {
            consumer_group: group.as_str().into(),
            client_id: Some(me.clone()),
            message_id: Some(place_in_log.to_string().into()),
            broker_name: Some(queue.broker_name.as_str().into()),
            ..Default::default()
        };
        let target = peer(&broker);
        let request = Request::ConsumeDirectly(fields);
        let asked = rig.client.admin().call(target, request, bytes::Bytes::new());
        let delivery = next(&mut consumer);
        assert_eq!((delivery.body().as_ref(), delivery.offset()), (&b"2"[..], Some(2)));
        match verdict {
            "ack" => assert!(delivery.ack().is_taken()),
            _ => assert!(delivery.retry().is_taken()),
        }
        let answer = asked.wait().expect("an answer");
        assert_eq!(answer.code, ResponseCode::SUCCESS, "{:?}", answer.remark);
        let result = ConsumeDirectlyResult::parse(&answer.body).expect("a result");
        assert_eq!(result.result, expected, "{result:?}");
        note!(place, "{verdict}: {result:?}");
    }
    assert!(consumer.recv_timeout(QUIET).is_err(), "nothing of it comes again");
    await_committed(&rig, &broker, &group, &topic, 5);
}

pub(crate) fn a_consumer_tells_its_offsets(place: &Place) {
    let (rig, _consumer, topic, group) = settled_five(place);
    let fields = ConsumerStatusRequest {
        topic: topic.as_str().into(),
        group: group.as_str().into(),
        ..Default::default()
    };
    let answer = ask(&rig, &place.broker(), Request::InvokeStatus(fields), Vec::new());
    assert_eq!(answer.code, ResponseCode::SUCCESS, "{:?}", answer.remark);
    let told = ConsumerStatusBody::parse(&answer.body).expect("a status");
    let (client, table) = told.clients.iter().next().expect("a client");
    assert_eq!(**client, *rig.client.id());
    assert_eq!(table.get(&queue_of(&rig, &topic)), Some(&5), "{told:?}");
    if place.served().is_none() {
        clone_offsets(place, &rig, &group, &topic);
    }
}

/// Has a broker give another group the offsets of this one.
fn clone_offsets(place: &Place, rig: &Rig, group: &str, topic: &str) {
    let (broker, other) = (place.broker(), place.name());
    let fields =
        [("srcGroup", group), ("destGroup", &other), ("topic", topic), ("offline", "true")];
    let fields = fields.map(|(name, value)| (Box::from(name), Box::from(value))).into();
    let request = Request::Unknown { code: CLONE_GROUP_OFFSET, fields };
    let answer = ask(rig, &broker, request, Vec::new());
    assert_eq!(answer.code, ResponseCode::SUCCESS, "{:?}", answer.remark);
    assert_eq!(committed(&rig.client, &broker, &other, topic), Some(5));
}

pub(crate) fn a_broker_shows_what_heartbeats_told(place: &Place) {
    let (rig, broker) = (place.rig(), place.broker());
    let (one, other, group) = (place.topic(1), place.topic(1), place.name());
    let builder = rig.client.consumer(&*group).expect("a group").start_at(Start::First);
    let _consumer = builder.topic(&*one, "a || b").topic(&*other, "*").start().expect("started");
    let fields =
        ConsumerConnectionsRequest { consumer_group: group.as_str().into(), ..Default::default() };
    let mut shown = None;
    let all = eventually(SOON, || {
        let request = Request::ConsumerConnections(fields.clone());
        let answer = ask(&rig, &broker, request, Vec::new());
        shown = ConsumerConnections::parse(&answer.body).ok();
        shown.as_ref().is_some_and(|shown| shown.subscriptions.len() == 3)
    });
    let shown = shown.expect("an answer");
    note!(place, "{shown:?}");
    assert!(all, "{shown:?}");
    let ids: Vec<&str> = shown.connections.iter().map(|one| one.client_id.as_str()).collect();
    assert_eq!(ids, [&*rig.client.id()]);
    assert_eq!(format!("{:?}", shown.model), "Clustering");
    assert_eq!(format!("{:?}", shown.consume_type), "Passively");
    assert_eq!(format!("{:?}", shown.consume_from), "First");
    let of = |topic: &str| &shown.subscriptions[topic];
    assert_eq!((&*of(&one).expression, of(&one).tags.len()), ("a || b", 2));
    assert_eq!((&*of(&other).expression, of(&other).tags.len()), ("*", 0));
    assert_eq!(of(&format!("%RETRY%{group}")).expression, "*");
}

/// The second beat of 5.1 and later says nothing of subscriptions; a broker that lost its members
/// asks for them, and the group goes on.
pub(crate) fn beats_without_subscriptions_keep_a_group_alive(place: &Place) {
    let (topic, group, broker) = (place.topic(2), place.name(), place.broker());
    let mut config = place.config();
    config.heartbeat_interval = Duration::from_secs(1);
    let rig = place.rig_with(config);
    let mut consumer = consume(&rig, &group, &topic, "a || b");
    let fields =
        ConsumerConnectionsRequest { consumer_group: group.as_str().into(), ..Default::default() };
    let known = || {
        let request = Request::ConsumerConnections(fields.clone());
        let answer = ask(&rig, &broker, request, Vec::new());
        let shown = ConsumerConnections::parse(&answer.body).ok()?;
        shown.subscriptions.get(&topic).map(|of| of.expression.clone())
    };
    assert!(eventually(SOON, || known().as_deref() == Some("a || b")), "{:?}", known());
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(known().as_deref(), Some("a || b"));
    consumer.subscribe(&*topic, "*").expect("subscribed");
    assert!(eventually(SOON, || known().as_deref() == Some("*")), "{:?}", known());
    send_to(&rig, &queues(&rig, &topic)[0], 0..3);
    assert_eq!(drained(&mut consumer, QUIET), [0, 1, 2]);
}
