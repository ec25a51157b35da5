//! Topics as admin tools make, change, delete and list them on a broker (17, 18, 21, 215, 351), and
//! its settings (26): `AdminBrokerProcessor`.

use std::collections::BTreeMap;

use bytes::Bytes;
use rocketry_core::body::{TopicConfig, TopicConfigList, TopicConfigTable};
use rocketry_core::frame::request::CreateTopicRequest;
use rocketry_core::frame::{Pairs, ReplyFields, RequestCode, ResponseCode, version};

use super::answer::{Answer, Caller, invalid};
use super::config::ClusterConfig;
use super::node::{MASTER, Node};
use super::topic_name;

/// `GET_TOPIC_CONFIG`, for which the core has no fields: they are read as they are.
pub(super) const TOPIC_CONFIG: RequestCode = RequestCode(351);

/// What a topic's attributes may be (`TopicAttributes`): name, values, and whether they can be
/// changed later.
const ATTRIBUTES: [(&str, &[&str], bool); 3] = [
    ("queue.type", &["BatchCQ", "SimpleCQ"], false),
    ("cleanup.policy", &["DELETE", "COMPACTION"], false),
    ("message.type", &["UNSPECIFIED", "NORMAL", "FIFO", "DELAY", "TRANSACTION", "MIXED"], true),
];

fn refuse(code: ResponseCode, remark: impl AsRef<str>) -> Result<(), Answer> {
    Err(Answer::error(code, remark))
}

/// The answer to a topic that is made or changed, or is not.
fn told(done: Result<(), Answer>) -> Answer {
    done.map_or_else(|refused| refused, |()| Answer::done())
}

/// Splits `+k=v,-k` (`AttributeParser.parseToMap`).
fn parse(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut read = BTreeMap::new();
    for item in text.split(',').filter(|item| !item.is_empty()) {
        let (key, value) = match item.split_once('=') {
            Some((key, _)) if !key.contains('+') => {
                return Err(format!("add/alter attribute format is wrong: {key}"));
            }
            Some((key, value)) => (key, value),
            None if !item.contains('-') => {
                return Err(format!("delete attribute format is wrong: {item}"));
            }
            None => (item, ""),
        };
        if read.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(format!("key duplication: {key}"));
        }
    }
    Ok(read)
}

