//! What an embedder may set, with Java's defaults.

mod compression;
mod credentials;
mod env;
mod error;
mod identity;
mod pem;
mod preset;
mod range;
mod secret;
mod serde;
mod sharing;
mod table;
#[cfg(test)]
mod tests;
mod unsupported;
mod value;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

pub use compression::Compression;
pub use credentials::{Credentials, CredentialsProvider, RotatingCredentials};
pub use error::ConfigError;
pub use identity::Identity;
pub use pem::Pem;
pub use preset::{PRESETS, Preset};
pub use secret::Secret;
pub use sharing::SharingRule;
pub use table::{Config, SETTINGS, Setting};
pub use unsupported::{NOT_BUILT, NotBuilt, PER_CONSUMER, PerConsumer};

use crate::name::{Endpoint, NameError};
use crate::url::Url;
use value::Value;

/// Java's name of an instance that is to get a name of its own (`changeInstanceNameToPID`).
const UNNAMED: &str = "DEFAULT";

/// A rule about one field that its range can't say: the field, what it must be, whether it is.
type Rule = (&'static str, &'static str, fn(&Config) -> bool);

/// Bytes of a frame beside the body of its message: the longest header, and what is stored with
/// it.
const FRAME_ROOM: usize = 128 << 10;

const RULES: &[Rule] = &[
    ("instance_name", "must be 1 to 255 visible ASCII characters", |c| is_name(&c.instance_name)),
    ("unit_name", "must be 1 to 255 visible ASCII characters", |c| is_name(&c.unit_name)),
    ("access_key", "must be given together with secret_key, or neither of them", |c| {
        c.access_key.is_some() == c.secret_key.is_some()
    }),
    ("security_token", "goes with an access_key and a secret_key", |c| {
        c.security_token.is_none() || c.access_key.is_some()
    }),
    ("access_key", "needs the feature acl, which this build is without", |c| {
        cfg!(feature = "acl") || (c.access_key.is_none() && c.credentials.is_none())
    }),
    ("namespace", "must be 1 to 64 letters, digits, '|', '_' and '-'", |c| {
        c.namespace.as_ref().is_none_or(|name| is_namespace(name))
    }),
    ("namespace_v2", "must be 1 to 255 visible ASCII characters", |c| is_name(&c.namespace_v2)),
    ("reconnect_max", "must not be below reconnect_min", |c| c.reconnect_min <= c.reconnect_max),
    ("reconnect_idle_max", "must not be below reconnect_max", |c| {
        c.reconnect_max <= c.reconnect_idle_max
    }),
    ("pull_timeout", "must be longer than pull_suspend", |c| c.pull_suspend < c.pull_timeout),
    ("tcp_keepalive", "must be whole seconds", |c| {
        c.tcp_keepalive.is_none_or(|after| after.subsec_nanos() == 0)
    }),
    ("compression", "must be a codec of this build: lz4 and zstd are features", |c| {
        c.compression.is_none_or(|codec| codec == Compression::Zlib || codec.is_built())
    }),
    ("tls", "and tls_ca and its like need the feature tls, which this build is without", |c| {
        !c.encrypts() || cfg!(feature = "tls")
    }),
    ("tls_key", "must be given with tls_cert, and tls_cert with it", |c| {
        c.tls_key.is_some() == c.tls_cert.is_some()
    }),
    (
        "strategy",
        "must be a rule of this build, with 1 to 1000 places: consistent-hash is a feature",
        |c| c.strategy.is_built(),
    ),
];

fn is_name(name: &Option<String>) -> bool {
    name.as_ref().is_none_or(|name| {
        (1..=255).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic())
    })
}

fn is_namespace(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '|' | '_' | '-');
    (1..=64).contains(&name.len()) && name.chars().all(allowed)
}

/// What is joined by `;` or `,`.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split([';', ',']).map(str::trim).filter(|part| !part.is_empty())
}

fn endpoints(text: &str) -> Result<Vec<Endpoint>, NameError> {
    parts(text).map(Endpoint::parse).collect()
}

impl Config {
    /// The defaults, with nameservers given as `host:port`, several joined by `;` or `,`, or as
    /// the `http://` page of an address server that lists them.
    pub fn new(name_servers: impl AsRef<str>) -> Result<Self, ConfigError> {
        let (mut config, name_servers) = (Self::default(), name_servers.as_ref());
        if name_servers.contains("://") {
            config.set(&SETTINGS[0], SETTINGS[0].name, &Value::Text(name_servers.to_owned()))?;
        } else {
            config.name_servers = endpoints(name_servers)?;
        }
        config.check()?;
        Ok(config)
    }

