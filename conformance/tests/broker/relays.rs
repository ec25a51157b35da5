//! What a broker asks of clients for others: offsets to move, what they do, messages to handle.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rocketry_conformance::broker::{ClusterConfig, Session};
use rocketry_core::body::{
    ConsumeDirectlyResult, ConsumerStatusBody, DirectResult, MessageQueue, QueueTable, RunningInfo,
};
use rocketry_core::frame::request::{
    ConsumeDirectlyRequest, ConsumerStatusRequest, RunningInfoRequest,
};
use rocketry_core::frame::{
    Content, Frame, Kind, Opaque, OutFrame, ReplyFields, Request, ResponseCode,
};

use crate::delays::millis;
use crate::progress::commit;
use crate::world::*;

pub(crate) fn queue(number: i32) -> MessageQueue {
    MessageQueue { broker_name: "broker-a".into(), queue_id: number, topic: TOPIC.into() }
}

/// The request that a client was sent, and whether it is to be answered.
pub(crate) fn asked(frame: &Frame) -> (Request, bool) {
    match &frame.content {
        Content::Request { request: Ok(request), oneway, .. } => (request.clone(), !oneway),
        other => panic!("{other:?} is no request"),
    }
}

fn answer(world: &mut World, client: &Client, opaque: Opaque, body: Vec<u8>) {
    let body = Bytes::from(body);
    let frame = OutFrame::reply(opaque, ResponseCode::SUCCESS, ReplyFields::None, body);
    world.send_frame(client, &frame);
}

fn ask_later(world: &mut World, client: &Client, request: Request) {
    world.send_as(client, Kind::Plain, request, Bytes::new(), false);
}

fn heard(world: &mut World, client: &mut Client) -> (ResponseCode, String, Bytes) {
    let mut frames = world.received(client);
    assert_eq!(frames.len(), 1, "one answer");
    let (reply, body) = reply_of(frames.remove(0));
    (reply.code, reply.remark.unwrap_or_default().into(), body)
}

/// Two queues of ten and five messages, a second between the first half and the second, and a group
/// that has stored 4 and 0.
pub(crate) fn filled(config: ClusterConfig) -> (World, Client, Client) {
    let mut world = World::new(config.topic(TOPIC, 2));
    let mut member = world.connect(BROKER);
    world.beat(&mut member, "c1", "*", 1);
    for _ in 0..5 {
        world.publish(&mut member, message(TOPIC, 0), "x");
    }
    world.pass(Duration::from_secs(1));
    for number in [0, 1] {
        for _ in 0..5 {
            world.publish(&mut member, message(TOPIC, number), "x");
        }
    }
    commit(&mut world, &mut member, 0, 4);
    commit(&mut world, &mut member, 1, 0);
    world.received(&mut member);
    let admin = world.connect(BROKER);
    (world, member, admin)
}

pub(crate) fn offsets(table: &QueueTable<i64>) -> [Option<i64>; 2] {
    [0, 1].map(|number| table.get(&queue(number)).copied())
}

fn status(client: Option<&str>) -> Request {
    Request::InvokeStatus(ConsumerStatusRequest {
        topic: Arc::from(TOPIC),
        group: Arc::from(GROUP),
        client_address: client.map(Arc::from),
        ..Default::default()
    })
}

