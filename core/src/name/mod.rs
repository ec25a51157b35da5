//! Names as the broker accepts them: topics, groups, and the addresses of peers.

mod namespace;

use std::cmp::Ordering;
use std::convert::Infallible;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

pub use namespace::Namespace;

/// Longest topic name, in bytes (`TopicValidator.TOPIC_MAX_LENGTH`).
pub const TOPIC_MAX: usize = 127;
/// Longest group name, in bytes (`Validators.CHARACTER_MAX_LENGTH` is 255 on the client; a broker
/// takes 120, `TopicValidator.RETRY_OR_DLQ_TOPIC_MAX_LENGTH` less the prefixes).
pub const GROUP_MAX: usize = 120;

/// Why a name was refused before anything was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// The name has no characters, or only white space.
    #[error("a {what} must not be blank")]
    Blank {
        /// What kind of name: "topic" or "group".
        what: &'static str,
    },
    /// The name is longer than brokers accept.
    #[error("a {what} has at most {limit} bytes, {given:?} has {length}")]
    TooLong {
        /// What kind of name.
        what: &'static str,
        /// The name, cut to 128 characters.
        given: String,
        /// Bytes given.
        length: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// A character outside `%`, `|`, `_`, `-`, letters and digits of ASCII
    /// (`TopicValidator.isTopicOrGroupIllegal`; CVE-2019-17572 came of not checking).
    #[error(
        "{given:?} is no {what}: a {what} has only letters, digits, '%', '|', '_' and '-', not \
         {found:?}"
    )]
    Character {
        /// What kind of name.
        what: &'static str,
        /// The name.
        given: String,
        /// The first character refused.
        found: char,
    },
    /// The name is nobody's to choose for such a group.
    #[error("{given:?} is no name for a group of {role}: {why}")]
    Reserved {
        /// Whose group: "producers" or "consumers".
        role: &'static str,
        /// The name.
        given: String,
        /// What stands against it.
        why: &'static str,
    },
    /// A peer names what is not of this client's namespace.
    #[error("{given:?} is no {what} of the namespace {namespace}")]
    Namespace {
        /// What kind of name.
        what: &'static str,
        /// The name.
        given: String,
        /// The client's namespace.
        namespace: Arc<str>,
    },
    /// An address is not `host:port` or `[ipv6]:port`, with a port from 1 to 65535.
    #[error(
        "{given:?} is not an address: write host:port or [ipv6]:port, with a port from 1 to 65535"
    )]
    Address {
        /// The text given, cut to 128 characters.
        given: String,
    },
}

impl From<Infallible> for NameError {
    /// A name that is one already can't be refused.
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// A text as it is shown.
fn cut(text: &str) -> String {
    text.chars().take(128).collect()
}

fn check(what: &'static str, name: &str, limit: usize) -> Result<(), NameError> {
    if name.trim().is_empty() {
        return Err(NameError::Blank { what });
    }
    if name.len() > limit {
        return Err(NameError::TooLong { what, given: cut(name), length: name.len(), limit });
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '%' | '|' | '_' | '-');
    match name.chars().find(|&c| !allowed(c)) {
        Some(found) => Err(NameError::Character { what, given: name.to_owned(), found }),
        None => Ok(()),
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $limit:expr) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name {
            text: Arc<str>,
            /// What brokers know it by, if that is another name: seldom, so that it is one word.
            wire: Option<Arc<Arc<str>>>,
        }

        impl $name {
            /// Checks the name and keeps it.
            pub fn new(name: impl AsRef<str>) -> Result<Self, NameError> {
                check($what, name.as_ref(), $limit)?;
                Ok(Self::plain(name.as_ref()))
            }

            fn plain(name: impl Into<Arc<str>>) -> Self {
                Self { text: name.into(), wire: None }
            }

            /// The name as text, without the client's namespace.
            pub fn as_str(&self) -> &str {
                &self.text
            }

            /// The name that brokers know: with the namespace of the client that it is from.
            /// Cloning it copies nothing.
            pub fn wire(&self) -> &Arc<str> {
                match &self.wire {
                    Some(wire) => wire,
                    None => &self.text,
                }
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.text == other.text
            }
        }

        impl Eq for $name {}

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl Ord for $name {
            fn cmp(&self, other: &Self) -> Ordering {
                self.text.cmp(&other.text)
            }
        }

        impl Hash for $name {
            fn hash<H: Hasher>(&self, state: &mut H) {
                self.text.hash(state);
            }
        }

        impl TryFrom<&str> for $name {
            type Error = NameError;
            fn try_from(name: &str) -> Result<Self, NameError> {
                Self::new(name)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(name: String) -> Result<Self, NameError> {
                Self::new(name)
            }
        }

        impl TryFrom<&$name> for $name {
            type Error = NameError;
            fn try_from(name: &$name) -> Result<Self, NameError> {
                Ok(name.clone())
            }
        }

        impl FromStr for $name {
            type Err = NameError;
            fn from_str(name: &str) -> Result<Self, NameError> {
                Self::new(name)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.text)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.text, f)
            }
        }
    };
}

