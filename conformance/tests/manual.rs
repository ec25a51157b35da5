//! What the pages of the documentation promise: the loop of the manual, word for word, with sockets
//! and the embedded broker, and who may wait in tokio.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rocketry::{QueryError, Topic};
use rocketry_conformance::embedded::EmbeddedCluster;
use tokio::runtime::Builder;
use tokio::task::{LocalSet, spawn_blocking};

include!("../../core/manual/own_loop.rs");

#[test]
fn a_loop_written_from_the_manual_sends_a_thousand_messages_and_ends_by_itself() {
    let cluster = EmbeddedCluster::start().unwrap();
    cluster.create_topic("orders", 4);
    assert_eq!(send_all(&cluster.namesrv(), "orders", 1000).unwrap(), 1000);
    assert_eq!(cluster.stored("orders").len(), 1000);
}

#[test]
fn it_ends_where_nobody_listens() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(send_all(&nobody.to_string(), "orders", 3).unwrap(), 0);
}

/// Waits for what nobody will answer: whether that was refused.
fn is_refused() -> bool {
    let mut config = Config::new("127.0.0.1:9").unwrap();
    config.request_timeout = Duration::from_millis(50);
    let client = rocketry::tokio::connect(config).unwrap();
    let asked = client.queues(&Topic::new("orders").unwrap()).wait();
    matches!(asked, Err(QueryError::WouldDeadlock))
}

#[test]
fn on_a_runtime_of_several_threads_all_may_wait_but_a_local_set() {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    assert!(!runtime.block_on(async { tokio::spawn(async { is_refused() }).await.unwrap() }));
    assert!(!runtime.block_on(async { spawn_blocking(is_refused).await.unwrap() }));
    let local = || LocalSet::new().block_on(&runtime, async { is_refused() });
    assert!(catch_unwind(AssertUnwindSafe(local)).is_err(), "it has not panicked");
}

#[test]
fn on_a_runtime_of_one_thread_waiting_is_refused() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    assert!(runtime.block_on(async { is_refused() }));
    assert!(runtime.block_on(async { spawn_blocking(is_refused).await.unwrap() }));
    assert!(LocalSet::new().block_on(&runtime, async { is_refused() }));
}
