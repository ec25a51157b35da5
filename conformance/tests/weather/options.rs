//! What one producer or consumer does otherwise than its client's settings say.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rocketry::client::{ProducerError, ProducerOptions, SubscribeError};
use rocketry::proto::consumer::ConsumerOptions;
use rocketry::proto::frame::RequestCode;
use rocketry::proto::message::MessageError;
use rocketry::{
    Consumer, Filter, FilterError, Message, QueueSelection, SendError, SendOptions, Start, Topic,
};

use crate::rig::{On, Rig, eventually};
use crate::{TOPIC, on_all, served};

on_all!(
    a_producer_selects_by_what_its_messages_say,
    a_producer_selects_by_its_callers_own_choice,
    a_request_whose_queue_is_selected_ends_by_its_deadline,
    a_consumer_has_a_window_of_its_own,
    a_delivery_is_sent_again_as_it_came,
    what_is_no_topic_or_out_of_range_is_refused_by_name,
);

const SOON: Duration = Duration::from_secs(10);

fn consumer(rig: &Rig, options: ConsumerOptions, filter: Filter) -> Consumer {
    let builder = rig.client.consumer_with("options", options.start_at(Start::First));
    builder.expect("a group").topic(TOPIC, filter).start().expect("a consumer")
}

fn a_producer_selects_by_what_its_messages_say(on: On) {
    let served = served();
    let rig = Rig::start(on, &served.namesrv());
    let options = ProducerOptions::default().message_hash();
    let producer = rig.client.producer_with("options", options).expect("a producer");
    let send = |message: Message| producer.send(message).wait().expect("stored").queue;
    let message = |n: u32| Message::new(TOPIC, n.to_string());
    let own = |n: u32| send(message(n).key(&n.to_string()).sharding_key("customer-7"));
    let queues: BTreeSet<i32> = (0..20).map(own).collect();
    assert_eq!(queues.len(), 1, "{queues:?}");
    let hashed = SendOptions::hash("customer-7");
    let same = producer.send_with(message(20), hashed).wait().expect("stored");
    assert!(queues.contains(&same.queue));
    let keyed: BTreeSet<i32> = (0..20).map(|n| send(message(n).key("a").key("b"))).collect();
    assert_eq!(keyed.len(), 1, "{keyed:?}");
    let free: BTreeSet<i32> = (0..100).map(|n| send(message(n))).collect();
    assert!(free.len() > 1, "{free:?}");
    let batch = [message(1).sharding_key("customer-7"), message(2).sharding_key("x")];
    let batch = producer.send_batch(&batch).wait().expect("stored");
    assert!(queues.contains(&batch.queue), "a batch goes by its first message");
}

fn a_producer_selects_by_its_callers_own_choice(on: On) {
    let served = served();
    let rig = Rig::start(on, &served.namesrv());
    let options = ProducerOptions::default().selector(|message, queues| {
        assert!(queues.iter().all(|choice| (0.0..=1.0).contains(&choice.success_rate())));
        let wanted = message.properties().get("queue")?.parse::<u32>().ok()?;
        queues.iter().position(|choice| choice.queue.queue == wanted)
    });
    let producer = rig.client.producer_with("options", options).expect("a producer");
    let message = |queue: &str| Message::new(TOPIC, "x").property("queue", queue);
    assert_eq!(producer.send(message("3")).wait().expect("stored").queue, 3);
    let batch = [message("5"), message("6")];
    assert_eq!(producer.send_batch(&batch).wait().expect("stored").queue, 5);
    producer.send_oneway(message("7")).wait().expect("given to the writer");
    let queue =
        rig.client.queues(&Topic::new(TOPIC).expect("a topic")).wait().expect("queues").remove(7);
    let stored = || rig.client.max_offset(&queue).wait().expect("an offset") == 1;
    assert!(eventually(SOON, stored), "nothing in queue 7");
    let none = producer.send(message("none")).wait().expect_err("no choice");
    assert!(matches!(none, SendError::NoChoice { .. }), "{none}");
    let told = SendOptions::default().selection(QueueSelection::Hash(2));
    assert_eq!(producer.send_with(message("3"), told).wait().expect("stored").queue, 2);
}

