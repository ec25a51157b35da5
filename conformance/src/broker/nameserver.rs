//! The nameserver: routes (105), clusters (106), topics (206, 216): `ClientRequestProcessor` and
//! `DefaultRequestProcessor`.

use std::sync::Arc;

use bytes::Bytes;
use rocketry_core::body::{QueueData, RouteBody};
use rocketry_core::frame::request::RouteRequest;
use rocketry_core::frame::{ReplyFields, Request, ResponseCode, version};

use super::answer::{Answer, Caller, see};
use super::config::{ClusterConfig, RouteKeys};
use super::node::MASTER;
use super::registry::Registry;

/// The permission to write (`PermName.PERM_WRITE`).
const WRITE: u32 = 2;

/// Answers a request to the nameserver. One before 5.0 says nothing to a code it does not know.
pub(super) fn answer(
    config: &ClusterConfig,
    registry: &mut Registry,
    caller: &Caller,
    request: &Request,
) -> Option<Answer> {
    let cluster = Arc::from(&*config.cluster);
    Some(match request {
        Request::Route(ask) => route(config, registry, caller, ask),
        Request::ClusterInfo(_) => {
            // Not the standard form, whatever the client's version.
            let bare = config.route_keys != RouteKeys::Quoted;
            json(registry.cluster_info(&cluster).to_json(), bare)
        }
        Request::TopicList(_) => json(registry.topic_list().to_json(), false),
        Request::DeleteTopicInNameServer(delete) => {
            // Another cluster's brokers are not to forget it, and there is none.
            let named = delete.cluster.as_deref().filter(|name| !name.is_empty());
            if named.is_none_or(|name| name == config.cluster) {
                registry.delete_topic(&delete.topic);
            }
            Answer::fields(ReplyFields::None)
        }
        _ if !version::pops(caller.server) => return None,
        _ => Answer::unsupported(caller.code),
    })
}

fn route(
    config: &ClusterConfig,
    registry: &Registry,
    caller: &Caller,
    ask: &RouteRequest,
) -> Answer {
    let Some(mut route) = registry.route(&Arc::from(&*config.cluster), &ask.topic) else {
        return unknown(caller, &ask.topic);
    };
    if config.acting_masters {
        stand_in(&mut route);
    }
    let standard = version::reads_standard_json(caller.server)
        && (version::reads_standard_json(caller.version) || ask.accept_standard_json == Some(true));
    let bare = match config.route_keys {
        RouteKeys::ByVersion => !standard,
        RouteKeys::Quoted => false,
        RouteKeys::Bare => true,
    };
    json(route.to_json(), bare)
}

/// Gives the least slave of a broker without a master as its master, whose queues may be read
/// (`RouteInfoManager.pickupTopicRouteData`).
fn stand_in(route: &mut RouteBody) {
    for broker in &mut route.brokers {
        if broker.addresses.contains_key(&MASTER) {
            continue;
        }
        let Some((_, address)) = broker.addresses.pop_first() else { continue };
        broker.addresses.insert(MASTER, address);
        let own = |queues: &&mut QueueData| queues.broker_name == broker.broker_name;
        route.queues.iter_mut().filter(own).for_each(|queues| queues.perm &= !WRITE);
    }
}

/// What is said of a topic that no broker has told of.
pub(super) fn unknown(caller: &Caller, topic: &str) -> Answer {
    let remark = format!("No topic route info in name server for the topic: {topic}");
    let remark = format!("{remark}{}", see(caller.server));
    Answer::error(ResponseCode::TOPIC_NOT_EXIST, remark)
}

fn json(json: Vec<u8>, bare: bool) -> Answer {
    Answer::body(Bytes::from(if bare { unquote_ids(&json) } else { json }))
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
