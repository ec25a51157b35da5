//! Settings of other clients that are none here: not built, or said to each consumer.

/// A setting of other clients that is not built here.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct NotBuilt {
    /// What it would be called.
    pub name: &'static str,
    /// Java's name of it; empty if Java has none.
    pub java: &'static str,
    /// pyrocketmq's name of it; empty if it has none.
    pub python: &'static str,
    /// What holds instead.
    pub why: &'static str,
}

impl NotBuilt {
    /// Every name it goes by.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        [self.name, self.java, self.python].into_iter().filter(|name| !name.is_empty())
    }
}

macro_rules! not_built {
    ($($name:ident $(, java $java:literal)? $(, python $python:literal)?: $why:literal;)+) => {
        /// Settings of Java's client and of pyrocketmq that one may miss here. To set one is an
        /// error that says what holds instead.
        pub const NOT_BUILT: &[NotBuilt] = &[$(NotBuilt {
            name: stringify!($name),
            java: concat!("" $(, $java)?),
            python: concat!("" $(, $python)?),
            why: $why,
        }),+];
    };
}

not_built! {
    socks_proxy, java "socksProxyConfig":
        "connections are made directly, not through a SOCKS5 proxy.";
    unit_mode, java "unitMode":
        "messages and subscriptions are never marked as those of a unit; unit_name is there.";
    trace, java "enableTrace", python "trace_message":
        "no trace of messages is sent to brokers.";
    auto_batch, java "autoBatch", python "batch_size":
        "sends are not gathered into batches by themselves.";
}

/// A setting of Java's client and of pyrocketmq that is said to each consumer here, in code.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct PerConsumer {
    /// Java's name of it; pyrocketmq's has the same words.
    pub java: &'static str,
    /// The method that it is said by.
    pub how: &'static str,
}

macro_rules! per_consumer {
    ($($java:literal: $how:literal;)+) => {
        /// Settings of Java's client and of pyrocketmq that are said to each consumer here. To set
        /// one is an error that names the method.
        pub const PER_CONSUMER: &[PerConsumer] = &[$(PerConsumer { java: $java, how: $how }),+];
    };
}

per_consumer! {
    "consumerGroup": "Client::consumer";
    "consumeFromWhere": "ConsumerBuilder::start_at";
    "consumeTimestamp": "ConsumerBuilder::start_at, with Start::Time";
    "consumeThreadMin": "RunOptions::concurrency";
    "consumeThreadMax": "RunOptions::concurrency";
    "consumeMessageBatchMaxSize": "RunOptions::batch";
    "suspendCurrentQueueTimeMillis": "ConsumerOptions::retry_delay, or Verdict::RetryAfter";
    "subscription": "ConsumerBuilder::topic";
    "messageQueueListener": "ConsumerBuilder::on_queues";
    "messageListener": "Consumer::run";
    "messageModel": "ConsumerBuilder::model";
    "offsetStore": "ConsumerBuilder::offset_store";
}
