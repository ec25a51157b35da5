//! Storing messages (310, and 10 with its long names): `SendMessageProcessor`.

use std::sync::Arc;

use bytes::Bytes;
use rocketry_core::frame::reply::SendReply;
use rocketry_core::frame::request::SendRequest;
use rocketry_core::frame::{ReplyFields, ResponseCode, version};
use rocketry_core::message::properties;

use super::answer::{Answer, Caller, Turn, invalid, see};
use super::fault::{Fault, words};
use super::half;
use super::node::{MASTER, Node};
use super::store::{Incoming, PROPERTIES_LIMIT, Stored};
use super::topic;
use super::topic_name;

/// What a message that is too large is told, or one whose properties are.
pub(super) fn illegal(limit: usize) -> Answer {
    let remark = format!(
        "the message is illegal, maybe msg body or properties length not matched. msg body length \
         limit {limit}B, msg properties length limit 32KB."
    );
    Answer::error(ResponseCode::MESSAGE_ILLEGAL, remark)
}

/// The same with what most answers to sends say of the broker (`SendMessageProcessor.preSend`).
pub(super) fn marked(mut refused: Answer) -> Answer {
    let pair = |name: &str, value: &str| (Box::from(name), Box::from(value));
    refused.fields = ReplyFields::Pairs(vec![
        pair(properties::MSG_REGION, "DefaultRegion"),
        pair(properties::TRACE_ON, "true"),
    ]);
    refused
}

/// The answer to a send that is stored: with success, or with what the test asks for.
pub(super) fn kept(caller: &Caller, reply: SendReply) -> Answer {
    let mut answer = Answer::fields(ReplyFields::Send(reply));
    if let Fault::Refuse(code) = caller.fault {
        answer.code = code;
    }
    answer
}

impl Node {
    /// Stores a message or a batch, answers, and wakes the pulls that waited for it. As in Java it
    /// is the field that makes a batch, not the code.
    pub(super) fn accept(
        &mut self,
        turn: &mut Turn<'_>,
        caller: &Caller,
        request: &SendRequest,
        body: &Bytes,
    ) {
        if let Some(refused) = self.refuses_to_store(caller, body) {
            return turn.reply(caller, refused);
        }
        let queue = match self.check(turn, caller, request) {
            Ok(queue) => queue,
            Err(refused) => return turn.reply(caller, marked(refused)),
        };
        if request.batch == Some(true) {
            return self.accept_batch(turn, caller, request, body, queue);
        }
        match self.store(turn, caller, request, body, queue) {
            Err(refused) => turn.reply(caller, marked(refused)),
            Ok((reply, tag, dead)) => {
                turn.reply(caller, kept(caller, reply));
                match dead {
                    Some(topic) => self.wake(turn, &topic, 0, tag),
                    None => self.wake(turn, &request.topic, queue, tag),
                }
            }
        }
    }

    /// What is refused before the message is looked at.
    fn refuses_to_store(&self, caller: &Caller, body: &Bytes) -> Option<Answer> {
        if self.id != MASTER {
            let busy = ResponseCode::SYSTEM_BUSY;
            return Some(Answer::error(busy, words(busy)));
        }
        // The body of such a frame is null: from 5.0 on Java trips over it.
        (body.is_empty() && version::pops(caller.server)).then(|| {
            let remark = "java.lang.NullPointerException: the message has no body";
            Answer::error(ResponseCode::SYSTEM_ERROR, remark)
        })
    }

    /// Makes the topic if it may, and picks the queue (`AbstractSendMessageProcessor.msgCheck`).
    /// As in Java, a topic's permission to write is the client's affair: it is in the route, and
    /// a send that comes all the same is stored. A broker's own counts for topics of global order.
    pub(super) fn check(
        &mut self,
        turn: &mut Turn<'_>,
        caller: &Caller,
        request: &SendRequest,
    ) -> Result<i32, Answer> {
        let (name, server) = (&*request.topic, caller.server);
        let ordered = self.topics.find(name).is_some_and(|topic| topic.order);
        if self.perm & topic::WRITE == 0 && ordered {
            let remark = format!("the broker[{}] sending message is forbidden", self.host());
            return Err(Answer::error(ResponseCode::NO_PERMISSION, remark));
        }
        topic_name::check(server, name)?;
        if topic_name::is_forbidden(name) {
            let remark = format!("Sending message to topic[{name}] is forbidden.");
            return Err(Answer::error(ResponseCode::NO_PERMISSION, remark));
        }
        if self.topics.find(name).is_none() {
            self.topics.auto_create(name, &request.default_topic, request.default_topic_queues);
        }
        let Some(topic) = self.topics.find(name) else {
            let remark = format!("topic[{name}] not exist, apply first please!{}", see(server));
            return Err(Answer::error(ResponseCode::TOPIC_NOT_EXIST, remark));
        };
        let asked = request.queue_id;
        if asked >= topic.read_queues.max(topic.write_queues) as i32 {
            let remark = format!(
                "request queueId[{asked}] is illegal, {} Producer: {}",
                topic.describe(server, name),
                caller.peer
            );
            return Err(Answer::error(invalid(server), remark));
        }
        match u64::from(topic.write_queues) {
            count if asked < 0 => Ok(turn.rng.below(count) as i32),
            _ => Ok(asked),
        }
    }

    /// Stores one message. Besides the answer and the tag, tells to which dead letters it went, if
    /// to any.
    fn store(
        &mut self,
        turn: &mut Turn<'_>,
        caller: &Caller,
        request: &SendRequest,
        body: &Bytes,
        queue: i32,
    ) -> Result<(SendReply, i32, Option<String>), Answer> {
        let dead = self.dead_letters_for(turn, caller, request)?;
        let given = request.properties.as_deref().unwrap_or_default();
        let mut stored = Stored::new(caller.server, given, &turn.config.cluster);
        // Older brokers give no ids and tell none.
        let unique_id = version::pops(caller.server).then(|| stored.unique_id(turn.rng));
        if dead.is_some() && version::pops(caller.server) {
            stored.kill();
        }
        let limit = turn.config.body_limit;
        if body.len() > limit || stored.wire.len() > PROPERTIES_LIMIT {
            return Err(illegal(limit));
        }
        let message = Incoming {
            topic: dead.as_deref().unwrap_or(&request.topic),
            queue: if dead.is_some() { 0 } else { queue },
            flag: request.flag,
            sys_flag: request.sys_flag,
            born_timestamp: request.born_timestamp,
            born_host: caller.peer,
            reconsume_times: request.reconsume_times.unwrap_or(0),
            body,
            properties: stored.wire.as_bytes(),
            tag: stored.tag,
            prepared: 0,
            delay: stored.delay,
        };
        let timed = self.timed(turn, &message)?;
        let (id, queue_offset) = match &timed {
            Some(timed) => self.put_timed(turn, &message, timed)?,
            None if half::is_half(stored.wire.as_bytes()) => self.prepare(turn, &message)?,
            None => self.put(turn, &message)?,
        };
        let known = unique_id.as_deref().filter(|_| version::recalls(caller.server));
        let handle = timed.zip(known);
        let handle = handle.and_then(|(timed, id)| timed.handle(message.topic, &self.name, id));
        let reply = SendReply {
            msg_id: Arc::from(id.to_string()),
            queue_id: queue,
            queue_offset,
            transaction_id: unique_id,
            trace_on: Some(true),
            recall_handle: handle.map(Arc::from),
            ..Default::default()
        };
        Ok((reply, stored.tag, dead))
    }
}
