//! What only a real Apache RocketMQ can show. These tests are ignored, since they need Java:
//!
//! ```text
//! cargo run --release -p rocketry-conformance -- live exec 5.3.3 -- \
//!     cargo test --release -p rocketry-conformance --test live -- --ignored
//! ```
//!
//! `NAMESRV_ADDR` and `ROCKETMQ_BROKER_ADDR` name the cluster that the tests share; each test makes
//! topics and groups of its own. A test that hurts the broker starts a cluster for itself.

use std::env;
use std::net::TcpStream;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use rocketry_conformance::live::{self, Cluster};

/// The addresses of the cluster that the tests share: nameserver, broker.
fn shared() -> (String, String) {
    let address = |name: &str| {
        env::var(name).unwrap_or_else(|_| panic!("{name} is not set: see the top of this file"))
    };
    (address("NAMESRV_ADDR"), address("ROCKETMQ_BROKER_ADDR"))
}

/// A topic that no other test and no earlier run has used.
fn new_topic(queues: u32) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let topic = format!("live_{}_{number}", process::id());
    let (namesrv, broker) = shared();
    live::create_topic(&namesrv, &broker, &topic, queues).expect("the topic is created");
    topic
}

#[test]
#[ignore = "needs a live broker"]
fn a_new_topic_shows_in_the_route_with_its_queues() {
    let topic = new_topic(6);
    let (namesrv, _) = shared();
    assert_eq!(live::route_queues(&namesrv, &topic).expect("a route"), Some(6));
    assert_eq!(live::route_queues(&namesrv, "live_none").expect("an answer"), None);
}

#[test]
#[ignore = "needs a live broker"]
fn a_killed_broker_leaves_the_route_and_returns_with_its_topics() {
    let version = env::var("ROCKETMQ_VERSION").unwrap_or_else(|_| "5.3.3".to_owned());
    let mut cluster = Cluster::start(&version).expect("a cluster");
    cluster.create_topic("kept", 3).expect("the topic is created");
    let (namesrv, broker, folder) =
        (cluster.namesrv(), cluster.broker(), cluster.folder().to_owned());

    cluster.kill_broker();
    assert!(TcpStream::connect(&broker).is_err(), "the port is closed");
    cluster.restart_broker().expect("it starts again");
    assert_eq!(cluster.broker(), broker);
    assert_eq!(live::route_queues(&namesrv, "kept").expect("a route"), Some(3));

    drop(cluster);
    assert!(TcpStream::connect(&namesrv).is_err(), "the nameserver is gone");
    assert!(!folder.exists(), "the data is gone");
}

#[test]
#[ignore = "needs a live broker"]
fn a_frozen_broker_is_silent_and_goes_on() {
    let version = env::var("ROCKETMQ_VERSION").unwrap_or_else(|_| "5.3.3".to_owned());
    let cluster = Cluster::start(&version).expect("a cluster");
    cluster.stop_broker();
    TcpStream::connect(cluster.broker()).expect("the system still takes connections");
    let refused = live::create_topic(&cluster.namesrv(), &cluster.broker(), "late", 1);
    assert!(refused.is_err(), "a frozen broker answers nothing");
    cluster.cont_broker();
    cluster.create_topic("late", 1).expect("it goes on");
}
