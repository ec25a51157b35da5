//! One broker: its topics, groups, offsets and held pulls, and who answers which request.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rocketry_core::body::QueueData;
use rocketry_core::frame::{Request, version};
use rocketry_core::time::Instant;

use super::ConnId;
use super::admin;
use super::answer::{Answer, Caller, Turn};
use super::backlog::Backlog;
use super::config::{BrokerConfig, ClusterConfig};
use super::delay::Delays;
use super::group::{Change, Groups};
use super::half::Halves;
use super::lock::Locks;
use super::offset::Offsets;
use super::poll::Polls;
use super::relay::Relays;
use super::timer::Timers;
use super::topic::{READ, Topic, Topics, WRITE};

/// The broker id of a master (`MixAll.MASTER_ID`).
pub(super) const MASTER: u64 = 0;

#[derive(Debug)]
pub(super) struct Node {
    pub(super) name: Arc<str>,
    pub(super) id: u64,
    pub(super) endpoint: String,
    /// The address in records and message ids.
    pub(super) store_host: SocketAddr,
    /// What it permits, whatever its topics say.
    pub(super) perm: u32,
    pub(super) version: i32,
    pub(super) down: bool,
    pub(super) topics: Topics,
    pub(super) groups: Groups,
    pub(super) offsets: Offsets,
    pub(super) locks: Locks,
    pub(super) polls: Polls,
    /// The end of the commit log, in bytes.
    pub(super) position: u64,
    /// Whether it has slaves, and must note what is new for them.
    pub(super) followed: bool,
    /// Topics and queues that got messages the slaves have not heard of.
    pub(super) fresh: BTreeSet<(Box<str>, i32)>,
    /// Whether offsets were stored that the slaves have not heard of.
    pub(super) committed: bool,
    /// Whether a slave is to take over nothing more.
    pub(super) lags: bool,
    /// The broker id that answers to pulls suggest.
    pub(super) suggests: u64,
    /// Whether it holds pulls that find nothing.
    pub(super) holds: bool,
    /// What it has not stored yet, where it takes its time.
    pub(super) backlog: Option<Backlog>,
    /// Messages that wait for their time.
    pub(super) delays: Delays,
    /// Those that wait for one that they say themselves.
    pub(super) timers: Timers,
    /// Half messages that nobody has ended.
    pub(super) halves: Halves,
    /// What it waits for from clients.
    pub(super) relays: Relays,
    /// How often it writes offsets to its disk.
    pub(super) offset_flush: Duration,
}

/// The endpoint as an address; a name becomes 127.0.0.1 with its port.
fn store_host(endpoint: &str) -> SocketAddr {
    let port = endpoint.rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or(10911);
    endpoint.parse().unwrap_or_else(|_| SocketAddr::from(([127, 0, 0, 1], port)))
}

impl Node {
    pub(super) fn new(broker: &BrokerConfig, config: &ClusterConfig) -> Self {
        let slave = |other: &BrokerConfig| other.name == broker.name && other.id != MASTER;
        Self {
            name: Arc::from(broker.name.as_str()),
            id: broker.id,
            endpoint: broker.endpoint.clone(),
            store_host: store_host(&broker.endpoint),
            perm: broker.perm,
            version: broker.version.unwrap_or(config.version),
            down: false,
            topics: Topics::new(config),
            groups: Groups::default(),
            offsets: Offsets::default(),
            locks: Locks::default(),
            polls: Polls::default(),
            position: 0,
            followed: broker.id == MASTER && config.brokers.iter().any(slave),
            fresh: BTreeSet::new(),
            committed: false,
            lags: false,
            suggests: MASTER,
            holds: true,
            backlog: None,
            delays: Delays::default(),
            timers: Timers::default(),
            halves: Halves::default(),
            relays: Relays::default(),
            offset_flush: broker.offset_flush,
        }
    }

    pub(super) fn move_to(&mut self, endpoint: &str) {
        self.endpoint = endpoint.to_owned();
        self.store_host = store_host(endpoint);
    }

    /// What Java calls `brokerIP1`.
    pub(super) fn host(&self) -> &str {
        self.endpoint.rsplit_once(':').map_or(&self.endpoint, |(host, _)| host)
    }

    /// A topic of this broker as it tells it to the nameserver
    /// (`BrokerController.registerBrokerAll`).
    pub(super) fn queues_of(&self, topic: &Topic) -> QueueData {
        QueueData {
            broker_name: self.name.clone(),
            read_queues: topic.read_queues,
            write_queues: topic.write_queues,
            perm: match self.perm & (READ | WRITE) {
                6 => topic.perm,
                _ => topic.perm & self.perm,
            },
            topic_sys_flag: topic.sys_flag,
        }
    }

