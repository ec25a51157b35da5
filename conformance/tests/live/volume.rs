//! Much of everything: each message stored once, told once, read once.

use std::time::Duration;

use rocketry::{Consumer, Message, Start, Topic};

use crate::rig::collector::Collector;
use crate::rig::{On, Rig, eventually, volume};
use crate::{live_on_all, new_name, new_topic, shared, version};

live_on_all!(
    a_hundred_thousand_messages_lie_in_the_log_and_come_once_each,
    a_successor_begins_where_the_last_one_settled,
);

const COUNT: usize = 100_000;

fn message(topic: &Topic) -> Message {
    Message::new(topic.clone(), vec![b'z'; 1024])
}

fn a_hundred_thousand_messages_lie_in_the_log_and_come_once_each(on: On) {
    let (name, group) = (new_topic(8), new_name());
    let rig = volume::rig(on, &shared().0);
    let collector = Collector::start(&rig, &group, &name);
    let sent = volume::send(rig, &name, COUNT);
    assert_eq!(sent.ids.len(), COUNT);
    sent.lies_in_the_log(on, &version());
    let all =
        eventually(Duration::from_secs(40), || collector.look(|seen| seen.ids.len() >= COUNT));
    let (came, again) = collector.look(|seen| (seen.ids.len(), seen.duplicates()));
    assert!(all, "{came} came");
    assert_eq!((came, again), (COUNT, 0));
    assert!(collector.look(|seen| sent.ids.iter().all(|id| seen.ids.contains_key(id))));
    sent.rig.client.shutdown().wait().expect("an end");
}

fn next(consumer: &mut Consumer) -> rocketry::Delivery {
    let next = consumer.recv_timeout(Duration::from_secs(20)).expect("a message in time");
    next.expect("a readable message")
}

fn a_successor_begins_where_the_last_one_settled(on: On) {
    let (name, group) = (new_topic(1), new_name());
    let rig = Rig::start(on, &shared().0);
    let topic = Topic::new(&*name).expect("a topic");
    let producer = rig.client.producer("successor").expect("a producer");
    for _ in 0..40 {
        producer.send(message(&topic)).wait().expect("stored");
    }
    let consumer = |rig: &Rig| {
        let builder = rig.client.consumer(&*group).expect("a group").topic(&*name, "*");
        builder.start_at(Start::First).start().expect("a consumer")
    };
    let mut first = consumer(&rig);
    for offset in 0..24 {
        let delivery = next(&mut first);
        assert_eq!(delivery.offset(), Some(offset));
        assert!(delivery.ack().is_taken(), "ours still");
    }
    first.close().wait().expect("an end");
    let other = Rig::start(on, &shared().0);
    let mut second = consumer(&other);
    for offset in 24..40 {
        let delivery = next(&mut second);
        assert_eq!(delivery.offset(), Some(offset));
        assert!(delivery.ack().is_taken(), "ours still");
    }
    assert!(second.recv_timeout(Duration::from_millis(500)).is_err(), "there is no more");
}
