//! Where a topic's queues are (`TopicRouteData`).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::error::{BodyError, parse, to_json};
use super::text::{self, Lax, Text, or_default};

/// Most queues of one topic, read and write queues of all brokers together: 1,048,576. A route is
/// a few bytes that stand for work per queue, so the number is bounded where it comes in: rows that
/// would make it more are refused.
pub const QUEUES_MAX: u64 = 1 << 20;

/// Most brokers of one topic, and most addresses of all of them together: 4,096. A consumer
/// connects to each.
pub const BROKERS_MAX: usize = 1 << 12;

/// The body of a reply to `GET_ROUTEINFO_BY_TOPIC` (105).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteBody {
    /// How many queues each broker has (`queueDatas`).
    pub queues: Vec<QueueData>,
    /// Where each broker is (`brokerDatas`).
    pub brokers: Vec<BrokerData>,
    /// `orderTopicConf`, as "broker-a:4;broker-b:2": set for topics of global order.
    pub order_conf: Option<String>,
    /// Rows that say what can't be, the first [`REFUSED_MAX`] of them: each is left out, and the
    /// others serve.
    pub refused: Vec<RefusedRow>,
}

/// A row of a route that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedRow {
    /// The broker it is about; empty where it does not say.
    pub broker_name: Arc<str>,
    /// What it says that can't be.
    pub reason: Arc<str>,
}

/// Refused rows that are kept to be told of.
pub const REFUSED_MAX: usize = 8;

/// The queues of one topic on one broker (`QueueData`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct QueueData {
    /// The broker, by the name that its master and slaves share.
    #[serde(rename = "brokerName", with = "text")]
    pub broker_name: Arc<str>,
    /// 4: readable, 2: writable, 1: inherited (`PermName`).
    pub perm: u32,
    /// Queues to pull from, numbered from 0.
    #[serde(rename = "readQueueNums")]
    pub read_queues: u32,
    /// `TopicSysFlag`: 1 unit, 2 subscribed by units. 4.x spells it `topicSynFlag`.
    #[serde(rename = "topicSysFlag")]
    pub topic_sys_flag: i32,
    /// Queues to send to, numbered from 0.
    #[serde(rename = "writeQueueNums")]
    pub write_queues: u32,
}

/// One broker's processes (`BrokerData`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerData {
    /// The cluster it belongs to.
    pub cluster: Arc<str>,
    /// The name that master and slaves share.
    pub broker_name: Arc<str>,
    /// Addresses by broker id: 0 is the master, or a slave that acts for it. Of a body that is
    /// read, those of the 64 lowest ids.
    pub addresses: BTreeMap<u64, String>,
}

impl RouteBody {
    /// Reads the body: at most 16 MiB of JSON, with quoted or bare broker ids (name servers write
    /// bare ones for clients before 4.9.4). Unknown fields and the order of fields don't matter. A
    /// row that says what can't be is refused, and the others stay.
    pub fn parse(json: &[u8]) -> Result<Self, BodyError> {
        let read: RouteJson<Rows, FewBrokers> = parse("route", json)?;
        let brokers = read.brokers;
        let addresses = brokers.kept.iter().map(|broker| broker.addresses.found).sum();
        let found = brokers.found.max(addresses);
        if found > BROKERS_MAX {
            return Err(BodyError::TooManyBrokers { found, limit: BROKERS_MAX });
        }
        let brokers = brokers.kept.into_iter().map(BrokerJson::into_data);
        let brokers = brokers.filter(|broker| !broker.broker_name.is_empty()).collect();
        let Rows { queues, refused, .. } = read.queues;
        Ok(Self { queues, brokers, order_conf: read.order_conf, refused })
    }

