//! What the handles promise: threads may share them, futures may move, deliveries come again.

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt};
use rocketry::client::{EndError, Ended, Next, Pending};
use rocketry::proto::body::TopicConfig;
use rocketry::proto::engine::{Cancelled, ClientPhase};
use rocketry::proto::frame::RequestCode;
use rocketry::{Client, Consumer, Delivery, Message, Producer, QueryError, SendError, SendReceipt};
use rocketry::{Config, QueueName, SendOptions, Start, Topic};
use rocketry_conformance::broker::{ClusterConfig, Fault};
use rocketry_conformance::serve::Served;

use crate::rig::{On, Rig, eventually};
use crate::{TOPIC, black_hole, on_all, served};

on_all!(
    push_17_a_dropped_delivery_comes_again_after_a_tenth_of_the_delay,
    a_delivery_given_back_comes_after_its_pause_as_another_attempt,
    a_delivery_that_is_sent_back_comes_again_with_its_topic_its_id_and_another_attempt,
    a_consumer_is_a_stream,
    a_call_given_up_says_whether_anything_left,
    a_handle_gives_nothing_of_a_queue_that_has_moved_and_acks_of_it_are_stale,
    an_order_to_several_brokers_given_up_says_that_requests_have_left,
    a_message_sent_again_under_its_id_is_told_by_it,
);

const fn shared<T: Send + Sync + Clone + 'static>() {}
const fn moves<T: Send + Unpin + 'static>() {}
const fn sends<T: Send>() {}

/// Checked by the compiler.
const _: () = {
    shared::<Client>();
    shared::<Producer>();
    moves::<Consumer>();
    moves::<Delivery>();
    moves::<Pending<Result<SendReceipt, SendError>>>();
    moves::<Pending<Result<i64, QueryError>>>();
    moves::<Pending<Result<Ended, EndError>>>();
    sends::<Next<'_>>();
};

fn message(body: &'static str) -> Message {
    Message::new(Topic::new(TOPIC).expect("a topic"), body)
}

fn consumer(rig: &Rig, group: &str) -> Consumer {
    let builder = rig.client.consumer(group).expect("a group").topic(TOPIC, "*");
    builder.start_at(Start::First).start().expect("a consumer")
}

fn next(consumer: &mut Consumer) -> Delivery {
    let next = consumer.recv_timeout(Duration::from_secs(10)).expect("a message in time");
    next.expect("a readable message")
}

/// A client that has sent `count` messages, and a consumer of them.
fn with_messages(on: On, namesrv: &str, count: usize) -> (Rig, Consumer) {
    let rig = Rig::start(on, namesrv);
    let producer = rig.client.producer("handles").expect("a producer");
    for _ in 0..count {
        producer.send(message("x")).wait().expect("sent");
    }
    let consumer = consumer(&rig, "handles");
    (rig, consumer)
}

fn push_17_a_dropped_delivery_comes_again_after_a_tenth_of_the_delay(on: On) {
    let served = served();
    let (rig, mut consumer) = with_messages(on, &served.namesrv(), 1);
    let pause = (rig.client.config().retry_delay / 10).min(Duration::from_millis(100));
    let first = next(&mut consumer);
    let (offset, dropped) = (first.offset(), Instant::now());
    drop(first);
    let again = next(&mut consumer);
    assert_eq!(again.offset(), offset);
    let took = dropped.elapsed();
    assert!(pause <= took && took < pause + Duration::from_millis(500), "{took:?}");
    assert!(again.ack().is_taken(), "ours still");
    assert!(consumer.recv_timeout(Duration::from_millis(300)).is_err(), "it is settled");
}

fn a_delivery_given_back_comes_after_its_pause_as_another_attempt(on: On) {
    let served = served();
    let (_rig, mut consumer) = with_messages(on, &served.namesrv(), 1);
    let (delay, retried) = (Duration::from_millis(300), Instant::now());
    let first = next(&mut consumer);
    assert_eq!(first.attempts(), 1);
    assert!(first.retry_here(delay).is_taken(), "ours still");
    let again = next(&mut consumer);
    assert_eq!(again.attempts(), 2);
    let took = retried.elapsed();
    assert!(delay <= took && took < delay + Duration::from_millis(500), "{took:?}");
    assert!(again.ack().is_taken(), "ours still");
}

fn a_delivery_that_is_sent_back_comes_again_with_its_topic_its_id_and_another_attempt(on: On) {
    let served = served();
    let (_rig, mut consumer) = with_messages(on, &served.namesrv(), 1);
    let first = next(&mut consumer);
    let id = first.id().into_owned();
    assert_eq!((first.topic(), first.attempts(), first.origin_id()), (TOPIC, 1, None));
    assert!(first.retry_after(Duration::from_secs(1)).is_taken(), "ours still");
    let again = next(&mut consumer);
    assert_eq!((again.topic(), again.attempts(), &*again.id()), (TOPIC, 2, &*id));
    assert_eq!(again.origin_id().map(str::len), Some(32), "where it was stored first");
    assert_eq!(again.queue().topic.as_str(), "%RETRY%handles");
    assert_eq!(again.to_message().topic().map(Topic::as_str), Some(TOPIC));
    assert!(again.ack().is_taken(), "ours still");
}

fn a_consumer_is_a_stream(on: On) {
    let served = served();
    let (rig, consumer) = with_messages(on, &served.namesrv(), 20);
    let offsets = consumer.take(20).map_ok(|received| {
        let delivery = received.expect("a readable message");
        let offset = delivery.offset().expect("an offset");
        assert!(delivery.ack().is_taken(), "ours still");
        offset
    });
    let collected = offsets.try_collect::<Vec<i64>>();
    let offsets = match &rig.tokio {
        Some(tokio) => tokio.block_on(collected),
        None => futures::executor::block_on(collected),
    };
    assert_eq!(offsets.expect("no end").len(), 20);
}

