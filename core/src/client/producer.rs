//! The handle that sends messages.

use std::sync::Arc;

use super::deferred::{Read, chosen};
use super::pending::{Pending, answered, handed, sent};
use super::shared::Owner;
use super::waiting::Slot;
use crate::error::{QueryError, SendError};
use crate::message::{Message, MessageError, Publish};
use crate::name::Group;
use crate::producer::{SendOptions, SendReceipt};
use crate::query::{Answer, Query, QueueChoice};

/// Sends messages. Cheap to clone, and used from any number of threads and tasks at once. Brokers
/// know its group until a minute after the last producer of the group is dropped.
#[derive(Clone, Debug)]
pub struct Producer {
    place: Arc<Place>,
}

/// What all clones of a producer have together.
#[derive(Debug)]
struct Place {
    owner: Arc<Owner>,
    group: Group,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.owner.shared().run(|core, now| core.engine.withdraw(now, &self.group));
    }
}

impl Producer {
    pub(crate) fn new(owner: Arc<Owner>, group: Group) -> Self {
        owner.shared().run(|core, now| core.engine.produce(now, &group));
        Self { place: Arc::new(Place { owner, group }) }
    }

    /// Its group.
    pub fn group(&self) -> &Group {
        &self.place.group
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
        self.send_with(message, SendOptions::default())
    }

    /// As [`send`](Self::send), to a queue of its own or with a deadline of its own.
    ///
    /// A oneway send ends like [`send_oneway`](Self::send_oneway), which has a result that says
    /// so: here it is [`SendError::NoReceipt`].
    pub fn send_with(
        &self,
        message: Message,
        options: SendOptions,
    ) -> Pending<Result<SendReceipt, SendError>> {
        self.start(self.publish(message), options, sent)
    }

    /// Sends one message without asking for an answer: the broker may store it, or not, and nobody
    /// will know. `Ok` means that it was given to the broker's connection, which is there: it waits
    /// with at most 256 KiB of its like, to be written together, for about 0.1 ms. If the
    /// connection is lost before, it is lost with it; a log record and
    /// [`Client::stats`](super::Client::stats) count those. Errors are those that come before: no
    /// route, no connection by the deadline, a full window.
    pub fn send_oneway(&self, message: Message) -> Pending<Result<(), SendError>> {
        self.start(self.publish(message), SendOptions::default().oneway(), handed)
    }

    /// Sends several messages of one topic together (`SEND_BATCH_MESSAGE`, 320): all of them are
    /// stored one after the other in one queue, or none is. They must have no delay, and fit
    /// `max_body` together. [`SendReceipt::messages`] tells each one's id and offset.
    pub fn send_batch(&self, messages: &[Message]) -> Pending<Result<SendReceipt, SendError>> {
        self.send_batch_with(messages, SendOptions::default())
    }

    /// As [`send_batch`](Self::send_batch), to a queue of its own or with a deadline of its own.
    pub fn send_batch_with(
        &self,
        messages: &[Message],
        options: SendOptions,
    ) -> Pending<Result<SendReceipt, SendError>> {
        self.start(self.batch(messages), options, sent)
    }

    /// As [`send_batch`](Self::send_batch), without asking for an answer; see
    /// [`send_oneway`](Self::send_oneway).
    pub fn send_batch_oneway(&self, messages: &[Message]) -> Pending<Result<(), SendError>> {
        self.start(self.batch(messages), SendOptions::default().oneway(), handed)
    }

    /// As [`send`](Self::send), to the queue that `select` chooses by its place among those of the
    /// topic that may be written to, by broker name and number. It runs once, in this thread when
    /// the topic's route is known, else in the one that waits for the result: until then nothing
    /// is sent. Every try goes to its queue. A panic in it, `None`, and a place that is not there
    /// end the send with [`SendError::NoChoice`], and harm nothing else.
    pub fn send_with_selector(
        &self,
        message: Message,
        select: impl FnOnce(&Message, &[QueueChoice]) -> Option<usize> + Send + 'static,
    ) -> Pending<Result<SendReceipt, SendError>> {
        let shared = self.place.owner.shared();
        let queues = match shared.query(Query::Writable(message.topic().clone())) {
            Ok(op) => Pending::call(shared.clone(), op, writable),
            Err(error) => Pending::ready(Err(error)),
        };
        let own = self.clone();
        queues.then(shared, move |queues| match chosen(select, &message, queues) {
            Ok(queue) => own.send_with(message, SendOptions::to(&queue)),
            Err(error) => Pending::ready(Err(error)),
        })
    }

    fn publish(&self, message: Message) -> Result<Publish, MessageError> {
        let shared = self.place.owner.shared();
        let born = shared.host().unix();
        let id = shared.ids().next(born);
        Publish::new(message, &self.place.group, id, born, &shared.limits())
    }

    fn batch(&self, messages: &[Message]) -> Result<Publish, MessageError> {
        let shared = self.place.owner.shared();
        let born = shared.host().unix();
        Publish::batch(
            messages,
            &self.place.group,
            || shared.ids().next(born),
            born,
            &shared.limits(),
        )
    }

    fn start<T>(
        &self,
        publish: Result<Publish, MessageError>,
        options: SendOptions,
        read: Read<T>,
    ) -> Pending<Result<T, SendError>>
    where
        T: 'static,
    {
        let shared = self.place.owner.shared();
        let publish = match publish {
            Ok(publish) => Arc::new(publish),
            Err(error) => return Pending::ready(Err(error.into())),
        };
        match shared.send(publish.clone(), options) {
            Ok(op) => Pending::call(shared.clone(), op, read).of(publish.ids()),
            Err(error) => Pending::ready(Err(error)),
        }
    }
}

fn writable(slot: Slot) -> Result<Vec<QueueChoice>, QueryError> {
    match answered(slot)? {
        Answer::Writable(queues) => Ok(queues),
        Answer::Queues(_) | Answer::Offset(_) | Answer::Response(_) => Ok(Vec::new()),
    }
}
