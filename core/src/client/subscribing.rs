//! A consumer to be.

use std::sync::Arc;

use super::consumer::Consumer;
use super::delivery::OnUnreadable;
use super::listening::{Listening, QueueChange};
use super::opening::Opening;
use super::shared::Owner;
use super::subscribed::Subscribed;
use super::view::MessageView;
use crate::body::MessageModel;
use crate::config::ConfigError;
use crate::consumer::{
    ConsumeOrder, ConsumerOptions, Filter, FilterError, Start, Subscribe, Taking, TopicSubscription,
};
use crate::error::{ErrorKind, Refused};
use crate::id::SubscriptionId;
use crate::name::{Group, NameError, Topic};
use crate::offsets::{OffsetStore, OwnStore};

/// Why a consumer could not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// The engine refused.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// A name is not valid.
    #[error(transparent)]
    Name(#[from] NameError),
    /// What is asked for of a topic can't be meant.
    #[error("filter of topic {topic}: {error}")]
    Filter {
        /// The topic.
        topic: Topic,
        /// Why not.
        #[source]
        error: FilterError,
    },
    /// Topics are subscribed to, whose queues the group shares, and queues are assigned: a consumer
    /// does the one or the other.
    #[error("a consumer subscribes to topics or is assigned queues, and not both")]
    Assigned,
    /// An option is outside its range.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

impl SubscribeError {
    /// What it comes to.
    ///
    /// ```no_run
    /// # use rocketry_core::client::Client;
    /// # use rocketry_core::error::ErrorKind;
    /// # fn f(client: &Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let error = client.consumer("billing")?.start().unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Invalid, "no topic was named");
    /// # Ok(())
    /// # }
    /// ```
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Refused(refused) => refused.kind(),
            Self::Name(_) | Self::Filter { .. } | Self::Assigned | Self::Config(_) => {
                ErrorKind::Invalid
            }
        }
    }
}

/// A consumer to be: name its topics, then [`start`](Self::start) it.
#[derive(Debug)]
pub struct ConsumerBuilder {
    owner: Arc<Owner>,
    group: Group,
    topics: Vec<(Topic, Filter)>,
    options: ConsumerOptions,
    opening: Opening,
    listener: Option<Listening>,
    wrong: Option<SubscribeError>,
}

impl ConsumerBuilder {
    pub(crate) fn new(owner: Arc<Owner>, group: Group, options: ConsumerOptions) -> Self {
        let (topics, opening, listener, wrong) = Default::default();
        Self { owner, group, topics, options, opening, listener, wrong }
    }

    /// Adds a topic with what is wanted of it: a [`Filter`], or its text, `*` for all or
    /// `TagA || TagB`. What is no topic, and what can't be meant of a filter, is refused by
    /// [`start`](Self::start).
    ///
    /// ```no_run
    /// # use rocketry_core::client::{Client, Consumer, SubscribeError};
    /// # use rocketry_core::consumer::Filter;
    /// # fn start(client: &Client) -> Result<Consumer, SubscribeError> {
    /// let builder = client.consumer("billing")?;
    /// builder.topic("orders", "eu || us").topic("refunds", Filter::tags(["eu", "us"])).start()
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

    /// Adds what [`Consumer::subscriptions`] gave, here or in another process: it is data for
    /// serde, so that it may come from a file.
    ///
    /// ```no_run
    /// # use rocketry_core::client::{Client, Consumer};
    /// # use rocketry_core::consumer::TopicSubscription;
    /// # fn start(client: &Client) -> Result<Consumer, Box<dyn std::error::Error>> {
    /// let json = r#"[{"topic":"orders","filter":"eu || us"}]"#;
    /// let read: Vec<TopicSubscription> = serde_json::from_str(json)?;
    /// Ok(client.consumer("billing")?.subscriptions(read).start()?)
    /// # }
    /// ```
    pub fn subscriptions(mut self, topics: impl IntoIterator<Item = TopicSubscription>) -> Self {
        self.topics.extend(topics.into_iter().map(|of| (of.topic, of.filter)));
        self
    }

    /// Lets it start without a topic: it [subscribes](Consumer::subscribe) to some later.
    ///
    /// ```no_run
    /// # use rocketry_core::client::Client;
    /// # fn f(client: &Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let consumer = client.consumer("billing")?.without_topics().start()?;
    /// consumer.subscribe("orders", "eu || us")?;
    /// # Ok(())
    /// # }
    /// ```
    pub const fn without_topics(mut self) -> Self {
        self.options.without_topics = true;
        self
    }

