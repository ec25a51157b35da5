//! Transactions: half messages, their ends, and what brokers ask.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rocketry::proto::frame::request::EndTransactionRequest;
use rocketry::proto::frame::{Request, ResponseCode};
use rocketry::proto::message::OffsetMessageId;
use rocketry::{
    CheckedHalf, HalfMessage, Message, Resolution, TransactionProducer, TransactionState,
};

use crate::cases::common::{await_stored, stored};
use crate::cases::place::{Place, note};
use crate::cases::reading::{ask, consume, next};
use crate::rig::{Rig, eventually};

use Resolution::{Commit, RollBack, Unknown};

/// A live broker looks each 10 s for half messages of 6 s.
const CHECKED: Duration = Duration::from_secs(60);

/// What a checker says of each transaction; of others, that it does not know. It notes the times.
#[derive(Clone, Default)]
struct Book {
    said: Arc<Mutex<BTreeMap<String, Resolution>>>,
    asked: Arc<Mutex<Vec<(Instant, String)>>>,
}

impl Book {
    fn check(&self, half: &CheckedHalf) -> Resolution {
        let name = half.transaction_id().to_owned();
        self.asked.lock().expect("no panic within").push((Instant::now(), name.clone()));
        self.said.lock().expect("no panic within").get(&name).copied().unwrap_or(Unknown)
    }

    fn say(&self, name: &str, resolution: Resolution) {
        self.said.lock().expect("no panic within").insert(name.to_owned(), resolution);
    }

    /// When it was asked about a transaction.
    fn asked(&self, name: &str) -> Vec<Instant> {
        let asked = self.asked.lock().expect("no panic within");
        asked.iter().filter(|(_, of)| of == name).map(|(at, _)| *at).collect()
    }
}

fn producer(rig: &Rig, group: &str, book: &Book) -> TransactionProducer {
    let book = book.clone();
    rig.client.transaction_producer(group, move |half| book.check(half)).expect("a producer")
}

/// A client with a topic, a producer of it and what its checker says.
fn setting(place: &Place) -> (Rig, String, TransactionProducer, Book) {
    let (topic, rig, book) = (place.topic(2), place.rig(), Book::default());
    let producer = producer(&rig, &place.name(), &book);
    (rig, topic, producer, book)
}

fn begin(producer: &TransactionProducer, topic: &str, name: &str) -> HalfMessage {
    let message = Message::new(topic, name.to_owned()).transaction_id(name);
    producer.begin(message).wait().expect("a half message")
}

fn committed(half: HalfMessage) {
    assert_eq!(half.commit().wait().expect("an end").state, TransactionState::Committed);
}

pub(crate) fn what_is_committed_is_delivered(place: &Place) {
    let (rig, topic, producer, book) = setting(place);
    let mut consumer = consume(&rig, &place.name(), &topic, "*");
    let half = begin(&producer, &topic, "paid");
    let id = half.message_id();
    committed(half);
    let delivery = next(&mut consumer);
    assert_eq!((delivery.id().into_owned(), &delivery.body()[..]), (id.to_string(), &b"paid"[..]));
    assert_eq!(delivery.message().property("TRANSACTION_ID"), Some("paid"));
    assert_eq!(delivery.message().sys_flag() & 12, 8);
    assert!(delivery.ack().is_taken());
    assert_eq!((stored(&rig, &topic), book.asked("paid").len()), (1, 0));
}

pub(crate) fn what_is_rolled_back_is_never_delivered(place: &Place) {
    let (rig, topic, producer, book) = setting(place);
    let half = begin(&producer, &topic, "dropped");
    let state = half.roll_back().wait().expect("an end").state;
    assert_eq!(state, TransactionState::RolledBack);
    // Nor is it asked about, long after.
    thread::sleep(if place.served().is_some() { Duration::from_secs(2) } else { CHECKED / 2 });
    assert_eq!((stored(&rig, &topic), book.asked("dropped").len()), (0, 0));
}

pub(crate) fn what_is_unknown_is_delivered_when_a_check_commits_it(place: &Place) {
    let (rig, topic, producer, book) = setting(place);
    book.say("paid", Commit);
    let state = begin(&producer, &topic, "paid").end(Unknown).wait().expect("an end").state;
    assert_eq!(state, TransactionState::Unknown);
    assert_eq!(stored(&rig, &topic), 0);
    assert!(eventually(CHECKED, || stored(&rig, &topic) == 1), "no check in {CHECKED:?}");
    thread::sleep(pause(place));
    assert_eq!((stored(&rig, &topic), book.asked("paid").len()), (1, 1));
}

