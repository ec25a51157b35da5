//! The examples do what they say: each one's job with few messages, as a user starts it.
//!
//! `cargo test` builds the examples beside the tests; `cargo test --test examples` alone does not.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that fails says where")]

use std::io;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rocketry::proto::frame::{RequestCode, ResponseCode};
use rocketry_conformance::broker::{ClusterConfig, Fault, ListenerId, Requests};
use rocketry_conformance::certificates;
use rocketry_conformance::serve::{Listen, ServeTls, Served, TlsMode};
use rustix::process::{Pid, Signal, kill_process};

/// No example with few messages takes nearly so long.
const LIMIT: Duration = Duration::from_secs(60);

/// Those that end with a tally: nothing may be missing, nothing may come twice.
const EXACT: [&str; 17] = [
    "quickstart",
    "blocking",
    "tokio",
    "smol",
    "async_std",
    "custom_loop",
    "tls",
    "batch",
    "ordered",
    "selector",
    "handlers",
    "handlers_tokio",
    "batch_writer",
    "orderly",
    "idempotent",
    "pull_by_time",
    "delays",
];
/// The same, of two processes or clients, which end each other.
const TWOFOLD: [&str; 2] = ["transactions", "request_reply"];
/// Those that end in their own words, or say more on the way.
const TALKATIVE: [&str; 7] =
    ["oneway", "logging", "errors", "retries", "sql", "broadcast", "access_keys"];

