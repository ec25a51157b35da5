//! What a broker tells of a group's clients and of how far they are (203, 208), which of them
//! reads which queue (400), and what it has one of them do (307, 309): `AdminBrokerProcessor`,
//! `QueryAssignmentProcessor`.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use rocketry_core::allocation::{Allocation, Queue, Strategy};
use rocketry_core::body::{
    Assignment, AssignmentQuery, Assignments, Connection, ConsumeOffset, ConsumeStats,
    ConsumerConnections, MessageModel, MessageQueue, RequestMode,
};
use rocketry_core::frame::request::{
    ConsumeDirectlyRequest, ConsumeStatsRequest, ConsumerConnectionsRequest, RunningInfoRequest,
};
use rocketry_core::frame::{Request, ResponseCode, version};
use rocketry_core::message::OffsetMessageId;

use super::answer::{Answer, Caller, Turn};
use super::node::Node;
use super::relay::queue_of;
use super::topic::READ;

/// A client's language is not looked at: any is said to be this one.
const LANGUAGE: &str = "OTHER";

impl Node {
    /// Who is connected for a consumer group, and what it said in its heartbeats (203,
    /// `getConsumerConnectionList`).
    pub(super) fn consumer_connections(&self, request: &ConsumerConnectionsRequest) -> Answer {
        let group = &*request.consumer_group;
        let Some(online) = self.groups.online(group) else {
            let remark = format!("the consumer group[{group}] not online");
            return Answer::error(ResponseCode::CONSUMER_NOT_ONLINE, remark);
        };
        let connections = online.members.values().map(|member| Connection {
            address: member.peer.to_string(),
            client_id: member.client_id.to_string(),
            language: LANGUAGE.to_owned(),
            version: member.version,
        });
        let subscriptions = online.subscriptions.iter();
        let body = ConsumerConnections {
            connections: connections.collect(),
            consume_from: online.consume_from,
            consume_type: online.consume_type,
            model: online.model,
            subscriptions: subscriptions
                .map(|(topic, subscription)| (topic.to_string(), subscription.data.clone()))
                .collect(),
        };
        Answer::body(Bytes::from(body.to_json()))
    }

    /// How far a group is in the topics asked for, or in those it has offsets in. Where it has
    /// members, only in topics that they subscribe to (208, `getConsumeStats`).
    pub(super) fn consume_stats(&self, request: &ConsumeStatsRequest) -> Answer {
        let group = &*request.consumer_group;
        let list = request.topics.as_deref().unwrap_or_default().split(';');
        let mut topics: BTreeSet<Box<str>> =
            list.filter(|topic| !topic.trim().is_empty()).map(Box::from).collect();
        if topics.is_empty() {
            let one = request.topic.as_deref().filter(|topic| !topic.trim().is_empty());
            topics = match one {
                Some(topic) => BTreeSet::from([Box::from(topic)]),
                None => self.offsets.topics_of(group).into_iter().collect(),
            };
            if let Some(online) = self.groups.online(group).filter(|g| !g.subscriptions.is_empty())
            {
                topics.retain(|topic| online.subscriptions.contains_key(topic));
            }
        }
        let known = topics.iter().filter_map(|name| Some((name, self.topics.find(name)?)));
        let queues = known.flat_map(|(name, topic)| {
            (0..topic.read_queues).map(|queue| {
                (queue_of(self, name, queue), self.progress(group, name, queue as i32))
            })
        });
        let body = ConsumeStats { rate: 0.0, offsets: queues.collect() };
        Answer::body(Bytes::from(body.to_json()))
    }

    /// How far a group is in one queue. What it pulled last is not noted: it is what it stored.
    fn progress(&self, group: &str, topic: &str, queue: i32) -> ConsumeOffset {
        let log = self.log(topic, queue);
        let stored = self.offsets.committed(group, topic, queue).unwrap_or(0).max(0);
        let last = u64::try_from(stored).ok().and_then(|next| next.checked_sub(1));
        let last = last.and_then(|offset| log?.stored_at(offset));
        ConsumeOffset {
            broker_offset: log.map_or(0, |log| log.max() as i64),
            consumer_offset: stored,
            last_timestamp: last.map_or(0, |time| time.0),
            pull_offset: if version::pops(self.version) { stored } else { 0 },
        }
    }

