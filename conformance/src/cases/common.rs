//! What several groups of cases need.

use std::thread;
use std::time::{Duration, Instant};

use rocketry::client::Pulled;
use rocketry::proto::name::Endpoint;
use rocketry::{Message, QueueName, SendError, SendReceipt, Topic};

use crate::cases::place::Place;
use crate::live::{self, LiveError};
use crate::rig::{On, Rig, eventually};

/// Slaves of 4.x copy the topics of their master more often than that
/// (`BrokerController.handleSlaveSynchronize`).
const COPIED: Duration = Duration::from_secs(20);

/// Gives a live slave a topic that its master has: it copies messages at once, topics only now and
/// then. Those of 4.x let nobody else do it.
pub(crate) fn topic_on_slave(namesrv: &str, slave: &str, topic: &str, queues: u32) {
    match live::create_topic(namesrv, slave, topic, queues) {
        Err(LiveError::Refused { said, .. }) if said.contains("from slave broker") => {
            thread::sleep(COPIED);
        }
        created => created.expect("the slave takes the topic"),
    }
}

pub(crate) fn named(topic: &str) -> Topic {
    Topic::new(topic).expect("a topic")
}

/// What is made for each of these runtimes.
pub(crate) fn all<T>(runtimes: &[On], make: impl FnMut(On) -> T) -> Vec<T> {
    runtimes.iter().copied().map(make).collect()
}

/// What the queues hold in all.
pub(crate) fn stored(rig: &Rig, topic: &str) -> i64 {
    let queues = rig.client.queues(&named(topic)).wait().expect("queues");
    queues.iter().map(|queue| rig.client.max_offset(queue).wait().expect("an offset")).sum()
}

/// Waits until that many messages are in the queues: brokers put them there after the answer.
pub(crate) fn await_stored(rig: &Rig, topic: &str, count: i64) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while stored(rig, topic) < count && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(stored(rig, topic), count);
}

/// The queue that a receipt names.
pub(crate) fn queue_of(receipt: &SendReceipt) -> QueueName {
    let (topic, broker) = (receipt.topic.clone(), receipt.broker.clone());
    QueueName { topic, broker, queue: receipt.queue as u32 }
}

/// So many messages from the one on that a receipt names, as they lie there.
pub(crate) fn pulled(rig: &Rig, receipt: &SendReceipt, count: usize) -> Pulled {
    let (admin, queue) = (rig.client.admin(), queue_of(receipt));
    let mut found = None;
    let come = eventually(Duration::from_secs(20), || {
        let pulled = admin.pull(&queue, receipt.offset, count as u32).wait().expect("pulled");
        found = Some(pulled).filter(|pulled| pulled.records.len() >= count);
        found.is_some()
    });
    assert!(come, "{count} messages never came into {queue:?}");
    found.expect("looked at")
}

/// The cluster's name and the address of the topic's master.
pub(crate) fn cluster_of(rig: &Rig, topic: &str) -> (String, Endpoint) {
    let route = rig.client.admin().route(&named(topic)).wait().expect("a route");
    let broker = &route.brokers[0];
    let master = Endpoint::parse(&broker.addresses[&0]).expect("an address");
    (broker.cluster.to_string(), master)
}

/// Sends to a topic and gives the error, which has to come at once.
pub(crate) fn refused_at_once(place: &Place, namesrv: &str, topic: &str) -> SendError {
    let rig = place.rig_with(place.config_at(namesrv));
    let producer = rig.client.producer("refusals").expect("a producer");
    let begun = Instant::now();
    let error = producer.send(Message::new(named(topic), "x")).wait().expect_err("refused");
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}: {error}", begun.elapsed());
    error
}
