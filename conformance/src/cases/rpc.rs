//! Requests and replies between clients.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};

use rocketry::proto::frame::ResponseCode;
use rocketry::{Cancelled, Message, Refused, ReplyError, RequestError, SendError, Stored};

use crate::cases::common::{all, named};
use crate::cases::peers::Peer;
use crate::cases::place::{Place, note};
use crate::cases::reading::{acked, consume, next};
use crate::rig::{Rig, eventually};

const SECOND: Duration = Duration::from_secs(1);
/// A broker on a loaded machine has its time.
const PATIENT: Duration = Duration::from_secs(20);

/// A thread that answers whatever comes by `re: ` and its body.
struct Answerer {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<usize>>,
}

impl Answerer {
    fn start(place: &Place, topic: &str) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let (rig, group) = (place.rig(), place.name());
        let mut consumer = consume(&rig, &group, topic, "*");
        let seen = stop.clone();
        let thread = thread::spawn(move || {
            let mut answered = Vec::new();
            while !seen.load(Ordering::Relaxed) {
                let Ok(next) = consumer.recv_timeout(SECOND / 5) else { continue };
                let question = next.expect("readable");
                let body = [b"re: ", &question.body()[..]].concat();
                answered.push(question.reply(body));
                question.ack();
            }
            let count = answered.len();
            answered.into_iter().for_each(|reply| drop(reply.wait()));
            drop((consumer, rig));
            count
        });
        Self { stop, thread: Some(thread) }
    }

    /// How many it has answered.
    fn stop(mut self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().map_or(0, |thread| thread.join().expect("no panic"))
    }
}

impl Drop for Answerer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn text(body: &[u8]) -> &str {
    std::str::from_utf8(body).expect("a text")
}

fn question(topic: &str, body: &str) -> Message {
    Message::new(named(topic), body.to_owned())
}

pub(crate) fn a_request_gets_its_reply(place: &Place) {
    let topic = place.topic(4);
    let rig = place.rig();
    let producer = rig.client.producer(&*place.name()).expect("a producer");
    let mut consumer = consume(&rig, &place.name(), &topic, "*");
    let begun = Instant::now();
    let call = producer.request(question(&topic, "1 + 1").tag("sums"), PATIENT);
    let id = call.message_ids().expect("it is sent").first();
    let asked = next(&mut consumer);
    assert_eq!((&asked.body()[..], asked.id().as_ref()), (&b"1 + 1"[..], id.as_str()));
    let record = asked.message();
    assert_eq!((record.tags(), record.property("TTL")), (Some("sums"), Some("20000")));
    let answer = asked.to_reply("2".repeat(10_000)).expect("a request").property("unit", "one");
    producer.send(answer).wait().expect("pushed");
    let reply = call.wait().expect("a reply");
    note!(place, "the reply came after {:?}", begun.elapsed());
    assert_eq!(text(reply.body()), "2".repeat(10_000), "it was compressed on its way");
    assert_eq!(reply.property("unit"), Some("one"));
    asked.ack();
    // What asks nothing can't be answered.
    producer.send(question(&topic, "hello")).wait().expect("stored");
    let told = next(&mut consumer);
    let error = told.reply("hello").wait().expect_err("no request");
    assert!(matches!(error, ReplyError::NoRequest(_)), "{error}");
    told.ack();
}

pub(crate) fn a_thousand_at_once_get_each_its_own(place: &Place) {
    let topic = place.topic(8);
    let answerer = Answerer::start(place, &topic);
    let rig = place.rig();
    let producer = rig.client.producer(&*place.name()).expect("a producer");
    let begun = Instant::now();
    let asked: Vec<_> = (0..1000)
        .map(|n| producer.request(question(&topic, &n.to_string()), Duration::from_secs(60)))
        .collect();
    for (n, call) in asked.into_iter().enumerate() {
        let reply = call.wait().unwrap_or_else(|error| panic!("{n}: {error}"));
        assert_eq!(text(reply.body()), format!("re: {n}"));
    }
    note!(place, "{:?}: 1,000 replies in {:?}", place.on(), begun.elapsed());
    assert_eq!(answerer.stop(), 1000);
}

pub(crate) fn one_that_nobody_answers_ends_at_its_deadline(place: &Place) {
    let topic = place.topic(4);
    let rig = place.rig();
    let producer = rig.client.producer(&*place.name()).expect("a producer");
    for within in [2 * SECOND, SECOND] {
        let begun = Instant::now();
        let error = producer.request(question(&topic, "x"), within).wait().expect_err("nobody");
        let took = begun.elapsed();
        assert!(took >= within && took < within + SECOND, "{took:?}");
        assert!(matches!(error, RequestError::NoReply { .. }), "{error}");
        assert_eq!(error.stored(), Stored::Yes);
    }
    assert_eq!(rig.client.stats().counters.rpc_failed, 2);
}

