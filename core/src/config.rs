//! What an embedder may set, with Java's defaults.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use crate::name::{Endpoint, NameError};

/// Who this process is: the parts of a client id and of unique message ids that only the embedder
/// can know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The host's IPv4 address as brokers may show it to operators.
    pub address: [u8; 4],
    /// The process id.
    pub process: u32,
    /// Random bits that no other client of this process or container has: containers share
    /// addresses and process ids (apache/rocketmq #667, #2760).
    pub salt: u64,
}

impl Default for Identity {
    fn default() -> Self {
        Self { address: [127, 0, 0, 1], process: 0, salt: 0 }
    }
}

/// The settings of one client. Every duration is exact; every limit is inclusive.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// Nameservers, tried in turn, sticky until one fails. At least one.
    pub name_servers: Vec<Endpoint>,
    /// Who we are. The adapters fill it in; an embedder of the core must.
    pub identity: Identity,
    /// From the call to its end, route lookup, connect and retry included. 3 s, as Java's
    /// `sendMsgTimeout`.
    pub send_timeout: Duration,
    /// How often a message is given to a broker, the first time included. 2.
    pub send_attempts: u32,
    /// Largest body, in bytes, refused before anything is sent. 4 MiB, as Java's `maxMessageSize`.
    pub max_body: usize,
    /// Longer bodies are compressed with zlib; a batch's never are. 4,096 bytes, as Java's
    /// `compressMsgBodyOverHowmuch`.
    pub compress_over: usize,
    /// How hard, 0 to 9. 5, as Java's `rocketmq.message.compressLevel`.
    pub compress_level: u32,
    /// Sends not yet ended; one more is refused. 65,536.
    pub max_pending: usize,
    /// Bytes of sends not yet ended; one more is refused. 100 MiB (`backPressureForAsyncSendSize`).
    pub max_pending_bytes: usize,
    /// What a send does when `max_pending` or `max_pending_bytes` leave no room: it is refused, or,
    /// with this, it begins when there is room, and its deadline begins then. Off.
    pub wait_for_room: bool,
    /// Producers leave brokers alone that answer late or fail, by Java's table. Off, as Java's
    /// `sendLatencyFaultEnable`: a broker without a connection is passed over all the same.
    pub fault_isolation: bool,
    /// Brokers that are left alone are asked every 3 s whether they are well again. Off, as Java's
    /// `startDetectorEnable`.
    pub probe_isolated: bool,
    /// A message stored without being flushed or copied in time is sent again to another broker,
    /// and is then stored twice. Off, as Java's `retryAnotherBrokerWhenNotStoreOK`.
    pub retry_not_ok: bool,
    /// Addresses to use in place of those that nameservers tell: for brokers that advertise an
    /// address which can't be reached from here, as a container's own. Empty.
    pub rewrite_addresses: Vec<(Endpoint, Endpoint)>,
    /// From a request to its answer, for requests of our own (routes, heartbeats, offsets). 3 s.
    pub request_timeout: Duration,
    /// From `Connect` until the attempt is given up. 3 s.
    pub connect_timeout: Duration,
    /// First pause after a connection failed; it doubles up to `reconnect_max`. 100 ms.
    pub reconnect_min: Duration,
    /// Longest pause between attempts while work waits. 1 s.
    pub reconnect_max: Duration,
    /// How often the route of a topic in use is asked for. 30 s, give or take a quarter.
    pub route_refresh: Duration,
    /// How often each broker hears from us; a broker forgets a client after 120 s. 30 s.
    pub heartbeat: Duration,
    /// How often a consumer looks whether its share of queues changed. 20 s.
    pub rebalance: Duration,
    /// How often consumed offsets are committed. 5 s.
    pub commit: Duration,
    /// Messages asked for by one pull. 32, which is also what a broker gives at most by default.
    pub pull_batch: u32,
    /// How long a broker may hold a pull while there is nothing new. 15 s.
    pub pull_suspend: Duration,
    /// From a pull to its answer, the hold included. 30 s.
    pub pull_timeout: Duration,
    /// Pause after a pull that failed. 1 s, what Java does in effect.
    pub pull_retry: Duration,
    /// Messages of one queue held unsettled before its pulls pause. 1,000.
    pub queue_messages: usize,
    /// Bytes of one queue held unsettled before its pulls pause. 100 MiB.
    pub queue_bytes: usize,
    /// After this pause a message answered with `retry` is delivered again. 1 s.
    pub retry_delay: Duration,
    /// How long a shutdown may take to finish sends, commit offsets and unregister. 3 s.
    pub shutdown_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            name_servers: Vec::new(),
            identity: Identity::default(),
            send_timeout: seconds(3),
            send_attempts: 2,
            max_body: 4 << 20,
            compress_over: 4096,
            compress_level: 5,
            max_pending: 65_536,
            max_pending_bytes: 100 << 20,
            wait_for_room: false,
            fault_isolation: false,
            probe_isolated: false,
            retry_not_ok: false,
            rewrite_addresses: Vec::new(),
            request_timeout: seconds(3),
            connect_timeout: seconds(3),
            reconnect_min: Duration::from_millis(100),
            reconnect_max: seconds(1),
            route_refresh: seconds(30),
            heartbeat: seconds(30),
            rebalance: seconds(20),
            commit: seconds(5),
            pull_batch: 32,
            pull_suspend: seconds(15),
            pull_timeout: seconds(30),
            pull_retry: seconds(1),
            queue_messages: 1000,
            queue_bytes: 100 << 20,
            retry_delay: seconds(1),
            shutdown_timeout: seconds(3),
        }
    }
}

