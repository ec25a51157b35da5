//! The handle that sends messages.

use std::sync::Arc;

use super::deferred::chosen;
use super::pending::{Pending, ask};
use super::producing::ProducerOptions;
use super::question::Question;
use super::shared::Owner;
use super::waiting::SendEnd;
use crate::error::SendError;
use crate::message::{Message, MessageError, MessageLimits, Publish};
use crate::name::{Group, QueueName};
use crate::producer::{QueueSelection, SendOptions, SendReceipt};
use crate::query::QueueChoice;

/// Sends messages. Cheap to clone, and used from any number of threads and tasks at once. Brokers
/// know its group until a minute after the last producer of the group is dropped.
#[derive(Clone, Debug)]
#[doc(alias = "DefaultMQProducer", alias = "MQProducer", alias = "NewProducer")]
pub struct Producer {
    pub(super) place: Arc<Place>,
}

/// What all clones of a producer have together.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) owner: Arc<Owner>,
    pub(super) group: Group,
    pub(super) options: ProducerOptions,
    pub(super) limits: MessageLimits,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.owner.shared().run(|core, now| core.engine.withdraw(now, &self.group));
    }
}

impl Producer {
    pub(super) fn new(owner: Arc<Owner>, group: Group, options: ProducerOptions) -> Self {
        owner.shared().run(|core, now| core.engine.produce(now, &group));
        let limits = options.limits(owner.shared().config());
        Self { place: Arc::new(Place { owner, group, options, limits }) }
    }

    /// Its group.
    ///
    /// ```no_run
    /// # use rocketry_core::client::Producer;
    /// # fn f(producer: &Producer) -> Result<(), Box<dyn std::error::Error>> {
    /// println!("sends as {}", producer.group());
    /// # Ok(())
    /// # }
    /// ```
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
    /// Dropping the [`Pending`] lets the call go on unseen, as long as the runtime runs: await
    /// [`Client::shutdown`](super::Client::shutdown) before `main` ends.
    ///
    /// ```no_run
    /// # use rocketry_core::client::Producer;
    /// # use rocketry_core::message::Message;
    /// # async fn f(producer: &Producer) -> Result<(), Box<dyn std::error::Error>> {
    /// let order = Message::new("orders", "3 apples").tag("eu").key("1848");
    /// let receipt = producer.send(order).await?;
    /// println!("stored at offset {} of queue {}", receipt.offset, receipt.queue);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "SendSync", alias = "SendAsync", alias = "send_sync")]
    pub fn send(&self, message: Message) -> Pending<Result<SendReceipt, SendError>> {
        self.send_with(message, SendOptions::default())
    }