fn example(name: &str) -> Command {
    let test = std::env::current_exe().unwrap();
    let built: PathBuf = test.parent().unwrap().parent().unwrap().join("examples").join(name);
    assert!(built.exists(), "{} is not built: run `cargo build --examples`", built.display());
    let mut command = Command::new(built);
    command.env_remove("NAMESRV_ADDR").env_remove("TOPIC").stdin(Stdio::null());
    command.env("ROCKETRY_TLS_CA", certificates::CA);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A cluster, with TLS for whoever wants it.
fn serve(config: ClusterConfig) -> io::Result<Served> {
    let server = certificates::server(certificates::SERVER, false).unwrap();
    let tls = ServeTls { mode: TlsMode::Permissive, server };
    Served::start_tls(config, &Listen::default(), tls)
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
fn quickstart_delivers_every_message_once_on_each_runtime() {
    for runtime in ["std", "tokio", "smol", "async-std"] {
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
fn every_example_is_run_here() {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/examples")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "rs") {
            found.push(path.file_stem().unwrap().to_str().unwrap().to_owned());
        }
    }
    let mut known: Vec<_> = EXACT.iter().chain(&TWOFOLD).chain(&TALKATIVE).collect();
    found.sort();
    known.sort();
    assert_eq!(found.iter().collect::<Vec<_>>(), known);
}

#[test]
fn each_example_delivers_every_message_once() {
    for name in EXACT.into_iter().chain(TWOFOLD) {
        assert_delivers(&run(example(name).arg("2000")), 2000);
    }
}

#[test]
fn a_given_cluster_is_used_and_its_topic_created() {
    let served = serve(ClusterConfig::default()).unwrap();
    for name in EXACT.into_iter().chain(TWOFOLD) {
        let output = run(example(name).arg("300").env("NAMESRV_ADDR", served.namesrv()));
        assert_delivers(&output, 300);
        assert!(text(&output.stdout).contains(&served.namesrv()), "{output:?}");
    }
}

#[test]
fn a_cluster_that_creates_no_topics_is_explained_and_topic_helps() {
    let mut config = ClusterConfig::default().topic("orders", 4);
    config.auto_create_topics = false;
    let served = serve(config).unwrap();
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
    for name in EXACT.into_iter().chain(TWOFOLD) {
        let served = serve(ClusterConfig::default()).unwrap();
        let busy = Fault::Refuse(ResponseCode::SYSTEM_BUSY);
        served.with(|cluster| cluster.push_faults(Requests::Sends, [busy; 4]));
        let output = run(example(name).arg("500").env("NAMESRV_ADDR", served.namesrv()));
        assert_delivers(&output, 500);
    }
}

#[test]
fn a_wrong_address_is_one_sentence() {
    let wrong = [("localhost:1", "Connection refused"), ("garbage", "host:port")];
    let start = |name| {
        let run = |address| example(name).env("NAMESRV_ADDR", address).spawn().unwrap();
        wrong.map(|(address, cause)| (run(address), address, cause))
    };
    // All at once: each goes on trying for 3 s.
    let started: Vec<_> = EXACT.into_iter().chain(TWOFOLD).chain(TALKATIVE).map(start).collect();
    for (child, address, cause) in started.into_iter().flatten() {
        let output = end(child);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let said = text(&output.stderr);
        // The log has said it before, in its way.
        let said: Vec<_> = said.lines().filter(|line| !line.starts_with("[20")).collect();
        assert!(said.len() == 1, "{said:?}");
        assert!(said[0].contains(address) && said[0].contains(cause), "{said:?}");
    }
}

#[test]
fn a_wrong_topic_is_named() {
    let output = run(example("quickstart").env("TOPIC", "two words"));
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(text(&output.stderr).contains("is no topic: a topic has only"), "{output:?}");
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

const SENDS: [RequestCode; 2] = [RequestCode::SEND_MESSAGE_V2, RequestCode::SEND_BATCH_MESSAGE];
const PULLS: [RequestCode; 2] = [RequestCode::PULL_MESSAGE, RequestCode::LITE_PULL_MESSAGE];

fn wait_for_sends(served: &Served, count: u64) {
    let sends = || served.with(|cluster| SENDS.map(|code| cluster.requests(code)));
    while sends().iter().sum::<u64>() < count {
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn ctrl_c_shuts_the_client_down_before_the_process_ends() {
    for name in EXACT.into_iter().chain(["oneway", "logging"]) {
        let served = serve(ClusterConfig::default()).unwrap();
        let mut command = example(name);
        let child = command.arg("10000000").env("NAMESRV_ADDR", served.namesrv()).spawn().unwrap();
        wait_for_sends(&served, 100);
        interrupt(&child);
        let output = end(child);
        assert_eq!(output.status.code(), Some(130), "{name}: {output:?}");
        let last = text(&output.stderr).lines().last().unwrap();
        assert!(last.starts_with("interrupted: "), "{name}: {output:?}");
        let told = served.with(|cluster| cluster.requests(RequestCode::UNREGISTER_CLIENT));
        assert!(told > 0, "{name} left without telling the broker");
    }
}

#[test]
fn ctrl_c_ends_a_consumer_that_waits_for_messages() {
    for name in EXACT.into_iter().chain(["oneway", "logging"]) {
        let served = serve(ClusterConfig::default()).unwrap();
        let never = Duration::from_secs(600);
        served.with(|cluster| PULLS.map(|code| cluster.set_delay(code, never)));
        let mut command = example(name);
        let child = command.arg("50").env("NAMESRV_ADDR", served.namesrv()).spawn().unwrap();
        while served.with(|cluster| PULLS.iter().all(|code| cluster.requests(*code) == 0)) {
            thread::sleep(Duration::from_millis(1));
        }
        interrupt(&child);
        let output = end(child);
        assert_eq!(output.status.code(), Some(130), "{name}: {output:?}");
        let last = text(&output.stderr).lines().last().unwrap();
        assert_eq!(last, "interrupted: 50 sent, 0 consumed", "{name}: {output:?}");
    }
}

#[test]
fn a_second_ctrl_c_does_not_wait_for_the_broker() {
    for name in EXACT.into_iter().chain(TALKATIVE) {
        let served = serve(ClusterConfig::default()).unwrap();
        let silence = Duration::from_secs(600);
        served.with(|cluster| SENDS.map(|code| cluster.set_delay(code, silence)));
        let mut command = example(name);
        let child = command.env("NAMESRV_ADDR", served.namesrv()).spawn().unwrap();
        wait_for_sends(&served, 1);
        let began = Instant::now();
        interrupt(&child);
        // Signals that arrive together count as one.
        thread::sleep(Duration::from_millis(100));
        interrupt(&child);
        assert_eq!(end(child).status.code(), Some(130), "{name}");
        // The send itself would take 3 s to end.
        assert!(began.elapsed() < Duration::from_secs(2), "{name}: {:?}", began.elapsed());
    }
}

#[test]
fn batch_sends_many_messages_in_one_request() {
    let served = serve(ClusterConfig::default()).unwrap();
    let output = run(example("batch").arg("300").env("NAMESRV_ADDR", served.namesrv()));
    assert_delivers(&output, 300);
    assert!(text(&output.stdout).contains("300 messages left in 10 requests"), "{output:?}");
    assert_eq!(served.with(|cluster| SENDS.map(|code| cluster.requests(code))), [0, 10]);
}

#[test]
fn ordered_keeps_each_keys_order() {
    let output = run(example("ordered").arg("1000"));
    assert_delivers(&output, 1000);
    assert!(text(&output.stdout).contains("16 customers in 8 queues, each in its order"));
}

#[test]
fn oneway_tells_what_never_came() {
    let served = serve(ClusterConfig::default()).unwrap();
    let lost = [Fault::Pass, Fault::Lose, Fault::Pass, Fault::Lose];
    served.with(|cluster| cluster.push_faults(Requests::Sends, lost));
    for (shown, namesrv) in [
        ("handed over 1000, consumed 1000, never came 0", String::new()),
        ("handed over 1000, consumed 998, never came 2", served.namesrv()),
    ] {
        let output = run(example("oneway").arg("1000").env("NAMESRV_ADDR", namesrv));
        assert_eq!(text(&output.stdout).lines().last(), Some(shown), "{output:?}");
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    }
}

#[test]
fn selector_takes_the_broker_that_answers_quickest() {
    // A topic that is created at its first send may be on one broker alone for its first 30 s.
    let config = ClusterConfig::default().brokers(2).topic("orders", 4);
    let served = serve(config).unwrap();
    let late = [Fault::Late(Duration::from_millis(200)); 1000];
    served.with(|cluster| {
        cluster.push_faults_at(ListenerId::Broker(0), RequestCode::SEND_MESSAGE_V2, late);
    });
    let mut command = example("selector");
    command.arg("1000").env("NAMESRV_ADDR", served.namesrv()).env("TOPIC", "orders");
    let output = run(&mut command);
    assert_delivers(&output, 1000);
    let took = |broker: &str| -> usize {
        let found = text(&output.stdout).lines().find_map(|line| line.strip_prefix(broker));
        found.map_or(0, |count| count.parse().unwrap())
    };
    let (slow, quick) = (took("broker-a took "), took("broker-b took "));
    assert!(slow + quick == 1000 && slow > 0 && quick > 4 * slow, "{slow} {quick}");
}

#[test]
fn errors_tells_them_apart_and_handles_each_message_once() {
    let output = run(&mut example("errors"));
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let shown = text(&output.stdout);
    for part in [
        "the body has 4194305 bytes, the limit is 4194304\n   retriable: false, stored: No",
        "topic rocketry-nowhere does not exist",
        "SERVICE_NOT_AVAILABLE",
        "retriable: true, stored: No\n",
        "(it may have been stored, as ",
        "retriable: true, stored: Unknown\n",
        "FlushDiskTimeout\n",
        "max_pending allows\n",
        "\nstored 5, handled 5, came again ",
    ] {
        assert!(shown.contains(part), "{part:?} is not in {shown}");
    }
}

#[test]
fn logging_writes_lines_for_people_and_for_machines() {
    let log = |args: &[&str]| {
        let output = run(example("logging").args(args).env_remove("NO_COLOR"));
        let shown = text(&output.stdout).lines().last();
        assert_eq!(shown, Some("sent 20, consumed 20, lost 0, duplicates 0"), "{output:?}");
        text(&output.stderr).to_owned()
    };
    let plain = log(&["20"]);
    // The client's own records are there, and their key-values.
    assert!(plain.contains(" rocketry] ") && plain.contains(" client="), "{plain}");
    assert!(plain.contains("count=20") && !plain.contains("DEBUG"), "{plain}");
    assert!(!plain.contains('\u{1b}'), "{plain}");
    assert!(log(&["20", "--log-level", "debug"]).contains("stored message=0 broker=broker-a"));
    assert_eq!(log(&["20", "--log-level", "off"]), "");
    assert!(log(&["--log", "color", "20"]).contains("\u{1b}[32mINFO"));
    let output = run(example("logging").args(["--log", "color", "20"]).env("NO_COLOR", "1"));
    assert!(!text(&output.stderr).contains('\u{1b}'), "{output:?}");

    let path = std::env::temp_dir().join(format!("rocketry-example-{}", std::process::id()));
    let file = path.to_str().unwrap();
    assert_eq!(log(&["--log", "json", "--log-file", file, "--log-level", "debug", "20"]), "");
    let lines = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let parse = |line| serde_json::from_str::<serde_json::Value>(line).unwrap();
    let lines: Vec<_> = lines.lines().map(parse).collect();
    assert!(lines.iter().any(|line| line["target"] == "rocketry"
        && line["fields"]["client"].as_str().is_some_and(|id| id.contains('@'))));
    let stored = lines.iter().filter(|line| line["message"] == "stored");
    let numbers: Vec<_> = stored.map(|line| line["fields"]["message"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (0..20).collect::<Vec<_>>());

    let refused = run(example("logging").args(["--log", "xml"]));
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    assert!(text(&refused.stderr).contains("text, json or color"), "{refused:?}");
}

#[test]
fn handlers_on_tokio_finish_at_sigterm() {
    let served = serve(ClusterConfig::default()).unwrap();
    let mut command = example("handlers_tokio");
    let child = command.arg("200").env("NAMESRV_ADDR", served.namesrv()).spawn().unwrap();
    // It looks for duplicates for a while when all have come; before that it has a handler.
    while served.with(|cluster| PULLS.iter().all(|code| cluster.requests(*code) == 0)) {
        thread::sleep(Duration::from_millis(1));
    }
    thread::sleep(Duration::from_millis(20));
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let output = end(child);
    let shown = text(&output.stdout);
    assert!(shown.contains("every message that was begun is settled\n"), "{output:?}");
    let told = served.with(|cluster| cluster.requests(RequestCode::UNREGISTER_CLIENT));
    assert!(told > 0, "it left without telling the broker");
}

#[test]
fn batches_are_written_in_fewer_transactions_than_messages() {
    let output = run(example("batch_writer").arg("2000"));
    assert_delivers(&output, 2000);
    let shown = text(&output.stdout).lines().find_map(|line| line.strip_suffix(" transactions"));
    let transactions: usize = shown.unwrap().parse().unwrap();
    assert!((4..500).contains(&transactions), "{transactions}");
}

#[test]
fn what_comes_twice_is_handled_once() {
    let output = run(example("idempotent").arg("700"));
    assert_delivers(&output, 700);
    // 70 were sent twice, and 100 were to come again.
    assert!(text(&output.stdout).contains("870 messages came, 100 of them to be retried"));
}

#[test]
fn retries_come_again_and_the_hopeless_are_dead_letters() {
    let output = run(example("retries").arg("30"));
    assert_delivers(&output, 30);
    let shown = text(&output.stdout);
    assert!(shown.contains("28 handled, 4 retried, 2 of 2 dead letters read\n"), "{shown}");
    assert_eq!(shown.matches("dead letter: ").count(), 2, "{shown}");
}

#[test]
fn each_group_gets_what_it_asks_for_in_sql() {
    let output = run(example("sql").arg("600"));
    assert_delivers(&output, 600);
    // Of three orders one has no region, and half of all are large.
    let shown = text(&output.stdout);
    assert!(shown.contains("200 large ones: ") && shown.contains("400 small ones: "), "{shown}");
}

#[test]
fn a_key_is_replaced_under_way_and_a_wrong_one_is_told_clearly() {
    let output = run(example("access_keys").arg("300"));
    assert_delivers(&output, 300);
    let shown = text(&output.stdout);
    assert!(shown.contains("the key was replaced"), "{shown}");
    let wrong = shown.lines().find(|line| line.starts_with("a wrong key: ")).unwrap_or_default();
    assert!(wrong.contains("check signature failed"), "{shown}");
    assert!(!shown.contains("not-the-secret"), "{shown}");
}

#[test]
fn caches_hear_of_every_change_that_is_broadcast_while_away_too() {
    let output = run(example("broadcast").arg("40"));
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let expected = "front-1 heard of 40 changes, front-2 of 40, 20 of them when it was back, with \
                    8 stale values; both caches are right";
    assert_eq!(text(&output.stdout).lines().last(), Some(expected), "{output:?}");
}

#[test]
fn the_docs_show_the_test_of_a_service_word_for_word() {
    let (_, test) = include_str!("service.rs").split_once("\n\n").unwrap();
    assert!(include_str!("../../docs/testing.md").contains(test));
}