fn a_call_given_up_says_whether_anything_left(on: On) {
    // A nameserver that can't be connected to: the send waits for its route until it is given up.
    let (address, _socket, _filling) = black_hole();
    let rig = Rig::start(on, &address.to_string());
    let producer = rig.client.producer("handles").expect("a producer");
    assert_eq!(producer.send(message("given up")).cancel(), Cancelled::Removed);
    // One that has ended is no longer to be given up.
    let served = served();
    let rig = Rig::start(on, &served.namesrv());
    let producer = rig.client.producer("handles").expect("a producer");
    let sent = producer.send(message("sent"));
    let answered = || rig.client.stats().counters.sends_stored == 1;
    assert!(eventually(Duration::from_secs(10), answered), "{}", rig.client.stats());
    assert_eq!(served.with(|cluster| cluster.stored(TOPIC)), 1);
    assert_eq!(sent.cancel(), Cancelled::Ended);
    // Nor can the end of a client be given up: it goes on.
    assert_eq!(rig.client.shutdown().cancel(), Cancelled::Detached);
    assert!(
        eventually(Duration::from_secs(10), || rig.client.stats().phase == ClientPhase::Stopped)
    );
}

fn an_order_to_several_brokers_given_up_says_that_requests_have_left(on: On) {
    let served = Served::start(ClusterConfig::default().brokers(2)).expect("a cluster");
    let rig = Rig::start(on, &served.namesrv());
    let admin = rig.client.admin();
    let cluster = admin.cluster().wait().expect("clusters").clusters;
    let cluster = cluster.keys().next().expect("a cluster").to_string();
    let (order, topic) = (RequestCode::UPDATE_AND_CREATE_TOPIC, TopicConfig::new("made", 1));
    served.with(|cluster| cluster.push_faults(order, [Fault::Late(Duration::from_secs(2))]));
    // The order goes to the first broker once somebody looks.
    let mut call = admin.create_topic(&cluster, &topic);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let asked = || served.with(|cluster| cluster.requests(order));
    let begun = eventually(Duration::from_secs(10), || {
        let _ = Pin::new(&mut call).poll(&mut context);
        asked() == 1
    });
    assert!(begun);
    assert_eq!(call.cancel(), Cancelled::Detached);
    // A question that comes before a send is no part of it.
    let (address, _socket, _filling) = black_hole();
    let away = Rig::start(on, &address.to_string());
    let producer = away.client.producer("handles").expect("a producer");
    assert_eq!(
        producer.send_with_selector(message("x"), |_, _| Some(0)).cancel(),
        Cancelled::Removed
    );
    assert_eq!(asked(), 1);
}

fn a_message_sent_again_under_its_id_is_told_by_it(on: On) {
    let served = served();
    let rig = Rig::start(on, &served.namesrv());
    let producer = rig.client.producer("handles").expect("a producer");
    let first = producer.send(message("once"));
    let id = first.message_ids().expect("a send's").first();
    assert_eq!(first.wait().expect("sent").message_id, id);
    let again = producer.send(message("once").id(id));
    assert_eq!(again.message_ids().expect("a send's").iter().collect::<Vec<_>>(), [id]);
    assert_eq!(again.wait().expect("sent").message_id, id);
    let batch = [message("a").id(id), message("b")];
    let batch = producer.send_batch(&batch);
    let ids: Vec<_> = batch.message_ids().expect("a send's").iter().collect();
    let receipt = batch.wait().expect("sent");
    assert!(ids[0] == id && receipt.messages().map(|(id, ..)| id).eq(ids.iter().copied()));
}

fn a_handle_gives_nothing_of_a_queue_that_has_moved_and_acks_of_it_are_stale(on: On) {
    let served = served();
    let member = |name: &str| {
        let mut config = Config::new(served.namesrv()).expect("settings");
        config.instance_name = Some(name.to_owned());
        Rig::with(on, config)
    };
    // Ids decide who has which queues: the first of two has the first half.
    let (first_rig, second_rig) = (member("a"), member("b"));
    let producer = first_rig.client.producer("handles").expect("a producer");
    let topic = Topic::new(TOPIC).expect("a topic");
    for number in [0, 7] {
        let queue = QueueName { topic: topic.clone(), broker: "broker-a".into(), queue: number };
        for _ in 0..10 {
            producer.send_with(message("x"), SendOptions::to(&queue)).wait().expect("sent");
        }
    }
    let mut first = consumer(&first_rig, "moving");
    // Up to the first one of queue 7: the handle has the others at hand.
    let mut held = vec![next(&mut first)];
    while held.last().is_some_and(|delivery| delivery.queue().queue != 7) {
        held.push(next(&mut first));
    }
    let mut second = consumer(&second_rig, "moving");
    for _ in 0..10 {
        let delivery = next(&mut second);
        assert_eq!(delivery.queue().queue, 7);
        assert!(delivery.ack().is_taken(), "the second one's");
    }
    // That of the retry topic is beside them.
    let share = || {
        let queues = &first_rig.client.stats().consumers[0].queues;
        queues.iter().filter(|stats| stats.queue.topic == topic).count()
    };
    assert!(eventually(Duration::from_secs(10), || share() == 4), "{}", share());
    for delivery in held {
        let own = delivery.queue().queue == 0;
        assert_eq!(delivery.ack().is_taken(), own);
    }
    while let Ok(delivery) = first.recv_timeout(Duration::from_millis(300)) {
        let delivery = delivery.expect("a readable message");
        assert_eq!(delivery.queue().queue, 0, "queue 7 has moved");
        assert!(delivery.ack().is_taken(), "ours still");
    }
}