pub(crate) fn what_is_unknown_is_never_delivered_when_a_check_rolls_it_back(place: &Place) {
    let (rig, topic, producer, book) = setting(place);
    book.say("dropped", RollBack);
    // It is left to the checks without a word.
    drop(begin(&producer, &topic, "dropped"));
    assert!(eventually(CHECKED, || !book.asked("dropped").is_empty()), "no check");
    thread::sleep(pause(place));
    assert_eq!((stored(&rig, &topic), book.asked("dropped").len()), (0, 1));
    let stats = rig.client.stats().transactions;
    assert_eq!((stats.rolled_back, stats.undecided), (1, 0), "{stats}");
}

/// For so long a broker looks twice for half messages.
fn pause(place: &Place) -> Duration {
    if place.served().is_some() { Duration::from_secs(2) } else { Duration::from_secs(22) }
}

pub(crate) fn a_half_message_is_delivered_to_nobody(place: &Place) {
    let (rig, topic, producer, _) = setting(place);
    let mut consumer = consume(&rig, &place.name(), &topic, "*");
    let half = begin(&producer, &topic, "paid");
    assert!(consumer.recv_timeout(Duration::from_secs(3)).is_err(), "it came");
    assert_eq!(stored(&rig, &topic), 0);
    committed(half);
    assert_eq!(&next(&mut consumer).body()[..], b"paid");
}

pub(crate) fn another_producer_of_the_group_is_asked_about_a_dead_ones(place: &Place) {
    let (topic, group, rig) = (place.topic(2), place.name(), place.rig());
    let (first, book) = (Book::default(), Book::default());
    book.say("paid", Commit);
    let dead = place.rig();
    let beginner = producer(&dead, &group, &first);
    let half = begin(&beginner, &topic, "paid");
    let second = producer(&rig, &group, &book);
    second.attend(&topic.as_str().try_into().expect("a topic"));
    // Its client ends, and with it whoever could answer.
    drop((half, beginner));
    dead.client.shutdown().wait().expect("an end");
    assert!(eventually(CHECKED, || stored(&rig, &topic) == 1), "no check in {CHECKED:?}");
    assert_eq!(book.asked("paid").len(), 1);
}

pub(crate) fn slow_local_work_and_checks_are_safe_together(place: &Place) {
    let (rig, topic, producer, book) = setting(place);
    // Longer than a check waits: one is answered as unknown.
    let work = if place.served().is_some() { 8 } else { 20 };
    let half = begin(&producer, &topic, "paid");
    let other = begin(&producer, &topic, "dropped");
    thread::sleep(Duration::from_secs(work));
    let stats = rig.client.stats().transactions;
    assert!(stats.checks > 0 && stats.checks_unknown > 0, "{stats}");
    committed(half);
    other.roll_back().wait().expect("an end");
    thread::sleep(pause(place));
    await_stored(&rig, &topic, 1);
    let stats = rig.client.stats().transactions;
    note!(place, "{stats}");
    // A live broker may ask once more within the 3 s that it takes to write ends down: that copy is
    // rolled back, whatever became of the message.
    assert_eq!((stats.committed, stats.unconfirmed), (1, 0), "{stats}");
    assert!(stats.rolled_back >= 1 && stored(&rig, &topic) == 1, "{stats}");
    assert_eq!(book.asked("paid").len() + book.asked("dropped").len(), 0);
}

pub(crate) fn what_nobody_ends_is_laid_aside(place: &Place) {
    let (rig, topic, producer, book) = setting(place);
    drop(begin(&producer, &topic, "lost"));
    let left = "TRANS_CHECK_MAX_TIME_TOPIC";
    let queues = || rig.client.queues(&left.try_into().expect("a topic")).wait();
    let there = eventually(2 * CHECKED, || queues().is_ok() && stored(&rig, left) >= 1);
    assert!(there, "nothing is in {left}");
    let asked = book.asked("lost").len();
    thread::sleep(pause(place));
    assert_eq!((asked, book.asked("lost").len(), stored(&rig, &topic)), (2, 2, 0));
}

