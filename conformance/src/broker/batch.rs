//! Storing batches (320): each element becomes a message of its own, one behind the other
//! (`SendMessageProcessor.sendBatchMessage`, `MessageExtEncoder`).

use std::sync::Arc;

use bytes::Bytes;
use rocketry_core::frame::reply::SendReply;
use rocketry_core::frame::request::SendRequest;
use rocketry_core::frame::{ResponseCode, version};
use rocketry_core::message::properties::{self, Properties};
use rocketry_core::message::{BatchBody, Batched, java_string_hash, sys_flag};

use super::answer::{Answer, Caller, Turn};
use super::node::Node;
use super::send::{illegal, kept, marked};
use super::store::{Incoming, PROPERTIES_LIMIT, Stored};
use super::topic::RETRY_PREFIX;

/// Longest topic of a batch, in characters.
const TOPIC_LIMIT: usize = 127;

/// Why a batch is not stored.
enum Failure {
    Refused(Answer),
    /// Java throws an exception, and answers with it.
    Thrown(String),
}

impl Failure {
    fn thrown(what: impl Into<String>) -> Self {
        Self::Thrown(what.into())
    }
}

impl Node {
    /// Stores a batch that [`Self::accept`] has checked, answers, and wakes the pulls that waited
    /// for one of its messages. A batch is stored whole or not at all.
    pub(super) fn accept_batch(
        &mut self,
        turn: &mut Turn<'_>,
        caller: &Caller,
        request: &SendRequest,
        body: &Bytes,
        queue: i32,
    ) {
        match self.store_batch(turn, caller, request, body, queue) {
            Err(Failure::Refused(refused)) => turn.reply(caller, marked(refused)),
            Err(Failure::Thrown(what)) => {
                turn.reply(caller, Answer::error(ResponseCode::SYSTEM_ERROR, what));
            }
            Ok((reply, mut tags)) => {
                turn.reply(caller, kept(caller, reply));
                tags.sort_unstable();
                tags.dedup();
                for tag in tags {
                    self.wake(turn, &request.topic, queue, tag);
                }
            }
        }
    }

    fn store_batch(
        &mut self,
        turn: &Turn<'_>,
        caller: &Caller,
        request: &SendRequest,
        body: &Bytes,
        queue: i32,
    ) -> Result<(SendReply, Vec<i32>), Failure> {
        let (server, limit) = (caller.server, turn.config.body_limit);
        let shared = request.properties.as_deref().unwrap_or_default();
        check(server, request, shared, limit).map_err(Failure::Refused)?;
        let shared = Stored::new(server, shared, &turn.config.cluster);
        if body.len() > limit {
            return Err(match version::pops(server) {
                true => Failure::thrown("java.lang.RuntimeException: message body size exceeded"),
                false => Failure::Refused(illegal(limit)),
            });
        }
        let elements: Result<Vec<Batched<'_>>, _> = BatchBody::new(body).collect();
        let elements = elements.map_err(|error| Failure::thrown(error.to_string()))?;
        // Brokers before 5.4 put the batch's own properties behind those of each message.
        let suffix = if server < version::V5_4_0 { &*shared.wire } else { "" };
        let (mut ids, mut tags, mut first) = (Vec::new(), Vec::new(), None);
        for element in &elements {
            let properties = joined(element.properties, suffix);
            let tag = element.properties.get(properties::TAGS).map_or(0, java_string_hash);
            let message = Incoming {
                topic: &request.topic,
                queue,
                flag: element.flag,
                sys_flag: request.sys_flag,
                born_timestamp: request.born_timestamp,
                born_host: caller.peer,
                reconsume_times: request.reconsume_times.unwrap_or(0),
                body: element.body,
                properties: &properties,
                tag,
                prepared: 0,
                delay: 0,
            };
            let (id, offset) = self.append(turn, &message).map_err(Failure::Refused)?;
            ids.push(id.to_string());
            tags.push(tag);
            first.get_or_insert(offset);
        }
        let reply = SendReply {
            msg_id: Arc::from(ids.join(",")),
            queue_id: queue,
            queue_offset: first.unwrap_or(0),
            transaction_id: shared.unique_id.filter(|_| version::pops(server)),
            trace_on: Some(true),
            ..Default::default()
        };
        Ok((reply, tags))
    }
}

fn check(server: i32, request: &SendRequest, shared: &str, limit: usize) -> Result<(), Answer> {
    let refuse = |remark: String| Err(Answer::error(ResponseCode::MESSAGE_ILLEGAL, remark));
    let name = &*request.topic;
    if name.len() > TOPIC_LIMIT {
        return refuse(format!("message topic length too long {}", name.len()));
    }
    if name.starts_with(RETRY_PREFIX) && version::pops(server) {
        return refuse(format!("batch request does not support retry group {name}"));
    }
    let delayed = Properties::new(shared.as_bytes()).get(properties::DELAY);
    let delayed = delayed.and_then(|level| level.parse::<i32>().ok()).is_some_and(|l| l > 0);
    if request.sys_flag & sys_flag::TRANSACTION != 0 || delayed {
        return Err(illegal(limit));
    }
    Ok(())
}

/// A message's own properties, and those of its batch behind them.
fn joined(own: Properties<'_>, shared: &str) -> Vec<u8> {
    let mut joined = own.as_bytes().to_vec();
    if !joined.is_empty() && !shared.is_empty() && joined.last() != Some(&properties::VALUE_END) {
        joined.push(properties::VALUE_END);
    }
    joined.extend_from_slice(shared.as_bytes());
    joined.truncate(PROPERTIES_LIMIT);
    joined
}
