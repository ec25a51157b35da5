//! One broker: its topics, groups, offsets and held pulls, and who answers which request.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use rocketry_core::frame::{Request, ResponseCode};
use rocketry_core::time::Instant;

use super::ConnId;
use super::answer::{Answer, Caller, Turn};
use super::config::{BrokerConfig, ClusterConfig};
use super::group::{Change, Groups};
use super::offset::Offsets;
use super::poll::Polls;
use super::topic::Topics;

#[derive(Debug)]
pub(super) struct Node {
    pub(super) name: Arc<str>,
    pub(super) endpoint: String,
    /// The address in records and message ids.
    pub(super) store_host: SocketAddr,
    pub(super) down: bool,
    pub(super) topics: Topics,
    pub(super) groups: Groups,
    pub(super) offsets: Offsets,
    pub(super) polls: Polls,
    /// The end of the commit log, in bytes.
    pub(super) position: u64,
}

/// The endpoint as an address; a name becomes 127.0.0.1 with its port.
fn store_host(endpoint: &str) -> SocketAddr {
    let port = endpoint.rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or(10911);
    endpoint.parse().unwrap_or_else(|_| SocketAddr::from(([127, 0, 0, 1], port)))
}

impl Node {
    pub(super) fn new(broker: &BrokerConfig, config: &ClusterConfig) -> Self {
        Self {
            name: Arc::from(broker.name.as_str()),
            endpoint: broker.endpoint.clone(),
            store_host: store_host(&broker.endpoint),
            down: false,
            topics: Topics::new(config),
            groups: Groups::default(),
            offsets: Offsets::default(),
            polls: Polls::default(),
            position: 0,
        }
    }

    pub(super) fn move_to(&mut self, endpoint: &str) {
        self.endpoint = endpoint.to_owned();
        self.store_host = store_host(endpoint);
    }

    /// Answers a request, or holds it. `fault` is a code for "stored, but" that a test asked for.
    pub(super) fn handle(
        &mut self,
        turn: &mut Turn<'_>,
        caller: Caller,
        request: Request,
        body: &Bytes,
        fault: Option<ResponseCode>,
    ) {
        let answer = match request {
            Request::Send(send) => return self.accept(turn, &caller, &send, body, fault),
            Request::SendV1(send) => {
                return self.accept(turn, &caller, &send.into(), body, fault);
            }
            Request::Pull(pull) => return self.pull(turn, caller, pull),
            Request::Heartbeat(_) => self.heartbeat(turn, &caller, body),
            Request::Unregister(leave) => self.unregister(turn, &caller, &leave),
            Request::ConsumerList(ask) => self.consumer_list(&ask),
            Request::QueryOffset(ask) => self.query_offset(&ask),
            Request::UpdateOffset(update) => self.update_offset(&update),
            Request::MaxOffset(ask) => self.max_offset(&ask.topic, ask.queue_id),
            Request::MinOffset(ask) => self.min_offset(&ask.topic, ask.queue_id),
            _ => Answer::unsupported(caller.code),
        };
        turn.reply(&caller, answer);
    }

    /// Forgets a connection: its pulls, its clients.
    pub(super) fn drop_connection(&mut self, turn: &mut Turn<'_>, conn: ConnId) {
        self.polls.drop_connection(conn);
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

    /// Answers the pulls whose time is up.
    pub(super) fn timeout(&mut self, turn: &mut Turn<'_>) {
        while let Some(held) = self.polls.expired(turn.now) {
            let answer = self.resume(turn, &held.request);
            turn.reply(&held.caller, answer);
        }
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.polls.next_deadline()
    }
}
