//! What tests do to a cluster from outside, and what they look at: faults, topics, messages,
//! offsets, groups.

use std::time::Duration;

use rocketry_core::frame::{RequestCode, ResponseCode};
use rocketry_core::message::RecordList;

use super::cluster::Cluster;
use super::config::{ClusterConfig, TopicConfig};
use super::node::Node;
use super::queue::QueueLog;

/// Faults.
impl Cluster {
    /// Answers the next requests of this code, to whomever they go, with these codes, one each; a
    /// SUCCESS among them lets one request pass. A send answered 10, 11 or 12 is stored.
    pub fn push_error(
        &mut self,
        code: RequestCode,
        errors: impl IntoIterator<Item = ResponseCode>,
    ) {
        self.faults.push(code, errors);
    }

    /// Lets replies to this code leave so much later; zero ends that. The request itself is done
    /// at once.
    pub fn set_delay(&mut self, code: RequestCode, by: Duration) {
        self.faults.delay(code, by);
    }

    /// Takes a broker down: its connections close and no new one stays open; its data is kept. It
    /// leaves the routes if [`ClusterConfig::hide_down_brokers`] says so.
    pub fn take_down(&mut self, broker: usize) {
        if let Some(node) = self.nodes.get_mut(broker) {
            node.down = true;
        }
        self.close_all(broker);
    }

    /// Brings a broker back.
    pub fn bring_up(&mut self, broker: usize) {
        if let Some(node) = self.nodes.get_mut(broker) {
            node.down = false;
        }
    }

    /// Closes every connection to a broker, which stays up.
    pub fn disconnect(&mut self, broker: usize) {
        self.close_all(broker);
    }

    /// Lets the messages before `offset` go, as retention does.
    pub fn expire(&mut self, broker: usize, topic: &str, queue: i32, offset: u64) {
        let topic = self.nodes.get_mut(broker).and_then(|node| node.topics.find_mut(topic));
        if let Some(log) = topic.and_then(|topic| topic.queue_mut(queue)) {
            log.expire(offset);
        }
    }
}

/// Configuration while it runs.
impl Cluster {
    /// The configuration it was made with.
    pub fn config(&self) -> &ClusterConfig {
        &self.config
    }

    /// Makes a topic on every broker, or changes its queues and permission.
    pub fn create_topic(&mut self, topic: &TopicConfig) {
        self.nodes.iter_mut().for_each(|node| node.topics.create(topic));
    }

    /// The same on one broker.
    pub fn create_topic_on(&mut self, broker: usize, topic: &TopicConfig) {
        if let Some(node) = self.nodes.get_mut(broker) {
            node.topics.create(topic);
        }
    }

    /// Deletes a topic and its messages on every broker.
    pub fn delete_topic(&mut self, topic: &str) {
        self.nodes.iter_mut().for_each(|node| node.topics.delete(topic));
    }

    /// Writes another `host:port` of a broker into routes, records and message ids: that of a
    /// proxy, say.
    pub fn set_endpoint(&mut self, broker: usize, endpoint: &str) {
        if let Some(node) = self.nodes.get_mut(broker) {
            node.move_to(endpoint);
        }
    }

    /// The `host:port` of a broker in routes.
    pub fn endpoint(&self, broker: usize) -> Option<&str> {
        self.nodes.get(broker).map(|node| node.endpoint.as_str())
    }
}

/// What there is. Brokers are numbered as in [`ClusterConfig::brokers`].
impl Cluster {
    fn log(&self, broker: usize, topic: &str, queue: i32) -> Option<&QueueLog> {
        self.nodes.get(broker)?.topics.find(topic)?.queue(queue)
    }

    /// How many requests of this code came in, answered or not.
    pub fn requests(&self, code: RequestCode) -> u64 {
        self.faults.seen(code)
    }

    /// The messages of a queue, from the first one kept on.
    pub fn messages(&self, broker: usize, topic: &str, queue: i32) -> RecordList {
        RecordList::cut(self.log(broker, topic, queue).map(QueueLog::all).unwrap_or_default())
    }

    /// The offset of a queue's first message.
    pub fn min_offset(&self, broker: usize, topic: &str, queue: i32) -> Option<u64> {
        self.log(broker, topic, queue).map(QueueLog::min)
    }

    /// The offset after a queue's last message.
    pub fn max_offset(&self, broker: usize, topic: &str, queue: i32) -> Option<u64> {
        self.log(broker, topic, queue).map(QueueLog::max)
    }

    /// How many messages a topic got, over all brokers and queues.
    pub fn stored(&self, topic: &str) -> u64 {
        let queues = |node: &Node| node.topics.find(topic).map_or(0, |topic| topic.stored());
        self.nodes.iter().map(queues).sum()
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
