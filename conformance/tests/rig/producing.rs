//! Everything a producer can do: batches, oneway, chosen queues, full windows. The same on the
//! embedded broker and on a live one; each needs a topic of its own with eight queues.

use std::time::{Duration, Instant};

use rocketry::core::body::TopicConfig;
use rocketry::{Config, Message, QueueName, SendError, SendOptions, Start, Topic};

use super::{On, Rig};

fn named(topic: &str) -> Topic {
    Topic::new(topic).expect("a topic")
}

/// What the queues hold in all.
fn stored(rig: &Rig, topic: &str) -> i64 {
    let queues = rig.client.queues(&named(topic)).wait().expect("queues");
    queues.iter().map(|queue| rig.client.max_offset(queue).wait().expect("an offset")).sum()
}

/// Waits until that many messages are in the queues: brokers put them there after the answer.
fn await_stored(rig: &Rig, topic: &str, count: i64) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while stored(rig, topic) < count && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(stored(rig, topic), count);
}

/// A client that gives a busy broker time.
fn patient(on: On, namesrv: &str) -> Rig {
    let mut config = Config::new(namesrv).expect("settings");
    config.send_timeout = Duration::from_secs(60);
    Rig::with(on, config)
}

pub fn send_02_ten_thousand_in_flight_all_end(on: On, namesrv: &str, topic: &str) {
    let message = |body: String| Message::new(named(topic), body);
    let rig = patient(on, namesrv);
    let producer = rig.client.producer("producing").expect("a producer");
    let pending: Vec<_> = (0..10_000).map(|n| producer.send(message(format!("{n}")))).collect();
    for pending in pending {
        pending.wait().expect("stored");
    }
    await_stored(&rig, topic, 10_000);
}

pub fn send_03_oneway_messages_are_stored(on: On, namesrv: &str, topic: &str) {
    let message = |body: String| Message::new(named(topic), body);
    let rig = patient(on, namesrv);
    let producer = rig.client.producer("producing").expect("a producer");
    for n in 0..1_000 {
        producer.send_oneway(message(format!("{n}"))).wait().expect("given to the writer");
        // A busy broker throws away what nobody waits for: it is given time to keep up.
        if n % 20 == 19 {
            producer.send(message("answered".to_owned())).wait().expect("stored");
        }
    }
    await_stored(&rig, topic, 1_050);
    let pending = producer.send_with(message("x".to_owned()), SendOptions::default().oneway());
    assert_eq!(pending.wait(), Err(SendError::NoReceipt));
}

pub fn send_06_a_selector_that_panics_or_errs_harms_nobody(on: On, namesrv: &str, topic: &str) {
    let message = |body: String| Message::new(named(topic), body);
    let rig = Rig::start(on, namesrv);
    let producer = rig.client.producer("producing").expect("a producer");
    // The first one finds no route yet, the second one does.
    for wanted in [5, 3] {
        let select = move |message: &Message, queues: &[rocketry::QueueChoice]| {
            assert_eq!(message.body(), "chosen");
            assert_eq!(queues.len(), 8);
            queues.iter().position(|choice| choice.queue.queue == wanted)
        };
        let receipt =
            producer.send_by(message("chosen".to_owned()), select).wait().expect("stored");
        assert_eq!(receipt.queue, wanted as i32);
    }
    let no_choice = Err(SendError::NoChoice { topic: named(topic) });
    assert_eq!(
        producer.send_by(message("x".to_owned()), |_, _| panic!("a bad selector")).wait(),
        no_choice
    );
    assert_eq!(producer.send_by(message("x".to_owned()), |_, _| None).wait(), no_choice);
    assert_eq!(
        producer.send_by(message("x".to_owned()), |_, queues| Some(queues.len())).wait(),
        no_choice
    );
    producer.send(message("still alive".to_owned())).wait().expect("stored");
    await_stored(&rig, topic, 3);
}

pub fn send_26_a_full_window_waits_where_it_is_told_to(on: On, namesrv: &str, topic: &str) {
    let message = |body: String| Message::new(named(topic), body);
    let mut config = Config::new(namesrv).expect("settings");
    (config.max_pending, config.wait_for_room) = (4, true);
    config.send_timeout = Duration::from_secs(60);
    let rig = Rig::with(on, config);
    let producer = rig.client.producer("producing").expect("a producer");
    let pending: Vec<_> = (0..200).map(|n| producer.send(message(format!("{n}")))).collect();
    // Dropped before it began: it is not sent, and the others go on.
    drop(producer.send(message("dropped".to_owned())));
    for pending in pending {
        pending.wait().expect("stored");
    }
    let workers: Vec<_> = (0..8)
        .map(|_| {
            let (producer, topic) = (producer.clone(), named(topic));
            std::thread::spawn(move || {
                for n in 0..50 {
                    let message = Message::new(topic.clone(), format!("{n}"));
                    producer.send(message).wait().expect("stored");
                }
            })
        })
        .collect();
    workers.into_iter().for_each(|worker| worker.join().expect("no panic"));
    // The dropped one may have found room before it was dropped.
    let deadline = Instant::now() + Duration::from_secs(20);
    while stored(&rig, topic) < 600 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!((600..=601).contains(&stored(&rig, topic)), "{}", stored(&rig, topic));
}