/// The attributes of a topic after a change; of a new one, `old` is absent
/// (`AttributeUtil.alterCurrentAttributes`).
fn altered(
    old: Option<&BTreeMap<String, String>>,
    change: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, String> {
    let mut new = old.cloned().unwrap_or_default();
    for (signed, value) in change {
        let (adds, name) = match (signed.strip_prefix('+'), signed.strip_prefix('-')) {
            (Some(name), _) => (true, name),
            (None, Some(name)) => (false, name),
            (None, None) => return Err(format!("wrong format key: {signed}")),
        };
        if !adds && old.is_none() {
            return Err(format!(
                "only add attribute is supported while creating topic. key: {name}"
            ));
        }
        if !adds && !new.contains_key(name) {
            return Err(format!("attempt to delete a nonexistent key: {name}"));
        }
        let Some((_, values, changes)) = ATTRIBUTES.iter().find(|(known, ..)| *known == name)
        else {
            return Err(format!("unsupported key: {name}"));
        };
        if old.is_some() && !changes {
            return Err(format!("attempt to update an unchangeable attribute. key: {name}"));
        }
        if adds && !values.contains(&value.as_str()) {
            return Err(format!("value is not in set: {values:?}"));
        }
        if adds {
            new.insert(name.to_owned(), value.clone());
        } else {
            new.remove(name);
        }
    }
    Ok(new)
}

impl Node {
    /// Makes a topic or changes it (17, `updateAndCreateTopic`).
    pub(super) fn create_topic(&mut self, caller: &Caller, request: &CreateTopicRequest) -> Answer {
        let attributes = request.attributes.as_deref().unwrap_or_default();
        // Older brokers have never heard of attributes.
        let attributes = if version::pops(caller.server) { attributes } else { "" };
        let attributes = match parse(attributes) {
            Ok(attributes) => attributes,
            Err(remark) => return Answer::error(ResponseCode::SYSTEM_ERROR, remark),
        };
        if let Err(refused) = check(caller.server, &request.topic, &attributes) {
            return refused;
        }
        told(self.put_topic(TopicConfig {
            attributes,
            order: request.order,
            perm: request.perm,
            read_queues: request.read_queues,
            filter_type: request.filter_type.to_string(),
            topic_name: request.topic.to_string(),
            topic_sys_flag: request.topic_sys_flag.unwrap_or(0),
            write_queues: request.write_queues,
        }))
    }

    /// The same for several (18, `updateAndCreateTopicList`). None is made when one is refused for
    /// its name, or, as Java goes, when one is there as it should be.
    pub(super) fn create_topics(&mut self, caller: &Caller, body: &Bytes) -> Answer {
        if caller.server < version::V5_3_0 {
            return Answer::unsupported(caller.code);
        }
        let list = match TopicConfigList::parse(body) {
            Ok(list) => list.topics,
            Err(error) => return Answer::error(ResponseCode::SYSTEM_ERROR, error.to_string()),
        };
        for config in &list {
            let name = &config.topic_name;
            if let Err(refused) = check(caller.server, name, &config.attributes) {
                return refused;
            }
            if self.topics.find(name).is_some_and(|topic| topic.config(name) == *config) {
                return Answer::done();
            }
        }
        told(list.into_iter().try_for_each(|config| self.put_topic(config)))
    }

    /// Takes a configuration whose attributes are changes to those that are there.
    fn put_topic(&mut self, mut config: TopicConfig) -> Result<(), Answer> {
        let old = self.topics.find(&config.topic_name).map(|topic| &topic.attributes);
        match altered(old, &config.attributes) {
            Ok(attributes) => config.attributes = attributes,
            Err(remark) => return refuse(ResponseCode::SYSTEM_ERROR, remark),
        }
        self.topics.set(&config);
        Ok(())
    }

    /// Deletes a topic, its messages and all offsets in it (215). One that is not there is deleted
    /// just as well. Name servers are told by the admin tool, with 216.
    pub(super) fn delete_topic(&mut self, caller: &Caller, topic: &str) -> Answer {
        if topic.trim().is_empty() {
            return Answer::error(invalid(caller.server), "The specified topic is blank.");
        }
        if let Err(refused) = check_own(caller.server, topic) {
            return refused;
        }
        self.drop_topic(topic);
        Answer::fields(ReplyFields::None)
    }

    /// Every topic of this broker (21).
    pub(super) fn all_topics(&self) -> Answer {
        let topics = self.topics.iter().map(|(name, topic)| (name.to_owned(), topic.config(name)));
        Answer::body(Bytes::from(TopicConfigTable { topics: topics.collect() }.to_json()))
    }

    /// The settings of this broker, as far as they mean anything here (26, `getBrokerConfig`).
    pub(super) fn settings(&self, config: &ClusterConfig) -> Answer {
        let role = if self.id == MASTER { "ASYNC_MASTER" } else { "SLAVE" };
        let lines = [
            ("autoCreateTopicEnable", config.auto_create_topics.to_string()),
            ("brokerClusterName", config.cluster.clone()),
            ("brokerId", self.id.to_string()),
            ("brokerName", self.name.to_string()),
            ("brokerPermission", self.perm.to_string()),
            ("brokerRole", role.to_owned()),
            ("defaultTopicQueueNums", config.default_queues.to_string()),
            ("enablePropertyFilter", config.property_filter.to_string()),
            ("maxMessageSize", config.body_limit.to_string()),
            ("slaveReadEnable", config.slave_reads.to_string()),
        ];
        let text: String = lines.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        Answer::body(Bytes::from(text))
    }

    /// Its version, of all that real ones tell of themselves (28, `getBrokerRuntimeInfo`).
    pub(super) fn figures(&self, caller: &Caller) -> Answer {
        let text = format!("{{\"table\":{{\"brokerVersion\":\"{}\"}}}}", caller.server);
        Answer::body(Bytes::from(text))
    }

    /// One topic's configuration (351, `getTopicConfig`).
    pub(super) fn topic_config(&self, caller: &Caller, fields: &Pairs) -> Answer {
        if !version::pops(caller.server) {
            return Answer::unsupported(caller.code);
        }
        let topic = fields.iter().find(|(name, _)| &**name == "topic").map(|(_, topic)| &**topic);
        let name = topic.unwrap_or_default();
        match self.topics.find(name) {
            Some(topic) => Answer::body(Bytes::from(topic.config(name).to_json())),
            None => Answer::error(
                ResponseCode::TOPIC_NOT_EXIST,
                format!("No topic in this broker. topic: {name}"),
            ),
        }
    }
}

/// Whether a topic may have this name, and these changes to its attributes.
fn check(server: i32, topic: &str, attributes: &BTreeMap<String, String>) -> Result<(), Answer> {
    topic_name::check(server, topic)?;
    check_own(server, topic)?;
    // `enableMixedMessageType` is off.
    if attributes.get("+message.type").is_some_and(|kind| kind == "MIXED") {
        let remark = "MIXED message type is not supported.";
        return refuse(invalid(server), remark);
    }
    Ok(())
}

/// `validateSystemTopicWhenUpdateTopic`
fn check_own(server: i32, topic: &str) -> Result<(), Answer> {
    if topic_name::is_system(topic) {
        let remark = format!("The topic[{topic}] is conflict with system topic.");
        return refuse(invalid(server), remark);
    }
    Ok(())
}
