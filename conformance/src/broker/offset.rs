//! Offsets: those that groups have stored (14, 15), the ends of queues (30, 31), and those of times
//! (29, 32): `ConsumerManageProcessor`, `ConsumerOffsetManager`, `AdminBrokerProcessor`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rocketry_core::frame::reply::{OffsetReply, TimestampReply};
use rocketry_core::frame::request::{
    EarliestTimeRequest, QueryOffsetRequest, SearchOffsetRequest, UpdateOffsetRequest,
};
use rocketry_core::frame::{ReplyFields, ResponseCode, version};
use rocketry_core::time::{Instant, UnixMillis};

use super::answer::{Answer, Caller, Turn};
use super::node::Node;
use super::queue::{Boundary, QueueLog};

/// Offsets by queue.
type Queues = BTreeMap<i32, i64>;

/// A group, a topic, and the number of a queue.
type Place<'a> = (&'a str, &'a str, i32);

/// By group, then topic, then queue.
#[derive(Clone, Debug, Default)]
struct Table(BTreeMap<Box<str>, BTreeMap<Box<str>, Queues>>);

impl Table {
    fn put(&mut self, (group, topic, queue): Place<'_>, offset: i64) {
        if let Some(stored) = self.0.get_mut(group).and_then(|g| g.get_mut(topic)) {
            stored.insert(queue, offset);
            return;
        }
        let topics = self.0.entry(Box::from(group)).or_default();
        topics.entry(Box::from(topic)).or_default().insert(queue, offset);
    }

    fn get(&self, (group, topic, queue): Place<'_>) -> Option<i64> {
        self.0.get(group)?.get(topic)?.get(&queue).copied()
    }

    fn take(&mut self, (group, topic, queue): Place<'_>) {
        if let Some(stored) = self.0.get_mut(group).and_then(|g| g.get_mut(topic)) {
            stored.remove(&queue);
        }
    }

    fn forget(&mut self, topic: &str) {
        self.0.values_mut().for_each(|topics| {
            topics.remove(topic);
        });
    }
}

/// What groups have stored.
#[derive(Clone, Debug, Default)]
pub(super) struct Offsets {
    known: Table,
    /// What is on the disk: a broker that is killed has nothing else.
    flushed: Table,
    /// The last moment of writing that [`Self::flushed`] knows of, counted by the interval.
    tick: u128,
    /// Whether of offsets that come first, and at one time, the last alone stays.
    races: bool,
    /// When the table of a group and topic was last made, and which.
    made: Option<(Instant, Box<str>, Box<str>)>,
    /// Offsets that were reset here, until the next pull is told so (`resetOffsetTable`).
    resets: Table,
}

impl Offsets {
    /// Notes what has been written to the disk by now. Nothing has to be done at the moment itself:
    /// what changed since the one before is only what the next call brings.
    fn flush(&mut self, now: Instant, every: Duration) {
        let passed = now.since(Instant::ZERO).as_nanos();
        let tick = passed.checked_div(every.as_nanos()).unwrap_or(u128::MAX);
        if tick > self.tick {
            self.tick = tick;
            self.flushed.clone_from(&self.known);
        }
    }

    /// Stores an offset, also a lower one, and on the disk by the next moment of writing.
    fn commit(&mut self, now: Instant, every: Duration, place: Place<'_>, offset: i64) {
        self.flush(now, every);
        if self.races {
            self.race(now, place);
        }
        self.known.put(place, offset);
        if every.is_zero() {
            self.flushed.put(place, offset);
        }
    }

    /// Each of a broker's threads makes the table of a group and topic that it does not find, and
    /// the later one replaces the other (`commitOffset`).
    fn race(&mut self, now: Instant, (group, topic, _): Place<'_>) {
        let topics = self.known.0.entry(Box::from(group)).or_default();
        let Some(stored) = topics.get_mut(topic) else {
            self.made = Some((now, Box::from(group), Box::from(topic)));
            return;
        };
        let made = self.made.as_ref().map(|(at, group, topic)| (*at, &**group, &**topic));
        if made == Some((now, group, topic)) {
            stored.clear();
        }
    }

    /// Lets offsets that come first, and at one time, replace each other.
    pub(super) const fn lose_first(&mut self) {
        self.races = true;
    }

    /// Falls back to what is on the disk.
    pub(super) fn lose(&mut self, now: Instant, every: Duration) {
        if !every.is_zero() {
            self.flush(now, every);
        }
        self.known.clone_from(&self.flushed);
        self.resets = Table::default();
    }

    /// Lets an offset be stored, on the disk as well.
    pub(super) fn set(&mut self, group: &str, topic: &str, queue: i32, offset: i64) {
        self.known.put((group, topic, queue), offset);
        self.flushed.put((group, topic, queue), offset);
    }

    /// Forgets all offsets in a topic (`cleanOffsetByTopic`).
    pub(super) fn forget(&mut self, topic: &str) {
        for table in [&mut self.known, &mut self.flushed, &mut self.resets] {
            table.forget(topic);
        }
    }

    pub(super) fn committed(&self, group: &str, topic: &str, queue: i32) -> Option<i64> {
        self.known.get((group, topic, queue))
    }

