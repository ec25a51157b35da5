//! A log appender that sends every record as a message, through the client that it logs for.
//!
//! A logger is for a whole process, so this runs in one of its own.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use log::kv::{self, Key, Value, VisitSource};
use log::{Level, Log, Metadata, Record};
use rocketry::{Message, Pending, Producer, SendError, SendReceipt, Topic};

use crate::children::child;
use crate::rig::collector::Collector;
use crate::rig::load::Load;
use crate::rig::{On, Rig, eventually};
use crate::{TOPIC, on_all, served};

on_all!(obs_02_records_carry_facts_and_no_bodies_and_an_appender_may_send_them);

/// Sends each record, and now and then waits for the answer, as appenders do.
#[derive(Default)]
struct Appender {
    producer: OnceLock<Producer>,
    records: AtomicUsize,
    kept: Mutex<Vec<Line>>,
    pending: Mutex<Vec<Pending<Result<SendReceipt, SendError>>>>,
}

/// A record, as a backend sees it.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) level: Level,
    target: String,
    pub(crate) text: String,
    facts: Facts,
}

#[derive(Debug, Default)]
struct Facts(BTreeMap<String, String>);

impl<'kvs> VisitSource<'kvs> for Facts {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        let twin = self.0.insert(key.to_string(), value.to_string());
        assert!(twin.is_none(), "{key} twice");
        Ok(())
    }
}

impl Line {
    pub(crate) fn of(record: &Record<'_>) -> Self {
        let mut facts = Facts::default();
        record.key_values().visit(&mut facts).expect("facts that can be read");
        let (level, target) = (record.level(), record.target().to_owned());
        Self { level, target, text: record.args().to_string(), facts }
    }

    pub(crate) fn fact(&self, name: &str) -> Option<&str> {
        self.facts.0.get(name).map(String::as_str)
    }
}

/// Every record is one of ours, with facts and without any part of a message.
fn check(lines: &[Line], client: &str, broker: &str) {
    for line in lines {
        assert_eq!((line.target.as_str(), line.fact("client")), ("rocketry", Some(client)));
        assert!(matches!(line.level, Level::Warn | Level::Info), "{line:?}");
        assert!(line.facts.0.len() > 1, "{line:?}");
        let body = "x".repeat(20);
        let all = [&line.text].into_iter().chain(line.facts.0.values());
        assert!(all.into_iter().all(|text| !text.contains(&body)), "{line:?}");
    }
    let of_broker: Vec<&Line> =
        lines.iter().filter(|line| line.fact("endpoint") == Some(broker)).collect();
    let lost = of_broker.iter().find(|line| line.fact("reason").is_some());
    let lost = lost.unwrap_or_else(|| panic!("{lines:#?}"));
    assert_eq!((lost.level, lost.fact("peer")), (Level::Warn, Some("broker")));
    // It is lost four times and found four times, and once more for good: see `Note`.
    assert!(of_broker.len() <= 5, "{of_broker:#?}");
    let share = lines.iter().find(|line| line.fact("share").is_some()).expect("a share");
    assert_eq!((share.level, share.fact("group")), (Level::Info, Some("appender")));
    assert_eq!((share.fact("topic"), share.fact("share")), (Some(TOPIC), Some("8")));
}

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

impl Log for Appender {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let Some(producer) = self.producer.get() else { return };
        // async-std tells of each task it begins.
        if record.target() != "rocketry" {
            return;
        }
        if INSIDE.replace(true) {
            return;
        }
        self.records.fetch_add(1, Ordering::SeqCst);
        self.kept.lock().expect("no panic").push(Line::of(record));
        let topic = Topic::new(TOPIC).expect("a topic");
        let pending = producer.send(Message::new(topic, record.args().to_string()));
        self.pending.lock().expect("no panic").push(pending);
        INSIDE.set(false);
    }

    fn flush(&self) {}
}

fn obs_02_records_carry_facts_and_no_bodies_and_an_appender_may_send_them(on: On) {
    in_a_process(on, "appending");
}

/// Runs a body in a process of its own, whose logger it may set.
pub(crate) fn in_a_process(on: On, body: &str) {
    let mut child = child(body, on).spawn().expect("a process");
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child") {
            break status;
        }
        if begun.elapsed() > Duration::from_secs(60) {
            let _ = child.kill();
            panic!("a deadlock");
        }
        thread::sleep(Duration::from_millis(20));
    };
    assert!(status.success(), "{status}");
}

pub(crate) fn appending(on: On) {
    let appender = crate::install(Appender::default());
    let served = served();
    let rig = Rig::start(on, &served.namesrv());
    appender.producer.set(rig.client.producer("appender").expect("a producer")).ok();
    let broker = served.broker(0).expect("it listens");
    let collector = Collector::start(&rig, "appender", TOPIC);
    let load = Load::start(&rig, TOPIC, 4, Duration::from_millis(2));
    for _ in 0..3 {
        thread::sleep(Duration::from_millis(300));
        served.with(|cluster| cluster.disconnect(0));
    }
    served.stop_broker(0);
    thread::sleep(Duration::from_millis(300));
    served.start_broker(0).expect("the same port");
    let records = || appender.records.load(Ordering::SeqCst);
    assert!(eventually(Duration::from_secs(5), || records() >= 5), "{} records", records());
    load.stop();
    let pending = std::mem::take(&mut *appender.pending.lock().expect("no panic"));
    let sent = pending.into_iter().filter_map(|pending| pending.wait().ok()).count();
    println!("{} records, {sent} of them sent at once", records());
    assert!(sent > 0 && collector.look(|seen| !seen.ids.is_empty()));
    let lines = std::mem::take(&mut *appender.kept.lock().expect("no panic"));
    check(&lines, &rig.client.id(), &broker.to_string());
    rig.client.shutdown().wait().expect("an end");
}