pub fn comp_01_a_large_body_comes_back_as_it_was(on: On, namesrv: &str, topic: &str) {
    let message = |body: String| Message::new(named(topic), body);
    let rig = Rig::start(on, namesrv);
    let producer = rig.client.producer("producing").expect("a producer");
    let body = "a body that shrinks ".repeat(1_000);
    producer.send(message(body.clone())).wait().expect("stored");
    let builder = rig.client.consumer(&*format!("g-{topic}")).expect("a group").topic(topic, "*");
    let mut consumer = builder.start_at(Start::First).start().expect("a consumer");
    let next = consumer.recv_timeout(Duration::from_secs(10)).expect("a message in time");
    assert_eq!(next.expect("a readable message").body(), &body);
}

pub fn batch_01_batch_02_batch_06_a_batch_lies_in_one_queue_each_message_whole(
    on: On,
    namesrv: &str,
    topic: &str,
) {
    let rig = Rig::start(on, namesrv);
    let producer = rig.client.producer("producing").expect("a producer");
    let message = |n: usize| {
        let message = Message::new(named(topic), format!("body {n}"));
        message.tag("t").key(&format!("k{n}")).property("n", &n.to_string())
    };
    let messages: Vec<_> = (0..10).map(message).collect();
    let receipt = producer.send_batch(&messages).wait().expect("stored");
    let told: Vec<_> = receipt.messages().collect();
    assert_eq!(told.len(), 10);
    let queue = receipt.queue as u32;
    let queue = QueueName { topic: named(topic), broker: receipt.broker.clone(), queue };
    await_stored(&rig, topic, 10);
    let pulled = rig.client.admin().pull(&queue, receipt.offset, 32).wait().expect("pulled");
    assert_eq!(pulled.records.len(), 10);
    for (n, item) in pulled.records.items().enumerate() {
        let record = item.record().expect("readable");
        let (id, offset, copy) = told[n];
        assert_eq!(record.body().expect("whole"), format!("body {n}"));
        assert_eq!((record.tags(), record.property("n")), (Some("t"), Some(&*n.to_string())));
        assert_eq!(record.unique_id(), Some(id.as_str()));
        assert_eq!(record.queue_offset(), offset);
        assert_eq!(record.offset_message_id().to_string(), copy);
    }
    let options = SendOptions::to(&QueueName { queue: 6, ..queue });
    let receipt = producer.send_batch_with(&messages, options).wait().expect("stored");
    assert_eq!(receipt.queue, 6);
    producer.send_batch_oneway(&messages).wait().expect("given to the writer");
    await_stored(&rig, topic, 30);
}

pub fn adm_05_a_topic_is_created_found_and_deleted(on: On, namesrv: &str, topic: &str) {
    let rig = Rig::start(on, namesrv);
    let admin = rig.client.admin();
    let route = admin.route(&named(topic)).wait().expect("a route");
    let cluster = route.brokers[0].cluster.to_string();
    let info = admin.cluster().wait().expect("the cluster");
    assert!(info.clusters[&cluster].contains(&*route.brokers[0].broker_name));
    let made = format!("{topic}_made");
    let spec = TopicConfig { perm: 6, ..TopicConfig::new(&made, 3) };
    admin.create_topic(&cluster, &spec).wait().expect("created");
    let deadline = Instant::now() + Duration::from_secs(10);
    while admin.route(&named(&made)).wait().is_err() {
        assert!(Instant::now() < deadline, "the nameserver never heard of it");
        std::thread::sleep(Duration::from_millis(50));
    }
    let route = admin.route(&named(&made)).wait().expect("a route");
    assert_eq!((route.queues[0].read_queues, route.queues[0].write_queues), (3, 3));
    assert!(admin.topics().wait().expect("topics").topics.contains(&made));
    let producer = rig.client.producer("producing").expect("a producer");
    let receipt = producer.send(Message::new(named(&made), "x")).wait().expect("stored");
    let queue = receipt.queue as u32;
    let queue = QueueName { topic: named(&made), broker: receipt.broker, queue };
    assert_eq!(admin.search_offset(&queue, 0).wait().expect("an offset"), 0);
    admin.delete_topic(&cluster, &named(&made)).wait().expect("deleted");
    assert!(admin.route(&named(&made)).wait().is_err());
}

pub fn adm_06_a_queue_is_read_by_plain_pulls(on: On, namesrv: &str, topic: &str) {
    let message = |body: String| Message::new(named(topic), body);
    let rig = Rig::start(on, namesrv);
    let producer = rig.client.producer("producing").expect("a producer");
    let queues = rig.client.queues(&named(topic)).wait().expect("queues");
    for n in 0..40 {
        let options = SendOptions::to(&queues[2]);
        producer.send_with(message(format!("{n}")), options).wait().expect("stored");
    }
    await_stored(&rig, topic, 40);
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
    let route = admin.route(&named(topic)).wait().expect("a route");
    assert_eq!(route.queues[0].write_queues, 8);
    let nothing = admin.route(&Topic::new("no_such_topic").expect("a topic")).wait();
    assert!(nothing.expect_err("no route").to_string().contains("TOPIC_NOT_EXIST"));
}
