//! Code of the user's that waits for the client where the client calls it: in a waker, in a body's
//! `Drop`, in a log appender. Whoever waited there would wait for itself.

use std::cell::Cell;
use std::hint::black_box;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use log::{Log, Metadata, Record};
use rocketry::client::{EndError, Ended, RecvError, RecvTimeoutError};
use rocketry::proto::frame::RequestCode;
use rocketry::{Client, Consumer, ErrorKind, Message, Producer, QueryError, Topic};

use crate::appender::in_a_process;
use crate::rig::{On, Rig, eventually};
use crate::{TOPIC, on_all, served};

on_all!(
    a_waker_that_waits_is_told_at_once,
    a_body_that_waits_when_it_is_freed_is_told_at_once,
    an_appender_that_waits_is_told_at_once_and_not_called_by_its_own_calls,
    an_appender_that_waits_for_a_client_of_its_own_is_answered_or_told_at_once,
);

/// Far below any deadline.
const AT_ONCE: Duration = Duration::from_millis(500);

fn topic() -> Topic {
    Topic::new(TOPIC).expect("a topic")
}

fn message() -> Message {
    Message::new(topic(), "x")
}

/// What became of each way to wait.
#[derive(Debug, PartialEq)]
struct Told {
    sent: Option<ErrorKind>,
    asked: Option<QueryError>,
    received: Option<RecvError>,
    received_in_time: Option<RecvTimeoutError>,
    drained: Result<Ended, EndError>,
    ended: Result<Ended, EndError>,
}

/// What would block in every way there is, once.
struct Waits {
    client: Client,
    producer: Producer,
    consumer: Mutex<Option<Consumer>>,
    told: Mutex<Option<(Told, Duration)>>,
}

impl Waits {
    fn new(rig: &Rig) -> Arc<Self> {
        let builder = rig.client.consumer("driving").expect("a group").topic(TOPIC, "*");
        Arc::new(Self {
            client: rig.client.clone(),
            producer: rig.client.producer("driving").expect("a producer"),
            consumer: Mutex::new(Some(builder.start().expect("a consumer"))),
            told: Mutex::default(),
        })
    }

    fn wait(&self) {
        let Some(mut consumer) = self.consumer.lock().expect("no panic").take() else { return };
        let begun = Instant::now();
        let sent = self.producer.send(message()).wait().err().map(|error| error.kind());
        let asked = self.client.queues(&topic()).wait().err();
        let received = consumer.recv().err();
        let received_in_time = consumer.recv_timeout(Duration::from_secs(20)).err();
        let drained = consumer.drain(Duration::from_secs(20)).wait();
        let ended = self.client.shutdown().wait();
        let told = Told { sent, asked, received, received_in_time, drained, ended };
        *self.told.lock().expect("no panic") = Some((told, begun.elapsed()));
    }

    /// It was told at once, and the client has come to its end in good order.
    fn check(&self) {
        let there = || self.told.lock().expect("no panic").is_some();
        assert!(eventually(Duration::from_secs(10), there), "it still waits");
        let (told, took) = self.told.lock().expect("no panic").take().expect("it is there");
        let would = Told {
            sent: Some(ErrorKind::WouldDeadlock),
            asked: Some(QueryError::WouldDeadlock),
            received: Some(RecvError::WouldDeadlock),
            received_in_time: Some(RecvTimeoutError::WouldDeadlock),
            drained: Err(EndError::WouldDeadlock),
            ended: Err(EndError::WouldDeadlock),
        };
        assert_eq!(told, would);
        assert!(took < AT_ONCE, "{took:?}");
        assert_eq!(self.client.shutdown().wait(), Ok(Ended::InOrder));
    }
}

impl Wake for Waits {
    fn wake(self: Arc<Self>) {
        self.wait();
    }
}

fn a_waker_that_waits_is_told_at_once(on: On) {
    let served = served();
    let rig = Rig::start(on, &served.namesrv());
    let waits = Waits::new(&rig);
    let producer = rig.client.producer("driving").expect("a producer");
    producer.send(message()).wait().expect("stored");
    // Slow enough that the answer finds the waker.
    let delay = Duration::from_millis(100);
    served.with(|cluster| cluster.set_delay(RequestCode::SEND_MESSAGE_V2, delay));
    let mut pending = producer.send(message());
    let waker = Waker::from(waits.clone());
    assert!(Pin::new(&mut pending).poll(&mut Context::from_waker(&waker)).is_pending());
    waits.check();
    pending.wait().expect("stored");
}

/// A body's memory whose owner waits when it is given back.
struct Owner(Arc<Waits>);

impl AsRef<[u8]> for Owner {
    fn as_ref(&self) -> &[u8] {
        b"x"
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.wait();
    }
}

fn a_body_that_waits_when_it_is_freed_is_told_at_once(on: On) {
    let served = served();
    let rig = Rig::start(on, &served.namesrv());
    let waits = Waits::new(&rig);
    let producer = rig.client.producer("driving").expect("a producer");
    producer.send(message()).wait().expect("stored");
    // Slow enough that this thread holds nothing of it any more: where it is freed in a thread of
    // the application's own, that one may wait.
    let delay = Duration::from_millis(100);
    served.with(|cluster| cluster.set_delay(RequestCode::SEND_MESSAGE_V2, delay));
    let body = Bytes::from_owner(Owner(waits.clone()));
    // Nobody waits for it: it is freed where its answer is read.
    drop(producer.send(Message::new(topic(), body)));
    waits.check();
}

