//! Storing messages (310, and 10 with its long names): `SendMessageProcessor`.

use std::sync::Arc;

use bytes::Bytes;
use rocketry_core::frame::reply::SendReply;
use rocketry_core::frame::request::SendRequest;
use rocketry_core::frame::{ReplyFields, ResponseCode};
use rocketry_core::message::properties::{self, Properties};
use rocketry_core::message::{OffsetMessageId, StoredRecord, java_string_hash};
use rocketry_core::rng::Rng;
use rocketry_core::time::UnixMillis;

use super::answer::{Answer, Caller, Turn};
use super::node::Node;
use super::topic::{is_forbidden, is_valid_name};

/// Longest properties as stored, in bytes: their length is a signed 16-bit number in the record.
const PROPERTIES_LIMIT: usize = 32_767;
/// Bytes of a record besides topic, properties and body, at most.
const RECORD_FIXED: usize = 128;

/// The properties as they are stored.
struct Stored {
    /// With UNIQ_KEY and the broker's own.
    wire: String,
    tag: i32,
    unique_id: Arc<str>,
}

fn stored_properties(given: &str, cluster: &str, rng: &mut Rng) -> Stored {
    let mut stored = String::with_capacity(given.len() + 96);
    let mut put = |name: &str, value: &str| {
        stored.extend([name, "\u{1}", value, "\u{2}"]);
    };
    let (mut tag, mut unique) = (0, None);
    for (name, value) in Properties::new(given.as_bytes()).iter() {
        match name {
            properties::CLUSTER | properties::MSG_REGION | properties::TRACE_ON => continue,
            properties::TAGS => tag = java_string_hash(value),
            properties::UNIQ_KEY => unique = Some(Arc::from(value)),
            _ => {}
        }
        put(name, value);
    }
    let unique_id = unique.unwrap_or_else(|| {
        let made = format!("{:016X}{:016X}", rng.next_u64(), rng.next_u64());
        put(properties::UNIQ_KEY, &made);
        Arc::from(made)
    });
    put(properties::MSG_REGION, "DefaultRegion");
    put(properties::TRACE_ON, "true");
    put(properties::CLUSTER, cluster);
    Stored { wire: stored, tag, unique_id }
}

impl Node {
    /// Stores a message, answers, and wakes the pulls that waited for it.
    pub(super) fn accept(
        &mut self,
        turn: &mut Turn<'_>,
        caller: &Caller,
        request: &SendRequest,
        body: &Bytes,
        fault: Option<ResponseCode>,
    ) {
        match self
            .check(turn, request, body)
            .and_then(|queue| self.store(turn, caller, request, body, queue))
        {
            Err(refused) => turn.reply(caller, refused),
            Ok((reply, tag)) => {
                let queue = reply.queue_id;
                let mut answer = Answer::fields(ReplyFields::Send(reply));
                answer.code = fault.unwrap_or(ResponseCode::SUCCESS);
                turn.reply(caller, answer);
                self.wake(turn, &request.topic, queue, tag);
            }
        }
    }

    /// Makes the topic if it may, and picks the queue (`AbstractSendMessageProcessor.msgCheck`).
    /// As in Java, a topic's permission to write is the client's affair: it is in the route, and
    /// a send that comes all the same is stored.
    fn check(
        &mut self,
        turn: &mut Turn<'_>,
        request: &SendRequest,
        body: &Bytes,
    ) -> Result<i32, Answer> {
        let name = &*request.topic;
        if is_forbidden(name) {
            let remark = format!("Sending message to topic[{name}] is forbidden.");
            return Err(Answer::error(ResponseCode::NO_PERMISSION, remark));
        }
        if self.topics.find(name).is_none() {
            if !is_valid_name(name) {
                let remark = format!("The specified topic is illegal: {name}");
                return Err(Answer::error(ResponseCode::INVALID_PARAMETER, remark));
            }
            self.topics.auto_create(name, &request.default_topic, request.default_topic_queues);
        }
        let Some(topic) = self.topics.find(name) else {
            let remark = format!("topic[{name}] not exist, apply first please!");
            return Err(Answer::error(ResponseCode::TOPIC_NOT_EXIST, remark));
        };
        let asked = request.queue_id;
        if asked >= topic.read_queues.max(topic.write_queues) as i32 {
            let remark = format!(
                "request queueId[{asked}] is illegal, TopicConfig [topicName={name}, \
                 readQueueNums={}, writeQueueNums={}, perm={}]",
                topic.read_queues, topic.write_queues, topic.perm
            );
            return Err(Answer::error(ResponseCode::INVALID_PARAMETER, remark));
        }
        if body.is_empty() {
            // Java trips over it: the body of such a frame is null.
            return Err(Answer::error(ResponseCode::SYSTEM_ERROR, "the message has no body"));
        }
        match u64::from(topic.write_queues) {
            count if asked < 0 => Ok(turn.rng.below(count) as i32),
            _ => Ok(asked),
        }
    }

    fn store(
        &mut self,
        turn: &mut Turn<'_>,
        caller: &Caller,
        request: &SendRequest,
        body: &Bytes,
        queue: i32,
    ) -> Result<(SendReply, i32), Answer> {
        let given = request.properties.as_deref().unwrap_or_default();
        let Stored { wire: properties, tag, unique_id } =
            stored_properties(given, &turn.config.cluster, turn.rng);
        let limit = turn.config.body_limit;
        if body.len() > limit || properties.len() > PROPERTIES_LIMIT {
            let remark = format!(
                "the message is illegal, maybe msg body or properties length not matched. msg body \
                 length limit {limit}B, msg properties length limit 32KB."
            );
            return Err(Answer::error(ResponseCode::MESSAGE_ILLEGAL, remark));
        }
        let topic = self.topics.find_mut(&request.topic);
        let Some(log) = topic.and_then(|topic| topic.queue_mut(queue)) else {
            return Err(Answer::error(ResponseCode::SYSTEM_ERROR, "the topic has no queue"));
        };
        let record = StoredRecord {
            queue_id: queue,
            flag: request.flag,
            queue_offset: log.max() as i64,
            commit_log_offset: self.position as i64,
            sys_flag: request.sys_flag,
            born_timestamp: UnixMillis(request.born_timestamp),
            born_host: caller.peer,
            store_timestamp: turn.unix,
            store_host: self.store_host,
            reconsume_times: request.reconsume_times.unwrap_or(0),
            prepared_transaction_offset: 0,
            body,
            topic: &request.topic,
            properties: properties.as_bytes(),
        };
        let id = OffsetMessageId { addr: self.store_host, offset: self.position };
        let queue_offset = record.queue_offset;
        let size = RECORD_FIXED + request.topic.len() + properties.len() + body.len();
        self.position += log.append(tag, size, |out| record.encode_into(out));
        let reply = SendReply {
            msg_id: Arc::from(id.to_string()),
            queue_id: queue,
            queue_offset,
            transaction_id: Some(unique_id),
            ..Default::default()
        };
        Ok((reply, tag))
    }
}
