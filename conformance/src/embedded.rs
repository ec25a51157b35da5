//! A RocketMQ cluster for the tests of a service: in its process, on loopback, at its command.
//!
//! [`EmbeddedCluster`] is a nameserver and one or more brokers on free ports of 127.0.0.1. Whatever
//! speaks the remoting protocol finds a cluster there: a service connects to
//! [`namesrv`](EmbeddedCluster::namesrv) as it does in production. Messages are kept in memory and
//! go when it is dropped, as do its ports and threads, so that each test can have one of its own.
//!
//! ```toml
//! [dev-dependencies.rocketry-conformance]
//! git = "https://github.com/rocketry-rs/rocketry"
//! default-features = false
//! ```
//!
//! It brings no runtime, and switches no feature of the client on. Its calls take a lock for a
//! moment and may be made from async code.
//!
//! ```
//! use rocketry::{Message, Topic};
//! use rocketry_conformance::embedded::{EmbeddedCluster, Requests, ResponseCode};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let cluster = EmbeddedCluster::start()?;
//! cluster.create_topic("orders", 4);
//!
//! // The service under test. Here: one producer.
//! let client = rocketry::blocking::connect(cluster.namesrv())?;
//! let producer = client.producer("shop")?;
//! let topic = Topic::new("orders")?;
//! producer.send(Message::new(topic.clone(), "3 apples").tag("eu").key("1848")).wait()?;
//!
//! // What the broker has.
//! let stored = cluster.stored("orders");
//! assert_eq!((&stored[0].body[..], stored[0].tag.as_deref()), (&b"3 apples"[..], Some("eu")));
//!
//! // It is too busy for two sends; the client asks again, and gets through.
//! cluster.refuse(Requests::Sends, ResponseCode::SYSTEM_BUSY, 2);
//! producer.send(Message::new(topic.clone(), "4 pears")).wait()?;
//!
//! // It is gone, and the message has nowhere to go; it comes back, and has what it had.
//! cluster.broker(0).stop();
//! assert!(producer.send(Message::new(topic.clone(), "5 plums")).wait().is_err());
//! cluster.broker(0).restart()?;
//! producer.send(Message::new(topic.clone(), "6 nuts")).wait()?;
//! assert_eq!(cluster.stored("orders").len(), 3);
//! # client.shutdown().wait().expect("an end");
//! # Ok(()) }
//! ```
//!
//! Messages that a consumer sends back come again after 10 s, then 30 s, a minute and so on, and
//! end as dead letters, in the topics `%RETRY%group` and `%DLQ%group`;
//! [`ClusterConfig::delay_levels`] makes that quicker.
//!
//! More than one broker, slaves, filters in SQL (`property_filter`), and other limits, versions and
//! permissions are a [`ClusterConfig`]; whatever else can be done to a cluster is a method of
//! [`Cluster`], within [`with`](EmbeddedCluster::with): offsets of groups, orders, retention,
//! single queues. To cut a connection within a frame, put a [`Proxy`](crate::proxy::Proxy) before
//! it. What the broker serves, and how it differs from Apache's, is told at
//! [`broker`](crate::broker).

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use rocketry_core::message::{Compression, Record};

pub use rocketry_core::frame::{RequestCode, ResponseCode};

#[cfg(feature = "acl")]
pub use crate::broker::{Account, Acl, Perm};
pub use crate::broker::{
    BrokerConfig, Cluster, ClusterConfig, Fault, ListenerId, Requests, TopicConfig,
    TransactionConfig,
};
#[cfg(feature = "tls")]
use crate::serve::Listen;
use crate::serve::Served;
#[cfg(feature = "tls")]
pub use crate::serve::{ServeTls, TlsMode};

/// A nameserver and brokers of this process. Dropping it closes its ports and ends its threads.
#[derive(Debug)]
pub struct EmbeddedCluster {
    served: Served,
}

/// One broker of an [`EmbeddedCluster`].
#[derive(Clone, Copy, Debug)]
pub struct EmbeddedBroker<'a> {
    served: &'a Served,
    index: usize,
}