pub(crate) fn whoever_answers_one_that_is_gone_hears_so(place: &Place) {
    let topic = place.topic(1);
    let reader = place.rig();
    let mut consumer = consume(&reader, &place.name(), &topic, "*");
    let asker = place.rig();
    let producer = asker.client.producer(&*place.name()).expect("a producer");
    let call = producer.request(question(&topic, "x"), PATIENT);
    let asked = next(&mut consumer);
    assert_eq!(call.cancel(), Cancelled::Detached);
    asker.client.shutdown().wait().expect("ended");
    let error = asked.reply("y").wait().expect_err("nobody is there");
    note!(place, "{error}");
    let ReplyError::Send(error) = error else { panic!("{error}") };
    assert_eq!(error.code(), Some(ResponseCode::SYSTEM_ERROR), "{error}");
    asked.ack();
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

pub(crate) fn one_that_is_awaited_ends_once(place: &Place) {
    let topic = place.topic(4);
    let answerer = Answerer::start(place, &topic);
    let rig = place.rig();
    let producer = rig.client.producer(&*place.name()).expect("a producer");
    let calls: Vec<_> =
        (0..8).map(|n| producer.request(question(&topic, &n.to_string()), PATIENT)).collect();
    let ends = all_ended(calls.into_iter().map(|call| {
        thread::spawn(move || {
            let waker = Arc::new(Unpark(thread::current())).into();
            let (mut call, mut cx) = (pin!(call), Context::from_waker(&waker));
            let reply = loop {
                match call.as_mut().poll(&mut cx) {
                    Poll::Ready(result) => break result,
                    Poll::Pending => thread::park_timeout(SECOND),
                }
            };
            // It has given what it had.
            assert!(call.as_mut().poll(&mut cx).is_pending());
            text(reply.expect("a reply").body()).to_owned()
        })
    }));
    assert_eq!(ends, (0..8).map(|n| format!("re: {n}")).collect::<Vec<_>>());
    assert_eq!(rig.client.stats().counters.rpc_replied, 8);
    answerer.stop();
}

fn all_ended<T>(threads: impl Iterator<Item = JoinHandle<T>>) -> Vec<T> {
    let threads: Vec<_> = threads.collect();
    threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
}

pub(crate) fn java_answers_us_and_we_answer_java(place: &Place) {
    let (theirs, ours) = (place.topic(4), place.topic(4));
    let (namesrv, group) = (place.namesrv(), place.name());
    let answers = Peer::java(place.version(), &["reply", &namesrv, &group, &theirs]);
    let answerer = Answerer::start(place, &ours);
    let asks = Peer::java(place.version(), &["request", &namesrv, &ours, "10"]);
    answers.await_ready();
    let rig = place.rig();
    let producer = rig.client.producer(&*place.name()).expect("a producer");
    let begun = Instant::now();
    for n in 0..10 {
        let asked = producer.request(question(&theirs, &format!("rust {n}")), 3 * PATIENT);
        let reply = asked.wait().unwrap_or_else(|error| panic!("{n}: {error}"));
        assert_eq!(text(reply.body()), format!("re: rust {n}"));
    }
    note!(place, "Java {} answered 10 requests in {:?}", place.version(), begun.elapsed());
    asks.await_ready();
    let come = eventually(3 * PATIENT, || asks.told("reply").len() == 10);
    assert!(come, "{:?}, {:?}", asks.told("reply"), asks.told("failed"));
    let expected: Vec<_> = (0..10).map(|n| format!("re: java {n}")).collect();
    assert_eq!(asks.told("reply"), expected);
    assert_eq!(answers.told("failed"), Vec::<String>::new());
    answerer.stop();
}

pub(crate) fn one_that_is_cancelled_frees_its_place(place: &Place) {
    let topic = place.topic(4);
    let mut config = place.config();
    config.max_pending = 2;
    let rig: Rig = place.rig_with(config);
    let producer = rig.client.producer(&*place.name()).expect("a producer");
    let mut consumer = consume(&rig, &place.name(), &topic, "*");
    let ask = |body: &str| producer.request(question(&topic, body), 3 * PATIENT);
    let calls = all(&[place.on(), place.on()], |_| ask("x"));
    let error = ask("x").wait().expect_err("full");
    let RequestError::Send(error) = error else { panic!("{error}") };
    assert_eq!(*error, SendError::Refused(Refused::Full(2)));
    let asked = (next(&mut consumer), next(&mut consumer));
    for call in calls {
        assert_eq!(call.cancel(), Cancelled::Detached);
    }
    let call = ask("last");
    let last = next(&mut consumer);
    // Late ones change nothing.
    let late = asked.0.reply("late").wait();
    late.expect("the client took it");
    last.reply("y").wait().expect("pushed");
    assert_eq!(text(call.wait().expect("a reply").body()), "y");
    let counters = rig.client.stats().counters;
    assert_eq!((counters.rpc_cancelled, counters.rpc_late), (2, 1));
    [asked.0, asked.1, last].into_iter().for_each(acked);
}
