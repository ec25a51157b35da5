//! What brokers have told the nameserver: their addresses, their topics (`RouteInfoManager`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use rocketry_core::body::{BrokerData, ClusterInfo, QueueData, RouteBody, TopicList};
use rocketry_core::frame::{Request, version};

use super::answer::{Answer, Caller};
use super::node::{MASTER, Node};
use super::{ListenerId, nameserver};

/// Addresses by broker id.
type Addresses = BTreeMap<u64, String>;

/// The nameserver's tables. A topic stays in them until a name server is told to delete it, also
/// when its brokers have deleted it, and comes back with the next registration of a broker that
/// still has it.
#[derive(Debug, Default)]
pub(super) struct Registry {
    /// By topic and broker name.
    topics: BTreeMap<Box<str>, BTreeMap<Arc<str>, QueueData>>,
    brokers: BTreeMap<Arc<str>, Addresses>,
    /// `orderTopicConf` by topic.
    orders: BTreeMap<Box<str>, String>,
    /// Topics that one of the nameservers has not heard of.
    unheard: BTreeSet<(ListenerId, Box<str>)>,
    /// Routes said as they are here, whatever brokers told.
    scripted: BTreeMap<Box<str>, Bytes>,
}

impl Registry {
    /// A broker is there, with all its topics.
    pub(super) fn register(&mut self, node: &Node) {
        if self.settle(node) {
            for (name, topic) in node.topics.iter() {
                self.put(name, node.queues_of(topic));
            }
        }
    }

    /// Some topics of a broker that is there were made or changed.
    pub(super) fn update(&mut self, node: &Node, names: &[Box<str>]) {
        if self.settle(node) {
            for name in names {
                if let Some(topic) = node.topics.find(name) {
                    self.put(name, node.queues_of(topic));
                }
            }
        }
    }

    /// Notes a broker's address. Whether its word on topics counts: a master's does, and that of
    /// the slave with the least id when there is no master, if it is not of a version before 5.0.
    fn settle(&mut self, node: &Node) -> bool {
        let addresses = self.brokers.entry(node.name.clone()).or_default();
        addresses.retain(|&id, address| id == node.id || *address != node.endpoint);
        addresses.insert(node.id, node.endpoint.clone());
        let first = addresses.keys().next() == Some(&node.id);
        node.id == MASTER || (first && version::pops(node.version))
    }

    fn put(&mut self, topic: &str, queues: QueueData) {
        let brokers = self.topics.entry(Box::from(topic)).or_default();
        brokers.insert(queues.broker_name.clone(), queues);
    }

    /// A broker is gone. What it said of its topics stays while another one of its name is there.
    pub(super) fn unregister(&mut self, node: &Node) {
        let Some(addresses) = self.brokers.get_mut(&node.name) else { return };
        addresses.remove(&node.id);
        if addresses.is_empty() {
            self.brokers.remove(&node.name);
            self.forget(|_, broker| *broker == node.name);
        }
    }

    /// Deletes a topic (216).
    pub(super) fn delete_topic(&mut self, topic: &str) {
        self.topics.remove(topic);
    }

    /// Forgets that one broker name has a topic.
    pub(super) fn forget_topic(&mut self, topic: &str, broker: &str) {
        self.forget(|name, found| name == topic && **found == *broker);
    }

    fn forget(&mut self, gone: impl Fn(&str, &Arc<str>) -> bool) {
        self.topics.retain(|topic, brokers| {
            brokers.retain(|broker, _| !gone(topic, broker));
            !brokers.is_empty()
        });
    }

    /// Whether the nameserver knows that a broker name has this topic.
    pub(super) fn knows(&self, topic: &str, broker: &str) -> bool {
        self.topics.get(topic).is_some_and(|brokers| brokers.contains_key(broker))
    }

    /// Sets or takes away a topic's order configuration, as `broker-a:4;broker-b:4`.
    pub(super) fn order(&mut self, topic: &str, config: Option<&str>) {
        match config {
            Some(config) => self.orders.insert(Box::from(topic), config.to_owned()),
            None => self.orders.remove(topic),
        };
    }

    /// Lets one nameserver not know a topic, or know it again.
    pub(super) fn hear(&mut self, at: ListenerId, topic: &str, knows: bool) {
        let key = (at, Box::from(topic));
        match knows {
            true => self.unheard.remove(&key),
            false => self.unheard.insert(key),
        };
    }

    /// Lets every nameserver give this body as the route of a topic.
    pub(super) fn script(&mut self, topic: &str, body: Option<Bytes>) {
        match body {
            Some(body) => self.scripted.insert(Box::from(topic), body),
            None => self.scripted.remove(topic),
        };
    }

    /// What is said because a test wants it so.
    pub(super) fn instead(
        &self,
        at: ListenerId,
        caller: &Caller,
        request: &Request,
    ) -> Option<Answer> {
        let Request::Route(ask) = request else { return None };
        if self.unheard.contains(&(at, Box::from(&*ask.topic))) {
            return Some(nameserver::unknown(caller, &ask.topic));
        }
        self.scripted.get(&*ask.topic).map(|body| Answer::body(body.clone()))
    }

    /// `None` unless a broker that is there has the topic (`pickupTopicRouteData`).
    pub(super) fn route(&self, cluster: &Arc<str>, topic: &str) -> Option<RouteBody> {
        let queues: Vec<QueueData> = self.topics.get(topic)?.values().cloned().collect();
        let names = queues.iter().map(|queues| &queues.broker_name);
        let brokers: Vec<BrokerData> =
            names.filter_map(|name| self.broker(cluster, name)).collect();
        let order_conf = self.orders.get(topic).cloned();
        (!brokers.is_empty()).then_some(RouteBody {
            queues,
            brokers,
            order_conf,
            refused: Vec::new(),
        })
    }

    fn broker(&self, cluster: &Arc<str>, name: &Arc<str>) -> Option<BrokerData> {
        let addresses = self.brokers.get(name)?.clone();
        Some(BrokerData { cluster: cluster.clone(), broker_name: name.clone(), addresses })
    }

    pub(super) fn cluster_info(&self, cluster: &Arc<str>) -> ClusterInfo {
        let names = self.brokers.keys();
        let brokers =
            names.clone().filter_map(|name| Some((name.to_string(), self.broker(cluster, name)?)));
        let brokers: BTreeMap<String, BrokerData> = brokers.collect();
        let mut clusters = BTreeMap::new();
        if !brokers.is_empty() {
            clusters.insert(cluster.to_string(), names.map(|name| name.to_string()).collect());
        }
        ClusterInfo { brokers, clusters }
    }

    pub(super) fn topic_list(&self) -> TopicList {
        let topics = self.topics.keys().map(|name| name.to_string()).collect();
        TopicList { broker_address: None, topics }
    }
}
