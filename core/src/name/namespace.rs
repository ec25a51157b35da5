//! The namespace that the topics and groups of a client lie in, before their names
//! (`NamespaceUtil`): `south%orders`, `%RETRY%south%billing`. It is put before names where they
//! enter the engine, and taken from those that peers tell; all that an application sees is without.

use std::sync::Arc;

use super::{DEAD_LETTERS, GROUP_MAX, Group, NameError, QueueName, RETRY, TOPIC_MAX, Topic, check};
use crate::config::Config;

/// A name as brokers know it, where that is another one.
type Wire = Arc<Arc<str>>;

/// Between a namespace and a name.
const SEPARATOR: char = '%';
/// Longest name of a topic that belongs to a group (`RETRY_OR_DLQ_TOPIC_MAX_LENGTH`).
const OF_GROUP_MAX: usize = 255;

/// What brokers and clients have for themselves, in no namespace (`TopicValidator`'s topics of the
/// system, and the group that consumers send in).
const OWN: [&str; 11] = [
    "TBW102",
    "SCHEDULE_TOPIC_XXXX",
    "BenchmarkTest",
    "RMQ_SYS_TRANS_HALF_TOPIC",
    "RMQ_SYS_TRACE_TOPIC",
    "RMQ_SYS_TRANS_OP_HALF_TOPIC",
    "TRANS_CHECK_MAX_TIME_TOPIC",
    "SELF_TEST_TOPIC",
    "OFFSET_MOVED_EVENT",
    "CHECKPOINT_TOPIC",
    "CLIENT_INNER_PRODUCER",
];
/// What others of them begin with.
const OWN_BEGIN: [&str; 2] = ["rmq_sys_", "CID_RMQ_SYS_"];

/// Puts a client's namespace before names, once, and takes it from them; does nothing where the
/// client has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Namespace(Option<Arc<str>>);

impl Namespace {
    /// That of a client with these settings ([`Config::namespace`]).
    pub fn of(config: &Config) -> Self {
        Self(config.namespace.as_deref().map(Arc::from))
    }

    /// The topic in this namespace, whatever its name is elsewhere. One that has the namespace
    /// before its name already gets no second one.
    pub fn topic(&self, topic: &Topic) -> Topic {
        let (text, wire) = self.put(&topic.text, topic.wire.as_ref());
        Topic { text, wire }
    }

    /// The group in this namespace, as [`topic`](Self::topic).
    pub fn group(&self, group: &Group) -> Group {
        let (text, wire) = self.put(&group.text, group.wire.as_ref());
        Group { text, wire }
    }

    /// The queue in this namespace, as [`topic`](Self::topic).
    pub fn queue(&self, queue: &QueueName) -> QueueName {
        let QueueName { topic, broker, queue } = queue;
        QueueName { topic: self.topic(topic), broker: broker.clone(), queue: *queue }
    }

    /// As [`topic`](Self::topic).
    ///
    /// # Errors
    ///
    /// Where the name is longer than brokers take with the namespace before it.
    pub fn checked_topic(&self, topic: Topic) -> Result<Topic, NameError> {
        if self.0.is_none() && topic.wire.is_none() {
            return Ok(topic);
        }
        let topic = self.topic(&topic);
        let limit = if topic.is_of_group() { OF_GROUP_MAX } else { TOPIC_MAX };
        if topic.wire.is_some() {
            check("topic", topic.wire(), limit)?;
        }
        Ok(topic)
    }

    /// As [`group`](Self::group).
    ///
    /// # Errors
    ///
    /// As [`checked_topic`](Self::checked_topic).
    pub fn checked_group(&self, group: &Group) -> Result<Group, NameError> {
        if self.0.is_none() && group.wire.is_none() {
            return Ok(group.clone());
        }
        let group = self.group(group);
        if group.wire.is_some() {
            check("group", group.wire(), GROUP_MAX)?;
        }
        Ok(group)
    }

    /// What a message's topic is known by lies in this namespace, if it is one.
    ///
    /// # Errors
    ///
    /// Where it lies in another one, or in none: the message was made with other
    /// [limits](crate::message::MessageLimits::of).
    pub(crate) fn holds(&self, topic: &Topic) -> Result<(), NameError> {
        let Some(namespace) = self.0.as_ref().filter(|_| !is_own_of_brokers(&topic.text)) else {
            return Ok(());
        };
        let (_, known) = parts(topic.wire());
        if topic.wire.is_some() && without(namespace, known).is_some() {
            return Ok(());
        }
        let (given, namespace) = (topic.wire().to_string(), namespace.clone());
        Err(NameError::Namespace { what: "topic", given, namespace })
    }

