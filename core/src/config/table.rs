//! The one table of settings: from it come the fields of `Config`, their defaults, ranges and docs,
//! and with them what files and the environment may say, and `CONFIG.md`.

use std::net::IpAddr;
use std::time::Duration;

use super::range::{Range, range};
use super::value::{
    Address, Codec, Count, Flag, Hidden, Kind, Maybe, Name, Page, Peers, PemText, Rewrites,
    Sharing, Size, Time, Value, Who,
};
use super::{Compression, CredentialsProvider, Identity, Pem, Secret, SharingRule};
use crate::name::Endpoint;
use crate::url::Url;

/// What a default says, as a value: a number may have a unit.
macro_rules! value {
    (empty) => { Vec::new() };
    (unknown) => { Identity::default() };
    (none) => { None };
    (some $($value:tt)+) => { Some(value!($($value)+)) };
    (zlib) => { Some(Compression::Zlib) };
    (average) => { SharingRule::Average };
    ($number:literal ms) => { Duration::from_millis($number) };
    ($number:literal s) => { Duration::from_secs($number) };
    ($number:literal KiB) => { $number << 10 };
    ($number:literal MiB) => { $number << 20 };
    ($value:literal) => { $value };
}
pub(super) use value;

/// The words for it.
macro_rules! says {
    (some $($value:tt)+) => { stringify!($($value)+) };
    ($($value:tt)+) => { stringify!($($value)+) };
}
pub(super) use says;

/// One setting, as tables of settings show it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Setting {
    /// The field of [`Config`], which is also its name in files.
    pub name: &'static str,
    /// What it does, in whole sentences.
    pub about: &'static str,
    /// What it is counted in: "duration", "bytes", "number", ...
    pub unit: &'static str,
    /// Java's name of it; empty if Java has none.
    pub java: &'static str,
    /// pyrocketmq's name of it; empty if it has none.
    pub python: &'static str,
    pub(super) range: Range,
    pub(super) read: fn(&mut Config, &Value) -> Result<(), String>,
    pub(super) give: fn(&Config) -> Value,
    pub(super) measure: fn(&Config) -> Option<u128>,
}

/// A row: docs, `field: type as Kind = [default] in [range], java "name", python "name";`.
macro_rules! settings {
    ($(
        $(#[doc = $doc:literal])+
        $field:ident: $type:ty as $kind:ty = [$($default:tt)+]
        $(in [$($range:tt)+])? $(, java $java:literal)? $(, python $python:literal)?;
    )+) => {
        /// The settings of one client. Every duration is exact; every limit is inclusive.
        ///
        /// Begin with [`Config::new`], a preset such as [`Config::production`], a file through
        /// serde, or the environment ([`Config::from_vars`]), and assign to fields. In files a
        /// field goes by its name, in the environment by `ROCKETRY_` and its name in capitals;
        /// durations are `500ms`, `3s`, `2m` or plain milliseconds, sizes `64KiB`, `4MiB` or plain
        /// bytes. What a file leaves out has its default; a name that is not known is refused.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        #[doc(alias = "ClientConfig")]
        pub struct Config {
            $(
                $(#[doc = $doc])+
                #[doc = ""]
                #[doc = concat!(
                    "Default: ", says!($($default)+), "."
                    $(, " It ", range!(says $($range)+), ".")?
                    $(, " In Java: `", $java, "`.")?
                    $(, " In pyrocketmq: `", $python, "`.")?
                )]
                pub $field: $type,
            )+

            /// Where access keys come from that are replaced while the client runs; goes before
            /// [`access_key`](Self::access_key) and its like. Set in code alone: no file and no
            /// variable says it, and none tells it.
            ///
            /// Default: none. It needs the feature `acl`.
            pub credentials: Option<CredentialsProvider>,
        }

        impl Default for Config {
            fn default() -> Self {
                Self { $($field: value!($($default)+),)+ credentials: None }
            }
        }

        /// Every setting, in the order of the fields of [`Config`].
        pub const SETTINGS: &[Setting] = &[$(Setting {
            name: stringify!($field),
            about: concat!($($doc),+).trim_ascii(),
            unit: <$kind as Kind<$type>>::UNIT,
            java: concat!("" $(, $java)?),
            python: concat!("" $(, $python)?),
            range: range!($($($range)+)?),
            read: |config, given| match <$kind as Kind<$type>>::read(given) {
                Some(value) => { config.$field = value; Ok(()) }
                None => Err(<$kind as Kind<$type>>::expected()),
            },
            give: |config| <$kind as Kind<$type>>::give(&config.$field),
            measure: |config| <$kind as Kind<$type>>::measure(&config.$field),
        }),+];

        /// The names alone.
        pub(super) const FIELDS: &[&str] = &[$(stringify!($field)),+];

        /// What each default says in the table above, for the test that it is what it says.
        #[cfg(test)]
        pub(super) const DEFAULTS: &[&str] = &[$(says!($($default)+)),+];
    };
}