/// Stack that an appender may take: a large buffer, a deep serializer.
const DEEP: usize = 300 << 10;

/// Waits for the client at each of its records, with much on its stack, and would log again by
/// that, and again.
#[derive(Default)]
struct Appender {
    client: OnceLock<Client>,
    records: AtomicUsize,
    nested: AtomicBool,
    slow: AtomicBool,
    others: Mutex<Vec<String>>,
}

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

impl Appender {
    fn wait(client: &Client) -> (Option<ErrorKind>, Option<QueryError>, Option<EndError>) {
        let stack = [0_u8; DEEP];
        black_box(&stack);
        let sent = client.producer("driving").expect("a group").send(message()).wait();
        let asked = client.queues(&topic()).wait();
        let consumer = client.consumer("nested").expect("a group").topic(TOPIC, "*").start();
        let drained =
            consumer.map_or(Err(EndError::WouldDeadlock), |one| one.drain(AT_ONCE).wait());
        black_box(&stack);
        (sent.err().map(|error| error.kind()), asked.err(), drained.err())
    }
}

impl Log for Appender {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let Some(client) = self.client.get() else { return };
        if !record.target().starts_with("rocketry") {
            return;
        }
        // A guard of its own would hide that it is called by its own calls: it only tells.
        if INSIDE.replace(true) {
            self.nested.store(true, Ordering::SeqCst);
        }
        let begun = Instant::now();
        let told = Self::wait(client);
        let would = (ErrorKind::WouldDeadlock, QueryError::WouldDeadlock, EndError::WouldDeadlock);
        if told != (Some(would.0), Some(would.1), Some(would.2)) {
            self.others.lock().expect("no panic").push(format!("{told:?} at {}", record.args()));
        }
        self.slow.fetch_or(begun.elapsed() > AT_ONCE, Ordering::SeqCst);
        self.records.fetch_add(1, Ordering::SeqCst);
        INSIDE.set(false);
    }

    fn flush(&self) {}
}

fn an_appender_that_waits_is_told_at_once_and_not_called_by_its_own_calls(on: On) {
    in_a_process(on, "waiting in an appender");
}

pub(crate) fn waiting_in_an_appender(on: On) {
    let appender = crate::install(Appender::default());
    let served = served();
    let rig = Rig::start(on, &served.namesrv());
    let producer = rig.client.producer("driving").expect("a producer");
    producer.send(message()).wait().expect("stored");
    appender.client.set(rig.client.clone()).expect("the first");
    for _ in 0..3 {
        served.with(|cluster| cluster.disconnect(0));
        thread::sleep(Duration::from_millis(50));
        let _ = producer.send(message()).wait();
    }
    let records = || appender.records.load(Ordering::SeqCst);
    assert!(eventually(Duration::from_secs(10), || records() >= 2), "{} records", records());
    let others = appender.others.lock().expect("no panic").join("\n");
    assert!(others.is_empty(), "{others}");
    assert!(!appender.slow.load(Ordering::SeqCst), "not at once");
    assert!(!appender.nested.load(Ordering::SeqCst), "called by its own calls");
    assert_eq!(rig.client.shutdown().wait(), Ok(Ended::InOrder));
}

/// Sends each record through a client of its own, and waits.
struct Aside {
    producer: OnceLock<Producer>,
    sent: Mutex<Vec<(Option<ErrorKind>, Duration)>>,
}

impl Log for Aside {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let Some(producer) = self.producer.get() else { return };
        if record.target() != "rocketry" || INSIDE.replace(true) {
            return;
        }
        let begun = Instant::now();
        let sent = producer.send(message()).wait().err().map(|error| error.kind());
        self.sent.lock().expect("no panic").push((sent, begun.elapsed()));
        INSIDE.set(false);
    }

    fn flush(&self) {}
}

fn an_appender_that_waits_for_a_client_of_its_own_is_answered_or_told_at_once(on: On) {
    in_a_process(on, "waiting for another");
}

pub(crate) fn waiting_for_another(on: On) {
    let aside = crate::install(Aside { producer: OnceLock::new(), sent: Mutex::default() });
    let (served, elsewhere) = (served(), crate::served());
    let (rig, own) = (Rig::start(on, &served.namesrv()), Rig::start(on, &elsewhere.namesrv()));
    let producer = rig.client.producer("driving").expect("a producer");
    producer.send(message()).wait().expect("stored");
    let logs = own.client.producer("logs").expect("a producer");
    logs.send(message()).wait().expect("stored");
    aside.producer.set(logs).expect("the first");
    served.with(|cluster| cluster.disconnect(0));
    let there = || !aside.sent.lock().expect("no panic").is_empty();
    assert!(eventually(Duration::from_secs(10), there), "it still waits");
    // Threads and tokio's workers take over from one that waits, and the others say no.
    let answered = matches!(on, On::Threads | On::Tokio);
    let would = (!answered).then_some(ErrorKind::WouldDeadlock);
    for (sent, took) in aside.sent.lock().expect("no panic").iter() {
        assert_eq!(*sent, would);
        assert!(*took < AT_ONCE, "{took:?}");
    }
    producer.send(message()).wait().expect("stored");
    assert_eq!(rig.client.shutdown().wait(), Ok(Ended::InOrder));
    assert_eq!(own.client.shutdown().wait(), Ok(Ended::InOrder));
}