    /// The body as standard JSON, with fields in the order that name servers write them.
    pub fn to_json(&self) -> Vec<u8> {
        let brokers = self.brokers.iter().map(BrokerJson::of).collect();
        to_json(&RouteJson::<&[QueueData], Vec<BrokerJson>> {
            brokers,
            filter_servers: BTreeMap::new(),
            order_conf: self.order_conf.clone(),
            queues: &self.queues,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct RouteJson<Q: Default, B: Default> {
    #[serde(rename = "brokerDatas", default, deserialize_with = "or_default")]
    #[serde(bound(deserialize = "B: Deserialize<'de>"))]
    brokers: B,
    #[serde(rename = "filterServerTable", skip_deserializing)]
    filter_servers: BTreeMap<String, String>,
    #[serde(rename = "orderTopicConf", default, skip_serializing_if = "Option::is_none")]
    order_conf: Option<String>,
    #[serde(rename = "queueDatas", default, deserialize_with = "or_default")]
    #[serde(bound(deserialize = "Q: Deserialize<'de>"))]
    queues: Q,
}

/// The rows of `queueDatas`, each checked as it comes: a row as it came is larger than what is kept
/// of it.
#[derive(Default)]
struct Rows {
    queues: Vec<QueueData>,
    refused: Vec<RefusedRow>,
    /// Queues of all rows.
    found: u64,
}

impl<'de> Deserialize<'de> for Rows {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Rows;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of brokers' queues")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Rows, A::Error> {
                let mut rows = Rows::default();
                while let Some(row) = list.next_element::<Option<Row>>()? {
                    match row.map(|row| row.read(&mut rows.found)) {
                        Some(Ok(queues)) => rows.queues.push(queues),
                        Some(Err(refused)) if rows.refused.len() < REFUSED_MAX => {
                            rows.refused.push(refused);
                        }
                        Some(Err(_)) | None => {}
                    }
                }
                Ok(rows)
            }
        }
        from.deserialize_seq(Each)
    }
}

/// One row of `queueDatas` as it came.
#[derive(Deserialize)]
struct Row {
    #[serde(rename = "brokerName", default)]
    broker_name: Lax<Text>,
    #[serde(default)]
    perm: Lax<i64>,
    #[serde(rename = "readQueueNums", default)]
    read_queues: Lax<i64>,
    #[serde(rename = "topicSysFlag", alias = "topicSynFlag", default)]
    topic_sys_flag: Lax<i64>,
    #[serde(rename = "writeQueueNums", default)]
    write_queues: Lax<i64>,
}

impl Row {
    /// Checks the row; `found` counts the queues of all rows.
    fn read(self, found: &mut u64) -> Result<QueueData, RefusedRow> {
        let broker_name = self.broker_name.0.map(|Text(name)| name).unwrap_or_default();
        let refused = |reason: String| {
            let broker_name = Arc::clone(&broker_name);
            RefusedRow { broker_name, reason: reason.into() }
        };
        if broker_name.is_empty() {
            return Err(refused("it names no broker".to_owned()));
        }
        let perm = self.perm.0.and_then(|perm| u32::try_from(perm).ok());
        let Some(perm) = perm else {
            return Err(refused(format!("perm is {}", self.perm)));
        };
        // A number below zero counts as none.
        let count = |count: &Lax<i64>| count.0.map(|count| u64::try_from(count).unwrap_or(0));
        let (Some(reads), Some(writes)) = (count(&self.read_queues), count(&self.write_queues))
        else {
            let (reads, writes) = (self.read_queues, self.write_queues);
            let reason = format!("readQueueNums is {reads}, writeQueueNums is {writes}");
            return Err(refused(reason));
        };
        let sum = found.saturating_add(reads).saturating_add(writes);
        if sum > QUEUES_MAX {
            let reason = format!(
                "readQueueNums {reads} and writeQueueNums {writes} make it more than {QUEUES_MAX}"
            );
            return Err(refused(reason));
        }
        *found = sum;
        let topic_sys_flag = self.topic_sys_flag.0.unwrap_or(0) as i32;
        let (read_queues, write_queues) = (reads as u32, writes as u32);
        Ok(QueueData { broker_name, perm, read_queues, topic_sys_flag, write_queues })
    }
}

/// The brokers of a route: as many as a client can do with, and how many there were.
#[derive(Default)]
struct FewBrokers {
    kept: Vec<BrokerJson>,
    found: usize,
}

impl<'de> Deserialize<'de> for FewBrokers {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Few;
        impl<'de> Visitor<'de> for Few {
            type Value = FewBrokers;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of brokers")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<FewBrokers, A::Error> {
                let mut few = FewBrokers::default();
                loop {
                    let more = if few.found < BROKERS_MAX {
                        let next = list.next_element::<Option<BrokerJson>>()?;
                        let more = next.is_some();
                        few.kept.extend(next.flatten());
                        more
                    } else {
                        list.next_element::<IgnoredAny>()?.is_some()
                    };
                    if !more {
                        return Ok(few);
                    }
                    few.found += 1;
                }
            }
        }
        from.deserialize_seq(Few)
    }
}

