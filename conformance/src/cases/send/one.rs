//! What becomes of one message: where it lies, what of it, and what is refused.

use std::collections::BTreeSet;
use std::time::Duration;

use rocketry::proto::frame::ResponseCode;
use rocketry::proto::message::MessageError;
use rocketry::{
    Message, QueueName, QueueSelection, SendError, SendOptions, SendStatus, Start, Stored,
};

use crate::cases::common::{await_stored, named, pulled, queue_of, stored};
use crate::cases::place::Place;

/// The error of what never left.
fn refused(result: Result<rocketry::SendReceipt, SendError>) -> MessageError {
    match result.expect_err("refused") {
        SendError::Invalid(error) => error,
        other => panic!("{other}"),
    }
}

pub(crate) fn a_message_is_stored_once_where_the_receipt_says(place: &Place) {
    let topic = &*place.topic(8);
    let rig = place.rig();
    let producer = rig.client.producer("sending").expect("a producer");
    let message = Message::new(named(topic), "hello").tag("t").key("k").property("p", "v");
    let receipt = producer.send(message.flag(7)).wait().expect("stored");
    assert_eq!((receipt.status, receipt.topic.as_str()), (SendStatus::Ok, topic));
    assert_eq!((receipt.message_id.as_str().len(), receipt.offset), (32, 0));
    assert!((0..8).contains(&receipt.queue));
    let pulled = pulled(&rig, &receipt, 1);
    let record = pulled.records.record(0).expect("readable");
    assert_eq!((record.topic().as_ref(), record.queue_id()), (topic, receipt.queue));
    assert_eq!((record.queue_offset(), record.flag()), (0, 7));
    assert_eq!(record.body().expect("whole"), "hello");
    assert_eq!((record.tags(), record.property("p")), (Some("t"), Some("v")));
    assert_eq!(record.keys().collect::<Vec<_>>(), ["k"]);
    assert_eq!(record.unique_id(), Some(receipt.message_id.as_str()));
    assert_eq!(record.offset_message_id().to_string(), *receipt.offset_message_id);
    await_stored(&rig, topic, 1);
}

pub(crate) fn a_message_goes_to_the_queue_that_was_named(place: &Place) {
    let topic = &*place.topic(8);
    let rig = place.rig();
    let producer = rig.client.producer("sending").expect("a producer");
    let queues = rig.client.queues(&named(topic)).wait().expect("queues");
    for (n, queue) in [7, 0, 3, 3].into_iter().enumerate() {
        let options = SendOptions::to(&queues[queue]);
        let message = Message::new(named(topic), format!("{n}"));
        let receipt = producer.send_with(message, options).wait().expect("stored");
        assert_eq!(queue_of(&receipt), queues[queue]);
        assert_eq!(receipt.offset, i64::from(n == 3));
    }
    await_stored(&rig, topic, 4);
}

pub(crate) fn a_key_has_its_queue_and_random_finds_them_all(place: &Place) {
    let topic = &*place.topic(8);
    let rig = place.rig();
    let producer = rig.client.producer("sending").expect("a producer");
    let send = |options: SendOptions| {
        let message = Message::new(named(topic), "x");
        producer.send_with(message, options).wait().expect("stored").queue
    };
    // The hash of the last key is the least of all integers.
    for key in ["order-1", "order-2", "\u{7528}\u{6237}", "polygenelubricants"] {
        let hash = rocketry::proto::message::java_string_hash(key);
        let expected = (i64::from(hash).abs() % 8) as i32;
        let queues: BTreeSet<_> = (0..3).map(|_| send(SendOptions::hash(key))).collect();
        assert_eq!(queues, BTreeSet::from([expected]), "{key}");
    }
    let mut random = SendOptions::default();
    random = random.selection(QueueSelection::Random);
    let queues: BTreeSet<_> = (0..200).map(|_| send(random.clone())).collect();
    assert_eq!(queues.len(), 8);
}

pub(crate) fn a_queue_that_is_not_there_is_refused_by_the_broker(place: &Place) {
    let topic = &*place.topic(8);
    let rig = place.rig();
    let producer = rig.client.producer("sending").expect("a producer");
    let queues = rig.client.queues(&named(topic)).wait().expect("queues");
    for queue in [8, 4000] {
        let options = SendOptions::to(&QueueName { queue, ..queues[0].clone() });
        let sent = producer.send_with(Message::new(named(topic), "x"), options).wait();
        let error = sent.expect_err("there is no such queue");
        let SendError::Rejected { code, stored, .. } = &error else { panic!("{error}") };
        // Before 5.3.2 it is a system error.
        assert!([ResponseCode(29), ResponseCode::SYSTEM_ERROR].contains(code), "{error}");
        assert_eq!(*stored, Stored::No);
        assert!(error.to_string().contains(&format!("queueId[{queue}]")), "{error}");
    }
    assert_eq!(stored(&rig, topic), 0);
}

