//! Messages for a time, and those taken back: `HookUtils.transformTimerMessage`,
//! `TimerMessageStore` and `RecallMessageProcessor`, but to the millisecond after the second that
//! they are due in, instead of by scans.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use rocketry_core::frame::reply::RecallReply;
use rocketry_core::frame::request::RecallRequest;
use rocketry_core::frame::{ReplyFields, ResponseCode, version};
use rocketry_core::message::{OffsetMessageId, RecallHandle, RecordList, properties, sys_flag};
use rocketry_core::name::Topic;
use rocketry_core::time::{Instant, UnixMillis};

use super::answer::{Answer, Caller, Turn};
use super::node::{MASTER, Node};
use super::store::{Editable, Incoming};
use super::topic::{READ, WRITE};

/// Where messages wait for their time (`TimerMessageStore.TIMER_TOPIC`).
const TOPIC: &str = "rmq_sys_wheel_timer";
/// Times are cut to whole seconds (`timerPrecisionMs`).
const PRECISION: i64 = 1000;

/// When messages are due that wait for a time, and which are taken back.
#[derive(Debug, Default)]
pub(super) struct Timers {
    /// By when they are due, and their offsets.
    due: BTreeSet<(Instant, u64)>,
    /// What is taken back, until it is due: the topic and the id of each, and when that is.
    recalled: BTreeMap<(Box<str>, Box<str>), Instant>,
}

impl Timers {
    pub(super) fn next(&self) -> Option<Instant> {
        self.due.first().map(|(due, _)| *due)
    }

    fn take(&mut self, now: Instant) -> Option<u64> {
        let first = *self.due.first().filter(|(due, _)| *due <= now)?;
        self.due.remove(&first);
        Some(first.1)
    }
}

/// What a broker understood of a time.
pub(super) struct Timed {
    /// The properties that the message waits with.
    wire: String,
    /// To the second.
    out: i64,
}

impl Timed {
    /// By what it can be taken back (`attachRecallHandle`).
    pub(super) fn handle(&self, topic: &str, broker: &str, id: &str) -> Option<String> {
        let handle = RecallHandle {
            topic: Topic::new(topic).ok()?,
            broker: broker.into(),
            due: UnixMillis(self.out + 1),
            message_id: id.into(),
        };
        Some(handle.to_text())
    }
}

fn illegal(most: Duration) -> Answer {
    let remark = format!(
        "timer message illegal, the delay time should not be bigger than the max delay {}ms; or \
         if set del msg, the delay time should be bigger than the current time",
        most.as_millis()
    );
    Answer::error(ResponseCode::MESSAGE_ILLEGAL, remark)
}

impl Node {
    /// When a message is to be delivered that says so, if it has to wait. One of a level waits by
    /// that, and one of a transaction does not until it is committed.
    pub(super) fn timed(
        &self,
        turn: &Turn<'_>,
        message: &Incoming<'_>,
    ) -> Result<Option<Timed>, Answer> {
        let half =
            !matches!(message.sys_flag & sys_flag::TRANSACTION, 0 | sys_flag::TRANSACTION_COMMIT);
        if !version::times(self.version) || message.delay > 0 || half {
            return Ok(None);
        }
        let mut given = Editable::read(message.properties);
        if given.get(properties::TIMER_OUT_MS).is_some() {
            return Ok(None);
        }
        let number = |name| Some(given.get(name)?.parse::<i64>());
        let after = |millis: i64| turn.unix.0.wrapping_add(millis);
        let deliver = if let Some(seconds) = number(properties::TIMER_DELAY_SEC) {
            seconds.map(|seconds| after(seconds.wrapping_mul(1000)))
        } else if let Some(millis) = number(properties::TIMER_DELAY_MS) {
            millis.map(after)
        } else if let Some(time) = number(properties::TIMER_DELIVER_MS) {
            time
        } else {
            return Ok(None);
        };
        if !turn.config.timers {
            let remark = "accurate timer message is not enabled, timerWheelEnable is false";
            return Err(Answer::error(ResponseCode::SYSTEM_ERROR, remark));
        }
        let most = turn.config.timer_limit;
        let deliver = deliver.map_err(|_| illegal(most))?;
        if deliver <= turn.unix.0 {
            return Ok(None);
        }
        if u128::from(deliver.abs_diff(turn.unix.0)) > most.as_millis() {
            return Err(illegal(most));
        }
        // A whole second is the end of the one before.
        let out = (deliver - 1).div_euclid(PRECISION) * PRECISION;
        given.set(properties::TIMER_OUT_MS, out.to_string());
        given.set(properties::REAL_TOPIC, message.topic);
        given.set(properties::REAL_QUEUE, message.queue.to_string());
        Ok(Some(Timed { wire: given.wire(), out }))
    }