/// Addresses of one broker that are kept.
const ADDRESSES_MAX: usize = 64;

/// The addresses of one broker, by its processes' ids.
#[derive(Default)]
struct Addresses {
    kept: BTreeMap<u64, String>,
    found: usize,
}

impl Serialize for Addresses {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.kept.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Addresses {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct ById;
        impl<'de> Visitor<'de> for ById {
            type Value = Addresses;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("addresses by broker id")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Addresses, A::Error> {
                let mut all = Addresses::default();
                while let Some((id, address)) = map.next_entry::<String, Lax<String>>()? {
                    all.found += 1;
                    // An id that is no number from 0 up names nobody a client could ask: that
                    // address is left out, and the others stay.
                    if let (Ok(id), Some(address)) = (id.parse(), address.0) {
                        all.kept.insert(id, address);
                    }
                    if all.kept.len() > ADDRESSES_MAX {
                        all.kept.pop_last();
                    }
                }
                Ok(all)
            }
        }
        from.deserialize_map(ById)
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct BrokerJson {
    #[serde(rename = "brokerAddrs", default, deserialize_with = "or_default")]
    addresses: Addresses,
    #[serde(rename = "brokerName", default)]
    broker_name: Lax<Text>,
    #[serde(default)]
    cluster: Lax<String>,
    #[serde(rename = "enableActingMaster", skip_deserializing)]
    acting_master: bool,
}

/// One that says its name: where brokers are a table, not a list of rows that stand alone.
#[derive(Serialize, Deserialize)]
#[serde(try_from = "BrokerJson")]
pub(super) struct NamedBroker(pub(super) BrokerJson);

impl NamedBroker {
    pub(super) fn of(data: &BrokerData) -> Self {
        Self(BrokerJson::of(data))
    }
}

impl TryFrom<BrokerJson> for NamedBroker {
    type Error = &'static str;
    fn try_from(broker: BrokerJson) -> Result<Self, Self::Error> {
        match broker.broker_name.0 {
            Some(_) => Ok(Self(broker)),
            None => Err("missing field `brokerName`"),
        }
    }
}

impl BrokerJson {
    pub(super) fn into_data(self) -> BrokerData {
        BrokerData {
            cluster: self.cluster.0.unwrap_or_default().into(),
            broker_name: self.broker_name.0.map(|Text(name)| name).unwrap_or_default(),
            addresses: self.addresses.kept,
        }
    }

