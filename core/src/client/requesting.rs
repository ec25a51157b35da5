//! Messages that ask, and those that answer.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::deferred::chosen;
use super::pending::{Blockable, Pending, ask};
use super::producer::Producer;
use super::question::Question;
use super::shared::Shared;
use super::view::MessageView;
use super::waiting::{RequestEnd, SendEnd};
use crate::effects::ReplyMessage;
use crate::error::{ReplyError, RequestError, SendError};
use crate::message::{Message, MessageError, MessageIds, MessageLimits, NoRequest, Publish};
use crate::name::{Group, QueueName};
use crate::producer::{QueueSelection, SendOptions, SendReceipt};

/// The group in which consumers send (`MixAll.CLIENT_INNER_PRODUCER_GROUP`).
const INNER: &str = "CLIENT_INNER_PRODUCER";

/// A request under way.
type Requested = Pending<Result<ReplyMessage, RequestError>>;
/// A reply under way.
pub(super) type Replied = Pending<Result<SendReceipt, ReplyError>>;

impl From<RequestEnd> for Result<ReplyMessage, RequestError> {
    fn from(RequestEnd(end): RequestEnd) -> Self {
        let reply = end?;
        let correlation = reply.correlation().into();
        reply.open().map_err(|reason| RequestError::Unreadable { correlation, reason })
    }
}

impl From<SendEnd> for Result<SendReceipt, ReplyError> {
    fn from(end: SendEnd) -> Self {
        Result::<SendReceipt, SendError>::from(end).map_err(ReplyError::Send)
    }
}

impl<T> Blockable for Result<T, RequestError> {
    fn would_deadlock(ids: Option<MessageIds>) -> Self {
        Err(SendError::WouldDeadlock { ids }.into())
    }

    fn forked() -> Self {
        Err(SendError::Forked.into())
    }
}

impl<T> Blockable for Result<T, ReplyError> {
    fn would_deadlock(ids: Option<MessageIds>) -> Self {
        Err(SendError::WouldDeadlock { ids }.into())
    }

    fn forked() -> Self {
        Err(SendError::Forked.into())
    }
}

/// The error of a request as whoever gave it so much time is told of it.
fn told(error: RequestError, within: Duration) -> RequestError {
    match error {
        RequestError::NoReply { topic, ids, .. } => RequestError::NoReply { topic, within, ids },
        other => other,
    }
}

