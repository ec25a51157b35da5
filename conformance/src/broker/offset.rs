//! Offsets: those that groups have stored (14, 15), the ends of queues (30, 31), and those of times
//! (29, 32): `ConsumerManageProcessor`, `ConsumerOffsetManager`, `AdminBrokerProcessor`.

use std::collections::BTreeMap;

use rocketry_core::frame::reply::{OffsetReply, TimestampReply};
use rocketry_core::frame::request::{
    EarliestTimeRequest, QueryOffsetRequest, SearchOffsetRequest, UpdateOffsetRequest,
};
use rocketry_core::frame::{ReplyFields, ResponseCode, version};
use rocketry_core::time::UnixMillis;

use super::answer::{Answer, Caller};
use super::node::Node;
use super::queue::{Boundary, QueueLog};

/// Offsets by queue.
type Queues = BTreeMap<i32, i64>;

/// What groups have stored, by group, then topic, then queue.
#[derive(Clone, Debug, Default)]
pub(super) struct Offsets(BTreeMap<Box<str>, BTreeMap<Box<str>, Queues>>);

impl Offsets {
    /// Stores an offset, also a lower one.
    pub(super) fn commit(&mut self, group: &str, topic: &str, queue: i32, offset: i64) {
        if let Some(stored) = self.0.get_mut(group).and_then(|g| g.get_mut(topic)) {
            stored.insert(queue, offset);
            return;
        }
        let topics = self.0.entry(Box::from(group)).or_default();
        topics.entry(Box::from(topic)).or_default().insert(queue, offset);
    }

    /// Forgets all offsets in a topic (`cleanOffsetByTopic`).
    pub(super) fn forget(&mut self, topic: &str) {
        self.0.values_mut().for_each(|topics| {
            topics.remove(topic);
        });
    }

    pub(super) fn committed(&self, group: &str, topic: &str, queue: i32) -> Option<i64> {
        self.0.get(group)?.get(topic)?.get(&queue).copied()
    }
}

fn answer(offset: i64) -> Answer {
    Answer::fields(ReplyFields::Offset(OffsetReply { offset }))
}

impl Node {
    /// A group without a stored offset gets 0, not "not found", while the queue's first message is
    /// still there: a young topic is consumed from its start (`queryConsumerOffset`).
    pub(super) fn query_offset(&self, request: &QueryOffsetRequest) -> Answer {
        let (topic, queue) = (&*request.topic, request.queue_id);
        if let Some(offset) = self.offsets.committed(&request.consumer_group, topic, queue) {
            return answer(offset);
        }
        match self.log(topic, queue) {
            Some(log) if log.min() == 0 && log.max() > 0 => answer(0),
            _ => Answer::error(
                ResponseCode::QUERY_NOT_FOUND,
                "Not found, V3_0_6_SNAPSHOT maybe this group consumer boot first",
            ),
        }
    }

    /// Offsets of groups that never sent a heartbeat or a pull are refused.
    pub(super) fn update_offset(&mut self, request: &UpdateOffsetRequest) -> Answer {
        let (group, topic) = (&*request.consumer_group, &*request.topic);
        if !self.groups.knows(group) {
            let remark = format!("Group {group} not exist!");
            return Answer::error(ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST, remark);
        }
        if self.topics.find(topic).is_none() {
            let remark = format!("Topic {topic} not exist!");
            return Answer::error(ResponseCode::TOPIC_NOT_EXIST, remark);
        }
        self.offsets.commit(group, topic, request.queue_id, request.commit_offset);
        self.committed = true;
        Answer::fields(ReplyFields::None)
    }

    fn log(&self, topic: &str, queue: i32) -> Option<&QueueLog> {
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
            _ if !version::pops(caller.server) => Boundary::Nearest,
            Some(upper) if upper.eq_ignore_ascii_case("UPPER") => Boundary::Upper,
            _ => Boundary::Lower,
        };
        let time = UnixMillis(ask.timestamp);
        let log = self.log(&ask.topic, ask.queue_id);
        answer(log.map_or(0, |log| log.search(time, boundary) as i64))
    }

    /// When the first message still kept was stored; -1 without one (`getEarliestMessageTime`).
    pub(super) fn earliest_time(&self, ask: &EarliestTimeRequest) -> Answer {
        let earliest = self.log(&ask.topic, ask.queue_id).and_then(QueueLog::earliest);
        let timestamp = earliest.map_or(-1, |time| time.0);
        Answer::fields(ReplyFields::Timestamp(TimestampReply { timestamp }))
    }
}
