//! Reading messages (11), at once or by long poll: `PullMessageProcessor`,
//! `DefaultPullMessageResultHandler`, `PullRequestHoldService`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rocketry_core::frame::reply::PullReply;
use rocketry_core::frame::request::PullRequest;
use rocketry_core::frame::{ReplyFields, ResponseCode, version};

use super::answer::{Answer, Caller, Turn, see};
use super::fault::words;
use super::node::{MASTER, Node};
use super::queue::{QueueLog, Read, ReadLimits};
use super::subscription::{Filter, SQL, TAG, is_tag_type};
use super::topic::{self, Topic};

const COMMIT: i32 = 1;
const SUSPEND: i32 = 2;
const SUBSCRIPTION: i32 = 4;

impl Node {
    /// Answers a pull, or holds it until a message arrives or its time is up. The offset that it
    /// commits is stored on arrival only, also when the pull is held.
    pub(super) fn pull(&mut self, turn: &mut Turn<'_>, caller: Caller, request: PullRequest) {
        if let Some(refused) = self.refuses_to_read(turn) {
            return turn.reply(&caller, refused);
        }
        let group = &*request.consumer_group;
        if self.groups.config(group, turn.config.auto_create_groups).is_none() {
            let why = see(self.version);
            let remark = format!("subscription group [{group}] does not exist, {why}");
            let answer = Answer::error(ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST, remark);
            return turn.reply(&caller, answer);
        }
        let (filter, answer) = match self.filter_of(turn, &request) {
            Err(refused) => return turn.reply(&caller, refused),
            Ok((topic, filter)) => {
                let answer = self.read_or_reset(topic, turn, &request, &filter);
                (filter, self.directed(turn, topic, answer))
            }
        };
        self.offsets.forget_reset(&request.consumer_group, &request.topic, request.queue_id);
        if request.sys_flag & COMMIT != 0 && self.id == MASTER {
            let at = (&*request.consumer_group, &*request.topic, request.queue_id);
            self.commit(turn.now, at, request.commit_offset);
        }
        let asks = request.sys_flag & SUSPEND != 0 && request.suspend_timeout_millis > 0;
        let holds = self.holds && asks;
        if answer.code == ResponseCode::PULL_NOT_FOUND && holds {
            self.hold(turn, caller, request, filter);
        } else {
            turn.reply(&caller, answer);
        }
    }

    /// Why this broker does not read at all: for its permission, or as a slave that is not to
    /// (`rejectRequest`; before 5.0 see [`Self::directed`]).
    fn refuses_to_read(&self, turn: &Turn<'_>) -> Option<Answer> {
        if self.id != MASTER && !turn.config.slave_reads && version::pops(self.version) {
            let busy = ResponseCode::SYSTEM_BUSY;
            return Some(Answer::error(busy, words(busy)));
        }
        (self.perm & topic::READ == 0).then(|| {
            let remark = format!("the broker[{}] pulling message is forbidden", self.host());
            Answer::error(ResponseCode::NO_PERMISSION, remark)
        })
    }

    /// The answer with the broker to ask next. A slave sends those back to the master that it has
    /// nothing for, unless they are to stay with it (`composeResponseHeader`).
    fn directed(&self, turn: &Turn<'_>, topic: &Topic, mut answer: Answer) -> Answer {
        let slave = self.id != MASTER;
        let suggested = if turn.config.slave_reads { self.suggests } else { MASTER };
        if let ReplyFields::Pull(fields) = &mut answer.fields {
            fields.suggest_broker_id = i64::try_from(suggested).ok();
            let flags = version::pops(self.version);
            fields.topic_sys_flag = flags.then_some(topic.sys_flag);
            fields.group_sys_flag = flags.then_some(0);
        }
        let back = match version::pops(self.version) {
            true => suggested == MASTER && answer.code != ResponseCode::SUCCESS,
            false => !turn.config.slave_reads,
        };
        if slave && back {
            answer.code = ResponseCode::PULL_RETRY_IMMEDIATELY;
            answer.body = Bytes::new();
        }
        answer
    }

    fn hold(&mut self, turn: &Turn<'_>, caller: Caller, request: PullRequest, filter: Filter) {
        let wait =
            Duration::from_millis(u64::try_from(request.suspend_timeout_millis).unwrap_or(0));
        let (topic, queue) = (request.topic.clone(), request.queue_id);
        let id = self.polls.hold(caller, request, filter, turn.now + wait);
        let polls = &self.polls;
        if let Some(log) = self.topics.find_mut(&topic).and_then(|topic| topic.queue_mut(queue)) {
            log.waiting.retain(|&old| polls.held(old).is_some());
            log.waiting.push(id);
        }
    }

