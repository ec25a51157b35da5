//! Requests to clients, as a test wants them, and what the clients answered.

use std::sync::Arc;

use bytes::Bytes;
use rocketry_core::body::QueueTable;
use rocketry_core::frame::request::{ConsumeDirectlyRequest, RunningInfoRequest};
use rocketry_core::frame::{Opaque, Request, RequestCode, ResponseCode};
use rocketry_core::message::RecordList;

use super::cluster::Cluster;
use super::relay::status_of;
use super::{ConnId, ListenerId};

/// A request as it came, see [`Cluster::take_requests`](super::Cluster::take_requests).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Where it came in.
    pub at: ListenerId,
    /// The request.
    pub request: Request,
    /// Its body.
    pub body: Bytes,
    /// Nobody waits for an answer.
    pub oneway: bool,
}

/// A client's answer to a request of a broker's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientAnswer {
    /// Where it came from.
    pub conn: ConnId,
    /// Which request it answers: the number [`Cluster::ask_client`] returned.
    pub opaque: Opaque,
    /// How the request ended.
    pub code: ResponseCode,
    /// Why it failed, in words.
    pub remark: Option<Box<str>>,
    /// The version the client shows.
    pub version: i32,
    /// What it told.
    pub body: Bytes,
}

/// Requests to clients.
impl Cluster {
    /// Sends a request to the client of a connection, under the next number of the brokers' own
    /// (they count from 1). The answer, if one comes, waits in [`Self::take_answers`].
    pub fn ask_client(
        &mut self,
        conn: ConnId,
        request: Request,
        body: impl Into<Bytes>,
        oneway: bool,
    ) -> Opaque {
        self.out.ask(conn, request, body.into(), oneway)
    }

    /// Sends a request without fields, to be answered, to every client of a broker: with a code
    /// that nobody knows, clients must answer 3 and keep the connection. Returns the numbers, in
    /// the order of the connections' age.
    pub fn ask_clients(&mut self, broker: usize, code: RequestCode) -> Vec<Opaque> {
        let conns: Vec<ConnId> = self.connections_to(ListenerId::Broker(broker)).collect();
        let request = Request::Unknown { code, fields: Vec::new() };
        conns
            .into_iter()
            .map(|conn| self.ask_client(conn, request.clone(), Bytes::new(), false))
            .collect()
    }

    /// Has a group's clients move their offsets in a topic of this broker to a time (220), as an
    /// administrator does through brokers before 5.2; -1 is the end of each queue. Without `force`
    /// none moves forward. Returns the offsets that they were told, or why they were told none: 206
    /// where nobody is connected, 1 where the group has no offset yet, 17 without the topic.
    pub fn reset_offset(
        &mut self,
        broker: usize,
        (group, topic): (&str, &str),
        timestamp: i64,
        force: bool,
    ) -> Result<QueueTable<i64>, ResponseCode> {
        let (nodes, mut turn) = self.turn();
        let node = nodes.get(broker).ok_or(ResponseCode::BROKER_NOT_EXIST)?;
        let told = node.reset_at_clients(&mut turn, (group, topic), timestamp, force);
        told.map_err(|refused| refused.code)
    }

    /// Asks each client of a group for its offsets in a topic (221). Returns the numbers of the
    /// requests, in the order of the connections' age.
    pub fn ask_status(&mut self, broker: usize, group: &str, topic: &str) -> Vec<Opaque> {
        let members = self.members(broker, group, None);
        let request = status_of(group, topic);
        members
            .into_iter()
            .map(|conn| self.ask_client(conn, request.clone(), Bytes::new(), false))
            .collect()
    }

    /// Asks a client of a group what it does (307). `None` without such a client.
    pub fn ask_running_info(&mut self, broker: usize, group: &str, client: &str) -> Option<Opaque> {
        let conn = self.members(broker, group, Some(client)).first().copied()?;
        let request = Request::RunningInfo(RunningInfoRequest {
            consumer_group: Arc::from(group),
            client_id: Arc::from(client),
            ..Default::default()
        });
        Some(self.ask_client(conn, request, Bytes::new(), false))
    }

    /// Has a client of a group handle the message at an offset of a queue (309). `None` without
    /// such a client, or such a message.
    pub fn consume_directly(
        &mut self,
        broker: usize,
        (group, client): (&str, &str),
        (topic, queue, offset): (&str, i32, u64),
    ) -> Option<Opaque> {
        let conn = self.members(broker, group, Some(client)).first().copied()?;
        let node = self.nodes.get_mut(broker)?;
        let record = Bytes::copy_from_slice(node.log(topic, queue)?.record_at(offset)?);
        let id = RecordList::cut(record.clone()).record(0)?.offset_message_id().to_string();
        let request = node.directed_to(ConsumeDirectlyRequest {
            consumer_group: Arc::from(group),
            client_id: Some(Arc::from(client)),
            message_id: Some(Arc::from(id)),
            topic: Some(Arc::from(topic)),
            ..Default::default()
        });
        Some(self.ask_client(conn, Request::ConsumeDirectly(request), record, false))
    }

    fn members(&self, broker: usize, group: &str, client: Option<&str>) -> Vec<ConnId> {
        let online = self.nodes.get(broker).and_then(|node| node.groups.online(group));
        let members = online.map(|group| group.members_of(client).map(|(conn, _)| conn).collect());
        members.unwrap_or_default()
    }

    /// What clients answered since the last call, in the order of its coming.
    pub fn take_answers(&mut self) -> Vec<ClientAnswer> {
        std::mem::take(&mut self.answers)
    }
}