/// Why settings were refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// No nameserver was given.
    #[error("name_servers is empty: give at least one nameserver as host:port")]
    NoNameServer,
    /// An address could not be read.
    #[error("name_servers: {0}")]
    Address(#[from] NameError),
    /// A field is outside its range.
    #[error("{field} {problem}")]
    Field {
        /// The field's name.
        field: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
}

impl From<Infallible> for ConfigError {
    /// Settings that are made already can't be refused.
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl Config {
    /// The defaults, with nameservers given as `host:port`, several joined by `;` or `,`.
    pub fn new(name_servers: &str) -> Result<Self, ConfigError> {
        let listed = name_servers.split([';', ',']).map(str::trim).filter(|part| !part.is_empty());
        let name_servers = listed.map(Endpoint::parse).collect::<Result<Vec<_>, _>>()?;
        let config = Self { name_servers, ..Self::default() };
        config.check()?;
        Ok(config)
    }

    /// Names the first field that can't work.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.name_servers.is_empty() {
            return Err(ConfigError::NoNameServer);
        }
        let field = |wrong: bool, field, problem| {
            if wrong { Err(ConfigError::Field { field, problem }) } else { Ok(()) }
        };
        field(self.send_timeout.is_zero(), "send_timeout", "must not be zero")?;
        field(self.send_attempts == 0, "send_attempts", "must be at least 1")?;
        field(self.compress_level > 9, "compress_level", "must be 0 to 9")?;
        field(self.max_pending == 0, "max_pending", "must be at least 1")?;
        field(self.max_pending_bytes == 0, "max_pending_bytes", "must be at least 1")?;
        field(self.request_timeout.is_zero(), "request_timeout", "must not be zero")?;
        field(self.connect_timeout.is_zero(), "connect_timeout", "must not be zero")?;
        field(self.reconnect_min.is_zero(), "reconnect_min", "must not be zero")?;
        let backwards = self.reconnect_max < self.reconnect_min;
        field(backwards, "reconnect_max", "must not be below reconnect_min")?;
        field(self.route_refresh.is_zero(), "route_refresh", "must not be zero")?;
        field(self.heartbeat.is_zero(), "heartbeat", "must not be zero")?;
        field(self.rebalance.is_zero(), "rebalance", "must not be zero")?;
        field(self.commit.is_zero(), "commit", "must not be zero")?;
        let batch = self.pull_batch == 0 || self.pull_batch > 1024;
        field(batch, "pull_batch", "must be 1 to 1024")?;
        let early = self.pull_timeout <= self.pull_suspend;
        field(early, "pull_timeout", "must be longer than pull_suspend")?;
        field(self.pull_retry.is_zero(), "pull_retry", "must not be zero")?;
        field(self.queue_messages == 0, "queue_messages", "must be at least 1")?;
        field(self.queue_bytes == 0, "queue_bytes", "must be at least 1")?;
        field(self.shutdown_timeout.is_zero(), "shutdown_timeout", "must not be zero")
    }

    /// The address to use for one that a nameserver told.
    pub(crate) fn rewritten(&self, told: Endpoint) -> Endpoint {
        let found = self.rewrite_addresses.iter().find(|(from, _)| *from == told);
        found.map_or(told, |(_, to)| to.clone())
    }

    /// The id brokers know this client by: `ip@pid#salt`, which differs even between two clients
    /// of one process.
    pub fn client_id(&self) -> Arc<str> {
        let Identity { address: [a, b, c, d], process, salt } = self.identity;
        Arc::from(format!("{a}.{b}.{c}.{d}@{process}#{salt:016x}"))
    }
}

impl TryFrom<&str> for Config {
    type Error = ConfigError;
    fn try_from(name_servers: &str) -> Result<Self, ConfigError> {
        Self::new(name_servers)
    }
}

impl TryFrom<&String> for Config {
    type Error = ConfigError;
    fn try_from(name_servers: &String) -> Result<Self, ConfigError> {
        Self::new(name_servers)
    }
}

impl TryFrom<String> for Config {
    type Error = ConfigError;
    fn try_from(name_servers: String) -> Result<Self, ConfigError> {
        Self::new(&name_servers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_nameservers_is_read_and_a_typo_is_named() {
        let config = Config::new("a:9876; b:9876,[::1]:9876").unwrap();
        let read: Vec<_> = config.name_servers.iter().map(Endpoint::as_str).collect();
        assert_eq!(read, ["a:9876", "b:9876", "[::1]:9876"]);
        assert_eq!(Config::new(" ;"), Err(ConfigError::NoNameServer));
        let wrong = Config::new("localhost").unwrap_err().to_string();
        assert!(wrong.contains("\"localhost\"") && wrong.contains("host:port"), "{wrong}");
    }

    #[test]
    fn a_field_out_of_range_is_named() {
        let mut config = Config::new("a:1").unwrap();
        config.pull_timeout = config.pull_suspend;
        assert!(config.check().unwrap_err().to_string().starts_with("pull_timeout "));
    }

    #[test]
    fn two_clients_of_one_process_have_different_ids() {
        let mut config = Config::default();
        let first = config.client_id();
        config.identity.salt = 1;
        assert_ne!(first, config.client_id());
    }
}