impl Producer {
    /// Sends a message and waits for what somebody who reads its topic answers to it (Java's
    /// `request`): for so long from now, the route, the connections, the send and its retries
    /// included. Any number may be under way, up to `max_pending`.
    ///
    /// The message is one as any other (`SEND_MESSAGE_V2`, 310), with a correlation id, this
    /// client's id and the timeout as its properties. A consumer answers it by
    /// [`Delivery::reply`](super::Delivery::reply), in whatever language; its broker pushes the
    /// reply to this client (`PUSH_REPLY_MESSAGE_TO_CLIENT`, 326). So each broker of the topic is
    /// told of this client before the first request leaves, which is waited for up to a second.
    ///
    /// Ends with the first reply. A request that is stored and has none by the deadline ends as
    /// [`RequestError::NoReply`]; [`RequestError::stored`] tells whether it may be handled all the
    /// same, as is every request whose deadline comes before somebody reads it: readers may look at
    /// its property `TTL` (milliseconds). Late replies are dropped, counted (`rpc_late`), and told.
    /// Dropping the [`Pending`] lets it go on unseen; [`cancel`](Pending::cancel) frees its place.
    ///
    /// ```no_run
    /// # use rocketry_core::client::Producer;
    /// # use rocketry_core::message::Message;
    /// # use std::time::Duration;
    /// # async fn f(producer: &Producer) -> Result<(), Box<dyn std::error::Error>> {
    /// let question = Message::new("prices", "3 apples");
    /// let reply = producer.request(question, Duration::from_secs(3)).await?;
    /// println!("{:?}", reply.body());
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "RequestCallback", alias = "RequestAsync", alias = "Request")]
    pub fn request(&self, message: Message, timeout: Duration) -> Requested {
        self.request_with(message, SendOptions::default(), timeout)
    }

    /// As [`request`](Self::request), to a queue of its own. The options' own timeout counts for
    /// nothing, and a request is never oneway.
    ///
    /// ```no_run
    /// # use rocketry_core::client::Producer;
    /// # use rocketry_core::message::Message;
    /// # use rocketry_core::producer::SendOptions;
    /// # use std::time::Duration;
    /// # fn f(producer: &Producer) -> Result<(), Box<dyn std::error::Error>> {
    /// let question = Message::new("prices", "3 apples");
    /// let options = SendOptions::hash("customer-7");
    /// let reply = producer.request_with(question, options, Duration::from_secs(3)).wait()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn request_with(
        &self,
        message: Message,
        options: SendOptions,
        timeout: Duration,
    ) -> Requested {
        let (options, select) = self.place.options.under(options, Some(&message));
        let Some(select) = select.cloned() else {
            return self.ask_with(message, options, timeout);
        };
        let shared = self.place.owner.shared();
        let topic = match message.check_topic() {
            Ok(topic) => topic.clone(),
            Err(error) => return Pending::ready(Err(error.into())),
        };
        let (own, begun) = (self.clone(), shared.clock().now());
        let queues = ask(shared, Question::writable(&topic).within(timeout));
        queues.then(shared, move |queues| {
            let shared = own.place.owner.shared();
            // One deadline covers the look for the queues as well.
            let left = timeout.saturating_sub(shared.clock().now().since(begun));
            match chosen(|queues: &[_]| select(&message, queues), topic, queues) {
                Ok(QueueName { broker, queue, .. }) => {
                    let queue = QueueSelection::Queue { broker, queue: queue as i32 };
                    let asked = own.ask_with(message, options.selection(queue), left);
                    asked.map(shared, move |ended| ended.map_err(|error| told(error, timeout)))
                }
                Err(error) => Pending::ready(Err(error.into())),
            }
        })
    }

    fn ask_with(&self, message: Message, options: SendOptions, timeout: Duration) -> Requested {
        let shared = self.place.owner.shared();
        // Of its own, not the message's: that one may be sent, and asked, more than once.
        let correlation = shared.ids().next(shared.clock().unix());
        let message = message.asking(correlation.as_str(), &shared.client_id(), timeout);
        let publish = match self.publish(message) {
            Ok(publish) => Arc::new(publish),
            Err(error) => return Pending::ready(Err(error.into())),
        };
        let options = options.timeout(timeout);
        match shared.request(publish.clone(), Arc::from(correlation.as_str()), options) {
            Ok(op) => Pending::call::<RequestEnd>(shared.clone(), op).of(publish.ids()),
            Err(error) => Pending::ready(Err(error)),
        }
    }

    /// Answers a message that somebody sent by a request: gives the reply to the broker that the
    /// request came from (`SEND_REPLY_MESSAGE_V2`, 325), or to another one of its cluster when that
    /// fails, as [`send`](Self::send) does. `Ok` means that the broker has pushed it to the
    /// requester, and that this has taken it; the receipt tells nothing else that counts. A broker
    /// that the requester is not connected to answers `SYSTEM_ERROR`, and so the reply ends as
    /// `Rejected` where none is.
    ///
    /// ```no_run
    /// # use rocketry_core::client::{MessageView, Producer};
    /// # type Outcome = Result<(), Box<dyn std::error::Error>>;
    /// # fn f(question: &MessageView, producer: &Producer) -> Outcome {
    /// producer.reply(question, "42").wait()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn reply(&self, to: &MessageView, body: impl Into<Bytes>) -> Replied {
        let reply = match to.to_reply(body) {
            Ok(reply) => reply,
            Err(error) => return Pending::ready(Err(error.into())),
        };
        let options = SendOptions::default().selection(QueueSelection::InTurn);
        let options = self.place.options.under(options, None).0;
        give(self.place.owner.shared(), self.publish(reply), options)
    }
}

/// Gives a reply to its broker, for a consumer.
pub(super) fn replied(shared: &Arc<Shared>, reply: Result<Message, NoRequest>) -> Replied {
    let reply = match reply {
        Ok(reply) => reply,
        Err(error) => return Pending::ready(Err(error.into())),
    };
    let (born, limits) = (shared.clock().unix(), MessageLimits::of(shared.config()));
    let group = Group::new(INNER).map_err(MessageError::from);
    let id = shared.ids().next(born);
    let publish = group.and_then(|group| Publish::new(reply, &group, id, born, &limits));
    give(shared, publish, SendOptions::default())
}

fn give(
    shared: &Arc<Shared>,
    publish: Result<Publish, MessageError>,
    options: SendOptions,
) -> Replied {
    let publish = match publish {
        Ok(publish) => Arc::new(publish),
        Err(error) => return Pending::ready(Err(error.into())),
    };
    match shared.send(publish.clone(), options) {
        Ok(op) => Pending::call::<SendEnd>(shared.clone(), op).of(publish.ids()),
        Err(error) => Pending::ready(Err(error.into())),
    }
}
