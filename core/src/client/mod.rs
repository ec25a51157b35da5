//! The handles users hold: the same concrete types on every runtime.
//!
//! A handle locks, asks the engine, and waits on a waker, so it needs no runtime. One mutex holds
//! the engine; nothing of the user's runs under it: wakers are cloned before and dropped after, log
//! records are written after, bodies are encoded before and written after.

pub mod adapter;
mod admin;
mod after_unlock;
mod awaiting;
mod batch;
mod checking;
mod consumer;
mod control;
mod deferred;
mod delivery;
mod driving;
mod ended;
mod host;
mod lending;
mod link;
mod links;
mod listening;
mod lock_stats;
mod log;
mod offsets;
mod opening;
mod outcome;
mod park;
mod pending;
mod plain;
mod polling;
mod producer;
mod producing;
mod pump;
mod question;
mod reading;
mod recalling;
mod received;
mod requesting;
mod run;
mod running;
mod shared;
mod source;
mod state;
mod subscribed;
mod subscribing;
mod transacting;

mod view;
mod waiting;
mod wall;
mod work;

use std::future::Future;
use std::sync::Arc;

pub use admin::{Admin, Pulled};
pub use batch::{Iter, NextBatch};
pub use consumer::{Consumer, Next};
pub use control::ConsumerHandle;
pub use delivery::{Delivery, OnUnreadable, Received, Unreadable};
pub use ended::{EndError, Ended};
pub use listening::{QueueChange, TopicQueues};
pub use lock_stats::LockStats;
pub use pending::{Blockable, Pending};
pub use polling::{
    NextPoll, NotAssigned, Polled, PullConsumer, PullConsumerBuilder, PullControl, SeekError,
};
pub use producer::Producer;
pub use producing::{ProducerError, ProducerOptions};
pub use received::{RecvError, RecvTimeoutError, Settlement};
pub use run::{BatchContext, Concurrency, Handled, Run, RunError, RunOptions, RunStats, Verdict};
pub use subscribing::{ConsumerBuilder, SubscribeError};
pub use transacting::{
    Begin, BeginError, HalfMessage, TransactionListener, TransactionOptions, TransactionProducer,
    TransactionRunError,
};
pub use view::MessageView;

use crate::config::Config;
use crate::consumer::ConsumerOptions;
use crate::engine::Snapshot;
use crate::error::QueryError;
use crate::name::{Group, NameError, Namespace, Topic};
use crate::query::QueueName;
use crate::transaction::{CheckedHalf, Resolution};
use checking::Checker;
use pending::ask;
use question::Question;
use shared::{Owner, Shared};

/// One client: its connections, shared by all its producers and consumers.
///
/// Cheap to clone. Dropping the last handle of a client shuts it down in the background; use
/// [`shutdown`](Self::shutdown) to wait for it.
///
/// A child process inherits none of its sockets. A child of `fork` without `exec` can't use it: the
/// threads or tasks that move its bytes are the parent's alone, so every call there is refused
/// ([`Refused::Forked`](crate::error::Refused::Forked)), and what was begun before ends with an
/// error that says so. A process that is stopped and continued goes on where it was; what passed
/// its deadline meanwhile ends then.
#[derive(Clone, Debug)]
#[doc(alias = "MQClientInstance", alias = "MQClientFactory", alias = "RMQClient")]
pub struct Client {
    owner: Arc<Owner>,
}

impl Client {
    /// A client around `shared`; for adapters, which give it to their pump as well.
    pub fn new(shared: Arc<Shared>) -> Self {
        Self { owner: Arc::new(Owner::new(shared)) }
    }