#[test]
fn what_all_clients_tell_of_their_offsets_is_gathered() {
    let (mut world, mut first, mut admin) = filled(ClusterConfig::default());
    let mut others = ["c2", "c3"].map(|id| {
        let mut client = world.connect(BROKER);
        world.beat(&mut client, id, "*", 1);
        world.received(&mut client);
        client
    });
    world.received(&mut first);
    world.received(&mut others[0]);
    ask_later(&mut world, &admin, status(None));
    let body = ConsumerStatusBody {
        offsets: [(queue(0), 7)].into_iter().collect(),
        ..ConsumerStatusBody::default()
    };
    let question = world.received(&mut first).remove(0);
    assert!(matches!(asked(&question), (Request::ConsumerStatus(_), true)));
    answer(&mut world, &first, question.opaque, body.to_json());
    let question = world.received(&mut others[0]).remove(0);
    world.send_frame(
        &others[0],
        &OutFrame::refusal(question.opaque, ResponseCode::SYSTEM_ERROR, ""),
    );
    world.pass(millis(4_999));
    assert!(world.received(&mut admin).is_empty(), "one has not answered");
    world.pass(millis(1));
    let (code, _, told) = heard(&mut world, &mut admin);
    assert_eq!(code, ResponseCode::SUCCESS);
    let told = ConsumerStatusBody::parse(&told).unwrap();
    assert_eq!(told.clients.keys().collect::<Vec<_>>(), ["c1"]);
    assert_eq!(told.clients["c1"].get(&queue(0)), Some(&7));
    assert!(world.session.with(|cluster| cluster.take_answers()).is_empty(), "not the test's");

    for client in &mut others {
        world.received(client);
    }
    ask_later(&mut world, &admin, status(Some("c2")));
    assert!(world.received(&mut first).is_empty(), "one client alone");
    assert_eq!(world.received(&mut others[0]).len(), 1);
    world.session.close(world.now, others[0].conn);
    let (code, _, told) = heard(&mut world, &mut admin);
    assert_eq!(code, ResponseCode::SUCCESS);
    assert!(ConsumerStatusBody::parse(&told).unwrap().clients.is_empty(), "it went");
    ask_later(&mut world, &admin, status(Some("nobody")));
    assert_eq!(heard(&mut world, &mut admin).0, ResponseCode::SUCCESS);
}

fn running_info(client: &str) -> Request {
    Request::RunningInfo(RunningInfoRequest {
        consumer_group: Arc::from(GROUP),
        client_id: Arc::from(client),
        stacks: true,
        ..Default::default()
    })
}

#[test]
fn what_a_client_does_is_asked_of_it_and_its_answer_passed_on() {
    let (mut world, mut member, mut admin) = filled(ClusterConfig::default());
    ask_later(&mut world, &admin, running_info("c1"));
    let question = world.received(&mut member).remove(0);
    let (Request::RunningInfo(asked), true) = asked(&question) else { panic!("{question:?}") };
    assert_eq!((&*asked.client_id, asked.stacks), ("c1", true));
    let body = RunningInfo { jstack: Some("main".into()), ..RunningInfo::default() }.to_json();
    answer(&mut world, &member, question.opaque, body.clone());
    let (code, _, told) = heard(&mut world, &mut admin);
    assert_eq!((code, &told[..]), (ResponseCode::SUCCESS, &body[..]));

    ask_later(&mut world, &admin, running_info("c1"));
    let question = world.received(&mut member).remove(0);
    let no = ResponseCode::REQUEST_CODE_NOT_SUPPORTED;
    world.send_frame(&member, &OutFrame::refusal(question.opaque, no, "what?"));
    let (code, remark, _) = heard(&mut world, &mut admin);
    assert_eq!((code, &*remark), (no, "what?"), "a refusal as well");
}

#[test]
fn a_client_that_is_silent_or_gone_is_waited_for_in_vain() {
    let (mut world, mut member, mut admin) = filled(ClusterConfig::default());
    ask_later(&mut world, &admin, running_info("c9"));
    let (code, remark, _) = heard(&mut world, &mut admin);
    assert_eq!(code, ResponseCode::SYSTEM_ERROR);
    assert_eq!(remark, "The Consumer <group_a> <c9> not online");

    ask_later(&mut world, &admin, running_info("c1"));
    let question = world.received(&mut member).remove(0);
    world.pass(millis(9_999));
    assert!(world.received(&mut admin).is_empty());
    world.pass(millis(1));
    let (code, remark, _) = heard(&mut world, &mut admin);
    assert_eq!(code, ResponseCode::CONSUME_MSG_TIMEOUT);
    assert!(remark.starts_with("consumer <group_a> <c1> Timeout: "), "{remark}");
    answer(&mut world, &member, question.opaque, Vec::new());
    assert!(world.received(&mut admin).is_empty(), "too late");

    ask_later(&mut world, &admin, running_info("c1"));
    world.session.close(world.now, member.conn);
    let (code, remark, _) = heard(&mut world, &mut admin);
    assert_eq!(code, ResponseCode::SYSTEM_ERROR);
    assert!(remark.starts_with("invoke consumer <group_a> <c1> Exception: "), "{remark}");
}

