//! What every adapter stands on, whatever moves its bytes: the clocks, who the client is, why there
//! is none, the settings in the environment, names and sockets before they are connected, and
//! threads.
//!
//! It is here because the core may not look at any of this, and needs nothing but the standard
//! library and the system: no runtime comes with it, and nothing runs by itself. The adapters for
//! tokio and for smol take it from this crate.

mod begin;
mod clocks;
mod environment;
mod error;
mod offset_files;
mod socket;
mod threads;
#[cfg(feature = "tls")]
mod tls;
#[cfg(test)]
pub(crate) mod trial;

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

use rocketry_core::name::Endpoint;

pub use begin::{Begun, begin};
pub use clocks::Clocks;
pub use environment::{config_from_env, vars};
pub use error::ClientError;
pub use offset_files::OffsetFiles;
pub use socket::{begin_connect, socket};
pub(crate) use threads::waker;
pub use threads::{run, spawn};

/// The addresses of a name, looked up anew. Blocks for as long as the system's resolver does.
///
/// # Errors
///
/// What the resolver says.
pub fn resolve(endpoint: &Endpoint) -> io::Result<Vec<SocketAddr>> {
    (endpoint.host(), endpoint.port()).to_socket_addrs().map(Vec::from_iter)
}