    pub(super) fn of(data: &BrokerData) -> Self {
        let (kept, found) = (data.addresses.clone(), data.addresses.len());
        Self {
            addresses: Addresses { kept, found },
            broker_name: Lax(Some(Text(data.broker_name.clone()))),
            cluster: Lax(Some(data.cluster.to_string())),
            acting_master: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    const GOLDEN: &str = include_str!("../../../conformance/golden/bodies.txt");

    fn golden(name: &str) -> &'static str {
        let mut lines = GOLDEN.lines().filter_map(|line| line.split_once(" = "));
        lines.find(|(found, _)| *found == name).unwrap().1
    }

    fn route() -> RouteBody {
        let addresses = [(0, "127.0.0.1:10911".to_owned()), (1, "127.0.0.1:10921".to_owned())];
        RouteBody {
            queues: vec![QueueData {
                broker_name: "b-0".into(),
                perm: 6,
                read_queues: 4,
                topic_sys_flag: 0,
                write_queues: 4,
            }],
            brokers: vec![BrokerData {
                cluster: "c".into(),
                broker_name: "b-0".into(),
                addresses: addresses.into(),
            }],
            ..RouteBody::default()
        }
    }

    #[test]
    fn ns_05_both_forms_that_java_writes_are_read_alike() {
        for form in ["route", "routeStd"] {
            assert_eq!(RouteBody::parse(golden(form).as_bytes()), Ok(route()));
        }
    }

    #[test]
    fn what_we_write_is_what_java_writes() {
        assert_eq!(String::from_utf8(route().to_json()).unwrap(), golden("routeStd"));
        let ordered = RouteBody { order_conf: Some("b-0:4".into()), ..route() };
        assert_eq!(RouteBody::parse(&ordered.to_json()), Ok(ordered));
    }

    #[test]
    fn unknown_fields_nulls_and_any_order_are_taken() {
        let json = r#"{"topicQueueMappingByBroker":{"b":{"currIdMap":{0:0,1:1},"epoch":7}},
            "queueDatas":[{"writeQueueNums":-1,"readQueueNums":2,"perm":4,"brokerName":"b",
              "topicSynFlag":1,"more":[{2:3}]}],"orderTopicConf":null,"filterServerTable":null,
            "brokerDatas":[{"brokerName":"b","brokerAddrs":{-1:"new:1",0:"a:1","2":null},"zone":1},
              {"brokerName":"empty","brokerAddrs":null,"cluster":null}]}"#;
        let read = RouteBody::parse(json.as_bytes()).unwrap();
        assert_eq!((read.queues[0].read_queues, read.queues[0].write_queues), (2, 0));
        assert_eq!(read.queues[0].topic_sys_flag, 1);
        assert_eq!(read.brokers[0].addresses, BTreeMap::from([(0, "a:1".to_owned())]));
        assert!(read.brokers[1].addresses.is_empty() && read.brokers[1].cluster.is_empty());
        assert_eq!(RouteBody::parse(b"{}"), Ok(RouteBody::default()));
    }

    #[test]
    fn ns_05_depth_size_and_numbers_of_a_hostile_route_are_bounded() {
        for open in ["[", "{\"a\":", "{0:"] {
            let deep = format!("{{\"queueDatas\":{}", open.repeat(200_000));
            assert!(matches!(RouteBody::parse(deep.as_bytes()), Err(BodyError::Invalid { .. })));
            let ignored = format!("{{\"later\":{}", open.repeat(200_000));
            assert!(matches!(RouteBody::parse(ignored.as_bytes()), Err(BodyError::Invalid { .. })));
        }
        let large = vec![b' '; (16 << 20) + 1];
        let error = BodyError::TooLarge { what: "route", length: large.len(), limit: 16 << 20 };
        assert_eq!(RouteBody::parse(&large), Err(error));
        let long = format!("{{\"queueDatas\":\"{}\"}}", "x".repeat(100_000));
        let Err(BodyError::Invalid { reason, .. }) = RouteBody::parse(long.as_bytes()) else {
            panic!("read");
        };
        assert!(reason.len() < 2_000);
    }

