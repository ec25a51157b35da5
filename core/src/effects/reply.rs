//! A reply, as a broker pushed it.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::frame::request::PushReplyRequest;
use crate::message::{Properties, RecordError, opened, properties};
use crate::time::UnixMillis;

/// What somebody answered to a request.
#[derive(Clone, PartialEq, Eq)]
pub struct ReplyMessage {
    body: Bytes,
    properties: Arc<str>,
    flag: i32,
    born_at: UnixMillis,
    born_host: Arc<str>,
}

impl fmt::Debug for ReplyMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("ReplyMessage");
        shown.field("correlation", &self.correlation_id()).field("from", &self.born_host);
        shown.field("bytes", &self.body.len()).finish_non_exhaustive()
    }
}

impl ReplyMessage {
    /// The body, opened if it was compressed.
    pub const fn body(&self) -> &Bytes {
        &self.body
    }

    /// The body; nothing else is kept.
    pub fn into_body(self) -> Bytes {
        self.body
    }

    /// All properties, those of clients and brokers among them.
    pub fn properties(&self) -> Properties<'_> {
        Properties::new(self.properties.as_bytes())
    }

    /// One property.
    pub fn property(&self, name: &str) -> Option<&str> {
        self.properties().get(name)
    }

    /// What ties it to its request.
    pub fn correlation_id(&self) -> &str {
        self.property(properties::CORRELATION_ID).unwrap_or_default()
    }

    /// The 32 bits that RocketMQ carries and never reads.
    pub const fn flag(&self) -> i32 {
        self.flag
    }

    /// When it was made, by the clock of whoever answered.
    pub const fn born_at(&self) -> UnixMillis {
        self.born_at
    }

    /// Who answered, as its broker saw it: address and port.
    pub const fn born_host(&self) -> &Arc<str> {
        &self.born_host
    }
}

/// The same as it came: its body is not opened yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushedReply {
    message: ReplyMessage,
    sys_flag: i32,
    /// Bytes that the body may open to.
    opened_max: u32,
}

impl PushedReply {
    pub(crate) fn of(push: &PushReplyRequest, body: Bytes, opened_max: u32) -> Self {
        let message = ReplyMessage {
            body,
            properties: push.properties.clone().unwrap_or_default(),
            flag: push.flag,
            born_at: UnixMillis(push.born_timestamp),
            born_host: push.born_host.clone(),
        };
        Self { message, sys_flag: push.sys_flag, opened_max }
    }

    /// What ties it to its request; empty where it has nothing of the kind.
    pub fn correlation(&self) -> &str {
        self.message.correlation_id()
    }

    pub(crate) const fn born_host(&self) -> &Arc<str> {
        &self.message.born_host
    }

    /// Opens the body: outside of any lock.
    pub fn open(self) -> Result<ReplyMessage, RecordError> {
        let Self { message, sys_flag, opened_max } = self;
        let body = opened(&message.body, sys_flag, opened_max)?;
        Ok(ReplyMessage { body, ..message })
    }
}
