//! Heartbeats, leaving, the members of a group, and whether a subscription can be filtered by (34,
//! 35, 38, 46): `ClientManageProcessor`.

use bytes::Bytes;
use rocketry_core::body::{CheckClientBody, ConsumerList, Heartbeat};
use rocketry_core::frame::reply::HeartbeatReply;
use rocketry_core::frame::request::{ConsumerListRequest, UnregisterRequest};
use rocketry_core::frame::{ReplyFields, ResponseCode};

use super::answer::{Answer, Caller, Turn};
use super::node::Node;
use super::pull::check_type;
use super::subscription::{Filter, SQL, is_tag_type};

/// The first version (5.1.3) that takes heartbeats without subscriptions.
const HEARTBEAT_V2: i32 = 439;

impl Node {
    /// An older broker says nothing of heartbeats, and takes each as one with all subscriptions.
    pub(super) fn heartbeat(
        &mut self,
        turn: &mut Turn<'_>,
        caller: &Caller,
        body: &Bytes,
    ) -> Answer {
        let beat = match Heartbeat::parse(body) {
            Ok(beat) => beat,
            Err(error) => return Answer::error(ResponseCode::SYSTEM_ERROR, error.to_string()),
        };
        for consumer in &beat.consumers {
            let make = turn.config.auto_create_groups;
            if let Some(config) = self.groups.config(&consumer.group, make).cloned() {
                self.retry_topic_of(&config);
            }
        }
        let v2 = caller.server >= HEARTBEAT_V2;
        let (changes, differs) = self.groups.beat(turn.now, caller, &beat, v2);
        let except = Some(caller.conn).filter(|_| !turn.config.notify_newcomer);
        for change in &changes {
            self.announce(turn, change, except);
        }
        if !v2 {
            return Answer::fields(ReplyFields::None);
        }
        let sub_changed = differs || beat.fingerprint == 0;
        Answer::fields(ReplyFields::Heartbeat(HeartbeatReply { v2, sub_changed }))
    }

    pub(super) fn unregister(
        &mut self,
        turn: &mut Turn<'_>,
        caller: &Caller,
        request: &UnregisterRequest,
    ) -> Answer {
        let consumer = request.consumer_group.as_deref();
        let producer = request.producer_group.as_deref();
        if let Some(change) = self.groups.leave(caller.conn, consumer, producer) {
            self.announce(turn, &change, None);
        }
        Answer::fields(ReplyFields::None)
    }

    /// Whether a broker could filter by a subscription (46, `checkClientConfig`).
    pub(super) fn check_client(turn: &Turn<'_>, caller: &Caller, body: &Bytes) -> Answer {
        let subscription = match CheckClientBody::parse(body) {
            Ok(body) => body.subscription,
            Err(error) => return Answer::error(ResponseCode::SYSTEM_ERROR, error.to_string()),
        };
        let kind = &subscription.expression_type;
        if is_tag_type(kind) {
            return Answer::fields(ReplyFields::None);
        }
        if let Err(refused) = check_type(turn, kind) {
            return refused;
        }
        match Filter::sql(&subscription.expression, caller.server).filter(|_| kind == SQL) {
            Some(_) => Answer::fields(ReplyFields::None),
            None => {
                let remark = "Invalid MessageSelector. ";
                Answer::error(ResponseCode::SUBSCRIPTION_PARSE_FAILED, remark)
            }
        }
    }

    /// An empty group is an error, not an empty list.
    pub(super) fn consumer_list(&self, request: &ConsumerListRequest) -> Answer {
        let ids = self.groups.consumer_ids(&request.consumer_group);
        if ids.is_empty() {
            let remark = format!("no consumer for this group, {}", request.consumer_group);
            return Answer::error(ResponseCode::SYSTEM_ERROR, remark);
        }
        Answer::body(Bytes::from(ConsumerList { client_ids: ids }.to_json()))
    }
}
