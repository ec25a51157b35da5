//! Code of the user's that panics where the client calls it: it harms nobody else.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use bytes::Bytes;
use log::{Log, Metadata, Record};
use rocketry::proto::frame::RequestCode;
use rocketry::{Message, Start, Topic};

use crate::appender::in_a_process;
use crate::rig::{On, Rig, eventually};
use crate::{TOPIC, on_all, served};

on_all!(
    life_10_a_waker_that_panics_keeps_nobody_else_from_being_woken,
    life_10_a_body_that_panics_when_it_is_freed_harms_nobody,
    life_10_an_appender_that_panics_harms_nobody,
);

fn message() -> Message {
    Message::new(Topic::new(TOPIC).expect("a topic"), "x")
}

#[derive(Default)]
struct Panics(AtomicUsize);

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
        panic!("a bad waker");
    }
}

/// The client goes on to send, to receive and to end.
fn goes_on(rig: &Rig) {
    let producer = rig.client.producer("hooks").expect("a producer");
    for _ in 0..20 {
        producer.send(message()).wait().expect("stored");
    }
    let builder = rig.client.consumer("hooks").expect("a group").topic(TOPIC, "*");
    let mut consumer = builder.start_at(Start::First).start().expect("a consumer");
    for _ in 0..20 {
        let next = consumer.recv_timeout(Duration::from_secs(20)).expect("a message in time");
        assert!(next.expect("a readable message").ack().is_taken(), "ours still");
    }
    drop(consumer);
    rig.client.shutdown().wait().expect("an end");
}

fn life_10_a_waker_that_panics_keeps_nobody_else_from_being_woken(on: On) {
    let served = served();
    let rig = Rig::start(on, &served.namesrv());
    let producer = rig.client.producer("hooks").expect("a producer");
    producer.send(message()).wait().expect("stored");
    // The answers to all of them come together.
    let delay = Duration::from_millis(300);
    served.with(|cluster| cluster.set_delay(RequestCode::SEND_MESSAGE_V2, delay));
    let panics = Arc::<Panics>::default();
    let waker = Waker::from(panics.clone());
    let (mut bad, mut good) = (Vec::new(), Vec::new());
    for _ in 0..20 {
        let mut pending = producer.send(message());
        assert!(Pin::new(&mut pending).poll(&mut Context::from_waker(&waker)).is_pending());
        bad.push(pending);
        let pending = producer.send(message());
        good.push(std::thread::spawn(move || pending.wait()));
    }
    for waits in good {
        waits.join().expect("no panic").expect("stored");
    }
    let woken = || panics.0.load(Ordering::SeqCst);
    assert!(eventually(Duration::from_secs(5), || woken() == 20), "woken {} times", woken());
    served.with(|cluster| cluster.set_delay(RequestCode::SEND_MESSAGE_V2, Duration::ZERO));
    for pending in bad {
        pending.wait().expect("stored");
    }
    goes_on(&rig);
}

/// A body's memory that is no use when it is given back.
struct Sour;

impl AsRef<[u8]> for Sour {
    fn as_ref(&self) -> &[u8] {
        b"sour"
    }
}

impl Drop for Sour {
    fn drop(&mut self) {
        panic!("a bad owner");
    }
}

fn life_10_a_body_that_panics_when_it_is_freed_harms_nobody(on: On) {
    let served = served();
    let rig = Rig::start(on, &served.namesrv());
    let producer = rig.client.producer("hooks").expect("a producer");
    let topic = Topic::new(TOPIC).expect("a topic");
    for _ in 0..5 {
        let body = Bytes::from_owner(Sour);
        // Where it is freed in this thread, the panic is this thread's.
        let sent = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            producer.send(Message::new(topic.clone(), body)).wait()
        }));
        sent.ok().map(|sent| sent.expect("stored"));
        let _ = producer.send(message()).wait().expect("stored");
    }
    goes_on(&rig);
}

/// Panics at every record.
struct Appender(AtomicUsize);

impl Log for Appender {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        if record.target().starts_with("rocketry") {
            self.0.fetch_add(1, Ordering::SeqCst);
            panic!("a bad appender");
        }
    }

    fn flush(&self) {}
}

fn life_10_an_appender_that_panics_harms_nobody(on: On) {
    in_a_process(on, "hooks::panicking");
}

#[test]
#[ignore = "started by life_10_an_appender_that_panics_harms_nobody"]
fn panicking() {
    let Some(on) = On::of_this_process() else { return };
    let appender = crate::install(Appender(AtomicUsize::new(0)));
    let served = served();
    let rig = Rig::start(on, &served.namesrv());
    let producer = rig.client.producer("hooks").expect("a producer");
    for _ in 0..3 {
        producer.send(message()).wait().expect("stored");
        served.with(|cluster| cluster.disconnect(0));
    }
    served.stop_broker(0);
    std::thread::sleep(Duration::from_millis(200));
    served.start_broker(0).expect("the same port");
    goes_on(&rig);
    assert!(appender.0.load(Ordering::SeqCst) > 2, "nothing was logged");
}
