//! The handle that sends messages.

use std::sync::Arc;

use super::Pending;
use super::pending::sent;
use super::shared::Owner;
use crate::error::{SendError, Stored};
use crate::message::{Message, Publish};
use crate::name::Group;
use crate::producer::SendReceipt;

/// Sends messages. Cheap to clone, and used from any number of threads and tasks at once.
#[derive(Clone, Debug)]
pub struct Producer {
    owner: Arc<Owner>,
    group: Group,
}

impl Producer {
    pub(crate) fn new(owner: Arc<Owner>, group: Group) -> Self {
        owner.shared().run(|core, now| core.engine.produce(now, &group));
        Self { owner, group }
    }

    /// Its group.
    pub const fn group(&self) -> &Group {
        &self.group
    }

    /// Sends one message to the next queue of its topic in turn (`SEND_MESSAGE_V2`, 310).
    ///
    /// The call is under way when this returns; nothing has to be polled for it to leave. It ends
    /// by `send_timeout` (3 s), route lookup, connect and one retry on another queue included.
    /// `Ok` means that the broker has stored it; look at [`SendReceipt::status`] for how well. On
    /// an error, [`SendError::stored`] tells whether it may be stored all the same, and
    /// [`SendError::is_retriable`] whether the same call may succeed later.
    ///
    /// Dropping the [`Pending`] lets the call go on unseen.
    pub fn send(&self, message: Message) -> Pending<Result<SendReceipt, SendError>> {
        let shared = self.owner.shared();
        let born = shared.host().unix();
        let id = shared.ids().next(born);
        let publish = match Publish::new(message, &self.group, id, born, &shared.limits()) {
            Ok(publish) => Arc::new(publish),
            Err(error) => return Pending::ready(Err(error.into())),
        };
        let op = shared.run(|core, now| {
            let op = core.engine.send(now, publish)?;
            core.waiting.insert(op);
            Ok(op)
        });
        match op {
            Some(Ok(op)) => Pending::call(shared.clone(), op, sent),
            Some(Err(refused)) => Pending::ready(Err(SendError::Refused(refused))),
            None => Pending::ready(Err(SendError::RuntimeGone { stored: Stored::No })),
        }
    }
}
