//! Messages that a consumer could not handle: sent back (36), sent to the retry topic by the client
//! itself, and dead letters: `AbstractSendMessageProcessor.consumerSendMsgBack` and
//! `SendMessageProcessor.handleRetryAndDLQ`.

use rocketry_core::body::GroupConfig;
use rocketry_core::frame::request::{SendBackRequest, SendRequest};
use rocketry_core::frame::{ReplyFields, ResponseCode, version};
use rocketry_core::message::{RecordList, properties};

use super::answer::{Answer, Caller, Turn, see};
use super::fault::words;
use super::node::{MASTER, Node};
use super::store::{Editable, Incoming};
use super::topic::{DEAD_LETTER_PREFIX, READ, RETRY_PREFIX, WRITE};

/// The first version (4.9.2) in which dead letters can be read, and wait for nothing.
const DEAD_LETTERS_READ: i32 = version::V4_9_3 - 2;
/// The first version (5.1.4) that makes dead letters of what members of a group with locks send to
/// its retry topic.
const LOCKS_LOOKED_AT: i32 = 441;
/// Queues of a dead letter topic (`DLQ_NUMS_PER_GROUP`).
const DEAD_LETTER_QUEUES: u32 = 1;

/// After how many attempts a message is a dead letter: what the client says, if it is not too old
/// to say it, or else its group.
fn limit(caller: &Caller, asked: Option<i32>, config: &GroupConfig) -> i32 {
    let asked = asked.filter(|_| caller.version >= version::V3_4_9);
    asked.unwrap_or(config.retry_max_times)
}

fn no_group(caller: &Caller, group: &str) -> Answer {
    let remark = format!("subscription group not exist, {group} {}", see(caller.server));
    Answer::error(ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST, remark)
}

impl Node {
    /// Makes sure that a group has a topic for dead letters; returns its name.
    fn dead_letters_of(&mut self, server: i32, group: &str) -> String {
        let name = format!("{DEAD_LETTER_PREFIX}{group}");
        let perm = if server < DEAD_LETTERS_READ { WRITE } else { READ | WRITE };
        self.topics.ensure(&name, DEAD_LETTER_QUEUES, perm);
        name
    }

    /// Makes sure that a group has a retry topic, as each heartbeat does; returns its name.
    pub(super) fn retry_topic_of(&mut self, config: &GroupConfig) -> String {
        let name = format!("{RETRY_PREFIX}{}", config.group_name);
        let queues = u32::try_from(config.retry_queue_nums).unwrap_or(0);
        self.topics.ensure(&name, queues, READ | WRITE);
        name
    }

    /// Where a send to a retry topic goes instead, if its message was tried often enough. As Java
    /// has it, from 5.0 on one attempt later than a message that is sent back.
    pub(super) fn dead_letters_for(
        &mut self,
        turn: &Turn<'_>,
        caller: &Caller,
        request: &SendRequest,
    ) -> Result<Option<String>, Answer> {
        let Some(group) = request.topic.strip_prefix(RETRY_PREFIX) else { return Ok(None) };
        let Some(config) = self.groups.config(group, turn.config.auto_create_groups) else {
            return Err(no_group(caller, group));
        };
        let times = request.reconsume_times.unwrap_or(0);
        let limit = limit(caller, request.max_reconsume_times, config);
        // A group with locks has orderly consumers: what it sends here has no place in any order.
        let orderly = caller.server >= LOCKS_LOOKED_AT && !self.locks.are_expired(turn.now, group);
        let over = orderly || times > limit || (times == limit && !version::pops(caller.server));
        Ok(over.then(|| self.dead_letters_of(caller.server, group)))
    }

    /// Has a message delivered again, later: a copy of it goes to the group's retry topic, or to
    /// its dead letters (36).
    pub(super) fn send_back(
        &mut self,
        turn: &mut Turn<'_>,
        caller: &Caller,
        request: &SendBackRequest,
    ) -> Answer {
        if self.id != MASTER {
            let busy = ResponseCode::SYSTEM_BUSY;
            return Answer::error(busy, words(busy));
        }
        let group = &*request.group;
        let Some(config) = self.groups.config(group, turn.config.auto_create_groups).cloned()
        else {
            return no_group(caller, group);
        };
        if self.perm & WRITE == 0 {
            let remark = format!("the broker[{}] sending message is forbidden", self.host());
            return Answer::error(ResponseCode::NO_PERMISSION, remark);
        }
        let Some(queues) = u64::try_from(config.retry_queue_nums).ok().filter(|&count| count > 0)
        else {
            return Answer::fields(ReplyFields::None);
        };
        let retry = self.retry_topic_of(&config);
        if self.topics.find(&retry).is_none_or(|topic| topic.perm & WRITE == 0) {
            let remark = format!("the topic[{retry}] sending message is forbidden");
            return Answer::error(ResponseCode::NO_PERMISSION, remark);
        }
        let queue = turn.rng.below(queues) as i32;
        let Some(record) = self.look(request.offset) else {
            let remark = format!("look message by offset failed, {}", request.offset);
            return Answer::error(ResponseCode::SYSTEM_ERROR, remark);
        };
        let list = RecordList::cut(record);
        match self.store_back(turn, caller, request, &list, (&config, queue)) {
            Ok(()) => Answer::fields(ReplyFields::None),
            Err(refused) => refused,
        }
    }

    /// Stores the copy of the one message in `list`.
    fn store_back(
        &mut self,
        turn: &mut Turn<'_>,
        caller: &Caller,
        request: &SendBackRequest,
        list: &RecordList,
        (config, queue): (&GroupConfig, i32),
    ) -> Result<(), Answer> {
        let unreadable = || Answer::error(ResponseCode::SYSTEM_ERROR, "the message is damaged");
        let record = list.record(0).ok_or_else(unreadable)?;
        let mut properties = Editable::read(record.properties().as_bytes());
        if properties.get(properties::RETRY_TOPIC).is_none() {
            properties.set(properties::RETRY_TOPIC, record.topic());
        }
        properties.set(properties::WAIT, "false");
        if properties.get(properties::ORIGIN_MESSAGE_ID).is_none() {
            let id = record.offset_message_id().to_string();
            properties.set(properties::ORIGIN_MESSAGE_ID, id);
        }
        let (times, level) = (record.reconsume_times(), request.delay_level);
        let dead = level < 0 || times >= limit(caller, request.max_reconsume_times, config);
        let (topic, queue) = match dead {
            true => (self.dead_letters_of(caller.server, &config.group_name), 0),
            false => (format!("{RETRY_PREFIX}{}", config.group_name), queue),
        };
        let level = if level == 0 { times.saturating_add(3) } else { level };
        match dead {
            false => properties.set(properties::DELAY, level.to_string()),
            true if caller.server < DEAD_LETTERS_READ => {}
            true => properties.set(properties::DELAY, "0"),
        }
        let delay = properties.get(properties::DELAY).and_then(|level| level.parse().ok());
        let (body, wire) = (record.raw_body(), properties.wire());
        let message = Incoming {
            reconsume_times: times.saturating_add(1),
            prepared: 0,
            delay: delay.unwrap_or(0),
            ..Incoming::again(&record, &body, wire.as_bytes(), (&topic, queue))
        };
        self.put(turn, &message)?;
        self.wake(turn, &topic, queue, message.tag);
        Ok(())
    }
}
