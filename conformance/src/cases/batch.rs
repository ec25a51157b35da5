//! Batches and compressed bodies, as they lie in the log.

use std::time::Duration;

use rocketry::proto::message::{Compression, sys_flag};
use rocketry::proto::rng::Rng;
use rocketry::{Message, QueueName, SendOptions, Start};

use crate::cases::common::{await_stored, named, pulled, queue_of};
use crate::cases::place::Place;

fn ten(topic: &str) -> Vec<Message> {
    let message = |n: usize| {
        let message = Message::new(named(topic), format!("body {n}"));
        message.tag("t").key(&format!("k{n}")).property("n", &n.to_string())
    };
    (0..10).map(message).collect()
}

pub(crate) fn ten_messages_are_ten_to_who_consumes_them(place: &Place) {
    let topic = &*place.topic(8);
    let rig = place.rig();
    let producer = rig.client.producer("packing").expect("a producer");
    let receipt = producer.send_batch(&ten(topic)).wait().expect("stored");
    assert_eq!(receipt.offset_message_id.split(',').count(), 10, "{receipt:?}");
    let told: Vec<_> = receipt.messages().map(|(id, ..)| id.to_string()).collect();
    let builder = rig.client.consumer(&*format!("g-{topic}")).expect("a group").topic(topic, "*");
    let mut consumer = builder.start_at(Start::First).start().expect("a consumer");
    for (n, id) in told.iter().enumerate() {
        let next = consumer.recv_timeout(Duration::from_secs(20)).expect("a message in time");
        let delivery = next.expect("a readable message");
        assert_eq!(delivery.body(), &format!("body {n}"));
        assert_eq!(delivery.message().unique_id(), Some(&**id));
        assert!(delivery.ack().is_taken(), "ours still");
    }
    assert!(consumer.recv_timeout(Duration::from_millis(200)).is_err(), "there is no eleventh");
    producer.send_batch_oneway(&ten(topic)).wait().expect("given to the writer");
    await_stored(&rig, topic, 20);
}

pub(crate) fn a_batch_lies_in_one_queue_one_behind_the_other(place: &Place) {
    let topic = &*place.topic(8);
    let rig = place.rig();
    let producer = rig.client.producer("packing").expect("a producer");
    let first = producer.send_batch(&ten(topic)).wait().expect("stored");
    let options = SendOptions::to(&QueueName { queue: 6, ..queue_of(&first) });
    let chosen = producer.send_batch_with(&ten(topic), options).wait().expect("stored");
    assert_eq!(chosen.queue, 6);
    for receipt in [first, chosen] {
        let pulled = pulled(&rig, &receipt, 10);
        let read: Vec<_> = pulled.records.items().filter_map(|item| item.record()).collect();
        let offsets: Vec<_> = read.iter().map(|record| record.queue_offset()).collect();
        assert_eq!(offsets, (receipt.offset..receipt.offset + 10).collect::<Vec<_>>());
        let told: Vec<_> = receipt.messages().map(|(_, offset, _)| offset).collect();
        assert_eq!(offsets, told);
    }
    await_stored(&rig, topic, 20);
}

pub(crate) fn each_message_keeps_what_it_has(place: &Place) {
    let topic = &*place.topic(8);
    let rig = place.rig();
    let producer = rig.client.producer("packing").expect("a producer");
    let receipt = producer.send_batch(&ten(topic)).wait().expect("stored");
    let pulled = pulled(&rig, &receipt, 10);
    for (n, (item, told)) in pulled.records.items().zip(receipt.messages()).enumerate() {
        let record = item.record().expect("readable");
        let (id, offset, copy) = told;
        assert_eq!(record.body().expect("whole"), format!("body {n}"));
        assert_eq!((record.tags(), record.property("n")), (Some("t"), Some(&*n.to_string())));
        assert_eq!(record.keys().collect::<Vec<_>>(), [format!("k{n}")]);
        assert_eq!((record.unique_id(), record.queue_offset()), (Some(id.as_str()), offset));
        assert_eq!(record.offset_message_id().to_string(), copy);
    }
}

pub(crate) fn a_body_over_4096_bytes_is_compressed_and_comes_back_as_it_was(place: &Place) {
    let topic = &*place.topic(8);
    let rig = place.rig();
    let producer = rig.client.producer("packing").expect("a producer");
    for (length, compressed) in [(4096, false), (4097, true), (1 << 20, true)] {
        let body = "a body that shrinks ".repeat(length / 20 + 1)[..length].to_owned();
        let message = Message::new(named(topic), body.clone());
        let receipt = producer.send(message).wait().expect("stored");
        let pulled = pulled(&rig, &receipt, 1);
        let record = pulled.records.record(0).expect("readable");
        assert_eq!(record.sys_flag() & sys_flag::COMPRESSED != 0, compressed, "{length}");
        assert_eq!(record.compression(), compressed.then_some(Compression::Zlib));
        assert_eq!(record.raw_body().len() < length, compressed);
        assert_eq!(record.body().expect("whole"), body);
    }
    let builder = rig.client.consumer(&*format!("g-{topic}")).expect("a group").topic(topic, "*");
    let mut consumer = builder.start_at(Start::First).start().expect("a consumer");
    let mut lengths: Vec<_> = (0..3)
        .map(|_| {
            let next = consumer.recv_timeout(Duration::from_secs(20)).expect("a message in time");
            let delivery = next.expect("a readable message");
            let length = delivery.body().len();
            assert!(delivery.ack().is_taken(), "ours still");
            length
        })
        .collect();
    lengths.sort_unstable();
    assert_eq!(lengths, [4096, 4097, 1 << 20]);
}

pub(crate) fn a_body_that_does_not_shrink_grows_by_less_than_a_thousandth(place: &Place) {
    let topic = &*place.topic(8);
    let rig = place.rig();
    let producer = rig.client.producer("packing").expect("a producer");
    let mut rng = Rng::new(7);
    let noise: Vec<u8> = (0..3 << 17).flat_map(|_| rng.next_u64().to_le_bytes()).collect();
    let message = Message::new(named(topic), noise.clone());
    let receipt = producer.send(message).wait().expect("stored");
    let pulled = pulled(&rig, &receipt, 1);
    let record = pulled.records.record(0).expect("readable");
    assert!(record.raw_body().len() <= noise.len() + noise.len() / 1000);
    assert!(record.body().expect("whole") == noise, "another body came back");
}

pub(crate) fn a_batch_is_not_compressed_as_in_java(place: &Place) {
    let topic = &*place.topic(8);
    let rig = place.rig();
    let producer = rig.client.producer("packing").expect("a producer");
    let message = |n: u8| Message::new(named(topic), vec![b'a' + n; 5000]);
    let messages: Vec<_> = (0..8).map(message).collect();
    let receipt = producer.send_batch(&messages).wait().expect("stored");
    let pulled = pulled(&rig, &receipt, 8);
    for (n, item) in pulled.records.items().enumerate() {
        let record = item.record().expect("readable");
        assert_eq!((record.sys_flag() & sys_flag::COMPRESSED, record.compression()), (0, None));
        assert_eq!(record.body().expect("whole"), vec![b'a' + n as u8; 5000]);
    }
}