name! {
    /// The name of a topic: 1 to 127 bytes of letters, digits, `%`, `|`, `_`, `-`.
    Topic, "topic", TOPIC_MAX
}
name! {
    /// The name of a producer or consumer group: 1 to 120 bytes of the same characters.
    Group, "group", GROUP_MAX
}

/// What the names of topics begin with that hold a group's messages which are to come again.
const RETRY: &str = "%RETRY%";
/// The same of its dead letters.
const DEAD_LETTERS: &str = "%DLQ%";

impl Topic {
    /// The topic of a group's messages that come again (`MixAll.getRetryTopic`). Java's brokers
    /// take up to 255 bytes of name for it.
    pub(crate) fn retry_of(group: &Group) -> Self {
        let of = |group: &str| Arc::from(format!("{RETRY}{group}"));
        let wire = group.wire.as_ref().map(|wire| Arc::new(of(wire)));
        Self { text: of(&group.text), wire }
    }

    /// Whether messages are put there that were sent to another topic first: retries and dead
    /// letters of a group.
    pub(crate) fn is_of_group(&self) -> bool {
        self.is_retry() || self.is_of_dead_letters()
    }

    /// Whether it is a group's retry topic.
    pub(crate) fn is_retry(&self) -> bool {
        self.text.starts_with(RETRY)
    }

    /// Whether it is one of a group's dead letters, which brokers make with the first of them.
    pub(crate) fn is_of_dead_letters(&self) -> bool {
        self.text.starts_with(DEAD_LETTERS)
    }
}

impl Group {
    /// The group, as one of producers (`DefaultMQProducerImpl.checkConfig`).
    #[cfg(any(test, feature = "client"))]
    pub(crate) fn of_producers(self) -> Result<Self, NameError> {
        self.unless_reserved("producers", "DEFAULT_PRODUCER")
    }

    /// The group, as one of consumers (`DefaultMQPushConsumerImpl.checkConfig`).
    pub(crate) fn of_consumers(self) -> Result<Self, NameError> {
        self.unless_reserved("consumers", "DEFAULT_CONSUMER")
    }

    fn unless_reserved(self, role: &'static str, unnamed: &str) -> Result<Self, NameError> {
        let why = if **self.wire() == *unnamed {
            "it stands for no name at all in Java, so that strangers would share it"
        } else if [RETRY, DEAD_LETTERS].iter().any(|begin| self.text.starts_with(begin)) {
            "what begins so is a topic of a group's, for its retries or its dead letters"
        } else {
            return Ok(self);
        };
        Err(NameError::Reserved { role, given: self.text.to_string(), why })
    }
}

/// The address of a peer as text, `host:port`. Looking the name up is IO: the adapter's work.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    text: Arc<str>,
    host_end: usize,
    port: u16,
}

impl Endpoint {
    /// Reads `host:port` or `[ipv6]:port`; the port is 1 to 65535.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let text = text.trim();
        let wrong = || NameError::Address { given: cut(text) };
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let bracketed = host.starts_with('[') && host.ends_with(']');
        let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        let port: u16 = port.parse().map_err(|_| wrong())?;
        let clean = |c: char| !c.is_whitespace() && !matches!(c, '/' | '[' | ']' | ';' | ',');
        if bare.is_empty()
            || port == 0
            || !bare.chars().all(clean)
            || (bare.contains(':') && !bracketed)
        {
            return Err(wrong());
        }
        Ok(Self { text: Arc::from(text), host_end: host.len(), port })
    }

    /// The same for an address as brokers register it: an IPv6 address may lack its brackets, as
    /// Java's brokers write it; the last colon is the port's. The text kept has them.
    pub(crate) fn told(text: &str) -> Result<Self, NameError> {
        let text = text.trim();
        let (host, port) = text.rsplit_once(':').unwrap_or((text, ""));
        // A scope (`fe80::1%eth0`) may follow the address.
        let address = host.split_once('%').map_or(host, |(address, _)| address);
        match address.parse::<std::net::Ipv6Addr>() {
            Ok(_) => Self::parse(&format!("[{host}]:{port}")),
            Err(_) => Self::parse(text),
        }
    }

    /// The host: a name, an IPv4 address, or an IPv6 address without its brackets.
    pub fn host(&self) -> &str {
        let host = &self.text[..self.host_end];
        host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host)
    }

    /// The port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The same host, so many ports below; `None` if there is none.
    pub(crate) fn below(&self, ports: u16) -> Option<Self> {
        let port = self.port.checked_sub(ports)?;
        Self::parse(&format!("{}:{port}", &self.text[..self.host_end])).ok()
    }

    /// The text as given.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Endpoint {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

