//! A log appender that sends every record as a message, through the client that it logs for.
//!
//! A logger is for a whole process, so this runs in one of its own.

use std::cell::Cell;
use std::env;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use log::{LevelFilter, Log, Metadata, Record};
use rocketry::{Message, Pending, Producer, SendError, SendReceipt, Topic};

use crate::rig::collector::Collector;
use crate::rig::load::Load;
use crate::rig::{On, Rig, eventually};
use crate::{TOPIC, on_all, served};

on_all!(an_appender_may_send_through_the_client_it_logs_for);

/// Sends each record, and now and then waits for the answer, as appenders do.
#[derive(Default)]
struct Appender {
    producer: OnceLock<Producer>,
    records: AtomicUsize,
    pending: Mutex<Vec<Pending<Result<SendReceipt, SendError>>>>,
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
        if INSIDE.replace(true) {
            return;
        }
        self.records.fetch_add(1, Ordering::SeqCst);
        let topic = Topic::new(TOPIC).expect("a topic");
        let pending = producer.send(Message::new(topic, record.args().to_string()));
        self.pending.lock().expect("no panic").push(pending);
        INSIDE.set(false);
    }

    fn flush(&self) {}
}

fn an_appender_may_send_through_the_client_it_logs_for(on: On) {
    let mut command = Command::new(env::current_exe().expect("this program"));
    command.args(["--exact", "appender::appending", "--ignored", "--nocapture"]);
    let mut child = command.env("APPENDER_ON", format!("{on:?}")).spawn().expect("a process");
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child") {
            break status;
        }
        if begun.elapsed() > Duration::from_secs(30) {
            let _ = child.kill();
            panic!("a deadlock");
        }
        thread::sleep(Duration::from_millis(20));
    };
    assert!(status.success(), "{status}");
}

#[test]
#[ignore = "started by an_appender_may_send_through_the_client_it_logs_for"]
fn appending() {
    let Ok(on) = env::var("APPENDER_ON") else { return };
    let appender: &'static Appender = Box::leak(Box::default());
    log::set_logger(appender).expect("the only logger");
    log::set_max_level(LevelFilter::Trace);
    let served = served();
    let rig = Rig::start(On::named(&on), &served.namesrv());
    appender.producer.set(rig.client.producer("appender").expect("a producer")).ok();
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
    rig.client.shutdown().wait();
}
