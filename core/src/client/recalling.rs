//! Messages that wait for their time, taken back.

use std::sync::Arc;

use bytes::Bytes;

use super::pending::{Blockable, Pending, ask};
use super::producer::Producer;
use super::question::Question;
use crate::error::{QueryError, RecallError};
use crate::frame::Request;
use crate::frame::request::RecallRequest;
use crate::message::{MessageIds, RecallHandle};
use crate::name::{Namespace, QueueName};
use crate::query::{Call, Response, Target};

impl<T> Blockable for Result<T, RecallError> {
    fn would_deadlock(_: Option<MessageIds>) -> Self {
        Err(QueryError::WouldDeadlock.into())
    }

    fn forked() -> Self {
        Err(QueryError::Forked.into())
    }
}

impl Producer {
    /// Takes a message back that waits for its time (`RECALL_MESSAGE`, 370; Java's
    /// `recallMessage`), by the [handle](crate::producer::SendReceipt::recall_handle) that its
    /// receipt has. Gives the message's unique id.
    ///
    /// `Ok` means that the broker has noted it; a message whose time comes in that moment may be
    /// delivered all the same. Brokers do not say whether a message of that id waits at all: to
    /// take it back twice is `Ok` twice. They take none back before 5.3, and later only where they
    /// are told that they may (`recallMessageEnable`).
    ///
    /// It resolves within `request_timeout`, and is not repeated. Dropping the [`Pending`] lets it
    /// go on unseen.
    ///
    /// ```no_run
    /// # use rocketry_core::client::Producer;
    /// # use rocketry_core::message::Message;
    /// # use std::time::Duration;
    /// # fn f(producer: &Producer) -> Result<(), Box<dyn std::error::Error>> {
    /// let reminder = Message::new("reminders", "pay order 1848").delay(Duration::from_secs(3600));
    /// let receipt = producer.send(reminder).wait()?;
    /// // It was paid meanwhile.
    /// if let Some(handle) = &receipt.recall_handle {
    ///     producer.recall(handle).wait()?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "recallMessage")]
    pub fn recall(&self, handle: &str) -> Pending<Result<Arc<str>, RecallError>> {
        let Some(parsed) = RecallHandle::parse(handle) else {
            let handle = handle.chars().take(128).collect::<String>().into();
            return Pending::ready(Err(RecallError::Handle { handle }));
        };
        let shared = self.place.owner.shared();
        let RecallHandle { topic, broker, message_id, .. } = parsed;
        let topic = Namespace::of(shared.config()).topic(&topic);
        let (broker, message_id): (Arc<str>, Arc<str>) = (broker.into(), message_id.into());
        let request = Request::Recall(RecallRequest {
            producer_group: Some(self.group().wire().clone()),
            topic: topic.wire().clone(),
            handle: Arc::from(handle),
            broker: Some(broker.clone()),
            ..Default::default()
        });
        let target = Target::Queue(QueueName { topic, broker: broker.clone(), queue: 0 });
        let question = Question::call(Call { target, request, body: Bytes::new() });
        ask(shared, question).then(shared, move |answer| {
            let answer = answer.and_then(Response::checked);
            let recalled = answer.map(|_| message_id);
            Pending::ready(recalled.map_err(|error| RecallError::of(&broker, error)))
        })
    }
}