    /// The queues of one client, worked out here (400). As in Java the two rules known are those of
    /// the names `AVG` and `AVG_BY_CIRCLE`; where there is nothing to say, the list is absent.
    pub(super) fn assignment(&self, turn: &Turn<'_>, caller: &Caller, body: &Bytes) -> Answer {
        if !version::pops(caller.server) {
            return Answer::unsupported(caller.code);
        }
        let query = match AssignmentQuery::parse(body) {
            Ok(query) => query,
            Err(error) => return Answer::error(ResponseCode::SYSTEM_ERROR, error.to_string()),
        };
        let Some(queues) = self.share(turn, &query) else {
            return Answer::body(Bytes::from_static(b"{}"));
        };
        let assigned = queues.into_iter().map(|queue| Assignment {
            attachments: None,
            queue: MessageQueue {
                broker_name: queue.broker.to_string(),
                queue_id: queue.id as i32,
                topic: query.topic.clone(),
            },
            mode: RequestMode::Pull,
        });
        let body = Assignments { queues: assigned.collect() };
        Answer::body(Bytes::from(body.to_json()))
    }

    /// `doLoadBalance`
    fn share(&self, turn: &Turn<'_>, query: &AssignmentQuery) -> Option<Vec<Queue>> {
        let topic = &*query.topic;
        let route = turn.registry.route(&Arc::from(&*turn.config.cluster), topic)?;
        let readable = route.queues.iter().filter(|queues| queues.perm & READ != 0);
        let queues = readable.flat_map(|queues| {
            let broker = &queues.broker_name;
            (0..queues.read_queues).map(|id| Queue { broker: broker.clone(), id })
        });
        let queues: Vec<Queue> = queues.collect();
        if query.message_model == MessageModel::Broadcasting {
            return Some(queues);
        }
        let members = self.groups.consumer_ids(&query.consumer_group);
        if members.is_empty() {
            return None;
        }
        let strategy = match &*query.strategy_name {
            "AVG" => Strategy::Average,
            "AVG_BY_CIRCLE" => Strategy::Circle,
            _ => return None,
        };
        let members = members.into_iter().map(Arc::from).collect();
        let all = Allocation::new(Arc::from(topic), queues, members);
        let share = all.share(&strategy, &query.client_id).ok()?;
        Some(share.into_iter().filter_map(|place| all.queues().get(place).cloned()).collect())
    }

    /// Has a client tell what it does (307).
    pub(super) fn running_info(
        &mut self,
        turn: &mut Turn<'_>,
        caller: Caller,
        request: RunningInfoRequest,
    ) {
        let whom = (request.consumer_group.clone(), request.client_id.clone());
        self.call(turn, caller, whom, Request::RunningInfo(request), Bytes::new());
    }

    /// Has a client handle a message of this broker (309, `consumeMessageDirectly`).
    pub(super) fn consume_directly(
        &mut self,
        turn: &mut Turn<'_>,
        caller: Caller,
        request: ConsumeDirectlyRequest,
    ) {
        let id = request.message_id.as_deref().and_then(|id| id.parse::<OffsetMessageId>().ok());
        let Some(record) = id.and_then(|id| self.look(i64::try_from(id.offset).ok()?)) else {
            let remark = "java.lang.NullPointerException: the message is not here";
            return turn.reply(&caller, Answer::error(ResponseCode::SYSTEM_ERROR, remark));
        };
        let client = request.client_id.clone().unwrap_or_else(|| Arc::from(""));
        let whom = (request.consumer_group.clone(), client);
        let request = Request::ConsumeDirectly(self.directed_to(request));
        self.call(turn, caller, whom, request, record);
    }

    /// The request with what the broker adds to it.
    pub(super) fn directed_to(
        &mut self,
        request: ConsumeDirectlyRequest,
    ) -> ConsumeDirectlyRequest {
        let flags = version::pops(self.version);
        let group = self.groups.config(&request.consumer_group, false);
        let group_sys_flag = group.filter(|_| flags).map(|group| group.group_sys_flag);
        let topic = request.topic.as_deref().and_then(|topic| self.topics.find(topic));
        ConsumeDirectlyRequest {
            broker_name: Some(self.name.clone()),
            topic_sys_flag: topic.filter(|_| flags).map(|topic| topic.sys_flag),
            group_sys_flag,
            ..request
        }
    }
}