    /// The topics that a group has offsets in (`whichTopicByConsumer`).
    pub(super) fn topics_of(&self, group: &str) -> Vec<Box<str>> {
        let topics = self.known.0.get(group).map(|topics| topics.keys().cloned().collect());
        topics.unwrap_or_default()
    }

    /// The offset that the next pull is to be told.
    pub(super) fn reset(&self, group: &str, topic: &str, queue: i32) -> Option<i64> {
        self.resets.get((group, topic, queue))
    }

    /// A pull has been told.
    pub(super) fn forget_reset(&mut self, group: &str, topic: &str, queue: i32) {
        self.resets.take((group, topic, queue));
    }
}

fn answer(offset: i64) -> Answer {
    Answer::fields(ReplyFields::Offset(OffsetReply { offset }))
}

impl Node {
    /// Stores an offset.
    pub(super) fn commit(&mut self, now: Instant, place: Place<'_>, offset: i64) {
        self.offsets.commit(now, self.offset_flush, place, offset);
        self.committed = true;
    }

    /// Moves an offset of a group, which the next pull is told (`assignResetOffset`). Whatever its
    /// consumers commit until then is not stored.
    pub(super) fn assign_reset(&mut self, now: Instant, place: Place<'_>, offset: i64) {
        self.offsets.resets.put(place, offset);
        self.commit(now, place, offset);
    }

    /// A group without a stored offset gets 0, not "not found", while the queue's first message is
    /// still there: a young topic is consumed from its start (`queryConsumerOffset`).
    pub(super) fn query_offset(&self, request: &QueryOffsetRequest) -> Answer {
        let (topic, queue) = (&*request.topic, request.queue_id);
        if let Some(offset) = self.offsets.committed(&request.consumer_group, topic, queue) {
            return answer(offset);
        }
        // Brokers of 5.x can be told not to.
        let asks_for_zero = request.zero_if_absent != Some(false) || !version::pops(self.version);
        match self.log(topic, queue) {
            Some(log) if asks_for_zero && log.min() == 0 && log.max() > 0 => answer(0),
            _ => Answer::error(
                ResponseCode::QUERY_NOT_FOUND,
                "Not found, V3_0_6_SNAPSHOT maybe this group consumer boot first",
            ),
        }
    }

    /// Offsets of groups that never sent a heartbeat or a pull are refused.
    pub(super) fn update_offset(
        &mut self,
        turn: &Turn<'_>,
        request: &UpdateOffsetRequest,
    ) -> Answer {
        let (group, topic) = (&*request.consumer_group, &*request.topic);
        if !self.groups.knows(group) {
            let remark = format!("Group {group} not exist!");
            return Answer::error(ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST, remark);
        }
        if self.topics.find(topic).is_none() {
            let remark = format!("Topic {topic} not exist!");
            return Answer::error(ResponseCode::TOPIC_NOT_EXIST, remark);
        }
        if self.offsets.reset(group, topic, request.queue_id).is_some() {
            let remark = Some(Arc::from("Offset has been previously reset"));
            return Answer { remark, ..Answer::fields(ReplyFields::None) };
        }
        self.commit(turn.now, (group, topic, request.queue_id), request.commit_offset);
        Answer::fields(ReplyFields::None)
    }

    pub(super) fn log(&self, topic: &str, queue: i32) -> Option<&QueueLog> {
        self.topics.find(topic)?.queue(queue)
    }

    /// Unknown queues end at 0 (`getMaxOffsetInQueue`).
    pub(super) fn max_offset(&self, topic: &str, queue: i32) -> Answer {
        answer(self.log(topic, queue).map_or(0, |log| log.max() as i64))
    }

    /// Unknown queues begin at 0.
    pub(super) fn min_offset(&self, topic: &str, queue: i32) -> Answer {
        answer(self.log(topic, queue).map_or(0, |log| log.min() as i64))
    }

    /// Where a time begins in a queue; 0 in unknown ones (`searchOffsetByTimestamp`).
    pub(super) fn search_offset(&self, caller: &Caller, ask: &SearchOffsetRequest) -> Answer {
        let boundary = match ask.boundary.as_deref() {
            Some(upper) if upper.eq_ignore_ascii_case("UPPER") => Boundary::Upper,
            _ => Boundary::Lower,
        };
        answer(self.offset_at(caller.server, (&ask.topic, ask.queue_id), ask.timestamp, boundary))
    }

    /// The offset of a time in a queue; 0 in unknown ones (`getOffsetInQueueByTime`).
    pub(super) fn offset_at(
        &self,
        server: i32,
        (topic, queue): (&str, i32),
        time: i64,
        boundary: Boundary,
    ) -> i64 {
        let boundary = if version::pops(server) { boundary } else { Boundary::Nearest };
        let log = self.log(topic, queue);
        log.map_or(0, |log| log.search(UnixMillis(time), boundary) as i64)
    }

    /// When the first message still kept was stored; -1 without one (`getEarliestMessageTime`).
    pub(super) fn earliest_time(&self, ask: &EarliestTimeRequest) -> Answer {
        let earliest = self.log(&ask.topic, ask.queue_id).and_then(QueueLog::earliest);
        let timestamp = earliest.map_or(-1, |time| time.0);
        Answer::fields(ReplyFields::Timestamp(TimestampReply { timestamp }))
    }
}