    /// The topic that a peer tells by the name that it knows.
    pub(crate) fn told_topic(&self, wire: &str) -> Result<Topic, NameError> {
        check("topic", wire, OF_GROUP_MAX)?;
        let topic = self.topic(&Topic::plain(wire));
        self.is_own("topic", topic.wire(), wire).map(|()| topic)
    }

    /// The group that a peer tells by the name that it knows.
    pub(crate) fn told_group(&self, wire: &str) -> Result<Group, NameError> {
        let group = self.group(&Group::new(wire)?);
        self.is_own("group", group.wire(), wire).map(|()| group)
    }

    /// The queue that a store tells by the names that brokers know; `None`: it is of another
    /// namespace.
    pub(crate) fn told(&self, queue: QueueName) -> Option<QueueName> {
        let QueueName { topic, broker, queue } = queue;
        let topic = match &self.0 {
            None => topic,
            Some(_) => self.told_topic(&topic.text).ok()?,
        };
        Some(QueueName { topic, broker, queue })
    }

    /// What a peer told would get this name here, which is another one if it has no namespace.
    fn is_own(&self, what: &'static str, here: &str, told: &str) -> Result<(), NameError> {
        match &self.0 {
            Some(namespace) if here != told => {
                let (given, namespace) = (told.to_owned(), namespace.clone());
                Err(NameError::Namespace { what, given, namespace })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// A name without the namespace, and with it where that is another one.
    fn put(&self, text: &Arc<str>, wire: Option<&Wire>) -> (Arc<str>, Option<Wire>) {
        let Some(namespace) = self.0.as_deref().filter(|_| !is_own_of_brokers(text)) else {
            return (text.clone(), None);
        };
        let (begin, rest) = parts(text);
        // One that is in it already may begin with its name once more.
        let known = wire.filter(|wire| {
            let (of, named) = parts(wire);
            of == begin && without(namespace, named) == Some(rest)
        });
        if let Some(wire) = known {
            return (text.clone(), Some(wire.clone()));
        }
        if let Some(bare) = without(namespace, rest).filter(|bare| !bare.is_empty()) {
            return (Arc::from(format!("{begin}{bare}")), Some(Arc::new(text.clone())));
        }
        let wire = format!("{begin}{namespace}{SEPARATOR}{rest}");
        (text.clone(), Some(Arc::new(wire.into())))
    }
}

fn is_own_of_brokers(name: &str) -> bool {
    OWN.contains(&name) || OWN_BEGIN.iter().any(|begin| name.starts_with(begin))
}

/// What tells that a topic belongs to a group, and the rest.
fn parts(name: &str) -> (&str, &str) {
    let of_group = [RETRY, DEAD_LETTERS].into_iter().find(|begin| name.starts_with(begin));
    name.split_at(of_group.map_or(0, str::len))
}

fn without<'a>(namespace: &str, name: &'a str) -> Option<&'a str> {
    name.strip_prefix(namespace)?.strip_prefix(SEPARATOR)
}

/// A name that brokers know, without the namespace of the name `of`, if it is in that.
fn bare<'a>(of: (&str, &str), wire: &'a str) -> &'a str {
    let (text, known) = of;
    let (_, named) = parts(known);
    let length = known.len().saturating_sub(text.len());
    named.get(..length).and_then(|begin| wire.strip_prefix(begin)).unwrap_or(wire)
}

impl Topic {
    /// The name of another topic that brokers know, without the namespace of this one.
    pub(crate) fn bare<'a>(&self, wire: &'a str) -> &'a str {
        bare((&self.text, self.wire()), wire)
    }

    /// The same under the name that brokers know, for stores that several clients may share.
    pub(crate) fn known(&self) -> Self {
        Self { text: self.wire().clone(), wire: None }
    }
}

impl QueueName {
    /// As [`Topic::known`].
    pub(crate) fn known(&self) -> Self {
        let Self { topic, broker, queue } = self;
        Self { topic: topic.known(), broker: broker.clone(), queue: *queue }
    }
}