    /// Has `told` called when queues change hands: after the change, in order, and one change at a
    /// time, of up to 256 queues. A queue is lost once its last commit has been sent; who loses all
    /// of them by leaving is told so too.
    ///
    /// It is called on whichever thread brought the change about, most often one that moves the
    /// client's bytes: it must be brief, and must not wait for this client. It may call it. What it
    /// panics with ends there.
    ///
    /// ```no_run
    /// # use rocketry_core::client::Client;
    /// # fn f(client: &Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let builder = client.consumer("billing")?.topic("orders", "*");
    /// let consumer = builder
    ///     .on_queues(|change| println!("+{} -{}", change.gained.len(), change.lost.len()))
    ///     .start()?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "setMessageQueueListener", alias = "MessageQueueListener")]
    pub fn on_queues(mut self, told: impl FnMut(QueueChange) + Send + 'static) -> Self {
        self.listener = Some(Listening::new(Box::new(told)));
        self
    }

    /// Where the group begins in queues it has no offset for. After the newest message, unless
    /// told otherwise here.
    ///
    /// ```no_run
    /// # use rocketry_core::client::Client;
    /// # use rocketry_core::consumer::Start;
    /// # fn f(client: &Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let builder = client.consumer("billing")?.topic("orders", "*");
    /// let consumer = builder.start_at(Start::First).start()?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "setConsumeFromWhere", alias = "WithConsumeFromWhere")]
    pub const fn start_at(mut self, start: Start) -> Self {
        self.options.start = start;
        self
    }

    /// Has the members of the group share the queues ([`Clustering`](MessageModel::Clustering), the
    /// default), or each of them read all: of one that [broadcasts](MessageModel::Broadcasting) no
    /// broker keeps the offsets, but a file of this host,
    /// `<offset_store_path>/<address@instance_name>/<group>/offsets.json`. It is Java's, and is
    /// locked while this consumer is there. It is written each `commit_interval` and at the end. A
    /// second client with the same name and group consumes nothing meanwhile, and its log says why.
    ///
    /// What is given back comes again to this consumer, up to `max_reconsume_times`, and is dropped
    /// then, as what is rejected is at once: a log record tells of it, and
    /// [`TopicConsumption::dropped`](crate::consumer::TopicConsumption::dropped) counts it.
    ///
    /// ```no_run
    /// # use rocketry_core::body::MessageModel;
    /// # use rocketry_core::client::Client;
    /// # fn f(client: &Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let builder = client.consumer("cache")?.topic("changes", "*");
    /// let consumer = builder.model(MessageModel::Broadcasting).start()?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "setMessageModel", alias = "WithConsumerModel")]
    pub const fn model(mut self, model: MessageModel) -> Self {
        self.options.model = model;
        self
    }

    /// Has this consumer's offsets kept in a store of the application's, in either model: brokers
    /// keep none of them then. Its functions are called on a thread that may block, and never with
    /// the client's lock held; it is dropped when the consumer has left.
    ///
    /// ```no_run
    /// # use std::sync::Arc;
    /// # use rocketry_core::client::{Client, Consumer};
    /// # use rocketry_core::offsets::OffsetStore;
    /// # type Started = Result<Consumer, Box<dyn std::error::Error>>;
    /// # fn start(client: &Client, table: Arc<dyn OffsetStore>) -> Started {
    /// let builder = client.consumer("billing")?.topic("orders", "*");
    /// Ok(builder.offset_store(table).start()?)
    /// # }
    /// ```
    #[doc(alias = "setOffsetStore")]
    pub fn offset_store(mut self, store: Arc<dyn OffsetStore>) -> Self {
        self.options.offset_store = Some(OwnStore::new(store));
        self
    }

    /// Handles the messages of each queue one after the other, in the order in which they were
    /// stored; those of different queues at the same time. Send what belongs together to one queue,
    /// by [`SendOptions::ordered`](crate::producer::SendOptions::ordered), say.
    ///
    /// Each queue is locked at its broker (`LOCK_BATCH_MQ`, 41), so that one member of the group
    /// has it at a time, which reads it from the stored offset on. Nothing is handed out before the
    /// lock is there, nor once it has run out, by this client's clock, or is another's: then what
    /// was handed out is [moved](super::Settlement::Moved). Who leaves unlocks, and so does who
    /// loses a queue to another member, once what is being handled of it is settled and committed.
    ///
    /// | verb | what becomes of the queue |
    /// |---|---|
    /// | `ack` | the next message may come |
    /// | `retry`, or dropped | it rests, 1 s at first, twice as long each time, up to 30 s |
    /// | `retry_after`, `retry_here` | it rests so long, 10 ms to 30 s by the former |
    /// | `reject` | the message becomes a dead letter; the next may come when a broker has it |
    ///
    /// When a queue has rested, the same message comes again, and then what was not settled after
    /// it.
    ///
    /// A message is tried without end, unless `max_reconsume_times` is set for this consumer: then
    /// it is rejected once it has come again so often. Attempts are counted by this client, and
    /// anew by the next owner of the queue.
    ///
    /// All members of a group must be orderly. Followed is `ConsumeMessageOrderlyService`.
    ///
    /// ```no_run
    /// # use rocketry_core::client::{Client, MessageView, RunOptions};
    /// # fn f(client: &Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let consumer = client.consumer("billing")?.topic("orders", "*").orderly().start()?;
    /// let write = |order: &MessageView| std::fs::write("last", order.body());
    /// let run = consumer.run(RunOptions::default(), write)?;
    /// # run.ended().wait()?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "MessageListenerOrderly", alias = "WithConsumerOrder", alias = "consumeOrderly")]
    pub const fn orderly(mut self) -> Self {
        self.options.order = ConsumeOrder::Orderly;
        self
    }