/// A queue by its names: as text, `queue 0 of orders on broker-a`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[doc(alias = "MessageQueue")]
pub struct QueueName {
    /// The topic.
    pub topic: Topic,
    /// The broker group.
    pub broker: Arc<str>,
    /// The queue's number there, from 0.
    pub queue: u32,
}

impl fmt::Display for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { topic, broker, queue } = self;
        write!(f, "queue {queue} of {topic} on {broker}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_shown_as_logs_show_it() {
        let topic = Topic::new("orders").unwrap();
        let queue = QueueName { topic, broker: "broker-a".into(), queue: 0 };
        assert_eq!(queue.to_string(), "queue 0 of orders on broker-a");
    }

    #[test]
    fn groups_that_are_nobodys_to_name_say_why() {
        let group = |name: &str| Group::new(name).unwrap();
        for name in ["%RETRY%g", "%DLQ%g", "DEFAULT_PRODUCER"] {
            let error = group(name).of_producers().unwrap_err();
            assert!(matches!(error, NameError::Reserved { role: "producers", .. }), "{error}");
        }
        let error = group("DEFAULT_CONSUMER").of_consumers().unwrap_err().to_string();
        let begins = "\"DEFAULT_CONSUMER\" is no name for a group of consumers: it stands for";
        assert!(error.starts_with(begins), "{error}");
        assert_eq!(group("DEFAULT_CONSUMER").of_producers(), Ok(group("DEFAULT_CONSUMER")));
        assert_eq!(group("a%RETRY%").of_consumers(), Ok(group("a%RETRY%")));
    }

    #[test]
    fn addresses_of_every_form_are_read_and_typos_named() {
        let read = |s: &str| Endpoint::parse(s).map(|e| (e.host().to_owned(), e.port()));
        assert_eq!(read("127.0.0.1:9876"), Ok(("127.0.0.1".into(), 9876)));
        assert_eq!(read(" broker.example:10911"), Ok(("broker.example".into(), 10911)));
        assert_eq!(read("[::1]:9876"), Ok(("::1".into(), 9876)));
        for wrong in [
            "",
            "host",
            "host:",
            ":9876",
            "host:0",
            "host:70000",
            "::1:9876",
            "http://h:1",
            "a b:1",
            "h:9876;g:9876",
        ] {
            assert!(matches!(read(wrong), Err(NameError::Address { .. })), "{wrong}");
        }
    }

    #[test]
    fn ns_21_an_ipv6_address_that_a_broker_registered_without_brackets_is_read() {
        for (told, read) in [
            ("fd00::1:10911", Some("[fd00::1]:10911")),
            ("::1:10911", Some("[::1]:10911")),
            ("fe80::1%eth0:10911", Some("[fe80::1%eth0]:10911")),
            ("1:2:3:4:5:6:7:8:10911", Some("[1:2:3:4:5:6:7:8]:10911")),
            ("[fd00::1]:10911", Some("[fd00::1]:10911")),
            ("10.0.0.1:10911", Some("10.0.0.1:10911")),
            ("b.example:10911 ", Some("b.example:10911")),
            ("1.2.3.4 #comment:10911", None),
            ("fd00::1:0", None),
            ("fd00::1", None),
            ("a:b:1", None),
            ("", None),
        ] {
            let found = Endpoint::told(told).ok();
            assert_eq!(found.as_ref().map(Endpoint::as_str), read, "{told}");
        }
        assert_eq!(Endpoint::told("fd00::1:10911").unwrap().host(), "fd00::1");
    }

    #[test]
    fn topics_and_groups_are_checked_before_they_are_used() {
        assert_eq!(Topic::new("%RETRY%group_1|a-b").unwrap().as_str(), "%RETRY%group_1|a-b");
        assert_eq!(Topic::new(" "), Err(NameError::Blank { what: "topic" }));
        let given = || "../x".to_owned();
        assert_eq!(
            Topic::new("../x"),
            Err(NameError::Character { what: "topic", given: given(), found: '.' })
        );
        assert!(Topic::new("t".repeat(127)).is_ok());
        assert_eq!(
            Topic::new("t".repeat(128)),
            Err(NameError::TooLong {
                what: "topic",
                given: "t".repeat(128),
                length: 128,
                limit: 127
            })
        );
        assert_eq!(
            Group::new("a b").unwrap_err().to_string(),
            "\"a b\" is no group: a group has only letters, digits, '%', '|', '_' and '-', not ' '"
        );
        assert!(Group::new("g".repeat(120)).is_ok());
        assert!(Group::new("g".repeat(121)).is_err());
    }
}
