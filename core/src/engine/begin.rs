//! Where a queue of a consumer begins: at what the group has stored, or at an end of the queue.

use bytes::Bytes;

use super::{Engine, Note};
use crate::consumer::queue::State;
use crate::consumer::{Start, Trouble};
use crate::error::Failure;
use crate::frame::request::QueryOffsetRequest;
use crate::frame::{Kind, Reply, ReplyFields, Request, RequestCode, ResponseCode};
use crate::id::{PeerId, QueueKey, SubscriptionId};
use crate::remoting::{ConsumerAsk, Purpose};

impl Engine {
    /// Asks for the offset the group has stored.
    pub(super) fn ask_begin(&mut self, peer: PeerId, sub: SubscriptionId, key: QueueKey) {
        let Some((queue, subscribe)) = self.queue_of(sub, key) else { return };
        let request = Request::QueryOffset(QueryOffsetRequest {
            consumer_group: subscribe.group.shared(),
            topic: queue.name.topic.shared(),
            queue_id: queue.name.queue as i32,
            broker: Some(queue.name.broker.clone()),
            ..Default::default()
        });
        self.begin_with(peer, sub, key, true, request);
    }

    /// The group has none: it begins at an end of the queue.
    fn ask_end(&mut self, peer: PeerId, sub: SubscriptionId, key: QueueKey) {
        let Some((queue, subscribe)) = self.queue_of(sub, key) else { return };
        let request = match subscribe.start {
            Start::First => queue.name.ask_min_offset(),
            Start::Last => queue.name.ask_max_offset(),
        };
        self.begin_with(peer, sub, key, false, request);
    }

    fn begin_with(
        &mut self,
        peer: PeerId,
        sub: SubscriptionId,
        queue: QueueKey,
        stored: bool,
        request: Request,
    ) {
        let within = self.ctx.fx.config.request_timeout;
        let purpose = Purpose::Consumer(sub, ConsumerAsk::Begin { queue, stored });
        let opaque = self.ctx.ask(peer, purpose, Kind::Offset, request, Bytes::new(), within);
        if let Some((queue, _)) = self.queue_of(sub, queue) {
            queue.state = State::Asking(opaque);
        }
    }

    /// An offset to begin at came, or word that there is none. An error is neither: guessing an
    /// offset is how other clients skip messages (alibaba/rocketmq #210, apache/rocketmq #3513).
    pub(super) fn begin_answered(
        &mut self,
        peer: PeerId,
        sub: SubscriptionId,
        key: QueueKey,
        stored: bool,
        reply: Reply,
    ) {
        match (reply.code, reply.fields) {
            (ResponseCode::SUCCESS, Ok(ReplyFields::Offset(fields))) if fields.offset >= 0 => {
                if let Some((queue, _)) = self.queue_of(sub, key) {
                    queue.begin(fields.offset, stored);
                }
                self.poke(sub, key);
            }
            (ResponseCode::QUERY_NOT_FOUND, _) if stored => self.ask_end(peer, sub, key),
            (code, fields) => {
                let failure = match (code, fields) {
                    (ResponseCode::SUCCESS, Err(error)) => Failure::Unreadable(error),
                    (ResponseCode::SUCCESS, Ok(_)) => Failure::Body("no offset".into()),
                    (code, _) => Failure::Refused { code, remark: reply.remark.map(Into::into) },
                };
                self.tell_failed(sub, key, Some(stored), failure);
                self.pause(sub, key, self.ctx.fx.config.pull_retry);
            }
        }
    }

    /// Tells that a queue is not consumed, since it is not known where to begin, or since a pull
    /// has no answer.
    pub(super) fn tell_failed(
        &mut self,
        sub: SubscriptionId,
        key: QueueKey,
        begins: Option<bool>,
        failure: Failure,
    ) {
        let now = self.ctx.fx.now;
        let Some(consumer) = self.consumers.get_mut(sub) else { return };
        let Some(queue) = consumer.queues.get(key) else { return };
        let (broker, queue) = (queue.at.broker, queue.name.clone());
        let ask = match (begins, consumer.subscribe.start) {
            (None, _) => RequestCode::PULL_MESSAGE,
            (Some(true), _) => RequestCode::QUERY_CONSUMER_OFFSET,
            (Some(false), Start::First) => RequestCode::GET_MIN_OFFSET,
            (Some(false), Start::Last) => RequestCode::GET_MAX_OFFSET,
        };
        let trouble = if begins.is_some() { Trouble::Begin(broker) } else { Trouble::Pull(broker) };
        if consumer.tells(now, trouble) {
            let (group, queue) = (consumer.subscribe.group.clone(), Some(queue));
            self.ctx.fx.note(Note::AskFailed { group, ask, queue, failure: Box::new(failure) });
        }
    }
}
