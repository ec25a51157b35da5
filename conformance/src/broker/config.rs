//! What a cluster is made of: brokers, topics, limits. The defaults are Apache's.

use std::time::Duration;

#[cfg(feature = "acl")]
use super::acl::Acl;

/// `messageDelayLevel` of a broker that was told of no other, in seconds.
const DELAY_LEVELS: [u64; 18] =
    [1, 5, 10, 30, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600, 1200, 1800, 3600, 7200];

/// How the broker ids in a route are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RouteKeys {
    /// As `ClientRequestProcessor` does: quoted for clients of 4.9.4 (version 401) and later.
    #[default]
    ByVersion,
    /// Always `{"0":"host:port"}`: standard JSON.
    Quoted,
    /// Always `{0:"host:port"}`: what fastjson writes for old clients.
    Bare,
}

/// One broker: a master, or a slave of the one with the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerConfig {
    /// Its name in routes, which a master and its slaves share.
    pub name: String,
    /// Its id among those of its name: 0 is the master, all others are slaves (`brokerId`).
    pub id: u64,
    /// Its `host:port` in routes; `serve` puts the bound address here.
    pub endpoint: String,
    /// What it permits at all, whatever its topics say (`brokerPermission`): the permissions in
    /// routes are those of both.
    pub perm: u32,
    /// Its version, where it is not [`ClusterConfig::version`].
    pub version: Option<i32>,
    /// How often it writes the offsets of groups to its disk (`flushConsumerOffsetInterval`, 5 s):
    /// one that is [killed](super::Cluster::crash) comes back with those. Zero: at once.
    pub offset_flush: Duration,
}

impl BrokerConfig {
    /// A master to read and write, with the cluster's version.
    pub fn new(name: impl Into<String>, endpoint: impl Into<String>) -> Self {
        let (name, endpoint, offset_flush) = (name.into(), endpoint.into(), Duration::from_secs(5));
        Self { name, id: 0, endpoint, perm: 6, version: None, offset_flush }
    }

    /// The same as a slave with this id.
    pub const fn slave(mut self, id: u64) -> Self {
        self.id = id;
        self
    }
}

/// One topic, made on every master and copied to its slaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicConfig {
    /// Its name.
    pub name: String,
    /// Queues that consumers see, per broker.
    pub read_queues: u32,
    /// Queues that producers see, per broker.
    pub write_queues: u32,
    /// 4 readable, 2 writable, 1 inheritable (Java's `PermName`).
    pub perm: u32,
}

impl TopicConfig {
    /// A topic to read and write with `queues` queues on each broker.
    pub fn new(name: impl Into<String>, queues: u32) -> Self {
        Self { name: name.into(), read_queues: queues, write_queues: queues, perm: 6 }
    }

    /// The same with another permission.
    pub fn perm(mut self, perm: u32) -> Self {
        self.perm = perm;
        self
    }

    /// The same with other numbers of queues to read and to write.
    pub fn queues(mut self, read: u32, write: u32) -> Self {
        (self.read_queues, self.write_queues) = (read, write);
        self
    }
}

/// How brokers ask about half messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionConfig {
    /// How old one is before it is asked about (`transactionTimeOut`).
    pub timeout: Duration,
    /// How often they look for such (`transactionCheckInterval`).
    pub interval: Duration,
    /// How often one is asked about before it is laid aside (`transactionCheckMax`).
    pub checks: u32,
    /// They take no half messages (`rejectTransactionMessage`).
    pub rejects: bool,
}

impl Default for TransactionConfig {
    fn default() -> Self {
        let [timeout, interval] = [6, 30].map(Duration::from_secs);
        Self { timeout, interval, checks: 15, rejects: false }
    }
}

