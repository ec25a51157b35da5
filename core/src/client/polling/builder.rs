//! A consumer to be that is polled.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use super::consumer::PullConsumer;
use crate::client::listening::{Listening, OnQueues, OnTopics, QueueChange, TopicQueues};
use crate::client::shared::Owner;
use crate::client::subscribing::{SubscribeError, add, join};
use crate::consumer::{ConsumerOptions, Filter, FilterError, Polling, Start, Subscribe, Taking};
use crate::name::{Group, NameError, QueueName, Topic};

/// A consumer to be that is polled: name its topics, whose queues the members of the group share,
/// or the queues that it is to read; then [`start`](Self::start) it.
pub struct PullConsumerBuilder {
    owner: Arc<Owner>,
    group: Group,
    topics: Vec<(Topic, Filter)>,
    /// What is wanted of topics whose queues are assigned.
    filters: Vec<(Topic, Filter)>,
    options: ConsumerOptions,
    polling: Polling,
    on_queues: Option<OnQueues>,
    on_topics: Option<OnTopics>,
    wrong: Option<SubscribeError>,
}

impl fmt::Debug for PullConsumerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("PullConsumerBuilder");
        shown.field("group", &self.group).field("topics", &self.topics);
        shown.field("polling", &self.polling).finish_non_exhaustive()
    }
}

impl PullConsumerBuilder {
    pub(in crate::client) fn new(
        owner: Arc<Owner>,
        group: Group,
        options: ConsumerOptions,
    ) -> Self {
        let (topics, filters) = (Vec::new(), Vec::new());
        let (polling, on_queues, on_topics, wrong) = (Polling::default(), None, None, None);
        Self { owner, group, topics, filters, options, polling, on_queues, on_topics, wrong }
    }

    /// Subscribes to a topic: the members of the group share its queues. What is wanted of it is a
    /// [`Filter`], or its text, `*` for all or `TagA || TagB`. What is no topic, and what can't be
    /// meant of a filter, is refused by [`start`](Self::start).
    ///
    /// ```no_run
    /// # use rocketry_core::client::Client;
    /// # fn f(client: &Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut consumer = client.pull_consumer("audit")?.topic("orders", "eu || us").start()?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "subscribe", alias = "Subscribe")]
    pub fn topic<T, F>(mut self, topic: T, filter: F) -> Self
    where
        T: TryInto<Topic>,
        NameError: From<T::Error>,
        F: TryInto<Filter>,
        FilterError: From<F::Error>,
    {
        add(&mut self.topics, &mut self.wrong, (topic, filter));
        self
    }

    /// Reads these queues, whoever else is in the group: no members are asked for, and nobody takes
    /// a queue away. Offsets are the group's all the same, so that two that are assigned the same
    /// queue in one group write over each other's. The queues may be others later
    /// ([`assign`](super::PullControl::assign)), and none at first.
    ///
    /// ```no_run
    /// # use rocketry_core::client::Client;
    /// # use rocketry_core::name::Topic;
    /// # fn f(client: &Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let queues = client.queues(&Topic::new("orders")?).wait()?;
    /// let mut consumer = client.pull_consumer("audit")?.assign(queues).start()?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "Assign")]
    pub fn assign(mut self, queues: impl IntoIterator<Item = QueueName>) -> Self {
        self.polling.queues.get_or_insert_with(BTreeSet::new).extend(queues);
        self
    }

    /// What is wanted of a topic whose queues are assigned: all of it unless told otherwise.
    ///
    /// ```no_run
    /// # use rocketry_core::client::Client;
    /// # use rocketry_core::name::Topic;
    /// # fn f(client: &Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let queues = client.queues(&Topic::new("orders")?).wait()?;
    /// let builder = client.pull_consumer("audit")?.assign(queues);
    /// let mut consumer = builder.assigned_filter("orders", "eu").start()?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "setSubExpressionForAssign")]
    pub fn assigned_filter<T, F>(mut self, topic: T, filter: F) -> Self
    where
        T: TryInto<Topic>,
        NameError: From<T::Error>,
        F: TryInto<Filter>,
        FilterError: From<F::Error>,
    {
        add(&mut self.filters, &mut self.wrong, (topic, filter));
        self
    }

    /// Where it begins in queues for which the group has no offset: after the newest message,
    /// unless told otherwise here.
    ///
    /// ```no_run
    /// # use rocketry_core::client::Client;
    /// # use rocketry_core::consumer::Start;
    /// # fn f(client: &Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let builder = client.pull_consumer("audit")?.topic("orders", "*");
    /// let mut consumer = builder.start_at(Start::First).start()?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "setConsumeFromWhere", alias = "setConsumeTimestamp")]
    pub const fn start_at(mut self, start: Start) -> Self {
        self.options.start = start;
        self
    }