fn a_request_whose_queue_is_selected_ends_by_its_deadline(on: On) {
    let served = served();
    let rig = Rig::start(on, &served.namesrv());
    let producer =
        rig.client.producer_with("options", ProducerOptions::default().selector(|_, _| Some(0)));
    let producer = producer.expect("a producer");
    let slow = Duration::from_secs(2);
    served.with(|cluster| cluster.set_delay(RequestCode::GET_ROUTEINFO_BY_TOPIC, slow));
    for within in [500, 2_500].map(Duration::from_millis) {
        let begun = Instant::now();
        let error =
            producer.request(Message::new(TOPIC, "x"), within).wait().expect_err("no reply");
        let took = begun.elapsed();
        assert!(took >= within && took < within + slow / 2, "{within:?} became {took:?}: {error}");
    }
    let asked = producer.request(Message::new(TOPIC, "x"), Duration::from_millis(300));
    let error = asked.wait().expect_err("no reply").to_string();
    assert!(error.contains("within 300"), "{error}");
}

fn a_consumer_has_a_window_of_its_own(on: On) {
    let served = served();
    let rig = Rig::start(on, &served.namesrv());
    let producer = rig.client.producer("options").expect("a producer");
    for n in 0..20 {
        let message = Message::new(TOPIC, n.to_string());
        producer.send_with(message, SendOptions::hash("one")).wait().expect("stored");
    }
    let options = ConsumerOptions::default().queue_messages(4).pull_batch(2);
    let mut consumer = consumer(&rig, options, Filter::all());
    let held = || {
        let consumers = rig.client.stats().consumers;
        consumers.iter().flat_map(|one| &one.queues).map(|queue| queue.messages).sum::<usize>()
    };
    assert!(eventually(SOON, || held() == 4), "{} messages held", held());
    for _ in 0..20 {
        let received = consumer.recv_timeout(SOON).expect("a message in time");
        assert!(held() <= 4, "{} messages held", held());
        assert!(received.expect("readable").ack().is_taken());
    }
}

fn a_delivery_is_sent_again_as_it_came(on: On) {
    let served = served();
    let rig = Rig::start(on, &served.namesrv());
    let producer = rig.client.producer("options").expect("a producer");
    let sent = Message::new(TOPIC, "body").tag("eu").key("a").key("b").property("n", "1").flag(7);
    let first = producer.send(sent.clone()).wait().expect("stored");
    let mut consumer =
        consumer(&rig, ConsumerOptions::default(), Filter::tags(["eu"]).expect("a filter"));
    let received = consumer.recv_timeout(SOON).expect("in time").expect("readable");
    let again = received.to_message();
    assert!(received.ack().is_taken());
    assert_eq!(again, sent);
    let second = producer.send(again).wait().expect("stored");
    assert_ne!(first.message_id, second.message_id);
    let received = consumer.recv_timeout(SOON).expect("in time").expect("readable");
    assert_eq!(received.message().tags(), Some("eu"));
    assert!(received.ack().is_taken());
}

fn what_is_no_topic_or_out_of_range_is_refused_by_name(on: On) {
    let served = served();
    let rig = Rig::start(on, &served.namesrv());
    let producer = rig.client.producer("options").expect("a producer");
    let send = |topic: &str| producer.send(Message::new(topic, "x")).wait();
    assert!(send(TOPIC).is_ok());
    let wrong = send("no.topic").expect_err("not a topic");
    assert!(matches!(wrong, SendError::Invalid(MessageError::Topic(_))), "{wrong}");
    let by_selector = producer.send_with_selector(Message::new("", "x"), |_, _| Some(0)).wait();
    let wrong = by_selector.expect_err("not a topic");
    assert!(matches!(wrong, SendError::Invalid(MessageError::Topic(_))), "{wrong}");
    let options = ProducerOptions::default().attempts(0);
    let wrong = rig.client.producer_with("options", options).expect_err("no attempts");
    assert!(matches!(wrong, ProducerError::Config(_)), "{wrong}");
    let start = |options, filter: &str| {
        let builder = rig.client.consumer_with("options", options).expect("a group");
        builder.topic(TOPIC, filter).start().expect_err("refused")
    };
    let wrong = start(ConsumerOptions::default().pull_batch(0), "*");
    assert!(matches!(wrong, SubscribeError::Config(_)), "{wrong}");
    let wrong = start(ConsumerOptions::default(), "a | b");
    let said = wrong.to_string();
    assert!(matches!(wrong, SubscribeError::Filter { .. }), "{said}");
    let begins = format!("filter of topic {TOPIC}: \"a | b\" would be one tag with '|' in it");
    assert!(said.starts_with(&begins), "{said}");
    let wrong = start(ConsumerOptions::default(), "a||*");
    assert!(matches!(wrong, SubscribeError::Filter { error: FilterError::Star { .. }, .. }));
}
