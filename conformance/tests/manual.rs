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
    let cluster = EmbeddedCluster::start().expect("a cluster");
    cluster.create_topic("orders", 4);
    let stored = send_all(&cluster.namesrv(), "orders", 1000).expect("valid names");
    assert_eq!((stored, cluster.stored("orders").len()), (1000, 1000));
}

#[test]
fn it_ends_where_nobody_listens() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let nobody = listener.local_addr().expect("an address").to_string();
    drop(listener);
    assert_eq!(send_all(&nobody, "orders", 3).expect("valid names"), 0);
}

/// Waits for what nobody will answer: whether that was refused.
fn is_refused() -> bool {
    let mut config = Config::new("127.0.0.1:9").expect("an address");
    config.request_timeout = Duration::from_millis(50);
    let client = rocketry::tokio::connect(config).expect("a client");
    let asked = client.queues(&Topic::new("orders").expect("a topic")).wait();
    matches!(asked, Err(QueryError::WouldDeadlock))
}

#[test]
fn on_a_runtime_of_several_threads_all_may_wait_but_a_local_set() {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let (task, blocking) = (async { is_refused() }, async { spawn_blocking(is_refused).await });
    assert!(!runtime.block_on(runtime.spawn(task)).expect("no panic"));
    assert!(!runtime.block_on(blocking).expect("no panic"));
    let local = || LocalSet::new().block_on(&runtime, async { is_refused() });
    assert!(catch_unwind(AssertUnwindSafe(local)).is_err(), "it has not panicked");
}

#[test]
fn on_a_runtime_of_one_thread_waiting_is_refused() {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    assert!(runtime.block_on(async { is_refused() }));
    assert!(runtime.block_on(async { spawn_blocking(is_refused).await }).expect("no panic"));
    assert!(LocalSet::new().block_on(&runtime, async { is_refused() }));
}
