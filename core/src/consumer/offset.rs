//! Where a queue of a consumer begins: at what the group has stored, at an end of the queue,
//! or at a time.
//!
//! Codes: `QUERY_CONSUMER_OFFSET` (14), `GET_MAX_OFFSET` (30), `GET_MIN_OFFSET` (31),
//! `SEARCH_OFFSET_BY_TIMESTAMP` (29).

use bytes::Bytes;

use super::{Consumer, Start};
use crate::error::Failure;
use crate::frame::request::QueryOffsetRequest;
use crate::frame::{Kind, Reply, ReplyFields, Request, RequestCode, ResponseCode};
use crate::id::{PeerId, QueueKey};
use crate::remoting::{ConsumerAsk, Context, OffsetOf, Purpose};
use crate::route::Known;

impl Consumer {
    /// Asks for the offset the group has stored. For a queue whose first message is still in memory
    /// brokers answer 0 where there is none; from 5.0 on they can be told not to, which a time to
    /// begin at needs.
    pub(super) fn fetch_offset(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        peer: PeerId,
        key: QueueKey,
    ) {
        if self.local.is_some() {
            return self.begin_stored(ctx, known, peer, key);
        }
        let Some(queue) = self.queues.get(key) else { return };
        let timed = matches!(self.options.start, Start::Time(_));
        let zero_if_absent = timed.then_some(false);
        let request = Request::QueryOffset(QueryOffsetRequest {
            consumer_group: self.group.wire().clone(),
            topic: queue.name.topic.wire().clone(),
            queue_id: queue.name.queue as i32,
            broker: Some(queue.name.broker.clone()),
            zero_if_absent,
            ..Default::default()
        });
        self.fetch_with(ctx, peer, key, OffsetOf::Group, request);
    }

    /// The group has none: it begins at an end of the queue, unless it had begun before.
    pub(super) fn fetch_end(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        peer: PeerId,
        key: QueueKey,
    ) {
        let Some(queue) = self.queues.get_mut(key) else { return };
        if let Some(offset) = queue.left_off() {
            queue.offset_received(ctx.fx.now, offset, OffsetOf::End);
            return self.resume(ctx, known, key);
        }
        let request = match self.topics.start(queue.topic, self.options.start) {
            Start::First => queue.name.ask_min_offset(),
            Start::Last => queue.name.ask_max_offset(),
            Start::Time(at) => queue.name.ask_offset_of(at),
        };
        self.fetch_with(ctx, peer, key, OffsetOf::End, request);
    }

    fn fetch_with(
        &mut self,
        ctx: &mut Context,
        peer: PeerId,
        key: QueueKey,
        of: OffsetOf,
        request: Request,
    ) {
        let within = ctx.fx.config.request_timeout;
        let purpose = Purpose::Consumer(self.id, ConsumerAsk::Offset { queue: key, of });
        let opaque = ctx.ask(peer, purpose, Kind::Offset, request, Bytes::new(), within);
        if let Some(queue) = self.queues.get_mut(key) {
            queue.cursor.fetching_offset(opaque);
        }
    }

    /// The code of the question for it.
    pub(super) fn offset_code(&self, key: QueueKey, of: OffsetOf) -> RequestCode {
        let topic = self.queues.get(key).map(|queue| queue.topic);
        let start = self.options.start;
        match (of, topic.map_or(start, |topic| self.topics.start(topic, start))) {
            (OffsetOf::Group, _) => RequestCode::QUERY_CONSUMER_OFFSET,
            (OffsetOf::End, Start::First) => RequestCode::GET_MIN_OFFSET,
            (OffsetOf::End, Start::Last) => RequestCode::GET_MAX_OFFSET,
            (OffsetOf::End, Start::Time(_)) => RequestCode::SEARCH_OFFSET_BY_TIMESTAMP,
        }
    }

    /// An offset to begin at came, or word that there is none. An error is neither: guessing an
    /// offset is how other clients skip messages (alibaba/rocketmq #210, apache/rocketmq #3513).
    pub(super) fn offset_answered(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        peer: PeerId,
        (key, of): (QueueKey, OffsetOf),
        reply: Reply,
    ) {
        match (reply.code, reply.fields) {
            (ResponseCode::SUCCESS, Ok(ReplyFields::Offset(fields))) if fields.offset >= 0 => {
                if let Some(queue) = self.queues.get_mut(key) {
                    queue.denied = None;
                    queue.offset_received(ctx.fx.now, fields.offset, of);
                }
                self.resume(ctx, known, key);
            }
            (ResponseCode::QUERY_NOT_FOUND, _) if of == OffsetOf::Group => {
                self.fetch_end(ctx, known, peer, key);
            }
            (code, fields) => {
                let failure = match (code, fields) {
                    (ResponseCode::SUCCESS, Err(error)) => Failure::Unreadable(error),
                    (ResponseCode::SUCCESS, Ok(_)) => Failure::Body("no offset".into()),
                    (code, _) => Failure::Refused { code, remark: reply.remark.map(Into::into) },
                };
                self.refused(ctx, peer, key, &failure);
                self.tell_failed(ctx, key, self.offset_code(key, of), failure);
                self.pause(ctx, key, ctx.fx.config.pull_retry);
            }
        }
    }
}
