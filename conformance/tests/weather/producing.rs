//! Everything a producer can do, on real sockets: batches, oneway, chosen queues, full windows.

use std::time::{Duration, Instant};

use rocketry::{Config, Message, SendError, SendOptions, Start, Topic};

use crate::rig::{On, Rig};
use crate::{TOPIC, on_both, served};

on_both!(
    send_02_ten_thousand_in_flight_all_end,
    send_03_oneway_messages_are_stored,
    send_06_a_selector_that_panics_or_errs_harms_nobody,
    send_26_a_full_window_waits_where_it_is_told_to,
    comp_01_a_large_body_comes_back_as_it_was,
    adm_a_queue_is_read_by_plain_pulls,
);

fn message(body: impl Into<bytes::Bytes>) -> Message {
    Message::new(Topic::new(TOPIC).expect("a topic"), body)
}

/// What the queues hold in all, once nothing changes any more.
fn stored(rig: &Rig) -> i64 {
    let queues = rig.client.queues(&Topic::new(TOPIC).expect("a topic")).wait().expect("queues");
    queues.iter().map(|queue| rig.client.max_offset(queue).wait().expect("an offset")).sum()
}

fn send_02_ten_thousand_in_flight_all_end(on: On) {
    let served = served();
    let rig = Rig::start(on, &served.namesrv());
    let producer = rig.client.producer("producing").expect("a producer");
    let pending: Vec<_> = (0..10_000).map(|n| producer.send(message(format!("{n}")))).collect();
    for pending in pending {
        pending.wait().expect("stored");
    }
    assert_eq!(stored(&rig), 10_000);
}

fn send_03_oneway_messages_are_stored(on: On) {
    let served = served();
    let rig = Rig::start(on, &served.namesrv());
    let producer = rig.client.producer("producing").expect("a producer");
    for n in 0..1_000 {
        producer.send_oneway(message(format!("{n}"))).wait().expect("given to the writer");
    }
    // Nobody says when they are there: what was written before is, once a send is answered.
    let deadline = Instant::now() + Duration::from_secs(10);
    while stored(&rig) < 1_000 {
        assert!(Instant::now() < deadline, "only {} came", stored(&rig));
        std::thread::sleep(Duration::from_millis(20));
    }
    let pending = producer.send_with(message("x"), SendOptions::default().oneway());
    assert_eq!(pending.wait(), Err(SendError::NoReceipt));
}

fn send_06_a_selector_that_panics_or_errs_harms_nobody(on: On) {
    let served = served();
    let rig = Rig::start(on, &served.namesrv());
    let producer = rig.client.producer("producing").expect("a producer");
    // The first one finds no route yet, the second one does.
    for wanted in [5, 3] {
        let select = move |message: &Message, queues: &[rocketry::QueueChoice]| {
            assert_eq!(message.body(), "chosen");
            assert_eq!(queues.len(), 8);
            queues.iter().position(|choice| choice.queue.queue == wanted)
        };
        let receipt = producer.send_by(message("chosen"), select).wait().expect("stored");
        assert_eq!(receipt.queue, wanted as i32);
    }
    let topic = Topic::new(TOPIC).expect("a topic");
    let no_choice = Err(SendError::NoChoice { topic });
    assert_eq!(producer.send_by(message("x"), |_, _| panic!("a bad selector")).wait(), no_choice);
    assert_eq!(producer.send_by(message("x"), |_, _| None).wait(), no_choice);
    assert_eq!(producer.send_by(message("x"), |_, queues| Some(queues.len())).wait(), no_choice);
    producer.send(message("still alive")).wait().expect("stored");
    assert_eq!(stored(&rig), 3);
}

fn send_26_a_full_window_waits_where_it_is_told_to(on: On) {
    let served = served();
    let mut config = Config::new(&served.namesrv()).expect("settings");
    (config.max_pending, config.wait_for_room) = (4, true);
    let rig = Rig::with(on, config);
    let producer = rig.client.producer("producing").expect("a producer");
    let pending: Vec<_> = (0..200).map(|n| producer.send(message(format!("{n}")))).collect();
    // Dropped before it began: it is not sent, and the others go on.
    drop(producer.send(message("dropped")));
    for pending in pending {
        pending.wait().expect("stored");
    }
    let workers: Vec<_> = (0..8)
        .map(|_| {
            let producer = producer.clone();
            std::thread::spawn(move || {
                for n in 0..50 {
                    producer.send(message(format!("{n}"))).wait().expect("stored");
                }
            })
        })
        .collect();
    workers.into_iter().for_each(|worker| worker.join().expect("no panic"));
    assert!((600..=601).contains(&stored(&rig)), "{}", stored(&rig));
}

fn comp_01_a_large_body_comes_back_as_it_was(on: On) {
    let served = served();
    let rig = Rig::start(on, &served.namesrv());
    let producer = rig.client.producer("producing").expect("a producer");
    let body = "a body that shrinks ".repeat(1_000);
    producer.send(message(body.clone())).wait().expect("stored");
    let builder = rig.client.consumer("producing").expect("a group").topic(TOPIC, "*");
    let mut consumer = builder.start_at(Start::First).start().expect("a consumer");
    let next = consumer.recv_timeout(Duration::from_secs(10)).expect("a message in time");
    assert_eq!(next.expect("a readable message").body(), &body);
}

fn adm_a_queue_is_read_by_plain_pulls(on: On) {
    let served = served();
    let rig = Rig::start(on, &served.namesrv());
    let producer = rig.client.producer("producing").expect("a producer");
    let queues = rig.client.queues(&Topic::new(TOPIC).expect("a topic")).wait().expect("queues");
    for n in 0..40 {
        let options = SendOptions::to(&queues[2]);
        producer.send_with(message(format!("{n}")), options).wait().expect("stored");
    }
    let admin = rig.client.admin();
    let (mut offset, mut seen) = (0, Vec::new());
    while seen.len() < 40 {
        let pulled = admin.pull(&queues[2], offset, 16).wait().expect("pulled");
        assert_eq!((pulled.min_offset, pulled.max_offset), (0, 40));
        for item in pulled.records.items() {
            let body = item.record().expect("readable").body().expect("whole");
            seen.push(String::from_utf8(body.to_vec()).expect("text"));
        }
        assert!(pulled.next_offset > offset);
        offset = pulled.next_offset;
    }
    assert_eq!(seen, (0..40).map(|n| n.to_string()).collect::<Vec<_>>());
    let beyond = admin.pull(&queues[2], 40, 16).wait().expect("answered");
    assert_eq!(beyond.records.len(), 0);
    let route = admin.route(&Topic::new(TOPIC).expect("a topic")).wait().expect("a route");
    assert_eq!(route.queues[0].write_queues, 8);
    let nothing = admin.route(&Topic::new("no_such_topic").expect("a topic")).wait();
    assert!(nothing.expect_err("no route").to_string().contains("TOPIC_NOT_EXIST"));
}
