//! A peer that answers a client's requests as the input says: rightly, wrongly, or not at all.

use std::net::{Ipv4Addr, SocketAddr};

use bytes::Bytes;
use rocketry_core::body::{BrokerData, ConsumerList, QueueData, RouteBody};
use rocketry_core::frame::{
    Content, Inbound, Opaque, OutFrame, Outbound, ReplyFields, RequestCode, ResponseCode,
};
use rocketry_core::message::StoredRecord;
use rocketry_core::time::UnixMillis;

use super::streams;
use super::supply::Supply;

/// Requests remembered for an answer.
const OPEN_MAX: usize = 64;

/// The other end of one connection.
#[derive(Debug)]
pub(super) struct Peer {
    inbound: Inbound,
    /// Requests that wait for an answer.
    open: Vec<(Opaque, RequestCode)>,
}

impl Peer {
    pub(super) fn new() -> Self {
        Self { inbound: Inbound::new(Default::default()), open: Vec::new() }
    }

    /// Reads what the client wrote. It must be frames, whatever went before.
    pub(super) fn read(&mut self, bytes: &[u8]) {
        streams::fill(&mut self.inbound, bytes);
        loop {
            let frame = match self.inbound.next_frame() {
                Ok(Some(frame)) => frame,
                Ok(None) => return,
                Err(error) => panic!("the client writes what is no frame: {error}"),
            };
            if let Content::Request { code, oneway: false, request } = frame.content {
                assert!(request.is_ok(), "the client's own {code} can't be read: {request:?}");
                if self.open.len() == OPEN_MAX {
                    self.open.remove(0);
                }
                self.open.push((frame.opaque, code));
            }
        }
    }

    /// The bytes of an answer to one of the requests; none when there is none.
    pub(super) fn answer(&mut self, client_id: &str, supply: &mut Supply<'_>) -> Vec<u8> {
        if self.open.is_empty() {
            return Vec::new();
        }
        let (opaque, code) = self.open[usize::from(supply.byte()) % self.open.len()];
        // An answer that comes twice is worth a try.
        if supply.byte() & 15 != 0 {
            self.open.retain(|(open, _)| *open != opaque);
        }
        let status = match supply.byte() {
            0..=199 => ResponseCode::SUCCESS,
            200..=229 => ResponseCode(i32::from(supply.byte() % 30)),
            _ => ResponseCode(i32::from(supply.short())),
        };
        let (fields, body) = content(code, client_id, supply);
        let mut outbound = Outbound::new();
        let _ = outbound.push(&OutFrame::reply(opaque, status, fields, body));
        streams::written(&outbound)
    }
}

fn content(code: RequestCode, client_id: &str, supply: &mut Supply<'_>) -> (ReplyFields, Bytes) {
    let honest = supply.byte() & 7 != 0;
    let small = |supply: &mut Supply<'_>| {
        if honest { i64::from(supply.byte()) } else { supply.long() }
    };
    match code {
        RequestCode::SEND_MESSAGE_V2 => {
            let fields = [
                ("msgId", supply.text().into_owned()),
                ("queueId", small(supply).to_string()),
                ("queueOffset", small(supply).to_string()),
            ];
            (streams::pairs(fields), Bytes::new())
        }
        RequestCode::PULL_MESSAGE | RequestCode::LITE_PULL_MESSAGE => {
            let fields = [
                ("suggestWhichBrokerId", (small(supply) & 1).to_string()),
                ("nextBeginOffset", small(supply).to_string()),
                ("minOffset", small(supply).to_string()),
                ("maxOffset", small(supply).to_string()),
            ];
            (streams::pairs(fields), records(honest, supply))
        }
        RequestCode::GET_ROUTEINFO_BY_TOPIC => (ReplyFields::None, route(honest, supply)),
        RequestCode::GET_CONSUMER_LIST_BY_GROUP => {
            let mut client_ids = vec![supply.text().into_owned()];
            if honest {
                client_ids.push(client_id.to_owned());
            }
            (ReplyFields::None, ConsumerList { client_ids }.to_json().into())
        }
        _ => {
            let fields = [("offset", small(supply).to_string())];
            (streams::pairs(fields), Bytes::copy_from_slice(supply.chunk()))
        }
    }
}

fn route(honest: bool, supply: &mut Supply<'_>) -> Bytes {
    if !honest {
        return Bytes::copy_from_slice(supply.long_chunk());
    }
    let brokers = 1 + supply.byte() % 3;
    let name = |n: u8| format!("b-{n}").into();
    let queues = (0..brokers).map(|n| QueueData {
        broker_name: name(n),
        read_queues: u32::from(supply.byte() % 8),
        write_queues: u32::from(supply.byte() % 8),
        perm: u32::from(supply.byte()),
        topic_sys_flag: 0,
    });
    let queues = queues.collect();
    let brokers = (0..brokers).map(|n| BrokerData {
        cluster: "c".into(),
        broker_name: name(n),
        addresses: [(u64::from(n & 1), format!("host-{n}:10911"))].into(),
    });
    RouteBody { queues, brokers: brokers.collect(), order_conf: None, refused: Vec::new() }
        .to_json()
        .into()
}

fn records(honest: bool, supply: &mut Supply<'_>) -> Bytes {
    let host = SocketAddr::from((Ipv4Addr::LOCALHOST, 10911));
    let mut bytes = Vec::new();
    let first = i64::from(supply.byte());
    for n in 0..i64::from(supply.byte() % 8) {
        let body = supply.chunk();
        let record = StoredRecord {
            topic: "topic",
            queue_id: 0,
            flag: 0,
            queue_offset: first + n,
            commit_log_offset: n,
            sys_flag: 0,
            born_timestamp: UnixMillis(1),
            born_host: host,
            store_timestamp: UnixMillis(2),
            store_host: host,
            reconsume_times: 0,
            prepared_transaction_offset: 0,
            body,
            properties: b"TAGS\x01a\x02",
        };
        record.encode_into(&mut bytes);
    }
    if !honest && !bytes.is_empty() {
        let at = usize::from(supply.short()) % bytes.len();
        bytes[at] = supply.byte();
    }
    bytes.into()
}
