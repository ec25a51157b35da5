//! The examples do what they say: each one's job with few messages, as a user starts it.
//!
//! `cargo test` builds the examples beside the tests; `cargo test --test examples` alone does not.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that fails says where")]

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rocketry::core::frame::{RequestCode, ResponseCode};
use rocketry_conformance::broker::ClusterConfig;
use rocketry_conformance::serve::Served;
use rustix::process::{Pid, Signal, kill_process};

/// No example with few messages takes nearly so long.
const LIMIT: Duration = Duration::from_secs(60);

fn example(name: &str) -> Command {
    let test = std::env::current_exe().unwrap();
    let built: PathBuf = test.parent().unwrap().parent().unwrap().join("examples").join(name);
    assert!(built.exists(), "{} is not built: run `cargo build --examples`", built.display());
    let mut command = Command::new(built);
    command.env_remove("NAMESRV_ADDR").env_remove("TOPIC").stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Waits for the end of an example, or ends it after [`LIMIT`]. What it prints fits into a pipe.
fn end(mut child: Child) -> Output {
    let began = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if began.elapsed() > LIMIT {
            child.kill().unwrap();
            panic!("still running: {:?}", child.wait_with_output().unwrap());
        }
        thread::sleep(Duration::from_millis(5));
    }
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn run(command: &mut Command) -> Output {
    end(command.spawn().unwrap())
}

fn assert_delivers(output: &Output, count: usize) {
    let expected = format!("sent {count}, consumed {count}, lost 0, duplicates 0");
    assert_eq!(text(&output.stdout).lines().last(), Some(&*expected), "{output:?}");
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

#[test]
fn quickstart_delivers_every_message_once_on_either_runtime() {
    for runtime in ["std", "tokio"] {
        let args = ["1000", "--runtime", runtime];
        assert_delivers(&run(example("quickstart").args(args)), 1000);
    }
}

#[test]
fn quickstart_shows_rates_latency_and_the_broker() {
    let output = run(example("quickstart").arg("1"));
    assert_delivers(&output, 1);
    let shown = text(&output.stdout);
    for part in ["embedded broker at 127.0.0.1:", "/s; ", "p50 ", "p99 ", "to broker-a\n"] {
        assert!(shown.contains(part), "{part:?} is not in {shown:?}");
    }
}

#[test]
fn threads_tasks_and_a_custom_loop_deliver_every_message_once() {
    for name in ["blocking", "tokio", "smol", "custom_loop"] {
        assert_delivers(&run(example(name).arg("2000")), 2000);
    }
}

#[test]
fn a_given_cluster_is_used_and_its_topic_created() {
    let served = Served::start(ClusterConfig::default()).unwrap();
    for name in ["quickstart", "blocking", "tokio", "smol", "custom_loop"] {
        let output = run(example(name).arg("300").env("NAMESRV_ADDR", served.namesrv()));
        assert_delivers(&output, 300);
        assert!(text(&output.stdout).contains(&served.namesrv()), "{output:?}");
    }
}

#[test]
fn a_cluster_that_creates_no_topics_is_explained_and_topic_helps() {
    let mut config = ClusterConfig::default().topic("orders", 4);
    config.auto_create_topics = false;
    let served = Served::start(config).unwrap();
    let output = run(example("quickstart").env("NAMESRV_ADDR", served.namesrv()));
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(text(&output.stderr).contains("mqadmin updateTopic"), "{output:?}");
    // Twice: messages of an earlier run don't disturb.
    for _ in 0..2 {
        let mut again = example("quickstart");
        again.arg("200").env("NAMESRV_ADDR", served.namesrv()).env("TOPIC", "orders");
        assert_delivers(&run(&mut again), 200);
    }
}

#[test]
fn a_busy_broker_is_asked_again() {
    for name in ["quickstart", "blocking", "tokio", "smol", "custom_loop"] {
        let served = Served::start(ClusterConfig::default()).unwrap();
        served.with(|cluster| {
            cluster.push_error(RequestCode::SEND_MESSAGE_V2, [ResponseCode::SYSTEM_BUSY; 4]);
        });
        let output = run(example(name).arg("500").env("NAMESRV_ADDR", served.namesrv()));
        assert_delivers(&output, 500);
    }
}

#[test]
fn a_wrong_address_is_one_sentence() {
    let names = ["quickstart", "blocking", "tokio", "smol", "custom_loop"];
    let wrong = [("localhost:1", "Connection refused"), ("garbage", "host:port")];
    let start = |name| {
        let run = |address| example(name).env("NAMESRV_ADDR", address).spawn().unwrap();
        wrong.map(|(address, cause)| (run(address), address, cause))
    };
    // All at once: each goes on trying for 3 s.
    for (child, address, cause) in names.map(start).into_iter().flatten() {
        let output = end(child);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let said = text(&output.stderr);
        assert!(said.contains(address) && said.contains(cause), "{said:?}");
        assert_eq!(said.lines().count(), 1, "{said:?}");
    }
}

#[test]
fn a_wrong_argument_is_answered_with_the_usage() {
    for args in [&["0"][..], &["many"], &["1", "2"], &["--runtime", "x"], &["--runtime"]] {
        let output = run(example("quickstart").args(args));
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(!output.stderr.is_empty() && output.stdout.is_empty(), "{output:?}");
    }
}

fn interrupt(child: &Child) {
    kill_process(Pid::from_child(child), Signal::INT).unwrap();
}

fn wait_for_sends(served: &Served, count: u64) {
    while served.with(|cluster| cluster.requests(RequestCode::SEND_MESSAGE_V2)) < count {
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn ctrl_c_shuts_the_client_down_before_the_process_ends() {
    for name in ["quickstart", "blocking", "tokio", "smol", "custom_loop"] {
        let served = Served::start(ClusterConfig::default()).unwrap();
        let mut command = example(name);
        let child = command.arg("10000000").env("NAMESRV_ADDR", served.namesrv()).spawn().unwrap();
        wait_for_sends(&served, 100);
        interrupt(&child);
        let output = end(child);
        assert_eq!(output.status.code(), Some(130), "{output:?}");
        assert!(text(&output.stderr).starts_with("interrupted: "), "{output:?}");
        let told = served.with(|cluster| cluster.requests(RequestCode::UNREGISTER_CLIENT));
        assert!(told > 0, "{name} left without telling the broker");
    }
}

#[test]
fn a_second_ctrl_c_does_not_wait_for_the_broker() {
    let served = Served::start(ClusterConfig::default()).unwrap();
    let silence = Duration::from_secs(600);
    served.with(|cluster| cluster.set_delay(RequestCode::SEND_MESSAGE_V2, silence));
    let mut command = example("quickstart");
    let child = command.env("NAMESRV_ADDR", served.namesrv()).spawn().unwrap();
    wait_for_sends(&served, 1);
    let began = Instant::now();
    interrupt(&child);
    // Signals that arrive together count as one.
    thread::sleep(Duration::from_millis(100));
    interrupt(&child);
    assert_eq!(end(child).status.code(), Some(130));
    // The send itself would take 3 s to end.
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}