    /// Answers a request, or holds it.
    pub(super) fn handle(
        &mut self,
        turn: &mut Turn<'_>,
        caller: Caller,
        request: Request,
        body: &Bytes,
    ) {
        let answer = match request {
            Request::Send(send) | Request::SendBatch(send) => {
                return self.take(turn, caller, send, body);
            }
            Request::SendV1(send) => return self.take(turn, caller, send.into(), body),
            Request::SendReply(reply) => return self.push_reply(turn, caller, reply, body),
            Request::SendReplyV1(reply) => {
                return self.push_reply(turn, caller, reply.into(), body);
            }
            Request::Recall(recall) => self.recall(turn, &caller, &recall),
            Request::Pull(pull) => return self.pull(turn, caller, pull),
            // Java's, unless `litePullMessageEnable` is false.
            Request::LitePull(pull) if version::pops(self.version) => {
                return self.pull(turn, caller, pull);
            }
            Request::EndTransaction(end) => return self.end_transaction(turn, &caller, &end),
            Request::InvokeStatus(ask) => return self.status(turn, caller, &ask),
            Request::RunningInfo(ask) => return self.running_info(turn, caller, ask),
            Request::ConsumeDirectly(order) => return self.consume_directly(turn, caller, order),
            Request::SendBack(back) => self.send_back(turn, &caller, &back),
            Request::InvokeReset(reset) => self.reset_offsets(turn, &caller, &reset),
            Request::ConsumerConnections(ask) => self.consumer_connections(&ask),
            Request::ConsumeStats(ask) => self.consume_stats(&ask),
            Request::Lock(_) => self.lock_queues(turn, body),
            Request::Unlock(_) => self.unlock_queues(body),
            Request::QueryAssignment(_) => self.assignment(turn, &caller, body),
            Request::Heartbeat(_) => self.heartbeat(turn, &caller, body),
            Request::CheckClient(_) => Self::check_client(turn, &caller, body),
            Request::Unregister(leave) => self.unregister(turn, &caller, &leave),
            Request::ConsumerList(ask) => self.consumer_list(&ask),
            Request::QueryOffset(ask) => self.query_offset(&ask),
            Request::UpdateOffset(update) => self.update_offset(turn, &update),
            Request::MaxOffset(ask) => self.max_offset(&ask.topic, ask.queue_id),
            Request::MinOffset(ask) => self.min_offset(&ask.topic, ask.queue_id),
            Request::SearchOffset(ask) => self.search_offset(&caller, &ask),
            Request::QueryMessage(ask) => self.query_message(&ask),
            Request::EarliestTime(ask) => self.earliest_time(&ask),
            Request::CreateTopic(create) => self.create_topic(&caller, &create),
            Request::CreateTopics(_) => self.create_topics(&caller, body),
            Request::BrokerConfig(_) => self.settings(turn.config),
            Request::BrokerRuntime(_) => self.figures(&caller),
            Request::AllTopics(_) => self.all_topics(),
            Request::DeleteTopic(delete) => self.delete_topic(&caller, &delete.topic),
            Request::Unknown { code: admin::TOPIC_CONFIG, fields } => {
                self.topic_config(&caller, &fields)
            }
            _ => Answer::unsupported(caller.code),
        };
        turn.reply(&caller, answer);
    }

    /// Deletes a topic with all that is in it (`deleteTopicInBroker`).
    pub(super) fn drop_topic(&mut self, topic: &str) {
        self.topics.delete(topic);
        self.offsets.forget(topic);
        if self.followed {
            self.fresh.insert((Box::from(topic), 0));
        }
    }

    /// Forgets a connection: its pulls, its clients.
    pub(super) fn drop_connection(&mut self, turn: &mut Turn<'_>, conn: ConnId) {
        self.polls.drop_connection(conn);
        self.hung_up(turn, conn);
        for change in self.groups.drop_connection(conn) {
            self.announce(turn, &change, None);
        }
    }

    /// Tells the members of a group that it changed, but `except` one.
    pub(super) fn announce(&self, turn: &mut Turn<'_>, change: &Change, except: Option<ConnId>) {
        for &member in change.members.iter().filter(|&&member| Some(member) != except) {
            turn.out.notify(member, &change.group);
        }
    }

    /// Answers the pulls whose time is up, stores the sends that are due, and brings the messages
    /// whose time has come.
    pub(super) fn timeout(&mut self, turn: &mut Turn<'_>) {
        self.work_off(turn);
        self.deliver(turn);
        self.deliver_timed(turn);
        self.check_due(turn);
        self.give_up(turn);
        while let Some(held) = self.polls.expired(turn.now) {
            let answer = self.resume(turn, &held.request);
            turn.reply(&held.caller, answer);
        }
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        let due = self.backlog.as_ref().and_then(Backlog::due);
        let (level, timed) = (self.next_delivery(), self.next_timed());
        let (poll, relay) = (self.polls.next_deadline(), self.relays.next_timeout());
        let times = [poll, level, timed, self.next_check(), relay];
        times.into_iter().flatten().chain(due).min()
    }
}
