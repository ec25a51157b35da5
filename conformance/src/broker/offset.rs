//! Offsets: those that groups have stored (14, 15) and the ends of queues (30, 31):
//! `ConsumerManageProcessor`, `ConsumerOffsetManager`, `AdminBrokerProcessor`.

use std::collections::BTreeMap;

use rocketry_core::frame::reply::OffsetReply;
use rocketry_core::frame::request::{QueryOffsetRequest, UpdateOffsetRequest};
use rocketry_core::frame::{ReplyFields, ResponseCode};

use super::answer::Answer;
use super::node::Node;

/// Offsets by queue.
type Queues = BTreeMap<i32, i64>;

/// What groups have stored, by group, then topic, then queue.
#[derive(Debug, Default)]
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
        let log = self.topics.find(topic).and_then(|topic| topic.queue(queue));
        match log {
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
        Answer::fields(ReplyFields::None)
    }

    /// Unknown queues end at 0 (`getMaxOffsetInQueue`).
    pub(super) fn max_offset(&self, topic: &str, queue: i32) -> Answer {
        let log = self.topics.find(topic).and_then(|topic| topic.queue(queue));
        answer(log.map_or(0, |log| log.max() as i64))
    }

    /// Unknown queues begin at 0.
    pub(super) fn min_offset(&self, topic: &str, queue: i32) -> Answer {
        let log = self.topics.find(topic).and_then(|topic| topic.queue(queue));
        answer(log.map_or(0, |log| log.min() as i64))
    }
}
