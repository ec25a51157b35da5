//! What is known of topics, as figures.

use std::fmt;
use std::time::Duration;

use super::{Fetch, Routes};
use crate::name::Topic;
use crate::time::Instant;

/// What is known of one topic.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TopicStats {
    /// The topic.
    pub topic: Topic,
    /// Queues that take messages, on brokers with a master.
    pub writable: usize,
    /// Queues that give messages.
    pub readable: usize,
    /// The route is that of `TBW102`: the topic will be created by its first message.
    pub fallback: bool,
    /// How long ago a nameserver told the route; `None` while there is none.
    pub age: Option<Duration>,
    /// A nameserver is being asked, or will be after a pause.
    pub asking: bool,
    /// Calls that wait for the route.
    pub waiting: usize,
}

impl fmt::Display for TopicStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { topic, writable, readable, fallback, age, asking, waiting } = self;
        write!(f, "topic {topic}: ")?;
        match age {
            Some(age) => {
                write!(f, "{writable} queues to write, {readable} to read, as of {age:.1?} ago")?;
            }
            None => f.write_str("no route")?,
        }
        f.write_str(if *fallback { ", not created yet" } else { "" })?;
        f.write_str(if *asking { ", being asked for" } else { "" })?;
        if *waiting > 0 { write!(f, ", {waiting} calls wait") } else { Ok(()) }
    }
}

impl Routes {
    /// What is known of each topic in use, by name.
    pub(crate) fn stats(&self, now: Instant) -> impl Iterator<Item = TopicStats> {
        self.topics.iter().map(move |(topic, entry)| {
            let route = entry.route.as_deref();
            TopicStats {
                topic: topic.clone(),
                writable: route.map_or(0, |route| route.writable.len()),
                readable: route.map_or(0, |route| route.readable.len()),
                fallback: route.is_some_and(|route| route.fallback),
                age: entry.told.map(|told| now.since(told)),
                asking: !matches!(entry.fetch, Fetch::Idle),
                waiting: entry.waiters.len(),
            }
        })
    }
}