#[test]
fn a_message_is_given_to_one_client_to_handle_now() {
    let (mut world, mut member, mut admin) = filled(ClusterConfig::default());
    let list = world.session.cluster().messages(0, TOPIC, 1);
    let record = list.record(3).unwrap();
    let order = |id: &str| {
        Request::ConsumeDirectly(ConsumeDirectlyRequest {
            consumer_group: Arc::from(GROUP),
            client_id: Some(Arc::from("c1")),
            message_id: Some(Arc::from(id)),
            topic: Some(Arc::from(TOPIC)),
            ..Default::default()
        })
    };
    ask_later(&mut world, &admin, order(&record.offset_message_id().to_string()));
    let question = world.received(&mut member).remove(0);
    let (Request::ConsumeDirectly(asked), true) = asked(&question) else { panic!("{question:?}") };
    assert_eq!(asked.broker_name.as_deref(), Some("broker-a"));
    assert_eq!((asked.topic_sys_flag, asked.group_sys_flag), (Some(0), Some(0)));
    assert_eq!(question.body, record.raw(), "the record as it is stored");
    let result = ConsumeDirectlyResult {
        auto_commit: true,
        result: DirectResult::CrLater,
        order: false,
        remark: None,
        spent_millis: 3,
    };
    answer(&mut world, &member, question.opaque, result.to_json());
    let (code, _, told) = heard(&mut world, &mut admin);
    assert_eq!(code, ResponseCode::SUCCESS);
    assert_eq!(ConsumeDirectlyResult::parse(&told), Ok(result));

    ask_later(&mut world, &admin, order("no id"));
    assert_eq!(heard(&mut world, &mut admin).0, ResponseCode::SYSTEM_ERROR);
}

/// The code and number of each request that a client was sent.
fn codes(frames: &[Frame]) -> Vec<(i32, Opaque)> {
    frames.iter().map(|frame| (asked(frame).0.code().0, frame.opaque)).collect()
}

#[test]
fn a_test_asks_clients_itself_and_sees_their_answers() {
    let (mut world, mut member, _) = filled(ClusterConfig::default());
    let who = (GROUP, "c1");
    let ask = |session: &mut Session| {
        session.with(|cluster| {
            let status = cluster.ask_status(0, GROUP, TOPIC);
            let info = cluster.ask_running_info(0, GROUP, "c1").unwrap();
            let handled = cluster.consume_directly(0, who, (TOPIC, 0, 2)).unwrap();
            [status[0], info, handled]
        })
    };
    let [status, info, handled] = ask(&mut world.session);
    let frames = world.received(&mut member);
    assert_eq!(codes(&frames), [(221, status), (307, info), (309, handled)]);
    answer(&mut world, &member, handled, b"said".to_vec());
    let answers = world.session.with(|cluster| cluster.take_answers());
    assert_eq!(
        (answers.len(), answers[0].opaque, &answers[0].body[..]),
        (1, handled, &b"said"[..])
    );

    let told = world.session.with(|c| c.reset_offset(0, (GROUP, TOPIC), -1, true)).unwrap();
    assert_eq!(offsets(&told), [Some(10), Some(5)]);
    let frames = world.received(&mut member);
    assert!(matches!(asked(&frames[0]), (Request::ResetOffset(_), false)));
    world.session.with(|cluster| {
        let gone = ResponseCode::TOPIC_NOT_EXIST;
        assert_eq!(cluster.reset_offset(0, (GROUP, "none"), -1, true), Err(gone));
        assert_eq!(cluster.consume_directly(0, who, (TOPIC, 0, 99)), None);
        assert_eq!(cluster.ask_running_info(0, GROUP, "c9"), None);
        assert!(cluster.ask_status(0, "other", TOPIC).is_empty());
    });
}
