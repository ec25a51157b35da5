//! Beginnings: settings that can't work, brokers that are not there yet or elsewhere, and what a
//! process may do meanwhile.

use std::env;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rocketry::client::SubscribeError;
use rocketry::proto::error::Refused;
use rocketry::proto::name::NameError;
use rocketry::{Config, ConfigError, Group, Message, SendError, Stored, Topic};

use crate::children::{child, tell};
use crate::rig::load::Load;
use crate::rig::{On, Rig, eventually};
use crate::{TOPIC, on_all, served};

on_all!(
    life_01_a_second_consumer_of_a_group_in_one_client_is_refused,
    life_05_a_client_starts_without_a_broker_and_sends_once_there_is_one,
    life_06_a_process_that_was_stopped_goes_on,
    life_06_a_child_process_inherits_no_socket,
    life_08_what_is_missing_is_a_typed_error_that_names_it,
    fault_03_a_broker_that_comes_back_elsewhere_is_found_by_its_route,
    fault_30_sends_go_on_once_there_are_descriptors_again,
);

const SOON: Duration = Duration::from_secs(20);

fn message() -> Message {
    Message::new(Topic::new(TOPIC).expect("a topic"), "x")
}

fn patient(on: On, namesrv: &str) -> Rig {
    let mut config = Config::new(namesrv).expect("settings that work");
    config.send_timeout = SOON;
    Rig::with(on, config)
}

fn life_01_a_second_consumer_of_a_group_in_one_client_is_refused(on: On) {
    let served = served();
    let rig = Rig::start(on, &served.namesrv());
    let start = || {
        let builder = rig.client.consumer("twice").expect("a group").topic(TOPIC, "*");
        builder.start()
    };
    let first = start().expect("a consumer");
    let group = Group::new("twice").expect("a group");
    let twice = Refused::DuplicateGroup(group);
    assert_eq!(twice.to_string(), "this client already has a consumer of group twice");
    assert_eq!(start().err(), Some(SubscribeError::Refused(twice)));
    first.close().wait().expect("an end");
    start().expect("the group is free again").close().wait().expect("an end");
    // Shut down twice, at once: both end.
    let (one, other) = (rig.client.shutdown(), rig.client.shutdown());
    other.wait().expect("an end");
    one.wait().expect("an end");
    assert_eq!(start().err(), Some(SubscribeError::Refused(Refused::Stopped)));
}

fn life_05_a_client_starts_without_a_broker_and_sends_once_there_is_one(on: On) {
    let served = served();
    served.stop_broker(0);
    let hasty = Rig::with(on, {
        let mut config = Config::new(served.namesrv()).expect("settings that work");
        config.send_timeout = Duration::from_millis(300);
        config
    });
    let error = hasty.client.producer("starting").expect("a producer").send(message()).wait();
    let error = error.expect_err("there is no broker");
    assert_eq!(error.stored(), Stored::No, "{error}");
    let rig = patient(on, &served.namesrv());
    let producer = rig.client.producer("starting").expect("a producer");
    let deadline = Instant::now() + SOON;
    served.start_broker(0).expect("the same port");
    while let Err(error) = producer.send(message()).wait() {
        assert!(Instant::now() < deadline, "{error}");
        thread::sleep(Duration::from_millis(50));
    }
    assert!(served.with(|cluster| cluster.stored(TOPIC)) >= 1);
}

fn life_08_what_is_missing_is_a_typed_error_that_names_it(on: On) {
    let error = Config::new("").expect_err("no nameserver");
    assert_eq!(error, ConfigError::NoNameServer);
    assert!(error.to_string().contains("name_servers"), "{error}");
    let wrong = match on {
        On::Tokio => rocketry::tokio::connect("").expect_err("no nameserver").to_string(),
        On::Smol => rocketry::smol::connect("").expect_err("no nameserver").to_string(),
        On::AsyncStd => rocketry::async_std::connect("").expect_err("no nameserver").to_string(),
        On::Threads => rocketry::blocking::connect("").expect_err("no nameserver").to_string(),
    };
    assert!(wrong.contains("name_servers"), "{wrong}");
    let mut config = Config::new("127.0.0.1:9876").expect("settings that work");
    config.send_timeout = Duration::ZERO;
    let error = config.check().expect_err("no time at all");
    assert!(matches!(&error, ConfigError::Field { field: "send_timeout", .. }), "{error}");
    // Nobody is connected to, so nobody has to be there.
    let rig = Rig::start(on, "127.0.0.1:9876");
    for (group, blank) in [("", true), (" ", true), ("a group", false)] {
        let error = rig.client.producer(group).expect_err("no group");
        assert_eq!(matches!(error, NameError::Blank { what: "group" }), blank, "{error}");
        assert!(error.to_string().contains("group"), "{error}");
    }
}