/// A message as a broker has it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredMessage {
    /// The broker's place in the cluster.
    pub broker: usize,
    /// The queue of that broker.
    pub queue: u32,
    /// Its place in the queue.
    pub offset: u64,
    /// The body, opened where the producer has compressed it.
    pub body: Bytes,
    /// How the body is compressed still: the client's feature that opens it is off.
    pub compressed: Option<Compression>,
    /// Its tag.
    pub tag: Option<String>,
    /// Its keys.
    pub keys: Vec<String>,
    /// Its properties: those of the user, and those of the producer and the broker.
    pub properties: Vec<(String, String)>,
}

impl StoredMessage {
    fn new(broker: usize, record: &Record<'_>) -> Self {
        let opened = record.body();
        let compressed = record.compression().filter(|_| opened.is_err());
        let pairs = record.properties();
        Self {
            broker,
            queue: u32::try_from(record.queue_id()).unwrap_or_default(),
            offset: u64::try_from(record.queue_offset()).unwrap_or_default(),
            body: opened.unwrap_or_else(|_| record.raw_body()),
            compressed,
            tag: record.tags().map(str::to_owned),
            keys: record.keys().map(str::to_owned).collect(),
            properties: pairs.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
        }
    }

    /// The property of this name.
    pub fn property(&self, name: &str) -> Option<&str> {
        let found = self.properties.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

impl EmbeddedCluster {
    /// Starts a nameserver and one broker, an Apache 5.3.3 to look at, that makes topics when they
    /// are first sent to.
    ///
    /// # Errors
    ///
    /// When there is no free port on 127.0.0.1, or a thread can't be started.
    pub fn start() -> io::Result<Self> {
        Self::start_with(ClusterConfig::default().brokers(1))
    }

    /// The same as `config` has it: `ClusterConfig::default().brokers(2).topic("orders", 4)`, say.
    ///
    /// # Errors
    ///
    /// When there are not as many free ports, or a thread can't be started.
    pub fn start_with(config: ClusterConfig) -> io::Result<Self> {
        Served::start(config).map(|served| Self { served })
    }

    /// The same with TLS, on the nameserver and on all brokers: certificates for 127.0.0.1 are at
    /// [`certificates`](crate::certificates).
    ///
    /// ```
    /// use rocketry_conformance::certificates;
    /// use rocketry_conformance::embedded::{ClusterConfig, EmbeddedCluster, ServeTls, TlsMode};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = certificates::server(certificates::SERVER, false)?;
    /// let tls = ServeTls { mode: TlsMode::Enforcing, server };
    /// let cluster = EmbeddedCluster::start_tls(ClusterConfig::default().brokers(1), tls)?;
    /// // The service under test has `certificates::CA` as its `tls_ca`.
    /// # drop(cluster);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`start_with`](Self::start_with).
    #[cfg(feature = "tls")]
    pub fn start_tls(config: ClusterConfig, tls: ServeTls) -> io::Result<Self> {
        Served::start_tls(config, &Listen::default(), tls).map(|served| Self { served })
    }

    /// The nameserver's `host:port`, to connect a client to.
    pub fn namesrv(&self) -> String {
        self.served.namesrv()
    }

    /// Makes a topic of `queues` queues on each broker, or changes it.
    pub fn create_topic(&self, name: &str, queues: u32) {
        self.with(|cluster| cluster.create_topic(&TopicConfig::new(name, queues)));
    }

    /// Deletes a topic and its messages.
    pub fn delete_topic(&self, name: &str) {
        self.with(|cluster| cluster.delete_topic(name));
    }

    /// The broker at this place, from 0. What is done to one that is not there does nothing.
    pub const fn broker(&self, index: usize) -> EmbeddedBroker<'_> {
        EmbeddedBroker { served: &self.served, index }
    }

    /// Answers the next `times` of these requests with this code, wherever they go.
    pub fn refuse(&self, requests: impl Into<Requests>, code: ResponseCode, times: usize) {
        self.befall(requests, vec![Fault::Refuse(code); times]);
    }

    /// Lets these faults befall the next of these requests, one each, wherever they go: lost, done
    /// and not answered, answered late or twice, with the connection closed.
    pub fn befall(&self, requests: impl Into<Requests>, faults: impl IntoIterator<Item = Fault>) {
        self.with(|cluster| cluster.push_faults(requests, faults));
    }

    /// Lets answers to these requests leave so much later from now on; zero ends that.
    pub fn slow_down(&self, requests: impl Into<Requests>, by: Duration) {
        self.with(|cluster| cluster.set_delay(requests, by));
    }

    /// Takes back all faults and delays. Brokers that are down stay down.
    pub fn heal(&self) {
        self.with(Cluster::clear_faults);
    }

    /// The messages that a topic has, by broker and queue, the oldest first; those of a broker that
    /// is down too. What slaves have copied is not told again.
    pub fn stored(&self, topic: &str) -> Vec<StoredMessage> {
        self.with(|cluster| {
            let mut all = Vec::new();
            for (broker, queue) in readable(cluster, topic) {
                let records = cluster.messages(broker, topic, queue);
                let records = records.items().filter_map(|item| item.record());
                all.extend(records.map(|record| StoredMessage::new(broker, &record)));
            }
            all
        })
    }

    /// How many messages of a topic are behind what a group has committed: those that it has yet to
    /// settle. A queue that it never committed counts in full. Clients commit every few seconds,
    /// and when they shut down; of a group that keeps its offsets elsewhere all messages count.
    pub fn unsettled(&self, group: &str, topic: &str) -> u64 {
        self.with(|cluster| {
            let behind = readable(cluster, topic).into_iter().map(|(broker, queue)| {
                let end = cluster.max_offset(broker, topic, queue).unwrap_or_default();
                let first = cluster.min_offset(broker, topic, queue).unwrap_or_default();
                let done = cluster.committed(broker, group, topic, queue);
                let done = done.and_then(|done| u64::try_from(done).ok()).unwrap_or_default();
                end.saturating_sub(done.max(first))
            });
            behind.sum()
        })
    }

    /// How many requests of this code came, whatever became of them.
    pub fn requests(&self, code: RequestCode) -> u64 {
        self.with(|cluster| cluster.requests(code))
    }

    /// Looks at the cluster, or does something else to it. It stands still meanwhile, so be short,
    /// and call nothing of this type inside.
    pub fn with<T>(&self, act: impl FnOnce(&mut Cluster) -> T) -> T {
        self.served.with(act)
    }
}

/// The queues of a topic on all masters.
fn readable(cluster: &Cluster, topic: &str) -> Vec<(usize, i32)> {
    let brokers = cluster.config().brokers.iter().enumerate();
    let masters = brokers.filter(|(_, broker)| broker.id == 0);
    let queues = masters.filter_map(|(index, _)| Some((index, cluster.queues(index, topic)?)));
    let each = queues.flat_map(|(index, (read, write))| {
        (0..read.max(write)).filter_map(move |queue| Some((index, i32::try_from(queue).ok()?)))
    });
    each.collect()
}

impl EmbeddedBroker<'_> {
    /// Where it listens, or did before it was stopped.
    pub fn address(self) -> Option<SocketAddr> {
        self.served.broker(self.index)
    }

