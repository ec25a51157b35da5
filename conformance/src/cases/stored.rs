//! What brokers write of a message besides what was sent: its checksum, wherever it goes; and
//! bodies that can't be opened.

use std::collections::BTreeSet;
use std::time::Duration;

use rocketry::proto::frame::request::SendRequest;
use rocketry::proto::frame::{Request, ResponseCode};
use rocketry::proto::message::sys_flag;
use rocketry::{Message, QueueName, SendOptions, Topic, Unreadable};

use crate::cases::common::await_stored;
use crate::cases::place::{Place, note};
use crate::cases::reading::{
    QUIET, acked, ask, await_committed, consume, next, number, queues, send_to,
};
use crate::rig::{Rig, eventually};

const SOON: Duration = Duration::from_secs(20);
/// Where the checksum stands in a stored message, and what a broker writes that computes none.
const CHECKSUM: std::ops::Range<usize> = 8..12;

/// All messages of a topic's queues, each with a checksum that is there and right.
fn checksums(place: &Place, rig: &Rig, topic: &str, count: usize, what: &str) {
    let named = Topic::new(topic).expect("a topic");
    let queues: Vec<QueueName> = {
        let there = eventually(SOON, || rig.client.queues(&named).wait().is_ok());
        assert!(there, "{what}: there is no {topic}");
        rig.client.queues(&named).wait().expect("queues")
    };
    let mut read = 0;
    for queue in &queues {
        let mut offset = 0;
        while let Ok(pulled) = rig.client.admin().pull(queue, offset, 32).wait()
            && !pulled.records.is_empty()
        {
            for item in pulled.records.items() {
                let record = item.record().unwrap_or_else(|| panic!("{what}: {item:?}"));
                let raw = record.raw();
                let checksum = i32::from_be_bytes(raw[CHECKSUM].try_into().expect("four bytes"));
                // Who opens a body checks it against this.
                record.body().unwrap_or_else(|error| panic!("{what}: {error}, {checksum:#x}"));
                assert!(checksum != 0, "{what}: no checksum");
                read += 1;
            }
            offset = pulled.next_offset;
        }
    }
    note!(place, "{}: {what}: {read} messages with the right checksum", place.version());
    assert_eq!(read, count, "{what}");
}

pub(crate) fn checksums_are_right_wherever_a_message_goes(place: &Place) {
    let (topic, group) = (place.topic(1), place.name());
    let rig = place.rig();
    let queue = queues(&rig, &topic).swap_remove(0);
    send_to(&rig, &queue, 0..4);
    let producer = rig.client.producer("checksums").expect("a producer");
    let message = |body: &str| Message::new(queue.topic.clone(), body.to_owned());
    let batch: Vec<Message> = (4..8).map(|body| message(&body.to_string())).collect();
    producer.send_batch_with(&batch, SendOptions::to(&queue)).wait().expect("stored");
    producer.send_with(message("8").delay_level(1), SendOptions::to(&queue)).wait().expect("kept");
    let long = format!("9{:8000}", "");
    producer.send_with(message(&long), SendOptions::to(&queue)).wait().expect("stored");
    await_stored(&rig, &topic, 10);
    checksums(place, &rig, &topic, 10, "plain, batch, delayed and compressed");
    let mut consumer = consume(&rig, &group, &topic, "*");
    for _ in 0..10 {
        let delivery = next(&mut consumer);
        let odd = delivery.offset().is_some_and(|offset| offset % 2 == 1);
        let settled = match odd {
            true => delivery.reject(),
            false => delivery.retry_after(Duration::from_secs(1)),
        };
        assert!(settled.is_taken(), "ours");
    }
    for _ in 0..5 {
        let delivery = next(&mut consumer);
        assert_eq!(delivery.attempts(), 2);
        acked(delivery);
    }
    checksums(place, &rig, &format!("%RETRY%{group}"), 5, "sent back");
    let letters = format!("%DLQ%{group}");
    let (cluster, _) = crate::cases::common::cluster_of(&rig, &letters);
    let readable = rocketry::proto::body::TopicConfig::new(&letters, 1);
    rig.client.admin().create_topic(&cluster, &readable).wait().expect("readable");
    checksums(place, &rig, &letters, 5, "dead letters");
}

/// Stores a body that is said to be compressed, and is not.
fn send_garbage(place: &Place, rig: &Rig, queue: &QueueName) {
    let request = Request::Send(SendRequest {
        producer_group: "garbage".into(),
        topic: queue.topic.wire().clone(),
        default_topic: "TBW102".into(),
        default_topic_queues: 4,
        queue_id: queue.queue as i32,
        sys_flag: sys_flag::COMPRESSED,
        born_timestamp: 1_700_000_000_000,
        properties: Some("UNIQ_KEY\u{1}7F0000010001000000000000000000AB\u{2}".into()),
        reconsume_times: Some(0),
        ..Default::default()
    });
    let answer = ask(rig, &place.broker(), request, b"this is not zlib".to_vec());
    assert_eq!(answer.code, ResponseCode::SUCCESS, "{:?}", answer.remark);
}

pub(crate) fn of_32_messages_one_can_not_be_opened_and_31_are_delivered(place: &Place) {
    let (topic, group, broker) = (place.topic(1), place.name(), place.broker());
    let rig = place.rig();
    let queue = queues(&rig, &topic).swap_remove(0);
    send_to(&rig, &queue, 0..16);
    send_garbage(place, &rig, &queue);
    send_to(&rig, &queue, 17..32);
    await_stored(&rig, &topic, 32);
    let mut consumer = consume(&rig, &group, &topic, "*");
    let (mut seen, mut reported) = (BTreeSet::new(), Vec::<Unreadable>::new());
    while seen.len() + reported.len() < 32 {
        match consumer.recv_timeout(SOON).expect("a message in time") {
            Ok(delivery) => {
                seen.insert(number(&delivery));
                acked(delivery);
            }
            Err(unreadable) => reported.push(unreadable),
        }
    }
    let expected: BTreeSet<usize> = (0..32).filter(|body| *body != 16).collect();
    assert_eq!((seen, reported.len()), (expected, 1));
    let unreadable = reported.remove(0);
    note!(place, "{:?}: 31 delivered; {unreadable}", place.on());
    assert_eq!((unreadable.offset, unreadable.queue.clone()), (Some(16), queue));
    assert!(unreadable.raw().windows(16).any(|part| part == b"this is not zlib"));
    // Nothing passes it before it is settled.
    await_committed(&rig, &broker, &group, &topic, 16);
    assert!(unreadable.ack().is_taken(), "ours");
    await_committed(&rig, &broker, &group, &topic, 32);
    assert!(consumer.recv_timeout(QUIET).is_err(), "there is no more");
}
