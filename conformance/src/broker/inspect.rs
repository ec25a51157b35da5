//! What tests look at in a cluster: requests, topics, messages, offsets, groups.

use rocketry_core::frame::RequestCode;
use rocketry_core::message::RecordList;
use rocketry_core::time::Instant;

use super::ListenerId;
use super::cluster::Cluster;
use super::config::ClusterConfig;
use super::node::MASTER;
use super::queue::QueueLog;
use super::relay::queue_of;
use super::topic::Topic;

/// What there is. Brokers are numbered as in [`ClusterConfig::brokers`].
impl Cluster {
    fn log(&self, broker: usize, topic: &str, queue: i32) -> Option<&QueueLog> {
        self.nodes.get(broker)?.topics.find(topic)?.queue(queue)
    }

    /// The configuration it was made with.
    pub const fn config(&self) -> &ClusterConfig {
        &self.config
    }

    /// The `host:port` of a broker in routes.
    pub fn endpoint(&self, broker: usize) -> Option<&str> {
        self.nodes.get(broker).map(|node| node.endpoint.as_str())
    }

    /// How many requests of this code came in, answered or not.
    pub fn requests(&self, code: RequestCode) -> u64 {
        self.faults.seen(code)
    }

    /// How many of them came to one broker, or to the nameserver.
    pub fn requests_at(&self, at: ListenerId, code: RequestCode) -> u64 {
        self.faults.seen_at(at, code)
    }

    /// How many requests came to each server, by code.
    pub fn all_requests(&self) -> impl Iterator<Item = (ListenerId, RequestCode, u64)> {
        self.faults.all_seen()
    }

    /// How many faults still wait for a request.
    pub fn faults_left(&self) -> usize {
        self.faults.waiting()
    }

    /// Which client has a queue's lock in a group.
    pub fn lock_holder(
        &self,
        broker: usize,
        (group, topic): (&str, &str),
        queue: i32,
    ) -> Option<&str> {
        let node = self.nodes.get(broker)?;
        node.locks.holder(self.now(), group, &queue_of(node, topic, queue as u32))
    }

    /// When a broker last began anew, with all locks forgotten.
    pub fn locks_since(&self, broker: usize) -> Option<Instant> {
        self.nodes.get(broker)?.locks.since
    }

    /// The messages of a queue, from the first one kept on.
    pub fn messages(&self, broker: usize, topic: &str, queue: i32) -> RecordList {
        self.messages_from(broker, topic, queue, 0)
    }

    /// Those from an offset on.
    pub fn messages_from(&self, broker: usize, topic: &str, queue: i32, offset: u64) -> RecordList {
        let log = self.log(broker, topic, queue);
        RecordList::cut(log.map(|log| log.all_from(offset)).unwrap_or_default())
    }

    /// The offset of a queue's first message.
    pub fn min_offset(&self, broker: usize, topic: &str, queue: i32) -> Option<u64> {
        self.log(broker, topic, queue).map(QueueLog::min)
    }

    /// The offset after a queue's last message.
    pub fn max_offset(&self, broker: usize, topic: &str, queue: i32) -> Option<u64> {
        self.log(broker, topic, queue).map(QueueLog::max)
    }

    /// How many messages a topic got, over all brokers and queues; what slaves copied is not
    /// counted again.
    pub fn stored(&self, topic: &str) -> u64 {
        let masters = self.nodes.iter().filter(|node| node.id == MASTER);
        masters.filter_map(|node| node.topics.find(topic)).map(Topic::stored).sum()
    }

    /// The same at one broker.
    pub fn stored_on(&self, broker: usize, topic: &str) -> u64 {
        let found = self.nodes.get(broker).and_then(|node| node.topics.find(topic));
        found.map_or(0, Topic::stored)
    }

    /// The queues of a topic on a broker: those to read and those to write.
    pub fn queues(&self, broker: usize, topic: &str) -> Option<(u32, u32)> {
        let topic = self.nodes.get(broker)?.topics.find(topic)?;
        Some((topic.read_queues, topic.write_queues))
    }

    /// The offset a group has stored for a queue.
    pub fn committed(&self, broker: usize, group: &str, topic: &str, queue: i32) -> Option<i64> {
        self.nodes.get(broker)?.offsets.committed(group, topic, queue)
    }

    /// The client ids in a consumer group, by age of their connections.
    pub fn consumers(&self, broker: usize, group: &str) -> Vec<String> {
        self.nodes.get(broker).map(|node| node.groups.consumer_ids(group)).unwrap_or_default()
    }

    /// The client ids in a producer group, by age of their connections.
    pub fn producers(&self, broker: usize, group: &str) -> Vec<String> {
        self.nodes.get(broker).map(|node| node.groups.producer_ids(group)).unwrap_or_default()
    }

    /// How many pulls a broker holds.
    pub fn held_pulls(&self, broker: usize) -> usize {
        self.nodes.get(broker).map_or(0, |node| node.polls.len())
    }
}