    /// Whether what is settled is committed every `commit_interval` (5 s), when a queue goes to
    /// another member, and at the end: it is, unless told otherwise here. Without it nothing is
    /// committed but by [`commit`](super::PullControl::commit) and its neighbours.
    ///
    /// ```no_run
    /// # use rocketry_core::client::Client;
    /// # use std::time::Duration;
    /// # fn f(client: &Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let builder = client.pull_consumer("audit")?.topic("orders", "*");
    /// let mut consumer = builder.auto_commit(false).start()?;
    /// let messages = consumer.poll(Duration::from_secs(5))?;
    /// println!("{} messages, written down elsewhere", messages.len());
    /// consumer.commit().wait()?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "setAutoCommit")]
    pub const fn auto_commit(mut self, auto: bool) -> Self {
        self.polling.auto_commit = auto;
        self
    }

    /// Has `told` called when queues come and go, as
    /// [`ConsumerBuilder::on_queues`](crate::client::ConsumerBuilder::on_queues) tells: by the
    /// group's sharing, by [`assign`](super::PullControl::assign), and where those that were
    /// assigned appear in the topic's route or vanish from it.
    ///
    /// ```no_run
    /// # use rocketry_core::client::Client;
    /// # fn f(client: &Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let builder = client.pull_consumer("audit")?.topic("orders", "*");
    /// let mut consumer = builder
    ///     .on_queues(|change| println!("+{} -{}", change.gained.len(), change.lost.len()))
    ///     .start()?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "MessageQueueListener")]
    pub fn on_queues(mut self, told: impl FnMut(QueueChange) + Send + 'static) -> Self {
        self.on_queues = Some(Box::new(told));
        self
    }

    /// Has `told` called with all queues of a topic that it reads, whoever reads them: when they
    /// are known, and whenever they change, which the client sees within `route_refresh_interval`
    /// (30 s). Who is to read all of a topic can be [assigned](super::PullControl::assign) them
    /// there. It is called as that of [`on_queues`](Self::on_queues), one call at a time for both.
    ///
    /// ```no_run
    /// # use rocketry_core::client::{Client, PullControl};
    /// # use rocketry_core::name::Topic;
    /// # use std::sync::OnceLock;
    /// # fn f(client: &Client) -> Result<(), Box<dyn std::error::Error>> {
    /// static CONTROL: OnceLock<PullControl> = OnceLock::new();
    ///
    /// let queues = client.queues(&Topic::new("orders")?).wait()?;
    /// let builder = client.pull_consumer("audit")?.assign(queues).on_topics(|now| {
    ///     if let Some(control) = CONTROL.get() {
    ///         let _ = control.assign(now.queues);
    ///     }
    /// });
    /// let mut consumer = builder.start()?;
    /// CONTROL.get_or_init(|| consumer.control());
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "registerTopicMessageQueueChangeListener")]
    #[doc(alias = "TopicMessageQueueChangeListener")]
    pub fn on_topics(mut self, told: impl FnMut(TopicQueues) + Send + 'static) -> Self {
        self.on_topics = Some(Box::new(told));
        self
    }

    /// Begins to pull what it is to read, in the background: up to the limits of a queue's window
    /// (`queue_messages`, `queue_bytes`, `queue_span`), whether or not it is polled. Returns at
    /// once; what is not there yet, a nameserver or a topic, is looked for on and on.
    ///
    /// # Errors
    ///
    /// Where topics and queues are both named, or neither; for names, filters and options that
    /// can't be meant; where this client has a consumer of the group already; after its end.
    ///
    /// See the example of [`topic`](Self::topic).
    pub fn start(self) -> Result<PullConsumer, SubscribeError> {
        if let Some(wrong) = self.wrong {
            return Err(wrong);
        }
        let Self { owner, group, topics, filters, mut options, mut polling, .. } = self;
        let (on_queues, on_topics) = (self.on_queues, self.on_topics);
        polling.watches = on_topics.is_some();
        let assigned = polling.queues.is_some();
        if assigned && !topics.is_empty() {
            return Err(SubscribeError::Assigned);
        }
        options.taking = Taking::Polled(polling);
        let listens = on_queues.is_some() || on_topics.is_some();
        let listener = listens.then(|| Listening::of(on_queues, on_topics));
        let topics = if assigned { filters } else { topics };
        let sub = join(&owner, Subscribe { group: group.clone(), topics, options }, listener)?;
        Ok(PullConsumer::new(owner, (sub, group), assigned))
    }
}
