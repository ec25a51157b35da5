//! What a nameserver knows: which brokers, and which queues of a topic on each of them.

use std::collections::BTreeMap;
use std::io;

use serde::Deserialize;

use super::LiveError;
use super::error::While;
use super::wire::{self, Answer};

/// `RequestCode.GET_ROUTEINFO_BY_TOPIC`.
const ROUTE: i32 = 105;
/// `RequestCode.GET_BROKER_CLUSTER_INFO`.
const CLUSTER: i32 = 106;
/// `ResponseCode.TOPIC_NOT_EXIST`.
const TOPIC_NOT_EXIST: i64 = 17;

/// `TopicRouteData`, as far as we need it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Route {
    queue_datas: Vec<QueueData>,
    broker_datas: Vec<BrokerData>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct QueueData {
    broker_name: String,
    write_queue_nums: u32,
}

/// `BrokerData`: the addresses of a broker name by broker id.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct BrokerData {
    broker_name: String,
    broker_addrs: BTreeMap<String, String>,
}

/// `ClusterInfo`, as far as we need it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ClusterInfo {
    broker_addr_table: BTreeMap<String, BrokerData>,
}

impl Route {
    /// How many queues can be written, over all brokers.
    pub(super) fn queues(&self) -> u32 {
        self.queue_datas.iter().fold(0, |sum, data| sum.saturating_add(data.write_queue_nums))
    }

    /// Whether the broker at `address` has `count` queues to write. A broker may register another
    /// address than the one it was asked at; then any broker will do.
    pub(super) fn has(&self, address: &str, count: u32) -> bool {
        let found = self
            .broker_datas
            .iter()
            .find(|data| data.broker_addrs.values().any(|registered| registered == address));
        self.queue_datas.iter().any(|data| {
            data.write_queue_nums == count
                && found.is_none_or(|broker| broker.broker_name == data.broker_name)
        })
    }
}

/// The route of a topic, `None` for one that the nameserver does not know.
///
/// # Errors
///
/// [`LiveError::Io`] when the nameserver can't be reached, [`LiveError::Refused`] when it answers
/// with an error of another kind.
pub(super) fn route(namesrv: &str, topic: &str) -> Result<Option<Route>, LiveError> {
    let doing = || format!("asking {namesrv} for the route of {topic}");
    let answer = wire::call(namesrv, ROUTE, &[("topic", topic)]).during(doing)?;
    match answer.code {
        0 => read(&answer).map(Some).during(doing),
        TOPIC_NOT_EXIST => Ok(None),
        _ => Err(LiveError::Refused {
            what: format!("nameserver {namesrv} gave no route of topic {topic}"),
            said: answer.said(),
        }),
    }
}

/// Whether a broker of that name and id is registered.
///
/// # Errors
///
/// As [`route`].
pub(super) fn has_broker(namesrv: &str, name: &str, id: u8) -> Result<bool, LiveError> {
    Ok(addresses(namesrv, name)?.contains_key(&id.to_string()))
}

/// Whether a broker of that name is registered at that address, whatever its id.
///
/// # Errors
///
/// As [`route`].
pub(super) fn has_address(namesrv: &str, name: &str, at: &str) -> Result<bool, LiveError> {
    Ok(addresses(namesrv, name)?.values().any(|known| known == at))
}

/// The addresses of the brokers of a name, by their ids.
fn addresses(namesrv: &str, name: &str) -> Result<BTreeMap<String, String>, LiveError> {
    let doing = || format!("asking {namesrv} for its brokers");
    let answer = wire::call(namesrv, CLUSTER, &[]).during(doing)?;
    if answer.code != 0 {
        let what = format!("nameserver {namesrv} did not name its brokers");
        return Err(LiveError::Refused { what, said: answer.said() });
    }
    let mut info: ClusterInfo = read(&answer).during(doing)?;
    let broker = info.broker_addr_table.remove(name);
    Ok(broker.map(|broker| broker.broker_addrs).unwrap_or_default())
}

fn read<T: serde::de::DeserializeOwned>(answer: &Answer) -> io::Result<T> {
    Ok(serde_json::from_str(&quoted(&String::from_utf8_lossy(&answer.body)))?)
}

/// Puts bare numbers that are keys into quotes: fastjson writes `{0:"127.0.0.1:10911"}` for a map
/// of numbers, which is not JSON.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut rest = text;
    let mut in_text = false;
    while let Some(next) = rest.chars().next() {
        rest = &rest[next.len_utf8()..];
        out.push(next);
        match next {
            '\\' if in_text => {
                let escaped = rest.chars().next();
                rest = &rest[escaped.map_or(0, char::len_utf8)..];
                out.extend(escaped);
            }
            '"' => in_text = !in_text,
            '{' | ',' if !in_text => {
                let digits =
                    rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
                if digits > 0 && rest[digits..].starts_with(':') {
                    out.extend(["\"", &rest[..digits], "\""]);
                    rest = &rest[digits..];
                }
            }
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTE_OF_TWO: &str = r#"{"brokerDatas":[
        {"brokerAddrs":{0:"127.0.0.1:1",1:"127.0.0.1:2"},"brokerName":"a","cluster":"c"},
        {"brokerAddrs":{"0":"127.0.0.1:3"},"brokerName":"b"}],
        "filterServerTable":{},"queueDatas":[
        {"brokerName":"a","perm":6,"readQueueNums":4,"writeQueueNums":4},
        {"brokerName":"b","writeQueueNums": 8,"readQueueNums":2}]}"#;

    #[test]
    fn queues_are_summed_over_brokers() {
        let route: Route = serde_json::from_str(&quoted(ROUTE_OF_TWO)).expect("a route");
        assert_eq!(route.queues(), 12);
        let route: Route = serde_json::from_str("{}").expect("a route");
        assert_eq!(route.queues(), 0);
    }

    #[test]
    fn a_broker_has_its_own_queues() {
        let route: Route = serde_json::from_str(&quoted(ROUTE_OF_TWO)).expect("a route");
        assert!(route.has("127.0.0.1:1", 4) && route.has("127.0.0.1:3", 8));
        assert!(!route.has("127.0.0.1:1", 8) && !route.has("127.0.0.1:3", 4));
        assert!(route.has("elsewhere:1", 8) && !route.has("elsewhere:1", 5));
    }

    #[test]
    fn bare_keys_are_quoted_and_texts_are_left_alone() {
        let bare = r#"{0:{12:[1,2]},"a{1:":"x,2:\"{3:","b":[4,{5:6}],"n":7}"#;
        let expected = r#"{"0":{"12":[1,2]},"a{1:":"x,2:\"{3:","b":[4,{"5":6}],"n":7}"#;
        assert_eq!(quoted(bare), expected);
    }

    #[test]
    fn a_slave_is_found_by_its_id() {
        let text = r#"{"brokerAddrTable":{"broker-a":{"brokerAddrs":{0:"x:1",1:"x:2"},
            "brokerName":"broker-a","cluster":"c"}},"clusterAddrTable":{"c":["broker-a"]}}"#;
        let info: ClusterInfo = serde_json::from_str(&quoted(text)).expect("brokers");
        let ids: Vec<&String> = info.broker_addr_table["broker-a"].broker_addrs.keys().collect();
        assert_eq!(ids, ["0", "1"]);
    }
}