pub(crate) fn the_immunity_time_delays_the_first_check(place: &Place) {
    let (_rig, topic, producer, book) = setting(place);
    // Live brokers ask within 16 s otherwise, the embedded one within one.
    let immune = if place.served().is_some() { 4 } else { 25 };
    let begun = Instant::now();
    let message = Message::new(topic.as_str(), "x").transaction_id("immune");
    let message = message.check_after(Duration::from_secs(immune));
    drop(producer.begin(message).wait().expect("a half message"));
    assert!(eventually(2 * CHECKED, || !book.asked("immune").is_empty()), "no check");
    let after = book.asked("immune")[0].duration_since(begun);
    note!(place, "asked after {after:?}, immune for {immune} s");
    assert!(after.as_secs() >= immune, "{after:?}");
}

pub(crate) fn a_delay_level_is_left_out(place: &Place) {
    let (rig, topic, producer, _) = setting(place);
    let message = Message::new(topic.as_str(), "x").delay_level(18);
    committed(producer.begin(message).wait().expect("a half message"));
    await_stored(&rig, &topic, 1);
}

pub(crate) fn of_1000_at_once_each_ends_as_it_should(place: &Place) {
    const COUNT: usize = 1000;
    let (rig, topic, producer, book) = setting(place);
    let name = |place: usize| format!("order {place}");
    let begun: Vec<_> = (0..COUNT)
        .map(|place| {
            let name = name(place);
            book.say(&name, [Commit, RollBack][place % 2]);
            producer.begin(Message::new(topic.as_str(), name.clone()).transaction_id(&name))
        })
        .collect();
    let halves: Vec<_> =
        begun.into_iter().map(|begin| begin.wait().expect("a half message")).collect();
    let ends: Vec<_> = halves
        .into_iter()
        .enumerate()
        .map(|(place, half)| half.end([Commit, RollBack, Unknown][place % 3]))
        .collect();
    ends.into_iter().for_each(|end| drop(end.wait().expect("an end")));
    let seen = |place: &usize| match place % 3 {
        0 => true,
        1 => false,
        _ => place.is_multiple_of(2),
    };
    let expected = (0..COUNT).filter(seen).count() as i64;
    assert!(eventually(CHECKED, || stored(&rig, &topic) >= expected), "{expected} never came");
    thread::sleep(pause(place));
    let mut consumer = consume(&rig, &place.name(), &topic, "*");
    let mut came = BTreeMap::<String, usize>::new();
    for _ in 0..expected {
        let delivery = next(&mut consumer);
        let body = String::from_utf8(delivery.body().to_vec()).expect("a text");
        *came.entry(body).or_default() += 1;
        assert!(delivery.ack().is_taken());
    }
    assert_eq!(stored(&rig, &topic), expected);
    let expected: BTreeMap<_, _> = (0..COUNT).filter(seen).map(|at| (name(at), 1)).collect();
    assert!(came == expected, "{} of {} came", came.len(), expected.len());
}

/// What this client never does, by hand: why one verdict is told once.
pub(crate) fn a_broker_does_each_end_that_it_is_told(place: &Place) {
    let (rig, topic, producer, _) = setting(place);
    let end = |half: &HalfMessage, outcome| {
        let receipt = half.receipt();
        let place = OffsetMessageId::parse(&receipt.offset_message_id).expect("a place");
        let request = Request::EndTransaction(EndTransactionRequest {
            producer_group: producer.group().as_str().into(),
            queue_offset: receipt.offset,
            commit_log_offset: place.offset as i64,
            outcome,
            message_id: half.message_id().as_str().into(),
            ..EndTransactionRequest::default()
        });
        ask(&rig, &place.addr.to_string(), request, Vec::new()).code
    };
    let half = begin(&producer, &topic, "twice");
    assert_eq!([end(&half, 8), end(&half, 8)], [ResponseCode::SUCCESS; 2]);
    await_stored(&rig, &topic, 2);
    let other = begin(&producer, &topic, "both");
    assert_eq!([end(&other, 12), end(&other, 8)], [ResponseCode::SUCCESS; 2]);
    await_stored(&rig, &topic, 3);
    drop((half, other));
}

pub(crate) fn a_broker_may_take_none(place: &Place) {
    let (_rig, topic, producer, _) = setting(place);
    let error = producer.begin(Message::new(topic.as_str(), "x")).wait().expect_err("refused");
    let rocketry::BeginError::Send(error) = error else { panic!("{error}") };
    assert_eq!(error.code(), Some(ResponseCode::NO_PERMISSION), "{error}");
}