    /// Names the first field that can't work, and says what it must be.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.name_servers.is_empty() && self.address_server.is_none() {
            return Err(ConfigError::NoNameServer);
        }
        for setting in SETTINGS {
            if !setting.range.has((setting.measure)(self)) {
                let (field, problem) = (setting.name, setting.range.says);
                return Err(ConfigError::Field { field, problem });
            }
        }
        match RULES.iter().find(|(_, _, holds)| !holds(self)) {
            Some(&(field, problem, _)) => Err(ConfigError::Field { field, problem }),
            None => Ok(()),
        }
    }

    /// The id brokers know this client by: `address@instance`, then `@unit` if there is one, as
    /// Java's `ClientConfig.buildMQClientId`. Without an `instance_name` the instance is
    /// `process#salt`, which differs even between two clients of one process.
    pub fn client_id(&self) -> Arc<str> {
        let named = self.instance_name.as_deref().filter(|name| *name != UNNAMED);
        let instance = named.map_or_else(|| self.identity.instance(), str::to_owned);
        self.id_of(&instance)
    }

    fn id_of(&self, instance: &str) -> Arc<str> {
        let [a, b, c, d] = self.identity.address;
        match &self.unit_name {
            Some(unit) => Arc::from(format!("{a}.{b}.{c}.{d}@{instance}@{unit}")),
            None => Arc::from(format!("{a}.{b}.{c}.{d}@{instance}")),
        }
    }

    /// As whose the offsets of groups that broadcast are kept: the client id, with Java's `DEFAULT`
    /// for a client without a name, which stays the same from run to run.
    pub(crate) fn offset_client(&self) -> Arc<str> {
        let name = self.instance_name.clone().unwrap_or_else(|| UNNAMED.to_owned());
        self.id_of(&name)
    }

    /// The page that lists the nameservers, that of the unit if there is one.
    pub(crate) fn address_page(&self) -> Option<Url> {
        let url = self.address_server.as_ref()?;
        let unit = self.unit_name.as_ref().and_then(|unit| url.of_unit(unit));
        Some(unit.unwrap_or_else(|| url.clone()))
    }

    /// The address to use for one that a nameserver told. A rewrite may name one that can't be
    /// read.
    pub(crate) fn rewritten(&self, told: &str) -> Result<Endpoint, NameError> {
        let (told, read) = (told.trim(), Endpoint::told(told));
        let same = |from: &str| {
            from == told
                || read.as_ref().is_ok_and(|told| Endpoint::told(from).as_ref() == Ok(told))
        };
        let found = self.rewrite_addresses.iter().find(|(from, _)| same(from));
        found.map_or(read, |(_, to)| Ok(to.clone()))
    }

    /// Bytes that the body of a message received may open to. What may be sent may be read.
    pub(crate) fn opened_max(&self) -> u32 {
        u32::try_from(self.max_opened_body.max(self.max_body)).unwrap_or(u32::MAX)
    }

    /// Bytes of the largest frame, read or written: any message that may be sent fits.
    pub(crate) fn frame_max(&self) -> usize {
        let own = self.max_body.saturating_add(FRAME_ROOM);
        self.max_frame.max(own).min(i32::MAX as usize)
    }

    /// Whether connections are encrypted: where `tls` says so, or any setting that only means
    /// something with it.
    pub const fn encrypts(&self) -> bool {
        self.tls
            || self.tls_ca.is_some()
            || self.tls_cert.is_some()
            || self.tls_key.is_some()
            || self.tls_server_name.is_some()
            || self.tls_danger_any_name
            || self.tls_danger_any_certificate
    }

    /// What is to be set on the sockets of this client.
    pub const fn socket(&self) -> SocketOptions {
        SocketOptions {
            nodelay: self.tcp_nodelay,
            keepalive: self.tcp_keepalive,
            send_buffer: self.send_buffer,
            receive_buffer: self.receive_buffer,
            local_address: self.local_address,
        }
    }
}

/// What an adapter is to set on a socket before it connects; the fields are those of [`Config`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SocketOptions {
    /// [`Config::tcp_nodelay`].
    pub nodelay: bool,
    /// [`Config::tcp_keepalive`].
    pub keepalive: Option<Duration>,
    /// [`Config::send_buffer`], in bytes.
    pub send_buffer: Option<usize>,
    /// [`Config::receive_buffer`], in bytes.
    pub receive_buffer: Option<usize>,
    /// [`Config::local_address`].
    pub local_address: Option<IpAddr>,
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