    /// Stops it in good order: its port refuses, its connections close, routes name it no longer.
    /// It keeps its messages and offsets. Nothing happens when it is down.
    pub fn stop(self) {
        self.served.stop_broker(self.index);
    }

    /// Ends it without a word: as [`stop`](Self::stop), but routes go on naming it, as they do for
    /// up to two minutes when a machine is lost. No message that it has answered is lost; the
    /// offsets of groups are those that it last wrote to its disk, as it does every 5 s
    /// ([`BrokerConfig::offset_flush`]), so that consumers get some messages again.
    pub fn kill(self) {
        self.served.kill_broker(self.index);
    }

    /// Starts it again on its port, with what it had. Nothing happens when it runs.
    ///
    /// # Errors
    ///
    /// When there is no such broker, or somebody else has taken the port.
    pub fn restart(self) -> io::Result<()> {
        self.served.start_broker(self.index)
    }

    /// Closes its connections; it takes new ones.
    pub fn disconnect(self) {
        self.served.with(|cluster| cluster.disconnect(self.index));
    }

    /// As [`EmbeddedCluster::refuse`], for requests to this broker.
    pub fn refuse(self, requests: impl Into<Requests>, code: ResponseCode, times: usize) {
        self.befall(requests, vec![Fault::Refuse(code); times]);
    }

    /// As [`EmbeddedCluster::befall`], for requests to this broker.
    pub fn befall(self, requests: impl Into<Requests>, faults: impl IntoIterator<Item = Fault>) {
        let at = ListenerId::Broker(self.index);
        self.served.with(|cluster| cluster.push_faults_at(at, requests, faults));
    }
}
