//! Messages for later: by levels, by times, and taken back.

use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use rocketry::proto::frame::request::SendRequest;
use rocketry::proto::frame::{Request, ResponseCode};
use rocketry::proto::message::{MessageError, RecallHandle};
use rocketry::{Consumer, Message, QueueName, RecallError, SendError, SendReceipt, Stored};

use crate::cases::common::named;
use crate::cases::place::{Place, Setting, note};
use crate::cases::reading::{acked, ask, consume, queues};
use crate::rig::{Rig, eventually};

pub(crate) const NO_TIMERS: &[Setting] = &[("timerWheelEnable", "false")];
pub(crate) const RECALLS: &[Setting] = &[("recallMessageEnable", "true")];

const SECOND: Duration = Duration::from_secs(1);

/// Who sends to a topic of one queue, and who reads it.
struct Line {
    rig: Rig,
    consumer: Consumer,
    topic: String,
}

impl Line {
    fn of(place: &Place) -> Self {
        let (topic, group) = (place.topic(1), place.name());
        let rig = place.rig();
        let mut consumer = consume(&rig, &group, &topic, "*");
        // It reads by then.
        let producer = rig.client.producer("delays").expect("a producer");
        producer.send(Message::new(named(&topic), "first")).wait().expect("stored");
        let first = consumer.recv_timeout(60 * SECOND).expect("in time").expect("readable");
        acked(first);
        Self { rig, consumer, topic }
    }

    fn message(&self, body: &str) -> Message {
        Message::new(named(&self.topic), body.to_owned())
    }

    fn send(&self, message: Message) -> Result<SendReceipt, SendError> {
        let producer = self.rig.client.producer("delays").expect("a producer");
        producer.send(message).wait()
    }

    /// When the next message comes, counted from `begun`, and which it is.
    fn next(&mut self, begun: Instant, within: Duration) -> (Duration, String) {
        let next = self.consumer.recv_timeout(within).expect("a message in time");
        let delivery = next.expect("a readable message");
        let body = String::from_utf8(delivery.body().to_vec()).expect("a text");
        let took = begun.elapsed();
        acked(delivery);
        (took, body)
    }
}

/// Not a second too early, nor a second too late, and half a one for whatever else the machine
/// does.
fn is_about(took: Duration, wanted: Duration) -> bool {
    took + SECOND >= wanted && took <= wanted + SECOND + SECOND / 2
}

pub(crate) fn the_first_levels_come_when_they_are_due(place: &Place) {
    let mut line = Line::of(place);
    let all = [(1, 1), (2, 5), (3, 10), (4, 30)];
    // A tick of the embedded broker is a tick: virtual time looks at all 18 of it.
    let levels = if place.served().is_some() { &all[..2] } else { &all[..] };
    let begun = Instant::now();
    for (level, _) in levels {
        line.send(line.message(&level.to_string()).delay_level(*level)).expect("stored");
    }
    for (level, seconds) in levels {
        let (took, body) = line.next(begun, 60 * SECOND);
        note!(place, "level {level}, {seconds} s, came after {took:?}");
        assert_eq!(body, level.to_string());
        assert!(is_about(took, *seconds * SECOND), "level {level} took {took:?}");
    }
}

pub(crate) fn level_0_is_at_once_and_there_is_none_above_18(place: &Place) {
    let mut line = Line::of(place);
    let begun = Instant::now();
    line.send(line.message("x").delay_level(5).delay_level(0)).expect("stored");
    assert!(line.next(begun, 10 * SECOND).0 < SECOND);
    let error = line.send(line.message("x").delay_level(19)).expect_err("refused");
    assert_eq!(error, SendError::Invalid(MessageError::DelayLevel { level: 19 }));
}

pub(crate) fn the_broker_takes_level_19_as_18(place: &Place) {
    let line = Line::of(place);
    let at = &queues(&line.rig, &line.topic)[0];
    let key = place.name();
    let send = Request::Send(SendRequest {
        producer_group: "delays".into(),
        topic: line.topic.as_str().into(),
        default_topic: "TBW102".into(),
        default_topic_queues: 4,
        properties: Some(format!("KEYS\u{1}{key}\u{2}DELAY\u{1}19\u{2}").into()),
        broker: Some(at.broker.clone()),
        ..Default::default()
    });
    let answer = ask(&line.rig, &place.broker(), send, b"far off".to_vec());
    assert_eq!(answer.code, ResponseCode::SUCCESS, "{answer:?}");
    let queue = QueueName { topic: named("SCHEDULE_TOPIC_XXXX"), queue: 17, ..at.clone() };
    let admin = line.rig.client.admin();
    let mut found = false;
    let waits = eventually(20 * SECOND, || {
        let Ok(offset) = line.rig.client.max_offset(&queue).wait() else { return false };
        let Ok(pulled) = admin.pull(&queue, (offset - 1).max(0), 1).wait() else { return false };
        let record = pulled.records.record(0);
        found = record.is_some_and(|record| record.keys().any(|own| own == key));
        found
    });
    assert!(waits && found, "it is not in the queue of level 18");
}