    /// Stores a message where it waits for its time.
    pub(super) fn put_timed(
        &mut self,
        turn: &Turn<'_>,
        message: &Incoming<'_>,
        timed: &Timed,
    ) -> Result<(OffsetMessageId, i64), Answer> {
        self.topics.ensure(TOPIC, 1, READ | WRITE);
        let properties = timed.wire.as_bytes();
        let waiting = Incoming { topic: TOPIC, queue: 0, properties, ..*message };
        let (id, offset) = self.append(turn, &waiting)?;
        let wait = u64::try_from(timed.out + PRECISION - turn.unix.0).unwrap_or(0);
        let due = turn.now + Duration::from_millis(wait);
        self.timers.due.insert((due, offset as u64));
        Ok((id, offset))
    }

    /// When the next message is due. A broker that is down brings it when it is back.
    pub(super) fn next_timed(&self) -> Option<Instant> {
        self.timers.next().filter(|_| !self.down)
    }

    /// Puts what is due into its queue, but for what was taken back.
    pub(super) fn deliver_timed(&mut self, turn: &mut Turn<'_>) {
        while self.next_timed().is_some_and(|due| due <= turn.now) {
            let Some(offset) = self.timers.take(turn.now) else { break };
            let log = self.topics.find(TOPIC).and_then(|topic| topic.queue(0));
            if let Some(record) = log.and_then(|log| log.record_at(offset)) {
                let record = Bytes::copy_from_slice(record);
                self.time_is_up(turn, record);
            }
        }
        self.timers.recalled.retain(|_, due| *due > turn.now);
    }

    fn time_is_up(&mut self, turn: &mut Turn<'_>, record: Bytes) {
        let list = RecordList::cut(record);
        let Some(record) = list.record(0) else { return };
        let mut kept = Editable::read(record.properties().as_bytes());
        let queue = kept.get(properties::REAL_QUEUE).and_then(|queue| queue.parse().ok());
        let topic = kept.get(properties::REAL_TOPIC).map(str::to_owned);
        let (Some(topic), Some(queue)) = (topic, queue) else { return };
        let id = kept.get(properties::UNIQ_KEY).unwrap_or_default();
        if self.timers.recalled.contains_key(&(topic.as_str().into(), id.into())) {
            return;
        }
        kept.remove(properties::REAL_TOPIC);
        kept.remove(properties::REAL_QUEUE);
        kept.set("TIMER_ENQUEUE_MS", record.store_timestamp().0.to_string());
        kept.set("TIMER_DEQUEUE_MS", turn.unix.0.to_string());
        let (wire, body) = (kept.wire(), record.raw_body());
        let message = Incoming::again(&record, &body, wire.as_bytes(), (&topic, queue));
        if self.append(turn, &message).is_ok() {
            self.wake(turn, &topic, queue, message.tag);
        }
    }

    /// Takes a message back that waits for its time (370). As in Java nobody looks whether there is
    /// one of that id.
    pub(super) fn recall(
        &mut self,
        turn: &Turn<'_>,
        caller: &Caller,
        request: &RecallRequest,
    ) -> Answer {
        if !version::recalls(self.version) {
            return Answer::unsupported(caller.code);
        }
        let refuse = |code, why: &str| Answer::error(code, format!("recall failed, {why}"));
        let illegal = ResponseCode::ILLEGAL_OPERATION;
        if !turn.config.recalls {
            return refuse(ResponseCode::NO_PERMISSION, "operation is forbidden");
        }
        if self.id != MASTER {
            return refuse(ResponseCode::SLAVE_NOT_AVAILABLE, "broker service not available");
        }
        if self.topics.find(&request.topic).is_none() {
            let why = format!("the topic[{}] not exist", request.topic);
            return refuse(ResponseCode::TOPIC_NOT_EXIST, &why);
        }
        let Some(handle) = RecallHandle::parse(&request.handle) else {
            return Answer::error(illegal, "recall handle is invalid");
        };
        if handle.topic.as_str() != &*request.topic {
            return refuse(illegal, "topic not match");
        }
        if *handle.broker != *self.name {
            return refuse(illegal, "broker service not available");
        }
        let left = handle.due.0 - turn.unix.0;
        let most = i64::try_from(turn.config.timer_limit.as_millis()).unwrap_or(i64::MAX);
        if left <= 0 || left >= most {
            return refuse(illegal, "timestamp invalid");
        }
        let due = turn.now + Duration::from_millis(left as u64 + PRECISION as u64);
        let message_id = handle.message_id.clone().into();
        self.timers.recalled.insert((handle.topic.as_str().into(), handle.message_id), due);
        Answer::fields(ReplyFields::Recall(RecallReply { message_id }))
    }
}
