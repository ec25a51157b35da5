//! Many brokers at once.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rocketry::proto::frame::RequestCode;
use rocketry::{Message, Start, Topic};
use rocketry_conformance::broker::{BrokerConfig, ClusterConfig, ListenerId};
use rocketry_conformance::serve::Served;

use crate::rig::{On, Rig, eventually};
use crate::{TOPIC, on_all};

on_all!(scale_01_of_177_brokers_each_hears_of_a_client_and_the_first_message_goes_at_once);

const BROKERS: usize = 177;
/// One at a time: the figure is of one client's start.
static ALONE: Mutex<()> = Mutex::new(());

fn many() -> Served {
    let broker = |n: usize| BrokerConfig::new(format!("broker-{n:03}"), "127.0.0.1:0");
    let brokers = (0..BROKERS).map(broker).collect();
    let config = ClusterConfig { brokers, ..ClusterConfig::default() }.topic(TOPIC, 1);
    Served::start(config).expect("a served cluster")
}

fn heartbeats(served: &Served) -> usize {
    let heard = |index: &usize| {
        let at = ListenerId::Broker(*index);
        served.with(|cluster| cluster.requests_at(at, RequestCode::HEART_BEAT)) > 0
    };
    (0..BROKERS).filter(heard).count()
}

fn scale_01_of_177_brokers_each_hears_of_a_client_and_the_first_message_goes_at_once(on: On) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let served = many();
    let topic = Topic::new(TOPIC).expect("a topic");
    let begun = Instant::now();
    let rig = Rig::start(on, &served.namesrv());
    let producer = rig.client.producer("scale").expect("a producer");
    producer.send(Message::new(topic, "x")).wait().expect("stored");
    let sent = begun.elapsed();
    // A producer connects to a broker when it has something for it.
    assert!(eventually(Duration::from_secs(20), || heartbeats(&served) == 1));
    rig.client.shutdown().wait().expect("an end");

    let begun = Instant::now();
    let other = Rig::start(on, &served.namesrv());
    let builder = other.client.consumer("scale").expect("a group").topic(TOPIC, "*");
    let mut consumer = builder.start_at(Start::First).start().expect("a consumer");
    let next = consumer.recv_timeout(Duration::from_secs(20)).expect("a message in time");
    let came = begun.elapsed();
    let all = eventually(Duration::from_secs(20), || heartbeats(&served) == BROKERS);
    let heard = begun.elapsed();
    assert!(all, "{} of {BROKERS} brokers heard of the consumer", heartbeats(&served));
    assert!(next.expect("a readable message").ack().is_taken(), "ours still");
    println!(
        "scale: {on:?}, {BROKERS} brokers: first message sent {sent:?} after the start; first \
         message received {came:?} after the start, heartbeats at all by {heard:?}"
    );
    // The aim is a second; the rest is for a machine that is busy.
    assert!(sent < Duration::from_secs(10) && came < Duration::from_secs(10), "{sent:?} {came:?}");
}
