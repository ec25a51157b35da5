//! What the standard library knows that the core must be told: clocks, the environment, and who we
//! are.

use std::collections::hash_map::RandomState;
use std::ffi::OsString;
use std::hash::BuildHasher;
use std::net::{IpAddr, UdpSocket};
use std::sync::Arc;
use std::time::SystemTime;

use rocketry_core::client::adapter::{Host, Shared};
use rocketry_core::config::{Config, ConfigError, Identity, SocketOptions};
use rocketry_core::time::{Instant, UnixMillis};

/// The monotonic and the wall clock of the system.
#[derive(Clone, Copy, Debug)]
pub struct Clocks {
    epoch: std::time::Instant,
}

impl Default for Clocks {
    fn default() -> Self {
        Self { epoch: std::time::Instant::now() }
    }
}

impl Clocks {
    /// The monotonic clock, as the core counts it.
    pub fn now(&self) -> Instant {
        Instant::from_nanos(self.epoch.elapsed().as_nanos() as u64)
    }

    /// When an instant of the core is, on the system's clock. Far instants are a day away.
    pub fn system(&self, at: Instant) -> std::time::Instant {
        let day = std::time::Duration::from_secs(86_400);
        let latest = self.epoch.elapsed() + day;
        self.epoch + at.since(Instant::ZERO).min(latest)
    }

    /// The wall clock.
    pub fn unix(&self) -> UnixMillis {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        UnixMillis(since.map_or(0, |since| since.as_millis() as i64))
    }
}

/// A client that has done nothing yet, and what its adapter needs to move its bytes.
#[derive(Debug)]
pub struct Begun {
    /// For the handles and for the pump.
    pub shared: Arc<Shared>,
    /// The clocks that it goes by.
    pub clocks: Clocks,
    /// What its sockets are to have.
    pub options: SocketOptions,
}

/// What every adapter begins with: checks the settings, fills in who we are, and makes the state
/// that handles and pump share. `host` is what the adapter lends the handles.
///
/// # Errors
///
/// When the settings can't work.
pub fn begin<C, H: Host>(config: C, host: impl FnOnce(Clocks) -> H) -> Result<Begun, ConfigError>
where
    C: TryInto<Config>,
    ConfigError: From<C::Error>,
{
    let mut config: Config = config.try_into().map_err(ConfigError::from)?;
    config.check()?;
    identify(&mut config.identity);
    let (clocks, options) = (Clocks::default(), config.socket());
    let shared = Shared::new(config, random(), host(clocks));
    Ok(Begun { shared, clocks, options })
}

/// 64 bits that differ from run to run.
fn random() -> u64 {
    RandomState::new().hash_one(std::process::id())
}

/// Fills in what the settings leave open of who we are: address, process, and random bits.
fn identify(identity: &mut Identity) {
    let default = Identity::default();
    if identity.address == default.address {
        identity.address = local_address().unwrap_or(default.address);
    }
    if identity.process == default.process {
        identity.process = std::process::id();
    }
    if identity.salt == default.salt {
        identity.salt = random();
    }
}

/// The settings that the environment of this process names: `NAMESRV_ADDR`, as for Java, and
/// `ROCKETRY_<FIELD>` for each field of [`Config`]; the defaults for the rest.
///
/// # Errors
///
/// As [`Config::from_vars`]: no nameserver, a name that is not known, a value that can't be read or
/// is out of range.
pub fn config_from_env() -> Result<Config, ConfigError> {
    Config::from_vars(vars())
}

/// The environment of this process, as [`Config::with_vars`] takes it. What is not Unicode comes
/// with the replacement character, which no setting takes.
pub fn vars() -> impl Iterator<Item = (String, String)> {
    let text = |text: OsString| text.to_string_lossy().into_owned();
    std::env::vars_os().map(move |(name, value)| (text(name), text(value)))
}

/// The address this host would use to reach the outside. Connecting a datagram socket looks it up
/// and sends nothing; the target is an address kept for documentation (RFC 5737).
fn local_address() -> Option<[u8; 4]> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    match socket.local_addr().ok()?.ip() {
        IpAddr::V4(address) => Some(address.octets()),
        IpAddr::V6(_) => None,
    }
}
