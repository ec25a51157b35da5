//! What cases of consumers have in common.

use std::time::Duration;

use bytes::Bytes;
use rocketry::proto::error::PeerKind;
use rocketry::proto::frame::reply::ReplyFields;
use rocketry::proto::frame::request::QueryOffsetRequest;
use rocketry::proto::frame::{Request, ResponseCode};
use rocketry::proto::name::Endpoint;
use rocketry::proto::query::{Response, Target};
use rocketry::{Client, Consumer, Delivery, Message, QueueName, SendOptions, Start};

use crate::cases::common::named;
use crate::rig::{Rig, eventually};

pub(crate) const SOON: Duration = Duration::from_secs(20);
pub(crate) const QUIET: Duration = Duration::from_secs(1);

/// The queues of a topic, in the order of their numbers.
pub(crate) fn queues(rig: &Rig, topic: &str) -> Vec<QueueName> {
    rig.client.queues(&named(topic)).wait().expect("queues")
}

/// Sends messages of these bodies to a queue, one after the other.
pub(crate) fn send_to(rig: &Rig, queue: &QueueName, bodies: impl IntoIterator<Item = usize>) {
    let producer = rig.client.producer("reading").expect("a producer");
    for body in bodies {
        let message = Message::new(queue.topic.clone(), body.to_string());
        producer.send_with(message, SendOptions::to(queue)).wait().expect("stored");
    }
}

/// Sends messages of these bodies to all queues of a topic in turn.
pub(crate) fn send_all(rig: &Rig, topic: &str, bodies: impl IntoIterator<Item = usize>) {
    let producer = rig.client.producer("reading").expect("a producer");
    let message = |body: usize| Message::new(named(topic), body.to_string());
    let sent: Vec<_> = bodies.into_iter().map(|body| producer.send(message(body))).collect();
    sent.into_iter().for_each(|call| drop(call.wait().expect("stored")));
}

/// A consumer from the first message on.
pub(crate) fn consume(rig: &Rig, group: &str, topic: &str, tags: &str) -> Consumer {
    let builder = rig.client.consumer(group).expect("a group").topic(topic, tags);
    builder.start_at(Start::First).start().expect("a consumer")
}

/// The next message, which has to come soon.
pub(crate) fn next(consumer: &mut Consumer) -> Delivery {
    let next = consumer.recv_timeout(SOON).expect("a message in time");
    next.expect("a readable message")
}

/// So many messages.
pub(crate) fn take(consumer: &mut Consumer, count: usize) -> Vec<Delivery> {
    (0..count).map(|_| next(consumer)).collect()
}

pub(crate) fn number(message: &rocketry::MessageView) -> usize {
    let text = std::str::from_utf8(message.body()).expect("a text");
    text.parse().expect("a number")
}

pub(crate) fn acked(delivery: Delivery) {
    assert!(delivery.ack().is_taken(), "ours");
}

/// Acknowledges what comes until nothing has come for that long.
pub(crate) fn drain(consumer: &mut Consumer, quiet: Duration) -> Vec<usize> {
    let mut bodies = Vec::new();
    while let Ok(next) = consumer.recv_timeout(quiet) {
        let delivery = next.expect("a readable message");
        bodies.push(number(&delivery));
        delivery.ack();
    }
    bodies
}

/// As [`drain`], in the order of the numbers.
pub(crate) fn drained(consumer: &mut Consumer, quiet: Duration) -> Vec<usize> {
    let mut bodies = drain(consumer, quiet);
    bodies.sort_unstable();
    bodies
}

/// A broker, to ask it something.
pub(crate) fn peer(broker: &str) -> Target {
    Target::Peer(PeerKind::Broker, Endpoint::parse(broker).expect("an address"))
}

/// Asks a broker, whatever it answers.
pub(crate) fn ask(rig: &Rig, broker: &str, request: Request, body: Vec<u8>) -> Response {
    let answer = rig.client.admin().call(peer(broker), request, Bytes::from(body));
    answer.wait().expect("an answer")
}

/// What a broker has stored of a group for a queue of a topic; `None` where it has nothing, or does
/// not say.
pub(crate) fn committed_at(
    client: &Client,
    broker: &str,
    group: &str,
    queue: (&str, i32),
) -> Option<i64> {
    ask_committed(client, broker, group, queue).ok().flatten()
}

/// What a broker says that it has stored; the error is whatever else it says.
fn ask_committed(
    client: &Client,
    broker: &str,
    group: &str,
    (topic, queue): (&str, i32),
) -> Result<Option<i64>, String> {
    let request = Request::QueryOffset(QueryOffsetRequest {
        consumer_group: group.into(),
        topic: topic.into(),
        queue_id: queue,
        zero_if_absent: Some(false),
        ..Default::default()
    });
    let answer = client.admin().call(peer(broker), request, Bytes::new()).wait();
    let answer = answer.map_err(|error| error.to_string())?;
    match &answer.fields {
        Ok(ReplyFields::Offset(fields)) if answer.code == ResponseCode::SUCCESS => {
            Ok(Some(fields.offset))
        }
        _ if answer.code == ResponseCode::QUERY_NOT_FOUND => Ok(None),
        _ => Err(format!("{answer:?}")),
    }
}

/// As [`committed_at`], for the first queue.
pub(crate) fn committed(client: &Client, broker: &str, group: &str, topic: &str) -> Option<i64> {
    committed_at(client, broker, group, (topic, 0))
}

/// Waits until a group's offset in the first queue of a topic is this one.
pub(crate) fn await_committed(rig: &Rig, broker: &str, group: &str, topic: &str, offset: i64) {
    let stored = || committed(&rig.client, broker, group, topic);
    let come = eventually(SOON, || stored() == Some(offset));
    assert!(come, "{:?} is committed, not {offset}", stored());
}

/// The sum of what a group has stored for so many queues.
pub(crate) fn committed_sum(rig: &Rig, broker: &str, group: &str, topic: &str, many: i32) -> i64 {
    committed_each(rig, broker, group, topic, many).into_iter().flatten().sum()
}

/// What a broker that answers has stored of each queue.
pub(crate) fn committed_each(
    rig: &Rig,
    broker: &str,
    group: &str,
    topic: &str,
    many: i32,
) -> Vec<Option<i64>> {
    let of = |queue| ask_committed(&rig.client, broker, group, (topic, queue)).expect("an answer");
    (0..many).map(of).collect()
}
