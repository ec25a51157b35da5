//! A broker's topics, and how a send makes new ones (`TopicConfigManager`).

use std::collections::BTreeMap;

use rocketry_core::body;
use rocketry_core::frame::version;

use super::config::{ClusterConfig, TopicConfig};
use super::queue::QueueLog;

/// The topic whose queues and permission automatic topics inherit.
pub(super) const TEMPLATE: &str = "TBW102";
pub(super) const RETRY_PREFIX: &str = "%RETRY%";
pub(super) const DEAD_LETTER_PREFIX: &str = "%DLQ%";
/// Where messages wait for their time, a queue for each delay level.
pub(super) const SCHEDULE: &str = "SCHEDULE_TOPIC_XXXX";

pub(super) const INHERIT: u32 = 1;
pub(super) const WRITE: u32 = 2;
pub(super) const READ: u32 = 4;

#[derive(Debug, Default)]
pub(super) struct Topic {
    pub(super) read_queues: u32,
    pub(super) write_queues: u32,
    pub(super) perm: u32,
    pub(super) sys_flag: i32,
    pub(super) order: bool,
    /// `SINGLE_TAG`, or whatever an admin wrote.
    filter_type: Box<str>,
    pub(super) attributes: BTreeMap<String, String>,
    queues: Vec<QueueLog>,
}

/// `RWX`, with `-` for what is not permitted (`PermName.perm2String`).
fn perm_letters(perm: u32) -> String {
    let letter = |bit: u32, letter: char| if perm & bit == 0 { '-' } else { letter };
    [letter(READ, 'R'), letter(WRITE, 'W'), letter(INHERIT, 'X')].iter().collect()
}

impl Topic {
    fn configure(&mut self, config: &body::TopicConfig) {
        self.read_queues = u32::try_from(config.read_queues).unwrap_or(0);
        self.write_queues = u32::try_from(config.write_queues).unwrap_or(0);
        self.perm = config.perm as u32;
        self.sys_flag = config.topic_sys_flag;
        self.order = config.order;
        self.filter_type = match &*config.filter_type {
            "" => Box::from("SINGLE_TAG"),
            other => Box::from(other),
        };
        self.attributes.clone_from(&config.attributes);
        let count = self.read_queues.max(self.write_queues) as usize;
        if self.queues.len() < count {
            self.queues.resize_with(count, QueueLog::default);
        }
    }

    /// Its configuration as admin tools see it.
    pub(super) fn config(&self, name: &str) -> body::TopicConfig {
        body::TopicConfig {
            attributes: self.attributes.clone(),
            order: self.order,
            perm: self.perm as i32,
            read_queues: self.read_queues as i32,
            filter_type: self.filter_type.to_string(),
            topic_name: name.to_owned(),
            topic_sys_flag: self.sys_flag,
            write_queues: self.write_queues as i32,
        }
    }

    /// The same as Java's remarks write it (`TopicConfig.toString`).
    pub(super) fn describe(&self, server: i32, name: &str) -> String {
        let attributes: Vec<String> =
            self.attributes.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let attributes = match version::pops(server) {
            true => format!(", attributes={{{}}}", attributes.join(", ")),
            false => String::new(),
        };
        format!(
            "TopicConfig [topicName={name}, readQueueNums={}, writeQueueNums={}, perm={}, \
             topicFilterType={}, topicSysFlag={}, order={}{attributes}]",
            self.read_queues,
            self.write_queues,
            perm_letters(self.perm),
            self.filter_type,
            self.sys_flag,
            self.order
        )
    }

    fn count(&self) -> usize {
        self.read_queues.max(self.write_queues) as usize
    }

    /// The queue of this number, where either producers or consumers see it.
    pub(super) fn queue(&self, id: i32) -> Option<&QueueLog> {
        let id = usize::try_from(id).ok()?;
        self.queues.get(id).filter(|_| id < self.count())
    }

    pub(super) fn queue_mut(&mut self, id: i32) -> Option<&mut QueueLog> {
        let id = usize::try_from(id).ok()?;
        let count = self.count();
        self.queues.get_mut(id).filter(|_| id < count)
    }

    /// The logs of all its queues.
    pub(super) fn logs(&self) -> impl Iterator<Item = &QueueLog> {
        self.queues.iter()
    }

    /// Messages its queues ever got.
    pub(super) fn stored(&self) -> u64 {
        self.queues.iter().map(QueueLog::max).sum()
    }
}

#[derive(Debug, Default)]
pub(super) struct Topics {
    table: BTreeMap<Box<str>, Topic>,
    /// Those made or changed since [`Self::take_changed`], for the nameserver and the slaves.
    changed: Vec<Box<str>>,
}

impl Topics {
    pub(super) fn new(config: &ClusterConfig) -> Self {
        let mut topics = Self::default();
        if config.auto_create_topics {
            let queues = config.default_queues;
            topics.put(TEMPLATE, queues, queues, READ | WRITE | INHERIT);
        }
        topics.put(&format!("{}_REPLY_TOPIC", config.cluster), 1, 1, READ | WRITE);
        for topic in &config.topics {
            topics.create(topic);
        }
        topics
    }

    /// Makes a topic or changes its queues and permission; all else, and stored messages, stay.
    pub(super) fn create(&mut self, topic: &TopicConfig) {
        self.put(&topic.name, topic.read_queues, topic.write_queues, topic.perm);
    }

    /// Makes a topic or changes all that can be.
    pub(super) fn set(&mut self, config: &body::TopicConfig) {
        let name: Box<str> = Box::from(&*config.topic_name);
        self.changed.push(name.clone());
        self.table.entry(name).or_default().configure(config);
    }

    pub(super) fn delete(&mut self, name: &str) -> bool {
        self.changed.retain(|changed| &**changed != name);
        self.table.remove(name).is_some()
    }

    fn put(&mut self, name: &str, read: u32, write: u32, perm: u32) {
        let new = || body::TopicConfig::new(name, 0);
        let config = self.find(name).map_or_else(new, |topic| topic.config(name));
        let (read_queues, write_queues) = (read as i32, write as i32);
        self.set(&body::TopicConfig { read_queues, write_queues, perm: perm as i32, ..config });
    }

    pub(super) fn find(&self, name: &str) -> Option<&Topic> {
        self.table.get(name)
    }

    pub(super) fn find_mut(&mut self, name: &str) -> Option<&mut Topic> {
        self.table.get_mut(name)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Topic)> {
        self.table.iter().map(|(name, topic)| (&**name, topic))
    }

    /// Whether any was made or changed since then.
    pub(super) const fn has_changed(&self) -> bool {
        !self.changed.is_empty()
    }

    /// The names of topics made or changed since the last call.
    pub(super) fn take_changed(&mut self) -> Vec<Box<str>> {
        std::mem::take(&mut self.changed)
    }

    /// Makes sure that a topic of the broker's own exists (`createTopicInSendMessageBackMethod`).
    pub(super) fn ensure(&mut self, name: &str, queues: u32, perm: u32) {
        if self.find(name).is_none() {
            self.put(name, queues, queues, perm);
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
