//! What a consumer reads, asked and changed while it runs.

use super::consumer::Consumer;
use super::control::ConsumerHandle;
use super::subscribing::{SubscribeError, named};
use crate::consumer::{Filter, FilterError, TopicSubscription};
use crate::error::Refused;
use crate::name::{NameError, Namespace, Topic};
use crate::query::QueueName;

impl ConsumerHandle {
    /// Reads one more topic; or other messages of one that is read, for all that is pulled from
    /// then on. Brokers hear of it at once, and its queues are shared out as soon as they have.
    /// Messages that were pulled before go by the filter of that time.
    ///
    /// All members of a group must subscribe to the same: brokers keep one list for it.
    ///
    /// # Errors
    ///
    /// For a name that is no topic's, a filter that can't be meant, and after the client's end.
    ///
    /// ```no_run
    /// # use rocketry_core::client::ConsumerHandle;
    /// # fn f(consumer: ConsumerHandle) -> Result<(), Box<dyn std::error::Error>> {
    /// consumer.subscribe("refunds", "*")?;
    /// consumer.subscribe("orders", "eu || us || ch")?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn subscribe<T, F>(&self, topic: T, filter: F) -> Result<(), SubscribeError>
    where
        T: TryInto<Topic>,
        NameError: From<T::Error>,
        F: TryInto<Filter>,
        FilterError: From<F::Error>,
    {
        let (topic, filter) = named(topic, filter)?;
        let topic = Namespace::of(self.shared.config()).checked_topic(topic)?;
        let (shared, sub) = (&self.shared, self.sub);
        let done = shared.run(|core, now| core.engine.subscribe_to(now, sub, topic, filter));
        let done = done.ok_or_else(|| shared.nobody(Refused::Stopped))?;
        Ok(done.map_err(|_| Refused::Stopped)?)
    }

    /// Reads a topic no more: what is settled of its queues is committed, and they are given up.
    /// Messages of them that are not settled can't be any more, and go to other members that read
    /// it. False if it was not read.
    ///
    /// # Errors
    ///
    /// As [`subscribe`](Self::subscribe).
    ///
    /// ```no_run
    /// # use rocketry_core::client::ConsumerHandle;
    /// # fn f(consumer: ConsumerHandle) -> Result<(), Box<dyn std::error::Error>> {
    /// assert!(consumer.unsubscribe("refunds")?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn unsubscribe<T>(&self, topic: T) -> Result<bool, SubscribeError>
    where
        T: TryInto<Topic>,
        NameError: From<T::Error>,
    {
        let topic = topic.try_into().map_err(NameError::from)?;
        let (shared, sub) = (&self.shared, self.sub);
        let done = shared.run(|core, now| core.engine.unsubscribe_from(now, sub, &topic));
        let done = done.ok_or_else(|| shared.nobody(Refused::Stopped))?;
        Ok(done.map_err(|_| Refused::Stopped)?)
    }

    /// What is read now, as data that [`ConsumerBuilder::subscriptions`] takes; nothing after the
    /// client's end.
    ///
    /// [`ConsumerBuilder::subscriptions`]: super::ConsumerBuilder::subscriptions
    ///
    /// ```no_run
    /// # use rocketry_core::client::ConsumerHandle;
    /// # fn f(consumer: &ConsumerHandle) -> Result<(), Box<dyn std::error::Error>> {
    /// std::fs::write("topics.json", serde_json::to_string(&consumer.subscriptions())?)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn subscriptions(&self) -> Vec<TopicSubscription> {
        let sub = self.sub;
        self.shared.run(|core, _| core.engine.subscriptions(sub)).unwrap_or_default()
    }

    /// The queues that are this consumer's now; none after the client's end.
    ///
    /// ```no_run
    /// # use rocketry_core::client::ConsumerHandle;
    /// # fn f(consumer: &ConsumerHandle) {
    /// for queue in consumer.queues() {
    ///     println!("queue {} of {} on {}", queue.queue, queue.topic, queue.broker);
    /// }
    /// # }
    /// ```
    #[doc(alias = "assignment", alias = "fetchMessageQueues")]
    pub fn queues(&self) -> Vec<QueueName> {
        let sub = self.sub;
        self.shared.run(|core, _| core.engine.queues(sub)).unwrap_or_default()
    }
}

impl Consumer {
    /// As [`ConsumerHandle::subscribe`].
    ///
    /// ```no_run
    /// # use rocketry_core::client::Consumer;
    /// # fn f(consumer: Consumer) -> Result<(), Box<dyn std::error::Error>> {
    /// consumer.subscribe("refunds", "*")?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn subscribe<T, F>(&self, topic: T, filter: F) -> Result<(), SubscribeError>
    where
        T: TryInto<Topic>,
        NameError: From<T::Error>,
        F: TryInto<Filter>,
        FilterError: From<F::Error>,
    {
        self.control().subscribe(topic, filter)
    }

    /// As [`ConsumerHandle::unsubscribe`].
    ///
    /// ```no_run
    /// # use rocketry_core::client::Consumer;
    /// # fn f(consumer: Consumer) -> Result<(), Box<dyn std::error::Error>> {
    /// assert!(consumer.unsubscribe("refunds")?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn unsubscribe<T>(&self, topic: T) -> Result<bool, SubscribeError>
    where
        T: TryInto<Topic>,
        NameError: From<T::Error>,
    {
        self.control().unsubscribe(topic)
    }

    /// As [`ConsumerHandle::subscriptions`].
    ///
    /// ```no_run
    /// # use rocketry_core::client::Consumer;
    /// # fn f(consumer: &Consumer) -> Result<(), Box<dyn std::error::Error>> {
    /// std::fs::write("topics.json", serde_json::to_string(&consumer.subscriptions())?)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn subscriptions(&self) -> Vec<TopicSubscription> {
        self.control().subscriptions()
    }

    /// As [`ConsumerHandle::queues`].
    ///
    /// ```no_run
    /// # use rocketry_core::client::Consumer;
    /// # fn f(consumer: &Consumer) {
    /// println!("{} queues are ours", consumer.queues().len());
    /// # }
    /// ```
    #[doc(alias = "assignment", alias = "fetchMessageQueues")]
    pub fn queues(&self) -> Vec<QueueName> {
        self.control().queues()
    }
}
