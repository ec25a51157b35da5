//! What is said of a message, and what a request that may have been done comes to.

use rocketry_conformance::broker::{ClusterConfig, Fault, ListenerId, Requests};
use rocketry_conformance::sim::{Answer, ClientId, Pace, Way, World};
use rocketry_core::engine::{Cancelled, Note};
use rocketry_core::error::{ErrorKind, Failure, PeerKind, QueryError, SendError, Stored};
use rocketry_core::frame::request::CreateTopicRequest;
use rocketry_core::frame::{Request, RequestCode, ResponseCode};
use rocketry_core::name::Endpoint;
use rocketry_core::producer::{SendOptions, SendReceipt};
use rocketry_core::query::{Call, Query, QueueName, Target};

use crate::setting::*;

fn warm(queues: u32) -> (World, ClientId) {
    let (mut world, client) = pair(1, queues);
    store(&mut world, client, "warm");
    (world, client)
}

/// Sends with a text in the broker's answers replaced by another one of its length.
fn replaced(
    world: &mut World,
    client: ClientId,
    options: SendOptions,
    (from, to): (&'static str, &'static str),
) -> Result<SendReceipt, SendError> {
    assert_eq!(from.len(), to.len());
    let seen = std::rc::Rc::new(std::cell::Cell::new(false));
    let own = seen.clone();
    world.tamper(move |endpoint, way, bytes| {
        let found = bytes.windows(from.len()).position(|part| part == from.as_bytes());
        if let (Some(at), true) = (found, endpoint == BROKER && way == Way::Down) {
            bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
            own.set(true);
        }
    });
    let op = world.send_with(client, message("x"), options).unwrap();
    let (_, result) = world.end_of(client, op);
    world.tamper_no_more();
    assert!(seen.get(), "no answer says {from}");
    result
}

#[test]
fn send_30_what_a_try_that_left_knows_is_kept_when_the_next_one_finds_no_queue() {
    let (mut world, client) = warm(4);
    world.run_for(2 * SECOND);
    let faults = [Fault::Close, Fault::Refuse(ResponseCode::SYSTEM_BUSY)];
    world.with_cluster(|cluster| cluster.push_faults(Requests::Sends, faults));
    let op = send(&mut world, client, "x");
    // Looked up because of the lost connection: nothing may be written there any more.
    world.with_cluster(|cluster| cluster.set_broker_perm(0, 4));
    let error = world.end_of(client, op).1.unwrap_err();
    assert_eq!(error.stored(), Stored::Unknown, "{error}");
    assert!(error.attempts().unwrap().iter().count() >= 2, "{error}");
    let id = world.sent(client, op).id;
    assert_eq!(error.message_ids().unwrap().first(), id);
    assert!(error.to_string().contains(id.as_str()), "{error}");
    assert_eq!(world.copies(TOPIC, id.as_str()), 1);
}

fn order(world: &mut World, client: ClientId) -> rocketry_core::id::OpId {
    let request = CreateTopicRequest {
        topic: "made".into(),
        default_topic: "TBW102".into(),
        read_queues: 1,
        write_queues: 1,
        perm: 6,
        filter_type: "SINGLE_TAG".into(),
        ..Default::default()
    };
    let target = Target::Peer(PeerKind::Broker, Endpoint::parse(BROKER).unwrap());
    let (request, body) = (Request::CreateTopic(request), bytes::Bytes::new());
    world.query(client, Query::Call(Box::new(Call { target, request, body }))).unwrap()
}

#[test]
fn a_request_that_may_have_been_done_is_not_sent_again_unless_it_only_reads() {
    let (mut world, client) = warm(4);
    let code = RequestCode::UPDATE_AND_CREATE_TOPIC;
    world.with_cluster(|cluster| cluster.push_faults(code, [Fault::Close]));
    let op = order(&mut world, client);
    world.run_for(5 * SECOND);
    let Err(QueryError::Failed(attempt)) = &world.answer(client, op).unwrap().result else {
        panic!("{:?}", world.answer(client, op))
    };
    assert!(matches!(attempt.failure, Failure::Closed(_)), "{attempt}");
    assert_eq!(world.cluster().requests(code), 1);
    // A question may be asked twice.
    let queue = QueueName { topic: topic(TOPIC), broker: "broker-a".into(), queue: 0 };
    let code = RequestCode::GET_MAX_OFFSET;
    world.with_cluster(|cluster| cluster.push_faults(code, [Fault::Close]));
    let op = world.query(client, Query::MaxOffset(queue)).unwrap();
    world.run_for(5 * SECOND);
    assert!(matches!(world.answer(client, op).unwrap().result, Ok(Answer::Offset(_))));
    assert_eq!(world.cluster().requests(code), 2);
}

#[test]
fn an_order_given_up_says_whether_it_had_left() {
    let (mut world, client) = warm(4);
    let op = order(&mut world, client);
    assert_eq!(world.cancel(client, op), Cancelled::Detached);
    world.cut_all(BROKER);
    world.run_for(ms(10));
    let op = order(&mut world, client);
    assert_eq!(world.cancel(client, op), Cancelled::Removed);
    world.run_for(SECOND);
    assert_eq!(world.engine(client).stats().operations, 0);
}

