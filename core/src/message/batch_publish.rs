//! Several messages of one topic made into one send (`MessageBatch`).

use bytes::Bytes;

use super::batch::{Batched, FIXED};
use super::ids::UniqueId;
use super::message::{Message, MessageError};
use super::properties::Properties;
use super::publish::{Added, Fields, MessageLimits, Publish, added};
use crate::name::Group;
use crate::time::UnixMillis;

impl Publish {
    /// Checks the messages and encodes them as one body; `next_id` gives each that has none its
    /// unique id.
    ///
    /// All of them are stored one after the other in one queue, or none is. They must be for one
    /// topic, alike in [`Message::wait_store_msg_ok`], without delay, and neither replies nor for a
    /// retry topic; what they take together is held against the limit of one body. A batch is not
    /// compressed, as in Java.
    pub fn batch(
        messages: &[Message],
        group: &Group,
        mut next_id: impl FnMut() -> UniqueId,
        born: UnixMillis,
        limits: &MessageLimits,
    ) -> Result<Self, MessageError> {
        let Some(first) = messages.first() else { return Err(MessageError::EmptyBatch) };
        let given = first.check(limits)?;
        let topic = limits.namespace.checked_topic(given.clone())?;
        let group = &limits.namespace.checked_group(group)?;
        let room = |message: &Message| {
            FIXED + message.body.len() + message.properties.len() + added(message.waits)
        };
        let room: usize = messages.iter().map(room).sum();
        // Refused below if it is more than the limit.
        let mut body = Vec::with_capacity(room.min(limits.body));
        let mut ids = Vec::with_capacity(messages.len());
        for (index, message) in messages.iter().enumerate() {
            if message.check(limits)? != given {
                return Err(MessageError::MixedTopics { index });
            }
            if message.waits != first.waits {
                return Err(MessageError::MixedWaits { index });
            }
            if message.delays() || message.is_reply() || topic.is_retry() {
                return Err(MessageError::NotForBatch { index });
            }
            let id = message.id.as_deref().copied().unwrap_or_else(&mut next_id);
            let added = Added::new(&id, message.waits);
            let properties = Properties::new(message.properties.as_bytes());
            let batched = Batched { flag: message.flag, body: &message.body, properties };
            let too_large = |length| MessageError::BatchTooLarge { length, limit: limits.body };
            let encoded = batched.encode_with(added.as_str().as_bytes(), &mut body);
            encoded.map_err(|_| too_large(message.body.len()))?;
            if body.len() > limits.body {
                return Err(too_large(body.len()));
            }
            ids.push(id);
        }
        let fields = Fields {
            topic: &topic,
            group,
            properties: "",
            id: None,
            waits: first.waits,
            born,
            flag: 0,
            sys_flag: 0,
            again: None,
            batch: true,
        };
        let fields = fields.encode(limits.signed)?;
        Ok(Self::of_batch(topic, group.clone(), Bytes::from(body), ids, fields))
    }
}
