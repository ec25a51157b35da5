//! The way that comes to mind first: `serde_json::Value`, maps of strings, and copies.

use std::collections::HashMap;

use rocketry_core::body::RouteBody;
use serde_json::{Map, Value, json};

fn frame(header: &Value, body: &[u8]) -> Vec<u8> {
    let header = serde_json::to_vec(header).unwrap();
    let mut out = Vec::with_capacity(8 + header.len() + body.len());
    out.extend_from_slice(&(4 + header.len() as u32 + body.len() as u32).to_be_bytes());
    out.extend_from_slice(&(header.len() as u32).to_be_bytes());
    out.extend_from_slice(&header);
    out.extend_from_slice(body);
    out
}

#[allow(clippy::disallowed_methods, reason = "any order will do")]
pub(crate) fn encode_send(topic: &str, group: &str, body: &[u8], id: &str, born: i64) -> Vec<u8> {
    let mut properties = HashMap::new();
    properties.insert("TAGS".to_owned(), "paid".to_owned());
    properties.insert("KEYS".to_owned(), "order-1848".to_owned());
    properties.insert("UNIQ_KEY".to_owned(), id.to_owned());
    properties.insert("WAIT".to_owned(), "true".to_owned());
    let text: String = properties.iter().map(|(k, v)| format!("{k}\x01{v}\x02")).collect();
    let mut fields = HashMap::new();
    for (key, value) in [
        ("a", group.to_owned()),
        ("b", topic.to_owned()),
        ("c", "TBW102".to_owned()),
        ("d", 4.to_string()),
        ("e", 3.to_string()),
        ("f", 0.to_string()),
        ("g", born.to_string()),
        ("h", 0.to_string()),
        ("i", text),
        ("j", 0.to_string()),
        ("k", false.to_string()),
        ("m", false.to_string()),
        ("n", "broker-a".to_owned()),
    ] {
        fields.insert(key.to_owned(), value);
    }
    let header = json!({
        "code": 310, "extFields": fields, "flag": 0, "language": "RUST", "opaque": 1848,
        "serializeTypeCurrentRPC": "JSON", "version": 479,
    });
    frame(&header, body)
}

/// Code, opaque, fields and body of a frame.
fn split(bytes: &[u8]) -> (i64, i64, HashMap<String, String>, Vec<u8>) {
    let header = usize::from(bytes[6]) << 8 | usize::from(bytes[7]);
    let value: Value = serde_json::from_slice(&bytes[8..8 + header]).unwrap();
    let fields = value["extFields"].as_object().cloned().unwrap_or_default();
    let fields = fields.into_iter().map(|(k, v)| (k, v.as_str().unwrap().to_owned())).collect();
    let number = |key: &str| value[key].as_i64().unwrap();
    (number("code"), number("opaque"), fields, bytes[8 + header..].to_vec())
}

#[derive(Debug)]
#[allow(dead_code, reason = "made as a user would have it")]
pub(crate) struct Sent {
    code: i64,
    opaque: i64,
    msg_id: String,
    queue_id: i32,
    queue_offset: i64,
    transaction_id: Option<String>,
}

pub(crate) fn decode_send_reply(bytes: &[u8]) -> Sent {
    let (code, opaque, fields, _) = split(bytes);
    Sent {
        code,
        opaque,
        msg_id: fields["msgId"].clone(),
        queue_id: fields["queueId"].parse().unwrap(),
        queue_offset: fields["queueOffset"].parse().unwrap(),
        transaction_id: fields.get("transactionId").cloned(),
    }
}

#[derive(Debug)]
#[allow(dead_code, reason = "made as a user would have it")]
pub(crate) struct Stored {
    queue_offset: i64,
    topic: String,
    properties: HashMap<String, String>,
    body: Vec<u8>,
}

pub(crate) fn decode_pull(bytes: &[u8]) -> (HashMap<String, String>, Vec<Stored>) {
    let (_, _, fields, body) = split(bytes);
    let mut messages = Vec::new();
    let mut rest = &body[..];
    while !rest.is_empty() {
        let size = u32::from_be_bytes(*rest.first_chunk().unwrap()) as usize;
        let (record, behind) = rest.split_at(size);
        rest = behind;
        messages.push(stored(record));
    }
    (fields, messages)
}

/// A record of V1 with IPv4 addresses.
fn stored(record: &[u8]) -> Stored {
    let int = |at: usize| u32::from_be_bytes(*record[at..].first_chunk().unwrap()) as usize;
    let queue_offset = i64::from_be_bytes(*record[20..].first_chunk().unwrap());
    let (from, length) = (88, int(84));
    let body = record[from..from + length].to_vec();
    let at = from + length;
    let topic = &record[at + 1..at + 1 + usize::from(record[at])];
    let text = String::from_utf8_lossy(&record[at + 1 + topic.len() + 2..]).into_owned();
    let pairs = text.split('\u{2}').filter_map(|entry| entry.split_once('\u{1}'));
    Stored {
        queue_offset,
        topic: String::from_utf8(topic.to_vec()).unwrap(),
        properties: pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
        body,
    }
}

pub(crate) fn encode_route(route: &RouteBody) -> Vec<u8> {
    let queues: Vec<Value> = route
        .queues
        .iter()
        .map(|queue| {
            json!({
                "brokerName": &*queue.broker_name, "perm": queue.perm,
                "readQueueNums": queue.read_queues, "topicSysFlag": queue.topic_sys_flag,
                "writeQueueNums": queue.write_queues,
            })
        })
        .collect();
    let brokers: Vec<Value> = route
        .brokers
        .iter()
        .map(|broker| {
            let addresses: Map<String, Value> = broker
                .addresses
                .iter()
                .map(|(id, address)| (id.to_string(), Value::from(address.clone())))
                .collect();
            json!({
                "brokerAddrs": addresses, "brokerName": &*broker.broker_name,
                "cluster": &*broker.cluster, "enableActingMaster": false,
            })
        })
        .collect();
    serde_json::to_vec(&json!({
        "brokerDatas": brokers, "filterServerTable": {}, "queueDatas": queues,
    }))
    .unwrap()
}

/// Queues and addresses by the broker's name.
pub(crate) type Routes = (HashMap<String, (u64, u64, u64)>, HashMap<String, HashMap<u64, String>>);

pub(crate) fn decode_route(json: &[u8]) -> Routes {
    let value: Value = serde_json::from_slice(json).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let number = |value: &Value| value.as_u64().unwrap();
    let queues = value["queueDatas"].as_array().unwrap().iter().map(|queue| {
        let counts = ["readQueueNums", "writeQueueNums", "perm"].map(|key| number(&queue[key]));
        (text(&queue["brokerName"]), counts.into())
    });
    let brokers = value["brokerDatas"].as_array().unwrap().iter().map(|broker| {
        let addresses = broker["brokerAddrs"].as_object().unwrap().iter();
        let addresses = addresses.map(|(id, at)| (id.parse().unwrap(), text(at))).collect();
        (text(&broker["brokerName"]), addresses)
    });
    (queues.collect(), brokers.collect())
}
