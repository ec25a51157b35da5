//! What the engine holds no more and may be the application's own memory: messages, and bodies of
//! requests.
//!
//! A body may end in code of the application's (`Bytes::from_owner`), which may well call the
//! client. So nothing of the kind is dropped where it leaves a table: the handles' lock is held
//! there. It is given back by an event, and dropped by whoever takes that, without the lock.

use std::sync::Arc;

use bytes::Bytes;

use super::{Effects, Event};
use crate::frame::{OutFrame, Payload};
use crate::message::Publish;

/// What waits to be given back.
#[derive(Debug, Default)]
pub(crate) struct Spent {
    messages: Vec<Arc<Publish>>,
    bodies: Vec<Bytes>,
}

impl Spent {
    /// All of it as one event, if there is anything.
    pub(crate) fn take(&mut self) -> Option<Event> {
        if self.messages.is_empty() && self.bodies.is_empty() {
            return None;
        }
        let Self { messages, bodies } = std::mem::take(self);
        Some(Event::Spent { messages, bodies })
    }
}

impl Effects {
    /// Gives a message back.
    pub(crate) fn give_back(&mut self, publish: Arc<Publish>) {
        self.spent.messages.push(publish);
    }

    /// Gives the body of a request back, an empty one too: it may have an owner all the same.
    pub(crate) fn give_back_body(&mut self, body: Bytes) {
        self.spent.bodies.push(body);
    }

    /// Gives back what a frame holds that will not leave.
    pub(crate) fn give_back_frame(&mut self, frame: OutFrame) {
        match frame.payload {
            Payload::Publish { publish, .. } => self.give_back(publish),
            Payload::Request { body, .. } | Payload::Reply { body, .. } => {
                self.give_back_body(body);
            }
            // All of it is the client's own.
            Payload::Heartbeat(_) | Payload::Locks { .. } => {}
        }
    }
}
