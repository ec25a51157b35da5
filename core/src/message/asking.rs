//! Messages that ask, and those that answer them (`MessageUtil.createReplyMessage`).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::compression;
use super::message::Message;
use super::properties::{self, Properties};
use super::record::RecordError;
use super::sys_flag::Compression;

/// What tells brokers that a message is a reply (`MixAll.REPLY_MESSAGE_FLAG`).
const REPLY: &str = "reply";
/// Behind the cluster's name: the topic that replies go to (`MixAll.REPLY_TOPIC_POSTFIX`).
const REPLY_TOPIC: &str = "REPLY_TOPIC";

/// A message can't be answered: it is no request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the message is no request: it has no property {lacks}")]
pub struct NoRequest {
    /// The property that it would have.
    pub lacks: &'static str,
}

impl Message {
    /// The same as a request of that client, which waits for so long for the reply with that
    /// correlation id: for [`Engine::request`](crate::engine::Engine::request). A client's handles
    /// do it by themselves.
    #[must_use]
    pub fn asking(self, correlation: &str, client: &str, within: Duration) -> Self {
        let millis = i64::try_from(within.as_millis()).unwrap_or(i64::MAX);
        self.set(properties::CORRELATION_ID, correlation)
            .set(properties::REPLY_TO_CLIENT, client)
            .set(properties::TTL, itoa::Buffer::new().format(millis))
    }

    /// The reply to a request that has these properties and came from that broker, to which it goes
    /// first. A client's handles have `to_reply` for it.
    pub fn replying(to: Properties<'_>, broker: &Arc<str>, body: Bytes) -> Result<Self, NoRequest> {
        let given = |name| to.get(name).ok_or(NoRequest { lacks: name });
        let client = given(properties::REPLY_TO_CLIENT)?;
        let correlation = given(properties::CORRELATION_ID)?;
        let cluster = given(properties::CLUSTER)?;
        let topic = format!("{cluster}_{REPLY_TOPIC}");
        let mut reply = Self::new(topic.as_str(), body)
            .set(properties::MSG_TYPE, REPLY)
            .set(properties::CORRELATION_ID, correlation)
            .set(properties::REPLY_TO_CLIENT, client);
        if let Some(within) = to.get(properties::TTL) {
            reply = reply.set(properties::TTL, within);
        }
        Ok(Self { home: Some(broker.clone()), ..reply })
    }

    /// Whether brokers are to push it to whoever asked.
    pub(super) fn is_reply(&self) -> bool {
        self.properties().get(properties::MSG_TYPE) == Some(REPLY)
    }
}

/// A body as it was given to the producer, by the flag that came with it.
pub(crate) fn opened(body: &Bytes, sys_flag: i32, limit: u32) -> Result<Bytes, RecordError> {
    match Compression::of(sys_flag).unwrap_or_default() {
        None => Ok(body.clone()),
        Some(kind) => compression::open(kind, body, limit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_says_what_its_request_said_and_goes_to_the_topic_of_its_cluster() {
        let within = Duration::from_millis(2_500);
        let request = Message::new("questions", "1 + 1").tag("sums").asking("42", "me@1", within);
        let asked = format!("{}CLUSTER\x01east\x02", request.properties);
        let (asked, broker) = (Properties::new(asked.as_bytes()), Arc::from("broker-a"));
        let reply = Message::replying(asked, &broker, Bytes::from("2")).unwrap();
        assert_eq!(reply.topic().map(|topic| topic.as_str()), Some("east_REPLY_TOPIC"));
        let said: Vec<_> = reply.properties().iter().collect();
        let expected = [
            ("MSG_TYPE", "reply"),
            ("CORRELATION_ID", "42"),
            ("REPLY_TO_CLIENT", "me@1"),
            ("TTL", "2500"),
        ];
        assert_eq!(said, expected);
        assert!(reply.is_reply() && !request.is_reply());
        let lacks = |wire: &str| {
            Message::replying(Properties::new(wire.as_bytes()), &broker, Bytes::from("2"))
        };
        assert_eq!(lacks("TAGS\x01sums\x02"), Err(NoRequest { lacks: "REPLY_TO_CLIENT" }));
        assert_eq!(lacks(&request.properties), Err(NoRequest { lacks: "CLUSTER" }));
    }
}