#[test]
fn a_stored_message_whose_answer_tells_no_id_is_a_success_with_what_is_known() {
    let (mut world, client) = warm(4);
    let told = ("\"msgId\"", "\"msgIx\"");
    let receipt = replaced(&mut world, client, SendOptions::default(), told).unwrap();
    assert_eq!(&*receipt.offset_message_id, "");
    let records = world.cluster().messages(0, TOPIC, receipt.queue);
    let record = records.record(receipt.offset as usize).unwrap();
    assert_eq!(record.unique_id(), Some(receipt.message_id.as_str()));
}

#[test]
fn an_answer_that_names_no_real_place_is_unreadable_and_says_that_the_message_is_stored() {
    let cases = [
        ("\"queueOffset\":\"11\"", "\"queueOffset\":\"-1\""),
        ("\"queueId\":\"10\"", "\"queueId\":\"-1\""),
        ("\"queueOffset\":\"11\"", "\"queueOffsex\":\"11\""),
        ("\"queueId\":\"10\"", "\"queueId\":\"1x\""),
    ];
    for told in cases {
        let (mut world, client) = pair(1, 12);
        let queue = QueueName { topic: topic(TOPIC), broker: "broker-a".into(), queue: 10 };
        for _ in 0..11 {
            let op = world.send_with(client, message("x"), SendOptions::to(&queue)).unwrap();
            world.end_of(client, op).1.unwrap();
        }
        let error = replaced(&mut world, client, SendOptions::to(&queue), told).unwrap_err();
        assert_eq!((error.kind(), error.stored()), (ErrorKind::Unreadable, Stored::Yes));
        assert!(!error.is_retriable() && !error.to_string().contains("lost"), "{error}");
        assert_eq!(world.cluster().stored(TOPIC), 12);
    }
}

#[test]
fn a_broker_that_holds_a_client_back_is_passed_over_for_another_one() {
    let mut world = brokers(1, 2, 4);
    let client = world.client(config());
    store_many(&mut world, client, 2);
    let (at, held) = (ListenerId::Broker(0), Fault::Refuse(ResponseCode::FLOW_CONTROL));
    world.with_cluster(|cluster| cluster.push_faults_at(at, Requests::Sends, [held; 10]));
    for n in 0..8 {
        let op = send(&mut world, client, &n.to_string());
        assert_eq!(&*world.end_of(client, op).1.unwrap().broker, "broker-b");
    }
    assert!(world.cluster().requests_at(at, RequestCode::SEND_MESSAGE_V2) > 1);
}

#[test]
fn sends_of_one_key_to_a_broker_that_comes_back_are_stored_in_the_order_of_their_calls() {
    for warmed in 0..70 {
        let mut world = World::new(warmed, ClusterConfig::default().topic(TOPIC, 1));
        let client = world.client(config());
        store_many(&mut world, client, 1);
        // The table of calls is a ring: the ten may lie across its end.
        for n in 0..warmed {
            store(&mut world, client, &n.to_string());
        }
        world.take_down(0);
        world.run_for(ms(10));
        let send = |n: u32, world: &mut World| {
            let options = SendOptions::hash("key");
            world.send_with(client, message(n.to_string()), options).unwrap()
        };
        let ops: Vec<_> = (0..10).map(|n| send(n, &mut world)).collect();
        world.run_for(ms(500));
        world.bring_up(0);
        let places = ops.iter().map(|op| world.end_of(client, *op).1.unwrap().offset);
        assert!(places.collect::<Vec<_>>().is_sorted(), "{warmed}");
    }
}

#[test]
fn a_remark_with_line_ends_forges_no_line_of_a_log() {
    // What the embedded broker says to faults, by as many bytes of JSON that say something else.
    let forged = ("asked for by the test", "gone\\r\\n\\u001b[J WARN");
    let (mut world, client) = warm(4);
    let code = RequestCode::SEND_MESSAGE_V2;
    world.with_cluster(|cluster| cluster.push_error(code, [ResponseCode::MESSAGE_ILLEGAL]));
    let error = replaced(&mut world, client, SendOptions::default(), forged).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("gone") && !text.contains(char::is_control), "{text:?}");
    let (from, to) = forged;
    world.tamper(move |_, _, bytes| {
        if let Some(at) = bytes.windows(from.len()).position(|part| part == from.as_bytes()) {
            bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        }
    });
    let code = RequestCode::PULL_MESSAGE;
    world.with_cluster(|cluster| cluster.push_error(code, [ResponseCode::MESSAGE_ILLEGAL]));
    consume(&mut world, client, Pace::AtOnce);
    world.run_for(SECOND);
    let refused = world.notes(client).find(|note| matches!(note, Note::PullRefused { .. }));
    let refused = refused.expect("a note");
    let mut texts = vec![refused.to_string()];
    refused.facts(&mut |_, fact| texts.push(fact.to_string()));
    assert!(texts.iter().any(|text| text.contains("WARN")), "{texts:?}");
    assert!(texts.iter().all(|text| !text.contains(char::is_control)), "{texts:?}");
}

#[test]
fn a_message_that_may_be_stored_can_be_sent_again_under_its_id() {
    let (mut world, client) = warm(4);
    world.with_cluster(|cluster| cluster.push_faults(Requests::Sends, [Fault::Mute]));
    let op = send(&mut world, client, "x");
    let error = world.end_of(client, op).1.unwrap_err();
    let id = error.message_ids().unwrap().first();
    assert!(error.is_retriable() && id == world.sent(client, op).id);
    let op = world.try_send(client, message("x").id(id)).unwrap();
    assert_eq!(world.end_of(client, op).1.unwrap().message_id, id);
    assert_eq!(world.copies(TOPIC, id.as_str()), 2);
}
