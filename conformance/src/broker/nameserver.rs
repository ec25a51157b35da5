//! The nameserver: routes by topic (105), `ClientRequestProcessor` and `RouteInfoManager`.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use rocketry_core::body::{BrokerData, QueueData, RouteBody};
use rocketry_core::frame::{Request, ResponseCode};

use super::answer::{Answer, Caller};
use super::config::{ClusterConfig, RouteKeys};
use super::node::Node;

/// The first version (4.9.4) that is sent standard JSON.
const STANDARD_JSON: i32 = 401;

/// Answers a request to the nameserver.
pub(super) fn answer(
    config: &ClusterConfig,
    nodes: &[Node],
    caller: &Caller,
    request: &Request,
) -> Answer {
    let Request::Route(ask) = request else { return Answer::unsupported(caller.code) };
    match route(config, nodes, &ask.topic) {
        Some(route) => {
            let bare = match config.route_keys {
                RouteKeys::ByVersion => caller.version < STANDARD_JSON,
                RouteKeys::Quoted => false,
                RouteKeys::Bare => true,
            };
            let json = route.to_json();
            Answer::body(Bytes::from(if bare { unquote_ids(&json) } else { json }))
        }
        None => Answer::error(
            ResponseCode::TOPIC_NOT_EXIST,
            format!("No topic route info in name server for the topic: {}", ask.topic),
        ),
    }
}

fn route(config: &ClusterConfig, nodes: &[Node], topic: &str) -> Option<RouteBody> {
    let mut body = RouteBody { queues: Vec::new(), brokers: Vec::new(), order_conf: None };
    for node in nodes.iter().filter(|node| !(node.down && config.hide_down_brokers)) {
        let Some(topic) = node.topics.find(topic) else { continue };
        body.queues.push(QueueData {
            broker_name: node.name.clone(),
            read_queues: topic.read_queues,
            write_queues: topic.write_queues,
            perm: topic.perm,
            topic_sys_flag: 0,
        });
        body.brokers.push(BrokerData {
            cluster: Arc::from(&*config.cluster),
            broker_name: node.name.clone(),
            addresses: BTreeMap::from([(0, node.endpoint.clone())]),
        });
    }
    (!body.queues.is_empty()).then_some(body)
}

/// Takes the quotes off the keys of `brokerAddrs`, as fastjson writes numbers that are keys.
fn unquote_ids(json: &[u8]) -> Vec<u8> {
    const START: &[u8] = b"\"brokerAddrs\":{";
    let mut out = Vec::with_capacity(json.len());
    let mut at = 0;
    let mut in_addresses = false;
    while let Some(&byte) = json.get(at) {
        let rest = json.get(at..).unwrap_or_default();
        if rest.starts_with(START) {
            in_addresses = true;
            out.extend_from_slice(START);
            at += START.len();
            continue;
        }
        in_addresses &= byte != b'}';
        let digits = rest.iter().skip(1).take_while(|b| b.is_ascii_digit()).count();
        let is_key = digits > 0 && rest.get(digits + 1..).is_some_and(|r| r.starts_with(b"\":"));
        if in_addresses && byte == b'"' && is_key {
            out.extend(rest.iter().skip(1).take(digits));
            at += digits + 2;
            continue;
        }
        out.push(byte);
        at += 1;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_broker_ids_lose_their_quotes() {
        let json =
            br#"{"brokerDatas":[{"brokerAddrs":{"0":"127.0.0.1:1","12":"h:2"},"n":"5"}],"7":1}"#;
        let bare = br#"{"brokerDatas":[{"brokerAddrs":{0:"127.0.0.1:1",12:"h:2"},"n":"5"}],"7":1}"#;
        assert_eq!(unquote_ids(json), bare);
    }
}