settings! {
    /// Nameservers, tried in turn from one drawn at random, sticky until one fails. At least one
    /// unless there is an `address_server`, as `host:port` or `[ipv6]:port`, several joined by `;`
    /// or `,`. In the environment `NAMESRV_ADDR` says it too, as for Java; `ROCKETRY_NAME_SERVERS`
    /// goes before it.
    name_servers: Vec<Endpoint> as Peers = [empty], java "namesrvAddr", python "namesrv_addr";

    /// The page of an HTTP address server that lists the nameservers, as
    /// `http://host:8080/rocketmq/nsaddr`: asked for at the start and every two minutes. Until its
    /// first list has come `name_servers` are asked, if there are any; a bad or empty list changes
    /// nothing. Given as `name_servers`, a text that begins with `http://` is set here. With
    /// `unit_name`, the page is `...-unit?nofix=1`, as Java's. In the environment `NAMESRV_ADDR`
    /// may say it too. Java's property has the host alone.
    address_server: Option<Url> as Maybe<Page> = [none], java "rocketmq.namesrv.domain";

    /// Who we are, in client ids and unique message ids. The adapters fill in what is not set; an
    /// embedder of the core must set it. As text: an IPv4 address, or `address@process#salt` with
    /// the salt in hexadecimal.
    identity: Identity as Who = [unknown], java "clientIP", python "client_id";

    /// What stands in the client id for this client among those of its host: `address@name`, as
    /// Java's `buildMQClientId`. Without it, and with Java's `DEFAULT`, it is `process#salt`, which
    /// no other client has. Two clients of one address and name are one client to brokers: in one
    /// group both take the same queues, so messages come twice and other queues may be nobody's,
    /// and one that leaves takes the other with it until its next heartbeat. 1 to 255 visible ASCII
    /// characters.
    instance_name: Option<String> as Name = [none], java "instanceName", python "_instance_name";

    /// Appended to the client id as `@unit`, for deployments in which units share a name. 1 to 255
    /// visible ASCII characters.
    unit_name: Option<String> as Name = [none], java "unitName";

    /// The name of the access key that every request is signed with, for brokers that check them
    /// (ACL 1.0 of 4.x, ACL 2.0 of 5.3 and later). Goes with `secret_key`, and needs the feature
    /// `acl`. Keys that change while the client runs: `Config::credentials`.
    access_key: Option<String> as Name = [none], java "accessKey";

    /// The secret of the access key. It is never sent, and shows nowhere: a file that these
    /// settings are written to is without it.
    secret_key: Option<Secret> as Maybe<Hidden> = [none], java "secretKey";

    /// The token that goes with a temporary access key. It is sent, and shows nowhere else: a file
    /// that these settings are written to is without it.
    security_token: Option<Secret> as Maybe<Hidden> = [none], java "securityToken";

    /// The namespace that all topics and groups of this client lie in, put before their names with
    /// a `%` between, as Java's `namespace`: `orders` is `south%orders` to brokers, and a group's
    /// retry topic `%RETRY%south%billing`. What this client tells is without it. 1 to 64 letters,
    /// digits, `|`, `_` and `-`.
    namespace: Option<String> as Name = [none], java "namespace";

    /// The namespace of servers that keep several apart by a field of each request (`ns`, with
    /// `nsd` beside it), as Java's `namespaceV2`. Topics and groups keep their names. 1 to 255
    /// visible ASCII characters.
    namespace_v2: Option<String> as Name = [none], java "namespaceV2";

    /// From the call to its end, route lookup, connect and retry included.
    send_timeout: Duration as Time = [3 s] in [not zero],
        java "sendMsgTimeout", python "send_msg_timeout";

    /// Sends and questions wait for a topic that does not exist, until their deadlines: it may be
    /// about to be created, or nameservers have just been started. They look for it 200 ms to 1 s
    /// apart. Without it a topic that every nameserver denies is an error at once, so that a
    /// misspelt name shows. One that this client has known is waited for all the same.
    await_topic: bool as Flag = [false];

    /// How often a message is given to a broker, the first time included, which Java and
    /// pyrocketmq do not count.
    send_attempts: u32 as Count = [2] in [1 ..],
        java "retryTimesWhenSendFailed", python "retry_times";

    /// From one try of a send to the next, on another broker, where there is one that may take the
    /// message. A broker that let a try run out is tried last until it answers anything; what it
    /// answers late still counts, and ends the send if the message is stored. With none, a third of
    /// the send's own deadline; one as long as that never acts, and one below 10 ms counts as that.
    /// Sends to a queue of one's choice have no other broker.
    try_timeout: Option<Duration> as Maybe<Time> = [none] in [not zero],
        java "sendMsgMaxTimeoutPerRequest";

    /// Largest body, in bytes, refused before anything is sent. What may be sent can be read:
    /// `max_opened_body` and `max_frame` are never less than it takes.
    max_body: usize as Size = [4 MiB], java "maxMessageSize", python "max_message_size";

    /// Bytes that the compressed body of a message received may open to; one that would take more
    /// can't be read. `max_body` where that is more.
    max_opened_body: usize as Size = [32 MiB] in [1 ..= 2147483647];

    /// Largest frame that is read or written, in bytes without its length word: a peer that sends a
    /// larger one is cut off. 128 KiB more than `max_body` where that is more. Brokers take frames
    /// of 16 MiB unless told otherwise by Java's property.
    max_frame: usize as Size = [32 MiB] in [65536 ..= 2147483647],
        java "com.rocketmq.remoting.frameMaxLength";

    /// Longer bodies, in bytes, are compressed; a batch's never are.
    compress_over: usize as Size = [4 KiB],
        java "compressMsgBodyOverHowmuch", python "compress_msg_body_over_howmuch";

    /// How hard zlib compresses: 0 not at all, 1 quickest, 9 smallest. Others have one level.
    compress_level: u32 as Count = [5] in [0 ..= 9], java "rocketmq.message.compressLevel";

    /// What compresses bodies: `zlib`, `lz4`, `zstd`, or `off`. Every consumer opens zlib; `lz4`
    /// and `zstd` only those of Java's client from 5.0 on and of this one, with the features of
    /// those names, which sending so needs as well. Without its feature, zlib compresses nothing.
    compression: Option<Compression> as Codec = [zlib], java "rocketmq.message.compressType";

    /// Sends under way, that is neither ended nor waiting for room; see `wait_for_room` for one
    /// more. As many questions may be under way beside them.
    max_pending: usize as Count = [65536] in [1 ..],
        java "backPressureForAsyncSendNum", python "async_send_semaphore";

    /// Bytes of sends under way; see `wait_for_room` for one more. A message counts with its
    /// header: some 375 bytes and its topic, group and properties, besides its body.
    max_pending_bytes: usize as Size = [100 MiB] in [1 ..], java "backPressureForAsyncSendSize";

    /// Sends that one broker has not answered, over all connections to it; further ones wait in
    /// this client and have not left, so that a deadline there ends them as not stored. A broker
    /// queues 10,000 for all its clients (`sendThreadPoolQueueCapacity`) and refuses more. One that
    /// says so, or that what it queued grew too old, gets half as many, down to 64, and more again
    /// by and by as it answers.
    max_unanswered: usize as Count = [4096] in [1 ..];

    /// Bytes of sends that one broker has not answered; further ones wait as well. A message of any
    /// size leaves while there is no other, and one of more than 16 MiB, which has a connection of
    /// its own, is not counted.
    max_unanswered_bytes: usize as Size = [16 MiB] in [1 ..];

    /// What a send does when `max_pending` or `max_pending_bytes` leave no room: it waits in the
    /// client, first in, first out, under its deadline from the call, or, without this, it is
    /// refused.
    wait_for_room: bool as Flag = [true], java "enableBackpressureForAsyncMode";

    /// Sends that wait for room; one more is refused.
    max_waiting: usize as Count = [262144] in [1 ..];

    /// Bytes of sends that wait for room; one more is refused.
    max_waiting_bytes: usize as Size = [400 MiB] in [1 ..];

    /// Producers leave brokers alone that answer late or fail, by Java's table. Without it a broker
    /// that has no connection, or that let a try run out (`try_timeout`), is passed over all the
    /// same.
    fault_isolation: bool as Flag = [false], java "sendLatencyEnable";

    /// Brokers that are left alone are asked every 3 s whether they are well again.
    probe_isolated: bool as Flag = [false], java "startDetectorEnable";

    /// A message stored without being flushed or copied in time is sent again to another broker,
    /// and is then stored twice.
    retry_not_ok: bool as Flag = [false],
        java "retryAnotherBrokerWhenNotStoreOK", python "retry_another_broker_when_not_store_ok";

    /// Addresses to use in place of those that nameservers tell: for brokers that advertise an
    /// address which can't be reached from here, as a container's own, or which can't be read at
    /// all: what is told may be any text. As text: `told=used`, several joined by `;` or `,`.
    rewrite_addresses: Vec<(String, Endpoint)> as Rewrites = [empty];

    /// From a request to its answer, for requests of our own (routes, heartbeats, offsets).
    request_timeout: Duration as Time = [3 s] in [not zero],
        java "mqClientApiTimeout", python "rpc_timeout";

    /// From `Connect` until the attempt is given up. Java's 3 s are as long as its whole
    /// `sendMsgTimeout`: the first send to a broker that swallows connects would never see another
    /// one. The default is enough for a first packet that is lost, which systems repeat after a
    /// second, and leaves two more attempts within `send_timeout`. Keep it below half of that.
    connect_timeout: Duration as Time = [1200 ms] in [not zero],
        java "connectTimeoutMillis", python "connect_timeout";

    /// First pause after a connection failed; it doubles with each further failure until the peer
    /// answers something, give or take a quarter.
    reconnect_min: Duration as Time = [100 ms] in [not zero], python "retry_interval";

    /// Longest pause between attempts while work waits: calls, or a consumer with queues there. Not
    /// below `reconnect_min`.
    reconnect_max: Duration as Time = [1 s] in [not zero], python "max_retry_interval";

    /// Longest pause between attempts at a broker that a consumer would read from, were queues of
    /// it its own, while no work waits; work that comes is not kept waiting. Until it is connected,
    /// that broker tells the group's other members of the group without this one. Not below
    /// `reconnect_max`.
    reconnect_idle_max: Duration as Time = [30 s] in [not zero],
        java "maxReconnectIntervalTimeSeconds";

    /// A connection on which nothing was sent or received for so long is closed, unless a consumer
    /// reads from that broker or requests wait for answers; the next request makes another one. A
    /// client with groups sends heartbeats, and one that uses topics asks for routes: those
    /// connections are never idle for long. With none, connections stay until the peer closes them.
    max_idle: Option<Duration> as Maybe<Time> = [some 120 s] in [1 s ..= 86400 s],
        java "clientChannelMaxIdleTimeSeconds", python "idle_timeout";

    /// Connections to each broker over which sends are spread: to the one with the fewest under
    /// way, past those that are down. All else goes over the first one. Sends to a chosen queue, or
    /// one by hash, keep to one of them while it is well. One is enough for most loads: more help
    /// where a single stream is the limit, as over long distances.
    connections_per_broker: u32 as Count = [1] in [1 ..= 64], python "connection_pool_size";

    /// Sends go to the port two below the broker's own (`fastListenPort`), where Java's brokers
    /// take no pulls; all else goes to the main port. Of an address in `rewrite_addresses` it is
    /// the port two below the one used. Where nobody listens there, sends fail.
    vip_channel: bool as Flag = [false], java "vipChannelEnabled";

    /// How often the route of a topic in use is asked for, give or take a quarter.
    route_refresh_interval: Duration as Time = [30 s] in [not zero],
        java "pollNameServerInterval", python "poll_name_server_interval";

    /// How often each broker hears from us; a broker forgets a client after 120 s.
    heartbeat_interval: Duration as Time = [30 s] in [not zero],
        java "heartbeatBrokerInterval", python "heartbeat_broker_interval";

    /// How often a consumer looks whether its share of queues changed.
    rebalance_interval: Duration as Time = [20 s] in [not zero],
        java "rocketmq.client.rebalance.waitInterval";

    /// How the queues of a topic are shared out among the members of a group, which must all say
    /// the same: `average`, `circle`, or `consistent-hash` with a number of places for each member.
    /// A consumer may have a rule of its own.
    strategy: SharingRule as Sharing = [average], java "allocateMessageQueueStrategy";

    /// How long a queue that another member of the group may have had rests before its stored
    /// offset is read: time for that member to commit. A consumer that is alone does not wait.
    handover_pause: Duration as Time = [500 ms] in [0 s ..= 10 s];

    /// The folder for the offsets of groups that broadcast, each in
    /// `<address@instance_name>/<group>/offsets.json` below it, or `<address@DEFAULT>` without an
    /// `instance_name`. None is where Java has it: `.rocketmq_offsets` in the user's home.
    offset_store_path: Option<String> as Name = [none],
        java "rocketmq.client.localOffsetStoreDir";

    /// How often consumed offsets are committed.
    commit_interval: Duration as Time = [5 s] in [not zero],
        java "persistConsumerOffsetInterval", python "persist_interval";

    /// Messages asked for by one pull. 32 is also what a broker gives at most by default.
    pull_batch: u32 as Count = [32] in [1 ..= 1024],
        java "pullBatchSize", python "pull_batch_size";

    /// Messages that one poll of a pull consumer gives at most, of those that pulls brought.
    poll_batch: u32 as Count = [10] in [1 ..= 1024];

    /// How long a broker may hold a pull while there is nothing new.
    pull_suspend: Duration as Time = [15 s], java "brokerSuspendMaxTimeMillis";

    /// From a pull to its answer, the hold included. Longer than `pull_suspend`.
    pull_timeout: Duration as Time = [30 s] in [not zero], java "consumerTimeoutMillisWhenSuspend";

    /// Pause after a pull that failed; a second is what Java does in effect.
    pull_retry: Duration as Time = [1 s] in [not zero], java "pullTimeDelayMillsWhenException";

    /// Messages of one queue held unsettled before its pulls pause.
    queue_messages: usize as Count = [1000] in [1 ..],
        java "pullThresholdForQueue", python "pull_threshold_of_queue";

    /// Bytes of one queue held unsettled before its pulls pause; Java and pyrocketmq count MiB.
    queue_bytes: usize as Size = [100 MiB] in [1 ..],
        java "pullThresholdSizeForQueue", python "pull_threshold_size_of_queue";

    /// Offsets from the first to the last message of one queue held unsettled before its pulls
    /// pause: so far a slow message may be passed by its followers.
    queue_span: u32 as Count = [2000] in [1 ..], java "consumeConcurrentlyMaxSpan";

    /// Messages of one topic held unsettled before pulls of its queues pause, divided among those
    /// that a consumer holds of it, so that none takes the room of the others. None: no limit.
    topic_messages: Option<usize> as Maybe<Count> = [none] in [1 ..],
        java "pullThresholdForTopic", python "pull_threshold_for_topic";

    /// Bytes of one topic held unsettled, divided as `topic_messages`; Java counts MiB. None: no
    /// limit.
    topic_bytes: Option<usize> as Maybe<Size> = [none] in [1 ..], java "pullThresholdSizeForTopic";

    /// After this pause a message that could not be sent back is delivered again to this consumer
    /// (5 s are fixed in Java); one that is dropped after a tenth of it, at most 100 ms, and later
    /// each further time, up to 30 s.
    retry_delay: Duration as Time = [5 s];

    /// How often a message that is sent back comes again; after that its broker makes a dead letter
    /// of it. With 0 each is a dead letter at once. 16 is what -1 is in Java. In a group that
    /// broadcasts, how often a message that could not be handled comes again to the same consumer;
    /// after that it is dropped.
    max_reconsume_times: u32 as Count = [16] in [0 ..= 2147483647],
        java "maxReconsumeTimes", python "max_reconsume_times";

    /// How long the application may have a message. One that it has not settled by then is sent
    /// back and comes again, here or elsewhere, and settling it later does nothing. It is looked
    /// for now and then: up to a quarter of this later, and at most 20 s. With none, for ever.
    consume_timeout: Option<Duration> as Maybe<Time> = [some 900 s] in [1 s ..= 31536000 s],
        java "consumeTimeout";

    /// How long the application may have a message before a line of log tells of it, as late as
    /// with `consume_timeout`, once a minute for each consumer. With none, for ever.
    slow_after: Option<Duration> as Maybe<Time> = [some 60 s] in [1 s ..= 31536000 s];

    /// How long a shutdown may take to finish sends, commit offsets and unregister.
    shutdown_timeout: Duration as Time = [3 s] in [not zero],
        java "awaitTerminationMillisWhenShutdown";

    /// Whether what is written leaves at once (`TCP_NODELAY`, which Java always sets). Without it,
    /// a small frame may wait for the answer to the one before it.
    tcp_nodelay: bool as Flag = [true], python "tcp_no_delay";

    /// After this silence the system asks whether the peer is still there (`SO_KEEPALIVE`), for
    /// firewalls that forget silent connections. None asks nothing, as Java: heartbeats do. Whole
    /// seconds; how often and how long it asks is the system's setting.
    tcp_keepalive: Option<Duration> as Maybe<Time> = [none] in [1 s ..= 32767 s],
        python "so_keep_alive";

    /// Bytes of the system's buffer for what is written (`SO_SNDBUF`). None leaves it to the
    /// system, which adapts it; a size given here is fixed, and limited by `net.core.wmem_max`.
    send_buffer: Option<usize> as Maybe<Size> = [none] in [1024 ..= 1073741824],
        java "clientSocketSndBufSize", python "send_buffer_size";

    /// Bytes of the system's buffer for what is read (`SO_RCVBUF`). None leaves it to the
    /// system, which adapts it; a size given here is fixed, and limited by `net.core.rmem_max`.
    receive_buffer: Option<usize> as Maybe<Size> = [none] in [1024 ..= 1073741824],
        java "clientSocketRcvBufSize", python "recv_buffer_size";

    /// Connections to nameservers and brokers are encrypted and the peers' certificates verified,
    /// by the feature `tls` or `tls-aws-lc`. Any of the settings below switches that on as well,
    /// since none means anything without: to switch it off leave all of them out. The handshake
    /// counts into `connect_timeout`. An address server's page is still asked for by plain HTTP.
    tls: bool as Flag = [false], java "useTLS";

    /// The certificates of the authorities that are trusted: a file of PEM, or the PEM itself.
    /// None trusts those of the system.
    tls_ca: Option<Pem> as Maybe<PemText> = [none], java "tls.client.trustCertPath";

    /// This client's certificate, followed by those that lead to an authority, for brokers that
    /// want one: a file of PEM, or the PEM itself. With `tls_key`.
    tls_cert: Option<Pem> as Maybe<PemText> = [none], java "tls.client.certPath";

    /// The key of `tls_cert`, not encrypted: a file of PEM, or the PEM itself, which shows nowhere:
    /// a file that these settings are written to is without it.
    tls_key: Option<Pem> as Maybe<PemText> = [none], java "tls.client.keyPath";

    /// The name that peers' certificates have to be valid for, and that is told them (SNI). None
    /// takes each peer's own host or IP address, as it was given or as nameservers tell it.
    tls_server_name: Option<String> as Name = [none];

    /// Certificates of the trusted authorities are accepted whatever their names are: each
    /// holder of one may then be any broker.
    tls_danger_any_name: bool as Flag = [false];

    /// Peers' certificates are not verified at all: whoever is on the way can read and change
    /// everything. As Java's client unless `tls.client.authServer` is set. For trials alone.
    tls_danger_any_certificate: bool as Flag = [false];

    /// The address of this host that connections leave from, on hosts with several. None leaves it
    /// to the system. Peers of the other address family can't be reached with it.
    local_address: Option<IpAddr> as Maybe<Address> = [none];
}

impl Setting {
    /// The variable of the environment that sets it.
    pub fn variable(&self) -> String {
        format!("{}{}", super::env::PREFIX, self.name.to_ascii_uppercase())
    }

    /// Its value in `config`, as text that reads back; empty for none.
    pub fn show(&self, config: &Config) -> String {
        (self.give)(config).text()
    }

    /// What its value must be, as the end of a sentence; empty if anything that can be read will
    /// do.
    pub const fn range(&self) -> &'static str {
        self.range.says
    }
}
