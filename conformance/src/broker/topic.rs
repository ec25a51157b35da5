//! A broker's topics, and how a send makes new ones (`TopicConfigManager`).

use std::collections::BTreeMap;

use rocketry_core::name::Topic as Name;

use super::config::{ClusterConfig, TopicConfig};
use super::queue::QueueLog;

/// The topic whose queues and permission automatic topics inherit.
pub(super) const TEMPLATE: &str = "TBW102";
const RETRY_PREFIX: &str = "%RETRY%";

pub(super) const INHERIT: u32 = 1;
pub(super) const WRITE: u32 = 2;
pub(super) const READ: u32 = 4;

#[derive(Debug, Default)]
pub(super) struct Topic {
    pub(super) read_queues: u32,
    pub(super) write_queues: u32,
    pub(super) perm: u32,
    queues: Vec<QueueLog>,
}

impl Topic {
    fn configure(&mut self, read_queues: u32, write_queues: u32, perm: u32) {
        (self.read_queues, self.write_queues, self.perm) = (read_queues, write_queues, perm);
        let count = read_queues.max(write_queues) as usize;
        if self.queues.len() < count {
            self.queues.resize_with(count, QueueLog::default);
        }
    }

    /// The queue of this number, where either producers or consumers see it.
    pub(super) fn queue(&self, id: i32) -> Option<&QueueLog> {
        let id = usize::try_from(id).ok()?;
        self.queues.get(id).filter(|_| id < self.read_queues.max(self.write_queues) as usize)
    }

    /// Messages its queues ever got.
    pub(super) fn stored(&self) -> u64 {
        self.queues.iter().map(QueueLog::max).sum()
    }

    pub(super) fn queue_mut(&mut self, id: i32) -> Option<&mut QueueLog> {
        let id = usize::try_from(id).ok()?;
        let count = self.read_queues.max(self.write_queues) as usize;
        self.queues.get_mut(id).filter(|_| id < count)
    }
}

#[derive(Debug, Default)]
pub(super) struct Topics(BTreeMap<Box<str>, Topic>);

impl Topics {
    pub(super) fn new(config: &ClusterConfig) -> Self {
        let mut topics = Self::default();
        if config.auto_create_topics {
            topics.put(
                TEMPLATE,
                config.default_queues,
                config.default_queues,
                READ | WRITE | INHERIT,
            );
        }
        for topic in &config.topics {
            topics.create(topic);
        }
        topics
    }

    /// Makes a topic or changes its queues and permission; stored messages stay.
    pub(super) fn create(&mut self, topic: &TopicConfig) {
        self.put(&topic.name, topic.read_queues, topic.write_queues, topic.perm);
    }

    pub(super) fn delete(&mut self, name: &str) {
        self.0.remove(name);
    }

    fn put(&mut self, name: &str, read: u32, write: u32, perm: u32) -> &mut Topic {
        let topic = self.0.entry(Box::from(name)).or_default();
        topic.configure(read, write, perm);
        topic
    }

    pub(super) fn find(&self, name: &str) -> Option<&Topic> {
        self.0.get(name)
    }

    pub(super) fn find_mut(&mut self, name: &str) -> Option<&mut Topic> {
        self.0.get_mut(name)
    }

    /// Makes sure that a group's retry topic exists, with one queue, as each heartbeat does.
    pub(super) fn retry_of(&mut self, group: &str) {
        let name = format!("{RETRY_PREFIX}{group}");
        if self.find(&name).is_none() {
            self.put(&name, 1, 1, READ | WRITE);
        }
    }

    /// Makes the topic a send names from its template, or a retry topic; `false` when it may not
    /// (`createTopicInSendMessageMethod`).
    pub(super) fn auto_create(&mut self, name: &str, template: &str, queues: i32) -> bool {
        let inherited = self.find(template).filter(|t| t.perm & INHERIT != 0);
        if let Some(template) = inherited {
            let queues = u32::try_from(queues).unwrap_or(0).min(template.write_queues);
            let perm = template.perm & !INHERIT;
            self.put(name, queues, queues, perm);
            return true;
        }
        let retry = name.starts_with(RETRY_PREFIX);
        if retry {
            self.put(name, 1, 1, READ | WRITE);
        }
        retry
    }
}

/// Whether a broker takes this name at all (`TopicValidator.validateTopic`).
pub(super) fn is_valid_name(name: &str) -> bool {
    name.starts_with(RETRY_PREFIX) || Name::new(name).is_ok()
}

/// Whether this is one of the broker's own topics that clients may not send to
/// (`TopicValidator.isNotAllowedSendTopic`).
pub(super) fn is_forbidden(name: &str) -> bool {
    matches!(
        name,
        "SCHEDULE_TOPIC_XXXX"
            | "RMQ_SYS_TRANS_HALF_TOPIC"
            | "RMQ_SYS_TRANS_OP_HALF_TOPIC"
            | "TRANS_CHECK_MAX_TIME_TOPIC"
            | "SELF_TEST_TOPIC"
            | "OFFSET_MOVED_EVENT"
    )
}