impl Group {
    /// As [`Topic::bare`].
    pub(crate) fn bare<'a>(&self, wire: &'a str) -> &'a str {
        bare((&self.text, self.wire()), wire)
    }

    /// As [`Topic::known`].
    pub(crate) fn known(&self) -> Self {
        Self { text: self.wire().clone(), wire: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn south() -> Namespace {
        Namespace(Some("south".into()))
    }

    fn topic(name: &str) -> Topic {
        Topic::new(name).unwrap()
    }

    #[test]
    fn life_09_a_name_is_wrapped_once_and_shown_without_its_namespace() {
        for (given, shown, wire) in [
            ("orders", "orders", "south%orders"),
            ("south%orders", "orders", "south%orders"),
            ("north%orders", "north%orders", "south%north%orders"),
            ("%RETRY%g", "%RETRY%g", "%RETRY%south%g"),
            ("%RETRY%south%g", "%RETRY%g", "%RETRY%south%g"),
            ("%DLQ%g", "%DLQ%g", "%DLQ%south%g"),
            ("south%", "south%", "south%south%"),
            ("TBW102", "TBW102", "TBW102"),
            ("SCHEDULE_TOPIC_XXXX", "SCHEDULE_TOPIC_XXXX", "SCHEDULE_TOPIC_XXXX"),
            ("rmq_sys_wheel_timer", "rmq_sys_wheel_timer", "rmq_sys_wheel_timer"),
        ] {
            let put = south().topic(&topic(given));
            assert_eq!((put.as_str(), &**put.wire()), (shown, wire), "{given}");
            // Once more, and by its own name from elsewhere: the same.
            for again in [put.clone(), topic(shown)] {
                let again = south().topic(&again);
                assert_eq!((again.as_str(), &**again.wire()), (shown, wire), "{given}");
            }
            assert_eq!(south().told_topic(wire).unwrap().as_str(), shown);
            let plain = Namespace::default().topic(&put);
            assert_eq!(&**plain.wire(), shown, "another client has no namespace");
        }
        let group = south().group(&Group::new("billing").unwrap());
        assert_eq!((group.as_str(), &**group.wire()), ("billing", "south%billing"));
        let retry = Topic::retry_of(&group);
        assert_eq!((retry.as_str(), &**retry.wire()), ("%RETRY%billing", "%RETRY%south%billing"));
        for of in [&retry, &south().topic(&topic("orders"))] {
            assert_eq!((of.bare("south%orders"), of.bare("orders")), ("orders", "orders"));
        }
        assert_eq!(topic("orders").bare("south%orders"), "south%orders");
        // What is called so within the namespace stays that, however often it comes back.
        let twice = south().topic(&topic("south%south%orders"));
        for put in [&twice, &south().topic(&twice)] {
            assert_eq!((put.as_str(), &**put.wire()), ("south%orders", "south%south%orders"));
        }
        assert_eq!(group.bare("south%orders"), "orders");
    }

    #[test]
    fn a_message_that_was_made_for_another_namespace_is_none_of_ours() {
        let held = |topic: &Topic| south().holds(topic).map_err(|error| error.to_string());
        for ours in ["orders", "%RETRY%g", "TBW102", "south%orders"] {
            assert_eq!(held(&south().topic(&topic(ours))), Ok(()), "{ours}");
        }
        let refused = held(&topic("orders")).unwrap_err();
        assert_eq!(refused, "\"orders\" is no topic of the namespace south");
        assert!(held(&Namespace(Some("north".into())).topic(&topic("orders"))).is_err());
        assert_eq!(Namespace::default().holds(&topic("orders")), Ok(()));
    }

    #[test]
    fn what_a_peer_tells_of_another_namespace_is_none_of_ours() {
        let foreign = south().told_topic("orders").unwrap_err();
        assert_eq!(foreign.to_string(), "\"orders\" is no topic of the namespace south");
        assert!(south().told_group("north%g").is_err());
        assert_eq!(Namespace::default().told_topic("north%t").unwrap().as_str(), "north%t");
    }

    #[test]
    fn life_09_a_name_that_is_too_long_with_its_namespace_is_refused() {
        let too_long = |name: &Result<(), NameError>| match name {
            Err(NameError::TooLong { length, limit, .. }) => length > limit,
            _ => false,
        };
        assert!(south().checked_topic(topic(&"t".repeat(121))).is_ok());
        assert!(too_long(&south().checked_topic(topic(&"t".repeat(122))).map(drop)));
        let group = |length| Group::new("g".repeat(length)).unwrap();
        assert!(south().checked_group(&group(114)).is_ok());
        assert!(too_long(&south().checked_group(&group(115)).map(drop)));
        let retry = Topic::retry_of(&group(114));
        assert!(south().checked_topic(retry).is_ok());
    }
}
