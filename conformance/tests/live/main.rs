//! What only a real Apache RocketMQ can show, on every runtime. These tests are
//! ignored, since they need Java:
//!
//! ```text
//! cargo run --release -p rocketry-conformance -- live exec 5.3.3 -- \
//!     cargo test --release -p rocketry-conformance --test live -- --ignored
//! ```
//!
//! `NAMESRV_ADDR` and `ROCKETMQ_BROKER_ADDR` name the cluster that the tests share; each test makes
//! topics and groups of its own. A test that hurts the broker starts a cluster for itself.

mod cluster;
mod commits;
mod connections;
mod failover;
mod moves;
mod nameservers;
mod outages;
mod producing;
mod refusals;
mod restart;
#[path = "../rig/mod.rs"]
mod rig;
mod routes;
mod sends;
mod sharing;
mod told;
mod volume;

use std::env;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use rocketry_conformance::live;

/// The addresses of the cluster that the tests share: nameserver, broker.
fn shared() -> (String, String) {
    let address = |name: &str| {
        env::var(name).unwrap_or_else(|_| panic!("{name} is not set: see the top of this file"))
    };
    (address("NAMESRV_ADDR"), address("ROCKETMQ_BROKER_ADDR"))
}

/// The version of RocketMQ to start.
fn version() -> String {
    env::var("ROCKETMQ_VERSION").unwrap_or_else(|_| "5.3.3".to_owned())
}

/// A name that no other test and no earlier run has used.
fn new_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("live_{}_{number}", process::id())
}

/// A new topic on the shared cluster.
fn new_topic(queues: u32) -> String {
    let topic = new_name();
    let (namesrv, broker) = shared();
    live::create_topic(&namesrv, &broker, &topic, queues).expect("the topic is created");
    topic
}

/// Makes ignored tests of functions that take a runtime: one for each runtime, or, where that would
/// take minutes, one for tasks and one for threads.
macro_rules! live_on {
    ($($name:ident: $($test:ident $on:ident),*;)*) => { $(
        mod $name {
            $(
                #[test]
                #[ignore = "needs a live broker"]
                fn $test() {
                    super::$name($crate::rig::On::$on);
                }
            )*
        }
    )* };
}
macro_rules! live_on_all {
    ($($name:ident),* $(,)?) => {
        $crate::live_on! { $(
            $name: on_tokio Tokio, on_smol Smol, on_async_std AsyncStd, on_threads Threads;
        )* }
    };
}
macro_rules! live_on_both {
    ($($name:ident),* $(,)?) => {
        $crate::live_on! { $($name: on_tokio Tokio, on_threads Threads;)* }
    };
}
use live_on;
use live_on_all;
use live_on_both;

#[test]
#[ignore = "started by the tests that kill it"]
fn a_member_in_a_process_of_its_own() {
    rig::member::be_member();
}