/// The whole cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterConfig {
    /// The cluster's name in routes and in the CLUSTER property.
    pub cluster: String,
    /// The brokers; at least one is useful.
    pub brokers: Vec<BrokerConfig>,
    /// Topics that exist from the start.
    pub topics: Vec<TopicConfig>,
    /// Whether a send to an unknown topic makes it, through TBW102 (`autoCreateTopicEnable`).
    pub auto_create_topics: bool,
    /// Queues of TBW102, so the most an automatic topic gets (`defaultTopicQueueNums`, 8).
    pub default_queues: u32,
    /// Whether a consumer group is made when it is first heard of (`autoCreateSubscriptionGroup`).
    /// Others are made with [`Cluster::set_group`](super::Cluster::set_group).
    pub auto_create_groups: bool,
    /// How long a message of each delay level waits, from level 1 on (`messageDelayLevel`). Higher
    /// levels than there are count as the last one; without any, nothing is delayed.
    pub delay_levels: Vec<Duration>,
    /// Whether messages wait for a time that they say themselves (`timerWheelEnable`): without,
    /// those that do are refused. Brokers before 5.0 know nothing of it, and deliver them at once.
    pub timers: bool,
    /// The longest that a message may wait so (`timerMaxDelaySec`, 3 days).
    pub timer_limit: Duration,
    /// Whether such messages can be taken back (`recallMessageEnable`), by brokers from 5.3 on.
    pub recalls: bool,
    /// Whether a reset of offsets (222) is kept by the broker, which tells it to the next pull, and
    /// needs no consumer (`useServerSideResetOffset`). `None`: as the version has it, from 453
    /// (5.2.0) on.
    pub server_side_reset: Option<bool>,
    /// How half messages are asked about.
    pub transactions: TransactionConfig,
    /// How routes are written.
    pub route_keys: RouteKeys,
    /// The version ordinal in every reply's header (479 is 5.3.3, 407 is 4.9.7). It says what
    /// brokers know: see the list in [`broker`](super).
    pub version: i32,
    /// Whether slaves answer pulls (`slaveReadEnable`).
    pub slave_reads: bool,
    /// Whether a slave stands in for a master that is not there: routes give its address as the
    /// master's, to be read only (`enableSlaveActingMaster` and `supportActingMaster`).
    pub acting_masters: bool,
    /// Whether the properties of messages are filtered by (`enablePropertyFilter`).
    pub property_filter: bool,
    /// The largest body stored, in bytes (`maxMessageSize`, 4 MiB).
    pub body_limit: usize,
    /// The most messages one pull gets (`maxTransferCountOnMessageInMemory`, 32).
    pub pull_messages: u32,
    /// The most bytes one pull gets, but always one message
    /// (`maxTransferBytesOnMessageInMemory`, 256 KiB).
    pub pull_bytes: usize,
    /// A client that sent no heartbeat for so long is closed (`channelExpiredTimeout`, 120 s).
    pub client_expiry: Duration,
    /// A connection without a frame either way for so long is closed
    /// (`serverChannelMaxIdleTimeSeconds`, 120 s).
    pub idle_limit: Duration,
    /// Whether a consumer that joins is notified of its own joining, as Java's brokers do
    /// (`DefaultConsumerIdsChangeListener` writes to all channels of the group).
    pub notify_newcomer: bool,
    /// Whether a broker that is down leaves the routes, as it does when its connection to a Java
    /// nameserver closes.
    pub hide_down_brokers: bool,
    /// Who may do what (`aclEnable` of 4.x, `authenticationEnabled` and `authorizationEnabled` of
    /// 5.3 and later). `None`: everybody everything.
    #[cfg(feature = "acl")]
    pub acl: Option<Acl>,
}

impl Default for ClusterConfig {
    fn default() -> Self {
        Self {
            cluster: "DefaultCluster".to_owned(),
            brokers: Vec::new(),
            topics: Vec::new(),
            auto_create_topics: true,
            default_queues: 8,
            auto_create_groups: true,
            delay_levels: DELAY_LEVELS.map(Duration::from_secs).to_vec(),
            timers: true,
            timer_limit: Duration::from_secs(3 * 86_400),
            recalls: false,
            server_side_reset: None,
            transactions: TransactionConfig::default(),
            route_keys: RouteKeys::default(),
            version: 479,
            slave_reads: false,
            acting_masters: false,
            property_filter: false,
            body_limit: 4 << 20,
            pull_messages: 32,
            pull_bytes: 256 << 10,
            client_expiry: Duration::from_secs(120),
            idle_limit: Duration::from_secs(120),
            notify_newcomer: true,
            hide_down_brokers: true,
            #[cfg(feature = "acl")]
            acl: None,
        }
        .brokers(1)
    }
}

impl ClusterConfig {
    /// The same with `count` brokers `broker-a`, `broker-b`, ... on 127.0.0.1:10911, 10921, ...
    /// (at most 26).
    pub fn brokers(mut self, count: usize) -> Self {
        self.brokers = ('a'..='z')
            .zip((10911u16..).step_by(10))
            .take(count)
            .map(|(letter, port)| {
                BrokerConfig::new(format!("broker-{letter}"), format!("127.0.0.1:{port}"))
            })
            .collect();
        self
    }

    /// The same with one more slave for every master, behind all other brokers and in the masters'
    /// order; slaves answer pulls. Ids go on from 1, ports from five above the master's
    /// (127.0.0.1:10916 is the first slave of `broker-a`).
    pub fn slaves(mut self) -> Self {
        let masters: Vec<BrokerConfig> =
            self.brokers.iter().filter(|broker| broker.id == 0).cloned().collect();
        for master in masters {
            let known = self.brokers.iter().filter(|broker| broker.name == master.name).count();
            let port = master.endpoint.rsplit(':').next().and_then(|port| port.parse::<u16>().ok());
            let port = port.unwrap_or(10911).saturating_add(4).saturating_add(known as u16);
            let endpoint = format!("127.0.0.1:{port}");
            self.brokers.push(BrokerConfig { endpoint, id: known as u64, ..master });
        }
        self.slave_reads = true;
        self
    }

    /// The same with these delay levels, from 1 on.
    pub fn delay_levels(mut self, levels: impl IntoIterator<Item = Duration>) -> Self {
        self.delay_levels = levels.into_iter().collect();
        self
    }

    /// The same with access keys.
    #[cfg(feature = "acl")]
    pub fn acl(mut self, acl: Acl) -> Self {
        self.acl = Some(acl);
        self
    }

    /// The same where brokers look for half messages so often, of at least that age.
    pub const fn checks(mut self, timeout: Duration, interval: Duration) -> Self {
        (self.transactions.timeout, self.transactions.interval) = (timeout, interval);
        self
    }

    /// The same with one more topic of `queues` queues per broker.
    pub fn topic(mut self, name: impl Into<String>, queues: u32) -> Self {
        self.topics.push(TopicConfig::new(name, queues));
        self
    }
}
