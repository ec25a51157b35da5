//! What every client begins with: settings that work, and who it is.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::{IpAddr, UdpSocket};
use std::sync::Arc;

use rocketry_core::client::adapter::{Host, Shared};
use rocketry_core::config::{Config, ConfigError, Identity, SocketOptions};

use super::{ClientError, Clocks, OffsetFiles};

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
/// When the settings can't work, or there is no host.
pub fn begin<C, H: Host>(
    config: C,
    host: impl FnOnce() -> Result<H, ClientError>,
) -> Result<Begun, ClientError>
where
    C: TryInto<Config>,
    ConfigError: From<C::Error>,
{
    let mut config: Config = config.try_into().map_err(ConfigError::from)?;
    config.check()?;
    identify(&mut config.identity);
    let (clocks, options) = (Clocks::default(), config.socket());
    let files = Arc::new(OffsetFiles::new(config.offset_store_path.as_deref()));
    let own = (clocks, host()?);
    #[cfg(feature = "tls")]
    let shared = match super::tls::of(&config, clocks)? {
        Some(tls) => Shared::with_tls(config, random(), own, files, tls),
        None => Shared::with_files(config, random(), own, files),
    };
    #[cfg(not(feature = "tls"))]
    let shared = Shared::with_files(config, random(), own, files);
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