    #[test]
    fn ns_23_a_row_that_says_what_cant_be_is_refused_and_the_others_stay() {
        let good = r#"{"brokerName":"b-0","perm":6,"readQueueNums":4,"writeQueueNums":4}"#;
        for (bad, why) in [
            (
                r#"{"brokerName":"b","perm":6,"readQueueNums":4,"writeQueueNums":2147483647}"#,
                "2147",
            ),
            (r#"{"brokerName":"b","perm":6,"readQueueNums":2e9,"writeQueueNums":4}"#, "readQueue"),
            (r#"{"brokerName":"b","perm":-1,"readQueueNums":4,"writeQueueNums":4}"#, "perm is -1"),
            (
                r#"{"brokerName":"b","perm":"rw","readQueueNums":4,"writeQueueNums":4}"#,
                "perm is no",
            ),
            (r#"{"brokerName":"b","perm":6,"readQueueNums":[4],"writeQueueNums":4}"#, "readQueue"),
            (r#"{"brokerName":"b","perm":6,"readQueueNums":{"a":1},"writeQueueNums":4}"#, "read"),
            (r#"{"brokerName":"b","perm":6}"#, "writeQueueNums is no number"),
            (r#"{"perm":6,"readQueueNums":4,"writeQueueNums":4}"#, "names no broker"),
            (
                r#"{"brokerName":7,"perm":6,"readQueueNums":4,"writeQueueNums":4}"#,
                "names no broker",
            ),
        ] {
            let brokers = r#"[{"brokerName":"b-0","brokerAddrs":{"0":"h:1","1":5}},
                {"brokerName":null},null,
                {"brokerName":"b-1","brokerAddrs":{"0":"h:2"},"cluster":1}]"#;
            let json = format!(r#"{{"queueDatas":[{bad},null,{good}],"brokerDatas":{brokers}}}"#);
            let read = RouteBody::parse(json.as_bytes()).unwrap();
            assert_eq!((read.queues.len(), read.queues[0].write_queues), (1, 4), "{bad}");
            assert_eq!((read.brokers.len(), read.brokers[0].addresses.len()), (2, 1), "{bad}");
            assert_eq!(read.refused.len(), 1, "{bad}");
            assert!(read.refused[0].reason.contains(why), "{bad}: {:?}", read.refused);
        }
        // A hundred of them are not all remembered.
        let bad = r#"{"brokerName":"b","perm":-1},"#.repeat(100);
        let json = format!(r#"{{"queueDatas":[{bad}{good}]}}"#);
        let read = RouteBody::parse(json.as_bytes()).unwrap();
        assert_eq!((read.queues.len(), read.refused.len()), (1, REFUSED_MAX));
        // What is left within the bound is taken.
        let most = r#"{"brokerName":"b","perm":6,"readQueueNums":524288,"writeQueueNums":0},"#;
        let json = format!(r#"{{"queueDatas":[{}{good}]}}"#, most.repeat(3));
        let read = RouteBody::parse(json.as_bytes()).unwrap();
        assert_eq!((read.queues.len(), read.refused.len()), (2, 2));
    }

    #[test]
    fn as_many_brokers_are_read_as_a_client_can_be_connected_to_and_more_are_told() {
        let brokers = |count: usize, each: u64| {
            let broker = |number| BrokerData {
                cluster: "c".into(),
                broker_name: format!("b-{number}").into(),
                addresses: (0..each).map(|id| (id, format!("h:{id}"))).collect(),
            };
            RouteBody { brokers: (0..count).map(broker).collect(), ..RouteBody::default() }
        };
        let most = brokers(BROKERS_MAX, 1);
        assert_eq!(RouteBody::parse(&most.to_json()), Ok(most));
        for (count, each) in [(60_000, 1), (BROKERS_MAX + 1, 0), (128, 33), (1, 5000)] {
            let json = String::from_utf8(brokers(count, each).to_json()).unwrap();
            let found = count.max(count.min(BROKERS_MAX) * each as usize);
            let error = BodyError::TooManyBrokers { found, limit: BROKERS_MAX };
            assert_eq!(RouteBody::parse(json.as_bytes()).as_ref(), Err(&error));
            let bare = json.replace("{\"0\":", "{0:");
            assert_eq!(RouteBody::parse(bare.as_bytes()), Err(error), "{count}");
        }
        // The lowest ids are those a client asks: the master's and the first slaves'.
        let many = RouteBody::parse(&brokers(1, 4000).to_json()).unwrap();
        assert!(many.brokers[0].addresses.keys().copied().eq(0..64));
    }

    #[test]
    fn no_mutation_of_a_route_does_harm() {
        let mut rng = Rng::new(105);
        for _ in 0..20_000 {
            let mut json = golden("route").as_bytes().to_vec();
            for _ in 0..=rng.below(3) {
                let at = rng.below(json.len() as u64) as usize;
                match rng.below(3) {
                    0 => json.truncate(at + 1),
                    1 => json[at] = rng.next_u64() as u8,
                    _ => json[at] = b"{}[]\":,0-\\"[rng.below(10) as usize],
                }
            }
            if let Ok(read) = RouteBody::parse(&json) {
                // What was refused is not written again.
                let route = RouteBody { refused: Vec::new(), ..read };
                assert_eq!(RouteBody::parse(&route.to_json()), Ok(route));
            }
        }
    }
}