    /// Answers the pulls that waited for a message of this tag code in this queue.
    pub(super) fn wake(&mut self, turn: &mut Turn<'_>, topic: &str, queue: i32, tag: i32) {
        let Some(log) = self.topics.find_mut(topic).and_then(|topic| topic.queue_mut(queue)) else {
            return;
        };
        let max = log.max() as i64;
        for id in std::mem::take(&mut log.waiting) {
            let Some(held) = self.polls.held(id) else { continue };
            let from = held.request.queue_offset;
            let log = self.topics.find(topic).and_then(|topic| topic.queue(queue));
            let passes = match held.filter.reads() {
                true => log.is_some_and(|log| log.has_from(from, &held.filter)),
                false => held.filter.matches(tag, &[]),
            };
            if from < max && passes {
                if let Some(held) = self.polls.take(id) {
                    let answer = self.resume(turn, &held.request);
                    turn.reply(&held.caller, answer);
                }
            } else if let Some(log) =
                self.topics.find_mut(topic).and_then(|topic| topic.queue_mut(queue))
            {
                log.waiting.push(id);
            }
        }
    }

    /// Runs a held pull again, this time to its end.
    pub(super) fn resume(&mut self, turn: &Turn<'_>, request: &PullRequest) -> Answer {
        let answer = match self.filter_of(turn, request) {
            Ok((topic, filter)) => {
                let answer = self.read_or_reset(topic, turn, request, &filter);
                self.directed(turn, topic, answer)
            }
            Err(refused) => return refused,
        };
        self.offsets.forget_reset(&request.consumer_group, &request.topic, request.queue_id);
        answer
    }

    /// What there is, or, where the group's offset was reset here, from where it is to go on.
    fn read_or_reset(
        &self,
        topic: &Topic,
        turn: &Turn<'_>,
        request: &PullRequest,
        filter: &Filter,
    ) -> Answer {
        let log = topic.queue(request.queue_id);
        let (group, name) = (&*request.consumer_group, &*request.topic);
        let reset = self.offsets.reset(group, name, request.queue_id);
        let Some(next) = reset.filter(|_| self.id == MASTER) else {
            return self.read(log, turn, request, filter);
        };
        let (min, max) = log.map_or((0, 0), |log| (log.min() as i64, log.max() as i64));
        let fields = fields(next, min, max);
        let (code, remark) = (ResponseCode::PULL_OFFSET_MOVED, Some(Arc::from("OFFSET_RESET")));
        Answer { code, remark, fields, body: Bytes::new() }
    }

    /// The topic a pull may read, and what it wants of it.
    fn filter_of(
        &self,
        turn: &Turn<'_>,
        request: &PullRequest,
    ) -> Result<(&Topic, Filter), Answer> {
        let name = &*request.topic;
        let Some(topic) = self.topics.find(name) else {
            let remark =
                format!("topic[{name}] not exist, apply first please! {}", see(self.version));
            return Err(Answer::error(ResponseCode::TOPIC_NOT_EXIST, remark));
        };
        if topic.perm & topic::READ == 0 {
            let remark = format!("the topic[{name}] pulling message is forbidden");
            return Err(Answer::error(ResponseCode::NO_PERMISSION, remark));
        }
        let queue = request.queue_id;
        if u32::try_from(queue).is_ok_and(|queue| queue < topic.read_queues) {
            Ok((topic, self.subscribed(turn, request)?))
        } else {
            let remark = format!(
                "queueId[{queue}] is illegal, topic:[{name}] topicConfig.readQueueNums:[{}]",
                topic.read_queues
            );
            Err(Answer::error(ResponseCode::INVALID_PARAMETER, remark))
        }
    }

    /// The subscription in the request, or else that of the group's heartbeats.
    fn subscribed(&self, turn: &Turn<'_>, request: &PullRequest) -> Result<Filter, Answer> {
        if request.sys_flag & SUBSCRIPTION != 0 {
            return self.carried(turn, request);
        }
        let absent = |what: &str| {
            let remark = format!("the consumer's {what} not exist{}", see(self.version));
            Answer::error(ResponseCode::SUBSCRIPTION_NOT_EXIST, remark)
        };
        let (group, topic) = (&*request.consumer_group, &*request.topic);
        if !self.groups.exists(group) {
            return Err(absent("group info"));
        }
        if self.groups.broadcasts_in_vain(group) {
            let remark = format!("the consumer group[{group}] can not consume by broadcast way");
            return Err(Answer::error(ResponseCode::NO_PERMISSION, remark));
        }
        let found = self.groups.subscription(group, topic).ok_or_else(|| absent("subscription"))?;
        if found.data.version < request.sub_version {
            let remark = "the consumer's subscription not latest";
            return Err(Answer::error(ResponseCode::SUBSCRIPTION_NOT_LATEST, remark));
        }
        found.filter.clone().map_or_else(
            || {
                let remark =
                    "The broker's consumer filter data is not exist!Your expression may be wrong!";
                Err(Answer::error(ResponseCode::FILTER_DATA_NOT_EXIST, remark))
            },
            |filter| check_type(turn, &found.data.expression_type).map(|()| filter),
        )
    }