pub(crate) fn the_broker_picks_the_queue_of_minus_one(place: &Place) {
    let topic = &*place.topic(8);
    let rig = place.rig();
    let producer = rig.client.producer("sending").expect("a producer");
    let broker = rig.client.queues(&named(topic)).wait().expect("queues")[0].broker.clone();
    let mut options = SendOptions::default();
    options = options.selection(QueueSelection::Queue { broker, queue: -1 });
    let mut queues = BTreeSet::new();
    for _ in 0..100 {
        let message = Message::new(named(topic), "x");
        queues.insert(producer.send_with(message, options.clone()).wait().expect("stored").queue);
    }
    assert!(queues.len() > 4, "{queues:?}");
    if queues.iter().any(|queue| *queue < 0) {
        // 4.8.0 takes the remainder of a number that may be negative: nothing of ours to change.
        println!("send_08: the broker picked of {queues:?}");
        assert!(queues.iter().all(|queue| (-7..8).contains(queue)), "{queues:?}");
        return;
    }
    assert!(queues.iter().all(|queue| (0..8).contains(queue)), "{queues:?}");
    await_stored(&rig, topic, 100);
}

pub(crate) fn an_empty_body_is_refused_before_it_leaves(place: &Place) {
    let topic = &*place.topic(8);
    let rig = place.rig();
    let producer = rig.client.producer("sending").expect("a producer");
    let empty = || Message::new(named(topic), "");
    assert_eq!(refused(producer.send(empty()).wait()), MessageError::EmptyBody);
    let batch = [Message::new(named(topic), "x"), empty()];
    assert_eq!(refused(producer.send_batch(&batch).wait()), MessageError::EmptyBody);
    let oneway = producer.send_oneway(empty()).wait().expect_err("refused");
    assert_eq!(oneway, SendError::Invalid(MessageError::EmptyBody));
    assert_eq!((oneway.stored(), oneway.is_retriable()), (Stored::No, false));
    assert_eq!(stored(&rig, topic), 0);
}

pub(crate) fn a_body_of_four_mebibytes_goes_and_one_byte_more_is_refused(place: &Place) {
    let topic = &*place.topic(8);
    const LIMIT: usize = 4 << 20;
    let mut config = place.config();
    config.compress_over = usize::MAX;
    let rig = place.rig_with(config);
    let producer = rig.client.producer("sending").expect("a producer");
    let message = |length: usize| Message::new(named(topic), vec![7; length]);
    let too_large = MessageError::BodyTooLarge { length: LIMIT + 1, limit: LIMIT };
    assert_eq!(refused(producer.send(message(LIMIT + 1)).wait()), too_large);
    let receipt = producer.send(message(LIMIT - (64 << 10))).wait().expect("stored");
    assert_eq!(receipt.status, SendStatus::Ok);
    // 4.x brokers count what they store with it, too.
    match producer.send(message(LIMIT)).wait() {
        Ok(receipt) => {
            let pulled = pulled(&rig, &receipt, 1);
            let record = pulled.records.record(0).expect("readable");
            assert_eq!(record.body().expect("whole").len(), LIMIT);
        }
        Err(SendError::Rejected { code, stored, .. }) => {
            assert_eq!((code, stored), (ResponseCode::MESSAGE_ILLEGAL, Stored::No));
        }
        Err(other) => panic!("{other}"),
    }
}

pub(crate) fn properties_up_to_their_limit_are_kept_and_longer_ones_refused(place: &Place) {
    let topic = &*place.topic(8);
    let rig = place.rig();
    let producer = rig.client.producer("sending").expect("a producer");
    let message = |length| Message::new(named(topic), "x").property("p", &"v".repeat(length));
    let error = refused(producer.send(message(32_767)).wait());
    assert!(matches!(error, MessageError::PropertiesTooLarge { limit: 32_767, .. }), "{error}");
    // What brokers add counts as well: what is not refused here is not refused by them.
    let added = "UNIQ_KEY".len() + 34 + "WAIT\u{1}true\u{2}".len() + 3 + 160;
    for length in [32_000, 32_767 - added] {
        let receipt = producer.send(message(length)).wait().expect("stored");
        let pulled = pulled(&rig, &receipt, 1);
        let record = pulled.records.record(0).expect("readable");
        assert_eq!(record.property("p").map(str::len), Some(length));
    }
    let error = refused(producer.send(message(32_767 - added + 1)).wait());
    assert!(matches!(error, MessageError::PropertiesTooLarge { length: 32_768, .. }), "{error}");
}

