//! Requests to clients, as a test wants them, and what the clients answered.

use bytes::Bytes;
use rocketry_core::frame::{Opaque, Request, RequestCode, ResponseCode};

use super::cluster::Cluster;
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

    /// What clients answered since the last call, in the order of its coming.
    pub fn take_answers(&mut self) -> Vec<ClientAnswer> {
        std::mem::take(&mut self.answers)
    }
}