    /// As [`send`](Self::send), to a queue of its own or with a deadline of its own.
    ///
    /// A oneway send ends like [`send_oneway`](Self::send_oneway), which has a result that says
    /// so: here it is [`SendError::NoReceipt`].
    ///
    /// ```no_run
    /// # use rocketry_core::client::Producer;
    /// # use rocketry_core::message::Message;
    /// # use rocketry_core::producer::SendOptions;
    /// # use std::time::Duration;
    /// # fn f(producer: &Producer) -> Result<(), Box<dyn std::error::Error>> {
    /// // All of one key go to one queue, in the order of the calls.
    /// let options = SendOptions::ordered("customer-7").timeout(Duration::from_secs(10));
    /// producer.send_with(Message::new("orders", "3 apples"), options).wait()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn send_with(
        &self,
        message: Message,
        options: SendOptions,
    ) -> Pending<Result<SendReceipt, SendError>> {
        self.send_one(message, options)
    }

    /// Sends one message without asking for an answer: the broker may store it, or not, and nobody
    /// will know. `Ok` means that it was given to the broker's connection, which is there: it waits
    /// with at most 256 KiB of its like, to be written together, for about 0.1 ms. If the
    /// connection is lost before, it is lost with it; a log record and
    /// [`Client::stats`](super::Client::stats) count those. Errors are those that come before: no
    /// route, no connection by the deadline, a full window.
    ///
    /// ```no_run
    /// # use rocketry_core::client::Producer;
    /// # use rocketry_core::message::Message;
    /// # fn f(producer: &Producer) -> Result<(), Box<dyn std::error::Error>> {
    /// producer.send_oneway(Message::new("clicks", "/cart")).wait()?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "sendOneway", alias = "SendOneWay")]
    pub fn send_oneway(&self, message: Message) -> Pending<Result<(), SendError>> {
        self.send_one(message, SendOptions::default().oneway())
    }

    /// Sends several messages of one topic together (`SEND_BATCH_MESSAGE`, 320): all of them are
    /// stored one after the other in one queue, or none is. They must have no delay, and fit
    /// `max_body` together. [`SendReceipt::messages`] tells each one's id and offset.
    ///
    /// ```no_run
    /// # use rocketry_core::client::Producer;
    /// # use rocketry_core::message::Message;
    /// # fn f(producer: &Producer) -> Result<(), Box<dyn std::error::Error>> {
    /// let orders = ["3 apples", "1 pear"].map(|body| Message::new("orders", body));
    /// for (id, offset, _) in producer.send_batch(&orders).wait()?.messages() {
    ///     println!("{id} is at offset {offset}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "MessageBatch")]
    pub fn send_batch(&self, messages: &[Message]) -> Pending<Result<SendReceipt, SendError>> {
        self.send_batch_with(messages, SendOptions::default())
    }

    /// As [`send_batch`](Self::send_batch), to a queue of its own or with a deadline of its own.
    ///
    /// ```no_run
    /// # use rocketry_core::client::Producer;
    /// # use rocketry_core::message::Message;
    /// # use rocketry_core::producer::SendOptions;
    /// # fn f(producer: &Producer) -> Result<(), Box<dyn std::error::Error>> {
    /// let orders = ["3 apples", "1 pear"].map(|body| Message::new("orders", body));
    /// producer.send_batch_with(&orders, SendOptions::hash("customer-7")).wait()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn send_batch_with(
        &self,
        messages: &[Message],
        options: SendOptions,
    ) -> Pending<Result<SendReceipt, SendError>> {
        self.send_all(messages, options)
    }

    /// As [`send_batch`](Self::send_batch), without asking for an answer; see
    /// [`send_oneway`](Self::send_oneway).
    ///
    /// ```no_run
    /// # use rocketry_core::client::Producer;
    /// # use rocketry_core::message::Message;
    /// # fn f(producer: &Producer) -> Result<(), Box<dyn std::error::Error>> {
    /// let clicks = ["/cart", "/pay"].map(|page| Message::new("clicks", page));
    /// producer.send_batch_oneway(&clicks).wait()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn send_batch_oneway(&self, messages: &[Message]) -> Pending<Result<(), SendError>> {
        self.send_all(messages, SendOptions::default().oneway())
    }

    /// As [`send`](Self::send), to the queue that `select` chooses by its place among those of the
    /// topic that may be written to, by broker name and number. It runs once, in this thread when
    /// the topic's route is known, else in the one that waits for the result: until then nothing
    /// is sent. Every try goes to its queue. A panic in it, `None`, and a place that is not there
    /// end the send with [`SendError::NoChoice`], and harm nothing else.
    ///
    /// ```no_run
    /// # use rocketry_core::client::Producer;
    /// # use rocketry_core::message::Message;
    /// # fn f(producer: &Producer) -> Result<(), Box<dyn std::error::Error>> {
    /// let order = Message::new("orders", "3 apples");
    /// let quickest = producer.send_with_selector(order, |_, queues| {
    ///     (0..queues.len()).min_by_key(|at| (queues[*at].isolated, queues[*at].latency))
    /// });
    /// quickest.wait()?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "MessageQueueSelector", alias = "QueueSelector")]
    pub fn send_with_selector(
        &self,
        message: Message,
        select: impl FnOnce(&Message, &[QueueChoice]) -> Option<usize> + Send + 'static,
    ) -> Pending<Result<SendReceipt, SendError>> {
        let (options, _) = self.place.options.under(SendOptions::default(), Some(&message));
        self.select(
            message,
            |message| Some(message),
            select,
            move |own, message, to| own.start(own.publish(message), options.selection(to)),
        )
    }

    fn send_one<T: 'static>(
        &self,
        message: Message,
        options: SendOptions,
    ) -> Pending<Result<T, SendError>>
    where
        Result<T, SendError>: From<SendEnd>,
    {
        match self.place.options.under(options, Some(&message)) {
            (options, None) => self.start(self.publish(message), options),
            (options, Some(select)) => {
                let select = select.clone();
                let select = move |message: &Message, queues: &[_]| select(message, queues);
                self.select(
                    message,
                    |message| Some(message),
                    select,
                    move |own, message, to| own.start(own.publish(message), options.selection(to)),
                )
            }
        }
    }

    fn send_all<T: 'static>(
        &self,
        messages: &[Message],
        options: SendOptions,
    ) -> Pending<Result<T, SendError>>
    where
        Result<T, SendError>: From<SendEnd>,
    {
        match self.place.options.under(options, messages.first()) {
            (options, None) => self.start(self.batch(messages), options),
            (options, Some(select)) => {
                let (select, messages) = (select.clone(), messages.to_vec());
                let select = move |message: &Message, queues: &[_]| select(message, queues);
                self.select(
                    messages,
                    |all| all.first(),
                    select,
                    move |own, all, to| own.start(own.batch(&all), options.selection(to)),
                )
            }
        }
    }

    /// Has `select` choose a queue for what is sent, by the message that `first` gives of it.
    fn select<M, T, S>(
        &self,
        sent: M,
        first: fn(&M) -> Option<&Message>,
        select: impl FnOnce(&Message, &[QueueChoice]) -> Option<usize> + Send + 'static,
        send: S,
    ) -> Pending<Result<T, SendError>>
    where
        M: Send + 'static,
        T: 'static,
        S: FnOnce(&Self, M, QueueSelection) -> Pending<Result<T, SendError>> + Send + 'static,
    {
        let shared = self.place.owner.shared();
        let topic = match first(&sent).map(Message::check_topic) {
            Some(Ok(topic)) => topic.clone(),
            Some(Err(error)) => return Pending::ready(Err(error.into())),
            None => return Pending::ready(Err(MessageError::EmptyBatch.into())),
        };
        let queues = ask(shared, Question::writable(&topic));
        let own = self.clone();
        queues.then(shared, move |queues| {
            let select = |queues: &[_]| select(first(&sent)?, queues);
            match chosen(select, topic, queues) {
                Ok(QueueName { broker, queue, .. }) => {
                    let queue = queue as i32;
                    send(&own, sent, QueueSelection::Queue { broker, queue })
                }
                Err(error) => Pending::ready(Err(error)),
            }
        })
    }

    pub(super) fn publish(&self, message: Message) -> Result<Publish, MessageError> {
        let shared = self.place.owner.shared();
        let born = shared.clock().unix();
        let id = shared.ids().next(born);
        Publish::new(message, &self.place.group, id, born, &self.place.limits)
    }

    fn batch(&self, messages: &[Message]) -> Result<Publish, MessageError> {
        let shared = self.place.owner.shared();
        let born = shared.clock().unix();
        Publish::batch(
            messages,
            &self.place.group,
            || shared.ids().next(born),
            born,
            &self.place.limits,
        )
    }

    fn start<T>(
        &self,
        publish: Result<Publish, MessageError>,
        options: SendOptions,
    ) -> Pending<Result<T, SendError>>
    where
        Result<T, SendError>: From<SendEnd>,
    {
        let shared = self.place.owner.shared();
        let publish = match publish {
            Ok(publish) => Arc::new(publish),
            Err(error) => return Pending::ready(Err(error.into())),
        };
        match shared.send(publish.clone(), options) {
            Ok(op) => Pending::call::<SendEnd>(shared.clone(), op).of(publish.ids()),
            Err(error) => Pending::ready(Err(error)),
        }
    }
}