fn signal(name: &str, process: u32) {
    let told = Command::new("kill").args([name, &process.to_string()]).status();
    assert!(told.expect("kill is there").success());
}

fn life_06_a_process_that_was_stopped_goes_on(on: On) {
    let mut child = child("working", on).stdout(Stdio::null()).spawn().expect("a process");
    thread::sleep(Duration::from_millis(700));
    for _ in 0..3 {
        signal("-STOP", child.id());
        thread::sleep(Duration::from_millis(400));
        signal("-CONT", child.id());
        thread::sleep(Duration::from_millis(200));
    }
    let mut status = None;
    let ended = eventually(Duration::from_secs(40), || {
        status = child.try_wait().expect("a child");
        status.is_some()
    });
    if !ended {
        let _ = child.kill();
    }
    assert!(status.is_some_and(|status| status.success()), "{status:?}");
}

pub(crate) fn working(on: On) {
    let served = served();
    let rig = patient(on, &served.namesrv());
    let load = Load::start(&rig, TOPIC, 4, Duration::from_millis(5));
    thread::sleep(Duration::from_secs(3));
    let outcome = load.stop();
    assert!(outcome.failed.is_empty(), "{:?}", outcome.failed);
    assert_eq!(served.with(|cluster| cluster.stored(TOPIC)), outcome.sent.len() as u64);
    rig.client.shutdown().wait().expect("an end");
}

fn life_06_a_child_process_inherits_no_socket(on: On) {
    let served = served();
    let rig = Rig::start(on, &served.namesrv());
    rig.client.producer("starting").expect("a producer").send(message()).wait().expect("stored");
    let listed = Command::new("ls").args(["-l", "/proc/self/fd"]).output().expect("ls is there");
    let listed = String::from_utf8_lossy(&listed.stdout);
    if fs::metadata("/proc/self/fd").is_ok() {
        assert!(listed.contains("->") && !listed.contains("socket:"), "{listed}");
    }
}

fn fault_03_a_broker_that_comes_back_elsewhere_is_found_by_its_route(on: On) {
    let served = served();
    let rig = patient(on, &served.namesrv());
    let load = Load::start(&rig, TOPIC, 4, Duration::from_millis(2));
    assert!(eventually(SOON, || load.look(|outcome| outcome.sent.len() > 100)));
    let old = served.broker(0).expect("a broker");
    served.stop_broker(0);
    let spare = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let new = served.start_broker_at(0, spare).expect("another port");
    let back = Instant::now();
    assert_ne!(old, new);
    let first = load.first_after(back, Duration::from_secs(60)).expect("sends flow again");
    println!("{on:?}: first answer {:?} after the broker came back elsewhere", first - back);
    let outcome = load.stop();
    let stored = served.with(|cluster| cluster.stored(TOPIC));
    assert!(stored >= outcome.sent.len() as u64, "{stored} of {}", outcome.sent.len());
}

fn fault_30_sends_go_on_once_there_are_descriptors_again(on: On) {
    // The limit is a process's own, and so is what it takes.
    let program = env::current_exe().expect("this program");
    let mut command = Command::new("sh");
    let script = "ulimit -n 64; exec \"$0\" \"$@\"";
    command.args(["-c", script]).arg(program);
    tell(&mut command, "without descriptors", on);
    let output = command.output().expect("a process");
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}\n{errors}");
}

pub(crate) fn without_descriptors(on: On) {
    let served = served();
    let mut config = Config::new(served.namesrv()).expect("settings that work");
    config.send_timeout = Duration::from_millis(500);
    let rig = Rig::with(on, config);
    let producer = rig.client.producer("starting").expect("a producer");
    producer.send(message()).wait().expect("stored");
    let open = || fs::File::open("/dev/null").ok();
    let mut taken: Vec<_> = std::iter::from_fn(open).collect();
    assert!((1..64).contains(&taken.len()), "{} descriptors", taken.len());
    // Who is connected needs none; who has to connect gets an error in time, and no panic.
    producer.send(message()).wait().expect("stored");
    let refused = (0..50).find_map(|_| {
        served.with(|cluster| cluster.disconnect(0));
        // A connection that was lost frees some, which it may get again before we do.
        taken.extend(std::iter::from_fn(open));
        let begun = Instant::now();
        let error = producer.send(message()).wait().err();
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        error
    });
    let error = refused.expect("there is no socket to be had");
    assert!(!matches!(error, SendError::RuntimeGone { .. }), "{error}");
    println!("{error}");
    drop(taken);
    let sent = eventually(SOON, || producer.send(message()).wait().is_ok());
    assert!(sent, "it never connects again");
}