    /// Who settles messages that can't be read: the application, unless told otherwise here.
    ///
    /// ```no_run
    /// # use rocketry_core::client::{Client, OnUnreadable};
    /// # fn f(client: &Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let builder = client.consumer("billing")?.topic("orders", "*");
    /// let consumer = builder.on_unreadable(OnUnreadable::Settle).start()?;
    /// # Ok(())
    /// # }
    /// ```
    pub const fn on_unreadable(mut self, unreadable: OnUnreadable) -> Self {
        self.opening.unreadable = unreadable;
        self
    }

    /// Has the application say of each message whether it wants it, after brokers and the client
    /// have compared tags or expressions: one that it does not want counts as acked, whichever
    /// queue it is of, and is not handed out. Brokers know nothing of it: they send all messages of
    /// the topic's filter, and other members of the group need not have the same.
    ///
    /// It is called where the message would be handed out: in `recv`, when `next` is polled, or by
    /// a worker before the handler, once each time the message comes. It must be brief; it may call
    /// the client. A message at which it panics is handed out, and a log record tells so, once a
    /// second at most. What can't be read is not shown to it, nor is a message that an
    /// administrator has consumed directly.
    ///
    /// ```no_run
    /// # use rocketry_core::client::Client;
    /// # fn f(client: &Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let builder = client.consumer("billing")?.topic("orders", "eu || us");
    /// let consumer = builder.filter_with(|message| message.body().len() > 100).start()?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "FilterMessageHook", alias = "registerFilterMessageHook")]
    pub fn filter_with(
        mut self,
        wants: impl Fn(&MessageView) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.opening.wanted = Some(Arc::new(wants));
        self
    }

    /// Joins the group. Returns at once; messages come as soon as the brokers have heard of this
    /// consumer and its share of the queues is known. A nameserver that can't be reached or a topic
    /// that is not there is no error: it is looked for on and on. Log records tell of it, and
    /// [`Client::stats`](super::Client::stats) shows what a consumer waits for.
    ///
    /// See the example of [`topic`](Self::topic).
    pub fn start(self) -> Result<Consumer, SubscribeError> {
        if let Some(wrong) = self.wrong {
            return Err(wrong);
        }
        let Self { owner, group, topics, mut options, opening, listener, .. } = self;
        // What is polled has a handle of its own.
        options.taking = Taking::Delivered;
        let sub = join(&owner, Subscribe { group, topics, options }, listener)?;
        Ok(Consumer::new(owner, sub, opening))
    }
}

/// Has the engine begin a consumer, which is watched by the handle that is made of it.
pub(super) fn join(
    owner: &Owner,
    subscribe: Subscribe,
    listener: Option<Listening>,
) -> Result<SubscriptionId, SubscribeError> {
    let shared = owner.shared();
    subscribe.options.check(shared.config())?;
    let listener = listener.map(Arc::new);
    // Code of the application's is not dropped under the lock, if it is refused there.
    let ConsumerOptions { strategy, offset_store, .. } = &subscribe.options;
    let (listener, _kept) = (listener.clone(), (listener, strategy.clone(), offset_store.clone()));
    let sub = shared.run(|core, now| {
        let sub = core.engine.subscribe(now, subscribe)?;
        let handle = Subscribed { listener, watching: 1, ..Default::default() };
        core.consumers.insert(sub, handle);
        Ok::<_, Refused>(sub)
    });
    Ok(sub.ok_or_else(|| shared.nobody(Refused::Stopped))??)
}

/// Adds a topic with its filter to those of a builder, which refuses the first wrong one at its
/// start.
pub(super) fn add<T, F>(
    topics: &mut Vec<(Topic, Filter)>,
    wrong: &mut Option<SubscribeError>,
    (topic, filter): (T, F),
) where
    T: TryInto<Topic>,
    NameError: From<T::Error>,
    F: TryInto<Filter>,
    FilterError: From<F::Error>,
{
    match named(topic, filter) {
        Ok(named) => topics.push(named),
        Err(error) => _ = wrong.get_or_insert(error),
    }
}

/// A topic and a filter, from whatever stands for them.
pub(super) fn named<T, F>(topic: T, filter: F) -> Result<(Topic, Filter), SubscribeError>
where
    T: TryInto<Topic>,
    NameError: From<T::Error>,
    F: TryInto<Filter>,
    FilterError: From<F::Error>,
{
    let topic = topic.try_into().map_err(NameError::from)?;
    match filter.try_into().map_err(FilterError::from) {
        Ok(filter) => Ok((topic, filter)),
        Err(error) => Err(SubscribeError::Filter { topic, error }),
    }
}