pub(crate) fn a_time_in_each_form_comes_within_a_second(place: &Place) {
    let mut line = Line::of(place);
    let seconds = |message: Message| (message.delay(3 * SECOND), 3 * SECOND);
    let millis = |message: Message| {
        let wanted = Duration::from_millis(2_500);
        (message.delay(wanted), wanted)
    };
    let at = |message: Message| (message.deliver_at(SystemTime::now() + 4 * SECOND), 4 * SECOND);
    for (form, of) in [
        ("TIMER_DELAY_SEC", &seconds as &dyn Fn(Message) -> (Message, Duration)),
        ("TIMER_DELAY_MS", &millis),
        ("TIMER_DELIVER_MS", &at),
    ] {
        let (message, wanted) = of(line.message(form));
        assert!(message.properties().get(form).is_some(), "{message:?}");
        let begun = Instant::now();
        line.send(message).expect("stored");
        let (took, body) = line.next(begun, 30 * SECOND);
        note!(place, "{form} of {wanted:?} came after {took:?}");
        assert_eq!(body, form);
        assert!(is_about(took, wanted), "{form} of {wanted:?} took {took:?}");
    }
}

pub(crate) fn a_time_that_is_past_is_at_once(place: &Place) {
    let mut line = Line::of(place);
    let begun = Instant::now();
    let receipt = line.send(line.message("x").deliver_at(SystemTime::now() - 60 * SECOND));
    assert_eq!(receipt.expect("stored").recall_handle, None);
    let (took, _) = line.next(begun, 10 * SECOND);
    assert!(took < SECOND, "{took:?}");
}

pub(crate) fn what_is_too_far_off_is_refused(place: &Place) {
    let line = Line::of(place);
    let error = line.send(line.message("x").delay(4 * 86_400 * SECOND)).expect_err("refused");
    note!(place, "{error}");
    assert_eq!(error.code(), Some(ResponseCode::MESSAGE_ILLEGAL), "{error}");
    assert_eq!((error.stored(), error.is_retriable()), (Stored::No, false));
}

pub(crate) fn a_broker_without_timers_says_so(place: &Place) {
    let line = Line::of(place);
    let error = line.send(line.message("x").delay(5 * SECOND)).expect_err("refused");
    note!(place, "{error}");
    assert_eq!(error.code(), Some(ResponseCode::SYSTEM_ERROR), "{error}");
    assert!(error.to_string().contains("timerWheelEnable"), "{error}");
}

pub(crate) fn what_is_taken_back_does_not_come(place: &Place) {
    let mut line = Line::of(place);
    let producer = line.rig.client.producer("delays").expect("a producer");
    let begun = Instant::now();
    let receipt = line.send(line.message("recalled").delay(4 * SECOND)).expect("stored");
    line.send(line.message("other").delay(5 * SECOND)).expect("stored");
    let handle = receipt.recall_handle.as_deref().expect("a handle");
    let read = RecallHandle::parse(handle).expect("a handle of a form that is known");
    assert_eq!(read.topic.as_str(), line.topic);
    assert_eq!((&*read.broker, &*read.message_id), (&*receipt.broker, receipt.message_id.as_str()));
    let recalled = producer.recall(handle).wait().expect("taken back");
    assert_eq!(&*recalled, receipt.message_id.as_str());
    let (took, body) = line.next(begun, 30 * SECOND);
    note!(place, "the other one came after {took:?}");
    assert_eq!(body, "other");
    assert!(line.consumer.recv_timeout(3 * SECOND).is_err(), "it came all the same");
}

pub(crate) fn what_is_taken_back_in_vain_is_told(place: &Place) {
    let mut line = Line::of(place);
    let producer = line.rig.client.producer("delays").expect("a producer");
    let begun = Instant::now();
    let receipt = line.send(line.message("x").delay(2 * SECOND)).expect("stored");
    let handle = receipt.recall_handle.as_deref().expect("a handle");
    line.next(begun, 30 * SECOND);
    let error = producer.recall(handle).wait().expect_err("it has come");
    note!(place, "after delivery: {error}");
    assert!(matches!(error, RecallError::TooLate { .. }), "{error}");

    let receipt = line.send(line.message("x").delay(60 * SECOND)).expect("stored");
    let handle = receipt.recall_handle.as_deref().expect("a handle");
    for _ in 0..2 {
        producer.recall(handle).wait().expect("brokers do not look whether it waits");
    }
    for text in ["", "no handle", &handle[1..]] {
        let error = producer.recall(text).wait().expect_err("no handle");
        assert!(matches!(error, RecallError::Handle { .. }), "{error}");
    }
    let foreign =
        RecallHandle { broker: "another".into(), ..RecallHandle::parse(handle).expect("a handle") };
    let asked = RecallRequestTo { line: &line, handle: foreign.to_text() };
    let (code, remark) = asked.send(&place.broker());
    note!(place, "a foreign handle: {code}: {remark}");
    assert_eq!(code, ResponseCode::ILLEGAL_OPERATION, "{remark}");
}

/// A recall by a handle of another broker, sent past the client's own look at it.
struct RecallRequestTo<'a> {
    line: &'a Line,
    handle: String,
}

impl RecallRequestTo<'_> {
    fn send(&self, broker: &str) -> (ResponseCode, String) {
        let request = Request::Recall(rocketry::proto::frame::request::RecallRequest {
            topic: self.line.topic.as_str().into(),
            handle: self.handle.as_str().into(),
            ..Default::default()
        });
        let answer = ask(&self.line.rig, broker, request, Bytes::new().to_vec());
        (answer.code, answer.remark.unwrap_or_default().to_string())
    }
}