    /// The subscription that a pull carries. One in SQL that can't be read lets all pass: only an
    /// assertion of Java's is against it (`ConsumerFilterManager.build`).
    fn carried(&self, turn: &Turn<'_>, request: &PullRequest) -> Result<Filter, Answer> {
        let kind = request.expression_type.as_deref().unwrap_or(TAG);
        let expression = request.subscription.as_deref().unwrap_or_default();
        let filter = match kind {
            TAG => Filter::parse(expression),
            _ if expression.is_empty() => None,
            // It has no codes, and no tag is among them.
            "" => Some(Filter::Codes(Vec::new())),
            SQL => Some(Filter::sql(expression, self.version).unwrap_or(Filter::All)),
            _ => Some(Filter::All),
        };
        let filter = filter.ok_or_else(|| {
            let remark = "parse the consumer's subscription failed";
            Answer::error(ResponseCode::SUBSCRIPTION_PARSE_FAILED, remark)
        })?;
        check_type(turn, kind).map(|()| filter)
    }
}

/// What an answer says of where the queue goes on, and of its ends.
fn fields(next: i64, min: i64, max: i64) -> ReplyFields {
    ReplyFields::Pull(PullReply {
        suggest_broker_id: Some(0),
        next_begin_offset: next,
        min_offset: min,
        max_offset: max,
        ..Default::default()
    })
}

/// Whether a broker filters by expressions of this type.
pub(super) fn check_type(turn: &Turn<'_>, expression_type: &str) -> Result<(), Answer> {
    if is_tag_type(expression_type) || turn.config.property_filter {
        return Ok(());
    }
    let remark =
        format!("The broker does not support consumer to filter message by {expression_type}");
    Err(Answer::error(ResponseCode::SYSTEM_ERROR, remark))
}

/// Reading.
impl Node {
    /// What there is from an offset on. A slave may lag, and corrects no offset
    /// (`offsetCheckInSlave`).
    fn read(
        &self,
        log: Option<&QueueLog>,
        turn: &Turn<'_>,
        request: &PullRequest,
        filter: &Filter,
    ) -> Answer {
        let wanted = u32::try_from(request.max_messages).unwrap_or(0);
        let limits = ReadLimits {
            messages: wanted.clamp(1, turn.config.pull_messages.max(1)) as usize,
            bytes: turn.config.pull_bytes,
        };
        let offset = request.queue_offset;
        let (min, max) = log.map_or((0, 0), |log| (log.min() as i64, log.max() as i64));
        let found = log.map_or(Read::Empty, |log| log.read(offset, limits, filter));
        let corrected = |right: i64| if self.id == MASTER { right } else { offset };
        let (code, status, next, body) = match found {
            Read::Found { records, next } => (ResponseCode::SUCCESS, "FOUND", next as i64, records),
            Read::NoneMatched { next } => {
                let code = ResponseCode::PULL_RETRY_IMMEDIATELY;
                (code, "NO_MATCHED_MESSAGE", next as i64, Bytes::new())
            }
            Read::Empty if offset == 0 => {
                (ResponseCode::PULL_NOT_FOUND, "NO_MESSAGE_IN_QUEUE", 0, Bytes::new())
            }
            Read::Empty => {
                (ResponseCode::PULL_OFFSET_MOVED, "NO_MESSAGE_IN_QUEUE", corrected(0), Bytes::new())
            }
            Read::AtEnd => {
                (ResponseCode::PULL_NOT_FOUND, "OFFSET_OVERFLOW_ONE", offset, Bytes::new())
            }
            Read::TooSmall => {
                (ResponseCode::PULL_OFFSET_MOVED, "OFFSET_TOO_SMALL", corrected(min), Bytes::new())
            }
            Read::TooLarge => (
                ResponseCode::PULL_OFFSET_MOVED,
                "OFFSET_OVERFLOW_BADLY",
                corrected(max),
                Bytes::new(),
            ),
        };
        Answer { code, remark: Some(Arc::from(status)), fields: fields(next, min, max), body }
    }
}
