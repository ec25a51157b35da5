//! A frame to send, not yet encoded.

use std::sync::Arc;

use bytes::Bytes;

use super::CLIENT_VERSION;
use super::code::ResponseCode;
use super::opaque::{Kind, Opaque};
use super::reply::ReplyFields;
use super::request::Request;
use crate::body::{SharedHeartbeat, SharedLocks};
use crate::message::Publish;

/// Bytes of an answer beside its remark and its body.
const ANSWER: usize = 256;

/// A frame to send. Cheap to clone; encoded by the writer, outside any lock.
#[derive(Clone, Debug)]
pub struct OutFrame {
    /// The number that ties request and reply.
    pub opaque: Opaque,
    /// What it carries.
    pub payload: Payload,
}

/// What a frame to send carries.
#[derive(Clone, Debug)]
pub enum Payload {
    /// A message to one queue: everything but queue, broker and opaque is already encoded.
    Publish {
        /// The message.
        publish: Arc<Publish>,
        /// The queue's id; -1 lets the broker pick one.
        queue: i32,
        /// The broker's name.
        broker: Arc<str>,
        /// No answer is wanted.
        oneway: bool,
    },
    /// A request.
    Request {
        /// Its code and fields: boxed, for frames of messages are moved often and are small.
        request: Box<Request>,
        /// Its body, which may be empty.
        body: Bytes,
        /// No answer is wanted.
        oneway: bool,
    },
    /// A heartbeat, which is written as JSON when it is written at all.
    Heartbeat(Arc<SharedHeartbeat>),
    /// A request for locks of queues, whose body is written when it is written at all.
    Locks {
        /// Which.
        locks: Arc<SharedLocks>,
        /// They are given back.
        unlock: bool,
    },
    /// The answer to a request.
    Reply {
        /// How the request ended.
        code: ResponseCode,
        /// Why it failed, in words.
        remark: Option<Arc<str>>,
        /// Its fields.
        fields: Box<ReplyFields>,
        /// Its body, which may be empty.
        body: Bytes,
        /// The version to show, an ordinal of Java's `MQVersion.Version`.
        version: i32,
    },
}

impl OutFrame {
    /// A message to the queue `queue` of the broker named `broker`.
    pub const fn publish(
        opaque: Opaque,
        publish: Arc<Publish>,
        queue: i32,
        broker: Arc<str>,
    ) -> Self {
        Self { opaque, payload: Payload::Publish { publish, queue, broker, oneway: false } }
    }

    /// A request without a body, to be answered.
    pub fn request(opaque: Opaque, request: Request) -> Self {
        Self::request_with_body(opaque, request, Bytes::new())
    }

    /// A request with a body, to be answered.
    pub fn request_with_body(opaque: Opaque, request: Request, body: Bytes) -> Self {
        let request = Box::new(request);
        Self { opaque, payload: Payload::Request { request, body, oneway: false } }
    }

    /// A request without a body that wants no answer.
    pub fn oneway(opaque: Opaque, request: Request) -> Self {
        let (request, body) = (Box::new(request), Bytes::new());
        Self { opaque, payload: Payload::Request { request, body, oneway: true } }
    }

    /// The answer to the request with this opaque, without a remark, in our own version.
    pub fn reply(opaque: Opaque, code: ResponseCode, fields: ReplyFields, body: Bytes) -> Self {
        let (fields, version) = (Box::new(fields), CLIENT_VERSION);
        Self { opaque, payload: Payload::Reply { code, remark: None, fields, body, version } }
    }

    /// The message, if nobody waits for what becomes of it.
    pub(crate) fn into_oneway(self) -> Result<Arc<Publish>, Self> {
        match (self.opaque.kind(), self.payload) {
            (Some(Kind::Oneway), Payload::Publish { publish, .. }) => Ok(publish),
            (_, payload) => Err(Self { opaque: self.opaque, payload }),
        }
    }

    /// Whether its call ends when it is handed out: nobody waits for what becomes of the message.
    pub(crate) fn ends_call(&self) -> bool {
        matches!(self.payload, Payload::Publish { oneway: true, .. })
            && self.opaque.kind() != Some(Kind::Oneway)
    }

    /// Whether it leaves for the sake of a call, and need not once that has ended.
    pub(crate) fn has_call(&self) -> bool {
        match self.payload {
            Payload::Publish { .. } => self.opaque.kind() != Some(Kind::Oneway),
            Payload::Request { oneway, .. } => !oneway,
            Payload::Heartbeat(_) | Payload::Locks { .. } => true,
            Payload::Reply { .. } => false,
        }
    }

    /// Bytes of a oneway message on the wire, rounded up; `None` for all other frames.
    pub(crate) fn oneway_size(&self) -> Option<usize> {
        match &self.payload {
            Payload::Publish { publish, .. } if self.opaque.kind() == Some(Kind::Oneway) => {
                Some(publish.wire_size())
            }
            _ => None,
        }
    }

    /// Bytes that an answer takes in memory and on the wire, about; `None` for all other frames.
    pub(crate) fn answer_size(&self) -> Option<usize> {
        match &self.payload {
            Payload::Reply { remark, body, .. } => {
                Some(ANSWER + remark.as_ref().map_or(0, |remark| remark.len()) + body.len())
            }
            Payload::Publish { .. } | Payload::Request { .. } => None,
            Payload::Heartbeat(_) | Payload::Locks { .. } => None,
        }
    }

    /// Its body, which may be empty.
    pub fn body(&self) -> &Bytes {
        match &self.payload {
            Payload::Publish { publish, .. } => publish.body(),
            Payload::Request { body, .. } | Payload::Reply { body, .. } => body,
            Payload::Heartbeat(heartbeat) => heartbeat.json(),
            Payload::Locks { locks, .. } => locks.json(),
        }
    }

    /// The answer that a request failed, with the reason in words.
    pub fn refusal(opaque: Opaque, code: ResponseCode, remark: impl Into<Arc<str>>) -> Self {
        let (remark, fields) = (Some(remark.into()), Box::new(ReplyFields::None));
        let (body, version) = (Bytes::new(), CLIENT_VERSION);
        Self { opaque, payload: Payload::Reply { code, remark, fields, body, version } }
    }
}