pub(crate) fn odd_text_in_a_property_harms_no_neighbour(place: &Place) {
    let topic = &*place.topic(8);
    let rig = place.rig();
    let producer = rig.client.producer("sending").expect("a producer");
    let new = || Message::new(named(topic), "x");
    let error = refused(producer.send(new().property("p", "v\u{2}UNIQ_KEY\u{1}forged")).wait());
    assert_eq!(error, MessageError::Separator { name: "p".into() });
    let error = refused(producer.send(new().property("UNIQ_KEY", "forged")).wait());
    assert_eq!(error, MessageError::Reserved { name: "UNIQ_KEY".into() });
    let odd = "\u{3}=;&\"\\\u{0}\n\t\u{7f}\u{85}\u{1f600}";
    let message = new().property("before", "b").property("odd", odd).property("behind", "c");
    let receipt = producer.send(message).wait().expect("stored");
    let pulled = pulled(&rig, &receipt, 1);
    let record = pulled.records.record(0).expect("readable");
    let read = ["before", "odd", "behind"].map(|name| record.property(name));
    assert_eq!(read, [Some("b"), Some(odd), Some("c")]);
    assert_eq!(record.unique_id(), Some(receipt.message_id.as_str()));
    await_stored(&rig, topic, 1);
}

pub(crate) fn a_tag_may_be_any_text(place: &Place) {
    let topic = &*place.topic(8);
    const CHINESE: &str = "\u{6807}\u{7b7e}";
    let rig = place.rig();
    let producer = rig.client.producer("sending").expect("a producer");
    for tag in ["a b", "a|b", "a, b", "*", CHINESE] {
        let message = Message::new(named(topic), tag.to_owned()).tag(tag);
        let receipt = producer.send(message).wait().expect("stored");
        let pulled = pulled(&rig, &receipt, 1);
        assert_eq!(pulled.records.record(0).expect("readable").tags(), Some(tag));
    }
    // No subscription could name these.
    for tag in ["a || b", "||", " a", "a "] {
        let message = Message::new(named(topic), "refused").tag(tag);
        let refused = producer.send(message).wait().expect_err("refused");
        assert!(matches!(refused, SendError::Invalid(MessageError::Tag { .. })), "{refused}");
    }
    let group = format!("g-{topic}");
    let builder = rig.client.consumer(&*group).expect("a group").topic(topic, CHINESE);
    let mut consumer = builder.start_at(Start::First).start().expect("a consumer");
    let next = consumer.recv_timeout(Duration::from_secs(20)).expect("a message in time");
    let delivery = next.expect("a readable message");
    assert_eq!(delivery.body(), CHINESE);
    assert!(delivery.ack().is_taken(), "ours still");
    assert!(consumer.recv_timeout(Duration::from_millis(200)).is_err(), "one has that tag");
}

pub(crate) fn a_long_chinese_property_is_kept_or_refused_by_its_size(place: &Place) {
    let topic = &*place.topic(8);
    let rig = place.rig();
    let producer = rig.client.producer("sending").expect("a producer");
    let text = |count| "\u{4e2d}".repeat(count);
    let message = |count| Message::new(named(topic), "x").property("p", &text(count));
    let receipt = producer.send(message(10_000)).wait().expect("stored");
    let pulled = pulled(&rig, &receipt, 1);
    let record = pulled.records.record(0).expect("readable");
    assert!(record.property("p") == Some(&text(10_000)), "another property came back");
    let error = refused(producer.send(message(20_000)).wait());
    assert!(matches!(error, MessageError::PropertiesTooLarge { length, .. } if length > 60_000));
    await_stored(&rig, topic, 1);
}

pub(crate) fn a_message_that_does_not_wait_is_stored_as_well(place: &Place) {
    let topic = &*place.topic(8);
    let rig = place.rig();
    let producer = rig.client.producer("sending").expect("a producer");
    let quick = || Message::new(named(topic), "x").wait_store_msg_ok(false);
    let receipt = producer.send(quick()).wait().expect("stored");
    assert_eq!(receipt.status, SendStatus::Ok);
    let batch = producer.send_batch(&[quick(), quick()]).wait().expect("stored");
    assert_eq!(batch.status, SendStatus::Ok);
    let pulled = pulled(&rig, &receipt, 1);
    let record = pulled.records.record(0).expect("readable");
    assert_eq!(record.unique_id(), Some(receipt.message_id.as_str()));
    let mixed = [quick(), Message::new(named(topic), "x")];
    let error = refused(producer.send_batch(&mixed).wait());
    assert_eq!(error, MessageError::MixedWaits { index: 1 });
    await_stored(&rig, topic, 3);
}