    /// How long this client's lock was held so far; `None` without the feature `lock-stats`, which
    /// costs two looks at the clock each time.
    ///
    /// ```no_run
    /// # use rocketry_core::client::Client;
    /// # fn f(client: &Client) -> Result<(), Box<dyn std::error::Error>> {
    /// if let Some(held) = client.lock_stats() {
    ///     println!("{} holds, the longest {:?}", held.holds, held.max);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn lock_stats(&self) -> Option<LockStats> {
        self.owner.shared().lock_stats()
    }

    /// A producer of the group `group`. Nothing is sent until its first message. As in Java no
    /// group is `DEFAULT_PRODUCER`; nor does one begin with `%RETRY%` or `%DLQ%`, as topics of
    /// groups do.
    ///
    /// ```no_run
    /// # use rocketry_core::client::Client;
    /// # use rocketry_core::message::Message;
    /// # fn f(client: &Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let producer = client.producer("shop")?;
    /// producer.send(Message::new("orders", "3 apples")).wait()?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "DefaultMQProducer", alias = "NewProducer", alias = "create_producer")]
    pub fn producer<G>(&self, group: G) -> Result<Producer, NameError>
    where
        G: TryInto<Group>,
        NameError: From<G::Error>,
    {
        Ok(Producer::new(self.owner.clone(), self.producers(group)?, ProducerOptions::default()))
    }

    /// As [`producer`](Self::producer), with what it does otherwise than the client's settings say.
    ///
    /// ```no_run
    /// # use rocketry_core::client::{Client, ProducerOptions};
    /// # use std::time::Duration;
    /// # fn f(client: &Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let patient = ProducerOptions::default().timeout(Duration::from_secs(10)).attempts(5);
    /// let producer = client.producer_with("shop", patient)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn producer_with<G>(
        &self,
        group: G,
        options: ProducerOptions,
    ) -> Result<Producer, ProducerError>
    where
        G: TryInto<Group>,
        NameError: From<G::Error>,
    {
        let group = self.producers(group)?;
        options.check(self.config())?;
        Ok(Producer::new(self.owner.clone(), group, options))
    }

    /// A producer of transactions in the group `group`, which should have no plain producers and no
    /// consumers: brokers ask any of its clients how a transaction ended. `checker` answers that,
    /// on a thread of its own; see [`TransactionProducer`].
    ///
    /// ```no_run
    /// # use rocketry_core::client::Client;
    /// # use rocketry_core::message::Message;
    /// # use rocketry_core::transaction::Resolution;
    /// # type Failure = Box<dyn std::error::Error>;
    /// # fn f(client: &Client, stored: fn(&str) -> bool) -> Result<(), Failure> {
    /// let orders = client.transaction_producer("order_writers", move |half| {
    ///     if stored(half.transaction_id()) { Resolution::Commit } else { Resolution::Unknown }
    /// })?;
    /// let half = orders.begin(Message::new("orders", "3 apples").transaction_id("7")).wait()?;
    /// half.commit().wait()?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "TransactionMQProducer", alias = "NewTransactionProducer")]
    pub fn transaction_producer<G>(
        &self,
        group: G,
        checker: impl Fn(&CheckedHalf) -> Resolution + Send + Sync + 'static,
    ) -> Result<TransactionProducer, NameError>
    where
        G: TryInto<Group>,
        NameError: From<G::Error>,
    {
        self.transaction_producer_with(group, TransactionOptions::default(), checker)
    }

    /// As [`transaction_producer`](Self::transaction_producer), with what it does otherwise than
    /// the client's settings say.
    ///
    /// ```no_run
    /// # use rocketry_core::client::{Client, TransactionOptions};
    /// # use rocketry_core::transaction::Resolution;
    /// # use std::time::Duration;
    /// # fn f(client: &Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let quick = TransactionOptions::default().work_limit(Duration::from_secs(5));
    /// let orders = client.transaction_producer_with("orders", quick, |_| Resolution::Unknown)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn transaction_producer_with<G>(
        &self,
        group: G,
        options: TransactionOptions,
        checker: impl Fn(&CheckedHalf) -> Resolution + Send + Sync + 'static,
    ) -> Result<TransactionProducer, NameError>
    where
        G: TryInto<Group>,
        NameError: From<G::Error>,
    {
        let (owner, checker) = (self.owner.clone(), Checker::Blocking(Arc::new(checker)));
        Ok(TransactionProducer::new(owner, self.producers(group)?, checker, options))
    }

    /// As [`transaction_producer_with`](Self::transaction_producer_with), with a checker that is a
    /// task of the runtime.
    ///
    /// ```no_run
    /// # use rocketry_core::client::{Client, TransactionOptions};
    /// # use rocketry_core::transaction::Resolution;
    /// # async fn looked_up(order: String) -> Resolution { Resolution::Unknown }
    /// # fn f(client: &Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let options = TransactionOptions::default();
    /// let orders = client.transaction_producer_async("orders", options, |half| {
    ///     looked_up(half.transaction_id().to_owned())
    /// })?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn transaction_producer_async<G, F>(
        &self,
        group: G,
        options: TransactionOptions,
        checker: impl Fn(Arc<CheckedHalf>) -> F + Send + Sync + 'static,
    ) -> Result<TransactionProducer, NameError>
    where
        G: TryInto<Group>,
        NameError: From<G::Error>,
        F: Future<Output = Resolution> + Send + 'static,
    {
        let (owner, checker) = (self.owner.clone(), Checker::task(checker));
        Ok(TransactionProducer::new(owner, self.producers(group)?, checker, options))
    }

    /// As [`transaction_producer`](Self::transaction_producer), with `listener` as the checker:
    /// [`TransactionListener::send`] is its other half.
    ///
    /// ```no_run
    /// # use rocketry_core::client::{Client, TransactionListener};
    /// # use rocketry_core::message::Message;
    /// # use rocketry_core::transaction::Resolution;
    /// # use std::sync::Arc;
    /// # fn f(client: &Client) -> Result<(), Box<dyn std::error::Error>> {
    /// // One for tests, which always commits.
    /// let orders = client.transaction_producer_of("orders", Arc::new(Resolution::Commit))?;
    /// Resolution::Commit.send(&orders, Message::new("orders", "3 apples"), ())?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "setTransactionListener")]
    pub fn transaction_producer_of<G, L>(
        &self,
        group: G,
        listener: Arc<L>,
    ) -> Result<TransactionProducer, NameError>
    where
        G: TryInto<Group>,
        NameError: From<G::Error>,
        L: TransactionListener,
    {
        self.transaction_producer(group, move |half| listener.check_local(half))
    }

    /// A consumer of the group `group`, once its topics are named. As in Java no group is
    /// `DEFAULT_CONSUMER`; nor does one begin with `%RETRY%` or `%DLQ%`, as topics of groups do.
    ///
    /// ```no_run
    /// # use rocketry_core::client::Client;
    /// # fn f(client: &Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut consumer = client.consumer("billing")?.topic("orders", "eu || us").start()?;
    /// if let Ok(message) = consumer.recv()? {
    ///     message.ack();
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "DefaultMQPushConsumer", alias = "NewPushConsumer", alias = "create_consumer")]
    pub fn consumer<G>(&self, group: G) -> Result<ConsumerBuilder, NameError>
    where
        G: TryInto<Group>,
        NameError: From<G::Error>,
    {
        self.consumer_with(group, ConsumerOptions::default())
    }

    /// As [`consumer`](Self::consumer), with what it does otherwise than the client's settings say;
    /// [`start`](ConsumerBuilder::start) refuses what is out of range.
    ///
    /// ```no_run
    /// # use rocketry_core::client::Client;
    /// # use rocketry_core::consumer::ConsumerOptions;
    /// # fn f(client: &Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let careful = ConsumerOptions::default().queue_messages(200).pull_batch(8);
    /// let consumer = client.consumer_with("billing", careful)?.topic("orders", "*").start()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn consumer_with<G>(
        &self,
        group: G,
        options: ConsumerOptions,
    ) -> Result<ConsumerBuilder, NameError>
    where
        G: TryInto<Group>,
        NameError: From<G::Error>,
    {
        Ok(ConsumerBuilder::new(self.owner.clone(), self.consumers(group)?, options))
    }

    /// A consumer of the group `group` that is polled, once its topics or its queues are named.
    ///
    /// ```no_run
    /// # use rocketry_core::client::Client;
    /// # use std::time::Duration;
    /// # fn f(client: &Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut consumer = client.pull_consumer("audit")?.topic("orders", "*").start()?;
    /// for message in consumer.poll(Duration::from_secs(5))?.iter().flatten() {
    ///     println!("{:?}", message.body());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "DefaultLitePullConsumer", alias = "DefaultMQPullConsumer")]
    #[doc(alias = "NewPullConsumer", alias = "PullConsumer")]
    pub fn pull_consumer<G>(&self, group: G) -> Result<PullConsumerBuilder, NameError>
    where
        G: TryInto<Group>,
        NameError: From<G::Error>,
    {
        self.pull_consumer_with(group, ConsumerOptions::default())
    }

    /// As [`pull_consumer`](Self::pull_consumer), with what it does otherwise than the client's
    /// settings say; what is for messages that are sent back or held for long means nothing there.
    ///
    /// ```no_run
    /// # use rocketry_core::client::Client;
    /// # use rocketry_core::consumer::ConsumerOptions;
    /// # fn f(client: &Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let many = ConsumerOptions::default().poll_batch(500);
    /// let consumer = client.pull_consumer_with("audit", many)?.topic("orders", "*").start()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn pull_consumer_with<G>(
        &self,
        group: G,
        options: ConsumerOptions,
    ) -> Result<PullConsumerBuilder, NameError>
    where
        G: TryInto<Group>,
        NameError: From<G::Error>,
    {
        Ok(PullConsumerBuilder::new(self.owner.clone(), self.consumers(group)?, options))
    }

    /// The group in the client's namespace.
    fn named<G>(&self, group: G) -> Result<Group, NameError>
    where
        G: TryInto<Group>,
        NameError: From<G::Error>,
    {
        Namespace::of(self.config()).checked_group(&group.try_into()?)
    }

    fn producers<G>(&self, group: G) -> Result<Group, NameError>
    where
        G: TryInto<Group>,
        NameError: From<G::Error>,
    {
        self.named(group)?.of_producers()
    }

    fn consumers<G>(&self, group: G) -> Result<Group, NameError>
    where
        G: TryInto<Group>,
        NameError: From<G::Error>,
    {
        self.named(group)?.of_consumers()
    }

    /// The queues of a topic that may be read. Sends one route request where the route is not
    /// known; resolves within `request_timeout`; dropping it leaves nothing behind.
    ///
    /// ```no_run
    /// # use rocketry_core::client::Client;
    /// # use rocketry_core::name::Topic;
    /// # fn f(client: &Client) -> Result<(), Box<dyn std::error::Error>> {
    /// for queue in client.queues(&Topic::new("orders")?).wait()? {
    ///     let first = client.min_offset(&queue).wait()?;
    ///     let count = client.max_offset(&queue).wait()? - first;
    ///     println!("{count} messages from {first} on in {queue:?}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "fetchSubscribeMessageQueues", alias = "fetchPublishMessageQueues")]
    pub fn queues(&self, topic: &Topic) -> Pending<Result<Vec<QueueName>, QueryError>> {
        ask(self.owner.shared(), Question::queues(topic))
    }

    /// The offset of a queue's first message; 0 while it has none.
    ///
    /// See the example of [`queues`](Self::queues).
    #[doc(alias = "minOffset", alias = "beginningOffsets")]
    pub fn min_offset(&self, queue: &QueueName) -> Pending<Result<i64, QueryError>> {
        ask(self.owner.shared(), Question::min_offset(queue))
    }

    /// The offset after a queue's last message: how many messages it ever took.
    ///
    /// See the example of [`queues`](Self::queues).
    #[doc(alias = "maxOffset", alias = "endOffsets")]
    pub fn max_offset(&self, queue: &QueueName) -> Pending<Result<i64, QueryError>> {
        ask(self.owner.shared(), Question::max_offset(queue))
    }

    /// Questions and orders of operators.
    ///
    /// ```no_run
    /// # use rocketry_core::client::Client;
    /// # use rocketry_core::body::TopicConfig;
    /// # fn f(client: &Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let topic = TopicConfig::new("orders", 8);
    /// client.admin().create_topic("DefaultCluster", &topic).wait()?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "DefaultMQAdminExt")]
    pub fn admin(&self) -> Admin {
        Admin::new(self.owner.clone())
    }

    /// Everything observable of this client at this moment: what it has done, brokers,
    /// connections, topics and consumers. Sends nothing; holds the client's lock while it copies,
    /// so ask each few seconds rather than for each message. `Display` gives a page to read.
    ///
    /// ```no_run
    /// # use rocketry_core::client::Client;
    /// # fn f(client: &Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let stats = client.stats();
    /// println!("{} calls under way", stats.open.operations);
    /// println!("{stats}");
    /// # Ok(())
    /// # }
    /// ```
    pub fn stats(&self) -> Snapshot {
        self.owner.shared().snapshot()
    }

    /// The settings in force.
    ///
    /// ```no_run
    /// # use rocketry_core::client::Client;
    /// # fn f(client: &Client) -> Result<(), Box<dyn std::error::Error>> {
    /// println!("{} gives a send {:?}", client.id(), client.config().send_timeout);
    /// # Ok(())
    /// # }
    /// ```
    pub fn config(&self) -> &Arc<Config> {
        self.owner.shared().config()
    }

    /// The id brokers know this client by.
    ///
    /// See the example of [`config`](Self::config).
    pub fn id(&self) -> Arc<str> {
        self.owner.shared().client_id()
    }

    /// Ends everything in good order: new calls are refused, sends under way finish, consumers hand
    /// out nothing more ([`RecvError::Left`]) and wait until what they handed out
    /// is settled, for at most three quarters of `shutdown_timeout`; then they commit and leave
    /// their groups, brokers are told, connections close. Resolves when all of it is done, at the
    /// latest after `shutdown_timeout`; dropping it does not stop it. An error says that nobody saw
    /// it through: above all [`EndError::WouldDeadlock`], on a thread that must not wait.
    ///
    /// Call it before consumers are dropped: one that is dropped leaves at once, and the acks of
    /// those who still handle its messages come too late.
    ///
    /// ```no_run
    /// # use rocketry_core::client::{Client, Ended};
    /// # async fn f(client: Client) -> Result<(), Box<dyn std::error::Error>> {
    /// match client.shutdown().await? {
    ///     Ended::InOrder => println!("all is settled, sent and told"),
    ///     ended => eprintln!("some will come again elsewhere: {ended}"),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "Shutdown", alias = "awaitTermination")]
    pub fn shutdown(&self) -> Pending<Result<Ended, EndError>> {
        let shared = self.owner.shared();
        shared.run(|core, now| {
            core.leftover.get_or_insert_default();
            core.engine.shutdown(now);
        });
        Pending::stop(shared.clone())
    }
}
